"""Prepare outputs for the curves: fit a temperature on a half of them, and leave out classes that are ruled out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from operator import and_
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxrd.errors import InputError
from jaxrd.tosc.calibration.reliability import Bin, Tally, reliable, tallied
from jaxrd.tosc.calibration.temperature import doubts, fitted
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.outputs import Outputs, Progress
from jaxrd.tosc.posterior import Posterior
from jaxrd.tosc.rows import Rows, pass_over
from jaxrd.tosc.split import halves

_BY_CLASS = (
    "a class would have fallen wholly into the half that fits the temperature: each class was split in halves instead; "
    "bounds proved for independent samples hold only nearly then"
)


def _possible(outputs: Outputs, temperature: float) -> tuple[Outputs, np.ndarray]:
    """The outputs without classes whose posterior underflows to 0 in every row and that no sample has; what is kept.

    Such a class was ruled out, by a mask. It changes no curve but S&C at t -> 0, which would guess it too.
    """
    logits = outputs.logits
    assert logits is not None

    def one(_: int, part: np.ndarray) -> np.ndarray:
        return np.subtract(part, part.max(1, keepdims=True), dtype=np.float64).max(0)

    lead = pass_over(logits, one, np.maximum)
    kept = np.exp(lead / temperature) > 0
    kept[outputs.labels] = kept[outputs.decisions] = True
    if kept.all() or kept.sum() < 2:
        return outputs, np.ones(outputs.classes, bool)
    number = np.cumsum(kept) - 1
    labels, decisions = number[outputs.labels], number[outputs.decisions]
    logits = logits.keep(np.flatnonzero(kept)) if isinstance(logits, Rows) else logits[:, kept]
    names = tuple(name for name, is_kept in zip(outputs.class_names, kept, strict=True) if is_kept)
    prior = None if outputs.prior is None else outputs.prior[kept]
    found = replace(
        outputs, labels=labels, decisions=decisions, classes=len(names), logits=logits, names=names, prior=prior
    )
    return found, kept


def _listed(classes: np.ndarray) -> str:
    """The first few of some classes."""
    shown = ", ".join(str(k) for k in classes[:5])
    return f"class{'es' if classes.size > 1 else ''} {shown}" + (f" and {classes.size - 5} more" * (classes.size > 5))


def _counted(posterior: Posterior, progress: Progress, before: int, function: Callable, fold: Callable) -> Any:
    """function(ln v, labels) of the chunks of a posterior, in the pass after `before` of three."""
    count = posterior.chunk_count
    tick = None if progress is None else lambda done: progress("calibration", before * count + done, 3 * count)
    return posterior.folded(lambda log_v, labels, _: function(log_v, labels), fold, tick)


def prepare(
    outputs: Outputs,
    temperature: float | None,
    seed: int,
    warnings: list[str],
    progress: Progress = None,
    *,
    prior: ArrayLike | str | None = None,
    loss: Loss | None = None,
) -> tuple[Outputs, Posterior, dict[str, float], tuple[Bin, ...]]:
    """The samples that give the curves, their posteriors at the temperature, and how calibrated they are.

    The temperature is fitted to the samples as they are, and so is their calibration: weights and a prior change what
    the curves average over.
    """
    assert outputs.logits is not None
    if not isinstance(outputs.logits, Rows):  # it takes no time
        progress = None
    largest = pass_over(outputs.logits, lambda _, part: np.abs(part).max(), max)
    dtype = jax.dtypes.canonicalize_dtype(outputs.logits.dtype)
    if largest > np.finfo(dtype).max / 4:
        raise InputError(f"logits reach {largest:g}, too much for {dtype}: divide them by a number, or use float64.")
    prior = outputs.prior if prior is None else prior  # a half must keep to it too
    if temperature is None:
        if len(outputs.labels) < 2:
            raise InputError("one sample cannot be split to fit a temperature; fix it with temperature 1.")
        fit, outputs, rows = halves(outputs, seed)
        assert fit.logits is not None
        temperature = fitted(fit.logits, fit.labels, progress=partial(progress, "temperature") if progress else None)
        warnings += doubts(fit.logits, fit.labels, temperature, rows.fit)
        if rows.by_class:
            warnings.append(_BY_CLASS)
    if prior is not None:
        outputs = outputs.with_prior(prior)
    outputs, kept = _possible(outputs, temperature)
    if not kept.all():
        warnings.append(f"left out, with probability 0 in every row and no label: {_listed(np.flatnonzero(~kept))}")
        loss = None if loss is None else loss.among(kept)
    assert outputs.logits is not None
    posterior = Posterior(outputs.logits, outputs.labels, temperature, weights=outputs.weights, loss=loss)
    if not _counted(posterior, progress, 0, lambda log_v, _: bool(np.isfinite(log_v).all()), and_):
        raise InputError(f"temperature {temperature:g} is too small for {dtype}; choose another.")
    untouched = Posterior(outputs.logits, outputs.labels, 1.0)
    before = reliable(_counted(untouched, progress, 1, tallied, Tally.plus))
    after = reliable(_counted(posterior, progress, 2, tallied, Tally.plus))
    if after.ece > before.ece + 0.01:
        warnings.append(
            f"temperature {temperature:.3g} made the calibration worse: ECE {before.ece:.3f} before, "
            f"{after.ece:.3f} after"
        )
    calibration = {"temperature": temperature, "ece": after.ece, "nll": after.nll, "brier": after.brier}
    calibration |= {"ece_before": before.ece, "nll_before": before.nll, "brier_before": before.brier}
    return outputs, posterior, calibration, after.table

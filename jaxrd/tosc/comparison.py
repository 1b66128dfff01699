"""Several models beside each other: which needs the fewest bits at which accuracy, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from jaxrd._eager import refuse_unless_whole
from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.tosc._limits import Limits, asked_at
from jaxrd.tosc.arguments import default_targets
from jaxrd.tosc.curves import INDIRECT, MODEL_AWARE
from jaxrd.tosc.estimate import risk_of
from jaxrd.tosc.leads import Lead, leads_of
from jaxrd.tosc.outputs import Outputs, Progress
from jaxrd.tosc.rows import Rows
from jaxrd.tosc.split import split

if TYPE_CHECKING:  # it imports scipy
    from jaxrd.tosc.confidence.paired import Paired

_LED = (MODEL_AWARE.name, INDIRECT.name)
"""The curves for which the model of fewest bits is found at every accuracy."""


@readable
@dataclass(frozen=True)
class Comparison:
    """The result of `compare`; rates in nats.

    Args:
        models: the `Limits` by name, the first one that with which the others are compared.
        differences: one dict per distortion asked for, by curve and then by model: its rate less that of the first
            model; NaN where one of both does not reach the distortion. Curves that not both have are absent.
        leads: for TMRD and iE&C, from the least distortion to that of rate zero: who needs the fewest bits there.
        apart: why a model was measured on other samples than the first one, by its name; models on the same are absent.
        confidence: of every interval, at its own point; None: none was asked for.
        intervals: bootstrap intervals of the rates and of their differences; None: none was asked for.

    Reference: [A] section IV (one set of curves a model); for the intervals that of `tosc.confidence.paired`.

    >>> y = np.arange(400) % 2
    >>> worse, better = np.where(np.arange(400) % 3, y, 1 - y), np.where(np.arange(400) % 7, y, 1 - y)
    >>> from jaxrd.tosc import limits
    >>> found = compare({"A": limits(worse, y, at=[0.4]), "B": limits(better, y, at=[0.4])})
    >>> found.apart, [lead.model for lead in found.leads["iE&C"]]  # B reaches further and needs fewer bits
    ({}, ['B'])
    """

    models: dict[str, Limits]
    differences: list[dict[str, dict[str, float]]]
    leads: dict[str, list[Lead]]
    apart: dict[str, str] = field(default_factory=dict)
    confidence: float | None = None
    intervals: Paired | None = None


def compare(
    models: Mapping[str, Limits], *, confidence: float | None = None, seed: int = 0, progress: Progress = None
) -> Comparison:
    """Which of several models needs the fewest bits at which accuracy: plug-in differences of rates at one distortion.

    R_B(D) - R_A(D), A the first model. Models are paired where their labels agree: those of the samples that gave the
    curves, in number, order and value, up to the names of the classes. The bootstrap then resamples both together.
    Where they do not agree, samples may differ, and a difference has no interval.

    Args:
        models: from `limits`, by name, two or more, at the same distortions.
        confidence: in (0, 1), of bootstrap intervals at the distortions asked for: of each rate, and of the differences
            of TMRD and iE&C. None: no intervals. They are withheld where those of `statistics` are.
        seed: of the resamplings.
        progress: called as progress(what, done, total).

    Returns:
        A `Comparison`, rates in nats.

    Raises:
        InputError: fewer than two models, one that is no `Limits`, distortions or losses that differ, a confidence
            outside (0, 1), or one for another loss than 0/1 or weighted samples, a seed that is no integer >= 0, or
            fewer than 4 samples for an interval.

    Reference: [A] section IV; B. Efron and R. Tibshirani, An introduction to the bootstrap, 1993, section 8.3.

    >>> from jaxrd.tosc import limits
    >>> y = np.arange(400) % 2
    >>> worse, better = np.where(np.arange(400) % 3, y, 1 - y), np.where(np.arange(400) % 7, y, 1 - y)
    >>> found = compare({"A": limits(worse, y, at=[0.4]), "B": limits(better, y, at=[0.4])}, confidence=0.95)
    >>> inside = found.intervals.differences[0]["iE&C"]["B"]
    >>> bool(inside.lower < found.differences[0]["iE&C"]["B"] < inside.upper < 0)
    True
    """
    models = dict(models)
    for name, found in models.items():
        if not isinstance(found, Limits):
            raise InputError(f"compare takes what limits returned, by name; got {type(found).__name__} for {name!r}.")
    if len(models) < 2:
        raise InputError(f"compare takes two models or more; got {len(models)}.")
    first, *others = models
    asked = [[row["distortion"] for row in found.at] for found in models.values()]
    for name, at in zip(others, asked[1:], strict=True):
        if at != asked[0]:
            raise InputError(f"{name} was asked at {at}, {first} at {asked[0]}: pass limits the same at for all.")
    _refuse_other_losses(models)
    risk = None if confidence is None else risk_of(confidence)
    if risk is not None:
        _refuse_intervals(models)
    refuse_unless_whole("seed", seed, 0)
    differences: list[dict[str, dict[str, float]]] = [
        {
            curve: {
                name: _less(models[name].at[i][curve], models[first].at[i][curve])
                for name in others
                if curve in models[name].curves
            }
            for curve in models[first].curves
        }
        for i in range(len(asked[0]))
    ]
    leads = {}
    for curve in _LED:
        having = {name: found for name, found in models.items() if curve in found.curves}
        if len(having) > 1:
            leads[curve] = leads_of(having, curve, progress)
    apart = {name: words for name in others if (words := _apart(models[name], models[first], first))}
    intervals = None
    if risk is not None:
        from jaxrd.tosc.confidence.paired import paired

        intervals = paired(models, {name for name in others if name not in apart}, risk, seed, progress)
    return Comparison(models, differences, leads, apart, confidence, intervals)


def _refuse_other_losses(models: Mapping[str, Limits]) -> None:
    first, *others = models
    for name in others:
        ours, theirs = (models[of].summary["loss"] for of in (first, name))
        if ours != theirs:
            raise InputError(f"{name} has the loss {theirs}, {first} {ours}: their distortions cannot be compared.")


def _refuse_intervals(models: Mapping[str, Limits]) -> None:
    for name, found in models.items():
        if found.loss is not None or found.workings.outputs.weights is not None:
            what = "weighted samples" if found.loss is None else f"the loss {found.loss.name}"
            raise InputError(
                f"{name} has {what}: how often intervals hold is measured for 0/1 and equal samples only; leave out "
                "the confidence."
            )


def common_targets(models: Mapping[str, Limits]) -> list[float]:
    """A few round distortions that every model reaches and none has for nothing: from the largest D_TM of
    those below the smallest D_0, to that D_0.

    >>> from types import SimpleNamespace as Has
    >>> made = lambda d_tm, d_0: Has(loss=None, summary={"task_model_distortion": d_tm, "zero_rate_distortion": d_0})
    >>> common_targets({"A": made(0.1, 0.9), "B": made(0.3, 0.9), "useless": made(0.9, 0.9)})
    [0.33, 0.45, 0.66]
    """
    least = min(found.summary["zero_rate_distortion"] for found in models.values())
    reached = [found.summary["task_model_distortion"] for found in models.values()]
    useful = [d for d in reached if d < least]
    loss = next(iter(models.values())).loss
    return default_targets(max(useful, default=least), least, loss)


def asked_together(
    models: Mapping[str, Limits], at: list[float] | None, progress: Progress = None
) -> dict[str, Limits]:
    """The models with their rates at the same distortions, where none was asked for before; None: `common_targets`."""
    targets = common_targets(models) if at is None else at
    return {name: asked_at(found, targets, progress) for name, found in models.items()}


def on_the_same_rows(models: Mapping[str, Outputs], seed: int) -> dict[str, Outputs]:
    """The models, those of hard decisions on the rows that the others keep where one half fits a temperature.

    Args:
        models: by name.
        seed: of the split.
    """
    soft = [outputs for outputs in models.values() if outputs.logits is not None and len(outputs.labels) > 1]

    def kept(outputs: Outputs) -> Outputs:
        for other in soft if outputs.logits is None else ():
            if _same(outputs.labels, other.labels):
                rest = split(other.labels, seed).rest
                return outputs.take(np.sort(rest) if isinstance(other.logits, Rows) else rest)
        return outputs

    return {name: kept(outputs) for name, outputs in models.items()}


def _same(labels: np.ndarray, others: np.ndarray) -> bool:
    """Whether two arrays of labels agree but for the names of the classes, in the same order."""
    return len(labels) == len(others) and np.array_equal(_numbered(labels), _numbered(others))


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Labels numbered among the classes that occur: one model may have left out a class that another has."""
    return np.unique(labels, return_inverse=True)[1]


def _apart(found: Limits, first: Limits, named: str) -> str | None:
    """Why the samples of a model are not those of the first one; None where they are."""
    ours, theirs = first.workings.outputs.labels, found.workings.outputs.labels
    if len(ours) != len(theirs):
        return f"{len(theirs)} samples, where {named} has {len(ours)}"
    if _same(ours, theirs):
        return None if _weighed_alike(found, first) else f"its samples have other weights than those of {named}"
    differ = int((_numbered(ours) != _numbered(theirs)).sum())
    return f"{differ} of {len(theirs)} labels, or their order, differ from those of {named}"


def _weighed_alike(found: Limits, first: Limits) -> bool:
    ours, theirs = (
        np.full(len(of.labels), 1 / len(of.labels)) if of.weights is None else of.weights
        for of in (first.workings.outputs, found.workings.outputs)
    )
    return np.allclose(ours, theirs, rtol=1e-9, atol=0)


def _less(rate: float | None, other: float | None) -> float:
    if rate is None or other is None or not np.isfinite([rate, other]).all():
        return np.nan
    return rate - other

"""What `joint_limits` is given, checked; and the temperatures that are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.errors import InputError
from jaxrd.tosc.calibration.temperature import doubts, fitted
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.outputs import Outputs
from jaxrd.tosc.split import split
from jaxrd.tosc.weights import shares

MOST_LETTERS = 10**6
"""Letters of a product alphabet that can be handled: each pass makes one sum for each."""


def refuse_tasks(tasks: Any) -> None:
    """Refuse what is no list of (Outputs, Loss) on as many samples, of labels that agree, or makes too many letters.

    Raises:
        InputError: names the task.
    """
    if isinstance(tasks, Outputs) or not isinstance(tasks, Sequence) or not tasks:
        raise InputError(
            f"tasks must be a list of (Outputs, Loss), at least one; got {' '.join(repr(tasks).split())[:60]}."
        )
    letters = 1
    for number, pair in enumerate(tasks, 1):
        if not (
            isinstance(pair, Sequence) and len(pair) == 2 and isinstance(pair[0], Outputs) and isinstance(pair[1], Loss)
        ):
            raise InputError(f"task {number} must be (Outputs, Loss); got {' '.join(repr(pair).split())[:60]}.")
        outputs, loss = pair
        if outputs.logits is None:
            raise InputError(f"task {number} has hard decisions only: a posterior is needed. Pass scores.")
        if loss.labels != outputs.classes:
            raise InputError(
                f"task {number}: the loss {loss.name} is of {loss.labels} labels, the outputs of {outputs.classes}."
            )
        if len(outputs.labels) != len(tasks[0][0].labels):
            raise InputError(
                f"all tasks must have the same samples; task 1 has {len(tasks[0][0].labels)}, task {number} "
                f"{len(outputs.labels)}."
            )
        letters *= loss.actions
    if letters > MOST_LETTERS:
        raise InputError(
            f"the actions of all tasks make {letters} letters; {MOST_LETTERS} can be handled. Take fewer tasks, or "
            "losses of fewer actions."
        )


def as_temperatures(given: Any, count: int) -> list[float | None]:
    """A temperature for each task, None where it is to be fitted.

    Raises:
        InputError: another number of them, or one that is not positive.
    """
    values = [given] * count if given is None or np.ndim(given) == 0 else list(given)
    if len(values) != count:
        raise InputError(f"temperature must be one number, or one for each of {count} tasks; got {len(values)}.")
    for value in values:
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"temperature must be a positive number; got {value:g}.")
    return [None if value is None else float(value) for value in values]


def as_weights(given: ArrayLike | None, every: list[Outputs]) -> np.ndarray:
    """Weights of the samples with sum 1, shape (samples,): those given, or those of the outputs.

    Raises:
        InputError: no weights of the samples; or outputs that have different ones.
    """
    samples = len(every[0].labels)
    if given is not None:
        return shares(given, samples)
    own = [outputs.weights for outputs in every if outputs.weights is not None]
    if any(not np.array_equal(weights, own[0]) for weights in own):
        raise InputError(
            "the outputs have different weights of the same samples: pass weights=, or remove one of them."
        )
    return own[0] if own else np.full(samples, 1 / samples)


def as_limits(at: Any, count: int) -> np.ndarray:
    """Limits, shape (rows, tasks).

    Raises:
        InputError: another shape, NaN or a negative number.
    """
    try:
        limits = np.array(at, np.float64)
    except (TypeError, ValueError):
        limits = np.empty((0, count))
    if limits.ndim != 2 or limits.shape[1] != count or not len(limits):
        example = ", ".join(["0.1"] * count)
        raise InputError(f"at must be a list of {count} limits each, such as [({example})]; got {at!r:.80}.")
    bad = ~(limits >= 0)
    if bad.any():
        raise InputError(f"a limit must be a number >= 0, inf for none; got {limits[bad][0]:g}.")
    return limits


def prepared(
    every: list[Outputs], temperatures: list[float | None], seed: int, warnings: list[str]
) -> tuple[np.ndarray, list[float]]:
    """The samples that give the rates, and the temperatures: those that are not given, fitted on the other samples."""
    samples = len(every[0].labels)
    if None not in temperatures:
        return np.arange(samples), [t for t in temperatures if t is not None]
    if samples < 2:
        raise InputError("one sample cannot be split to fit a temperature; fix it with temperature 1.")
    halves = split(every[0].labels, seed)
    fit = np.sort(halves.fit)
    known: dict[int, float] = {}
    for outputs, t in zip(every, temperatures, strict=True):
        if t is None and id(outputs) not in known:
            part = outputs.take(fit)
            assert part.logits is not None
            known[id(outputs)] = fitted(part.logits, part.labels)
            warnings += doubts(part.logits, part.labels, known[id(outputs)], fit)
    found = [known[id(o)] if t is None else t for o, t in zip(every, temperatures, strict=True)]
    return np.sort(halves.rest), found

"""What the discrete RDC functions take: a problem, label channels, targets; checked once, in float64 on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd._room import make_room
from jaxrd.errors import InputError
from jaxrd.problem import Problem, validate

_ROW_SUM_TOLERANCE = 1e-6

Labels = ArrayLike | Sequence[ArrayLike]
"""P(S|X), shape (n, classes); or one such channel for each of several labels S_1, ..., S_K."""


class Inputs(NamedTuple):
    """A source, its distortion and its label channels."""

    source: np.ndarray  # (n,)
    distortion: np.ndarray  # (n, m), +inf for forbidden pairs
    labels: tuple[np.ndarray, ...]  # each (n, classes_k)


def as_problem(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Source, taken as p / sum p, and distortion in float64; rows of mass zero, which have no effect, are set to zero.

    Raises:
        InputError: quotes the offending value.
    """
    make_room()
    refuse_traced("the problem", problem)
    validate(problem, tolerance=np.inf)
    source = np.asarray(problem.source, np.float64)
    return source / source.sum(), np.where(source[:, None] > 0, np.asarray(problem.distortion, np.float64), 0.0)


def as_inputs(problem: Problem, labels: Labels) -> Inputs:
    """The problem with its label channels in float64.

    Raises:
        InputError: quotes the offending value: a problem that is none, a label channel of another number of rows,
            with a negative entry, or with a row that does not sum to 1. Rows of letters of mass zero may be anything,
            such as NaN where a joint pmf was divided by zero.
    """
    source, distortion = as_problem(problem)
    return Inputs(source, distortion, tuple(_channel(a, source) for a in listed(labels)))


def listed(labels: Labels) -> Sequence[ArrayLike]:
    """The channel of each label."""
    several = isinstance(labels, list | tuple) and len(labels) > 0 and all(np.ndim(a) == 2 for a in labels)
    return labels if several or np.ndim(labels) == 3 else [labels]  # pyright: ignore


def _channel(values: ArrayLike, source: np.ndarray) -> np.ndarray:
    channel, letters = floats("labels", values), len(source)
    if channel.ndim != 2 or channel.shape[0] != letters or channel.shape[1] == 0:
        raise InputError(
            f"labels must be P(S|X), shape ({letters}, classes), a row a source letter; got {channel.shape}. "
            "For several labels pass a list of such channels."
        )
    channel = np.where(source[:, None] > 0, channel, 1 / channel.shape[1])
    if not np.isfinite(channel).all() or (channel < 0).any():
        x, s = np.argwhere(~(np.isfinite(channel) & (channel >= 0)))[0]
        raise InputError(f"labels must be finite and >= 0; got {channel[x, s]:g} for letter {x}, class {s}.")
    sums = channel.sum(1, keepdims=True)
    off = np.abs(sums[:, 0] - 1)
    if off.max() > _ROW_SUM_TOLERANCE:
        raise InputError(f"labels must sum to 1 in each row; row {off.argmax()} sums to {sums[off.argmax(), 0]:.6g}.")
    return channel / sums


def refuse_traced(name: str, value: object) -> None:
    """Raise if a value is abstract where a solver on the host needs to know it.

    Raises:
        InputError: names what may be traced.
    """
    if is_traced(value):
        raise InputError(
            f"{name} must be known here, not traced by jit, vmap or grad. Made for these are lifted_rate, "
            "fixed_classifier_rate, least_distortion, least_classification, the perceptual and the universal rates."
        )


def floats(name: str, value: ArrayLike | Sequence[ArrayLike]) -> np.ndarray:
    """Numbers in float64, of any shape.

    Raises:
        InputError: they are none, or traced.
    """
    refuse_traced(name, value)
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        got = " ".join(str(value).split())
        raise InputError(f"{name} must be numbers; got {got:.60}, of type {type(value).__name__}.") from None


def per_label(name: str, value: ArrayLike, count: int) -> np.ndarray:
    """One number >= 0 for each label, inf allowed, shape (count,).

    Raises:
        InputError: quotes the offending value.
    """
    values = np.atleast_1d(floats(name, value))
    if values.shape != (count,):
        raise InputError(f"{name} must be one number for each of the {count} label(s); got shape {np.shape(value)}.")
    if not (values >= 0).all():
        raise InputError(f"{name} must be >= 0; got {values[~(values >= 0)][0]:g}.")
    return values


def _number(name: str, value: ArrayLike) -> float:
    """A number, inf allowed.

    Raises:
        InputError: quotes what is none, or says that it is traced.
    """
    refuse_traced(name, value)
    try:
        number = float(value) if np.ndim(value) == 0 else np.nan  # pyright: ignore
    except (TypeError, ValueError):
        number = np.nan
    if np.isnan(number):
        raise InputError(f"{name} must be one number; got {' '.join(repr(value).split()):.60}.")
    return number


def non_negative(name: str, value: ArrayLike) -> float:
    """A number >= 0, inf allowed.

    Raises:
        InputError: quotes it.
    """
    number = _number(name, value)
    if number < 0:
        raise InputError(f"{name} must be >= 0; got {number:g}.")
    return number


def cell_budget(max_cells: int) -> int:
    """A number of cells.

    Raises:
        InputError: it is below 1, or no whole number.
    """
    if not isinstance(max_cells, int | np.integer) or max_cells < 1:
        raise InputError(f"max_cells must be a whole number >= 1; got {max_cells!r}.")
    return int(max_cells)


def as_targets(labels: int, distortion: ArrayLike, classification: ArrayLike) -> np.ndarray:
    """(D, C_1, ..., C_K), shape (1 + K,); inf for no constraint.

    D may be negative, because distortions may be; where no distortion is negative, no code meets such a D.

    Raises:
        InputError: quotes a D that is no number, a C that is negative or no number.
    """
    targets = per_label("classification", classification, labels)
    return np.concatenate([[_number("distortion", distortion)], targets])

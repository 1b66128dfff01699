"""What the discrete RDC functions take: a problem, label channels, targets; checked once, in float64 on the host."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.errors import InputError
from jaxrd.problem import Problem, validate

ROW_SUM_TOLERANCE = 1e-6

Labels = ArrayLike | Sequence[ArrayLike]
"""P(S|X), shape (n, classes); or one such channel for each of several labels S_1, ..., S_K."""


class Inputs(NamedTuple):
    """A source, its distortion and its label channels."""

    source: np.ndarray  # (n,)
    distortion: np.ndarray  # (n, m), +inf for forbidden pairs
    labels: tuple[np.ndarray, ...]  # each (n, classes_k)


def as_problem(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Source and distortion in float64.

    Raises:
        InputError: quotes the offending value.
    """
    validate(problem)
    source, distortion = np.asarray(problem.source, np.float64), np.asarray(problem.distortion, np.float64)
    # What the row of a letter of mass zero holds is not read: zero times NaN would be.
    return source / source.sum(), np.where(np.isnan(distortion) | np.isneginf(distortion), 0, distortion)


def as_inputs(problem: Problem, labels: Labels) -> Inputs:
    """The problem with its label channels in float64.

    Raises:
        InputError: quotes the offending value: a problem that is none, a label channel of another number of rows,
            with a negative entry, or with a row that does not sum to 1.
    """
    source, distortion = as_problem(problem)
    several = isinstance(labels, list | tuple) and len(labels) > 0 and all(np.ndim(a) == 2 for a in labels)
    channels = labels if several or np.ndim(labels) == 3 else [labels]  # pyright: ignore
    return Inputs(source, distortion, tuple(_channel(a, len(source)) for a in channels))  # pyright: ignore


def _channel(values: ArrayLike, letters: int) -> np.ndarray:
    channel = np.asarray(values, np.float64)
    if channel.ndim != 2 or channel.shape[0] != letters or channel.shape[1] == 0:
        raise InputError(
            f"labels must be P(S|X), shape ({letters}, classes), a row a source letter; got {channel.shape}. "
            "For several labels pass a list of such channels."
        )
    if not np.isfinite(channel).all() or (channel < 0).any():
        x, s = np.argwhere(~(np.isfinite(channel) & (channel >= 0)))[0]
        raise InputError(f"labels must be finite and >= 0; got {channel[x, s]:g} for letter {x}, class {s}.")
    sums = channel.sum(1, keepdims=True)
    off = np.abs(sums[:, 0] - 1)
    if off.max() > ROW_SUM_TOLERANCE:
        raise InputError(f"labels must sum to 1 in each row; row {off.argmax()} sums to {sums[off.argmax(), 0]:.6g}.")
    return channel / sums


def per_label(name: str, value: ArrayLike, count: int) -> np.ndarray:
    """One number >= 0 for each label, inf allowed, shape (count,).

    Raises:
        InputError: quotes the offending value.
    """
    values = np.atleast_1d(np.asarray(value, np.float64))
    if values.shape != (count,):
        raise InputError(f"{name} must be one number for each of the {count} label(s); got shape {np.shape(value)}.")
    if not (values >= 0).all():
        raise InputError(f"{name} must be >= 0; got {values[~(values >= 0)][0]:g}.")
    return values


def non_negative(name: str, value: ArrayLike) -> float:
    """A number >= 0, inf allowed.

    Raises:
        InputError: quotes it.
    """
    if np.ndim(value) != 0 or not float(value) >= 0:  # pyright: ignore
        raise InputError(f"{name} must be one number >= 0; got {value}.")
    return float(value)  # pyright: ignore


def as_targets(labels: int, distortion: ArrayLike, classification: ArrayLike) -> np.ndarray:
    """(D, C_1, ..., C_K), shape (1 + K,); inf for no constraint.

    Raises:
        InputError: quotes a target that is negative or no number.
    """
    targets = per_label("classification", classification, labels)
    return np.concatenate([[non_negative("distortion", distortion)], targets])

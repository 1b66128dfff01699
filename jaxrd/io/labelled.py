"""Read a source with labels, for the rate-distortion-classification functions: a discrete one, or a Gaussian vector."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io import arrays
from jaxrd.io.common import Arrays, listing
from jaxrd.io.read import PROBLEM_KEYS, digest, load_problem, not_used
from jaxrd.problem import Problem

GAUSSIAN_KEYS = ("covariance", "direction", "noise_variance")
_MOST_LABELS = 9
_OF_A_LABEL = ("labels", "classifier", "cross_entropy")
_OF_ALL = ("representation", "transport_cost")
_NUMBERED = tuple(f"{key}_{k}" for key in _OF_A_LABEL for k in range(1, _MOST_LABELS + 1))


class Labelled(NamedTuple):
    """A problem and the data on its labels; their values are not checked here."""

    problem: Problem
    labels: tuple[np.ndarray, ...]  # P(S_k|X), each (n, classes_k)
    classifiers: tuple[np.ndarray, ...] | None  # c_k(s|xh), each (m, classes_k)
    cross_entropies: tuple[np.ndarray, ...] | None  # each (n, m), nats
    representation: np.ndarray | None  # P(z|x), (n, representations)
    transport_cost: np.ndarray | None  # of the W2 measure, (n, m)
    sha256: str
    notes: tuple[str, ...] = ()  # what was not used


class GaussianLabelled(NamedTuple):
    """A Gaussian vector X and the label S = a'X + W; the values are not checked here."""

    covariance: np.ndarray  # of X, (d, d)
    direction: np.ndarray  # a, (d,)
    noise_variance: np.ndarray  # of W, ()
    sha256: str
    notes: tuple[str, ...] = ()


def read_labelled(path: str | Path) -> Labelled | GaussianLabelled:
    """Read the source of `jaxrd rdc` from an `.npz`.

    A discrete one has `source` (n,), `distortion` (n, m) and `labels` = P(S|X), shape (n, classes); several labels are
    `labels_1`, `labels_2`, ... For a fixed classifier also `classifier`, c(s|xh) of shape (m, classes), or
    `cross_entropy`, E[-ln c(S|xh) | x] in nats, shape (n, m), one for each label and numbered as they are. Further:
    `representation`, P(z|x), shape (n, representations); `transport_cost`, shape (n, m).

    A Gaussian vector has `covariance` (d, d), `direction` (d,) and `noise_variance`, a number: S = direction.X + W.

    Raises:
        InputError: one line that quotes what cannot be used.
    """
    path = Path(path)
    if "covariance" in (loaded := arrays.load(path, GAUSSIAN_KEYS)):
        return _gaussian(path, loaded)
    keys = (*_OF_A_LABEL, *_NUMBERED, *_OF_ALL)
    problem, loaded, sha256 = load_problem(path, keys)
    labels = _of_each_label(path, loaded, "labels")
    if labels is None:
        raise InputError(
            f"{path.name} has no labels; it has: {listing(loaded)}. Add P(S|X) of shape (n, classes), for several "
            "labels labels_1, labels_2, ..."
        )
    given = [_of_each_label(path, loaded, key, like=len(labels)) for key in _OF_A_LABEL[1:]]
    representation, cost = (_numbers(loaded, key) if key in loaded else None for key in _OF_ALL)
    notes = not_used(loaded, (*PROBLEM_KEYS, *keys))
    return Labelled(problem, labels, given[0], given[1], representation, cost, sha256, notes)


def _gaussian(path: Path, loaded: Arrays) -> GaussianLabelled:
    missing = [key for key in GAUSSIAN_KEYS if key not in loaded]
    if missing:
        raise InputError(
            f"{path.name} has a covariance, but no {' and no '.join(missing)}; it has: {listing(loaded)}. A Gaussian "
            "source has covariance (d, d), direction (d,) and noise_variance."
        )
    covariance, direction, noise = (_numbers(loaded, key) for key in GAUSSIAN_KEYS)
    return GaussianLabelled(covariance, direction, noise, digest(path), not_used(loaded, GAUSSIAN_KEYS))


def _of_each_label(path: Path, loaded: Arrays, key: str, *, like: int | None = None) -> tuple[np.ndarray, ...] | None:
    """The arrays KEY, or KEY_1, KEY_2, ...; None if there are none.

    Raises:
        InputError: both, a number left out, or another number of them than `like`.
    """
    numbers = sorted(int(name.rpartition("_")[2]) for name in loaded if re.fullmatch(f"{key}_[1-9]", name))
    if numbers and key in loaded:
        raise InputError(f"{path.name} has {key} and {key}_{numbers[0]}: number all of them, or none.")
    if numbers != list(range(1, len(numbers) + 1)):
        missing = next(k for k, number in enumerate(numbers, 1) if k != number)
        raise InputError(f"{path.name} has {key}_{numbers[-1]}, but no {key}_{missing}: number them from 1.")
    names = [f"{key}_{k}" for k in numbers] or [key] * (key in loaded)
    if not names:
        return None
    if like is not None and len(names) != like:
        raise InputError(f"{path.name} has {like} labels and {len(names)} of {key}: one for each is needed.")
    return tuple(_numbers(loaded, name) for name in names)


def _numbers(loaded: Arrays, key: str) -> np.ndarray:
    if loaded[key].dtype.kind not in "iufb":
        raise InputError(f"{key} must be numbers; got {loaded[key].dtype}.")
    return loaded[key].astype(np.float64)

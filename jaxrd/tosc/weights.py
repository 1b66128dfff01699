"""Weights of samples: given, or from the probabilities that their labels have in another population."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.tosc.scores import as_array


def shares(weights: Any, samples: int) -> np.ndarray:
    """w / sum w, shape (samples,).

    Raises:
        InputError: another shape, no numbers, a weight that is negative or not finite, or all zero.

    >>> shares([1, 3], 2).tolist()
    [0.25, 0.75]
    """
    w = as_array(weights, "weights")
    if w.shape != (samples,):
        raise InputError(f"weights must be one number a sample, shape ({samples},); got {w.shape}.")
    if w.dtype.kind not in "iufb":
        raise InputError(f"weights must be numbers; got {str(w.flat[0])!r} ({w.dtype}).")
    w = w.astype(np.float64)
    bad = ~np.isfinite(w) | (w < 0)
    if bad.any():
        raise InputError(f"weights must be finite and >= 0; got {w[bad][0]:g} at sample {bad.argmax()}.")
    if w.sum() <= 0:
        raise InputError("weights are all zero.")
    return w / w.sum()


def as_prior(prior: Any, classes: int) -> np.ndarray:
    """A pmf of the classes, shape (classes,); "uniform" is over all of them.

    Raises:
        InputError: no pmf, or another shape.

    >>> as_prior("uniform", 2).tolist()
    [0.5, 0.5]
    """
    pi = np.full(classes, 1 / classes) if isinstance(prior, str) and prior == "uniform" else as_array(prior, "prior")
    if pi.shape != (classes,):
        raise InputError(f"prior must be uniform or a probability a class, shape ({classes},); got {pi.shape}.")
    if pi.dtype.kind not in "iufb" or not np.isfinite(pi).all() or (pi < 0).any():
        raise InputError("prior must be finite numbers >= 0, one a class.")
    if abs(pi.sum() - 1) > 1e-6:
        raise InputError(f"prior must sum to 1; got {pi.sum():g}. Pass prior / prior.sum() if that was meant.")
    return pi


def shares_under(prior: Any, labels: np.ndarray, weights: np.ndarray | None, classes: int) -> np.ndarray:
    """Weights with which labels occur as often as in another population, shape (samples,).

    Args:
        prior: pi, a pmf, shape (classes,), or "uniform" over all classes.
        labels: y, int, shape (samples,).
        weights: of the samples already, with sum 1; None: equal.
        classes: their number.

    Raises:
        InputError: no pmf, another shape, or a class of positive probability without a sample.

    >>> shares_under([0.5, 0.5], np.array([0, 1, 1]), None, 2).tolist()
    [0.5, 0.25, 0.25]
    """
    pi = as_prior(prior, classes)
    w = np.full(len(labels), 1 / len(labels)) if weights is None else weights
    now = np.bincount(labels, w, classes)
    missing = np.flatnonzero((pi > 0) & (now <= 0))
    if missing.size:
        raise InputError(f"class {missing[0]} has prior {pi[missing[0]]:g}, but no sample: add some, or set it to 0.")
    return shares(w * np.divide(pi, now, out=np.zeros(classes), where=now > 0)[labels], len(labels))


def shares_among(prior: np.ndarray, labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """`shares_under` of a prior given that the label is one of those that occur; weights have any sum.

    >>> shares_among(np.array([0.5, 0.25, 0.25]), np.array([1, 2, 2]), np.ones(3), 3).tolist()
    [0.5, 0.25, 0.25]
    """
    among = np.where(np.bincount(labels, weights, classes) > 0, prior, 0)
    return shares_under(among / among.sum(), labels, weights / weights.sum(), classes)

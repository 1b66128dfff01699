"""The calibration error of a posterior, measured on labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.tosc._checked import A_LOG_POSTERIOR, checked, classes_of, rows_of, some_labels

LABELS = some_labels(classes_of("log_posterior"), rows=rows_of("log_posterior"))

_BINS = 15


class Bin(NamedTuple):
    """Decisions of similar confidence."""

    low: float
    """Least confidence that falls into it."""
    samples: int
    confidence: float
    """Mean."""
    accuracy: float


@readable
class Reliability(NamedTuple):
    """How far confidence is from accuracy."""

    ece: float
    """Expected calibration error: mean over the bins of |accuracy - confidence|."""
    nll: float
    """Negative log-likelihood of the labels, nats per sample."""
    brier: float
    """Mean of sum_y (v_y - [y is the label])^2, between 0 and 2."""
    table: tuple[Bin, ...]
    """The bins that hold samples, confidence rising."""


def _bins(values: np.ndarray, bins: int) -> np.ndarray:
    return np.minimum((values * bins).astype(int), bins - 1)


@checked(A_LOG_POSTERIOR, LABELS)
def reliability(log_posterior: ArrayLike, labels: ArrayLike, *, bins: int = _BINS) -> Reliability:
    """ECE, NLL, Brier score and the reliability table of a posterior against labels, on the host.

    Args:
        log_posterior: ln v, nats, shape (samples, classes).
        labels: int, shape (samples,).
        bins: the number of equal bins of confidence.

    Raises:
        InputError: a posterior that is no logarithm of probabilities, labels that are no classes, or no bin.

    Reference: C. Guo et al., On calibration of modern neural networks, ICML 2017 (ECE); G. Brier, Verification of
    forecasts expressed in terms of probability, Monthly Weather Review 1950.

    >>> found = reliability(np.log([[0.8, 0.2], [0.8, 0.2]]), [0, 1])
    >>> round(found.ece, 4), round(found.brier, 4), found.table[0].accuracy
    (0.3, 0.68, 0.5)
    """
    if bins < 1:
        raise InputError(f"bins must be at least 1; got {bins}.")
    return reliable(tallied(np.asarray(log_posterior), np.asarray(labels), bins))


class Tally(NamedTuple):
    """Sums over some samples, from which `reliable` tells how calibrated they are."""

    bins: np.ndarray
    """Samples, confidence and right decisions in each bin, shape (3, bins)."""
    losses: np.ndarray
    """-ln v of the labels, nats, and Brier's score, shape (2,)."""
    samples: int

    def plus(self, other: Tally) -> Tally:
        """Of the samples of both."""
        return Tally(self.bins + other.bins, self.losses + other.losses, self.samples + other.samples)


def tallied(log_v: np.ndarray, y: np.ndarray, bins: int = _BINS) -> Tally:
    """The tally of some samples.

    >>> tallied(np.log([[0.8, 0.2]]), np.array([0])).bins.max(1).tolist()
    [1.0, 0.8, 1.0]
    """
    v, at = np.exp(log_v), (np.arange(len(y)), y)
    confidence, right = v.max(1), log_v.argmax(1) == y
    index = _bins(confidence, bins)
    counts = np.array([np.bincount(index, w, bins) for w in (None, confidence, right)])
    return Tally(counts, np.array([-log_v[at].sum(), ((v**2).sum(1) - 2 * v[at] + 1).sum()]), len(y))


def reliable(tally: Tally) -> Reliability:
    """`reliability` of the samples that a tally counts.

    >>> one, other = (tallied(np.log([[0.8, 0.2]]), np.array([y])) for y in (0, 1))
    >>> round(reliable(one.plus(other)).ece, 4)
    0.3
    """
    (count, believed, seen), (nll, brier), samples = tally.bins, tally.losses / tally.samples, tally.samples
    bins = len(count)
    table = tuple(
        Bin(b / bins, int(count[b]), float(believed[b] / count[b]), float(seen[b] / count[b]))
        for b in np.flatnonzero(count)
    )
    return Reliability(float(np.abs(seen - believed).sum() / samples), float(nll), float(brier), table)


@checked(A_LOG_POSTERIOR, LABELS)
def estimated_kappa(log_posterior: ArrayLike, labels: ArrayLike) -> float:
    """An estimate of kappa = E max_y |P(Y=y|V=v) - v_y|, which no finite sample of labels can bound.

    Assumes that the error of a stated probability depends on that probability alone. All pairs (sample, class) of
    similar v_y, in 15 equal bins, give g(v_y) = P(Y=y) - v_y, less its noise, and kappa = mean_i max_y |g(v_iy)|. Where
    the error depends on the class or the input instead, kappa is larger than this estimate, which averages over them.

    Args:
        log_posterior: ln v, shape (samples, classes).
        labels: int, shape (samples,), of samples that did not fit the posterior.

    Reference: the sandwich of theory: kappa bounds |D_Y - D_model| of every channel from V.

    >>> round(estimated_kappa(np.log([[0.9, 0.1]] * 400), [0] * 280 + [1] * 120), 2)  # right 7 times in 10, not 9
    0.2
    """
    v, y = np.exp(np.asarray(log_posterior)), np.asarray(labels)
    index = _bins(v, _BINS)
    count, believed, noise = (np.bincount(index.ravel(), w, _BINS) for w in (None, v.ravel(), (v * (1 - v)).ravel()))
    seen = np.bincount(index[np.arange(len(y)), y], minlength=_BINS)
    count = np.maximum(count, 1)
    off = np.sqrt(np.maximum(((seen - believed) / count) ** 2 - noise / count**2, 0))
    return float(off[index].max(1).mean())

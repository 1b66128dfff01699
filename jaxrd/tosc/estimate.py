"""Means of samples with intervals: the central limit theorem's, and ones that hold at every sample size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtri

from jaxrd._eager import refuse_unless
from jaxrd._readable import readable


@readable
class Estimate(NamedTuple):
    """A mean with its two-sided interval by the central limit theorem: right for many samples, no proof for few."""

    value: float
    low: float
    high: float


def risk_of(confidence: float) -> float:
    """1 - confidence.

    Raises:
        InputError: the confidence lies outside (0, 1).

    >>> risk_of(0.75)
    0.25
    """
    refuse_unless(lambda c: (c > 0) & (c < 1), "confidence", confidence, "a number in (0, 1)")
    return 1 - confidence


def central(values: np.ndarray, risk: float) -> Estimate:
    """The mean of independent values, +- z sd / sqrt(N), z leaving out risk / 2 on either side.

    >>> central(np.array([0.0, 1.0, 0.0, 1.0]), 0.05).value
    0.5
    """
    mean = float(values.mean())
    reach = float(-ndtri(risk / 2) * values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - reach, mean + reach)


def empirical_bernstein(values: np.ndarray, span: float, risk: float) -> float:
    """How far the mean of independent values may lie from its expectation, on one side, but for probability `risk`.

    sqrt(2 V ln(2/risk) / N) + 7 span ln(2/risk) / (3 (N-1)), V their sample variance: a proof at every N.

    Args:
        values: shape (N,), N >= 2.
        span: largest less smallest value possible, known beforehand, not the sample's.
        risk: in (0, 1).

    Reference: A. Maurer and M. Pontil, Empirical Bernstein bounds and sample-variance penalization, COLT 2009, thm. 4.

    >>> round(empirical_bernstein(np.full(101, 0.3), 1.0, 0.05), 4)  # no variance seen
    0.0861
    """
    n, log = len(values), np.log(2 / risk)
    return float(np.sqrt(2 * values.var(ddof=1) * log / n) + 7 * span * log / (3 * (n - 1)))


def error_limits(wrong: int, samples: int, risk: float) -> tuple[float, float]:
    """Clopper and Pearson's exact lower and upper limits of a probability of error, each missed with `risk` at most.

    >>> [round(x, 4) for x in error_limits(0, 100, 0.05)]  # 1 - 0.05^(1/100)
    [0.0, 0.0295]
    """
    low = 0.0 if wrong == 0 else float(betaincinv(wrong, samples - wrong + 1, risk))
    high = 1.0 if wrong == samples else float(betaincinv(wrong + 1, samples - wrong, 1 - risk))
    return low, high

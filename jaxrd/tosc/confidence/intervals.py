"""Intervals of an estimated rate: from its bootstrap replicates, and from its standard error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri


class Interval(NamedTuple):
    """A two-sided interval of a rate, nats; NaN where there is none."""

    lower: float
    upper: float


def bias(rate: float, replicates: np.ndarray) -> float:
    """The bootstrap's estimate of the bias of a plug-in: the mean of its replicates less the plug-in.

    >>> bias(1.0, np.array([0.75, 1.0]))
    -0.125
    """
    return float(np.mean(replicates) - rate)


def bootstrap(
    rate: float, replicates: np.ndarray, risk: float, *, least: float = 0.0, most: float = np.inf
) -> Interval:
    """The basic bootstrap interval, [2 R - R*_(1-risk/2), 2 R - R*_(risk/2)].

    Replicates lie about the plug-in as the plug-in lies about the truth, so they are reflected in the plug-in. The
    percentile interval is not reflected and has the plug-in's bias twice; this interval corrects the bias.

    Args:
        rate: of the samples, nats.
        replicates: of the resamplings, shape (replicates,).
        risk: 1 - confidence.
        least: the smallest possible rate; -inf for differences of rates.
        most: the largest possible rate. An interval wholly above it has failed: it is NaN.

    Reference: A. Davison and D. Hinkley, Bootstrap methods and their application, 1997, section 5.2.

    >>> bootstrap(1.0, np.linspace(0.5, 1.25, 401), 0.5)  # biased low by 1/8
    Interval(lower=0.9375, upper=1.3125)
    """
    low, high = np.quantile(replicates, (risk / 2, 1 - risk / 2)) if np.isfinite(replicates).all() else (np.nan, np.nan)
    return _interval(2 * rate - high, 2 * rate - low, least, most)


def central_limit(
    rate: float, standard_error: float, risk: float, *, bias: float = 0.0, most: float = np.inf
) -> Interval:
    """R - bias +- z sd / sqrt(N), z leaving out risk / 2 on either side; not below zero.

    Args:
        rate: of the samples, nats.
        standard_error: standard deviation of a sample's influence over sqrt(N), nats.
        risk: 1 - confidence.
        bias: mean error of the plug-in. It is of order 1/N, negligible against the width for many samples; but for m
            letters and N samples it is (m - 1) / 2N, which may be comparable to the width 1/sqrt(N).
        most: as for `bootstrap`.

    >>> [round(x, 3) for x in central_limit(1.0, 0.1, 0.05)]
    [0.804, 1.196]
    """
    reach = -ndtri(risk / 2) * standard_error
    return _interval(rate - bias - reach, rate - bias + reach, 0.0, most)


def _interval(lower: float, upper: float, least: float, most: float) -> Interval:
    if lower > most:
        return Interval(np.nan, np.nan)
    return Interval(float(np.maximum(lower, least)), float(np.clip(upper, least, most)))

"""An interval of oRD that holds at a flat maximum too: it inverts a test, at priors from uniform to sharp.

Near a uniform prior oRD is nearly at its maximum over all priors: its derivative vanishes, the plug-in R lies low by
about (classes - 1) / 2N, and its bootstrap replicates lie lower still. So the interval is made by a test of priors:
under which of them is R no surprise? The priors p_l = u + l (p - u), u uniform and p that of the samples, have an oRD
that falls as l rises, from its maximum at l = 0. The interval holds the oRD of those under which, by simulation, the
plug-in of N samples lies neither above R nor below it with probability risk / 2 or less.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.closed_form import categorical

BATCH = 100
"""Replicates computed together."""

_STEPS = 0.02 * 2.2 ** np.arange(5)
LEVELS = np.concatenate([[0], 1 - _STEPS[::-1], [1], 1 + _STEPS, [2.1, 3.3, 6]])
"""l of the priors that are tested; l = 1 is that of the samples. Between them quantiles are interpolated."""


class _Inverted(NamedTuple):
    """Intervals of oRD at some distortions, nats, shape (distortions,) each."""

    bias: np.ndarray
    """Of the plug-in."""
    lower: np.ndarray
    upper: np.ndarray


@jax.jit
def _rates(masses: jax.Array, distortions: jax.Array) -> jax.Array:
    return jax.lax.map(lambda p: categorical.rate(p, distortions), masses, batch_size=BATCH)


def _line(prior: np.ndarray, samples: int) -> np.ndarray:
    """The priors p_l, shape (levels, classes); a prior of samples that lies nearer to u than chance alone would put it
    is moved away from u."""
    uniform = 1 / len(prior)
    off = prior - uniform
    if not off.any():
        off[[0, -1]] = 1e-9, -1e-9
    square = len(prior) * (off**2).sum()  # its mean under u: (classes - 1) / N
    off = off * max(1.0, np.sqrt((len(prior) - 1) / (samples * square)))
    priors = np.maximum(uniform + LEVELS[:, None] * off, 0)
    return priors / priors.sum(1, keepdims=True)


def oracle_interval(
    counts: np.ndarray, distortions: np.ndarray, *, most: int, risk: float, replicates: int, seed: int
) -> _Inverted:
    """Intervals of the population's oRD from the samples of each class.

    At the maximum the test has one side, the lower, since no prior has a higher oRD: there the interval misses with
    probability risk / 2 only.

    Args:
        counts: samples of each class that occurs, shape (classes,).
        distortions: D, shape (k,).
        most: how many classes there can be.
        risk: 1 - confidence, of each interval.
        replicates: simulated at each prior.
        seed: of the simulation; the same draws at every prior.

    Reference: C. Chuang and T. Lai, Hybrid resampling methods for confidence intervals, Statistica Sinica 2000.

    >>> found = oracle_interval(np.full(10, 50), np.array([0.3]), most=10, risk=0.05, replicates=100, seed=0)
    >>> top = float(categorical.rate(np.full(10, 0.1), 0.3))
    >>> bool(abs(found.upper[0] / top - 1) < 1e-12), bool(0.9 * top < found.lower[0] < top)
    (True, True)
    """
    samples = int(counts.sum())
    # Classes that were not drawn may exist: at most as many of them as were drawn are added.
    prior = np.zeros(max(min(most, 2 * len(counts)), len(counts)))
    prior[: len(counts)] = counts / samples
    line, d = _line(prior, samples), jnp.asarray(distortions, float)
    *rates, rate = np.asarray(_rates(jnp.asarray(np.vstack([line, prior])), d), np.float64)
    rates = np.array(rates)
    low, high = np.empty_like(rates), np.empty_like(rates)
    at_samples = int(np.flatnonzero(LEVELS == 1)[0])
    bias = np.zeros(len(rate))
    for i, p in enumerate(line):
        drawn = np.random.default_rng(seed).multinomial(samples, p, size=replicates) / samples
        simulated = np.asarray(_rates(jnp.asarray(drawn), d), np.float64)
        # A share risk / 2 of replicates + 1 draws lies outside, on each side: exact for any number of them.
        low[i], high[i] = np.quantile(simulated, (risk / 2, 1 - risk / 2), axis=0, method="weibull")
        if i == at_samples:
            bias = simulated.mean(0) - rates[i]
    cautious = np.minimum(rate, rates[at_samples])
    ends = [_ends(*column) for column in zip(rates.T, low.T, high.T, rate, cautious, strict=True)]
    lower, upper = np.array(ends).reshape(-1, 2).T
    return _Inverted(bias, lower, upper)


def _ends(rates: np.ndarray, low: np.ndarray, high: np.ndarray, rate: float, cautious: float) -> tuple[float, float]:
    """The least rate whose upper quantile reaches `cautious`, the greatest whose lower quantile is at most `rate`."""
    order = np.argsort(rates, kind="stable")
    rates, low, high = rates[order], np.maximum.accumulate(low[order]), np.maximum.accumulate(high[order])
    upper = rates[-1] if low[-1] <= rate else np.interp(rate, low, rates)
    lower = rates[0] if high[0] >= cautious else np.interp(cautious, high, rates)
    return float(lower), float(upper)

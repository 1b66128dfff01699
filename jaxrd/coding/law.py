"""The exact law of the index of a simulated channel, and bounds on the cost of coding it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import refuse_weights
from jaxrd.coding.index_code import BUCKETS, bucket_ends, frequencies
from jaxrd.coding.poisson import as_channel
from jaxrd.coding.range_coder import PRECISION
from jaxrd.errors import InputError
from jaxrd.information import NATS_PER_BIT

_DRAWS = 1024
_MEANS = 256


def _law(law: ArrayLike) -> np.ndarray:
    q = np.asarray(law, np.float64)
    refuse_weights("law", q)
    return q / q.sum()


def mean_index(channel: ArrayLike, law: ArrayLike) -> np.ndarray:
    """Mean of the index given source letter and reproduction, E[J | x, y] = 1 + e(y), where J is geometric on 1, 2, ...

    e(y) = sum_y' q(y') max(r(y) - r(y'), 0) with r = W(.|x) / q. Given that the winner of score theta is y, the
    candidates before it are Poisson of mean theta e(y), and theta is exponential of mean one.

    Args:
        channel: W(y|x), shape (..., reproductions).
        law: q, shape (reproductions,); its scale is taken out.

    Returns:
        Shape of `channel`; where q is zero, 1.

    >>> mean_index([0.9, 0.1], [0.5, 0.5]).tolist()
    [1.8, 1.0]
    """
    q, w = _law(law), np.asarray(channel, np.float64)
    if not (w >= 0).all():
        raise InputError("the channel's rows must be pmfs: an entry is negative or NaN.")
    r = np.where(q > 0, w / np.where(q > 0, q, 1), 0)
    order = np.argsort(r, axis=-1)
    ranked, mass = np.take_along_axis(r, order, -1), q[order]
    excess = ranked * np.cumsum(mass, -1) - np.cumsum(mass * ranked, -1)
    back = np.empty_like(r)
    np.put_along_axis(back, order, np.maximum(excess, 0), -1)
    return 1 + back


def payload_bound(information: float, samples: int, block: int = 1) -> float:
    """Bound on the mean payload a sample, nats: I + (blocks / samples) (log2(nI + 2) + 3) ln 2, nI in bits.

    E log2 J <= nI + 1 and the Zipf code of exponent 1 + 1 / (nI + 1) rounded up to whole bits; blocks / samples is
    1/n where n divides the samples. Sharing one range coder among blocks spares the rounding and costs at most 64
    bits at its end, which this does not count. No prefix code is below I.

    Args:
        information: I(X; Y) a sample, nats.
        samples: how many are coded.
        block: n, samples coded together.

    >>> round(payload_bound(2 * NATS_PER_BIT, 100, 2) / NATS_PER_BIT, 4)  # 2 + (log2(6) + 3) / 2
    4.7925
    """
    if not (information >= 0 and samples >= 1 and block >= 1):
        raise InputError(
            f"information must be >= 0, samples and block at least 1; got {information:g}, {samples} and {block}."
        )
    bits = block * information / NATS_PER_BIT
    return information + -(-samples // block) / samples * (float(np.log2(bits + 2)) + 3) * NATS_PER_BIT


def mean_length(mean: ArrayLike, exponent: int) -> np.ndarray:
    """Mean length of the code of an index that is geometric on 1, 2, ... with these means, bits.

    Args:
        mean: of the index, >= 1, any shape: `mean_index`.
        exponent: nI + 1 in units of 2^-16 bit, as `encode_indices` takes it.

    Returns:
        Shape of `mean`, within 1e-3 bit: it is interpolated between 256 means.

    >>> [round(float(bits), 2) for bits in mean_length([1.0, 4.0], 3 << 16)]
    [1.85, 3.9]
    """
    log_mean = np.log(np.asarray(mean, np.float64))
    grid = np.linspace(0, max(float(log_mean.max(initial=0)), 1e-9), _MEANS)
    first, width = bucket_ends(np.arange(BUCKETS + 1))
    beyond = (-np.expm1(-grid))[:, None] ** (first - 1)  # P(J >= j); 0 ** 0 is 1
    bits = PRECISION - np.log2(frequencies(exponent)) + width[:-1]
    return np.interp(log_mean, grid, np.maximum(beyond[:, :-1] - beyond[:, 1:], 0) @ bits)


def index_entropy(channel: ArrayLike, law: ArrayLike, reproduction: ArrayLike, *, block: int = 1) -> float:
    """Entropy of the index over source and channel, nats: no code of the indices alone can be shorter on average.

    The law of J is the mean over blocks of its geometric laws given what was sent; frequencies of the indices
    themselves would need many more blocks than exp(H). For blocks of several samples e(y) is a mean over 1024 seeded
    draws from q^n.

    Args:
        channel: W(y|x), shape (samples, reproductions).
        law: q, shape (reproductions,); its scale is taken out.
        reproduction: what was sent, int, shape (samples,).
        block: n, samples coded together.

    >>> round(index_entropy([[0.9, 0.1]] * 10, [0.5, 0.5], [0] * 9 + [1]) / NATS_PER_BIT, 4)
    1.6845
    """
    from scipy.special import entr  # its import takes longer than that of all our modules

    q = _law(law)
    ratio = np.where(q > 0, as_channel(channel) / np.where(q > 0, q, 1), 0)
    if block == 1:
        letters, weights = np.arange(len(q))[:, None], q
    else:
        letters = np.random.default_rng(0).choice(len(q), (_DRAWS, block), p=q)
        weights = np.full(_DRAWS, 1 / _DRAWS)
    sent = np.take_along_axis(ratio, np.asarray(reproduction)[:, None], 1)[:, 0]
    excess = []
    for start in range(0, len(ratio), block):
        rows = ratio[start : start + block]
        others = np.prod([row[letters[:, i]] for i, row in enumerate(rows)], axis=0)
        excess.append(weights @ np.maximum(sent[start : start + block].prod() - others, 0))
    log_miss = -np.log1p(1 / np.maximum(excess, np.finfo(float).tiny))  # ln of 1 less the geometric law's success
    first, width = bucket_ends(np.arange(BUCKETS + 1))
    beyond = np.array([np.exp((j - 1) * log_miss).mean() for j in first])  # P(J >= j)
    mass = np.maximum(beyond[:-1] - beyond[1:], 0)
    return float(entr(mass).sum() + mass @ width[:-1] * NATS_PER_BIT)

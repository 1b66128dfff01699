"""The law of a sum of n independent letters on a lattice, for bounds that rounding must not turn around."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlogy

_MOST = 2**23
"""Cells of the sum's lattice."""
_ALIKE = 1e-10
"""Values that differ by less, over the largest, count as one: the least of them."""


def binomial(n: int, p: float) -> np.ndarray:
    """The binomial law of 0..n.

    >>> binomial(2, 0.5).round(4).tolist()
    [0.25, 0.5, 0.25]
    """
    k = np.arange(n + 1)
    log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlogy(n - k, 1 - p)
    return np.exp(log)


def merged(values: np.ndarray, pmf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different values, rising, and their masses; nearly equal ones are the least of them.

    >>> merged(np.array([2.0, 1.0, 2.0]), np.array([0.25, 0.5, 0.25]))
    (array([1., 2.]), array([0.5, 0.5]))
    """
    order = np.argsort(values[pmf > 0])
    value, mass = values[pmf > 0][order], pmf[pmf > 0][order]
    new = np.append(True, np.diff(value) > _ALIKE * np.abs(value).max())
    return value[new], np.add.reduceat(mass, np.flatnonzero(new))


def least_tails(values: np.ndarray, pmf: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds t, rising, and numbers that P[sum of n letters >= t] is not less than.

    One letter, and two different values or one, are exact; sums of more are rounded down to a lattice.

    Args:
        values: of each letter, nats, shape (letters,).
        pmf: shape (letters,), with sum one.
        n: letters of a block.

    >>> least_tails(np.array([0.0, 1.0]), np.array([0.5, 0.5]), 2)[1].round(4).tolist()
    [1.0, 0.75, 0.25]
    """
    value, mass = merged(values, pmf)
    span = value[-1] - value[0]
    if len(value) == 1:
        return n * value, np.ones(1) - 1e-12
    if n == 1:
        return value, np.clip(np.cumsum(mass[::-1])[::-1] - 1e-12, 0, 1)
    if len(value) == 2:
        law, step, error = binomial(n, mass[1]), span, 1e-12
    else:
        cells = max(_MOST // n, 16)
        step = span / cells
        place = np.floor((value - value[0]) / step * (1 - 1e-12)).astype(int)
        law = _power(np.bincount(place, mass, cells + 1), n)
        # Of the transforms in l2; a tail is the product with an indicator of at most so many ones.
        error = 4e-16 * n * np.log2(len(law)) * np.sqrt(len(law))
    tail = np.cumsum(law[::-1])[::-1]
    return n * value[0] + step * np.arange(len(law)), np.clip(tail * (1 - 1e-12) - error, 0, 1)


def _power(pmf: np.ndarray, n: int) -> np.ndarray:
    """The n-fold convolution."""
    length = n * (len(pmf) - 1) + 1
    room = 1 << (length - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(pmf, room) ** n, room)[:length]

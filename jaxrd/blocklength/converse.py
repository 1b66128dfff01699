"""What no code of n letters can do better than."""

from __future__ import annotations

import numpy as np

from jaxrd.blocklength.sums import least_tails

_ROUNDING = 1e-12


def certified_tilted(
    source: np.ndarray, distortion: np.ndarray, slope: float, q: np.ndarray, target: float
) -> np.ndarray:
    """A j that the converse holds for, whatever s and q: sum_x p_x exp(j_x + s (D - d(x, y))) <= 1 for every y.

    The tilted information at q, less ln max_y c_y, which is what q lacks to be optimal.

    Args:
        source: p, shape (n,).
        distortion: d, shape (n, m); inf forbids a pair.
        slope: s >= 0, finite.
        q: shape (m,).
        target: D.

    >>> p, d = np.array([0.5, 0.5]), 1 - np.eye(2)
    >>> j = certified_tilted(p, d, 2.0, np.array([0.6, 0.4]), 0.1)
    >>> bool(p @ j < 0.368), bool(((p * np.exp(j)) @ np.exp(2.0 * (0.1 - d)) <= 1).all())  # R = ln 2 - h(.1)
    (True, True)
    """
    occurs = source > 0
    p, d = source[occurs], distortion[occurs]
    low = d.min(1)
    kernel = np.exp(-slope * (d - low[:, None]))
    z = kernel @ q
    c = (p / z) @ kernel
    j = np.zeros(len(source))
    j[occurs] = -np.log(z) + slope * (low - target) - np.log(c.max()) - _ROUNDING * (1 + slope * np.abs(low).max())
    return j


def least_log_size(j: np.ndarray, source: np.ndarray, n: int, excess: float) -> float:
    """ln M of the smallest code of n letters that exceeds D in at most `excess` of the blocks: at least this much.

    excess >= P[sum j >= t] - M exp(-t) for every t, so that ln M >= t + ln(P[sum j >= t] - excess).

    Args:
        j: from `certified_tilted`, nats, shape (letters,).
        source: shape (letters,).
        n: letters of a block.
        excess: probability, in (0, 1).

    Reference: V. Kostina and S. Verdu, IEEE Trans. IT 2012, theorem 7.

    >>> round(least_log_size(np.array([1.0]), np.array([1.0]), 10, 0.1), 4)  # 10 + ln .9
    9.8946
    """
    threshold, tail = least_tails(j, source / source.sum(), n)
    beyond = tail > excess
    if not beyond.any():
        return 0.0
    least = float((threshold[beyond] + np.log(tail[beyond] - excess)).max()) - _ROUNDING * n
    # M is a whole number.
    return float(np.log(np.ceil(np.exp(least) * (1 - 1e-9)))) if 0 < least < 30 else max(least, 0.0)

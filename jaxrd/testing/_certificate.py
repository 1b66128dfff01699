"""The certificate of a reproduction pmf in plain numpy: slow, in float64, and independent of the solvers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Certificate(NamedTuple):
    """Two bounds on L(s) = min over channels of I(X;Y) + s E d(X,Y), nats.

    Args:
        upper: F(q) = - sum_x p_x ln sum_y q_y exp(-s d_xy).
        excess: ln max_y c_y, how far F(q) may be from the optimum; c_y = sum_x p_x K_xy / (K q)_x, K = exp(-s d).

    Reference: T. Berger, Rate Distortion Theory, 1971, section 2.5.

    >>> Certificate(upper=1.0, excess=0.25).lower
    0.75
    """

    upper: float
    excess: float

    @property
    def lower(self) -> float:
        """F(q) - ln max_y c_y: no channel has a smaller I + s E d; -inf where q proves nothing."""
        return self.upper - self.excess if np.isfinite(self.excess) else -np.inf


def certificate(source: ArrayLike, distortion: ArrayLike, slope: float, reproduction: ArrayLike) -> Certificate:
    """Bounds on L(s) that any reproduction pmf proves: F(q) - ln max_y c_y <= L(s) <= F(q).

    Args:
        source: pmf p, shape (n,).
        distortion: d, shape (n, m), finite or +inf.
        slope: s >= 0, nats per unit of distortion, finite.
        reproduction: q >= 0, shape (m,); it is divided by its sum.

    Raises:
        ValueError: the shapes do not belong together.

    Reference: T. Berger, Rate Distortion Theory, 1971, section 2.5.

    >>> found = certificate([0.5, 0.5], 1 - np.eye(2), 2.0, [0.5, 0.5])
    >>> round(found.lower, 9), round(found.upper, 9)  # this q is optimal
    (0.56621917, 0.56621917)
    """
    p, d, q = (np.asarray(a, np.float64) for a in (source, distortion, reproduction))
    q = np.maximum(q, 0) / np.maximum(q, 0).sum()
    keep = p > 0
    p, d = p[keep], d[keep]
    low = d.min(1)
    with np.errstate(invalid="ignore"):
        k = np.exp(-np.where(np.isinf(d), np.inf, slope * (d - low[:, None])))  # a 1 in every row: no 0/0
    z = k @ q
    if not (z > 0).all():  # a letter of the source has none of the allowed reproductions
        return Certificate(np.inf, np.inf)
    c = k.T @ (p / z)
    return Certificate(float(-(p @ np.log(z)) + slope * (p @ low)), float(np.log(c.max())))


def achieved_pair(
    source: ArrayLike, distortion: ArrayLike, slope: float, reproduction: ArrayLike
) -> tuple[float, float]:
    """I(X;Y) and E d(X,Y) of the channel W(y|x) ~ q_y exp(-s d_xy), summed term by term.

    Args:
        source: pmf p, shape (n,).
        distortion: d, shape (n, m), finite or +inf.
        slope: s >= 0, nats per unit of distortion, finite.
        reproduction: q >= 0, shape (m,).

    Returns:
        The rate in nats, and the mean distortion.

    Raises:
        ValueError: the shapes do not belong together.

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972.

    >>> rate, mean = achieved_pair([0.5, 0.5], 1 - np.eye(2), 2.0, [0.5, 0.5])
    >>> round(rate, 4), round(mean, 4)  # ln 2 - h(D), D = 1 / (1 + e^2)
    (0.3278, 0.1192)
    """
    p, d, q = (np.asarray(a, np.float64) for a in (source, distortion, reproduction))
    keep = p > 0
    p, d = p[keep], d[keep]
    low = d.min(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        w = q * np.exp(-np.where(np.isinf(d), np.inf, slope * (d - low)))
    w /= w.sum(1, keepdims=True)
    r = p @ w
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(w > 0, w * np.log(w / r), 0)
        means = np.where(w > 0, w * d, 0)
    return float((p[:, None] * terms).sum()), float((p[:, None] * means).sum())


def certified_gap(source: ArrayLike, distortion: ArrayLike, slope: float, reproduction: ArrayLike) -> float:
    """How far the pair that q achieves may lie above the curve: I + s E d - (F(q) - ln max_y c_y), nats.

    Args:
        source: pmf p, shape (n,).
        distortion: d, shape (n, m), finite or +inf.
        slope: s >= 0, nats per unit of distortion, finite.
        reproduction: q >= 0, shape (m,).

    Raises:
        ValueError: the shapes do not belong together.

    Reference: T. Berger, Rate Distortion Theory, 1971, section 2.5.

    >>> round(certified_gap([0.7, 0.3], 1 - np.eye(2), 2.0, [0.5, 0.5]), 4)
    0.2188
    """
    bounds = certificate(source, distortion, slope, reproduction)
    if np.isinf(bounds.excess):
        return np.inf
    rate, mean = achieved_pair(source, distortion, slope, reproduction)
    return rate + slope * mean - bounds.lower

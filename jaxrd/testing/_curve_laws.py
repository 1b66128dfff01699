"""Laws of a curve that are read off its points alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike


def assert_nonincreasing(distortion: ArrayLike, rate: ArrayLike, *, tol: float = 1e-9) -> None:
    """Fail unless no point has both a larger distortion and a larger rate than another: R(D) never rises.

    Args:
        distortion: of the points in any order, shape (k,).
        rate: of the points, nats or bits, shape (k,); +inf where no code exists.
        tol: by how much a rate may rise, in the unit of the rates.

    Raises:
        AssertionError: names the two points.

    Reference: Cover and Thomas, Elements of Information Theory, Lemma 10.4.1.

    >>> assert_nonincreasing([0.1, 0.2], [0.5, 0.75])
    Traceback (most recent call last):
        ...
    AssertionError: the rate rises with the distortion: R(0.1) = 0.5 and R(0.2) = 0.75, by 0.25 > 1e-09.
    """
    d, r = _in_order(distortion, rate)
    least = np.minimum.accumulate(r)
    rise = np.where(r == least, 0, r - np.where(r == least, 0, least))  # inf - inf says nothing
    worst = int(rise.argmax())
    if rise[worst] > tol:
        first = int(r[: worst + 1].argmin())
        raise AssertionError(
            f"the rate rises with the distortion: R({d[first]:g}) = {r[first]:g} and R({d[worst]:g}) = {r[worst]:g}, "
            f"by {rise[worst]:.3g} > {tol:g}."
        )


def assert_convex(distortion: ArrayLike, rate: ArrayLike, *, tol: float = 1e-9) -> None:
    """Fail unless no point lies above a chord of two others: R(a D1 + (1-a) D2) <= a R(D1) + (1-a) R(D2).

    Args:
        distortion: of the points in any order, shape (k,).
        rate: of the points, nats or bits, shape (k,); a chord that ends at +inf says nothing.
        tol: how far a point may lie above a chord, in the unit of the rates.

    Raises:
        AssertionError: names the point and the chord.

    Reference: Cover and Thomas, Elements of Information Theory, Lemma 10.4.1.

    >>> assert_convex([0.0, 0.1, 0.2], [1.0, 0.75, 0.0])
    Traceback (most recent call last):
        ...
    AssertionError: R is not convex: R(0.1) = 0.75 lies 0.25 > 1e-09 above the chord from R(0) = 1 to R(0.2) = 0.
    """
    d, r = _in_order(distortion, rate)
    hull: list[int] = []  # the lower convex envelope, by a scan in the order of distortions
    for i in np.flatnonzero(np.isfinite(r)).tolist():
        while len(hull) > 1 and _above(d, r, hull[-2], hull[-1], i) >= 0:
            hull.pop()
        hull.append(i)
    for left, right in pairwise(hull):
        between = range(left + 1, right)
        if not len(between):
            continue
        over = np.array([_above(d, r, left, i, right) for i in between])
        i = between[int(over.argmax())]
        if over.max() > tol:
            raise AssertionError(
                f"R is not convex: R({d[i]:g}) = {r[i]:g} lies {over.max():.3g} > {tol:g} above the chord from "
                f"R({d[left]:g}) = {r[left]:g} to R({d[right]:g}) = {r[right]:g}."
            )


def assert_envelope_slope(slope: ArrayLike, distortion: ArrayLike, rate: ArrayLike, *, tol: float = 1e-9) -> None:
    """Fail unless each point is the best of all points at its own slope: R_i + s_i D_i <= R_j + s_i D_j for all j.

    L(s) = R + s D is concave with dL/ds = D(s), the envelope theorem. This is its exact form for finitely many
    slopes: no difference quotient is taken. It fails where a point is not optimal, or belongs to another slope.

    Args:
        slope: s of the points, nats per unit of distortion, shape (k,), finite.
        distortion: of the points, shape (k,).
        rate: of the points, nats, shape (k,).
        tol: by how much another point may be better, nats.

    Raises:
        AssertionError: names the two points.

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972, theorem 6.

    >>> assert_envelope_slope([1.0, 2.0], [0.25, 0.5], [0.5, 0.25])
    Traceback (most recent call last):
        ...
    AssertionError: at slope 2 the point (D, R) = (0.5, 0.25) is worse than (0.25, 0.5) of slope 1: by 0.25 > 1e-09.
    """
    s, d, r = (np.atleast_1d(np.asarray(a, float)) for a in (slope, distortion, rate))
    values = r + s[:, None] * d  # [i, j]: the point j at the slope of the point i
    worse = np.diag(values)[:, None] - values
    i, j = np.unravel_index(int(np.nan_to_num(worse, nan=np.inf).argmax()), worse.shape)
    if not worse[i, j] <= tol:
        raise AssertionError(
            f"at slope {s[i]:g} the point (D, R) = ({d[i]:g}, {r[i]:g}) is worse than ({d[j]:g}, {r[j]:g}) of slope "
            f"{s[j]:g}: by {worse[i, j]:.3g} > {tol:g}."
        )


def assert_inside(exact: ArrayLike, rate: ArrayLike, gap: ArrayLike, *, tol: float = 1e-12) -> None:
    """Fail unless what is known in closed form lies inside the certificate: rate - gap <= R(D) <= rate.

    Args:
        exact: R(D) at the distortions of the points, shape (k,) or ().
        rate: of the points, in the same unit.
        gap: of the points, in the same unit.
        tol: for the rounding of the closed form, in the same unit.

    Raises:
        AssertionError: names the point.

    Reference: T. Berger, Rate Distortion Theory, 1971, section 2.5.

    >>> assert_inside(exact=0.5, rate=0.75, gap=0.125)
    Traceback (most recent call last):
        ...
    AssertionError: R = 0.5 at point 0 does not lie in [0.625, 0.75], its certificate.
    """
    known, upper, width = np.broadcast_arrays(*(np.atleast_1d(np.asarray(a, float)) for a in (exact, rate, gap)))
    inside = (upper - width - tol <= known) & (known <= upper + tol)
    if not inside.all():
        i = int((~inside).argmax())
        raise AssertionError(
            f"R = {known[i]:g} at point {i} does not lie in [{upper[i] - width[i]:g}, {upper[i]:g}], its certificate."
        )


def _in_order(distortion: ArrayLike, rate: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Points by distortion, then by rate, the largest first.

    Raises:
        AssertionError: a point is NaN.
    """
    d, r = (np.atleast_1d(np.asarray(a, float)) for a in (distortion, rate))
    bad = np.isnan(d) | np.isnan(r)
    if bad.any():
        i = int(bad.argmax())
        raise AssertionError(f"point {i} is no number: (D, R) = ({d[i]:g}, {r[i]:g}).")
    order = np.lexsort((-r, d))
    return d[order], r[order]


def _above(d: np.ndarray, r: np.ndarray, left: int, i: int, right: int) -> float:
    """How far a point lies above the chord of two others."""
    width = d[right] - d[left]
    share = (d[i] - d[left]) / width if width > 0 else 1.0
    return float(r[i] - (r[left] + share * (r[right] - r[left])))

"""The smallest rate of a parametric curve at a distortion, solved for, not interpolated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxrd.tosc._checked import checked, one_number, vectors


def smallest_point(
    parameters: np.ndarray,
    distortion: np.ndarray,
    rate: np.ndarray,
    evaluate: Callable[[float], tuple[float, float]],
    target: float,
) -> tuple[float, float]:
    """min { R(t) : D(t) <= target } and its t, on a curve t -> (D, R) that need be neither convex nor monotone.

    The grid brackets every crossing of D(t) = target, every interior minimum of R, and every interior minimum of D
    that may dip below the target; each is then solved for. What lies between two grid points and shows in none of
    these is missed: use a grid fine enough.

    Args:
        parameters: t, rising, shape (k,).
        distortion: D(t), shape (k,).
        rate: R(t), shape (k,).
        evaluate: t -> (D, R) between the grid points.
        target: the distortion allowed.

    Returns:
        The rate in its own unit and t; inf and NaN where no point of the grid reaches the target.
    """
    slack = 1e-12 * max(1.0, abs(target))
    met = distortion <= target + slack
    best, place = np.inf, np.nan
    if met.any():
        first = np.flatnonzero(met)[rate[met].argmin()]
        best, place = float(rate[first]), float(parameters[first])

    def consider(t: float) -> float:
        nonlocal best, place
        d, r = map(float, evaluate(t))
        if d <= target + slack and r < best:
            best, place = r, t
        return d - target

    def cross(inside: float, outside: float) -> None:
        """The crossing between a parameter that meets the target and one that does not."""
        # The root lies just above the target, where the slack still counts it as met.
        low, high = sorted((inside, outside))
        ends = consider(low) - slack / 2, consider(high) - slack / 2
        if ends[0] * ends[1] < 0:
            root(lambda t: consider(t) - slack / 2, (low, high), ends)

    def least(values: int, i: int) -> float:
        """Where the distortion (0) or the rate (1) is least between the neighbours of grid point i."""
        return _minimum(lambda t: evaluate(t)[values], float(parameters[i - 1]), float(parameters[i + 1]))

    for i in np.flatnonzero(met[1:] != met[:-1]):
        # The rate inside a bracket is near that at its ends: skip a bracket that cannot improve on the best.
        if min(rate[i], rate[i + 1]) <= best:
            inside, outside = (i, i + 1) if met[i] else (i + 1, i)
            cross(float(parameters[inside]), float(parameters[outside]))
    for i in range(1, len(rate) - 1):
        left, right = distortion[i - 1] - distortion[i], distortion[i + 1] - distortion[i]
        # A dip this deep between neighbours is plausible only where they rise by as much.
        plausible = left >= 0 and right >= 0 and 0 < distortion[i] - target <= max(left, right)
        if plausible and rate[i - 1 : i + 2].min() < best:
            bottom = least(0, i)
            if consider(bottom) <= slack:
                cross(bottom, float(parameters[i - 1]))
                cross(bottom, float(parameters[i + 1]))
        # As for the distortion, a minimum between the neighbours is plausible only as far below as they lie above.
        if (
            rate[i] < rate[i - 1]
            and rate[i] < rate[i + 1]
            and met[i - 1 : i + 2].any()
            and 2 * rate[i] - max(rate[i - 1], rate[i + 1]) < best
        ):
            consider(least(1, i))
    return best, place


def least_point(
    parameters: np.ndarray,
    distortion: np.ndarray,
    rate: np.ndarray,
    evaluate: Callable[[float], tuple[float, float]],
    most: float,
) -> float:
    """min { D(t) : R(t) <= most }: `smallest_point` with the two axes exchanged, the distortion alone.

    >>> t = np.linspace(0, 1, 5)
    >>> round(least_point(t, 1 - t, t, lambda t: (1 - t, t), 0.7), 6)  # between the grid points .5 and .75
    0.3
    """

    def exchanged(t: float) -> tuple[float, float]:
        d, r = evaluate(t)
        return r, d

    return smallest_point(parameters, rate, distortion, exchanged, most)[0]


# Not scipy's: to import its optimisers takes longer than the searches of a whole run of `jaxrd limits`.
def root(f: Callable[[float], float], ends: tuple[float, float], values: tuple[float, float]) -> float:
    """The root of f between two ends where it has opposite signs, to 1e-14.

    Reference: T. Chandrupatla, A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function
    without using derivatives, Advances in Engineering Software 1997.

    >>> round(root(lambda t: t * t - 2, (1.0, 2.0), (-1.0, 2.0)), 12)
    1.414213562373
    """
    (b, a), (fb, fa) = ends, values
    share, best = 0.5, a
    for _ in range(200):
        x = a + share * (b - a)
        fx = f(x)
        if (fx > 0) == (fa > 0):
            c, fc = a, fa
        else:
            (c, fc), (b, fb) = (b, fb), (a, fa)
        a, fa = x, fx
        best = a if abs(fa) < abs(fb) else b
        least = (1e-14 + 4 * np.finfo(float).eps * abs(best)) / abs(b - a)
        if least > 0.5 or fa == 0:
            return best
        # Inverse quadratic interpolation where the three points allow it.
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        share = 0.5
        if phi**2 < xi and (1 - phi) ** 2 < 1 - xi:
            share = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        share = min(max(share, least), 1 - least)
    return best


_GOLDEN = (5**0.5 - 1) / 2


def _minimum(f: Callable[[float], float], low: float, high: float) -> float:
    """Where f, which has one minimum between two ends, is least, to 1e-5 of their distance; by golden section.

    >>> round(_minimum(lambda t: (t - 0.3) ** 2, 0.0, 1.0), 4)
    0.3
    """
    width = high - low
    left, right = high - _GOLDEN * width, low + _GOLDEN * width
    at_left, at_right = f(left), f(right)
    while high - low > 1e-5 * width:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = f(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = f(right)
    return left if at_left < at_right else right


@checked(vectors("parameters", "distortion", "rate"), one_number("target", lambda t: t == t, "one number"))
def smallest_rate(
    parameters: np.ndarray,
    distortion: np.ndarray,
    rate: np.ndarray,
    evaluate: Callable[[float], tuple[float, float]],
    target: float,
) -> float:
    """min { R(t) : D(t) <= target } on a curve t -> (D, R) that need be neither convex nor monotone.

    The rate of `smallest_point` alone, which says what such a search can miss.

    Args:
        parameters: t, rising, shape (k,), any unit.
        distortion: D(t), shape (k,), any unit.
        rate: R(t), shape (k,), any unit.
        evaluate: t -> (D, R) between the grid points, in the same units.
        target: the distortion allowed, a scalar.

    Returns:
        The rate in its own unit; inf where no point of the grid reaches the target.

    Raises:
        InputError: the arrays have different lengths.

    Reference: R. Brent, Algorithms for minimization without derivatives, 1973 (the root and the minimum in a bracket).

    >>> t = np.linspace(0, 1, 5)
    >>> round(smallest_rate(t, 1 - t, t, lambda t: (1 - t, t), 0.3), 6)  # between the grid points .5 and .75
    0.7
    """
    return smallest_point(parameters, distortion, rate, evaluate, target)[0]

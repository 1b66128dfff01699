"""Laws of one point: what a reproduction pmf proves, and where a pair of rate and distortion lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.solvers import solve
from jaxrd.target import rate_at
from jaxrd.testing._certificate import certificate, certified_gap


def assert_certified(problem: Problem, slope: float, q: ArrayLike, *, tol: float = 1e-9) -> None:
    """Fail unless a reproduction pmf proves its own point: I + s E d - (F(q) - ln max_y c_y) <= tol max(1, |L|).

    The proof is `certified_gap`, plain numpy; no solver takes part.

    Args:
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion, finite.
        q: reproduction pmf, shape (m,), of any solver.
        tol: nats, relative to max(1, |L(s)|).

    Raises:
        AssertionError: q is no pmf, or quotes the gap.

    Reference: T. Berger, Rate Distortion Theory, 1971, section 2.5.

    >>> assert_certified(Problem(np.array([0.7, 0.3]), 1 - np.eye(2)), 2.0, [0.5, 0.5])
    Traceback (most recent call last):
        ...
    AssertionError: at slope 2 the reproduction proves a gap of 0.219 nat only; 1e-09 is asked.
    """
    p, d = dense(problem)
    law = np.asarray(q, float)
    if law.shape != d.shape[1:] or not (law >= 0).all() or not abs(law.sum() - 1) <= 1e-6:
        raise AssertionError(
            f"the reproduction is no pmf of {d.shape[1]} letters: shape {law.shape}, sum {law.sum():g}."
        )
    gap = certified_gap(p, d, slope, law)
    allowed = tol * max(1.0, abs(certificate(p, d, slope, law).upper)) if np.isfinite(gap) else tol
    if not gap <= allowed:
        raise AssertionError(
            f"at slope {slope:g} the reproduction proves a gap of {gap:.3g} nat only; {allowed:g} is asked."
        )


def assert_achievable(problem: Problem, rate: float, distortion: float, *, tol: float = 1e-6) -> None:
    """Fail if a pair lies below the curve: then no channel has it, whatever the method that found it.

    The bound is R(D) >= F(q) - ln max_y c_y - s D for a q and an s that `rate_at` finds; numpy proves it.

    Args:
        problem: source (n,), distortion (n, m).
        rate: of the pair, nats.
        distortion: of the pair.
        tol: how far below the pair may lie, nats; of a distortion below the least, relative to max(1, least).

    Raises:
        AssertionError: quotes the pair and the bound.

    Reference: T. Berger, Rate Distortion Theory, 1971, section 2.5.

    >>> coin = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> assert_achievable(coin, rate=0.25, distortion=0.11)  # R(0.11) = ln 2 - h(0.11), half a bit
    Traceback (most recent call last):
        ...
    AssertionError: (D, R) = (0.11, 0.25) lies below the curve: no channel has fewer than 0.346632 nat there.
    """
    _refuse_below(*dense(problem), rate, distortion, tol, tol)


def assert_optimal(problem: Problem, slope: float, rate: float, distortion: float, *, tol: float = 1e-6) -> None:
    """Fail unless a pair is the point of the curve at a slope: on it, and R + s D <= L(s).

    Args:
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion, finite.
        rate: of the pair, nats.
        distortion: of the pair.
        tol: nats, relative to max(1, |L(s) - s E min_y d|).

    Raises:
        AssertionError: the pair lies below the curve, or quotes by how much a better channel beats it.

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972.

    >>> coin = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> assert_optimal(coin, 2.0, rate=0.5, distortion=0.25)
    Traceback (most recent call last):
        ...
    AssertionError: at slope 2 the pair (D, R) = (0.25, 0.5) is not optimal: R + s D = 1, and a channel has 0.566219.
    """
    p, d = dense(problem)
    best = certificate(p, d, slope, np.asarray(solve(Problem(p, d), slope).reproduction)).upper
    value, allowed = rate + slope * distortion, tol * max(1.0, abs(best - slope * float(p @ d.min(1))))
    if not value <= best + allowed:
        raise AssertionError(
            f"at slope {slope:g} the pair (D, R) = ({distortion:g}, {rate:g}) is not optimal: R + s D = {value:g}, "
            f"and a channel has {best:g}."
        )
    _refuse_below(p, d, rate, distortion, allowed, tol)


def dense(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Source and distortion as arrays of float64.

    Raises:
        InputError: the distortion is not held as a matrix.
    """
    if not hasattr(problem.distortion, "ndim"):
        raise InputError(f"a matrix of distortions is needed; got a {type(problem.distortion).__name__}.")
    return np.asarray(problem.source, float), np.asarray(problem.distortion, float)


def _refuse_below(p: np.ndarray, d: np.ndarray, rate: float, distortion: float, allowed: float, tol: float) -> None:
    """`assert_achievable`, with what is allowed of the rate, nats, and of the distortion, relative to max(1, E min d).

    Raises:
        AssertionError: the pair lies below the curve.
    """
    low = float(p @ d.min(1))
    if not distortion >= low - tol * max(1.0, abs(low)):
        raise AssertionError(f"no channel has the distortion {distortion:g}; the least is {low:g}.")
    least = _lower_bound(Problem(p, d), max(distortion, low))
    if not rate >= least - allowed:
        raise AssertionError(
            f"(D, R) = ({distortion:g}, {rate:g}) lies below the curve: no channel has fewer than {least:g} nat there."
        )


def _lower_bound(problem: Problem, distortion: float) -> float:
    """The best bound on R(distortion), nats, among the slopes near that of the point."""
    at = float(rate_at(problem, distortion).slope)
    best = 0.0
    for slope in (at, at * (1 - 1e-3), at * (1 + 1e-3)) if at < np.inf else _steep(problem):
        if slope > 0:
            q = np.asarray(solve(problem, slope).reproduction)
            best = max(best, certificate(problem.source, problem.distortion, slope, q).lower - slope * distortion)
    return best


def _steep(problem: Problem) -> list[float]:
    """Slopes for the least distortion, where that of the curve is infinite."""
    d = np.asarray(problem.distortion)[np.asarray(problem.source) > 0]
    excess = d - d.min(1, keepdims=True)
    some = excess[np.isfinite(excess) & (excess > 0)]
    return [k / float(max(some.min(), 1e-12 * some.max())) for k in (1, 10, 100)] if len(some) else [1.0]

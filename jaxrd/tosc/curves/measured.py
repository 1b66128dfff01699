"""A solved curve over a distortion that is not the one it was solved for, but measured for its channels."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from jaxrd.curve import Curve
from jaxrd.solution import Solution
from jaxrd.tosc.curves.drawing import Bound, Least, Rate
from jaxrd.tosc.curves.parametric import least_point, smallest_point


def measured_bound(
    solved: Solution,
    curve: Curve,
    silence: float,
    measure: Callable[[Solution], float],
    solve: Callable[[float], Solution],
) -> Bound:
    """The curve over the measured distortion, with its rate at one and its distortion at a rate; it need be neither
    convex nor monotone.

    Args:
        solved: points at rising slopes.
        curve: theirs, the zero-rate point first, over the distortion they were solved for.
        silence: the measured distortion at rate zero.
        measure: the distortion of a point's channel.
        solve: a point at another slope.
    """
    points = jax.device_get(solved)
    points = [jax.tree.map(lambda a: a[i], points) for i in range(len(points.slope))]  # noqa: B023
    wrong = [measure(point) for point in points]
    curve = curve.with_distortion(np.array([silence, *wrong]))
    # u = s / (1 + s) in [0, 1] brackets slopes up to inf.
    u = np.where(np.isinf(curve.slope), 1, curve.slope / (1 + np.where(np.isinf(curve.slope), 0, curve.slope)))
    u[0] = min(u[0], u[1])  # the critical slope may be inf: then the rate is zero at every slope

    known = dict(zip(map(float, u[1:]), zip(points, wrong, strict=True), strict=True))
    doubtful: list[bool] = []

    def at(x: float) -> tuple[Solution, float]:
        if x not in known:
            point = solve(x / (1 - x) if x < 1 else np.inf)
            known[x] = point, measure(point)
        return known[x]

    def smallest(target: float) -> Rate:
        doubtful.clear()
        rate, place = smallest_point(u, curve.distortion, curve.rate, one, target)
        slope, converged = place / (1 - place) if place < 1 else np.inf, not any(doubtful)
        return Rate(rate, slope, at(place)[0].reproduction if place == place else None, converged)

    def least(rate: float) -> Least:
        doubtful.clear()
        return Least(least_point(u, curve.distortion, curve.rate, one, rate), not any(doubtful))

    def one(x: float) -> tuple[float, float]:
        if x <= u[0]:  # rate zero: a solver may return any mixture of tied reproductions here
            return float(curve.distortion[0]), 0.0
        point, distortion = at(x)
        doubtful.append(not bool(point.converged))
        return distortion, float(point.rate)

    return Bound(curve, smallest, least, solved=solved)

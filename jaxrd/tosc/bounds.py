"""Each curve of paper [A] drawn over a grid, with its smallest rate at any distortion: a `Bound`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.closed_form import categorical
from jaxrd.critical import critical_slope
from jaxrd.curve import Curve
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers import solve
from jaxrd.sweep import sweep
from jaxrd.target import rate_at
from jaxrd.tosc.confusion import (
    EstimateAndCompress,
    estimate_and_compress,
    indirect_problem,
    landmarks,
    merge_baseline,
    time_sharing,
)
from jaxrd.tosc.parametric import smallest_rate
from jaxrd.tosc.soft import SampleAndCommunicate, label_distortion, model_aware_problem, sample_and_communicate

SCAN = 512  # grid on which E&C, which costs next to nothing, is searched for its smallest rate
STEEPEST = 300.0  # nats per unit: beyond it the curves have reached their least distortion

Tick = Callable[[int, int], None] | None


class Bound(NamedTuple):
    """A curve and how to ask it for a rate; nats."""

    curve: Curve
    smallest: Callable[[float], float]
    """Smallest rate of the raw curve with label-measured distortion <= D; inf where it does not reach D."""
    smallest_believed: Callable[[float], float] | None = None
    """The same on model-believed distortion, where that differs."""


def slope_grid(classes: int, count: int, critical: float) -> np.ndarray:
    """`count` slopes for a Hamming-like distortion, rising: half even in distortion, half towards the least one.

    A uniform M-ary source has D = (M-1) / (M-1 + e^s), which spaces the first half. Slopes below `critical` would
    all give the zero-rate point: they are moved up to just above it.
    """
    tail = max(count // 2, 1)
    body = np.linspace(1 - 1 / classes, 0, count - tail + 2)[1:-1]
    slopes = np.maximum(np.log(classes - 1) + np.log1p(-body) - np.log(body), 1e-3)
    steep = np.geomspace(max(slopes.max(initial=1.0), 1.0), STEEPEST, tail + 1)[1:]
    grid = np.concatenate([slopes, steep])
    low = 1.0001 * critical
    idle = grid <= low
    if idle.any() and not idle.all():
        grid[idle] = np.geomspace(low, grid[~idle][0], int(idle.sum()) + 1)[:-1]
    return grid


def _achievable(distortion: np.ndarray, rate: np.ndarray, **more: Any) -> Curve:
    nan = np.full(len(rate), np.nan)
    return Curve(distortion, rate, nan, nan, np.full(len(rate), Status.ACHIEVABLE), **more)


def _exact(distortion: np.ndarray, rate: np.ndarray, slope: np.ndarray, **more: Any) -> Curve:
    return Curve(distortion, rate, slope, np.zeros(len(rate)), np.full(len(rate), Status.EXACT), **more)


def _solve_grid(problem: Problem, count: int, tol: float | None, tick: Tick) -> tuple[Solution, Curve]:
    """The swept problem, and its curve with the exact zero-rate point in front."""
    critical = float(critical_slope(problem))
    grid = np.append(slope_grid(problem.distortion.shape[1], count, critical), np.inf)
    solved = sweep(problem, grid, tol=tol, progress=tick)
    curve = solved.curve()
    silence = float((np.asarray(problem.source) @ np.asarray(problem.distortion)).min())
    front = (silence, 0.0, critical, 0.0, Status.EXACT)
    rest = (curve.distortion, curve.rate, curve.slope, curve.gap, curve.status)
    d, rate, slope, gap, status = (np.concatenate([[a], b]) for a, b in zip(front, rest, strict=True))
    return solved, Curve(d, rate, slope, gap, status)


def oracle(prior: jax.Array, count: int) -> Bound:
    """oRD: the rate-distortion function of the class prior, in closed form."""
    largest = 1 - float(prior.max())
    critical = float(categorical.slope(prior, largest * (1 - 1e-9)))
    grid = slope_grid(len(prior), count, critical)
    inner = np.asarray(categorical.distortion_at_slope(prior, grid))
    d = np.concatenate([[largest], inner, [0.0]])
    curve = _exact(d, np.asarray(categorical.rate(prior, d)), np.concatenate([[critical], grid, [np.inf]]))
    return Bound(curve, lambda target: float(categorical.rate(prior, target)))


@jax.jit
def _estimated_at(joint: jax.Array, grid: jax.Array) -> EstimateAndCompress:
    return jax.lax.map(lambda d: estimate_and_compress(joint, d), grid)  # a row at a time: memory classes^2


@jax.jit
def _sampled_at(log_v: jax.Array, labels: jax.Array, u: jax.Array) -> SampleAndCommunicate:
    return sample_and_communicate(log_v, labels, u / (1 - u))


@jax.jit
def _measured(problem: Problem, points: Solution, labels: jax.Array) -> jax.Array:
    return jax.lax.map(lambda point: label_distortion(problem, point, labels), points)


def estimated(joint: jax.Array, count: int) -> Bound:
    """E&C: exact in the compressor's own distortion, drawn over the label's."""
    largest = 1 - float(joint.sum(0).max())
    shown = np.linspace(largest, 0, count + 2)
    point = jax.device_get(_estimated_at(joint, shown))
    slope = np.asarray(categorical.slope(joint.sum(0), shown))
    curve = _exact(point.distortion, point.rate, slope, parameters={"estimate_distortion": shown})
    scan = np.linspace(0, largest, SCAN)
    fine = jax.device_get(_estimated_at(joint, scan))

    def one(d: float) -> tuple[float, float]:
        p = estimate_and_compress(joint, jnp.asarray(d, joint.dtype))
        return float(p.distortion), float(p.rate)

    return Bound(curve, lambda target: smallest_rate(scan, fine.distortion, fine.rate, one, target))


def indirect(joint: jax.Array, count: int, *, tol: float | None = None, tick: Tick = None) -> Bound:
    """iE&C: certified; its distortion is the label's by construction."""
    problem = indirect_problem(joint)
    _, curve = _solve_grid(problem, count, tol, tick)
    return Bound(curve, lambda target: float(rate_at(problem, target, tol=tol).rate))


def shared(joint: jax.Array, count: int) -> Bound | None:
    """TS: the line of time sharing; None where D_TM >= D_0 leaves it undefined."""
    d_tm, d_0, entropy = (float(x) for x in landmarks(joint))
    if d_tm >= d_0:
        return None
    d = np.linspace(d_0, d_tm, count)
    curve = _achievable(d, (d_0 - d) / (d_0 - d_tm) * entropy)
    return Bound(curve, lambda target: float(time_sharing(joint, target)))


def merged(joint: jax.Array) -> Bound:
    """The merge baseline: one point for each number of merged estimates; nothing in between."""
    points = jax.device_get(merge_baseline(joint))
    curve = _achievable(points.distortion, points.rate, parameters={"merged_classes": np.arange(len(points.rate))})
    return Bound(curve, lambda target: float(points.rate[points.distortion <= target + 1e-12].min(initial=np.inf)))


def sampled(joint: jax.Array, log_v: jax.Array, labels: jax.Array, count: int) -> Bound:
    """S&C: over inverse temperatures t = u / (1 - u), u in [0, 1]; at u = 1 the decisions themselves, lossless."""
    u = np.linspace(0, 1, max(count, 16) + 2)
    points = [jax.device_get(_sampled_at(log_v, labels, x)) for x in u[:-1]]
    d_tm, _, entropy = (float(x) for x in landmarks(joint))
    believed_end = 1 - float(jnp.exp(log_v.max(1)).mean())
    rate, d, believed = (np.array(a, float) for a in zip(*points, (entropy, d_tm, believed_end), strict=True))
    with np.errstate(divide="ignore"):
        temperatures = u / (1 - u)
    curve = _achievable(d, rate, model_distortion=believed, parameters={"inverse_temperature": temperatures})

    def one(x: float) -> tuple[float, float]:
        if x >= 1:
            return d_tm, entropy
        p = _sampled_at(log_v, labels, x)
        return float(p.distortion), float(p.rate)

    return Bound(curve, lambda target: smallest_rate(u, d, rate, one, target))


def model_aware(
    log_v: jax.Array, labels: jax.Array, prior: jax.Array, count: int, *, tol: float | None = None, tick: Tick = None
) -> Bound:
    """TMRD: certified in model-believed distortion, drawn over the label-measured one."""
    problem = model_aware_problem(jnp.exp(log_v))
    solved, curve = _solve_grid(problem, count, tol, tick)
    measured = _measured(problem, solved, labels)
    guess = int(np.asarray(problem.source @ problem.distortion).argmin())
    curve = curve.with_distortion(np.concatenate([[1 - float(prior[guess])], np.asarray(measured)]))
    # u = s / (1 + s) in [0, 1] brackets slopes up to inf.
    u = np.where(np.isinf(curve.slope), 1, curve.slope / (1 + np.where(np.isinf(curve.slope), 0, curve.slope)))

    def one(x: float) -> tuple[float, float]:
        point = solve(problem, x / (1 - x) if x < 1 else np.inf, tol=tol)
        return float(label_distortion(problem, point, labels)), float(point.rate)

    return Bound(
        curve,
        lambda target: smallest_rate(u, curve.distortion, curve.rate, one, target),
        lambda target: float(rate_at(problem, target, tol=tol).rate),
    )

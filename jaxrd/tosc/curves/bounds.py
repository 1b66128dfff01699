"""Each curve of paper [A] drawn over a grid, with its smallest rate at any distortion: a `Bound`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._sweep import sweep
from jaxrd.closed_form import categorical
from jaxrd.critical import critical_slope
from jaxrd.curve import Curve
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status, has_failed
from jaxrd.solvers import solve
from jaxrd.target import rate_at
from jaxrd.tosc.curves.confusion import (
    EstimateAndCompress,
    estimate_and_compress,
    indirect_problem,
    landmarks,
    merge_baseline,
    time_sharing,
)
from jaxrd.tosc.curves.parametric import smallest_point
from jaxrd.tosc.curves.soft import SampleAndCommunicate, label_distortion, model_aware_problem, sample_and_communicate

SCAN = 512  # grid on which E&C, which costs next to nothing, is searched for its smallest rate
STEEPEST = 300.0  # nats per unit: here a drawn curve has reached its least distortion, but for the last samples
SATURATED = 1e6  # where the exponentials of all but nearly tied posteriors have; beyond, s D rounds at 1e-9
PER_DECADE = 6  # points per decade on the way there: label-measured distortion may dip below D_TM before it ends there

Tick = Callable[[int, int], None] | None


class Rate(NamedTuple):
    """A rate at a distortion, nats; inf where the curve does not reach it."""

    rate: float
    parameter: float = np.nan
    """Where on the curve that is, in the parameter it is drawn by: a slope, an inverse temperature, a distortion."""
    reproduction: jax.Array | None = None
    """The reproduction law there, shape (classes,), where the curve was solved for."""
    converged: bool = True
    """False where a solver behind it did not reach its tolerance: then the rate is an upper bound."""


class Bound(NamedTuple):
    """A curve and how to ask it for a rate; nats."""

    curve: Curve
    smallest: Callable[[float], Rate]
    """Smallest rate of the raw curve with label-measured distortion <= D."""
    smallest_believed: Callable[[float], Rate] | None = None
    """The same on model-believed distortion, where that differs."""
    solved: Solution | None = None
    """The solutions behind the curve, where it was solved for: all its points but the first, silence."""


def _certified_at(problem: Problem, target: float, least: float, tol: float | None) -> Rate:
    """R(D) of a solved problem; a target within rounding (1e-12) below the least distortion counts as that one."""
    point = rate_at(problem, least if least - 1e-12 <= target < least else target, tol=tol)
    return Rate(float(point.rate), float(point.slope), point.reproduction, not has_failed(int(point.status)))


def slope_grid(classes: int, count: int, critical: float) -> np.ndarray:
    """`count` slopes for a Hamming-like distortion, rising: half even in distortion, half towards the least one.

    A uniform M-ary source has D = (M-1) / (M-1 + e^s), which spaces the first half. Slopes below `critical` would
    all give the zero-rate point: they are moved up to just above it.
    """
    if classes == 1:  # nothing to choose from: every slope gives the same point
        return np.geomspace(1, STEEPEST, count)
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


def _saturation(margins: jax.Array, start: float) -> np.ndarray:
    """Inverse temperatures or slopes from `start` to where the smallest margin between the two best saturates."""
    positive = np.asarray(margins)
    positive = positive[positive > 0]
    end = min(40 / positive.min(), SATURATED) if positive.size else start
    decades = max(np.log10(max(end, start) / start), 0)
    return np.geomspace(start, max(end, start), int(np.ceil(PER_DECADE * decades)) + 1)[1:]


def _margins(scores: jax.Array) -> jax.Array:
    best, second = jnp.moveaxis(jax.lax.top_k(scores, 2)[0], 1, 0)
    return best - second


def _achievable(distortion: np.ndarray, rate: np.ndarray, **more: Any) -> Curve:
    nan = np.full(len(rate), np.nan)
    return Curve(distortion, rate, nan, nan, np.full(len(rate), Status.ACHIEVABLE), **more)


def _exact(distortion: np.ndarray, rate: np.ndarray, slope: np.ndarray, **more: Any) -> Curve:
    return Curve(distortion, rate, slope, np.zeros(len(rate)), np.full(len(rate), Status.EXACT), **more)


def _solve_grid(
    problem: Problem, count: int, tol: float | None, tick: Tick, beyond: np.ndarray | tuple = ()
) -> tuple[Solution, Curve]:
    """The swept problem, and its curve with the exact zero-rate point in front; slopes `beyond` the grid, then inf."""
    critical = float(critical_slope(problem))
    grid = np.concatenate([slope_grid(problem.distortion.shape[1], count, critical), beyond, [np.inf]])
    solved = sweep(problem, grid, tol=tol, progress=tick)
    curve = solved.curve()
    silence = float((np.asarray(problem.source) @ np.asarray(problem.distortion)).min())
    front = (silence, 0.0, critical, 0.0, Status.EXACT)
    rest = (curve.distortion, curve.rate, curve.slope, curve.gap, curve.status)
    d, rate, slope, gap, status = (np.concatenate([[a], b]) for a, b in zip(front, rest, strict=True))
    return solved, Curve(d, rate, slope, gap, status)


def oracle_at(prior: jax.Array, slopes: np.ndarray) -> Curve:
    """oRD at given slopes, D_max below the critical one."""
    d = np.asarray(categorical.distortion_at_slope(prior, slopes))
    return _exact(d, np.asarray(categorical.rate(prior, d)), slopes)


def oracle(prior: jax.Array, count: int) -> Bound:
    """oRD: the rate-distortion function of the class prior, in closed form."""
    largest = 1 - float(prior.max())
    critical = float(categorical.slope(prior, largest * (1 - 1e-9)))
    grid = slope_grid(len(prior), count, critical)
    inner = np.asarray(categorical.distortion_at_slope(prior, grid))
    d = np.concatenate([[largest], inner, [0.0]])
    curve = _exact(d, np.asarray(categorical.rate(prior, d)), np.concatenate([[critical], grid, [np.inf]]))
    return Bound(curve, lambda target: Rate(float(categorical.rate(prior, target)), target))


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

    return Bound(curve, lambda target: Rate(*smallest_point(scan, fine.distortion, fine.rate, one, target)))


def indirect(joint: jax.Array, count: int, *, tol: float | None = None, tick: Tick = None) -> Bound:
    """iE&C: certified; its distortion is the label's by construction.

    Estimates that never occur have no mass, and labels that never occur are as bad for every estimate as a
    reproduction can be: neither changes the curve, and leaving them out keeps large alphabets small.
    """
    whole = indirect_problem(joint)
    rows, labels = (np.flatnonzero(np.asarray(joint.sum(axis))) for axis in (0, 1))
    problem = Problem(whole.source[rows], whole.distortion[np.ix_(rows, labels)])
    solved, curve = _solve_grid(problem, count, tol, tick)

    def everywhere(q: jax.Array) -> jax.Array:
        return jnp.zeros((*q.shape[:-1], len(joint)), q.dtype).at[..., labels].set(q)

    def smallest(target: float) -> Rate:
        found = _certified_at(problem, target, curve.distortion[-1], tol)
        return found._replace(reproduction=everywhere(jnp.asarray(found.reproduction)))

    return Bound(curve, smallest, solved=replace(solved, reproduction=everywhere(solved.reproduction)))


def shared(joint: jax.Array, count: int) -> Bound | None:
    """TS: the line of time sharing, drawn by the fraction; None where D_TM >= D_0 leaves it undefined."""
    d_tm, d_0, entropy = (float(x) for x in landmarks(joint))
    if d_tm >= d_0:
        return None
    d = np.linspace(d_0, d_tm, count)
    curve = _achievable(d, (d_0 - d) / (d_0 - d_tm) * entropy)

    def smallest(target: float) -> Rate:
        rate = float(time_sharing(joint, target))
        return Rate(rate, rate / entropy)

    return Bound(curve, smallest)


def merged(joint: jax.Array) -> Bound:
    """The merge baseline: one point for each number of merged estimates; nothing in between."""
    points = jax.device_get(merge_baseline(joint))
    curve = _achievable(points.distortion, points.rate, parameters={"merged_classes": np.arange(len(points.rate))})
    return Bound(
        curve, lambda target: Rate(float(points.rate[points.distortion <= target + 1e-12].min(initial=np.inf)))
    )


def sampled(joint: jax.Array, log_v: jax.Array, labels: jax.Array, count: int) -> Bound:
    """S&C: over inverse temperatures t = u / (1 - u), u in [0, 1]; at u = 1 the decisions themselves, lossless."""
    even = np.linspace(0, 1, max(count, 16) + 2)[:-1]
    steep = _saturation(_margins(log_v), even[-1] / (1 - even[-1]))
    u = np.concatenate([even, steep / (1 + steep), [1.0]])
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

    def smallest(target: float) -> Rate:
        least, place = smallest_point(u, d, rate, one, target)
        return Rate(least, place / (1 - place) if place < 1 else np.inf)

    return Bound(curve, smallest)


def model_aware(
    log_v: jax.Array, labels: jax.Array, prior: jax.Array, count: int, *, tol: float | None = None, tick: Tick = None
) -> Bound:
    """TMRD: certified in model-believed distortion, drawn over the label-measured one."""
    v = jnp.exp(log_v)
    problem = model_aware_problem(v)
    solved, curve = _solve_grid(problem, count, tol, tick, _saturation(_margins(v), STEEPEST))
    measured = _measured(problem, solved, labels)
    guess = int(np.asarray(problem.source @ jnp.asarray(problem.distortion)).argmin())
    curve = curve.with_distortion(np.concatenate([[1 - float(prior[guess])], np.asarray(measured)]))
    # u = s / (1 + s) in [0, 1] brackets slopes up to inf.
    u = np.where(np.isinf(curve.slope), 1, curve.slope / (1 + np.where(np.isinf(curve.slope), 0, curve.slope)))
    u[0] = min(u[0], u[1])  # the critical slope may be inf: then no slope buys anything

    doubtful: list[bool] = []

    def smallest(target: float) -> Rate:
        doubtful.clear()
        rate, place = smallest_point(u, curve.distortion, curve.rate, one, target)
        slope, converged = place / (1 - place) if place < 1 else np.inf, not any(doubtful)
        return Rate(rate, slope, solve(problem, slope, tol=tol).reproduction, converged)

    def one(x: float) -> tuple[float, float]:
        if x <= u[0]:  # silence; a solver there may return any mixture of tied reproductions
            return float(curve.distortion[0]), 0.0
        point = solve(problem, x / (1 - x) if x < 1 else np.inf, tol=tol)
        doubtful.append(not bool(point.converged))
        return float(label_distortion(problem, point, labels)), float(point.rate)

    least = float(np.asarray(curve.model_distortion)[-1])
    return Bound(curve, smallest, lambda target: _certified_at(problem, target, least, tol), solved)

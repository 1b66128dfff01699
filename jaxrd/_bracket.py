"""The bracket of slopes around a distortion or a rate: its start, its steps, its end and its result."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.distortion import expected
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status

_FINE = 1e-3
"""Share of the rate that the gap of a mixture with silence must not exceed, or else its slope is not known."""


class Goal(NamedTuple):
    """The target, and the data of the zero-rate point that the search needs."""

    xp: ModuleType  # jax.numpy inside jit; numpy on the host, where each operation of JAX would be a program
    along_rate: bool  # the target is a rate, else a distortion
    target: jax.Array
    aim: jax.Array  # the target as `_measure` counts it
    size: jax.Array  # |D_max|, zero where it is infinite
    opening: jax.Array  # solves before the bracket narrows


class Bracket(NamedTuple):
    low: Solution  # the end of smaller slope: larger distortion, smaller rate
    high: Solution  # the end of larger slope
    lower: jax.Array  # best lower bound on R at the target, or on R(.) where the mixture lies
    solves: jax.Array
    stuck: jax.Array  # solves since the bracket last halved
    lost: jax.Array  # whether a solver ended NONFINITE, so that no claim is made here
    third: tuple[jax.Array, jax.Array]  # ln slope and measure of the end that was last replaced, NaN before
    newest: jax.Array  # ln slope of the last solve
    floor: jax.Array  # measure at the least distortion


def _module(x: object) -> ModuleType:
    return jnp if isinstance(x, jax.Array) else np


def silence(xp: ModuleType, problem: Problem) -> Solution:
    """The zero-rate point, exact: always the reproduction of least mean distortion, D_max = min_y E d(X,y)."""
    p, d = xp.asarray(problem.source), problem.distortion
    mean = expected(d, p)
    best = mean.argmin()
    zero = xp.zeros((), p.dtype)
    reproduction = (xp.arange(d.shape[1]) == best).astype(p.dtype)
    return Solution(zero, zero, mean[best], reproduction, zero, xp.int32(0), xp.int32(Status.EXACT))


def _mix(low: Solution, high: Solution, weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Rate, distortion, reproduction of using the channel `high` a fraction `weight` of the time (R is convex)."""
    xp = _module(weight)

    def blend(a, b):
        # At weights 0 and 1 an infinite value of the unused end must have no effect.
        inner = (1 - weight) * xp.where(weight < 1, a, 0) + weight * xp.where(weight > 0, b, 0)
        return xp.where(weight <= 0, a, xp.where(weight >= 1, b, inner))

    return (
        blend(low.rate, high.rate),
        blend(low.distortion, high.distortion),
        blend(low.reproduction, high.reproduction),
    )


def _choose(condition: jax.Array, a: Solution, b: Solution) -> Solution:
    xp = _module(condition)
    return jax.tree.map(lambda x, y: xp.where(condition, x, y), a, b)


def start(xp: ModuleType, silence: Solution, target: jax.Array, along_rate: bool) -> tuple[Goal, Bracket]:
    """The goal, and the bracket before any slope is solved: both ends are the zero-rate point."""
    dtype = silence.rate.dtype
    aim = -target if along_rate else target
    size = xp.where(xp.isfinite(silence.distortion), xp.abs(silence.distortion), 0)
    # The first solve is for the least distortion (slope inf). With forbidden pairs zero rate may not be possible; then
    # the second is for the least rate (slope zero). The others narrow the bracket.
    opening = xp.where(xp.isfinite(silence.distortion), 1, 2)
    nan = xp.asarray(xp.nan, dtype)
    bracket = Bracket(
        silence, silence, xp.zeros((), dtype), xp.int32(0), xp.int32(0), xp.isnan(target), (nan, nan), nan, nan
    )
    return Goal(xp, along_rate, target, aim, size, opening), bracket


def measure(goal: Goal, point: Solution) -> jax.Array:
    """A quantity that falls from the low-slope end of the bracket to its high-slope end; its target is `goal.aim`."""
    return -point.rate if goal.along_rate else point.distortion


def _is_silent(goal: Goal, low: Solution) -> jax.Array:
    """Whether the target is that of the zero-rate point but for rounding."""
    xp = goal.xp
    zero = measure(goal, low)
    return (low.slope == 0) & (zero - goal.aim <= 8 * xp.finfo(goal.target.dtype).eps * xp.abs(zero))


def _impossible(goal: Goal, state: Bracket) -> jax.Array:
    """Whether no channel meets the target."""
    xp = goal.xp
    eps = 8 * xp.finfo(goal.target.dtype).eps
    if goal.along_rate:  # with forbidden pairs there is a least rate
        below = (state.solves >= goal.opening) & (goal.target < state.low.rate - state.low.gap - eps)
    else:  # a target equal to the least distortion must not be infeasible by the rounding of the sums behind either
        below = goal.target < state.high.distortion - eps * (goal.size + xp.abs(state.high.distortion))
    return (state.high.status == Status.INFEASIBLE) | below


def _at_low(goal: Goal, state: Bracket) -> jax.Array:
    """Whether the low-slope end is the answer: the target is at or beyond it."""
    return goal.aim >= measure(goal, state.low)


def _at_high(goal: Goal, state: Bracket) -> jax.Array:
    """Whether the high-slope end is the answer: the target is at or beyond it."""
    return goal.aim <= measure(goal, state.high)


def _weight(goal: Goal, low: Solution, high: Solution) -> jax.Array:
    """The share of `high` in the mixture that meets the target."""
    xp = goal.xp
    span = measure(goal, low) - measure(goal, high)
    weight = (measure(goal, low) - goal.aim) / xp.where(span > 0, span, 1)
    # The far end may lie at infinite distortion (forbidden pairs): then only the near end can be used.
    weight = xp.where(xp.isfinite(span), weight, 1)
    return xp.clip(xp.where(span > 0, weight, 0), 0, 1)


def _upper(goal: Goal, state: Bracket) -> tuple[jax.Array, jax.Array]:
    """Rate and distortion of the mixture."""
    rate, distortion, _ = _mix(state.low, state.high, _weight(goal, state.low, state.high))
    return rate, distortion


def _bound_at(point: Solution, distortion: jax.Array) -> jax.Array:
    """The dual bound of a point, as a line: R(D) >= lower + s (D_point - D)."""
    xp = _module(point.rate)
    line = point.rate - point.gap + point.slope * (point.distortion - distortion)
    return xp.where(xp.isfinite(point.slope) & xp.isfinite(line), line, -xp.inf)


def _gap(goal: Goal, state: Bracket) -> jax.Array:
    """Rate of the mixture less the best lower bound there."""
    xp = goal.xp
    rate, distortion = _upper(goal, state)
    if goal.along_rate:  # the mixture moves with the bracket: bound where it now lies
        best = xp.maximum(_bound_at(state.low, distortion), _bound_at(state.high, distortion))
        return rate - xp.maximum(best, 0)
    return rate - state.lower


def unfinished(goal: Goal, state: Bracket, aim_gap: jax.Array, max_solves: int) -> jax.Array:
    """Whether to solve another slope."""
    xp = goal.xp
    gap, (rate, _) = _gap(goal, state), _upper(goal, state)
    # Next to D_max any end mixed with silence has a small rate, and so a small gap, but not the slope.
    fine = xp.maximum(_FINE * rate, 64 * xp.finfo(rate.dtype).eps)
    sloped = (state.low.slope > 0) | (xp.isfinite(state.high.slope) & (gap <= fine))
    done = sloped & (gap <= aim_gap * xp.maximum(1, rate))
    width = measure(goal, state.low) - measure(goal, state.high)
    closed = width <= 8 * xp.finfo(goal.target.dtype).eps * xp.abs(goal.aim)  # rounding: nothing lies between
    settled = (
        done
        | closed
        | _is_silent(goal, state.low)
        | _impossible(goal, state)
        | _at_low(goal, state)
        | _at_high(goal, state)
    )
    return ((state.solves < goal.opening) | ((state.solves < max_solves) & ~settled)) & ~state.lost


def narrowed(goal: Goal, state: Bracket, point: Solution) -> Bracket:
    """The bracket with one of its ends moved to a new point."""
    xp = goal.xp
    first, second = state.solves == 0, (state.solves == 1) & (goal.opening == 2)
    right = measure(goal, point) > goal.aim  # still on the low-slope side
    low = _choose(second | (right & ~first), point, state.low)
    high = _choose(first | (~right & ~second), point, state.high)
    width = measure(goal, low) - measure(goal, high)
    before = measure(goal, state.low) - measure(goal, state.high)
    lower = xp.maximum(state.lower, _bound_at(point, goal.target))
    stuck = xp.where((width <= 0.5 * before) | (state.stuck >= 3) | first | second, 0, state.stuck + 1)
    replaced = _choose(second | (right & ~first), state.low, state.high)
    third = (xp.log(replaced.slope), measure(goal, replaced))
    floor = xp.where(first, measure(goal, point), state.floor)
    lost = point.status == Status.NONFINITE
    return Bracket(low, high, lower, state.solves + 1, stuck, lost, third, xp.log(point.slope), floor)


def solution(goal: Goal, end: Bracket, tol: jax.Array, max_solves: int) -> Solution:
    """The solution of the last bracket: an end of the curve, the mixture, or a status that says why there is none."""
    xp = goal.xp
    dtype = goal.target.dtype
    inf, nan = xp.asarray(xp.inf, dtype), xp.asarray(xp.nan, dtype)
    mixture = _mixture(goal, end, tol, max_solves)
    nothing = xp.full_like(mixture.reproduction, xp.nan)
    below = (goal.target, inf) if goal.along_rate else (inf, goal.target)
    infeasible = Solution(inf, *below, nothing, xp.zeros((), dtype), xp.int32(1), xp.int32(Status.INFEASIBLE))
    result = _rounded_up(goal, _choose(_at_high(goal, end), end.high, mixture), tol)
    result = _choose(_at_low(goal, end), end.low, result)
    result = _choose(_impossible(goal, end), infeasible, result)
    claimed = xp.isfinite(result.gap) & ~xp.isnan(result.rate) & ~xp.isnan(result.distortion)
    return _choose(
        ~end.lost & (claimed | (result.status == Status.INFEASIBLE)),
        result,
        Solution(nan, nan, nan, nothing, inf, end.solves, xp.int32(Status.NONFINITE)),
    )


def _mixture(goal: Goal, end: Bracket, tol: jax.Array, max_solves: int) -> Solution:
    """Both ends mixed so that the target is met."""
    xp = goal.xp
    weight = _weight(goal, end.low, end.high)
    rate, distortion, reproduction = _mix(end.low, end.high, weight)
    # The slope of the mixture's channel is that of the end with the better bound there: at a kink, and at zero rate, a
    # point is that of many slopes.
    bounds = _bound_at(end.low, distortion), _bound_at(end.high, distortion)
    tie = xp.abs(bounds[0] - bounds[1]) <= 64 * xp.finfo(rate.dtype).eps * (1 + rate)
    lowest = xp.where(tie, weight < 0.5, bounds[0] > bounds[1]) & (end.low.slope > 0)
    closest = _choose(lowest | _is_silent(goal, end.low), end.low, end.high)
    gap = xp.maximum(_gap(goal, end), 0) + 4 * xp.finfo(rate.dtype).eps * (1 + rate)
    fine = gap <= tol * xp.maximum(1, rate)
    status = xp.where(fine, Status.CONVERGED, xp.where(end.solves < max_solves, Status.STALLED, Status.MAX_STEPS))
    return Solution(closest.slope, rate, distortion, reproduction, gap, end.solves, status.astype(xp.int32))


def _rounded_up(goal: Goal, result: Solution, tol: jax.Array) -> Solution:
    """The same with an allowance for the rounding of its distortion, because a large offset leaves it few digits."""
    xp = goal.xp
    rounding = 4 * xp.finfo(result.rate.dtype).eps * xp.abs(result.distortion)
    # The rate is raised by the slope times the amount by which the distortion may have been rounded down.
    paid = xp.where(xp.isfinite(result.slope), result.slope, 0) * rounding
    gap = result.gap + paid
    fine = gap <= tol * xp.maximum(1, result.rate)
    return replace(
        result,
        rate=result.rate if goal.along_rate else result.rate + paid,
        distortion=result.distortion + rounding if goal.along_rate else result.distortion,
        gap=gap,
        status=xp.where((result.status == Status.CONVERGED) & ~fine, Status.STALLED, result.status).astype(xp.int32),
    )

"""The bracket of slopes around a distortion or a rate: its start, its steps, its end and its result."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrd.distortion import expected
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status


class _Goal(NamedTuple):
    """The target, and the data of the zero-rate point that the search needs."""

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


def _silence(problem: Problem) -> Solution:
    """The zero-rate point, exact: always the reproduction of least mean distortion, D_max = min_y E d(X,y)."""
    p, d = jnp.asarray(problem.source), problem.distortion
    mean = expected(d, p)
    best = mean.argmin()
    zero = jnp.zeros((), p.dtype)
    reproduction = jnp.zeros(d.shape[1], p.dtype).at[best].set(1)
    return Solution(zero, zero, mean[best], reproduction, zero, jnp.int32(0), jnp.int32(Status.EXACT))


def _mix(low: Solution, high: Solution, weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Rate, distortion, reproduction of using the channel `high` a fraction `weight` of the time (R is convex)."""

    def blend(a, b):
        # At weights 0 and 1 an infinite value of the unused end must have no effect.
        inner = (1 - weight) * jnp.where(weight < 1, a, 0) + weight * jnp.where(weight > 0, b, 0)
        return jnp.where(weight <= 0, a, jnp.where(weight >= 1, b, inner))

    return (
        blend(low.rate, high.rate),
        blend(low.distortion, high.distortion),
        blend(low.reproduction, high.reproduction),
    )


def _choose(condition: jax.Array, a: Solution, b: Solution) -> Solution:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)


def start(problem: Problem, target: jax.Array, along_rate: bool) -> tuple[_Goal, Bracket]:
    """The goal, and the bracket before any slope is solved: both ends are the zero-rate point."""
    dtype = problem.source.dtype
    aim = -target if along_rate else target
    silence = _silence(problem)
    size = jnp.where(jnp.isfinite(silence.distortion), jnp.abs(silence.distortion), 0)
    # The first solve is for the least distortion (slope inf). With forbidden pairs zero rate may not be possible; then
    # the second is for the least rate (slope zero). The others narrow the bracket.
    opening = jnp.where(jnp.isfinite(silence.distortion), 1, 2)
    bracket = Bracket(silence, silence, jnp.zeros((), dtype), jnp.int32(0), jnp.int32(0), jnp.isnan(target))
    return _Goal(along_rate, target, aim, size, opening), bracket


def _measure(goal: _Goal, point: Solution) -> jax.Array:
    """A quantity that falls from the low-slope end of the bracket to its high-slope end; its target is `goal.aim`."""
    return -point.rate if goal.along_rate else point.distortion


def _impossible(goal: _Goal, state: Bracket) -> jax.Array:
    """Whether no channel meets the target."""
    eps = 8 * jnp.finfo(goal.target.dtype).eps
    if goal.along_rate:  # with forbidden pairs there is a least rate
        below = (state.solves >= goal.opening) & (goal.target < state.low.rate - state.low.gap - eps)
    else:  # a target equal to the least distortion must not be infeasible by the rounding of the sums behind either
        below = goal.target < state.high.distortion - eps * (goal.size + jnp.abs(state.high.distortion))
    return (state.high.status == Status.INFEASIBLE) | below


def _at_low(goal: _Goal, state: Bracket) -> jax.Array:
    """Whether the low-slope end is the answer: the target is at or beyond it."""
    return goal.aim >= _measure(goal, state.low)


def _at_high(goal: _Goal, state: Bracket) -> jax.Array:
    """Whether the high-slope end is the answer: the target is at or beyond it."""
    return goal.aim <= _measure(goal, state.high)


def _weight(goal: _Goal, low: Solution, high: Solution) -> jax.Array:
    """The share of `high` in the mixture that meets the target."""
    span = _measure(goal, low) - _measure(goal, high)
    weight = (_measure(goal, low) - goal.aim) / jnp.where(span > 0, span, 1)
    # The far end may lie at infinite distortion (forbidden pairs): then only the near end can be used.
    weight = jnp.where(jnp.isfinite(span), weight, 1)
    return jnp.clip(jnp.where(span > 0, weight, 0), 0, 1)


def _upper(goal: _Goal, state: Bracket) -> tuple[jax.Array, jax.Array]:
    """Rate and distortion of the mixture."""
    rate, distortion, _ = _mix(state.low, state.high, _weight(goal, state.low, state.high))
    return rate, distortion


def _bound_at(point: Solution, distortion: jax.Array) -> jax.Array:
    """The dual bound of a point, as a line: R(D) >= lower + s (D_point - D)."""
    line = point.rate - point.gap + point.slope * (point.distortion - distortion)
    return jnp.where(jnp.isfinite(point.slope) & jnp.isfinite(line), line, -jnp.inf)


def _gap(goal: _Goal, state: Bracket) -> jax.Array:
    """Rate of the mixture less the best lower bound there."""
    rate, distortion = _upper(goal, state)
    if goal.along_rate:  # the mixture moves with the bracket: bound where it now lies
        best = jnp.maximum(_bound_at(state.low, distortion), _bound_at(state.high, distortion))
        return rate - jnp.maximum(best, 0)
    return rate - state.lower


def unfinished(goal: _Goal, state: Bracket, aim_gap: jax.Array, max_solves: int) -> jax.Array:
    """Whether to solve another slope."""
    done = _gap(goal, state) <= aim_gap * jnp.maximum(1, _upper(goal, state)[0])
    settled = done | _impossible(goal, state) | _at_low(goal, state) | _at_high(goal, state)
    return ((state.solves < goal.opening) | ((state.solves < max_solves) & ~settled)) & ~state.lost


def next_slope(goal: _Goal, state: Bracket) -> jax.Array:
    low, high = state.low, state.high
    run = low.distortion - high.distortion
    chord = (high.rate - low.rate) / jnp.where(run > 0, run, 1)  # exact at once on a linear piece
    geometric = jnp.sqrt(low.slope * high.slope)
    # ln s is nearly linear in the target over a short bracket.
    log_low, log_high = jnp.log(low.slope), jnp.log(high.slope)
    secant = jnp.exp(log_low + _weight(goal, low, high) * (log_high - log_low))
    inside = jnp.isfinite(log_low) & jnp.isfinite(log_high)
    guess = jnp.where(inside & (state.stuck < 2), secant, chord)
    # With the rounding of a nearly closed bracket, or an infinite far end, any slope strictly inside is good enough.
    wild = ~(jnp.isfinite(guess) & (guess > low.slope) & (guess < high.slope))
    between = jnp.where(inside, geometric, jnp.where(low.slope > 0, 2 * low.slope, jnp.minimum(1, high.slope / 2)))
    slope = jnp.where(wild, between, guess)
    return jnp.where(state.solves == 0, jnp.inf, jnp.where(state.solves < goal.opening, 0, slope))


def narrowed(goal: _Goal, state: Bracket, point: Solution) -> Bracket:
    """The bracket with one of its ends moved to a new point."""
    first, second = state.solves == 0, (state.solves == 1) & (goal.opening == 2)
    right = _measure(goal, point) > goal.aim  # still on the low-slope side
    low = _choose(second | (right & ~first), point, state.low)
    high = _choose(first | (~right & ~second), point, state.high)
    width = _measure(goal, low) - _measure(goal, high)
    before = _measure(goal, state.low) - _measure(goal, state.high)
    lower = jnp.maximum(state.lower, _bound_at(point, goal.target))
    stuck = jnp.where((width <= 0.5 * before) | (state.stuck >= 2) | first | second, 0, state.stuck + 1)
    return Bracket(low, high, lower, state.solves + 1, stuck, point.status == Status.NONFINITE)


def solution(goal: _Goal, end: Bracket, tol: jax.Array, max_solves: int) -> Solution:
    """The solution of the last bracket: an end of the curve, the mixture, or a status that says why there is none."""
    dtype = goal.target.dtype
    inf, nan = jnp.asarray(jnp.inf, dtype), jnp.asarray(jnp.nan, dtype)
    mixture = _mixture(goal, end, tol, max_solves)
    nothing = jnp.full_like(mixture.reproduction, jnp.nan)
    below = (nan, inf) if goal.along_rate else (inf, goal.target)
    infeasible = Solution(inf, *below, nothing, jnp.zeros((), dtype), jnp.int32(1), jnp.int32(Status.INFEASIBLE))
    result = _rounded_up(goal, _choose(_at_high(goal, end), end.high, mixture), tol)
    result = _choose(_at_low(goal, end), end.low, result)
    result = _choose(_impossible(goal, end), infeasible, result)
    claimed = jnp.isfinite(result.gap) & ~jnp.isnan(result.rate) & ~jnp.isnan(result.distortion)
    return _choose(
        ~end.lost & (claimed | (result.status == Status.INFEASIBLE)),
        result,
        Solution(nan, nan, nan, nothing, inf, end.solves, jnp.int32(Status.NONFINITE)),
    )


def _mixture(goal: _Goal, end: Bracket, tol: jax.Array, max_solves: int) -> Solution:
    """Both ends mixed so that the target is met."""
    weight = _weight(goal, end.low, end.high)
    rate, distortion, reproduction = _mix(end.low, end.high, weight)
    # The slope of the mixture's channel: on a linear piece both ends have it, but the zero-rate point has slope zero.
    closest = _choose((weight < 0.5) & (end.low.slope > 0), end.low, end.high)
    gap = jnp.maximum(_gap(goal, end), 0) + 4 * jnp.finfo(rate.dtype).eps * (1 + rate)
    fine = gap <= tol * jnp.maximum(1, rate)
    status = jnp.where(fine, Status.CONVERGED, jnp.where(end.solves < max_solves, Status.STALLED, Status.MAX_STEPS))
    return Solution(closest.slope, rate, distortion, reproduction, gap, end.solves, status.astype(jnp.int32))


def _rounded_up(goal: _Goal, result: Solution, tol: jax.Array) -> Solution:
    """The same with an allowance for the rounding of its distortion, because a large offset leaves it few digits."""
    rounding = 4 * jnp.finfo(result.rate.dtype).eps * jnp.abs(result.distortion)
    # The rate is raised by the slope times the amount by which the distortion may have been rounded down.
    paid = jnp.where(jnp.isfinite(result.slope), result.slope, 0) * rounding
    gap = result.gap + paid
    fine = gap <= tol * jnp.maximum(1, result.rate)
    return replace(
        result,
        rate=result.rate if goal.along_rate else result.rate + paid,
        distortion=result.distortion + rounding if goal.along_rate else result.distortion,
        gap=gap,
        status=jnp.where((result.status == Status.CONVERGED) & ~fine, Status.STALLED, result.status).astype(jnp.int32),
    )

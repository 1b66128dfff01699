"""The curve at a given distortion, or at a given rate, by bracketing the slope."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd._sweep import Solver, refuse_names
from jaxrd.distortion import Structured
from jaxrd.implicit import met
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers import solve
from jaxrd.solvers._interior_point import SMALL
from jaxrd.solvers.certificate import as_inputs

MAX_SOLVES = 60


class _Bracket(NamedTuple):
    low: Solution  # the end of smaller slope: larger distortion, smaller rate
    high: Solution  # the end of larger slope
    lower: jax.Array  # best lower bound on R at the target, or on R(.) where the mixture lies
    solves: jax.Array
    stuck: jax.Array  # solves since the bracket last halved
    lost: jax.Array  # a solver made no claim: there is none to be made here


def _silence(problem: Problem) -> Solution:
    """Saying nothing, exact: always the reproduction of least mean distortion, D_max = min_y E d(X,y)."""
    p, d = jnp.asarray(problem.source), problem.distortion
    mean = d.expected(p) if isinstance(d, Structured) else p @ jnp.where(p[:, None] > 0, d, 0)
    best = mean.argmin()
    zero = jnp.zeros((), p.dtype)
    reproduction = jnp.zeros(d.shape[1], p.dtype).at[best].set(1)
    return Solution(zero, zero, mean[best], reproduction, zero, jnp.int32(0), jnp.int32(Status.EXACT))


def _mix(low: Solution, high: Solution, weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Rate, distortion, reproduction of using the channel `high` a fraction `weight` of the time (R is convex)."""

    def blend(a, b):
        # At weights 0 and 1 an infinite other end must not leak in.
        inner = (1 - weight) * jnp.where(weight < 1, a, 0) + weight * jnp.where(weight > 0, b, 0)
        return jnp.where(weight <= 0, a, jnp.where(weight >= 1, b, inner))

    return (
        blend(low.rate, high.rate),
        blend(low.distortion, high.distortion),
        blend(low.reproduction, high.reproduction),
    )


def _choose(condition: jax.Array, a: Solution, b: Solution) -> Solution:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)


@partial(jax.jit, static_argnames=("solver", "max_solves", "along_rate"))
def _search(
    problem: Problem, target: jax.Array, tol: jax.Array, *, solver: Solver, max_solves: int, along_rate: bool
) -> Solution:
    problem, target = jax.lax.stop_gradient((problem, target))
    dtype = problem.source.dtype
    n, m = problem.distortion.shape
    aim_gap = jnp.minimum(tol, 64 * jnp.finfo(dtype).eps) if n * m * m <= SMALL else tol

    # `measure` falls along the bracket from its low-slope end to its high-slope end.
    def measure(point: Solution) -> jax.Array:
        return -point.rate if along_rate else point.distortion

    aim = -target if along_rate else target

    silence = _silence(problem)

    size = jnp.where(jnp.isfinite(silence.distortion), jnp.abs(silence.distortion), 0)
    eps = 8 * jnp.finfo(dtype).eps

    # One solver call in the program, whatever the slope is for: it is most of the compile time. The first call
    # finds the least distortion (slope inf); with forbidden pairs silence may not be allowed, and the second finds
    # the least rate (slope zero); the others narrow the bracket.
    opening = jnp.where(jnp.isfinite(silence.distortion), 1, 2)

    def impossible(state: _Bracket) -> jax.Array:
        if along_rate:  # with forbidden pairs there is a least rate
            below = (state.solves >= opening) & (target < state.low.rate - state.low.gap - eps)
        else:  # a target typed as the least distortion must not miss it by the rounding of the sums behind either
            below = target < state.high.distortion - eps * (size + jnp.abs(state.high.distortion))
        return (state.high.status == Status.INFEASIBLE) | below

    def at_silence(state: _Bracket) -> jax.Array:
        return aim >= measure(state.low)

    def at_finest(state: _Bracket) -> jax.Array:
        return aim <= measure(state.high)

    def weight_of(low: Solution, high: Solution) -> jax.Array:
        span = measure(low) - measure(high)
        weight = (measure(low) - aim) / jnp.where(span > 0, span, 1)
        # The far end may lie at infinite distortion (forbidden pairs): then only the near end can be used.
        weight = jnp.where(jnp.isfinite(span), weight, 1)
        return jnp.clip(jnp.where(span > 0, weight, 0), 0, 1)

    def upper(low: Solution, high: Solution) -> tuple[jax.Array, jax.Array]:
        rate, distortion, _ = _mix(low, high, weight_of(low, high))
        return rate, distortion

    # The dual bound of a point, as a line: R(D) >= lower + s (D_point - D).
    def bound_at(point: Solution, distortion: jax.Array) -> jax.Array:
        line = point.rate - point.gap + point.slope * (point.distortion - distortion)
        return jnp.where(jnp.isfinite(point.slope) & jnp.isfinite(line), line, -jnp.inf)

    def gap_of(state: _Bracket) -> jax.Array:
        rate, distortion = upper(state.low, state.high)
        if along_rate:  # the mixture moves with the bracket: bound where it now lies
            best = jnp.maximum(bound_at(state.low, distortion), bound_at(state.high, distortion))
            return rate - jnp.maximum(best, 0)
        return rate - state.lower

    def unfinished(state: _Bracket) -> jax.Array:
        done = gap_of(state) <= aim_gap * jnp.maximum(1, upper(state.low, state.high)[0])
        settled = done | impossible(state) | at_silence(state) | at_finest(state)
        return ((state.solves < opening) | ((state.solves < max_solves) & ~settled)) & ~state.lost

    def next_slope(state: _Bracket) -> jax.Array:
        low, high = state.low, state.high
        run = low.distortion - high.distortion
        chord = (high.rate - low.rate) / jnp.where(run > 0, run, 1)  # exact at once on a linear piece
        geometric = jnp.sqrt(low.slope * high.slope)
        # ln s is nearly linear in the target over a short bracket.
        log_low, log_high = jnp.log(low.slope), jnp.log(high.slope)
        secant = jnp.exp(log_low + weight_of(low, high) * (log_high - log_low))
        inside = jnp.isfinite(log_low) & jnp.isfinite(log_high)
        guess = jnp.where(inside & (state.stuck < 2), secant, chord)
        # Rounding of a nearly closed bracket, or an infinite far end: any slope strictly inside will do.
        wild = ~(jnp.isfinite(guess) & (guess > low.slope) & (guess < high.slope))
        between = jnp.where(inside, geometric, jnp.where(low.slope > 0, 2 * low.slope, jnp.minimum(1, high.slope / 2)))
        slope = jnp.where(wild, between, guess)
        return jnp.where(state.solves == 0, jnp.inf, jnp.where(state.solves < opening, 0, slope))

    def narrow(state: _Bracket) -> _Bracket:
        point = solver(problem, next_slope(state), tol=tol / 4)
        first, second = state.solves == 0, (state.solves == 1) & (opening == 2)
        right = measure(point) > aim  # still on the low-slope side
        low = _choose(second | (right & ~first), point, state.low)
        high = _choose(first | (~right & ~second), point, state.high)
        width, before = measure(low) - measure(high), measure(state.low) - measure(state.high)
        lower = jnp.maximum(state.lower, bound_at(point, target))
        stuck = jnp.where((width <= 0.5 * before) | (state.stuck >= 2) | first | second, 0, state.stuck + 1)
        return _Bracket(low, high, lower, state.solves + 1, stuck, point.status == Status.NONFINITE)

    start = _Bracket(silence, silence, jnp.zeros((), dtype), jnp.int32(0), jnp.int32(0), jnp.isnan(target))
    end = jax.lax.while_loop(unfinished, narrow, start)

    rate, distortion, reproduction = _mix(end.low, end.high, weight_of(end.low, end.high))
    # The slope of the mixture's channel: on a linear piece both ends share it, but silence stands at slope zero.
    closest = _choose((weight_of(end.low, end.high) < 0.5) & (end.low.slope > 0), end.low, end.high)
    gap = jnp.maximum(gap_of(end), 0) + 4 * jnp.finfo(dtype).eps * (1 + rate)
    fine = gap <= tol * jnp.maximum(1, rate)
    status = jnp.where(fine, Status.CONVERGED, jnp.where(end.solves < max_solves, Status.STALLED, Status.MAX_STEPS))
    mixture = Solution(closest.slope, rate, distortion, reproduction, gap, end.solves, status.astype(jnp.int32))
    inf, nan = jnp.asarray(jnp.inf, dtype), jnp.asarray(jnp.nan, dtype)
    nowhere = Solution(
        inf, nan if along_rate else inf, inf if along_rate else target, jnp.full_like(reproduction, jnp.nan),
        jnp.zeros((), dtype), jnp.int32(1), jnp.int32(Status.INFEASIBLE),
    )  # fmt: skip
    result = _choose(at_finest(end), end.high, mixture)
    # Of a large offset the distortion keeps few digits: the rate pays for what it may have been rounded down by.
    rounding = 4 * jnp.finfo(dtype).eps * jnp.abs(result.distortion)
    paid = jnp.where(jnp.isfinite(result.slope), result.slope, 0) * rounding
    gap = result.gap + paid
    fine = gap <= tol * jnp.maximum(1, result.rate)
    result = replace(
        result,
        rate=result.rate if along_rate else result.rate + paid,
        distortion=result.distortion + rounding if along_rate else result.distortion,
        gap=gap,
        status=jnp.where((result.status == Status.CONVERGED) & ~fine, Status.STALLED, result.status).astype(jnp.int32),
    )
    result = _choose(at_silence(end), end.low, result)
    result = _choose(impossible(end), nowhere, result)
    claimed = jnp.isfinite(result.gap) & ~jnp.isnan(result.rate) & ~jnp.isnan(result.distortion)
    infeasible = result.status == Status.INFEASIBLE
    return _choose(
        ~end.lost & (claimed | infeasible),
        result,
        Solution(nan, nan, nan, nowhere.reproduction, inf, end.solves, jnp.int32(Status.NONFINITE)),
    )


def rate_at(
    problem: Problem,
    distortion: ArrayLike,
    *,
    solver: Solver = solve,
    tol: ArrayLike | None = None,
    max_solves: int = MAX_SOLVES,
) -> Solution:
    """The rate-distortion function at a given distortion, R(D) = min I(X;Y) subject to E d(X,Y) <= D, certified.

    Brackets the slope between the zero-rate end and the least distortion; where no slope hits D exactly (a kink or
    a linear piece), the two bracketing solutions are mixed. The lower bound is the best dual bound over the slopes
    tried.

    Rate, slope and reproduction are differentiable in D and in the problem, to any order, as those of `solve`. One rule
    at the ends: dR/dD = -slope, the slope being the one returned: 0 beyond D_max, inf at the least distortion (see
    `distortion_range`). Below that R = +inf, and all derivatives are zero.

    Args:
        problem: source (n,), distortion (n, m).
        distortion: D, a scalar, in the unit of the problem's distortion.
        solver: any (problem, slope, tol=) -> Solution (static).
        tol: certified gap at which to stop, nats, relative to max(1, R); None: 1e-9 in float64, 1e-5 in float32.
        max_solves: the budget of slopes (static).

    Returns:
        A `Solution` with rate - gap <= R(D) <= rate, and `steps` the slopes solved. D below the least distortion:
        rate +inf, INFEASIBLE. D at or beyond D_max: the zero-rate point.

    Raises:
        InputError: the shapes do not belong together, D is no scalar or NaN, or known values have no answer (see
            `Problem`).

    >>> problem = Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2))
    >>> round(float(rate_at(problem, 0.11).rate), 3)  # ln 2 - h(.11)
    0.347
    """
    refuse_names(solver)
    inputs = as_inputs(problem, distortion, tol, target="distortion")
    solution = _search(*inputs, solver=solver, max_solves=max_solves, along_rate=False)
    return met("distortion", *inputs[:2], solution)


def distortion_at(
    problem: Problem,
    rate: ArrayLike,
    *,
    solver: Solver = solve,
    tol: ArrayLike | None = None,
    max_solves: int = MAX_SOLVES,
) -> Solution:
    """The distortion-rate function at a given rate, D(R) = min E d(X,Y) subject to I(X;Y) <= R, certified.

    Distortion, slope and reproduction are differentiable in R and in the problem, to any order, as those of `solve`; at
    the ends of the curve dD/dR = -1 / slope with the slope returned, as for `rate_at`.

    Args:
        problem: source (n,), distortion (n, m).
        rate: R, nats, a scalar.
        solver: any (problem, slope, tol=) -> Solution (static).
        tol: certified gap in rate at which to stop, nats, relative to max(1, R); None: by dtype.
        max_solves: the budget of slopes (static).

    Returns:
        A `Solution` with rate <= R (equal where R is below the rate of the least distortion) and
        rate - gap <= R(distortion) <= rate. A rate that is negative, or below what forbidden pairs leave possible:
        distortion +inf, INFEASIBLE.

    Raises:
        InputError: the shapes do not belong together, R is no scalar or NaN, or known values have no answer (see
            `Problem`).

    >>> problem = Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2))
    >>> round(float(distortion_at(problem, 0.3466).distortion), 3)
    0.11
    """
    refuse_names(solver)
    inputs = as_inputs(problem, rate, tol, target="rate")
    solution = _search(*inputs, solver=solver, max_solves=max_solves, along_rate=True)
    return met("rate", *inputs[:2], solution)

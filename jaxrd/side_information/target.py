"""A curve with side information at a given distortion, by bracketing the slope."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd import _bracket
from jaxrd._eager import is_traced
from jaxrd._envelope import envelope, underivable
from jaxrd._next_slope import next_slope
from jaxrd.errors import InputError
from jaxrd.side_information.kinds import BOTH, DECODER, Kind
from jaxrd.side_information.points import known
from jaxrd.side_information.problem import JointProblem, as_inputs, strategies
from jaxrd.solution import Solution, Status

_MAX_SOLVES = 60


def _silence(problem: JointProblem, kind: Kind) -> Solution:
    """The zero-rate point: the decoder's best guess from S alone."""
    joint, d = jnp.asarray(problem.joint), jnp.asarray(problem.distortion)
    d = jnp.where((joint.sum(1) > 0)[:, None], d, 0)
    cost = jnp.where((joint > 0)[:, :, None], joint[:, :, None] * d[:, None, :], 0).sum(0)  # (values, m)
    zero, values = jnp.zeros((), d.dtype), joint.shape[1]
    if kind is BOTH:
        distortion = cost.min(1).sum()
        law = (jnp.arange(d.shape[1]) == cost.argmin(1)[:, None]).astype(d.dtype)
    else:
        chosen = jnp.asarray(strategies(problem))
        each = cost[jnp.arange(values), chosen].sum(1)
        distortion = each.min()
        law = jnp.broadcast_to(jnp.arange(len(chosen)) == each.argmin(), (values, len(chosen))).astype(d.dtype)
    return Solution(zero, zero, distortion, law, zero, jnp.int32(0), jnp.int32(Status.EXACT))


@partial(jax.jit, static_argnames=("kind", "max_solves"))
def _search(problem: JointProblem, target: jax.Array, tol: jax.Array, *, kind: Kind, max_solves: int) -> Solution:
    problem, target = jax.lax.stop_gradient((problem, target))
    goal, start = _bracket.start(jnp, _silence(problem, kind), target, False)

    def narrow(state: _bracket.Bracket) -> _bracket.Bracket:
        slope = jnp.asarray(next_slope(goal, state), target.dtype)
        return _bracket.narrowed(goal, state, kind.solver(problem, slope, tol=tol / 4))

    aim = _aim(problem, tol)
    end = jax.lax.while_loop(lambda state: _bracket.unfinished(goal, state, aim, max_solves), narrow, start)
    return _bracket.solution(goal, end, tol, max_solves)


def _search_on_host(problem: JointProblem, target: Any, tol: Any, kind: Kind, max_solves: int) -> Solution:
    """The same from known values, by the program that `sweep` compiles for them."""
    silence, dtype = jax.device_get(_silent(problem, kind=kind)), problem.distortion.dtype
    with np.errstate(all="ignore"):
        goal, state = _bracket.start(np, silence, target, False)
        while _bracket.unfinished(goal, state, _aim(problem, tol), max_solves):
            slope = np.asarray(next_slope(goal, state), dtype)
            point = jax.tree.map(lambda a: a[0], known(problem, slope[None], tol / 4, kind))
            state = _bracket.narrowed(goal, state, point)
        return jax.device_put(_bracket.solution(goal, state, tol, max_solves))


_silent = jax.jit(_silence, static_argnames="kind")


def _aim(problem: JointProblem, tol: Any) -> Any:
    """Some digits beyond the tolerance, as the solvers have them."""
    return tol * 1e-3 if problem.distortion.dtype == np.float64 else tol


def rate_at(
    problem: JointProblem,
    distortion: ArrayLike,
    *,
    both: bool = False,
    tol: ArrayLike | None = None,
    max_solves: int = _MAX_SOLVES,
) -> Solution:
    """The rate at a given distortion with side information at the decoder, min I(X;T|S) subject to E d <= D, certified.

    With `both`, the encoder knows S as well. The slope is bracketed between zero rate, where the decoder guesses from
    S, and the least distortion; on a linear piece the two ends are mixed. The lower bound is the best line of all
    slopes tried: the rate is convex in D.

    The rate is differentiable in D and in the problem by the envelope theorem, once: dR/dD = -slope, zero beyond D_max
    and below the least distortion, NaN at it. Slope and reproduction have no derivatives here (NaN); see `rate`.

    Args:
        problem: joint (n, values), distortion (n, m).
        distortion: D, a scalar, in the unit of the problem's distortion.
        both: whether the encoder knows S, too (static).
        tol: certified gap at which to stop, nats, relative to max(1, R); None: 1e-9 in float64, 1e-5 in float32.
        max_solves: the budget of slopes (static).

    Returns:
        A `Solution` with rate - gap <= R(D) <= rate, and `steps` the slopes solved. D below the least distortion:
        rate +inf, INFEASIBLE. D at or beyond D_max: the zero-rate point.

    Raises:
        InputError: as `rate`; D is no scalar or NaN.

    Reference: as `rate`.

    >>> coin = JointProblem(np.array([[0.375, 0.125], [0.125, 0.375]]), 1 - np.eye(2))
    >>> round(float(rate_at(coin, 0.1).rate), 4), round(float(rate_at(coin, 0.1, both=True).rate), 4)
    (0.285, 0.2373)
    """
    traced = is_traced(problem, distortion, tol)
    problem, target, tol = as_inputs(problem, distortion, tol, both=both, target="distortion")
    if target.ndim != 0:
        raise InputError(f"one distortion at a time; got shape {target.shape}. For a grid use jax.vmap.")
    kind = BOTH if both else DECODER
    if not traced:
        return _search_on_host(problem, target, tol, kind, max_solves)
    return _met(problem, target, _search(problem, target, tol, kind=kind, max_solves=max_solves), kind)


def _lagrangian(kind: Kind, given: tuple, optimum: tuple) -> jax.Array:
    (problem, target), (slope, q) = given, optimum
    return kind.objective(problem, slope, q) - slope * target


_LAGRANGIANS = {kind: partial(_lagrangian, kind) for kind in (DECODER, BOTH)}


def _met(problem: JointProblem, target: jax.Array, solution: Solution, kind: Kind) -> Solution:
    """The solution with its derivatives attached."""
    solution = jax.lax.stop_gradient(solution)
    nowhere = solution.status == Status.INFEASIBLE
    end = jnp.isinf(solution.slope) & ~nowhere
    slope = jnp.where(nowhere, 0, jnp.where(end, jnp.nan, solution.slope))
    q = jnp.where(nowhere, 1 / solution.reproduction.shape[1], solution.reproduction)
    given = (problem, target)
    rate = envelope(_LAGRANGIANS[kind], given, underivable(given, (slope, q)), solution.rate)
    silent = _silence(problem, kind).distortion
    reached = jnp.where(solution.slope > 0, target, silent)
    reached = jnp.where(jnp.isfinite(reached), reached, 0)
    return replace(
        solution,
        rate=rate,
        distortion=solution.distortion + (reached - jax.lax.stop_gradient(reached)),
        slope=underivable(given, solution.slope),
        reproduction=underivable(given, solution.reproduction),
    )

"""The curve at a given distortion, or at a given rate, by bracketing the slope."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.typing import ArrayLike

from jaxrd import _bracket
from jaxrd._eager import is_traced
from jaxrd._next_slope import next_slope
from jaxrd._points import Solver
from jaxrd._sweep import refuse_names
from jaxrd.distortion import Streamed
from jaxrd.errors import InputError
from jaxrd.implicit import met
from jaxrd.problem import Problem
from jaxrd.solution import Solution
from jaxrd.solvers import program, solve
from jaxrd.solvers._interior_point import SMALL
from jaxrd.solvers.certificate import as_inputs

_MAX_SOLVES = 60


@partial(jax.jit, static_argnames=("solver", "max_solves", "along_rate"))
def _search(
    problem: Problem, target: jax.Array, tol: jax.Array, *, solver: Solver, max_solves: int, along_rate: bool
) -> Solution:
    problem, target = jax.lax.stop_gradient((problem, target))
    dtype = problem.source.dtype
    n, m = problem.distortion.shape
    aim_gap = jnp.minimum(tol, 64 * jnp.finfo(dtype).eps) if n * m * m <= SMALL else tol
    goal, start = _bracket.start(jnp, _bracket.silence(jnp, problem), target, along_rate)

    # The program has one solver call for all slopes, because the solver takes most of the compile time.
    def narrow(state: _bracket.Bracket) -> _bracket.Bracket:
        return _bracket.narrowed(goal, state, solver(problem, next_slope(goal, state), tol=tol / 4))

    end = jax.lax.while_loop(lambda state: _bracket.unfinished(goal, state, aim_gap, max_solves), narrow, start)
    return _bracket.solution(goal, end, tol, max_solves)


def _search_on_host(
    problem: Problem, target: Any, tol: Any, solver: Solver, max_solves: int, mesh: Mesh | None, along_rate: bool
) -> Solution:
    """The same from known values, by the program that `sweep` compiles for them."""
    at = program(problem, tol / 4, solver, mesh=mesh)
    n, m = at.problem.distortion.shape
    aim_gap = min(tol, 64 * np.finfo(tol.dtype).eps) if n * m * m <= SMALL else tol
    with np.errstate(all="ignore"):
        goal, state = _bracket.start(np, _bracket.silence(np, problem), target, along_rate)
        while _bracket.unfinished(goal, state, aim_gap, max_solves):
            state = _bracket.narrowed(goal, state, at.one(next_slope(goal, state)))
        return jax.device_put(_bracket.solution(goal, state, tol, max_solves))


def _found(
    problem: Problem, target: Any, tol: Any, solver: Solver, max_solves: int, mesh: Mesh | None, along_rate: bool
) -> Solution:
    """The point that meets a target, with its derivatives attached where anything is traced."""
    refuse_names(solver)
    known = not is_traced(problem, target, tol)
    name = "rate" if along_rate else "distortion"
    problem, target, tol = as_inputs(problem, target, tol, target=name)
    if not known and mesh is not None:
        raise InputError(f"on a mesh the values must be known: {name}= with mesh= is not for jit, vmap or grad.")
    # An accelerator would wait for the host at every slope, and its matrix would have to be fetched.
    if known and (jax.default_backend() == "cpu" or mesh is not None or isinstance(problem.distortion, Streamed)):
        return _search_on_host(problem, target, tol, solver, max_solves, mesh, along_rate)
    solution = _search(problem, target, tol, solver=solver, max_solves=max_solves, along_rate=along_rate)
    return met(name, problem, target, solution)


def rate_at(
    problem: Problem,
    distortion: ArrayLike,
    *,
    solver: Solver = solve,
    tol: ArrayLike | None = None,
    max_solves: int = _MAX_SOLVES,
    mesh: Mesh | None = None,
) -> Solution:
    """The rate-distortion function at a given distortion, R(D) = min I(X;Y) subject to E d(X,Y) <= D, certified.

    Brackets the slope between the zero-rate end and the least distortion; where no slope hits D exactly (a kink or
    a linear piece), the two bracketing solutions are mixed. The lower bound is the best dual bound over the slopes
    tried.

    Rate, slope and reproduction are differentiable in D and in the problem, to any order, as those of `solve`. One rule
    at the ends: dR/dD = -slope, the slope being the one returned: 0 from D_max on (but for rounding), inf at the least
    distortion (see `distortion_range`). Below that R = +inf, and all derivatives are zero.

    Args:
        problem: source (n,), distortion (n, m).
        distortion: D, a scalar, in the unit of the problem's distortion.
        solver: any (problem, slope, tol=) -> Solution (static).
        tol: certified gap at which to stop, nats, relative to max(1, R); None: 1e-9 in float64, 1e-5 in float32.
        max_solves: the budget of slopes (static).
        mesh: devices that share the rows, as for `sweep`. None: one device.

    Returns:
        A `Solution` with rate - gap <= R(D) <= rate, and `steps` the slopes solved. D below the least distortion:
        rate +inf, distortion as asked, INFEASIBLE. D at or beyond D_max: the zero-rate point.

    Raises:
        InputError: the shapes do not belong together, D is no scalar or NaN, or known values have no answer (see
            `Problem`).

    Reference: Cover and Thomas, Elements of Information Theory, Theorem 10.2.1; [A] (RD).

    >>> problem = Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2))
    >>> round(float(rate_at(problem, 0.11).rate), 3)  # ln 2 - h(.11)
    0.347
    """
    return _found(problem, distortion, tol, solver, max_solves, mesh, along_rate=False)


def distortion_at(
    problem: Problem,
    rate: ArrayLike,
    *,
    solver: Solver = solve,
    tol: ArrayLike | None = None,
    max_solves: int = _MAX_SOLVES,
    mesh: Mesh | None = None,
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
        mesh: devices that share the rows, as for `sweep`. None: one device.

    Returns:
        A `Solution` with rate <= R (equal where R is below the rate of the least distortion) and
        rate - gap <= R(distortion) <= rate. A rate that is negative, or below what forbidden pairs leave possible:
        rate as asked, distortion +inf, INFEASIBLE.

    Raises:
        InputError: the shapes do not belong together, R is no scalar or NaN, or known values have no answer (see
            `Problem`).

    Reference: Cover and Thomas, Elements of Information Theory, section 10.2.

    >>> problem = Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2))
    >>> round(float(distortion_at(problem, 0.3466).distortion), 3)
    0.11
    """
    return _found(problem, rate, tol, solver, max_solves, mesh, along_rate=True)

"""Derivatives of solutions: the conditions of optimality, differentiated on the support (implicit function theorem)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from jaxrd._optimum import Terms, least_of_rows, missing, optimum, response, support_solver, terms
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status

_CORRECTIONS = 3  # of a tangent, for the ridge: it is then exact in all but undetermined directions


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _stationary(kind: str, problem: Problem, target: jax.Array, q: jax.Array, slope: jax.Array) -> tuple:
    """(q, slope), as the functions of the problem and the target that the conditions of optimality define."""
    return q, slope


@_stationary.defjvp
def _(kind, primals, tangents):
    problem, target, q, slope = primals
    problem_dot, target_dot, _, _ = tangents  # q and slope have no tangents of their own: the rest determines them
    q, slope = _stationary(kind, problem, target, q, slope)
    t = terms(problem, slope, q)
    root = jnp.where(q > 0, jnp.sqrt(jnp.where(q > 0, q, 1)), 0)
    solve = support_solver(problem, t, root, corrections=_CORRECTIONS)

    # On the support c_y = 1 stays: G q' = c', G = K' diag(p/z^2) K.
    def conditions(problem, target):
        moved = terms(problem, target if kind == "slope" else slope, q)
        return moved.c, missing(kind, moved, slope, target)

    _, (c_dot, growth) = jax.jvp(conditions, (problem, target), (problem_dot, target_dot))
    q_dot, slope_dot = response(kind, t, root, solve, c_dot, growth)
    return (q, slope), (q_dot, target_dot if kind == "slope" else slope_dot)


class _Optimum(NamedTuple):
    """The optimum near a solution, as a constant."""

    q: jax.Array
    slope: jax.Array
    end: jax.Array  # bool: an end of the curve, whose q and slope are taken as they are


def _possible(problem: Problem, solution: Solution) -> tuple[Problem, Solution]:
    """Where no code exists, a problem of zero distortion instead, whose derivatives are finite."""
    nowhere = solution.status == Status.INFEASIBLE
    anything = jnp.full_like(solution.reproduction, 1 / solution.reproduction.size)
    return Problem(problem.source, jnp.where(nowhere, 0, jnp.asarray(problem.distortion))), replace(
        solution,
        slope=jnp.where(nowhere, 0, solution.slope),
        reproduction=jnp.where(nowhere, anything, solution.reproduction),
    )


def _find(kind: str, problem: Problem, target: jax.Array, solution: Solution) -> _Optimum:
    problem, target, solution = jax.lax.stop_gradient((problem, target, solution))
    slope = solution.slope
    end = slope == 0 if kind == "slope" else (slope == 0) | jnp.isinf(slope)
    inner = jnp.where(end, 1, slope)
    q, optimal_slope = optimum(kind, problem, inner if kind == "slope" else target, solution.reproduction, inner)
    return _Optimum(jnp.where(end, solution.reproduction, q), jnp.where(end, slope, optimal_slope), end)


def _moving(kind: str, problem: Problem, target: jax.Array, at: _Optimum) -> tuple[jax.Array, jax.Array]:
    """(q, slope) of the optimum as functions of the problem and the target; constants at an end."""
    q, slope = _stationary(kind, problem, target, at.q, jnp.where(at.end, 1, at.slope))
    return jnp.where(at.end, at.q, q), jnp.where(at.end, at.slope, slope)


def _rate_and_distortion(t: Terms, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(I, E d) of an optimal q: I = F - s E d."""
    return t.objective - jnp.where(jnp.isfinite(slope), slope, 0) * t.excess, t.offset + t.excess


def _tangent(solution: Solution, rate, distortion, q, slope) -> Solution:
    """A tangent Solution: gap, steps and status are constants, and so is what is +inf where no code exists."""
    nowhere = solution.status == Status.INFEASIBLE
    slope, rate, distortion, q = (jnp.where(nowhere, 0, a) for a in (slope, rate, distortion, q))
    none: Any = np.zeros(solution.steps.shape, jax.dtypes.float0)  # of integers
    return Solution(slope, rate, distortion, q, jnp.zeros_like(solution.gap), none, none)


@jax.custom_jvp
def solved(problem: Problem, slope: jax.Array, solution: Solution) -> Solution:
    """A solver's solution at one slope, with derivatives of its rate, distortion and reproduction attached.

    Reverse and forward mode, of any order; memory independent of the iterations. They are taken at the optimum, not
    where the solver stopped; NaN where the optimum is not reached to rounding. At a critical slope, where the support
    changes, and between equal reproductions they are those of one of the two sides.
    """
    return solution


@solved.defjvp
def _(primals, tangents):
    problem, slope, solution = primals
    problem_dot, slope_dot, _ = tangents
    rate, distortion, q = _along_slope(problem, slope, solution, problem_dot, slope_dot)
    return solved(*primals), _tangent(solution, rate, distortion, q, slope_dot)


@jax.jit
def _along_slope(problem, slope, solution, problem_dot, slope_dot) -> tuple:
    problem, solution = _possible(problem, solution)
    at = _find("slope", problem, slope, solution)

    def point(problem, slope):
        q, _ = _moving("slope", problem, slope, at)
        return *_rate_and_distortion(terms(problem, slope, q), slope), q

    return jax.jvp(point, (problem, slope), (problem_dot, slope_dot))[1]


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def met(kind: str, problem: Problem, target: jax.Array, solution: Solution) -> Solution:
    """A solution that meets a target, with derivatives of all its fields attached, by the envelope theorem:

    dR = dL - s dD,  dD = (dL - dR) / s,  dL/dp_x = - ln Z_x,  dL/dd_xy = s p_x W_xy.

    One rule for the ends of the curve: the slope is the one that the solution names, zero at D_max and inf at the
    least distortion. As for `solved`, NaN where the optimum is not reached to rounding.

    Args:
        kind: what is given: "distortion" or "rate".
        problem: n x m.
        target: its value.
        solution: the solution that meets it.
    """
    return solution


@partial(met.defjvp, symbolic_zeros=True)  # zeros must stay zero where a coefficient is infinite
def _(kind, primals, tangents):
    problem, target, solution = primals
    problem_dot, target_dot = jax.tree.map(
        lambda a: None if isinstance(a, SymbolicZero) else a,
        tangents[:2],
        is_leaf=lambda a: isinstance(a, SymbolicZero),
    )
    fields = _along_target(kind, problem, target, solution, problem_dot, target_dot)
    return met(kind, *primals), _tangent(solution, *fields)


@partial(jax.jit, static_argnames="kind")
def _along_target(kind, problem, target, solution, problem_dot, target_dot) -> tuple:
    problem, solution = _possible(problem, solution)
    at = _find(kind, problem, target, solution)
    q, slope = _moving(kind, problem, target, at)
    t = terms(problem, slope, q)
    p, positive = jnp.asarray(problem.source), slope > 0
    low, joint = least_of_rows(problem), (p / t.z)[:, None] * t.kernel * q
    if kind == "distortion":
        coefficients = -jnp.log(t.z) + _times(slope, low), _times(slope, joint), -slope
    else:  # the limits at slope zero and inf
        in_source = jnp.where(positive, -jnp.log(t.z) / jnp.where(positive, slope, 1), t.mean) + low
        nowhere = solution.status == Status.INFEASIBLE
        coefficients = in_source, joint, jnp.where(nowhere, 0, -1 / slope)

    def fields(problem, target):
        q, slope = _moving(kind, problem, target, at)
        return *_rate_and_distortion(terms(problem, slope, q), slope), q, slope

    dots = problem_dot.source, problem_dot.distortion, target_dot
    values = problem.source, problem.distortion, target
    filled = [jnp.zeros_like(a) if dot is None else dot for a, dot in zip(values, dots, strict=True)]
    _, (rate_dot, distortion_dot, q_dot, slope_dot) = jax.jvp(
        fields, (problem, target), (Problem(*filled[:2]), filled[2])
    )
    envelope = sum((a * dot).sum() for a, dot in zip(coefficients, dots, strict=True) if dot is not None)
    if kind == "distortion":
        return envelope, distortion_dot, q_dot, slope_dot
    return rate_dot, envelope, q_dot, slope_dot


def _times(slope: jax.Array, a: jax.Array) -> jax.Array:
    """slope a, zero where a is, at slope inf too."""
    infinite = jnp.isinf(slope)
    return jnp.where(infinite, 0, slope) * a + jnp.where(infinite & (a != 0), jnp.sign(a) * jnp.inf, 0)

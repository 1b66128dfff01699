"""Derivatives of a point with side information at the decoder: the conditions of optimality, differentiated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.side_information.interior_point import newton
from jaxrd.side_information.problem import JointProblem
from jaxrd.side_information.terms import Columns, columns, terms
from jaxrd.solution import Solution, Status

_CORRECTIONS = 4  # of a tangent, for the ridge: it is then exact in all but undetermined directions


def _conditions(at: Columns, q: jax.Array) -> jax.Array:
    """p(t, s) - p(s) q(t|s): at the optimum zero for what is used, as small as q for the rest."""
    return terms(at, q).mass - at.weight * q


@jax.custom_jvp
def _stationary(problem: JointProblem, slope: jax.Array, q: jax.Array) -> jax.Array:
    """q, shape (strategies, values), as the function of problem and slope that the conditions define."""
    return q


@_stationary.defjvp
def _(primals, tangents):
    problem, slope, q = primals
    q = _stationary(problem, slope, q)  # its tangent is what the rest determines
    at = columns(problem, slope)
    unused = jnp.maximum(-_conditions(at, q), 0)
    solve = newton(at, terms(at, q), jax.lax.stop_gradient(unused), float(jnp.finfo(q.dtype).eps) ** 0.5, _CORRECTIONS)
    _, moved = jax.jvp(lambda problem, slope: _conditions(columns(problem, slope), q), (problem, slope), tangents[:2])
    return q, q * solve(moved)


@jax.custom_jvp
def solved(problem: JointProblem, slope: jax.Array, solution: Solution) -> Solution:
    """A solver's solution at one slope, with derivatives of its rate, distortion and reproduction; of any order.

    NaN where it is not converged or the slope is infinite; at a critical slope those of one side.
    """
    return solution


@solved.defjvp
def _(primals, tangents):
    problem, slope, solution = primals
    problem_dot, slope_dot, _ = tangents
    held = jax.lax.stop_gradient(solution.reproduction.T)
    held = jnp.where(jnp.isfinite(held), held, 1 / held.shape[0])
    inside = jnp.isfinite(slope) & (solution.status == Status.CONVERGED)

    def point(problem: JointProblem, slope: jax.Array) -> tuple[jax.Array, ...]:
        q = _stationary(problem, slope, held)
        at = columns(problem, slope)
        t = terms(at, q)
        distortion = t.excess + (at.source * at.least).sum()
        return t.objective - slope * t.excess, distortion, q.T

    _, dots = jax.jvp(point, (problem, jnp.where(inside, slope, 1)), (problem_dot, slope_dot))
    rate, distortion, q = (dot * jnp.where(inside, 1, jnp.nan) for dot in dots)
    none: Any = np.zeros(solution.steps.shape, jax.dtypes.float0)
    return solved(*primals), Solution(slope_dot, rate, distortion, q, jnp.zeros_like(solution.gap), none, none)

"""Who knows the side information: the decoder alone, or the encoder, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.problem import Problem
from jaxrd.side_information import implicit, terms
from jaxrd.side_information.interior_point import interior_point
from jaxrd.side_information.iteration import iteration
from jaxrd.side_information.problem import JointProblem, strategies
from jaxrd.solution import Solution, Status
from jaxrd.solvers import solve

MOST_SECOND_ORDER = 5000
"""Strategies up to which a second-order solver is used."""


class Kind(NamedTuple):
    """What is minimised, as functions of a problem that `as_inputs` gave."""

    solver: Callable[..., Solution]
    """(problem, slope, tol=) -> Solution, with derivatives."""
    objective: Callable[[JointProblem, jax.Array, jax.Array], jax.Array]
    """(problem, slope, reproduction) -> I + slope E d at an optimal reproduction."""
    letters: Callable[[JointProblem], int]
    """Columns of `reproduction`."""


def decoder(problem: JointProblem, slope: jax.Array, *, tol: ArrayLike) -> Solution:
    """Wyner-Ziv at one slope, with derivatives."""
    count = len(strategies(problem))
    solver = interior_point if count <= MOST_SECOND_ORDER else iteration
    solution = solver(problem, slope, jnp.asarray(tol, problem.distortion.dtype))
    return implicit.solved(problem, slope, solution)


def both(problem: JointProblem, slope: jax.Array, *, tol: ArrayLike) -> Solution:
    """The conditional rate-distortion function at one slope: an ordinary problem for each value, at a common slope."""
    joint = jnp.asarray(problem.joint)
    value = joint.sum(0)
    occurs = value > 0
    # A value that does not occur has a law, too, so that nothing fails.
    laws = jnp.where(occurs, joint / jnp.where(occurs, value, 1), joint.sum(1, keepdims=True)).T
    each = jax.vmap(lambda law: solve(Problem(law, problem.distortion), slope, tol=tol))(laws)

    def mean(a: jax.Array) -> jax.Array:
        return (value * jnp.where(occurs, a, 0)).sum()

    def any_is(status: Status) -> jax.Array:
        return (occurs & (each.status == status)).any()

    gap = mean(each.gap)
    worst = jnp.where(gap <= tol, Status.CONVERGED, jnp.where(occurs, each.status, 0).max())
    worst = jnp.where(any_is(Status.INFEASIBLE), Status.INFEASIBLE, worst)
    worst = jnp.where(any_is(Status.NONFINITE) | ~jnp.isfinite(value).all(), Status.NONFINITE, worst)
    lost = worst == Status.INFEASIBLE
    return Solution(
        slope=slope,
        rate=mean(each.rate),
        distortion=mean(each.distortion),
        reproduction=each.reproduction,
        gap=jnp.where(lost, 0, gap),
        steps=each.steps.sum().astype(jnp.int32),
        status=worst.astype(jnp.int32),
    )


def _objective_of_both(problem: JointProblem, slope: jax.Array, q: jax.Array) -> jax.Array:
    joint, d = jnp.asarray(problem.joint), jnp.asarray(problem.distortion)
    occurs = joint.sum(1) > 0
    d = jnp.where(occurs[:, None], d, 0)
    least = jax.lax.stop_gradient(d.min(1))
    allowed = jnp.isfinite(d)
    kernel = jnp.where(allowed, jnp.exp(-slope * (jnp.where(allowed, d, 0) - least[:, None])), 0)
    z = kernel @ q.T
    inside = (joint > 0) & (z > 0)
    return -(joint * jnp.log(jnp.where(inside, z, 1))).sum() + slope * (joint.sum(1) * least).sum()


DECODER = Kind(decoder, terms.objective, lambda problem: len(strategies(problem)))
BOTH = Kind(both, _objective_of_both, lambda problem: problem.distortion.shape[1])

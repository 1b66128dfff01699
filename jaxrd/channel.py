"""The test channel, rebuilt from a solution."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrd.errors import InputError
from jaxrd.information import normalised
from jaxrd.kernels import kernel_of
from jaxrd.problem import Problem, as_arrays, refuse
from jaxrd.solution import Solution


def optimal_channel(problem: Problem, solution: Solution) -> jax.Array:
    """The test channel of a solved point, W(y|x) = q_y exp(-s d_xy) / sum_y' q_y' exp(-s d_xy').

    Args:
        problem: the problem that was solved; source (n,), distortion (n, m).
        solution: one point (for a curve: jax.vmap over its leading axis, or index it first).

    Returns:
        W, shape (n, m), rows summing to one. Zero is the row of a letter with no allowed reproduction, and that of a
        letter of mass zero with NaN or -inf in its distortion; NaN everywhere for traced values that are no problem.

    Raises:
        InputError: the solution has a leading axis or does not belong to the problem, or known values have no answer
            (see `Problem`).

    Reference: Cover and Thomas, Elements of Information Theory, section 10.7.

    >>> from jaxrd import solve
    >>> problem = Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2))
    >>> channel = optimal_channel(problem, solve(problem, 2.0))
    >>> [round(float(w), 3) for w in channel[0]]
    [0.881, 0.119]
    """
    if solution.reproduction.ndim != 1:
        raise InputError(
            f"solution must be one point; its reproduction has shape {solution.reproduction.shape}. "
            "Index it, or use jax.vmap(optimal_channel, in_axes=(None, 0))."
        )
    problem = as_arrays(problem)
    if solution.reproduction.shape != problem.distortion.shape[1:]:
        raise InputError(
            f"the solution must be of this problem, whose distortion has shape {problem.distortion.shape}; "
            f"its reproduction has shape {solution.reproduction.shape}."
        )
    refuse(problem)
    return _channel(problem, solution.slope, solution.reproduction)


@jax.jit
def _channel(problem: Problem, slope: jax.Array, reproduction: jax.Array) -> jax.Array:
    kernel = kernel_of(problem.distortion, slope).held()
    joint = jnp.where(kernel.sound[:, None], kernel.weighted(reproduction), 0)
    total = joint.sum(1, keepdims=True)
    channel = jnp.where(total > 0, joint / jnp.where(total > 0, total, 1), 0)
    p = normalised(problem.source)
    sound = jnp.where(kernel.sound, p >= 0, p == 0).all() & (slope >= 0) & (reproduction >= 0).all()
    return jnp.where(sound, channel, jnp.nan)

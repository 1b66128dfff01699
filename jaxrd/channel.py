"""The test channel, rebuilt from a solution."""

import jax
import jax.numpy as jnp

from jaxrd.kernel import dense_kernel
from jaxrd.problem import Problem, as_arrays
from jaxrd.solution import Solution


@jax.jit
def optimal_channel(problem: Problem, solution: Solution) -> jax.Array:
    """The test channel of a solved point, W(y|x) = q_y exp(-s d_xy) / sum_y' q_y' exp(-s d_xy').

    Args:
        problem: the problem that was solved; source (n,), distortion (n, m).
        solution: one point (for a curve: jax.vmap over its leading axis, or index it first).

    Returns:
        W, shape (n, m), rows summing to one (a row with no allowed reproduction is zero).

    Raises:
        ValueError: the solution has a leading axis.

    >>> from jaxrd import solve
    >>> problem = Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2))
    >>> channel = optimal_channel(problem, solve(problem, 2.0))
    >>> [round(float(w), 3) for w in channel[0]]
    [0.881, 0.119]
    """
    if solution.reproduction.ndim != 1:
        raise ValueError(
            f"solution must be one point; its reproduction has shape {solution.reproduction.shape}. "
            "Index it, or use jax.vmap(optimal_channel, in_axes=(None, 0))."
        )
    problem = as_arrays(problem)
    kernel = dense_kernel((jnp.asarray(problem.distortion),), (solution.slope,))
    joint = kernel.matrix * solution.reproduction
    total = joint.sum(1, keepdims=True)
    return jnp.where(total > 0, joint / jnp.where(total > 0, total, 1), 0)

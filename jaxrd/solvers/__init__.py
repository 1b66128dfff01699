"""Solvers: each a function (problem, slope) -> Solution."""

from jax.typing import ArrayLike

from jaxrd import implicit
from jaxrd.problem import Problem, as_arrays
from jaxrd.solution import Solution
from jaxrd.solvers.blahut_arimoto import blahut_arimoto
from jaxrd.solvers.certificate import as_inputs
from jaxrd.solvers.interior_point import interior_point

NEWTON_BYTES = 2**27
"""Largest m x m Newton matrix worth its memory and its m^3: 4096 letters in float64, 5792 in float32."""


def solve(problem: Problem, slope: ArrayLike, *, tol: ArrayLike | None = None) -> Solution:
    """Solve L(s) = min over channels of I(X;Y) + s E d(X,Y) at one slope, with a certificate.

    Picks the solver by shape and dtype: `interior_point` where an m x m Newton matrix fits, else `blahut_arimoto`.

    Rate, distortion and reproduction are differentiable in the source, the distortion and the slope, in forward and
    reverse mode, by implicit differentiation on the support (see `jaxrd.implicit`).

    Args:
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion, a scalar; inf for the least distortion. For a grid, see `sweep`.
        tol: certified gap at which to stop, nats, relative to max(1, |L|); None: 1e-9 in float64, 1e-5 in float32.

    Returns:
        A `Solution` with rate - gap <= R(distortion) <= rate, converged or not.

    Raises:
        ValueError: the shapes do not belong together.

    >>> import jax.numpy as jnp
    >>> point = solve(Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2)), 2.0)
    >>> round(float(point.distortion), 4)
    0.1192
    """
    problem = as_arrays(problem)
    newton = problem.distortion.shape[1] ** 2 * problem.distortion.dtype.itemsize
    solver = interior_point if newton <= NEWTON_BYTES else blahut_arimoto
    problem, slope, _ = as_inputs(problem, slope, tol)
    return implicit.solved(problem, slope, solver(problem, slope, tol=tol))


__all__ = ["NEWTON_BYTES", "blahut_arimoto", "interior_point", "solve"]

"""Solvers: each a function (problem, slope) -> Solution."""

from __future__ import annotations

import jax
from jax.sharding import Mesh
from jax.typing import ArrayLike

from jaxrd import implicit
from jaxrd._eager import is_traced
from jaxrd._points import Points, Solver, points
from jaxrd.distortion import is_matrix
from jaxrd.distortion.streamed import Streamed
from jaxrd.errors import InputError
from jaxrd.problem import Problem, as_arrays
from jaxrd.solution import Solution
from jaxrd.solvers._blahut_arimoto import blahut_arimoto
from jaxrd.solvers._choice import choice
from jaxrd.solvers._interior_point import interior_point
from jaxrd.solvers._mesh import MeshPoints, refuse_mesh
from jaxrd.solvers._streamed import StreamedPoints
from jaxrd.solvers._working_set import working_set
from jaxrd.solvers.certificate import as_inputs


def solve(problem: Problem, slope: ArrayLike, *, tol: ArrayLike | None = None) -> Solution:
    """Solve L(s) = min over channels of I(X;Y) + s E d(X,Y) at one slope, with a certificate.

    Picks the solver by shape and backend: `interior_point`; on CPU `working_set` from 384 reproductions on; on an
    accelerator `blahut_arimoto` where no m x m Newton matrix fits. Where the distortion is not held as a matrix,
    `blahut_arimoto`: ask it for a gap of 1e-3 or so.

    Rate, distortion and reproduction are differentiable in the source, the distortion and the slope, in forward and
    reverse mode and to any order, by implicit differentiation on the support (see `jaxrd.implicit`). The derivatives
    are those of the optimum, whatever `tol`; NaN where it is not reached to rounding. At a kink they are those of one
    side: at a critical slope, where the support changes; between equal reproductions, where the first represents all;
    and for a letter of mass zero, as its mass grows.
    Through a distortion not held as a matrix there are no derivatives: asking for one raises.

    Args:
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion, a scalar; inf for the least distortion. For a grid, see `sweep`.
        tol: certified gap at which to stop, nats, relative to max(1, |L|); None: 1e-9 in float64, 1e-5 in float32.

    Returns:
        A `Solution` with rate - gap <= R(distortion) <= rate, converged or not.

    Raises:
        ValueError: the shapes do not belong together, known values have no answer (an `InputError`, see `Problem`), or
            a derivative was asked where there is none.

    Reference: [A] section III-A (the Lagrangian R + lambda D, its lambda being s here).

    >>> import jax.numpy as jnp
    >>> point = solve(Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2)), 2.0)
    >>> round(float(point.distortion), 4)
    0.1192
    """
    problem = as_arrays(problem)
    m, size = problem.distortion.shape[1], problem.distortion.dtype.itemsize
    solver = choice(m, size) if is_matrix(problem.distortion) else blahut_arimoto
    known = not is_traced(problem, slope, tol)
    problem, slope, gap = as_inputs(problem, slope, tol)
    if known:
        return jax.device_put(program(problem, gap, solve).one(slope))
    return implicit.solved(problem, slope, solver(problem, slope, tol=tol))


def program(
    problem: Problem, tol: ArrayLike | None, solver: Solver, batch_size: int = 1, mesh: Mesh | None = None
) -> Points | StreamedPoints | MeshPoints:
    """What solves a known problem at slopes, by as few compiled programs as there can be; see `jaxrd._points`.

    Raises:
        InputError: a mesh or a `Streamed` distortion with another solver than `solve`; what is no mesh.
    """
    if mesh is not None:
        refuse_mesh(mesh)
        if solver is not solve:
            raise InputError(f"on a mesh problems are solved by jaxrd.solve alone; got solver {solver!r}.")
        return MeshPoints(problem, tol, mesh, batch_size)
    if not isinstance(problem.distortion, Streamed):
        return points(problem, tol, solver, batch_size)
    if solver is not solve:
        raise InputError(f"a Streamed distortion is solved by jaxrd.solve alone; got solver {solver!r}.")
    return StreamedPoints(problem, tol, solver)


__all__ = ["blahut_arimoto", "interior_point", "solve", "working_set"]

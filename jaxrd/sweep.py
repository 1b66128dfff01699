"""Many slopes at once: equal, padded, once-compiled batches."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxrd.problem import Problem, as_arrays
from jaxrd.solution import Solution
from jaxrd.solvers import solve

Solver = Callable[..., Solution]

LANE_BYTES = 2**31
"""What the kernels of the slopes vmapped together may take on an accelerator."""
CALL = 8
"""Slopes a compiled call solves one after another where lanes are not vmapped: Ctrl-C and progress act in between."""


def default_batch(problem: Problem) -> int:
    """Slopes to vmap together: one on CPU, where lax.map wins, as many as fit on an accelerator, where vmap does."""
    if jax.default_backend() == "cpu":
        return 1
    n, m = jnp.shape(problem.distortion)
    return max(1, LANE_BYTES // (4 * n * m * jnp.asarray(problem.distortion).dtype.itemsize))


@partial(jax.jit, static_argnames=("solver", "batch_size"))
def _batch(problem: Problem, slopes: jax.Array, tol: ArrayLike | None, *, solver: Solver, batch_size: int) -> Solution:
    if batch_size >= slopes.shape[0]:
        return jax.vmap(lambda s: solver(problem, s, tol=tol))(slopes)
    one = None if batch_size == 1 else batch_size
    return jax.lax.map(lambda s: solver(problem, s, tol=tol), slopes, batch_size=one)


def sweep(
    problem: Problem,
    slopes: ArrayLike,
    *,
    solver: Solver = solve,
    tol: ArrayLike | None = None,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Solve a problem at every slope of a grid: a curve as a Solution with a leading axis.

    A host loop over equal batches (the last one padded), so that a sweep compiles once per shape, can report
    progress and can be interrupted. Inside jit or vmap it is one traced map, without progress.
    Memory: batch_size kernels of n x m beside the problem.

    Args:
        problem: source (n,), distortion (n, m).
        slopes: s >= 0, nats per unit of distortion, shape (k,); inf allowed.
        solver: any (problem, slope, tol=) -> Solution.
        tol: certified gap at which to stop, nats; None: by dtype.
        batch_size: slopes vmapped together; 1 solves them one after another (`lax.map`). None: by backend.
        progress: called on the host as progress(done, total) after each batch.

    Returns:
        A `Solution`, leading axis k.

    Raises:
        ValueError: slopes is not one-dimensional, is empty or holds a negative value or NaN; the shapes do not
            belong together; batch_size is below 1.

    >>> curve = sweep(Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2)), [1.0, 2.0, 4.0])
    >>> curve.rate.shape
    (3,)
    """
    problem = as_arrays(problem)
    traced = any(isinstance(a, Tracer) for a in (problem.source, problem.distortion, slopes, tol))
    grid = jnp.asarray(slopes, problem.source.dtype) if traced else np.asarray(slopes, problem.source.dtype)
    if grid.ndim != 1 or grid.shape[0] == 0:
        raise ValueError(f"slopes must have shape (k,), k at least 1; got {grid.shape}. For one slope, use solve.")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")
    total = grid.shape[0]
    lanes = min(batch_size or default_batch(problem), total)
    if traced:
        return _batch(problem, grid, tol, solver=solver, batch_size=lanes)
    if not (grid >= 0).all():
        raise ValueError(f"slopes must be >= 0 nats per unit of distortion; got {grid[~(grid >= 0)][0]}.")

    call = min(total, lanes if lanes > 1 else CALL)
    parts = []
    for start in range(0, total, call):
        part = grid[start : start + call]
        padded = np.concatenate([part, np.full(call - len(part), part[-1], part.dtype)])
        # Joined on the host: slicing and concatenating on the device would compile once per length.
        solved = jax.device_get(_batch(problem, padded, tol, solver=solver, batch_size=lanes))
        size = len(part)
        parts.append(jax.tree.map(lambda a, size=size: a[:size], solved))
        if progress is not None:
            progress(start + len(part), total)
    return jax.tree.map(lambda *arrays: jnp.asarray(np.concatenate(arrays)), *parts)

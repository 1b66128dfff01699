"""Many slopes at once: padded calls of one shape, compiled once, in parallel on the cores."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.typing import ArrayLike

from jaxrd._eager import is_traced, refuse_tolerance, refuse_unless_whole
from jaxrd._points import Points, Solver, batch, lanes
from jaxrd._room import make_room
from jaxrd._threads import cores, one_blas_thread, side_by_side
from jaxrd.errors import InputError
from jaxrd.problem import Problem, as_arrays, as_numbers, refuse
from jaxrd.solution import Solution
from jaxrd.solvers import program, refuse_mesh, solve


def refuse_names(solver: object, like: str = "jaxrd.interior_point") -> None:
    """Refuse a solver that is no function.

    Raises:
        InputError: quotes it.
    """
    if not callable(solver):
        raise InputError(f"solver must be a function such as {like}; got {solver!r}.")


def _default_batch(problem: Problem, mesh: Mesh | None) -> int:
    """Slopes to vmap together: one on CPU, where lax.map wins, as many as fit on an accelerator, where vmap does."""
    if jax.default_backend() == "cpu":
        return 1
    return lanes(problem, None if mesh is None else mesh.shape["sample"])


def sweep(
    problem: Problem,
    slopes: ArrayLike,
    *,
    solver: Solver = solve,
    tol: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Solve a problem at every slope of a grid: a curve as a Solution with a leading axis.

    A host loop over equal calls, so that a sweep compiles once per shape, can report progress and can be interrupted:
    each is a batch, or, where a batch is one slope, up to 32 of them in turn; on CPU several calls run side by side,
    one to a core. Inside jit or vmap it is one traced map, without progress.
    Memory: batch_size kernels of n x m beside the problem, and on CPU as many again for each core (2 GiB at most).

    Args:
        problem: source (n,), distortion (n, m).
        slopes: s >= 0, nats per unit of distortion, shape (k,); inf allowed.
        solver: any (problem, slope, tol=) -> Solution.
        tol: certified gap at which to stop, nats; None: by dtype.
        batch_size: slopes vmapped together; 1 solves them one after another. None: by backend.
        mesh: devices that share the work, `jax.make_mesh((slopes, samples), ("slope", "sample"))`: the slopes are split
            over the first axis, the rows of the problem over the second. None: one device.
        progress: called on the host as progress(done, total) after each call.

    Returns:
        A `Solution`, leading axis k.

    Raises:
        InputError: slopes is not one-dimensional, is empty or holds a negative value or NaN; the shapes do not
            belong together; known values have no answer (see `Problem`); batch_size is below 1.

    Reference: [A] section III-A (the Lagrangian R + lambda D, its lambda being s here).

    >>> curve = sweep(Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2)), [1.0, 2.0, 4.0])
    >>> curve.rate.shape
    (3,)
    """
    refuse_names(solver)
    make_room()
    problem = as_arrays(problem)
    refuse(problem)
    traced = is_traced(problem, slopes, tol)
    array = jnp if traced else np
    grid = array.asarray(slopes if traced else as_numbers(slopes, "slopes"), problem.source.dtype)
    if grid.ndim != 1 or grid.shape[0] == 0:
        raise InputError(f"slopes must have shape (k,), k at least 1; got {grid.shape}. For one slope, use solve.")
    refuse_tolerance(tol)
    if batch_size is not None:
        refuse_unless_whole("batch_size", batch_size, 1)
    total = grid.shape[0]
    if mesh is not None:
        refuse_mesh(mesh)
    shares = 1 if mesh is None else mesh.shape["slope"]
    width = min(batch_size or _default_batch(problem, mesh), -(-total // shares))
    if traced and mesh is not None:
        raise InputError("on a mesh the values must be known: sweep(..., mesh=...) is not for jit, vmap or grad.")
    if traced:
        return batch(problem, grid, tol, solver=solver, batch_size=width)
    if not (grid >= 0).all():
        raise InputError(f"slopes must be >= 0 nats per unit of distortion; got {grid[~(grid >= 0)][0]}.")

    on_cpu = jax.default_backend() == "cpu"
    solve_part = program(problem, tol, solver, width, mesh)
    apart = on_cpu and isinstance(solve_part, Points)  # else a slope has all cores
    workers = max(1, min(cores(), lanes(problem) // width) if apart else 1)
    calls = max(-(-total // solve_part.length), min(workers, total // width))
    # A call takes slopes at equal distances, not neighbours: their cost changes along the grid, and calls of equal cost
    # keep all cores busy.
    parts = [grid[first::calls] for first in range(calls)]

    solved, done = [], 0
    with one_blas_thread() if on_cpu else nullcontext():
        for part in side_by_side(solve_part, parts, workers):
            solved.append(part)
            done += len(part.slope)
            if progress is not None:
                progress(done, total)
    place = np.argsort(np.concatenate([np.arange(first, total, calls) for first in range(calls)]))
    return jax.device_put(jax.tree.map(lambda *arrays: np.concatenate(arrays)[place], *solved))

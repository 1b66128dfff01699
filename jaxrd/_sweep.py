"""Many slopes at once: padded calls of one shape, compiled once, in parallel on the cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced, refuse_tolerance, refuse_unless_whole
from jaxrd._room import make_room
from jaxrd._threads import one_blas_thread
from jaxrd.distortion import resident
from jaxrd.errors import InputError
from jaxrd.problem import Problem, as_arrays, as_numbers, refuse
from jaxrd.solution import Solution
from jaxrd.solvers import solve

Solver = Callable[..., Solution]

_LANE_BYTES = 2**31
"""Bytes for the kernels of the slopes that are solved at the same time."""
_CALLS = ((2**14, 32), (2**21, 8))
"""Largest number of entries of the distortion at which one compiled call solves this many slopes, one after another: a
call has a fixed cost, and its memory is mapped and cleared again."""


def refuse_names(solver: object, like: str = "jaxrd.interior_point") -> None:
    """Refuse a solver that is no function.

    Raises:
        InputError: quotes it.
    """
    if not callable(solver):
        raise InputError(f"solver must be a function such as {like}; got {solver!r}.")


def _default_batch(problem: Problem) -> int:
    """Slopes to vmap together: one on CPU, where lax.map wins, as many as fit on an accelerator, where vmap does."""
    if jax.default_backend() == "cpu":
        return 1
    return _lanes(problem)


def _lanes(problem: Problem) -> int:
    """How many kernels, with their scratch arrays, may be held at once."""
    return max(1, _LANE_BYTES // (4 * resident(problem.distortion) * problem.distortion.dtype.itemsize))


@partial(jax.jit, static_argnames=("solver", "batch_size"))
def _batch(problem: Problem, slopes: jax.Array, tol: ArrayLike | None, *, solver: Solver, batch_size: int) -> Solution:
    if slopes.shape[0] == 1:  # no map around it: XLA schedules a loop's body less well
        return jax.tree.map(lambda a: a[None], solver(problem, slopes[0], tol=tol))
    if batch_size >= slopes.shape[0]:
        return jax.vmap(lambda s: solver(problem, s, tol=tol))(slopes)
    one = None if batch_size == 1 else batch_size
    return jax.lax.map(lambda s: solver(problem, s, tol=tol), slopes, batch_size=one)


@partial(jax.jit, static_argnames="solver")
def _in_turn(problem: Problem, slopes: jax.Array, count: int, tol: ArrayLike | None, *, solver: Solver) -> Solution:
    """The first `count` of the slopes, the others left at zero: one compile serves any number of them."""
    one = jax.jit(lambda slope: solver(problem, slope, tol=tol))  # traced once for both uses
    blank = jax.tree.map(lambda a: jnp.zeros((len(slopes), *a.shape), a.dtype), jax.eval_shape(one, slopes[0]))

    def add(i, solved):
        return jax.tree.map(lambda every, a: every.at[i].set(a), solved, one(slopes[i]))

    return jax.lax.fori_loop(0, count, add, blank)


def _side_by_side(function: Callable, arguments: list, workers: int) -> Iterator:
    """Results in order, from threads: XLA releases the GIL. Where a compile is needed, one thread makes it for all."""
    if workers == 1 or len(arguments) == 1:
        yield from map(function, arguments)
        return
    # Contexts such as jax.enable_x64(True) belong to the thread that entered them.
    wide, device = jax.config.jax_enable_x64, jax.config.jax_default_device  # pyright: ignore

    def in_context(argument):
        with jax.enable_x64(wide), jax.default_device(device):
            return function(argument)

    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(in_context, arguments)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


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
    lanes = min(batch_size or _default_batch(problem), total)
    if traced:
        return _batch(problem, grid, tol, solver=solver, batch_size=lanes)
    if not (grid >= 0).all():
        raise InputError(f"slopes must be >= 0 nats per unit of distortion; got {grid[~(grid >= 0)][0]}.")

    on_cpu = jax.default_backend() == "cpu"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = max(1, min(cores, _lanes(problem) // lanes) if on_cpu else 1)
    call = lanes
    if lanes == 1:
        call = next((size for most, size in _CALLS if resident(problem.distortion) <= most), 1)
    calls = max(-(-total // call), min(workers, total // lanes))
    # A call takes slopes at equal distances, not neighbours: their cost changes along the grid, and calls of equal cost
    # keep all cores busy.
    parts = [grid[first::calls] for first in range(calls)]

    def solve_part(part):
        padded = np.concatenate([part, np.full(call - len(part), part[-1], part.dtype)])
        if call > lanes:
            points = _in_turn(problem, padded, len(part), tol, solver=solver)
        else:
            points = _batch(problem, padded, tol, solver=solver, batch_size=lanes)
        # Joined on the host: slicing and concatenating on the device would compile once per length.
        return jax.tree.map(lambda a: a[: len(part)], jax.device_get(points))

    solved, done = [], 0
    with one_blas_thread() if on_cpu else nullcontext():
        for part in _side_by_side(solve_part, parts, workers):
            solved.append(part)
            done += len(part.slope)
            if progress is not None:
                progress(done, total)
    place = np.argsort(np.concatenate([np.arange(first, total, calls) for first in range(calls)]))
    return jax.device_put(jax.tree.map(lambda *arrays: np.concatenate(arrays)[place], *solved))

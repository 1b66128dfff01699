"""Points of a curve from known values: one compiled program a size, which `solve`, `sweep` and `rate_at` share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced, refuse_tolerance
from jaxrd._exported import exported
from jaxrd.distortion import is_matrix, resident
from jaxrd.problem import Problem
from jaxrd.solution import Solution

Solver = Callable[..., Solution]

_CALLS = ((2**14, 32), (2**21, 8))
"""Largest number of entries of the distortion at which one compiled call solves this many slopes, one after another: a
call has a fixed cost, and its memory is mapped and cleared again."""
_PADDED = 2**22
"""Entries up to which a problem is copied to one of a few sizes: beyond, a solve takes longer than a compile."""
_LANE_BYTES = 2**31
"""Bytes for the kernels of the slopes that are solved at the same time."""


def size(count: int) -> int:
    """The size that stands for `count` letters: a multiple of four; from 32 on, at most an eighth more.

    >>> [size(m) for m in (2, 10, 100, 300)]
    [4, 12, 104, 320]
    """
    step = max(4, 2 ** (count.bit_length() - 4))
    return -(-count // step) * step


def tolerance(dtype: Any, tol: ArrayLike | None) -> Any:
    """The caller's tolerance; by default 1e-9 nat in float64, 1e-5 in float32.

    Raises:
        InputError: a known tolerance is no number >= 0.

    >>> float(tolerance(np.float32, None) == np.float32(1e-5))
    1.0
    """
    refuse_tolerance(tol)
    tol = (1e-9 if dtype == np.float64 else 1e-5) if tol is None else tol
    return (jnp if is_traced(tol) else np).asarray(tol, dtype)


def lanes(problem: Problem, parts: int | None = None) -> int:
    """How many kernels, with their scratch arrays, a device may hold at once; parts: of the rows, one to a device."""
    n, m = problem.distortion.shape
    numbers = resident(problem.distortion) if parts is None else -(-n // parts) * m
    return max(1, _LANE_BYTES // (4 * numbers * problem.distortion.dtype.itemsize))


def slopes_of_a_call(entries: int) -> int:
    """How many slopes one call solves in turn, where the distortion has so many entries.

    >>> slopes_of_a_call(100 * 100)
    32
    """
    return next((count for most, count in _CALLS if entries <= most), 1)


class Points(NamedTuple):
    """A known problem, ready for calls of one compiled program; its points are numpy arrays."""

    problem: Problem  # of the size that is compiled
    letters: int  # reproductions of the problem that was given
    tol: np.ndarray
    solver: Solver
    batch: int  # slopes vmapped together
    length: int  # slopes of a call

    def __call__(self, slopes: np.ndarray) -> Solution:
        """At most `length` slopes, solved."""
        count = len(slopes)
        filled = np.concatenate([slopes, np.full(self.length - count, slopes[-1], slopes.dtype)])
        with _at_once():
            if self.length > self.batch:
                points = exported(in_turn, Solution, self.problem, filled, count, self.tol, solver=self.solver)
            else:
                static = {"solver": self.solver, "batch_size": self.batch}
                points = exported(batch, Solution, self.problem, filled, self.tol, **static)
            # Cut on the host: slicing on the device would compile once per length.
            points = jax.tree.map(lambda a: a[:count], jax.device_get(points))
        return of_letters(points, self.letters)

    def one(self, slope: ArrayLike) -> Solution:
        """A single slope, solved."""
        points = self(np.asarray(slope, self.problem.source.dtype)[None])
        return jax.tree.map(lambda a: a[0], points)


def of_letters(points: Solution, letters: int) -> Solution:
    """Points of numpy arrays without the forbidden reproductions that filled their problem up."""
    q = points.reproduction[:, :letters]
    if q.shape != points.reproduction.shape:
        kept = q.sum(1, keepdims=True)  # forbidden reproductions may hold what rounding leaves
        q = np.where((kept > 0) & (kept != 1), q / np.where(kept > 0, kept, 1), q)
    return replace(points, reproduction=q)


def points(problem: Problem, tol: ArrayLike | None, solver: Solver, batch_size: int = 1) -> Points:
    """The program for a problem.

    A matrix is padded to one of a few sizes, by letters of mass zero and forbidden reproductions, which change no
    point: another file of the same kind then costs no compile.

    Args:
        problem: known, as `as_arrays` gives it; source (n,), distortion (n, m).
        tol: certified gap at which to stop, nats; None: by dtype.
        solver: any (problem, slope, tol=) -> Solution.
        batch_size: slopes vmapped together.
    """
    length = batch_size
    if batch_size == 1:
        length = slopes_of_a_call(resident(problem.distortion))
    letters = problem.distortion.shape[1]
    with _at_once():
        problem = jax.device_put(sized(problem))  # once, not at every call
    return Points(problem, letters, tolerance(problem.source.dtype, tol), solver, batch_size, length)


def _at_once() -> AbstractContextManager:
    """Where known values are solved at once, inside another function's jit too, whose arrays would else be traced."""
    return jax.ensure_compile_time_eval() if is_traced(jax.device_put(np.zeros(()))) else nullcontext()


def sized(problem: Problem) -> Problem:
    """The problem at one of a few sizes, unless it is large."""
    n, m = problem.distortion.shape
    if not is_matrix(problem.distortion) or n * m > _PADDED:
        return problem
    rows, width = size(n), size(m)
    if (rows, width) == (n, m):
        return problem
    d = np.zeros((rows, width), problem.distortion.dtype)
    d[:n, :m] = problem.distortion
    d[:n, m:] = np.inf
    source = np.zeros(rows, problem.source.dtype)
    source[:n] = problem.source
    return Problem(source, d)


@partial(jax.jit, static_argnames=("solver", "batch_size"))
def batch(problem: Problem, slopes: jax.Array, tol: ArrayLike | None, *, solver: Solver, batch_size: int) -> Solution:
    """Every slope solved, `batch_size` at a time."""
    if slopes.shape[0] == 1:  # no map around it: XLA schedules a loop's body less well
        return jax.tree.map(lambda a: a[None], solver(problem, slopes[0], tol=tol))
    if batch_size >= slopes.shape[0]:
        return jax.vmap(lambda s: solver(problem, s, tol=tol))(slopes)
    one = None if batch_size == 1 else batch_size
    return jax.lax.map(lambda s: solver(problem, s, tol=tol), slopes, batch_size=one)


@partial(jax.jit, static_argnames="solver")
def in_turn(problem: Problem, slopes: jax.Array, count: int, tol: ArrayLike | None, *, solver: Solver) -> Solution:
    """The first `count` of the slopes, the others left at zero: one compile serves any number of them."""
    one = jax.jit(lambda slope: solver(problem, slope, tol=tol))  # traced once for both uses
    blank = jax.tree.map(lambda a: jnp.zeros((len(slopes), *a.shape), a.dtype), jax.eval_shape(one, slopes[0]))

    def add(i, solved):
        return jax.tree.map(lambda every, a: every.at[i].set(a), solved, one(slopes[i]))

    return jax.lax.fori_loop(0, count, add, blank)

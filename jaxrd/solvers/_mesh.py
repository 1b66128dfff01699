"""Points of a curve on many devices: slopes split along one axis of a mesh, rows of the problem along the other."""

from __future__ import annotations

from functools import cache, partial
from typing import Any
from weakref import WeakKeyDictionary

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jax.typing import ArrayLike

from jaxrd._points import in_turn, of_letters, size, sized, slopes_of_a_call, tolerance
from jaxrd.distortion import Streamed, is_matrix, resident
from jaxrd.errors import InputError
from jaxrd.kernels.shared import Shared
from jaxrd.problem import Problem
from jaxrd.solution import Solution
from jaxrd.solvers import _blahut_arimoto, _interior_point, _working_set
from jaxrd.solvers._choice import choice

AXES = ("slope", "sample")

_COMPILED = {
    _blahut_arimoto.blahut_arimoto: partial(_blahut_arimoto.compiled, max_steps=10_000, momentum=False),
    _interior_point.interior_point: partial(_interior_point.compiled, max_steps=80),
    _working_set.working_set: partial(_working_set.compiled, max_steps=80),
}


def refuse_mesh(mesh: object) -> None:
    """Refuse what is no mesh with the axes slope and sample.

    Raises:
        InputError: quotes it.
    """
    names = getattr(mesh, "axis_names", None)
    if isinstance(mesh, Mesh) and len(kinds := {device.device_kind for device in mesh.devices.flat}) > 1:
        raise InputError(f"the devices of a mesh must be of one kind; got {', '.join(sorted(kinds))}.")
    if not isinstance(mesh, Mesh) or names != AXES:
        got = " ".join(repr(mesh).split())[:60] if names is None else f"axes {names}"
        raise InputError(f'mesh must have the axes ("slope", "sample"), as jax.make_mesh((2, 4), {AXES}); got {got}.')


def _solve(problem: Problem, slope: jax.Array, *, tol: jax.Array) -> Solution:
    """What `solve` does, on the rows of a device."""
    chosen = choice(problem.distortion.shape[1], slope.dtype.itemsize)
    return _COMPILED[chosen](problem, slope, tol)


@partial(jax.jit, static_argnames=("mesh", "together"))
def solved(
    problem: Problem, slopes: jax.Array, counts: jax.Array, tol: jax.Array, *, mesh: Mesh, together: bool
) -> Solution:
    """Some slopes of each group of devices, shape (groups, k, ...), on every device.

    Args:
        problem: source (n,) and distortion (n, m), their rows split over the axis "sample".
        slopes: shape (groups, k).
        counts: how many of them are solved, shape (groups,).
        tol: nats.
        mesh: of the devices.
        together: vmapped, and then all of them.
    """
    groups, parts = AXES

    def of_group(source: Any, d: Any, slopes: Any, counts: Any, tol: Any) -> Any:
        rows = Problem(source, Shared(d, parts, mesh.shape[parts]))  # pyright: ignore
        if together:
            points = jax.vmap(lambda s: _solve(rows, s, tol=tol))(slopes[0])
        else:
            points = in_turn(rows, slopes[0], counts[0], tol, solver=_solve)
        return jax.tree.map(lambda a: jax.lax.all_gather(a, groups), points)

    in_specs = P(parts), P(parts), P(groups), P(groups), P()
    split = jax.shard_map(of_group, mesh=mesh, in_specs=in_specs, out_specs=P(), check_vma=False)
    return split(problem.source, problem.distortion, slopes, counts, tol)


class MeshPoints:
    """As `jaxrd._points.Points`, on the devices of a mesh.

    Args:
        problem: known; source (n,), distortion (n, m) an array or `Streamed`.
        tol: certified gap at which to stop, nats; None: by dtype.
        mesh: its devices, with the axes slope and sample. Each process gives the same problem.
        batch_size: slopes vmapped together on a device; 1: one after another.
    """

    def __init__(self, problem: Problem, tol: ArrayLike | None, mesh: Mesh, batch_size: int = 1):
        if not (is_matrix(problem.distortion) or isinstance(problem.distortion, Streamed)):
            kind = type(problem.distortion).__name__
            raise InputError(f"on a mesh the distortion must be a matrix or Streamed; got a {kind}.")
        self.problem, self.mesh, self.letters = problem, mesh, problem.distortion.shape[1]
        self.tol = tolerance(problem.source.dtype, tol)
        self.placed = placed(problem, mesh)
        share = resident(self.placed.distortion) // mesh.shape["sample"]
        self.batch, self.groups = batch_size, mesh.shape["slope"]
        self.length = self.groups * (slopes_of_a_call(share) if batch_size == 1 else batch_size)

    def __call__(self, slopes: np.ndarray) -> Solution:
        """At most `length` slopes, solved; neighbours on different devices, for their cost changes along the grid."""
        each = self.length // self.groups
        dealt = np.full((self.groups, each), slopes[-1], slopes.dtype)
        order = np.arange(len(slopes))
        dealt[order % self.groups, order // self.groups] = slopes
        counts = np.bincount(order % self.groups, minlength=self.groups).astype(np.int32)
        split, whole = (NamedSharding(self.mesh, spec) for spec in (P("slope"), P()))
        inputs = _put(dealt, split), _put(counts, split), _put(self.tol, whole)
        points = solved(self.placed, *inputs, mesh=self.mesh, together=self.batch > 1)
        points = jax.tree.map(lambda a: np.asarray(a)[order % self.groups, order // self.groups], points)
        return of_letters(points, self.letters)

    def one(self, slope: ArrayLike) -> Solution:
        """A single slope, solved."""
        points = self(np.asarray(slope, self.problem.source.dtype)[None])
        return jax.tree.map(lambda a: a[0], points)


_streamed: WeakKeyDictionary[Streamed, tuple[np.ndarray, Mesh, Problem]] = WeakKeyDictionary()


def placed(problem: Problem, mesh: Mesh) -> Problem:
    """The problem with its rows on the devices of a mesh; each process makes those of its own devices alone."""
    source, d = np.asarray(problem.source), problem.distortion
    source = np.where(source < np.finfo(source.dtype).tiny, 0, source)  # as XLA takes it
    sharding = NamedSharding(mesh, P("sample"))
    if not isinstance(d, Streamed):
        problem = sized(Problem(source / source.sum(), d))
        source, d = np.asarray(problem.source), problem.distortion
        if isinstance(d, jax.Array) and d.sharding == NamedSharding(mesh, P("sample")):
            return Problem(_rows(source, len(source), sharding), d)  # they lie there already
        n = _filled_up(len(source), mesh)
        return Problem(_rows(source, n, sharding), _rows(np.asarray(d), n, sharding))
    known = _streamed.get(d)
    if known is None or known[1] != mesh or not _same(known[0], source):
        n, m = _filled_up(len(source), mesh), d.shape[1]

        def made(first: int, last: int) -> np.ndarray:
            return d.between(first, last, source.dtype)

        if mesh.shape["slope"] > 1:  # which holds copies
            made = cache(made)
        matrix = jax.make_array_from_callback(
            (n, m),
            sharding,
            lambda index: made(*index[0].indices(n)[:2]),  # pyright: ignore
            dtype=source.dtype,
        )
        known = source, mesh, Problem(_rows(source / source.sum(), n, sharding), matrix)
        _streamed[d] = known
    return known[2]


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b)


def _filled_up(n: int, mesh: Mesh) -> int:
    """A number of rows that every device has an equal share of."""
    parts = mesh.shape["sample"]
    return parts * size(-(-n // parts))


def _rows(array: np.ndarray, n: int, sharding: NamedSharding) -> jax.Array:
    """An array on the devices, filled up with rows of zeros."""
    filled = np.zeros((n, *array.shape[1:]), array.dtype)
    filled[: len(array)] = array
    return _put(filled, sharding)


def _put(array: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """On the devices of this process alone; `device_put` would ask the others whether they hold the same."""
    return jax.make_array_from_callback(np.shape(array), sharding, lambda index: np.asarray(array)[index])

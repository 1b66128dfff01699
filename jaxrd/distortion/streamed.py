"""A distortion of more rows than one array should hold: made a block of rows at a time, wherever the data lie."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._processes import folded
from jaxrd.distortion.structured import Structured
from jaxrd.errors import InputError

_NUMBERS = 2**19
"""Entries of a block: its scratch arrays stay in the memory that the allocator keeps, and partly in the cache."""
_MOST_ROWS = 2**15


def block_rows(n: int, m: int) -> int:
    """Rows of a block of an n x m matrix.

    >>> block_rows(10**6, 100)
    5120
    """
    rows = min(max(_NUMBERS // m, 1), _MOST_ROWS)
    return int(min(rows - rows % 256 or rows, -(-n // 4) * 4))


@jax.tree_util.register_pytree_node_class
class Whole:
    """An array that is the same for all rows, among the data of a `Streamed`.

    Args:
        array: of any shape.
    """

    def __init__(self, array: Any):
        self.array = array

    def tree_flatten(self) -> tuple[tuple[Any], None]:
        """For JAX."""
        return (self.array,), None

    @classmethod
    def tree_unflatten(cls, _: None, leaves: tuple[Any]) -> Self:
        """For JAX."""
        return cls(*leaves)


class Streamed(Structured):
    """A distortion in place of an n x m matrix whose rows are made from data, a block at a time.

    Goes into a `Problem` with known values; `solve`, `sweep`, `rate_at` and `distortion_at` take it. They iterate on
    the host, and call one compiled function for each block, so that memory is that of a block and of a few vectors.

    Args:
        data: (first, last) -> what `build` makes the distortions of these rows from: arrays with `last - first` rows
            each, in memory, mapped from a file or read, or scalars, or a `Whole`. Arrays of JAX with `rows` rows are
            taken as they are: blocks that stay on the device.
        build: data -> d, shape (rows, m); compiled, so a function of the module, not of a call.
        shape: (n, m).
        rows: of a block; None: some 500 000 entries.
        shared: whether all processes of a `jax.distributed` run use this distortion alike, on a mesh of all of them:
            each then adds up its own part of the rows.

    Not for jit, vmap or grad, and for no other solver than `solve`, which says so.

    Reference: the sums over the source letters of R. Blahut, Computation of channel capacity and rate-distortion
    functions, IEEE Trans. IT 1972.

    >>> points = np.arange(6.0)
    >>> streamed = Streamed(lambda i, j: points[i:j, None], lambda x: (x - jnp.arange(3.0)) ** 2, (6, 3))
    >>> streamed.dense().shape
    (6, 3)
    """

    def __init__(
        self,
        data: Callable[[int, int], Any],
        build: Callable[[Any], jax.Array],
        shape: tuple[int, int],
        rows: int | None = None,
        *,
        shared: bool = False,
    ):
        self.data: Callable[[int, int], Any] = data
        self.build: Callable[[Any], jax.Array] = build
        self.shape, self.shared = shape, bool(shared)
        self.rows: int = rows or block_rows(*shape)

    @property
    def dtype(self) -> jnp.dtype:
        """Of its numbers."""
        return jax.eval_shape(self.build, self.block(*self.blocks()[0])).dtype

    @property
    def resident(self) -> int:
        """Numbers held at once."""
        return self.rows * self.shape[1]

    def astype(self, dtype: jnp.dtype) -> Self:
        """Itself: `build` decides."""
        del dtype
        return self

    def blocks(self) -> list[tuple[int, int]]:
        """The first and the last row of each block, all but the last of the same length."""
        n = self.shape[0]
        return [(first, min(first + self.rows, n)) for first in range(0, n, self.rows)]

    def block(self, first: int, last: int) -> Any:
        """The data of some rows, repeated to fill a block."""

        def fill(a: Any) -> Any:
            return a if isinstance(a, Whole) else _filled(a, self.rows)

        return jax.tree.map(fill, self.data(first, last), is_leaf=lambda a: isinstance(a, Whole))

    def added(self, function: Callable[..., Any], *of_rows: np.ndarray) -> Any:
        """The sum over the blocks of function(data, *parts), a pytree of arrays.

        Args:
            function: of the data of a block and the parts of the arrays that belong to it.
            of_rows: a number for each row, shape (n,); zero where a block is filled.
        """

        def one(ends: tuple[int, int]) -> Any:
            return jax.device_get(function(self.block(*ends), *(self.part(a, *ends) for a in of_rows)))

        return folded(one, self.blocks(), lambda a, b: jax.tree.map(np.add, a, b), shared=self.shared)

    def part(self, of_rows: np.ndarray, first: int, last: int) -> np.ndarray:
        """A number for each row of a block; zero where it is filled."""
        part = np.zeros(self.rows, of_rows.dtype)
        part[: last - first] = of_rows[first:last]
        return part

    def sample(self, rows: np.ndarray) -> np.ndarray:
        """Some rows, rising, as a matrix."""
        build, parts = jax.jit(self.build), []
        for first, last in self.blocks():
            inside = rows[(rows >= first) & (rows < last)] - first
            if inside.size:
                parts.append(np.asarray(build(self.block(first, last)))[inside])
        return np.concatenate(parts)

    def between(self, first: int, last: int, dtype: Any) -> np.ndarray:
        """The rows from `first` to `last`, shape (last - first, m); zero beyond the last row there is."""
        build, made = jax.jit(self.build), np.zeros((last - first, self.shape[1]), dtype)
        for begin, end in self.blocks():
            low, high = max(first, begin), min(last, end)
            if low < high:
                made[low - first : high - first] = np.asarray(build(self.block(begin, end)))[low - begin : high - begin]
        return made

    def rows_of_sample(self, count: int) -> np.ndarray:
        """At most `count` rows at equal distances."""
        return np.unique(np.linspace(0, self.shape[0] - 1, min(count, self.shape[0])).astype(int))

    def dense(self) -> jax.Array:
        """The matrix, shape (n, m)."""
        return jnp.asarray(self.sample(np.arange(self.shape[0])))

    def expected(self, source: jax.Array) -> jax.Array:
        """E d(X, y) of each reproduction, shape (m,)."""
        p = np.asarray(source)
        return self.added(lambda data, p: _mean(data, p, build=self.build), p)  # pyright: ignore

    def refuse(self, occurs: np.ndarray) -> None:
        """Nothing is read in advance: the status of a point says NONFINITE where a row cannot be used."""
        if len(occurs) != self.shape[0]:
            raise InputError(f"source must have shape ({self.shape[0]},); got ({len(occurs)},).")

    def validate(self) -> None:
        """No further checks."""


@partial(jax.jit, static_argnames="build")
def _mean(data: Any, source: jax.Array, *, build: Callable) -> jax.Array:
    return source @ jnp.where(source[:, None] > 0, build(data), 0)


def _filled(array: Any, rows: int) -> Any:
    if isinstance(array, jax.Array) and array.ndim and len(array) == rows:
        return array
    array = np.asarray(array)
    if array.ndim == 0 or len(array) == rows:  # a scalar is the same for all rows
        return array
    return np.concatenate([array, np.repeat(array[-1:], rows - len(array), 0)])

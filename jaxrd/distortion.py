"""Distortion measures: as matrices, or as what a matrix too large to hold is computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.errors import InputError
from jaxrd.pytree import register


def hamming(letters: int, *, dtype: jnp.dtype | None = None) -> jax.Array:
    """Hamming distortion, d(x, y) = 1 if x != y else 0, shape (letters, letters).

    >>> hamming(2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    return 1 - jnp.eye(letters, dtype=dtype)


def _floats(values: ArrayLike) -> jax.Array:
    """The values as floats: differences of 8-bit pixels would wrap around."""
    array = jnp.asarray(values)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def squared_error(source: ArrayLike, reproduction: ArrayLike) -> jax.Array:
    """Squared error, d(x, y) = |x - y|^2.

    Args:
        source: values of the source letters, shape (n,) or (n, dimensions).
        reproduction: values of the reproduction letters, shape (m,) or (m, dimensions).

    >>> squared_error(jnp.array([0.0, 1.0]), jnp.array([2.0])).tolist()
    [[4.0], [1.0]]
    """
    x, y = _floats(source), _floats(reproduction)
    if x.ndim not in (1, 2) or x.ndim != y.ndim or x.shape[1:] != y.shape[1:]:
        raise InputError(f"values must have shapes (n,) and (m,), or (n, k) and (m, k); got {x.shape} and {y.shape}.")
    squares = (x[:, None] - y[None, :]) ** 2
    return squares if squares.ndim == 2 else squares.sum(-1)


def log_loss(soft: ArrayLike) -> jax.Array:
    """Logarithmic loss, d(y, t) = - ln t_y, shape (classes, m); +inf where a reproduction excludes the class.

    Args:
        soft: reproductions, each a pmf over classes, shape (m, classes).

    >>> log_loss(jnp.array([[1.0, 0.0]])).tolist()
    [[-0.0], [inf]]
    """
    return -jnp.log(jnp.asarray(soft)).T


def remote(distortion: ArrayLike, posterior: ArrayLike) -> jax.Array:
    """The distortion seen by who only observes X: d_hat(x, y') = E[d(Y, y') | X = x] = sum_y P(y|x) d(y, y').

    It turns the indirect problem into a direct one.

    Args:
        distortion: d, shape (classes, m).
        posterior: P(y|x), shape (n, classes).

    Reference: H. Witsenhausen, Indirect rate distortion problems, IEEE Trans. IT 1980; [A] eq. (15).

    >>> remote(hamming(2), jnp.array([[0.75, 0.25]])).tolist()
    [[0.25, 0.75]]
    """
    d, v = jnp.asarray(distortion), jnp.asarray(posterior)
    # A forbidden pair costs nothing where its class cannot occur: 0 * inf is 0 here.
    finite = jnp.where(jnp.isinf(d), 0, d)
    forbidden = v @ jnp.isinf(d).astype(v.dtype) > 0
    return jnp.where(forbidden, jnp.inf, v @ finite)


UNROLLED = 8  # coordinates up to which a sum over them is written out: one fused loop over the pairs


def pairwise_squares(x: ArrayLike, y: ArrayLike) -> jax.Array:
    """Squared error |x - y|^2 of every pair, by differences: |x|^2 - 2xy + |y|^2 would lose the digits of near pairs.

    Args:
        x: points, shape (rows, k).
        y: points, shape (m, k).

    Returns:
        Shape (rows, m); no array of more entries is formed.

    >>> pairwise_squares(jnp.array([[0.0, 1.0]]), jnp.array([[3.0, 5.0], [0.0, 1.0]])).tolist()
    [[25.0, 0.0]]
    """
    x, y = _floats(x), _floats(y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise InputError(f"points must have shapes (rows, k) and (m, k); got {x.shape} and {y.shape}.")
    k = x.shape[1]

    def add(i, total):
        return total + (x[:, i, None] - y[None, :, i]) ** 2

    total = jnp.zeros((x.shape[0], y.shape[0]), jnp.result_type(x, y))
    if k > UNROLLED:
        return jax.lax.fori_loop(0, k, add, total)
    for i in range(k):
        total = add(i, total)
    return total


class _NotHeld:
    """Refuses to be an array where a function needs the whole matrix."""

    def __jax_array__(self) -> NoReturn:
        n, m = self.shape  # type: ignore[attr-defined]
        raise InputError(
            f"this function needs the distortion as a matrix; got a {type(self).__name__} of {n} x {m} pairs. Pass "
            "Problem(source, distortion.dense()) if that many numbers fit; else use blahut_arimoto, solve or sweep."
        )

    def __array__(self, dtype=None, copy=None) -> NoReturn:
        self.__jax_array__()


@register
@dataclass(frozen=True)
class PointCloud(_NotHeld):
    """A distortion between points, d(x, y) = measure(x, y), evaluated some rows at a time and never held whole.

    Goes into a `Problem` in place of a matrix; `blahut_arimoto`, `solve`, `sweep`, `rate_at` and `distortion_at` take
    it. What needs the matrix, derivatives of solutions among it, raises an InputError.

    Args:
        source: the source letters, shape (n, k).
        reproduction: the reproduction letters, shape (m, k).
        measure: (rows, k), (m, k) -> (rows, m), finite or +inf, traceable, a module-level function (static). By
            default squared error.
        block_bytes: of one evaluated block of rows; a solver holds a few (static).

    >>> from jaxrd import Problem, blahut_arimoto
    >>> x = jax.random.normal(jax.random.key(0), (300, 2))
    >>> point = blahut_arimoto(Problem(jnp.full(300, 1 / 300), PointCloud(x, x)), 4.0, tol=1e-3)
    >>> bool(point.converged)
    True
    """

    source: ArrayLike
    reproduction: ArrayLike
    measure: Callable[[jax.Array, jax.Array], jax.Array] = field(default=pairwise_squares, metadata={"static": True})
    block_bytes: int = field(default=2**24, metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m), of the matrix this stands for."""
        return jnp.shape(self.source)[0], jnp.shape(self.reproduction)[0]

    @property
    def dtype(self) -> jnp.dtype:
        """The points' common dtype."""
        return jnp.result_type(self.source, self.reproduction)

    @property
    def resident(self) -> int:
        """Numbers held at once."""
        return self.rows * self.shape[1]

    @property
    def rows(self) -> int:
        """Rows in a block: as many as the budget allows, in blocks of nearly equal size."""
        n, m = self.shape
        most = max(self.block_bytes // (m * self.dtype.itemsize), 1)
        return -(-n // -(-n // most))

    def astype(self, dtype: jnp.dtype) -> PointCloud:
        """The same cloud as JAX arrays of a dtype.

        Raises:
            InputError: the points' shapes do not belong together.
        """
        x, y = jnp.asarray(self.source), jnp.asarray(self.reproduction)
        if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or 0 in x.shape + y.shape:
            raise InputError(
                f"points must have shapes (n, k) and (m, k), none of them zero; got {x.shape} and {y.shape}. "
                "For points on a line, pass x[:, None]."
            )
        return PointCloud(x.astype(dtype), y.astype(dtype), self.measure, self.block_bytes)

    def dense(self) -> jax.Array:
        """The matrix, shape (n, m)."""
        return self.measure(jnp.asarray(self.source), jnp.asarray(self.reproduction))

    def split(self, per_row: jax.Array) -> jax.Array:
        """An array with a leading axis n cut into blocks, (blocks, rows, ...); the last one filled up with zeros."""
        n, rows = self.shape[0], self.rows
        blocks = -(-n // rows)
        padding = [(0, blocks * rows - n)] + [(0, 0)] * (per_row.ndim - 1)
        return jnp.pad(per_row, padding).reshape(blocks, rows, *per_row.shape[1:])

    def expected(self, source: jax.Array) -> jax.Array:
        """E d(X, y) of each reproduction, shape (m,)."""
        y = jnp.asarray(self.reproduction)

        def add(total, block):
            x, p = block
            return total + p @ jnp.where(p[:, None] > 0, self.measure(x, y), 0), None

        zero = jnp.zeros(self.shape[1], self.dtype)
        return jax.lax.scan(add, zero, (self.split(jnp.asarray(self.source)), self.split(source)))[0]


@register
@dataclass(frozen=True)
class SparseDiscount(_NotHeld):
    """A distortion that is constant but for a few pairs, d(x, y) = ceiling - discount_xy, held as those pairs.

    Goes into a `Problem` in place of a matrix, as `PointCloud` does. No pair may be listed twice.

    Args:
        ceiling: the distortion of every pair not listed, a scalar.
        rows: x of the pairs, int, shape (pairs,).
        columns: y of the pairs, int, shape (pairs,).
        discount: what the pairs are cheaper by, finite and >= 0, shape (pairs,).
        shape: (n, m) of the matrix this stands for (static).

    >>> SparseDiscount(1.0, jnp.array([0, 1]), jnp.array([0, 1]), jnp.ones(2), (2, 2)).dense().tolist()  # Hamming
    [[0.0, 1.0], [1.0, 0.0]]
    """

    ceiling: ArrayLike
    rows: ArrayLike
    columns: ArrayLike
    discount: ArrayLike
    shape: tuple[int, int] = field(metadata={"static": True})

    @property
    def dtype(self) -> jnp.dtype:
        """The discounts' dtype."""
        return jnp.result_type(self.discount)

    @property
    def resident(self) -> int:
        """Numbers held."""
        return 3 * jnp.size(self.discount) + sum(self.shape)

    def astype(self, dtype: jnp.dtype) -> SparseDiscount:
        """The same distortion as JAX arrays of a dtype."""
        rows, columns = jnp.asarray(self.rows), jnp.asarray(self.columns)
        discount = jnp.asarray(self.discount, dtype)
        if not (discount.ndim == 1 and rows.shape == columns.shape == discount.shape):
            raise InputError(
                f"rows, columns and discount must have one shape (pairs,); "
                f"got {rows.shape}, {columns.shape} and {discount.shape}."
            )
        return SparseDiscount(jnp.asarray(self.ceiling, dtype), rows, columns, discount, self.shape)

    def dense(self) -> jax.Array:
        """The matrix, shape (n, m)."""
        full = jnp.full(self.shape, self.ceiling, self.dtype)
        return full.at[self.rows, self.columns].add(-jnp.asarray(self.discount))

    def expected(self, source: jax.Array) -> jax.Array:
        """E d(X, y) of each reproduction, shape (m,)."""
        mass = source[self.rows]
        saved = jnp.where(mass > 0, mass * jnp.asarray(self.discount), 0)
        saved = jax.ops.segment_sum(saved, jnp.asarray(self.columns), self.shape[1])
        return jnp.asarray(self.ceiling) * source.sum() - saved


Structured = PointCloud | SparseDiscount
"""Distortions that stand for a matrix without holding it."""

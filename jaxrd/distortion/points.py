"""Distortions between points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd.distortion.measures import pairwise_squares
from jaxrd.distortion.structured import Structured, refuse_infinite
from jaxrd.errors import InputError
from jaxrd.pytree import register


@register
@dataclass(frozen=True)
class PointCloud(Structured):
    """A distortion between points, d(x, y) = measure(x, y), evaluated some rows at a time and never held whole.

    Goes into a `Problem` in place of a matrix; `blahut_arimoto`, `solve`, `sweep`, `rate_at` and `distortion_at` take
    it. Functions that need the matrix raise an InputError, as do derivatives of solutions.

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

    def refuse(self, occurs: np.ndarray) -> None:
        """Raise if a known coordinate is not finite."""
        refuse_infinite(self.source, "source points", occurs)
        refuse_infinite(self.reproduction, "reproduction points")

    def validate(self) -> None:
        """No further checks: `refuse` has done them all."""

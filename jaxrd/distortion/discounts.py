"""Distortions that are constant but for a few pairs."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import known
from jaxrd.distortion.structured import Structured, refuse_infinite
from jaxrd.errors import InputError
from jaxrd.pytree import register


@register
@dataclass(frozen=True)
class SparseDiscount(Structured):
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
        """The count of numbers held."""
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

    def refuse(self, occurs: np.ndarray) -> None:
        """Raise if a known pair is out of range, or a known number that counts is not finite."""
        rows = known(self.rows)
        for name, values, count in zip(("rows", "columns"), (self.rows, self.columns), self.shape, strict=True):
            index = known(values)
            if index is not None and index.size and not 0 <= index.min() <= index.max() < count:
                raise InputError(f"{name} must lie in 0..{count - 1}; got {index.min()} to {index.max()}.")
        refuse_infinite(self.ceiling, "ceiling")
        refuse_infinite(self.discount, "discount", ... if rows is None else occurs.take(rows, mode="clip"))

    def validate(self) -> None:
        """Raise on a negative discount and on a pair listed twice."""
        if (np.asarray(self.discount) < 0).any():
            raise InputError(f"discount must be >= 0; got {np.min(self.discount):.6g}.")
        indices = np.stack([np.asarray(self.rows), np.asarray(self.columns)])
        pairs, times = np.unique(indices, axis=1, return_counts=True)
        if (times > 1).any():
            x, y = pairs[:, times.argmax()]
            raise InputError(f"no pair may be listed twice; ({x}, {y}) is.")

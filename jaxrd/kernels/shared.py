"""The kernel of a matrix whose rows lie on several devices of a mesh: only sums over rows travel between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxrd.kernels.dense import DenseKernel, dense_kernel, kernel_of
from jaxrd.kernels.protocol import ratio
from jaxrd.pytree import register


@register
@dataclass(frozen=True)
class Shared:
    """The rows of a distortion that one device holds, inside `jax.shard_map`: a shard of an n x m matrix."""

    matrix: jax.Array  # (n / parts, m)
    axis: str = field(metadata={"static": True})  # of the mesh, along which the rows are split
    parts: int = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m), of all rows."""
        rows, m = self.matrix.shape
        return rows * self.parts, m


@register
@dataclass(frozen=True)
class SharedKernel:
    """K of all rows, of which a device holds some; sums over the source letters are sums over all devices.

    Memory of a device: as of a `DenseKernel` of n / parts rows. m numbers travel for a product, m^2 for a Gram matrix.
    """

    part: DenseKernel
    axis: str = field(metadata={"static": True})
    parts: int = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m), of all rows."""
        rows, m = self.part.shape
        return rows * self.parts, m

    @property
    def dtype(self) -> Any:
        """Of K."""
        return self.part.dtype

    @property
    def slopes(self) -> tuple[jax.Array, ...]:
        """One scalar per distortion."""
        return self.part.slopes

    @property
    def minima(self) -> tuple[jax.Array, ...]:
        """min_y d of the rows here."""
        return self.part.minima

    @property
    def feasible(self) -> jax.Array:
        """Of the rows here."""
        return self.part.feasible

    @property
    def sound(self) -> jax.Array:
        """Of the rows here."""
        return self.part.sound

    @property
    def hidden(self) -> jax.Array:
        """Of the rows here."""
        return self.part.hidden

    @property
    def noise(self) -> float:
        """That of a device, and half a unit for each device whose sums are added."""
        return self.part.noise + self.parts / 2

    def _over_all(self, sums: Any) -> Any:
        return jax.lax.psum(sums, self.axis)

    def matvec(self, q: jax.Array) -> jax.Array:
        """K q of the rows here."""
        return self.part.matvec(q)

    def rmatvec(self, weights: jax.Array) -> jax.Array:
        """K' w, shape (m,)."""
        return self._over_all(self.part.rmatvec(weights))

    def sums(self, source: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
        """z = K q of the rows here, and c = K'(p/z), shape (m,)."""
        z = self.matvec(q)
        return z, self.rmatvec(ratio(source, z))

    def mean_excess(self, weights: jax.Array, q: jax.Array) -> tuple[jax.Array, ...]:
        """sum_xy w_x K_xy q_y (d_xy - min_y d_xy) for each distortion."""
        return self._over_all(self.part.mean_excess(weights, q))

    def total(self, of_letters: jax.Array) -> jax.Array:
        """The sum over all source letters, shape ()."""
        return self._over_all(self.part.total(of_letters))

    def least(self, of_letters: jax.Array) -> jax.Array:
        """The least over all source letters, shape (); of bool: whether all are true."""
        here = self.part.least(of_letters)
        if here.dtype == bool:
            return jax.lax.pmin(here.astype(jnp.int32), self.axis) > 0
        return jax.lax.pmin(here, self.axis)

    def held(self) -> SharedKernel:
        """Itself."""
        return self

    def weighted(self, q: jax.Array) -> jax.Array:
        """K diag(q) of the rows here."""
        return self.part.weighted(q)

    def largest(self, weights: jax.Array) -> jax.Array:
        """max_x w_x K_xy, shape (m,)."""
        return jax.lax.pmax(self.part.largest(weights), self.axis)

    def squared_norms(self, rows: jax.Array, columns: jax.Array) -> jax.Array:
        """sum_x (rows_x K_xy columns_y)^2, shape (m,)."""
        return self._over_all(self.part.squared_norms(rows, columns))

    def gram(self, weights: jax.Array, scale: jax.Array, dtype: Any) -> jax.Array:
        """diag(scale) K' diag(w) K diag(scale), shape (m, m); its lower triangle."""
        return self._over_all(self.part.gram(weights, scale, dtype))

    def turned_gram(self, dtype: Any) -> Callable[[jax.Array, jax.Array], jax.Array]:
        """`gram` as a function of (weights, scale), for repeated use."""
        of_part = self.part.turned_gram(dtype)
        return lambda weights, scale: self._over_all(of_part(weights, scale))

    def restricted(self, columns: jax.Array, least: float) -> SharedKernel:
        """The kernel of some reproductions only, shifted anew, no entry below `least`; columns: indices, shape (k,)."""
        return replace(self, part=self.part.restricted(columns, least))

    def astype(self, dtype: Any) -> SharedKernel:
        """The same with K in another dtype."""
        return replace(self, part=self.part.astype(dtype))


@kernel_of.register(Shared)
def _shared_kernel(distortion: Shared, slope: jax.Array) -> SharedKernel:
    """Build the kernel of the rows here.

    Args:
        distortion: its rows.
        slope: >= 0 (inf allowed), nats per unit of distortion.
    """
    return SharedKernel(dense_kernel((distortion.matrix,), (slope,)), distortion.axis, distortion.parts)

"""The kernel of a distortion that is constant but for a few pairs: constant rows and a sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

import jax
import jax.numpy as jnp

from jaxrd.distortion import SparseDiscount
from jaxrd.kernels.dense import kernel_of
from jaxrd.kernels.letters import AllLetters
from jaxrd.kernels.protocol import ratio
from jaxrd.pytree import register


@register
@dataclass(frozen=True)
class SparseKernel(AllLetters):
    """K = exp(-s (d - min_y d)) = b 1' + S of a `SparseDiscount`, S >= 0 on its pairs; O(pairs + n + m) a product."""

    distortion: SparseDiscount
    base: jax.Array  # (n,): b, the value of pairs that are not listed
    entries: jax.Array  # (pairs,): S
    feasible: jax.Array  # (n,) bool: all
    sound: jax.Array  # (n,) bool: no NaN, no inf; other rows are taken as without discounts
    slopes: tuple[jax.Array]
    minima: tuple[jax.Array]  # (n,): min_y d
    hidden: jax.Array  # (n,): zero, because only exact ties count as ties
    largest: jax.Array  # (n,): largest discount of a row

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        return self.distortion.shape

    @property
    def dtype(self) -> jnp.dtype:
        """Of K."""
        return self.distortion.dtype

    @property
    def noise(self) -> float:
        """See `CloudKernel.noise`; sums of n, m or fewer terms."""
        n, m = self.distortion.shape
        return 4 + n**0.5 + m**0.5

    def held(self) -> NoReturn:
        """Its entries are not held.

        Raises:
            InputError: always; says what to do instead.
        """
        self.distortion.__jax_array__()

    def _per_row(self, pairs: jax.Array) -> jax.Array:
        return jax.ops.segment_sum(pairs, jnp.asarray(self.distortion.rows), self.distortion.shape[0])

    def matvec(self, q: jax.Array) -> jax.Array:
        """K q, shape (n,)."""
        return self.base * q.sum() + self._per_row(self.entries * q[self.distortion.columns])

    def rmatvec(self, weights: jax.Array) -> jax.Array:
        """K' w, shape (m,)."""
        d = self.distortion
        pairs = self.entries * weights[d.rows]
        return self.base @ weights + jax.ops.segment_sum(pairs, jnp.asarray(d.columns), d.shape[1])

    def sums(self, source: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
        """z = K q, shape (n,), and c = K'(p/z), shape (m,)."""
        z = self.matvec(q)
        return z, self.rmatvec(ratio(source, z))

    def mean_excess(self, weights: jax.Array, q: jax.Array) -> tuple[jax.Array]:
        """(sum_xy w_x K_xy q_y (d_xy - min_y d_xy),)."""
        d = self.distortion
        q_pairs = q[d.columns]
        discount = jnp.asarray(d.discount)
        # The cost of b 1' alone, less the discounts it ignores; then the cost of the listed pairs.
        overlooked = self.largest * q.sum() - self._per_row(q_pairs * discount)
        own = self._per_row(self.entries * q_pairs * (self.largest[d.rows] - discount))
        return (weights @ (self.base * jnp.maximum(overlooked, 0) + own),)


@kernel_of.register(SparseDiscount)
def _sparse_kernel(distortion: SparseDiscount, slope: jax.Array) -> SparseKernel:
    """Build the kernel.

    Args:
        distortion: the pairs, as arrays.
        slope: >= 0 (inf allowed), nats per unit of distortion.
    """
    n = distortion.shape[0]
    discount, rows = jnp.asarray(distortion.discount), jnp.asarray(distortion.rows)
    info = jnp.finfo(discount.dtype)
    finite = jnp.isfinite(discount)
    sound = jnp.isfinite(jnp.asarray(distortion.ceiling)) & jnp.ones(n, bool).at[rows].min(finite)
    discount = jnp.where(finite, discount, 0)
    distortion = replace(distortion, discount=discount)
    largest = jnp.zeros(n, discount.dtype).at[rows].max(discount)
    s = jnp.clip(slope, info.tiny, info.max)
    # exp(-s (largest - discount)) - exp(-s largest), without the difference.
    entries = jnp.exp(-s * (largest[rows] - discount)) * -jnp.expm1(-s * discount)
    return SparseKernel(
        distortion,
        jnp.exp(-s * largest),
        entries,
        jnp.ones(n, bool),
        sound,
        (slope,),
        (jnp.asarray(distortion.ceiling) - largest,),
        jnp.zeros(n, discount.dtype),
        largest,
    )

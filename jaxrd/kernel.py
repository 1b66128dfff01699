"""The kernel exp(-s d), row-shifted, as an operator: the one seam between the solvers and how distortion is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DenseKernel:
    """K = exp(-(e - min_y e)), e = sum_k s_k d_k, held whole; n source letters (rows), m reproductions (columns).

    The shift puts a 1 in every row, so that the plain exponential is safe at any slope. `transposed` is K' (m, n):
    A @ A' is the fast orientation of the Gram product on CPU. Memory: n * m for K beside the distortions.

    At slope inf only the pairs of least distortion remain, and K is their indicator.
    """

    transposed: jax.Array  # (m, n)
    feasible: jax.Array  # (n,) bool: some reproduction is allowed
    distortions: tuple[jax.Array, ...]  # each (n, m)
    minima: tuple[jax.Array, ...]  # each (n,): min_y d

    def matvec(self, q: jax.Array) -> jax.Array:
        """K q, shape (n,)."""
        return q @ self.transposed

    def rmatvec(self, weights: jax.Array) -> jax.Array:
        """K' w, shape (m,)."""
        return self.transposed @ weights

    def gram(self, weights: jax.Array) -> jax.Array:
        """K' diag(w) K, shape (m, m), for weights >= 0."""
        scaled = self.transposed * jnp.sqrt(weights)
        return scaled @ scaled.T

    def mean_excess(self, weights: jax.Array, q: jax.Array) -> tuple[jax.Array, ...]:
        """sum_xy w_x K_xy q_y (d_xy - min_y d_xy) for each distortion; forbidden pairs carry no mass.

        Beyond the row's least distortion, not from zero: a large offset of d then costs the rate no digits.
        """
        return tuple(
            weights @ (jnp.where(self.transposed > 0, self.transposed * (d.T - low), 0) * q[:, None]).sum(0)
            for d, low in zip(self.distortions, self.minima, strict=True)
        )


def dense_kernel(distortions: Sequence[jax.Array], slopes: Sequence[jax.Array]) -> DenseKernel:
    """Build the kernel of a weighted tuple of distortions.

    Args:
        distortions: arrays of shape (n, m), +inf for forbidden pairs.
        slopes: one scalar each, >= 0 (inf allowed), nats per unit of its distortion.
    """
    total = jnp.zeros((), distortions[0].dtype)
    feasible = jnp.ones((), bool)
    minima = []
    for d, slope in zip(distortions, slopes, strict=True):
        d_min = d.min(1)
        feasible &= ~jnp.isposinf(d_min)
        minima.append(jnp.where(jnp.isfinite(d_min), d_min, 0))
        excess = d - minima[-1][:, None]
        # 0 * inf on either side: no excess costs nothing at slope inf, a forbidden pair stays so at slope 0.
        charged = jnp.where(excess == 0, 0, slope * jnp.where(jnp.isinf(excess), 1, excess))
        total += jnp.where(jnp.isinf(excess), jnp.inf, charged)
    shift = total.min(1)  # zero for one distortion; the least sum of excesses for several
    feasible &= ~jnp.isposinf(shift)
    shift = jnp.where(jnp.isfinite(shift), shift, 0)
    return DenseKernel(
        transposed=jnp.exp(-(total - shift[:, None])).T,
        feasible=jnp.broadcast_to(feasible, shift.shape),
        distortions=tuple(distortions),
        minima=tuple(minima),
    )

"""The kernel of a point cloud too large for a matrix: evaluated in blocks of rows, never held whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import jax
import jax.numpy as jnp

from jaxrd.distortion import PointCloud
from jaxrd.kernels.dense import kernel_of
from jaxrd.kernels.letters import AllLetters
from jaxrd.kernels.protocol import ratio
from jaxrd.pytree import register


@register
@dataclass(frozen=True)
class CloudKernel(AllLetters):
    """K = exp(-s (d - min_y d)) of a `PointCloud`, with the interface of `DenseKernel` and memory for a few blocks.

    Every method evaluates the kernel once. Pairs within rounding of their row's least distortion count as tied with
    it: the least may be rounded differently when it is computed again.
    """

    cloud: PointCloud
    feasible: jax.Array  # (n,) bool: some reproduction is allowed
    sound: jax.Array  # (n,) bool: no NaN, no -inf; what K holds in other rows means nothing, but is finite
    slopes: tuple[jax.Array]
    minima: tuple[jax.Array]  # (n,): min_y d
    hidden: jax.Array  # (n,): the largest s (d - min_y d) that counts as a tie, nats

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        return self.cloud.shape

    @property
    def dtype(self) -> jnp.dtype:
        """Of K."""
        return self.cloud.dtype

    @property
    def noise(self) -> float:
        """What the certificate allows for rounding, in rounding units of its sums.

        It grows with the coordinates behind a distance, and with the root of the terms in a sum: their errors are
        independent (N. Higham and T. Mary, A new approach to probabilistic rounding error analysis, SIAM J. Sci.
        Comput. 2019).
        """
        n, m = self.cloud.shape
        return 4 + jnp.shape(self.cloud.source)[1] + n**0.5 + m**0.5

    def held(self) -> NoReturn:
        """Its entries are not held.

        Raises:
            InputError: always; says what to do instead.
        """
        self.cloud.__jax_array__()

    def _rows(self, x: jax.Array, low: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The block of K and of d - min_y d of some rows, each (rows, m)."""
        cloud = self.cloud
        info = jnp.finfo(low.dtype)
        d = cloud.measure(x, jnp.asarray(cloud.reproduction))
        excess = jnp.where(_ties(d, low, x.shape[1]), 0, d - low[:, None])
        k = jnp.exp(-jnp.clip(self.slopes[0], info.tiny, info.max) * excess)
        return jnp.where(excess >= 0, k, 0), excess

    def _scan(self, add: Callable, start: Any, *per_row: jax.Array) -> tuple[Any, Any]:
        """add(carry, block of K, block of d - min_y d, *blocks of per_row) over all blocks; outputs are per row."""
        cloud = self.cloud
        arrays = jnp.asarray(cloud.source), *self.minima, *per_row

        def step(carry, block):
            x, low, *others = block
            k, excess = self._rows(x, low)
            return add(carry, k, excess, *others)

        end, out = jax.lax.scan(step, start, tuple(cloud.split(a) for a in arrays))
        return end, None if out is None else out.reshape(-1)[: cloud.shape[0]]

    def matvec(self, q: jax.Array) -> jax.Array:
        """K q, shape (n,)."""
        return self._scan(lambda _, k, excess: (None, k @ q), None)[1]

    def rmatvec(self, weights: jax.Array) -> jax.Array:
        """K' w, shape (m,)."""
        zero = jnp.zeros(self.cloud.shape[1], weights.dtype)
        return self._scan(lambda total, k, excess, w: (total + w @ k, None), zero, weights)[0]

    def sums(self, source: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
        """z = K q, shape (n,), and c = K'(p/z), shape (m,), from one evaluation of the kernel."""

        def add(total, k, excess, p):
            k = jax.lax.optimization_barrier(k)  # else XLA computes the exponentials twice, once for each product
            z = k @ q
            return total + ratio(p, z) @ k, z

        c, z = self._scan(add, jnp.zeros_like(q), source)
        return z, c

    def mean_excess(self, weights: jax.Array, q: jax.Array) -> tuple[jax.Array]:
        """(sum_xy w_x K_xy q_y (d_xy - min_y d_xy),); forbidden pairs carry no mass."""

        def add(total, k, excess, w):
            return total + w @ (jnp.where(k > 0, k * excess, 0) @ q), None

        return (self._scan(add, jnp.zeros((), q.dtype), weights)[0],)


def _ties(d: jax.Array, low: jax.Array, coordinates: int) -> jax.Array:
    """Which pairs lie within rounding of the least of their row."""
    return d - low[:, None] <= (4 + coordinates) * jnp.finfo(low.dtype).eps * jnp.abs(low)[:, None]


@kernel_of.register(PointCloud)
def _cloud_kernel(cloud: PointCloud, slope: jax.Array) -> CloudKernel:
    """Build the kernel: one pass over the pairs, for the row minima.

    Args:
        cloud: n source and m reproduction points, as arrays.
        slope: >= 0 (inf allowed), nats per unit of distortion.
    """
    x, y = jnp.asarray(cloud.source), jnp.asarray(cloud.reproduction)

    def least(x):
        d = cloud.measure(x, y)
        # The sum, because XLA's minimum on CPU loses NaN on large arrays.
        low = jnp.where(jnp.isnan(d.sum(1)), jnp.nan, d.min(1))
        return low, jnp.where(_ties(d, low, x.shape[1]), d - low[:, None], 0).max(1)

    low, tied = (a.reshape(-1)[: cloud.shape[0]] for a in jax.lax.map(least, cloud.split(x)))
    minima = jnp.where(jnp.isfinite(low), low, 0)
    hidden = jnp.where(jnp.isfinite(slope) & jnp.isfinite(tied), slope * jnp.maximum(tied, 0), 0)
    return CloudKernel(cloud, ~jnp.isposinf(low), low > -jnp.inf, (slope,), (minima,), hidden)

"""The kernel exp(-s d), row-shifted, as an operator: the interface between the solvers and a distortion's storage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp

from jaxrd.kernels.letters import RUN, AllLetters
from jaxrd.kernels.protocol import Kernel, ratio
from jaxrd.pytree import register

_BLOCK = (2**15, 2**18)
"""Entries of a block of rows of K that a core's cache holds: least, most."""
_NARROW = 16
"""Least number of rows of a block: with fewer the sums over blocks cost more than the cache saves."""
_PANEL = (500, 1250)
"""Rows of a block whose product with itself is added to a Gram matrix: enough for the product to run at full speed."""


@register
@dataclass(frozen=True)
class DenseKernel(AllLetters):
    """K = exp(-(e - min_y e)), e = sum_k s_k d_k, held whole; n source letters (rows), m reproductions (columns).

    The shift puts a 1 in every row, so that the plain exponential is safe at any slope. Memory: n * m for K beside
    the distortions.

    At slope inf only the pairs of least distortion remain, and K is their indicator.
    """

    matrix: jax.Array  # (n, m)
    feasible: jax.Array  # (n,) bool: some reproduction is allowed
    sound: jax.Array  # (n,) bool: no NaN, no -inf; what K holds in other rows means nothing, but is finite
    slopes: tuple[jax.Array, ...]  # one scalar per distortion
    distortions: tuple[jax.Array, ...]  # each (n, m)
    minima: tuple[jax.Array, ...]  # each (n,): min_y d
    hidden: jax.Array  # (n,): the largest s (d - min_y d) that counts as a tie, nats

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        n, m = self.matrix.shape
        return n, m

    @property
    def dtype(self) -> jnp.dtype:
        """Of K."""
        return self.matrix.dtype

    @property
    def noise(self) -> float:
        """What the certificate allows for rounding, in rounding units of its sums."""
        # 4 were once exceeded, by a hundredth, in 1000 problems in float32; sums of more rows round worse.
        return 8 * max(1.0, math.sqrt(self.matrix.shape[0] / 4096))

    def sums(self, source: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
        """z = K q, shape (n,), and c = K'(p/z), shape (m,): what a step and a certificate need."""
        z = self.matvec(q)
        return z, self.rmatvec(ratio(source, z))

    def matvec(self, q: jax.Array) -> jax.Array:
        """K q, shape (n,)."""
        return self.matrix @ q

    def rmatvec(self, weights: jax.Array) -> jax.Array:
        """K' w, shape (m,)."""
        # In runs of rows: XLA on CPU otherwise adds all of them up one by one, off by 700 units of 10 000 equal terms,
        # and keeps no part of K in the cache.
        n = len(weights)
        if n <= RUN or jax.default_backend() != "cpu":
            return weights @ self.matrix
        rows = _divisor(n, 16, RUN)
        if rows < n:
            return _in_runs(weights, self.matrix, rows)
        rest = n % RUN  # no divisor: what is left over is added apart
        return weights[:rest] @ self.matrix[:rest] + _in_runs(weights[rest:], self.matrix[rest:], RUN)

    def gram(self, weights: jax.Array, scale: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """diag(scale) K' diag(w) K diag(scale) for w >= 0, shape (m, m), multiplied in `dtype`.

        Only its lower triangle is valid: on CPU large ones are computed in strips up to the diagonal, a third cheaper.
        """
        m = scale.shape[0]
        k = _strip(m)
        w = jnp.sqrt(weights)[:, None]
        parts = [(w * self.matrix[:, i : i + k] * scale[i : i + k]).astype(dtype) for i in range(0, m, k)]
        rows = [jnp.concatenate([_product(a.T, b) for b in parts[: i + 1]], 1) for i, a in enumerate(parts)]
        return _stacked(rows)

    def turned_gram(self, dtype: jnp.dtype) -> Callable[[jax.Array, jax.Array], jax.Array]:
        """`gram` for repeated use, on a transposed copy of K in `dtype`: XLA on CPU multiplies that faster."""
        (n, m), k = self.matrix.shape, _strip(self.matrix.shape[1])
        blocks = self.matrix.reshape(-1, _divisor(n, *_PANEL), m)
        turned = jax.lax.map(lambda block: block.astype(dtype).T, blocks)

        def gram(weights: jax.Array, scale: jax.Array) -> jax.Array:
            w, r = jnp.sqrt(weights).astype(dtype).reshape(blocks.shape[:2]), scale.astype(dtype)[:, None]

            def add(strips, block):
                a = r * block[0] * block[1]
                starts = range(0, m, k)
                return [s + _product(a[i : i + k], a[: i + k].T) for s, i in zip(strips, starts, strict=True)], None

            blank = [jnp.zeros((min(k, m - i), min(m, i + k)), dtype) for i in range(0, m, k)]
            return _stacked(jax.lax.scan(add, blank, (turned, w))[0])

        return gram

    def mean_excess(self, weights: jax.Array, q: jax.Array) -> tuple[jax.Array, ...]:
        """sum_xy w_x K_xy q_y (d_xy - min_y d_xy) for each distortion; forbidden pairs carry no mass.

        Relative to the row's least distortion, not to zero: then a large offset of d costs the rate no digits.
        """
        rows = _rows(*self.matrix.shape)

        def add(total, block):
            w, k, d, low = block
            # A product, not a sum over y: XLA would add the terms one by one, which rounds worse.
            return total + w @ (jnp.where(k > 0, k * _excess(d, low), 0) @ q), None

        def of(d, low):
            blocks = [a.reshape(-1, rows, *a.shape[1:]) for a in (weights, self.matrix, d, low)]
            return jax.lax.scan(add, jnp.zeros((), q.dtype), blocks)[0]

        # Behind the barrier: otherwise XLA keeps the excess from building K, which doubles the memory.
        return tuple(map(of, jax.lax.optimization_barrier(self.distortions), self.minima))

    def held(self) -> DenseKernel:
        """Itself."""
        return self

    def weighted(self, q: jax.Array) -> jax.Array:
        """K diag(q), shape (n, m)."""
        return self.matrix * q

    def largest(self, weights: jax.Array) -> jax.Array:
        """max_x w_x K_xy, shape (m,)."""
        return (weights[:, None] * self.matrix).max(0)

    def squared_norms(self, rows: jax.Array, columns: jax.Array) -> jax.Array:
        """sum_x (rows_x K_xy columns_y)^2, shape (m,)."""
        return ((rows[:, None] * self.matrix * columns) ** 2).sum(0)

    def restricted(self, columns: jax.Array, least: float) -> DenseKernel:
        """The kernel of some reproductions only, shifted anew, no entry below `least`; columns: indices, shape (k,)."""
        part = dense_kernel([d[:, columns] for d in self.distortions], self.slopes)
        return replace(part, matrix=jnp.maximum(part.matrix, least))

    def astype(self, dtype: Any) -> DenseKernel:
        """The same with K in another dtype."""
        return replace(self, matrix=self.matrix.astype(dtype))


def _in_runs(weights: jax.Array, matrix: jax.Array, rows: int) -> jax.Array:
    return jnp.einsum("bx,bxy->by", weights.reshape(-1, rows), matrix.reshape(-1, rows, matrix.shape[1])).sum(0)


def _divisor(n: int, low: float, high: float) -> int:
    """The largest divisor of n from low to high; n where there is none, or where blocks do not pay."""
    if jax.default_backend() != "cpu":
        return n
    return max((k for k in range(math.ceil(low), min(n, int(high)) + 1) if n % k == 0), default=n)


def _rows(n: int, m: int) -> int:
    """Rows of a block that stays in the cache."""
    least, most = _BLOCK
    return _divisor(n, max(_NARROW, least / m), most / m)


def _strip(m: int) -> int:
    """Rows of a strip of a symmetric m x m matrix, of which only the part below the diagonal is computed."""
    return m if m < 256 or jax.default_backend() != "cpu" else -(-m // 3)


def _stacked(strips: Sequence[jax.Array]) -> jax.Array:
    """Strips of a lower triangle, each as long as its last row, as one square."""
    m = strips[-1].shape[1]
    return jnp.concatenate([jnp.pad(strip, ((0, 0), (0, m - strip.shape[1]))) for strip in strips])


def _ties(d: jax.Array, low: jax.Array) -> jax.Array:
    """Which pairs lie within rounding of the least of their row.

    Inside a larger jit XLA may compute d again for each use, with other rounding than for its least.
    """
    return d - low[:, None] <= 4 * jnp.finfo(d.dtype).eps * jnp.abs(low)[:, None]


def _excess(d: jax.Array, low: jax.Array) -> jax.Array:
    """d beyond the least of its row; zero for a tie."""
    return jnp.where(_ties(d, low), 0, d - low[:, None])


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def dense_kernel(distortions: Sequence[jax.Array], slopes: Sequence[jax.Array]) -> DenseKernel:
    """Build the kernel of a weighted tuple of distortions.

    Args:
        distortions: arrays of shape (n, m), +inf for forbidden pairs.
        slopes: one scalar each, >= 0 (inf allowed), nats per unit of its distortion.
    """
    # The sum, because XLA's minimum on CPU loses NaN on large arrays (the minimum of NaN alone is inf).
    least = [jnp.where(jnp.isnan(d.sum(1)), jnp.nan, d.min(1)) for d in distortions]
    feasible = jnp.stack([~jnp.isposinf(low) for low in least]).all(0)
    sound = jnp.stack([low > -jnp.inf for low in least]).all(0)
    minima = tuple(jnp.where(jnp.isfinite(low), low, 0) for low in least)
    # 0 * inf on either side: no excess costs nothing at slope inf, a forbidden pair stays so at slope 0.
    info = jnp.finfo(distortions[0].dtype)
    total, hidden = jnp.zeros((), info.dtype), jnp.zeros(minima[0].shape, info.dtype)
    for d, slope, low in zip(distortions, slopes, minima, strict=True):
        total += jnp.clip(slope, info.tiny, info.max) * _excess(d, low)
        hidden += jnp.where(jnp.isfinite(slope), slope, 0) * jnp.where(_ties(d, low), d - low[:, None], 0).max(1)
    if len(distortions) > 1:  # each has a zero in every row, their sum may have none
        shift = total.min(1)
        feasible &= ~jnp.isposinf(shift)
        total -= jnp.where(jnp.isfinite(shift), shift, 0)[:, None]
    # NaN and what lies below a minimum that is -inf: a letter of mass zero may hold them, and 0 * NaN would spread.
    matrix = jnp.where(total >= 0, jnp.exp(-total), 0)
    return DenseKernel(matrix, feasible, sound, tuple(slopes), tuple(distortions), minima, jnp.maximum(hidden, 0))


@singledispatch
def kernel_of(distortion: Any, slope: jax.Array) -> Kernel:
    """Build the kernel of a distortion: of an array a `DenseKernel`, else what is registered for its type.

    Args:
        distortion: n x m.
        slope: >= 0 (inf allowed), nats per unit of distortion.
    """
    return dense_kernel((jnp.asarray(distortion),), (slope,))

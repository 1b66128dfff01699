"""The kernel of a distortion that is made a block of rows at a time: what one pass over its rows adds up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._threads import side_by_side
from jaxrd.distortion.streamed import Streamed
from jaxrd.kernels.dense import dense_kernel
from jaxrd.kernels.letters import RUN, added_up
from jaxrd.kernels.protocol import ratio


class Sums(NamedTuple):
    """At a reproduction law q, over all rows: what Newton's method and the certificate need."""

    c: Any
    """sum_x p_x K_xy / z_x, shape (m,)."""
    gram: Any
    """sum_x p_x K_xy K_xy' / z_x^2, shape (m, m); its lower triangle, or None."""
    objective: Any
    """- sum_x p_x ln z_x."""
    excess: Any
    """sum_x p_x E(d - min_y d | x)."""
    least: Any
    """sum_x p_x min_y d."""
    size: Any
    """sum_x p_x |min_y d|."""
    ties: Any
    """The largest s (d - min_y d) that counts as a tie in a row of positive mass."""
    shrink: Any
    """The least z_x over its value before."""
    sendable: Any
    """Whether every row of positive mass has a reproduction that is not forbidden."""
    sound: Any
    """Whether none of them holds NaN or -inf."""


_LEAST = ("shrink", "sendable", "sound")


@partial(jax.jit, static_argnames=("build", "precision"))
def _block(
    data: Any, source: jax.Array, z: jax.Array, q: jax.Array, slope: jax.Array, *, build: Callable, precision: Any
) -> tuple[jax.Array, Sums]:
    kernel = dense_kernel((build(data).astype(q.dtype),), (slope,))
    occurs = source > 0
    p = jnp.where(kernel.feasible & kernel.sound, source, 0)
    new_z = kernel.matvec(q)
    w = ratio(p, new_z)
    gram = None
    if precision is not None:
        gram = kernel.gram(w / jnp.where(p > 0, new_z, 1), jnp.ones_like(q), precision)
    (excess,), (low,) = kernel.mean_excess(w, q), kernel.minima
    return new_z, Sums(
        kernel.rmatvec(w),
        gram,
        added_up(-jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, new_z, 1)), 0)),
        excess,
        p @ low,
        p @ jnp.abs(low),
        jnp.where(p > 0, kernel.hidden, 0).max(),
        jnp.where(p > 0, new_z / jnp.where(z > 0, z, 1), jnp.inf).min(),
        jnp.all(kernel.feasible | ~occurs),
        jnp.all(jnp.where(kernel.sound, source >= 0, ~occurs)),
    )


class StreamedKernel:
    """K of a `Streamed` distortion at a slope; each call of `sums` is one pass over its rows.

    Args:
        distortion: n x m.
        source: p in blocks, from `source_blocks`.
        slope: s >= 0, nats per unit of distortion; inf allowed.
    """

    def __init__(self, distortion: Streamed, source: list[jax.Array], slope: float):
        self.distortion, self.source = distortion, source
        self.slope = np.asarray(slope, source[0].dtype)
        self.z = [jnp.zeros_like(source[0])] * len(source)  # of the last pass

    @property
    def noise(self) -> float:
        """As of a `DenseKernel`, and half a unit for each term of the sums of runs, of blocks, and of all blocks."""
        return 8 + (RUN + self.distortion.rows / RUN + len(self.source)) / 2

    def sums(self, q: np.ndarray, precision: Any) -> Sums:
        """One pass at q; Gram matrix in `precision`, or None without one. `z` then holds K q."""
        q, new_z = jax.device_put(q), [self.source[0]] * len(self.source)

        def one(i: int) -> Sums:
            data = self.distortion.block(*self.distortion.blocks()[i])
            build = self.distortion.build
            new_z[i], found = _block(data, self.source[i], self.z[i], q, self.slope, build=build, precision=precision)
            return jax.device_get(found)

        total = None
        for found in side_by_side(one, range(len(self.source))):
            total = found if total is None else _added(total, found)
        assert total is not None
        self.z = new_z
        return total


def source_blocks(distortion: Streamed, source: np.ndarray) -> list[jax.Array]:
    """The source in the blocks of a distortion, zero where the last one is filled."""
    return [jax.device_put(distortion.part(source, *ends)) for ends in distortion.blocks()]


def _added(total: Sums, found: Sums) -> Sums:
    return Sums(
        *(
            None if a is None else np.maximum(a, b) if name == "ties" else np.minimum(a, b) if name in _LEAST else a + b
            for name, a, b in zip(Sums._fields, total, found, strict=True)
        )
    )

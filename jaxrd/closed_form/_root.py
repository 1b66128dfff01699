"""The root of a monotone function, differentiable in everything the function depends on."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import entr


def floats(*values: jax.typing.ArrayLike) -> list[jax.Array]:
    """The values as JAX arrays of one floating dtype, broadcast against each other."""
    arrays = [jnp.asarray(v) for v in values]
    dtype = jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
    return jnp.broadcast_arrays(*(a.astype(dtype) for a in arrays))


def vertical(distortion: jax.Array) -> jax.Array:
    """Zero, with the derivative -inf at distortion 0: it is added to an R(D) whose slope there is infinite.

    So a closed form has the same derivative at the least distortion as `rate_at`.
    """
    least = distortion == 0
    return jnp.where(least, -entr(jnp.where(least, distortion, 1)), 0)


def monotone_root(f: Callable[[jax.Array], jax.Array], low: jax.Array, high: jax.Array, steps: int = 90) -> jax.Array:
    """x in [low, high] with f(x) = 0 for an increasing elementwise f, by bisection, then two Newton steps.

    Bisection stops gradients; the two Newton steps restore first and second derivatives (Newton's map has a
    vanishing derivative at the root, so what it adds is the implicit function theorem).
    """
    low, high = jax.lax.stop_gradient((low, high))

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        below = jax.lax.stop_gradient(f(middle)) < 0
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = jax.lax.fori_loop(0, steps, halve, (low, high))
    x = 0.5 * (low + high)
    for _ in range(2):
        value, slope = jax.jvp(f, (x,), (jnp.ones_like(x),))
        usable = jnp.isfinite(value) & jnp.isfinite(slope) & (slope > 0)
        x = x - jnp.where(usable, value, 0) / jnp.where(usable, slope, 1)
    return x

"""Derivatives of an optimum's value by the envelope theorem, and NaN for those that it does not give."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def envelope(lagrangian: Callable[[Any, Any], jax.Array], given: Any, optimum: Any, value: jax.Array) -> jax.Array:
    """The value of an optimum, whose derivative is that of the Lagrangian with the optimum held.

        d value = d/d given lagrangian(given, optimum)

    Args:
        lagrangian: a function of (given, optimum) that closes over no array.
        given: what the problem is made of, a pytree.
        optimum: primal and dual variables, a pytree; `underivable` where their own derivatives are not known, so that
            the second derivative of the value is NaN instead of wrong.
        value: a scalar.
    """
    del lagrangian, given, optimum
    return value


@envelope.defjvp
def _(lagrangian, primals, tangents):
    given, optimum, value = primals
    change = jax.jvp(lambda x: lagrangian(x, optimum), (given,), (tangents[0],))[1]
    return envelope(lagrangian, given, optimum, value), change.astype(value.dtype)


@jax.custom_jvp
def underivable(given: Any, result: Any) -> Any:
    """`result`, with NaN for its derivatives in `given`, because no rule for them is implemented.

    NaN appears only where a derivative is asked for: a tangent or cotangent of zero stays zero.
    """
    del given
    return result


@underivable.defjvp
def _(primals, tangents):
    given, result = primals
    leaves, tree = jax.tree.flatten(result)
    moved = [t for t in jax.tree.leaves(tangents[0]) if t.dtype != jax.dtypes.float0]
    numbers = [x for x in jax.tree.leaves(given) if jnp.issubdtype(x.dtype, jnp.inexact) and x.size]
    # Zero, but not a constant for the compiler, which would multiply constants in advance.
    zero = 0 * jnp.clip(jnp.nan_to_num(numbers[0].ravel()[0]), 0, 1)

    def still(x: jax.Array) -> Any:
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            return np.zeros(x.shape, jax.dtypes.float0)
        any_moved = sum((_unknown(t, zero).sum().astype(x.dtype) for t in moved), jnp.zeros((), x.dtype))
        return _unknown(jnp.broadcast_to(any_moved, x.shape), zero)

    return underivable(given, result), jax.tree.unflatten(tree, map(still, leaves))


def _unknown(rate: jax.Array, zero: jax.Array) -> jax.Array:
    """NaN where not zero. It is linear as it is written, so that JAX transposes and batches it as any product."""
    zero = jax.lax.stop_gradient(zero).astype(rate.dtype)
    huge = jnp.finfo(rate.dtype).max + zero
    return rate * huge * huge * zero * huge * huge  # 0 or inf, times 0; read from either end

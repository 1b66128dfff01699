"""Bounds of perception at zero, where no optimum of the dual is bounded."""

from __future__ import annotations

import jax
import jax.numpy as jnp

RELAXED = 1e-11
"""Least bound, relative to the measure's scale, that the iteration uses: at zero no optimum of the dual is bounded."""


def relaxed(bound: jax.Array) -> jax.Array:
    """A finite bound, at least RELAXED, whose derivative is one there too: a slope at zero is not lost."""
    return bound + jax.lax.stop_gradient(jnp.maximum(bound, RELAXED) - bound)

"""Scalar quantiser of h latent coordinates to L levels, with shared dither, whose backward pass is soft."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def codes(dimensions: int, levels: int) -> jax.Array:
    """All latent vectors with coordinates among L uniform centres in [-1, 1], the last coordinate fastest.

    The rate is at most h log2 L bits: that many messages.

    Args:
        dimensions: h.
        levels: L >= 2.

    Returns:
        Shape (L^h, h).

    >>> codes(2, 2).tolist()
    [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    """
    axes = jnp.meshgrid(*[jnp.linspace(-1.0, 1.0, levels)] * dimensions, indexing="ij")
    return jnp.stack(axes, -1).reshape(-1, dimensions)


def dither(key: jax.Array, dimensions: int, levels: int, width: jax.Array | float) -> jax.Array:
    """u ~ U[-a/2, a/2) in each coordinate, a = width * 2 / (L - 1): encoder and decoder share it.

    Args:
        key: common randomness.
        dimensions: h.
        levels: L.
        width: 1 for a whole cell, 0 for none.
    """
    return width / (levels - 1) * jax.random.uniform(key, (dimensions,), minval=-1.0)


def soft_messages(latent: jax.Array, levels: int, sharpness: jax.Array | float) -> jax.Array:
    """Probability of every message when each coordinate is assigned softly to the L centres.

        prod_k softmax_l(-sharpness ((latent_k - c_l) / cell)^2),   cell = 2 / (L - 1)

    Args:
        latent: f(x) + u, shape (batch, h).
        levels: L.
        sharpness: inverse temperature; the nearest centre takes all as it grows.

    Returns:
        Shape (batch, L^h), in the order of `codes`.
    """
    centres = jnp.linspace(-1.0, 1.0, levels)
    cells = (latent[..., None] - centres) * (levels - 1) / 2
    shares = jax.nn.softmax(-sharpness * cells**2)  # (batch, h, L)
    messages = shares[:, 0]
    for k in range(1, latent.shape[-1]):
        messages = (messages[:, :, None] * shares[:, k, None, :]).reshape(len(latent), -1)
    return messages


def nearest_messages(latent: jax.Array, levels: int) -> jax.Array:
    """Message of the nearest centre in every coordinate, clipped at the ends: integers of shape (batch,).

    >>> nearest_messages(jnp.array([[-0.9, 0.2], [7.0, 0.6]]), 3).tolist()
    [1, 8]
    """
    digits = jnp.clip(jnp.round((latent + 1) / 2 * (levels - 1)), 0, levels - 1).astype(int)
    powers = levels ** jnp.arange(latent.shape[-1] - 1, -1, -1)
    return digits @ powers


def straight_through(latent: jax.Array, levels: int, sharpness: jax.Array | float) -> jax.Array:
    """One-hot nearest messages forward, the gradient of `soft_messages` backward: shape (batch, L^h)."""
    soft = soft_messages(latent, levels, sharpness)
    hard = jax.nn.one_hot(nearest_messages(latent, levels), soft.shape[-1], dtype=soft.dtype)
    return hard + soft - jax.lax.stop_gradient(soft)

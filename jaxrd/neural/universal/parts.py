"""Encoder and decoder around a user's networks: each adds its network to a linear map."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

_LEAK = 0.02


class Encoder(nnx.Module):
    """Images to latent vectors: a linear map, which begins as principal components, and a network's correction.

        f(x) = (x - mean) A + network(x)

    Args:
        network: (n, *shape) -> (n, width).
        pixels: of an image.
        width: coordinates of a latent vector.
    """

    def __init__(self, network: nnx.Module, pixels: int, width: int):
        self.network = network
        self.mean: nnx.Param[jax.Array] = nnx.Param(jnp.zeros(pixels))
        self.linear: nnx.Param[jax.Array] = nnx.Param(jnp.zeros((pixels, width)))

    def __call__(self, images: jax.Array) -> jax.Array:
        """Shape (n, *shape) -> (n, width)."""
        network: Any = self.network
        return (images.reshape(len(images), -1) - self.mean[...]) @ self.linear[...] + network(images)


class Decoder(nnx.Module):
    """Latent vectors, and noise of its own, to images: a linear map and a network's correction.

        g(z) = mean + z B + network(z, noise)

    Args:
        network: (n, width + noise) -> (n, *shape).
        shape: of an image.
        width: coordinates of a latent vector.
        noise: coordinates of standard normal noise, 0 for a deterministic decoder.
    """

    def __init__(self, network: nnx.Module, shape: tuple[int, ...], width: int, noise: int = 0):
        self.noise: int
        self.shape: tuple[int, ...]
        self.network: nnx.Module
        self.network, self.shape, self.noise = network, shape, noise
        self.mean: nnx.Param[jax.Array] = nnx.Param(jnp.zeros(math.prod(shape)))
        self.linear: nnx.Param[jax.Array] = nnx.Param(jnp.zeros((width, math.prod(shape))))

    def __call__(self, latent: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Shape (n, width) -> (n, *shape), not yet confined to [0, 1]; without a key the noise is 0."""
        network: Any = self.network
        images = (self.mean[...] + latent @ self.linear[...]).reshape(len(latent), *self.shape)
        if not self.noise:
            return images + network(latent)
        size = (len(latent), self.noise)
        drawn = jnp.zeros(size) if key is None else jax.random.normal(key, size)
        return images + network(jnp.concatenate([latent, drawn], -1))


def leaky(images: jax.Array) -> jax.Array:
    """Images confined to [0, 1] but for a small slope outside, so that training can bring them back."""
    inside = jnp.clip(images, 0, 1)
    return inside + _LEAK * (images - inside)


def begun_from(decoder: Decoder, other: Decoder) -> None:
    """Give a decoder the weights of another with less noise, in place: it makes the same images then.

    Weights of what the other does not take, the further noise, become 0; those of another shape stay as they are.
    """
    extra = decoder.noise - other.noise

    def taken(own: jax.Array, given: jax.Array) -> jax.Array:
        if own.shape == given.shape:
            return given
        if own.ndim and own.shape == (len(given) + extra, *given.shape[1:]):
            return jnp.concatenate([given, jnp.zeros((extra, *given.shape[1:]), given.dtype)])
        return own

    state = nnx.state(decoder)
    pure = jax.tree.map(taken, nnx.to_pure_dict(state), nnx.to_pure_dict(nnx.state(other)))
    nnx.replace_by_pure_dict(state, pure)
    nnx.update(decoder, state)

"""Encoder, decoder and critic from matrix products alone: convolution gradients are slow on CPU."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrd.neural.quantizer import codes

PIXELS = 784


def _patches(x: jax.Array, size: int) -> jax.Array:
    """Patches of 2 size x 2 size pixels at every second pixel of (batch, n, n, channels), as channels."""
    b, n, _, c = x.shape
    # Blocks of 2 x 2 first: the patches are then whole slices, whose gradients are cheap.
    x = x.reshape(b, n // 2, 2, n // 2, 2, c).swapaxes(2, 3).reshape(b, n // 2, n // 2, 4 * c)
    m = n // 2 - size + 1
    return jnp.concatenate([x[:, i : i + m, j : j + m] for i in range(size) for j in range(size)], axis=-1)


class Encoder(nnx.Module):
    """Images to h latent coordinates in [-1, 1].

    Two layers on strided patches, a hidden layer, a softmax over all L^h codes, whose mean code is the output: it
    learns in a fraction of the epochs of tanh coordinates, which must cross the cells between two codes.
    There are no batch statistics, so that only parameters are to be frozen.
    """

    def __init__(self, dimensions: int, levels: int, *, rngs: nnx.Rngs):
        self.levels: int
        self.dimensions: int
        self.dimensions, self.levels = dimensions, levels
        self.patch1: nnx.Linear = nnx.Linear(36, 32, rngs=rngs)
        self.patch2: nnx.Linear = nnx.Linear(16 * 32, 64, rngs=rngs)
        self.hidden: nnx.Linear = nnx.Linear(25 * 64, 128, rngs=rngs)
        self.head: nnx.Linear = nnx.Linear(128, levels**dimensions, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Vectors of 784 pixels in [0, 1], shape (batch, 784) -> (batch, h)."""
        x = images.reshape(-1, 28, 28, 1)
        x = nnx.leaky_relu(self.patch1(_patches(x, 3)))  # 12 x 12
        x = nnx.leaky_relu(self.patch2(_patches(x, 2)))  # 5 x 5
        x = nnx.leaky_relu(self.hidden(x.reshape(len(x), 25 * 64)))
        return nnx.softmax(self.head(x)) @ codes(self.dimensions, self.levels)


class Decoder(nnx.Module):
    """Latent coordinates to images: h-128-512-784."""

    def __init__(self, dimensions: int, *, rngs: nnx.Rngs):
        self.hidden1: nnx.Linear = nnx.Linear(dimensions, 128, rngs=rngs)
        self.hidden2: nnx.Linear = nnx.Linear(128, 512, rngs=rngs)
        self.head: nnx.Linear = nnx.Linear(512, PIXELS, rngs=rngs)

    def __call__(self, latent: jax.Array) -> jax.Array:
        """Shape (batch, h) -> vectors of 784 pixels in [0, 1]."""
        x = nnx.leaky_relu(self.hidden1(latent))
        x = nnx.leaky_relu(self.hidden2(x))
        return nnx.sigmoid(self.head(x))


class Critic(nnx.Module):
    """Images to a score, 784-256-128-1; its Lipschitz constant is held near 1 by the gradient penalty."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.hidden1: nnx.Linear = nnx.Linear(PIXELS, 256, rngs=rngs)
        self.hidden2: nnx.Linear = nnx.Linear(256, 128, rngs=rngs)
        self.head: nnx.Linear = nnx.Linear(128, 1, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Vectors of 784 pixels, shape (batch, 784) -> (batch,)."""
        x = nnx.leaky_relu(self.hidden1(images))
        x = nnx.leaky_relu(self.hidden2(x))
        return self.head(x)[:, 0]

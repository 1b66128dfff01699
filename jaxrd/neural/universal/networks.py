"""Pairs of networks for an autoencoder: dense layers, and a small convolutional pair made of matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

Pair = Callable[..., tuple[nnx.Module, nnx.Module]]
"""pair(shape, width, noise, rngs=...): encoder (n, *shape) -> (n, width), decoder (n, width + noise) -> (n, *shape)."""


class Dense(nnx.Module):
    """Dense layers with ReLU between them; the last layer begins `last` times smaller.

    Args:
        widths: of input, hidden layers, output.
        out: shape of an output, of the last width.
        last: 0.1 for a correction to a linear map.
        rngs: of the weights.
    """

    def __init__(self, widths: Sequence[int], out: tuple[int, ...], *, last: float = 1.0, rngs: nnx.Rngs):
        he = nnx.initializers.he_normal()
        small = nnx.initializers.variance_scaling(2 * last**2, "fan_in", "normal")
        inits = [he] * (len(widths) - 2) + [small]
        self.layers: nnx.List[nnx.Linear] = nnx.List(
            nnx.Linear(a, b, kernel_init=init, rngs=rngs) for (a, b), init in zip(pairwise(widths), inits, strict=True)
        )
        self.out = out

    def __call__(self, x: jax.Array) -> jax.Array:
        """Shape (n, ...) -> (n, *out)."""
        x = x.reshape(len(x), -1)
        for layer in self.layers[:-1]:
            x = nnx.relu(layer(x))
        return self.layers[-1](x).reshape(len(x), *self.out)


def dense(
    shape: tuple[int, ...], width: int, noise: int = 0, *, hidden: Sequence[int] = (1024, 512), rngs: nnx.Rngs
) -> tuple[Dense, Dense]:
    """Encoder and decoder of dense layers, mirrored.

    Args:
        shape: of an image.
        width: coordinates of a latent vector.
        noise: more coordinates that the decoder takes.
        hidden: widths of the encoder's hidden layers.
        rngs: of the weights.
    """
    pixels = math.prod(shape)
    encoder = Dense([pixels, *hidden, width], (width,), last=0.1, rngs=rngs)
    decoder = Dense([width + noise, *hidden[::-1], pixels], shape, last=0.1, rngs=rngs)
    return encoder, decoder


def dense_critic(shape: tuple[int, ...], *, hidden: Sequence[int] = (512, 256), rngs: nnx.Rngs) -> Dense:
    """A critic of dense layers: images -> scores of shape (n,)."""
    return Dense([math.prod(shape), *hidden, 1], (), rngs=rngs)


def _to_depth(x: jax.Array) -> jax.Array:
    """(n, h, w, c) -> (n, h/2, w/2, 4c)."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).swapaxes(2, 3).reshape(n, h // 2, w // 2, 4 * c)


def _to_space(x: jax.Array) -> jax.Array:
    """The inverse of `_to_depth`."""
    n, h, w, c = x.shape
    return x.reshape(n, h, w, 2, 2, c // 4).swapaxes(2, 3).reshape(n, 2 * h, 2 * w, c // 4)


def _neighbours(x: jax.Array) -> jax.Array:
    """Patches of 3 x 3 with zeros around, as channels: a convolution is a matrix product of them."""
    _, h, w, _ = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return jnp.concatenate([x[:, i : i + h, j : j + w] for i in range(3) for j in range(3)], -1)


class ConvEncoder(nnx.Module):
    """Two convolutions of 3 x 3 on blocks of 2 x 2, then a dense layer; sides that 4 does not divide are padded."""

    def __init__(self, shape: tuple[int, ...], width: int, channels: int, *, rngs: nnx.Rngs):
        self.shape: tuple[int, ...] = shape if len(shape) == 3 else (*shape, 1)
        h, w, c = self.shape
        self.conv1: nnx.Linear = nnx.Linear(36 * c, channels, rngs=rngs)
        self.conv2: nnx.Linear = nnx.Linear(36 * channels, 2 * channels, rngs=rngs)
        small = nnx.initializers.variance_scaling(0.02, "fan_in", "normal")
        places = math.ceil(h / 4) * math.ceil(w / 4)
        self.head: nnx.Linear = nnx.Linear(places * 2 * channels, width, kernel_init=small, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Shape (n, h, w) or (n, h, w, c) -> (n, width)."""
        h, w, _ = self.shape
        x = images.reshape(len(images), *self.shape)
        x = jnp.pad(x, ((0, 0), (0, -h % 4), (0, -w % 4), (0, 0)))
        x = nnx.relu(self.conv1(_neighbours(_to_depth(x))))
        x = nnx.relu(self.conv2(_neighbours(_to_depth(x))))
        return self.head(x.reshape(len(x), -1))


class ConvDecoder(nnx.Module):
    """The mirror of `ConvEncoder`."""

    def __init__(self, shape: tuple[int, ...], width: int, channels: int, *, rngs: nnx.Rngs):
        self.shape: tuple[int, ...]
        self.out: tuple[int, ...]
        self.out, self.shape = shape, shape if len(shape) == 3 else (*shape, 1)
        h, w, c = self.shape
        self.grid: tuple[int, int] = (math.ceil(h / 4), math.ceil(w / 4))
        self.head: nnx.Linear = nnx.Linear(width, math.prod(self.grid) * 2 * channels, rngs=rngs)
        self.conv1: nnx.Linear = nnx.Linear(18 * channels, 4 * channels, rngs=rngs)
        small = nnx.initializers.variance_scaling(0.02, "fan_in", "normal")
        self.conv2: nnx.Linear = nnx.Linear(9 * channels, 4 * c, kernel_init=small, rngs=rngs)

    def __call__(self, latent: jax.Array) -> jax.Array:
        """Shape (n, width) -> (n, *shape)."""
        h, w, _ = self.shape
        x = nnx.relu(self.head(latent)).reshape(len(latent), *self.grid, -1)
        x = nnx.relu(_to_space(self.conv1(_neighbours(x))))
        x = _to_space(self.conv2(_neighbours(x)))
        return x[:, :h, :w].reshape(len(latent), *self.out)


def convolutional(
    shape: tuple[int, ...], width: int, noise: int = 0, *, channels: int = 32, rngs: nnx.Rngs
) -> tuple[ConvEncoder, ConvDecoder]:
    """Encoder and decoder of convolutions, for images of shape (h, w) or (h, w, c).

    Args:
        shape: of an image.
        width: coordinates of a latent vector.
        noise: more coordinates that the decoder takes.
        channels: of the finer layer; the coarser has twice as many.
        rngs: of the weights.
    """
    return ConvEncoder(shape, width, channels, rngs=rngs), ConvDecoder(shape, width + noise, channels, rngs=rngs)

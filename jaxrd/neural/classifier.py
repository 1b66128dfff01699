"""A LeNet-like classifier of images of any size in Flax, with the trained parameters that ship in the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrd.datasets import embedded
from jaxrd.neural.samples import refuse_unless_shaped

PARAMETERS = "mnist_lenet_parameters.npz"
THICKNESS = "mnist_thickness_parameters.npz"
_DIGITS = (28, 28, 1)
_LEAST = 16
"""Pixels a side that two 5x5 convolutions with pooling need; smaller images get a margin of zeros."""


def _pool(x: jax.Array) -> jax.Array:
    # A reshape and a max: its gradient avoids XLA's slow select-and-scatter on CPU.
    b, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))


def _patches(x: jax.Array) -> jax.Array:
    # 5x5 patches and a matrix product: inside a compiled loop on CPU, 15 times faster than XLA's convolution.
    h, w = x.shape[1] - 4, x.shape[2] - 4
    return jnp.concatenate([x[:, i : i + h, j : j + w] for i in range(5) for j in range(5)], axis=-1)


class LeNet(nnx.Module):
    """Two valid 5x5 convolutions with 2x2 max pooling, then a hidden layer: images to logits.

    Args:
        shape: of an image: height, width, channels.
        classes: number of logits.
        widths: channels of the two convolutions, units of the hidden layer.
        mean: of a pixel, by which inputs are centred.
        deviation: of a pixel, by which they are scaled.
        rngs: of the first parameters.

    Reference: Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 1998
    (ReLU and max pooling instead of the original's sigmoids and averages).
    """

    def __init__(
        self,
        shape: tuple[int, int, int] = _DIGITS,
        classes: int = 10,
        *,
        widths: tuple[int, int, int] = (20, 50, 200),
        mean: float = 0.1307,
        deviation: float = 0.3081,
        rngs: nnx.Rngs,
    ):
        self.widths: tuple[int, ...]
        self.classes: int
        self.shape: tuple[int, ...]
        self.shape, self.classes, self.widths = tuple(shape), classes, tuple(widths)
        self.deviation: float
        self.mean: float
        self.mean, self.deviation = mean, deviation
        first, second, hidden = widths
        height, width = (((max(side, _LEAST) - 4) // 2 - 4) // 2 for side in shape[:2])
        self.conv1: nnx.Linear = nnx.Linear(25 * shape[2], first, rngs=rngs)
        self.conv2: nnx.Linear = nnx.Linear(25 * first, second, rngs=rngs)
        self.hidden: nnx.Linear = nnx.Linear(height * width * second, hidden, rngs=rngs)
        self.head: nnx.Linear = nnx.Linear(hidden, classes, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Images (batch, height, width, channels), or flattened, pixels in [0, 1] -> logits (batch, classes)."""
        x = images.reshape(images.shape[0], *self.shape)
        margins = [max(_LEAST - side, 0) for side in self.shape[:2]]
        if any(margins):
            x = jnp.pad(x, [(0, 0), *((m // 2, m - m // 2) for m in margins), (0, 0)])
        x = (x - self.mean) / self.deviation
        x = _pool(nnx.relu(self.conv1(_patches(x))))
        x = _pool(nnx.relu(self.conv2(_patches(x))))
        x = nnx.relu(self.hidden(x.reshape(x.shape[0], -1)))
        return self.head(x)


def flatten(model: LeNet) -> dict[str, np.ndarray]:
    """The parameters of `model` by dotted name, float32: what the parameter file holds."""
    state = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {".".join(str(k.key) for k in path): np.asarray(leaf, np.float32) for path, leaf in leaves}


def _of_digits() -> LeNet:
    return LeNet(rngs=nnx.Rngs(0))


def restored(parameters: Mapping[str, np.ndarray], make: Callable[[], LeNet] = _of_digits) -> LeNet:
    """A classifier with these parameters, by dotted name, as float32: the inverse of `flatten`.

    Args:
        parameters: of `flatten`.
        make: makes a classifier of the same sizes, of which only the shapes are used.
    """
    graph, state = nnx.split(nnx.eval_shape(make))

    def given(path: Any, leaf: Any) -> jax.Array:
        values = np.asarray(parameters[".".join(str(k.key) for k in path)], np.float32)
        return jax.device_put(values.reshape(leaf.shape))

    pure = jax.tree_util.tree_map_with_path(given, nnx.to_pure_dict(state))
    nnx.replace_by_pure_dict(state, pure)
    return nnx.merge(graph, state)


def load() -> LeNet:
    """The trained classifier of MNIST's digits that ships with the package; it knows no other images.

    Its accuracy and how it was trained stand in `jaxrd/data/PROVENANCE.json`.
    """
    return restored(embedded(PARAMETERS))


def logits(model: LeNet, images: np.ndarray, *, batch: int = 1000) -> np.ndarray:
    """Logits, float32 (count, classes), a batch at a time.

    Args:
        model: a classifier.
        images: of its shape, such as (count, 28, 28, 1) or (count, 28, 28); pixels in [0, 1], or noisy ones.
        batch: images at a time.

    Raises:
        InputError: images of another shape, or none.
    """
    refuse_unless_shaped(images, model.shape)
    graph, state = nnx.split(model)
    forward = jax.jit(lambda state, x: nnx.merge(graph, state)(x))
    parts = [forward(state, jnp.asarray(images[i : i + batch], jnp.float32)) for i in range(0, len(images), batch)]
    return np.concatenate([np.asarray(p) for p in parts])


def fixed(model: LeNet) -> Callable[[jax.Array], jax.Array]:
    """A trained classifier as a function of images, (n, height, width, channels) or flattened, to logits.

    Every call makes another function: keep it, so that programs compiled with it are found again.
    """
    graph, state = nnx.split(model)
    return lambda images: nnx.merge(graph, state)(images)

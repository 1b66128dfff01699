"""A LeNet-like MNIST classifier in Flax, with the trained parameters that ship in the package."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrd.datasets import embedded

PARAMETERS = "mnist_lenet_parameters.npz"


def _pool(x: jax.Array) -> jax.Array:
    # A reshape and a max: its gradient avoids XLA's slow select-and-scatter on CPU.
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))


def _patches(x: jax.Array) -> jax.Array:
    # 5x5 patches and a matrix product: inside a compiled loop on CPU, 15 times faster than XLA's convolution.
    n = x.shape[1] - 4
    return jnp.concatenate([x[:, i : i + n, j : j + n] for i in range(5) for j in range(5)], axis=-1)


class LeNet(nnx.Module):
    """Two valid 5x5 convolutions with 2x2 max pooling, then a hidden layer: 28x28 images to 10 logits.

    Reference: Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 1998
    (ReLU and max pooling instead of the original's sigmoids and averages).
    """

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv1 = nnx.Linear(25, 20, rngs=rngs)
        self.conv2 = nnx.Linear(500, 50, rngs=rngs)
        self.hidden = nnx.Linear(800, 200, rngs=rngs)
        self.head = nnx.Linear(200, 10, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Images of shape (batch, 28, 28), pixels in [0, 1] -> logits of shape (batch, 10)."""
        x = (images[..., None] - 0.1307) / 0.3081
        x = _pool(nnx.relu(self.conv1(_patches(x))))
        x = _pool(nnx.relu(self.conv2(_patches(x))))
        x = nnx.relu(self.hidden(x.reshape(x.shape[0], -1)))
        return self.head(x)


def flatten(model: LeNet) -> dict[str, np.ndarray]:
    """The parameters of `model` by dotted name, float32: what the parameter file holds."""
    state = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {".".join(str(k.key) for k in path): np.asarray(leaf, np.float32) for path, leaf in leaves}


def restored(parameters: Mapping[str, np.ndarray]) -> LeNet:
    """A classifier with these parameters, by dotted name, float32: the inverse of `flatten`."""
    model = LeNet(rngs=nnx.Rngs(0))
    state = nnx.state(model, nnx.Param)
    pure = jax.tree_util.tree_map_with_path(
        lambda path, _: jax.device_put(parameters[".".join(str(k.key) for k in path)]), nnx.to_pure_dict(state)
    )
    nnx.replace_by_pure_dict(state, pure)
    nnx.update(model, state)
    return model


def load() -> LeNet:
    """The trained classifier that ships with the package.

    Its accuracy and how it was trained stand in `jaxrd/data/PROVENANCE.json`.
    """
    return restored(embedded(PARAMETERS))


def logits(model: LeNet, images: np.ndarray, *, batch: int = 1000) -> np.ndarray:
    """Logits, float32 (count, 10), of images (count, 28, 28) with pixels in [0, 1], a batch at a time."""
    graph, state = nnx.split(model)
    forward = jax.jit(lambda state, x: nnx.merge(graph, state)(x))
    parts = [forward(state, jnp.asarray(images[i : i + batch], jnp.float32)) for i in range(0, len(images), batch)]
    return np.concatenate([np.asarray(p) for p in parts])

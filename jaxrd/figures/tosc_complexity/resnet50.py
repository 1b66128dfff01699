"""ResNet-50 in plain JAX with torchvision's shapes: to be counted by `jax.eval_shape`, cut by cut."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

_STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Blocks, and channels inside them, of layer1 to layer4."""
_EXPANSION = 4
UNITS = ("stem", *(f"layer{i + 1}.{b}" for i, (count, _) in enumerate(_STAGES) for b in range(count)), "fc")
"""In the order of the forward pass; a cut comes after one of them."""

Weights = dict[str, dict[str, Any]]


def _convolution(key: jax.Array, size: int, inputs: int, outputs: int) -> jax.Array:
    scale = jnp.sqrt(2 / (size * size * outputs))
    return scale * jax.random.normal(key, (size, size, inputs, outputs))


def init(key: jax.Array, *, classes: int = 1000) -> tuple[Weights, Weights]:
    """Random parameters, and the running mean and variance of every batch norm; each a dict by unit.

    Args:
        key: of the draw; under `jax.eval_shape` nothing is drawn.
        classes: of the last layer.

    Reference: K. He et al., Deep residual learning for image recognition, CVPR 2016; the stride of a block is in
    its 3x3 convolution, as in torchvision.
    """
    keys = iter(jax.random.split(key, 64))

    def unit(*convolutions: tuple[str, int, int, int]) -> dict[str, Any]:
        weights: dict[str, Any] = {}
        for name, size, inputs, outputs in convolutions:
            weights[name] = _convolution(next(keys), size, inputs, outputs)
            weights[f"{name}.scale"], weights[f"{name}.shift"] = jnp.ones(outputs), jnp.zeros(outputs)
        return weights

    parameters = {"stem": unit(("conv1", 7, 3, 64))}
    width = 64
    for stage, (count, inner) in enumerate(_STAGES):
        outer = _EXPANSION * inner
        for block in range(count):
            shortcut = [("shortcut", 1, width, outer)] if block == 0 else []
            three = [("conv1", 1, width, inner), ("conv2", 3, inner, inner), ("conv3", 1, inner, outer)]
            parameters[f"layer{stage + 1}.{block}"] = unit(*three, *shortcut)
            width = outer
    statistics = {
        name: {
            f"{key.removesuffix('.scale')}.{what}": jnp.full(value.shape, start)
            for key, value in held.items() if key.endswith(".scale")
            for what, start in (("mean", 0.0), ("variance", 1.0))
        }
        for name, held in parameters.items()
    }  # fmt: skip
    head = jax.random.normal(next(keys), (width, classes)) / jnp.sqrt(width)
    return parameters | {"fc": {"weight": head, "bias": jnp.zeros(classes)}}, statistics | {"fc": {}}


def features(parameters: Weights, statistics: Weights, images: jax.Array) -> dict[str, jax.Array]:
    """The output of each unit, by unit: what a cut after it has to send; under "fc" the logits.

    Args:
        parameters: from `init`.
        statistics: from `init`.
        images: shape (batch, height, width, 3).
    """

    def convolve(x: jax.Array, unit: str, name: str, stride: int) -> jax.Array:
        held, measured = parameters[unit], statistics[unit]
        kernel = held[name]
        pad = kernel.shape[0] // 2
        x = lax.conv_general_dilated(
            x, kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        normal = (x - measured[f"{name}.mean"]) * lax.rsqrt(measured[f"{name}.variance"] + 1e-5)
        return normal * held[f"{name}.scale"] + held[f"{name}.shift"]

    x = jax.nn.relu(convolve(images, "stem", "conv1", 2))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    outputs = {"stem": x}
    for unit in UNITS[1:-1]:
        stride = 2 if unit.endswith(".0") and not unit.startswith("layer1") else 1
        y = jax.nn.relu(convolve(x, unit, "conv1", 1))
        y = jax.nn.relu(convolve(y, unit, "conv2", stride))
        y = convolve(y, unit, "conv3", 1)
        x = jax.nn.relu(y + (convolve(x, unit, "shortcut", stride) if unit.endswith(".0") else x))
        outputs[unit] = x
    outputs["fc"] = x.mean((1, 2)) @ parameters["fc"]["weight"] + parameters["fc"]["bias"]
    return outputs

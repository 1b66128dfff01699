"""The lineage's networks (universal rate-distortion-perception, NeurIPS 2021) from matrix products, to be timed.

Its transposed convolutions and strided gradients fall on XLA's slow path on CPU; here every convolution is one product
with patches, every transposed one a product whose patches are added up.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxrd.neural.losses import critic_loss

SIZE, STRIDE = 5, 2
Parameters = dict[str, list]


def conv(x: jax.Array, weights: jax.Array, n: int) -> jax.Array:
    """5 x 5 convolution of stride 2 and padding 2, (batch, ., ., c) -> (batch, n, n, out)."""
    x = jnp.pad(x, ((0, 0), (2, 3), (2, 3), (0, 0)))
    places = [(i, j) for i in range(SIZE) for j in range(SIZE)]
    parts = [x[:, i : i + STRIDE * n : STRIDE, j : j + STRIDE * n : STRIDE] for i, j in places]
    return jnp.concatenate(parts, -1) @ weights


def transposed(x: jax.Array, weights: jax.Array, n: int) -> jax.Array:
    """Its transpose, (batch, k, k, c) -> (batch, n, n, out); weights: (c, 25 out)."""
    out = weights.shape[1] // SIZE**2
    patches = (x @ weights).reshape(*x.shape[:3], SIZE, SIZE, out)
    zero = jnp.zeros((), x.dtype)

    def placed(i: int, j: int) -> jax.Array:
        pads = [(0, 0, 0), (i, 5 - i, STRIDE - 1), (j, 5 - j, STRIDE - 1), (0, 0, 0)]
        return jax.lax.pad(patches[:, :, :, i, j], zero, pads)

    full = jnp.sum(jnp.stack([placed(i, j) for i in range(SIZE) for j in range(SIZE)]), 0)
    return full[:, 2 : 2 + n, 2 : 2 + n]


def normalised(x: jax.Array) -> jax.Array:
    """Batch normalisation and leaky ReLU (scale and offset left to the next layer)."""
    axes = tuple(range(x.ndim - 1))
    return jax.nn.leaky_relu((x - x.mean(axes)) * jax.lax.rsqrt(x.var(axes) + 1e-5))


def initial(key: jax.Array) -> Parameters:
    """Weights of encoder, decoder and critic."""
    shapes = {
        "encoder": [(784, 512), (512, 256), (256, 128), (128, 128), (128, 3)],
        "decoder": [(3, 128), (128, 512), (32, 25 * 64), (64, 25 * 128), (128, 25)],
        "critic": [(25, 64), (25 * 64, 128), (25 * 128, 256), (256 * 16, 1)],
    }
    keys = iter(jax.random.split(key, 14))
    return {part: [jax.random.normal(next(keys), s) / s[0] ** 0.5 for s in sizes] for part, sizes in shapes.items()}


def encode(weights: list, x: jax.Array) -> jax.Array:
    for w in weights[:-1]:
        x = normalised(x @ w)
    return jnp.tanh(x @ weights[-1])


def decode(weights: list, z: jax.Array) -> jax.Array:
    for w in weights[:2]:
        z = normalised(z @ w)
    x = z.reshape(-1, 4, 4, 32)
    x = normalised(transposed(x, weights[2], 7))
    x = normalised(transposed(x, weights[3], 14))
    return jax.nn.sigmoid(transposed(x, weights[4], 28)).reshape(-1, 784)


def criticise(weights: list, x: jax.Array) -> jax.Array:
    x = x.reshape(-1, 28, 28, 1)
    for w, n in zip(weights[:3], (14, 7, 4), strict=True):
        x = jax.nn.leaky_relu(conv(x, w, n))
    return (x.reshape(len(x), -1) @ weights[3])[:, 0]


def make_step(logits: Callable[[jax.Array], jax.Array]) -> tuple[Callable, Any]:
    """A step (state, images, labels) -> state of generator and critic, and the state to begin with."""
    adam = optax.adam(1e-4, b1=0.5, b2=0.9)
    levels = jnp.linspace(-1.0, 1.0, 3)

    def step(state: Any, images: jax.Array, labels: jax.Array) -> Any:
        parameters, moments, critic_moments, key = state
        key, dither_key, critic_key = jax.random.split(key, 3)
        u = jax.random.uniform(dither_key, (len(images), 3), minval=-0.5, maxval=0.5)
        free = {k: parameters[k] for k in ("encoder", "decoder")}

        def generator(free: Parameters) -> tuple[jax.Array, jax.Array]:
            latent = encode(free["encoder"], images) + u
            soft = jax.nn.softmax(-4 * (latent[..., None] - levels) ** 2) @ levels
            hard = jnp.clip(jnp.round(latent), -1, 1)
            made = decode(free["decoder"], soft + jax.lax.stop_gradient(hard - soft) - u)
            entropy = -jax.nn.log_softmax(logits(made))[jnp.arange(len(labels)), labels].mean()
            realism = criticise(parameters["critic"], made).mean()
            return ((made - images) ** 2).mean() + 0.01 * entropy - 0.001 * realism, made

        gradients, made = jax.grad(generator, has_aux=True)(free)
        updates, moments = adam.update(gradients, moments)
        trained: Any = optax.apply_updates(free, updates)
        gradients = jax.grad(lambda w: critic_loss(lambda x: criticise(w, x), critic_key, images, made))(
            parameters["critic"]
        )
        updates, critic_moments = adam.update(gradients, critic_moments)
        critic = optax.apply_updates(parameters["critic"], updates)
        return trained | {"critic": critic}, moments, critic_moments, key

    parameters = initial(jax.random.key(0))
    free = {k: parameters[k] for k in ("encoder", "decoder")}
    return step, (parameters, adam.init(free), adam.init(parameters["critic"]), jax.random.key(1))

"""How uncertain a label is given the message: an upper estimate of H(S | M) at rates where messages never repeat."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxrd.neural.universal.networks import Dense

_HIDDEN, _BATCH, _RATE = 512, 256, 2e-3


def label_entropy(
    latents: np.ndarray, labels: np.ndarray, held_out: np.ndarray, held_out_labels: np.ndarray, *,
    epochs: int = 8, seed: int = 0,
) -> float:  # fmt: skip
    """Log loss, in nats, of a network that guesses the label from the code's point, on a held-out sample.

        E -ln q(S | M) >= H(S | M)   for any q learnt on other data

    So it estimates an upper bound on H(S | M), up to the held-out sample's error. The network has one hidden layer.

    Args:
        latents: of the training sample, shape (n, width).
        labels: integers, shape (n,).
        held_out: latents of other images, shape (m, width).
        held_out_labels: theirs.
        epochs: through the training sample, with a cosine.
        seed: of the weights, the order and the dropped coordinates.

    Reference: [B] (2), whose C is H(S | X-hat).
    """
    scale = np.maximum(latents.std(0), 1e-6)
    x, y = jnp.asarray(latents / scale), jnp.asarray(labels)
    classes = int(max(labels.max(), held_out_labels.max())) + 1
    graph, state = nnx.split(Dense([x.shape[1], _HIDDEN, classes], (classes,), last=0.1, rngs=nnx.Rngs(seed)))
    batch = min(_BATCH, len(x))
    steps = len(x) // batch
    optimiser = optax.adamw(optax.cosine_decay_schedule(_RATE, epochs * steps), weight_decay=1e-2)

    def loss(state: nnx.State, key: jax.Array, index: jax.Array) -> jax.Array:
        # Noise of a tenth of a deviation: neighbouring points of the code mean nearly the same.
        seen = x[index] + 0.1 * jax.random.normal(key, (batch, x.shape[1]))
        return optax.softmax_cross_entropy_with_integer_labels(nnx.merge(graph, state)(seen), y[index]).mean()

    def one(carry: tuple, inputs: tuple) -> tuple[tuple, None]:
        state, moments = carry
        updates, moments = optimiser.update(jax.grad(loss)(state, *inputs), moments, state)
        return (optax.apply_updates(state, updates), moments), None

    @jax.jit
    def epoch(carry: tuple, key: jax.Array) -> tuple:
        order = jax.random.permutation(key, len(x))[: steps * batch].reshape(steps, batch)
        return jax.lax.scan(one, carry, (jax.random.split(key, steps), order))[0]

    carry = (state, optimiser.init(state))
    for key in jax.random.split(jax.random.key(seed), epochs):
        carry = epoch(carry, key)
    scores = jax.nn.log_softmax(jax.jit(lambda s, z: nnx.merge(graph, s)(z))(carry[0], jnp.asarray(held_out / scale)))
    return float(-jnp.take_along_axis(scores, jnp.asarray(held_out_labels)[:, None], 1).mean())

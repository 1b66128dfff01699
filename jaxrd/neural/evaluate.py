"""Measures of a trained code on a sample."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.errors import InputError
from jaxrd.neural.label_entropy import plug_in
from jaxrd.neural.networks import PIXELS
from jaxrd.neural.quantizer import codes, dither, nearest_messages
from jaxrd.neural.samples import refuse_unless_images, refuse_unless_labels
from jaxrd.neural.sliced import sliced_w2
from jaxrd.neural.train import Code, Logits, Parameters, decode, encode


@partial(jax.jit, static_argnums=0)
def transmit(code: Code, parameters: Parameters, key: jax.Array, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Messages and reproductions of images, each with a dither of its own.

    Args:
        code: what encoder and decoder agree on.
        parameters: theirs.
        key: common randomness.
        images: shape (batch, 784).

    Returns:
        Integers of shape (batch,), and vectors of shape (batch, 784).
    """
    keys = jax.random.split(key, len(images))
    u = jax.vmap(lambda k: dither(k, code.dimensions, code.levels, code.dither))(keys)
    messages = nearest_messages(encode(code, parameters, images) + u, code.levels)
    return messages, decode(code, parameters, codes(code.dimensions, code.levels)[messages] - u)


def sent_messages(code: Code, parameters: Parameters, images: np.ndarray, *, batch: int = 1000) -> np.ndarray:
    """The message of each image, under a dither of fixed seed: integers, shape (count,).

    Args:
        code: what encoder and decoder agree on.
        parameters: theirs.
        images: shape (count, 784), in [0, 1].
        batch: images at a time.
    """
    keys = jax.random.split(jax.random.key(0), -(-len(images) // batch))
    parts = [
        transmit(code, parameters, key, jnp.asarray(images[i * batch : (i + 1) * batch]))[0]
        for i, key in enumerate(keys)
    ]
    return np.concatenate(parts)


_scores = jax.jit(lambda logits, images: jax.nn.log_softmax(logits(images)), static_argnums=0)
_sliced_w2 = jax.jit(sliced_w2)


def evaluate(
    code: Code, parameters: Parameters, logits: Logits, images: np.ndarray, labels: np.ndarray, *, batch: int = 1000
) -> dict[str, Any]:
    """MSE, cross-entropy, accuracy, realism and rate on a sample, with fixed dither and directions.

    Args:
        code: what encoder and decoder agree on.
        parameters: theirs.
        logits: the fixed classifier.
        images: shape (count, 784), in [0, 1].
        labels: shape (count,).
        batch: images at a time, at most; divides the count.

    Returns:
        `mse` a pixel; `ce_nats` and `ce_bits`; `accuracy`; `label_entropy_nats`, H(S|M), the least cross-entropy that
        any decoder of these messages has, a plug-in estimate; `sliced_w2` (see `sliced.sliced_w2`); `variance` of the
        reproductions, a pixel; `entropy_bits` of the messages, a plug-in estimate; `rate_bits` = h log2 L.

    Raises:
        InputError: images that are no vectors of 784 pixels in [0, 1], labels of another number or none of the
            classifier's classes; the batch does not divide the count.
    """
    refuse_unless_images(images, (PIXELS,))
    refuse_unless_labels(labels, len(images), jax.eval_shape(logits, images[:1]).shape[-1])
    batch = min(batch, len(images))
    if len(images) % batch:
        raise InputError(f"evaluate takes whole batches; {len(images)} images are no multiple of batch = {batch}.")

    def part(key: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        messages, reproductions = transmit(code, parameters, key, x)
        return messages, reproductions, _scores(logits, reproductions)

    keys = jax.random.split(jax.random.key(0), len(images) // batch)
    parts = [part(key, jnp.asarray(images[i * batch : (i + 1) * batch])) for i, key in enumerate(keys)]
    messages, reproductions, scores = (np.concatenate(p) for p in zip(*parts, strict=True))
    shares = np.bincount(messages, minlength=code.levels**code.dimensions) / len(messages)
    ce = float(-scores[np.arange(len(scores)), labels].mean())
    return {
        "mse": float(((reproductions - images) ** 2).mean()),
        "ce_nats": ce,
        "ce_bits": ce / float(np.log(2)),
        "accuracy": float((scores.argmax(-1) == labels).mean()),
        "label_entropy_nats": plug_in(messages, np.asarray(labels)),
        "sliced_w2": float(_sliced_w2(jax.random.key(0), jnp.asarray(images), jnp.asarray(reproductions))),
        "variance": float(reproductions.var(0).mean()),
        "entropy_bits": float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum()),
        "rate_bits": code.dimensions * float(np.log2(code.levels)),
    }

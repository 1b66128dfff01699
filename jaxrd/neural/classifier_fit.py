"""Train a classifier of any labelled images: the fixed one of the cross-entropy terms, for data of one's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxrd.errors import InputError
from jaxrd.neural.classifier import LeNet, logits
from jaxrd.neural.samples import refuse_unless_images, refuse_unless_labels

_BATCH = 128
_RATE = 2e-3
_ADAMW = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(1e-4))
"""The optimiser; the step multiplies its updates by the rate."""


def _moved(key: jax.Array, images: jax.Array, pixels: int) -> jax.Array:
    """Each image moved by up to `pixels` in both directions, zeros coming in."""
    _, height, width, channels = images.shape
    padded = jnp.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    offsets = jax.random.randint(key, (len(images), 2), 0, 2 * pixels + 1)
    return jax.vmap(lambda x, o: jax.lax.dynamic_slice(x, (o[0], o[1], 0), (height, width, channels)))(padded, offsets)


def fit_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int | None = None,
    epochs: int = 8,
    shift: int = 2,
    widths: tuple[int, int, int] = (20, 50, 200),
    seed: int = 0,
    report: Callable[[int, float], None] = lambda *_: None,
) -> LeNet:
    """A LeNet that tells the labels of these images apart: AdamW on the cross-entropy, falling to zero by a cosine.

    Args:
        images: shape (count, height, width) or (count, height, width, channels), floats in [0, 1].
        labels: whole numbers in 0..classes-1, shape (count,).
        classes: how many; None: the largest label and one.
        epochs: passes through the images, in batches of 128, or of all where there are fewer; those that fill no batch
            are left out of a pass.
        shift: each image is moved by up to so many pixels, anew in every pass; 0 where the place matters.
        widths: of `LeNet`.
        seed: of the first parameters, the order of images and their shifts.
        report: called with the passes done and the mean loss of the last one, nats.

    Raises:
        InputError: images or labels that are none, no pass or a negative shift.
    """
    if np.ndim(images) not in (3, 4):
        raise InputError(f"images must have shape (count, height, width[, channels]); got {np.shape(images)}.")
    height, width, channels = (*np.shape(images)[1:], 1)[:3]
    shape = height, width, channels
    x = np.asarray(images).reshape(-1, *shape)
    refuse_unless_images(x, shape)
    refuse_unless_labels(labels, len(x), _classes(labels) if classes is None else classes)
    if epochs < 1 or shift < 0:
        raise InputError(f"epochs must be >= 1 and shift >= 0; got {epochs} and {shift}.")
    x, y = x.astype(np.float32), np.asarray(labels, np.int32)
    scale = {"mean": round(float(x.mean()), 4), "deviation": max(round(float(x.std()), 4), 1e-3)}
    model = LeNet(shape, classes or _classes(labels), widths=widths, **scale, rngs=nnx.Rngs(seed))
    graph, parameters = nnx.split(model)
    steps = len(x) // min(_BATCH, len(x))
    rates = np.asarray(optax.cosine_decay_schedule(_RATE, epochs * steps)(np.arange(epochs * steps)), np.float32)
    moments = _ADAMW.init(parameters)
    sample = jax.device_put((x, y))
    for i, key in enumerate(jax.random.split(jax.random.key(seed), epochs)):
        now = rates[i * steps : (i + 1) * steps]
        parameters, moments, loss = _epoch((graph, shift), parameters, moments, sample, now, key)
        report(i + 1, float(loss))
    nnx.update(model, parameters)
    return model


def _classes(labels: np.ndarray) -> int:
    array = np.asarray(labels)
    return int(array.max()) + 1 if array.size and array.dtype.kind in "iu" else 1


@partial(jax.jit, static_argnums=0, donate_argnums=(1, 2))
def _epoch(
    fixed: tuple[Any, int],
    parameters: Any,
    moments: Any,
    sample: tuple[jax.Array, jax.Array],
    rates: jax.Array,
    key: jax.Array,
) -> tuple[Any, Any, jax.Array]:
    graph, shift = fixed
    images, labels = sample
    order_key, shift_key = jax.random.split(key)
    steps, batch = len(rates), min(_BATCH, len(labels))
    order = jax.random.permutation(order_key, len(labels))[: steps * batch].reshape(steps, batch)

    def loss(parameters: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(nnx.merge(graph, parameters)(x), y).mean()

    def step(carry: tuple[Any, Any], inputs: tuple[jax.Array, ...]) -> tuple[tuple[Any, Any], jax.Array]:
        parameters, moments = carry
        index, key, rate = inputs
        x = _moved(key, images[index], shift) if shift else images[index]
        value, gradient = jax.value_and_grad(loss)(parameters, x, labels[index])
        updates, moments = _ADAMW.update(gradient, moments, parameters)
        return (jax.tree.map(lambda p, u: p - rate * u, parameters, updates), moments), value

    carry, values = jax.lax.scan(step, (parameters, moments), (order, jax.random.split(shift_key, steps), rates))
    return *carry, values.mean()


def measured(model: LeNet, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy and cross-entropy in nats of a classifier on a sample.

    Args:
        model: a classifier.
        images: of its shape.
        labels: whole numbers in 0..classes-1, shape (count,).

    Raises:
        InputError: images or labels that are none of the classifier's.
    """
    refuse_unless_labels(labels, len(images), model.classes)
    scores = logits(model, images).astype(float)
    scores -= scores.max(1, keepdims=True)
    log_loss = np.log(np.exp(scores).sum(1)) - scores[np.arange(len(scores)), labels]
    return {"accuracy": float((scores.argmax(1) == labels).mean()), "ce_nats": float(log_loss.mean())}

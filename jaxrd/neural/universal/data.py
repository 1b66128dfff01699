"""What a user passes to training, checked once: images, labels, classifiers, weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrd.errors import InputError
from jaxrd.neural.losses import Weights
from jaxrd.neural.universal.step import Classifier


class Data(NamedTuple):
    """Images in [0, 1], float32; labels, int32 of shape (n, labels); a classifier a label; weights that fit them."""

    images: jax.Array
    labels: jax.Array
    classifiers: tuple[Classifier, ...]
    weights: Weights


def checked_images(images: Any) -> np.ndarray:
    """Images as float32 in [0, 1]; integers are levels of 255.

    Raises:
        InputError: no images, no such values.
    """
    array = np.asarray(images)
    if array.ndim < 2 or not array.size:
        raise InputError(f"images must have shape (n, h, w), (n, h, w, c) or (n, d); got {array.shape}.")
    if array.dtype.kind not in "uif":
        raise InputError(f"images must be numbers; got {array.dtype}.")
    scaled = array.astype(np.float32) / np.float32(255 if array.dtype.kind in "ui" else 1)
    if not (scaled.min() >= 0 and scaled.max() <= 1):
        wrong = array[~((scaled >= 0) & (scaled <= 1))][0]
        raise InputError(f"images must lie in [0, 1], or be integers in [0, 255]; got {wrong:g}.")
    return scaled


def checked(images: Any, labels: Any, classifier: Any, weights: Weights) -> Data:
    """The data of a training; classifiers whose weight is 0 are left out, as they would cost time for nothing.

    Args:
        images: shape (n, *shape), in [0, 1], or integers of 255.
        labels: shape (n,), or one such array a label; None for none.
        classifier: images -> logits, or one a label; None for none.
        weights: `cross_entropy` is a number, or one a label.

    Raises:
        InputError: arguments that do not fit each other; says which.
    """
    x = checked_images(images)
    several = [] if labels is None else list(labels) if _is_several(labels) else [labels]
    classifiers: list[Any] = [] if classifier is None else [classifier] if callable(classifier) else list(classifier)
    classifiers = functions(classifiers)
    if len(several) != len(classifiers):
        raise InputError(f"each label needs its classifier; got {len(several)} labels, {len(classifiers)} classifiers.")
    entropies = np.atleast_1d(np.asarray(weights.cross_entropy, np.float32))
    if entropies.size == 1 and not several and entropies[0] != 0:
        raise InputError(f"a cross-entropy weight of {entropies[0]:g} needs labels and a classifier.")
    if entropies.size not in (1, len(several)):
        raise InputError(f"cross_entropy needs a weight a label; got {entropies.size} for {len(several)} labels.")
    entropies = np.broadcast_to(entropies, (len(several),))
    numbers = np.array([weights.distortion, *entropies, weights.wasserstein], float)
    if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
        raise InputError(f"weights must be finite and >= 0; got {weights}.")
    columns = [_label(one, len(x), c, x[:2]) for one, c in zip(several, classifiers, strict=True)]
    used = [k for k in range(len(several)) if entropies[k] > 0]
    stacked = np.stack([columns[k] for k in used], -1) if used else np.zeros((len(x), 0), np.int32)
    weights = Weights(
        float(weights.distortion), jnp.asarray([entropies[k] for k in used], jnp.float32), float(weights.wasserstein)
    )
    return Data(jax.device_put(x), jax.device_put(stacked), tuple(classifiers[k] for k in used), weights)


def functions(classifiers: Sequence[Any]) -> list[Classifier]:
    """Modules as functions, the same one for the same module; functions as they are."""
    return [_function(one) for one in classifiers]


@cache
def _function(classifier: Any) -> Classifier:
    """A classifier as a function, the same one for the same module: programs are kept by it."""
    if not isinstance(classifier, nnx.Module):
        return classifier
    graph, state = nnx.split(classifier)
    return lambda images: nnx.merge(graph, state)(images)  # pyright: ignore[reportCallIssue]


def _is_several(labels: Any) -> bool:
    return isinstance(labels, Sequence) and len(labels) > 0 and np.ndim(labels[0]) == 1


def _label(labels: Any, count: int, classifier: Classifier, few: np.ndarray) -> np.ndarray:
    array = np.asarray(labels)
    if array.shape != (count,) or array.dtype.kind not in "iu" or array.min() < 0:
        raise InputError(
            f"labels must be integers >= 0, one for each of the {count} images; got shape {array.shape}, {array.dtype}."
        )
    shape = jax.eval_shape(classifier, jnp.asarray(few)).shape
    if len(shape) != 2 or shape[0] != len(few) or shape[1] <= array.max():
        raise InputError(
            f"a classifier must map images (n, ...) to logits (n, classes > {array.max()}); got {shape} of {len(few)}."
        )
    return array.astype(np.int32)

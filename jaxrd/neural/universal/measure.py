"""Measures of a decoder on a sample: distortion, the classifiers' verdicts, realism, rate."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.neural.sliced import sliced_w2
from jaxrd.neural.universal.data import checked_images
from jaxrd.neural.universal.model import UniversalAutoencoder

_sliced_w2 = jax.jit(sliced_w2)


def measure(
    model: UniversalAutoencoder,
    images: Any,
    labels: Any = None,
    classifier: Any = None,
    *,
    name: str | None = None,
    key: jax.Array | None = None,
) -> dict[str, Any]:
    """MSE, cross-entropies, accuracies and realism of a decoder on a sample.

    Args:
        model: whose encoder and decoder are used.
        images: shape (n, *shape), in [0, 1], or integers of 255.
        labels: shape (n,), or one such array a label.
        classifier: images -> logits, fixed; or one a label.
        name: of the decoder; None for the only one.
        key: of a dither and of the decoder's noise.

    Returns:
        `mse` a pixel; `ce_nats` and `accuracy`, one entry a label; `sliced_w2` against the images themselves (see
        `sliced.sliced_w2`); `variance` of the reproductions, a pixel; `rate_bits`, log2 of the messages.
    """
    x = checked_images(images)
    made = np.asarray(model.decode(model.encode(x, key=key), name=name, key=key))
    return compared(x, made, labels, classifier) | {"rate_bits": model.bits}


def compared(images: np.ndarray, made: np.ndarray, labels: Any = None, classifier: Any = None) -> dict[str, Any]:
    """The entries of `measure`, without the rate, of reproductions that were made before.

    Args:
        images: shape (n, *shape), in [0, 1].
        made: likewise.
        labels: shape (n,), or one such array a label.
        classifier: images -> logits, fixed; or one a label.
    """
    several = [] if labels is None else [labels] if np.ndim(labels[0]) == 0 else list(labels)
    classifiers = [] if classifier is None else [classifier] if callable(classifier) else list(classifier)
    flat, true = made.reshape(len(made), -1), images.reshape(len(images), -1)
    verdicts = [verdict(c, made, np.asarray(s)) for c, s in zip(classifiers, several, strict=True)]
    return {
        "mse": float(np.mean((made - images) ** 2, dtype=np.float64)),
        "ce_nats": [ce for ce, _ in verdicts],
        "accuracy": [accuracy for _, accuracy in verdicts],
        "sliced_w2": float(_sliced_w2(jax.random.key(0), jnp.asarray(true), jnp.asarray(flat))),
        "variance": float(flat.var(0).mean()),
    }


def verdict(classifier: Any, images: np.ndarray, labels: np.ndarray, *, batch: int = 1000) -> tuple[float, float]:
    """Cross-entropy in nats and accuracy of a fixed classifier on images.

    Args:
        classifier: images -> logits.
        images: shape (n, *shape).
        labels: integers, shape (n,).
        batch: images at a time.
    """
    forward = jax.jit(lambda x: jax.nn.log_softmax(classifier(x)))
    scores = np.concatenate([np.asarray(forward(images[i : i + batch])) for i in range(0, len(images), batch)])
    return float(-scores[np.arange(len(labels)), labels].mean()), float((scores.argmax(-1) == labels).mean())


def frequencies(model: UniversalAutoencoder, images: Any, *, key: jax.Array | None = None) -> list[np.ndarray]:
    """How often each symbol of each place is used on a sample: counts, one array a place."""
    symbols = np.asarray(model.encode(checked_images(images), key=key))
    return [np.bincount(column, minlength=size) for column, size in zip(symbols.T, model.code.sizes, strict=True)]


def coded_bits(symbols: Any, counts: list[np.ndarray]) -> float:
    """Bits an image that a range coder takes with these frequencies, half a count added to each.

    -sum_k log2 p_k(m_k), mean over images
    """
    shares = [(one + 0.5) / (one + 0.5).sum() for one in counts]
    return float(-sum(np.log2(p[column]).mean() for p, column in zip(shares, np.asarray(symbols).T, strict=True)))

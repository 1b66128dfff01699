"""H(S|M), what a label keeps of uncertainty once a message is known: the C of paper [B], by estimate or by bound.

No decoder has a smaller cross-entropy than H(S|M), and the best one for the label has exactly that. With few messages
it is estimated from a table of counts; with many, the cross-entropy of any classifier of the symbols is achievable, and
so an upper bound of H(S|M).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxrd.coding.symbols import refuse_unless_symbols
from jaxrd.errors import InputError
from jaxrd.neural.samples import refuse_unless_labels

_WIDTH = 256
_BATCH = 256
_HELD_OUT = 10
"""One of so many training images chooses the epoch."""
_ADAMW = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(1e-4))


def plug_in(messages: np.ndarray, labels: np.ndarray) -> float:
    """H(S|M) of a sample's own frequencies, nats: a plug-in estimate, too small by about cells / (2 count).

        sum_m p(m) H(S | M = m)

    Args:
        messages: whole numbers from 0 on, shape (count,).
        labels: likewise.

    >>> round(plug_in(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])), 6)
    0.346574
    """
    table = counts(messages, labels, int(messages.max()) + 1, int(labels.max()) + 1)
    rows = table.sum(1, keepdims=True)
    shares = np.divide(table, rows, out=np.ones(table.shape), where=table > 0)
    return float(-(table * np.log(shares)).sum() / len(labels)) + 0.0


def counts(messages: np.ndarray, labels: np.ndarray, sizes: int, classes: int) -> np.ndarray:
    """How often each message meets each label: shape (sizes, classes)."""
    pairs = messages.astype(np.int64) * classes + labels
    return np.bincount(pairs, minlength=sizes * classes).reshape(sizes, classes)


class Corner(NamedTuple):
    """What the best decoders of a frozen encoder with few messages reach, without a network.

    Args:
        mse: a pixel, of the mean training image of each message.
        ce_nats: of the shares of labels that the training images of each message have.
        accuracy: of each message's commonest label.
        label_entropy_nats: H(S|M), plug-in on the test images.
    """

    mse: float
    ce_nats: float
    accuracy: float
    label_entropy_nats: float


def corner(
    train: tuple[np.ndarray, np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray, np.ndarray], sizes: int
) -> Corner:
    """The corner (MSE, CE) of an encoder: no decoder is below it in either, but for the sample of training images.

    Args:
        train: messages, images as vectors, labels.
        test: the same of the test images.
        sizes: number of messages.
    """
    messages, images, labels = train
    sent, others, known = test
    classes = int(max(labels.max(), known.max())) + 1
    number = np.bincount(messages, minlength=sizes)
    order = np.argsort(messages, kind="stable")
    used = number > 0
    means = np.tile(images.mean(0, dtype=float), (sizes, 1))
    starts = np.concatenate([[0], np.cumsum(number)[:-1]])[used]
    means[used] = np.add.reduceat(images[order].astype(float), starts, axis=0) / number[used][:, None]
    table = counts(messages, labels, sizes, classes) + 0.5
    shares = table / table.sum(1, keepdims=True)
    return Corner(
        float(((means[sent] - others) ** 2).mean()),
        float(-np.log(shares[sent, known]).mean()),
        float((shares.argmax(1)[sent] == known).mean()),
        plug_in(sent, known),
    )


def achievable(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    sizes: Sequence[int],
    *,
    epochs: int = 8,
    seed: int = 0,
) -> float:
    """Cross-entropy on test symbols of a network that was trained to tell the label from the symbols, nats.

    Achievable: H(S|M) is at most this, up to the sampling of the test images. The epoch is chosen on a tenth of the
    training symbols, which the network does not learn from; the test symbols choose nothing.

    Args:
        train: symbols, shape (count, places), and labels to learn from.
        test: the same to measure on.
        sizes: symbols of each place.
        epochs: passes through the training symbols.
        seed: of the network and its order of symbols.

    Raises:
        InputError: symbols or labels that are none, fewer training symbols than two batches.
    """
    symbols, labels = refuse_unless_symbols(train[0], sizes), np.asarray(train[1])
    others, known = refuse_unless_symbols(test[0], sizes), np.asarray(test[1])
    classes = int(max(labels.max(), known.max())) + 1
    refuse_unless_labels(labels, len(symbols), classes)
    refuse_unless_labels(known, len(others), classes)
    if len(symbols) < 2 * _BATCH:
        raise InputError(f"two batches of {_BATCH} training symbols are needed; got {len(symbols)}.")
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rows, sent = (np.asarray(first + one, np.int32) for one in (symbols, others))
    held = np.arange(len(rows)) % _HELD_OUT == 0
    learnt = jax.device_put((rows[~held], labels[~held].astype(np.int32)))
    steps = len(learnt[1]) // _BATCH
    rates = np.asarray(optax.cosine_decay_schedule(2e-3, epochs * steps)(np.arange(epochs * steps)), np.float32)
    network = _network(jax.random.key(seed), int(sum(sizes)), classes)
    moments = _ADAMW.init(network)
    best, found = np.inf, np.inf
    for i, key in enumerate(jax.random.split(jax.random.key(seed), epochs)):
        network, moments = _epoch(network, moments, learnt, rates[i * steps : (i + 1) * steps], key)
        chosen = _log_loss(network, rows[held], labels[held])
        if chosen < best:
            best, found = chosen, _log_loss(network, sent, known)
    return found


def _network(key: jax.Array, rows: int, classes: int) -> dict[str, Any]:
    keys = jax.random.split(key, 3)
    scale = (2 / _WIDTH) ** 0.5
    return {
        "words": 0.1 * jax.random.normal(keys[0], (rows, _WIDTH)),
        "bias": jnp.zeros(_WIDTH),
        "hidden": scale * jax.random.normal(keys[1], (_WIDTH, _WIDTH)),
        "hidden bias": jnp.zeros(_WIDTH),
        "head": 0.1 * scale * jax.random.normal(keys[2], (_WIDTH, classes)),
        "head bias": jnp.zeros(classes),
    }


def _logits(network: dict[str, Any], rows: jax.Array) -> jax.Array:
    x = jax.nn.relu(network["words"][rows].sum(1) + network["bias"])
    x = jax.nn.relu(x @ network["hidden"] + network["hidden bias"])
    return x @ network["head"] + network["head bias"]


@jax.jit
def _losses(network: dict[str, Any], rows: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(_logits(network, rows), labels)


def _log_loss(network: dict[str, Any], rows: np.ndarray, labels: np.ndarray) -> float:
    size = min(1000, len(rows))
    short = -len(rows) % size
    padded = [np.pad(one, [(0, short)] + [(0, 0)] * (one.ndim - 1)) for one in (rows, labels.astype(np.int32))]
    parts = [_losses(network, padded[0][i : i + size], padded[1][i : i + size]) for i in range(0, len(rows), size)]
    return float(np.concatenate([np.asarray(p) for p in parts])[: len(rows)].mean(dtype=float))


@partial(jax.jit, donate_argnums=(0, 1))
def _epoch(
    network: Any, moments: Any, sample: tuple[jax.Array, jax.Array], rates: jax.Array, key: jax.Array
) -> tuple[Any, Any]:
    rows, labels = sample
    order = jax.random.permutation(key, len(labels))[: len(rates) * _BATCH].reshape(len(rates), _BATCH)

    def step(carry: tuple[Any, Any], inputs: tuple[jax.Array, jax.Array]) -> tuple[tuple[Any, Any], None]:
        network, moments = carry
        index, rate = inputs
        gradient = jax.grad(lambda n: _losses(n, rows[index], labels[index]).mean())(network)
        updates, moments = _ADAMW.update(gradient, moments, network)
        return (jax.tree.map(lambda p, u: p - (rate * u).astype(p.dtype), network, updates), moments), None

    return jax.lax.scan(step, (network, moments), (order, rates))[0]

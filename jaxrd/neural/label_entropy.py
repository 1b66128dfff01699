"""H(S|M), what a label keeps of uncertainty once the message is known: the C of paper [B], where messages are few.

No decoder has a smaller cross-entropy than H(S|M), and the best one for the label has exactly that. It is estimated
from a table of counts. Where messages hardly recur, `universal.probe` gives an upper estimate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


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

"""Samples in two halves: one that fits the temperature, one that gives every number."""

from typing import NamedTuple

import numpy as np

from jaxrd._eager import refuse_unless_whole
from jaxrd.tosc.outputs import Outputs
from jaxrd.tosc.rows import Rows


class Split(NamedTuple):
    """Row numbers of either half."""

    fit: np.ndarray
    rest: np.ndarray
    by_class: bool
    """Whether the classes were split one by one. The rest is then no independent sample of the population: its class
    frequencies vary less, and what is proved for independent samples holds only nearly."""


def split(labels: np.ndarray, seed: int) -> Split:
    """The halves of a seeded permutation, unless a class would be missing from the second one.

    Then each class is split in halves of its own, the rarest first: the rest has a sample of every class that has two,
    and of the rarest in any case.

    Args:
        labels: int >= 0, shape (samples,), two samples or more.
        seed: of the permutation.

    >>> rows = split(np.array([0] * 9 + [1]), 2)
    >>> rows.by_class, 9 in rows.rest  # the only sample of class 1 is not spent on the temperature
    (True, True)
    """
    refuse_unless_whole("seed", seed, 0)
    order = np.random.default_rng(seed).permutation(len(labels))
    fit, rest = np.split(order, [len(order) // 2])
    counts = np.bincount(labels)
    held = np.bincount(labels[rest], minlength=len(counts)) > 0
    if held[counts >= 2].all() and held.sum() >= 2:
        return Split(fit, rest, False)
    by_class = order[np.lexsort((labels[order], counts[labels[order]]))]
    return Split(by_class[1::2], by_class[::2], True)


def halves(outputs: Outputs, seed: int) -> tuple[Outputs, Outputs, Split]:
    """The outputs that fit a temperature, those that give the numbers, and the rows they are.

    Rows that are read when they are used are in their order in the file, so that each is read once a pass.
    """
    rows = split(outputs.labels, seed)
    if isinstance(outputs.logits, Rows):
        rows = Split(np.sort(rows.fit), np.sort(rows.rest), rows.by_class)
    return outputs.take(rows.fit), outputs.take(rows.rest), rows

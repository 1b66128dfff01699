"""The kernel of a product alphabet, K(x, a) = prod_t K_t(x, a_t): its sums are made from the factors, block by block.

A letter is one action of each task. No array holds samples x letters: 10^4 samples and 10^4 letters of two tasks take
the memory of two 10^4 x 100 factors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_NUMBERS = 2**18
"""Entries of a block of rows: it stays in a core's cache while it is used."""
_LEAST_ROWS = 256
"""Rows of a block at least, where letters are many: the Gram matrix of fewer is slow to add up."""
CLIPPED = 600.0
"""Most of -ln Z of a sample, nats: e to it is finite, and any potential gives a valid bound."""


class Product(NamedTuple):
    """Tasks on the same samples."""

    source: np.ndarray
    """p, shape (samples,), > 0."""
    excess: tuple[np.ndarray, ...]
    """d_t - min_a d_t of each task, shape (samples, actions of t)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The actions of each task."""
        return tuple(e.shape[1] for e in self.excess)

    @property
    def letters(self) -> int:
        """Their product."""
        return int(np.prod(self.shape))


class Sums(NamedTuple):
    """At weights q of some letters and slopes s, over all samples: what a Newton step and the certificate need."""

    c: np.ndarray
    """sum_x p_x K_xa / z_x, z = K q, shape (k,)."""
    gram: np.ndarray
    """sum_x p_x K_xa K_xb / z_x^2, its rows and columns times sqrt q, shape (k, k)."""
    spent: np.ndarray
    """E e_t under the channel q K / z, shape (tasks,)."""
    cross: np.ndarray
    """d spent / dq, shape (tasks, k)."""
    spread: np.ndarray
    """- d spent / ds = E Cov(e | x), shape (tasks, tasks)."""
    potential: np.ndarray
    """- ln z, shape (samples,)."""


def blocks(samples: int, width: int) -> Iterator[slice]:
    """Blocks of rows of an array of so many columns."""
    rows = max(_NUMBERS // max(width, 1), _LEAST_ROWS)
    return (slice(first, min(first + rows, samples)) for first in range(0, samples, rows))


def sums(product: Product, letters: np.ndarray, q: np.ndarray, slopes: np.ndarray) -> Sums:
    """All of `Sums`, in one pass over the samples.

    Args:
        product: the tasks.
        letters: the action of each task in each letter, int, shape (tasks, k).
        q: >= 0, shape (k,).
        slopes: s, shape (tasks,), finite.
    """
    p, tasks, k = product.source, len(product.excess), len(q)
    c, gram, cross = np.zeros(k), np.zeros((k, k)), np.zeros((tasks, k))
    spent, spread, potential, root = np.zeros(tasks), np.zeros((tasks, tasks)), np.empty(len(p)), np.sqrt(q)
    for rows in blocks(len(p), k):
        own = p[rows]
        parts, ratio, potential[rows] = _channel(product, letters, q, slopes, rows)
        c += own @ ratio
        charged = [part * ratio for part in parts]
        means = np.array([part @ q for part in charged])
        spent += means @ own
        cross += np.array([own @ part for part in charged]) - (own * means) @ ratio
        for t in range(tasks):
            for u in range(t + 1):
                both = own @ ((parts[t] * charged[u]) @ q) - (own * means[t]) @ means[u]
                spread[t, u] += both
                spread[u, t] += both if u < t else 0.0
        ratio *= np.sqrt(own)[:, None]
        ratio *= root
        gram += ratio.T @ ratio
    return Sums(c, gram, spent, cross, spread, potential)


def _channel(
    product: Product, letters: np.ndarray, q: np.ndarray, slopes: np.ndarray, rows: slice
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Of some rows: e_t of each letter, K / z, and -ln z."""
    parts = [e[rows].take(actions, 1) for e, actions in zip(product.excess, letters, strict=True)]
    exponent = slopes[0] * parts[0]
    for slope, part in zip(slopes[1:], parts[1:], strict=True):
        exponent += slope * part
    # The letters at hand may all be dear for a sample.
    low = exponent.min(1)
    kernel = np.exp(low[:, None] - exponent)
    z = kernel @ q
    kernel /= z[:, None]
    return parts, kernel, low - np.log(z)


def channel(
    product: Product, letters: np.ndarray, q: np.ndarray, slopes: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """The channel q K / z, block by block: the rows, and W, shape (rows, k)."""
    for rows in blocks(len(product.source), len(q)):
        yield rows, _channel(product, letters, q, slopes, rows)[1] * q


def _factors(product: Product, slopes: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """K of the first task, and of all others: their Khatri-Rao product, shape (rows, product of their actions)."""
    first, *others = (np.exp(-s * e[rows]) for s, e in zip(slopes, product.excess, strict=True))
    rest = np.ones((len(first), 1))
    for other in others:
        rest = (rest[:, :, None] * other[:, None, :]).reshape(len(first), -1)
    return first, rest


def every_sum(product: Product, slopes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_x w_x K(x, a) of every letter a, shape (letters,): one product of matrices a block of samples."""
    first, total = product.shape[0], np.zeros((product.shape[0], product.letters // product.shape[0]))
    for rows in blocks(len(weights), total.shape[1] + first):
        one, rest = _factors(product, slopes, rows)
        total += (one * weights[rows, None]).T @ rest
    return total.reshape(-1)


def every_mean(product: Product, slopes: np.ndarray, q: np.ndarray) -> np.ndarray:
    """sum_a K(x, a) q_a over every letter, shape (samples,)."""
    table, z = q.reshape(product.shape[0], -1), np.empty(len(product.source))
    for rows in blocks(len(z), table.shape[1] + len(table)):
        one, rest = _factors(product, slopes, rows)
        z[rows] = (one * (rest @ table.T)).sum(1)
    return z

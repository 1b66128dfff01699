"""Quantisers of rotated coordinates: product codes, and scalar quantisers of principal components."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from jaxrd.figures.rdc_rates.codebooks import Effort, k_means, nearest, principal

_MOST_BITS = 8
"""Most bits of a scalar quantiser."""
_LLOYD = 200
"""Iterations of a scalar quantiser's design."""


def shared_out(variances: np.ndarray, parts: int) -> np.ndarray:
    """The part of each coordinate, equally many each, so that the products of their variances are nearly equal.

    Args:
        variances: positive, falling.
        parts: divides their number.

    Returns:
        Integers, shape of `variances`.

    Reference: T. Ge et al., Optimized product quantization, CVPR 2013, section 3.2.

    >>> shared_out(np.array([8.0, 4.0, 2.0, 1.0]), 2).tolist()
    [0, 1, 1, 0]
    """
    size, logs, count = len(variances) // parts, np.zeros(parts), np.zeros(parts, int)
    chosen = []
    for value in np.log(variances / variances[-1]):
        part = np.where(count < size, logs, np.inf).argmin()
        chosen.append(part)
        logs[part] += value
        count[part] += 1
    return np.array(chosen)


class ProductCode:
    """k-means in equal parts of the principal components, after a rotation that is fitted with the words.

    Args:
        images: centred, to fit to, shape (count, dimensions).
        parts: each costs log2 of `effort.words` bits.
        effort: how long.
        generator: of the words' beginning.
        components: principal components that are kept, at most; the rest is decoded as zero.

    Reference: T. Ge et al., Optimized product quantization, CVPR 2013.
    """

    def __init__(
        self, images: np.ndarray, parts: int, effort: Effort, generator: np.random.Generator, components: int = 128
    ):
        variances, directions = principal(images)
        kept = min(components, int((variances > 1e-6 * variances[0]).sum())) // parts * parts
        order = np.argsort(shared_out(variances[:kept], parts), kind="stable")
        self.parts = parts
        self.directions: np.ndarray = directions[:, :kept][:, order]
        x = images @ self.directions
        rotation = np.eye(kept, dtype=images.dtype)
        self.books: list[np.ndarray] = [
            k_means(part, effort.words, effort.iterations, generator) for part in self._split(x)
        ]
        for _ in range(effort.turns):
            y = x @ rotation
            codes = self._codes(y)
            for part, book, index in zip(self._split(y), self.books, codes.T, strict=True):
                count = np.bincount(index, minlength=len(book))
                order = np.argsort(index, kind="stable")
                used = count > 0
                starts = np.concatenate([[0], np.cumsum(count)[:-1]])[used]
                book[used] = np.add.reduceat(part[order], starts, axis=0) / count[used][:, None]
            # The rotation that brings the images nearest to their words: orthogonal Procrustes.
            left, _, right = scipy.linalg.svd(x.T @ self._words(codes))
            rotation = (left @ right).astype(images.dtype)
        self.directions = self.directions @ rotation

    def _split(self, x: np.ndarray) -> list[np.ndarray]:
        return np.split(x, self.parts, axis=1)

    def _codes(self, x: np.ndarray) -> np.ndarray:
        return np.stack([nearest(part, book) for part, book in zip(self._split(x), self.books, strict=True)], 1)

    def _words(self, codes: np.ndarray) -> np.ndarray:
        return np.concatenate([book[index] for book, index in zip(self.books, codes.T, strict=True)], 1)

    def reproduce(self, images: np.ndarray) -> np.ndarray:
        """What a decoder makes of the code of centred images."""
        return self._words(self._codes(images @ self.directions)) @ self.directions.T


def lloyd_max(values: np.ndarray, levels: int) -> np.ndarray:
    """Levels of a scalar quantiser of little squared error for these values: Lloyd's algorithm from their quantiles.

    Args:
        values: sorted, shape (count,).
        levels: how many.

    >>> lloyd_max(np.array([0.0, 1.0, 10.0, 12.0]), 2).tolist()
    [0.5, 11.0]
    """
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
    found = np.quantile(values, (np.arange(levels) + 0.5) / levels)
    for _ in range(_LLOYD):
        ends = np.searchsorted(values, (found[1:] + found[:-1]) / 2)
        edges = np.concatenate([[0], ends, [len(values)]])
        count = np.diff(edges)
        moved = np.where(count > 0, np.diff(sums[edges]) / np.maximum(count, 1), found)
        if np.array_equal(moved, found):
            break
        found = moved
    return found


def rounded(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The nearest level of each value."""
    return levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, values)]


class ScalarCode:
    """Principal components, each by a scalar quantiser of a whole number of bits, given where a bit helps the most.

    Args:
        images: centred, to fit to, shape (count, dimensions).
        bits: of an image.
        components: principal components that may get bits.
    """

    def __init__(self, images: np.ndarray, bits: int, components: int = 64):
        _, directions = principal(images)
        self.directions: np.ndarray = directions[:, : min(components, images.shape[1])]
        x = np.sort(images @ self.directions, axis=0)
        self.bits: np.ndarray = np.zeros(x.shape[1], int)
        self.levels: list[np.ndarray] = [np.array([column.mean(dtype=float)]) for column in x.T]
        errors = np.array([self._error(column, one) for column, one in zip(x.T, self.levels, strict=True)])
        better = [self._finer(x, i) for i in range(len(errors))]
        for _ in range(bits):
            gains = errors - [error for _, error in better]
            i = int(np.where(self.bits < _MOST_BITS, gains, -np.inf).argmax())
            self.levels[i], errors[i] = better[i]
            self.bits[i] += 1
            better[i] = self._finer(x, i)

    @staticmethod
    def _error(column: np.ndarray, levels: np.ndarray) -> float:
        return float(((rounded(column, levels) - column) ** 2).mean(dtype=float))

    def _finer(self, x: np.ndarray, i: int) -> tuple[np.ndarray, float]:
        levels = lloyd_max(x[:, i], 2 ** (int(self.bits[i]) + 1))
        return levels, self._error(x[:, i], levels)

    def reproduce(self, images: np.ndarray) -> np.ndarray:
        """What a decoder makes of the code of centred images."""
        x = images @ self.directions
        y = np.stack([rounded(column, one) for column, one in zip(x.T, self.levels, strict=True)], 1)
        return (y @ self.directions.T).astype(images.dtype)

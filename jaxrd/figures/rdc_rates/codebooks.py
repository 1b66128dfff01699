"""Codebooks whose words add up: residual codes by k-means, greedy or beam encoders, joint fits of all stages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg

_KEPT = 0.99
"""Share of the variance on which words are searched."""


class Effort(NamedTuple):
    """How long the fits take.

    Args:
        iterations: of Lloyd's algorithm for every codebook.
        rounds: of joint fits of all stages, each after an encoding.
        turns: of the rotation before a product code.
        beam: partial codes that an encoder keeps.
        words: of a stage or part, 256 for 8 bits.
    """

    iterations: int = 60
    rounds: int = 8
    turns: int = 60
    beam: int = 8
    words: int = 256


def principal(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances, falling, and principal directions as columns, of centred images of shape (count, dimensions)."""
    values, vectors = scipy.linalg.eigh(images.T @ images / len(images))
    return np.maximum(values[::-1], 0), vectors[:, ::-1].astype(images.dtype)


def nearest(images: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Index of the word nearest to each image."""
    half = 0.5 * (words**2).sum(1)
    parts = [(half - images[i : i + 10_000] @ words.T).argmin(1) for i in range(0, len(images), 10_000)]
    return np.concatenate(parts)


def k_means(images: np.ndarray, words: int, iterations: int, generator: np.random.Generator) -> np.ndarray:
    """Lloyd's algorithm from distinct random images; a dead word restarts beside the word of most error.

    Args:
        images: shape (count, dimensions).
        words: how many.
        iterations: how many.
        generator: of the first words and the restarts.

    Returns:
        The words, shape (words, dimensions).
    """
    # As many images as words, or fewer: each is a word.
    centres = images[generator.permutation(len(images))[np.arange(words) % len(images)]]
    index = np.full(len(images), -1)
    for i in range(iterations):
        before, index = index, nearest(images, centres)
        if np.array_equal(index, before):
            break
        means, count, errors = _cells(images, index, words)
        centres = np.where(count[:, None] > 0, means, centres)
        dead = np.flatnonzero(count == 0)
        if len(dead) and i < iterations - 1:
            worst = np.argsort(-errors)[: len(dead)]
            dead = dead[: len(worst)]
            noise = 1e-3 * images.std() * generator.standard_normal((len(dead), images.shape[1]))
            centres[dead] = centres[worst] + noise.astype(images.dtype)
    return centres


def _cells(images: np.ndarray, index: np.ndarray, words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, number and total squared deviation of the images of every word."""
    order = np.argsort(index, kind="stable")
    count = np.bincount(index, minlength=words)
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    used = count > 0
    means, squares = np.zeros((words, images.shape[1]), images.dtype), np.zeros(words)
    means[used] = np.add.reduceat(images[order], starts[used], axis=0) / count[used][:, None]
    squares[used] = np.add.reduceat((images[order] ** 2).sum(1), starts[used])
    return means, count, squares - count * (means**2).sum(1)


def encode(images: np.ndarray, books: np.ndarray, beam: int) -> np.ndarray:
    """Codes of little error: stage after stage, the `beam` best partial codes of each image are kept.

    Args:
        images: shape (count, dimensions).
        books: a word of each is added up, shape (stages, words, dimensions).
        beam: 1 is the greedy encoder of a residual code.

    Returns:
        Indices, shape (count, stages).
    """
    stages, words, _ = books.shape
    flat = books.reshape(stages * words, -1)
    inner = (flat @ flat.T).reshape(stages, words, stages, words)
    norms = (flat**2).sum(1).reshape(stages, words)
    chunk = max(1, 4_000_000 // (beam * words))
    return np.concatenate(
        [_encode(images[i : i + chunk] @ flat.T, inner, norms, beam) for i in range(0, len(images), chunk)]
    )


def _encode(products: np.ndarray, inner: np.ndarray, norms: np.ndarray, beam: int) -> np.ndarray:
    stages, words = norms.shape
    count = len(products)
    products = products.reshape(count, stages, words)
    codes = np.zeros((count, 1, 0), np.int64)
    cost = np.zeros((count, 1), products.dtype)
    for stage in range(stages):
        # |x - sum - w|^2 - |x - sum|^2 = |w|^2 - 2 x.w + 2 sum.w
        added = norms[stage] - 2 * products[:, stage, :]
        total = cost[:, :, None] + added[:, None, :]
        for earlier in range(stage):
            total += 2 * inner[earlier, codes[:, :, earlier], stage]
        total = total.reshape(count, -1)
        kept = min(beam, total.shape[1])
        best = np.argpartition(total, kept - 1, axis=1)[:, :kept] if kept > 1 else total.argmin(1)[:, None]
        cost = np.take_along_axis(total, best, 1)
        row = best // words
        codes = np.concatenate([np.take_along_axis(codes, row[:, :, None], 1), (best % words)[:, :, None]], 2)
    return codes[np.arange(count), cost.argmin(1)]


def decode(codes: np.ndarray, books: np.ndarray) -> np.ndarray:
    """The sums of the words: shape (count, dimensions)."""
    total = books[0][codes[:, 0]].copy()
    for stage in range(1, len(books)):
        total += books[stage][codes[:, stage]]
    return total


def residual_books(images: np.ndarray, stages: int, effort: Effort, generator: np.random.Generator) -> np.ndarray:
    """A codebook for what the stages before leave over, one after the other: shape (stages, words, dimensions).

    Lloyd's algorithm works on the principal components of nearly all of the variance, a third of the pixels; the words
    are the means of whole images.
    """
    variances, directions = principal(images)
    share = np.cumsum(variances) / variances.sum()
    directions = directions[:, : int(np.searchsorted(share, _KEPT)) + 1]
    rest, books = images.copy(), []
    for _ in range(stages):
        few = rest @ directions
        index = nearest(few, k_means(few, effort.words, effort.iterations, generator))
        book, _, _ = _cells(rest, index, effort.words)
        rest -= book[index]
        books.append(book)
    return np.stack(books)


def joint_books(images: np.ndarray, codes: np.ndarray, words: int, ridge: float = 1.0) -> np.ndarray:
    """The books of least squared error for given codes: least squares over all stages at once.

    Args:
        images: shape (count, dimensions).
        codes: of `encode`, shape (count, stages).
        words: of a stage.
        ridge: added to the counts: a word that few images use stays small.

    Reference: A. Babenko and V. Lempitsky, Additive quantization for extreme vector compression, CVPR 2014.
    """
    stages = codes.shape[1]
    gram = np.zeros((stages, words, stages, words))
    sums = np.zeros((stages, words, images.shape[1]))
    for i in range(stages):
        means, number, _ = _cells(images, codes[:, i], words)
        sums[i] = means * number[:, None]
        for j in range(i, stages):
            pairs = np.bincount(codes[:, i] * words + codes[:, j], minlength=words * words).reshape(words, words)
            gram[i, :, j, :], gram[j, :, i, :] = pairs, pairs.T
    system = gram.reshape(stages * words, -1)
    system[np.diag_indices_from(system)] += ridge
    solved = scipy.linalg.solve(system, sums.reshape(stages * words, -1), assume_a="pos")
    return solved.reshape(stages, words, -1).astype(images.dtype)

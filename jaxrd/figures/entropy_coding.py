"""Symbols as bytes: a range coder over a known pmf, and the mean length of a code of one symbol at a time."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.coding.range_coder import Decoder, Encoder


def range_coded(symbols: ArrayLike, pmf: ArrayLike) -> bytes:
    """The symbols as bytes that `range_decoded` reads, with the same pmf; no bytes where one letter is certain.

    Args:
        symbols: int in 0..letters-1, shape (count,), none of probability zero.
        pmf: shape (letters,).

    >>> range_decoded(range_coded([0, 1, 1, 0, 1], [0.4, 0.6]), 5, [0.4, 0.6]).tolist()
    [0, 1, 1, 0, 1]
    """
    letters, p = _letters(pmf)
    if len(letters) == 1:
        return b""
    encoder = Encoder()
    encoder.letters(np.searchsorted(letters, np.asarray(symbols)), p)
    return encoder.payload()


def range_decoded(payload: bytes, count: int, pmf: ArrayLike) -> np.ndarray:
    """The symbols that `range_coded` turned into bytes.

    Args:
        payload: the bytes.
        count: of the symbols.
        pmf: what they were coded with, shape (letters,).
    """
    letters, p = _letters(pmf)
    if len(letters) == 1:
        return np.full(count, letters[0])
    return letters[Decoder(payload).letters(count, p)]


def _letters(pmf: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The letters that occur and their probabilities: the coder would give every other letter some probability."""
    p = np.asarray(pmf, float)
    letters = np.flatnonzero(p > 0)
    return letters, p[letters]


def huffman_bits(pmf: ArrayLike) -> float:
    """Mean length, bits per symbol, of Huffman's code: the least of any prefix code of one symbol at a time.

    H <= length < H + 1; 0 for a single letter.

    >>> huffman_bits([0.5, 0.25, 0.25])
    1.5
    """
    heap = [float(p) for p in np.asarray(pmf, float) if p > 0]
    heapq.heapify(heap)
    total = 0.0
    while len(heap) > 1:  # the length is the sum of the merged weights
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total

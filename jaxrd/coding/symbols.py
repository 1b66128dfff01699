"""Vectors of symbols through the range coder: each place is coded given at most one earlier place.

The law is fitted to a sample and kept by both sides. A place's table of counts, given the earlier place that shortens
the code the most, is smoothed towards the place's own shares; how much is chosen by leaving one vector out, so that a
table too large for the sample is not used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxrd.coding.range_coder import Decoder, Encoder
from jaxrd.errors import InputError

_STRENGTHS = (0.5, 2.0, 8.0, 32.0, 128.0, 512.0)
"""Weights of a place's own shares, in counts, that are tried."""
_LEAST_GAIN = 0.005
"""Bits a vector that an earlier place must save; less is chance, or not worth a table."""
_ALONE = -1
"""The parent of a place that is coded by its own shares."""


class Law(NamedTuple):
    """The law of vectors of symbols: P(m) = prod_k P(m_k | m_parent(k)).

        P(a | v) = (counts[v, a] + strength P(a)) / (sum_b counts[v, b] + strength),   P(a) = (n_a + 1/2) / (n + L/2)

    Args:
        parents: the earlier place that each place is given, -1 for none.
        strengths: of the smoothing, in counts; not used without a parent.
        counts: of each place, a row for each symbol of its parent, one row without a parent; whole numbers.
    """

    parents: tuple[int, ...]
    strengths: tuple[float, ...]
    counts: tuple[np.ndarray, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Symbols of each place."""
        return tuple(table.shape[1] for table in self.counts)

    def shares(self, place: int) -> np.ndarray:
        """P(a | v), shape of `counts[place]`; no share is zero, so every vector can be coded."""
        table = self.counts[place]
        own = _smoothed(table.sum(0))
        if self.parents[place] == _ALONE:
            return own[None]
        # Sums of whole numbers and single operations: the same float64 on every machine.
        return _given(table, own, self.strengths[place])

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """Ideal length -log2 P(m) of the code of each vector, shape (count,)."""
        symbols = refuse_unless_symbols(symbols, self.sizes)
        total = np.zeros(len(symbols))
        for place in range(len(self.counts)):
            total -= np.log2(self.shares(place))[self._rows(symbols, place), symbols[:, place]]
        return total

    def least_bits(self) -> float:
        """A lower bound on the length of the code of any vector: each place at its likeliest symbol."""
        return float(-sum(np.log2(self.shares(place).max()) for place in range(len(self.counts))))

    def digest(self) -> bytes:
        """SHA-256 of all that decides the code."""
        sha256 = hashlib.sha256(repr((self.parents, self.strengths, self.sizes)).encode())
        for table in self.counts:
            sha256.update(np.ascontiguousarray(table, "<i8").tobytes())
        return sha256.digest()

    def _rows(self, symbols: np.ndarray, place: int) -> np.ndarray:
        parent = self.parents[place]
        return np.zeros(len(symbols), int) if parent == _ALONE else symbols[:, parent]

    def encode(self, symbols: np.ndarray) -> bytes:
        """The payload of vectors of symbols: words of 4 bytes, place after place.

        Args:
            symbols: integers, shape (count, places).

        Raises:
            InputError: another number of places, or a symbol that its place does not have.
        """
        symbols, encoder = refuse_unless_symbols(symbols, self.sizes), Encoder()
        for place in range(len(self.counts)):
            shares, rows = self.shares(place), self._rows(symbols, place)
            for row in np.unique(rows):
                encoder.letters(symbols[rows == row, place], shares[row])
        return encoder.payload()

    def decode(self, payload: bytes, count: int) -> np.ndarray:
        """The vectors of a payload, bit for bit those encoded: int32, shape (count, places).

        Args:
            payload: of `encode`.
            count: of vectors.

        Raises:
            InputError: no encoder with this law wrote it.
        """
        symbols, decoder = np.zeros((count, len(self.counts)), np.int32), Decoder(payload)
        for place in range(len(self.counts)):
            shares, rows = self.shares(place), self._rows(symbols, place)
            for row in np.unique(rows):
                here = rows == row
                symbols[here, place] = decoder.letters(int(here.sum()), shares[row])
        return symbols


def fit_law(symbols: np.ndarray, sizes: Sequence[int]) -> Law:
    """The law of a sample of vectors: the shortest code of each place, alone or given one earlier place.

    The length of a code is that of each vector under the counts of all others (leave one out).

    Args:
        symbols: integers, shape (count, places).
        sizes: symbols of each place.

    Raises:
        InputError: no vectors, or a symbol that its place does not have.

    >>> first = np.arange(1000) % 7 % 2
    >>> law = fit_law(np.stack([first, first, np.arange(1000) % 3], 1), (2, 2, 3))
    >>> law.parents
    (-1, 0, -1)
    >>> round(float(law.bits(np.array([[1, 1, 2]]))[0]), 2)
    2.81
    """
    symbols = refuse_unless_symbols(symbols, sizes)
    if not len(symbols):
        raise InputError("a law needs a sample of one vector at least; got none.")
    parents, strengths, counts = [], [], []
    for place, size in enumerate(sizes):
        alone = np.bincount(symbols[:, place], minlength=size)
        best = (_left_out(alone[None], np.full(size, 1 / size), 0.5 * size), _ALONE, 0.0, alone[None])
        # A place's own shares without the vector that is left out; of a symbol that never occurs it is not used.
        own = (np.maximum(alone - 1, 0) + 0.5) / (len(symbols) - 1 + 0.5 * size)
        for parent in range(place):
            pairs = symbols[:, parent].astype(np.int64) * size + symbols[:, place]
            table = np.bincount(pairs, minlength=sizes[parent] * size).reshape(sizes[parent], size)
            for strength in _STRENGTHS:
                length = _left_out(table, own, strength)
                saved = best[0] - length
                if saved > (_LEAST_GAIN * len(symbols) if best[1] == _ALONE else 0.0):
                    best = (length, parent, strength, table)
        parents.append(best[1])
        strengths.append(best[2])
        counts.append(best[3])
    return Law(tuple(parents), tuple(strengths), tuple(counts))


def _smoothed(counts: np.ndarray) -> np.ndarray:
    return (counts + 0.5) / (counts.sum() + 0.5 * len(counts))


def _given(table: np.ndarray, own: np.ndarray, strength: float) -> np.ndarray:
    return (table + strength * own) / (table.sum(1, keepdims=True) + strength)


def _left_out(table: np.ndarray, own: np.ndarray, strength: float) -> float:
    """Bits of the sample, each vector coded by the counts of the others."""
    total = np.broadcast_to(table.sum(1, keepdims=True), table.shape)
    seen = table > 0
    others = (table[seen] - 1 + strength * np.broadcast_to(own, table.shape)[seen]) / (total[seen] - 1 + strength)
    return float(-(table[seen] * np.log2(others)).sum())


def refuse_unless_symbols(symbols: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """The symbols as an array, if they are whole and lie in 0..size-1 of their place.

    Raises:
        InputError: they do not; quotes the first that does not.
    """
    array = np.asarray(symbols)
    if array.ndim != 2 or array.shape[1] != len(sizes) or array.dtype.kind not in "iu":
        raise InputError(
            f"symbols must be integers of shape (count, {len(sizes)}); got {array.dtype} of shape {array.shape}."
        )
    wrong = (array < 0) | (array >= np.asarray(sizes))
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        raise InputError(f"a symbol of place {place} must lie in 0..{sizes[place] - 1}; got {array[row, place]}.")
    return array

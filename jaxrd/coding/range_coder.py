"""Symbols as bytes and back, by the range coder of `constriction`; the same bytes on every machine.

A law is given by weights. constriction makes whole frequencies of them that sum to 2^24: it scales them to that sum
less the number of letters, rounds, and adds one to each. Weights that are whole and have that sum pass unrounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue]

from jaxrd._files import is_panic
from jaxrd.errors import InputError

PRECISION = 24
"""Bits of a frequency."""


def _law(weights: np.ndarray) -> Any:
    # Float32 and float64 weights may round to different frequencies: each caller's dtype is part of its format.
    return stream.model.Categorical(weights, perfect=False)


class Encoder:
    """Codes symbols one list after the other; `payload` has all of them as bytes.

    >>> encoder = Encoder()
    >>> encoder.letters(np.array([0, 1, 1]), np.array([0.4, 0.6]))
    >>> encoder.numbers(np.array([5, 0]), np.array([8, 2]))
    >>> decoder = Decoder(encoder.payload())
    >>> decoder.letters(3, np.array([0.4, 0.6])).tolist(), decoder.numbers(np.array([8, 2])).tolist()
    ([0, 1, 1], [5, 0])
    """

    def __init__(self) -> None:
        self._coder = stream.queue.RangeEncoder()

    def letters(self, symbols: np.ndarray, weights: np.ndarray) -> None:
        """Add symbols of one law: int in 0..letters-1, weights >= 0 of shape (letters,), float32 or float64."""
        self._coder.encode(symbols.astype(np.int32), _law(weights))

    def numbers(self, values: np.ndarray, sizes: np.ndarray) -> None:
        """Add numbers that are uniform: `values[i]` in 0..sizes[i]-1, sizes of at most 2^24."""
        self._coder.encode(values.astype(np.int32), stream.model.Uniform(), sizes.astype(np.int32))

    def payload(self) -> bytes:
        """All symbols so far: words of 4 bytes, little-endian."""
        return self._coder.get_compressed().astype("<u4").tobytes()


class Decoder:
    """Reads what an `Encoder` wrote, in the same order with the same laws.

    Args:
        payload: the bytes.

    Raises:
        InputError: the payload has no whole number of words; from the methods: no encoder writes it.
    """

    def __init__(self, payload: bytes) -> None:
        if len(payload) % 4:
            raise InputError(f"a payload is words of 4 bytes; got {len(payload)} bytes.")
        self._coder = stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))

    def letters(self, count: int, weights: np.ndarray) -> np.ndarray:
        """The next symbols of one law, int32, shape (count,)."""
        with _refusing():
            return self._coder.decode(_law(weights), count)

    def numbers(self, sizes: np.ndarray) -> np.ndarray:
        """The next uniform numbers, int32, one for each of `sizes`."""
        with _refusing():
            return self._coder.decode(stream.model.Uniform(), sizes.astype(np.int32))


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if not isinstance(error, AssertionError) and not is_panic(error):  # for data of another law
            raise
        raise InputError(f"the payload cannot be decoded: {error}") from None

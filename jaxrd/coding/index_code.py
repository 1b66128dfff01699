"""The Zipf code of the index, by a range coder whose frequencies are whole numbers on every machine.

P(j) ~ j^-z with z = 1 + 1 / (nI + 1), nI in bits. An index is a bucket and its place in it: buckets hold one index
below 16 and then an eighth of an octave each, up to 2^48, which no search reaches. Their frequencies, out of 2^24,
follow from z by decimal arithmetic, whose exp and ln are correctly rounded and hence the same everywhere; places are
bits as they are. An eighth of an octave that is taken as flat costs under 0.001 bit.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.coding.range_coder import PRECISION, Decoder, Encoder
from jaxrd.errors import InputError

LARGEST = (1 << 48) - 1
"""The largest index that can be coded."""
FRACTION = 16
"""An exponent is stored as nI + 1 in units of 2^-16 bit."""
BUCKETS = 8 * 44 + 15  # through 2^48
_PIECE = 16  # bits of a place coded at once
_EXACT = Context(prec=34)  # a separate context: the user's may round otherwise


def _bucket(index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bucket, its width in bits, and the place within."""
    width = np.maximum(np.frexp(index.astype(np.float64))[1] - 4, 0).astype(np.int64)
    return 8 * width + (index >> width) - 1, width, index & ((1 << width) - 1)


def bucket_ends(bucket: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first index of a bucket, and its width in bits."""
    width = np.maximum((bucket + 1) // 8 - 1, 0)
    return (bucket + 1 - 8 * width) << width, width


@lru_cache(maxsize=8)
def frequencies(exponent: int) -> np.ndarray:
    """Frequencies of the buckets: at least one each, 2^24 together.

    Args:
        exponent: nI + 1 in units of 2^-16 bit, at least 2^16; z = 1 + 2^16 / exponent.

    >>> table = frequencies(1 << 16)  # I = 0: z = 2, and 6 / pi^2 of the mass lies on J = 1
    >>> len(table), int(table.sum()) == 2**24, round(float(table[0]) / 2**24, 3)
    (367, True, 0.608)
    """
    slow, half = _EXACT.divide(1 << FRACTION, exponent), Decimal("0.5")  # z - 1

    def power(base: Decimal, to: Decimal) -> Decimal:
        return _EXACT.exp(_EXACT.multiply(to, _EXACT.ln(base)))

    first = bucket_ends(np.arange(BUCKETS + 1))[0].tolist()
    tails = [power(_EXACT.subtract(j, half), _EXACT.minus(slow)) for j in map(Decimal, first)]
    masses = [
        power(Decimal(j), _EXACT.subtract(-1, slow)) if j < 16 else _EXACT.divide(_EXACT.subtract(tail, rest), slow)
        for j, tail, rest in zip(first, tails, tails[1:], strict=False)
    ]
    total = Decimal(0)
    for mass in masses:
        total = _EXACT.add(total, mass)
    free = (1 << PRECISION) - BUCKETS
    counts = [1 + int(_EXACT.divide(_EXACT.multiply(mass, free), total)) for mass in masses]
    counts[0] += (1 << PRECISION) - sum(counts)
    return np.array(counts, np.int64)


def _weights(exponent: int) -> np.ndarray:
    # The range coder adds one to every weight after scaling to a sum of 2^24 - BUCKETS: these pass unrounded.
    return (frequencies(exponent) - 1).astype(np.float64)


def _pieces(width: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The pieces of places of these widths: for each round which places, from which bit on, and how many values."""
    rounds = []
    for shift in range(0, int(width.max(initial=0)), _PIECE):
        which = np.flatnonzero(width > shift)
        rounds.append((which, np.int64(shift), (1 << np.minimum(width[which] - shift, _PIECE)).astype(np.int32)))
    return rounds


def code_length(index: ArrayLike, exponent: int) -> np.ndarray:
    """Bits that the code spends on each index, fractions of a bit included."""
    bucket, width, _ = _bucket(np.asarray(index, np.int64))
    return PRECISION - np.log2(frequencies(exponent)[bucket]) + width


def write_indices(encoder: Encoder, index: ArrayLike, exponent: int) -> None:
    """Add indices J in 1..2^48 - 1 to what an encoder has.

    Args:
        encoder: of the range coder.
        index: J, int, shape (blocks,).
        exponent: nI + 1 in units of 2^-16 bit.

    Raises:
        InputError: an index is out of range.
    """
    index = np.asarray(index, np.int64)
    if ((index < 1) | (index > LARGEST)).any():
        raise InputError(f"an index must lie in 1..{LARGEST}; got {index.min()}..{index.max()}.")
    bucket, width, place = _bucket(index)
    encoder.letters(bucket, _weights(exponent))
    for which, shift, values in _pieces(width):
        piece = (place[which] >> shift) & (values.astype(np.int64) - 1)
        encoder.numbers(piece, values)


def read_indices(decoder: Decoder, count: int, exponent: int) -> np.ndarray:
    """The next indices that `write_indices` added, int64, shape (count,).

    Raises:
        InputError: they are no such code.
    """
    index, width = bucket_ends(decoder.letters(count, _weights(exponent)).astype(np.int64))
    for which, shift, values in _pieces(width):
        index[which] += decoder.numbers(values).astype(np.int64) << shift
    return index


def encode_indices(index: ArrayLike, exponent: int) -> bytes:
    """Code indices J in 1..2^48 - 1.

    Args:
        index: J, int, shape (blocks,).
        exponent: nI + 1 in units of 2^-16 bit.

    Raises:
        InputError: an index is out of range.

    >>> decode_indices(encode_indices([1, 5, 2**47], 3 << 16), 3, 3 << 16).tolist()
    [1, 5, 140737488355328]
    """
    encoder = Encoder()
    write_indices(encoder, index, exponent)
    return encoder.payload()


def decode_indices(payload: bytes, count: int, exponent: int) -> np.ndarray:
    """The indices that a payload codes, int64, shape (count,).

    Raises:
        InputError: the payload is no such code.
    """
    return read_indices(Decoder(payload), count, exponent)

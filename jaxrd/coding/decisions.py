"""Decisions as bytes, entropy-coded by their own law: the .jrd stream of letters that are all sent, none simulated.

Little-endian: "JRD2", samples (4 bytes), number of letters (4), number of those that occur (4), exponent of the code of
their counts (4), bytes of the law (4), bytes of payload (4), SHA-256 of the decisions as int32 (32); the law; the
payload; SHA-256 of all before it (32).

The law says how often each letter occurs: which do, then the Zipf code of their counts, by the range coder. The payload
is the decisions, by a range coder whose frequencies are the counts, scaled to 2^24 by whole numbers.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.coding import framing
from jaxrd.coding.file import MOST_SAMPLES, damaged, digest
from jaxrd.coding.index_code import FRACTION, read_indices, write_indices
from jaxrd.coding.range_coder import PRECISION, Decoder, Encoder
from jaxrd.errors import InputError
from jaxrd.information import NATS_PER_BIT

MAGIC = b"JRD2"
FIXED = struct.Struct("<4sIIIIII32s")
MOST_LETTERS = 1 << 15
_DIVISION = -np.log1p(-(2.0**-8))
"""What the range coder's division costs at most, nats a sample: its range of 2^32 or more is cut to 2^24 parts."""
_LAST_WORDS = 64 * NATS_PER_BIT
"""What the end of the range coder costs at most, nats."""


@readable
class Coded(NamedTuple):
    """A stream of decisions, and what it took."""

    stream: bytes
    """What a .jrd file holds."""
    decisions: np.ndarray
    """What the decoder will see, int32, shape (samples,)."""
    payload_bytes: int
    """Bytes of the payload; the rest of the stream is header, law and checksum."""
    entropy: float
    """H of the decisions by their frequencies, nats a sample: no code that knows only these is shorter on average."""
    quantisation: float
    """What the rounding of the frequencies adds, nats a sample."""
    decisions_sha256: str
    """SHA-256 of the decisions as little-endian int32; it is in the header."""


class _Header(NamedTuple):
    samples: int
    letters: int
    used: int
    exponent: int
    law_bytes: int
    payload_bytes: int
    digest: bytes


def _weights(counts: np.ndarray) -> np.ndarray:
    """Whole weights in proportion to counts >= 0, not all zero.

    The range coder adds one to each; with the sum that these have it rounds none.
    """
    free = (1 << PRECISION) - len(counts)
    weights = counts * free // counts.sum()
    weights[counts.argmax()] += free - weights.sum()
    return weights.astype(np.float64)


def encode_decisions(decisions: ArrayLike, letters: int) -> Coded:
    """Code decisions by their own frequencies, which travel with them: bytes from which `decode` makes them again.

    Args:
        decisions: int in 0..letters-1, shape (samples,).
        letters: how many there are to choose from, at most 2^15.

    Raises:
        InputError: no decision, one that is no letter, or too many samples or letters.

    Reference: G. N. N. Martin, Range encoding, Video & Data Recording Conference, 1979.

    >>> found = encode_decisions([0, 3, 0, 0, 1, 0, 0, 0] * 100, 4)
    >>> from jaxrd.coding import decode
    >>> decode(found.stream)[:8].tolist()
    [0, 3, 0, 0, 1, 0, 0, 0]
    >>> round(found.entropy / NATS_PER_BIT, 3), round(8 * found.payload_bytes / 800, 2)
    (1.061, 1.08)
    """
    y = np.asarray(decisions)
    if y.ndim != 1 or y.size == 0 or y.dtype.kind not in "iu":
        raise InputError(f"decisions must be integers, shape (samples,), one or more; got {y.dtype} of {y.shape}.")
    if len(y) > MOST_SAMPLES:
        raise InputError(f"a stream holds at most {MOST_SAMPLES} samples; got {len(y)}. Encode them in parts.")
    if not 1 <= letters <= MOST_LETTERS:
        raise InputError(f"letters must lie in 1..{MOST_LETTERS}; got {letters}.")
    if y.min() < 0 or y.max() >= letters:
        raise InputError(f"decisions must lie in 0..{letters - 1}; got {y.min()}..{y.max()}.")
    y = y.astype(np.int32)
    counts = np.bincount(y, minlength=letters)
    occurs = counts > 0
    used = counts[occurs]
    exponent = int(np.ceil((np.log2(used).mean() + 1) * (1 << FRACTION)))
    law = _coded_law(counts, exponent)
    payload, frequencies = b"", np.ones(1)
    if len(used) > 1:  # one letter alone needs no payload
        weights = _weights(used)
        frequencies = (weights + 1) / (1 << PRECISION)
        encoder = Encoder()
        encoder.letters((np.cumsum(occurs) - 1)[y], weights)
        payload = encoder.payload()
    header = _Header(len(y), letters, len(used), exponent, len(law), len(payload), digest(y))
    stream = framing.pack(FIXED.pack(MAGIC, *header) + law, payload)
    p = used / len(y)
    entropy, rounding = -(p * np.log(p)).sum(), (p * np.log(p / frequencies)).sum()
    return Coded(stream, y, len(payload), max(float(entropy), 0.0), max(float(rounding), 0.0), header.digest.hex())


def decisions_bound(entropy: float, samples: int, used: int) -> float:
    """Bound on the payload of `encode_decisions` a sample, nats; it holds for every decisions, not on average.

    H - ln(1 - used / 2^24) for the rounding of the frequencies, - ln(1 - 2^-8) for the divisions of the range coder,
    whose range has 2^32 parts or more, and 64 bits at its end.

    Args:
        entropy: H of the decisions by their frequencies, nats a sample.
        samples: how many are coded.
        used: how many letters occur.

    Raises:
        InputError: an entropy below 0, or a number below 1.

    Reference: Cover and Thomas, Elements of Information Theory, Theorem 5.4.3 (the cost of a wrong law).

    >>> round(decisions_bound(2 * NATS_PER_BIT, 10_000, 10) / NATS_PER_BIT, 3)
    2.012
    """
    if not (entropy >= 0 and samples >= 1 and used >= 1):
        raise InputError(f"entropy must be >= 0, samples and used at least 1; got {entropy:g}, {samples} and {used}.")
    return float(entropy - np.log1p(-used * 2.0**-PRECISION) + _DIVISION + _LAST_WORDS / samples)


def decode_decisions(stream: bytes) -> np.ndarray:
    """The decisions of a stream of `encode_decisions`, int32, shape (samples,).

    Raises:
        InputError: the stream is damaged, or what its checksum protects is none of this version.
    """
    body = framing.unpack(stream, damaged())
    contradiction = InputError("the header of this stream contradicts itself, though its checksum matches.")
    if len(body) < FIXED.size:
        raise contradiction
    header = _Header(*FIXED.unpack_from(body)[1:])
    law, payload = body[FIXED.size : FIXED.size + header.law_bytes], body[FIXED.size + header.law_bytes :]
    if (
        len(law) != header.law_bytes or len(payload) != header.payload_bytes or header.exponent < 1 << FRACTION
        or not 1 <= header.samples <= MOST_SAMPLES or not 1 <= header.used <= header.letters <= MOST_LETTERS
    ):  # fmt: skip
        raise contradiction
    try:
        decisions = _decoded(law, payload, header)
    except ValueError as error:
        raise InputError(f"the checksum matches, but the stream cannot be decoded: {error}") from None
    if decisions is None:
        raise contradiction
    if digest(decisions) != header.digest:
        raise InputError("the decisions do not have the SHA-256 in the header: another version wrote this stream.")
    return decisions


def _which(letters: int, used: int) -> np.ndarray:
    """The weights of a letter that does not occur, and of one that does."""
    return _weights(np.array([letters - used, used]))


def _coded_law(counts: np.ndarray, exponent: int) -> bytes:
    encoder, occurs = Encoder(), counts > 0
    encoder.letters(occurs.astype(np.int32), _which(len(counts), int(occurs.sum())))
    write_indices(encoder, counts[occurs], exponent)
    return encoder.payload()


def _decoded_law(law: bytes, header: _Header) -> np.ndarray:
    decoder = Decoder(law)
    occurs = decoder.letters(header.letters, _which(header.letters, header.used)) > 0
    counts = np.zeros(header.letters, np.int64)
    counts[occurs] = read_indices(decoder, int(occurs.sum()), header.exponent)
    return counts


def _decoded(law: bytes, payload: bytes, header: _Header) -> np.ndarray | None:
    """The decisions; None where the law is not that of the header."""
    counts = _decoded_law(law, header)
    used = np.flatnonzero(counts).astype(np.int32)
    if len(used) != header.used or counts.sum() != header.samples:
        return None
    if len(used) == 1:
        return np.full(header.samples, used[0], np.int32)
    return used[Decoder(payload).letters(header.samples, _weights(counts[used]))]

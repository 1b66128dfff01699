"""The .jrd stream of a simulated channel: header, payload, checksum. `decisions` has the one of entropy-coded letters.

Little-endian: "JRD1", seed (8 bytes), samples (4), block (2), exponent (4), number of reproductions (4), bytes of
payload (4), SHA-256 of the decisions as int32 (32); the counts of the reproduction law (4 each); the payload;
SHA-256 of all before it (32).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import numpy as np

from jaxrd.coding import framing
from jaxrd.coding.index_code import FRACTION
from jaxrd.coding.poisson import TOTAL
from jaxrd.errors import InputError

MAGIC = b"JRD1"
FIXED = struct.Struct("<4sQIHIII32s")
LONGEST_BLOCK = (1 << 16) - 1
MOST_SAMPLES = 1 << 26
"""Most decisions in a stream: a block of a channel without information costs almost no bits, whatever its length."""
_INDICES_A_BYTE = 16  # an index costs over half a bit at any exponent: a stream with more is invalid


@dataclass(frozen=True)
class Header:
    """What a decoder needs besides the payload.

    Args:
        seed: of the shared randomness.
        samples: how many decisions the stream holds.
        block: n, samples coded together.
        exponent: of the Zipf code, nI + 1 in units of 2^-16 bit.
        law: counts of the reproduction law, int64, shape (reproductions,).
        digest: SHA-256 of the decisions.
    """

    seed: int
    samples: int
    block: int
    exponent: int
    law: np.ndarray
    digest: bytes

    @property
    def blocks(self) -> int:
        """Number of indices in the payload."""
        return -(-self.samples // self.block)


def digest(decisions: np.ndarray) -> bytes:
    """SHA-256 of decisions as little-endian int32, 32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(decisions, "<i4").data).digest()


def damaged() -> InputError:
    """The refusal of a stream whose checksum does not agree."""
    return InputError("the checksum does not match: this is no .jrd stream, or it is damaged or cut short.")


def pack(header: Header, payload: bytes) -> bytes:
    """The stream of a header and a payload."""
    fixed = FIXED.pack(
        MAGIC, header.seed, header.samples, header.block, header.exponent, len(header.law), len(payload), header.digest
    )
    return framing.pack(fixed + header.law.astype("<u4").tobytes(), payload)


def unpack(stream: bytes) -> tuple[Header, bytes]:
    """The header and the payload of a stream, once its checksum agrees.

    Raises:
        InputError: the checksum does not match, or what it protects is no stream of this version.
    """
    body = framing.unpack(stream, damaged())
    if body[:4] != MAGIC or len(body) < FIXED.size:
        raise InputError(f"this stream begins with {body[:4]!r}, not with JRD1 or JRD2: another version wrote it.")
    _, seed, samples, block, exponent, letters, size, decisions = FIXED.unpack_from(body)
    law = np.frombuffer(body, "<u4", min(letters, (len(body) - FIXED.size) // 4), FIXED.size).astype(np.int64)
    payload = body[FIXED.size + 4 * letters :]
    header = Header(seed, samples, block, exponent, law, decisions)
    if (
        len(law) != letters or len(payload) != size or law.sum() != TOTAL or exponent < 1 << FRACTION
        or block == 0 or not 1 <= samples <= MOST_SAMPLES or header.blocks > _INDICES_A_BYTE * size
    ):  # fmt: skip
        raise InputError("the header of this stream contradicts itself, though its checksum matches.")
    return header, payload

"""What a stream of coded images says of itself: which model made it, with which seed, how many images it holds."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from jaxrd.coding import framing
from jaxrd.errors import InputError, StreamError

_HEADER = struct.Struct("<6s8sIII")  # magic, model, seed, images, words
_MOST_IMAGES = 1 << 20
"""Images that a stream may hold."""


def pack(magic: bytes, digest: bytes, seed: int, images: int, payload: bytes) -> bytes:
    """26 bytes of header, the coded words, 32 bytes of SHA-256.

    Args:
        magic: six bytes that name the format.
        digest: eight bytes that name the model.
        seed: of dither or noise, below 2^32.
        images: their number.
        payload: words of 32 bits.

    Raises:
        InputError: more images than a stream holds.
    """
    if images > _MOST_IMAGES:
        raise InputError(f"a stream holds at most {_MOST_IMAGES} images; got {images}. Encode them in parts.")
    return framing.pack(_HEADER.pack(magic, digest, seed, images, len(payload) // 4), payload)


def unpack(
    stream: bytes,
    magic: bytes,
    digest: bytes,
    *,
    kind: str,
    least_bits: float,
    decode: Callable[[bytes, int], np.ndarray],
) -> tuple[np.ndarray, int]:
    """The symbols of a stream and its seed.

    Args:
        stream: of `pack`.
        magic: that it must begin with.
        digest: of the model it must be made with.
        kind: what the format belongs to, for the error.
        least_bits: of the likeliest image; an image with fewer is none of the model's.
        decode: payload and number of images -> symbols; raises InputError where the words are none of the model's.

    Raises:
        StreamError: the stream is damaged, cut short, of another format, or of another model.
    """
    if not stream.startswith(magic):
        raise StreamError(f"no stream of {kind}: it begins with {stream[:6].hex()}, not {magic.hex()}.")
    damaged = StreamError(f"the stream is damaged: its {len(stream)} bytes do not have the checksum they end with.")
    body = framing.unpack(stream, damaged)
    if len(body) < _HEADER.size:
        raise damaged
    _, made_with, seed, count, words = _HEADER.unpack_from(body)
    if made_with != digest:
        raise StreamError(f"made with model {made_with.hex()}, not {digest.hex()}; decode with the one that made it.")
    # Doubled, because the coder's shares are rounded.
    most = int(min(2 * 32 * (words + 2) / max(least_bits, 2.0**-24), _MOST_IMAGES))
    if len(body) != _HEADER.size + 4 * words or count > most:
        raise StreamError("the header of this stream contradicts its length, though its checksum matches.")
    try:
        return decode(body[_HEADER.size :], count), seed
    except InputError as error:
        raise StreamError("the words of this stream are none of its model's, though its checksum matches.") from error


def coded_bits(stream: bytes) -> float:
    """Bits an image of the stream's payload, without header and checksum."""
    count, words = _HEADER.unpack_from(stream)[3:]
    return 32 * words / max(count, 1)

"""Streams of a universal autoencoder: one encoder's symbols, range-coded, that any of its decoders may decode.

Symbols are bit-exact: integers, which every machine decodes alike. The networks work in float32: the same machine gives
the same bytes again; another machine may round a pixel to the next of the 256 levels, and another version of JAX may
draw another dither or noise.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.coding import framing
from jaxrd.errors import InputError, StreamError
from jaxrd.neural.samples import refuse_unless_images
from jaxrd.neural.universal.model import BATCH
from jaxrd.neural.universal.stored import Stored

MAGIC = b"JRDC2\n"
_HEADER = struct.Struct("<6s8sIII")  # magic, model, seed, images, words
MOST_IMAGES = 1 << 20
"""Images that a stream may hold."""
_Progress = Callable[[int, int], object]


def _silent(done: int, total: int) -> None:
    pass


def _by_batches(
    step: Callable[[np.ndarray, jax.Array], np.ndarray], rows: np.ndarray, seed: int, progress: _Progress
) -> np.ndarray:
    """`step` on equal, padded batches, each with its own key, in float32 whatever the caller's dtype."""
    # By default accelerators multiply float32 in fewer bits: both sides must round alike.
    parts = []
    with jax.enable_x64(False), jax.default_matmul_precision("highest"):
        for i in range(0, max(len(rows), 1), BATCH):
            batch = rows[i : i + BATCH]
            padded = np.pad(batch, [(0, BATCH - len(batch))] + [(0, 0)] * (rows.ndim - 1))
            key = jax.random.fold_in(jax.random.key(seed), i // BATCH)
            parts.append(step(padded, key)[: len(batch)])
            progress(i + len(batch), len(rows))
    return np.concatenate(parts)


def quantise(stored: Stored, images: np.ndarray, *, seed: int = 0, progress: _Progress = _silent) -> np.ndarray:
    """The symbols of each image: int32, shape (count, places).

    Args:
        stored: to encode with.
        images: shape (count, *stored.model.shape), floats in [0, 1].
        seed: of a dithered code, below 2^32.
        progress: called with images done and their number.

    Raises:
        InputError: they are no such images.
    """
    refuse_unless_images(images, stored.model.shape, least=0)
    rows = np.asarray(images, np.float32).reshape(-1, *stored.model.shape)
    return _by_batches(lambda x, key: np.asarray(stored.model.encode(x, key=key)), rows, seed, progress)


def reproduce(
    stored: Stored, symbols: np.ndarray, *, seed: int = 0, name: str | None = None, progress: _Progress = _silent
) -> np.ndarray:
    """The images that a decoder makes of symbols: uint8, shape (count, *stored.model.shape).

    Args:
        stored: to decode with.
        symbols: of `quantise`.
        seed: the encoder's; of a decoder with noise, its noise too.
        name: of the decoder; None for the only one.
        progress: called with images done and their number.

    Raises:
        InputError: no decoder of that name, or several and no name.
    """

    def step(x: np.ndarray, key: jax.Array) -> np.ndarray:
        return np.asarray(jnp.round(255 * stored.model.decode(x, name=name, key=key)), np.uint8)

    return _by_batches(step, symbols, seed, progress)


def pack(stored: Stored, symbols: np.ndarray, *, seed: int = 0) -> bytes:
    """A stream of symbols, range-coded, and a checksum.

    Args:
        stored: that made them; the stream names it by its digest.
        symbols: of `quantise`.
        seed: travels in the stream.

    Returns:
        26 bytes of header, the coded words, 32 bytes of SHA-256.

    Raises:
        InputError: more images than a stream holds.
    """
    if len(symbols) > MOST_IMAGES:
        raise InputError(f"a stream holds at most {MOST_IMAGES} images; got {len(symbols)}. Encode them in parts.")
    payload = stored.law.encode(symbols)
    return framing.pack(_HEADER.pack(MAGIC, stored.digest(), seed, len(symbols), len(payload) // 4), payload)


def unpack(stored: Stored, stream: bytes) -> tuple[np.ndarray, int]:
    """The symbols of a stream and its seed, bit for bit on every machine.

    Args:
        stored: the model it was made with, or one with the same encoder and other decoders.
        stream: of `pack`.

    Raises:
        StreamError: the stream is damaged, cut short, no such stream, or of another encoder.
    """
    if not stream.startswith(MAGIC):
        raise StreamError(f"no stream of this model's kind: it begins with {stream[:6].hex()}, not {MAGIC.hex()}.")
    damaged = StreamError(f"the stream is damaged: its {len(stream)} bytes do not have the checksum they end with.")
    body = framing.unpack(stream, damaged)
    if len(body) < _HEADER.size:
        raise damaged
    _, digest, seed, count, size = _HEADER.unpack_from(body)
    if digest != stored.digest():
        raise StreamError(
            f"made with model {digest.hex()}, not {stored.digest().hex()}; decode with the one that made it."
        )
    if len(body) != _HEADER.size + 4 * size or count > _most_images(stored, size):
        raise StreamError("the header of this stream contradicts its length, though its checksum matches.")
    try:
        return stored.law.decode(body[_HEADER.size :], count), seed
    except InputError as error:
        raise StreamError("the words of this stream are none of its model's, though its checksum matches.") from error


def _most_images(stored: Stored, words: int) -> int:
    """Most images in so many words of 32 bits, if each has the likeliest symbols; doubled, for rounded shares."""
    return int(min(2 * 32 * (words + 2) / max(stored.law.least_bits(), 2.0**-24), MOST_IMAGES))


def coded_bits(stream: bytes) -> float:
    """Bits an image of the stream's payload, without header and checksum."""
    count, size = _HEADER.unpack_from(stream)[3:]
    return 32 * size / max(count, 1)

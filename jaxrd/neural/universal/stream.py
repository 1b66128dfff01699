"""Streams of a universal autoencoder: one encoder's symbols, range-coded, that any of its decoders may decode.

Symbols are bit-exact: integers, which every machine decodes alike. The networks work in float32: the same machine gives
the same bytes again; another machine may round a pixel to the next of the 256 levels, and another version of JAX may
draw another dither or noise.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.neural import image_stream
from jaxrd.neural.samples import refuse_unless_images
from jaxrd.neural.universal.model import BATCH
from jaxrd.neural.universal.stored import Stored

MAGIC = b"JRDC2\n"
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
    return image_stream.pack(MAGIC, stored.digest(), seed, len(symbols), stored.law.encode(symbols))


def unpack(stored: Stored, stream: bytes) -> tuple[np.ndarray, int]:
    """The symbols of a stream and its seed, bit for bit on every machine.

    Args:
        stored: the model it was made with, or one with the same encoder and other decoders.
        stream: of `pack`.

    Raises:
        StreamError: the stream is damaged, cut short, no such stream, or of another encoder.
    """
    law = stored.law
    return image_stream.unpack(
        stream, MAGIC, stored.digest(), kind="this model's kind", least_bits=law.least_bits(), decode=law.decode
    )

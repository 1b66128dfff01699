"""A trained code as a file format: messages through a range coder, refused when damaged.

Messages and dither are bit-exact: integers and float32 products that every machine computes alike. So a stream holds
the same messages wherever it is decoded. The decoder that turns them into images is a network in float32: the same
machine gives the same bytes again; another machine may sum in another order, and round a pixel to the next of the
256 levels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.coding.range_coder import Decoder, Encoder
from jaxrd.neural import image_stream
from jaxrd.neural.evaluate import sent_messages
from jaxrd.neural.networks import PIXELS
from jaxrd.neural.quantizer import codes, nearest_messages
from jaxrd.neural.samples import refuse_unless_images
from jaxrd.neural.train import Code, Parameters, decode, encode

MAGIC = b"JRDC1\n"
BATCH = 1000
"""Images that a compiled step takes at a time."""
_Progress = Callable[[int, int], object]


def _silent(done: int, total: int) -> None:
    pass


class Model(NamedTuple):
    """The model that encoder and decoder share.

    Args:
        code: what encoder and decoder agree on.
        parameters: of both.
        frequencies: of the messages in training, counts, shape (L^h,).
    """

    code: Code
    parameters: Parameters
    frequencies: np.ndarray

    def digest(self) -> bytes:
        """Eight bytes that tell models apart."""
        sha256 = hashlib.sha256(repr(self.code).encode())
        for leaf in jax.tree.leaves((self.parameters["encoder"], self.parameters["decoder"], self.frequencies)):
            sha256.update(np.ascontiguousarray(leaf).tobytes())
        return sha256.digest()[:8]

    def shares(self) -> np.ndarray:
        """Shares of the messages; a message never seen in training costs more bits, but can be coded."""
        return (self.frequencies + 0.5) / (self.frequencies + 0.5).sum()

    def weights(self) -> np.ndarray:
        """The law of the messages for the range coder; that it is float32 is part of the format."""
        return self.shares().astype(np.float32)

    def least_bits(self) -> float:
        """Bits of the likeliest message, by the coder's shares, which are rounded."""
        return float(-np.log2(self.shares().max() - 2.0**-24))


def fitted(code: Code, parameters: Parameters, images: np.ndarray, *, batch: int = 1000) -> Model:
    """A trained code with the frequencies of its messages on a training sample, for the range coder.

    Args:
        code: what encoder and decoder agree on.
        parameters: theirs.
        images: shape (count, 784), in [0, 1].
        batch: images at a time.

    Raises:
        InputError: they are no such images.
    """
    refuse_unless_images(images, (PIXELS,))
    sent = sent_messages(code, parameters, images, batch=batch)
    return Model(code, parameters, np.bincount(sent, minlength=code.levels**code.dimensions))


def _dithers(code: Code, seed: int, count: int) -> np.ndarray:
    # numpy guarantees the raw numbers of Philox in all versions, JAX those of its generators only within one.
    raw = np.random.Philox(seed).random_raw(count * code.dimensions).reshape(count, code.dimensions)
    uniform = (raw >> 40).astype(np.float32) * np.float32(2.0**-23) - 1  # exact, in [-1, 1)
    return uniform * np.float32(code.dither / (code.levels - 1))


@partial(jax.jit, static_argnums=0)
def _nearest(code: Code, parameters: Parameters, images: jax.Array, u: jax.Array) -> jax.Array:
    return nearest_messages(encode(code, parameters, images) + u, code.levels)


@partial(jax.jit, static_argnums=0)
def _pixels(code: Code, parameters: Parameters, messages: jax.Array, u: jax.Array) -> jax.Array:
    made = decode(code, parameters, codes(code.dimensions, code.levels)[messages] - u)
    return jnp.round(255 * jnp.clip(made, 0, 1)).astype(jnp.uint8)


def _by_batches(step: Any, model: Model, rows: np.ndarray, seed: int, progress: _Progress) -> np.ndarray:
    """`step` on equal, padded batches, in float32 whatever the caller's dtype: both sides must round alike."""
    # By default accelerators multiply float32 in fewer bits, which changes the pixels.
    u = _dithers(model.code, seed, len(rows))
    parts = []
    with jax.enable_x64(False), jax.default_matmul_precision("highest"):
        for i in range(0, max(len(rows), 1), BATCH):
            batch, shift = rows[i : i + BATCH], u[i : i + BATCH]
            short = BATCH - len(batch)
            padded = [np.pad(x, [(0, short)] + [(0, 0)] * (x.ndim - 1)) for x in (batch, shift)]
            parts.append(np.asarray(step(model.code, model.parameters, *padded))[: len(batch)])
            progress(i + len(batch), len(rows))
    return np.concatenate(parts)


def quantise(model: Model, images: np.ndarray, *, seed: int = 0, progress: _Progress = _silent) -> np.ndarray:
    """The message of each image: int32 in [0, L^h), shape (count,).

    Args:
        model: to encode with.
        images: shape (count, 784), in [0, 1].
        seed: of the shared dither, below 2^32.
        progress: called with images done and their number.

    Raises:
        InputError: they are no such images.
    """
    refuse_unless_images(images, (PIXELS,), least=0)
    return _by_batches(_nearest, model, np.asarray(images, np.float32), seed, progress).astype(np.int32)


def reproduce(model: Model, messages: np.ndarray, *, seed: int = 0, progress: _Progress = _silent) -> np.ndarray:
    """The images that messages stand for: uint8 of shape (count, 28, 28).

    Args:
        model: to decode with.
        messages: of `quantise`.
        seed: the encoder's.
        progress: called with images done and their number.
    """
    return _by_batches(_pixels, model, messages, seed, progress).reshape(-1, 28, 28)


def pack(model: Model, messages: np.ndarray, *, seed: int = 0) -> bytes:
    """A stream of messages, range-coded, and a checksum.

    Args:
        model: that made them; the stream names it by its digest.
        messages: of `quantise`.
        seed: travels in the stream.

    Returns:
        26 bytes of header, the coded words, 32 bytes of SHA-256.

    Raises:
        InputError: more images than a stream holds.
    """
    encoder = Encoder()
    encoder.letters(np.asarray(messages), model.weights())
    return image_stream.pack(MAGIC, model.digest(), seed, len(messages), encoder.payload())


def unpack(model: Model, stream: bytes) -> tuple[np.ndarray, int]:
    """The messages of a stream and the seed of their dither, bit for bit on every machine.

    Args:
        model: the one it was made with.
        stream: of `pack`.

    Raises:
        StreamError: the stream is damaged, cut short, no such stream, or of another model.
    """

    def letters(payload: bytes, count: int) -> np.ndarray:
        return Decoder(payload).letters(count, model.weights())

    return image_stream.unpack(
        stream, MAGIC, model.digest(), kind="this codec", least_bits=model.least_bits(), decode=letters
    )


def compress(model: Model, images: np.ndarray, *, seed: int = 0) -> bytes:
    """A stream that holds one message an image: `pack` of `quantise`.

    Args:
        model: to encode with.
        images: shape (count, 784), in [0, 1].
        seed: of the shared dither; travels in the stream.
    """
    return pack(model, quantise(model, images, seed=seed), seed=seed)


def decompress(model: Model, stream: bytes, *, progress: _Progress = _silent) -> np.ndarray:
    """The images of a stream: uint8 of shape (count, 28, 28).

    Args:
        model: the one it was made with.
        stream: of `compress`.
        progress: called with images done and their number.

    Raises:
        StreamError: the stream is damaged, cut short, no such stream, or of another model.
    """
    messages, seed = unpack(model, stream)
    return reproduce(model, messages, seed=seed, progress=progress)

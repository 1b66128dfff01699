"""A trained code as a file format: messages through a range coder, refused when damaged."""

import hashlib
import struct
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.neural.evaluate import transmit
from jaxrd.neural.quantizer import codes, dither, nearest_messages
from jaxrd.neural.train import Code, Parameters, decode, encode

MAGIC = b"JRDC1\n"
_HEADER = struct.Struct("<6s8sIII")  # magic, model, seed, images, words


def _coding() -> Any:
    # Its stream coders are made by an extension module, of which a type checker sees nothing.
    return import_module("constriction").stream


class StreamError(ValueError):
    """A stream that cannot be decoded: damaged, cut short, or of another model."""


class Model(NamedTuple):
    """What both sides hold.

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
        told = hashlib.sha256(repr(self.code).encode())
        for leaf in jax.tree.leaves((self.parameters["encoder"], self.parameters["decoder"], self.frequencies)):
            told.update(np.ascontiguousarray(leaf).tobytes())
        return told.digest()[:8]

    def entropy_model(self) -> Any:
        """Of the range coder; a message never seen in training costs bits, not the stream."""
        shares = (self.frequencies + 0.5) / (self.frequencies + 0.5).sum()
        return _coding().model.Categorical(shares.astype(np.float32), perfect=False)


def fitted(code: Code, parameters: Parameters, images: np.ndarray, *, batch: int = 1000) -> Model:
    """A trained code with the frequencies of its messages on a training sample, for the range coder.

    Args:
        code: what encoder and decoder agree on.
        parameters: theirs.
        images: shape (count, 784), in [0, 1].
        batch: images at a time.
    """
    keys = jax.random.split(jax.random.key(0), -(-len(images) // batch))
    parts = [
        transmit(code, parameters, key, jnp.asarray(images[i * batch : (i + 1) * batch]))[0]
        for i, key in enumerate(keys)
    ]
    return Model(code, parameters, np.bincount(np.concatenate(parts), minlength=code.levels**code.dimensions))


def _dithers(code: Code, seed: int, count: int) -> jax.Array:
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.vmap(lambda key: dither(key, code.dimensions, code.levels, code.dither))(keys)


def compress(model: Model, images: np.ndarray, *, seed: int = 0) -> bytes:
    """A stream that holds one message an image, range-coded, and a checksum.

    Args:
        model: to encode with; the stream names it by its digest.
        images: shape (count, 784), in [0, 1].
        seed: of the shared dither; travels in the stream.

    Returns:
        26 bytes of header, the coded words, 32 bytes of SHA-256.
    """
    latent = encode(model.code, model.parameters, jnp.asarray(images, jnp.float32))
    messages = nearest_messages(latent + _dithers(model.code, seed, len(images)), model.code.levels)
    coder = _coding().queue.RangeEncoder()
    coder.encode(np.asarray(messages, np.int32), model.entropy_model())
    words = coder.get_compressed()
    head = _HEADER.pack(MAGIC, model.digest(), seed, len(images), len(words))
    body = head + words.astype("<u4").tobytes()
    return body + hashlib.sha256(body).digest()


def decompress(model: Model, stream: bytes) -> np.ndarray:
    """The images of a stream: uint8 of shape (count, 28, 28).

    Args:
        model: the one it was made with.
        stream: of `compress`.

    Raises:
        StreamError: the stream is damaged, cut short, no such stream, or of another model.
    """
    if not stream.startswith(MAGIC):
        raise StreamError(f"no stream of this codec: it begins with {stream[:6].hex()}, not {MAGIC.hex()}.")
    body, checksum = stream[:-32], stream[-32:]
    if len(stream) < _HEADER.size + 32 or hashlib.sha256(body).digest() != checksum:
        raise StreamError(f"the stream is damaged: its {len(stream)} bytes do not have the checksum they end with.")
    _, digest, seed, count, size = _HEADER.unpack_from(body)
    if digest != model.digest():
        raise StreamError(
            f"made with model {digest.hex()}, not {model.digest().hex()}; decode with the one that made it."
        )
    words = np.frombuffer(body, "<u4", count=size, offset=_HEADER.size).astype(np.uint32)
    messages = _coding().queue.RangeDecoder(words).decode(model.entropy_model(), count)
    latent = codes(model.code.dimensions, model.code.levels)[messages] - _dithers(model.code, seed, count)
    pixels = np.clip(np.asarray(decode(model.code, model.parameters, latent)), 0, 1)
    return np.round(255 * pixels).astype(np.uint8).reshape(count, 28, 28)


def coded_bits(stream: bytes) -> float:
    """Bits an image of the stream's payload, header and checksum left out."""
    count, size = _HEADER.unpack_from(stream)[3:]
    return 32 * size / max(count, 1)

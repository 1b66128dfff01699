"""What `jaxrd codec encode` writes beside the stream."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaxrd.neural.codec import Model, coded_bits


@dataclass(frozen=True)
class Images:
    """Images sent by a trained code.

    Args:
        name: of the images.
        model: the trained code.
        pixels: the images, floats in [0, 1], shape (images, pixels).
        messages: one an image, integers.
        stream: the messages, range-coded.
        reproductions: what a decoder makes of the stream, uint8.
        seed: of the dither that both sides share.
    """

    name: str
    model: Model
    pixels: np.ndarray
    messages: np.ndarray
    stream: bytes
    reproductions: np.ndarray
    seed: int

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.pixels)

    @property
    def payload_bits(self) -> float:
        """Bits of payload per image."""
        return coded_bits(self.stream)

    @property
    def payload_bytes(self) -> int:
        """Bytes of payload of the stream."""
        return round(self.payload_bits * self.count / 8)

    @property
    def header_bytes(self) -> int:
        """Bytes of header of the stream."""
        return len(self.stream) - self.payload_bytes

    @property
    def rate_bits(self) -> float:
        """Bits per message if all messages are equally likely."""
        return self.model.code.dimensions * float(np.log2(self.model.code.levels))

    @property
    def entropy_bits(self) -> float:
        """Entropy of the messages, plug-in."""
        shares = np.bincount(self.messages) / self.count
        shares = shares[shares > 0]
        return float(-(shares * np.log2(shares)).sum())

    @cached_property
    def mse(self) -> float:
        """Mean squared error a pixel."""
        decoded = self.reproductions.reshape(self.count, -1) / np.float32(255)
        return float(np.mean((decoded - self.pixels) ** 2, dtype=float))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the reproductions on this machine."""
        return hashlib.sha256(self.reproductions.tobytes()).hexdigest()

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What the JSON holds; `meta` says where, when and with what versions it was computed."""
        code = self.model.code
        return {
            "schema": "jaxrd.codec-encode/1", "name": self.name, "meta": meta,
            "model": self.model.digest().hex(), "dimensions": code.dimensions, "levels": code.levels,
            "dither": code.dither, "seed": self.seed, "images": self.count,
            "header_bytes": self.header_bytes, "payload_bytes": self.payload_bytes,
            "payload_bits_per_image": self.payload_bits,
            "rate_bits": self.rate_bits,
            "entropy_bits": self.entropy_bits,
            "mse": self.mse,
            "sha256": self.sha256,  # meta has that of the input
        }  # fmt: skip

"""What `jaxrd codec encode` writes beside the stream."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaxrd.neural.classifier import LeNet, logits
from jaxrd.neural.classifier_file import digest
from jaxrd.neural.coders import Coder


@dataclass(frozen=True)
class Images:
    """Images sent by a trained code.

    Args:
        name: of the images.
        coder: the trained code.
        pixels: the images, floats in [0, 1], a row each.
        messages: integers, one an image, or a row of symbols.
        stream: the messages, range-coded.
        reproductions: what a decoder makes of the stream, uint8.
        seed: of the dither that both sides share.
        classifiers: whose beliefs the encoder kept.
        cross_entropy: weight of each, against 1 for the MSE a pixel.
    """

    name: str
    coder: Coder
    pixels: np.ndarray
    messages: np.ndarray
    stream: bytes
    reproductions: np.ndarray
    seed: int
    classifiers: Sequence[LeNet] = ()
    cross_entropy: Sequence[float] = ()

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.pixels)

    @property
    def payload_bits(self) -> float:
        """Bits of payload per image."""
        return self.coder.coded_bits(self.stream)

    @property
    def payload_bytes(self) -> int:
        """Bytes of payload of the stream."""
        return round(self.payload_bits * self.count / 8)

    @property
    def header_bytes(self) -> int:
        """Bytes of header of the stream."""
        return len(self.stream) - self.payload_bytes

    @property
    def entropy_bits(self) -> float | None:
        """Entropy of the messages, plug-in; None of codes with several symbols an image: these hardly recur."""
        if self.messages.ndim > 1:
            return None
        shares = np.bincount(self.messages) / self.count
        shares = shares[shares > 0]
        return float(-(shares * np.log2(shares)).sum())

    @cached_property
    def ideal_bits(self) -> float:
        """Ideal length of the code: -log2 of the messages' probability in the model, bits an image."""
        return self.coder.ideal_bits(self.messages)

    @cached_property
    def mse(self) -> float:
        """Mean squared error a pixel."""
        decoded = self.reproductions.reshape(self.count, -1) / np.float32(255)
        return float(np.mean((decoded - self.pixels.reshape(self.count, -1)) ** 2, dtype=float))

    @cached_property
    def agreement(self) -> list[float]:
        """Of each classifier: the share of images whose reproduction it takes for the same class."""
        pairs = self.pixels, self.reproductions / np.float32(255)
        decided = [[logits(one, images).argmax(1) for images in pairs] for one in self.classifiers]
        return [float((a == b).mean()) for a, b in decided]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the reproductions on this machine."""
        return hashlib.sha256(self.reproductions.tobytes()).hexdigest()

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What the JSON holds; `meta` says where, when and with what versions it was computed."""
        return {
            "schema": "jaxrd.codec-encode/1", "name": self.name, "meta": meta,
            "model": self.coder.digest, **self.coder.settings, "seed": self.seed, "images": self.count,
            "header_bytes": self.header_bytes, "payload_bytes": self.payload_bytes,
            "payload_bits_per_image": self.payload_bits,
            "ideal_bits_per_image": self.ideal_bits,
            "rate_bits": self.coder.rate_bits,
            "entropy_bits": self.entropy_bits,
            "mse": self.mse,
            "classifiers": [digest(one) for one in self.classifiers],
            "cross_entropy_weights": list(self.cross_entropy),
            "agreement": self.agreement,
            "sha256": self.sha256,  # meta has that of the input
        }  # fmt: skip

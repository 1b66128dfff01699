"""Corruptions of an image, each with the strengths at which the identifiability experiment applies it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

LEVELS = 4  # of a low-resolution pixel: 2 bits


class Corruption(NamedTuple):
    """A family of maps from images to images."""

    name: str
    strength: str
    """What the strength is, with its unit."""
    strengths: tuple[float, ...]
    apply: Callable[[np.ndarray, float], np.ndarray]
    """Images (count, 28, 28) with pixels in [0, 1], and a strength."""


def noise(images: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian pixel noise, not clipped, as the embedded classifier saw it in training; one seeded draw, scaled."""
    return images + np.float32(deviation) * np.random.default_rng(0).standard_normal(images.shape, np.float32)


def blur(images: np.ndarray, deviation: float) -> np.ndarray:
    """A Gaussian filter, then rounded to the 8 bits of a file: without the rounding nothing would be lost."""
    return np.round(255 * gaussian_filter(images, (0, deviation, deviation))) / np.float32(255)


def low_resolution(images: np.ndarray, factor: float) -> np.ndarray:
    """The means of factor x factor pixels, rounded to 2 bits, enlarged to 28 x 28 again.

    >>> low_resolution(np.eye(28, dtype=np.float32)[None], 14.0)[0, 0, [0, 14]].tolist()  # means 1/14 and 0
    [0.0, 0.0]
    """
    k = int(factor)
    side = images.shape[1] // k
    means = images.reshape(len(images), side, k, side, k).mean((2, 4))
    coarse = np.round((LEVELS - 1) * means) / np.float32(LEVELS - 1)
    return coarse.repeat(k, 1).repeat(k, 2)


CORRUPTIONS = (
    Corruption("noise", "deviation of pixels in [0, 1]", (0.5, 0.75, 1.0, 1.25, 1.5, 2.0), noise),
    Corruption("blur", "deviation of the filter [pixels]", (1.0, 1.5, 2.0, 2.5, 3.0), blur),
    Corruption("low resolution", "pixels merged a side, 2 bits each", (2.0, 4.0, 7.0, 14.0), low_resolution),
)

"""Images to encode, from IDX and numpy's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxrd.datasets import read_idx
from jaxrd.errors import InputError
from jaxrd.io import arrays
from jaxrd.io.common import find, listing
from jaxrd.io.read import digest

_IMAGE_KEYS = ("images", "x", "arr_0")


def read_images(path: Path) -> tuple[np.ndarray, str]:
    """Images of 28 x 28 pixels, float32 in [0, 1] of shape (count, 784), and the SHA-256 of their file.

    Args:
        path: `.npy`, `.npz` with `images` (or `x`, or one nameless array), or IDX, gzipped or not; pixels are uint8 or
            floats in [0, 1], shape (count, 28, 28).

    Raises:
        InputError: one line that quotes what cannot be used.
        OSError: the file cannot be read.
    """
    if path.suffix.lower() in arrays.NUMPY:
        loaded = arrays.load(path, _IMAGE_KEYS)
        key = find(loaded, ("", *_IMAGE_KEYS))
        if key is None:
            raise InputError(f"{path.name} has no array {' or '.join(_IMAGE_KEYS)}; it has: {listing(loaded)}.")
        pixels = loaded[key]
    else:
        try:
            pixels = read_idx(path)
        except ValueError as error:
            raise InputError(f"{str(error).rstrip('.')}; IDX, .npy or .npz was expected.") from error
    if pixels.ndim != 3 or pixels.shape[1:] != (28, 28) or not len(pixels):
        raise InputError(f"{path.name} holds an array of shape {pixels.shape}; images have shape (count, 28, 28).")
    if pixels.dtype == np.uint8:
        scaled = pixels.astype(np.float32) / 255
    elif pixels.dtype.kind == "f":
        scaled = pixels.astype(np.float32)
        outside = ~((scaled >= 0) & (scaled <= 1))  # NaN too
        if outside.any():
            worst = scaled[outside][0]
            raise InputError(f"{path.name} has a pixel of {worst:g}; floats must lie in [0, 1]. Divide by 255?")
    else:
        raise InputError(f"{path.name} holds {pixels.dtype}; pixels are uint8, or floats in [0, 1].")
    return scaled.reshape(-1, 784), digest(path)

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
_LABEL_KEYS = ("labels", "y", "targets", "arr_0")
_RANKS = (2, 3, 4)


def read_images(path: Path, shape: tuple[int, ...] | None = None) -> tuple[np.ndarray, str]:
    """Images, float32 in [0, 1], a row each, and the SHA-256 of their file.

    Args:
        path: `.npy`, `.npz` with `images` (or `x`, or one nameless array), or IDX, gzipped or not; pixels are uint8 or
            floats in [0, 1], shape (count, height, width), (count, height, width, channels) or (count, dimensions).
        shape: of an image; None: any.

    Raises:
        InputError: one line that quotes what cannot be used.
        OSError: the file cannot be read.
    """
    pixels = _array(path, _IMAGE_KEYS)
    if shape is not None and pixels.shape[1:] == (*shape, 1):
        pixels = pixels[..., 0]
    expected = None if shape is None else f"(count, {', '.join(map(str, shape))})"
    if not len(pixels) or (pixels.shape[1:] != shape if shape is not None else pixels.ndim not in _RANKS):
        words = expected or "(count, height, width), (count, height, width, channels) or (count, dimensions)"
        raise InputError(f"{path.name} holds an array of shape {pixels.shape}; images have shape {words}.")
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
    return scaled, digest(path)


def read_labels(path: Path, count: int) -> np.ndarray:
    """Labels of images: int32, shape (count,).

    Args:
        path: IDX, gzipped or not, `.npy`, or `.npz` with `labels` (or `y`, `targets`, or one nameless array).
        count: of the images.

    Raises:
        InputError: one line that quotes what cannot be used.
        OSError: the file cannot be read.
    """
    labels = _array(path, _LABEL_KEYS)
    if labels.shape != (count,):
        raise InputError(f"{path.name} holds an array of shape {labels.shape}; {count} images have as many labels.")
    if labels.dtype.kind not in "iu":
        raise InputError(f"{path.name} holds {labels.dtype}; labels are whole numbers from 0 on.")
    if labels.min() < 0 or labels.max() >= 1 << 31:
        worst = labels.min() if labels.min() < 0 else labels.max()
        raise InputError(f"{path.name} has a label of {worst}; labels are whole numbers from 0 on.")
    return labels.astype(np.int32)


def _array(path: Path, keys: tuple[str, ...]) -> np.ndarray:
    if path.suffix.lower() in arrays.NUMPY:
        loaded = arrays.load(path, keys)
        key = find(loaded, ("", *keys))
        if key is None:
            raise InputError(f"{path.name} has no array {' or '.join(keys)}; it has: {listing(loaded)}.")
        array = loaded[key]
        if array.ndim == 0:
            raise InputError(f"{path.name} holds one number, no array of them.")
        return array
    try:
        return read_idx(path)
    except ValueError as error:
        raise InputError(f"{str(error).rstrip('.')}; IDX, .npy or .npz was expected.") from error

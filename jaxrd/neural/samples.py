"""Refuse samples that a network was not made for, in one line, before anything is compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jaxrd.errors import InputError


def refuse_unless_shaped(images: Any, shape: tuple[int, ...], *, least: int = 1) -> None:
    """Refuse all but images of a shape; of one channel, the axis of channels may be missing.

    Args:
        images: an array, a sample by row.
        shape: of one image, such as (28, 28, 1), or (784,) of vectors.
        least: how many there must be.

    Raises:
        InputError: quotes the shape.

    >>> refuse_unless_shaped(np.zeros((5, 32, 32)), (28, 28, 1))
    Traceback (most recent call last):
    jaxrd.errors.InputError: images must have shape (count, 28, 28, 1) or (count, 28, 28); got (5, 32, 32).
    """
    found = np.shape(images)
    allowed = [shape, shape[:-1]] if len(shape) == 3 and shape[-1] == 1 else [shape]
    if found[1:] in allowed and found[0] >= least:
        return
    words = " or ".join(f"(count, {', '.join(map(str, one))})" for one in allowed)
    hint = ""
    if found and found[1:] not in allowed and math.prod(found[1:]) == math.prod(shape):
        hint = f" Pass images.reshape(len(images), {', '.join(map(str, shape))})."
    raise InputError(f"images must have shape {words}; got {found}.{hint}")


def refuse_unless_images(images: Any, shape: tuple[int, ...], *, least: int = 1) -> None:
    """Refuse all but images of a shape whose pixels are floats in [0, 1].

    Args:
        images: an array, a sample by row.
        shape: of one image.
        least: how many there must be.

    Raises:
        InputError: quotes the shape, the type or the pixel.
    """
    refuse_unless_shaped(images, shape, least=least)
    array = np.asarray(images)
    if array.dtype.kind != "f":
        raise InputError(f"images must be floats in [0, 1]; got {array.dtype}. Pass images / np.float32(255)?")
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if not (low >= 0 and high <= 1):  # NaN too
        worst = low if not low >= 0 else high
        raise InputError(f"images must have pixels in [0, 1]; got {worst:g}. Divide by 255?")


def refuse_unless_labels(labels: Any, count: int, classes: int) -> None:
    """Refuse all but one whole label in 0..classes-1 for each of `count` images.

    Args:
        labels: an array.
        count: of images.
        classes: of the classifier.

    Raises:
        InputError: quotes the number, the type or the label.

    >>> refuse_unless_labels(np.array([0, 3]), 2, 3)
    Traceback (most recent call last):
    jaxrd.errors.InputError: labels of 3 classes must lie in 0..2; got 3.
    """
    array = np.asarray(labels)
    if array.shape != (count,):
        found = len(array) if array.ndim == 1 else f"labels of shape {array.shape}"
        raise InputError(f"images and labels must be as many; got {count} and {found}.")
    if array.dtype.kind not in "iu":
        raise InputError(f"labels must be whole numbers; got {array.dtype}.")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= classes:
        raise InputError(f"labels of {classes} classes must lie in 0..{classes - 1}; got {low if low < 0 else high}.")

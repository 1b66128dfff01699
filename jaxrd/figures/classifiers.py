"""The classifiers that paper [A]'s figures are recomputed from, and which of them are available."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from jaxrd.datasets import example_path
from jaxrd.errors import InputError


class Classifier(NamedTuple):
    """Outputs of a classifier on a benchmark."""

    key: str
    """The prefix of the names of its curves in files."""
    title: str
    path: Path
    pixels: int
    """Of a sample."""


def embedded() -> list[Classifier]:
    """The LeNet of this package on clean and on noisy MNIST; always available."""
    return [
        Classifier("mnist", "MNIST, LeNet", example_path("mnist-clean"), 28 * 28),
        Classifier("mnist-noisy", "MNIST with pixel noise, LeNet", example_path("mnist-noisy"), 28 * 28),
    ]


_ELSEWHERE = {
    "cifar-100": ("CIFAR-100, VGG-19", "cifar100_vgg19_bn_logits.npz", 32 * 32),
    "imagenet": ("ImageNet, ResNet-50", "imagenet_resnet50_predictions.npz", 224 * 224),
}
"""Title, file in classifiers/ and pixels of outputs that this package does not hold."""


def elsewhere(data: Path | None, keys: Iterable[str] = _ELSEWHERE) -> tuple[list[Classifier], list[str]]:
    """The CIFAR-100 and ImageNet outputs that exist in `data/classifiers`, and a note on each that does not.

    Args:
        data: the folder; None: `$JAXRD_DATA`, if that is set.
        keys: which are wanted.

    Raises:
        InputError: `data` was named and is no folder.
    """
    if data is not None and not data.is_dir():
        raise InputError(f"{data} is no folder; --data names the one that holds classifiers/.")
    named = os.environ.get("JAXRD_DATA")
    folder = data or (Path(named) if named else None)
    present, absent = [], []
    for key in keys:
        title, name, pixels = _ELSEWHERE[key]
        if folder is not None and (path := folder / "classifiers" / name).exists():
            present.append(Classifier(key, title, path, pixels))
        else:
            place = "no --data was given and JAXRD_DATA is not set" if folder is None else f"is not in {folder}"
            absent.append(f"{title} is left out: classifiers/{name}: {place}")
    return present, absent

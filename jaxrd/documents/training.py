"""What `jaxrd codec train`, `decoder` and `classifier` write beside the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict


class TrainedCode(TypedDict):
    """Of `codec train`.

    Args:
        name: of the images.
        model: the code's digest, which streams name.
        images: how many.
        shape: of an image.
        sizes: values of each symbol.
        rate_bits: log2 of the number of messages.
        ideal_bits_per_image: -log2 of the messages' probability in the model, mean.
        mse: a pixel, with the ideal bits, on the first `measured_on` images.
        measured_on: that number.
        cross_entropy_weights: of each label.
        classifiers: their digests.
        epochs: passes through the images.
        history: losses by epoch.
    """

    name: str
    model: str
    images: int
    shape: list[int]
    sizes: list[int]
    rate_bits: float
    ideal_bits_per_image: float
    mse: float
    measured_on: int
    cross_entropy_weights: list[float]
    classifiers: list[str]
    epochs: int
    history: Sequence[Mapping[str, object]]


class TrainedDecoder(TypedDict):
    """Of `codec decoder`.

    Args:
        name: of the images.
        model: the code's digest.
        decoder: the new one's name.
        decoders: names of all.
        images: how many.
        measured_on: the first so many images, which `mse` is of.
        mse: a pixel.
        cross_entropy_weights: of each label.
        epochs: passes through the images.
        history: losses by epoch.
    """

    name: str
    model: str
    decoder: str
    decoders: list[str]
    images: int
    measured_on: int
    mse: float
    cross_entropy_weights: list[float]
    epochs: int
    history: Sequence[Mapping[str, object]]


class TrainedClassifier(TypedDict):
    """Of `codec classifier`.

    Args:
        name: of the images.
        classifier: its digest, which codes name.
        shape: of an image.
        classes: how many.
        images: how many.
        epochs: passes through them.
        measured_on: file of the images that the next two are of.
        accuracy: share of right labels.
        ce_nats: cross-entropy of the labels.
    """

    name: str
    classifier: str
    shape: list[int]
    classes: int
    images: int
    epochs: int
    measured_on: str
    accuracy: float
    ce_nats: float

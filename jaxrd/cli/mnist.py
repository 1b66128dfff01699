"""MNIST for the figures that need its images, and the line that says what is missing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.datasets import Split
    from jaxrd.neural.classifier import LeNet

Data = Annotated[
    Path | None,
    typer.Option(help="folder of MNIST's four IDX files, or that holds mnist/ (default: $JAXRD_DATA, or a download)"),
]
ClassifierFile = Annotated[
    Path | None,
    typer.Option("--classifier", help="of the images' labels, .npz of codec classifier (default: of MNIST's digits)"),
]


def read_mnist(data: Path | None) -> tuple[Split, Split]:
    """MNIST (train, test); the error for missing files is one line that says what is missing."""
    from jaxrd import datasets

    try:
        return datasets.mnist(data or os.environ.get("JAXRD_DATA") or datasets.download_mnist())
    except (OSError, ValueError) as error:
        hint = "pass --data FOLDER, or set JAXRD_DATA; FOLDER or FOLDER/mnist holds the four IDX files."
        raise InputError(f"no MNIST: {str(error).rstrip('.')}: {hint}") from error


def mnist_files(data: Path | None) -> list[Path]:
    """The files that MNIST may be read from."""
    return [path for folder in ([] if data is None else [data, data / "mnist"]) for path in folder.glob("*-ubyte*")]


def images_sha256(*splits: Split) -> str:
    """Of the images of these splits, one after the other."""
    return hashlib.sha256(b"".join(split.images.tobytes() for split in splits)).hexdigest()


def without_networks(error: ModuleNotFoundError) -> InputError:
    """The error of a figure whose networks need a package that is not installed."""
    return InputError(
        f"{error.name} is not installed, and the networks need it: pip install flax optax orbax-checkpoint."
    )


def refuse_unless_mnist(test: Split, hint: str = "") -> None:
    """Refuse images that the shipped classifier does not know: their cross-entropy under it would mean nothing.

    Raises:
        InputError: they are not MNIST's.
    """
    from jaxrd import datasets

    if not datasets.is_mnist(test):
        raise InputError(
            "these images are not MNIST's, and the classifier that ships with jaxrd knows its digits alone"
            + (hint or "; this figure is of MNIST.")
        )


def fixed_classifier(file: Path | None, *splits: Split) -> LeNet:
    """The classifier of a file, or of MNIST's digits where the images are MNIST's.

    Args:
        file: of `codec classifier`, or None.
        splits: images and labels that it must fit; the last ones are the test images.

    Raises:
        InputError: it does not fit them; no file, and the images are not MNIST's.
        ModelError, OSError: the file holds no classifier, or is not there.
    """
    from jaxrd.neural import classifier, classifier_file
    from jaxrd.neural.samples import refuse_unless_labels, refuse_unless_shaped

    if file is None:
        refuse_unless_mnist(splits[-1], ": pass --classifier FILE, which jaxrd codec classifier makes of their labels.")
        return classifier.load()
    model = classifier_file.read(file)
    try:
        for split in splits:
            refuse_unless_shaped(split.images, model.shape)
            refuse_unless_labels(split.labels, len(split.images), model.classes)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from error
    return model

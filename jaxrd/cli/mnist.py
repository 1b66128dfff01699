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

Data = Annotated[
    Path | None,
    typer.Option(help="folder of MNIST's four IDX files, or that holds mnist/ (default: $JAXRD_DATA, or a download)"),
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

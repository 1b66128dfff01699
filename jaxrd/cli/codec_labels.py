"""What the verbs of `jaxrd codec` that train have in common: images, labels, fixed classifiers, weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from jaxrd.cli.common import Tick
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.neural.classifier import LeNet

WEIGHT = 0.01
"""Weight of a nat of cross-entropy where none is given."""
CLASSIFIER_EPOCHS = 8
BATCH = 128
"""Images a step, or all where there are fewer."""

ImageFile = Annotated[
    Path,
    typer.Argument(help="(count, h, w[, c]) or vectors: IDX (.gz too), .npy, or .npz with images; uint8 or in [0, 1]"),
]
Seed = Annotated[int, typer.Option(help="of all that is random")]
LabelFiles = Annotated[
    list[Path] | None, typer.Option("--labels", help="labels that a classifier should still see; repeatable")
]
ClassifierFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--classifier", help="the fixed classifier of each --labels, .npz of codec classifier; none: trained here first"
    ),
]
CrossEntropies = Annotated[
    list[float] | None,
    typer.Option("--cross-entropy", help=f"weight of each --labels, against 1 for the MSE a pixel ({WEIGHT:g})"),
]
Convolutional = Annotated[bool, typer.Option("--convolutional", help="small convolutions, not dense layers")]
Resume = Annotated[Path | None, typer.Option(help="folder of checkpoints: a run that was stopped goes on there")]


def refuse_settings(seed: int, epochs: int) -> None:
    """Refuse a seed or a number of epochs that cannot be used.

    Raises:
        InputError: quotes both.
    """
    if not (0 <= seed < 1 << 32 and epochs >= 1):
        raise InputError(f"--seed must lie in [0, 2^32) and --epochs be at least 1; got {seed} and {epochs}.")


def weights_of(labels: list[Path], classifiers: list[Path], given: list[float] | None) -> list[float]:
    """A weight for each file of labels."""
    if classifiers and len(classifiers) != len(labels):
        raise InputError(f"each --labels needs its --classifier; got {len(labels)} and {len(classifiers)}.")
    return weight_of_each("--labels", len(labels), given)


def weight_of_each(option: str, count: int, given: list[float] | None) -> list[float]:
    """A weight for each time that an option was given.

    Raises:
        InputError: another number of weights, or one that is not positive.
    """
    if given is not None and len(given) != count:
        raise InputError(f"each {option} takes one --cross-entropy; got {count} and {len(given)}.")
    weights = given or [WEIGHT] * count
    if wrong := [weight for weight in weights if not 0 < weight < float("inf")]:
        raise InputError(f"--cross-entropy must be positive; got {wrong[0]:g}. Leave {option} out for none.")
    return weights


def classifiers_of(
    pixels: np.ndarray, labels: list[Path], files: list[Path], seed: int, tick: Tick
) -> tuple[list[np.ndarray], list[LeNet]]:
    """The labels, and the classifier of each: of its file, or trained here."""
    from jaxrd.io.images import read_labels
    from jaxrd.neural import classifier_file
    from jaxrd.neural.classifier_fit import fit_classifier
    from jaxrd.neural.samples import refuse_unless_labels, refuse_unless_shaped

    several = [read_labels(path, len(pixels)) for path in labels]
    if not files:
        return several, [
            fit_classifier(
                pixels, one, epochs=CLASSIFIER_EPOCHS, seed=seed,
                report=lambda done, _, k=k: tick(f"classifier {k + 1}", done, CLASSIFIER_EPOCHS),
            )
            for k, one in enumerate(several)
        ]  # fmt: skip
    models = [classifier_file.read(path) for path in files]
    for path, model, one in zip(files, models, several, strict=True):
        try:
            refuse_unless_shaped(pixels, model.shape)
            refuse_unless_labels(one, len(pixels), model.classes)
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from error
    return several, models

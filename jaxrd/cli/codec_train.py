"""`jaxrd codec train` and `jaxrd codec classifier`: a code, and a fixed classifier, of a user's own images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from jaxrd.cli import interrupts
from jaxrd.cli.codec_labels import (
    BATCH,
    CLASSIFIER_EPOCHS,
    ClassifierFiles,
    Convolutional,
    CrossEntropies,
    ImageFile,
    LabelFiles,
    Resume,
    Seed,
    classifiers_of,
    refuse_settings,
    weights_of,
)
from jaxrd.cli.common import Tick, headed, print_line
from jaxrd.cli.mnist import without_networks
from jaxrd.cli.run import Result, Target, refuse_unless_ends, run
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.training import TrainedClassifier, TrainedCode
    from jaxrd.neural.classifier import LeNet
    from jaxrd.neural.universal.stored import Stored

_SEARCHED = 2
"""Last epochs that train on symbols which a search through the decoder chose; the encoder then goes on searching."""


def train_command(
    images: ImageFile,
    bits: Annotated[float, typer.Option(help="of an image, at most: symbols of at most 256 values, 8 bits each")],
    labels: LabelFiles = None,
    classifier: ClassifierFiles = None,
    cross_entropy: CrossEntropies = None,
    epochs: Annotated[int, typer.Option(help="passes through the images")] = 20,
    convolutional: Convolutional = False,
    seed: Seed = 0,
    resume: Resume = None,
    out: Annotated[Path, typer.Option(help="the trained code, M.npz; how it was trained goes to M.json")] = Path(
        "code.npz"
    ),
) -> None:
    """Train encoder, code and decoder on images; codec encode and decode use what it writes.

    It minimises the mean squared error a pixel and, with --labels, a cross-entropy of fixed classifiers.
    """
    refuse_unless_ends(out, ".npz")
    label_files, classifier_files = labels or [], classifier or []
    weights = weights_of(label_files, classifier_files, cross_entropy)
    refuse_settings(seed, epochs)
    asked = _Asked(images, bits, label_files, classifier_files, weights, epochs, convolutional, seed, resume)
    if resume is not None:
        interrupts.install_resumable()

    def compute(tick: Tick) -> Result:
        told, content, sha256 = _trained(asked, tick)
        return Result(
            lambda meta: {"schema": "jaxrd.codec-train/1", "meta": meta, **told},
            lambda _: [(out.name, content)], lambda _: _report(told), sha256,
        )  # fmt: skip

    reads = (images, *label_files, *classifier_files)
    run(
        compute, Target(out.parent, out.with_suffix(".json").name, [out.name], reads), seed=seed, float32=True,
        tolerance=0.0,
    )  # fmt: skip


class _Asked(NamedTuple):
    """What a training is asked for."""

    images: Path
    bits: float
    labels: list[Path]
    classifiers: list[Path]
    weights: list[float]
    epochs: int
    convolutional: bool
    seed: int
    resume: Path | None


def _trained(asked: _Asked, tick: Tick) -> tuple[TrainedCode, bytes, str]:
    """What the JSON says of a training, the model file, and the SHA-256 of the images."""
    try:
        from jaxrd import neural
        from jaxrd.neural.classifier import fixed
        from jaxrd.neural.universal.stored import to_bytes, with_law
    except ModuleNotFoundError as error:
        raise without_networks(error) from error
    from jaxrd.io.images import read_images

    pixels, sha256 = read_images(asked.images)
    labels, models = classifiers_of(pixels, asked.labels, asked.classifiers, asked.seed, tick)
    fitted = neural.fit(
        pixels,
        labels or None,
        [fixed(model) for model in models] or None,
        bits=asked.bits,
        weights=neural.Weights(1.0, np.array(asked.weights) if asked.weights else 0.0),  # pyright: ignore
        networks=neural.convolutional if asked.convolutional else neural.dense,
        schedule=neural.Schedule(
            epochs=asked.epochs, batch=min(BATCH, len(pixels)), searched=min(_SEARCHED, asked.epochs // 2)
        ),
        seed=asked.seed,
        out=asked.resume,
        report=lambda done, _: tick("code", done, asked.epochs),
    )
    stored = with_law(fitted.model, pixels)
    told = _told(asked, stored, fitted.history, pixels, models)
    return told, to_bytes(stored), sha256


def _told(
    asked: _Asked, stored: Stored, history: Sequence[Mapping[str, object]], pixels: np.ndarray, models: list[LeNet]
) -> TrainedCode:
    from jaxrd.neural import classifier_file, measure

    model, law = stored
    found = measure(model, pixels[:10_000])
    return {
        "name": asked.images.name,
        "model": stored.digest().hex(),
        "images": len(pixels),
        "shape": list(model.shape),
        "sizes": list(model.code.sizes),
        "rate_bits": model.bits,
        "ideal_bits_per_image": float(law.bits(np.asarray(model.encode(pixels[:10_000]))).mean()),
        "mse": found["mse"],
        "measured_on": min(len(pixels), 10_000),
        "cross_entropy_weights": asked.weights,
        "classifiers": [classifier_file.digest(one) for one in models],
        "epochs": asked.epochs,
        "history": history,
    }


def _report(told: TrainedCode) -> None:
    for line in (
        headed(told["name"], f": {told['images']} images, code {told['model']} of {told['rate_bits']:.4g} bits"),
        f"on the first {told['measured_on']} of the training images: MSE {told['mse']:.4f} a pixel, "
        f"{told['ideal_bits_per_image']:.4f} bits by the ideal code of the model",
    ):
        print_line(line)


def classifier_command(
    images: ImageFile,
    labels: Annotated[Path, typer.Option(help="whole numbers from 0 on: IDX, .npy, or .npz with labels")],
    test: Annotated[Path | None, typer.Option(help="images to measure on, with --test-labels")] = None,
    test_labels: Annotated[Path | None, typer.Option(help="their labels")] = None,
    epochs: Annotated[int, typer.Option(help="passes through the images")] = CLASSIFIER_EPOCHS,
    shift: Annotated[int, typer.Option(help="images are moved by up to so many pixels; 0 where the place matters")] = 2,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="the classifier, C.npz; its accuracy goes to C.json")] = Path(
        "classifier.npz"
    ),
) -> None:
    """Train the fixed classifier of a label: what codec train --classifier and reproduce --classifier take."""
    refuse_unless_ends(out, ".npz")
    if (test is None) != (test_labels is None):
        raise InputError("--test and --test-labels belong together: pass both, or none.")

    def compute(tick: Tick) -> Result:
        try:
            from jaxrd.neural import classifier_file
            from jaxrd.neural.classifier_fit import fit_classifier, measured
        except ModuleNotFoundError as error:
            raise without_networks(error) from error
        from jaxrd.io.images import read_images, read_labels

        pixels, sha256 = read_images(images)
        known = read_labels(labels, len(pixels))
        model = fit_classifier(
            pixels,
            known,
            epochs=epochs,
            shift=shift,
            seed=seed,
            report=lambda done, _: tick("classifier", done, epochs),
        )
        on, sample = images.name, (pixels, known)
        if test is not None and test_labels is not None:
            others, _ = read_images(test)
            on, sample = test.name, (others, read_labels(test_labels, len(others)))
        found = measured(model, *sample)
        told: TrainedClassifier = {
            "name": images.name, "classifier": classifier_file.digest(model), "shape": list(model.shape),
            "classes": model.classes, "images": len(pixels), "epochs": epochs, "measured_on": on,
            "accuracy": found["accuracy"], "ce_nats": found["ce_nats"],
        }  # fmt: skip
        return Result(
            lambda meta: {"schema": "jaxrd.codec-classifier/1", "meta": meta, **told},
            lambda _: [(out.name, classifier_file.to_bytes(model))], partial(_told_of, told), sha256,
        )  # fmt: skip

    target = Target(out.parent, out.with_suffix(".json").name, [out.name], (images, labels, test, test_labels))
    run(compute, target, seed=seed, float32=True, tolerance=0.0)


def _told_of(told: TrainedClassifier, _: object) -> None:
    print_line(headed(told["name"], f": {told['images']} images of {told['classes']} classes"))
    print_line(f"on {told['measured_on']}: accuracy {told['accuracy']:.2%}, cross-entropy {told['ce_nats']:.4f} nat")

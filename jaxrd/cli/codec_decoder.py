"""`jaxrd codec decoder`: one more decoder on the frozen encoder of a trained code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from jaxrd.cli import interrupts
from jaxrd.cli.codec_labels import (
    BATCH,
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
    from jaxrd.documents.training import TrainedDecoder

_MEASURED = 10_000


def decoder_command(
    images: ImageFile,
    model: Annotated[Path, typer.Option(help="the trained code, .npz of codec train")],
    name: Annotated[str, typer.Option(help="of the new decoder: codec encode and decode take it as --decoder")],
    labels: LabelFiles = None,
    classifier: ClassifierFiles = None,
    cross_entropy: CrossEntropies = None,
    epochs: Annotated[int, typer.Option(help="passes through the images")] = 8,
    convolutional: Convolutional = False,
    seed: Seed = 0,
    resume: Resume = None,
    out: Annotated[Path, typer.Option(help="the code with its decoders, N.npz; how it was trained: N.json")] = Path(
        "code-decoders.npz"
    ),
) -> None:
    """Train one more decoder for other losses; encoder and code stay, so it reads the streams that were sent before."""
    refuse_unless_ends(out, ".npz")
    label_files, classifier_files = labels or [], classifier or []
    weights = weights_of(label_files, classifier_files, cross_entropy)
    refuse_settings(seed, epochs)

    asked = _Asked(images, model, name, label_files, classifier_files, weights, epochs, convolutional, seed, resume)
    if resume is not None:
        interrupts.install_resumable()

    def compute(tick: Tick) -> Result:
        told, content, sha256 = _trained(asked, tick)
        return Result(
            lambda meta: {"schema": "jaxrd.codec-decoder/1", "meta": meta, **told},
            lambda _: [(out.name, content)], lambda _: _report(told), sha256,
        )  # fmt: skip

    target = Target(
        out.parent, out.with_suffix(".json").name, [out.name], (images, model, *label_files, *classifier_files)
    )
    run(compute, target, seed=seed, float32=True, tolerance=0.0)


class _Asked(NamedTuple):
    """What a training is asked for."""

    images: Path
    model: Path
    name: str
    labels: list[Path]
    classifiers: list[Path]
    weights: list[float]
    epochs: int
    convolutional: bool
    seed: int
    resume: Path | None


def _trained(asked: _Asked, tick: Tick) -> tuple[TrainedDecoder, bytes, str]:
    """What the JSON says of a training, the model file, and the SHA-256 of the images."""
    try:
        from jaxrd import neural
        from jaxrd.neural.classifier import fixed
        from jaxrd.neural.universal import stored
    except ModuleNotFoundError as error:
        raise without_networks(error) from error
    from jaxrd.io.images import read_images

    held = stored.read(asked.model)
    if asked.name in held.model.names:
        raise InputError(f"{asked.model.name} has a decoder {asked.name!r} already; give the new one another --name.")
    pixels, sha256 = read_images(asked.images, held.model.shape)
    labels, models = classifiers_of(pixels, asked.labels, asked.classifiers, asked.seed, tick)
    fitted = neural.fit_decoder(
        held.model,
        pixels,
        labels or None,
        [fixed(one) for one in models] or None,
        name=asked.name,
        weights=neural.Weights(1.0, np.array(asked.weights) if asked.weights else 0.0),  # pyright: ignore
        networks=neural.convolutional if asked.convolutional else neural.dense,
        schedule=neural.Schedule(epochs=asked.epochs, batch=min(BATCH, len(pixels))),
        seed=asked.seed,
        out=asked.resume,
        report=lambda done, _: tick("decoder", done, asked.epochs),
    )
    grown = stored.Stored(fitted.model, held.law)
    told: TrainedDecoder = {
        "name": asked.images.name, "model": grown.digest().hex(), "decoder": asked.name,
        "decoders": list(grown.model.names), "images": len(pixels), "measured_on": min(len(pixels), _MEASURED),
        "mse": neural.measure(grown.model, pixels[:_MEASURED], name=asked.name)["mse"],
        "cross_entropy_weights": asked.weights, "epochs": asked.epochs, "history": fitted.history,
    }  # fmt: skip
    return told, stored.to_bytes(grown), sha256


def _report(told: TrainedDecoder) -> None:
    print_line(headed(told["name"], f": decoder {told['decoder']} on the encoder of code {told['model']}"))
    print_line(f"on the first {told['measured_on']} of the training images: MSE {told['mse']:.4f} a pixel")

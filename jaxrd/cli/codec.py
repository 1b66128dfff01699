"""`jaxrd codec`: encode images with a trained code into a stream, and decode the stream."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from jaxrd.cli.codec_decoder import decoder_command
from jaxrd.cli.codec_labels import WEIGHT, weight_of_each
from jaxrd.cli.codec_train import classifier_command, train_command
from jaxrd.cli.common import Tick, headed, print_line, set_precision
from jaxrd.cli.mnist import without_networks
from jaxrd.cli.run import Result, Target, refuse_unless_ends, run, run_decoder
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.codec import Images
    from jaxrd.neural.classifier import LeNet
    from jaxrd.neural.coders import Coder

app = typer.Typer(
    help="Train a code of images, encode with it into a stream of counted bits, and decode it into reproductions.",
    no_args_is_help=True,
)
app.command("train")(train_command)
app.command("decoder")(decoder_command)
app.command("classifier")(classifier_command)

_ModelFile = Annotated[
    Path,
    typer.Option(
        "--model", help="the trained code, .npz, of codec train, or of reproduce rdc-fig6 (its .runs/*/models)"
    ),
]
_Classifiers = Annotated[
    list[Path] | None,
    typer.Option(
        "--classifier",
        help="the encoder also keeps what it sees, .npz of codec classifier; repeatable; a decoder needs none",
    ),
]
_CrossEntropies = Annotated[
    list[float] | None,
    typer.Option("--cross-entropy", help=f"weight of each --classifier, against 1 for the MSE a pixel ({WEIGHT:g})"),
]
_Decoder = Annotated[str | None, typer.Option(help="the decoder's name, where the model has several")]


def _read_model(
    path: Path, decoder: str | None, classifiers: Sequence[LeNet] = (), weights: Sequence[float] = ()
) -> Coder:
    try:
        from jaxrd.neural import coders
        from jaxrd.neural.classifier import fixed
    except ModuleNotFoundError as error:
        raise without_networks(error) from error
    return coders.read(path, decoder, [fixed(one) for one in classifiers], weights)


def _read_classifiers(files: Sequence[Path], pixels: np.ndarray) -> list[LeNet]:
    """The classifiers that files hold, of images like these."""
    if not files:
        return []
    try:
        from jaxrd.neural import classifier_file
        from jaxrd.neural.samples import refuse_unless_shaped
    except ModuleNotFoundError as error:
        raise without_networks(error) from error
    models = [classifier_file.read(path) for path in files]
    for path, model in zip(files, models, strict=True):
        try:
            refuse_unless_shaped(pixels, model.shape)
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from error
    return models


@app.command("encode")
def encode_command(
    images: Annotated[
        Path, typer.Argument(help="of the model's shape: IDX (.gz too), .npy, or .npz with images; uint8 or in [0, 1]")
    ],
    model: _ModelFile,
    seed: Annotated[
        int | None, typer.Option(help="of dither or noise that both sides share, 0 if not given; the stream holds it")
    ] = None,
    decoder: _Decoder = None,
    classifier: _Classifiers = None,
    cross_entropy: _CrossEntropies = None,
    out: Annotated[Path, typer.Option(help="the stream, X.jrc; its bits and its error go to X.json")] = Path(
        "images.jrc"
    ),
) -> None:
    """Encode images into a stream: one message or several symbols an image, range-coded by their law in the model."""
    refuse_unless_ends(out, ".jrc")
    if seed is not None and not 0 <= seed < 1 << 32:
        raise InputError(f"--seed must lie in [0, 2^32); got {seed}.")
    files = classifier or []
    weights = weight_of_each("--classifier", len(files), cross_entropy)

    def compute(tick: Tick) -> Result:
        sent, sha256 = _sent(images, model, seed, decoder, list(zip(files, weights, strict=True)), tick)
        written = [(out.name, sent.stream)]
        return Result(sent.document, lambda _: written, lambda _: _report(sent), sha256)

    target = Target(out.parent, out.with_suffix(".json").name, [out.name], (images, model, *files))
    run(compute, target, seed=seed or 0, float32=True, tolerance=0.0)


def _sent(
    file: Path,
    model: Path,
    seed: int | None,
    decoder: str | None,
    classifiers: Sequence[tuple[Path, float]],
    tick: Tick,
) -> tuple[Images, str]:
    """The images that a file holds, encoded and decoded again, and the SHA-256 of the file."""
    from jaxrd.io.images import read_images

    trained = _read_model(model, decoder)
    pixels, sha256 = read_images(file, trained.shape)
    if seed is not None and not trained.seeded:
        raise InputError(f"--seed {seed} has no effect: the code of {model.name} has no dither.")
    seed = seed or 0
    from jaxrd.documents.codec import Images

    judges, weights = (
        _read_classifiers([path for path, _ in classifiers], pixels),
        [weight for _, weight in classifiers],
    )
    if judges:
        trained = _read_model(model, decoder, judges, weights)
    messages = trained.quantise(pixels, seed=seed, progress=partial(tick, "encode"))
    stream = trained.pack(messages, seed=seed)
    sent, _ = trained.unpack(stream)
    if not np.array_equal(sent, messages):
        raise AssertionError("the stream does not decode to what was sent")
    reproductions = trained.reproduce(sent, seed=seed, progress=partial(tick, "decode"))
    return Images(file.name, trained, pixels, messages, stream, reproductions, seed, judges, weights), sha256


def _report(images: Images) -> None:
    coder, entropy = images.coder, images.entropy_bits
    plug_in = "" if entropy is None else f", entropy of the messages {entropy:.4f} (plug-in)"
    for line in (
        headed(images.name, f": {images.count} images by model {coder.digest}, {coder.words}"),
        f"payload {images.payload_bits:.4f} bits an image, and {images.header_bytes} bytes of header",
        f"h log2 L {coder.rate_bits:.4f}{plug_in}; ideal code of the model {images.ideal_bits:.4f}",
        f"MSE {images.mse:.4f} a pixel; SHA-256 of the reproductions {images.sha256}",
        *(f"classifier {k + 1} decides alike on {share:.2%}" for k, share in enumerate(images.agreement)),
    ):
        print_line(line)


@app.command("decode")
def decode_command(
    file: Annotated[Path, typer.Argument(help="a stream that jaxrd codec encode wrote")],
    model: _ModelFile,
    decoder: _Decoder = None,
    out: Annotated[Path, typer.Option(help="the images, uint8, of the model's shape")] = Path("images.npy"),
) -> None:
    """Decode the images of a stream; a stream that is damaged, or of another model, is refused.

    The decoded messages equal those sent, bit for bit, on every machine. The images are equal on the encoder's machine;
    on another machine float32 sums may differ in their last bit, and a pixel by one of 255.
    """
    set_precision(True)

    def decode(stream: bytes, tick: Tick) -> np.ndarray:
        trained = _read_model(model, decoder)
        messages, seed = trained.unpack(stream)
        return trained.reproduce(messages, seed=seed, progress=partial(tick, "decode"))

    def words(images: np.ndarray) -> str:
        return f"{len(images)} images, SHA-256 {hashlib.sha256(images.tobytes()).hexdigest()}"

    run_decoder(file, out, decode, words, reads=[model])

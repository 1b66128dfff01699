"""`jaxrd codec`: images through a trained code into a stream, and back."""

import hashlib
import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from jaxrd._files import read_bytes
from jaxrd.cli.common import console, headed, progress_bar, provenance, set_precision, timed, write
from jaxrd.errors import InputError

app = typer.Typer(
    help="Images through a trained code: a stream of counted bits, and the reproductions out of it.",
    no_args_is_help=True,
)

ModelFile = Annotated[
    Path, typer.Option("--model", help="the trained code, .npz, as reproduce rdc-fig6 leaves it in NAME.runs/*/models")
]


def _read_model(path: Path) -> Any:
    try:
        from jaxrd.neural import model_file
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed, and the networks need it: pip install flax optax orbax-checkpoint."
        ) from error
    try:
        return model_file.read(path)
    except model_file.ModelError as error:
        raise InputError(str(error)) from error


@app.command("encode")
def encode_command(
    images: Annotated[
        Path, typer.Argument(help="28 x 28 pixels: IDX (.gz too), .npy, or .npz with images; uint8 or floats in [0, 1]")
    ],
    model: ModelFile,
    seed: Annotated[
        int | None, typer.Option(help="of the dither that both sides share, 0 if not given; travels in the stream")
    ] = None,
    out: Annotated[Path, typer.Option(help="the stream, X.jrc; what it took stands beside it in X.json")] = Path(
        "images.jrc"
    ),
) -> None:
    """Images into a stream: one message each, range-coded by the frequencies of the model's training."""
    dtype = set_precision(True)
    from jaxrd.io.images import read_images
    from jaxrd.io.save import check_target

    if out.suffix != ".jrc":
        raise InputError(f"--out must be a name that ends in .jrc; got {out}.")
    if seed is not None and not 0 <= seed < 1 << 32:
        raise InputError(f"--seed must lie in [0, 2^32); got {seed}.")

    beside = out.with_suffix(".json").name
    check_target(out.parent, [out.name], (images, model), document=beside)
    with timed() as clock:
        pixels, sha256 = read_images(images)
        trained = _read_model(model)
        if seed is not None and not trained.code.dither:
            raise InputError(f"--seed {seed} has no effect: the code of {model.name} has no dither.")
        seed = seed or 0
        from jaxrd.neural.codec import coded_bits, pack, quantise, reproduce, unpack

        with progress_bar() as tick:
            messages = quantise(trained, pixels, seed=seed, progress=lambda *done: tick("encode", *done))
            stream = pack(trained, messages, seed=seed)
            sent, _ = unpack(trained, stream)
            if not np.array_equal(sent, messages):
                raise AssertionError("the stream does not decode to what was sent")
            found = reproduce(trained, sent, seed=seed, progress=lambda *done: tick("decode", *done))
        meta = provenance(dtype=dtype, sha256=sha256, seed=seed, clock=clock, tolerance=0.0)

    code, count = trained.code, len(pixels)
    shares = np.bincount(messages) / count
    shares = shares[shares > 0]
    payload = round(coded_bits(stream) * count / 8)
    document = {
        "schema": "jaxrd.codec-encode/1", "name": images.name, "meta": meta,
        "model": trained.digest().hex(), "dimensions": code.dimensions, "levels": code.levels, "dither": code.dither,
        "seed": seed, "images": count,
        "header_bytes": len(stream) - payload, "payload_bytes": payload,
        "payload_bits_per_image": coded_bits(stream),
        "rate_bits": code.dimensions * float(np.log2(code.levels)),
        "entropy_bits": float(-(shares * np.log2(shares)).sum()),  # plug-in, of the messages
        "mse": float(np.mean((found.reshape(count, -1) / np.float32(255) - pixels) ** 2, dtype=float)),  # a pixel
        "sha256": hashlib.sha256(found.tobytes()).hexdigest(),  # of the reproductions here; meta has that of the input
    }  # fmt: skip
    written = write(out.parent, [(out.name, stream)], (beside, document))
    letters = f"{code.levels}^{code.dimensions} messages"
    for line in (
        headed(images.name, f": {count} images by model {document['model']}, one of {letters} each"),
        f"payload {coded_bits(stream):.4f} bits an image, and {document['header_bytes']} bytes of header",
        f"h log2 L {document['rate_bits']:.4f}, entropy of the messages {document['entropy_bits']:.4f} (plug-in)",
        f"MSE {document['mse']:.4f} a pixel; SHA-256 of the reproductions {document['sha256']}",
        "wrote " + ", ".join(str(path) for path in written),
    ):
        console.print(line, soft_wrap=True, highlight=False)


@app.command("decode")
def decode_command(
    file: Annotated[Path, typer.Argument(help="a stream that jaxrd codec encode wrote")],
    model: ModelFile,
    out: Annotated[Path, typer.Option(help="the images, uint8, shape (count, 28, 28)")] = Path("images.npy"),
) -> None:
    """The images of a stream; one that is damaged, or of another model, is refused.

    The messages are those that were sent, bit for bit, on every machine. The images are so on the encoder's machine;
    on another, float32 sums may differ in their last bit and a pixel by one of 255.
    """
    set_precision(True)
    from jaxrd.io.save import check_target

    if out.suffix != ".npy":
        raise InputError(f"--out must be a name that ends in .npy; got {out}.")
    check_target(out.parent, [out.name], (file, model))
    stream = read_bytes(file)
    trained = _read_model(model)
    from jaxrd.errors import StreamError
    from jaxrd.neural.codec import decompress

    try:
        with progress_bar() as tick:
            images = decompress(trained, stream, progress=lambda *done: tick("decode", *done))
    except StreamError as error:
        raise InputError(f"{file}: {error}") from error
    content = io.BytesIO()
    np.save(content, images)
    (written,) = write(out.parent, [(out.name, content.getvalue())])
    sha256 = hashlib.sha256(images.tobytes()).hexdigest()
    console.print(f"wrote {written}: {len(images)} images, SHA-256 {sha256}", soft_wrap=True, highlight=False)

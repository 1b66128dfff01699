"""A trained code of either kind as the command line uses it: one message an image, or several symbols."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrd._files import read_bytes
from jaxrd.errors import InputError
from jaxrd.neural import codec, image_stream, model_file
from jaxrd.neural.codec import Model
from jaxrd.neural.universal import stored as universal_file
from jaxrd.neural.universal import stream as universal_stream
from jaxrd.neural.universal.stored import Stored


class Coder(NamedTuple):
    """What encodes and decodes images.

    Args:
        digest: of what encoder and decoder must share, hexadecimal.
        settings: of the code, for a JSON.
        words: how many messages it has, for people.
        shape: of an image.
        rate_bits: log2 of the number of messages.
        seeded: whether encoding draws a dither, and decoding that dither or noise.
        quantise: (images, seed=, progress=) -> symbols.
        pack: (symbols, seed=) -> stream.
        unpack: stream -> symbols, seed.
        reproduce: (symbols, seed=, progress=) -> images, uint8.
        ideal_bits: symbols -> -log2 of their probability in the model, mean over images.
        coded_bits: stream -> its payload, bits an image.
    """

    digest: str
    settings: dict[str, Any]
    words: str
    shape: tuple[int, ...]
    rate_bits: float
    seeded: bool
    quantise: Callable[..., np.ndarray]
    pack: Callable[..., bytes]
    unpack: Callable[[bytes], tuple[np.ndarray, int]]
    reproduce: Callable[..., np.ndarray]
    ideal_bits: Callable[[np.ndarray], float]
    coded_bits: Callable[[bytes], float]


def read(
    path: Path,
    decoder: str | None = None,
    classifiers: Sequence[Callable[..., Any]] = (),
    cross_entropy: Sequence[float] = (),
) -> Coder:
    """The code that a model file holds.

    Args:
        path: of what `model_file.to_bytes` or `universal.stored.to_bytes` made.
        decoder: its name, where there are several.
        classifiers: images -> logits, fixed: the encoder's search also counts what they see (`neural.Search`).
        cross_entropy: weight of each, against 1 for the MSE a pixel.

    Raises:
        InputError: no decoder of that name, or several and no name; classifiers, but the encoder does not search.
        ModelError: the file holds no model, or a damaged one.
        OSError: there is no such file.
    """
    if _is_universal(path):
        stored = universal_file.read(path)
        if classifiers:
            search = stored.model.search
            if search is None:
                raise InputError(f"--classifier has no effect: the encoder of {path.name} does not search.")
            judged = search._replace(cross_entropy=tuple(cross_entropy), classifiers=tuple(classifiers))
            stored.model.search_through(judged)
        try:
            return _of_symbols(stored, stored.model.decoder_named(decoder))
        except InputError as error:
            raise InputError(f"{path.name}: {str(error).rstrip('.')}. Choose by --decoder.") from error
    model = model_file.read(path)
    if classifiers:
        raise InputError(f"--classifier has no effect: the encoder of {path.name} does not search.")
    if decoder is not None:
        raise InputError(f"--decoder {decoder} has no effect: {path.name} has one decoder without a name.")
    return _of_messages(model)


def _is_universal(path: Path) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            return "schema.npy" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def _of_messages(model: Model) -> Coder:
    code = model.code

    def quantise(images: np.ndarray, **options: Any) -> np.ndarray:
        return codec.quantise(model, images.reshape(len(images), -1), **options)

    return Coder(
        digest=model.digest().hex(),
        settings={"dimensions": code.dimensions, "levels": code.levels, "dither": code.dither},
        words=f"one of {code.levels}^{code.dimensions} messages each",
        shape=(28, 28),
        rate_bits=code.dimensions * float(np.log2(code.levels)),
        seeded=bool(code.dither),
        quantise=quantise,
        pack=lambda messages, **options: codec.pack(model, messages, **options),
        unpack=lambda stream: codec.unpack(model, stream),
        reproduce=lambda messages, **options: codec.reproduce(model, messages, **options),
        ideal_bits=lambda messages: float(-np.log2(model.shares()[messages]).mean()),
        coded_bits=image_stream.coded_bits,
    )


def _of_symbols(stored: Stored, decoder: str) -> Coder:
    model, sizes = stored.model, stored.model.code.sizes
    dither = getattr(model.code, "dither", 0.0)
    return Coder(
        digest=stored.digest().hex(),
        settings={"sizes": list(sizes), "dither": dither, "decoder": decoder, "decoders": list(model.names)},
        words=f"{len(sizes)} symbols of {' x '.join(map(str, sorted(set(sizes))))} each",
        shape=model.shape,
        rate_bits=model.bits,
        seeded=bool(dither or model.decoders[decoder].noise),
        quantise=lambda images, **options: universal_stream.quantise(stored, images, **options),
        pack=lambda symbols, **options: universal_stream.pack(stored, symbols, **options),
        unpack=lambda stream: universal_stream.unpack(stored, stream),
        reproduce=lambda symbols, **options: universal_stream.reproduce(stored, symbols, name=decoder, **options),
        ideal_bits=lambda symbols: float(stored.law.bits(symbols).mean()),
        coded_bits=image_stream.coded_bits,
    )

"""Measured points of a codec, as others' tools write them: bits per pixel against accuracy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrd._files import parsing
from jaxrd.errors import InputError
from jaxrd.io.common import Columns, find, kind_of, listing, numbers
from jaxrd.io.tables import no_doubles, read_columns

_BPP = ("bpp", "avg_bpp")
_BITS = ("rate_bits",)
ACCURACY = ("accuracy", "top1", "top-1", "acc1", "end_accuracy")
NAMES = ("codec", "curve", "name", "dataset")


class CodecPoints(NamedTuple):
    """Operating points of one codec, by rising rate."""

    name: str
    bpp: np.ndarray
    """Bits per pixel, shape (points,)."""
    accuracy: np.ndarray
    """A fraction, shape (points,)."""
    notes: tuple[str, ...]
    """What was assumed, for people."""


def read_codec(path: str | Path, pixels: float) -> list[CodecPoints]:
    """Read a codec's points: CompressAI's results `.json`, CompressAI-Vision's `summary.csv`, or a plain `.csv`.

    A csv has a column `bpp` (or `avg_bpp`, or `rate_bits` a sample) and one `accuracy` (or `top1`, `end_accuracy`);
    a column `codec`, `curve`, `name` or `dataset` tells several codecs apart. In a `.json` the same names are parallel
    arrays in `results`. Accuracies are fractions if none exceeds 1, else percent: a note says which.

    Args:
        path: the file.
        pixels: of a sample, which turn bits per sample into bits per pixel.

    Returns:
        One `CodecPoints` per codec in the file.

    Raises:
        InputError: one line that names what the file has instead, or quotes the invalid value.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    kind = kind_of(path)
    if kind == ".json":
        name, columns = _compressai(path)
    elif kind in (".csv", ".tsv"):
        name, columns = path.stem, read_columns(path)
    else:
        raise InputError(
            f"{path.name}: a codec's points are read from .json and .csv; got {path.suffix or 'no type'!r}."
        )
    lower = {key.lower(): key for key in columns}
    rate, accuracy = find(lower, (*_BPP, *_BITS)), find(lower, ACCURACY)
    for what, key, wanted in (("rate", rate, (*_BPP, *_BITS)), ("accuracy", accuracy, ACCURACY)):
        if key is None:
            raise InputError(f"{path.name} has no {what} ({'|'.join(wanted)}); it has: {listing(columns)}.")
    assert rate is not None
    assert accuracy is not None
    bpp = _checked(columns, lower[rate], path) / (pixels if rate in _BITS else 1)
    measured = _checked(columns, lower[accuracy], path)
    if len(bpp) != len(measured):
        raise InputError(f"{path.name}: {len(bpp)} values of {rate} for {len(measured)} of {accuracy}.")
    if measured.max() > 100:
        raise InputError(f"{path.name}: {accuracy} must be a fraction or percent; got {measured.max():g}.")
    unit = "a fraction" if measured.max() <= 1 else "percent"
    notes = (f"{path.name}: {accuracy} read as {unit} (largest value {measured.max():g})",)
    if accuracy == "end_accuracy":
        notes += (f"{path.name}: end_accuracy is whatever that pipeline's evaluator measures; taken for top-1",)
    if rate in _BITS:
        notes += (f"{path.name}: {rate} over {pixels:g} pixels",)
    fraction = measured if measured.max() <= 1 else measured / 100

    group = find(lower, NAMES)
    groups = [name] * len(bpp) if group is None else [str(value) for value in columns[lower[group]]]
    if len(groups) != len(bpp):
        raise InputError(f"{path.name}: {len(groups)} values of {group} for {len(bpp)} of {rate}.")
    several = len(set(groups)) > 1
    points = []
    for one in dict.fromkeys(groups):
        rows = np.flatnonzero(np.array(groups) == one)
        rows = rows[np.argsort(bpp[rows], kind="stable")]
        points.append(CodecPoints(f"{name} {one}" if several else name, bpp[rows], fraction[rows], notes))
    return points


def _compressai(path: Path) -> tuple[str, Columns]:
    """The name and the parallel arrays of a CompressAI results file."""
    with parsing(path, "json"):
        held = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=no_doubles(path))
    results = held.get("results") if isinstance(held, Mapping) else None
    if not isinstance(results, Mapping):
        has = listing(held) if isinstance(held, Mapping) else type(held).__name__
        raise InputError(
            f"{path.name} has no 'results' with parallel arrays, as CompressAI writes them; it has: {has}."
        )
    columns: dict[str, Any] = {str(key): values for key, values in results.items() if isinstance(values, list)}
    return str(held.get("name") or path.stem), columns


def _checked(columns: Columns, name: str, path: Path) -> np.ndarray:
    """A column of finite numbers >= 0."""
    values = numbers(columns, name, path)
    if values.ndim != 1 or not values.size:
        raise InputError(f"{path.name}: {name} must be a list of numbers; got shape {values.shape}.")
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        raise InputError(
            f"{path.name}: {name} must be finite and >= 0; got {values[bad][0]:g} at point {bad.argmax()}."
        )
    return values

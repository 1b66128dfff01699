"""Measured points of a codec, as others' tools and our own write them: bits a sample against what the task loses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrd._files import parsing
from jaxrd.errors import InputError
from jaxrd.io import split_computing
from jaxrd.io.common import Columns, find, kind_of, listing, numbers
from jaxrd.io.tables import no_doubles, read_columns

_BPP = {"bpp": 1.0, "avg_bpp": 1.0}
_PER_SAMPLE = {
    "rate_bits": 1.0, "bits_per_sample": 1.0, "payload_bits_per_sample": 1.0, "bytes_per_sample": 8.0,
    "kilobytes": 8000.0, "bottleneck_kb": 8192.0, "data_size_kb": 8192.0,
}  # fmt: skip
"""Bits a sample in a unit of a column: a kilobyte is 1000 bytes, a KB of sc2bench's 1024."""
RATES = _PER_SAMPLE | _BPP
"""The names of a column of rates; the first that a file has is read."""
ACCURACY = ("accuracy", "top1", "top-1", "acc1", "end_accuracy")
_DISTORTION = ("distortion", "mean_loss")
NAMES = ("codec", "curve", "name", "dataset")


class CodecPoints(NamedTuple):
    """Operating points of one codec, by rising rate."""

    name: str
    rate_bits: np.ndarray
    """Bits per sample, shape (points,)."""
    distortion: np.ndarray
    """What the task loses, in the unit of its loss: 1 - accuracy where the file gives an accuracy, shape (points,)."""
    notes: tuple[str, ...]
    """What was assumed, for people."""
    pixels: float | None = None
    """Of a sample, if known."""
    measured: str = "accuracy"
    """The column that the distortion is from, in small letters."""

    @property
    def accuracy(self) -> np.ndarray:
        """1 - distortion, a fraction where the loss is an error, shape (points,)."""
        return 1 - self.distortion

    @property
    def bpp(self) -> np.ndarray:
        """Bits per pixel, NaN where the pixels are not known, shape (points,)."""
        return self.rate_bits / (np.nan if self.pixels is None else self.pixels)


def read_codec(
    path: str | Path, pixels: float | None = None, *, accuracies: Sequence[str] = ACCURACY
) -> list[CodecPoints]:
    """Read a codec's points: a results `.json` of CompressAI's or one of `jaxrd encode`, a `.csv`, a log of sc2bench.

    A csv, such as CompressAI-Vision's `summary.csv`, has a column of rates and one of accuracies or distortions. Rates
    are bits a sample (`rate_bits`, `bits_per_sample`, `payload_bits_per_sample`), bytes a sample (`bytes_per_sample`;
    in thousands `kilobytes`, in units of 1024 `bottleneck_kb`, `data_size_kb`) or bits a pixel (`bpp`, `avg_bpp`).
    Accuracies are `accuracy`, `top1`, `acc1` or `end_accuracy`, fractions if none exceeds 1, else percent: a note says
    which. Where none is there, a column `distortion` or `mean_loss` holds what the task loses. A column
    `codec`, `curve`, `name` or `dataset` tells several codecs apart. In a `.json` the same names are parallel arrays in
    `results`. In a `.log` or `.txt` of sc2bench each size of the bottleneck belongs to the accuracy before it.

    Args:
        path: the file.
        pixels: of a sample, which turn bits per pixel into bits per sample; None: unknown.
        accuracies: names of the columns that hold 1 - distortion of the task's loss; none where no accuracy does.

    Returns:
        One `CodecPoints` per codec in the file.

    Raises:
        InputError: one line that names what the file has instead, or quotes the invalid value; or the file gives bits
            per pixel, and the pixels are not known.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    kind = kind_of(path)
    notes: tuple[str, ...] = ()
    if kind == ".json":
        name, columns = _results(path)
    elif kind in (".csv", ".tsv"):
        name, columns = path.stem, read_columns(path)
    elif kind in (".log", ".txt"):
        name, columns = path.stem, split_computing.read_log(path)
        notes = (f"{path.name}: sizes as sc2bench measures them, those of pickled objects",)
    else:
        raise InputError(
            f"{path.name}: a codec's points are read from .json, .csv and .log; got {path.suffix or 'no type'!r}."
        )
    lower = {key.lower(): key for key in columns}
    rate_bits, more = _rates(columns, lower, path, pixels)
    distortion, measured, words = _distortions(columns, lower, path, tuple(accuracies))
    if len(rate_bits) != len(distortion):
        rate = find(lower, tuple(RATES))
        raise InputError(f"{path.name}: {len(rate_bits)} values of {rate} for {len(distortion)} of {measured}.")
    notes = (*words, *notes, *more)
    groups, several = _groups(columns, lower, path, len(rate_bits)), False
    if groups is not None:
        several = len(set(groups)) > 1
    points = []
    for one in dict.fromkeys(groups or [name]):
        rows = np.arange(len(rate_bits)) if groups is None else np.flatnonzero(np.array(groups) == one)
        rows = rows[np.argsort(rate_bits[rows], kind="stable")]
        title = f"{name} {one}" if several else name
        points.append(CodecPoints(title, rate_bits[rows], distortion[rows], notes, pixels, measured))
    return points


def _rates(
    columns: Columns, lower: Mapping[str, str], path: Path, pixels: float | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Bits a sample, and what was assumed."""
    rate = find(lower, tuple(RATES))
    if rate is None:
        raise InputError(f"{path.name} has no rate ({'|'.join(RATES)}); it has: {listing(columns)}.")
    values = _checked(columns, lower[rate], path)
    if rate not in _BPP:
        unit = f"{RATES[rate] / 8:g} bytes" if RATES[rate] > 8 else ""
        return values * RATES[rate], (f"{path.name}: {rate} in units of {unit}",) if unit else ()
    if pixels is None:
        raise InputError(
            f"{path.name} gives bits per pixel ({rate}): say how many pixels a sample has, --pixels 50176 for "
            "224 x 224."
        )
    return values * pixels, (f"{path.name}: {rate} times {pixels:g} pixels",)


def _distortions(
    columns: Columns, lower: Mapping[str, str], path: Path, accuracies: tuple[str, ...]
) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """What the task loses, the column it is from, and what was assumed."""
    wanted = (*accuracies, *_DISTORTION)
    key = find(lower, wanted)
    if key is None:
        what = "accuracy" if accuracies else "distortion, and no accuracy belongs to this loss"
        raise InputError(f"{path.name} has no {what} ({'|'.join(wanted)}); it has: {listing(columns)}.")
    measured = _checked(columns, lower[key], path)
    if key in _DISTORTION:
        if accuracies and measured.max() > 1:
            raise InputError(f"{path.name}: {key} must lie in [0, 1], the loss being 0 or 1; got {measured.max():g}.")
        return measured, key, ()
    if measured.max() > 100:
        raise InputError(f"{path.name}: {key} must be a fraction or percent; got {measured.max():g}.")
    unit = "a fraction" if measured.max() <= 1 else "percent"
    notes = (f"{path.name}: {key} read as {unit} (largest value {measured.max():g})",)
    if key == "end_accuracy":
        notes += (f"{path.name}: end_accuracy is whatever that pipeline's evaluator measures; taken for top-1",)
    return 1 - (measured if measured.max() <= 1 else measured / 100), key, notes


def _groups(columns: Columns, lower: Mapping[str, str], path: Path, points: int) -> list[str] | None:
    """The codec of each point, where a column says it."""
    group = find(lower, NAMES)
    if group is None:
        return None
    groups = [str(value) for value in columns[lower[group]]]
    if len(groups) != points:
        raise InputError(f"{path.name}: {len(groups)} values of {group} for {points} of {find(lower, tuple(RATES))}.")
    return groups


def _results(path: Path) -> tuple[str, Columns]:
    """The name and the parallel arrays of a CompressAI results file; the one point of a document of `jaxrd encode`."""
    with parsing(path, "json"):
        held = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=no_doubles(path))
    if isinstance(held, Mapping) and held.get("schema") == "jaxrd.encode/1":
        keys = {"rate_bits": "payload_bits_per_sample", "distortion": "distortion"}
        if missing := [key for key in keys.values() if not isinstance(held.get(key), int | float)]:
            raise InputError(f"{path.name} is of jaxrd encode, but has no number {missing[0]!r}.")
        return f"{path.stem} {held.get('curve')}", {name: np.array([float(held[key])]) for name, key in keys.items()}
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
    return values.astype(float)

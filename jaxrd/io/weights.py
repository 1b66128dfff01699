"""Weights of samples and probabilities of classes, from an array, a column or a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io import arrays, tables
from jaxrd.io.common import Columns, is_numeric, kind_of, listing, numbers

KEYS = ("weights", "sample_weights", "sample_weight")


def weights_name(columns: Columns, asked: str | None, path: Path) -> str | None:
    """The name of the weights among the columns of a file: as asked, or one of `KEYS`; None: there are none.

    Raises:
        InputError: what is asked for is neither a column nor a file.
    """
    if asked is not None:
        if asked in columns:
            return asked
        if Path(asked).exists():
            return None
        raise InputError(
            f"{path.name} has nothing named {asked!r}, and there is no such file (--weights); it has: "
            f"{listing(columns)}."
        )
    samples = max((len(values) for values in columns.values()), default=0)
    return next((name for name in columns if name.lower() in KEYS and len(columns[name]) == samples), None)


def read_weights(columns: Columns, name: str | None, asked: str | None, path: Path) -> Any:
    """The weights that `weights_name` found, or those of a file; None: there are none."""
    if name is not None:
        return numbers(columns, name, path)
    return None if asked is None else _one_column(Path(asked), KEYS, "a weight a sample")


def read_prior(words: str) -> np.ndarray | str:
    """The probabilities of the classes that `--prior` names: "uniform", or a file with one number a class.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    if words == "uniform":
        return words
    if not Path(words).exists():
        raise InputError(f"--prior must be uniform or a file with a probability a class; there is no file {words!r}.")
    return _one_column(Path(words), ("prior", "probability", "p"), "a probability a class")


def _one_column(path: Path, keys: tuple[str, ...], what: str) -> np.ndarray:
    """The numbers of a file that has one column, or one with such a name.

    Raises:
        InputError: it has neither.
    """
    if kind_of(path) == ".npy":
        values = arrays.load(path, ("",)).get("")
        if values is None or values.ndim != 1:
            shape = "an archive" if values is None else f"shape {values.shape}"
            raise InputError(f"{path.name} must hold {what}; got {shape}.")
        return values
    if kind_of(path) == ".txt":
        return numbers(tables.read_words(path), "label", path)
    if kind_of(path) not in (".csv", ".tsv", ".parquet"):
        raise InputError(f"{path.name}: {what} is read from .npy, .txt, .csv and .parquet.")
    columns = tables.read_columns(path)
    named = [name for name in columns if name.lower() in keys] or [n for n in columns if is_numeric(columns[n])]
    if len(columns) == 1:
        named = list(columns)
    if len(named) != 1:
        raise InputError(f"{path.name} must hold {what} in one column, such as {keys[0]}; it has: {listing(columns)}.")
    return numbers(columns, named[0], path)

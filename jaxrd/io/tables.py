"""Classifier outputs from tables: csv, parquet, and timm's json; one row a sample."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io import timm
from jaxrd.io.common import (
    DECISION_KEYS,
    LABEL_KEYS,
    SCORE_KEYS,
    Arrays,
    Columns,
    damaged,
    listing,
    need,
    numbers,
)

TABLES = (".csv", ".parquet", ".json")
LABEL_COLUMNS = (*LABEL_KEYS, "label", "target")
DECISION_COLUMNS = (*DECISION_KEYS, "prediction")
NAMES_OF_ROWS = ("", "id", "index", "filename", "__index_level_0__")


def load(path: Path, *, labelled: bool = True) -> tuple[Arrays, tuple[str, ...]]:
    """Scores or predictions, and labels if there are any; and what was assumed, for people.

    One column per class, in their order, or one column of lists named `logits` (or any such name); a column of
    labels; `predictions` for decisions. What timm's `inference.py` writes is told by its columns (`jaxrd.io.timm`).

    Args:
        path: `.csv` with a header, `.parquet`, or `.json` as pandas writes it.
        labelled: insist on a column of labels.

    Raises:
        InputError: one line that quotes what cannot be used.
    """
    columns = read_columns(path)
    if timm.written_by(columns):
        return timm.arrays(columns, path, labelled=labelled)
    found: Arrays = {}
    classes = []
    for name in columns:
        key = name.lower()
        if key in NAMES_OF_ROWS:
            continue
        values = numbers(columns, name, path)
        if key in LABEL_COLUMNS:
            if "labels" in found:
                raise InputError(f"{path.name} has two columns of labels; {name!r} is the second.")
            found["labels"] = values
        elif key in DECISION_COLUMNS:
            found["predictions"] = values
        elif values.ndim == 2 and key in SCORE_KEYS:
            found[key] = values
        elif values.ndim == 2:
            raise InputError(
                f"{path.name}: column {name!r} holds lists; scores in one are named {'|'.join(SCORE_KEYS)}."
            )
        else:
            classes.append(values)
    if labelled and "labels" not in found:
        raise InputError(f"{path.name} has no column {'|'.join(LABEL_KEYS)}; it has: {listing(columns)}.")
    if classes:
        found["scores"] = np.stack(classes, 1)
    return found, ()


def load_labels(path: Path) -> np.ndarray:
    """The column of labels; the others are not looked at.

    Raises:
        InputError: there is none, or it holds no numbers.
    """
    columns = read_columns(path)
    name = next((name for name in columns if name.lower() in LABEL_COLUMNS), None)
    if name is None:
        raise InputError(f"{path.name} has no column {'|'.join(LABEL_KEYS)}; it has: {listing(columns)}.")
    return numbers(columns, name, path)


def load_words(path: Path) -> np.ndarray:
    """Labels from a text file, one word each.

    Raises:
        InputError: the file is missing, or a word is no number.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    try:
        words = path.read_text(encoding="utf-8-sig").split()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file.") from None
    return numbers({"label": words}, "label", path)


def read_columns(path: Path) -> Columns:
    """A table as its columns by name: text from csv, numbers, text or lists from the others.

    Raises:
        InputError: the file is missing, empty, damaged or no table.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    columns = {".csv": _csv, ".parquet": _parquet, ".json": _json}[path.suffix.lower()](path)
    if not columns or not len(next(iter(columns.values()))):
        raise InputError(f"{path} is empty: it has no row.")
    return columns


def _csv(path: Path) -> Columns:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file.") from None
    except csv.Error as error:
        raise damaged(path, "csv", error) from None
    if not rows:
        raise InputError(f"{path} is empty.")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if len(set(header)) < len(header):
        raise InputError(f"{path.name} names a column twice: {next(n for n in header if header.count(n) > 1)!r}.")
    for i, row in enumerate(body):
        if len(row) != len(header):
            raise InputError(f"{path.name}, line {i + 2}: {len(row)} fields where the header has {len(header)}.")
    return {name: [row[k] for row in body] for k, name in enumerate(header)}


def _parquet(path: Path) -> Columns:
    arrow, parquet, compute = (need(name, path) for name in ("pyarrow", "pyarrow.parquet", "pyarrow.compute"))
    try:
        table = parquet.read_table(path)
        return {name: _values(table.column(k), compute) for k, name in enumerate(table.column_names)}
    except (arrow.ArrowException, OSError) as error:
        raise damaged(path, "parquet", error) from None


def _values(column: Any, compute: Any) -> Any:
    """A column of arrow's as an array, shape (rows,) or, of lists equally long, (rows, length); else as a list."""
    if "list" not in str(column.type):
        return column.to_numpy()
    lengths = compute.unique(compute.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or lengths[0] is None:
        return column.to_pylist()
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


def _json(path: Path) -> Columns:
    """A table as pandas writes it: by rows, `{row: {column: value}}`, or split, `{"columns": [..], "data": [[..]]}`."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(path, "json", error) from None
    if isinstance(held, dict) and isinstance(held.get("columns"), list) and isinstance(held.get("data"), list):
        names, rows = [str(name) for name in held["columns"]], held["data"]
        if any(not isinstance(row, list) or len(row) != len(names) for row in rows):
            raise InputError(f"{path.name}: every row of data must have the {len(names)} entries of columns.")
        return {name: [row[k] for row in rows] for k, name in enumerate(names)}
    rows = list(held.values()) if isinstance(held, dict) else []
    if not rows or any(not isinstance(row, dict) or row.keys() != rows[0].keys() for row in rows):
        raise InputError(f"{path.name} is no table: {{row: {{column: value}}}} with the same columns in every row.")
    return {"filename": list(held)} | {str(name): [row[name] for row in rows] for name in rows[0]}

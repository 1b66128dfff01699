"""Tables, one row a sample: csv, tsv, parquet, json as pandas writes it, and jsonl."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd._files import parsing, refuse_claim
from jaxrd.errors import InputError
from jaxrd.io import delimited
from jaxrd.io.common import OUTPUT_KEYS, Columns, check_names, kind_of, need, shown, twice
from jaxrd.io.spool import column_of, spooled
from jaxrd.tosc import rows

TABLES = (".csv", ".tsv", ".parquet", ".json", ".jsonl")
_ROW = "filename"
"""The name of the column made of the keys of a json by rows: timm's keys are file names."""


def read_words(path: Path) -> Columns:
    """Labels from a text file, one word each, as a column `label`.

    Raises:
        InputError: the file is missing or not text.
    """
    with parsing(path, "text"):
        try:
            words = path.read_text(encoding="utf-8-sig").split()
        except UnicodeDecodeError:
            raise InputError(f"{path} is not a text file in UTF-8.") from None
    return {"label": _column(words)}


def read_columns(path: Path) -> Columns:
    """A table as its columns by name: numbers as arrays, anything else as lists.

    Raises:
        InputError: the file is missing, empty, damaged or no table.
    """
    readers = {".csv": delimited.read, ".tsv": delimited.read, ".parquet": _parquet, ".json": _json, ".jsonl": _jsonl}
    columns = readers[kind_of(path)](path)
    if not columns or not len(next(iter(columns.values()))):
        raise InputError(f"{path} is empty: it has no row.")
    return columns


def read_parquet(paths: Sequence[Path]) -> Columns:
    """The columns of parquet files that are one table, one after another.

    Those of a large one that hold floats, or lists of them, are written a row group at a time to a temporary file,
    which has no name and ends with the process, and mapped: they need room in the temporary folder, not in memory.

    Raises:
        InputError: a file is missing, empty, damaged or has other columns than the first.
    """
    parquet, compute, arrow = (need(name, paths[0]) for name in ("pyarrow.parquet", "pyarrow.compute", "pyarrow"))
    schemas, values = [], 0
    for path in paths:
        with parsing(path, "parquet"):
            held = parquet.read_metadata(path)
            groups = [held.row_group(i) for i in range(held.num_row_groups)]
            inside = sum(group.column(k).num_values for group in groups for k in range(group.num_columns))
            refuse_claim(path, "the table", 8 * max(inside, held.num_rows))
            schemas.append(parquet.read_schema(path))
            check_names(schemas[-1].names, path)
            values += inside
        if not schemas[-1].equals(schemas[0]):
            raise InputError(f"{path.name} has other columns than {paths[0].name}; the files of a table have the same.")
    if values > rows.LARGE:
        return spooled(paths, schemas[0])
    tables = []
    for path in paths:
        with parsing(path, "parquet"):
            tables.append(parquet.ParquetFile(path).read())
    with parsing(paths[0], "parquet"):
        table = arrow.concat_tables(tables)
        return {name: column_of(table.column(k), compute) for k, name in enumerate(table.column_names)}


def _parquet(path: Path) -> Columns:
    return read_parquet([path])


def _column(values: list[Any]) -> Any:
    """Numbers as an array, lists and words as they are."""
    if all(type(value) in (int, float, bool) for value in values):
        return np.array([float(value) for value in values])
    return values


def no_doubles(path: Path) -> Any:
    """A hook for `json.loads` that refuses an object with a name twice; Python alone would keep the last."""

    def hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            raise InputError(f"{path.name} names {shown(twice(name for name, _ in pairs))} twice in one object.")
        return members

    return hook


def _json(path: Path) -> Columns:
    """A table as pandas writes it: by rows, `{row: {column: value}}` or `[{column: value}, ..]`, or split,
    `{"columns": [..], "data": [[..]]}`, or with its schema.
    """
    with parsing(path, "json"):
        text = path.read_text(encoding="utf-8-sig")
        if re.match(r"\s*\{[^\n]*\}\s*\n\s*\{", text):  # JSON lines, as datasets names them
            return _jsonl(path)
        held = json.loads(text, object_pairs_hook=no_doubles(path))
        if isinstance(held, dict) and isinstance(held.get("columns"), list) and isinstance(held.get("data"), list):
            names, rows = [str(name) for name in held["columns"]], held["data"]
            if any(not isinstance(row, list) or len(row) != len(names) for row in rows):
                raise InputError(f"{path.name}: every row of data must have the {len(names)} entries of columns.")
            check_names(names, path)
            return {name: _column([row[k] for row in rows]) for k, name in enumerate(names)}
        if isinstance(held, dict) and isinstance(held.get("schema"), dict) and isinstance(held.get("data"), list):
            return _by_rows(held["data"], path)
        if isinstance(held, dict) and _by_columns(held):
            raise InputError(
                f"{path.name} is a table by columns, {{column: {{row: value}}}}, as pandas' to_json writes it unasked; "
                "write it by rows: to_json(..., orient='records')."
            )
        if isinstance(held, dict):
            return {_ROW: list(held)} | dict(_by_rows(list(held.values()), path))
        return _by_rows(held if isinstance(held, list) else [], path)


def _by_columns(held: dict[str, Any]) -> bool:
    """Whether the outer names are those of columns: labels or scores among them, or many counted rows inside."""
    inner = next(iter(held.values()), None)
    if not isinstance(inner, Mapping) or any(not isinstance(part, Mapping) for part in held.values()):
        return False
    known = any(str(name).lower() in OUTPUT_KEYS for name in held)
    if any(str(name).lower() in OUTPUT_KEYS for name in inner):
        return False
    return known or (len(held) < len(inner) and list(inner) == [str(i) for i in range(len(inner))])


def _jsonl(path: Path) -> Columns:
    """One object a line, `{column: value}`."""
    with parsing(path, "jsonl"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return _by_rows([json.loads(line, object_pairs_hook=no_doubles(path)) for line in lines if line.strip()], path)


def _by_rows(rows: list[Any], path: Path) -> Columns:
    if not rows or any(not isinstance(row, Mapping) or row.keys() != rows[0].keys() for row in rows):
        raise InputError(f"{path.name} is no table: {{row: {{column: value}}}} with the same columns in every row.")
    check_names(list(map(str, rows[0])), path)
    return {str(name): _column([row[name] for row in rows]) for name in rows[0]}

"""Tables in text: csv (commas, or semicolons as Excel writes them) and tsv with a header, gzipped or not."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd._files import parsing, unpacked
from jaxrd.errors import InputError
from jaxrd.io.common import MOST_COLUMNS, Columns, as_number, check_names, kind_of

_SEPARATORS = {".csv": ",;\t", ".tsv": "\t"}
"""Separators; the first that separates names in the header is used."""
_FIRST_LINE = re.compile(rb"[\r\n]*([^\r\n]*)")
_EXCEL = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=([,;\t])"?\r?\n')
"""A line before the header that gives Excel the separator."""
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_BLOCK = 1 << 23
"""Bytes that pyarrow takes at a time: its default of 1 MiB costs twice the time where rows are long."""


def read(path: Path) -> Columns:
    """The columns of a table in text: numbers as arrays, anything else as lists of strings.

    pyarrow reads it where it is installed: some ten times faster.

    Raises:
        InputError: the file is missing, damaged or empty, has no header, names a column twice, or has a row of another
            length, or numbers with a decimal comma.
    """
    with parsing(path, kind_of(path)[1:]):
        content = _content(path)
        try:
            content, separator = _separated(content, _SEPARATORS[kind_of(path)])
            header = _header(content, separator, path)
            columns = _arrow(content, separator, header)
            if columns is None:
                columns = _plain(content.decode("utf-8-sig"), separator, header, path)
            _refuse_decimal_commas(columns, path)
            return columns
        except UnicodeDecodeError:
            raise InputError(f"{path} is not a text file in UTF-8: save it as such ('CSV UTF-8').") from None


def _content(path: Path) -> bytes:
    return unpacked(path) if path.suffix.lower() == ".gz" else path.read_bytes()


def _separated(content: bytes, separators: str) -> tuple[bytes, str]:
    """The content from its header on, and what separates its names."""
    if named := _EXCEL.match(content):
        return content[named.end() :], named[1].decode()
    first = _FIRST_LINE.match(content)[1].decode("utf-8-sig")  # pyright: ignore[reportOptionalSubscript]
    return content, next((s for s in separators if len(next(csv.reader([first], delimiter=s), [])) > 1), separators[0])


def _refuse_decimal_commas(columns: Columns, path: Path) -> None:
    for name, column in columns.items():
        if isinstance(column, list) and column and all(_DECIMAL_COMMA.fullmatch(cell) for cell in column):
            raise InputError(
                f"{path.name}, column {name!r}: {column[0]!r} has a decimal comma. Save the numbers with points."
            )


def _header(content: bytes, separator: str, path: Path) -> list[str]:
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")  # decodes only what is read
    header = next((row for row in csv.reader(text, delimiter=separator) if row), None)
    if header is None:
        raise InputError(f"{path} is empty.")
    header = [name.strip() for name in header]
    if len(header) <= MOST_COLUMNS and _headless(header):
        raise InputError(
            f"{path.name} has no header: its first line holds numbers ({', '.join(header[:3])}, ...). Add a line of "
            f"names, such as {separator.join(('class_0', 'class_1', 'label'))!r}."
        )
    check_names(header, path)
    return header


def _headless(header: list[str]) -> bool:
    """Whether a first line holds values: a number that is no count, or counts other than 0, 1, 2... and 1, 2..."""
    counts = [int(name) for name in header if re.fullmatch("[0-9]{1,9}", name)]
    if len(counts) < len([name for name in header if _is_number(name)]):
        return True
    return len(counts) == len(header) and sorted(counts) not in ([*range(len(counts))], [*range(1, len(counts) + 1)])


def _is_number(text: str) -> bool:
    try:
        as_number(text)
    except ValueError:
        return False
    return True


def _arrow(content: bytes, separator: str, header: list[str]) -> Columns | None:
    """The columns by pyarrow; None where it is missing or fails: the plain reader then reports the error."""
    try:
        import pyarrow
        from pyarrow import csv as arrow_csv
    except ImportError:
        return None
    if b"0x" in content or b"0X" in content:
        return None  # it would read hexadecimals as numbers
    try:
        table = arrow_csv.read_csv(
            pyarrow.BufferReader(content),
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(delimiter=separator),
            convert_options=arrow_csv.ConvertOptions(
                null_values=[], true_values=[], false_values=[], strings_can_be_null=False
            ),
        )
        return {name: _column(column) for name, column in zip(header, table.columns, strict=True)}
    except (pyarrow.ArrowException, ValueError):
        return None


def _column(column: Any) -> Any:
    kind = str(column.type)
    if kind.startswith(("int", "double")):
        return column.to_numpy()
    return column.cast("string").to_pylist()


def _plain(text: str, separator: str, header: list[str], path: Path) -> Columns:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    body = [row for row in rows if row][1:]
    for i, row in enumerate(body):
        if len(row) != len(header):
            raise InputError(f"{path.name}, line {i + 2}: {len(row)} fields where the header has {len(header)}.")
    # Only with underscores or non-ASCII digits can a text be a float for Python and no number for people.
    convert = float if text.isascii() and "_" not in text.partition("\n")[2] else as_number
    cells = zip(*body, strict=True) if body else [()] * len(header)
    return {name: _floats(column, convert) for name, column in zip(header, cells, strict=True)}


def _floats(column: Any, convert: Any) -> Any:
    try:
        return np.array([convert(cell) for cell in column])
    except ValueError:
        return list(column)

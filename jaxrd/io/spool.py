"""Columns of large parquet files in a temporary file that is mapped, so that they take no memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd._files import parsing
from jaxrd.errors import InputError
from jaxrd.io.common import Columns, need

_ROWS = 2**14
"""Rows that are unpacked at a time."""
_FLOATS = ("halffloat", "float", "double")
"""arrow's names of the types that are written to the temporary file."""


def column_of(column: Any, compute: Any) -> Any:
    """A column of arrow's as an array, shape (rows,) or, of lists equally long, (rows, length); else as a list."""
    if "list" not in str(column.type):
        values = column.to_numpy()
        return values if values.dtype.kind in "iufb" else values.tolist()
    lengths = compute.unique(compute.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or lengths[0] is None:
        return column.to_pylist()
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


def spooled(paths: Sequence[Path], schema: Any) -> Columns:
    """The columns of parquet files as `column_of` gives them, those of floats as views of mapped matrices.

    All columns of one type of floats are a matrix; a column of lists of floats is one of its own.

    Args:
        paths: the files.
        schema: pyarrow's, of all of them.

    Raises:
        InputError: a file is damaged, its lists differ in length, or the temporary folder is full.
    """
    parquet, compute, arrow = (need(name, paths[0]) for name in ("pyarrow.parquet", "pyarrow.compute", "pyarrow"))
    types = {name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)}
    inner = {name: getattr(kind, "value_type", None) for name, kind in zip(schema.names, schema.types, strict=True)}
    single = {kind: [name for name in types if types[name] == kind] for kind in _FLOATS if kind in types.values()}
    lists = [name for name in types if "list" in types[name] and str(inner[name]) in _FLOATS]
    spools = {name: _Spool() for name in (*single, *lists)}
    others: dict[str, list[Any]] = {name: [] for name in types if types[name] not in single and name not in lists}
    for path in paths:
        with parsing(path, "parquet"), parquet.ParquetFile(path, memory_map=True) as file:
            for batch in file.iter_batches(_ROWS):
                columns = dict(zip(types, batch.columns, strict=True))
                for kind, names in single.items():
                    values = [columns[name].to_numpy(zero_copy_only=False) for name in names]
                    spools[kind].add(np.stack(values, 1), path)
                for name in lists:
                    spools[name].add(_matrix(arrow.chunked_array([columns[name]]), name, compute, path), path)
                for name, parts in others.items():
                    parts.append(columns[name])
    with parsing(paths[0], "parquet"):
        found = {name: column_of(arrow.chunked_array(parts), compute) for name, parts in others.items()}
        found |= {name: spools[name].mapped() for name in lists}
        for kind, names in single.items():
            mapped = spools[kind].mapped()
            found |= {name: mapped[:, k] for k, name in enumerate(names)}
    return {name: found[name] for name in types}


def _matrix(column: Any, name: str, compute: Any, path: Path) -> np.ndarray:
    values = column_of(column, compute)
    if isinstance(values, np.ndarray):
        return values
    raise InputError(f"{path.name}, column {name!r}: its lists have not all the same length.")


class _Spool:
    """Rows written one after another to a file without a name."""

    def __init__(self):
        self.file = tempfile.TemporaryFile(prefix="jaxrd-")  # noqa: SIM115  # the mapping outlives this function
        self.rows, self.kind, self.width = 0, np.dtype(float), 0

    def add(self, part: np.ndarray, path: Path) -> None:
        """Some more rows.

        Raises:
            InputError: they are longer than those before, or there is no room.
        """
        if self.rows and part.shape[1] != self.width:
            raise InputError(f"{path.name}: a row has {part.shape[1]} entries where the first has {self.width}.")
        self.kind, self.width = part.dtype, part.shape[1]
        try:
            self.file.write(np.ascontiguousarray(part).tobytes())
        except OSError as error:
            raise InputError(
                f"{path.name}: the scores of a large table are written to a temporary file in {tempfile.gettempdir()}, "
                f"where there is no room ({error.strerror}). Set TMPDIR to a folder that has some."
            ) from None
        self.rows += len(part)

    def mapped(self) -> np.ndarray:
        """All rows, mapped.

        Raises:
            OSError: the last of them could not be written.
        """
        self.file.flush()
        return np.memmap(self.file, self.kind, "r", shape=(self.rows, self.width))

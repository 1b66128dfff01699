"""Rows of two tables matched by the names they hold, not by their positions."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io.common import Columns, shown

FILES = ("filename", "file_name", "file", "filepath", "file_path", "path", "image_path", "image", "img", "name")
_IDS = ("id", "image_id", "img_id", "sample_id", "example_id", "uid", "uuid", "guid", "key")
_COUNTS = ("index", "idx", "unnamed: 0", "__index_level_0__", "row", "")
ROW_NAMES = (FILES, _IDS, _COUNTS)


def rows_of(scores: Columns, labels: Columns, path: Path, label_path: Path, label: str) -> tuple[Any, str | None]:
    """The column `label` in the order of the rows of `scores`, and by what column rows were matched.

    Both tables must have a column of file names, or of ids; None: they have none, and rows are matched by position.

    Raises:
        InputError: a row of scores has no label, or two different ones.
    """
    pairs = [(_named(scores, kin), _named(labels, kin)) for kin in ROW_NAMES]
    pair = next(((one, other) for one, other in pairs if one is not None and other is not None), None)
    if pair is None:
        return labels[label], None
    names, truth = _text(scores[pair[0]]), dict[str, Any]()
    for name, value in zip(_text(labels[pair[1]]), labels[label], strict=True):
        if name in truth and truth[name] != value:
            raise InputError(f"{label_path.name}, column {pair[1]!r}: {shown(name)} has two different labels.")
        truth[name] = value
    missing = [name for name in names if name not in truth]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(names)} rows of {path.name} have no label in {label_path.name}, matched by "
            f"{pair[0]!r}: the first is {shown(missing[0])}. Remove that column from one of them to match by position."
        )
    matched = [truth[name] for name in names]
    unused = len(truth) - len(set(names))
    how = f"rows matched by column {pair[0]!r}" + (f"; {unused} labels belong to no row" if unused else "")
    return np.array(matched) if isinstance(labels[label], np.ndarray) else matched, how


def _named(columns: Columns, kin: tuple[str, ...]) -> str | None:
    return next((name for key in kin for name in columns if name.lower() == key), None)


def _text(values: Any) -> list[str]:
    """Names as text; whole numbers alike whether they were read as integers or floats."""
    return [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in np.asarray(values).tolist()]

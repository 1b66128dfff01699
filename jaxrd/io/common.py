"""What the readers share: the names they look for, and how they refuse."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError

SCORE_KEYS = ("logits", "scores", "outputs", "probs", "probabilities")
LABEL_KEYS = ("labels", "targets", "y")
DECISION_KEYS = ("predictions",)
OUTPUT_KEYS = (*SCORE_KEYS, *LABEL_KEYS, *DECISION_KEYS)

Arrays = dict[str, np.ndarray]
"""Arrays by the name their file gives them; '' is the only, nameless one."""
Columns = Mapping[str, Sequence[Any]]
"""A table by the names of its columns: text from csv, numbers, text or lists from others."""


def find(names: Iterable[str], keys: tuple[str, ...]) -> str | None:
    """The first of `keys` that occurs."""
    return next((key for key in keys if key in names), None)


def listing(names: Iterable[str], most: int = 12) -> str:
    """What a file has, for an error: names in order, cut short."""
    shown = sorted(names)
    return ", ".join(shown[:most]) + (f", ... ({len(shown)} in all)" if len(shown) > most else "") or "nothing"


def damaged(path: Path, kind: str, error: Exception) -> InputError:
    """The refusal of a file that is not what it should be."""
    # The error's own words may quote the bytes it fell over.
    return InputError(f"{path} cannot be read as {kind}, it may be truncated or damaged ({type(error).__name__}).")


def pickled(path: Path, how: str) -> InputError:
    """The refusal of a pickle; `how` says what is one: "is a pickle", "holds a pickle"."""
    return InputError(
        f"{path} {how}, which can run code when read; it is refused. Save plain arrays as .npz, or pass "
        "--unsafe-pickle if you trust where it comes from."
    )


def need(module: str, path: Path) -> Any:
    """Import what only some files need.

    Raises:
        InputError: it is not installed; says how to.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.split(".")[0]
        raise InputError(
            f"{path.name}: reading {path.suffix} files needs {name}, which is not installed: pip install {name}"
        ) from None


def numbers(columns: Columns, name: str, path: Path) -> np.ndarray:
    """A column as floats, shape (rows,), or (rows, n) where it holds lists of n.

    Raises:
        InputError: the first entry that is no number, or no list as long as the first.
    """
    values = columns[name]
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
        return values
    rows: list[Any] = []
    for i, value in enumerate(values):
        # numpy's print of an array, as pandas writes it to csv
        parts = value.strip("[] \n").replace(",", " ").split() if isinstance(value, str) and "[" in value else value
        try:
            rows.append([float(part) for part in parts] if isinstance(parts, list | np.ndarray) else float(parts))
        except (TypeError, ValueError):
            shown = str(value) if len(str(value)) < 40 else str(value)[:40] + "..."
            where = f"line {i + 2}" if path.suffix.lower() == ".csv" else f"row {i}"
            raise InputError(f"{path.name}, column {name!r}, {where}: {shown!r} is no number.") from None
        if np.size(rows[-1]) != np.size(rows[0]) or np.ndim(rows[-1]) != np.ndim(rows[0]):
            raise InputError(
                f"{path.name}, column {name!r}: row {i} has {np.size(rows[-1])} entries where the first has "
                f"{np.size(rows[0])}."
            )
    return np.array(rows)

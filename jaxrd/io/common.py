"""What the readers share: the names they look for, how they parse, and how they refuse."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.tosc.rows import Rows

SCORE_KEYS = (
    "logits", "scores", "outputs", "probs", "probabilities", "prob", "probability", "y_prob", "y_proba", "y_score",
    "score", "output", "softmax", "sigmoid", "p",
)  # fmt: skip
LABEL_KEYS = (
    "labels", "targets", "y", "label", "target", "y_true", "ground_truth", "label_ids", "label_id", "true_label",
    "true_labels",
)  # fmt: skip
DECISION_KEYS = ("predictions", "prediction", "preds", "pred", "y_pred", "predicted", "decisions", "decision")
LABELS = "|".join(LABEL_KEYS[:3])
SCORES = "|".join(SCORE_KEYS[:5])
OUTPUT_KEYS = (*SCORE_KEYS, *LABEL_KEYS, *DECISION_KEYS)

MOST_COLUMNS = 1 << 16
Arrays = dict[str, np.ndarray]
"""Arrays by the name their file gives them; '' is the only, nameless one."""
UNREAD = np.zeros(0)
"""Placeholder for an array that the file has, but that was not read."""
Columns = Mapping[str, Sequence[Any] | np.ndarray | Rows]
"""A table by the names of its columns: numbers as arrays, anything else as lists; large matrices may be `Rows`."""


def find(names: Iterable[str], keys: tuple[str, ...]) -> str | None:
    """The first of `keys` that occurs."""
    return next((key for key in keys if key in names), None)


def wanted(name: str, keys: Iterable[str]) -> bool:
    """Whether a name is one of `keys`, in whatever case, or matches one that is a pattern."""
    return name.lower() in keys or any(name == key or fnmatchcase(name, key) for key in keys)


def listing(names: Iterable[str], most: int = 12) -> str:
    """What a file has, for an error: names in order, cut short."""
    shown = sorted(names)
    return ", ".join(shown[:most]) + (f", ... ({len(shown)} in all)" if len(shown) > most else "") or "nothing"


def twice(names: Iterable[str]) -> str | None:
    """The first name that occurs again."""
    seen = set[str]()
    return next((name for name in names if name in seen or seen.add(name)), None)


def check_names(names: Sequence[str], path: Path) -> None:
    """Refuse a table that names a column twice, or has more columns than any that is meant.

    Raises:
        InputError: it does.
    """
    if len(names) > MOST_COLUMNS:
        raise InputError(f"{path.name} has {len(names)} columns; {MOST_COLUMNS} can be handled.")
    if (name := twice(names)) is not None:
        raise InputError(f"{path.name} names a column twice: {name!r}.")


def pickled(path: Path, how: str) -> InputError:
    """The refusal of a pickle; `how` says what is one: "is a pickle", "holds a pickle"."""
    return InputError(
        f"{path} {how}, which can run code when read; it is refused. Save plain arrays as .npz, or pass "
        "--unsafe-pickle if you trust where it comes from."
    )


def need(module: str, path: Path) -> Any:
    """Import a package that only some files need.

    Raises:
        InputError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.split(".")[0]
        raise InputError(
            f"{path.name}: reading {path.suffix} files needs {name}, which is not installed: pip install {name}"
        ) from None


def is_numeric(values: Any) -> bool:
    """Whether a column is an array of numbers already."""
    return isinstance(values, np.ndarray) and values.dtype.kind in "iufb"


def as_number(text: Any) -> float:
    """A float of a text that people, not only Python, read as a number: no underscores, ASCII digits.

    Raises:
        ValueError, TypeError, OverflowError: it is none.
    """
    if (isinstance(text, str) and ("_" in text or not text.isascii())) or np.iscomplexobj(text):
        raise ValueError(text)
    return float(text)


def numbers(columns: Columns, name: str, path: Path) -> np.ndarray:
    """A column as floats, shape (rows,), or (rows, n) where it holds lists of n.

    Raises:
        InputError: the first entry that is no number, or no list as long as the first.
    """
    values = columns[name]
    if is_numeric(values):
        return np.asarray(values)
    rows: list[Any] = []
    for i, value in enumerate(values):
        # numpy's print of an array, as pandas writes it to csv
        parts = value.strip("[] \n").replace(",", " ").split() if isinstance(value, str) and "[" in value else value
        try:
            rows.append([as_number(p) for p in parts] if isinstance(parts, list | np.ndarray) else as_number(parts))
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{path.name}, column {name!r}, {place(path, i)}: {shown(value)} is no number.") from None
        if np.size(rows[-1]) != np.size(rows[0]) or np.ndim(rows[-1]) != np.ndim(rows[0]):
            raise InputError(
                f"{path.name}, column {name!r}: row {i} has {np.size(rows[-1])} entries where the first has "
                f"{np.size(rows[0])}."
            )
    return np.array(rows)


def place(path: Path, row: int) -> str:
    """The position of a row for an error: its line in files that have lines."""
    return f"line {row + 2}" if kind_of(path) in (".csv", ".tsv") else f"row {row}"


def shown(value: Any) -> str:
    """A value for an error, cut short."""
    return repr(str(value) if len(str(value)) < 40 else str(value)[:40] + "...")


def kind_of(path: Path) -> str:
    """The type of a file by its name, in small letters; compression does not change it."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""

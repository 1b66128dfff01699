"""A loss from its words on the command line: topK, abstain:COST, superclass:FILE, a matrix and so on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

import jaxrd.tosc.losses as losses
from jaxrd._files import parsing
from jaxrd.errors import InputError
from jaxrd.io import arrays
from jaxrd.io.common import as_number, kind_of, listing
from jaxrd.tosc.losses import Loss

KINDS = "zero-one, topK, abstain:COST, superclass:FILE, hierarchy:FILE, or a matrix in .npy or .csv"


def read_loss(words: str, classes: int) -> Loss:
    """The loss that words name, for some number of labels.

    Args:
        words: `zero-one`, `topK` such as top5, `abstain:COST`, `superclass:FILE`, `hierarchy:FILE`, or the path of a
            matrix l(y, a), a row a label, in .npy or .csv. The files of a map hold a row a label: its coarse label, or
            its ancestors, one column a level.
        classes: the number of labels.

    Raises:
        InputError: words that name no loss, a file that cannot be read, or one for another number of labels.
    """
    kind, _, rest = words.partition(":")
    low = kind.strip().lower()
    if low in ("zero-one", "0-1", "0/1") and not rest:
        return losses.zero_one(classes)
    if low.startswith("top") and low[3:].lstrip("-").isdigit() and not rest:
        return losses.top(int(low[3:].lstrip("-")), classes)
    if low == "abstain":
        try:
            cost = as_number(rest)
        except ValueError:
            raise InputError(f"--loss abstain:COST needs a number, such as abstain:0.3; got {words!r}.") from None
        return losses.abstain(cost, classes)
    if low in ("superclass", "hierarchy"):
        if not rest:
            raise InputError(f"--loss {low}:FILE needs a file, a row a label; got {words!r}.")
        path = Path(rest)
        held = _table(path)
        _refuse_length(len(held), classes, path)
        if low == "hierarchy":
            return losses.hierarchy(held, words)
        if held.ndim == 2 and held.shape[1] == 2 and (held[:, 0].astype(str) == np.arange(classes).astype(str)).all():
            held = held[:, 1]  # a first column that counts the labels
        if held.ndim == 2 and held.shape[1] == 1:
            held = held[:, 0]
        return losses.superclass(held, words)
    path = Path(words)
    if kind_of(path) not in (".npy", ".csv", ".tsv"):
        raise InputError(f"no loss {words!r}; there are: {KINDS}.")
    held = _table(path)
    if held.dtype.kind not in "iufb":
        try:
            held = np.array([[as_number(cell) for cell in row] for row in held])
        except ValueError as error:
            raise InputError(f"{path.name}: a loss must be numbers; got {str(error)[-60:]}.") from None
    _refuse_length(len(held), classes, path)
    return losses.of_matrix(held, path.name)


def _refuse_length(rows: int, classes: int, path: Path) -> None:
    if rows != classes:
        raise InputError(f"{path.name} has {rows} rows for {classes} labels; both must agree.")


def _table(path: Path) -> np.ndarray:
    """The rows of a file, shape (rows,) or (rows, columns): numbers or words; a first row of names is left out."""
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if kind_of(path) == ".npy":
        held = arrays.load(path, ("",))[""]
        if held.ndim not in (1, 2):
            raise InputError(f"{path.name} must have a row a label; got shape {held.shape}.")
        return held
    if kind_of(path) not in (".csv", ".tsv", ".txt"):
        raise InputError(f"{path.name}: losses are read from .npy and .csv; got {path.suffix or 'no type'!r}.")
    with parsing(path, "text"):
        text = path.read_text(encoding="utf-8-sig")
    rows = [row for row in csv.reader(text.splitlines(), delimiter="\t" if kind_of(path) == ".tsv" else ",") if row]
    if not rows:
        raise InputError(f"{path.name} is empty.")
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise InputError(f"{path.name} has rows of {listing(map(str, widths))} columns; all must have as many.")
    cells = np.array([[cell.strip() for cell in row] for row in rows])
    return cells[1:] if _is_head(cells) else cells


def _is_head(cells: np.ndarray) -> bool:
    """Whether the first row names columns: words alone, above a number."""

    def number(cell: str) -> bool:
        try:
            as_number(cell)
        except ValueError:
            return False
        return True

    return len(cells) > 1 and not any(map(number, cells[0])) and any(map(number, cells[1]))

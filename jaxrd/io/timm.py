"""What timm's `inference.py --results-file` writes: a row per image, its best classes or all of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io.common import LABEL_KEYS, Columns, numbers

_PART = re.compile(r"(index|label|prob|logit)(_\d+)?")
TRUTH = tuple(key for key in LABEL_KEYS if key != "label")
KEYS = {"prob": "probs", "logit": "logits"}


def written_by(columns: Columns) -> bool:
    """Whether a table is timm's: `filename` beside `index`, `label`, `prob` or `logit`, all in one column or several.

    Several are `prob_0`, `prob_1`, ... (`--results-separate-col`). A column of the truth may have been added.
    """
    parts = [_PART.fullmatch(name) for name in columns if name not in ("filename", *TRUTH)]
    known = [part for part in parts if part]
    return (
        "filename" in columns
        and len(known) == len(parts)
        and len({part[2] is None for part in known}) == 1
        and any(part[1] != "label" for part in known)
    )


def outputs(columns: Columns, path: Path) -> tuple[str, np.ndarray, tuple[str, ...]]:
    """Scores where every class has one, else the best class as prediction: their name, their values, and notes.

    `--topk 0` writes all classes in their order; the best k, best first, need `--include-index` to say which they are.
    timm's `label` is the name of the class it predicts: the truth comes from a column `target`, or another file.

    Args:
        columns: a table `written_by` timm.
        path: where it comes from, for errors.

    Raises:
        InputError: the table gives neither classes nor scores of every class.
    """
    kinds = {part[1] for name in columns if (part := _PART.fullmatch(name))}

    def together(kind: str) -> np.ndarray:
        names = [name for name in columns if (part := _PART.fullmatch(name)) and part[1] == kind]
        names.sort(key=lambda name: int(name.rpartition("_")[2]) if "_" in name else 0)
        return np.column_stack([numbers(columns, name, path) for name in names])

    output = next((kind for kind in KEYS if kind in kinds), None)
    scores = None if output is None else together(output)
    if "index" in kinds:
        index = together("index")
        count = index.shape[1]
        every = scores is not None and count > 1 and (np.sort(index, axis=1) == np.arange(count)).all()
        if scores is None or scores.shape != index.shape or not every:
            notes = (f"timm's best {count} classes: only the first is used",) if count > 1 else ()
            return "predictions", index[:, 0], notes
        scores = np.take_along_axis(scores, np.argsort(index, axis=1), 1)  # by class, not best first
    assert output is not None
    assert scores is not None
    if "index" not in kinds and ("label" in kinds or (np.diff(scores, axis=1) <= 0).all()):
        raise InputError(
            f"{path.name} has timm's best {scores.shape[1]} outputs without their classes. Run its inference.py with "
            "--topk 0 (every class) or --include-index."
        )
    return KEYS[output], scores, ()

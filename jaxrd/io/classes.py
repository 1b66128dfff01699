"""Labels as class numbers: from names of classes, and from numbers that columns have in their names."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io.common import as_number, is_numeric, numbers, place, shown
from jaxrd.io.roles import Scores

Names = tuple[str, ...] | None
"""Of the classes, where the file has any."""


def class_numbers(
    labels: Any, scores: Scores, path: Path, name: str, *, counted: bool
) -> tuple[Any, tuple[str, ...], Names]:
    """Labels as numbers of the columns of `scores`, counted from 0, what was assumed, and the names of the classes.

    Names of classes are those of the columns; else, if there are as many as columns, they are the classes in
    alphabetical order, as scikit-learn and torchvision number them.

    Args:
        labels: numbers, or names.
        scores: whose columns they are to number.
        path: where labels come from, for errors.
        name: what they are called there.
        counted: the caller gave the number of the first class: leave numbers as they are.

    Raises:
        InputError: they are neither numbers nor such names.
    """
    if is_numeric(labels):
        if counted or scores.start != 1 or not np.isfinite(labels).all() or not len(labels):
            return labels, (), _named(scores)
        if labels.min() >= 1 and labels.max() <= len(scores.words):
            return labels - 1, (f"columns and labels are counted from 1: label 1 is {scores.words[0]}",), scores.words
        return labels, (f"columns are counted from 1, labels from 0: label 0 is {scores.words[0]}",), scores.words
    words = _names(labels, path, name)
    if words is None:
        return labels if _plain(labels) else numbers({name: labels}, name, path), (), _named(scores)
    if set(words) <= set(scores.words):
        number = {word: k for k, word in enumerate(scores.words)}
        return np.array([number[word] for word in words]), (), scores.words
    distinct = sorted(set(words))
    shape = np.shape(scores.values)
    count = shape[1] if len(shape) == 2 and shape[1] > 1 else 2
    if len(distinct) != count:
        raise InputError(
            f"{_no_number(labels, path, name)}; as names the labels are {len(distinct)} ({_cut(distinct)}) for {count} "
            "classes. Name the columns of the classes as the labels do, or number the labels."
        )
    if (trailing := _trailing_numbers(distinct)) is not None and trailing != sorted(trailing):
        raise InputError(
            f"{path.name}: {name} are names whose alphabetical order ({_cut(distinct)}) is not that of their numbers. "
            "Name the columns of the classes as the labels do, or number the labels."
        )
    note = f"labels are names, taken for the classes in alphabetical order: {_cut(distinct)}"
    return np.searchsorted(distinct, words), (note,), tuple(distinct)


def _trailing_numbers(names: list[str]) -> list[int] | None:
    """The numbers at the end of names that are alike before, as c0, c1, c10; None of other names."""
    matches = [re.fullmatch(r"(.*?)([0-9]{1,9})", name) for name in names]
    if len({match and match[1] for match in matches}) != 1:
        return None
    return [int(match[2]) for match in matches if match] or None


def _named(scores: Scores) -> Names:
    """The names of the columns, where these are no plain count from 0."""
    return scores.words if len(scores.words) > 1 and scores.start != 0 else None


def decisions_and_labels(decisions: Any, labels: Any, path: Path, name: str) -> tuple[Any, Any, tuple[str, ...], Names]:
    """Decisions and labels as numbers: as they are, or if both are names by the alphabetical order of these.

    Raises:
        InputError: names in one and numbers in the other.
    """
    if is_numeric(decisions) and is_numeric(labels):
        return decisions, labels, (), None
    one, other = _names(decisions, path, "predictions"), _names(labels, path, name)
    if one is None and other is None:
        both = {"predictions": decisions, name: labels}
        plain = [a if _plain(a) else numbers(both, key, path) for key, a in both.items()]
        return plain[0], plain[1], (), None
    if one is None or other is None:
        raise InputError(f"{path.name}: labels and predictions must both be numbers or both names of classes.")
    distinct = sorted({*one, *other})
    note = f"classes are names, in alphabetical order: {_cut(distinct)}"
    return np.searchsorted(distinct, one), np.searchsorted(distinct, other), (note,), tuple(distinct)


def _plain(labels: Any) -> bool:
    """Whether labels are an array to be checked as it is; words, numbers among them, must be parsed first."""
    return isinstance(labels, np.ndarray) and (labels.dtype.kind not in "OUS" or labels.ndim != 1)


def _names(labels: Any, path: Path, name: str) -> list[str] | None:
    """Labels as names of classes; None: they are numbers, whatever type they were written in.

    Raises:
        InputError: some are numbers and some are not, or something is missing.
    """
    if is_numeric(labels):
        return None
    values = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
    if isinstance(labels, np.ndarray) and (labels.ndim != 1 or labels.dtype.kind not in "OUS"):
        return None
    words = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values]
    are = [_is_number(word) for word in words]
    if all(are):
        return None
    if any(are) or not all(isinstance(word, str) and word.strip() for word in words):
        raise InputError(f"{_no_number(words, path, name)}, and no name of a class beside the others.")
    return words


def _is_number(value: Any) -> bool:
    try:
        as_number(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _no_number(labels: Any, path: Path, name: str) -> str:
    """The text of an error about the first label that is no number."""
    row, value = next((i, v) for i, v in enumerate(labels) if not _is_number(v))
    return f"{path.name}, column {name!r}, {place(path, row)}: {shown(value)} is no number"


def _cut(names: list[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")

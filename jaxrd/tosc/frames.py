"""What a DataFrame of scores says by its columns: the names of the classes, or their numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxrd.errors import InputError
from jaxrd.tosc.rows import Rows
from jaxrd.tosc.scores import as_array


class Classes(NamedTuple):
    """Of the columns, in their order."""

    names: tuple[str, ...] | None = None
    first: int | None = None
    """The number of the first class; columns of numbers rise by one."""


def classes_of(scores: Any) -> Classes:
    """What the columns of a DataFrame say of the classes; nothing of anything else.

    Raises:
        InputError: columns are numbers, but not of consecutive classes in their order, or a name is there twice.

    >>> classes_of([[0.2, 0.8]])
    Classes(names=None, first=None)
    """
    if isinstance(scores, Rows):  # its `columns` are those of a file that are read, whatever their places there
        return Classes()
    columns = getattr(scores, "column_names", getattr(scores, "columns", None))  # Arrow's `columns` are the values
    if columns is None or not hasattr(scores, "shape"):
        return Classes()
    held = columns.tolist() if hasattr(columns, "tolist") else list(columns)
    if all(isinstance(name, int) and not isinstance(name, bool) for name in held):
        if held != list(range(held[0], held[0] + len(held))) or held[0] < 0:
            raise InputError(
                f"the columns of the scores must be the classes in order; got {', '.join(map(str, held[:8]))}. Sort "
                "them: scores[sorted(scores.columns)]."
            )
        return Classes(first=held[0])
    names = tuple(map(str, held))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the scores have two columns {twice!r}: each is to be a class.")
    return Classes(names=names)


def numbered_by(labels: Any, names: tuple[str, ...] | None) -> Any:
    """Labels that are names of classes as their numbers; others as they are.

    Raises:
        InputError: a label is none of the names.

    >>> numbered_by(["dog", "cat", "dog"], ("cat", "dog")).tolist()
    [1, 0, 1]
    """
    if names is None:
        return labels
    given = as_array(labels, "labels")
    words = given.ravel().tolist()
    if not all(isinstance(label, str) for label in words):
        return labels
    places = {name: k for k, name in enumerate(names)}
    unknown = next((label for label in words if label not in places), None)
    if unknown is not None:
        raise InputError(f"the label {unknown!r} is no column of the scores; they are {', '.join(names[:8])}.")
    return np.array([places[label] for label in words]).reshape(given.shape)

"""Scores of more samples than should be copied: rows that are read, and made logits, when they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import add
from typing import Any

import numpy as np

from jaxrd._processes import folded
from jaxrd.tosc.scores import as_array

LARGE = 2**25
"""Scores up to which they are copied to one array of float64, of 256 MiB."""
_NUMBERS = 2**19
"""Scores of a block."""


class Rows:
    """A matrix of logits whose rows are made from stored scores when they are used.

    A slice of consecutive rows is an array, of the precision in which the scores are stored, or float64 where they had
    to be converted. `np.asarray` makes all of them, in float64.

    Args:
        parts: stored scores, shape (any, classes) each, one after another: in memory or mapped from files.
        rows: numbers of those that are used, in their order, shape (samples,); None: all.
        columns: numbers of those that are used; None: all.
        made: stored rows -> logits; None: they are logits.
        shared: whether the processes of one run each read their own part of the rows in a pass (`folded`).

    >>> some = Rows([np.eye(3), np.eye(3)]).take(np.array([1, 2, 3]))
    >>> some[1:].tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    ndim: int = 2
    dtype: np.dtype = np.dtype(np.float64)
    parts: tuple[np.ndarray, ...]
    rows: np.ndarray | None
    columns: np.ndarray | None
    made: Callable[[np.ndarray], np.ndarray] | None
    shared: bool
    shape: tuple[int, int]

    def __init__(
        self,
        parts: Sequence[np.ndarray],
        rows: np.ndarray | None = None,
        columns: np.ndarray | None = None,
        made: Callable[[np.ndarray], np.ndarray] | None = None,
        shared: bool = False,
    ):
        self.parts, self.rows, self.columns, self.made, self.shared = tuple(parts), rows, columns, made, shared
        self._ends = np.cumsum([len(part) for part in self.parts])
        samples = int(self._ends[-1]) if rows is None else len(rows)
        self.shape = samples, self.parts[0].shape[1] if columns is None else len(columns)

    def __len__(self) -> int:
        """The number of rows."""
        return self.shape[0]

    def __getitem__(self, some: slice) -> np.ndarray:
        """Consecutive rows, made now."""
        first, last, step = some.indices(len(self))
        if step != 1:
            raise IndexError(f"rows are read one after another; got step {step}.")
        block = _plain(as_array(self._stored(first, max(first, last)), "scores"))
        block = block if self.made is None else self.made(block)
        return block if self.columns is None else block[:, self.columns]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Each row."""
        return (row for _, block in self.blocks() for row in block)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """All rows."""
        del copy  # always one
        whole = np.empty(self.shape, dtype or self.dtype)
        for first, block in self.blocks():
            whole[first : first + len(block)] = block
        return whole

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """All rows, a block at a time, each with the number of its first."""
        yield from ((first, self[first:last]) for first, last in self.ends())

    def folded(
        self,
        function: Callable[[int, np.ndarray], Any],
        fold: Callable[[Any, Any], Any] = add,
        tick: Callable[[int], object] | None = None,
    ) -> Any:
        """function(number of the first row, block) of all blocks, folded in order."""
        return folded(lambda ends: function(ends[0], self[slice(*ends)]), self.ends(), fold, tick, shared=self.shared)

    def ends(self) -> list[tuple[int, int]]:
        """The first and the last row of each block."""
        n, count = len(self), max(_NUMBERS // self.parts[0].shape[1], 1)
        return [(first, min(first + count, n)) for first in range(0, n, count)]

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows, shape (samples,): read one after another where they rise."""
        rows = rows if self.rows is None else self.rows[rows]
        return Rows(self.parts, rows, self.columns, self.made, self.shared)

    def keep(self, columns: np.ndarray) -> Rows:
        """Some of the columns."""
        columns = columns if self.columns is None else self.columns[columns]
        return Rows(self.parts, self.rows, columns, self.made, self.shared)

    def read_as(self, made: Callable[[np.ndarray], np.ndarray] | None) -> Rows:
        """The same rows, made logits by a function of a block of stored scores."""
        return Rows(self.parts, self.rows, self.columns, made, self.shared)

    def shared_out(self) -> Rows:
        """The same rows; the processes of this run each read their own part."""
        return Rows(self.parts, self.rows, self.columns, self.made, True)

    def _stored(self, first: int, last: int) -> np.ndarray:
        """Stored scores of some rows; of one part they are a view where all of it is used."""
        if self.rows is None:
            begins = self._ends - [len(part) for part in self.parts]
            pieces = [
                part[max(first - begin, 0) : last - begin]
                for part, begin, end in zip(self.parts, begins, self._ends, strict=True)
                if begin < last and first < end
            ]
            return pieces[0] if len(pieces) == 1 else np.concatenate([self.parts[0][:0], *pieces])
        at = self.rows[first:last]
        if len(self.parts) == 1:
            return self.parts[0][at]
        which = np.searchsorted(self._ends, at, side="right")
        found = np.empty((len(at), self.parts[0].shape[1]), self.parts[0].dtype)
        for k in np.unique(which):
            here = which == k
            found[here] = self.parts[k][at[here] - (self._ends[k] - len(self.parts[k]))]
        return found


def _plain(block: np.ndarray) -> np.ndarray:
    """In a precision and a byte order that the processor has."""
    narrow = block.dtype.kind == "f" and block.dtype.itemsize <= 8
    return np.ascontiguousarray(block, block.dtype.newbyteorder("=") if narrow else np.float64)


def is_large(scores: object) -> bool:
    """Whether scores are to be read a block at a time."""
    return type(scores) in (np.ndarray, np.memmap) and scores.ndim == 2 and scores.size > LARGE  # pyright: ignore


def pass_over(
    scores: np.ndarray | Rows,
    function: Callable[[int, np.ndarray], Any],
    fold: Callable[[Any, Any], Any] = add,
    tick: Callable[[int], object] | None = None,
) -> Any:
    """function(number of the first row, block): of an array as one block, of all blocks of `Rows`, folded in order.

    >>> pass_over(np.ones((4, 2)), lambda first, block: block.sum())
    np.float64(8.0)
    """
    return scores.folded(function, fold, tick) if isinstance(scores, Rows) else function(0, scores)

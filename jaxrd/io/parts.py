"""An array in several files, and columns that are one matrix: large ones are used where they lie, not copied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io.common import LABEL_KEYS, wanted
from jaxrd.tosc import rows
from jaxrd.tosc.rows import Rows

_NUMBERED = re.compile(r"(.+?)[-_.]?([0-9]{1,9})(?:-of-[0-9]{1,9})?")


def files_by_name(files: Iterable[Path], keys: tuple[str, ...]) -> dict[str, list[Path]]:
    """The files of each array that is wanted: `logits.npy`, or else its parts `logits_000.npy`, `logits_001.npy`.

    Parts are looked for where there is no whole array of scores, or none of labels; two make an array.

    Raises:
        InputError: a part is missing, or there twice.

    >>> files_by_name([Path("y.npy"), Path("p_1.npy"), Path("p_0.npy"), Path("other.npy")], ("p", "y"))
    {'y': [PosixPath('y.npy')], 'p': [PosixPath('p_0.npy'), PosixPath('p_1.npy')]}
    """
    found: dict[str, list[Path]] = {}
    numbered: dict[str, list[tuple[int, Path]]] = {}
    for file in files:
        match = _NUMBERED.fullmatch(file.stem)
        if wanted(file.stem, keys):
            found[file.stem] = [file]
        elif match is not None and wanted(match[1], keys):
            numbered.setdefault(match[1], []).append((int(match[2]), file))
    whole = {name.lower() in LABEL_KEYS for name in found}
    for name, parts in numbered.items():
        if len(parts) > 1 and (name.lower() in LABEL_KEYS) not in whole:
            found[name] = _in_order(sorted(parts), name)
    return found


def _in_order(parts: list[tuple[int, Path]], name: str) -> list[Path]:
    """The files of numbered parts, counted from 0 or 1.

    Raises:
        InputError: one is missing, or there twice.
    """
    start = min(parts[0][0], 1)
    for place, (number, file) in enumerate(parts, start):
        if number < place:
            raise InputError(f"{file.name} and {parts[place - start - 1][1].name} are the same part of {name}.")
        if number > place:
            raise InputError(f"part {place} of {name} is missing: the next is {file.name}.")
    return [file for _, file in parts]


def joined(arrays: Sequence[np.ndarray], files: Sequence[Path]) -> np.ndarray | Rows:
    """The arrays of some files as one: a copy where it is small, else `Rows`.

    Raises:
        InputError: they do not belong together.
    """
    first = arrays[0]
    if len(arrays) == 1:
        return first
    for array, file in zip(arrays, files, strict=True):
        if array.ndim == 0 or array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
            raise InputError(
                f"{file.name} holds {array.dtype} of shape {array.shape}, {files[0].name} {first.dtype} of shape "
                f"{first.shape}: parts of one array have one type, and rows of one length."
            )
    if (
        first.ndim == 2
        and first.shape[1] > 1
        and first.dtype.kind in "iufbV"
        and sum(a.size for a in arrays) > rows.LARGE
    ):
        return Rows([array for array in arrays if len(array)] or [first])
    return np.concatenate(arrays)


def refuse_unless_alike(held: Mapping[str, tuple[Sequence[Path], Sequence[np.ndarray]]]) -> None:
    """Refuse parts of scores and of labels, by number, that have not the same rows.

    Raises:
        InputError: quotes the first pair.
    """
    several = [(files, arrays) for files, arrays in held.values() if len(files) > 1]
    for files, arrays in several[1:]:
        if len(files) != len(several[0][0]):
            raise InputError(f"{files[0].name} has {len(files)} parts, {several[0][0][0].name} {len(several[0][0])}.")
        for file, array, other, its in zip(files, arrays, *several[0], strict=True):
            if len(array) != len(its):
                raise InputError(f"{file.name} has {len(array)} rows, {other.name} {len(its)}; both must agree.")


def together(columns: Sequence[np.ndarray]) -> np.ndarray | Rows:
    """Columns of equal length as a matrix; those of one large matrix as that matrix, which is not copied.

    >>> matrix = np.arange(6.0).reshape(2, 3)
    >>> together([matrix[:, 0], matrix[:, 2]]).tolist()
    [[0.0, 2.0], [3.0, 5.0]]
    """
    first = columns[0]
    if len(columns) * len(first) <= rows.LARGE or len({(c.dtype, c.strides, c.shape) for c in columns}) > 1:
        return np.stack(columns, 1)
    starts = np.array([c.__array_interface__["data"][0] for c in columns])
    (stride,), width = first.strides, first.dtype.itemsize
    places, rest = np.divmod(starts - starts.min(), width)
    count = int(places.max()) + 1
    if rest.any() or count * width > stride or len(columns) < 2:
        return np.stack(columns, 1)
    # Rows of this length cannot lie in one another: the columns are views of one matrix.
    matrix = np.lib.stride_tricks.as_strided(columns[int(starts.argmin())], (len(first), count), (stride, width))
    return matrix if np.array_equal(places, np.arange(count)) else Rows([matrix], columns=places)

"""Logs of sc2bench, the benchmark of split computing: it leaves its results nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from jaxrd._files import parsing
from jaxrd.errors import InputError
from jaxrd.io.common import Columns

_ACCURACY = re.compile(r"\bAcc@1 +([0-9.]+)")
_SIZE = re.compile(r"\bBottleneck size \[(B|KB|MB)\]: mean ([0-9.eE+-]+)")
_BYTES = {"B": 1, "KB": 1024, "MB": 1024**2}


def read_log(path: Path) -> Columns:
    """The points of a log: `bytes_per_sample` and `acc1` in percent, a point for each test that measured a bottleneck.

    Logs of several operating points, one after another in a file, are points of one codec.

    Raises:
        InputError: the file is missing, not text, or has no such test.
    """
    with parsing(path, "text"):
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise InputError(f"{path} is not a text file in UTF-8.") from None
    accuracy, points = None, []
    for number, line in enumerate(lines, 1):
        if found := _ACCURACY.search(line):
            accuracy = _number(found[1], path, number)
        elif (found := _SIZE.search(line)) and accuracy is not None:
            points.append((_BYTES[found[1]] * _number(found[2], path, number), accuracy))
            accuracy = None
    if not points:
        raise InputError(
            f"{path.name} has no 'Acc@1 ...' followed by 'Bottleneck size [KB]: mean ...', as sc2bench logs them."
        )
    size, percent = np.array(points).T
    return {"bytes_per_sample": size, "acc1": percent}


def _number(text: str, path: Path, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path.name}, line {line}: {text!r} is no number.") from None

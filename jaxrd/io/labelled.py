"""Read a source with labels, for the rate-distortion-classification functions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io.common import listing
from jaxrd.io.read import PROBLEM_KEYS, load_problem, not_used
from jaxrd.problem import Problem

KEYS = ("labels", "classifier", "cross_entropy")


class Labelled(NamedTuple):
    """A problem and the data on its label; the values of the three label arrays are not checked here."""

    problem: Problem
    labels: np.ndarray  # P(S|X), (n, classes)
    classifier: np.ndarray | None  # c(s|xh), (m, classes)
    cross_entropy: np.ndarray | None  # (n, m), nats
    sha256: str
    notes: tuple[str, ...] = ()  # what was not used


def read_labelled(path: str | Path) -> Labelled:
    """Read an `.npz` with `source` (n,), `distortion` (n, m) and `labels` = P(S|X), shape (n, classes).

    For a fixed classifier also `classifier`, c(s|xh) of shape (m, classes), or `cross_entropy`, E[-ln c(S|xh) | x] in
    nats, shape (n, m).

    Raises:
        InputError: one line that quotes what cannot be used.
    """
    path = Path(path)
    problem, loaded, sha256 = load_problem(path, KEYS)
    if "labels" not in loaded:
        raise InputError(f"{path.name} has no labels; it has: {listing(loaded)}. Add P(S|X) of shape (n, classes).")
    for key in KEYS:
        if key in loaded and loaded[key].dtype.kind not in "iufb":
            raise InputError(f"{key} must be numbers; got {loaded[key].dtype}.")
    values = [loaded[key].astype(np.float64) if key in loaded else None for key in KEYS]
    labels = values[0]
    assert labels is not None
    return Labelled(problem, labels, values[1], values[2], sha256, not_used(loaded, (*PROBLEM_KEYS, *KEYS)))

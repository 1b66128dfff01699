"""Read a regression's predictive laws and its targets from an .npz."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io import arrays
from jaxrd.io.common import kind_of, listing
from jaxrd.io.read import digest, not_used
from jaxrd.tosc.regression.laws import of_draws, of_quantiles, real_numbers

_TARGETS = ("target", "targets", "y", "y_true", "labels")
_KEYS = ("mean", "variance", "std", "samples", "quantiles", "levels", *_TARGETS)
_HOW = "mean with variance or std, samples, or quantiles with levels"


class Predicted(NamedTuple):
    """A predictive law a sample, by its moments, and the target."""

    mean: np.ndarray
    variance: np.ndarray
    target: np.ndarray
    notes: tuple[str, ...]
    """What was used and what was not, for people."""
    sha256: str
    """Of the file."""


def read_regression(path: Path) -> Predicted:
    """Read an `.npz` with `target` and `mean` with `variance` or `std`, `samples`, or `quantiles` with `levels`.

    Args:
        path: arrays of one row a sample; `std` may be zero, `levels` has a number a column of `quantiles`.

    Raises:
        InputError: one line that quotes what cannot be used.
    """
    if kind_of(path) not in (".npz",):
        raise InputError(f"{path.name}: --loss squared reads .npz files with target and {_HOW}.")
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    held = arrays.load(path, _KEYS)
    targets = [key for key in _TARGETS if key in held]
    if len(targets) != 1:
        what = f"two targets, {' and '.join(targets[:2])}" if targets else "no target"
        raise InputError(f"{path.name} has {what}; it has: {listing(held)}. Name one array target.")
    laws = [key for key in ("mean", "samples", "quantiles") if key in held]
    if not laws:
        raise InputError(f"{path.name} has no predictive law ({_HOW}); it has: {listing(held)}.")
    law = laws[0]
    used = [targets[0], law]
    target = real_numbers(targets[0], held[targets[0]])
    if law == "mean":
        second = next((key for key in ("variance", "std") if key in held), None)
        if second is None:
            raise InputError(f"{path.name} has mean, but neither variance nor std; write zeros if the law has none.")
        used.append(second)
        mean, wide = real_numbers("mean", held["mean"]), real_numbers(second, held[second])
        if (wide < 0).any():
            raise InputError(f"{second} must be >= 0; got {wide.min():g} at sample {wide.argmin()}.")
        variance = wide if second == "variance" else wide**2
    elif law == "samples":
        mean, variance = of_draws(held["samples"])
    elif "levels" in held:
        used.append("levels")
        mean, variance = of_quantiles(held["quantiles"], held["levels"])
    else:
        raise InputError(f"{path.name} has quantiles, but no levels, one probability a column.")
    notes = (f"predictive law from {' and '.join(used[1:])}, target from {targets[0]}", *not_used(held, tuple(used)))
    return Predicted(mean, variance, target, notes, digest(path))

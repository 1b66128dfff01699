"""The BD-rate of a codec over a bound: how much more it spends on average, over the accuracies that both reach."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

METHOD = "pchip"
"""How ln rate is interpolated between the points: without overshoot, and as video coding's test conditions do it."""
LEAST_POINTS = 4
"""Points that a BD-rate needs: as many as those conditions measure."""


class BdRate(NamedTuple):
    """A BD-rate, or the reason why there is none."""

    percent: float | None = None
    """100 (exp(mean of ln(codec's rate / bound's)) - 1), the mean over the overlap."""
    best: float | None = None
    """The least distortion of the overlap: the codec's, where its rate and the bound's are finite and positive."""
    worst: float | None = None
    """The greatest."""
    points: int = 0
    """The codec's points in the overlap, at which the bound is solved."""
    reason: str = ""
    """Empty where there is a BD-rate."""


def bd_rate(distortion: Sequence[float], codec: Sequence[float], bound: Sequence[float]) -> BdRate:
    """The BD-rate over 1 - D, by the package `bjontegaard`; the bound has its rates at the codec's distortions.

    Args:
        distortion: of the codec's points.
        codec: its rates, any unit.
        bound: the bound's rates at these distortions, in the same unit; inf where it does not reach them.

    Reference: G. Bjontegaard, Calculation of average PSNR differences between RD-curves, VCEG-M33, 2001.
    """
    d, ours, theirs = (np.asarray(x, float) for x in (distortion, codec, bound))
    used = np.isfinite(theirs) & (theirs > 0) & (ours > 0)
    d, ours, theirs = d[used], ours[used], theirs[used]
    if not len(d):
        return BdRate(reason="no point where both rates are finite and positive")
    if len(d) < LEAST_POINTS:
        return BdRate(reason=f"{len(d)} of its points have both rates finite and positive; {LEAST_POINTS} are needed")
    order = np.argsort(-d, kind="stable")
    d, ours, theirs = d[order], ours[order], theirs[order]
    wrong = np.flatnonzero((np.diff(d) >= 0) | (np.diff(ours) <= 0))
    if wrong.size:
        i = int(wrong[0])
        return BdRate(
            reason=f"the codec is not monotone: D = {d[i]:.4g} at {ours[i]:.4g} bits, {d[i + 1]:.4g} at "
            f"{ours[i + 1]:.4g}"
        )
    package = _package()
    if package is None:
        return BdRate(reason="it needs bjontegaard, which is not installed: pip install bjontegaard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the overlap is small: it is stated
        percent = float(package.bd_rate(theirs, 1 - d, ours, 1 - d, method=METHOD, require_matching_points=False))
    if not np.isfinite(percent):
        return BdRate(reason=f"bjontegaard gives {percent:g}")
    return BdRate(percent, float(d.min()), float(d.max()), len(d))


def _package() -> Any:
    try:
        return importlib.import_module("bjontegaard")
    except ImportError:
        return None

"""Theorem 5 of [B]: its bounds on distortion gap and ratio against the true ones, and where its premise fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxrd.figures.rdc_thm5 import sources
from jaxrd.figures.rdc_thm5.claims import claims_of
from jaxrd.figures.rdc_thm5.draw import draw
from jaxrd.figures.reproduction import Reproduction
from jaxrd.information import NATS_PER_BIT
from jaxrd.rdc.representation.real_valued import (
    distortion_gap,
    distortion_ratio,
    extremes,
    premise,
    printed_extreme_distortion,
)

POINTS = 33
GRID = 161
_GAUSSIAN_RATE = 4.0  # nats, the largest
_ROUNDING = 1e-12  # relative, where D(b) = 2 D1 but for rounding


class _Source(NamedTuple):
    truth: sources.Truth
    variance: float
    most: float
    """The largest rate, nats."""


def rdc_thm5(
    *, points: int = POINTS, grid: int = GRID, tick: Callable[[str, int, int], None] | None = None
) -> Reproduction:
    """The gap D3 - D(b) and the ratio D3 / D(b) over D1, for three sources whose reproductions have their law.

    Beside them X = A + b B with S = B, one bit: the reproduction of least loss sends B, and has another law than X.

    Args:
        points: rates a source, at least 3.
        grid: reproductions among which the finite source's least distortion is searched.
        tick: called as tick(what, done, total).

    Reference: [B] Theorem 5, equations (12) to (15).
    """
    every = {
        "scalar Gaussian": _Source(partial(sources.gaussian_truth, sources.LINE), 1.0, _GAUSSIAN_RATE),
        "Gaussian vector": _Source(partial(sources.gaussian_truth, sources.PLANE), 3.0, _GAUSSIAN_RATE),
        "finite": _Source(partial(sources.finite_truth, grid=grid), sources.FINITE_VARIANCE, sources.FINITE_RATE),
    }
    curves = {}
    for name, source in every.items():
        found = []
        for i, rate in enumerate(source.most * sources.shares(points)):
            found.append(source.truth(float(rate)))
            if tick is not None:
                tick(name, i + 1, points)
        curves[name] = _with_bounds(found, source.variance)
    curves["another law"] = _another_law(np.linspace(0.05, 0.95, 37))
    notes = [
        "Distortions are those of the codes found, E|X - E[X|Z]|^2 + W2^2; the codes' rates are certified: of Gaussian "
        "sources among Gaussian codes, of the finite one among all codes, for the least distortion among those whose "
        f"reproductions are {grid} values.",
        "Losses of the extreme points are H(S|Z), which a real-valued reproduction of nearly the same law reaches.",
        "With the source's law the bound (12) is never positive and (13) never above 1: they say how far D(b) may lie "
        "above D3, and nothing of how far below.",
    ]
    return Reproduction("rdc-thm5", draw(curves), curves, claims_of(curves), notes)


def _with_bounds(found: list[sources.True5], variance: float) -> Mapping[str, Any]:
    first, extreme, last = (np.array([getattr(x, name) for x in found]) for name in ("first", "extreme", "last"))
    return {
        "rate_bits": np.array([x.rate for x in found]) / NATS_PER_BIT,
        "share": first / variance,
        "D1": first, "Db": extreme, "D3": last,
        "Cb_bits": np.array([x.extreme_loss for x in found]) / NATS_PER_BIT,
        "C3_bits": np.array([x.last_loss for x in found]) / NATS_PER_BIT,
        **_bounds(variance, first, extreme, last, variance),
        "status": [x.status.name for x in found],
    }  # fmt: skip


def _bounds(variance: Any, first: Any, extreme: Any, last: Any, last_variance: Any) -> dict[str, Any]:
    """True gap and ratio, (12) as corrected and as printed, (13), and whether the premise holds."""
    root = variance - 3 * first  # in print "- 2 D1" stands inside
    inside = np.sqrt(np.where(root >= 0, root, np.nan))
    return {
        "gap": last - extreme, "bound_12": distortion_gap(variance, first, last_variance),
        "printed_12": variance + last_variance - 2 * np.sqrt(last_variance) * inside,
        "ratio": last / extreme, "bound_13": distortion_ratio(variance, first, last_variance),
        "premise": premise(first * (1 + _ROUNDING), extreme),
    }  # fmt: skip


def _another_law(shares: np.ndarray) -> Mapping[str, Any]:
    """X = A + b B, signs uniform; one bit sends A for the least distortion, B for the least loss of S = B."""
    first, extreme = [], []
    for b in shares:
        values = np.array([a + b * sign for a in (-1, 1) for sign in (-1, 1)])
        found = extremes(np.full(4, 0.25), values, np.tile(np.eye(2), (2, 1)), np.repeat(np.eye(2), 2, 0))
        first.append(found.mmse)
        extreme.append(printed_extreme_distortion(found, [0.5, 0.5], [-b, b]))
    first, extreme = np.array(first), np.array(extreme)
    last, variance = np.ones(len(shares)), 1 + shares**2
    return {
        "b": shares, "share": first / variance, "D1": first, "Db": extreme, "D3": last,
        **_bounds(variance, first, extreme, last, shares**2), "status": ["EXACT"] * len(shares),
    }  # fmt: skip

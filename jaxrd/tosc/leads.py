"""Who of several models needs the fewest bits, over all distortions: ranges, with ends that are solved for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from jaxrd.curve import Curve
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.curves.parametric import root
from jaxrd.tosc.outputs import Progress


class Lead(NamedTuple):
    """A range of distortions over which one model needs the fewest bits."""

    model: str
    equal: tuple[str, ...]
    """Other models that need no more anywhere in the range, to rounding."""
    least: float
    most: float
    """The ends of the range: where two curves cross, where one begins, or where the last one ends at rate zero."""


def _between(curve: Curve) -> Callable[[np.ndarray], np.ndarray]:
    """D -> nearly the smallest rate of a curve up to D: cubic between its points, inf left of them.

    Chords would not do: they lie above each of two convex curves but at its own points, so that two that nearly agree
    would seem to cross everywhere.
    """
    order = np.lexsort((curve.rate, curve.distortion))
    order = order[np.isfinite(curve.rate[order]) & np.isfinite(curve.distortion[order])]
    x, at = np.unique(curve.distortion[order], return_index=True)
    y = np.minimum.accumulate(curve.rate[order][at])
    slope = np.gradient(y, x) if len(x) > 2 else np.zeros(len(x))

    def nearly(d: np.ndarray) -> np.ndarray:
        chord = np.interp(d, x, y, left=np.inf)
        i = np.clip(np.searchsorted(x, d, side="right") - 1, 0, max(len(x) - 2, 0))
        j = np.minimum(i + 1, len(x) - 1)
        wide = np.where(x[j] > x[i], x[j] - x[i], 1)
        u = np.clip((d - x[i]) / wide, 0, 1)
        bend = wide * u * (1 - u) * ((1 - u) * slope[i] - u * slope[j]) + y[i] + u**2 * (3 - 2 * u) * (y[j] - y[i])
        return np.where(np.isfinite(chord), np.clip(bend, np.minimum(y[j], chord), chord), chord)

    return nearly


def leads_of(models: Mapping[str, Limits], curve: str, progress: Progress = None) -> list[Lead]:
    """Who needs the fewest bits, over all distortions that a model reaches.

    The points drawn, and what lies nearly between them, say where that may change. Each change is then solved for on
    the curves themselves, or lies where a curve begins; one that the curves themselves do not show is none. Two changes
    back and forth between neighbouring points are missed.
    """
    names, drawn = list(models), [found.curves[curve] for found in models.values()]
    free = [found.summary["zero_rate_distortion"] for found in models.values()]
    grid = np.unique(np.concatenate([free, *(points.distortion for points in drawn)]))
    grid = grid[grid <= max(free)]
    # From D_0 on the likeliest label is guessed at rate zero, wherever a curve itself begins.
    rates = np.stack([np.where(grid < d_0, _between(points)(grid), 0) for points, d_0 in zip(drawn, free, strict=True)])
    begins = [float(np.nanmin(points.distortion)) for points in drawn]
    # Two rates this close count as equal, nats: certified gaps are smaller.
    close = 1e3 * (1e-9 if jax.dtypes.canonicalize_dtype(np.float64) == np.float64 else 1e-7)
    asked: dict[tuple[int, float], float] = {}

    def exact(k: int, d: float) -> float:
        if (k, d) not in asked:
            asked[k, d] = 0.0 if d >= free[k] else models[names[k]].workings.bounds[curve].smallest(d).rate
            if progress is not None:
                progress(f"crossings of {curve}", len(asked), len(asked))
        return asked[k, d]

    now = int(rates[:, 0].argmin())
    found = [Lead(names[now], (), float(grid[0]), float(grid[-1]))]
    for i in range(1, len(grid)):
        best = int(rates[:, i].argmin())
        if not rates[best, i] < rates[now, i] - close:
            continue

        def more(d: float, now: int = now, best: int = best) -> float:
            """What the one that leads needs more than the other at D, 0 where that is next to nothing."""
            excess = exact(now, d) - exact(best, d)
            return 0.0 if abs(excess) < 1e-3 * close else excess

        change = _change(more, grid, i, max(begins[best], found[-1].least))
        if change is not None:
            found[-1] = found[-1]._replace(most=change)
            found.append(Lead(names[best], (), change, float(grid[-1])))
            now = best
    return [_with_equals(lead, names, grid, rates, close) for lead in _joined(found)]


def _joined(found: list[Lead]) -> list[Lead]:
    """The ranges without empty ones, those of one model beside each other made one."""
    kept: list[Lead] = []
    for lead in found:
        if kept and kept[-1].model == lead.model and lead.most > lead.least:
            kept[-1] = kept[-1]._replace(most=lead.most)
        elif lead.most > lead.least:
            kept.append(lead)
    return kept


def _change(more: Callable[[float], float], grid: np.ndarray, i: int, least: float) -> float | None:
    """The distortion up to grid point i at which `more` becomes positive; None where it is not positive there.

    Args:
        more: the rate of one curve less that of the other, at a distortion.
        grid: rising.
        i: of the point at which `more` seems to be positive.
        least: where the other curve begins, or where the one took the lead: look no further down.
    """
    high = float(grid[i])
    if not more(high) > 0:
        return None
    for low in (float(d) for d in grid[:i][::-1]):
        if low < least:
            break
        below = more(low)
        if below < 0:
            return float(root(more, (low, high), (below, more(high))))
        high = low if below > 0 else high
    return least


def _with_equals(lead: Lead, names: list[str], grid: np.ndarray, rates: np.ndarray, close: float) -> Lead:
    """The lead with the models that need as little at all points within it."""
    inside = (grid >= lead.least) & (grid <= lead.most)
    ours = rates[names.index(lead.model)]
    within = [
        name
        for name, theirs in zip(names, rates, strict=True)
        if name != lead.model and inside.any() and (np.abs(theirs[inside] - ours[inside]) <= close).all()
    ]
    return lead._replace(equal=tuple(within))

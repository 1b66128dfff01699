"""The largest value of a Gaussian mixture over the real line, bounded between its points by a chord."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_COARSE = 0.25
"""Distance of the first points, in units of the width 1 / sqrt(s)."""
_ROWS = 64
"""Points at a time."""
_FAR = 45.0
_STEPS = 5  # of Newton's method, from the best points of the first grid
_ROUNDING = 1e-12


class Ceiling(NamedTuple):
    """A bound on ln c, and where c has its maxima."""

    value: float
    """>= ln c(y) for every real y."""
    peaks: np.ndarray
    """Local maxima, rising."""
    levels: np.ndarray
    """ln c there."""


def _moments(y: np.ndarray, points: np.ndarray, log_masses: np.ndarray, slope: float) -> np.ndarray:
    """ln c, and mean and variance of the points under the terms of c, shape (3, len(y)); points rising.

    Points farther than `_reach` are left out.
    """
    out, order, reach = np.empty((3, len(y))), np.argsort(y), _reach(slope)
    for first in range(0, len(y), _ROWS):
        rows = order[first : first + _ROWS]
        part = y[rows, None]
        near = slice(*np.searchsorted(points, [part[0, 0] - reach, part[-1, 0] + reach]))
        if near.start == near.stop:  # a gap between points: the closest ones alone
            near = slice(max(near.start - 1, 0), near.stop + 1)
        x = points[near]
        exponent = log_masses[near] - slope * (part - x) ** 2
        top = exponent.max(1, keepdims=True)
        terms = np.exp(exponent - top)
        total = terms.sum(1)
        mean = terms @ x / total
        out[:, rows] = top[:, 0] + np.log(total), mean, (terms * (x - mean[:, None]) ** 2).sum(1) / total
    return out


def _reach(slope: float) -> float:
    """Where a term of c has fallen to exp(-_FAR) of its mass."""
    return float(np.sqrt(_FAR / slope))


def ceiling(points: np.ndarray, log_masses: np.ndarray, slope: float, *, tol: float, enough: float = np.inf) -> Ceiling:
    """Bound ln c(y), c(y) = sum_j m_j exp(-s (y - x_j)^2), over all real y, by branch and bound.

    ln c(y) + s y^2 is convex, a logarithm of a sum of exponentials of linear functions. Between a and b = a + h it lies
    below its chord, so that ln c <= (1 - w) ln c(a) + w ln c(b) + s h^2 w (1 - w) at y = a + w h: an error of s h^2 / 4
    at most, whatever the mixture. Beyond the outermost points every term falls.

    Args:
        points: x_j, rising, shape (k,).
        log_masses: ln m_j, shape (k,).
        slope: s > 0.
        tol: how much the bound may exceed the largest value that was seen.
        enough: a value that ends the search once it is exceeded: the bound is valid then, but loose.

    >>> round(ceiling(np.array([-1.0, 1.0]), np.log([0.5, 0.5]), 0.5, tol=1e-9).value, 6)  # at 0: exp(-1/2)
    -0.5
    """
    low, high = float(points.min()), float(points.max())
    count = int(np.ceil((high - low) * np.sqrt(slope) / _COARSE)) + 2
    grid = np.linspace(low, high, count)
    tail = float(log_masses.max()) + np.log(len(points)) - _FAR  # of all terms left out together

    def upper(y: np.ndarray) -> np.ndarray:
        return np.logaddexp(_moments(y, points, log_masses, slope)[0], tail)

    value = upper(grid)
    peaks, levels = _peaks(grid, value, points, log_masses, slope)
    best = max(float(value.max()), float(levels.max()))
    return Ceiling(below_chords(grid, value, upper, slope, best, tol, enough) + _ROUNDING, peaks, levels)


def below_chords(
    grid: np.ndarray,
    value: np.ndarray,
    evaluate: Callable[[np.ndarray], np.ndarray],
    bend: float,
    best: float,
    tol: float,
    enough: float = np.inf,
) -> float:
    """A bound on the largest f between the points of a grid, where f + bend y^2 lies below its chords.

    Args:
        grid: rising, shape (k,).
        value: f there.
        evaluate: f at other points.
        bend: >= 0.
        best: a value that f takes.
        tol: how much the bound may exceed the largest value that was seen.
        enough: a value that ends the search once it is exceeded: the bound is valid then, but loose.
    """
    closed, a, b, at_a, at_b = best, grid[:-1], grid[1:], value[:-1], value[1:]
    while len(a):
        curved, rise = bend * (b - a) ** 2, at_b - at_a
        share = np.clip(0.5 + rise / np.maximum(2 * curved, 1e-300), 0, 1)
        top = at_a + rise * share + curved * share * (1 - share)
        is_open = top > best + tol
        closed = max(closed, float(top[~is_open].max(initial=-np.inf)))
        if best > enough:
            return max(closed, float(top.max()))
        a, b, at_a, at_b = a[is_open], b[is_open], at_a[is_open], at_b[is_open]
        middle = (a + b) / 2
        at_middle = evaluate(middle)
        best = max(best, float(at_middle.max(initial=-np.inf)))
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
        at_a, at_b = np.concatenate([at_a, at_middle]), np.concatenate([at_middle, at_b])
    return max(closed, best)


def _peaks(
    grid: np.ndarray, value: np.ndarray, points: np.ndarray, log_masses: np.ndarray, slope: float
) -> tuple[np.ndarray, np.ndarray]:
    """The local maxima of ln c next to those of a grid, by Newton's method, which stays within a step of the grid."""
    around = np.concatenate([[-np.inf], value, [-np.inf]])
    start = grid[(value >= around[:-2]) & (value >= around[2:])]
    step = grid[1] - grid[0]
    y = start.copy()
    for _ in range(_STEPS):
        _, mean, variance = _moments(y, points, log_masses, slope)
        curvature = 2 * slope * variance - 1  # of ln c, over 2 s
        move = np.where(curvature < -1e-6, (mean - y) / np.maximum(-curvature, 1e-6), mean - y)
        y = np.clip(
            y + np.clip(move, -step, step), np.maximum(start - step, grid[0]), np.minimum(start + step, grid[-1])
        )
    y = np.unique(y)
    return y, _moments(y, points, log_masses, slope)[0]

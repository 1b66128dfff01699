"""A bound on g over all atoms; with it any dual variables give a lower bound on the lifted rate.

With M = sum of the labels' mu and W = powers / M, every term of g is a_x Y_x^M, Y_x(t) = prod_s t_s^W_xs up to a factor
a weighted geometric mean: concave in t, at most 1. Over a cell (a simplex; a product of simplices is cut into some)
Y_x lies below its tangent at the centroid and above its least value at a vertex; y^M lies below its chord between these
for M >= 1 and below its tangent for M <= 1. So g lies below an affine function of t, largest at a vertex: a bound whose
error falls with the square of the cell. For M <= 1 g itself is concave, and a tangent bounds it without a search.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxrd.rdc.lifted.atoms import log
from jaxrd.rdc.lifted.pricing import LARGEST, Price, split

CELLS = 300_000
_BATCH = 2048


class Bound(NamedTuple):
    """An upper bound on g, and the best point of the search."""

    value: float  # >= max g
    best: float  # g at `soft`
    letter: int
    soft: np.ndarray
    cells: int


def _corners(price: Price) -> list[np.ndarray]:
    """For each label the vertices of the smallest simplex {t >= low} around its rows, where every maximum lies."""
    lows = [p.min(0) for p in split(price, price.labels)]
    return [low + max(1 - low.sum(), 0) * np.eye(len(low)) for low in lows]


def _root(price: Price) -> np.ndarray:
    """The product of the labels' simplices cut into simplices, (cells, vertices, classes): one a staircase path."""
    tops = _corners(price)
    cells = []
    for path in _paths(tuple(size - 1 for size in price.sizes)):
        at = [0] * len(tops)
        vertices = [np.concatenate([t[i] for t, i in zip(tops, at, strict=True)])]
        for k in path:
            at[k] += 1
            vertices.append(np.concatenate([t[i] for t, i in zip(tops, at, strict=True)]))
        cells.append(vertices)
    return np.array(cells)


def _paths(steps: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The different orders of so many steps along each axis."""
    if not any(steps):
        yield ()
    for k, left in enumerate(steps):
        if left:
            yield from ((k, *rest) for rest in _paths((*steps[:k], left - 1, *steps[k + 1 :])))


def _cell_bounds(price: Price, a: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Upper bounds of cells (count, vertices, classes) over all columns, their centroids, and g there."""
    m, w = price.total, price.powers / price.total
    shift = price.offset / m
    centroid = cells.mean(1)
    middle = np.exp(log(centroid) @ w.T + shift)  # (count, n)
    tangent = middle[:, None] * ((cells / np.maximum(centroid, 1e-300)[:, None]) @ w.T)  # (count, vertices, n)
    least = np.minimum(np.exp(log(cells) @ w.T + shift).min(1), 1)
    box = np.exp(np.minimum(log(cells.max(1)) @ w.T + shift, 0))
    most = np.maximum(np.minimum(tangent.max(1), box), least)
    if m >= 1:
        chord = most - least > 1e-7 * most
        # The slope of a narrow chord is all rounding; any flatter line through the chord's upper end bounds it too.
        slope = np.where(chord, (most**m - least**m) / np.where(chord, most - least, 1), m * least ** (m - 1))
        offset = most**m - slope * most
    else:
        slope = m * middle ** (m - 1)
        offset = (1 - m) * middle**m
    affine = (offset @ a)[:, None] + (slope[:, None] * tangent) @ a  # (count, vertices, columns)
    bounds = np.minimum(affine.max(1), most**m @ a).max(1)
    return bounds * (1 + price.rounding), centroid, middle**m @ a


def _bisect(cells: np.ndarray) -> np.ndarray:
    """Each cell cut at the middle of its longest edge, in the metric of sqrt(t): near a face g has high curvature."""
    i, j = np.triu_indices(cells.shape[1], 1)
    root = np.sqrt(cells)
    longest = ((root[:, i] - root[:, j]) ** 2).sum(2).argmax(1)
    i, j, each = i[longest], j[longest], np.arange(len(cells))
    middle = (cells[each, i] + cells[each, j]) / 2
    first, second = cells.copy(), cells.copy()
    first[each, i] = second[each, j] = middle
    return np.concatenate([first, second])


def _concave_bound(price: Price, letter: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """For M <= 1: the tangent of g at any point bounds its column; tight at the maximum, of no use on a face."""
    terms = price.terms(letter, soft)
    steep = (soft <= 0) & (np.isfinite(price.exponents.T[letter]) @ (price.powers > 0))
    slope = terms @ price.powers / np.where(soft > 0, soft, 1)
    linear = sum((part @ top.T).max(1) for part, top in zip(split(price, slope), _corners(price), strict=True))
    linear = np.where(steep.any(1), np.inf, linear)
    return (terms.sum(1) * (1 - price.total) + linear) * (1 + price.rounding)


def bound(price: Price, letter: np.ndarray, soft: np.ndarray, *, tol: float, max_cells: int = CELLS) -> Bound:
    """Bound max g by branch and bound over cells of the label simplices.

    Args:
        price: g.
        letter: of known points, at least one of each column where M <= 1, shape (points,).
        soft: their soft labels side by side, shape (points, classes).
        tol: absolute accuracy at which to stop.
        max_cells: the budget of cells, without those that the simplices are first cut into; where it runs out the bound
            is valid, but loose.
    """
    if price.exponents.max() >= LARGEST:
        return Bound(np.inf, 0.0, int(letter[0]), soft[0], 0)
    a, values = price.coefficients, price.terms(letter, soft).sum(1)
    top = int(values.argmax())
    best, at, where = float(values[top]), int(letter[top]), soft[top]
    matters = [part.any() for part in split(price, price.powers)]
    if price.total > 0 and not all(matters):  # g does not depend on the labels left out
        sizes = tuple(size for size, kept in zip(price.sizes, matters, strict=True) if kept)
        active = np.repeat(matters, price.sizes)
        part = price._replace(powers=price.powers[:, active], labels=price.labels[:, active], sizes=sizes)
        bounded = bound(part, letter, soft[:, active], tol=tol, max_cells=max_cells)
        where = where.copy()
        where[active] = bounded.soft
        return bounded._replace(soft=where)
    if price.total == 0:
        return Bound(float(a.sum(0).max()) * (1 + price.rounding), best, at, where, 0)
    ceiling = np.inf
    if price.total <= 1:
        columns = _concave_bound(price, letter, soft)
        least = np.full(a.shape[1], np.inf)
        np.minimum.at(least, letter, columns)
        ceiling = float(least.max())
        if ceiling <= best + tol:
            return Bound(ceiling, best, at, where, 0)

    cells = _root(price)
    bounds, centroid, heights = _cell_bounds(price, a, cells)
    closed, count = best, len(cells)
    while True:
        if heights.max(initial=-np.inf) > best:
            i, j = np.unravel_index(heights.argmax(), heights.shape)
            best, at, where = float(heights[i, j]), int(j), centroid[i]
        open_ = bounds > best + tol
        closed = max(closed, bounds[~open_].max(initial=-np.inf))
        cells, bounds = cells[open_], bounds[open_]
        room = (max_cells - count) // 2  # a bisection adds two cells
        if not len(cells) or room < 1:
            return Bound(min(ceiling, max(closed, best, bounds.max(initial=-np.inf))), best, at, where, count)
        taken = min(_BATCH, room, len(bounds))
        order = np.argpartition(-bounds, taken - 1)
        first, rest = order[:taken], order[taken:]
        parents = np.tile(bounds[first], 2)
        halves = _bisect(cells[first])
        fresh, centroid, heights = _cell_bounds(price, a, halves)
        cells = np.concatenate([cells[rest], halves])
        bounds = np.concatenate([bounds[rest], np.minimum(fresh, parents)])
        count += len(halves)

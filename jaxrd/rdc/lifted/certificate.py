"""A bound on g over all atoms, by branch and bound; with it any dual variables give a lower bound on the lifted rate.

A cell is a box of soft labels for a family of reproductions. `jaxrd.rdc.lifted.relaxation` bounds g in it; a cell whose
bound is too large is divided in two: its family, or its box across the class whose chord is furthest from what it
stands for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd.rdc.lifted.pricing import LARGEST, Price, split
from jaxrd.rdc.lifted.relaxation import Boxes, Relaxation, bounded, first_boxes, relaxation, shrunk

CELLS = 500_000
_BATCH, _ENTRIES = 1024, 2**19  # cells cut at once, and numbers (cells, letters) at once
_FIRST, _LATER = 500, 60  # steps of the program of a first cell, of a later one
_BELOW = 0.01  # of the tolerance: where above the best g the cells without a maximum are closed
_ROUNDINGS = 2  # of a bound: no search tells less apart
_NEAR_END = 0.1  # share of a cell's width that every cut leaves on both sides


class Bound(NamedTuple):
    """An upper bound on g, and the best point of the search."""

    value: float  # >= max g
    best: float  # g at `soft`
    letter: int
    soft: np.ndarray
    cells: int


def bound(price: Price, letter: np.ndarray, soft: np.ndarray, *, tol: float, max_cells: int = CELLS) -> Bound:
    """Bound max g by branch and bound over cells of the label simplices.

    Where the search meets a point better than the known ones by more than `tol`, it ends: g is about to change.

    Args:
        price: g.
        letter: of known points, shape (points,).
        soft: their soft labels side by side, shape (points, classes).
        tol: absolute accuracy at which to stop.
        max_cells: the budget of cells, without the first ones; where it runs out the bound is valid, but loose.
    """
    values = price.terms(letter, soft).sum(1)
    top = int(values.argmax())
    known = Bound(np.inf, float(values[top]), int(letter[top]), soft[top], 0)
    if price.exponents.max() >= LARGEST:
        return known
    if price.total == 0:
        return known._replace(value=float(price.coefficients.sum(0).max()) * (1 + price.rounding))
    columns = np.flatnonzero(np.isfinite(price.exponents).any(0))
    matters = np.array([part.any() for part in split(price, price.powers)])
    classes = np.repeat(matters, price.sizes)  # g does not depend on the other labels
    part = price._replace(
        exponents=price.exponents[:, columns], powers=price.powers[:, classes], labels=price.labels[:, classes],
        sizes=tuple(np.array(price.sizes)[matters].tolist()),
    )  # fmt: skip
    begin = np.tile(part.labels.mean(0), (price.exponents.shape[1], 1))
    order = values.argsort()
    begin[letter[order]] = soft[order][:, classes]  # of each column the best one
    inner = known._replace(letter=int(np.searchsorted(columns, known.letter)), soft=known.soft[classes])
    found = _search(part, begin[columns], inner, tol, max_cells)
    where = known.soft.copy()
    where[classes] = found.soft
    return found._replace(letter=int(columns[found.letter]), soft=where)


def _search(price: Price, begin: np.ndarray, known: Bound, tol: float, max_cells: int) -> Bound:
    """Branch and bound from a known point, every column's first program from a soft label, (columns, classes)."""
    at = relaxation(price)
    batch = max(min(_BATCH, _ENTRIES // len(price.labels)), 1)
    best, closed, count = known, -np.inf, 0
    tol = max(tol, _ROUNDINGS * at.rounding * known.best)
    pool = first_boxes(at, begin)
    level, goal = _levels(best, tol)
    fresh, pool = bounded(at, pool, goal, _FIRST), pool.take(np.zeros(0, int))
    while True:
        open_ = fresh.bound > goal
        closed = max(closed, level, fresh.bound[~open_].max(initial=-np.inf))
        fresh, heights, letters = _measured(at, price, fresh.take(open_))
        if heights.max(initial=0) > best.best:
            i = int(heights.argmax())
            best = best._replace(best=float(heights[i]), letter=int(letters[i]), soft=fresh.soft[i])
            level, goal = _levels(best, tol)
        pool = pool.join(fresh)
        room = (max_cells - count) // 2  # a division adds two cells
        if not len(pool.bound) or room < 1 or best.best > known.best + tol:
            return best._replace(value=float(np.exp(max(closed, level, pool.bound.max(initial=-np.inf)))), cells=count)
        taken = min(batch, room, len(pool.bound))
        order = np.argpartition(-pool.bound, taken - 1)
        halves, pool = _halves(at, pool.take(order[:taken])), pool.take(order[taken:])
        count += len(halves.bound)
        fresh = bounded(at, shrunk(at, halves, level), goal, _LATER)


def _measured(at: Relaxation, price: Price, cells: Boxes) -> tuple[Boxes, np.ndarray, np.ndarray]:
    """The cells with how far their families are from their best columns at `soft`; g of these, and which they are."""
    match = np.exp(price.match(cells.soft))
    members = np.where(at.families.members[cells.family], match @ price.coefficients, -np.inf)
    heights, letters = members.max(1, initial=-np.inf), members.argmax(1)
    whole = (match * np.exp(at.families.largest[cells.family])).sum(1)
    apart = np.where(at.families.parts[cells.family, 0] < 0, 0, np.log(whole / np.maximum(heights, 1e-300)))
    return cells._replace(apart=apart), heights, letters


def _levels(best: Bound, tol: float) -> tuple[float, float]:
    """ln g up to which a cell without a maximum is closed, and up to which a cell's bound need not be improved."""
    height = max(best.best, np.finfo(float).tiny)
    return float(np.log(height + _BELOW * tol)), float(np.log(height + tol))


def _halves(at: Relaxation, cells: Boxes) -> Boxes:
    """Each cell divided in two: its family, or its box between the middle and the largest point of its program."""
    low, high, each = cells.low, cells.high, np.arange(len(cells.bound))
    wide = at.rest * (np.sqrt(high) - np.sqrt(low)) ** 2
    across = np.where(cells.over.max(1) > 0, cells.over.argmax(1), wide.argmax(1))
    a, b, t = low[each, across], high[each, across], cells.soft[each, across]
    middle = ((np.sqrt(a) + np.sqrt(b)) / 2) ** 2  # near a face g has high curvature
    cut = np.where((t >= a) & (t <= b), (t + middle) / 2, middle)
    cut = np.clip(cut, a + _NEAR_END * (b - a), b - _NEAR_END * (b - a))
    by_family = (cells.apart > cells.over.sum(1)) & (at.families.parts[cells.family, 0] >= 0)
    parts = np.where(by_family[:, None], at.families.parts[cells.family], cells.family[:, None])
    upper, lower = high.copy(), low.copy()
    upper[each, across] = np.where(by_family, b, cut)
    lower[each, across] = np.where(by_family, a, cut)
    return cells._replace(family=parts[:, 0], high=upper).join(cells._replace(family=parts[:, 1], low=lower))

"""R(D) at squared error of a real source that is known by samples: certified over all real reproductions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd.problem import Problem
from jaxrd.solution import Status
from jaxrd.solvers import solve
from jaxrd.tosc.regression.atoms import UNUSED, channel, log_partition, merged, moved
from jaxrd.tosc.regression.ceiling import ceiling

LETTERS = 4096
"""Distinct values up to which each is a letter; more are put into cells of equal width, as many."""
_HALVED = 20  # times at most that the width of cells is
_ROUNDS = 8  # of adding reproductions at a slope
_SPACING = 0.35  # of the first reproductions, in units of 1 / sqrt(s)
_MERGED = 0.5  # distance below which reproductions of the first round are one, in the same units


class Cells(NamedTuple):
    """The samples of a source by cells of the real line; of few distinct values each is a cell of its own."""

    centre: np.ndarray
    """Mean of the samples of each cell, rising, shape (cells,)."""
    low: np.ndarray
    """The least of them."""
    high: np.ndarray
    """The largest."""
    mass: np.ndarray
    """Their share, with sum 1."""
    spread: np.ndarray
    """Their variance."""
    of: np.ndarray
    """The cell of each sample, shape (samples,)."""

    @property
    def within(self) -> float:
        """Mean squared distance of a sample from the centre of its cell."""
        return float(self.mass @ self.spread)


def cells_of(values: np.ndarray, most: int = LETTERS) -> Cells:
    """Put samples into cells.

    >>> cells_of(np.array([2.0, 1.0, 2.0])).centre.tolist()
    [1.0, 2.0]
    """
    _, of = np.unique(values, return_inverse=True)
    of = of.reshape(-1)
    if of.max() >= most:
        low, high = values.min(), values.max()
        share, width = (values - low) / (high - low), most
        of = np.unique((share * width).astype(int), return_inverse=True)[1].reshape(-1)
        for _ in range(_HALVED):  # empty cells cost nothing
            width *= 2
            finer = np.unique((share * width).astype(int), return_inverse=True)[1].reshape(-1)
            if finer.max() > most:
                break
            of = finer
    count = np.bincount(of)
    order = np.argsort(of, kind="stable")
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    low, high = (f.reduceat(values[order], starts) for f in (np.minimum, np.maximum))
    centre = np.clip(np.bincount(of, values) / count, low, high)
    spread = np.bincount(of, (values - centre[of]) ** 2) / count
    return Cells(centre, low, high, count / len(values), spread, of)


class Line(NamedTuple):
    """What a slope gives: an achievable point, and the tangent below R(D) at every distortion."""

    slope: float
    rate: float
    """Of the channel from cells to reproductions, nats."""
    distortion: float
    """Its mean squared error, of the samples themselves."""
    level: float
    """R(D) >= level - slope D for every D, whatever real reproductions are used."""
    atoms: np.ndarray
    """The reproductions, shape (atoms,)."""
    weights: np.ndarray
    """q, their output law's best estimate, shape (atoms,)."""
    status: Status

    @property
    def gap(self) -> float:
        """Certified distance of the rate from R at this distortion, nats."""
        return self.rate - (self.level - self.slope * self.distortion)


def _level(cells: Cells, slope: float, atoms: np.ndarray, weights: np.ndarray, tol: float) -> float:
    """A lower bound of min over channels of I + s E(X - Y)^2 for the samples, any measure q on the reals given.

    The bound is F(q) - ln max_y c(y), F(q) = -E ln Z(X), c(y) = E exp(-s (X - y)^2) / Z(X). Inside a cell
    -ln Z(x) - s x^2 is concave: F lies above its chord, and the logarithm of a term of c below its tangent at the
    centre, whose exponential lies below its own chord. All are equalities where a cell is one value.
    """
    x, low, high = cells.centre, cells.low, cells.high
    wide = np.flatnonzero(high > low)
    share = np.divide(x - low, high - low, out=np.zeros(len(x)), where=high > low)  # of the upper end
    centre = log_partition(x, slope, atoms, weights)
    objective, log_mass = -centre, np.log(cells.mass) - centre
    points, log_masses = x, log_mass
    if wide.size:
        l, u, w = low[wide], high[wide], share[wide]
        ends = [log_partition(end, slope, atoms, weights) for end in (l, u)]
        bend = (u - x[wide]) * (x[wide] - l) - cells.spread[wide]
        objective[wide] = -(1 - w) * ends[0] - w * ends[1] - slope * np.maximum(bend, 0)
        mean = channel(x[wide], slope, atoms, weights) @ atoms
        tilt = [slope * (end - x[wide]) * (end + x[wide] - 2 * mean) for end in (l, u)]
        with np.errstate(divide="ignore"):
            parts = [log_mass[wide] + np.log(1 - w) + tilt[0], log_mass[wide] + np.log(w) + tilt[1]]
        alone = np.ones(len(x), bool)
        alone[wide] = False
        points = np.concatenate([x[alone], l, u])
        log_masses = np.concatenate([log_mass[alone], *parts])
        kept = np.isfinite(log_masses)
        order = np.flatnonzero(kept)[np.argsort(points[kept], kind="stable")]
        points, log_masses = points[order], log_masses[order]
    return float(cells.mass @ objective) - ceiling(points, log_masses, slope, tol=tol).value - 1e-12


def solve_line(cells: Cells, slope: float, *, near: Line | None = None, tol: float) -> Line:
    """Minimise I(X;Y) + s E(X - Y)^2 over channels to any real reproductions.

    Weights over given reproductions are solved for by `jaxrd.solve`, then weights and reproductions move together by
    Newton's method; reproductions are added at the maxima of c, until c exceeds 1 nowhere by more than the tolerance.

    Args:
        cells: the source, in units of its standard deviation.
        slope: s > 0.
        near: the solution at a slope nearby, to begin from.
        tol: nats between rate and bound at which to stop, where cells are single values.
    """
    x, width, best = cells.centre, 1 / np.sqrt(slope), None
    atoms = np.linspace(x[0], x[-1], int(np.ceil((x[-1] - x[0]) / (_SPACING * width))) + 2)
    begin = None if near is None else (near.atoms, near.weights)
    for k in range(_ROUNDS):
        if begin is None:
            weights = np.asarray(solve(_padded(cells, atoms), slope, tol=0.1 * tol).reproduction, float)[: len(atoms)]
            begin = atoms[weights > UNUSED], weights[weights > UNUSED] / weights.sum()
        now = moved(x, cells.mass, slope, *merged(*begin, _MERGED * width * 0.5**k))
        top = ceiling(x, np.log(cells.mass) - log_partition(x, slope, *now), slope, tol=0.1 * tol, enough=0.5 * tol)
        excess = float(top.levels.max())
        if best is None or excess < best[0]:
            best = excess, *now
        if top.value <= 0.5 * tol:
            break
        atoms, begin = np.unique(np.concatenate([now[0], top.peaks[top.levels > 0.1 * tol]])), None
    assert best is not None
    return _certified(cells, slope, *best[1:], tol)


def _certified(cells: Cells, slope: float, atoms: np.ndarray, weights: np.ndarray, tol: float) -> Line:
    """The channel of some reproductions and weights, measured, and the bound that they give."""
    x, rows = cells.centre, channel(cells.centre, slope, atoms, weights)
    out = cells.mass @ rows
    rate = float(cells.mass @ (rows * np.log(np.where(rows > 0, rows / np.where(out > 0, out, 1), 1))).sum(1))
    distortion = float(cells.mass @ (rows * (x[:, None] - atoms) ** 2).sum(1)) + cells.within
    level = _level(cells, slope, atoms, weights, 0.1 * tol)
    gap = rate + slope * distortion - level
    status = Status.CONVERGED if gap <= tol * max(1, rate) else Status.MAX_STEPS
    return Line(slope, max(rate, 0.0), distortion, level, atoms, weights, status)


def _padded(cells: Cells, atoms: np.ndarray) -> Problem:
    """The problem with forbidden reproductions that fill it up to one of few sizes: each is compiled."""
    size = next(n for k in range(4, 40) for n in (2**k, 3 * 2 ** (k - 1)) if n >= len(atoms))
    filled = np.concatenate([atoms, np.full(size - len(atoms), atoms[-1])])
    d = (cells.centre[:, None] - filled) ** 2
    d[:, len(atoms) :] = np.inf
    return Problem(cells.mass, d)

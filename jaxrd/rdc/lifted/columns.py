"""Column generation: solve over some atoms, add atoms where g > 1, bound g over all atoms once none are found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd._threads import one_blas_thread
from jaxrd.rdc.lifted.atoms import Atoms, Core, charges, lossless, soft_clusters
from jaxrd.rdc.lifted.certificate import CELLS, bound
from jaxrd.rdc.lifted.pricing import LARGEST, Price, ascend, best_starts, distinct, new_atoms, price, starts
from jaxrd.rdc.master import channel_of, exponent_of, master
from jaxrd.rdc.point import mutual_information

ROUNDS = 60
INACTIVE = 1e-11  # multipliers below it are taken as zero
UNUSED = 1e-9  # weights below it are taken as zero between rounds
CLOSE = 1e-2  # how far below 1 an unused atom's g may lie to be kept
TOP = 1e-6  # how far below 1 a maximum of g may lie to carry weight
TRIED = 3  # starts of the grid a column ascends from


class Generated(NamedTuple):
    """The best channel over the atoms found, and a bound on what any atoms could do."""

    atoms: Atoms
    channel: np.ndarray  # (n, atoms)
    slopes: np.ndarray  # (1 + labels,)
    lower: float  # on I + prices . E charges over all channels that keep the budgets
    cells: int  # spent on it


class _Round(NamedTuple):
    """The optimum over some atoms."""

    atoms: Atoms
    used: np.ndarray  # bool
    channel: np.ndarray
    slopes: np.ndarray
    value: float  # of the dual, where g <= 1 at every atom
    reached: float  # by the channel
    g: Price
    levels: np.ndarray  # g of each atom


def _solve(core: Core, budgets: np.ndarray, prices: np.ndarray, atoms: Atoms, ceiling: float = np.inf) -> _Round:
    costs = charges(core, atoms)
    usable = np.asarray(np.isfinite(costs).all(0).any(0))
    atoms, costs = atoms.take(usable), costs[:, :, usable]
    bound_by, free = np.isfinite(budgets), np.zeros(costs.shape[1:])
    # A forbidden pair stays forbidden where nothing is charged for it.
    free = np.where(np.isfinite(costs[0]), free, np.inf)
    cost = exponent_of(free, costs[prices > 0], prices[prices > 0])
    dual = master(core.source, cost, costs[bound_by], budgets[bound_by], ceiling=ceiling)
    slopes = prices.copy()
    slopes[bound_by] = np.where(dual.slopes > INACTIVE, dual.slopes, 0)
    # A soft label that excludes a class stays closed to its letters, even where the label costs nothing.
    counted, paid = bound_by | (prices > 0), slopes > 0
    channel = channel_of(core.source, exponent_of(free, costs[counted], slopes[counted]), dual.weights)
    joint = core.source[:, None] * channel
    charged = np.where(joint > 0, costs[prices > 0], 0) * joint
    reached = mutual_information(core.source, channel) + prices[prices > 0] @ charged.sum((1, 2))
    value = core.source @ dual.potential - slopes[bound_by] @ budgets[bound_by]
    exponent = exponent_of(free, costs[paid], slopes[paid])
    levels = np.exp(np.minimum(np.log(core.source[:, None]) + dual.potential[:, None] - exponent, LARGEST)).sum(0)
    g = price(core, dual.potential, slopes)
    return _Round(atoms, dual.weights > UNUSED, channel, slopes, float(value), float(reached), g, levels)


def _begin(core: Core, grid: np.ndarray, begin: Atoms | None) -> Atoms:
    """Lossless coding first: with it every budget can be kept."""
    if begin is not None:
        return lossless(core).join(begin)
    silent = (core.source @ np.where(np.isfinite(core.excess), core.excess, 1e300)).argmin()
    widths = [p.shape[1] for p in core.labels]
    soft = tuple(np.split(grid, np.cumsum(widths)[:-1], axis=1)) if widths else ()
    return lossless(core).join(soft_clusters(core)).join(Atoms(np.full(len(grid), silent), soft))


def generate(
    core: Core,
    budgets: np.ndarray,
    prices: np.ndarray,
    *,
    begin: Atoms | None = None,
    tol: float,
    max_cells: int = CELLS,
    seed: int = 0,
) -> Generated:
    """Minimise I(X;U) + prices . E charges subject to E charges <= budgets, over channels to any atoms.

    Args:
        core: the problem.
        budgets: (1 + labels,), inf where there is no constraint.
        prices: (1 + labels,), zero where there is one.
        begin: atoms to begin with, beside lossless coding; None: clusters of letters at several widths.
        tol: nats between the channel found and the lower bound at which to stop.
        max_cells: the certificate's budget; where it runs out the lower bound is valid, but loose.
        seed: of the random starts, where the label simplices are too large for a grid.
    """
    with one_blas_thread():
        return _generate(core, budgets, prices, begin, tol, max_cells, seed)


def _generate(core, budgets, prices, begin, tol, max_cells, seed) -> Generated:
    grid = starts(core, seed)
    atoms = _begin(core, grid, begin)
    most = 4 * (len(core.source) + len(budgets))
    lower, cells = -np.inf, 0
    left = ROUNDS
    while True:
        left -= 1
        now = _solve(core, budgets, prices, atoms)
        letter, soft = best_starts(now.g, grid, TRIED)
        letter = np.concatenate([letter, now.atoms.letter[now.used]])
        soft = np.concatenate([soft, np.concatenate([np.zeros((len(now.used), 0)), *now.atoms.soft], 1)[now.used]])
        values, soft = ascend(now.g, letter, soft)
        more = new_atoms(now.g, core, letter, soft, values, most)
        gap = now.reached - (now.value - np.log(values.max()))
        if gap <= 0.5 * tol or not len(more.letter) or not left:
            found = bound(now.g, letter, soft, tol=0.25 * tol, max_cells=max_cells)
            lower, cells = max(lower, now.value - np.log(found.value)), cells + found.cells
            if found.best <= values.max() * (1 + 0.25 * tol) or not left:
                break
            # The search met a better atom than every ascent: go on from there.
            value, where = ascend(now.g, np.array([found.letter]), found.soft[None])
            more = new_atoms(now.g, core, np.array([found.letter]), where, value, most)
        near = now.used | (now.levels > 1 - CLOSE)
        near[: len(core.source)] = True
        atoms = now.atoms.take(near).join(more)
    tidy = _tidied(core, budgets, prices, now, letter, soft, values)
    if tidy is not None and tidy.reached <= now.reached + 0.25 * tol:
        now = now._replace(atoms=tidy.atoms, channel=tidy.channel)
    return Generated(now.atoms, now.channel, now.slopes, float(lower), cells)


def _tidied(core, budgets, prices, now: _Round, letter, soft, values) -> _Round | None:
    """The optimum over the maxima of g alone, for rounds leave many atoms near each; None if a budget is overdrawn."""
    top = values > 1 - TOP
    maxima = distinct(now.g, core, letter[top], soft[top], values[top])
    if not np.isfinite(charges(core, maxima).max(0)).any(1).all():
        return None  # a letter that could not be sent
    again = _solve(core, budgets, prices, maxima, now.reached + 1)
    costs = charges(core, again.atoms)
    spent = (core.source[:, None] * np.where(again.channel > 0, costs, 0) * again.channel).sum((1, 2))
    return again if (spent <= budgets).all() and np.isfinite(again.reached) else None

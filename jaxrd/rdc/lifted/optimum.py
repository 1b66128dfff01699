"""The least I(X;U) + prices . E charges under budgets, over channels to any atoms: what R(D, C) and its slopes ask."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd._threads import one_blas_thread
from jaxrd.rdc.lifted.atoms import Atoms, Core, charges, lossless, soft_clusters
from jaxrd.rdc.lifted.certificate import CELLS
from jaxrd.rdc.lifted.columns import UNUSED, Generated, Round, generate
from jaxrd.rdc.lifted.pricing import LARGEST, distinct, price, starts
from jaxrd.rdc.master import channel_of, exponent_of, master
from jaxrd.rdc.point import mutual_information

_ROUNDS = 60
_INACTIVE = 1e-11  # multipliers below it are taken as zero
_TOP = 1e-6  # how far below 1 a maximum of g may lie to carry weight


class Optimum(NamedTuple):
    """The best channel over the generated atoms, and a lower bound for all atoms."""

    atoms: Atoms
    channel: np.ndarray  # (n, atoms)
    slopes: np.ndarray  # (1 + labels,)
    lower: float  # on I + prices . E charges over all channels that keep the budgets
    cells: int  # spent on it


def optimise(
    core: Core,
    budgets: np.ndarray,
    prices: np.ndarray,
    *,
    begin: Atoms | None = None,
    tol: float,
    max_cells: int = CELLS,
    seed: int = 0,
) -> Optimum:
    """Minimise I(X;U) + prices . E charges subject to E charges <= budgets, over channels to any atoms.

    Args:
        core: the problem.
        budgets: (1 + labels,), inf where there is no constraint.
        prices: (1 + labels,), zero where there is one.
        begin: atoms to begin with, beside lossless coding; None: clusters of letters at several widths.
        tol: nats between the channel's value and the lower bound at which to stop.
        max_cells: the certificate's budget; where it runs out the lower bound is valid, but loose.
        seed: of the random starts, where the label simplices are too large for a grid.
    """

    def solve(atoms: Atoms) -> Round:
        return _solve(core, budgets, prices, atoms)

    with one_blas_thread():
        grid = starts(core, seed)
        generated = generate(core, solve, _begin(core, grid, begin), grid, tol=tol, max_cells=max_cells, rounds=_ROUNDS)
        last, tidy = generated.last, _tidied(core, budgets, prices, generated)
        kept = last if tidy is None or tidy.reached > last.reached + 0.25 * tol else tidy
    return Optimum(kept.atoms, kept.solution, last.slopes, generated.lower, generated.cells)


def _solve(core: Core, budgets: np.ndarray, prices: np.ndarray, atoms: Atoms, ceiling: float = np.inf) -> Round:
    costs = charges(core, atoms)
    usable = np.asarray(np.isfinite(costs).all(0).any(0))
    atoms, costs = atoms.take(usable), costs[:, :, usable]
    bound_by, free = np.isfinite(budgets), np.zeros(costs.shape[1:])
    # A forbidden pair stays forbidden where nothing is charged for it.
    free = np.where(np.isfinite(costs[0]), free, np.inf)
    cost = exponent_of(free, costs[prices > 0], prices[prices > 0])
    dual = master(core.source, cost, costs[bound_by], budgets[bound_by], ceiling=ceiling)
    slopes = prices.copy()
    slopes[bound_by] = np.where(dual.slopes > _INACTIVE, dual.slopes, 0)
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
    return Round(atoms, dual.weights > UNUSED, levels, float(value), float(reached), g, slopes, channel)


def _begin(core: Core, grid: np.ndarray, begin: Atoms | None) -> Atoms:
    """Lossless coding comes first, because it meets every budget."""
    if begin is not None:
        return lossless(core).join(begin)
    silent = (core.source @ np.where(np.isfinite(core.excess), core.excess, 1e300)).argmin()
    widths = [p.shape[1] for p in core.labels]
    soft = tuple(np.split(grid, np.cumsum(widths)[:-1], axis=1)) if widths else ()
    return lossless(core).join(soft_clusters(core)).join(Atoms(np.full(len(grid), silent), soft))


def _tidied(core: Core, budgets: np.ndarray, prices: np.ndarray, generated: Generated) -> Round | None:
    """The optimum over the maxima of g alone, as rounds leave many atoms near each; None if a budget is exceeded."""
    top, last = generated.levels > 1 - _TOP, generated.last
    maxima = distinct(last.g, core, generated.letter[top], generated.soft[top], generated.levels[top])
    if not np.isfinite(charges(core, maxima).max(0)).any(1).all():
        return None  # a letter that could not be sent
    again = _solve(core, budgets, prices, maxima, last.reached + 1)
    costs = charges(core, again.atoms)
    spent = (core.source[:, None] * np.where(again.solution > 0, costs, 0) * again.solution).sum((1, 2))
    return again if (spent <= budgets).all() and np.isfinite(again.reached) else None

"""The least I(X;U) + prices . E charges under budgets, over channels to any atoms: what R(D, C) and its slopes ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxrd._threads import one_blas_thread
from jaxrd.rdc.lifted.atoms import Atoms, Core, charges, lossless, silent, soft_clusters
from jaxrd.rdc.lifted.certificate import CELLS
from jaxrd.rdc.lifted.columns import UNUSED, Generated, Round, generate
from jaxrd.rdc.lifted.moving import Weighted, merged, moved
from jaxrd.rdc.lifted.pricing import Price, ascend, distinct, price, split, starts
from jaxrd.rdc.master import MARGIN, exponent_of, master
from jaxrd.rdc.point import mutual_information

_ROUNDS = 60
_INACTIVE = 1e-11  # multipliers below it are taken as zero
_TOP = 1e-6  # how far below 1 a maximum of g may lie to carry weight
_GAIN = 0.1  # of the tolerance: what a round must gain, where atoms move


class Optimum(NamedTuple):
    """The best channel over the generated atoms, and a lower bound for all atoms."""

    atoms: Atoms
    channel: np.ndarray  # (n, atoms)
    slopes: np.ndarray  # (1 + labels,)
    lower: float  # on I + prices . E charges over all channels that keep the budgets
    conjectured: float  # the bound that holds if the ascents met the largest g
    ascents: int
    cells: int  # spent on the bound


def optimise(
    core: Core,
    budgets: np.ndarray,
    prices: np.ndarray,
    *,
    begin: Atoms | None = None,
    near: Weighted | None = None,
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
        near: the solution of a problem nearby, tried first.
        tol: nats between the channel's value and the lower bound at which to stop.
        max_cells: the certificate's budget; where it runs out the lower bound is valid, but loose.
        seed: of the random starts, where the label simplices are too large for a grid.
    """

    with one_blas_thread():
        grid, solve = starts(core, seed), _master(core, budgets, prices, near, _GAIN * tol)
        generated = generate(core, solve, _begin(core, grid, begin), grid, tol=tol, max_cells=max_cells, rounds=_ROUNDS)
        last = generated.last
        tidy = last if last.solution.tidy else _tidied(core, budgets, prices, generated)
        kept = last if tidy is None or tidy.reached > last.reached + 0.25 * tol else tidy
    return Optimum(
        kept.atoms, kept.solution.channel, last.slopes, generated.lower, generated.conjectured, generated.ascents,
        generated.cells,
    )  # fmt: skip


class _Solution(NamedTuple):
    channel: np.ndarray  # (n, atoms)
    tidy: bool  # no two atoms are near each other


def _master(
    core: Core, budgets: np.ndarray, prices: np.ndarray, near: Weighted | None, gain: float
) -> Callable[[Atoms], Round]:
    """The problem over given atoms, which then move: from the last round, or where that fails from the interior point.

    Args:
        core: the problem.
        budgets: (1 + labels,), inf where there is no constraint.
        prices: (1 + labels,), zero where there is one.
        near: the solution of a problem nearby, tried before the interior point.
        gain: nats by which a round improves on the last, and to which moving atoms must be optimal.
    """
    tightened = _tightened(core, budgets)
    last: Round | None = None

    def settled(begin: Weighted | None, most: float) -> Round | None:
        nonlocal near
        near = None if begin is None else moved(core, tightened, begin)
        if near is None:
            return None
        now = _round(core, budgets, prices, near, tidy=True)
        gap = now.reached - now.value + np.log(now.levels[now.used].max())
        if gap <= gain and now.reached <= most and _affordable(core, budgets, now):
            return now
        near = None
        return None

    def solve(atoms: Atoms) -> Round:
        nonlocal last
        begin, most = near, np.inf
        if last is not None:
            begin, most = None if near is None else _with_best(near, atoms, last.g), last.reached - gain
        now = settled(begin, most)
        if now is None:
            fixed = _solve(core, budgets, prices, atoms)
            # Where moving gains nothing, the multipliers of the fixed atoms have to change.
            now = settled(_maxima(core, fixed), min(most, fixed.reached + gain)) or fixed
        last = now
        return now

    return solve


def _tightened(core: Core, budgets: np.ndarray) -> np.ndarray:
    """The budgets less what rounding may exceed."""
    silence = silent(core.source, core.excess, core.labels)
    scale = np.maximum(np.where(np.isfinite(silence), silence, 0), budgets)
    return budgets - np.where(np.isfinite(budgets), np.minimum(MARGIN * scale, 0.01 * budgets), 0)


def _with_best(near: Weighted, atoms: Atoms, g: Price) -> Weighted:
    """One atom more, that of the largest g."""
    best = g.terms(atoms.letter, atoms.side_by_side).sum(1).argmax()
    return near._replace(atoms=near.atoms.join(atoms.take(np.array([best]))), weights=np.append(near.weights, 0))


def _maxima(core: Core, last: Round) -> Weighted:
    """The maxima of g that are next to the atoms in use, each with the weight of all that ascend to it."""
    letter, soft = last.atoms.letter[last.used], last.atoms.side_by_side[last.used]
    _, soft = ascend(last.g, letter, soft)
    if not last.slopes[0]:  # any reproduction is as good
        letter = (last.g.terms(letter, soft) @ np.where(np.isfinite(core.excess), core.excess, 1e300)).argmin(1)
    weights = core.source @ last.solution.channel[:, last.used]
    return merged(Weighted(Atoms(letter, split(last.g, soft)), weights, last.slopes))


def _solve(core: Core, budgets: np.ndarray, prices: np.ndarray, atoms: Atoms, ceiling: float = np.inf) -> Round:
    costs = charges(core, atoms)
    usable = np.asarray(np.isfinite(costs).all(0).any(0))
    atoms, costs = atoms.take(usable), costs[:, :, usable]
    bound_by = np.isfinite(budgets)
    # A forbidden pair stays forbidden where nothing is charged for it.
    cost = exponent_of(np.where(np.isfinite(costs[0]), 0.0, np.inf), costs[prices > 0], prices[prices > 0])
    dual = master(core.source, cost, costs[bound_by], budgets[bound_by], ceiling=ceiling)
    slopes = prices.copy()
    slopes[bound_by] = np.where(dual.slopes > _INACTIVE, dual.slopes, 0)
    return _round(core, budgets, prices, Weighted(atoms, dual.weights, slopes), tidy=False)


def _round(core: Core, budgets: np.ndarray, prices: np.ndarray, at: Weighted, *, tidy: bool) -> Round:
    """What given weights and multipliers reach, and the bound they give; any of them give valid ones."""
    if tidy:  # lossless coding comes first in every round
        first = lossless(core)
        at = at._replace(atoms=first.join(at.atoms), weights=np.append(np.zeros(len(first.letter)), at.weights))
    costs, slopes = charges(core, at.atoms), at.slopes
    bound_by = np.isfinite(budgets)
    # A soft label that excludes a class stays closed to its letters, even where the label costs nothing.
    counted = bound_by | (prices > 0)
    free = np.where(np.isfinite(costs[0]), 0.0, np.inf)
    exponent = exponent_of(free, costs[counted], slopes[counted])
    exponent = np.where(at.weights > 0, exponent, np.inf)
    low = exponent.min(1)
    joint = at.weights * np.exp(low[:, None] - exponent)
    total = joint.sum(1)
    potential, channel = low - np.log(total), joint / total[:, None]
    mass = core.source[:, None] * channel
    charged = np.where(mass > 0, costs[prices > 0], 0) * mass
    reached = mutual_information(core.source, channel) + prices[prices > 0] @ charged.sum((1, 2))
    value = core.source @ potential - slopes[bound_by] @ budgets[bound_by]
    g = price(core, potential, slopes)
    levels = g.terms(at.atoms.letter, at.atoms.side_by_side).sum(1)
    solution = _Solution(channel, tidy)
    return Round(at.atoms, at.weights > UNUSED, levels, float(value), float(reached), g, slopes, solution)


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
    return again if _affordable(core, budgets, again) and np.isfinite(again.reached) else None


def _affordable(core: Core, budgets: np.ndarray, now: Round) -> bool:
    channel = now.solution.channel
    costs = np.where(channel > 0, charges(core, now.atoms), 0)
    return bool(((core.source[:, None] * costs * channel).sum((1, 2)) <= budgets).all())

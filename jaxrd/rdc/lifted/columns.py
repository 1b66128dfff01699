"""Column generation: solve over some atoms, add atoms where g > 1, bound g over all atoms once there are none.

The problem over some atoms, the master problem, is an argument: `jaxrd.rdc.lifted.optimum` has one for R(D, C),
`jaxrd.rdc.perception.lifted` one for R(D, P, C).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxrd.rdc.lifted.atoms import Atoms, Core
from jaxrd.rdc.lifted.certificate import bound
from jaxrd.rdc.lifted.pricing import Price, ascend, best_starts, new_atoms

UNUSED = 1e-9
"""Weights below it are taken as zero between rounds."""
_CLOSE = 1e-2  # how far below 1 an unused atom's g may lie to be kept
_TRIED = 3  # points of the grid from which each column ascends


class Round(NamedTuple):
    """The optimum over some atoms."""

    atoms: Atoms
    used: np.ndarray  # bool, (atoms,)
    levels: np.ndarray  # g of each atom
    value: float  # of the dual, where g <= 1 at every atom
    reached: float  # by the channel
    g: Price
    slopes: np.ndarray  # (1 + labels,)
    solution: Any  # what else the master problem gives


class Generated(NamedTuple):
    """The last round, and a lower bound for all atoms."""

    last: Round
    lower: float
    conjectured: float  # the bound that holds if the ascents of the last round met the largest g
    ascents: int  # in the last round, from different soft labels
    cells: int  # that the bound took
    letter: np.ndarray  # of the maxima of g met in the last round, (maxima,)
    soft: np.ndarray  # their soft labels side by side, (maxima, classes)
    levels: np.ndarray  # g there


def generate(
    core: Core,
    master: Callable[[Atoms], Round],
    begin: Atoms,
    grid: np.ndarray,
    *,
    tol: float,
    max_cells: int,
    rounds: int,
    ceiling: float = np.inf,
) -> Generated:
    """Solve a problem over all atoms by solving it over a few at a time.

    Args:
        core: the problem that prices atoms.
        master: solves it over given atoms.
        begin: atoms to begin with; the first ones, as many as letters, are kept in all rounds.
        grid: soft labels side by side, from which g is searched for its maxima, shape (points, classes).
        tol: nats between what is reached and the lower bound at which to stop.
        max_cells: the certificate's budget; where it runs out the lower bound is valid, but loose.
        rounds: solves of the master problem at most.
        ceiling: stop where the lower bound exceeds it: nothing reaches so much, so that no code meets the budgets.
    """
    atoms, most, lower, cells = begin, 4 * (len(core.source) + len(core.budgets)), -np.inf, 0
    left = rounds
    while True:
        left -= 1
        now = master(atoms)
        letter, soft = best_starts(now.g, grid, _TRIED)
        letter = np.concatenate([letter, now.atoms.letter[now.used]])
        soft = np.concatenate([soft, now.atoms.side_by_side[now.used]])
        values, soft = ascend(now.g, letter, soft)
        more = new_atoms(now.g, core, letter, soft, values, most)
        gap = now.reached - (now.value - np.log(values.max()))
        if gap <= 0.5 * tol or not len(more.letter) or not left or now.value > ceiling:
            bounded = bound(now.g, letter, soft, tol=0.25 * tol, max_cells=max_cells)
            lower, cells = max(lower, now.value - np.log(bounded.value)), cells + bounded.cells
            better = bounded.best > values.max() * (1 + 0.25 * tol + now.g.rounding)
            if lower > ceiling or not better or not left:
                conjectured = max(lower, now.value - np.log(max(values.max(), bounded.best)))
                return Generated(now, float(lower), float(conjectured), len(values), cells, letter, soft, values)
            # The search met a better atom than every ascent: continue from it.
            value, where = ascend(now.g, np.array([bounded.letter]), bounded.soft[None])
            more = new_atoms(now.g, core, np.array([bounded.letter]), where, value, most)
        near = now.used | (now.levels > 1 - _CLOSE)
        near[: len(core.source)] = True
        atoms = now.atoms.take(near).join(more)

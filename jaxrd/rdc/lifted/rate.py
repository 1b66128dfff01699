"""The lifted rate-distortion-classification function of a discrete source, with a global certificate."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc import _traced
from jaxrd.rdc.inputs import Inputs, Labels, as_inputs, as_targets, cell_budget, non_negative, per_label
from jaxrd.rdc.lifted.assemble import assemble, atoms_of, judged, weighted_of
from jaxrd.rdc.lifted.atoms import Atoms, Core, core
from jaxrd.rdc.lifted.certificate import CELLS
from jaxrd.rdc.lifted.contraction import largest_total
from jaxrd.rdc.lifted.optimum import optimise
from jaxrd.rdc.point import LIFTED, Point, infeasible

TOLERANCE = 1e-9
_ROUGH = 1e-6  # accuracy in nats of the bound that needs no search,
_INSIDE = 1e-12  # and how far below the largest its slopes lie


def lifted_rate(
    problem: Problem,
    labels: Labels,
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    start: Point | None = None,
    tol: float = TOLERANCE,
    max_cells: int = CELLS,
    seed: int = 0,
) -> Point:
    """The lifted R(D, C), in which a decoder may emit a soft label beside the reproduction, certified.

        R(D, C) = min I(X;U)  subject to  E_U min_xh E[Delta(X, xh) | U] <= D,  H(S_k|U) <= C_k for every label

    It is an ordinary rate-distortion function with reproductions (xh, t), t a pmf over the labels: convex, with a
    coding theorem and a converse for every code. Atoms are added until none improves the channel; the lower bound
    H(X) + sum_x p_x u_x - ln max g - mu_D D - mu_C C holds for all atoms, by branch and bound over soft labels. Runs on
    the host in float64. Where the search runs out of cells, `lower` is the best bound reached, and `evidence` says what
    was searched besides.

    Inside jit, vmap and grad the host is called back, and the rate has derivatives: see `Point`.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: P(S|X), shape (n, classes); or a list of such channels, one for each label.
        distortion: D, in the unit of the problem's distortion; inf for no constraint.
        classification: C, nats, inf for no constraint; for several labels one number each.
        start: a point solved nearby, to begin from its atoms.
        tol: certified gap at which to stop, nats, relative to max(1, R).
        max_cells: cells that a search for the lower bound may look at.
        seed: of the starts of the search over soft labels where they have more than three classes in all.

    Returns:
        A `Point`; targets that no code meets: rate +inf, INFEASIBLE. MAX_STEPS where the gap is larger than `tol`.

    Raises:
        InputError: labels that are not a channel, shapes that do not match, a target that is NaN, a negative C.

    Reference: [B] definition 1, corrected to be convex (a finite alphabet's H(S|Xh) is concave in the channel).

    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> point = lifted_rate(problem, np.array([[0.9, 0.1], [0.1, 0.9]]), 0.2, 0.55)
    >>> round(point.rate, 9), point.gap < 1e-9  # h(.3) - h(d_C), d_C = (h^-1(.55) - .1) / .8
    (0.148954482, True)
    """
    if is_traced(problem, labels, distortion, classification):
        solver = partial(lifted_rate, tol=tol, max_cells=max_cells, seed=seed)
        return _traced.rate(LIFTED, solver, problem, labels, distortion, classification, start)
    inputs = as_inputs(problem, labels)
    targets = as_targets(len(inputs.labels), distortion, classification)
    reduced = core(inputs, targets)
    if reduced is None:
        return infeasible(LIFTED, len(inputs.source), len(inputs.labels))
    near = None if start is None else weighted_of(reduced, start)
    begin = None if near is None else near.atoms
    free = np.zeros(len(reduced.budgets))
    cells = cell_budget(max_cells)
    optimum = optimise(reduced, reduced.budgets, free, begin=begin, near=near, tol=tol, max_cells=cells, seed=seed)
    point = assemble(inputs, reduced, optimum, targets)
    if _open(point, tol) and (prices := _without_search(reduced, optimum.slopes)) is not None:
        prices[0] = 0  # the distortion's slope is optimised again
        budgets = np.where(prices > 0, np.inf, reduced.budgets)
        lower = optimise(reduced, budgets, prices, tol=_ROUGH, max_cells=cells, seed=seed).lower
        lower -= prices[prices > 0] @ reduced.budgets[prices > 0]
        point = assemble(inputs, reduced, optimum._replace(lower=max(lower, optimum.lower)), targets)
    return judged(point, tol)


def lifted_solve(
    problem: Problem,
    labels: Labels,
    distortion_slope: ArrayLike,
    classification_slope: ArrayLike,
    *,
    start: Point | None = None,
    tol: float = TOLERANCE,
    max_cells: int = CELLS,
    seed: int = 0,
) -> Point:
    """One slope of the lifted function, min I(X;U) + mu_D E Delta + sum_k mu_k H(S_k|U), certified.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: P(S|X), shape (n, classes); or a list of such channels, one for each label.
        distortion_slope: mu_D >= 0, finite, nats per unit of distortion.
        classification_slope: mu_C >= 0, finite; for several labels one each.
        start: a point solved nearby, to begin from its atoms.
        tol: certified gap at which to stop, nats, relative to max(1, R).
        max_cells: cells that a search for the lower bound may look at.
        seed: of the starts of the search where the labels have more than three classes in all.

    Returns:
        A `Point` with lower <= R(distortion, classification) <= rate at the pair it reaches.

    Raises:
        InputError: labels that are not a channel, shapes that do not match, a slope that is negative or infinite.

    Reference: [B] definition 1, corrected to be convex (see `lifted_rate`).

    >>> problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> point = lifted_solve(problem, np.eye(2), 2.0, 0.0)
    >>> round(point.distortion, 4), point.converged  # no price on the label: Blahut and Arimoto's point
    (0.1192, True)
    """
    inputs = as_inputs(problem, labels)
    slopes = as_slopes(len(inputs.labels), distortion_slope, classification_slope)
    reduced = unconstrained(inputs)
    begin = None if start is None else atoms_of(reduced, start)
    return solve_priced(inputs, reduced, slopes, begin, tol, max_cells, seed)


def as_slopes(labels: int, distortion_slope: ArrayLike, classification_slope: ArrayLike) -> np.ndarray:
    """(mu_D, mu_1, ..., mu_K), shape (1 + K,).

    Raises:
        InputError: one is negative, infinite or no number.
    """
    classes = per_label("classification_slope", classification_slope, labels)
    slopes = np.concatenate([[non_negative("distortion_slope", distortion_slope)], classes])
    if np.isinf(slopes).any():
        raise InputError("slopes must be finite; for the least distortion or loss, pass it to lifted_rate.")
    return slopes


def unconstrained(inputs: Inputs) -> Core:
    """The problem without targets."""
    reduced = core(inputs, np.full(1 + len(inputs.labels), np.inf))
    assert reduced is not None
    return reduced


def solve_priced(
    inputs: Inputs,
    reduced: Core,
    slopes: np.ndarray,
    begin: Atoms | None,
    tol: float,
    max_cells: int,
    seed: int,
) -> Point:
    """The certified point at checked slopes."""
    cells = cell_budget(max_cells)
    optimum = optimise(reduced, reduced.budgets, slopes, begin=begin, tol=tol, max_cells=cells, seed=seed)
    point = assemble(inputs, reduced, optimum, None)
    if _open(point, tol) and (prices := _without_search(reduced, slopes)) is not None:
        lower = optimise(reduced, reduced.budgets, prices, tol=_ROUGH, max_cells=cells, seed=seed).lower
        point = assemble(inputs, reduced, optimum._replace(lower=max(lower, optimum.lower)), None)
    return judged(point, tol)


def _open(point: Point, tol: float) -> bool:
    return point.gap > tol * max(1, point.rate)


def _without_search(reduced: Core, slopes: np.ndarray) -> np.ndarray | None:
    """The labels' slopes scaled to where no cell has to be cut, for a bound of last resort; None if they are there."""
    if not slopes[1:].any():
        return None
    share = (1 - _INSIDE) * largest_total(reduced.labels, slopes[1:]) / slopes[1:].sum()
    return np.append(slopes[0], slopes[1:] * share) if share < 1 else None

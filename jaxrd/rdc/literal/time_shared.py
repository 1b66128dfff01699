"""The time-shared rate-distortion-classification function: the convex envelope of the literal one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from jaxrd.problem import Problem
from jaxrd.rdc.alternating import measured
from jaxrd.rdc.inputs import Inputs, Labels, as_inputs, as_targets
from jaxrd.rdc.literal.rate import literal_rate, search, slope_grid
from jaxrd.rdc.point import TIME_SHARED, Point, infeasible, posteriors
from jaxrd.solution import Status

_ROUNDS = 20
_GAIN = 1e-10  # nats: what a round must gain
_FREQUENT = 1e-9  # least share of the time at which a code is kept
_SLACK = 1e-9  # left to the rounding of the linear program
_FAR = 1e8  # times a target
_ACCURATE = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def time_shared_rate(
    problem: Problem,
    labels: Labels,
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    start: Point | None = None,
    starts: int = 16,
    tol: float = 1e-9,
    seed: int = 0,
) -> Point:
    """The least rate of time sharing between literal codes, an achievable point by multistart.

        R(D, C) = min sum_i w_i R_lit(D_i, C_i)  subject to  sum_i w_i (D_i, C_i) <= (D, C), w a pmf

    Points of the literal function minimise its Lagrangian; a linear program mixes them, its multipliers price new ones
    (alternating minimisation from many starts, one compiled program) until none helps.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: P(S|X), shape (n, classes); or a list of such channels, one for each label.
        distortion: D, in the unit of the problem's distortion; inf for no constraint.
        classification: C, nats, inf for no constraint; for several labels one number each.
        start: a literal or fixed-classifier point at the same targets.
        starts: random starts at each slope.
        tol: gap to the lifted lower bound at which the point counts as certified, nats, relative to max(1, R).
        seed: of the starts.

    Returns:
        A `Point` whose atoms are pairs (which code, xh): I(X; code, xh) is the mean rate, the code being drawn apart
        from X. `rate` is achieved, `lower` the lifted function's certified bound. Status as for `literal_rate`, but
        time sharing finds a code wherever lossless reproductions suffice.

    Raises:
        InputError: labels that are not a channel, shapes that do not match, a target that is NaN, a negative C.

    Reference: [B] definition 1, equation (3), as the convex function that [B] states.

    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> point = time_shared_rate(problem, np.array([[1.0, 0.0], [0.5, 0.5]]), 0.25, 0.325)
    >>> round(point.rate, 6)  # between the lifted 0.225541 and the literal 0.226294
    0.225701
    """
    inputs = as_inputs(problem, labels)
    targets = as_targets(len(inputs.labels), distortion, classification)
    literal = literal_rate(problem, labels, distortion, classification, start=start, starts=starts, tol=tol, seed=seed)
    if literal.status == Status.INFEASIBLE:
        return infeasible(TIME_SHARED, len(inputs.source), len(inputs.labels))
    channels, points = _columns(inputs, literal, starts, seed)
    best, turn = np.inf, 0
    while True:
        shares, slopes, value = _mix(points, targets)
        turn += 1
        if turn == _ROUNDS or not best - value > _GAIN:
            break
        best = value
        near = slopes * np.array([[1.0], [0.98], [1.02]])
        more, measures, _ = search(inputs, near, starts, seed + turn)
        channels, points = np.concatenate([channels, more]), np.concatenate([points, measures])
    return _point(inputs, channels, points, shares, slopes, literal, targets, tol)


def _columns(inputs: Inputs, literal: Point, starts: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes to begin with: around the literal solution's slopes, that solution, and the best reproduction alone."""
    channels, points, _ = search(inputs, slope_grid(literal, inputs), starts, seed)
    own = [np.eye(inputs.distortion.shape[1])[inputs.distortion.argmin(1)]]
    if np.isfinite(literal.rate):
        own.append(literal.channel)
    measures, _ = measured(inputs, np.arange(inputs.distortion.shape[1]), np.array(own))
    return np.concatenate([channels, np.array(own)]), np.concatenate([points, measures])


def _mix(points: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The cheapest mixture within the targets: shares, multipliers, rate (+inf where none is)."""
    finite = np.isfinite(targets)
    # A point far beyond the targets could have nearly no share of the time, and would make the program ill-scaled.
    near = (points[:, 1:][:, finite] <= _FAR * np.maximum(np.abs(targets[finite]), _SLACK)).all(1)
    if near.any() and not near.all():
        shares = np.zeros(len(points))
        shares[near], slopes, value = _mix(points[near], targets)
        return shares, slopes, value
    constraints: dict[str, Any] = {"A_eq": np.ones((1, len(points))), "b_eq": [1.0]}
    if finite.any():
        constraints |= {"A_ub": points[:, 1:][:, finite].T, "b_ub": targets[finite] - _SLACK}
    solved = linprog(points[:, 0], **constraints, method="highs", options=_ACCURATE)
    slopes = np.zeros(len(targets))
    if solved.status != 0:
        return np.zeros(len(points)), slopes, np.inf
    if finite.any():
        slopes[finite] = np.maximum(-solved.ineqlin.marginals, 0)
    return solved.x, slopes, float(solved.fun)


def _point(inputs: Inputs, channels, points, shares, slopes, literal: Point, targets, tol: float) -> Point:
    """The mixture as one channel to (code, xh); the literal point itself where that is no worse."""
    used = np.flatnonzero(shares > _FREQUENT)
    shares = shares[used] / shares[used].sum()
    rate, *reached = shares @ points[used]
    kept = (reached <= targets + _SLACK * (1 + np.abs(np.where(np.isfinite(targets), targets, 0)))).all()
    if not len(used) or rate >= literal.rate or not kept:
        return replace(literal, semantics=TIME_SHARED)
    channel = np.concatenate([w * c / c.sum(1, keepdims=True) for w, c in zip(shares, channels[used], strict=True)], 1)
    seen = inputs.source @ channel > 0
    channel = channel[:, seen]
    reproduction = np.tile(np.arange(inputs.distortion.shape[1]), len(used))[seen]
    close = rate - literal.lower <= tol * max(1, rate)
    return Point(
        TIME_SHARED, float(rate), literal.lower, Status.CONVERGED if close else Status.ACHIEVABLE, float(reached[0]),
        np.array(reached[1:]), float(slopes[0]), slopes[1:], reproduction,
        posteriors(inputs.source, channel, inputs.labels), inputs.source @ channel, channel,
    )  # fmt: skip

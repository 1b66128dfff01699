"""Universality in the lifted semantics: one encoder for several pairs must serve the corner of them all."""

from collections.abc import Iterable
from typing import NamedTuple

from jaxrd.problem import Problem
from jaxrd.rdc.discrete import lifted_rate
from jaxrd.rdc.inputs import Labels
from jaxrd.rdc.point import LIFTED, Point
from jaxrd.solution import Status
from jaxrd.tosc.outputs import InputError


class Universal(NamedTuple):
    """The rate of an encoder that serves every pair of Theta, and what that costs beyond the dearest pair alone."""

    semantics: str
    rate: float  # upper bound on R(Theta), nats
    lower: float
    penalty: float  # upper bound on A(Theta) = R(Theta) - max over pairs of R(D, C), nats
    penalty_lower: float
    status: Status
    corner: Point
    each: tuple[Point, ...]


def lifted_universal_rate(problem: Problem, labels: Labels, pairs: Iterable[tuple[float, float]]) -> Universal:
    """R(Theta) = R_lift(inf D, inf C) over the pairs of Theta, and the rate penalty A(Theta).

    A representation Z serves (D, C) if D >= the least distortion from Z and C >= H(S|Z), so it serves all pairs exactly
    if it serves their corner.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: P(S|X), shape (n, classes).
        pairs: (D, C) each, inf for no constraint.

    Returns:
        A `Universal`; INFEASIBLE with rate +inf and penalty NaN where the corner is.

    Raises:
        InputError: no pair; as of `lifted_rate`.

    Reference: [B] definitions 3 and 4, equations (6) and (7).

    >>> import numpy as np
    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> found = lifted_universal_rate(problem, np.array([[1.0, 0.0], [0.5, 0.5]]), [(0.1, np.inf), (np.inf, 0.3)])
    >>> round(found.rate, 6), round(found.penalty, 6)
    (0.315959, 0.02755)
    """
    pairs = list(pairs)
    if not pairs:
        raise InputError("at least one pair (D, C) is needed; got none.")
    each = tuple(lifted_rate(problem, labels, d, c) for d, c in pairs)
    corner = lifted_rate(problem, labels, min(d for d, _ in pairs), min(c for _, c in pairs))
    if corner.status == Status.INFEASIBLE:
        nan = float("nan")
        return Universal(LIFTED, corner.rate, corner.lower, nan, nan, Status.INFEASIBLE, corner, each)
    penalty = corner.rate - max(point.lower for point in each)
    least = max(corner.lower - max(point.rate for point in each), 0.0)
    status = max(point.status for point in (corner, *each))
    return Universal(LIFTED, corner.rate, corner.lower, penalty, least, Status(status), corner, each)

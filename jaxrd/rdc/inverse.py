"""The least distortion at a rate and a classification loss, and the least loss at a rate and a distortion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd._sweep import refuse_names
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc import _traced
from jaxrd.rdc.fixed import fixed_classifier_rate
from jaxrd.rdc.inputs import as_problem, floats, non_negative
from jaxrd.rdc.lifted.rate import lifted_rate
from jaxrd.rdc.point import FIXED, LIFTED, Least, Point
from jaxrd.solution import Status

Solver = Callable[..., Point]
"""(problem, labels, distortion, classification, *, start) -> Point: `lifted_rate` and its like."""

_SOLVES = 60
_TOLERANCE = 1e-9
_NARROW = 4  # width at which to stop, in units of the rate's accuracy over the slope


def least_distortion(
    problem: Problem,
    labels: ArrayLike | Sequence[ArrayLike],
    classification: ArrayLike,
    rate: ArrayLike,
    *,
    solver: Solver = lifted_rate,
) -> Least:
    """D(C, R) = the least E Delta(X, Xh) at a rate and a classification loss (definition 2).

    Inside jit, vmap and grad with `lifted_rate` and `fixed_classifier_rate` (or a `functools.partial` of them).

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: what `solver` takes: P(S|X), shape (n, classes), or a list; for `fixed_classifier_rate` cross entropies.
        classification: C, nats, inf for no constraint; for several labels one number each.
        rate: R, nats, a scalar.
        solver: the semantics: `lifted_rate`, `literal_rate`, `time_shared_rate` or `fixed_classifier_rate`.

    Returns:
        A `Least`: `point` reaches `value` at a rate of at most R (to 1e-9 nat, relative to max(1, R)); below `lower`
        the rate is certainly larger. INFEASIBLE, +inf, where no distortion makes the rate small enough. Of semantics
        that are only searched `value` is achievable, and `lower` that of the lifted one.

    Raises:
        InputError: as of the solver; a negative rate.

    Reference: [B] definition 2, equation (5).

    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> found = least_distortion(problem, np.array([[0.9, 0.1], [0.1, 0.9]]), 0.6, 0.2857813286)
    >>> round(found.value, 6)
    0.1
    """
    refuse_names(solver, "jaxrd.rdc.lifted_rate")
    if is_traced(problem, labels, classification, rate):

        def known(problem: Problem, labels: Any, targets: np.ndarray, rate: float) -> Least:
            return least_distortion(problem, labels, targets[1:], rate, solver=solver)

        semantics = _differentiable(solver)
        given = _traced.as_given(semantics, problem, labels, np.inf, classification)
        return _traced.least(semantics, known, given, 0, rate)
    source, d = as_problem(problem)
    least = float(source[source > 0] @ d[source > 0].min(1))
    classes = np.atleast_1d(floats("classification", classification))

    def at(target: float, start: Point | None) -> Point:
        return solver(problem, labels, target, classes, start=start)

    return _least(
        at, lambda point: point.distortion, lambda point: point.distortion_slope, non_negative("rate", rate), least
    )


def least_classification(
    problem: Problem,
    labels: ArrayLike | Sequence[ArrayLike],
    distortion: ArrayLike,
    rate: ArrayLike,
    *,
    classification: ArrayLike = np.inf,
    label: int = 0,
    solver: Solver = lifted_rate,
) -> Least:
    """C(D, R) = the least H(S|.) at a rate and a distortion: `least_distortion` with the roles exchanged.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: what `solver` takes, see `least_distortion`.
        distortion: D, in the unit of the problem's distortion, a scalar; inf for no constraint.
        rate: R, nats, a scalar.
        classification: the other labels' C, nats, where there are several, one number each; that of `label` is not
            read.
        label: which label's loss to minimise.
        solver: the semantics, see `least_distortion`.

    Returns:
        A `Least`, in nats.

    Raises:
        InputError: as of the solver; a negative rate.

    Reference: [B] definition 2, equation (5), the roles of D and C exchanged.

    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> found = least_classification(problem, np.array([[0.9, 0.1], [0.1, 0.9]]), np.inf, 0.1489544819)
    >>> round(found.value, 6)
    0.55
    """
    refuse_names(solver, "jaxrd.rdc.lifted_rate")
    if is_traced(problem, labels, distortion, rate, classification):

        def known(problem: Problem, labels: Any, targets: np.ndarray, rate: float) -> Least:
            others = targets[1:]
            return least_classification(
                problem, labels, targets[0], rate, classification=others, label=label, solver=solver
            )

        semantics = _differentiable(solver)
        given = _traced.as_given(semantics, problem, labels, distortion, classification)
        return _traced.least(semantics, known, given, 1 + label, rate)
    classes = np.atleast_1d(floats("classification", classification)).copy()

    def at(target: float, start: Point | None) -> Point:
        classes[label] = target
        return solver(problem, labels, distortion, classes, start=start)

    return _least(
        at, lambda point: float(point.classification[label]), lambda point: float(point.classification_slope[label]),
        non_negative("rate", rate), None,
    )  # fmt: skip


def _differentiable(solver: Callable[..., Point]) -> str:
    """The semantics of a solver whose points have derivatives.

    Raises:
        InputError: it is none.
    """
    plain = solver
    while isinstance(plain, partial):
        plain = plain.func
    for known, semantics in ((lifted_rate, LIFTED), (fixed_classifier_rate, FIXED)):
        if plain is known:
            return semantics
    name = getattr(plain, "__name__", type(plain).__name__)
    raise InputError(f"inside jit, vmap and grad solver must be lifted_rate or fixed_classifier_rate; got {name}.")


def _least(at, reached, slope, rate: float, floor: float | None) -> Least:
    """Bracket the target at which the rate crosses R; tangents choose the next target, the bounds move the bracket."""
    enough = rate + _TOLERANCE * max(1, rate)
    top = at(np.inf, None)
    if top.status == Status.INFEASIBLE or top.lower > enough:
        return Least(np.inf, np.inf, Status.INFEASIBLE, top.semantics, top)
    if top.rate > enough:
        return Least(np.inf, 0.0, Status.STALLED, top.semantics, top)
    best, high, low, point = top, reached(top), 0.0 if floor is None else floor, top
    if floor is not None:
        finest = at(floor, top)
        if finest.rate <= enough:
            return Least(floor, floor, Status.CONVERGED, top.semantics, finest)
        point = finest if np.isfinite(finest.rate) else top
    target, left, width, solves = high, low, 0.0, 0
    while solves < _SOLVES:
        s = slope(point)
        usable = np.isfinite(s) and s > 0 and np.isfinite(point.rate)
        # A convex rate falls no less steeply where it passes R than on average up to here, whatever its slope beyond.
        steep = max(s, (rate - point.rate) / max(target - left, 1e-300)) if usable else np.inf
        margin = _TOLERANCE * max(1, rate) / steep
        width = max(_NARROW * margin, 1e-12 * (1 + abs(high)))
        if high - left <= width:
            break
        # A little beyond where the tangent meets R, so that the bracket closes from both sides.
        side = 1 if point.rate > enough else -1
        guess = target + (point.rate - rate) / s + side * margin if usable else np.nan
        inside = left + 0.01 * width < guess < high - 0.01 * width
        target = guess if inside else (left + high) / 2
        point, solves = at(target, best), solves + 1
        if point.rate <= enough:
            best, high = point, min(target, high)
        else:
            left = target
            low = target if point.lower > rate else low
    if solves == _SOLVES:
        status = Status.MAX_STEPS
    else:  # only a bound certifies that no smaller target is possible
        status = Status.CONVERGED if high - low <= 2 * width else Status.ACHIEVABLE
    return Least(float(high), float(low), status, top.semantics, best)

"""R(D, C) over a grid, each point begun from its neighbour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd._sweep import refuse_names
from jaxrd._threads import one_blas_thread
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc.inputs import floats
from jaxrd.rdc.inverse import Solver
from jaxrd.rdc.lifted.rate import lifted_rate
from jaxrd.rdc.point import Point, width
from jaxrd.solution import Status, has_converged


@readable
class Surface(NamedTuple):
    """R(D, C) over a grid, in the semantics it names: lower <= R <= rate, as of `Point`.

    Args:
        semantics: "lifted", "literal", "time-shared" or "fixed".
        distortion: D, in the unit of the problem's distortion, shape (a,).
        classification: C, nats, shape (b,).
        rate: nats, shape (a, b); +inf where infeasible.
        lower: valid lower bound on R, nats, shape (a, b).
        status: a `Status` each, int, shape (a, b).
        distortion_slope: -dR/dD, nats per unit of distortion, shape (a, b).
        classification_slope: -dR/dC, nats per nat, shape (a, b).

    Reference: [B] definition 1, equation (3).

    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> found = surface(problem, np.array([[0.9, 0.1], [0.1, 0.9]]), [0.1, 0.2], [0.55, np.inf])
    >>> found.rate.shape, found.status.tolist()
    ((2, 2), [[0, 0], [0, 0]])
    """

    semantics: str
    distortion: np.ndarray
    classification: np.ndarray
    rate: np.ndarray
    lower: np.ndarray
    status: np.ndarray
    distortion_slope: np.ndarray
    classification_slope: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """rate - lower, nats; 0 where infeasible; shape (a, b)."""
        return width(self.rate, self.lower)

    @property
    def converged(self) -> np.ndarray:
        """Whether the gap is within the tolerance, shape (a, b)."""
        return has_converged(self.status)


def surface(
    problem: Problem,
    labels: ArrayLike | Sequence[ArrayLike],
    distortions: ArrayLike,
    classifications: ArrayLike,
    *,
    solver: Solver = lifted_rate,
    progress: Callable[[int, int], None] | None = None,
) -> Surface:
    """R(D, C) at every pair of a grid, for one label.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: what `solver` takes: P(S|X), shape (n, classes); for `fixed_classifier_rate` the cross entropies.
        distortions: D, in the unit of the problem's distortion, shape (a,), inf for no constraint.
        classifications: C, nats, shape (b,), inf for no constraint.
        solver: the semantics: `lifted_rate`, `literal_rate`, `time_shared_rate` or `fixed_classifier_rate`.
        progress: called as progress(done, total) after each point.

    Returns:
        A `Surface`.

    Raises:
        InputError: as of the solver.

    Reference: [B] definition 1, equation (3).

    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> found = surface(problem, np.array([[0.9, 0.1], [0.1, 0.9]]), [0.1, 0.2], [0.55, np.inf])
    >>> found.rate.round(3).tolist()
    [[0.286, 0.286], [0.149, 0.11]]
    """
    refuse_names(solver, "jaxrd.rdc.lifted_rate")
    d, c = floats("distortions", distortions), floats("classifications", classifications)
    if d.ndim != 1 or c.ndim not in (1, 2):
        raise InputError(
            f"distortions must have shape (k,), classifications (l,) or (l, labels); got {d.shape} and {c.shape}."
        )
    points = np.empty((len(d), len(c)), object)
    start: Point | None = None
    with one_blas_thread():  # once, not at every point
        for i in range(len(d)):
            # The order alternates from row to row, so that every point has a solved neighbour.
            for j in range(len(c))[:: 1 if i % 2 == 0 else -1]:
                points[i, j] = point = solver(problem, labels, d[i], c[j], start=start)
                start = start if point.status == Status.INFEASIBLE else point
                if progress is not None:
                    progress(i * len(c) + 1 + (j if i % 2 == 0 else len(c) - 1 - j), points.size)

    def field(read: Callable[[Point], float]) -> np.ndarray:
        return np.array([[read(point) for point in row] for row in points], float).reshape(points.shape)

    semantics = points[0, 0].semantics if points.size else ""
    return Surface(
        semantics, d, c, field(lambda q: q.rate), field(lambda q: q.lower), field(lambda q: q.status).astype(int),
        field(lambda q: q.distortion_slope), field(lambda q: float(q.classification_slope[0])),
    )  # fmt: skip

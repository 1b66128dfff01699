"""The lifted function at a grid of slopes: multistart as one compiled program, then a certificate at each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc.alternating import alternate, measured, random_channels
from jaxrd.rdc.inputs import Labels, as_inputs, floats
from jaxrd.rdc.lifted.atoms import Atoms
from jaxrd.rdc.lifted.certificate import CELLS
from jaxrd.rdc.lifted.rate import TOLERANCE, as_slopes, solve_priced, unconstrained
from jaxrd.rdc.point import Point

_EACH = 3  # soft labels for each reproduction at the start
_LIKELY = 1e-6  # least probability of an atom that column generation begins with


def lifted_sweep(
    problem: Problem,
    labels: Labels,
    distortion_slopes: ArrayLike,
    classification_slopes: ArrayLike,
    *,
    starts: int = 4,
    tol: float = TOLERANCE,
    max_cells: int = CELLS,
    seed: int = 0,
) -> list[Point]:
    """Solve the lifted function at many slopes: `lifted_solve` at each, begun from alternating minimisation.

    All slopes and starts are minimised in one batch. The atoms of every minimum go into column generation, which
    combines those of all starts and certifies the result.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: P(S|X), shape (n, classes); or a list of such channels, one for each label.
        distortion_slopes: mu_D of each point, finite, nats per unit of distortion, shape (k,).
        classification_slopes: mu_C of each point, shape (k,); for several labels (k, labels).
        starts: random starts at each slope.
        tol: certified gap at which to stop, nats, relative to max(1, R).
        max_cells: as in `lifted_solve`.
        seed: of the starts.

    Returns:
        A `Point` for each slope.

    Raises:
        InputError: as of `lifted_solve`; the slopes' shapes do not match.

    Reference: [B] definition 1, corrected to be convex (see `lifted_rate`).

    >>> problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> [round(point.distortion, 3) for point in lifted_sweep(problem, np.eye(2), [1.0, 2.0], [0.0, 0.0])]
    [0.269, 0.119]
    """
    inputs = as_inputs(problem, labels)
    first, rest = floats("distortion_slopes", distortion_slopes), floats("classification_slopes", classification_slopes)
    if first.ndim != 1 or rest.shape[:1] != first.shape or not len(first):
        raise InputError(
            f"slopes must have shapes (k,) and (k,) or (k, labels), k at least 1; got {first.shape} and {rest.shape}."
        )
    slopes = np.array([as_slopes(len(inputs.labels), d, c) for d, c in zip(first, rest, strict=True)])
    reduced = unconstrained(inputs)
    n, m = inputs.distortion.shape
    reproduction = np.repeat(np.arange(m), _EACH)
    begin = np.where(np.isfinite(inputs.distortion), 1, 0)[:, reproduction] * random_channels(
        starts, n, m * _EACH, seed
    )
    begin = np.tile(begin / begin.sum(2, keepdims=True), (len(slopes), 1, 1))
    channels = alternate(inputs, reproduction, np.repeat(slopes, starts, 0), begin).channel
    soft = measured(inputs, reproduction, channels)[1]
    likely = inputs.source @ channels > _LIKELY  # (lanes, atoms)
    points = []
    for i, mu in enumerate(slopes):
        lanes = slice(i * starts, (i + 1) * starts)
        chosen = likely[lanes]
        atoms = Atoms(np.tile(reproduction, (starts, 1))[chosen], tuple(t[lanes][chosen] for t in soft))
        points.append(solve_priced(inputs, reduced, mu, atoms, tol, max_cells, seed))
    return points

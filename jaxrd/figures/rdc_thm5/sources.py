"""The true D1, D(b) and D3 of Theorem 5, where reproductions have the source's law: two Gaussians, one finite source.

At a rate R, Z1 is the representation of least distortion and Z3 that of least classification loss. From either, the
least distortion of a reproduction with the law of X is mmse + W2^2(p_X~, p_X): D(b) from Z1, D3 from Z3. The losses are
H(S|Z1) and H(S|Z3), or nearly: a real-valued reproduction may carry anything of Z in a vanishing change of its value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxrd.problem import Problem
from jaxrd.rdc import gaussian
from jaxrd.rdc.gaussian import vector
from jaxrd.rdc.inverse import least_classification, least_distortion
from jaxrd.rdc.point import Least, entropies
from jaxrd.rdc.representation.real_valued import extremes, printed_extreme_distortion
from jaxrd.solution import Status

_FAINT = 1e-9  # weight of an atom that is due to rounding alone

VALUES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
"""Letters of the finite source."""
SOURCE = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
LABELS = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.05, 0.95], [0.45, 0.55]])
"""P(S|X): no two letters alike, so that a better code for S exists at every rate below H(X), and it is unique."""
PLANE = vector.VectorSource(np.diag([2.0, 1.0]), np.array([0.0, 1.0]), 0.5)
"""X of two coordinates; the label sees the weaker one."""
LINE = vector.VectorSource(np.array([[1.0]]), np.array([0.7]), 0.51)
"""The scalar source of figure 4: unit variances, correlation 0.7."""


class True5(NamedTuple):
    """What Theorem 5 speaks of, at one rate."""

    rate: float  # nats
    first: float  # D1
    extreme: float  # D(b)
    last: float  # D3
    extreme_loss: float  # H(S|Z1), nats
    last_loss: float  # H(S|Z3), the least at this rate, nats
    status: Status


def gaussian_truth(source: vector.VectorSource, rate: float) -> True5:
    """Of a Gaussian vector, both representations by the certified max-det program, W2^2 in closed form.

    Z3 is unique, because the entropy power inequality behind the Gaussian bottleneck holds with equality for Gaussians
    alone; so is Z1, the output of reverse water-filling.
    """
    first, last = vector.distortion_at(source, np.inf, rate), vector.classification_at(source, np.inf, rate)
    errors = [np.asarray(point.error_covariance, float) for point in (first, last)]
    sigma = np.asarray(source.covariance, float)
    extreme, third = (float(np.trace(q)) + _bures(sigma - q, sigma) for q in errors)
    a, w = np.asarray(source.direction, float), float(np.asarray(source.noise_variance))
    losses = [float(gaussian.differential_entropy(a @ q @ a + w)) for q in errors]
    status = _worse(first.status, last.status)
    return True5(rate, float(np.trace(errors[0])), extreme, third, losses[0], losses[1], status)


def _worse(*statuses: object) -> Status:
    """The first status that is a failure, else the first."""
    every = [Status(int(status)) for status in statuses]  # pyright: ignore[reportArgumentType]
    return next((status for status in every if not status.converged), every[0])


def _bures(first: np.ndarray, second: np.ndarray) -> float:
    """W2^2 of centred Gaussians, tr A + tr B - 2 tr (B^1/2 A B^1/2)^1/2.

    >>> round(_bures(np.array([[1.0]]), np.array([[4.0]])), 9)
    1.0
    """
    root = _root(second)
    return float(np.trace(first) + np.trace(second) - 2 * np.trace(_root(root @ first @ root)))


def _root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric root; eigenvalues that rounding made negative are zero."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def finite_truth(rate: float, *, grid: int) -> True5:
    """Of the finite source, both representations certified; their codes are taken as they are found.

    Args:
        rate: nats, below H(X).
        grid: reproductions between the outermost letters among which that of least distortion is searched. Its code is
            decoded to E[X|Z], so D1 is reached; the least D over all real reproductions may lie a little below.
    """
    real = Problem(SOURCE, (VALUES[:, None] - np.linspace(VALUES[0], VALUES[-1], grid)) ** 2)
    first = least_distortion(real, LABELS, np.inf, rate)
    last = least_classification(Problem(SOURCE, np.zeros((len(SOURCE), 1))), LABELS, np.inf, rate)
    seen = [extremes(SOURCE, VALUES, LABELS, _representation(least)) for least in (first, last)]
    extreme, third = (printed_extreme_distortion(found, SOURCE, VALUES) for found in seen)
    losses = [found.classification for found in seen]
    status = _worse(first.status, last.status)
    return True5(rate, seen[0].mmse, extreme, third, losses[0], losses[1], status)


def _representation(least: Least) -> np.ndarray:
    kept = least.point.channel[:, least.point.weights > _FAINT]
    return kept / kept.sum(1, keepdims=True)


def shares(count: int) -> np.ndarray:
    """Shares of the largest rate, close together near none."""
    return np.linspace(0.03, 0.99, count) ** 2


FINITE_RATE = float(entropies(SOURCE))
"""H(X) of the finite source, nats."""
FINITE_VARIANCE = float(SOURCE @ VALUES**2 - (SOURCE @ VALUES) ** 2)

Truth = Callable[[float], True5]
"""Of a source, at a rate in nats."""

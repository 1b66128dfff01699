"""The information bottleneck of a discrete source: what R nats about X can say about its label S.

It is the indirect rate-distortion function under logarithmic loss ([A] section IV-C): the reproduction is a soft label
t, the loss - ln t_s, and its least mean over codes of I(X;U) = R is H(S|U). So it is the lifted R(D, C) without a
distortion, with the same certificate.

Reference: N. Tishby, F. Pereira and W. Bialek, The information bottleneck method, 1999; T. Courtade and T. Weissman,
Multiterminal source coding under logarithmic loss, IEEE Trans. IT 2014.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc.inputs import as_inputs, non_negative, refuse_traced
from jaxrd.rdc.lifted.rate import lifted_rate
from jaxrd.rdc.point import Point, entropies
from jaxrd.solution import Status

_SOLVES = 40
_PLAIN = 20  # solves after which the bracket is halved, as rounding may have stopped tangents and chords


class Bottleneck(NamedTuple):
    """The relevant information at a rate: information <= I(R) <= upper.

    It is a maximum: the code gives the lower bound. A code of every rate exists, so that it is never INFEASIBLE.
    """

    information: float
    """I(S;U) of a code of that rate, nats."""
    upper: float
    """No code of that rate has more."""
    status: Status
    point: Point
    """The code: soft labels, weights, channel P(u|x)."""

    @property
    def value(self) -> float:
        """What the code reaches, nats: `information`, under the name that all inverses share."""
        return self.information

    @property
    def lower(self) -> float:
        """Valid lower bound on I(R), nats: `information` again."""
        return self.information

    @property
    def gap(self) -> float:
        """upper - information, nats: the width of the interval that holds I(R)."""
        return self.upper - self.information

    @property
    def converged(self) -> bool:
        """Whether the gap is within the tolerance."""
        return self.status.converged


def _problem(source: ArrayLike, labels: ArrayLike) -> tuple[Problem, np.ndarray, float]:
    """The source with a distortion that is always zero, P(S|X), and H(S).

    Raises:
        InputError: a source that is no pmf, labels that are not one channel from it.
    """
    refuse_traced("source and labels", (source, labels))
    given = np.asarray(source)
    if given.ndim != 1 or given.dtype.kind not in "biuf":
        raise InputError(f"source must be a pmf, shape (n,); got {type(source).__name__}, shape {given.shape}.")
    pmf = given.astype(float)
    problem = Problem(pmf, np.zeros((pmf.size, 1)))
    inputs = as_inputs(problem, labels)
    if len(inputs.labels) != 1:
        raise InputError(f"the bottleneck has one label; got {len(inputs.labels)}.")
    (channel,) = inputs.labels
    return problem, channel, float(entropies(inputs.source @ channel))


def bottleneck_rate(source: ArrayLike, labels: ArrayLike, classification: ArrayLike, **options: float) -> Point:
    """R(C) = min I(X;U) subject to H(S|U) <= C, the least rate of an information bottleneck, certified.

    Inside jit, vmap and grad as `lifted_rate`, with derivatives in source, labels and C.

    Args:
        source: p, shape (n,).
        labels: P(S|X), shape (n, classes).
        classification: C = H(S) - I(S;U), nats, a scalar.
        options: `tol`, `max_cells`, `seed` of `lifted_rate`.

    Returns:
        A `Point`; C < H(S|X): rate +inf, INFEASIBLE.

    Raises:
        InputError: a source that is no pmf, labels that are not one channel from it, a negative C.

    Reference: N. Tishby, F. Pereira and W. Bialek, The information bottleneck method, 1999; [A] section IV-C.

    >>> symmetric = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> round(bottleneck_rate([0.5, 0.5], symmetric, 0.5).rate, 6)  # ln 2 - h((h^-1(.5) - .1) / .8)
    0.317083
    """
    if is_traced(source, labels):
        given: Any = source, np.zeros((*np.shape(source), 1))
        return lifted_rate(Problem(*given), labels, np.inf, classification, **options)  # pyright: ignore
    problem, channel, _ = _problem(source, labels)
    return lifted_rate(problem, channel, np.inf, classification, **options)  # pyright: ignore


def bottleneck_information(source: ArrayLike, labels: ArrayLike, rate: float, *, tol: float = 1e-8) -> Bottleneck:
    """I(R) = max I(S;U) subject to I(X;U) <= R, the most information in an information bottleneck, between bounds.

    Any point of R(C) bounds C(R) from below by its tangent, and from above by the chord to a point on the other side.
    Tangent and chord choose the next target in turn. Where the certificate of R(C) runs out of cells `upper` is loose.

    Args:
        source: p, shape (n,).
        labels: P(S|X), shape (n, classes).
        rate: R >= 0, nats.
        tol: nats between the bounds at which to stop.

    Returns:
        A `Bottleneck`: CONVERGED where upper - information <= tol, else MAX_STEPS.

    Raises:
        InputError: a source that is no pmf, labels that are not one channel from it, a negative rate.

    Reference: N. Tishby, F. Pereira and W. Bialek, The information bottleneck method, 1999; [A] section IV-C.

    >>> found = bottleneck_information([0.5, 0.5], np.array([[0.9, 0.1], [0.1, 0.9]]), 0.317083)
    >>> round(found.information, 4), found.upper - found.information < 1e-7
    (0.1931, True)
    """
    problem, channel, entropy = _problem(source, labels)
    wanted = non_negative("rate", rate)
    least = float(np.asarray(problem.source) @ entropies(channel))  # H(S|X)

    def at(classification: float, start: Point | None) -> Point:
        return lifted_rate(problem, channel, np.inf, classification, start=start)

    left, right = at(least, None), at(entropy, None)
    if left.rate <= wanted:
        return Bottleneck(entropy - least, entropy - least, Status.CONVERGED, left)
    low, met = least, least  # no code of the rate has a smaller loss; the target of `left`
    for step in range(_SOLVES):
        lost = float(right.classification[0])
        if lost - low <= tol:
            break
        slope = float(left.classification_slope[0])
        tangent = met + (left.rate - wanted) / slope if 0 < slope < np.inf else met
        chord = met + (left.rate - wanted) / (left.rate - right.rate) * (lost - met)
        target = (
            tangent if step % 2 == 0 and met < tangent < lost else 0.5 * (tangent + chord) if step > _PLAIN else chord
        )
        # A rate one rounding unit below H(X) is reached next to the least loss, where all three targets coincide.
        target = max(target, min(met + 0.25 * tol, 0.5 * (met + lost)))
        point = at(target, right)
        price = float(point.classification_slope[0])
        if 0 < price < np.inf:
            low = max(low, target + (point.lower - wanted) / price)
        if point.rate <= wanted:
            right = point
        else:
            left, met = point, target
    lost = float(right.classification[0])
    status = Status.CONVERGED if lost - low <= tol else Status.MAX_STEPS
    return Bottleneck(entropy - lost, entropy - min(low, lost), status, right)

"""Universal representations: one encoder, a decoder for every pair of constraints, and what that costs in rate.

    R(Theta) = inf I(X;Z)  over representations from which every pair of Theta can be decoded,
    A(Theta) = R(Theta) - sup over pairs of their own rates

Reference: [B] definitions 3 and 4; G. Zhang et al., Universal rate-distortion-perception representations for lossy
compression, NeurIPS 2021.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd._sweep import refuse_names
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc.gaussian import vector as vectors
from jaxrd.rdc.inputs import Labels, floats
from jaxrd.rdc.inverse import Solver
from jaxrd.rdc.lifted.rate import lifted_rate
from jaxrd.rdc.perception.least_rate import least_rate
from jaxrd.rdc.perception.program import Decoder, Program
from jaxrd.rdc.perception.rate import as_matrix, checked, tolerance
from jaxrd.rdc.point import FIXED, LIFTED, Point
from jaxrd.rdc.representation.served import Universal, served
from jaxrd.solution import Status, has_converged

_MOST_ATOMS = 1024
_PERCEPTION = "perception"


def _status(*statuses: Any) -> Any:
    """CONVERGED if all points are."""
    fine = [has_converged(status) for status in statuses]
    if is_traced(fine):
        return jnp.where(jnp.stack(fine).all(), jnp.int32(Status.CONVERGED), jnp.int32(Status.STALLED))
    return Status.CONVERGED if all(fine) else Status.STALLED


def _pairs(first: str, one: ArrayLike, second: str, other: ArrayLike, *, most: int = 1) -> tuple[Any, Any]:
    """The pairs' targets: first (pairs,), second (pairs,) or, where `most` is 2, (pairs, labels).

    Raises:
        InputError: they do not match, are empty or NaN; one of the second is negative.
    """
    traced = is_traced(one, other)
    a, b = (jnp.asarray(one), jnp.asarray(other)) if traced else (floats(first, one), floats(second, other))
    if a.ndim != 1 or not 1 <= b.ndim <= most or len(a) != len(b) or a.size == 0:
        raise InputError(f"{first} and {second} must have one entry a pair; got shapes {a.shape} and {b.shape}.")
    if traced:
        return a, b
    if np.isnan(a).any():
        raise InputError(f"{first} must be numbers; got nan for pair {np.isnan(a).argmax()}.")
    if not (b >= 0).all():
        raise InputError(f"{second} must be >= 0; got {b[~(b >= 0)][0]:g}.")
    return a, b


def universal_lifted_rate(
    problem: Problem,
    labels: Labels,
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    solver: Solver = lifted_rate,
) -> Universal:
    """R(Theta) and A(Theta) where decoders may emit soft labels: R(Theta) = R(least D, least C), certified.

    What can be decoded from Z is the quadrant D >= E min_xh E[d|Z], C >= H(S|Z): serving all pairs means meeting the
    least of each target at once.

    Args:
        problem: source (n,), distortion (n, m).
        labels: P(S|X), shape (n, classes); or a list of such channels, one for each label.
        distortion: D of each pair, in the problem's unit, shape (pairs,); inf for no constraint.
        classification: C of each pair, nats, shape (pairs,); for several labels (pairs, labels).
        solver: `lifted_rate`, or `perceptual_lifted_rate` with a perception bound that every decoder keeps: who decodes
            the least D within the bound, and H(S|Z), serves all pairs there too.

    Raises:
        InputError: as `lifted_rate`; targets that do not pair up.

    Reference: [B] definitions 3 and 4, equations (6) and (7).

    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> found = universal_lifted_rate(problem, np.array([[1.0, 0.0], [0.5, 0.5]]), [0.1, np.inf], [np.inf, 0.3])
    >>> round(found.penalty, 6)
    0.02755
    """
    corner, each = _corner_and_each(solver, problem, labels, distortion, classification)
    rates, lowers = [point.rate for point in each], [point.lower for point in each]
    status = _status(corner.status, *(point.status for point in each))
    return served(LIFTED, corner.rate, corner.lower, rates, lowers, status)


def universal_bounds(
    problem: Problem, labels: Labels, distortion: ArrayLike, classification: ArrayLike, *, solver: Solver
) -> Universal:
    """Bounds on R(Theta) and A(Theta) in the literal or the time-shared semantics.

    The code of the corner (least D, least C) serves all pairs. An encoder Z that serves them serves the corner in the
    lifted semantics, as H(S|Z) <= H(S|Xh_i): R_lifted(least D, least C) <= R(Theta) <= R(least D, least C).

    Args:
        problem: source (n,), distortion (n, m).
        labels: P(S|X), shape (n, classes); or a list of such channels, one for each label.
        distortion: D of each pair, shape (pairs,); inf for no constraint.
        classification: C of each pair, nats, shape (pairs,); for several labels (pairs, labels).
        solver: `literal_rate` or `time_shared_rate`.

    Returns:
        A `Universal`, ACHIEVABLE: `rate` is reached, `lower` and `penalty_lower` are valid.

    Raises:
        InputError: as the solver; targets that do not pair up.

    >>> problem, labels = Problem(np.array([0.7, 0.3]), 1 - np.eye(2)), np.array([[1.0, 0.0], [0.5, 0.5]])
    >>> found = universal_bounds(problem, labels, [0.1, np.inf], [np.inf, 0.3], solver=lifted_rate)
    >>> round(found.lower, 4), round(found.rate, 4)
    (0.316, 0.316)
    """
    corner, each = _corner_and_each(solver, problem, labels, distortion, classification)
    rates, lowers = [point.rate for point in each], [point.lower for point in each]
    return served(corner.semantics, corner.rate, max(corner.lower, *lowers), rates, lowers, Status.ACHIEVABLE)


def _corner_and_each(
    solver: Solver, problem: Problem, labels: Labels, distortion: ArrayLike, classification: ArrayLike
) -> tuple[Point, list[Point]]:
    """The point of the least targets together, and that of each pair."""
    refuse_names(solver, "jaxrd.rdc.literal_rate")
    d, c = _pairs("distortion", distortion, "classification", classification, most=2)
    each = [solver(problem, labels, *pair) for pair in zip(d, c, strict=True)]
    return solver(problem, labels, d.min(), c.min(0)), each


def universal_fixed_classifier_rate(
    problem: Problem,
    cross_entropy: ArrayLike,
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    tol: float | None = None,
) -> Universal:
    """R(Theta) and A(Theta) for a given classifier: min I(X; Xh_1..Xh_k), every Xh_i meeting its own pair; certified.

    Args:
        problem: source (n,), distortion (n, m), finite.
        cross_entropy: - sum_s P(s|x) ln c(s|xh), nats, finite, shape (n, m).
        distortion: D of each pair, in the problem's unit, shape (pairs,); inf for no constraint.
        classification: C of each pair, nats, shape (pairs,); inf for no constraint.
        tol: certified gap, nats, relative to max(1, R); None: by dtype.

    Raises:
        InputError: bad shapes or values; more than 1024 joint reproductions (m ** pairs that no other pair implies).

    Reference: [B] definitions 3 and 4, equations (6) and (7); section V (the given classifier).

    >>> problem = Problem(jnp.array([0.7, 0.3]), 1 - jnp.eye(2))
    >>> loss = -jnp.log(jnp.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> found = universal_fixed_classifier_rate(problem, loss, [0.2, 0.3], [jnp.inf, jnp.inf])
    >>> found.penalty < 1e-4, found.status.name
    (True, 'CONVERGED')
    """
    d, c = _pairs("distortion", distortion, "classification", classification)
    problem, _, _ = checked(problem, None, square=False)
    costs = jnp.stack([jnp.asarray(problem.distortion), as_matrix("cross_entropy", cross_entropy, problem)])
    letters = costs.shape[2]
    p = jnp.asarray(problem.source)

    def decoder(pair: Any, letter: np.ndarray) -> Decoder:
        return Decoder(jnp.asarray(letter), costs, jnp.asarray(pair, p.dtype), None, jnp.asarray(jnp.inf, p.dtype), p)

    return _joint(FIXED, p, _side_by_side(d, c), letters, decoder, tol)


def universal_perceptual_rate(
    problem: Problem,
    distortion: ArrayLike,
    perception: ArrayLike,
    *,
    measure: Any = None,
    tol: float | None = None,
) -> Universal:
    """R(Theta) and A(Theta) of pairs (D, P): min I(X; Xh_1..Xh_k), every Xh_i meeting its own pair; certified.

    Args:
        problem: source (n,), distortion (n, m), finite.
        distortion: D of each pair, shape (pairs,); inf for no constraint.
        perception: P of each pair, shape (pairs,); inf for no constraint.
        measure: of `jaxrd.rdc.perception.measures`; None: `TotalVariation()`.
        tol: certified gap, nats, relative to max(1, R); None: by dtype.

    Raises:
        InputError: bad shapes or values; more than 1024 joint reproductions (m ** pairs that no other pair implies).

    >>> bernoulli = Problem(jnp.array([0.7, 0.3]), 1 - jnp.eye(2))
    >>> found = universal_perceptual_rate(bernoulli, [0.1, 0.12], [jnp.inf, 0.0])
    >>> round(found.penalty, 4)
    0.0025
    """
    d, bounds = _pairs("distortion", distortion, "perception", perception)
    problem, chosen, _ = checked(problem, measure)
    p, matrix = jnp.asarray(problem.source), jnp.asarray(problem.distortion)

    def decoder(pair: Any, letter: np.ndarray) -> Decoder:
        one, use, target = checked(problem, chosen, distortion=pair[0], perception=pair[1])
        allowed, law = target["distortion"][None], jnp.asarray(one.source)
        return Decoder(jnp.asarray(letter), matrix[None], allowed, use, target["perception"], law)

    return _joint(_PERCEPTION, p, _side_by_side(d, bounds), matrix.shape[1], decoder, tol)


def _side_by_side(one: Any, other: Any) -> Any:
    return (jnp if is_traced(one, other) else np).stack([one, other], 1)


def _undominated(pairs: np.ndarray) -> np.ndarray:
    """Pairs that no other one implies, each once."""
    pairs = np.unique(pairs, axis=0)
    implied = [any((other <= pair).all() and (other < pair).any() for other in pairs) for pair in pairs]
    return pairs[~np.array(implied)]


def _joint(semantics: str, source: jax.Array, pairs: Any, letters: int, decoder: Any, tol: float | None):
    """The joint program over all tuples of letters, and each pair's own."""
    kept = pairs if is_traced(pairs) else _undominated(pairs)
    if letters ** len(kept) > _MOST_ATOMS:
        raise InputError(
            f"{letters} reproductions for {len(kept)} pairs make {letters ** len(kept)} joint ones, more than "
            f"{_MOST_ATOMS}. Pass fewer pairs."
        )

    def solved(chosen: np.ndarray):
        tuples = np.indices((letters,) * len(chosen)).reshape(len(chosen), -1)
        decoders = tuple(decoder(pair, letter) for pair, letter in zip(chosen, tuples, strict=True))
        none = jnp.zeros((0, source.size, tuples.shape[1]), source.dtype)
        program = Program(source, none, jnp.zeros(0, source.dtype), decoders)
        return least_rate(program, tolerance(source.dtype, tol))

    together = solved(kept)
    each = [solved(pair[None]) for pair in pairs]
    return _of_points(semantics, together, each)


def _of_points(semantics: str, together: Any, each: list[Any]) -> Universal:
    """Of points computed by JAX, as Python's numbers where they are known."""
    status = _status(*(one.status for one in (together, *each)))
    rate, lower, rates, lowers = together.rate, together.lower, [one.rate for one in each], [one.lower for one in each]
    if not is_traced(rate, rates):
        rate, lower, rates, lowers = jax.tree.map(float, (rate, lower, rates, lowers))
    return served(semantics, rate, lower, rates, lowers, status)


def universal_vector_gaussian_rate(
    source: vectors.VectorSource, distortion: ArrayLike, classification: ArrayLike, *, tol: float | None = None
) -> Universal:
    """R(Theta) and A(Theta) of a Gaussian vector with a scalar Gaussian label: R(least D, least C), not zero penalty.

    Args:
        source: Sigma, a, w.
        distortion: D of each pair, total squared error, shape (pairs,); inf for no constraint.
        classification: C of each pair, h(S|U), nats, shape (pairs,); may be negative; inf for no constraint.
        tol: as in `jaxrd.rdc.gaussian.vector.rate_at`.

    Raises:
        ValueError: as `jaxrd.rdc.gaussian.vector.rate_at`, and targets that do not pair up.

    >>> source = vectors.VectorSource(jnp.diag(jnp.array([2.0, 1.0])), jnp.array([0.0, 1.0]), 0.5)
    >>> round(universal_vector_gaussian_rate(source, [1.0, np.inf], [np.inf, 1.1]).penalty, 3)
    0.361
    """
    traced = is_traced(distortion, classification)
    d = jnp.asarray(distortion) if traced else floats("distortion", distortion)
    c = jnp.asarray(classification) if traced else floats("classification", classification)
    if d.ndim != 1 or d.shape != c.shape or d.size == 0:
        raise InputError(f"distortion and classification must have one entry a pair; got {d.shape} and {c.shape}.")
    corner = vectors.rate_at(source, d.min(), c.min(), tol=tol)
    each = [vectors.rate_at(source, *pair, tol=tol) for pair in zip(d, c, strict=True)]
    return _of_points(LIFTED, corner, each)

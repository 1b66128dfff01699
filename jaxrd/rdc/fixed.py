"""The rate-distortion-classification function for a given classifier: linear constraints, certified."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd._threads import one_blas_thread
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc import _traced
from jaxrd.rdc.inputs import Labels, as_inputs, as_problem, as_targets, floats, listed
from jaxrd.rdc.lifted.atoms import EDGE, forbidding_loss, log, unaffordable
from jaxrd.rdc.master import channel_of, exponent_of, master
from jaxrd.rdc.point import FIXED, Point, entropies, infeasible, mutual_information
from jaxrd.solution import Status

_EPSILON = 32 * np.finfo(float).eps
_BEYOND = 1e-9  # nats above H(X), which no feasible problem needs


class Linear(NamedTuple):
    """The optimum of a finite problem under linear constraints; rate +inf with lower +inf where it is infeasible."""

    rate: float  # +inf where the solver reached no channel that keeps the constraints
    lower: float
    reached: np.ndarray  # (constraints,)
    slopes: np.ndarray  # (constraints,), +inf where a target is the least possible
    channel: np.ndarray  # (n, m)


def cross_entropies(labels: Labels, classifier: ArrayLike | Sequence[ArrayLike]) -> np.ndarray:
    """E[-ln c(S|xh) | x] of a classifier c, the matrix `fixed_classifier_rate` takes; traced where an argument is.

    Args:
        labels: P(S|X), shape (n, classes).
        classifier: c(s|xh), a pmf for each reproduction, shape (m, classes).

    Returns:
        Shape (n, m), nats; +inf where the classifier excludes a class that occurs. A row of labels that is all NaN
        (0/0: a letter of mass zero) stays NaN.

    Raises:
        InputError: a row of either is no pmf, or the classes do not match.

    Reference: [B] section V (the classification loss CE).

    >>> cross_entropies(np.eye(2), np.array([[0.5, 0.5]])).round(3).tolist()
    [[0.693], [0.693]]
    """
    if is_traced(labels, classifier):
        return _traced_cross_entropies(labels, classifier)
    given = floats("labels", labels)
    known = np.asarray(~np.isnan(given).all(1) if given.ndim == 2 else np.ones(given.shape[:1] or 1, bool))
    p = as_inputs(Problem(known / max(known.sum(), 1), np.zeros((len(known), 1))), labels).labels[0]
    rows = np.ones(floats("classifier", classifier).shape[:1] or 1)  # a scalar has no rows: it is refused below
    c = as_inputs(Problem(rows / len(rows), np.zeros((len(rows), 1))), classifier).labels[0]
    if p.shape[1] != c.shape[1]:
        raise InputError(f"classifier must have the labels' {p.shape[1]} classes; got {c.shape[1]}.")
    return np.where(known[:, None], np.maximum(-_product(p, log(c)), 0), np.nan)


def _traced_cross_entropies(labels: Any, classifier: Any) -> Any:
    p, c = (jnp.asarray(a) for a in (labels, classifier))
    if p.ndim != 2 or c.ndim != 2 or p.shape[1] != c.shape[1]:
        raise InputError(f"labels must have shape (n, classes), classifier (m, classes); got {p.shape} and {c.shape}.")
    p, c = (a / a.sum(1, keepdims=True) for a in (p, c))
    never = (p > 0).astype(p.dtype) @ (c <= 0).astype(p.dtype).T > 0
    return jnp.where(never, jnp.inf, -p @ jnp.log(jnp.where(c > 0, c, 1)).T)


def _product(p: np.ndarray, logarithms: np.ndarray) -> np.ndarray:
    product = p @ logarithms.T
    return np.where(product < -1e10, -np.inf, product)


def linear(source: np.ndarray, tables: np.ndarray, targets: np.ndarray) -> Linear:
    """min I(X;Y) subject to E tables_i <= targets_i, for any number of constraints.

    Args:
        source: p, shape (n,).
        tables: shape (constraints, n, m); +inf forbids a pair unless its target is inf. The first one's always does.
        targets: shape (constraints,), inf for no constraint.
    """
    kept = np.flatnonzero(source > 0)
    p, d = source[kept], tables[:, kept]
    finite = np.isfinite(targets)
    allowed = np.isfinite(d[0]) & np.isfinite(d[finite]).all(0)
    exact = np.zeros(len(targets), bool)
    forbidden: list[tuple[float, float]] = []  # (budget, least excess) of affordable pairs that were forbidden
    nowhere = Linear(
        np.inf, np.inf, np.full(len(targets), np.inf), np.full(len(targets), np.inf), np.zeros((len(source), 0))
    )
    first = True
    while True:
        if not allowed.any(1).all():
            return nowhere
        least = np.where(finite[:, None], np.where(allowed, d, np.inf).min(2), 0)
        excess = np.where(allowed, d - least[:, :, None], np.inf)
        budgets, size = np.where(finite, targets - least @ p, np.inf), np.abs(least) @ p
        if (budgets < -EDGE * size).any():
            return nowhere
        # After the first round only tables that must be the least possible forbid pairs, which are not in `forbidden`.
        asked = np.where(finite & ~exact & (first | (budgets <= EDGE * size)), budgets if first else 0.0, np.inf)
        far = np.array([unaffordable(*one) for one in zip(excess, least, asked, strict=True)])
        if not far.any():
            break
        forbidden += [(b, e[f].min()) for b, e, f in zip(budgets, excess, far, strict=True) if first and f.any()]
        left = allowed & ~far.any(0)
        # Only the best reproductions of each letter are left, which may leave fewer for the other constraints.
        exact |= far.any((1, 2)) & (np.where(left & finite[:, None, None], excess, 0).max((1, 2)) <= EDGE * size)
        allowed, first = left, False
    # A constraint that every channel meets alike binds nothing.
    binding = finite & ~exact & (np.where(allowed & finite[:, None, None], excess, 0).max((1, 2)) > EDGE * size)
    cost = np.where(allowed, 0, np.inf)
    usable = allowed.any(0)
    charges, budgets = excess[binding][:, :, usable], budgets[binding]
    with one_blas_thread():
        dual = master(p, cost[:, usable], charges, budgets, ceiling=float(entropies(p)) + 1)
    exponent = exponent_of(cost[:, usable], charges, dual.slopes)
    level = (p[:, None] * np.exp(dual.potential[:, None] - exponent)).sum(0).max()
    lower = float(p @ dual.potential - np.log(level) - dual.slopes @ budgets)
    lower -= _EPSILON * (1 + np.abs(dual.potential).max() + dual.slopes @ (budgets + size[binding] / 4))
    top = dual.potential.max()
    weight = float(top + np.log(p @ np.exp(dual.potential - top)))
    lower -= sum(forbidding_loss(*one, weight) for one in forbidden)
    if lower > entropies(p) + _BEYOND:
        return nowhere
    channel = np.zeros((len(source), d.shape[2]))
    inner = channel_of(p, exponent, dual.weights)
    channel[np.ix_(kept, np.flatnonzero(usable))] = inner
    rest = np.flatnonzero(source <= 0)
    channel[np.ix_(rest, np.flatnonzero(usable))] = p @ inner
    joint = source[:, None] * channel
    reached = (np.where(joint > 0, tables, 0) * joint).sum((1, 2))
    slopes = np.where(exact, np.inf, 0.0)
    slopes[binding] = dual.slopes
    # The rounding of the offsets does not count as excess.
    rate = mutual_information(source, channel) if (reached <= targets + _EPSILON / 4 * size)[binding].all() else np.inf
    return Linear(rate, max(float(lower), 0.0), reached, slopes, channel)


def fixed_classifier_rate(
    problem: Problem,
    cross_entropy: ArrayLike | Sequence[ArrayLike],
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    start: Point | None = None,
    tol: float = 1e-9,
) -> Point:
    """The rate for a given classifier c, which must do well on the reproduction itself, certified.

        R(D, C) = min I(X;Xh)  subject to  E Delta(X, Xh) <= D,  E[-ln c_k(S_k|Xh)] <= C_k

    Both constraints are linear in the channel: convex, nonincreasing, above the literal function. It is what a trained
    codec with a pretrained classifier minimises. Runs on the host in float64; inside jit, vmap and grad see `Point`.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        cross_entropy: E[-ln c(S|xh) | x], nats, shape (n, m) (see `cross_entropies`); or a list, one for each label.
        distortion: D, in the unit of the problem's distortion; inf for no constraint.
        classification: C, nats, inf for no constraint; for several labels one number each.
        start: not needed and not read; here so that all semantics are called alike.
        tol: certified gap asked, nats, relative to max(1, R).

    Returns:
        A `Point` over the m reproductions, `classification` the mean cross entropies; rate +inf, INFEASIBLE where no
        channel meets the targets. STALLED where the gap is larger than `tol`.

    Raises:
        InputError: shapes that do not match, NaN or a negative cross entropy of a letter that occurs, a target that is
            NaN, a negative C.

    Reference: [B] section V.

    >>> problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> loss = cross_entropies(np.eye(2), np.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> round(fixed_classifier_rate(problem, loss, 0.2, np.inf).rate, 4)  # ln 2 - h(.2)
    0.1927
    """
    del start
    if is_traced(problem, cross_entropy, distortion, classification):
        solver = partial(fixed_classifier_rate, tol=tol)
        return _traced.rate(FIXED, solver, problem, cross_entropy, distortion, classification)
    source, d = as_problem(problem)
    losses = [floats("cross_entropy", a) for a in listed(cross_entropy)]
    for k, loss in enumerate(losses):
        if loss.shape != d.shape:
            raise InputError(f"cross_entropy must have the distortion's shape {d.shape}; got {loss.shape}.")
        losses[k] = loss = np.where(source[:, None] > 0, loss, 0.0)
        if not (loss >= 0).all():
            raise InputError(f"cross_entropy must be >= 0; got {loss[~(loss >= 0)][0]:g}.")
    targets = as_targets(len(losses), distortion, classification)
    optimum = linear(source, np.stack([d, *losses]), targets)
    if optimum.lower == np.inf:
        return infeasible(FIXED, len(source), len(losses))
    weights = source @ optimum.channel
    close = np.isfinite(optimum.rate) and optimum.rate - optimum.lower <= tol * max(1, optimum.rate)
    return Point(
        FIXED, optimum.rate, optimum.lower, Status.CONVERGED if close else Status.STALLED, float(optimum.reached[0]),
        optimum.reached[1:], float(optimum.slopes[0]), optimum.slopes[1:], np.arange(d.shape[1]), (), weights,
        optimum.channel,
    )  # fmt: skip

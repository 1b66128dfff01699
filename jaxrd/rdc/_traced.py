"""R(D, C) and its inverses inside jit, vmap and grad: the solver on the host as a callback, with first derivatives.

At the optimum nothing is gained by moving the channel or the soft labels, so that a derivative of the rate is that of

    I(X;U) + mu_D (E Delta - D) + sum_k mu_k (E loss_k - C_k),    loss_k(x, u) = - sum_s P(s|x) ln t_us for soft labels

with both held (envelope theorem): -mu_D in D, -mu_k in C_k, mu_D p(x) W(xh|x) in Delta(x, xh), the mean over u of
- mu_k p(x) ln t_us in P(s|x), and in p(x) the term of letter x. Over the multiplier of a target it gives that target's
inverse. A source and the rows of a label channel are divided by their sums; the derivatives are those of this.

Reference: P. Milgrom and I. Segal, Envelope theorems for arbitrary choice sets, Econometrica 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._callback import Answer, on_host
from jaxrd.errors import InputError
from jaxrd.problem import Problem, as_arrays
from jaxrd.rdc.inputs import listed, refuse_traced
from jaxrd.rdc.point import FIXED, Least, Point
from jaxrd.solution import Status


class Given(NamedTuple):
    """What a point depends on."""

    source: Any  # (n,), of any sum
    distortion: Any  # (n, m)
    labels: tuple[Any, ...]  # P(S_k|X), each (n, classes_k), rows of any sum; losses (n, m) of a given classifier
    targets: Any  # (1 + labels,): D, C_1, ..., C_K


def as_given(semantics: str, problem: Problem, labels: Any, distortion: Any, classification: Any) -> Given:
    """The arguments as arrays of one floating dtype.

    Raises:
        InputError: shapes that do not belong together.
    """
    problem = as_arrays(problem)
    source, matrix = jnp.asarray(problem.source), jnp.asarray(problem.distortion)
    tables, bounds = tuple(jnp.asarray(a) for a in listed(labels)), jnp.atleast_1d(jnp.asarray(classification))
    for table in tables:
        fits = table.ndim == 2 and len(table) == source.size and table.size
        if not fits or (semantics == FIXED and table.shape != matrix.shape):
            columns = matrix.shape[1] if semantics == FIXED else "classes"
            raise InputError(f"labels must have shape ({source.size}, {columns}); got {table.shape}.")
    if np.ndim(distortion) != 0 or bounds.shape != (len(tables),):
        raise InputError(
            f"distortion must be one number and classification one for each label; got shapes {np.shape(distortion)} "
            f"and {bounds.shape}. For many points use jax.vmap."
        )
    targets = jnp.append(jnp.asarray(distortion), bounds)
    dtype = jnp.result_type(source, *tables, targets)
    return jax.tree.map(lambda a: a.astype(dtype), Given(source, matrix, tables, targets))


def rate(
    semantics: str,
    solver: Callable[..., Point],
    problem: Problem,
    labels: Any,
    distortion: Any,
    classification: Any,
    start: Point | None = None,
) -> Point:
    """A point whose rate has derivatives in the problem, the labels and the targets.

    Args:
        semantics: of the solver, "lifted" or "fixed".
        solver: (problem, labels, distortion, classification, *, start) -> Point.
        problem, labels, distortion, classification: as the solver takes them, some of them traced.
        start: a known point, or None.
    """
    refuse_traced("start", start)
    given = as_given(semantics, problem, labels, distortion, classification)
    blank = blank_point(semantics, given)

    def solve(given: Given) -> Answer:
        problem = Problem(given.source, given.distortion)
        point = solver(problem, list(given.labels), given.targets[0], given.targets[1:], start=start)
        known = point.rate < np.inf
        slopes = derivative(given, point, 1.0, multipliers(point)) if known else constant(given, point.status)
        return Answer(point.rate, point.lower, as_shaped(point, blank), slopes)

    found, lower, point = on_host(solve, given, blank)
    return _with_letters(replace(point, rate=found, lower=lower), given)


def least(
    semantics: str,
    solver: Callable[[Problem, Sequence[np.ndarray], np.ndarray, float], Least],
    given: Given,
    which: int,
    rate: Any,
) -> Least:
    """The least of one target at a rate, whose value has derivatives in all that is given.

    Args:
        semantics: of the solver, "lifted" or "fixed".
        solver: (problem, labels, targets, rate) -> Least.
        given: the targets too, of which `which` is not read.
        which: place of the least one among D, C_1, ..., C_K.
        rate: R, nats.
    """
    if np.ndim(rate) != 0:
        raise InputError(f"rate must be one number; got shape {np.shape(rate)}. For many use jax.vmap.")
    blank = blank_point(semantics, given)

    def solve(both: tuple[Given, np.ndarray]) -> Answer:
        given, limit = both
        found = solver(Problem(given.source, given.distortion), list(given.labels), given.targets, float(limit))
        slopes = _of_least(given, found.point, which) if found.value < np.inf else constant(both, found.status)
        return Answer(found.value, found.lower, (found.status, as_shaped(found.point, blank)), slopes)

    both = given, jnp.asarray(rate, given.source.dtype)
    value, lower, rest = on_host(solve, both, (Status.NONFINITE, blank))
    return Least(value, lower, rest[0], semantics, _with_letters(rest[1], given))


def _of_least(given: Given, point: Point, which: int) -> tuple[Given, float]:
    """The derivatives of one target at a fixed rate: those of the rate over the target's multiplier; and that in R."""
    mu = multipliers(point)
    with np.errstate(divide="ignore", invalid="ignore"):
        price, prices = float(1 / mu[which]), np.where(mu == 0, 0, mu / mu[which])
    prices[which] = 1
    slopes = derivative(given, point, price, prices)
    slopes.targets[which] = 0
    return slopes, -price


def derivative(given: Given, point: Point, price: float, prices: np.ndarray) -> Given:
    """d/d given of  price I(X;U) + sum_i prices_i (E charge_i - target_i)  at a point, channel and soft labels held.

    Zero for letters of mass zero, which are not read.

    Args:
        given: in numpy.
        point: its solution.
        price: of the rate; may be inf.
        prices: of D, C_1, ..., C_K, shape (1 + labels,); may be inf.
    """
    total, kept = given.source.sum(), given.source > 0
    p = given.source / total
    channel = np.where(kept[:, None], point.channel, 0)
    joint, shape = p[:, None] * channel, given.distortion.shape

    def mean(charge: np.ndarray) -> np.ndarray:
        """E[charge | x], shape (n,)."""
        return (np.where(channel > 0, charge, 0) * channel).sum(1)

    with np.errstate(divide="ignore", invalid="ignore"):
        by_letter = _times(price, mean(np.log(channel / point.weights)))
        by_letter += _times(prices[0], mean(given.distortion[:, point.reproduction]))
        d_labels = []
        for k, table in enumerate(given.labels):
            if point.semantics == FIXED:
                charge, slope = table[:, point.reproduction], _onto(joint, point.reproduction, shape)
            else:
                charge, slope = _of_soft_labels(np.where(kept[:, None], table, 1), joint, point.soft_labels[k])
            by_letter += _times(prices[1 + k], mean(charge))
            d_labels.append(_times(prices[1 + k], slope))
        d_source = np.where(kept, by_letter - p[kept] @ by_letter[kept], 0) / total
    return Given(d_source, _times(prices[0], _onto(joint, point.reproduction, shape)), tuple(d_labels), -prices)


def _of_soft_labels(table: np.ndarray, joint: np.ndarray, soft: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """- sum_s P(s|x) ln t_us, shape (n, atoms), and the derivative of its mean in a table, P(s|x) = row / sum of row.

    +inf where a class of probability zero cannot occur at an atom either.
    """
    sums = table.sum(1, keepdims=True)
    rows, costs = table / sums, -np.log(np.where(soft > 0, soft, 1))
    slope = joint @ costs + np.where(joint @ (soft <= 0) > 0, np.inf, 0)
    return rows @ costs.T, (slope - np.where(rows > 0, rows * slope, 0).sum(1, keepdims=True)) / sums


def _onto(joint: np.ndarray, reproduction: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """P(x, xh) from P(x, u)."""
    total = np.zeros(shape)
    np.add.at(total.T, reproduction, joint.T)
    return total


def _times(price: float, a: np.ndarray) -> np.ndarray:
    """price a, zero where either is."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where((a == 0) | (price == 0), 0, price * a)


def constant(given: Any, status: Status) -> Any:
    """Derivatives of a value that is +inf: zero, as everywhere in the package, if no code exists; else not known."""
    value = 0.0 if status == Status.INFEASIBLE else np.nan
    return jax.tree.map(lambda a: np.full_like(a, value), given)


def multipliers(point: Point) -> np.ndarray:
    return np.append(point.distortion_slope, point.classification_slope)


def blank_point(semantics: str, given: Given) -> Point:
    """A point of values that are no problem; atoms only where their number is fixed, as for a given classifier."""
    nan, each, none = np.nan, np.full(len(given.labels), np.nan), None
    weights, channel = np.full(given.distortion.shape[1:], nan), np.full(given.distortion.shape, nan)
    atoms: Any = (none, (), weights, channel) if semantics == FIXED else (none, none, none, none)
    return Point(semantics, nan, -np.inf, Status.NONFINITE, nan, each, nan, each, *atoms)


def as_shaped(point: Point, blank: Point) -> Point:
    """A point with the fields of `blank`; where its channel has no atoms that of `blank`."""
    kept = point if point.channel.size else blank
    fixed = blank.channel is not None
    return replace(
        point,
        reproduction=blank.reproduction,
        soft_labels=blank.soft_labels,
        weights=kept.weights if fixed else blank.weights,
        channel=kept.channel if fixed else blank.channel,
    )


def _with_letters(point: Point, given: Given) -> Point:
    """The reproductions, of a given classifier the atoms."""
    return point if point.channel is None else replace(point, reproduction=np.arange(given.distortion.shape[1]))

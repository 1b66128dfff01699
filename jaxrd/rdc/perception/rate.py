"""Rate, distortion and perception of a discrete source: the law of the reproductions must stay near the source's.

    R(D, P) = min I(X; Xh)  subject to  E d(X, Xh) <= D,  measure(p_X, p_Xh) <= P

Convex for every measure of `jaxrd.rdc.perception.measures`, so a dual point certifies it. A given classifier adds one
linear constraint, its mean cross entropy (the semantics "fixed"); for soft labels see `jaxrd.rdc.perception.lifted`.

Reference: Y. Blau and T. Michaeli, Rethinking lossy compression: the rate-distortion-perception tradeoff, ICML 2019;
Y. Wang et al., Lossy compression with data, perception, and classification constraints, ITW 2024 ([B]'s [1]).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced, known, refuse_unless, refuse_words
from jaxrd._room import make_room
from jaxrd.errors import InputError
from jaxrd.information import mutual_information
from jaxrd.problem import Problem, as_arrays, validate
from jaxrd.pytree import register
from jaxrd.rdc.perception.least_rate import least_rate
from jaxrd.rdc.perception.measures import RelativeEntropy, ReverseRelativeEntropy, TotalVariation, Wasserstein
from jaxrd.rdc.perception.program import Decoder, Program
from jaxrd.rdc.point import width
from jaxrd.solution import Status, has_converged

_UNCONSTRAINED = float("inf")
_MEASURES = (TotalVariation, Wasserstein, RelativeEntropy, ReverseRelativeEntropy)


@register
@dataclass(frozen=True)
class PerceptualPoint:
    """A point of a rate-distortion-perception function: lower <= R at the targets <= rate.

    Args:
        rate: of the channel, nats; +inf where no channel meets the targets.
        lower: valid lower bound on R at the targets, nats.
        distortion: E d(X, Xh) of the channel.
        perception: the measure at its output law; for a transport cost the cost of a coupling, which bounds it.
        classification: mean cross entropy of the classifier given, nats; NaN without one.
        distortion_slope: -dR/dD >= 0.
        perception_slope: -dR/dP >= 0.
        classification_slope: -dR/dC >= 0.
        channel: P(xh|x), shape (n, m).
        steps: Newton steps.
        status: a `Status` as int32: CONVERGED where rate - lower is within the tolerance and the channel meets the
            targets (to 1e-10 of each one's range), STALLED where one of these fails, INFEASIBLE.
    """

    rate: jax.Array
    lower: jax.Array
    distortion: jax.Array
    perception: jax.Array
    classification: jax.Array
    distortion_slope: jax.Array
    perception_slope: jax.Array
    classification_slope: jax.Array
    channel: jax.Array
    steps: jax.Array
    status: jax.Array

    @property
    def gap(self) -> jax.Array:
        """rate - lower, nats: the width of what is known; 0 where infeasible."""
        return jnp.maximum(width(self.rate, self.lower), 0)

    @property
    def converged(self) -> jax.Array:
        """Whether the gap is within the tolerance and the channel meets the targets."""
        return has_converged(self.status)


def perceptual_rate(
    problem: Problem,
    distortion: ArrayLike,
    perception: ArrayLike,
    *,
    measure: Any = None,
    tol: float | None = None,
) -> PerceptualPoint:
    """R(D, P) = min I(X;Xh) for E d(X, Xh) <= D and measure(p_X, p_Xh) <= P, the least rate at a perception, certified.

    Runs under jit and vmap. The rate has first derivatives in D, P and the problem; all other derivatives are NaN.

    Args:
        problem: source (n,), distortion (n, m), finite.
        distortion: D, a scalar, in the unit of the problem's distortion; inf for no constraint.
        perception: P >= 0, a scalar, in the measure's unit; inf for no constraint. Zero, where it is known when the
            function is traced, asks for equal laws whatever the measure.
        measure: `TotalVariation()` (None), `Wasserstein(cost)`, `RelativeEntropy()` or `ReverseRelativeEntropy()`.
        tol: certified gap, nats, relative to max(1, R), that counts as CONVERGED; None: 1e-9, in float32 1e-4.

    Returns:
        A `PerceptualPoint`; targets that no channel meets: rate +inf, INFEASIBLE.

    Raises:
        InputError: shapes that do not match, a negative or NaN source, an infinite distortion, a NaN target, P < 0.

    Reference: Y. Blau and T. Michaeli, ICML 2019 ([B]'s [8]).

    >>> bernoulli = Problem(jnp.array([0.7, 0.3]), 1 - jnp.eye(2))
    >>> point = perceptual_rate(bernoulli, 0.2, 0.0)  # h(D) falls short of it: the output must stay Bernoulli(0.3)
    >>> round(float(point.rate), 4)
    0.1328
    """
    return _rate(problem, None, distortion, perception, _UNCONSTRAINED, measure, tol)


def perceptual_fixed_classifier_rate(
    problem: Problem,
    cross_entropy: ArrayLike,
    distortion: ArrayLike,
    perception: ArrayLike,
    classification: ArrayLike,
    *,
    measure: Any = None,
    tol: float | None = None,
) -> PerceptualPoint:
    """R(D, P, C) for a given classifier c: R(D, P) under one more constraint, E[-ln c(S|Xh)] <= C; certified.

    Args:
        problem: source (n,), distortion (n, m), finite.
        cross_entropy: - sum_s P(s|x) ln c(s|xh), nats, or any other loss of the classifier, finite, shape (n, m).
        distortion: D, a scalar, in the unit of the problem's distortion; inf for no constraint.
        perception: P >= 0, a scalar, in the measure's unit; inf for no constraint.
        classification: C >= 0, nats, a scalar; inf for no constraint.
        measure, tol: as in `perceptual_rate`.

    Returns:
        A `PerceptualPoint`; targets that no channel meets: rate +inf, INFEASIBLE.

    Raises:
        InputError: as `perceptual_rate`, and a cross entropy that is not finite or of another shape.

    Reference: Y. Wang et al., ITW 2024 ([B]'s [1]); [B] section V (the given classifier).

    >>> problem = Problem(jnp.array([0.7, 0.3]), 1 - jnp.eye(2))
    >>> loss = -jnp.log(jnp.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> round(float(perceptual_fixed_classifier_rate(problem, loss, 0.2, jnp.inf, 0.5).rate), 4)
    0.1401
    """
    return _rate(problem, cross_entropy, distortion, perception, classification, measure, tol)


def checked(
    problem: Problem, measure: Any, *, square: bool = True, **targets: ArrayLike
) -> tuple[Problem, Any, dict[str, jax.Array]]:
    """The problem normalised, the measure to use and the targets in one dtype; values are checked where known.

    Args:
        problem: source (n,), distortion (n, m).
        measure: None for total variation.
        square: whether the measure will be used, and the alphabets must suit it.
        targets: numbers by name, >= 0 but for the distortion, whose unit may be negative.

    Raises:
        InputError: quotes the offending value.
    """
    measure = TotalVariation() if measure is None else measure
    if not isinstance(measure, _MEASURES):
        names = ", ".join(f"{one.__name__}({'cost' if one is Wasserstein else ''})" for one in _MEASURES)
        raise InputError(f"measure must be one of jaxrd.rdc.measures' {names}; got {_quoted(measure)}.")
    if not is_traced(problem):
        make_room()
        validate(problem, tolerance=np.inf)
        if not np.isfinite(np.asarray(problem.distortion)[np.asarray(problem.source) > 0]).all():
            raise InputError("distortion must be finite beside a perception constraint; got +inf. Pass a large cost.")
    problem = as_arrays(problem)
    source = jnp.asarray(problem.source)
    distortion = _masked(source, jnp.asarray(problem.distortion))
    n, m = distortion.shape
    dtype = source.dtype
    if isinstance(measure, Wasserstein):
        shape = jnp.shape(measure.cost)
        if shape != (n, m):
            raise InputError(f"the cost of Wasserstein must have shape {(n, m)}, as the distortion; got {shape}.")
        cost = known(measure.cost)
        if cost is not None and not (np.isfinite(cost) & (cost >= 0)).all():
            raise InputError(f"the cost of Wasserstein must be finite and >= 0; got {cost.tolist()}.")
        measure = Wasserstein(jnp.asarray(measure.cost, dtype))
    elif square and n != m:
        raise InputError(
            f"{type(measure).__name__} compares laws on one alphabet; got {n} source and {m} reproduction letters. "
            "Wasserstein(cost) compares any two."
        )
    bounds = {}
    for name, target in targets.items():
        if np.ndim(target) != 0:
            raise InputError(f"{name} must be one number; got shape {np.shape(target)}. For many use jax.vmap.")
        if name == "distortion":
            refuse_unless(lambda t: ~np.isnan(t), name, target, "one number")
        else:
            refuse_unless(lambda t: t >= 0, name, target, ">= 0")
        bounds[name] = jnp.asarray(target, dtype)
    if _is_equality(measure, targets.get("perception", 1.0)):
        measure = TotalVariation()
    return Problem(source / source.sum(), distortion), measure, bounds


def _is_equality(measure: Any, bound: ArrayLike) -> bool:
    """Whether the bound asks for equal laws, which total variation states best."""
    if is_traced(bound, measure) or float(bound) != 0:  # pyright: ignore
        return False
    if isinstance(measure, Wasserstein):
        cost = np.asarray(measure.cost)
        return cost.shape[0] == cost.shape[1] and bool(((cost > 0) == ~np.eye(len(cost), dtype=bool)).all())
    return True


def _quoted(value: Any) -> str:
    return f"the class {value.__name__}, not one of it" if isinstance(value, type) else repr(value)


def _masked(source: jax.Array, matrix: jax.Array) -> jax.Array:
    """The matrix with rows of zeros for letters of mass zero: nothing depends on them, and 0 * inf must not appear."""
    return jnp.where(source[:, None] > 0, matrix, 0)


def as_matrix(name: str, values: ArrayLike, problem: Problem) -> jax.Array:
    """A finite matrix of the distortion's shape, its rows of mass zero `masked`.

    Raises:
        InputError: it is not.
    """
    source = jnp.asarray(problem.source)
    refuse_words(name, values)
    matrix, shape = jnp.asarray(values, source.dtype), jnp.shape(problem.distortion)
    if matrix.shape != shape:
        raise InputError(f"{name} must have shape {shape}, as the distortion; got {matrix.shape}.")
    if not is_traced(values, source):
        kept = np.asarray(values)[np.asarray(source) > 0]
        if not np.isfinite(kept).all():
            raise InputError(f"{name} must be finite; got {float(kept[~np.isfinite(kept)][0])}.")
    return _masked(source, matrix)


def tolerance(dtype: jnp.dtype, tol: float | None) -> jax.Array:
    """The caller's tolerance; by default 1e-9 in float64, 1e-4 in float32."""
    return jnp.asarray((1e-9 if dtype == jnp.float64 else 1e-4) if tol is None else tol, dtype)


def _rate(
    problem: Problem,
    cross_entropy: ArrayLike | None,
    distortion: ArrayLike,
    perception: ArrayLike,
    classification: ArrayLike,
    measure: Any,
    tol: float | None,
) -> PerceptualPoint:
    problem, measure, target = checked(
        problem, measure, distortion=distortion, perception=perception, classification=classification
    )
    p, d = jnp.asarray(problem.source), jnp.asarray(problem.distortion)
    n, m = d.shape
    costs, bounds = [d], [target["distortion"]]
    if cross_entropy is not None:
        costs.append(as_matrix("cross_entropy", cross_entropy, problem))
        bounds.append(target["classification"])
    decoder = Decoder(jnp.arange(m), jnp.stack(costs), jnp.stack(bounds), measure, target["perception"], p)
    program = Program(p, jnp.zeros((0, n, m), p.dtype), jnp.zeros(0, p.dtype), (decoder,))
    return _solved(program, tolerance(p.dtype, tol))


@jax.jit
def _solved(program: Program, tol: jax.Array) -> PerceptualPoint:
    """The point of a program with one decoder, whose letters are the channel's output."""
    source, solution = program.source, least_rate(program, tol)
    (turn,), (spent,), (perception,) = solution.primal.moves, solution.primal.decoder_costs, solution.primal.perceptions
    (slopes,), (perception_slope,) = solution.slopes.decoders, solution.slopes.perceptions
    possible = solution.status != Status.INFEASIBLE
    channel = solution.primal.channel @ turn
    # The decoder's change of its letters costs no rate, and may reduce it.
    saved = jnp.maximum(mutual_information(source, solution.primal.channel) - mutual_information(source, channel), 0)
    nan = jnp.asarray(jnp.nan, source.dtype)

    def where_possible(value):
        return jnp.where(possible, value, nan)

    return PerceptualPoint(
        rate=solution.rate - jnp.where(possible, jax.lax.stop_gradient(saved), 0),
        lower=solution.lower,
        distortion=where_possible(spent[0]),
        perception=where_possible(perception),
        classification=where_possible(spent[1]) if spent.size > 1 else nan,
        distortion_slope=where_possible(slopes[0]),
        perception_slope=where_possible(perception_slope),
        classification_slope=where_possible(slopes[1]) if spent.size > 1 else nan,
        channel=where_possible(channel),
        steps=solution.steps,
        status=solution.status,
    )

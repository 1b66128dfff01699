"""Vector Gaussian source with a scalar Gaussian label, total squared error: a certified max-det program.

With S = a'X + W and Q = Cov(X|U),

    R(D, C) = min 1/2 ln(|Sigma| / |Q|)   subject to   tr Q <= D,  a'Qa + w <= e^{2C} / (2 pi e),  0 < Q <= Sigma.

This is the optimum among jointly Gaussian test channels; by the extremal inequality of Liu and Viswanath no other
channel does better. Unlike for a scalar source, the best channel for D is not the best for C: universality costs rate.

Reference: beyond [B], whose Theorem 3 fails here; T. Liu and P. Viswanath, An extremal inequality motivated by
multiterminal information-theoretic problems, IEEE Trans. IT 2007.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd._envelope import envelope, underivable
from jaxrd.errors import InputError
from jaxrd.pytree import register
from jaxrd.rdc.gaussian.max_det import STEPS, Whitened, ascend
from jaxrd.rdc.point import width
from jaxrd.solution import Status, has_converged

_HALVINGS = 60


@register
@dataclass(frozen=True)
class VectorSource:
    """A zero-mean Gaussian vector X and the label S = a'X + W ([B] section III, there for a scalar X).

    Args:
        covariance: Sigma of X, positive definite, in the unit of the squared error, shape (d, d).
        direction: a, S's unit over X's, shape (d,).
        noise_variance: w > 0 of W, in S's unit squared, shape ().

    >>> VectorSource(np.eye(2), np.array([0.0, 1.0]), 0.5).noise_variance
    0.5
    """

    covariance: ArrayLike
    direction: ArrayLike
    noise_variance: ArrayLike


@register
@dataclass(frozen=True)
class VectorPoint:
    """A point ([B] definition 1) with its certificate: lower <= R(D, C) <= rate among Gaussian test channels.

    Args:
        rate: 1/2 ln(|Sigma| / |Q|), nats; +inf where no code meets both constraints.
        lower: valid lower bound on R(D, C), nats.
        distortion: tr Q <= D, total squared error.
        classification: h(S|U) of Q, nats, <= C.
        error_covariance: Q, shape (d, d).
        distortion_slope: -dR/dD >= 0, nats per unit of squared error.
        classification_slope: -dR/dC >= 0, nats per nat.
        steps: Newton steps.
        status: a `Status` as int32. It and all scalars have shape ().

    >>> float(rate_at(VectorSource(jnp.eye(2), jnp.array([0.0, 1.0]), 0.5), 2.0, jnp.inf).rate)  # D >= tr Sigma
    0.0
    """

    rate: jax.Array
    lower: jax.Array
    distortion: jax.Array
    classification: jax.Array
    error_covariance: jax.Array
    distortion_slope: jax.Array
    classification_slope: jax.Array
    steps: jax.Array
    status: jax.Array

    @property
    def gap(self) -> jax.Array:
        """rate - lower, nats: certified distance to the optimum; 0 where infeasible, +inf where NONFINITE."""
        return width(self.rate, self.lower)

    @property
    def converged(self) -> jax.Array:
        """Whether the gap is within the tolerance."""
        return has_converged(self.status)


def _inputs(source: VectorSource, *targets: ArrayLike) -> tuple[VectorSource, list[jax.Array]]:
    """Arrays of one floating dtype.

    Raises:
        InputError: shapes that do not belong together; known values: Sigma not symmetric positive definite, w <= 0.
    """
    arrays = [jnp.asarray(a) for a in (source.covariance, source.direction, source.noise_variance, *targets)]
    dtype = jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
    sigma, a, w, *rest = (x.astype(dtype) for x in arrays)
    if sigma.ndim != 2 or a.ndim != 1 or sigma.shape != (a.size, a.size) or w.ndim != 0:
        raise InputError(
            "covariance must have shape (d, d), direction (d,) and noise_variance (); "
            f"got {sigma.shape}, {a.shape} and {w.shape}."
        )
    if any(x.ndim for x in rest):
        raise InputError(f"one point at a time; got shape {next(x.shape for x in rest if x.ndim)}. Use jax.vmap.")
    if not is_traced(sigma, w):
        if not w > 0:
            raise InputError(f"noise_variance must be > 0; got {float(w):g}.")
        matrix = np.asarray(sigma)
        if not np.allclose(matrix, matrix.T, rtol=1e-6, atol=0) or not np.linalg.eigvalsh(matrix)[0] > 0:
            raise InputError(f"covariance must be symmetric and positive definite; got {matrix.tolist()}.")
    return VectorSource(sigma, a, w), rest


def _bounds(source: VectorSource, distortion: jax.Array, classification: jax.Array) -> jax.Array:
    """The bounds on tr Q and a'Qa that D and C give, shape (2,)."""
    return jnp.stack([distortion, jnp.exp(2 * classification - 1) / (2 * jnp.pi) - source.noise_variance])


def _silent(source: VectorSource) -> jax.Array:
    """tr Q and a'Qa at zero rate."""
    sigma, a = jnp.asarray(source.covariance), jnp.asarray(source.direction)
    return jnp.stack([jnp.trace(sigma), a @ sigma @ a])


def _lagrangian(white: Whitened, optimum: tuple[jax.Array, jax.Array]) -> jax.Array:
    """The Lagrangian at the optimum, as a function of the problem alone."""
    theta, shrunk = optimum
    used = jnp.stack([((white.root @ shrunk) * white.root).sum(), white.along @ shrunk @ white.along])
    return 0.5 * theta @ (used - white.bounds)


@jax.jit
def _solve(source: VectorSource, allowed: jax.Array, tol: jax.Array) -> VectorPoint:
    sigma, a, w = (jnp.asarray(x) for x in (source.covariance, source.direction, source.noise_variance))
    eps = jnp.finfo(tol.dtype).eps
    silent = _silent(source)
    rounding = eps * jnp.stack([jnp.zeros_like(w), 4 * w])
    feasible = jnp.where(silent > 0, allowed > rounding, allowed >= -rounding).all()
    sane = ~jnp.isnan(allowed).any()
    # A bound above the value at zero rate, +inf too, becomes that value: it constrains nothing.
    bounds = jnp.where((silent > 0) & feasible, jnp.minimum(allowed, silent), jnp.where(silent > 0, silent, 1))
    root = jnp.linalg.cholesky(sigma)
    white = Whitened(root, root.T @ a, bounds, a.size / bounds)
    theta, optimum, steps = jax.lax.stop_gradient(ascend(jax.lax.stop_gradient(white), tol))

    theta, optimum = underivable(white, (theta, optimum))
    gap = jnp.maximum(optimum.rate - optimum.dual, 0) + 8 * a.size * eps * (1 + optimum.rate)
    rate = envelope(_lagrangian, white, (theta, optimum.shrunk), jnp.maximum(optimum.rate, 0))
    status = jnp.where(steps < STEPS, Status.STALLED, Status.MAX_STEPS)
    status = jnp.where(gap <= tol * jnp.maximum(1, rate), Status.CONVERGED, status)
    status = jnp.where(sane & jnp.isfinite(gap), status, Status.NONFINITE)
    status = jnp.where(sane & ~feasible, Status.INFEASIBLE, status)
    # A bound that zero rate meets has no unique multiplier; a constraint that does not bind has the multiplier 0.
    slopes = jnp.where(allowed < silent, theta, 0)
    q = root @ optimum.shrunk @ root.T
    label_variance = optimum.used[1] + w

    def where_feasible(value):
        return jnp.where(sane & feasible, value, jnp.nan)

    return VectorPoint(
        rate=jnp.where(sane & ~feasible, jnp.inf, where_feasible(rate)),
        lower=jnp.where(sane, jnp.where(feasible, jnp.maximum(optimum.rate, 0) - gap, jnp.inf), -jnp.inf),
        distortion=where_feasible(optimum.used[0]),
        classification=where_feasible(0.5 * (jnp.log(2 * jnp.pi * label_variance) + 1)),
        error_covariance=where_feasible(q),
        distortion_slope=where_feasible(0.5 * slopes[0]),
        classification_slope=where_feasible(slopes[1] * label_variance),
        steps=steps,
        status=status.astype(jnp.int32),
    )


def rate_at(
    source: VectorSource, distortion: ArrayLike, classification: ArrayLike, *, tol: float | None = None
) -> VectorPoint:
    """R(D, C) of a vector Gaussian ([B] definition 1, beyond its Theorem 1), certified; see the module for the program.

    The dual has two multipliers and a closed-form inner solution (eigenvalues of Q in the whitened source: the smaller
    of 1 and 1/m, m those of lambda Sigma + mu Sigma^1/2 a a' Sigma^1/2); its value bounds the rate from below at any
    multipliers, and the Q behind it, shrunk until it is feasible, from above. The rate is differentiable in source, D
    and C, once (envelope theorem); all other derivatives, second ones too, are NaN.

    Args:
        source: Sigma, a, w.
        distortion: D, total squared error, a scalar; +inf for no constraint.
        classification: C, allowed h(S|U), nats, a scalar; may be negative; +inf for no constraint.
        tol: certified gap at which to stop, nats, relative to max(1, R); None: 1e-10 in float64, 1e-5 in float32.

    Returns:
        A `VectorPoint`; INFEASIBLE with rate +inf for D <= 0 and for C <= 1/2 ln(2 pi e w) (D may then be anything).

    Raises:
        InputError: shapes that do not belong together, a covariance that is not positive definite, w <= 0.

    >>> source = VectorSource(jnp.diag(jnp.array([2.0, 1.0])), jnp.array([0.0, 1.0]), 0.5)
    >>> point = rate_at(source, 1.0, 1.2)
    >>> round(float(point.rate), 4), bool(point.gap < 1e-4)
    (1.3893, True)
    """
    source, (d, c) = _inputs(source, distortion, classification)
    return _solve(source, _bounds(source, d, c), _tolerance(d.dtype, tol))


def distortion_at(
    source: VectorSource, classification: ArrayLike, rate: ArrayLike, *, tol: float | None = None
) -> VectorPoint:
    """The least total error at (C, R) ([B] definition 2), D(C, R) = min tr Q subject to rate <= R and h(S|U) <= C.

    Args:
        source: Sigma, a, w.
        classification: C, nats, a scalar.
        rate: R >= 0, nats, a scalar.
        tol: as in `rate_at`.

    Returns:
        Its `VectorPoint`, rate <= R, certified; INFEASIBLE, rate and distortion +inf, where R nats cannot meet C.

    Raises:
        InputError: as `rate_at`, and R < 0.

    >>> source = VectorSource(jnp.diag(jnp.array([2.0, 1.0])), jnp.array([0.0, 1.0]), 0.5)
    >>> round(float(distortion_at(source, 1.2, 1.389326).distortion), 3)
    1.0
    """
    source, (c, r) = _inputs(source, classification, rate)
    _refuse_negative("rate", r)
    point = _least(source, _bounds(source, jnp.full_like(c, jnp.inf), c), r, _tolerance(r.dtype, tol), which=0)
    return replace(point, distortion=jnp.where(point.status == Status.INFEASIBLE, jnp.inf, point.distortion))


def classification_at(
    source: VectorSource, distortion: ArrayLike, rate: ArrayLike, *, tol: float | None = None
) -> VectorPoint:
    """The least h(S|U) at (D, R) ([B] definition 2), C(D, R) = min h(S|U) subject to rate <= R and tr Q <= D.

    Args:
        source: Sigma, a, w.
        distortion: D, total squared error, a scalar.
        rate: R >= 0, nats, a scalar.
        tol: as in `rate_at`.

    Returns:
        Its `VectorPoint`, rate <= R, certified; INFEASIBLE, rate and classification +inf, where R nats cannot meet D.

    Raises:
        InputError: as `rate_at`, and R < 0.

    >>> source = VectorSource(jnp.diag(jnp.array([2.0, 1.0])), jnp.array([0.0, 1.0]), 0.5)
    >>> round(float(classification_at(source, jnp.inf, 0.5).classification), 4)  # all rate on the second coordinate
    1.3481
    """
    source, (d, r) = _inputs(source, distortion, rate)
    _refuse_negative("rate", r)
    point = _least(source, _bounds(source, d, jnp.full_like(d, jnp.inf)), r, _tolerance(r.dtype, tol), which=1)
    return replace(point, classification=jnp.where(point.status == Status.INFEASIBLE, jnp.inf, point.classification))


@partial(jax.jit, static_argnames="which")
def _least(source: VectorSource, allowed: jax.Array, rate: jax.Array, tol: jax.Array, *, which: int) -> VectorPoint:
    """The least of one bound that R nats allow, beside the other: bisection on its logarithm."""
    given = source, allowed, rate
    source, allowed, rate = jax.lax.stop_gradient(given)
    silent = _silent(source)
    # No coordinate falls below e^{-2R} of its variance.
    ends = jnp.log(silent[which]) - 2 * rate, jnp.log(silent[which])

    def at(log_bound):
        return _solve(source, allowed.at[which].set(jnp.exp(log_bound)), tol)

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        affordable = at(middle).rate <= rate
        return jnp.where(affordable, low, middle), jnp.where(affordable, middle, high)

    free = at(jnp.inf)
    bounded = at(jax.lax.fori_loop(0, _HALVINGS, halve, ends)[1])
    point = jax.tree.map(lambda a, b: jnp.where(silent[which] > 0, a, b), bounded, free)
    # At the least rate that the other constraint allows, rounding must not make the problem infeasible.
    beyond = free.lower > rate + tol
    nowhere = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan) if x.dtype == rate.dtype else x, point)
    inf = jnp.full_like(rate, jnp.inf)
    nowhere = replace(nowhere, rate=inf, lower=inf, status=jnp.int32(Status.INFEASIBLE))
    return underivable(given, jax.tree.map(lambda a, b: jnp.where(beyond, a, b), nowhere, point))


def _refuse_negative(name: str, value: jax.Array) -> None:
    if not is_traced(value) and value < 0:
        raise InputError(f"{name} must be >= 0; got {float(value):g}.")


def _tolerance(dtype: jnp.dtype, tol: float | None) -> jax.Array:
    return jnp.asarray((1e-10 if dtype == jnp.float64 else 1e-5) if tol is None else tol, dtype)

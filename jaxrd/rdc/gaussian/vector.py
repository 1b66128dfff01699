"""Vector Gaussian source with a scalar Gaussian label, total squared error: a certified max-det program.

With S = a'X + W and Q = Cov(X|U),

    R(D, C) = min 1/2 ln(|Sigma| / |Q|)   subject to   tr Q <= D,  a'Qa + w <= e^{2C} / (2 pi e),  0 < Q <= Sigma.

This is the optimum among jointly Gaussian test channels; by the extremal inequality of Liu and Viswanath no other
channel does better. Unlike for a scalar source, the best channel for D is not the best for C: universality costs rate.

Reference: beyond [B], whose Theorem 3 fails here; T. Liu and P. Viswanath, An extremal inequality motivated by
multiterminal information-theoretic problems, IEEE Trans. IT 2007.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd._envelope import envelope, underivable
from jaxrd.errors import InputError
from jaxrd.rdc.gaussian.vector_point import VectorPoint, VectorSource, solve, used_of, zero_rate
from jaxrd.solution import Status

__all__ = ["VectorPoint", "VectorSource", "classification_at", "distortion_at", "rate_at"]

_HALVINGS = 60


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
    none = jnp.isposinf(classification)  # its derivative is zero, not that of exp
    label_variance = jnp.exp(2 * jnp.where(none, 0, classification) - 1) / (2 * jnp.pi)
    return jnp.stack([distortion, jnp.where(none, jnp.inf, label_variance - source.noise_variance)])


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
    return solve(source, _bounds(source, d, c), _tolerance(d.dtype, tol))


def distortion_at(
    source: VectorSource, classification: ArrayLike, rate: ArrayLike, *, tol: float | None = None
) -> VectorPoint:
    """The least total error at (C, R) ([B] definition 2), D(C, R) = min tr Q subject to rate <= R and h(S|U) <= C.

    `distortion` is differentiable in source, C and R > 0, once: dD/dR = -1 / distortion_slope.

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
    return _least(source, _bounds(source, jnp.full_like(c, jnp.inf), c), r, _tolerance(r.dtype, tol), which=0)


def classification_at(
    source: VectorSource, distortion: ArrayLike, rate: ArrayLike, *, tol: float | None = None
) -> VectorPoint:
    """The least h(S|U) at (D, R) ([B] definition 2), C(D, R) = min h(S|U) subject to rate <= R and tr Q <= D.

    `classification` is differentiable in source, D and R > 0, once: dC/dR = -1 / classification_slope.

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
    return _least(source, _bounds(source, d, jnp.full_like(d, jnp.inf)), r, _tolerance(r.dtype, tol), which=1)


def _least_lagrangian(given: tuple[VectorSource, jax.Array, jax.Array], optimum: tuple) -> jax.Array:
    """The same for the least tr Q or a'Qa at a rate: that of the rate, less R, over the multiplier of what is least."""
    source, allowed, rate = given
    theta, shrunk, least = optimum
    root = jnp.linalg.cholesky(jnp.asarray(source.covariance))
    other = theta * (1 - least)
    bounds = jnp.where(other > 0, allowed, 0)
    used = used_of(root, root.T @ jnp.asarray(source.direction), shrunk)
    return (theta @ used - other @ bounds - 2 * rate) / (theta @ least)


@partial(jax.jit, static_argnames="which")
def _least(source: VectorSource, allowed: jax.Array, rate: jax.Array, tol: jax.Array, *, which: int) -> VectorPoint:
    """The least of one bound that R nats allow, beside the other: bisection on its logarithm."""
    given = source, allowed, rate
    source, allowed, rate = jax.lax.stop_gradient(given)
    silent = zero_rate(source)
    # No coordinate falls below e^{-2R} of its variance.
    ends = jnp.log(silent[which]) - 2 * rate, jnp.log(silent[which])

    def at(log_bound):
        return solve(source, allowed.at[which].set(jnp.exp(log_bound)), tol)

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
    point = underivable(given, jax.tree.map(lambda a, b: jnp.where(beyond, a, b), nowhere, point))
    value = _least_value(given, point, which)
    return replace(point, distortion=value) if which == 0 else replace(point, classification=value)


def _least_value(given: tuple[VectorSource, jax.Array, jax.Array], point: VectorPoint, which: int) -> jax.Array:
    """D or C of the point with its derivatives, zero where it is +inf."""
    source = given[0]
    w = jnp.asarray(source.noise_variance)
    root = jnp.linalg.cholesky(jax.lax.stop_gradient(jnp.asarray(source.covariance)))
    half = jax.scipy.linalg.solve_triangular(root, point.error_covariance, lower=True)
    shrunk = jax.scipy.linalg.solve_triangular(root, half.T, lower=True)
    label_variance = jnp.exp(2 * point.classification - 1) / (2 * jnp.pi)
    theta = jnp.stack([2 * point.distortion_slope, point.classification_slope / label_variance])
    possible, least = point.status != Status.INFEASIBLE, jax.nn.one_hot(which, 2, dtype=theta.dtype)
    reached = jax.lax.stop_gradient(jnp.stack([point.distortion, label_variance - w])[which])
    # Zero times NaN must not appear.
    theta, shrunk, reached = (jnp.where(possible, a, 1) for a in (theta, shrunk, reached))
    value = envelope(_least_lagrangian, given, (theta, shrunk, least), reached)
    value = value if which == 0 else 0.5 * (jnp.log(2 * jnp.pi * (value + w)) + 1)
    return jnp.where(possible, value, jnp.inf)


def _refuse_negative(name: str, value: jax.Array) -> None:
    if not is_traced(value) and value < 0:
        raise InputError(f"{name} must be >= 0; got {float(value):g}.")


def _tolerance(dtype: jnp.dtype, tol: float | None) -> jax.Array:
    return jnp.asarray((1e-10 if dtype == jnp.float64 else 1e-5) if tol is None else tol, dtype)

"""A Gaussian vector with a scalar Gaussian label at given bounds on tr Q and a'Qa: the max-det program, solved once.

See `jaxrd.rdc.gaussian.vector` for the program.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd._envelope import envelope, underivable
from jaxrd.pytree import register
from jaxrd.rdc.gaussian.max_det import STEPS, Whitened, ascend
from jaxrd.rdc.point import width
from jaxrd.solution import Status, has_converged


@register
@dataclass(frozen=True)
class VectorSource:
    """A zero-mean Gaussian vector X and the label S = a'X + W ([B] section III, there for a scalar X).

    Args:
        covariance: Sigma of X, positive definite, in the unit of the squared error, shape (d, d).
        direction: a, S's unit over X's, shape (d,).
        noise_variance: w > 0 of W, in S's unit squared, shape ().

    >>> VectorSource(jnp.eye(2), jnp.array([0.0, 1.0]), 0.5).noise_variance
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

    >>> from jaxrd.rdc.gaussian.vector import rate_at
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


def zero_rate(source: VectorSource) -> jax.Array:
    """tr Q and a'Qa at zero rate."""
    sigma, a = jnp.asarray(source.covariance), jnp.asarray(source.direction)
    return jnp.stack([jnp.trace(sigma), a @ sigma @ a])


def used_of(root: jax.Array, along: jax.Array, shrunk: jax.Array) -> jax.Array:
    """tr Q and a'Qa of Q = root shrunk root', shape (2,)."""
    return jnp.stack([((root @ shrunk) * root).sum(), along @ shrunk @ along])


def _lagrangian(white: Whitened, optimum: tuple[jax.Array, jax.Array]) -> jax.Array:
    """The Lagrangian at the optimum, as a function of the problem alone."""
    theta, shrunk = optimum
    return 0.5 * theta @ (used_of(white.root, white.along, shrunk) - white.bounds)


@jax.jit
def solve(source: VectorSource, allowed: jax.Array, tol: jax.Array) -> VectorPoint:
    """The least rate with tr Q and a'Qa at most `allowed`, shape (2,)."""
    sigma, a, w = (jnp.asarray(x) for x in (source.covariance, source.direction, source.noise_variance))
    eps = jnp.finfo(tol.dtype).eps
    silent = zero_rate(source)
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

"""Y ~ Bernoulli(prior), X = separation (2 Y - 1) + Z: density, posterior, decisions, and expectations over X."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import sigmoid
from jax.scipy.special import logit, ndtr
from jax.scipy.stats import norm
from jax.typing import ArrayLike

from jaxrd.errors import InputError

_NODES = 512  # of a rule, for each component: errors below 1e-15 at any slope
_DEVIATIONS = 12.0  # of a component that count: beyond lies 4e-33 of its mass


class GaussianMixture(NamedTuple):
    """Two labels seen through unit Gaussian noise: Y ~ Bernoulli(q), X = a (2 Y - 1) + Z, Z ~ N(0, 1).

    The example of [A], section II-C, has q = 1/2, a = 1.

    Args:
        prior: q = P(Y = 1), in (0, 1), a scalar.
        separation: a > 0: the modes lie at -a and a, in deviations of the noise, a scalar.

    >>> GaussianMixture(prior=0.3).separation
    1.0
    """

    prior: ArrayLike = 0.5
    separation: ArrayLike = 1.0


def floats(mixture: GaussianMixture, *more: ArrayLike) -> list[jax.Array]:
    """Prior, separation and further scalars, in one floating dtype."""
    values = [jnp.asarray(v) for v in (*mixture, *more)]
    if any(v.ndim for v in values):
        raise InputError(f"scalars only; got shapes {[v.shape for v in values]}. For many at once, use jax.vmap.")
    dtype = jnp.promote_types(jnp.result_type(*values), jnp.float32)
    return [v.astype(dtype) for v in values]


def where_numbers(value: Any, *scalars: jax.Array) -> Any:
    """The arrays of a pytree, NaN throughout if one of the scalars is: no comparison with NaN may choose among them."""
    known = ~jnp.isnan(jnp.stack(scalars)).any()
    return jax.tree.map(lambda a: jnp.where(known, a, jnp.nan), value)


def rule(mixture: GaussianMixture, centre: ArrayLike, scale: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Nodes x and weights w with E f(X) = w @ f(x), for f analytic but near `centre`, where it turns within `scale`.

    The trapezoid in t of x = centre + scale sinh t, one component at a time: the nearest singularity of f, at
    centre + i scale, and the Gaussian leave a strip of half width pi / 4 in t at any scale, so that it converges
    geometrically. The nodes are constants to autodiff; derivatives in the mixture come from the weights.

    Returns:
        Both of shape (1024,).

    Reference: L. N. Trefethen and J. A. C. Weideman, The exponentially convergent trapezoidal rule, SIAM Review 2014.
    """
    q, a, centre, scale = floats(mixture, centre, scale)
    means, shares = jnp.stack([-a, a]), jnp.stack([1 - q, q])
    still, centre, scale = jax.lax.stop_gradient((means, centre, scale))
    scale = jnp.clip(scale, 64 * jnp.finfo(scale.dtype).tiny ** 0.25, 10)
    centre = jnp.clip(centre, still - _DEVIATIONS, still + _DEVIATIONS)
    reach = jnp.arcsinh((jnp.abs(centre - still) + _DEVIATIONS) / scale)[:, None]
    t = reach * jnp.linspace(-1, 1, _NODES, dtype=q.dtype)
    x = centre[:, None] + scale * jnp.sinh(t)
    step = 2 * reach / (_NODES - 1)
    bells = jnp.exp(-((x - means[:, None]) ** 2) / 2) / math.sqrt(2 * math.pi)
    weights = shares[:, None] * bells * scale * jnp.cosh(t) * step
    return x.ravel(), weights.ravel()


def log_odds(mixture: GaussianMixture, x: ArrayLike) -> jax.Array:
    """ln P(Y=1|x) / P(Y=0|x) = 2 a x + logit q."""
    q, a = floats(mixture)
    return 2 * a * jnp.asarray(x) + logit(q)


@jax.jit
def posterior(mixture: GaussianMixture, x: ArrayLike) -> jax.Array:
    """v = P(Y = 1 | x) = sigma(2 a x + logit q), the posterior of the mixture ([A], section II-C).

    Args:
        mixture: its prior and separation, scalars.
        x: the observation, in deviations of the noise, any shape.

    Raises:
        InputError: the mixture is not of scalars.

    >>> round(float(posterior(GaussianMixture(), 0.5)), 6)
    0.731059
    """
    return sigmoid(log_odds(mixture, x))


@jax.jit
def density(mixture: GaussianMixture, x: ArrayLike) -> jax.Array:
    """p(x) = (1 - q) N(x; -a, 1) + q N(x; a, 1), the density of X ([A], section II-C).

    Args:
        mixture: its prior and separation, scalars.
        x: the observation, in deviations of the noise, any shape.

    Raises:
        InputError: the mixture is not of scalars.

    >>> round(float(density(GaussianMixture(), 0.0)), 6)
    0.241971
    """
    q, a = floats(mixture)
    x = jnp.asarray(x)
    return (1 - q) * norm.pdf(x + a) + q * norm.pdf(x - a)


@jax.jit
def threshold(mixture: GaussianMixture) -> jax.Array:
    """Where the posterior crosses 1/2: the MAP decision is 1 for x > - logit q / 2 a ([A], section II-C).

    Args:
        mixture: its prior and separation, scalars.

    Returns:
        In deviations of the noise, shape ().

    Raises:
        InputError: the mixture is not of scalars.

    >>> round(float(threshold(GaussianMixture(0.3))), 6)
    0.423649
    """
    q, a = floats(mixture)
    return -logit(q) / (2 * a)


@jax.jit
def decision_joint(mixture: GaussianMixture) -> jax.Array:
    """J[y, yt] of label and MAP decision, shape (2, 2), exact: what E&C and iE&C need ([A], section II-C).

    Args:
        mixture: its prior and separation, scalars.

    Raises:
        InputError: the mixture is not of scalars.

    >>> round(float(1 - decision_joint(GaussianMixture()).trace()), 6)  # D_TM = Q(1)
    0.158655
    """
    q, a = floats(mixture)
    t = threshold(mixture)
    low, high = jnp.stack([ndtr(t + a), ndtr(t - a)]), jnp.stack([ndtr(-a - t), ndtr(a - t)])
    return jnp.stack([1 - q, q])[:, None] * jnp.stack([low, high], 1)


@jax.jit
def differential_entropy(mixture: GaussianMixture) -> jax.Array:
    """h(X) = - E ln p(X), the differential entropy of the mixture ([A], section II-C).

    Args:
        mixture: its prior and separation, scalars.

    Returns:
        Nats, shape ().

    Raises:
        InputError: the mixture is not of scalars.

    >>> round(float(differential_entropy(GaussianMixture())), 5)
    1.75577
    """
    q, a = floats(mixture)
    x, w = rule(mixture, threshold(mixture), jnp.pi / (2 * a))
    return -w @ jnp.logaddexp(jnp.log1p(-q) + norm.logpdf(x + a), jnp.log(q) + norm.logpdf(x - a))

"""Gaussian vector, total squared error: reverse water-filling over the eigenvalues of its covariance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form._checked import EIGENVALUES, NUMBER, closed_form
from jaxrd.closed_form._root import vertical


def _sorted(eigenvalues: ArrayLike, other: ArrayLike) -> tuple[jax.Array, jax.Array]:
    eig, x = jnp.asarray(eigenvalues), jnp.asarray(other)
    dtype = jnp.promote_types(jnp.result_type(eig, x), jnp.float32)
    return -jnp.sort(-eig.astype(dtype)), x.astype(dtype)[..., None]


@closed_form(eigenvalues=EIGENVALUES, distortion=NUMBER)
def rate(eigenvalues: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """R(D) = sum_i max{1/2 ln(eig_i / theta), 0} with sum_i min(theta, eig_i) = D, nats; +inf for D <= 0.

    Args:
        eigenvalues: of the covariance, >= 0, shape (dimensions,).
        distortion: total mean squared error, any shape.

    Returns:
        The rate of the whole vector, shape of `distortion`.

    Reference: Cover and Thomas, Elements of Information Theory, Theorem 10.3.3.

    >>> round(float(rate(jnp.array([4.0, 1.0]), 2.0)), 6)
    0.693147
    """
    eig, d = _sorted(eigenvalues, distortion)
    count = jnp.arange(1, eig.size + 1)
    tail = jnp.concatenate([jnp.cumsum(eig[::-1])[::-1][1:], jnp.zeros(1, eig.dtype)])
    # With the k largest above the water level, D = k theta + the rest: the level is the largest such theta.
    theta = ((d - tail) / count).max(-1, keepdims=True)
    active = (eig > theta) & (theta > 0)
    safe = jnp.where(active, eig / jnp.where(theta > 0, theta, 1), 1)
    value = 0.5 * jnp.log(safe).sum(-1)
    d = d[..., 0]
    return jnp.where(d > 0, value, jnp.inf) + vertical(d)


@closed_form(eigenvalues=EIGENVALUES, rate=NUMBER)
def distortion(eigenvalues: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R) = sum_i min(theta, eig_i) with the water level theta of total rate R; +inf for R < 0.

    >>> round(float(distortion(jnp.array([4.0, 1.0]), 0.6931472)), 5)
    2.0
    """
    eig, r = _sorted(eigenvalues, rate)
    positive = eig > 0
    count = jnp.arange(1, eig.size + 1)
    log_eig = jnp.log(jnp.where(positive, eig, 1))
    # With the k largest above it, the level is exp((sum ln eig - 2 R) / k): the true k gives the highest.
    level = jnp.where(positive, (jnp.cumsum(log_eig) - 2 * r) / count, -jnp.inf).max(-1, keepdims=True)
    value = jnp.minimum(jnp.exp(level), eig).sum(-1)
    return jnp.where(r[..., 0] >= 0, value, jnp.inf)

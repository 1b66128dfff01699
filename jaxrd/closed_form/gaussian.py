"""Gaussian source, squared error."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form._checked import NUMBER, POSITIVE, closed_form
from jaxrd.closed_form._root import floats, vertical


@closed_form(variance=POSITIVE, distortion=NUMBER)
def rate(variance: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """R(D) = max{1/2 ln(variance / D), 0}, nats; +inf for D <= 0 (a Gaussian has no lossless code).

    Args:
        variance: > 0, any shape.
        distortion: mean squared error, broadcast against `variance`.

    Reference: Cover and Thomas, Elements of Information Theory, Theorem 10.3.2.

    >>> round(float(rate(1.0, 0.25)), 6)
    0.693147
    """
    v, d = floats(variance, distortion)
    lossy = (d > 0) & (d < v)
    value = 0.5 * jnp.log(jnp.where(lossy, v / jnp.where(lossy, d, 1), 1))
    return jnp.where(d > 0, value, jnp.inf) + vertical(d)


@closed_form(variance=POSITIVE, rate=NUMBER)
def distortion(variance: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R) = variance exp(-2 R); +inf for R < 0.

    >>> round(float(distortion(1.0, 0.6931472)), 6)
    0.25
    """
    v, r = floats(variance, rate)
    return jnp.where(r >= 0, v * jnp.exp(-2 * jnp.maximum(r, 0)), jnp.inf)

"""Laplacian source, absolute error."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form._checked import NUMBER, POSITIVE, closed_form
from jaxrd.closed_form._root import floats, vertical


@closed_form(scale=POSITIVE, distortion=NUMBER)
def rate(scale: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """R(D) = max{ln(scale / D), 0}, nats; +inf for D <= 0.

    Args:
        scale: b of the density exp(-|x|/b) / 2b, > 0, any shape.
        distortion: mean absolute error, broadcast against `scale`.

    Reference: T. Berger, Rate Distortion Theory, 1971, section 4.3.

    >>> round(float(rate(1.0, 0.5)), 6)
    0.693147
    """
    b, d = floats(scale, distortion)
    lossy = (d > 0) & (d < b)
    value = jnp.log(jnp.where(lossy, b / jnp.where(lossy, d, 1), 1))
    return jnp.where(d > 0, value, jnp.inf) + vertical(d)


@closed_form(scale=POSITIVE, rate=NUMBER)
def distortion(scale: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R) = scale exp(-R); +inf for R < 0.

    >>> round(float(distortion(1.0, 0.6931472)), 6)
    0.5
    """
    b, r = floats(scale, rate)
    return jnp.where(r >= 0, b * jnp.exp(-jnp.maximum(r, 0)), jnp.inf)

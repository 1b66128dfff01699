"""Uniform source whose letters may be erased, never wrong: distortion 0 correct, 1 erased, infinite wrong."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form._checked import COUNT, NUMBER, closed_form
from jaxrd.closed_form._root import floats


@closed_form(classes=COUNT, distortion=NUMBER)
def rate(classes: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """R(D) = (1 - D) ln(classes) for 0 <= D <= 1, nats; 0 beyond, +inf for D < 0.

    Args:
        classes: number M of equiprobable letters, >= 1.
        distortion: fraction erased, broadcast against `classes`.

    Reference: Cover and Thomas, Elements of Information Theory, problem 10.7.

    >>> round(float(rate(4, 0.5)), 6)
    0.693147
    """
    m, d = floats(classes, distortion)
    return jnp.where(d >= 0, jnp.maximum(1 - d, 0) * jnp.log(m), jnp.inf)


@closed_form(classes=COUNT, rate=NUMBER)
def distortion(classes: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R) = max{1 - R / ln(classes), 0}; +inf for R < 0.

    >>> round(float(distortion(4, 0.6931472)), 6)
    0.5
    """
    m, r = floats(classes, rate)
    log_m = jnp.log(m)
    several = log_m > 0
    value = jnp.where(several, jnp.maximum(1 - r / jnp.where(several, log_m, 1), 0), 0)
    return jnp.where(r >= 0, value, jnp.inf)

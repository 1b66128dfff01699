"""Exponential source, one-sided error: distortion x - y for y <= x, infinite otherwise."""

from __future__ import annotations

import jax
from jax.typing import ArrayLike

from jaxrd.closed_form import laplacian
from jaxrd.closed_form._checked import NUMBER, POSITIVE, closed_form


@closed_form(mean=POSITIVE, distortion=NUMBER)
def rate(mean: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """R(D) = max{ln(mean / D), 0}, nats; +inf for D <= 0.

    Args:
        mean: of the exponential source, > 0, any shape.
        distortion: mean one-sided error, broadcast against `mean`.

    Reference: S. Verdu, The exponential distribution in information theory, Probl. Inf. Transm. 1996.

    >>> round(float(rate(2.0, 1.0)), 6)
    0.693147
    """
    # The formula is the Laplacian's: the magnitude of the error is exponential in both cases, here with a known sign.
    return laplacian.rate(mean, distortion)


@closed_form(mean=POSITIVE, rate=NUMBER)
def distortion(mean: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R) = mean exp(-R); +inf for R < 0.

    >>> round(float(distortion(2.0, 0.6931472)), 6)
    1.0
    """
    return laplacian.distortion(mean, rate)

"""Gaussian signal seen in Gaussian noise, squared error in the signal."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form import gaussian
from jaxrd.closed_form._checked import NONNEGATIVE, NUMBER, POSITIVE, closed_form
from jaxrd.closed_form._root import floats


@closed_form(signal_variance=POSITIVE, noise_variance=NONNEGATIVE, distortion=NUMBER)
def rate(signal_variance: ArrayLike, noise_variance: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """R(D) = max{1/2 ln((v - mmse) / (D - mmse)), 0}, mmse = v w / (v + w), nats; +inf for D <= mmse.

    Estimate, then compress: optimal for this source. For w = 0 it is the direct Gaussian.

    Args:
        signal_variance: v > 0 of the signal Y.
        noise_variance: w >= 0 of the noise in the observation Y + N.
        distortion: mean squared error in Y, broadcast against both.

    Reference: R. Dobrushin and B. Tsybakov, Information transmission with additional noise, 1962.

    >>> round(float(rate(1.0, 0.5, 0.5)), 6)
    0.693147
    """
    v, w, d = floats(signal_variance, noise_variance, distortion)
    mmse = v * w / (v + w)
    return gaussian.rate(v * v / (v + w), d - mmse)


@closed_form(signal_variance=POSITIVE, noise_variance=NONNEGATIVE, rate=NUMBER)
def distortion(signal_variance: ArrayLike, noise_variance: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R) = mmse + (v - mmse) exp(-2 R); +inf for R < 0.

    >>> round(float(distortion(1.0, 0.5, 0.6931472)), 6)
    0.5
    """
    v, w, r = floats(signal_variance, noise_variance, rate)
    return jnp.asarray(v * w / (v + w)) + gaussian.distortion(v * v / (v + w), r)

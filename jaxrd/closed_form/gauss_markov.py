"""First-order Gauss-Markov source, squared error: reverse water-filling over its spectrum."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd.closed_form._checked import CORRELATION, NUMBER, closed_form
from jaxrd.closed_form._root import floats, monotone_root, vertical


@cache
def _gauss() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (-1, 1); not when imported, for they are the eigenvalues of a matrix."""
    return np.polynomial.legendre.leggauss(128)


def _edge(c: jax.Array, level: jax.Array) -> jax.Array:
    """The frequency w* in (0, pi) where the spectrum S(w) = (1-c^2)/(1 - 2c cos w + c^2) falls to the level."""
    # 1 - cos w by the half angle: cos itself would cancel near w = 0.
    square = ((1 - c**2) / level - (1 - c) ** 2) / (4 * c)
    return 2 * jnp.arcsin(jnp.sqrt(jnp.clip(square, 1e-300 if c.dtype == jnp.float64 else 1e-37, 1)))


def _distortion_at(c: jax.Array, level: jax.Array) -> jax.Array:
    """D = (1/pi) int_0^pi min(level, S(w)) dw, the integral of S in closed form."""
    w = _edge(c, level)
    # pi - 2 arctan(((1+c)/(1-c)) tan(w/2)), as one arctangent that keeps its digits at w near pi.
    beyond = 2 * jnp.arctan2((1 - c) * jnp.cos(w / 2), (1 + c) * jnp.sin(w / 2))
    return (level * w + beyond) / jnp.pi


def _rate_at(c: jax.Array, level: jax.Array) -> jax.Array:
    """R = (1/2pi) int_0^w* ln(S/level) dw = (1/2pi) int_0^w* w 2c sin w / (1 - 2c cos w + c^2) dw, by parts."""
    w = _edge(c, level)
    # w = (1-c) sinh t resolves the peak of width 1-c at w = 0; then Gauss-Legendre converges fast.
    nodes, weights = _gauss()
    reach = jnp.arcsinh(w / (1 - c))
    t = 0.5 * reach[..., None] * (1 + jnp.asarray(nodes, c.dtype))
    c_, half = c[..., None], 0.5 * reach[..., None] * jnp.asarray(weights, c.dtype)
    x = (1 - c_) * jnp.sinh(t)
    denominator = (1 - c_) ** 2 + 4 * c_ * jnp.sin(x / 2) ** 2
    integrand = x * 2 * c_ * jnp.sin(x) / denominator * (1 - c_) * jnp.cosh(t)
    return (half * integrand).sum(-1) / (2 * jnp.pi)


@closed_form(correlation=CORRELATION, distortion=NUMBER)
def rate(correlation: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """Rate of X_t = c X_{t-1} + noise of unit variance, nats per sample; +inf for D <= 0, 0 for D >= 1.

    R = (1/4pi) int max{ln S(w)/theta, 0} dw, D = (1/2pi) int min{theta, S(w)} dw,
    S(w) = (1-c^2)/(1 - 2c cos w + c^2). For D <= (1-|c|)/(1+|c|) it is 1/2 ln((1-c^2)/D).

    Args:
        correlation: c in (-1, 1), any shape.
        distortion: mean squared error per sample, broadcast against `correlation`.

    Reference: T. Berger, Rate Distortion Theory, 1971, section 4.5.

    >>> round(float(rate(0.9, 0.05)), 4)
    0.6675
    """
    c, d = floats(correlation, distortion)
    c = jnp.abs(c)  # the spectrum is mirrored, which changes neither integral
    lowest, highest = (1 - c) / (1 + c), (1 + c) / (1 - c)
    fine = (d > 0) & (d <= lowest)
    coarse = (d > lowest) & (d < 1)
    safe_c, safe_d = jnp.where(coarse, c, 0.5), jnp.where(coarse, d, 0.7)
    low, high = jnp.where(coarse, lowest, 1 / 3), jnp.where(coarse, highest, 3.0)
    level = jnp.exp(monotone_root(lambda t: _distortion_at(safe_c, jnp.exp(t)) - safe_d, jnp.log(low), jnp.log(high)))
    value = jnp.where(coarse, _rate_at(safe_c, level), 0)
    value = jnp.where(fine, 0.5 * jnp.log((1 - c**2) / jnp.where(fine, d, 1)), value)
    return jnp.where(d > 0, value, jnp.inf) + vertical(d)


@closed_form(correlation=CORRELATION, rate=NUMBER)
def distortion(correlation: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R) per sample of the unit-variance source; +inf for R < 0.

    >>> round(float(distortion(0.9, 0.6675005)), 4)
    0.05
    """
    c, r = floats(correlation, rate)
    c = jnp.abs(c)
    lowest, highest = (1 - c) / (1 + c), (1 + c) / (1 - c)
    threshold = jnp.log1p(c)  # the rate at which the level meets the bottom of the spectrum
    coarse = (r > 0) & (r < threshold)
    safe_c, safe_r = jnp.where(coarse, c, 0.5), jnp.where(coarse, r, 0.1)
    low, high = jnp.where(coarse, lowest, 1 / 3), jnp.where(coarse, highest, 3.0)
    level = jnp.exp(monotone_root(lambda t: safe_r - _rate_at(safe_c, jnp.exp(t)), jnp.log(low), jnp.log(high)))
    value = jnp.where(coarse, _distortion_at(safe_c, level), (1 - c**2) * jnp.exp(-2 * jnp.maximum(r, 0)))
    return jnp.where(r < 0, jnp.inf, jnp.where(r == 0, 1, value))

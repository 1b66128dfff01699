"""Sliced Wasserstein distance between two samples of equal size."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrd.errors import InputError


def sliced_w2(key: jax.Array, x: jax.Array, y: jax.Array, *, directions: int = 256) -> jax.Array:
    """2-Wasserstein distance of one-dimensional projections, root mean square over random directions.

        SW2^2 = E_theta W2^2(theta.X, theta.Y),   theta uniform on the unit sphere

    SW2^2 <= W2^2 / d, so its square compares with a mean square error per coordinate. Between two samples of one law
    it is above zero: compare only values of one sample size, key and reference sample.

    Args:
        key: of the directions; keep it fixed to compare.
        x: sample, shape (n, d).
        y: sample of the same shape.
        directions: how many.

    Raises:
        InputError: the shapes differ.

    >>> x = jax.random.normal(jax.random.key(1), (50, 3))
    >>> float(sliced_w2(jax.random.key(0), x, x[::-1]))
    0.0

    Reference: N. Bonneel et al., Sliced and Radon Wasserstein barycenters of measures, JMIV 2015.
    """
    if x.shape != y.shape:
        raise InputError(f"sliced_w2 compares samples of one shape; got {x.shape} and {y.shape}.")
    theta = jax.random.normal(key, (x.shape[-1], directions), x.dtype)
    theta = theta / jnp.linalg.norm(theta, axis=0)
    return jnp.sqrt(((jnp.sort(x @ theta, 0) - jnp.sort(y @ theta, 0)) ** 2).mean())

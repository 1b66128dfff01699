"""Bernoulli source, Hamming distortion."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form._checked import NUMBER, PROBABILITY, closed_form
from jaxrd.closed_form._root import floats, monotone_root
from jaxrd.information import binary_entropy, without_rounding


@closed_form(probability=PROBABILITY, distortion=NUMBER)
def rate(probability: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """R(D) = h(q) - h(D) for 0 <= D <= min(q, 1-q), nats; 0 beyond, +inf for D < 0.

    Args:
        probability: q of one of the two letters, in [0, 1], any shape.
        distortion: probability of error, broadcast against `probability`.

    Reference: Cover and Thomas, Elements of Information Theory, Theorem 10.3.1; [A], appendix.

    >>> round(float(rate(0.5, 0.1)), 6)
    0.368064
    """
    q, d = floats(probability, distortion)
    d_max = jnp.minimum(q, 1 - q)
    lossy = (d >= 0) & (d < d_max)
    value = binary_entropy(q) - binary_entropy(jnp.where(lossy, d, 0.25))
    value = without_rounding(value)
    return jnp.where(lossy, value, jnp.where(d < 0, jnp.inf, 0))


@closed_form(probability=PROBABILITY, rate=NUMBER)
def distortion(probability: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R) = h^-1(h(q) - R), the inverse on [0, 1/2]; 0 for R >= h(q), +inf for R < 0.

    >>> round(float(distortion(0.5, 0.368064)), 6)
    0.1
    """
    q, r = floats(probability, rate)
    d_max = jnp.minimum(q, 1 - q)
    entropy = binary_entropy(q)
    lossy = (r > 0) & (r < entropy)
    aim = jnp.where(lossy, entropy - r, 0.5)
    # On a logarithmic scale, so that tiny distortions keep their digits.
    low, high = (jnp.full_like(q, jnp.log(end)) for end in (jnp.finfo(q.dtype).tiny, 0.5))
    root = jnp.exp(monotone_root(lambda t: binary_entropy(jnp.exp(t)) - aim, low, high))
    return jnp.where(lossy, root, jnp.where(r < 0, jnp.inf, jnp.where(r == 0, d_max, 0)))

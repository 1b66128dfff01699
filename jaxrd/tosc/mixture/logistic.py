"""Binary channels that are logistic in x: posterior samples, two-atom reconstructions, and how soft they are."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrd.tosc.mixture.source import GaussianMixture, posterior, rule


def soft_decision(u: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """sigma(-u), sigma(u) and the entropy of that coin, each without cancellation in the tails; elementwise."""
    small = jnp.exp(-jnp.abs(u))
    large, less = 1 / (1 + small), small / (1 + small)
    one = jnp.where(u >= 0, large, less)
    return jnp.where(u >= 0, less, large), one, jnp.maximum(u, 0) + jnp.log1p(small) - one * u


class LogisticChannel(NamedTuple):
    """W(1|x) = sigma(gain x + offset) on the mixture; fields of shape (2,) are indexed by the output."""

    rate: jax.Array
    """I(X; output), nats."""
    share: jax.Array
    """P(output)."""
    centroid: jax.Array
    """E[X | output]."""
    joint: jax.Array
    """P(y, output), shape (2, 2)."""


def logistic(mixture: GaussianMixture, gain: jax.Array, offset: jax.Array) -> LogisticChannel:
    """Moments of a logistic channel, as integrals.

    Args:
        mixture: of scalars.
        gain: >= 0, finite, a scalar.
        offset: finite, a scalar.
    """
    turn = jnp.maximum(gain, jnp.finfo(gain.dtype).tiny ** 0.25)
    x, w = rule(mixture, -offset / turn, jnp.pi / turn)
    v = posterior(mixture, x)
    zero, one, entropy = soft_decision(gain * x + offset)
    channel = jnp.stack([zero, one])
    share = channel @ w
    rate = -share @ jnp.log(share) - entropy @ w
    joint = jnp.stack([1 - v, v]) @ (channel * w).T
    return LogisticChannel(jnp.maximum(rate, 0), share, (channel * x) @ w / share, joint)

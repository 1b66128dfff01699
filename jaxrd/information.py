"""Entropy, relative entropy, mutual information: nats, exact at zero."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import entr, rel_entr, xlogy
from jax.typing import ArrayLike

NATS_PER_BIT = 0.6931471805599453


@jax.jit
def normalised(weights: ArrayLike) -> jax.Array:
    """The pmf of weights, w / sum w: the one rule for a source whose entries do not sum to one.

    Args:
        weights: >= 0, shape (n,).

    Returns:
        Shape (n,); NaN throughout if an entry is negative or not finite, or if the sum is zero or not finite.

    >>> [round(float(p), 6) for p in normalised(jnp.array([7.0, 3.0]))]
    [0.7, 0.3]
    """
    w = jnp.asarray(weights)
    total = w.sum()
    valid = (w >= 0).all() & (total > 0) & (total < jnp.inf)
    return jnp.where(valid, w / total, jnp.nan)


def without_rounding(rate: jax.Array) -> jax.Array:
    """A rate that rounding alone made negative, as zero; its derivatives, inf and NaN stay.

    >>> float(without_rounding(jnp.array(-1e-16)))
    0.0
    """
    return rate - jax.lax.stop_gradient(jnp.minimum(rate, 0))


def entropy(pmf: ArrayLike, axis: int = -1) -> jax.Array:
    """Shannon entropy, H(p) = - sum_i p_i ln p_i, in nats.

    Args:
        pmf: probabilities, any shape; each slice along `axis` sums to one, and is not divided by its sum here: pass
            `normalised(counts)`.
        axis: the axis to sum over.

    >>> round(float(entropy(jnp.array([0.5, 0.5, 0.0]))), 6)
    0.693147
    """
    return entr(jnp.asarray(pmf)).sum(axis)


def binary_entropy(probability: ArrayLike) -> jax.Array:
    """Entropy of a coin, h(u) = - u ln u - (1-u) ln(1-u), in nats; elementwise.

    >>> bool(binary_entropy(0.0) == 0)
    True
    """
    u = jnp.asarray(probability)
    return entr(u) + entr(1 - u)


def relative_entropy(pmf: ArrayLike, reference: ArrayLike, axis: int = -1) -> jax.Array:
    """Kullback-Leibler divergence, KL(p||q) = sum_i p_i ln(p_i/q_i), in nats; +inf where p is not supported by q.

    >>> float(relative_entropy(jnp.array([1.0, 0.0]), jnp.array([1.0, 0.0])))
    0.0
    """
    return rel_entr(jnp.asarray(pmf), jnp.asarray(reference)).sum(axis)


def mutual_information(source: ArrayLike, channel: ArrayLike) -> jax.Array:
    """I(X;Y) = sum_x p_x KL(W(.|x) || pW), in nats.

    Args:
        source: p, shape (n,), taken as p / sum p.
        channel: W, shape (n, m), rows summing to one; that of a letter of mass zero is not read.

    Returns:
        Nats, shape (); NaN if an entry of the channel is negative or NaN.

    >>> round(float(mutual_information(jnp.array([0.5, 0.5]), jnp.eye(2))), 6)
    0.693147
    """
    p = normalised(source)
    masked = p == 0  # not p > 0: NaN must stay
    w = jnp.where(masked[:, None], 0, jnp.asarray(channel))
    # KL of each row first: the difference of two entropies would cancel at small rates.
    divergence = relative_entropy(w, p @ w)
    rate = jnp.where(masked, 0, p * jnp.where(masked, 0, divergence)).sum()
    rate = without_rounding(rate)
    return jnp.where((w >= 0).all(), rate, jnp.nan)  # of NaN and of what is negative `rel_entr` makes inf


def cross_entropy(pmf: ArrayLike, code: ArrayLike, axis: int = -1) -> jax.Array:
    """Mean length of an ideal code for q under p, - sum_i p_i ln q_i, in nats.

    >>> round(float(cross_entropy(jnp.array([1.0, 0.0]), jnp.array([0.5, 0.5]))), 6)
    0.693147
    """
    return -xlogy(jnp.asarray(pmf), jnp.asarray(code)).sum(axis)

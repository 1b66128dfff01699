"""Entropy, relative entropy, mutual information: nats, exact at zero."""

import jax
import jax.numpy as jnp
from jax.scipy.special import entr, rel_entr, xlogy
from jax.typing import ArrayLike

NATS_PER_BIT = 0.6931471805599453


def entropy(pmf: ArrayLike, axis: int = -1) -> jax.Array:
    """Shannon entropy, H(p) = - sum_i p_i ln p_i, in nats.

    Args:
        pmf: probabilities, any shape; each slice along `axis` sums to one.
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
        source: p, shape (n,).
        channel: W, shape (n, m), rows summing to one.

    >>> round(float(mutual_information(jnp.array([0.5, 0.5]), jnp.eye(2))), 6)
    0.693147
    """
    p, w = jnp.asarray(source), jnp.asarray(channel)
    # KL of each row first: the difference of two entropies would cancel at small rates.
    divergence = relative_entropy(w, p @ w)
    return jnp.where(p > 0, p * jnp.where(p > 0, divergence, 0), 0).sum()


def cross_entropy(pmf: ArrayLike, code: ArrayLike, axis: int = -1) -> jax.Array:
    """Mean length of an ideal code for q under p, - sum_i p_i ln q_i, in nats.

    >>> round(float(cross_entropy(jnp.array([1.0, 0.0]), jnp.array([0.5, 0.5]))), 6)
    0.693147
    """
    return -xlogy(jnp.asarray(pmf), jnp.asarray(code)).sum(axis)

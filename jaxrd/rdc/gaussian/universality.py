"""One encoder for many pairs (D, C) of a scalar Gaussian: nothing lost in rate.

Reference: [B] definitions 3 and 4, Theorem 3.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.errors import InputError
from jaxrd.rdc.gaussian.scalar import rate


def universal_rate(
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    variance: ArrayLike,
    correlation: ArrayLike,
    label_entropy: ArrayLike,
) -> jax.Array:
    """The least rate of one encoder for all pairs of a set, R(Theta) = R(least D, least C), nats.

    Who decodes every pair from Z has E|X - E[X|Z]|^2 <= every D and h(S|Z) <= every C, so Z needs the rate of the least
    of each; and the output of `optimal_channel` there serves all pairs, without a decoder.

    Args:
        distortion: D of each pair, mean squared error, shape (..., pairs).
        classification: C of each pair, h(S|Xh), nats, shape (..., pairs).
        variance: of X, > 0, in the unit of the squared error.
        correlation: rho of X and S, no unit, in [-1, 1].
        label_entropy: h(S), nats.

    Returns:
        Shape (...); +inf if a pair is infeasible.

    Raises:
        InputError: a known argument that is NaN, a correlation outside [-1, 1], a variance outside (0, inf);
            no pair.

    Reference: [B] definition 3, Theorem 3.

    >>> given = {"variance": 1.0, "correlation": 0.7, "label_entropy": 1.42}
    >>> round(float(universal_rate([0.9, 0.5], [1.35, 1.42], **given)), 6)
    0.346574
    """
    return _corner_and_dearest(distortion, classification, variance, correlation, label_entropy)[0]


def rate_penalty(
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    variance: ArrayLike,
    correlation: ArrayLike,
    label_entropy: ArrayLike,
) -> jax.Array:
    """The rate penalty of universality, A(Theta) = R(Theta) - sup R(D, C), nats; NaN where a pair is infeasible.

    Theorem 3 says that it is zero, and so it is, but for rounding, because R(D, C) is the larger of a function of D and
    one of C. A vector source is no such case: see `universal_vector_gaussian_rate` of
    `jaxrd.rdc.representation.universal`.

    Args:
        distortion: D of each pair, mean squared error, shape (..., pairs).
        classification: C of each pair, h(S|Xh), nats, shape (..., pairs).
        variance: of X, > 0, in the unit of the squared error.
        correlation: rho of X and S, no unit, in [-1, 1].
        label_entropy: h(S), nats.

    Returns:
        Nats, shape (...).

    Raises:
        InputError: a known argument that is NaN, a correlation outside [-1, 1], a variance outside (0, inf);
            no pair.

    Reference: [B] definition 4, Theorem 3.

    >>> float(rate_penalty([0.9, 0.5], [1.35, 1.42], variance=1.0, correlation=0.7, label_entropy=1.42))
    0.0
    """
    corner, dearest = _corner_and_dearest(distortion, classification, variance, correlation, label_entropy)
    return corner - dearest


def _corner_and_dearest(
    distortion: ArrayLike,
    classification: ArrayLike,
    variance: ArrayLike,
    correlation: ArrayLike,
    label_entropy: ArrayLike,
) -> tuple[jax.Array, jax.Array]:
    """R(least D, least C), and the largest R(D, C)."""
    given = {"variance": variance, "correlation": correlation, "label_entropy": label_entropy}
    each = rate(distortion, classification, **given)
    d, c = jnp.broadcast_arrays(jnp.asarray(distortion), jnp.asarray(classification))
    if d.shape[-1:] in ((), (0,)):
        raise InputError(f"distortion and classification must have shape (..., pairs), not none; got {d.shape}.")
    corner = rate(d.min(-1, keepdims=True), c.min(-1, keepdims=True), **given)
    return corner.max(-1), each.max(-1)

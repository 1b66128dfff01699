"""One encoder for many pairs (D, C) of a scalar Gaussian: nothing lost in rate.

Reference: [B] definitions 3 and 4, Theorem 3.
"""

from __future__ import annotations

import jax
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
    """The least rate of one encoder for all pairs of a set, R(Theta) = sup over (D, C) in Theta of R(D, C), nats.

    One representation serves all: the output of `optimal_channel` at the pair of largest rate, without a decoder.

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
    rates = rate(distortion, classification, variance=variance, correlation=correlation, label_entropy=label_entropy)
    if rates.shape[-1:] in ((), (0,)):
        raise InputError(f"distortion and classification must have shape (..., pairs), not none; got {rates.shape}.")
    return rates.max(-1)


def rate_penalty(
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    variance: ArrayLike,
    correlation: ArrayLike,
    label_entropy: ArrayLike,
) -> jax.Array:
    """The rate penalty of universality, A(Theta) = R(Theta) - sup R(D, C): zero; NaN where a pair is infeasible.

    For a vector source it need not be zero: see `jaxrd.rdc.gaussian.vector`.

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
    given = {"variance": variance, "correlation": correlation, "label_entropy": label_entropy}
    return 0 * universal_rate(distortion, classification, **given)

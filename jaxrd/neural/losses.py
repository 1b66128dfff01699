"""The losses of the universal scheme, [B] (16) and (17), as pure functions of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Weights(NamedTuple):
    """Weights of the three terms: of the MSE per pixel, of a nat of cross-entropy (each label's), of W1 in pixels."""

    distortion: jax.Array | float = 1.0
    cross_entropy: Any = 0.0
    wasserstein: jax.Array | float = 0.0


class Terms(NamedTuple):
    """The three terms of the loss, unweighted; the third up to a term the generator cannot change."""

    mse: jax.Array
    cross_entropy: jax.Array
    wasserstein: jax.Array

    def total(self, weights: Weights) -> jax.Array:
        """The loss."""
        mse, cross_entropy, wasserstein = self
        return weights.distortion * mse + weights.cross_entropy * cross_entropy + weights.wasserstein * wasserstein


def letter_terms(
    images: jax.Array, labels: jax.Array, reproductions: jax.Array, logits: jax.Array, criticisms: jax.Array
) -> Terms:
    """The terms of (16) and (17) for every image under every message.

        |x_i - g_j|^2 / 784,   -ln c(s_i | g_j),   -critic(g_j)

    Args:
        images: shape (batch, 784).
        labels: integers, shape (batch,).
        reproductions: g_j, what the decoder makes of each message, shape (messages, 784).
        logits: the fixed classifier's on them, at temperature 1, shape (messages, classes).
        criticisms: the critic's on them, shape (messages,).

    Returns:
        Three arrays of shape (batch, messages).
    """
    squares = (images**2).sum(-1)[:, None] - 2 * images @ reproductions.T + (reproductions**2).sum(-1)
    log_loss = -jax.nn.log_softmax(logits).T[labels]
    return Terms(squares / images.shape[-1], log_loss, jnp.broadcast_to(-criticisms, squares.shape))


def mean_terms(shares: jax.Array, terms: Terms) -> Terms:
    """Means over a batch whose image i is sent as message j in the share `shares[i, j]`.

    With `quantizer.straight_through` as shares the value is that of the hard code and the encoder's gradient that of
    the soft one: this is (16). With shares that carry no gradient the encoder is frozen: this is (17).

    Args:
        shares: shape (batch, messages), rows of sum 1.
        terms: of `letter_terms`.
    """
    return Terms(*((shares * term).sum(-1).mean() for term in terms))


def free_energy(soft: jax.Array, costs: jax.Array, temperature: float) -> jax.Array:
    """Loss of a soft encoder with a gradient far from an optimum too: - T ln sum_j pi_j exp(- cost_j / T), mean.

    Between the expected cost (T large) and the log loss of guessing the best message (T small); zero cost is that of
    the best message. It is for the first epochs: with the expected cost alone a random encoder does not learn.

    Args:
        soft: pi, of `quantizer.soft_messages`, shape (batch, messages).
        costs: of every message, shape (batch, messages).
        temperature: T, in units of cost.
    """
    excess = costs - costs.min(-1, keepdims=True)
    tiny = jnp.finfo(soft.dtype).tiny
    return -temperature * jnp.log((soft * jnp.exp(-excess / temperature)).sum(-1) + tiny).mean()


def critic_loss(
    critic: Callable[[jax.Array], jax.Array],
    key: jax.Array,
    images: jax.Array,
    reproductions: jax.Array,
    *,
    penalty: float = 10.0,
) -> jax.Array:
    """What the critic minimises: minus its estimate of W1, with the gradient penalty of WGAN-GP.

        E critic(xh) - E critic(x) + penalty E (|grad critic(x~)| - 1)^2,   x~ uniform between x and xh

    Args:
        critic: images (batch, 784) -> (batch,).
        key: of the points x~.
        images: x, shape (batch, 784).
        reproductions: xh of the same images, shape (batch, 784).
        penalty: its weight.

    Reference: I. Gulrajani et al., Improved training of Wasserstein GANs, NeurIPS 2017.
    """
    place = jax.random.uniform(key, (len(images), 1), images.dtype)
    between = images + place * (reproductions - images)
    slopes = jax.grad(lambda x: critic(x).sum())(between)
    norms = jnp.sqrt((slopes**2).sum(-1) + 1e-12)  # the root has no derivative at 0
    return critic(reproductions).mean() - critic(images).mean() + penalty * ((norms - 1) ** 2).mean()

"""Bounds that use the whole posterior: TMRD and sample-and-communicate."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd.channel import optimal_channel
from jaxrd.problem import Problem
from jaxrd.solution import Solution


def model_aware_problem(posterior: ArrayLike, weights: ArrayLike | None = None) -> Problem:
    """TMRD: the direct problem whose letters are the samples' posteriors, d_hat(v, yh) = 1 - v_yh ([A], eq. (20)).

    [A] calls it intractable; with N posterior rows it has n = N and m = classes. Its distortion is the one the
    model believes; `label_distortion` measures the real one.

    Args:
        posterior: v, shape (samples, classes), rows summing to one.
        weights: of the samples, summing to one; None: equal.
    """
    v = jnp.asarray(posterior)
    n = v.shape[0]
    w = jnp.full(n, 1 / n, v.dtype) if weights is None else jnp.asarray(weights, v.dtype)
    return Problem(w, 1 - v)


@jax.jit
def label_distortion(problem: Problem, solution: Solution, labels: ArrayLike) -> jax.Array:
    """P(reproduction != label) of the optimal channel, 1 - sum_i w_i W(y_i | v_i): whatever the calibration.

    Args:
        problem: a `model_aware_problem`.
        solution: one point of it.
        labels: y, int, shape (samples,).
    """
    channel = optimal_channel(problem, solution)
    right = jnp.take_along_axis(channel, jnp.asarray(labels)[:, None], 1)[:, 0]
    return 1 - jnp.asarray(problem.source) @ right


class SampleAndCommunicate(NamedTuple):
    """A point of S&C."""

    rate: jax.Array
    """I(X; reproduction), nats: a plug-in estimate, biased low by about chi^2 / 2N,
    chi^2 = E_x sum_y (W(y|x) - q_y)^2 / q_y."""
    distortion: jax.Array
    """P(reproduction != label)."""
    model_distortion: jax.Array
    """The same as the model believes it."""


@jax.jit
def sample_and_communicate(
    log_posterior: ArrayLike,
    labels: ArrayLike,
    inverse_temperature: ArrayLike,
    weights: ArrayLike | None = None,
) -> SampleAndCommunicate:
    """S&C: send a sample of softmax(t ln v) by channel simulation, t the inverse temperature ([A] eq. (21)).

    Rate I(X; Yh) = mean_i KL(W(.|x_i) || q), q the mean of W; common randomness is assumed (without it the sample
    costs H(Yh)). t -> 0 ends at D = 1 - 1/classes, t -> inf at lossless decisions.

    Args:
        log_posterior: ln v, shape (samples, classes).
        labels: y, int, shape (samples,).
        inverse_temperature: t >= 0, finite, a scalar.
        weights: of the samples, summing to one; None: equal.
    """
    log_v = jnp.asarray(log_posterior)
    n = log_v.shape[0]
    w = jnp.full(n, 1 / n, log_v.dtype) if weights is None else jnp.asarray(weights, log_v.dtype)
    log_w = log_softmax(inverse_temperature * log_v, axis=1)
    channel = jnp.exp(log_w)
    q = w @ channel
    log_q = jnp.log(jnp.where(q > 0, q, 1))
    divergence = jnp.where(channel > 0, channel * (log_w - log_q), 0).sum(1)
    right = jnp.take_along_axis(channel, jnp.asarray(labels)[:, None], 1)[:, 0]
    believed = (channel * jnp.exp(log_v)).sum(1)
    return SampleAndCommunicate(jnp.maximum(w @ divergence, 0), 1 - w @ right, 1 - w @ believed)

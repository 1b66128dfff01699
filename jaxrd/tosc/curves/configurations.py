"""Detection as classification: one class for every configuration of the states of the cells ([A], III-B)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd.tosc._checked import INVERSE_TEMPERATURE, a_number, checked
from jaxrd.tosc.curves.sampled import SampleAndCommunicate


@jax.jit
def joint_log_posterior(log_factors: ArrayLike) -> jax.Array:
    """ln v of every configuration, ln v_y = sum_c ln v_{c, y_c}, for a detector whose cells are independent given x.

    A row of 10^6 classes takes 4 MB in float32: make a few at a time, for `sample_and_communicate_in_blocks`.

    Args:
        log_factors: ln v_c, shape (samples, cells, states).

    Returns:
        Shape (samples, states^cells), in the order of `configuration`.

    >>> v = jnp.array([[[0.9, 0.1], [0.3, 0.7]]])
    >>> [round(float(x), 2) for x in jnp.exp(joint_log_posterior(jnp.log(v)))[0]]
    [0.27, 0.63, 0.03, 0.07]
    """
    factors = jnp.asarray(log_factors)
    log_v = factors[:, 0]
    for c in range(1, factors.shape[1]):
        log_v = (log_v[:, :, None] + factors[:, c, None, :]).reshape(len(log_v), -1)
    return log_v


def _states(given: dict) -> None:
    count = given["count"]
    a_number("states", lambda y: (y >= 0) & (y < count) & (y == y.astype(int)), f"integers in 0..{count - 1}")(given)


@checked(_states)
def configuration(states: ArrayLike, count: int) -> jax.Array:
    """The class of a configuration, its cells read as the digits of a number, the first cell the highest.

    Args:
        states: y_c, int in 0..count-1, shape (..., cells).
        count: states a cell can be in; count^cells below 2^31 where x64 is off.

    >>> int(configuration(jnp.array([4, 0, 7]), 10))
    407
    """
    y = jnp.asarray(states)
    return y @ count ** jnp.arange(y.shape[-1] - 1, -1, -1, dtype=y.dtype)


@checked(INVERSE_TEMPERATURE)
@jax.jit
def sample_and_communicate_by_cells(
    log_factors: ArrayLike, states: ArrayLike, inverse_temperature: ArrayLike
) -> SampleAndCommunicate:
    """S&C of all configurations at the cost of the cells: a sample per cell, simulated against q = prod_c q_c.

    Rate sum_c mean_i KL(W_c(.|x_i) || q_c) = I(X; Yh) + KL(law of Yh || prod_c q_c), achievable, and I itself where
    the reproduced cells are independent. Its plug-in bias is that of cells x states unknowns; the plug-in estimate
    over the configurations never exceeds ln(samples).

    Args:
        log_factors: ln v_c, shape (samples, cells, states).
        states: the labels y_c, int, shape (samples, cells).
        inverse_temperature: t >= 0, finite, a scalar.

    Reference: [A] eq. (21), for the alphabets of section III-B.

    >>> v = jnp.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> round(float(sample_and_communicate_by_cells(jnp.log(v), jnp.array([[0], [1]]), 1.0).rate), 4)  # ln 2 - h(.1)
    0.3681
    """
    log_v, y = jnp.asarray(log_factors), jnp.asarray(states)
    log_w = log_softmax(inverse_temperature * log_v, axis=2)
    channel = jnp.exp(log_w)
    q = channel.mean(0)
    divergence = jnp.where(channel > 0, channel * (log_w - jnp.log(jnp.where(q > 0, q, 1))), 0).sum((1, 2))
    right = jnp.take_along_axis(channel, y[:, :, None], 2)[:, :, 0].prod(1)
    believed = (channel * jnp.exp(log_v)).sum(2).prod(1)
    return SampleAndCommunicate(jnp.maximum(divergence.mean(), 0), 1 - right.mean(), 1 - believed.mean())

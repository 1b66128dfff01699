"""Rates at a fixed distortion for other weights of the same samples: the bootstrap of what has a formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd.information import entropy
from jaxrd.tosc.curves.confusion import estimate_and_compress, landmarks
from jaxrd.tosc.joint import SparseJoint

BATCH = 100
"""Replicates computed side by side: what they take is this often the size of a joint."""

Point = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""(weights, parameter) -> (rate, distortion) of a curve."""


class Resampled(NamedTuple):
    """A curve's rate at a fixed distortion, and how it varies from sample to sample; nats."""

    rate: jax.Array
    """Of the samples as they are, shape ()."""
    replicates: jax.Array
    """Of each resampling, shape (replicates,); NaN where the curve has no slope at that distortion."""
    deviation: jax.Array
    """Standard deviation of one sample's influence on the rate, shape (): sqrt(N) times the standard error that the
    central limit theorem gives; NaN where it was not worked out."""


def resampled_weights(samples: int, replicates: int, seed: int) -> np.ndarray:
    """Multinomial weights, shape (replicates, samples): how often each sample is drawn again in `samples` draws, over
    `samples`.

    >>> resampled_weights(5, 2, 0).sum(1).tolist()
    [1.0, 1.0]
    """
    g = np.random.default_rng(seed)
    counts = [np.bincount(g.integers(samples, size=samples), minlength=samples) for _ in range(replicates)]
    return np.stack(counts) / samples


def resampled_masses(joint: SparseJoint, labels: np.ndarray, decisions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The pairs' probabilities under each row of sample weights, shape (replicates, pairs), in the joint's order."""
    pairs = np.asarray(joint.decisions, np.int64) * joint.classes + np.asarray(joint.labels)
    index = np.searchsorted(pairs, np.asarray(decisions, np.int64) * joint.classes + np.asarray(labels))
    return np.stack([np.bincount(index, row, len(pairs)) for row in weights])


def steepness(rise: jax.Array, run: jax.Array) -> jax.Array:
    """rise / run of a curve that falls, 0 where it is level; NaN where its rate rises with the distortion."""
    value = jnp.where(rise == 0, 0, rise / jnp.where(run == 0, jnp.nan, run))
    return jnp.where(value >= 0, value, jnp.nan)


def _along(point: Point, now: jax.Array, others: jax.Array, parameter: jax.Array) -> Resampled:
    """R*(D) = R*(t) - R' (D*(t) - D) + R''/2 (D*(t) - D)^2: along the curve back to the distortion D of t.

    R' and R'' are derivatives in D, of the samples as they are. What this leaves out is of order 1/N, where the band
    is 1/sqrt(N) wide.
    """

    def steep(t):
        (rate, d), (rise, run) = jax.jvp(lambda t: point(now, t), (t,), (jnp.ones_like(t),))
        return steepness(-rise, run), (rate, d, run)

    slope, bend, (rate, d, run) = jax.jvp(steep, (parameter,), (jnp.ones_like(parameter),), has_aux=True)
    rates, distortions = jax.lax.map(lambda weights: point(weights, parameter), others, batch_size=BATCH)
    back = distortions - d
    curvature = jnp.where(slope == 0, 0, -bend / run)  # level: at a least rate, or where nothing is sent
    replicates = rates + slope * back + 0.5 * curvature * back**2
    return Resampled(rate, replicates, jnp.full_like(rate, jnp.nan))


@jax.jit
def shared(joint: SparseJoint, masses: jax.Array, share: ArrayLike) -> Resampled:
    """TS at the distortion where the estimate is sent a fraction `share` of the time."""

    def point(mass):
        d_tm, d_0, h = landmarks(replace(joint, mass=mass))
        return share * h, share * d_tm + (1 - share) * d_0

    d_tm, d_0, h = landmarks(joint)
    rate, d = point(joint.mass)
    rates, distortions = jax.lax.map(point, masses, batch_size=BATCH)
    return Resampled(rate, rates + steepness(h, d_0 - d_tm) * (distortions - d), jnp.full_like(rate, jnp.nan))


@jax.jit
def estimated(joint: SparseJoint, masses: jax.Array, estimate_distortion: ArrayLike) -> Resampled:
    """E&C at the label distortion that D_hat leads to."""

    def point(mass, d_hat):
        found = estimate_and_compress(replace(joint, mass=mass), d_hat)
        return found.rate, found.distortion

    return _along(point, joint.mass, masses, jnp.asarray(estimate_distortion, joint.dtype))


@jax.jit
def sampled(log_v: jax.Array, labels: jax.Array, weights: jax.Array, inverse_temperature: ArrayLike) -> Resampled:
    """S&C at the label distortion that an inverse temperature leads to.

    Args:
        log_v: ln v, shape (samples, classes).
        labels: y, int, shape (samples,).
        weights: `resampled_weights`, shape (replicates, samples).
        inverse_temperature: t >= 0, finite, a scalar.
    """
    n = log_v.shape[0]

    def point(weights, t):
        # I = H(q) - E H(W): linear in the weights but for H(q), so that replicates share one product of matrices.
        log_w = log_softmax(t * log_v, axis=1)
        channel = jnp.exp(log_w)
        right = jnp.take_along_axis(channel, labels[:, None], 1)[:, 0]
        return entropy(weights @ channel) - weights @ entropy(channel, axis=1), 1 - weights @ right

    return _along(point, jnp.full(n, 1 / n, log_v.dtype), weights, jnp.asarray(inverse_temperature, log_v.dtype))


@jax.jit
def plugin_bias(log_v: jax.Array, inverse_temperature: ArrayLike) -> jax.Array:
    """The bias of S&C's plug-in rate to first order, - chi2 / 2N, chi2 = mean_i sum_y (W(y|x_i) - q_y)^2 / q_y; nats.

    Args:
        log_v: ln v, shape (samples, classes).
        inverse_temperature: t >= 0, finite, a scalar.

    >>> round(float(plugin_bias(jnp.log(jnp.array([[0.9, 0.1], [0.1, 0.9]])), 1.0)), 4)  # - 0.64 / 4
    -0.16
    """
    channel = jax.nn.softmax(jnp.asarray(inverse_temperature) * log_v, axis=1)
    q = channel.mean(0)
    chi2 = ((channel**2).mean(0) / jnp.where(q > 0, q, 1)).sum() - 1
    return -jnp.maximum(chi2, 0) / (2 * log_v.shape[0])

"""Other weights of the same samples: how a rate at a fixed distortion changes with them; no solver runs again.

A curve with a formula is computed again, and corrected back to its distortion (`along`). A solved point is expanded.
At the optimal q of a slope s, with A_iy = K_iy / z_i and c = E A (c_y = 1 where q_y > 0), weights w* move c to
c* = w* A and q by G^-1 (c* - c), G = K' diag(p/z^2) K (`inverse_newton`), and

    L*(s) = sum_i w*_i (-ln Z_i) - 1/2 (c* - c)' G^-1 (c* - c) + third order:

by the envelope theorem the first order is a reweighting; one Newton step with the old matrix gives the second (and
with it the bias of the plug-in, E L_N - L = - (letters in use - 1) / 2N). R*(D) = max_s L*(s) - s D, likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.kernels import HeldKernel, ratio
from jaxrd.tosc.joint import SparseJoint

BATCH = 100
"""Replicates computed together: they take this many times the memory of a joint."""


RIDGE = 1e4  # in rounding units of the Newton matrix, whose largest eigenvalue is one


Point = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""(weights, parameter) -> (rate, distortion) of a curve."""


class Weighing(NamedTuple):
    """How much samples, or groups of them, count, and which of them have a mass that is known beforehand."""

    weights: jax.Array
    """With sum 1, shape (n,)."""
    squares: jax.Array
    """The number of samples times sum w^2 of those of each, shape (n,)."""
    kinds: jax.Array
    """The class, numbered among those that occur, where a prior is known; 0 elsewhere; int, shape (n,)."""

    def centred(self, values: jax.Array) -> jax.Array:
        """Values less their mean in each kind, shape (n, ...): a known mass does not vary."""
        sums = jax.ops.segment_sum((self.weights * values.T).T, self.kinds, len(self.kinds))
        mass = jax.ops.segment_sum(self.weights, self.kinds, len(self.kinds))
        return values - (sums.T / jnp.where(mass > 0, mass, 1)).T[self.kinds]

    def deviation(self, influence: jax.Array) -> jax.Array:
        """sqrt(N sum_i w_i^2 (psi_i - mean)^2), the standard deviation of psi where weights are equal."""
        return jnp.sqrt(self.squares @ self.centred(influence) ** 2)


def equal(samples: int, dtype: jnp.dtype) -> Weighing:
    """Of samples that count the same."""
    w = jnp.full(samples, 1 / samples, dtype)
    return Weighing(w, w, jnp.zeros(samples, int))


class Resampled(NamedTuple):
    """A curve's rate at a fixed distortion, and how it varies from sample to sample; nats."""

    rate: jax.Array
    """Of the samples as they are, shape ()."""
    replicates: jax.Array
    """Of each resampling, shape (replicates,); NaN where the curve has no slope at that distortion."""
    deviation: jax.Array
    """Standard deviation of one sample's influence on the rate, shape (): sqrt(N) times the standard error that the
    central limit theorem gives; NaN where it was not computed."""


def resampled_weights(samples: int, replicates: int, seed: int) -> np.ndarray:
    """Multinomial weights, shape (replicates, samples): how often each sample is drawn again in `samples` draws, over
    `samples`.

    >>> resampled_weights(5, 2, 0).sum(1).tolist()
    [1.0, 1.0]
    """
    g = np.random.default_rng(seed)
    counts = [np.bincount(g.integers(samples, size=samples), minlength=samples) for _ in range(replicates)]
    return np.stack(counts) / samples


def reweighed(drawn: np.ndarray, weights: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Weights of resampled samples that have weights of their own, w_i c_i, which keep the mass of each kind.

    A kind that was not drawn has none; the others then have its mass in their proportions.

    Args:
        drawn: c, how often each sample is drawn, any unit, shape (replicates, samples).
        weights: w, with sum 1, shape (samples,).
        kinds: as of `Weighing`.

    >>> reweighed(np.array([[2, 0, 1]]), np.array([0.4, 0.4, 0.2]), np.array([0, 0, 1])).round(3).tolist()
    [[0.8, 0.0, 0.2]]
    """
    mass, moved = np.bincount(kinds, weights), drawn * weights
    now = np.stack([np.bincount(kinds, row, len(mass)) for row in moved])
    moved = moved * np.divide(mass, now, out=np.zeros_like(now), where=now > 0)[:, kinds]
    return moved / moved.sum(1, keepdims=True)


def resampled_masses(joint: SparseJoint, labels: np.ndarray, decisions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The pairs' probabilities under each row of sample weights, shape (replicates, pairs), in the joint's order."""
    pairs = np.asarray(joint.decisions, np.int64) * joint.classes + np.asarray(joint.labels)
    index = np.searchsorted(pairs, np.asarray(decisions, np.int64) * joint.classes + np.asarray(labels))
    return np.stack([np.bincount(index, row, len(pairs)) for row in weights])


def steepness(rise: jax.Array, run: jax.Array) -> jax.Array:
    """rise / run of a curve that falls, 0 where it is level; NaN where its rate rises with the distortion."""
    value = jnp.where(rise == 0, 0, rise / jnp.where(run == 0, jnp.nan, run))
    return jnp.where(value >= 0, value, jnp.nan)


def along(point: Point, now: jax.Array, others: jax.Array, parameter: jax.Array) -> Resampled:
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


def inverse_newton(kernel: HeldKernel, source: jax.Array, q: jax.Array) -> jax.Array:
    """(K' diag(p/z^2) K + diag(slack/q))^-1, slack = 1 - c: G^-1 on the letters in use, next to 0 elsewhere."""
    z, c = kernel.sums(source, q)
    root = jnp.sqrt(q)
    matrix = jnp.tril(kernel.gram(ratio(source, z) / jnp.where(source > 0, z, 1), root, q.dtype))
    matrix = matrix + jnp.tril(matrix, -1).T
    slack = jnp.maximum(1 - c, 0) + RIDGE * jnp.finfo(q.dtype).eps
    return root[:, None] * jnp.linalg.inv(matrix + jnp.diag(slack)) * root

"""How a solved point answers to other weights of the samples: TMRD and iE&C, with no solver run again.

At the optimal q of a slope s, with A_iy = K_iy / z_i and c = E A (c_y = 1 where q_y > 0), weights w* move c to
c* = w* A and q by G^-1 (c* - c), G = K' diag(p/z^2) K, and

    L*(s) = sum_i w*_i (-ln Z_i) - 1/2 (c* - c)' G^-1 (c* - c) + third order:

the envelope theorem makes the first order a mere reweighting, one Newton step with the old matrix gives the second (and
with it the bias of the plug-in, E L_N - L = - (letters in use - 1) / 2N). R*(D) = max_s L*(s) - s D, likewise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.kernels import HeldKernel, ratio
from jaxrd.problem import Problem
from jaxrd.solvers.certificate import evaluate, prepare
from jaxrd.tosc.confidence.resampling import BATCH, Resampled, steepness
from jaxrd.tosc.curves.confusion import indirect_problem
from jaxrd.tosc.curves.soft import model_aware_problem
from jaxrd.tosc.joint import SparseJoint

RIDGE = 1e4  # in rounding units of the Newton matrix, whose largest eigenvalue is one
NEWTON_STEPS = 4  # of a resampled iE&C, whose few samples a cell are no small perturbation
ENTRANTS = 0.03  # share of a uniform letter that unused letters count for there: a resampling may use them


def _inverse_newton(kernel: HeldKernel, source: jax.Array, q: jax.Array) -> jax.Array:
    """(K' diag(p/z^2) K + diag(slack/q))^-1, slack = 1 - c: G^-1 on the letters in use, next to 0 elsewhere."""
    z, c = kernel.sums(source, q)
    root = jnp.sqrt(q)
    matrix = jnp.tril(kernel.gram(ratio(source, z) / jnp.where(source > 0, z, 1), root, q.dtype))
    matrix = matrix + jnp.tril(matrix, -1).T
    slack = jnp.maximum(1 - c, 0) + RIDGE * jnp.finfo(q.dtype).eps
    return root[:, None] * jnp.linalg.inv(matrix + jnp.diag(slack)) * root


class ModelAware(NamedTuple):
    """TMRD at a slope, on either axis."""

    believed: Resampled
    """R at the distortion the model believes: the rate-distortion function of the posteriors."""
    measured: Resampled
    """The rate at the distortion that the labels measure for the optimal channels."""


@jax.jit
def model_aware(
    v: jax.Array, labels: jax.Array, weights: jax.Array, slope: ArrayLike, reproduction: jax.Array
) -> ModelAware:
    """TMRD at the two distortions that a slope leads to.

    psi_i = -ln Z_i is the influence of a sample on L(s) and (both extrema being flat) on R(D). The label-measured curve
    R = I(s), D = D_Y(s) has psi_i - s phi_i + kappa chi_i, where phi and chi are the influences on the believed and the
    measured distortion of the optimal channel, q's own move included, and kappa = -(dI/ds) / (dD_Y/ds) = s D'/D_Y'.
    Its curvature is taken to be (kappa/s) / |D_Y'|, which it is while kappa/s does not change (1 if calibrated).

    Args:
        v: posteriors, shape (samples, classes).
        labels: y, int, shape (samples,).
        weights: `resampled_weights`, shape (replicates, samples).
        slope: s > 0, finite, a scalar.
        reproduction: the optimal q there, shape (classes,).
    """
    problem = model_aware_problem(v)
    slope, q = jnp.asarray(slope, v.dtype), jnp.asarray(reproduction, v.dtype)
    prepared = prepare(problem, slope)
    kernel, source = prepared.kernel.held(), prepared.source
    z, c = kernel.sums(source, q)
    share = kernel.weighted(jnp.ones_like(q)) / z[:, None]
    channel = share * q
    log_partition = slope * kernel.minima[0] - jnp.log(z)
    inverse = _inverse_newton(kernel, source, q)
    believed = 1 - v
    push = source @ (share * (believed - (channel * believed).sum(1, keepdims=True)))  # dD/dq, and -dc/ds

    def loss(d):
        """A distortion of the channel: its mean, slope in s, influences, and what moves it beside the weights."""
        mean = (channel * d).sum(1)
        pull = inverse @ (source @ (share * (d - mean[:, None])))
        run = -(source @ ((channel * d * believed).sum(1) - mean * (channel * believed).sum(1))) - pull @ push
        return source @ mean, run, mean + share @ pull, mean, pull

    model, model_run, model_influence, model_mean, model_pull = loss(believed)
    label, label_run, label_influence, label_mean, label_pull = loss(
        1 - jax.nn.one_hot(labels, v.shape[1], dtype=v.dtype)
    )
    kappa = steepness(-slope * model_run, -label_run)
    lagrangian = source @ log_partition
    rate = lagrangian - slope * model

    def bend(ratio, run):
        return jnp.where(run < 0, ratio / jnp.where(run < 0, -run, 1), 0)

    def replicate(w):
        moved = w @ share - c
        found = w @ log_partition - 0.5 * moved @ inverse @ moved
        by_model = w @ model_mean + moved @ model_pull - model
        by_label = w @ label_mean + moved @ label_pull - label
        believed = found - slope * model + 0.5 * bend(1.0, model_run) * by_model**2  # the maximum over s
        along = kappa * by_label + 0.5 * bend(kappa / slope, label_run) * by_label**2
        return believed, found - slope * (model + by_model) + along

    at_believed, at_measured = jax.vmap(replicate)(weights)
    at_measured_influence = log_partition - slope * model_influence + kappa * label_influence
    return ModelAware(
        Resampled(rate, at_believed, log_partition.std()),
        Resampled(rate, at_measured, at_measured_influence.std()),
    )


@jax.jit
def indirect(joint: SparseJoint, masses: jax.Array, slope: ArrayLike, reproduction: jax.Array) -> Resampled:
    """iE&C at the distortion that a slope leads to.

    Source and distortion 1 - p(y|yt) both move, the latter far where a cell holds few samples: each resampling has its
    own kernel, and L* is the least objective met in a few steps with the old Newton matrix (an upper bound on it). The
    influence of a sample (y, yt) is -ln Z_yt + s (E_W[p(.|yt)] - W(y|yt)).

    Args:
        joint: of label and estimate.
        masses: `resampled_masses`, shape (replicates, pairs).
        slope: s > 0, finite, a scalar.
        reproduction: the optimal q there, shape (classes,).
    """
    sparse = indirect_problem(joint)
    problem = Problem(sparse.source, sparse.distortion.dense())
    slope, q = jnp.asarray(slope, joint.dtype), jnp.asarray(reproduction, joint.dtype)
    prepared = prepare(problem, slope)
    kernel, source = prepared.kernel.held(), prepared.source
    z = kernel.matvec(q)
    channel = kernel.weighted(q) / z[:, None]
    loss = (channel * jnp.asarray(problem.distortion)).sum(1)
    log_partition = slope * kernel.minima[0] - jnp.log(z)
    distortion = source @ loss
    inverse = _inverse_newton(kernel, source, jnp.maximum(q, ENTRANTS / q.size))

    def replicate(mass):
        own = prepare(indirect_problem(replace(joint, mass=mass)), slope)

        def step(state, _):
            q, least = state
            e = evaluate(own.kernel, own.source, q)
            moved = jnp.maximum(q + inverse @ (e.c - 1), jnp.finfo(q.dtype).tiny)
            return (moved / moved.sum(), jnp.minimum(least, e.objective)), None

        start = q, jnp.asarray(jnp.inf, q.dtype)
        least = jax.lax.scan(step, start, length=NEWTON_STEPS + 1)[0][1]
        return least + slope * (own.source @ own.kernel.minima[0] - distortion)

    replicates = jax.lax.map(replicate, masses, batch_size=BATCH)
    influence = log_partition[joint.decisions] + slope * (1 - loss[joint.decisions])
    influence = influence - slope * channel[joint.decisions, joint.labels]
    mean = joint.mass @ influence
    return Resampled(mean - slope * distortion, replicates, jnp.sqrt(joint.mass @ (influence - mean) ** 2))

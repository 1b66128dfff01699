"""iE&C with its channel fitted on one half of the samples and measured on the other: what plug-in optimism hides."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._sweep import sweep
from jaxrd.channel import optimal_channel
from jaxrd.curve import Curve
from jaxrd.information import mutual_information
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.tosc import Outputs, confusion_joint, indirect_problem

SLOPES = np.geomspace(1, 12, 40)
"""Nats per unit of distortion."""


@jax.jit
def _measure(problem: Problem, points: Solution, joint: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Rate and label distortion, on another joint, of the channels that solve a problem."""
    seen = (problem.source > 0)[:, None]

    def one(point: Solution) -> tuple[jax.Array, jax.Array]:
        # A decision that the fit never saw is sent as it is.
        channel = jnp.where(seen, optimal_channel(problem, point), jnp.eye(joint.shape[0]))
        return mutual_information(joint.sum(0), channel), 1 - (joint * channel.T).sum()

    return jax.lax.map(one, points)


def held_out_indirect(outputs: Outputs, *, slopes: np.ndarray = SLOPES, splits: int = 4, seed: int = 0) -> Curve:
    """iE&C, each half's channels measured on the other half; the mean of both, and of several splits.

    Args:
        outputs: a classifier's.
        slopes: at which the channels are fitted, nats per unit of distortion.
        splits: into halves.
        seed: of the splits.
    """
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(splits):
        halves = [outputs.take(rows) for rows in np.array_split(generator.permutation(len(outputs.labels)), 2)]
        joints = [confusion_joint(half.labels, half.decisions, half.classes) for half in halves]
        for fit, other in (joints, joints[::-1]):
            problem = indirect_problem(fit)
            found.append(_measure(problem, sweep(problem, slopes), other))
    rate, distortion = np.mean(found, axis=0)
    nan = np.full(len(rate), np.nan)
    return Curve(distortion, rate, slopes, nan, np.full(len(rate), Status.ACHIEVABLE))

"""E&C: the decision compressed for its own distortion."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._exported import exported
from jaxrd._readable import readable
from jaxrd._sweep import sweep
from jaxrd.channel import optimal_channel
from jaxrd.closed_form import categorical
from jaxrd.problem import Problem
from jaxrd.solution import Solution
from jaxrd.tosc._checked import (
    a_joint,
    checked,
    numbers,
)
from jaxrd.tosc.curves.confusion import likeliest
from jaxrd.tosc.curves.definition import Definition, Samples
from jaxrd.tosc.curves.drawing import (
    Bound,
    Least,
    Rate,
    Tick,
    exact,
    solve_grid,
)
from jaxrd.tosc.curves.measured import measured_bound
from jaxrd.tosc.curves.oracle import erokhin
from jaxrd.tosc.curves.parametric import least_point, smallest_point
from jaxrd.tosc.joint import SparseJoint, as_joint
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.resampling import Resampled, along

SCAN = 512  # points on which E&C is searched for its smallest rate: each is cheap
ROUNDED = 1e-12  # expected losses this close tie


@readable
class EstimateAndCompress(NamedTuple):
    """Points of E&C: the distortion of the estimate, and that of the label."""

    rate: jax.Array
    """nats."""
    distortion: jax.Array
    """D_Y = P(reproduction != label)."""
    estimate_distortion: jax.Array
    """D_hat = P(reproduction != estimate), the constraint of the compressor."""


@checked(a_joint(), numbers("estimate_distortion"))
@jax.jit
def estimate_and_compress(joint: ArrayLike | SparseJoint, estimate_distortion: ArrayLike) -> EstimateAndCompress:
    """E&C: the estimate compressed for its own distortion (eRD), measured on the label ([A] eq. (12)-(14)).

    The rate is R_Yt(D_hat) in closed form (Erokhin), and exact; D_Y comes from the optimal channel. At the
    zero-rate end, where several estimates tie as likeliest, the one best for the label is sent.

    Args:
        joint: J[y, yt], a pmf, shape (classes, classes).
        estimate_distortion: D_hat, a probability, any shape (one at a time, by `lax.map`, where classes are very many).

    Raises:
        InputError: a known joint that is no joint pmf: not square, an entry negative or not finite, or a sum that is
            not 1.

    >>> point = estimate_and_compress(jnp.eye(2) / 2, 0.1)
    >>> round(float(point.distortion), 6)
    0.1
    """
    j, d = as_joint(joint), jnp.asarray(estimate_distortion)
    estimate, prior = j.sum(0), j.sum(1)
    rate = categorical.rate(estimate, d)
    q = categorical.reproduction(estimate, d)
    shrink = jnp.exp(-categorical.slope(estimate, d))[..., None]
    # W(yh|yt) = q_yh e^{-s [yh != yt]} / z_yt; the label is right with probability sum J(yh, yt) W(yh|yt).
    z = shrink + (1 - shrink) * q
    right = shrink * (q @ j) + (1 - shrink) * j.diagonal() * q
    distortion = 1 - jnp.where(z == 0, 0, right / jnp.where(z == 0, 1, z)).sum(-1)
    silent = 1 - jnp.where(likeliest(estimate), prior, 0).max()
    distortion = jnp.where(d >= 1 - estimate.max(), silent, distortion)
    return EstimateAndCompress(rate, distortion, d)


@jax.jit
def _estimated(joint: jax.Array, grid: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Distortion and rate at the first `count` of the grid; one at a time: memory classes^2."""

    def add(i, found):
        point = estimate_and_compress(joint, grid[i])
        return found[0].at[i].set(point.distortion), found[1].at[i].set(point.rate)

    return jax.lax.fori_loop(0, count, add, (jnp.zeros_like(grid), jnp.zeros_like(grid)))


def _points(joint: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distortion and rate at each of a grid, by a program that serves any number of them."""
    parts = [grid[first : first + SCAN] for first in range(0, len(grid), SCAN)]
    filled = [np.append(part, np.zeros(SCAN - len(part))).astype(joint.dtype) for part in parts]
    found = [
        jax.device_get(exported(_estimated, lambda *pair: pair, joint, all_, len(part)))
        for all_, part in zip(filled, parts, strict=True)
    ]
    d, rate = (np.concatenate(each)[: len(grid)] for each in zip(*found, strict=True))
    return d, rate


def draw(joint: jax.Array | np.ndarray, count: int) -> Bound:
    """E&C: exact in the compressor's own distortion, drawn over the label's."""
    joint = np.asarray(joint)
    estimate = joint.sum(0)
    largest = 1 - float(estimate.max())
    shown, scan = np.linspace(largest, 0, count + 2), np.linspace(0, largest, SCAN)
    slope = erokhin(estimate, distortions=shown).slope
    curve = exact(*_points(joint, shown), slope, parameters={"estimate_distortion": shown})
    fine = _points(joint, scan)

    def one(d: float) -> tuple[float, float]:
        distortion, rate = _points(joint, np.array([d]))
        return float(distortion[0]), float(rate[0])

    return Bound(
        curve,
        lambda target: Rate(*smallest_point(scan, *fine, one, target)),
        lambda rate: Least(least_point(scan, *fine, one, rate)),
    )


def draw_between(
    joint: np.ndarray, loss: Loss, between: np.ndarray, count: int, *, tol: float | None = None, tick: Tick = None
) -> Bound:
    """E&C under a loss that is a distortion between actions too: solved in its own distortion, drawn over the label's.

    Args:
        joint: of label and action, shape (labels, actions).
        loss: of a label and an action.
        between: of an action sent as another, shape (actions, actions).
        count: points.
        tol: certified gap, nats; None: by dtype.
        tick: progress.
    """
    estimate = joint.sum(0)
    occur = np.flatnonzero(estimate)
    problem = Problem(estimate[occur], between[occur].astype(joint.dtype))
    solved, curve = solve_grid(problem, count, tol, tick, unit=float(np.ptp(between)) or 1.0)
    cost = joint[:, occur].T @ loss.values  # of an action sent as another, times its probability

    def measured(point: Solution) -> float:
        return float((np.asarray(optimal_channel(problem, point)) * cost).sum())

    def solve(slope: float) -> Solution:
        return jax.tree.map(lambda a: a[0], sweep(problem, np.array([slope]), tol=tol))

    silent = estimate @ between
    silence = float(np.where(silent <= silent.min() + ROUNDED, joint.sum(1) @ loss.values, np.inf).min())
    bound = measured_bound(solved, curve, silence, measured, solve)
    own = replace(bound.curve, model_distortion=None, parameters={"estimate_distortion": curve.distortion})
    return bound._replace(curve=own)


def _draw(samples: Samples, count: int, tol: float | None, tick: Tick) -> Bound | None:
    if samples.loss is None:
        return draw(samples.joint, count)
    if samples.between is None:
        return None
    return draw_between(samples.joint, samples.loss, samples.between, count, tol=tol, tick=tick)


@jax.jit
def respond(joint: SparseJoint, masses: jax.Array, estimate_distortion: ArrayLike) -> Resampled:
    """E&C at the label distortion that D_hat leads to."""

    def point(mass, d_hat):
        compressed = estimate_and_compress(replace(joint, mass=mass), d_hat)
        return compressed.rate, compressed.distortion

    return along(point, joint.mass, masses, jnp.asarray(estimate_distortion, joint.dtype))


ESTIMATED = Definition(
    name="E&C",
    meaning="compress decisions only",
    file="ec",
    draw=_draw,
    undefined="the loss is no distortion between decisions, for actions are not labels",
    achievable=True,
    respond=lambda resampling, d, _: {ESTIMATED.name: respond(resampling.joint, resampling.masses, d)},
    parameter=lambda curve, _: curve.parameters["estimate_distortion"],
)

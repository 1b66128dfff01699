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
from jaxrd.closed_form import categorical
from jaxrd.tosc._checked import (
    a_joint,
    checked,
    numbers,
)
from jaxrd.tosc.curves.confusion import likeliest
from jaxrd.tosc.curves.definition import Definition
from jaxrd.tosc.curves.drawing import (
    Bound,
    Rate,
    exact,
)
from jaxrd.tosc.curves.oracle import erokhin
from jaxrd.tosc.curves.parametric import smallest_point
from jaxrd.tosc.joint import SparseJoint, as_joint
from jaxrd.tosc.resampling import Resampled, along

SCAN = 512  # points on which E&C is searched for its smallest rate: each is cheap


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

    return Bound(curve, lambda target: Rate(*smallest_point(scan, *fine, one, target)))


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
    draw=lambda samples, count, tol, tick: draw(samples.joint, count),
    achievable=True,
    respond=lambda resampling, d, _: {ESTIMATED.name: respond(resampling.joint, resampling.masses, d)},
    parameter=lambda curve: curve.parameters["estimate_distortion"],
)

"""TS: the decision is sent a fraction of the time, and nothing otherwise."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd.information import entropy
from jaxrd.tosc._checked import (
    a_joint,
    checked,
    numbers,
)
from jaxrd.tosc.curves.confusion import known_landmarks, landmarks
from jaxrd.tosc.curves.definition import Costs, Definition
from jaxrd.tosc.curves.drawing import (
    Bound,
    Least,
    Rate,
    achievable,
)
from jaxrd.tosc.joint import SparseJoint
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.resampling import BATCH, Resampled, steepness


@checked(a_joint(), numbers("distortion"))
@jax.jit
def time_sharing(joint: ArrayLike | SparseJoint, distortion: ArrayLike) -> jax.Array:
    """TS: R = (D_0 - D) / (D_0 - D_TM) H(Yt) for D_TM <= D <= D_0, nats ([A] eq. (22)).

    The estimate is sent losslessly a fraction of the time, and nothing otherwise. 0 for D > D_0, +inf for
    D < D_TM; NaN where D_TM >= D_0, for then it is undefined.

    Args:
        joint: J[y, yt], a pmf, shape (classes, classes).
        distortion: D = P(reproduction != label), any shape.

    Raises:
        InputError: a known joint that is no joint pmf: not square, an entry negative or not finite, or a sum that is
            not 1.

    >>> round(float(time_sharing(jnp.eye(2) / 2, 0.25)), 6)
    0.346574
    """
    return _shared(jnp, landmarks(joint), jnp.asarray(distortion))


def _shared(xp: ModuleType, ends: Any, d: Any) -> Any:
    d_tm, d_0, h = ends
    # D_TM is rounded: a target equal to it up to rounding must be reached.
    reach = d_tm - 8 * xp.finfo(xp.asarray(h).dtype).eps
    value = xp.clip((d_0 - d) / xp.where(d_0 > d_tm, d_0 - d_tm, 1), 0, 1) * h
    value = xp.where(d < reach, xp.inf, value)
    return xp.where(d_tm < d_0, value, xp.nan)


def draw(joint: jax.Array | np.ndarray, count: int, *, loss: Loss | None = None) -> Bound | None:
    """TS: the line of time sharing, drawn by the fraction; None where D_TM >= D_0 leaves it undefined."""
    ends = known_landmarks(np.asarray(joint), loss)
    d_tm, d_0, entropy = ends
    if d_tm >= d_0:
        return None
    d = np.linspace(d_0, d_tm, count)
    curve = achievable(d, (d_0 - d) / (d_0 - d_tm) * entropy)

    def smallest(target: float) -> Rate:
        rate = float(_shared(np, ends, target))
        return Rate(rate, rate / entropy)

    return Bound(curve, smallest, lambda rate: Least(d_0 - min(rate / entropy, 1.0) * (d_0 - d_tm)))


@jax.jit
def respond(joint: SparseJoint, masses: jax.Array, share: ArrayLike, costs: Costs | None = None) -> Resampled:
    """TS at the distortion where the estimate is sent a fraction `share` of the time."""

    def ends(mass):
        moved = replace(joint, mass=mass)
        if costs is None:
            return landmarks(moved)
        prior = moved.sum(1)[: len(costs.occurring)]
        return mass @ costs.decided, (prior @ costs.occurring).min(), entropy(moved.sum(0))

    def point(mass):
        d_tm, d_0, h = ends(mass)
        return share * h, share * d_tm + (1 - share) * d_0

    d_tm, d_0, h = ends(joint.mass)
    rate, d = map(jnp.asarray, point(joint.mass))
    rates, distortions = jax.lax.map(point, masses, batch_size=BATCH)
    return Resampled(rate, rates + steepness(h, d_0 - d_tm) * (distortions - d), jnp.full_like(rate, jnp.nan))


TIME_SHARING = Definition(
    name="TS",
    meaning="time-shared decisions",
    file="ts",
    draw=lambda samples, count, tol, tick: draw(samples.joint, count, loss=samples.loss),
    undefined="to guess one action always does as well as to decide",
    achievable=True,
    respond=lambda resampling, share, _: {
        TIME_SHARING.name: respond(resampling.joint, resampling.masses, share, resampling.costs)
    },
    parameter=lambda curve, _: curve.rate / curve.rate.max(),  # it ends at H(decision), where the share is one
)

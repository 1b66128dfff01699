"""The merge baseline: the rarest decisions are sent as the likeliest one."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.tosc._checked import (
    a_joint,
    checked,
)
from jaxrd.tosc.curves.confusion import likeliest
from jaxrd.tosc.curves.definition import Definition
from jaxrd.tosc.curves.drawing import (
    Bound,
    Rate,
    achievable,
)
from jaxrd.tosc.joint import SparseJoint, as_joint


@checked(a_joint())
@jax.jit
def merge_order(joint: ArrayLike | SparseJoint) -> jax.Array:
    """The estimates in the order in which `merge_baseline` merges them; the one that replaces them comes last.

    The least likely goes first. Of equally likely estimates the one whose loss costs the label least goes first, and
    the one with the likelier label replaces the others: the numbering of the classes has no effect.

    Args:
        joint: J[y, yt], shape (classes, classes).

    Returns:
        Classes, int, shape (classes,).

    >>> merge_order(jnp.diag(jnp.array([0.2, 0.5, 0.3]))).tolist()
    [0, 2, 1]
    """
    j = as_joint(joint)
    estimate = j.sum(0)
    best = jnp.argmax(jnp.where(likeliest(estimate), j.sum(1), -1))
    gain = j[best] - j.diagonal()  # of P(right), when the estimate is sent as `best`
    # Equal counts may differ by the rounding of their sums: counts equal up to rounding share a rank.
    rising = jnp.sort(estimate)
    steps = jnp.concatenate([jnp.zeros(1, int), jnp.cumsum(jnp.diff(rising) > 16 * jnp.finfo(j.dtype).eps)])
    rank = steps[jnp.searchsorted(rising, estimate)].at[best].set(estimate.size)
    return jnp.lexsort((-gain, rank))


@readable
class Merged(NamedTuple):
    """Points of the merge baseline, k = 0 .. classes - 1 merged estimates."""

    rate: jax.Array
    """H(reproduction), nats, shape (classes,)."""
    distortion: jax.Array
    """P(reproduction != label), shape (classes,)."""


@checked(a_joint())
@jax.jit
def merge_baseline(joint: ArrayLike | SparseJoint) -> Merged:
    """The one-shot baseline of [A], section IV-B: the k least likely estimates are sent as the likeliest one.

    Args:
        joint: J[y, yt], a pmf, shape (classes, classes).

    Returns:
        Rates H(Yh), nats, and distortions P(Yh != Y), shape (classes,) each: k = 0 .. classes - 1.

    Raises:
        InputError: a known joint that is no joint pmf: not square, an entry negative or not finite, or a sum that is
            not 1.

    >>> [round(float(r), 4) for r in merge_baseline(jnp.eye(4) / 4).rate]
    [1.3863, 1.0397, 0.5623, 0.0]
    """
    j = as_joint(joint)
    order = merge_order(joint)  # least likely first, the likeliest last
    p, change = j.sum(0)[order], (j[order[-1]] - j.diagonal())[order]
    zero = jnp.zeros(1, p.dtype)
    merged = jnp.concatenate([zero, jnp.cumsum(p[:-1])])
    terms = -jax.scipy.special.xlogy(p, p)
    kept = terms[:-1].sum() - jnp.concatenate([zero, jnp.cumsum(terms[:-1])])
    top = p[-1] + merged
    rate = jnp.maximum(kept - jax.scipy.special.xlogy(top, top), 0)
    gained = jnp.concatenate([zero, jnp.cumsum(change[:-1])])
    return Merged(rate.at[-1].set(0), 1 - (j.trace() + gained))


def draw(joint: jax.Array) -> Bound:
    """The merge baseline: one point for each number of merged estimates; nothing in between."""
    points = jax.device_get(merge_baseline(joint))
    curve = achievable(points.distortion, points.rate, parameters={"merged_classes": np.arange(len(points.rate))})
    return Bound(
        curve, lambda target: Rate(float(points.rate[points.distortion <= target + 1e-12].min(initial=np.inf)))
    )


MERGED = Definition(
    name="merge",
    meaning="merge rare classes",
    file="merge",
    draw=lambda samples, count, tol, tick: draw(samples.joint),
)

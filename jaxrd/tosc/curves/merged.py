"""The merge baseline: the rarest decisions are sent as the likeliest one."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

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
    Least,
    Rate,
    achievable,
)
from jaxrd.tosc.joint import SparseJoint, as_joint
from jaxrd.tosc.losses import Loss


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
    return _order(jnp, as_joint(joint))[0]


def _order(xp: ModuleType, j: Any, loss: Loss | None = None) -> tuple[Any, Any]:
    """The order, and by how much D falls when an estimate is sent as the last of them."""
    estimate = j.sum(0)
    worth = j.sum(1) if loss is None else 1 / (1 + j.sum(1) @ loss.values)  # the larger, the better a guess
    best = xp.argmax(xp.where(likeliest(estimate), worth, -1))
    # In the first case of P(right).
    gain = j[best] - j.diagonal() if loss is None else (j * (loss.values - loss.values[:, [best]])).sum(0)
    # Equal counts may differ by the rounding of their sums: counts equal up to rounding share a rank.
    rising = xp.sort(estimate)
    steps = xp.concatenate([xp.zeros(1, int), xp.cumsum(xp.diff(rising) > 16 * xp.finfo(j.dtype).eps)])
    rank = xp.where(xp.arange(estimate.size) == best, estimate.size, steps[xp.searchsorted(rising, estimate)])
    return xp.lexsort((-gain, rank)), gain


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
    return _merged(jnp, as_joint(joint))


def _merged(xp: ModuleType, j: Any, loss: Loss | None = None) -> Merged:
    order, gain = _order(xp, j, loss)  # least likely first, the likeliest last
    p, change = j.sum(0)[order], gain[order]
    lossless = 1 - j.trace() if loss is None else (j * loss.values).sum()
    zero = xp.zeros(1, p.dtype)

    def spread(p):  # p ln p
        return p * xp.log(xp.where(p > 0, p, 1))

    merged = xp.concatenate([zero, xp.cumsum(p[:-1])])
    terms = -spread(p)
    kept = terms[:-1].sum() - xp.concatenate([zero, xp.cumsum(terms[:-1])])
    rate = xp.maximum(kept - spread(p[-1] + merged), 0)
    gained = xp.concatenate([zero, xp.cumsum(change[:-1])])
    last = xp.arange(p.size) == p.size - 1
    return Merged(xp.where(last, 0, rate), lossless - gained)


def draw(joint: jax.Array | np.ndarray, *, loss: Loss | None = None) -> Bound:
    """The merge baseline: one point for each number of merged estimates; nothing in between."""
    rate, distortion = map(np.asarray, _merged(np, np.asarray(joint), loss))
    # Sets of labels are many, and most of them are no sample's action.
    used = np.arange(len(rate)) >= (0 if loss is None else (np.asarray(joint).sum(0) == 0).sum())
    curve = achievable(distortion[used], rate[used], parameters={"merged_classes": np.flatnonzero(used)})
    return Bound(
        curve,
        lambda target: Rate(float(rate[distortion <= target + 1e-12].min(initial=np.inf))),
        lambda most: Least(float(distortion[rate <= most + 1e-12].min())),
    )


MERGED = Definition(
    name="merge",
    meaning="merge rare classes",
    file="merge",
    draw=lambda samples, count, tol, tick: draw(samples.joint, loss=samples.loss),
)

"""The confusion joint P(label, estimate), and the bounds that need nothing else."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.closed_form import categorical
from jaxrd.distortion import SparseDiscount
from jaxrd.information import entropy
from jaxrd.problem import Problem
from jaxrd.tosc._checked import a_joint, checked, some_labels, some_weights
from jaxrd.tosc.joint import SparseJoint, as_joint


def _classes(given: dict) -> int:
    return given["classes"]


@checked(some_labels(_classes), some_labels(_classes, "decisions", of="labels"), some_weights("labels"))
def confusion_joint(
    labels: ArrayLike, decisions: ArrayLike, classes: int, weights: ArrayLike | None = None
) -> jax.Array:
    """The joint pmf J[y, yt] of label and estimate, shape (classes, classes), from samples.

    For more classes than such a matrix allows see `sparse_joint`: every function here takes either.

    Args:
        labels: y, int, shape (samples,).
        decisions: yt, int, shape (samples,).
        classes: their number.
        weights: of the samples, taken as w / sum w; None: equal.

    Raises:
        InputError: a class outside 0..classes-1, shapes that differ, no sample, weights that are none.

    >>> confusion_joint([0, 1], [0, 0], 2).tolist()
    [[0.5, 0.0], [0.5, 0.0]]
    """
    y, yt = jnp.asarray(labels), jnp.asarray(decisions)
    if weights is None:
        return jnp.zeros((classes, classes)).at[y, yt].add(1.0) / y.shape[0]
    w = jnp.asarray(weights)
    return jnp.zeros((classes, classes), jnp.promote_types(w.dtype, jnp.float32)).at[y, yt].add(w / w.sum())


@readable
class Landmarks(NamedTuple):
    """Where the curves begin and end."""

    task_model_distortion: jax.Array
    """D_TM = P(estimate != label)."""
    zero_rate_distortion: jax.Array
    """D_0 = 1 - max_y p(y)."""
    estimate_entropy: jax.Array
    """H(estimate), nats: the rate of sending every decision."""


@checked(a_joint())
@jax.jit
def landmarks(joint: ArrayLike | SparseJoint) -> Landmarks:
    """D_TM, D_0 and the entropy of the estimate ([A] eq. (8), (10), (22))."""
    j = as_joint(joint)
    return Landmarks(1 - j.trace(), 1 - j.sum(1).max(), entropy(j.sum(0)))


@checked(a_joint())
@jax.jit
def indirect_problem(joint: ArrayLike | SparseJoint) -> Problem:
    """iE&C: the estimate compressed for the label's sake, d_hat(yt, yh) = 1 - p(y = yh | yt) ([A] eq. (17)-(19)).

    Solve it with `sweep`; its distortion is that of the label. Estimates that never occur have mass zero.

    Args:
        joint: J[y, yt], shape (classes, classes). Of a sparse one the problem is a `SparseDiscount`, for
            `blahut_arimoto`.
    """
    j = as_joint(joint)
    estimate = j.sum(0)
    occurs = estimate > 0
    if isinstance(j, SparseJoint):
        saved = j.mass / jnp.where(occurs, estimate, 1)[j.decisions]
        return Problem(estimate, SparseDiscount(jnp.ones((), j.dtype), j.decisions, j.labels, saved, j.shape))
    posterior = jnp.where(occurs, j / jnp.where(occurs, estimate, 1), 0)
    return Problem(estimate, 1 - posterior.T)


def _likeliest(estimate: jax.Array) -> jax.Array:
    """Which estimates tie as likeliest, up to the rounding of their sums."""
    return estimate >= estimate.max() - 16 * jnp.finfo(estimate.dtype).eps


@readable
class EstimateAndCompress(NamedTuple):
    """Points of E&C: what the compressor sees, and what the label does."""

    rate: jax.Array
    """nats."""
    distortion: jax.Array
    """D_Y = P(reproduction != label)."""
    estimate_distortion: jax.Array
    """D_hat = P(reproduction != estimate), the constraint of the compressor."""


@checked(a_joint())
@jax.jit
def estimate_and_compress(joint: ArrayLike | SparseJoint, estimate_distortion: ArrayLike) -> EstimateAndCompress:
    """E&C: the estimate compressed for its own sake (eRD), measured on the label ([A] eq. (12)-(14)).

    The rate is R_Yt(D_hat) in closed form (Erokhin), and exact; D_Y comes from the optimal channel. At the
    zero-rate end, where several estimates tie as likeliest, the one best for the label is sent.

    Args:
        joint: J[y, yt], shape (classes, classes).
        estimate_distortion: D_hat, any shape (one at a time, by `lax.map`, where classes are very many).

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
    silent = 1 - jnp.where(_likeliest(estimate), prior, 0).max()
    distortion = jnp.where(d >= 1 - estimate.max(), silent, distortion)
    return EstimateAndCompress(rate, distortion, d)


@checked(a_joint())
@jax.jit
def time_sharing(joint: ArrayLike | SparseJoint, distortion: ArrayLike) -> jax.Array:
    """TS: R = (D_0 - D) / (D_0 - D_TM) H(Yt) for D_TM <= D <= D_0, nats ([A] eq. (22)).

    The estimate is sent losslessly a fraction of the time, and nothing otherwise. 0 for D > D_0, +inf for
    D < D_TM; NaN where D_TM >= D_0, for then it is undefined.

    >>> round(float(time_sharing(jnp.eye(2) / 2, 0.25)), 6)
    0.346574
    """
    d = jnp.asarray(distortion)
    d_tm, d_0, h = landmarks(joint)
    # D_TM itself comes rounded: a target typed as D_TM must not miss it by an ulp.
    reach = d_tm - 8 * jnp.finfo(h.dtype).eps
    value = jnp.clip((d_0 - d) / jnp.where(d_0 > d_tm, d_0 - d_tm, 1), 0, 1) * h
    value = jnp.where(d < reach, jnp.inf, value)
    return jnp.where(d_tm < d_0, value, jnp.nan)


@checked(a_joint())
@jax.jit
def merge_order(joint: ArrayLike | SparseJoint) -> jax.Array:
    """The estimates in the order in which `merge_baseline` gives them up, the one that stands for them last.

    The least likely goes first. Of equally likely estimates the one whose loss costs the label least goes first, and
    the one with the likelier label stands for the others: relabelling the classes changes nothing.

    Args:
        joint: J[y, yt], shape (classes, classes).

    Returns:
        Classes, int, shape (classes,).

    >>> merge_order(jnp.diag(jnp.array([0.2, 0.5, 0.3]))).tolist()
    [0, 2, 1]
    """
    j = as_joint(joint)
    estimate = j.sum(0)
    best = jnp.argmax(jnp.where(_likeliest(estimate), j.sum(1), -1))
    gain = j[best] - j.diagonal()  # right after all, when the label is the likeliest estimate
    # Equal counts may differ by the rounding of their sums: equal up to that, they share a rank.
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

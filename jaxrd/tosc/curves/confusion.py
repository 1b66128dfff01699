"""The confusion joint P(label, estimate), and where the curves begin and end."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.information import entropy
from jaxrd.tosc._checked import (
    a_count,
    a_joint,
    checked,
    rows_of,
    some_labels,
    some_weights,
)
from jaxrd.tosc.joint import SparseJoint, as_joint


def _classes(given: dict) -> int:
    return given["classes"]


@checked(
    a_count("classes", 1),
    some_labels(_classes),
    some_labels(_classes, "decisions", rows=rows_of("labels")),
    some_weights("labels"),
)
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

    Reference: [A] section III-A (the confusion matrix) and eq. (10).

    >>> confusion_joint([0, 1], [0, 0], 2).tolist()
    [[0.5, 0.0], [0.5, 0.0]]
    """
    return _counted(labels, decisions, weights, classes=int(classes))


@partial(jax.jit, static_argnames="classes")
def _counted(labels: ArrayLike, decisions: ArrayLike, weights: ArrayLike | None, *, classes: int) -> jax.Array:
    y, yt = jnp.asarray(labels), jnp.asarray(decisions)
    if weights is None:
        return jnp.zeros((classes, classes)).at[y, yt].add(1.0) / y.shape[0]
    w = jnp.asarray(weights)
    w = w.astype(jnp.promote_types(w.dtype, jnp.float32))
    return jnp.zeros((classes, classes), w.dtype).at[y, yt].add(w / w.sum())


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
    """D_TM = P(Yt != Y), D_0 = 1 - max_y p(y) and H(Yt), where the curves begin and end ([A] eq. (8), (10), (22)).

    Args:
        joint: J[y, yt], a pmf, shape (classes, classes).

    Returns:
        D_TM and D_0, probabilities, and H(Yt), nats, shape () each.

    Raises:
        InputError: a known joint that is no joint pmf: not square, an entry negative or not finite, or a sum that is
            not 1.

    >>> [round(float(x), 4) for x in landmarks(jnp.eye(2) / 2)]  # never wrong: H(Yt) = ln 2
    [0.0, 0.5, 0.6931]
    """
    j = as_joint(joint)
    return Landmarks(1 - j.trace(), 1 - j.sum(1).max(), entropy(j.sum(0)))


def likeliest(estimate: jax.Array) -> jax.Array:
    """Which estimates tie as likeliest, up to the rounding of their sums."""
    return estimate >= estimate.max() - 16 * jnp.finfo(estimate.dtype).eps

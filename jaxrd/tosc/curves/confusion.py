"""The confusion joint P(label, estimate), and where the curves begin and end."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced
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
    if is_traced(labels, decisions, weights):
        return _counted(labels, decisions, weights, classes)
    # On the host: another number of samples costs no compile.
    y, yt = np.asarray(labels, np.int64), np.asarray(decisions, np.int64)
    w = np.full(y.shape, 1 / y.size) if weights is None else np.asarray(weights) / np.sum(weights)
    joint = np.bincount(y * classes + yt, w, classes**2).reshape(classes, classes)
    dtype = float if weights is None else jnp.promote_types(np.asarray(weights).dtype, jnp.float32)
    return jax.device_put(joint.astype(jax.dtypes.canonicalize_dtype(dtype)))


def _counted(labels: ArrayLike, decisions: ArrayLike, weights: ArrayLike | None, classes: int) -> jax.Array:
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


def known_landmarks(joint: np.ndarray) -> tuple[float, float, float]:
    """`landmarks` on the host.

    >>> [round(x, 4) for x in known_landmarks(np.eye(2) / 2)]
    [0.0, 0.5, 0.6931]
    """
    estimate = joint.sum(0)
    spread = -(estimate * np.log(np.where(estimate > 0, estimate, 1))).sum()
    return float(1 - joint.trace()), float(1 - joint.sum(1).max()), float(spread)


def likeliest(estimate: jax.Array) -> jax.Array:
    """Which estimates tie as likeliest, up to the rounding of their sums."""
    return estimate >= estimate.max() - 16 * jnp.finfo(estimate.dtype).eps

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
from jaxrd.tosc.losses import Loss


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


def known_landmarks(joint: np.ndarray, loss: Loss | None = None) -> tuple[float, float, float]:
    """`landmarks` on the host, of a joint of label and action: E l(Y, a*), min_a E l(Y, a) and H(a*).

    >>> [round(x, 4) for x in known_landmarks(np.eye(2) / 2)]
    [0.0, 0.5, 0.6931]
    """
    estimate = joint.sum(0)
    spread = float(-(estimate * np.log(np.where(estimate > 0, estimate, 1))).sum())
    if loss is None:
        return float(1 - joint.trace()), float(1 - joint.sum(1).max()), spread
    return float((joint * loss.values).sum()), float((joint.sum(1) @ loss.values).min()), spread


def joint_of(labels: np.ndarray, actions: np.ndarray, shape: tuple[int, int], weights: np.ndarray | None) -> np.ndarray:
    """The joint pmf of label and action, of the shape (labels, actions), on the host; weights sum to 1.

    >>> joint_of(np.array([0, 1]), np.array([2, 2]), (2, 3), None).tolist()
    [[0.0, 0.0, 0.5], [0.0, 0.0, 0.5]]
    """
    w = np.full(len(labels), 1 / len(labels)) if weights is None else weights
    joint = np.bincount(np.asarray(labels, np.int64) * shape[1] + actions, w, shape[0] * shape[1]).reshape(shape)
    return joint.astype(jax.dtypes.canonicalize_dtype(float))


def likeliest(estimate: jax.Array) -> jax.Array:
    """Which estimates tie as likeliest, up to the rounding of their sums."""
    return estimate >= estimate.max() - 16 * jnp.finfo(estimate.dtype).eps

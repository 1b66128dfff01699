"""The confusion joint of very many classes, as the pairs that occur."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import refuse_unless_whole, refuse_weights
from jaxrd.errors import InputError
from jaxrd.pytree import register


@register
@dataclass(frozen=True)
class SparseJoint:
    """The joint pmf J[y, yt] of label and estimate as its positive entries; stands in for the matrix in this package.

    Build it with `sparse_joint`. It answers what the curves ask of a matrix, in O(pairs + classes).

    Args:
        labels: y of the pairs that occur, int, shape (pairs,).
        decisions: yt of the pairs, int, rising, shape (pairs,).
        mass: their probabilities, shape (pairs,).
        classes: their number (static).
    """

    labels: jax.Array
    decisions: jax.Array
    mass: jax.Array
    classes: int = field(metadata={"static": True})

    @property
    def dtype(self) -> jnp.dtype:
        """Of the mass."""
        return self.mass.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """(classes, classes), of the matrix this stands for."""
        return self.classes, self.classes

    def sum(self, axis: int) -> jax.Array:
        """The marginal of the estimate (axis 0) or of the label (axis 1), shape (classes,)."""
        return jax.ops.segment_sum(self.mass, (self.decisions, self.labels)[axis], self.classes)

    def diagonal(self) -> jax.Array:
        """J[y, y], shape (classes,)."""
        right = jnp.where(self.labels == self.decisions, self.mass, 0)
        return jax.ops.segment_sum(right, self.labels, self.classes)

    def trace(self) -> jax.Array:
        """The probability that the estimate is right."""
        return jnp.where(self.labels == self.decisions, self.mass, 0).sum()

    def __getitem__(self, label: ArrayLike) -> jax.Array:
        """J[y, :] of one label, shape (classes,)."""
        return jax.ops.segment_sum(jnp.where(self.labels == label, self.mass, 0), self.decisions, self.classes)

    def __rmatmul__(self, q: jax.Array) -> jax.Array:
        """q J over the labels; q of shape (..., classes)."""
        zero = jnp.zeros(q.shape, jnp.result_type(q, self.mass))
        return zero.at[..., self.decisions].add(q[..., self.labels] * self.mass)


def sparse_joint(
    labels: ArrayLike, decisions: ArrayLike, classes: int, weights: ArrayLike | None = None
) -> SparseJoint:
    """The joint pmf of label and estimate from samples, on the host: memory for the samples, not for classes^2.

    Args:
        labels: y, int in 0..classes-1, shape (samples,).
        decisions: yt, int in 0..classes-1, shape (samples,).
        classes: their number.
        weights: of the samples, taken as w / sum w, shape (samples,); None: equal.

    Raises:
        InputError: the shapes differ, there is no sample, or a class lies outside the range, weights are none.

    Reference: [A] section III-A (the confusion matrix) and eq. (10).

    >>> joint = sparse_joint([0, 70_000, 70_000], [0, 0, 70_000], 100_000)
    >>> round(float(joint.trace()), 6)
    0.666667
    """
    refuse_unless_whole("classes", classes, 1)
    y, yt = np.asarray(labels), np.asarray(decisions)
    if y.ndim != 1 or y.shape != yt.shape or y.size == 0:
        raise InputError(
            f"labels and decisions must have one shape (samples,), not empty; got {y.shape} and {yt.shape}."
        )
    for name, values in (("labels", y), ("decisions", yt)):
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= classes:
            raise InputError(f"{name} must be integers in 0..{classes - 1}; got {values.min()} to {values.max()}.")
    # By estimate first: the rows of the indirect problem come in order.
    pairs, index, counts = np.unique(yt.astype(np.int64) * classes + y, return_inverse=True, return_counts=True)
    if weights is None:
        mass = counts / y.size
    else:
        w = np.asarray(weights)
        if w.shape != y.shape:
            raise InputError(f"weights must have shape {y.shape}, one a sample; got {w.shape}.")
        refuse_weights("weights", w)
        mass = np.bincount(index, w / w.sum(), pairs.size)
    return SparseJoint(jnp.asarray(pairs % classes), jnp.asarray(pairs // classes), jnp.asarray(mass), classes)


def as_joint(joint: ArrayLike | SparseJoint) -> jax.Array | SparseJoint:
    """The joint as a JAX array, unless it is sparse."""
    return joint if isinstance(joint, SparseJoint) else jnp.asarray(joint)

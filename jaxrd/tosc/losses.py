"""Losses l(y, a) of a label y and an action a: what a decision costs, where it is not right or wrong.

An action need not be a label: it may be a set of labels, a coarse label, or to abstain. Every curve of `limits` takes
one. The distortion of an action a for a sample with posterior v is its expected loss, sum_y v_y l(y, a).

Reference: [A] eq. (3), whose d(y, yh) is any.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb
from typing import Any

import numpy as np

from jaxrd._readable import readable
from jaxrd.errors import InputError

MOST_ACTIONS = 20_000
"""Sets of labels that `top` makes at most: each is a reproduction letter of every problem."""


@readable
@dataclass(frozen=True)
class Loss:
    """A loss l(y, a). Build it with a function of this module, which checks the values.

    Args:
        name: as in tables, files and figures, such as "top2".
        values: l(y, a) >= 0, any unit, shape (labels, actions).
        of_label: the action for a receiver who takes a label for the true one, argmin_a l(y, a), int, shape (labels,).

    >>> abstain(0.3, 2).values.tolist()
    [[0.0, 1.0, 0.3], [1.0, 0.0, 0.3]]
    """

    name: str
    values: np.ndarray
    of_label: np.ndarray

    @property
    def labels(self) -> int:
        """The number of labels."""
        return self.values.shape[0]

    @property
    def actions(self) -> int:
        """The number of actions."""
        return self.values.shape[1]

    @property
    def is_error(self) -> bool:
        """Whether every loss is 0 or 1: then 1 - D is an accuracy."""
        return bool(np.isin(self.values, (0, 1)).all())

    @property
    def is_zero_one(self) -> bool:
        """Whether an action is a label, and the loss 1 where it is another one than the sample's."""
        return self.labels == self.actions and bool((self.values == 1 - np.eye(self.labels)).all())

    @property
    def span(self) -> float:
        """The largest loss less the least, for bounds that need the range of values."""
        return float(self.values.max() - self.values.min())

    def among(self, kept: np.ndarray) -> Loss:
        """The same loss of some labels alone; `kept` says which, bool, shape (labels,)."""
        return Loss(self.name, self.values[kept], self.of_label[kept])

    def expected(self, posterior: np.ndarray) -> np.ndarray:
        """sum_y v_y l(y, a) of each action, shape (samples, actions), from v, shape (samples, labels)."""
        return posterior @ self.values

    def decide(self, posterior: np.ndarray) -> np.ndarray:
        """The action of least expected loss, argmin_a sum_y v_y l(y, a), int, shape (samples,); the first of several.

        >>> abstain(0.3, 2).decide(np.array([[0.9, 0.1], [0.4, 0.6]])).tolist()
        [0, 2]
        """
        return self.expected(posterior).argmin(1)


def _loss(name: str, matrix: np.ndarray) -> Loss:
    return Loss(name, matrix, matrix.argmin(1))


def zero_one(classes: int) -> Loss:
    """l(y, a) = 1 where a is not y: the task distortion is 1 - accuracy.

    Args:
        classes: the number of labels, at least 2.

    Raises:
        InputError: fewer than 2 classes.

    Reference: [A] section III-A.

    >>> zero_one(2).values.tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    _refuse_few(classes)
    return _loss("zero-one", 1 - np.eye(classes))


def of_matrix(matrix: Any, name: str = "matrix") -> Loss:
    """A loss given by its values.

    Args:
        matrix: l(y, a), finite, >= 0, shape (labels, actions).
        name: of the loss.

    Raises:
        InputError: another shape, or a value that is negative or not finite.

    Reference: [A] eq. (3).

    >>> of_matrix([[0, 5], [1, 0]]).of_label.tolist()
    [0, 1]
    """
    try:
        values = np.asarray(matrix, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"a loss must be a matrix of numbers, (labels, actions); got {matrix!r:.60}.") from None
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 1:
        raise InputError(f"a loss must have shape (labels, actions), two labels or more; got {values.shape}.")
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        y, a = np.argwhere(bad)[0]
        raise InputError(f"a loss must be finite and >= 0; got {values[y, a]:g} for label {y}, action {a}.")
    if values.shape[1] > MOST_ACTIONS:
        raise InputError(f"a loss has {values.shape[1]} actions; {MOST_ACTIONS} can be handled.")
    return _loss(name, values)


def top(k: int, classes: int) -> Loss:
    """Top-k error: an action is a set of k labels, and the loss is 1 where the label is not among them.

    Args:
        k: labels of a set, from 1 to classes - 1.
        classes: the number of labels.

    Raises:
        InputError: another k, or more than 20 000 sets, with their number.

    Reference: O. Russakovsky et al., ImageNet large scale visual recognition challenge, IJCV 2015 (top-5 error).

    >>> top(2, 3).values.tolist()  # the sets {0, 1}, {0, 2}, {1, 2}
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    _refuse_few(classes)
    if not 1 <= k < classes:
        raise InputError(f"top-k needs k in 1..{classes - 1} for {classes} classes; got {k}.")
    count = comb(classes, k)
    if count > MOST_ACTIONS:
        raise InputError(
            f"top{k} of {classes} classes has {count} sets of labels; {MOST_ACTIONS} can be handled. "
            "Take a smaller k, or a loss on coarser labels (superclass:FILE)."
        )
    sets = np.array(list(combinations(range(classes), k)))
    matrix = np.ones((classes, count))
    matrix[sets.T, np.arange(count)] = 0
    return _loss(f"top{k}", matrix)


def abstain(cost: float, classes: int) -> Loss:
    """0/1 loss with one more action, the last: to abstain, at a cost whatever the label.

    Args:
        cost: of abstaining, in (0, 1).
        classes: the number of labels.

    Raises:
        InputError: a cost outside (0, 1), or fewer than 2 classes.

    Reference: C. Chow, On optimum recognition error and reject tradeoff, IEEE Trans. IT 1970.

    >>> abstain(0.25, 2).decide(np.array([[0.7, 0.3]])).tolist()  # class 0 would cost 0.3
    [2]
    """
    _refuse_few(classes)
    if not 0 < cost < 1:
        raise InputError(f"the cost of abstaining must lie in (0, 1), between right and wrong; got {cost:g}.")
    return _loss(f"abstain:{cost:g}", np.column_stack([1 - np.eye(classes), np.full(classes, float(cost))]))


def superclass(coarse: Any, name: str = "superclass") -> Loss:
    """The error of a coarse label: an action is a coarse label, and the loss is 1 where it is not the label's.

    Args:
        coarse: the coarse label of each label, int or words, shape (labels,). Actions are the coarse labels that occur,
            in rising order.
        name: of the loss.

    Raises:
        InputError: another shape, or a single coarse label.

    Reference: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009 (CIFAR-100's 20 superclasses).

    >>> superclass([0, 0, 1]).values.tolist()
    [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    """
    of = np.asarray(coarse)
    if of.ndim != 1 or of.size < 2:
        raise InputError(f"a superclass map must hold one coarse label for each label, (labels,); got {of.shape}.")
    kinds, group = np.unique(of, return_inverse=True)
    if len(kinds) < 2:
        raise InputError(f"a superclass map must hold two coarse labels or more; all are {kinds[0]}.")
    return _loss(name, 1.0 - (group[:, None] == np.arange(len(kinds))))


def hierarchy(ancestors: Any, name: str = "hierarchy") -> Loss:
    """The height of the least common ancestor in a tree of labels: 0 for the label, 1 for one of the same parent.

    Args:
        ancestors: of each label, one column a level, in any order, int or words, shape (labels, levels) or (labels,).
            Each level must refine the one above it. A last level that tells all labels apart may be left out.
        name: of the loss.

    Raises:
        InputError: another shape, or levels of which neither refines the other.

    Reference: L. Bertinetto et al., Making better mistakes: leveraging class hierarchies with deep networks, CVPR 2020.

    >>> hierarchy([0, 0, 1]).values.tolist()
    [[0.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 0.0]]
    """
    of = np.asarray(ancestors)
    if of.ndim == 1:
        of = of[:, None]
    if of.ndim != 2 or of.shape[0] < 2 or of.shape[1] < 1:
        raise InputError(f"a hierarchy must hold the ancestors of each label, (labels, levels); got {of.shape}.")
    numbered = [np.unique(column, return_inverse=True)[1] for column in of.T]
    levels = sorted(numbered, key=lambda level: level.max())
    for above, below in pairwise(levels):
        if len(np.unique(below * (above.max() + 1) + above)) > below.max() + 1:
            raise InputError(
                f"levels of a hierarchy must refine each other: {above.max() + 1} and {below.max() + 1} groups cross."
            )
    if levels[-1].max() + 1 < len(of):
        levels.append(np.arange(len(of)))
    return _loss(name, sum((level[:, None] != level for level in levels), np.zeros((len(of), len(of)))))


def _refuse_few(classes: int) -> None:
    if classes < 2:
        raise InputError(f"a loss needs at least two classes; got {classes}.")

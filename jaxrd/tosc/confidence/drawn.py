"""The samples that gave the curves of `limits`, as its intervals need them: numbered, weighed, with their losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxrd.tosc._limits import Limits
from jaxrd.tosc.curves.drawing import unit_of
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.resampling import reweighed


@dataclass(frozen=True)
class Drawn:
    """Samples with what they are decided, a label or an action, each numbered among those that occur.

    Args:
        occur: the classes that occur; the others have no effect.
        actions: the same, or under a loss the actions that occur.
        labels: y among `occur`, int, shape (samples,).
        decisions: among `actions`, int, shape (samples,).
        loss: of all classes and actions; None: 0/1.
        weights: with sum 1, shape (samples,); None: equal.
        known: whether the prior of the labels is known.
        span: the largest loss less the least, of any label and action.
    """

    occur: np.ndarray
    actions: np.ndarray
    labels: np.ndarray
    decisions: np.ndarray
    loss: Loss | None
    weights: np.ndarray | None
    known: bool
    span: float

    @property
    def size(self) -> int:
        """How many labels or actions occur, the larger of the two."""
        return max(len(self.occur), len(self.actions))

    @property
    def own(self) -> np.ndarray:
        """The weights, shape (samples,)."""
        return np.full(len(self.labels), 1 / len(self.labels)) if self.weights is None else self.weights

    @property
    def kinds(self) -> np.ndarray:
        """The class where the prior is known, and else 0: what samples share a mass known beforehand."""
        return self.labels if self.known else np.zeros_like(self.labels)

    @property
    def effective(self) -> float:
        """1 / sum w^2: as many equal samples have means that vary as much."""
        return len(self.labels) if self.weights is None else 1 / float((self.weights**2).sum())

    @property
    def losses(self) -> np.ndarray | None:
        """l(y, a) of the labels that occur and all actions; None: 0/1."""
        return None if self.loss is None else self.loss.values[self.occur]

    @property
    def even(self) -> bool:
        """Whether samples of a class, or where no prior is known all samples, count the same.

        Then, given the labels, the samples of a class are independent draws from its law, and a mean that weighs
        them has the expectation that the known prior gives it. Other weights may depend on the samples.
        """
        if self.weights is None:
            return True
        most, least = np.zeros(len(self.occur)), np.full(len(self.occur), np.inf)
        np.maximum.at(most, self.kinds, self.weights)
        np.minimum.at(least, self.kinds, self.weights)
        seen = np.unique(self.kinds)
        return bool((most[seen] - least[seen] <= 1e-9 * most[seen]).all())

    def shares(self, drawn: np.ndarray) -> np.ndarray:
        """Weights of samples that are drawn again; rows with sum 1 both ways, shape (k, samples)."""
        if self.weights is None:
            return drawn
        return reweighed(drawn, self.weights, self.kinds)


def drawn_from(limits: Limits) -> Drawn:
    """The samples of `limits`."""
    outputs, loss = limits.workings.outputs, limits.workings.loss
    actions = outputs.decisions if loss is None else limits.workings.actions
    if loss is None:
        occur = seen = np.unique(np.concatenate([outputs.labels, actions]))
    else:
        occur, seen = np.unique(outputs.labels), np.unique(actions)
    y, a = np.searchsorted(occur, outputs.labels), np.searchsorted(seen, actions)
    weights, known = outputs.weights, outputs.prior is not None
    if weights is not None and not known and np.ptp(weights) == 0:
        weights = None
    return Drawn(occur, seen, y, a, loss, weights, known, unit_of(limits.loss))

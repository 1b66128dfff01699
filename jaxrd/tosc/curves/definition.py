"""The `Definition` of a curve of paper [A], for `limits` and `statistics`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxrd.curve import Curve
from jaxrd.tosc.curves.drawing import Bound, Tick
from jaxrd.tosc.joint import SparseJoint
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.posterior import Posterior
from jaxrd.tosc.resampling import Resampled, Weighing


class Samples(NamedTuple):
    """What the curves are drawn from."""

    joint: np.ndarray
    """Of label and decision, shape (classes, classes); under a loss of label and action, shape (labels, actions)."""
    posterior: Posterior | None
    """None for hard decisions."""
    loss: Loss | None = None
    """Of a label and an action; None: 0/1, the actions being the labels."""
    between: np.ndarray | None = None
    """The loss as a distortion between actions, shape (actions, actions); None where an action is no label."""


class Acted(NamedTuple):
    """What is done with the label that is drawn, and what that costs."""

    action: jax.Array | np.ndarray
    """Of a label, among the actions of any label, one-hot, shape (labels, some actions)."""
    loss: jax.Array | np.ndarray
    """l(y, a) of these actions, shape (labels, some actions)."""


class Costs(NamedTuple):
    """A loss as the curves of resampled samples need it."""

    every: jax.Array
    """l(y, a), shape (classes, actions)."""
    occurring: jax.Array
    """Of the labels that occur, shape (labels, actions)."""
    decided: jax.Array
    """Of the pairs of label and action that occur, shape (pairs,)."""
    acted: Acted
    """The action for each class."""


class Resampling(NamedTuple):
    """The same samples under other weights; one draw for all curves, so that they can be compared."""

    occur: np.ndarray
    """The classes that occur; the others have no effect."""
    joint: SparseJoint
    """Of label and decision, numbered among those that occur; under a loss, of label and action, each among its own."""
    masses: jax.Array
    """Of its pairs, shape (replicates, pairs)."""
    labels: jax.Array
    """y, int, shape (samples,)."""
    log_v: jax.Array | None
    """ln of the posteriors, shape (samples, classes); None for hard decisions."""
    weights: jax.Array | None
    """Of the samples, shape (replicates, samples); None for hard decisions."""
    own: Weighing | None = None
    """Of the samples as they are; None: equal."""
    cells: Weighing | None = None
    """The same of the pairs."""
    costs: Costs | None = None
    """None: 0/1 loss."""


Respond = Callable[[Resampling, float, Any], dict[str, Resampled]]
"""(the samples, a point's parameter, the reproduction law there) -> its rate and replicates, by axis."""


BELIEVED = "_model"
"""Ends the name of a curve over the distortion that the model believes."""


@dataclass(frozen=True)
class Definition:
    """A curve: its names, how it is drawn, and how it changes under other weights.

    Args:
        name: as in tables, files and figures.
        meaning: in three words.
        file: stem of its own file in CompressAI's format.
        draw: the curve of some samples by a number of points, a tolerance and a progress; None where it is undefined.
        undefined: why that is, in words.
        needs_posterior: whether hard decisions are not enough.
        achievable: whether a scheme reaches it.
        excess: whether its excess over TMRD has an interval. Coverage of those of S&C, E&C and TS was off by more than
            1.5 points, see benchmarks/README.md.
        respond: see `Respond`; None where it has no bands by resampling. Under 0/1 loss oRD has others.
        parameter: of each point of the curve, NaN where it has no band; the scale of the loss comes second.
        believed: whether it has another axis, the distortion that the model believes.
        least_samples: per class (or cell), from which on intervals are given; measured, see benchmarks/README.md.
        most_classes: for which coverage was measured, with 500 replicas or more, where there are `least_samples`.
        by_cell: whether `least_samples` counts those of a cell of the confusion that occurs, not of a class.
    """

    name: str
    meaning: str
    file: str
    draw: Callable[[Samples, int, float | None, Tick], Bound | None]
    undefined: str = ""
    needs_posterior: bool = False
    achievable: bool = False
    excess: bool = False
    respond: Respond | None = None
    parameter: Callable[[Curve, float], np.ndarray] | None = None
    believed: bool = False
    least_samples: int = 50
    most_classes: int = 10
    by_cell: bool = False

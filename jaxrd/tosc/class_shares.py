"""How the classes share the rate and the errors of a curve: which of them spend the bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.curves.drawing import Rate
from jaxrd.tosc.curves.indirect import INDIRECT
from jaxrd.tosc.curves.model_aware import MODEL_AWARE
from jaxrd.tosc.outputs import Progress
from jaxrd.tosc.posterior import Posterior

CURVES = (MODEL_AWARE.name, INDIRECT.name)
"""The curves that have a channel to divide."""


@readable
@dataclass(frozen=True)
class ClassPoint:
    """One point of a curve, divided among the true classes.

    Args:
        slope: of the channel, nats per unit of distortion; inf where it takes no errors for bits, NaN where it guesses.
        rate: I(X;Yh) of the channel, nats: sum_y p(y) rates[y].
        distortion: measured on the labels: sum_y p(y) distortions[y].
        rates: E[KL(W(.|X) || r) | Y = y], nats per sample of the class, shape (classes,); NaN for one without samples.
        distortions: P(Yh != y | Y = y), or E[l(y, Yh) | Y = y] under a loss, shape (classes,); NaN for a class without
            samples.
        reproduced: r, how often each class, or action, is the reproduction, shape (actions,).
    """

    slope: float
    rate: float
    distortion: float
    rates: np.ndarray
    distortions: np.ndarray
    reproduced: np.ndarray


@readable
@dataclass(frozen=True)
class ByClass:
    """The result of `by_class`.

    Args:
        names: of the classes, their numbers where the file has no names.
        share: p(y) of the labels, shape (classes,).
        decided: how often the classifier decides for each class, or action, shape (actions,).
        distortions: of its decisions in each class, as in `ClassPoint`, shape (classes,).
        at: one dict per distortion asked for, in the order of `Limits.at`: a `ClassPoint` by curve, TMRD's over the
            distortion of the labels; None where the curve does not reach it.
        along: the points of TMRD, in the order of its `Curve`; empty for hard decisions.

    Reference: [A] section II (the rate) and eq. (12) (the distortion), each by the law of total expectation.

    >>> from jaxrd import tosc
    >>> decided, true = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 0, 1, 1])
    >>> tosc.by_class(tosc.limits(decided, true, at=[0.3])).distortions.round(3).tolist()
    [0.333, 0.0]
    """

    names: tuple[str, ...]
    share: np.ndarray
    decided: np.ndarray
    distortions: np.ndarray
    at: list[dict[str, ClassPoint | None]]
    along: list[ClassPoint]


def _channel(d: np.ndarray, slope: float, q: np.ndarray) -> np.ndarray:
    """W(y|x), rows of q_y exp(-s (d_xy - min d_x)) / Z_x; at an infinite slope on the least distortions alone."""
    beyond = d - d.min(1, keepdims=True)
    weighted = q * (np.exp(-slope * beyond) if np.isfinite(slope) else beyond <= 0)
    total = weighted.sum(1, keepdims=True)
    return weighted / np.where(total > 0, total, 1)


def _negentropies(channel: np.ndarray) -> np.ndarray:
    """sum_y W ln W of each row."""
    return (channel * np.log(np.where(channel > 0, channel, 1))).sum(1)


def _losses(limits: Limits) -> np.ndarray:
    """l(y, a) of the classes that were kept, shape (classes, actions)."""
    posterior = limits.workings.posterior
    loss = limits.loss if posterior is None else posterior.loss
    return 1 - np.eye(limits.workings.outputs.classes) if loss is None else loss.values


def _point(slope: float, negentropy: np.ndarray, joint: np.ndarray, losses: np.ndarray) -> ClassPoint:
    """From sum over a class of w W ln W, shape (classes,), and the joint of label and reproduction."""
    reproduced, share = joint.sum(0) / joint.sum(), joint.sum(1)
    # A mean of divergences: below zero it is rounding.
    spent = np.maximum(negentropy - joint @ np.log(np.where(reproduced > 0, reproduced, 1)), 0)
    lost = (joint * losses).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates, distortions = spent / share, lost / share
    return ClassPoint(slope, float(spent.sum()), float(lost.sum()), rates, distortions, reproduced)


def _of_samples(posterior: Posterior, slope: float, q: np.ndarray, losses: np.ndarray) -> ClassPoint:
    """TMRD's channel at a slope, a chunk of samples at a time."""

    def one(log_v: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        joint = np.zeros((len(losses), losses.shape[1] + 1))  # the last column: sum of w W ln W
        channel = _channel(posterior.distortion(log_v), slope, q)
        order = np.argsort(labels, kind="stable")
        occur, starts = np.unique(labels[order], return_index=True)
        joint[occur, :-1] = np.add.reduceat((weights[:, None] * channel)[order], starts, 0)
        joint[:, -1] = np.bincount(labels, weights * _negentropies(channel), len(losses))
        return joint

    found = posterior.folded(one)
    return _point(slope, found[:, -1], found[:, :-1], losses)


def _of_decisions(confusion: np.ndarray, slope: float, q: np.ndarray, losses: np.ndarray) -> ClassPoint:
    """iE&C's channel at a slope, from decisions."""
    kept = confusion[:, confusion.sum(0) > 0]
    channel = _channel((kept / kept.sum(0)).T @ losses, slope, q)
    return _point(slope, kept @ _negentropies(channel), kept @ channel, losses)


def _guess(share: np.ndarray, action: int, losses: np.ndarray) -> ClassPoint:
    """Rate zero: one label, or action, whatever the sample."""
    joint = np.zeros(losses.shape)
    joint[:, action] = share
    return _point(np.nan, np.zeros(share.size), joint, losses)


def by_class(limits: Limits, *, progress: Progress = None) -> ByClass:
    """Which classes spend the bits: the rate and the errors of TMRD and iE&C, divided among the true classes.

        R = sum_y p(y) E[KL(W(.|X) || r) | Y = y],   D = sum_y p(y) P(Yh != y | Y = y)

    W is the channel of the point, r its output law; under a loss D is that of l(y, Yh). The sums are those of the same
    samples that gave the curves: they hold exactly, each class's own numbers are estimates from its samples alone.

    Args:
        limits: a result of `jaxrd.tosc.limits`.
        progress: called as progress(what, done, total) between points.

    Returns:
        A `ByClass`: the points at the distortions that `limits` was asked for, and all points of TMRD; rates in nats.

    Raises:
        InputError: `limits` is no result of `jaxrd.tosc.limits`.

    Reference: [A] section II (the rate) and eq. (12) (the distortion), each by the law of total expectation.

    >>> from jaxrd import tosc
    >>> decided, true = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 0, 1, 1])
    >>> point = tosc.by_class(tosc.limits(decided, true, at=[0.3])).at[0]["iE&C"]
    >>> round(point.distortion, 6), bool(abs(point.rate - [0.6, 0.4] @ point.rates) < 1e-12)
    (0.3, True)
    """
    if not isinstance(limits, Limits):
        raise InputError(f"by_class takes what limits returned; got {type(limits).__name__}.")
    outputs, posterior = limits.workings.outputs, limits.workings.posterior
    confusion, losses = np.asarray(limits.workings.joint, float), _losses(limits)
    share = confusion.sum(1)
    solved = limits.workings.solved.get(MODEL_AWARE.name)
    slopes = [] if solved is None else np.asarray(solved.slope).tolist()
    done, total = 0, len(slopes) + sum(name in place for place in limits.workings.places for name in CURVES)

    def tick(point: ClassPoint | None) -> ClassPoint | None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("classes", done, total)
        return point

    def one(name: str, place: Rate) -> ClassPoint | None:
        if not np.isfinite(place.rate):
            return None
        if place.rate <= 0 or place.reproduction is None:
            return _guess(share, int((share @ losses).argmin()), losses)
        q, slope = np.asarray(place.reproduction, float), float(place.parameter)
        if name == MODEL_AWARE.name and posterior is not None:
            return _of_samples(posterior, slope, q, losses)
        return _of_decisions(confusion, slope, q, losses)

    at = [{name: tick(one(name, place[name])) for name in CURVES if name in place} for place in limits.workings.places]
    along: list[ClassPoint] = []
    if solved is not None and posterior is not None:
        believed = posterior.folded(lambda log_v, _, weights: weights @ posterior.distortion(log_v))
        along.append(_guess(share, int(np.argmin(believed)), losses))
        for slope, q in zip(slopes, np.asarray(solved.reproduction, float), strict=True):
            along.append(_of_samples(posterior, slope, q, losses))
            tick(None)
    with np.errstate(divide="ignore", invalid="ignore"):
        distortions = (confusion * losses).sum(1) / share
    return ByClass(outputs.class_names, share, confusion.sum(0), distortions, at, along)

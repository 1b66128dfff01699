"""Intervals for the curves of `limits`: at their points, and at the distortions asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxrd.curve import Curve
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.confidence import intervals, inversion
from jaxrd.tosc.confidence.drawn import Drawn, drawn_from
from jaxrd.tosc.confidence.intervals import Interval
from jaxrd.tosc.curves import ESTIMATED, EVERY, MODEL_AWARE, ORACLE, SAMPLED
from jaxrd.tosc.curves.definition import BELIEVED, Costs, Definition, Resampling
from jaxrd.tosc.curves.drawing import Rate, unit_of
from jaxrd.tosc.curves.sampled_passes import acted_upon
from jaxrd.tosc.joint import sparse_joint
from jaxrd.tosc.resampling import Resampled, Weighing, resampled_masses, resampled_weights

Progress = Callable[[str, int, int], None] | None


class Uncertain(NamedTuple):
    """A plug-in rate at a fixed distortion with its intervals, nats."""

    rate: float
    bias: float
    """Of the plug-in, by the bootstrap."""
    bootstrap: Interval
    clt: Interval
    """About the rate less its bias; NaN where it was not computed."""


class Excess(NamedTuple):
    """The rate of an achievable curve less that of TMRD at the same distortion, nats; both resampled together."""

    rate: float
    bootstrap: Interval


def resampling(limits: Limits, replicates: int, seed: int) -> Resampling:
    """The samples of `limits` under other weights."""
    drawn, log_v = drawn_from(limits), limits.workings.log_v
    y, a, own = drawn.labels, drawn.decisions, drawn.own
    weights = drawn.shares(resampled_weights(len(y), replicates, seed))
    joint = sparse_joint(y, a, drawn.size, drawn.weights)
    dtype = joint.dtype

    def of_pairs(rows: np.ndarray) -> np.ndarray:
        return resampled_masses(joint, y, a, rows)

    known = np.asarray(joint.labels) if drawn.known else np.zeros(len(joint.labels), int)
    squares = len(y) * own**2
    cells = Weighing(joint.mass, jnp.asarray(of_pairs(squares[None])[0], dtype), jnp.asarray(known))
    costs = None
    if drawn.loss is not None and drawn.losses is not None:
        acted = acted_upon(drawn.loss, dtype)
        assert acted is not None
        pairs = drawn.losses[np.asarray(joint.labels), drawn.actions[np.asarray(joint.decisions)]]
        costs = Costs(*[jnp.asarray(x, dtype) for x in (drawn.loss.values, drawn.losses, pairs)], acted=acted)
    masses = jnp.asarray(of_pairs(weights), dtype)
    if log_v is None:
        return Resampling(drawn.occur, joint, masses, jnp.asarray(y), None, None, None, cells, costs)
    each = Weighing(jnp.asarray(own, log_v.dtype), jnp.asarray(squares, log_v.dtype), jnp.asarray(drawn.kinds))
    labels = jnp.asarray(limits.workings.outputs.labels)
    return Resampling(drawn.occur, joint, masses, labels, log_v, jnp.asarray(weights, log_v.dtype), each, cells, costs)


def responding(limits: Limits) -> list[Definition]:
    """The curves of `limits` that have bands by resampling; under 0/1 loss oRD has those of `oracle`."""
    inverted = {ORACLE.name} if limits.workings.loss is None else set()
    return [
        curve
        for curve in EVERY
        if curve.respond is not None and curve.name in limits.curves and curve.name not in inverted
    ]


def _axes(curve: Definition) -> list[str]:
    """The names of a curve: over label-measured distortion and, if it has that axis, over model-believed distortion."""
    return [curve.name, *([curve.name + BELIEVED] if curve.believed else [])]


def _undefined(limits: Limits, drawn: Drawn) -> dict[str, str]:
    """The reason why a curve has no interval whatever the samples are, by its name."""
    reasons = {}
    if drawn.loss is not None and ESTIMATED.name in limits.curves:
        reasons[ESTIMATED.name] = "not computed under a loss"
    if drawn.loss is not None and SAMPLED.name in limits.curves:
        reasons[SAMPLED.name] = "under a loss it held too rarely near its least distortion, where it was tried"
    if drawn.known:
        reasons[ORACLE.name] = "exact: the prior is known"
    elif drawn.weights is not None and drawn.loss is None:
        reasons[ORACLE.name] = "not computed for weighted samples"
    return reasons


def withdrawn(limits: Limits) -> dict[str, str]:
    """The reason why a curve has no interval, by its name: coverage was measured to be too low, or not measured."""
    drawn = drawn_from(limits)
    classes = len(np.unique(drawn.labels))
    cells = len(np.unique(drawn.decisions * (drawn.labels.max() + 1) + drawn.labels))
    samples, counted = drawn.effective, "samples" if drawn.weights is None else "samples by their weights"
    reasons = _undefined(limits, drawn)
    for curve in EVERY:
        if curve.respond is None or curve.name in reasons:
            continue
        many, what = (cells, "cells of the confusion") if curve.by_cell else (classes, "classes")
        least, most = curve.least_samples, curve.most_classes
        if samples < least * many:
            words = f"{many} {what} for {samples:.0f} {counted}: fewer than {least} samples each"
        elif classes > most:
            words = f"{classes} classes: how often it holds is measured up to {most} only"
        else:
            continue
        reasons |= dict.fromkeys(_axes(curve), words)
    return reasons


def oracle(limits: Limits, replicates: int, risk: float, seed: int) -> tuple[list[Uncertain | None], ...]:
    """The `Uncertain` of oRD at each point of its curve, and at each distortion asked for; None where it is zero."""
    counts, classes = np.bincount(limits.workings.outputs.labels), limits.workings.outputs.classes
    curve, asked = limits.curves[ORACLE.name], [float(row["distortion"] or 0) for row in limits.at]
    d = np.concatenate([curve.distortion, asked])
    rate = np.concatenate([curve.rate, [float(row[ORACLE.name] or 0) for row in limits.at]])
    inside = inversion.oracle_interval(counts[counts > 0], d, most=classes, risk=risk, replicates=replicates, seed=seed)
    none = Interval(np.nan, np.nan)
    every = [
        Uncertain(r, b, Interval(low, high), none) if r > 0 else None
        for r, b, low, high in zip(rate.tolist(), *(a.tolist() for a in inside), strict=True)
    ]
    return every[: len(curve.rate)], every[len(curve.rate) :]


def _parameters(curve: Definition, drawn: Curve, unit: float) -> np.ndarray:
    """The parameter of each point of a curve; NaN where it has no band: at rate zero, and at nearly hard decisions."""
    assert curve.parameter is not None
    kept = (drawn.rate > 0) & (np.arange(len(drawn.rate)) > 0)
    return np.where(kept, curve.parameter(drawn, unit), np.nan)


def uncertain(resampled: Resampled, samples: int, risk: float, most: float = np.inf) -> Uncertain:
    """The intervals of a curve at one point; `most` is the largest possible rate, nats."""
    rate, replicates = float(resampled.rate), np.asarray(resampled.replicates, np.float64)
    bias, error = intervals.bias(rate, replicates), float(resampled.deviation) / np.sqrt(samples)
    clt = intervals.central_limit(rate, error, risk, bias=bias, most=most)
    return Uncertain(rate, bias, intervals.bootstrap(rate, replicates, risk, most=most), clt)


def along_curves(
    limits: Limits, curves: list[Definition], weighed: Resampling, risk: float, progress: Progress = None
) -> dict[str, list[Uncertain | None]]:
    """An `Uncertain` for each point of each curve, None where there is none; over either distortion."""
    samples, most, unit = (
        len(limits.workings.outputs.labels),
        np.log(limits.summary["actions"]),
        unit_of(limits.workings.loss),
    )
    parameters = {curve.name: _parameters(curve, limits.curves[curve.name], unit) for curve in curves}
    bands: dict[str, list[Uncertain | None]] = {
        axis: [None] * len(limits.curves[curve.name].rate) for curve in curves for axis in _axes(curve)
    }
    done, total = 0, sum(int(np.isfinite(p).sum()) for p in parameters.values())
    for curve in curves:
        assert curve.respond is not None
        drawn_by, solved = parameters[curve.name], limits.workings.solved.get(curve.name)
        for i in np.flatnonzero(np.isfinite(drawn_by)):
            q = None if solved is None else solved.reproduction[i - 1]
            for axis, resampled in curve.respond(weighed, float(drawn_by[i]), q).items():
                bands[axis][i] = uncertain(resampled, samples, risk, most)
            done += 1
            if progress is not None:
                progress("bands", done, total)
    return bands


def resampled_at(curves: list[Definition], weighed: Resampling, places: dict[str, Rate]) -> dict[str, Resampled]:
    """The rates of a model at one distortion asked for, by axis, of the curves that have a band there."""
    responds = {axis: curve.respond for curve in curves for axis in _axes(curve)}
    resampled: dict[str, Resampled] = {}
    for axis, place in places.items():
        respond = responds.get(axis)
        if respond is not None and 0 < place.rate < np.inf and 0 < place.parameter < np.inf:
            resampled[axis] = respond(weighed, place.parameter, place.reproduction)[axis]
    return resampled


def at_targets(
    limits: Limits, curves: list[Definition], weighed: Resampling, risk: float
) -> tuple[list[dict[str, Uncertain | None]], list[dict[str, Excess]]]:
    """At each distortion asked for: an `Uncertain` by curve, None where the curve does not reach it or has rate zero;
    and the `Excess` of each curve that has one."""
    samples, at, excess = len(limits.workings.outputs.labels), [], []
    most = np.log(limits.summary["actions"])
    names = [axis for curve in curves for axis in _axes(curve)]
    for places in limits.workings.places:
        resampled = resampled_at(curves, weighed, places)
        at.append({n: uncertain(resampled[n], samples, risk, most) if n in resampled else None for n in names})
        ours = resampled.get(MODEL_AWARE.name)
        others = [curve.name for curve in curves if curve.excess and curve.name in resampled]
        excess.append({} if ours is None else {name: _excess(resampled[name], ours, risk) for name in others})
    return at, excess


def _excess(theirs: Resampled, ours: Resampled, risk: float) -> Excess:
    rate, replicates = float(theirs.rate - ours.rate), np.asarray(theirs.replicates - ours.replicates, np.float64)
    return Excess(rate, intervals.bootstrap(rate, replicates, risk, least=-np.inf))

"""Intervals about the curves of `limits`: along them, and where a rate was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxrd.curve import Curve
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.confidence import intervals, inversion, resampling, response
from jaxrd.tosc.confidence.intervals import Interval
from jaxrd.tosc.confidence.resampling import Resampled
from jaxrd.tosc.curves.bounds import STEEPEST
from jaxrd.tosc.joint import sparse_joint
from jaxrd.tosc.outputs import Outputs

ACHIEVABLE = ("iE&C", "S&C", "E&C", "TS")

LEAST_SAMPLES = {"oRD": 50, "TMRD": 50, "TMRD_model": 50, "S&C": 50, "E&C": 50, "TS": 50, "iE&C": 15}
"""Samples a class (iE&C: a cell of the confusion that occurs) from which on intervals are given; measured, see
benchmarks/README.md, coverage."""

MEASURED = {"oRD": 100, "TMRD": 10, "TMRD_model": 10, "S&C": 10, "E&C": 10, "TS": 10, "iE&C": 10}
"""Classes up to which coverage was measured with 500 replicas or more, where there are `LEAST_SAMPLES`."""

Progress = Callable[[str, int, int], None] | None
Responses = dict[str, Callable[[float, Any], dict[str, Resampled]]]
"""By curve: (its parameter, the reproduction law there) -> its rate and replicates, by axis."""


class Uncertain(NamedTuple):
    """A plug-in rate at a fixed distortion with its intervals, nats."""

    rate: float
    bias: float
    """Of the plug-in, by the bootstrap."""
    bootstrap: Interval
    clt: Interval
    """About the rate less its bias; NaN where it was not worked out."""


class Excess(NamedTuple):
    """What an achievable curve costs more than TMRD at the same distortion, nats; both resampled together."""

    rate: float
    bootstrap: Interval


def occurring(outputs: Outputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The classes that occur, and labels and decisions numbered among them: the others change nothing."""
    occur = np.unique(np.concatenate([outputs.labels, outputs.decisions]))
    return occur, np.searchsorted(occur, outputs.labels), np.searchsorted(occur, outputs.decisions)


def responses(found: Limits, replicates: int, seed: int) -> Responses:
    """How the curves of `limits` answer to resampling; one draw of weights for all, so that they can be compared."""
    outputs, log_v = found.workings.outputs, found.workings.log_v
    weights = resampling.resampled_weights(len(outputs.labels), replicates, seed)
    occur, y, yt = occurring(outputs)
    joint = sparse_joint(y, yt, len(occur))
    masses = jnp.asarray(resampling.resampled_masses(joint, y, yt, weights), joint.dtype)
    by_name: Responses = {
        "E&C": lambda d_hat, _: {"E&C": resampling.estimated(joint, masses, d_hat)},
        "TS": lambda share, _: {"TS": resampling.shared(joint, masses, share)},
        "iE&C": lambda slope, q: {"iE&C": response.indirect(joint, masses, slope, jnp.asarray(q)[occur])},
    }
    if log_v is not None:
        v, labels, w = jnp.exp(log_v), jnp.asarray(outputs.labels), jnp.asarray(weights, log_v.dtype)

        def aware(slope, q):
            both = response.model_aware(v, labels, w, slope, q)
            return {"TMRD": both.measured, "TMRD_model": both.believed}

        by_name["S&C"] = lambda t, _: {"S&C": resampling.sampled(log_v, labels, w, t)}
        by_name["TMRD"] = by_name["TMRD_model"] = aware
    return {name: f for name, f in by_name.items() if _curve_of(name) in found.curves}


def withdrawn(found: Limits) -> dict[str, str]:
    """Why a curve has no interval, by its name: where coverage was seen to fall short, or was not measured."""
    outputs = found.workings.outputs
    _, y, yt = occurring(outputs)
    samples, classes = len(y), len(np.unique(y))
    cells = len(np.unique(yt * (y.max() + 1) + y))
    reasons = {}
    for name in ("oRD", *ACHIEVABLE, "TMRD", "TMRD_model"):
        many, what = (cells, "cells of the confusion") if name == "iE&C" else (classes, "classes")
        least = LEAST_SAMPLES[name]
        if samples < least * many:
            reasons[name] = f"{many} {what} for {samples} samples: fewer than {least} samples each"
        elif classes > MEASURED[name]:
            reasons[name] = f"{classes} classes: how often it holds is measured up to {MEASURED[name]} only"
    return reasons


def oracle(found: Limits, replicates: int, risk: float, seed: int) -> tuple[list[Uncertain | None], ...]:
    """The `Uncertain` of oRD at each point of its curve, and at each distortion asked for; None where it is zero."""
    counts, classes = np.bincount(found.workings.outputs.labels), found.workings.outputs.classes
    curve, asked = found.curves["oRD"], [float(row["distortion"] or 0) for row in found.at]
    d = np.concatenate([curve.distortion, asked])
    rate = np.concatenate([curve.rate, [float(row["oRD"] or 0) for row in found.at]])
    inside = inversion.oracle_interval(counts[counts > 0], d, most=classes, risk=risk, replicates=replicates, seed=seed)
    none = Interval(np.nan, np.nan)
    every = [
        Uncertain(r, b, Interval(low, high), none) if r > 0 else None
        for r, b, low, high in zip(rate.tolist(), *(a.tolist() for a in inside), strict=True)
    ]
    return every[: len(curve.rate)], every[len(curve.rate) :]


def _curve_of(name: str) -> str:
    return name.removesuffix("_model")


def _parameters(name: str, curve: Curve, entropy: float) -> np.ndarray:
    """What each point of a curve is drawn by; NaN where it has no band: at silence, and at all but hard decisions."""
    if name == "TS":
        drawn_by = curve.rate / entropy
    elif name == "E&C":
        drawn_by = curve.parameters["estimate_distortion"]
    else:
        drawn_by = curve.parameters["inverse_temperature"] if name == "S&C" else curve.slope
        drawn_by = np.where((drawn_by > 0) & (drawn_by <= STEEPEST), drawn_by, np.nan)
    return np.where((curve.rate > 0) & (np.arange(len(drawn_by)) > 0), drawn_by, np.nan)


def uncertain(found: Resampled, samples: int, risk: float, most: float = np.inf) -> Uncertain:
    """The intervals of a curve at one point; `most` is what no rate lies above, nats."""
    rate, replicates = float(found.rate), np.asarray(found.replicates, np.float64)
    bias, error = intervals.bias(rate, replicates), float(found.deviation) / np.sqrt(samples)
    clt = intervals.central_limit(rate, error, risk, bias=bias, most=most)
    return Uncertain(rate, bias, intervals.bootstrap(rate, replicates, risk, most=most), clt)


def along_curves(
    found: Limits, respond: Responses, risk: float, progress: Progress = None
) -> dict[str, list[Uncertain | None]]:
    """An `Uncertain` for each point of each curve, None where there is none; TMRD on either axis."""
    entropy, samples = found.summary["estimate_entropy_nats"], len(found.workings.outputs.labels)
    most = np.log(found.workings.outputs.classes)
    parameters = {name: _parameters(name, found.curves[name], entropy) for name in respond if name in found.curves}
    bands: dict[str, list[Uncertain | None]] = {
        name: [None] * len(found.curves[_curve_of(name)].rate) for name in respond
    }
    done, total = 0, sum(int(np.isfinite(p).sum()) for p in parameters.values())
    for name, drawn_by in parameters.items():
        solved = found.workings.solved.get(name)
        for i in np.flatnonzero(np.isfinite(drawn_by)):
            q = None if solved is None else solved.reproduction[i - 1]
            for axis, resampled in respond[name](float(drawn_by[i]), q).items():
                bands[axis][i] = uncertain(resampled, samples, risk, most)
            done += 1
            if progress is not None:
                progress("bands", done, total)
    return bands


def at_targets(
    found: Limits, respond: Responses, risk: float
) -> tuple[list[dict[str, Uncertain | None]], list[dict[str, Excess]]]:
    """At each distortion asked for: an `Uncertain` by curve, None where it does not reach it or spends nothing; and
    the `Excess` of each achievable curve."""
    samples, at, excess = len(found.workings.outputs.labels), [], []
    most = np.log(found.workings.outputs.classes)
    for places in found.workings.places:
        resampled: dict[str, Resampled] = {}
        for name, place in places.items():
            reached = name in respond and 0 < place.rate < np.inf and np.isfinite(place.parameter)
            if reached and place.parameter > 0:
                resampled[name] = respond[name](place.parameter, place.reproduction)[name]
        at.append({n: uncertain(resampled[n], samples, risk, most) if n in resampled else None for n in respond})
        excess.append(
            {name: _excess(resampled[name], resampled["TMRD"], risk) for name in ACHIEVABLE if name in resampled}
            if "TMRD" in resampled
            else {}
        )
    return at, excess


def _excess(theirs: Resampled, ours: Resampled, risk: float) -> Excess:
    rate, replicates = float(theirs.rate - ours.rate), np.asarray(theirs.replicates - ours.replicates, np.float64)
    return Excess(rate, intervals.bootstrap(rate, replicates, risk, least=-np.inf))

"""The rate at which a regression reaches a mean squared error, at best: `regression_limits`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import refuse_unless_whole
from jaxrd._readable import readable
from jaxrd._room import make_room
from jaxrd.curve import Curve
from jaxrd.errors import InputError
from jaxrd.solution import Status
from jaxrd.tosc.curves.parametric import smallest_point
from jaxrd.tosc.outputs import Progress
from jaxrd.tosc.regression.atoms import channel
from jaxrd.tosc.regression.curve import RealSource
from jaxrd.tosc.regression.laws import real_numbers
from jaxrd.tosc.regression.line import Line

TOLERANCE = 5e-4
"""Certified gap in nats, relative to max(1, R), from which on a point counts as converged."""


@readable
@dataclass(frozen=True)
class RegressionLimits:
    """The result of `regression_limits`; rates in nats, distortions mean squared errors.

    Args:
        curves: a `Curve` by name. oRD is certified. TMRD is certified over `model_distortion`, and achieved over
            `distortion`, measured on the targets. Gaussian is a closed form over what the model believes.
        at: one dict per error asked for: `distortion`, the rates `oRD`, `TMRD` (measured), `TMRD_model` (believed),
            `Gaussian` (believed), inf where a curve does not reach it; `oRD_gap` and `TMRD_model_gap`, certified.
        summary: samples, and the errors between which the curves run.
        warnings: what a reader should know before trusting a curve.

    Reference: J. Wolf and J. Ziv, Transmission of noisy information to a noisy receiver with minimum distortion, IEEE
    Trans. IT 1970.

    >>> from jaxrd.tosc import regression_limits
    >>> found = regression_limits([0.0, 1.0], [0.1, 0.1], [0.0, 1.0], at=[0.3], slopes=2)
    >>> found.summary["believed_distortion"], found.summary["task_model_distortion"]
    (0.1, 0.0)
    """

    curves: dict[str, Curve]
    at: list[dict[str, float]]
    summary: dict[str, Any]
    warnings: list[str] = field(default_factory=list)

    @property
    def unconverged(self) -> list[tuple[str, float]]:
        """Curves, each with an error asked for, whose certified gap there is larger than was asked."""
        return [
            (name, row["distortion"])
            for row in self.at
            for name in ("oRD", "TMRD_model")
            if np.isfinite(row[name]) and row[f"{name}_gap"] > TOLERANCE * max(1, row[name])
        ]


class _Measured:
    """What the targets say of TMRD's channels."""

    def __init__(self, means: RealSource, target: np.ndarray):
        cells, scale = means.cells, means.scale or 1.0
        t = (target - means.centre) / scale
        count = np.bincount(cells.of)
        self.means, self.square = means, float(t @ t) / len(t)
        self.of_cell = np.bincount(cells.of, t) / count

    def error(self, line: Line) -> float:
        """E(Y - reproduction)^2 on the targets, in their unit."""
        cells = self.means.cells
        rows = channel(cells.centre, line.slope, line.atoms, line.weights)
        cross, own = self.of_cell * (rows @ line.atoms), rows @ line.atoms**2
        return self.means.variance * (self.square + float(cells.mass @ (own - 2 * cross)))


def regression_limits(
    mean: ArrayLike,
    variance: ArrayLike,
    target: ArrayLike,
    *,
    at: Sequence[float] | None = (),
    slopes: int = 16,
    progress: Progress = None,
) -> RegressionLimits:
    """Bits per sample that a mean squared error needs, with a model that predicts a law of a real target.

        E(Y - Yh)^2 = E Var(Y|X) + E(E[Y|X] - Yh)^2,   R(D) = R of E[Y|X] at squared error D - E Var(Y|X)

    So the best scheme compresses the predictive means for their own squared error: estimate-and-compress loses nothing
    here, and its curve is TMRD's. oRD compresses the target itself. Both are plug-in estimates of the samples' own
    laws, certified over all real reproductions; a rate near ln(samples) says more of the sample than of its population.
    The law is used as it is: no temperature is fitted.

    Args:
        mean: E[Y|X], in the unit of the target, shape (samples,).
        variance: Var(Y|X) >= 0, shape (samples,), or one number for all.
        target: Y, shape (samples,).
        at: mean squared errors at which the curves are solved; None: a few between that of the means and that without
            a bit.
        slopes: points of each curve.
        progress: called as progress(what, done, total) between points.

    Raises:
        InputError: shapes that do not match, a number that is not finite, a variance below 0, a target that never
            changes, an error below 0, fewer than 2 slopes.

    Reference: J. Wolf and J. Ziv, Transmission of noisy information to a noisy receiver with minimum distortion, IEEE
    Trans. IT 1970; R. Dobrushin and B. Tsybakov, Information transmission with additional noise, IRE Trans. IT 1962.

    >>> coin = np.array([-1.0, 1.0])  # of a fair coin, noise of variance 1/2 added: ln 2 - h(f), 4 f (1 - f) = D - 1/2
    >>> round(regression_limits(coin, 0.5, coin, at=[0.86], slopes=2).at[0]["TMRD_model"], 5)
    0.36806
    """
    make_room()
    refuse_unless_whole("slopes", slopes, 2)
    m, t = real_numbers("mean", mean), real_numbers("target", target)
    v = real_numbers("variance", np.broadcast_to(variance, m.shape) if np.ndim(variance) == 0 else variance)
    if not len(m) == len(v) == len(t):
        raise InputError(f"mean, variance and target must have one length; got {len(m)}, {len(v)} and {len(t)}.")
    if (v < 0).any():
        raise InputError(f"variance must be >= 0; got {v.min():g} at sample {v.argmin()}.")
    if t.min() == t.max():
        raise InputError(f"all {len(t)} targets are {t[0]:g}: there is nothing to tell.")
    noise, wrong = float(v.mean()), float(np.mean((t - m) ** 2))
    oracle, means = RealSource(t), RealSource(m)
    silent = oracle.variance
    targets = _default_targets(wrong, silent) if at is None else _as_targets(at)
    measured = _Measured(means, t)
    done, total = 0, 2 * slopes + 3 * len(targets)

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("rates", done, total)

    curves = {
        "oRD": _curve(oracle, 0.0, slopes, tick),
        "TMRD": _curve(means, noise, slopes, tick, measured, float(np.mean((t - means.centre) ** 2))),
    }
    curves["Gaussian"] = _gaussian(curves["TMRD"], means.variance, noise)
    rows = []
    for d in targets:
        row = {"distortion": d}
        for name, source, floor in (("oRD", oracle, 0.0), ("TMRD_model", means, noise)):
            point = source.at(d - floor)
            idle = d >= silent
            row |= {name: 0.0 if idle else point.rate, f"{name}_gap": 0.0 if idle else _gap(point.rate, point.lower)}
            tick()
        row["TMRD"] = 0.0 if d >= silent else _smallest(measured, curves["TMRD"], d)
        left = d - noise
        row["Gaussian"] = 0.0 if d >= silent else _gaussian_rate(means.variance, left)
        tick()
        rows.append(row)
    summary = {
        "samples": len(t), "task_model_distortion": wrong, "believed_distortion": noise,
        "zero_rate_distortion": silent, "prediction_variance": means.variance,
        "prediction_cells": len(means.cells.mass), "target_cells": len(oracle.cells.mass),
        "entropy_nats": means.entropy,
    }  # fmt: skip
    return RegressionLimits(curves, rows, summary, _warnings(summary, rows, means))


def _gap(rate: float, lower: float) -> float:
    return max(rate - lower, 0.0) if np.isfinite(rate) else np.nan


def _default_targets(wrong: float, silent: float) -> list[float]:
    """Errors of three digits between that of the means and that without a bit."""
    if wrong >= silent:
        return [silent]
    return [float(f"{wrong + share * (silent - wrong):.3g}") for share in (0.05, 0.25, 0.6)]


def _as_targets(at: Sequence[float]) -> list[float]:
    if isinstance(at, str) or np.ndim(at) != 1:
        raise InputError(f"at must be a list of mean squared errors, such as at=[0.3]; got {at!r}.")
    for d in at:
        if not 0 <= d < np.inf:
            raise InputError(f"a mean squared error must be >= 0 and finite; got {d:g}.")
    return [float(d) for d in at]


def _gaussian_rate(variance: float, distortion: float) -> float:
    """1/2 ln(variance / D), of which R(D) of any law of that variance is at most so much."""
    if distortion <= 0:
        return np.inf if variance > 0 or distortion < 0 else 0.0
    return max(0.5 * float(np.log(variance / distortion)), 0.0) if variance > 0 else 0.0


def _gaussian(curve: Curve, variance: float, noise: float) -> Curve:
    d = curve.distortion if curve.model_distortion is None else curve.model_distortion
    left = np.maximum(d - noise, 1e-300)
    rate = np.array([_gaussian_rate(variance, float(x)) for x in left])
    status = np.full(len(d), Status.EXACT)
    return Curve(d, rate, 0.5 / left, np.zeros(len(d)), status)


def _curve(
    source: RealSource, noise: float, count: int, tick: Any, measured: _Measured | None = None, silent: float = np.nan
) -> Curve:
    """The points of some slopes, and that of rate zero first; over the measured error where that is another one."""
    lines = []
    for slope in source.slopes(count):
        lines += [source.line(float(slope))] if source.scale else []
        tick()
    lines = [line for line in lines if line.rate > 0]
    unit = source.variance
    d = np.array([noise + unit, *(noise + unit * line.distortion for line in lines)])
    rate = np.array([0.0, *(line.rate for line in lines)])
    gap = np.array([0.0, *(max(line.gap, 0.0) for line in lines)])
    slope = np.array([np.nan, *(line.slope / unit for line in lines)])
    status = np.where(gap <= TOLERANCE * np.maximum(1, rate), Status.CONVERGED, Status.MAX_STEPS)
    curve = Curve(d, rate, slope, gap, status)
    if measured is None:
        return curve
    return curve.with_distortion(np.array([silent, *(measured.error(line) for line in lines)]))


def _smallest(measured: _Measured, curve: Curve, target: float) -> float:
    """The smallest rate of TMRD's channels whose error on the targets is at most so much."""
    means = measured.means
    if len(curve.rate) < 2:
        return 0.0 if curve.distortion[0] <= target else np.inf
    slopes = curve.slope * means.variance
    places = np.log(np.concatenate([[slopes[1] / np.e], slopes[1:]]))

    def evaluate(place: float) -> tuple[float, float]:
        if place <= places[0]:
            return float(curve.distortion[0]), 0.0
        line = means.line(float(np.exp(place)))
        return measured.error(line), line.rate

    return smallest_point(places, curve.distortion, curve.rate, evaluate, target)[0]


def _warnings(summary: dict[str, Any], rows: list[dict[str, float]], means: RealSource) -> list[str]:
    words = []
    believed, wrong, n = summary["believed_distortion"], summary["task_model_distortion"], summary["samples"]
    if abs(believed - wrong) > 0.1 * max(believed, wrong):
        words.append(
            f"miscalibrated: the model believes in a mean squared error of {believed:.4g}, the targets show "
            f"{wrong:.4g}; the measured points are what is achieved"
        )
    high = [row["distortion"] for row in rows if np.isfinite(row["TMRD_model"]) and n < 10 * np.exp(row["TMRD_model"])]
    if high:
        words.append(
            f"at D = {min(high):.4g} the rate is near the logarithm of the {n} samples: there the plug-in estimate is "
            "too low"
        )
    if means.scale == 0:
        words.append("all means are equal: no rate makes the error smaller")
    return words

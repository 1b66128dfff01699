"""All the curves of paper [A] for one classifier, and their rates at chosen distortions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.closed_form import categorical
from jaxrd.critical import critical_slope
from jaxrd.curve import Curve
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers import solve
from jaxrd.sweep import sweep
from jaxrd.target import rate_at
from jaxrd.tosc.calibration import fit_temperature, log_posterior, reliability
from jaxrd.tosc.confusion import (
    confusion_joint,
    estimate_and_compress,
    indirect_problem,
    landmarks,
    merge_baseline,
    time_sharing,
)
from jaxrd.tosc.outputs import InputError, Outputs
from jaxrd.tosc.parametric import smallest_rate
from jaxrd.tosc.soft import label_distortion, model_aware_problem, sample_and_communicate

CURVES = {
    "oRD": "oracle lower bound",
    "TMRD": "best for model",
    "iE&C": "decisions, label-aware coding",
    "S&C": "send posterior sample",
    "E&C": "compress decisions only",
    "TS": "time-shared decisions",
    "merge": "merge rare classes",
}
"""The curves by name, best to worst in the usual case, and what each means in three words."""

SCAN = 512  # grid on which the parametric curves that cost nothing are searched for their smallest rate
STEEPEST = 300.0  # nats per unit: beyond it the curves have reached their least distortion


@dataclass(frozen=True)
class Limits:
    """What `limits` found; rates in nats.

    Args:
        curves: a `Curve` by name; a curve that could not be computed is absent.
        at: one dict per distortion asked for: `distortion`, and per curve the smallest rate (inf where the curve
            does not reach it, None where the curve is absent), with `TMRD_model` on model-believed distortion.
        summary: samples, classes, landmarks, calibration.
        warnings: what a reader should know before trusting a curve.
    """

    curves: dict[str, Curve]
    at: list[dict[str, float | None]]
    summary: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def slope_grid(classes: int, count: int, critical: float) -> np.ndarray:
    """Slopes for a Hamming-like distortion, rising: even in distortion, then a tail towards the least one.

    An M-ary source has D = (M-1) / (M-1 + e^s), which spaces the body; `critical` is where the curve leaves zero.
    """
    tail = max(count // 4, 1)
    body = np.linspace(1 - 1 / classes, 0, count - tail + 2)[1:-1]
    slopes = np.log(classes - 1) + np.log1p(-body) - np.log(body)
    slopes = np.maximum(slopes, 1e-3)
    steep = np.geomspace(max(slopes[-1], 1.0), STEEPEST, tail + 1)[1:]
    grid = np.concatenate([slopes, steep])
    # Slopes that would all give the zero-rate point are moved up to where something happens.
    if np.isfinite(critical):
        low = min(critical * 1.0001, 0.5 * STEEPEST)
        idle = grid <= low
        if idle.any() and not idle.all():
            first = grid[~idle][0]
            grid[idle] = np.geomspace(low, first, int(idle.sum()) + 1)[:-1] if low > 0 else grid[idle]
    return grid


def _achievable(distortion: np.ndarray, rate: np.ndarray, **more: Any) -> Curve:
    nan = np.full(len(rate), np.nan)
    status = np.full(len(rate), Status.ACHIEVABLE)
    return Curve(np.asarray(distortion), np.asarray(rate), nan, nan, status, **more)


def _exact(distortion: np.ndarray, rate: np.ndarray, slope: np.ndarray, **more: Any) -> Curve:
    status = np.full(len(rate), Status.EXACT)
    return Curve(np.asarray(distortion), np.asarray(rate), np.asarray(slope), np.zeros(len(rate)), status, **more)


def _with_silence(curve: Curve, problem: Problem) -> Curve:
    """Prepend the zero-rate point, exact, which no slope above the critical one shows."""
    d_max = float((np.asarray(problem.source) @ np.asarray(problem.distortion)).min())

    def put(value: float, values: np.ndarray) -> np.ndarray:
        return np.concatenate([[value], values])

    slope = float(critical_slope(problem))
    return Curve(
        put(d_max, curve.distortion), put(0.0, curve.rate), put(slope, curve.slope), put(0.0, curve.gap),
        put(Status.EXACT, curve.status),
    )  # fmt: skip


class _Run:
    """The work of one call of `limits`: the curves share the joint, the posterior and the slope grid."""

    def __init__(self, outputs: Outputs, log_v: jax.Array | None, slopes: int, tol: float | None, tick):
        self.outputs, self.log_v, self.count, self.tol, self.tick = outputs, log_v, slopes, tol, tick
        self.joint = confusion_joint(outputs.labels, outputs.decisions, outputs.classes)
        self.prior, self.estimate = self.joint.sum(1), self.joint.sum(0)
        self.labels = jnp.asarray(outputs.labels)
        self.curves: dict[str, Curve] = {}

    def oracle(self) -> Callable[[float], float]:
        grid = slope_grid(
            self.outputs.classes, self.count, float(categorical.slope(self.prior, self._edge(self.prior)))
        )
        d = np.asarray(categorical.distortion_at_slope(self.prior, grid))
        d = np.concatenate([[1 - float(self.prior.max())], d, [0.0]])
        rate = np.asarray(categorical.rate(self.prior, d))
        self.curves["oRD"] = _exact(d, rate, np.concatenate([[0.0], grid, [np.inf]]))
        return lambda target: float(categorical.rate(self.prior, target))

    @staticmethod
    def _edge(pmf: jax.Array) -> jax.Array:
        return (1 - pmf.max()) * (1 - 1e-9)

    def estimate_and_compress(self) -> Callable[[float], float]:
        d_max = 1 - float(self.estimate.max())
        evaluate = jax.jit(lambda d: estimate_and_compress(self.joint, d))
        shown = np.linspace(d_max, 0, self.count + 2)
        point = evaluate(shown)
        slope = np.asarray(categorical.slope(self.estimate, shown))
        self.curves["E&C"] = _exact(
            np.asarray(point.distortion), np.asarray(point.rate), slope,
            parameters={"estimate_distortion": shown},
        )  # fmt: skip
        # The scan ends just short of D_max, where ties may make D_Y jump; D_max itself is a candidate of its own.
        scan = np.linspace(0, d_max, SCAN)
        found = jax.lax.map(lambda d: estimate_and_compress(self.joint, d), jnp.asarray(scan))
        d_y, rate = np.asarray(found.distortion), np.asarray(found.rate)

        def one(d: float) -> tuple[float, float]:
            p = evaluate(jnp.asarray(d, self.joint.dtype))
            return float(p.distortion), float(p.rate)

        return lambda target: smallest_rate(scan, d_y, rate, one, target)

    def indirect(self) -> Callable[[float], float]:
        problem = indirect_problem(self.joint)
        self.curves["iE&C"] = self._solved(problem)
        return lambda target: float(rate_at(problem, target, tol=self.tol).rate)

    def time_sharing(self) -> Callable[[float], float]:
        d_tm, d_0, h = (float(x) for x in landmarks(self.joint))
        d = np.linspace(d_0, d_tm, self.count)
        self.curves["TS"] = _achievable(d, (d_0 - d) / (d_0 - d_tm) * h)
        return lambda target: float(time_sharing(self.joint, target))

    def merge(self) -> Callable[[float], float]:
        points = merge_baseline(self.joint)
        d, rate = np.asarray(points.distortion), np.asarray(points.rate)
        merged = np.arange(len(rate))
        self.curves["merge"] = _achievable(d, rate, parameters={"merged_classes": merged})
        return lambda target: float(rate[d <= target + 1e-12].min(initial=np.inf))

    def sample(self) -> Callable[[float], float]:
        assert self.log_v is not None
        evaluate = jax.jit(lambda u: sample_and_communicate(self.log_v, self.labels, u / jnp.maximum(1 - u, 1e-30)))
        d_tm, _, entropy = (float(x) for x in landmarks(self.joint))
        # t = u / (1 - u) covers [0, inf]; at u = 1 the decisions themselves, without loss.
        u = np.linspace(0, 1, max(self.count, 16) + 2)
        points = [tuple(float(x) for x in evaluate(x)) for x in u[:-1]]
        believed_end = 1 - float(jnp.exp(self.log_v.max(1)).mean())
        rate, d, believed = (np.array(a) for a in zip(*points, (entropy, d_tm, believed_end), strict=True))
        with np.errstate(divide="ignore"):
            temperature = u / (1 - u)
        self.curves["S&C"] = _achievable(
            d, rate, model_distortion=believed, parameters={"inverse_temperature": temperature}
        )

        def one(x: float) -> tuple[float, float]:
            p = evaluate(x)
            return float(p.distortion), float(p.rate)

        return lambda target: smallest_rate(u, d, rate, one, target)

    def model_aware(self) -> tuple[Callable[[float], float], Callable[[float], float]]:
        assert self.log_v is not None
        problem = model_aware_problem(jnp.exp(self.log_v))
        solved = self._sweep(problem)
        curve = _with_silence(solved.curve(), problem)
        measured = jax.lax.map(lambda point: label_distortion(problem, point, self.labels), solved)
        silent = 1 - float(self.prior[int(np.asarray(problem.source @ problem.distortion).argmin())])
        curve = curve.with_distortion(np.concatenate([[silent], np.asarray(measured)]))
        self.curves["TMRD"] = curve
        with np.errstate(invalid="ignore"):
            u = np.where(np.isinf(curve.slope), 1, curve.slope / (1 + curve.slope))

        def one(x: float) -> tuple[float, float]:
            point = solve(problem, jnp.asarray(x / max(1 - x, 1e-30), problem.source.dtype), tol=self.tol)
            return float(label_distortion(problem, point, self.labels)), float(point.rate)

        return (
            lambda target: smallest_rate(u, curve.distortion, curve.rate, one, target),
            lambda target: float(rate_at(problem, target, tol=self.tol).rate),
        )

    def _sweep(self, problem: Problem) -> Solution:
        critical = float(critical_slope(problem))
        grid = np.append(slope_grid(self.outputs.classes, self.count, critical), np.inf)
        return sweep(problem, grid, tol=self.tol, progress=self.tick)

    def _solved(self, problem: Problem) -> Curve:
        return _with_silence(self._sweep(problem).curve(), problem)


def limits(
    outputs: Outputs,
    *,
    at: Sequence[float] = (),
    temperature: float | None = None,
    slopes: int = 32,
    seed: int = 0,
    tol: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Limits:
    """Every curve of paper [A] for a classifier: few bits per sample a given accuracy costs, with certificates.

    All are plug-in estimates from the samples; distortion is measured on the labels for every curve (TMRD reports
    the model-believed one beside it). Without `temperature`, the first half of a seeded permutation of the samples
    fits one and the other half gives the curves.

    Args:
        outputs: labels with logits or decisions, from `from_scores`, `from_decisions` or `jaxrd.io.read_outputs`.
        at: task distortions (1 - accuracy) at which every curve is solved for its smallest rate.
        temperature: fixes the temperature (1: as is), and then no sample is set aside.
        slopes: points per curve.
        seed: of the permutation.
        tol: certified gap asked of iE&C and TMRD, nats; None: by dtype.
        progress: called as progress(curve, done, total) between batches.

    Returns:
        A `Limits`, rates in nats. Curves that need soft outputs are absent for hard decisions only.

    Raises:
        InputError: a distortion outside [0, 1], a temperature that is not positive, fewer than 2 slopes, or too
            few samples to split.

    >>> import numpy as np
    >>> from jaxrd.tosc import from_decisions
    >>> found = limits(from_decisions(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1])), at=[0.25])
    >>> round(found.at[0]["oRD"], 4)  # ln 2 - h(1/4)
    0.1308
    """
    for d in at:
        if not 0 <= d <= 1:
            raise InputError(f"a task distortion must lie in [0, 1]; got {d:g}.")
    if temperature is not None and not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature must be a positive number; got {temperature:g}.")
    if slopes < 2:
        raise InputError(f"slopes must be at least 2; got {slopes}.")
    warnings: list[str] = []
    total = len(outputs.labels)
    summary: dict[str, Any] = {"samples": total, "samples_total": total, "classes": outputs.classes}
    log_v = None
    fitted = {"temperature": None, "ece": None, "nll": None, "ece_before": None, "nll_before": None}
    if outputs.logits is not None:
        if temperature is None:
            if total < 2:
                raise InputError("one sample cannot be split to fit a temperature; fix it (temperature=1).")
            order = np.random.default_rng(seed).permutation(total)
            fit, rest = outputs.take(order[: total // 2]), outputs.take(order[total // 2 :])
            temperature = float(fit_temperature(fit.logits, fit.labels))
            if (fit.decisions == fit.labels).all():
                warnings.append(
                    f"no sample of the calibration half is wrong: the fitted temperature, {temperature:.3g}, means little"
                )
            outputs = rest
        before, log_v = log_posterior(outputs.logits), log_posterior(outputs.logits, temperature)
        raw, scaled = reliability(before, outputs.labels), reliability(log_v, outputs.labels)
        fitted = {
            "temperature": temperature, "ece": scaled.ece, "nll": scaled.nll,
            "ece_before": raw.ece, "nll_before": raw.nll,
        }  # fmt: skip
        summary["samples"] = len(outputs.labels)

    def tick(name: str) -> Callable[[int, int], None] | None:
        return None if progress is None else (lambda done, of: progress(name, done, of))

    run = _Run(outputs, log_v, slopes, tol, None)
    marks = landmarks(run.joint)
    d_tm, d_0, entropy = (float(x) for x in marks)
    summary |= {
        "task_model_distortion": d_tm,
        "zero_rate_distortion": d_0,
        "estimate_entropy_nats": entropy,
    } | fitted

    smallest: dict[str, Callable[[float], float]] = {"oRD": run.oracle(), "E&C": run.estimate_and_compress()}
    run.tick = tick("iE&C")
    smallest["iE&C"] = run.indirect()
    if log_v is not None:
        smallest["S&C"] = run.sample()
        run.tick = tick("TMRD")
        smallest["TMRD"], smallest["TMRD_model"] = run.model_aware()
        believed = run.curves["TMRD"].model_distortion
        assert believed is not None
        noise = 2 * np.sqrt(d_tm * (1 - d_tm) / summary["samples"])
        off = float(np.abs(run.curves["TMRD"].distortion - believed).max())
        if off > max(2 * noise, 1e-3):
            warnings.append(f"model-believed and label-measured distortion differ by up to {off:.3f}: miscalibrated")
    else:
        warnings.append("hard decisions only: S&C and TMRD need scores")
    if d_tm < d_0:
        smallest["TS"] = run.time_sharing()
    else:
        warnings.append(
            f"D_TM = {d_tm:.4g} is not below D_0 = {d_0:.4g}: guessing the likeliest class does as well, TS is undefined"
        )
    smallest["merge"] = run.merge()
    if outputs.classes**2 > summary["samples"] / 10:
        warnings.append(
            f"{outputs.classes}^2 confusion cells for {summary['samples']} samples: iE&C is optimistic (plug-in)"
        )

    rows: list[dict[str, float | None]] = []
    for i, d in enumerate(at):
        row: dict[str, float | None] = {"distortion": float(d)}
        for name in (*CURVES, "TMRD_model"):
            row[name] = smallest[name](float(d)) if name in smallest else None
            if progress is not None:
                progress("rates asked for", i + 1, len(at))
        rows.append(row)
    curves = {name: run.curves[name] for name in CURVES if name in run.curves}
    return Limits(curves, rows, summary, warnings)

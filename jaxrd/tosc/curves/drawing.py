"""Shared by the curves: grids, points, and the rate of a drawn curve at a distortion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jax.typing import ArrayLike

from jaxrd._sweep import sweep
from jaxrd.critical import critical_slope
from jaxrd.curve import Curve
from jaxrd.distortion import expected
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status, has_failed
from jaxrd.target import distortion_at, rate_at
from jaxrd.tosc.losses import Loss

STEEPEST = 300.0  # nats per unit: here a drawn curve has reached its least distortion, except for the last samples


_SATURATED = 1e6  # here the exponentials of all posteriors without a near tie saturate; beyond, s D rounds at 1e-9


_PER_DECADE = 6  # points per decade up to there: label-measured distortion may dip below D_TM before it ends there


Tick = Callable[[int, int], None] | None


class Rate(NamedTuple):
    """A rate at a distortion, nats; inf where the curve does not reach it."""

    rate: float
    parameter: float = np.nan
    """The parameter of that point of the curve: a slope, an inverse temperature, a distortion."""
    reproduction: jax.Array | None = None
    """The reproduction law there, shape (classes,), where the curve was solved for."""
    converged: bool = True
    """False where a solver behind it did not reach its tolerance: then the rate is an upper bound."""


class Least(NamedTuple):
    """A distortion at a rate: the least that the raw curve has at that rate or below."""

    distortion: float
    converged: bool = True
    """False where a solver behind it did not reach its tolerance: then the distortion is an upper bound."""


class Bound(NamedTuple):
    """A curve, its rate at any distortion, and its distortion at any rate; nats."""

    curve: Curve
    smallest: Callable[[float], Rate]
    """Smallest rate of the raw curve with label-measured distortion <= D."""
    least: Callable[[float], Least]
    """Least label-measured distortion of the raw curve with rate <= R."""
    smallest_believed: Callable[[float], Rate] | None = None
    """The smallest rate on model-believed distortion, where that differs."""
    least_believed: Callable[[float], Least] | None = None
    """The least distortion on that axis."""
    solved: Solution | None = None
    """The solutions of the curve, where it was solved for: all its points but the first, which has rate zero."""


def certified_at(problem: Problem, target: float, least: float, tol: float | None, mesh: Mesh | None = None) -> Rate:
    """R(D) of a solved problem; a target within rounding (1e-12) below the least distortion counts as the least."""
    point = rate_at(problem, least if least - 1e-12 <= target < least else target, tol=tol, mesh=mesh)
    return Rate(float(point.rate), float(point.slope), point.reproduction, not has_failed(int(point.status)))


def certified_least(problem: Problem, rate: float, tol: float | None, mesh: Mesh | None = None) -> Least:
    """D(R) of a solved problem."""
    point = distortion_at(problem, rate, tol=tol, mesh=mesh)
    return Least(float(point.distortion), not has_failed(int(point.status)))


def slope_grid(classes: int, count: int, critical: float) -> np.ndarray:
    """`count` slopes for a Hamming-like distortion, rising: half even in distortion, half towards the least one.

    A uniform M-ary source has D = (M-1) / (M-1 + e^s), which spaces the first half. Slopes below `critical` would
    all give the zero-rate point: they are moved up to just above it.
    """
    if classes == 1:  # one class: every slope gives the same point
        return np.geomspace(1, STEEPEST, count)
    tail = max(count // 2, 1)
    body = np.linspace(1 - 1 / classes, 0, count - tail + 2)[1:-1]
    slopes = np.maximum(np.log(classes - 1) + np.log1p(-body) - np.log(body), 1e-3)
    steep = np.geomspace(max(slopes.max(initial=1.0), 1.0), STEEPEST, tail + 1)[1:]
    grid = np.concatenate([slopes, steep])
    low = 1.0001 * critical
    idle = grid <= low
    if idle.any() and not idle.all():
        grid[idle] = np.geomspace(low, grid[~idle][0], int(idle.sum()) + 1)[:-1]
    return grid


def saturation(margin: float, start: float, unit: float = 1.0) -> np.ndarray:
    """Inverse temperatures or slopes from `start` to where the least margin between the two best saturates."""
    end = min(40 / margin, _SATURATED / unit) if margin < np.inf else start
    decades = max(np.log10(max(end, start) / start), 0)
    return np.geomspace(start, max(end, start), int(np.ceil(_PER_DECADE * decades)) + 1)[1:]


def least_margin(scores: ArrayLike) -> float:
    """The least positive amount by which the best score of a sample lies above its second; inf where there is none."""
    second, best = np.partition(np.asarray(scores), -2, axis=1)[:, -2:].T
    margins = best - second
    return float(margins[margins > 0].min(initial=np.inf))


def achievable(distortion: np.ndarray, rate: np.ndarray, **more: Any) -> Curve:
    """Points that a scheme reaches, with no lower bound."""
    nan = np.full(len(rate), np.nan)
    return Curve(distortion, rate, nan, nan, np.full(len(rate), Status.ACHIEVABLE), **more)


def exact(distortion: np.ndarray, rate: np.ndarray, slope: np.ndarray, **more: Any) -> Curve:
    """Points of a closed form."""
    return Curve(distortion, rate, slope, np.zeros(len(rate)), np.full(len(rate), Status.EXACT), **more)


def solve_grid(
    problem: Problem,
    count: int,
    tol: float | None,
    tick: Tick,
    beyond: np.ndarray | tuple = (),
    mesh: Mesh | None = None,
    unit: float = 1.0,
) -> tuple[Solution, Curve]:
    """The swept problem, and its curve, the exact zero-rate point first; slopes: the grid, `beyond`, then inf.

    The grid is that of a Hamming-like distortion, whose largest value is `unit`.
    """
    critical = float(critical_slope(problem))
    grid = slope_grid(problem.distortion.shape[1], count, critical * unit) / unit
    grid = np.concatenate([grid, beyond, [np.inf]])
    solved = sweep(problem, grid, tol=tol, mesh=mesh, progress=tick)
    curve = solved.curve()
    silence = float(expected(problem.distortion, np.asarray(problem.source)).min())  # pyright: ignore
    front = (silence, 0.0, critical, 0.0, Status.EXACT)
    rest = (curve.distortion, curve.rate, curve.slope, curve.gap, curve.status)
    d, rate, slope, gap, status = (np.concatenate([[a], b]) for a, b in zip(front, rest, strict=True))
    return solved, Curve(d, rate, slope, gap, status)


def unit_of(loss: Loss | None) -> float:
    """The scale of a loss, by which slopes are spaced: 1 for 0/1."""
    return 1.0 if loss is None else loss.span or 1.0


def positive_and_finite(parameter: np.ndarray, unit: float = 1.0) -> np.ndarray:
    """The parameters of a curve that have a band; NaN for the others: rate zero, and nearly hard decisions.

    Slopes are in nats per unit of the distortion.
    """
    return np.where((parameter > 0) & (parameter * unit <= STEEPEST), parameter, np.nan)

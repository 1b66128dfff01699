"""Ordinary problems at a common slope, one for each value of what both ends know; on the host, of known values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxrd import _bracket
from jaxrd._next_slope import next_slope
from jaxrd._sweep import sweep
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status

_MAX_SOLVES = 60


class Family(NamedTuple):
    """Problems of one size, so that one program serves all of them."""

    shares: np.ndarray
    """p(s) > 0 with sum 1, shape (values,)."""
    problems: tuple[Problem, ...]
    """Of each value: p(x|s), and d(x, y) given it."""


def family_of(shares: np.ndarray, sources: Sequence[np.ndarray], distortions: Sequence[np.ndarray]) -> Family:
    """A family, its problems filled up with letters of mass zero.

    Args:
        shares: p(s) > 0, shape (values,).
        sources: of each value weights of its letters, shape (n_s,).
        distortions: of each value, shape (n_s, m).

    >>> found = family_of(np.array([1.0, 1.0]), [np.ones(2), np.ones(3)], [np.eye(2), np.ones((3, 2))])
    >>> found.shares.tolist(), [problem.source.tolist()[:2] for problem in found.problems]
    ([0.5, 0.5], [[0.5, 0.5], [0.3333333333333333, 0.3333333333333333]])
    """
    rows = max(len(source) for source in sources)
    problems = []
    for source, d in zip(sources, distortions, strict=True):
        filled, whole = np.zeros(rows, d.dtype), np.zeros((rows, d.shape[1]), d.dtype)
        filled[: len(source)], whole[: len(source)] = source / source.sum(), d
        problems.append(Problem(filled, whole))
    return Family(shares / shares.sum(), tuple(problems))


def family_sweep(
    family: Family, slopes: np.ndarray, tol: float | None = None, progress: Callable[[int, int], None] | None = None
) -> Solution:
    """The conditional curve at each slope: numpy arrays, `reproduction` of shape (slopes, values, m)."""
    each = []
    for done, problem in enumerate(family.problems):
        each.append(jax.device_get(sweep(problem, slopes, tol=tol)))
        if progress is not None:
            progress(done + 1, len(family.problems))

    def mean(name: str) -> Any:  # inf or NaN where a value has no answer
        return family.shares @ np.stack([getattr(points, name) for points in each])

    steps: Any = np.full(len(slopes), len(each), np.int32)
    status: Any = _worst(np.stack([points.status for points in each], 1)).astype(np.int32)
    laws: Any = np.stack([points.reproduction for points in each], 1)
    grid: Any = slopes
    return Solution(
        slope=grid,
        rate=mean("rate"),
        distortion=mean("distortion"),
        reproduction=laws,
        gap=mean("gap"),
        steps=steps,
        status=status,
    )


def _worst(status: np.ndarray) -> np.ndarray:
    """Of the values: CONVERGED where all are, else the first that says most."""
    worst = np.full(status.shape[0], int(Status.CONVERGED))
    for word in (Status.MAX_STEPS, Status.STALLED, Status.INFEASIBLE, Status.NONFINITE):
        worst = np.where((status == word).any(-1), int(word), worst)
    return worst


def silence(family: Family) -> Solution:
    """The zero-rate point: for each value the reproduction of least mean distortion."""
    costs = np.array([np.asarray(each.source) @ np.asarray(each.distortion) for each in family.problems])
    law: Any = (np.arange(costs.shape[1]) == costs.argmin(1)[:, None]).astype(costs.dtype)
    zero: Any = np.zeros((), costs.dtype)
    distortion: Any = np.asarray(family.shares @ costs.min(1), costs.dtype)
    none: Any = np.int32(0)
    exact: Any = np.int32(Status.EXACT)
    return Solution(zero, zero, distortion, law, zero, none, exact)


def family_rate_at(family: Family, distortion: float, tol: float | None = None) -> Solution:
    """The conditional rate at a distortion, as `rate_at` of `jaxrd`: numpy arrays.

    >>> coins = family_of(np.ones(2), [np.array([0.75, 0.25])] * 2, [1 - np.eye(2), 1 - np.eye(2)])
    >>> round(float(family_rate_at(coins, 0.1).rate), 4)  # h(1/4) - h(1/10)
    0.2373
    """
    dtype: Any = family.problems[0].distortion.dtype
    target: Any = np.asarray(distortion, dtype)
    gap: Any = np.asarray((1e-9 if dtype == np.float64 else 1e-5) if tol is None else tol, dtype)
    with np.errstate(all="ignore"):
        goal, state = _bracket.start(np, silence(family), target, False)
        while _bracket.unfinished(goal, state, gap, _MAX_SOLVES):
            slope = np.asarray(next_slope(goal, state), dtype)
            points = family_sweep(family, slope[None], float(gap) / 4)
            point = jax.tree.map(lambda a: a[0], points)
            state = _bracket.narrowed(goal, state, point)
        return _bracket.solution(goal, state, gap, _MAX_SOLVES)

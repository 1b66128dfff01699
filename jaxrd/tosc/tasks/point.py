"""The least rate at one limit for each task: what the limits leave free, what they fix, and the rest, solved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status, has_failed
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.tasks.optimum import FORBIDDEN, Limited, Optimum, Start, least_rate, opening
from jaxrd.tosc.tasks.product import Product, channel

_EPSILON = float(np.finfo(float).eps)
_SLOPES = (1e-3, 1e6)  # of a start, in units of the largest excess


class Task(NamedTuple):
    """One task, and what no limit changes."""

    loss: Loss
    labels: np.ndarray
    """y, int, shape (samples,)."""
    problem: Problem
    """Of this task alone: the samples' weights, and d(x, a) = sum_y v_y l(y, a)."""
    excess: np.ndarray
    """d - min_a d, shape (samples, actions)."""
    least: float
    """E min_a d(X, a), that of the decisions."""
    silent: float
    """min_a E d(X, a), that of one action for all samples."""
    constant: int
    """That action."""


class Point(NamedTuple):
    """What one limit for each task costs."""

    rate: float
    """Of a channel within all limits, nats; +inf where there is none."""
    lower: float
    status: Status
    slopes: np.ndarray
    """-dR/dD_t, nats per unit of each loss, shape (tasks,): next to 0 where a limit binds nothing, inf at the least
    distortion."""
    measured: np.ndarray
    """E l_t(Y_t, A_t) of that channel, on the labels, shape (tasks,); NaN where there is none."""
    known: _Known | None
    """For a start nearby."""


class _Known(NamedTuple):
    kept: tuple[int, ...]  # tasks that are not free
    fixed: int  # how many of them, the first, are at their least distortion
    optimum: Optimum


def task_of(loss: Loss, posterior: np.ndarray, labels: np.ndarray, source: np.ndarray) -> Task:
    """A task on samples.

    Args:
        loss: l(y, a).
        posterior: v, shape (samples, labels of the loss).
        labels: y, shape (samples,).
        source: weights of the samples with sum 1, > 0.
    """
    d = loss.expected(posterior)
    low = d.min(1, keepdims=True)
    excess = np.where(d - low <= 4 * _EPSILON * np.abs(low), 0.0, d - low)
    mean = source @ d
    return Task(
        loss, labels, Problem(source, d), excess, float(source @ low[:, 0]), float(mean.min()), int(mean.argmin())
    )


def point_at(
    source: np.ndarray, tasks: list[Task], limits: np.ndarray, alone: list[Solution], tol: float, near: Point | None
) -> Point:
    """The least rate within all limits.

    Args:
        source: weights of the samples with sum 1, > 0.
        tasks: on them.
        limits: D_t, shape (tasks,).
        alone: the solution of each task alone: its rate bounds this one from below, its slope and law begin.
        tol: certified gap at which to stop, nats, relative to max(1, rate).
        near: a point nearby, to begin from.
    """
    nothing = np.full(len(tasks), np.nan)
    size = np.array([max(task.least, task.excess.max()) for task in tasks])
    budgets = limits - [task.least for task in tasks]
    if (budgets < -8 * _EPSILON * size).any():
        return Point(np.inf, np.inf, Status.INFEASIBLE, nothing, nothing, None)
    free = limits >= np.array([task.silent for task in tasks]) - 8 * _EPSILON * size
    exact = ~free & (budgets <= 8 * _EPSILON * size)
    slopes = np.where(exact, np.inf, 0.0)
    measured = np.array([source @ task.loss.values[task.labels, task.constant] for task in tasks])
    kept = (*np.flatnonzero(exact).tolist(), *np.flatnonzero(~exact & ~free).tolist())
    if not kept:
        return Point(0.0, 0.0, Status.CONVERGED, slopes, measured, None)
    limited = _limited(source, [tasks[t] for t in kept], budgets[list(kept)], int(exact.sum()))
    starts = [_cold(limited, [tasks[t] for t in kept], [alone[t] for t in kept])]
    if near is not None and near.known is not None and near.known[:2] == (kept, limited.fixed):
        best = near.known.optimum
        starts.insert(0, Start(np.clip(best.slopes, *_SLOPES), best.letters, best.weights))
    floor = np.nanmax([0.0, *(float(a.rate) - float(a.gap) for a in alone if not has_failed(int(a.status)))])
    found = least_rate(limited, starts.pop(0), tol)
    if starts and found.rate - found.lower > tol * max(1.0, found.rate):
        found = min(found, least_rate(limited, starts[0], tol), key=lambda o: o.rate - o.lower)
    lower = max(found.lower, float(floor))
    binding = list(kept[limited.fixed :])
    slopes[binding] = found.slopes[limited.fixed :] / [tasks[t].excess.max() for t in binding]
    measured[list(kept)] = _measured(limited, [tasks[t] for t in kept], found)
    close = found.rate - lower <= tol * max(1.0, found.rate)
    known = _Known(kept, limited.fixed, found)
    return Point(found.rate, lower, Status.CONVERGED if close else Status.STALLED, slopes, measured, known)


def _limited(source: np.ndarray, tasks: list[Task], budgets: np.ndarray, fixed: int) -> Limited:
    """The tasks that are not free, those at their least distortion first."""
    excess = [np.where(task.excess > 0, FORBIDDEN, 0.0) for task in tasks[:fixed]]
    spans = np.array([task.excess.max() for task in tasks[fixed:]])
    excess += [task.excess / span for task, span in zip(tasks[fixed:], spans, strict=True)]
    product = Product(source, tuple(excess))
    shares = np.bincount(np.unique(_decisions(product), return_inverse=True)[1], source)
    return Limited(product, budgets[fixed:] / spans, float(-(shares * np.log(shares)).sum()))


def _decisions(product: Product) -> np.ndarray:
    """The letter that spends nothing, of each sample."""
    return np.asarray(np.ravel_multi_index([e.argmin(1) for e in product.excess], product.shape))


def _cold(limited: Limited, tasks: list[Task], alone: list[Solution]) -> Start:
    """A start from the tasks alone; with the decisions where some are asked for exactly."""
    fixed = limited.fixed
    spans = [task.excess.max() for task in tasks[fixed:]]
    own = [float(a.slope) * span for a, span in zip(alone[fixed:], spans, strict=True)]
    slopes = np.concatenate([np.ones(fixed), np.clip(np.nan_to_num(own, nan=1.0), *_SLOPES)])
    laws = [np.nan_to_num(np.asarray(a.reproduction, float), nan=1.0) for a in alone]
    start = opening(limited.product, slopes, laws)
    if not fixed:
        return start
    letters = np.union1d(start.letters, _decisions(limited.product))
    weights = np.full(len(letters), 1e-3 / len(letters))
    weights[np.searchsorted(letters, start.letters)] += start.weights
    return start._replace(letters=letters, weights=weights / weights.sum())


def _measured(limited: Limited, tasks: list[Task], optimum: Optimum) -> np.ndarray:
    """E l(Y, A) of the channel of an optimum, on the labels, shape (tasks,)."""
    product, total = limited.product, np.zeros(len(tasks))
    actions = np.stack(np.unravel_index(optimum.letters, product.shape))
    for rows, sent in channel(product, actions, optimum.weights, optimum.slopes):
        sent *= product.source[rows, None]
        for t, task in enumerate(tasks):
            total[t] += (task.loss.values[task.labels[rows]].take(actions[t], 1) * sent).sum()
    decided = [
        product.source @ task.loss.values[task.labels, e.argmin(1)]
        for task, e in zip(tasks, product.excess, strict=True)
    ]
    return (1 - optimum.deciding) * total + optimum.deciding * np.array(decided)

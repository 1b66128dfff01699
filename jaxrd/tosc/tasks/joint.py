"""Several tasks on one stream: the rate within a limit for each, each task alone, and what one stream saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import refuse_tolerance
from jaxrd._readable import readable
from jaxrd._room import make_room
from jaxrd.errors import InputError
from jaxrd.solution import Solution, Status
from jaxrd.target import rate_at
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.outputs import Outputs, Progress
from jaxrd.tosc.posterior import log_softmax
from jaxrd.tosc.tasks.inputs import as_limits, as_temperatures, as_weights, prepared, refuse_tasks
from jaxrd.tosc.tasks.point import Point, Task, point_at, task_of

_SHARES = (0.05, 0.25, 0.6)
"""Of the way from a task's least distortion to that of rate zero: where limits are put that nobody asked for."""


@readable
@dataclass(frozen=True)
class JointLimits:
    """The result of `joint_limits`: a row for each tuple of limits asked for; rates in nats.

    Args:
        distortion: D_t asked for, shape (rows, tasks).
        rate: R(D_1..D_T), of a channel within all limits, shape (rows,); +inf where there is none.
        gap: rate - gap is a lower bound on the rate of every such channel, shape (rows,).
        status: a `Status`, shape (rows,).
        alone: R_t(D_t) of each task alone, shape (rows, tasks).
        slope: -dR/dD_t, shape (rows, tasks): 0 where a limit binds nothing, inf at the least distortion.
        measured: the mean loss of that channel on the labels, shape (rows, tasks): the distortions asked for are those
            that the posteriors believe.
        least: the least believed distortion of each task, that of its decisions, shape (tasks,).
        silent: that of one action for all samples, from which on a task needs no bits, shape (tasks,).
        temperature: of each task's posterior, shape (tasks,).
        samples: those that gave the rates.
        warnings: what a reader should know before trusting a rate.

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972 (the bound,
    for a tuple of distortions).

    >>> from jaxrd.tosc import from_scores, losses
    >>> outputs = from_scores([[0.9, 0.1], [0.2, 0.8]], [0, 1])
    >>> found = joint_limits([(outputs, losses.zero_one(2))], at=[(0.3,)], temperature=1.0)
    >>> found.saving.tolist()
    [0.0]
    """

    distortion: np.ndarray
    rate: np.ndarray
    gap: np.ndarray
    status: np.ndarray = field(metadata={"names": Status})
    alone: np.ndarray
    slope: np.ndarray
    measured: np.ndarray
    least: np.ndarray
    silent: np.ndarray
    temperature: np.ndarray
    samples: int
    warnings: tuple[str, ...] = ()

    @property
    def lower(self) -> np.ndarray:
        """The certified lower bound on the rate, nats, shape (rows,)."""
        return np.where(np.isinf(self.rate), np.inf, self.rate - np.where(np.isinf(self.rate), 0, self.gap))

    @property
    def sum(self) -> np.ndarray:
        """The rate of a stream for each task, sum_t R_t(D_t), nats, shape (rows,)."""
        return self.alone.sum(1)

    @property
    def saving(self) -> np.ndarray:
        """What one stream for all tasks saves, sum_t R_t - R >= 0, nats, shape (rows,); NaN where no stream exists."""
        possible, saved = np.isfinite(self.sum) & np.isfinite(self.rate), np.full(len(self.rate), np.nan)
        saved[possible] = np.maximum(self.sum[possible] - self.rate[possible], 0)
        return saved


def joint_limits(
    tasks: Sequence[tuple[Outputs, Loss]],
    *,
    at: Sequence[Sequence[float]] | None = None,
    temperature: float | Sequence[float | None] | None = None,
    weights: ArrayLike | None = None,
    seed: int = 0,
    tol: float | None = None,
    progress: Progress = None,
) -> JointLimits:
    """The bits per sample that several tasks on the same samples need on one stream, with certificates.

        R(D_1..D_T) = min I(X; A_1..A_T)  subject to  E sum_y v^t(y|X) l_t(y, A_t) <= D_t

    The tasks may be one classifier's outputs under several losses, or several classifiers' outputs of the same samples.
    max_t R_t(D_t) <= R <= sum_t R_t(D_t), whatever the dependence between the labels; the sum less R is what one stream
    saves. All are plug-in estimates from the samples; a limit is on the distortion that the posterior believes, as for
    TMRD_model. Runs on the host in float64, for up to a million letters (the product of the actions).

    Args:
        tasks: outputs with scores, and the loss; all outputs of as many samples, in the same order.
        at: limits (D_1..D_T), in the unit of each loss, inf for none; None: some between the decisions and one action
            for all samples.
        temperature: of the posteriors, one for all or one a task; None: each is fitted on one half of the samples, the
            same for all, and the other half gives the rates.
        weights: of the samples, >= 0, shape (samples,), taken as w / sum w; None: those of the outputs, or equal.
        seed: of the split.
        tol: certified gap asked, nats, relative to max(1, R); None: 1e-9 (1e-5 for the tasks alone while x64 is off).
        progress: called as progress(what, done, total) between rows.

    Returns:
        A `JointLimits`, nats. A limit below the least distortion of its task: rate +inf, INFEASIBLE.

    Raises:
        InputError: no task, outputs without scores or of other samples, a loss of other labels, limits that are no
            tuples of numbers >= 0, a temperature that is not positive, weights that are none, too many letters.

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972 (the bound,
    for a tuple of distortions); [A] eq. (20).

    >>> from jaxrd.tosc import from_scores, losses
    >>> outputs = from_scores([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], [0, 1, 2])
    >>> pair = [(outputs, losses.zero_one(3)), (outputs, losses.superclass([0, 0, 1]))]
    >>> found = joint_limits(pair, at=[(0.3, 0.2)], temperature=1.0)
    >>> bool(found.alone.max() <= found.rate[0] <= found.sum[0])
    True
    """
    make_room()
    refuse_tolerance(tol)
    refuse_tasks(tasks)
    temperatures = as_temperatures(temperature, len(tasks))
    source = as_weights(weights, [outputs for outputs, _ in tasks])
    asked = None if at is None else as_limits(at, len(tasks))
    warnings: list[str] = []
    rows, temperatures = prepared([outputs for outputs, _ in tasks], temperatures, seed, warnings)
    rows = rows[source[rows] > 0]
    if not rows.size:
        raise InputError("no sample of positive weight is left to give the rates.")
    source = source[rows] / source[rows].sum()
    made = []
    for (outputs, loss), t in zip(tasks, temperatures, strict=True):
        held = outputs.take(rows)
        posterior = np.exp(log_softmax(np.asarray(held.logits), t)).astype(np.float64)
        made.append(task_of(loss, posterior, held.labels, source))
    limits = _default(made) if asked is None else asked
    points, alone = solved(source, made, limits, tol, progress)
    return JointLimits(
        distortion=limits,
        rate=np.array([p.rate for p in points]),
        gap=np.array([0.0 if np.isinf(p.rate) else p.rate - p.lower for p in points]),
        status=np.array([int(p.status) for p in points]),
        alone=np.array([[float(a.rate) for a in row] for row in alone]).reshape(limits.shape),
        slope=np.array([p.slopes for p in points]).reshape(limits.shape),
        measured=np.array([p.measured for p in points]).reshape(limits.shape),
        least=np.array([task.least for task in made]),
        silent=np.array([task.silent for task in made]),
        temperature=np.array(temperatures),
        samples=len(rows),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def solved(
    source: np.ndarray, tasks: list[Task], limits: np.ndarray, tol: float | None, progress: Progress
) -> tuple[list[Point], list[list[Solution]]]:
    """The points at some limits, shape (rows, tasks), each from the nearest one before it; and each task alone."""
    own = partial(_alone, tol=tol)
    known: dict[tuple[int, float], Solution] = {}
    spans = np.array([max(task.silent - task.least, np.finfo(float).tiny) for task in tasks])
    places = np.clip((limits - [task.least for task in tasks]) / spans, 0, 1)
    points: list[Point] = []
    alone: list[list[Solution]] = []
    for row, limit in enumerate(limits):
        for t, d in enumerate(limit):
            if (t, d) not in known:
                known[t, d] = own(tasks[t], float(d))
        alone.append([known[t, d] for t, d in enumerate(limit)])
        near = None
        if points:
            near = points[int(np.abs(places[:row] - places[row]).max(1).argmin())]
        points.append(point_at(source, tasks, limit, alone[-1], 1e-9 if tol is None else tol, near))
        if progress is not None:
            progress("rates", row + 1, len(limits))
    return points, alone


def _alone(task: Task, limit: float, tol: float | None) -> Solution:
    return jax.device_get(rate_at(task.problem, min(limit, task.silent), tol=tol))  # inf is no distortion of a channel


def _default(tasks: list[Task]) -> np.ndarray:
    """All pairs of shares for two tasks, else the same share for all."""
    shares = product(_SHARES, repeat=2) if len(tasks) == 2 else ((share,) * len(tasks) for share in _SHARES)
    return between(np.array([t.least for t in tasks]), np.array([t.silent for t in tasks]), np.array(list(shares)))


def between(least: np.ndarray, silent: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Limits at shares of the way from the least distortions to the silent ones, shape (rows, tasks); 4 digits."""
    exact = least + shares * (silent - least)
    digits = 10.0 ** (np.floor(np.log10(np.maximum(silent, 1e-300))) - 3)
    rounded = np.ceil(exact / digits) * digits  # upwards: never below the least distortion
    return np.where((shares > 0) & (shares < 1), np.minimum(rounded, silent), exact)

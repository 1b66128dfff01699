"""Several tasks on one stream: the rate within a limit for each, each task alone, and what one stream saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import refuse_tolerance
from jaxrd._readable import readable
from jaxrd._room import make_room
from jaxrd.errors import InputError
from jaxrd.solution import Solution, Status
from jaxrd.target import rate_at
from jaxrd.tosc.calibration.temperature import doubts, fitted
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.outputs import Outputs, Progress
from jaxrd.tosc.posterior import log_softmax
from jaxrd.tosc.split import split
from jaxrd.tosc.tasks.point import Point, Task, point_at, task_of

_SHARES = (0.05, 0.25, 0.6)
"""Of the way from a task's least distortion to that of rate zero: where limits are put that nobody asked for."""
MOST_LETTERS = 10**6
"""Letters of a product alphabet that can be handled: each pass makes one sum for each."""


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
        weights: of the samples, >= 0, shape (samples,), taken as w / sum w; None: equal.
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
    _refuse_tasks(tasks)
    temperatures = _temperatures(temperature, len(tasks))
    source = _weights(weights, len(tasks[0][0].labels))
    asked = None if at is None else _as_limits(at, len(tasks))
    warnings: list[str] = []
    rows, temperatures = _prepared([outputs for outputs, _ in tasks], temperatures, seed, warnings)
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


def _refuse_tasks(tasks: Any) -> None:
    if isinstance(tasks, Outputs) or not isinstance(tasks, Sequence) or not tasks:
        raise InputError(
            f"tasks must be a list of (Outputs, Loss), at least one; got {' '.join(repr(tasks).split())[:60]}."
        )
    letters = 1
    for number, pair in enumerate(tasks, 1):
        if not (
            isinstance(pair, Sequence) and len(pair) == 2 and isinstance(pair[0], Outputs) and isinstance(pair[1], Loss)
        ):
            raise InputError(f"task {number} must be (Outputs, Loss); got {' '.join(repr(pair).split())[:60]}.")
        outputs, loss = pair
        if outputs.logits is None:
            raise InputError(f"task {number} has hard decisions only: a posterior is needed. Pass scores.")
        if loss.labels != outputs.classes:
            raise InputError(
                f"task {number}: the loss {loss.name} is of {loss.labels} labels, the outputs of {outputs.classes}."
            )
        if len(outputs.labels) != len(tasks[0][0].labels):
            raise InputError(
                f"all tasks must have the same samples; task 1 has {len(tasks[0][0].labels)}, task {number} "
                f"{len(outputs.labels)}."
            )
        letters *= loss.actions
    if letters > MOST_LETTERS:
        raise InputError(
            f"the actions of all tasks make {letters} letters; {MOST_LETTERS} can be handled. Take fewer tasks, or "
            "losses of fewer actions."
        )


def _temperatures(given: Any, count: int) -> list[float | None]:
    values = [given] * count if given is None or np.ndim(given) == 0 else list(given)
    if len(values) != count:
        raise InputError(f"temperature must be one number, or one for each of {count} tasks; got {len(values)}.")
    for value in values:
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"temperature must be a positive number; got {value:g}.")
    return [None if value is None else float(value) for value in values]


def _weights(given: ArrayLike | None, samples: int) -> np.ndarray:
    if given is None:
        return np.full(samples, 1 / samples)
    w = np.asarray(given, np.float64)
    if w.shape != (samples,) or not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise InputError(f"weights must be finite, >= 0 and not all zero, shape ({samples},); got shape {w.shape}.")
    return w / w.sum()


def _as_limits(at: Any, count: int) -> np.ndarray:
    try:
        limits = np.array(at, np.float64)
    except (TypeError, ValueError):
        limits = np.empty((0, count))
    if limits.ndim != 2 or limits.shape[1] != count or not len(limits):
        example = ", ".join(["0.1"] * count)
        raise InputError(f"at must be a list of {count} limits each, such as [({example})]; got {at!r:.80}.")
    bad = ~(limits >= 0)
    if bad.any():
        raise InputError(f"a limit must be a number >= 0, inf for none; got {limits[bad][0]:g}.")
    return limits


def _prepared(
    every: list[Outputs], temperatures: list[float | None], seed: int, warnings: list[str]
) -> tuple[np.ndarray, list[float]]:
    """The samples that give the rates, and the temperatures: those that are not given, fitted on the other samples."""
    samples = len(every[0].labels)
    if None not in temperatures:
        return np.arange(samples), [t for t in temperatures if t is not None]
    if samples < 2:
        raise InputError("one sample cannot be split to fit a temperature; fix it with temperature 1.")
    halves = split(every[0].labels, seed)
    fit = np.sort(halves.fit)
    known: dict[int, float] = {}
    for outputs, t in zip(every, temperatures, strict=True):
        if t is None and id(outputs) not in known:
            part = outputs.take(fit)
            assert part.logits is not None
            known[id(outputs)] = fitted(part.logits, part.labels)
            warnings += doubts(part.logits, part.labels, known[id(outputs)], fit)
    found = [known[id(o)] if t is None else t for o, t in zip(every, temperatures, strict=True)]
    return np.sort(halves.rest), found

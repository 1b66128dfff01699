"""The limits where both ends know the decisions of another classifier, the receiver's own, on the same samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.curve import Curve
from jaxrd.errors import InputError
from jaxrd.side_information.family import Family, family_of, family_rate_at, family_sweep, silence
from jaxrd.solution import Solution, has_failed
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.curves.drawing import slope_grid, unit_of
from jaxrd.tosc.curves.measured import measured_bound
from jaxrd.tosc.outputs import Outputs, Progress
from jaxrd.tosc.posterior import Posterior
from jaxrd.tosc.rows import Rows
from jaxrd.tosc.split import split

KNOWN = ("oRD", "TMRD", "iE&C")
"""The curves that have a conditional form."""
_FEW = 15.0
"""Samples a cell of iE&C's confusion, below which it is far too low."""


@readable
@dataclass(frozen=True)
class Known:
    """The conditional curves; rates in nats.

    Args:
        curves: a `Curve` by name, of `oRD`, `TMRD` and `iE&C`.
        at: one dict per distortion of the limits: `distortion`, and per curve the smallest rate (inf where it does not
            reach it, None where the curve is absent; 0 where the receiver's decisions alone reach it).
        saving: the same, what knowing the decisions saves; None where either rate is absent or infinite.
        values: how many different decisions the receiver makes.
        entropy: of these, nats: what it would cost to send them.
        zero_rate_distortion: mean loss of the best action for each of them, without a bit.
        warnings: what a reader should know.
        absent: why a curve is absent, by its name.
        unconverged: curves, each with a distortion asked for, at which a solver failed.

    Reference: R. Gray, Conditional rate-distortion theory, Stanford University 1972; [A] sections II and III.
    """

    curves: dict[str, Curve]
    at: list[dict[str, float | None]]
    saving: list[dict[str, float | None]]
    values: int
    entropy: float
    zero_rate_distortion: float
    warnings: list[str]
    absent: dict[str, str]
    unconverged: list[tuple[str, float]]


class _Groups(NamedTuple):
    """The samples by the receiver's decision."""

    which: np.ndarray  # shape (samples,)
    shares: np.ndarray  # shape (values,)
    weights: np.ndarray  # of the samples, with sum 1


class _Drawn(NamedTuple):
    curve: Curve
    smallest: Callable[[float], tuple[float, bool]]


def known_rows(whole: Outputs, receiver: Outputs, temperature: float | None, seed: int) -> np.ndarray:
    """The receiver's decisions on the samples that `limits(whole, temperature=..., seed=...)` uses.

    Args:
        whole: the sender's outputs.
        receiver: on the same samples in the same order.
        temperature: as asked of `limits`; None: half of the samples fit one, if there are scores.
        seed: of the split.

    Raises:
        InputError: the samples are not the same.
    """
    ours, theirs = (np.unique(outputs.labels, return_inverse=True)[1] for outputs in (whole, receiver))
    if len(ours) != len(theirs):
        raise InputError(
            f"the receiver's file must hold the same samples: it has {len(theirs)}, the sender {len(ours)}."
        )
    if (differ := int((ours != theirs).sum())) > 0:
        raise InputError(
            f"the receiver's file must hold the same samples in the same order: {differ} of {len(ours)} labels differ."
        )
    if temperature is not None or whole.logits is None:
        return receiver.decisions
    rest = split(whole.labels, seed).rest
    return receiver.decisions[np.sort(rest) if isinstance(whole.logits, Rows) else rest]


def given_decisions(
    limits: Limits, decisions: ArrayLike, *, slopes: int = 32, tol: float | None = None, progress: Progress = None
) -> Known:
    """oRD, TMRD and iE&C where both ends know another classifier's decisions S on the same samples.

    R(D) = min sum_s p(s) R_s(D_s) subject to sum_s p(s) D_s <= D: one slope for all values. A receiver that has a weak
    classifier of its own needs only what it does not know already. All are plug-in estimates from the samples;
    distortion is measured on the labels.

    Args:
        limits: of the sender.
        decisions: S, int, of the samples that the limits use, shape (samples,).
        slopes: points per curve.
        tol: certified gap asked, nats; None: by dtype.
        progress: called as progress(what, done, total).

    Raises:
        InputError: another number of decisions.

    Reference: R. Gray, Conditional rate-distortion theory, Stanford University 1972; [A] sections II and III.

    >>> from jaxrd.tosc import limits
    >>> found = limits(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), at=[0.1])
    >>> given_decisions(found, np.array([0, 0, 1, 1])).at[0]["oRD"]  # they are the labels
    0.0
    """
    work, loss = limits.workings, limits.workings.loss
    s = np.asarray(decisions)
    labels, actions = work.outputs.labels, work.actions
    if s.shape != labels.shape:
        raise InputError(f"decisions must be those of the {len(labels)} samples of the limits; got shape {s.shape}.")
    which = np.unique(s, return_inverse=True)[1]
    w = np.full(len(s), 1 / len(s)) if work.outputs.weights is None else work.outputs.weights
    groups = _Groups(which, np.bincount(which, w), w)
    costs = 1 - np.eye(work.joint.shape[0]) if loss is None else loss.values
    unit, count = unit_of(loss), work.joint.shape[1]
    grid = np.append(slope_grid(count, slopes, 0.0) / unit, np.inf)

    def seen(name: str) -> Callable[[int, int], None] | None:
        return None if progress is None else partial(progress, f"{name}, receiver known")

    drawn, absent = {}, {}
    prior = _table(groups, labels, len(costs))
    drawn["oRD"] = _certified(family_of(groups.shares, list(prior), [costs] * len(prior)), grid, tol, seen("oRD"))
    if "TMRD" not in limits.curves:
        absent["TMRD"] = limits.absent.get("TMRD", "it needs scores, not decisions alone")
    elif work.posterior is None or not work.posterior.held:
        absent["TMRD"] = "with this many samples it is not computed where the receiver's decisions are known"
    else:
        drawn["TMRD"] = _model_aware(groups, work.posterior, costs, grid, tol, seen("TMRD"))
    joint = np.stack([_pairs(groups, g, actions, labels, (count, len(costs))) for g in range(len(prior))])
    drawn["iE&C"] = _certified(_indirect(groups, joint, costs), grid, tol, seen("iE&C"))
    free = float(sum((table @ costs).min() for table in prior))
    found = _asked(limits, drawn, free)
    cells = int((joint > 0).any(2).sum()) * len(costs)
    warnings = []
    if len(s) < _FEW * cells:
        warnings.append(f"receiver known: iE&C is fitted to {len(s) / cells:.1f} samples a cell and comes out too low")
    if any(row["TMRD"] is not None and (row["iE&C"] or 0) < row["TMRD"] for row in found[0]):
        warnings.append(
            "receiver known: iE&C lies below TMRD: the receiver's decisions tell about the label what the sender's "
            "posterior does not, which TMRD takes as it is"
        )
    positive = groups.shares[groups.shares > 0]
    return Known(
        {name: one.curve for name, one in drawn.items()}, *found[:2], len(groups.shares),
        float(-(positive * np.log(positive)).sum()), free, warnings, absent, found[2],
    )  # fmt: skip


def _asked(
    limits: Limits, drawn: dict[str, _Drawn], free: float
) -> tuple[list[dict[str, float | None]], list[dict[str, float | None]], list[tuple[str, float]]]:
    """The rates at the distortions asked for, what they save, and where a solver failed."""
    at, saving, wrong = [], [], []
    for row in limits.at:
        d = float(row["distortion"] or 0.0)
        rates: dict[str, float | None] = {"distortion": d}
        saved: dict[str, float | None] = {"distortion": d}
        for name in KNOWN:
            rate, before = None, row.get(name)
            if name in drawn:
                rate, converged = (0.0, True) if d >= free - 1e-12 else drawn[name].smallest(d)
                wrong += [] if converged else [(name, d)]
            both = rate is not None and before is not None and np.isfinite(rate) and np.isfinite(before)
            rates[name], saved[name] = rate, before - rate if both else None  # pyright: ignore
        at.append(rates)
        saving.append(saved)
    return at, saving, wrong


def _table(groups: _Groups, letters: np.ndarray, count: int) -> np.ndarray:
    """p(s, letter), shape (values, letters)."""
    cell = groups.which * count + letters
    return np.bincount(cell, groups.weights, len(groups.shares) * count).reshape(-1, count)


def _pairs(groups: _Groups, g: int, actions: np.ndarray, labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """p(s, action, label) of one value, shape (actions, labels)."""
    rows = groups.which == g
    cell = actions[rows] * shape[1] + labels[rows]
    return np.bincount(cell, groups.weights[rows], shape[0] * shape[1]).reshape(shape)


def _indirect(groups: _Groups, joint: np.ndarray, costs: np.ndarray) -> Family:
    """iE&C's problem of each value: the decisions, and the mean loss of their samples."""
    sources, distortions = [], []
    for pairs in joint:
        mass = pairs.sum(1)
        sources.append(mass)
        distortions.append((pairs / np.where(mass > 0, mass, 1)[:, None]) @ costs)
    return family_of(groups.shares, sources, distortions)


def _certified(family: Family, grid: np.ndarray, tol: float | None, tick: Callable[[int, int], None] | None) -> _Drawn:
    """A curve over the distortion that it is solved for."""
    solved, front = family_sweep(family, grid, tol, tick), silence(family)
    end = float(solved.distortion[-1])

    def smallest(target: float) -> tuple[float, bool]:
        point = family_rate_at(family, end if end - 1e-12 <= target < end else target, tol)
        return float(point.rate), not has_failed(int(point.status))

    return _Drawn(_with_front(solved, front), smallest)


def _with_front(solved: Solution, front: Solution) -> Curve:
    """The curve with its zero-rate point."""

    def whole(name: str) -> np.ndarray:
        return np.concatenate([[getattr(front, name)], getattr(solved, name)])

    return Curve(whole("distortion"), whole("rate"), whole("slope"), whole("gap"), whole("status"))


def _model_aware(
    groups: _Groups,
    posterior: Posterior,
    costs: np.ndarray,
    grid: np.ndarray,
    tol: float | None,
    tick: Callable[[int, int], None] | None,
) -> _Drawn:
    """TMRD: certified in model-believed distortion, drawn over the label-measured one."""
    believed = posterior.distortion(posterior.log_v)
    members = [np.flatnonzero(groups.which == g) for g in range(len(groups.shares))]
    family = family_of(groups.shares, [groups.weights[rows] for rows in members], [believed[rows] for rows in members])
    front, solved = silence(family), family_sweep(family, grid, tol, tick)
    excess = believed - believed.min(1, keepdims=True)
    real = costs[posterior.labels]

    def measured(point: Solution) -> float:
        slope, q = float(point.slope), np.asarray(point.reproduction)[groups.which]
        with np.errstate(invalid="ignore"):
            kernel = np.exp(-np.where(excess > 0, slope * excess, 0))
        channel = kernel * q
        return float(groups.weights @ ((channel * real).sum(1) / np.maximum(channel.sum(1), 1e-300)))

    def solve(slope: float) -> Solution:
        return jax.tree.map(lambda a: a[0], family_sweep(family, np.array([slope], grid.dtype), tol))

    guess = np.asarray(front.reproduction).argmax(1)[groups.which]
    silent = float(groups.weights @ costs[posterior.labels, guess])
    bound = measured_bound(solved, _with_front(solved, front), silent, measured, solve)

    def smallest(target: float) -> tuple[float, bool]:
        rate = bound.smallest(target)
        return rate.rate, rate.converged

    return _Drawn(bound.curve, smallest)

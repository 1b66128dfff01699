"""What the sender of each curve of paper [A] does at one of its points: a channel, or one action for every sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd.channel import optimal_channel
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers import solve
from jaxrd.target import rate_at
from jaxrd.tosc.curves.drawing import solve_grid, unit_of
from jaxrd.tosc.curves.measured import measured_bound
from jaxrd.tosc.losses import Loss

_POINTS = 32  # slopes on which the one for a distortion is searched, as in `limits`
_SLACK = 1e-12  # a distortion this much too large counts as met, as in `limits`


class Samples(NamedTuple):
    """Whose decisions are sent.

    Args:
        labels: y, int, shape (samples,).
        actions: those of the classifier, int, shape (samples,).
        loss: of a label and an action.
        posterior: v, shape (samples, labels); None for hard decisions.
    """

    labels: np.ndarray
    actions: np.ndarray
    loss: Loss
    posterior: np.ndarray | None


class Scheme(NamedTuple):
    """A point of a curve as what its sender does.

    Args:
        channel: W(a|sample), shape (samples, actions); None where `sent` says it all.
        sent: an action for every sample, int, shape (samples,); None where it is drawn from `channel`.
        status: whether a channel is certified to be the optimal one.
        slope: of the channel's problem, nats per unit of distortion, if it has one.
        estimate_distortion: of E&C: the mean loss between what is decided and what is sent.
        merged: of merge: how many actions the likeliest one replaces.
    """

    channel: np.ndarray | None
    sent: np.ndarray | None
    status: Status
    slope: float | None = None
    estimate_distortion: float | None = None
    merged: int | None = None


def acted(decisions: np.ndarray, loss: Loss, posterior: np.ndarray | None) -> np.ndarray:
    """The action of each sample: of least expected loss, or for hard decisions that of the label they name.

    >>> from jaxrd.tosc.losses import abstain
    >>> acted(np.array([0, 1]), abstain(0.3, 2), np.array([[0.9, 0.1], [0.4, 0.6]])).tolist()
    [0, 2]
    """
    if loss.is_zero_one:  # the first largest score, before any rounding by a softmax
        return decisions
    return loss.of_label[decisions] if posterior is None else loss.decide(posterior)


def model_aware(samples: Samples, *, slope: float | None = None, distortion: float | None = None) -> Scheme:
    """TMRD: W(a|x) in proportion to q_a exp(-s sum_y v_y l(y, a)), optimal for the loss that the model expects.

    Args:
        samples: with posteriors.
        slope: s, nats per unit of the loss.
        distortion: instead of it, the mean loss on the labels to reach at the least rate.

    Raises:
        InputError: it does not reach that distortion, or needs no bits for it.

    Reference: [A] eq. (20).
    """
    v, loss = samples.posterior, samples.loss
    assert v is not None
    problem = Problem(np.full(len(v), 1 / len(v), v.dtype), 1 - v if loss.is_zero_one else loss.expected(v))
    real = loss.values[samples.labels]
    if slope is not None:
        point = solve(problem, slope)
    else:
        assert distortion is not None
        point = _least_rate("TMRD", loss, problem, real, distortion)
    return Scheme(np.asarray(optimal_channel(problem, point)), None, _status(point), float(point.slope))


def sampled(samples: Samples) -> Scheme:
    """S&C: a label drawn from the posterior, and the action of who takes it for the true one ([A] eq. (21))."""
    v, loss = samples.posterior, samples.loss
    assert v is not None
    channel = np.zeros((loss.actions, len(v)), v.dtype)
    np.add.at(channel, loss.of_label, v.T)
    return Scheme(channel.T, None, Status.ACHIEVABLE)


def indirect(samples: Samples, *, slope: float | None = None, distortion: float | None = None) -> Scheme:
    """iE&C: W(a|a*) of the decision a*, optimal for the mean loss on the labels of its samples, E[l(Y, a) | a*].

    Args:
        samples: hard decisions too.
        slope: s, nats per unit of the loss.
        distortion: instead of it, that mean loss.

    Raises:
        InputError: it does not reach that distortion, or needs no bits for it.

    Reference: [A] eq. (17)-(19).
    """
    table = _Table.of(samples)
    problem = Problem(table.share, table.cost)
    if slope is not None:
        point = solve(problem, slope)
    else:
        assert distortion is not None
        least = float(table.share @ table.cost.min(1))
        _refuse("iE&C", samples.loss, distortion, least, float((table.share @ table.cost).min()))
        point = rate_at(problem, max(distortion, least))
    return Scheme(table.of_samples(optimal_channel(problem, point)), None, _status(point), float(point.slope))


def estimated(
    samples: Samples,
    *,
    slope: float | None = None,
    distortion: float | None = None,
    estimate_distortion: float | None = None,
) -> Scheme:
    """E&C: W(a|a*) of the decision a*, optimal for the loss l(a*, a) between what is decided and what is sent.

    Args:
        samples: hard decisions too.
        slope: s, nats per unit of the loss.
        distortion: instead of it, the mean loss on the labels to reach at the least rate.
        estimate_distortion: or the mean loss between decided and sent.

    Raises:
        InputError: actions are not labels, so that they have no loss between them, or as `model_aware`.

    Reference: [A] eq. (12)-(14).
    """
    loss = samples.loss
    if loss.labels != loss.actions:
        raise InputError(
            f"E&C needs a loss between actions; {loss.name} has {loss.actions} actions for {loss.labels} labels. "
            "Take iE&C."
        )
    table = _Table.of(samples)
    problem = Problem(table.share, loss.values[table.used])
    if slope is not None:
        point = solve(problem, slope)
    elif estimate_distortion is not None:
        point = rate_at(problem, estimate_distortion)
        if Status(int(point.status)) == Status.INFEASIBLE:
            least = float(table.share @ loss.values[table.used].min(1))
            raise InputError(f"--estimate-distortion must be at least {least:.4g}; got {estimate_distortion:g}.")
    else:
        assert distortion is not None
        point = _least_rate("E&C", loss, problem, table.cost, distortion)
    channel = optimal_channel(problem, point)
    apart = float(table.share @ (np.asarray(channel) * loss.values[table.used]).sum(1))
    return Scheme(table.of_samples(channel), None, _status(point), float(point.slope), apart)


def merge(samples: Samples, *, merged: int | None = None, distortion: float | None = None) -> Scheme:
    """The merge baseline: the rarest actions sent as the likeliest, in the order of `merge_order`.

    Args:
        samples: hard decisions too.
        merged: how many actions, those that no sample has first.
        distortion: instead of it, the mean loss on the labels to reach at the least entropy.

    Raises:
        InputError: more than all others, or as `indirect`.

    Reference: [A] section IV-B.
    """
    table, actions = _Table.of(samples), samples.loss.actions
    share, replaced = table.share, table.cost[:, table.used]  # the loss of those decided, each sent as another
    best = int(np.where(share == share.max(), share @ replaced, np.inf).argmin())
    gain = share * (np.diagonal(replaced) - replaced[:, best])
    order = np.lexsort((-gain, np.where(np.arange(len(share)) == best, np.inf, share)))
    idle = actions - len(share)
    if merged is None:
        assert distortion is not None
        losses = share @ np.diagonal(replaced) - np.append(0, np.cumsum(gain[order[:-1]]))
        _refuse("merge", samples.loss, distortion, losses.min(), losses[-1])
        left = np.append(0, np.cumsum(share[order[:-1]]))
        rates = [_entropy(np.append(share[order[k:-1]], share[best] + left[k])) for k in range(len(order))]
        merged = idle + int(np.where(losses <= distortion + _SLACK, rates, np.inf).argmin())
    if not 0 <= merged < actions:
        raise InputError(f"--merged must lie in 0..{actions - 1}, all but one of the actions; got {merged}.")
    becomes = np.arange(len(share))
    becomes[order[: max(merged - idle, 0)]] = best
    return Scheme(None, table.used[becomes][table.which], Status.ACHIEVABLE, merged=merged)


def decisions(samples: Samples) -> Scheme:
    """Every action as it is."""
    return Scheme(None, samples.actions, Status.ACHIEVABLE)


def _entropy(p: np.ndarray) -> float:
    return float(-(p * np.log(np.where(p > 0, p, 1))).sum())


class _Table(NamedTuple):
    """The decisions that occur: their shares, and the loss on the labels of each action in their place."""

    used: np.ndarray
    share: np.ndarray
    cost: np.ndarray
    which: np.ndarray

    @classmethod
    def of(cls, samples: Samples) -> _Table:
        used, which, counts = np.unique(samples.actions, return_inverse=True, return_counts=True)
        labels = np.zeros((len(used), samples.loss.labels))
        np.add.at(labels, (which, samples.labels), 1)
        return cls(used, counts / len(which), labels @ samples.loss.values / counts[:, None], which)

    def of_samples(self, channel: object) -> np.ndarray:
        """Of each sample the row of its decision."""
        return np.asarray(channel)[self.which]


def _status(point: Solution) -> Status:
    return Status(int(point.status))


def _refuse(curve: str, loss: Loss, distortion: float, least: float, silent: float) -> None:
    """Refuse a distortion that the curve does not reach, or that needs no bits.

    Raises:
        InputError: quotes the distortion, and what can be had.
    """

    def words(d: float) -> str:
        return f"distortion {d:.4g}" + (f" (accuracy {1 - d:.4g})" if loss.is_error else "")

    if distortion < least - _SLACK:
        raise InputError(f"{curve} does not reach {words(distortion)}: {words(least)} at best.")
    if distortion >= silent - _SLACK:
        raise InputError(f"{words(distortion)} needs no bits: always the same action has {words(silent)}.")


def _least_rate(curve: str, loss: Loss, problem: Problem, real: np.ndarray, distortion: float) -> Solution:
    """The point of least rate whose channel has a distortion on the labels.

    Args:
        curve: its name, for the refusal.
        loss: of the labels.
        problem: source (n,), distortion (n, actions).
        real: the loss on the labels, shape (n, actions).
        distortion: the one allowed.

    Raises:
        InputError: as `_refuse`.
    """
    share, believed = np.asarray(problem.source), np.asarray(problem.distortion)
    silent = float((share @ real)[int((share @ believed).argmin())])
    solved, drawn = solve_grid(problem, _POINTS, None, None, unit=unit_of(loss))

    def measured(point: Solution) -> float:
        return float(share @ (np.asarray(optimal_channel(problem, point)) * real).sum(1))

    bound = measured_bound(solved, drawn, silent, measured, lambda slope: solve(problem, slope))
    _refuse(curve, loss, distortion, float(bound.curve.distortion.min()), silent)
    return solve(problem, bound.smallest(distortion).parameter)

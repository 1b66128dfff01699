"""The least rate under a limit for each task, certified over all letters of the product alphabet.

    max over s >= 0 of  min over q >= 0 of  - sum_x p_x ln (K q)_x + sum_a q_a - s . budget,   K = exp(-sum_t s_t e_t)

A primal-dual interior point moves q and s together on the letters that matter; what the others would be worth,
c_a = sum_x p_x K(x, a) / z_x, is one product of matrices, and letters with c_a > 1 join.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from jaxrd.tosc.tasks.product import CLIPPED, Product, Sums, every_mean, every_sum, sums

_OPENING = 12  # Blahut-Arimoto steps on all letters before the first set is chosen
_FIRST = (96, 1024)  # letters of the first set: least and most, where the alphabet has more
_LEFT_OUT = 1e-5  # mass of the letters that the first set leaves out
_ROUNDS = 30  # of letters that join
_NEWCOMERS = 128  # letters that join in a round, at most; or as many as the set has
_MOST = 4096  # letters of a set: their Gram matrix takes 128 MiB
_IDLE = 1e-14  # weight below which a letter leaves the set
_STEPS = 80  # Newton steps of a round
_PATIENCE = 10  # steps without a better gap, or a smaller complementarity, before giving up
_REACH = 1.0  # by how much a step may change an exponent s e, relative to max(1, s e / 2)
_KEEP = 0.95  # of the distance to the boundary that a step takes, far from the optimum
_CENTRE = 1e-3  # q stays above this share of mu / slack
_TINY = 1e-30
_RIDGE = 4.0  # in rounding units times the number of letters, on the diagonal of the scaled Newton matrix
_SLACK = 32 * np.finfo(float).eps  # what the bounds allow for rounding, relative to their terms


FORBIDDEN = 2000.0
"""The excess of a pair that a task without a budget forbids: e to minus it is zero, beside any allowed pair."""


class Start(NamedTuple):
    """Where an interior point begins."""

    slopes: np.ndarray
    """s > 0, shape (tasks,)."""
    letters: np.ndarray
    """Indices into the product alphabet, shape (k,)."""
    weights: np.ndarray
    """q, shape (k,)."""


class Optimum(NamedTuple):
    """A channel within the budgets, and a bound on the rate of all such channels; nats."""

    rate: float
    lower: float
    slopes: np.ndarray
    """s, shape (tasks,)."""
    letters: np.ndarray
    """The letters in use, indices into the product alphabet, shape (k,)."""
    weights: np.ndarray
    """q of the channel q K / z, shape (k,)."""
    deciding: float
    """The share of samples that are sent the decisions instead, by which every budget is kept exactly."""
    steps: int


class _State(NamedTuple):
    q: np.ndarray
    slack: np.ndarray  # stands for 1 - c
    s: np.ndarray
    eta: np.ndarray  # stands for budget - spent
    at: Sums


class _Bounds(NamedTuple):
    rate: float
    lower: float  # as if the letters at hand were all
    deciding: float


def opening(product: Product, slopes: np.ndarray, laws: list[np.ndarray]) -> Start:
    """The letters of most weight after some Blahut-Arimoto steps on the product of the tasks' own laws."""
    q = np.ones(1)
    for law in laws:
        law = np.maximum(law, 1e-6 / len(law))
        q = np.outer(q, law / law.sum()).reshape(-1)
    for _ in range(_OPENING):
        z = np.maximum(every_mean(product, slopes, q), _TINY)
        q = np.maximum(q * every_sum(product, slopes, product.source / z), _TINY)
    order = np.argsort(-q, kind="stable")
    count = 1 + int(np.searchsorted(np.cumsum(q[order]), (1 - _LEFT_OUT) * q.sum()))
    kept = np.sort(order[: int(np.clip(count, *_FIRST))])
    return Start(slopes, kept, q[kept] / q[kept].sum())


class Limited(NamedTuple):
    """Tasks, and how much each may spend."""

    product: Product
    """In units in which an excess is at most 1. Tasks without a budget come first: see `FORBIDDEN`."""
    budgets: np.ndarray
    """> 0, of the last tasks, shape (tasks that have one,)."""
    deciding: float
    """The rate of the channel that decides each sample, which spends nothing, nats."""

    @property
    def fixed(self) -> int:
        """The tasks without a budget."""
        return len(self.product.excess) - len(self.budgets)


def least_rate(limited: Limited, start: Start, tol: float) -> Optimum:
    """Solve for a certified gap of `tol` nats, relative to max(1, rate)."""
    product, budgets, fixed = limited.product, limited.budgets, limited.fixed
    letters, q, s = start.letters, start.weights, start.slopes
    best, steps, gap = None, 0, np.inf
    for _ in range(_ROUNDS):
        state, bounds, spent = _follow(limited, letters, q, s, max(0.3 * tol, 1e-3 * min(gap, 1)))
        q, s, steps = state.q / state.q.sum(), state.s, steps + spent
        potential = np.minimum(state.at.potential + np.log(state.q.sum()), CLIPPED)
        c = every_sum(product, s, product.source * np.exp(potential))
        terms = float(s[fixed:] @ budgets), float(product.source @ np.abs(potential))
        lower = float(product.source @ potential - np.log(c.max())) - terms[0] - _SLACK * (1 + sum(terms))
        before, gap = gap, bounds.rate - lower
        if best is None or gap < best.rate - best.lower:
            best = Optimum(bounds.rate, lower, s, letters, q, bounds.deciding, steps)
        c[letters] = 0
        kept = q > _IDLE
        room = min(max(_NEWCOMERS, kept.sum()), _MOST - kept.sum())
        joining = np.argsort(-c, kind="stable")[: max(room, 0)]
        joining = joining[c[joining] > 1]
        if gap <= tol * max(1.0, bounds.rate) or (not joining.size and gap > 0.5 * before):
            break
        letters = np.concatenate([letters[kept], joining])
        # A letter wants the more weight the more it would be worth.
        share = (c[joining] - 1) / max(float((c[joining] - 1).sum()), _TINY)
        q = np.concatenate([q[kept], np.maximum(min(0.1, gap) * share, _IDLE)])
        order = np.argsort(letters, kind="stable")
        letters, q = letters[order], q[order] / q.sum()
    assert best is not None
    return best._replace(steps=steps)


def _bounds(state: _State, limited: Limited) -> _Bounds:
    """The rate of the channel at hand, mixed with decisions where it spends too much, and the dual value."""
    at, total, fixed = state.at, state.q.sum(), limited.fixed
    c, objective = at.c * total, float(limited.product.source @ at.potential) + np.log(total)
    r = state.q * at.c
    divergence = float((r * np.log(np.where(r > 0, c, 1))).sum())
    rate = max(objective - float(state.s @ at.spent) - divergence, 0.0)
    over = np.concatenate([at.spent[:fixed], at.spent[fixed:] - limited.budgets])
    share = min(float((np.maximum(over, 0) / np.maximum(at.spent, _TINY)).max()), 1.0)
    mixed = (1 - share) * rate + share * limited.deciding
    mixed += _SLACK * (1 + abs(objective) + float(state.s @ at.spent))
    return _Bounds(mixed, float(objective - np.log(c.max()) - state.s[fixed:] @ limited.budgets), share)


def _begun(limited: Limited, actions: np.ndarray, q: np.ndarray, s: np.ndarray) -> _State:
    """The state at weights and slopes, of which none is left at zero."""
    fixed, k = limited.fixed, len(q)
    at = sums(limited.product, actions, q, s)
    mu = float(np.clip(np.log(at.c.max()), 1e-12, 1e-2)) / k
    q = np.maximum(q, 1e-3 * mu)
    slack = np.maximum(1 - at.c, np.minimum(mu / q, k * mu))
    least = np.minimum(1e-2 * limited.budgets, k * mu / np.maximum(s[fixed:], 1e-12))
    eta = np.maximum(limited.budgets - at.spent[fixed:], least)
    return _State(q, slack, s, eta, sums(limited.product, actions, q, s))


def _follow(
    limited: Limited, letters: np.ndarray, q: np.ndarray, s: np.ndarray, aim: float
) -> tuple[_State, _Bounds, int]:
    """The best state that the interior point meets on some letters, its bounds, and the steps."""
    actions = np.stack(np.unravel_index(letters, limited.product.shape))
    state = best = _begun(limited, actions, q, s)
    bounds, step, idle, careful, least = _bounds(state, limited), 0, 0, False, np.inf
    while step < _STEPS and not bounds.rate - bounds.lower <= aim * max(1.0, bounds.rate):
        moved = _advance(state, limited, careful)
        lost = moved is None
        if moved is not None:
            state, step = _State(*moved, sums(limited.product, actions, moved[0], moved[2])), step + 1
            new = _bounds(state, limited)
            gap = float(state.q @ state.slack + state.s[limited.fixed :] @ state.eta)
            better = new.rate - new.lower < bounds.rate - bounds.lower
            idle = 0 if better or gap < 0.9 * least else idle + 1
            least = min(least, gap)
            lost = idle > _PATIENCE or not np.isfinite(new.rate - new.lower)
            if better:
                best, bounds = state, new
        if lost:
            if careful:
                break
            state, careful, idle, least = best, True, 0, np.inf
    return best, bounds, step


def _longest(x: np.ndarray, dx: np.ndarray, keep: float) -> float:
    """The longest step <= 1 along dx that leaves at least (1 - keep) of every x."""
    falls = dx < 0
    return min(1.0, float((-keep * x[falls] / dx[falls]).min())) if falls.any() else 1.0


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _advance(
    state: _State, limited: Limited, careful: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """One step of Mehrotra's predictor and corrector; None where no direction is found."""
    q, slack, s, eta, at = state
    fixed, budgets = limited.fixed, limited.budgets
    s, k, count = s[fixed:], len(q), len(q) + len(budgets)
    mu = float(q @ slack + s @ eta) / count
    root, cross = np.sqrt(q), at.cross[fixed:]
    system = at.gram.copy()
    system[np.diag_indices(k)] += slack + _RIDGE * np.finfo(float).eps * k * q
    try:
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return None
    pulled = root[:, None] * cho_solve(factor, (root * cross).T, check_finite=False)  # H^-1 cross', (k, tasks)
    small = at.spread[fixed:, fixed:] + np.diag(eta / s) + cross @ pulled
    left = budgets - at.spent[fixed:]

    def direction(aim, aim_s):
        first = root * cho_solve(factor, root * (at.c - 1 + aim / q), check_finite=False)
        ds = np.linalg.solve(small, aim_s / s - left + cross @ first)
        dq = first - pulled @ ds
        return dq, aim / q - slack - slack / q * dq, ds, aim_s / s - eta - eta / s * ds

    if careful:
        dq, dslack, ds, deta = direction(0.3 * mu, 0.3 * mu)
    else:
        dq, dslack, ds, deta = direction(0.0, 0.0)
        a = min(_longest(q, dq, 1), _longest(s, ds, 1))
        b = min(_longest(slack, dslack, 1), _longest(eta, deta, 1))
        reached = ((q + a * dq) @ (slack + b * dslack) + (s + a * ds) @ (eta + b * deta)) / count
        aim = max((reached / mu) ** 3, 1e-3) * mu
        dq, dslack, ds, deta = direction(aim - dq * dslack, aim - ds * deta)
    if not (np.isfinite(dq).all() and np.isfinite(ds).all()):
        return None
    keep = max(0.995, 1 - mu) if mu * count < 1e-3 else 0.8 if careful else _KEEP
    a = min(_longest(q, dq, keep), _longest(s, ds, keep))
    a /= max(a * float((np.abs(ds) / np.maximum(_REACH, s / 2)).max(initial=0)), 1.0)
    b = min(_longest(slack, dslack, keep), _longest(eta, deta, keep))
    new_slack = np.maximum(slack + b * dslack, _TINY)
    new_q = q + a * dq
    mean = float(new_q @ new_slack) / k
    new_q = np.maximum(np.maximum(new_q, _CENTRE * mean / np.maximum(new_slack, np.sqrt(mean))), _TINY)
    new_s = np.concatenate([state.s[:fixed], np.maximum(s + a * ds, _TINY)])
    return new_q, new_slack, new_s, np.maximum(eta + b * deta, _TINY)

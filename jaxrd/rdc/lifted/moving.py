"""Newton's method on weights, soft labels and multipliers at once: the optimum near a known one, in a few steps.

Over atoms u of weights q_u the Lagrangian of the lifted problem is

    L(q, t, mu) = -sum_x p_x ln z_x + sum_u q_u - mu . budgets,   z_x = sum_u q_u K_xu,   K_xu = exp(-mu . charges_xu)

Column generation keeps the atoms where they are, and a round gains about one digit. Here the soft labels move too,
t = softmax(theta). The steps solve the equations of the saddle point: c_u = sum_x p_x K_xu / z_x is 1, each soft label
is the posterior of its atom, the budgets are spent. Whether other atoms would improve the channel is not asked here:
column generation asks it of every result, and its bound holds for any weights and multipliers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd.rdc.lifted.atoms import Atoms, Core, charges

_STEPS = 20
_EXACT = 1e-13  # error of the equations at which to stop
_ROUNDING = 1e-9  # below it, a step that does not halve the error ends the search
_OPENING = 1e-2  # first multiplier of a budget that is exceeded without one
_MERGED = 5  # decimals of soft labels taken as the same
_LONGEST = 1.0  # largest change of theta in one step, and of a multiplier relative to max(1, itself)


class Weighted(NamedTuple):
    """Atoms with their weights, and the multipliers of the charges."""

    atoms: Atoms
    weights: np.ndarray  # (atoms,)
    slopes: np.ndarray  # (1 + labels,)


def merged(at: Weighted) -> Weighted:
    """One atom for those nearly the same, of the weight of all; a label without a multiplier does not count."""
    side = at.atoms.side_by_side
    matters = np.repeat(at.slopes[1:] > 0, [t.shape[1] for t in at.atoms.soft])
    keys = np.concatenate([at.atoms.letter[:, None], side[:, matters].round(_MERGED)], 1)
    _, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return Weighted(at.atoms.take(first), np.bincount(of.ravel(), at.weights), at.slopes)


class _State(NamedTuple):
    joint: np.ndarray  # p K / z, (n, atoms)
    costs: np.ndarray  # of the budgets with a multiplier, (active, n, atoms); zero where forbidden
    apart: np.ndarray  # P(s|x) - t_us of all labels side by side, (n, atoms, classes)
    pull: np.ndarray  # E apart, (atoms, classes)
    spent: np.ndarray  # E charges, (1 + labels,)
    active: np.ndarray  # places of the budgets with a multiplier
    residual: np.ndarray  # of the equations (c - 1, mu pull, spent - budgets)
    error: float  # the largest, budgets in units of themselves


def moved(core: Core, budgets: np.ndarray, near: Weighted) -> Weighted | None:
    """The stationary point near a solution of another problem; None where Newton's method finds none.

    Args:
        core: the problem.
        budgets: of E charges, (1 + labels,), inf where there is none: the slope given there is a price, and stays.
        near: atoms that reach every letter. Atoms whose weights become negative are dropped.
    """
    at, before = near._replace(weights=near.weights / near.weights.sum()), np.inf
    with np.errstate(all="ignore"):  # a failed step is seen by its error
        for _ in range(_STEPS):
            now = _state(core, budgets, at)
            if not np.isfinite(now.error):
                return None
            if now.error < _EXACT or before / 2 < now.error < _ROUNDING:
                over = np.isfinite(budgets) & (at.slopes == 0) & (now.spent > budgets)
                if not over.any():
                    return at
                at, before = _opened(core, at, now, over), np.inf
                continue
            before = now.error
            try:
                step = np.linalg.solve(_jacobian(core, at, now), -now.residual)
            except np.linalg.LinAlgError:
                return None
            at = _stepped(core, at, now, step)
            if not len(at.weights):
                return None
    return None


def _of(core: Core) -> np.ndarray:
    """The label of each class, all labels side by side."""
    return np.repeat(np.arange(len(core.labels)), [p.shape[1] for p in core.labels]).astype(int)


def _state(core: Core, budgets: np.ndarray, at: Weighted) -> _State:
    costs = charges(core, at.atoms)
    forbidden = np.isinf(costs).any(0)
    costs[:, forbidden] = 0
    exponent = np.where(forbidden, np.inf, np.tensordot(at.slopes, costs, 1))
    kernel = np.exp(exponent.min(1, keepdims=True) - exponent)
    joint = core.source[:, None] * kernel / (kernel @ at.weights)[:, None]
    rows = np.concatenate([np.zeros((len(core.source), 0)), *core.labels], 1)
    apart = rows[:, None, :] - at.atoms.side_by_side
    pull = np.einsum("xu,xus->us", joint, apart)
    spent = (costs * joint).sum(1) @ at.weights
    active = np.flatnonzero(np.isfinite(budgets) & (at.slopes > 0))
    left = spent[active] - budgets[active]
    residual = np.concatenate([joint.sum(0) - 1, (at.slopes[1 + _of(core)] * pull).ravel(), left])
    error = max(np.abs(residual[: len(residual) - len(left)]).max(), np.abs(left / budgets[active]).max(initial=0))
    return _State(joint, costs[active], apart, pull, spent, active, residual, float(error))


def _jacobian(core: Core, at: Weighted, now: _State) -> np.ndarray:
    """Of the equations in (q, theta, mu). With K = exp(f): d joint = joint (df - d ln z), d ln z = sum q K df / z."""
    (n, m), of, k = now.joint.shape, _of(core), len(now.active)
    q, mu, classes = at.weights, at.slopes[1 + of], len(of)
    slope = mu * now.apart  # df / dtheta, (n, atoms, classes)
    weighed = now.joint[:, :, None] * slope
    charged = now.joint * now.costs
    # What d ln z changes in each equation, and d ln z in each variable times p.
    rows = np.concatenate([now.joint, weighed.reshape(n, -1), (charged @ q).T], 1)
    change = np.concatenate([now.joint, (q[:, None] * weighed).reshape(n, -1), -(charged @ q).T], 1)
    matrix = -rows.T @ (change / core.source[:, None])
    # What df changes: an atom's equations depend on its own soft label, and on mu.
    cells, last = m + np.arange(m * classes).reshape(m, classes), slice(m * (1 + classes), None)
    matrix[np.arange(m)[:, None], cells] += mu * now.pull
    block = np.matmul(weighed.transpose(1, 2, 0), slope.transpose(1, 0, 2))
    curvature = mu * now.joint.sum(0)[:, None] * at.atoms.side_by_side
    # The diagonal alone, without the t t' of softmax, also keeps the mean of theta where it is. Where nothing depends
    # on a class its equation is dtheta = 0.
    block[:, np.arange(classes), np.arange(classes)] -= np.where(curvature > 0, curvature, 1)
    matrix[cells[:, :, None], cells[:, None, :]] += block
    mixed = now.pull[:, :, None] * (now.active == 1 + of[:, None]) - np.einsum("xus,kxu->usk", weighed, now.costs)
    matrix[m : last.start, last] += mixed.reshape(m * classes, k)
    matrix[last, m : last.start] -= (q[:, None, None] * mixed).reshape(m * classes, k).T
    matrix[:m, last] -= charged.sum(1).T
    matrix[last, :m] += charged.sum(1)
    matrix[last, last] -= np.einsum("kxu,lxu,u->kl", charged, now.costs, q)
    return matrix


def _stepped(core: Core, at: Weighted, now: _State, step: np.ndarray) -> Weighted:
    """The state after a step, without the atoms and multipliers that it makes negative."""
    m, slopes = len(at.weights), at.slopes.copy()
    mu = slopes[now.active]
    dq, theta, dmu = np.split(step, [m, len(step) - len(mu)])
    furthest = max(np.abs(theta).max(initial=0), (np.abs(dmu) / np.maximum(mu, 1)).max(initial=0))
    length = _LONGEST / max(furthest, _LONGEST)
    slopes[now.active] = np.maximum(mu + length * dmu, 0)
    soft = _labels(core, at.atoms.side_by_side * np.exp(length * theta.reshape(m, -1)))
    weights = at.weights + length * dq
    kept = weights > 0
    return Weighted(Atoms(at.atoms.letter, soft).take(kept), weights[kept], slopes)


def _opened(core: Core, at: Weighted, now: _State, over: np.ndarray) -> Weighted:
    """With multipliers of the budgets that are exceeded; a soft label that cost nothing becomes the posterior."""
    soft = _labels(core, at.atoms.side_by_side + over[1 + _of(core)] * now.pull)
    return Weighted(Atoms(at.atoms.letter, soft), at.weights, np.where(over, _OPENING, at.slopes))


def _labels(core: Core, side: np.ndarray) -> tuple[np.ndarray, ...]:
    """Soft labels side by side as one array a label, each row a pmf."""
    of = _of(core)
    parts = [side[:, of == k] for k in range(len(core.labels))]
    return tuple(part / part.sum(1, keepdims=True) for part in parts)

"""A finite rate-distortion problem under several linear constraints at once: its dual, by a primal-dual interior point.

    min I(X;U) + E cost   over channels P(u|x),   subject to E charge_i <= budget_i

has the dual  max p.v - budget.mu  over v and mu >= 0, subject to  ln sum_x p_x exp(v_x - cost - mu.charge) <= 0  for
every atom u; the constraints' multipliers are the atoms' weights. It is smooth and well conditioned whatever the atoms
(near duplicates, useless ones), which column generation needs.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

FLOOR = 1e-14  # of the slacks: below it they are rounding of the exponents
TINY = 1e-25  # of the multipliers
PATIENCE = 12  # steps without progress before giving up
MARGIN = 1e-12  # by which budgets are tightened, relative to the charges: what rounding may overdraw


class Dual(NamedTuple):
    """Where the interior point ended: any of it gives valid bounds."""

    potential: np.ndarray  # v, (n,)
    slopes: np.ndarray  # mu, (constraints,)
    weights: np.ndarray  # of the atoms, sum to about one


class _Scaled(NamedTuple):
    source: np.ndarray  # (n,)
    cost: np.ndarray  # (n, atoms), +inf where forbidden
    charges: np.ndarray  # (k, n, atoms), zero where forbidden
    budgets: np.ndarray  # (k,)


class _State(NamedTuple):
    v: np.ndarray
    mu: np.ndarray
    slack: np.ndarray  # stands for -phi
    weights: np.ndarray
    eta: np.ndarray  # what is left of the budgets
    phi: np.ndarray  # (atoms,): ln sum_x ...
    backward: np.ndarray  # (n, atoms): P(x|u)


def _exponents(problem: _Scaled, v: np.ndarray, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """phi and P(x|u)."""
    e = (np.log(problem.source) + v)[:, None] - problem.cost - np.tensordot(mu, problem.charges, 1)
    top = e.max(0)
    terms = np.exp(e - top)
    total = terms.sum(0)
    return top + np.log(total), terms / total


def _longest(x: np.ndarray, dx: np.ndarray, keep: float) -> float:
    """The longest step <= 1 along dx that leaves at least (1 - keep) of every x."""
    falls = dx < 0
    return min(1.0, float((-keep * x[falls] / dx[falls]).min())) if falls.any() else 1.0


def _begin(problem: _Scaled) -> _State:
    v, mu = np.zeros(len(problem.source)), np.ones(len(problem.budgets))
    v -= _exponents(problem, v, mu)[0].max() + 1
    phi, backward = _exponents(problem, v, mu)
    slack = -phi
    centre = 1 / (1 / slack).sum()
    return _State(v, mu, slack, centre / slack, centre / mu, phi, backward)


def _newton(problem: _Scaled, state: _State, gradient: np.ndarray, residual: np.ndarray):
    """A function (aims of weights*slack, of eta*mu) -> step, the matrix factorised once."""
    k, n, size = len(state.mu), len(state.v), state.backward.size
    slopes, spent = gradient, problem.charges * state.backward
    ratio = state.weights / state.slack
    matrix = (slopes * (ratio - state.weights)) @ slopes.T
    matrix[range(n), range(n)] += state.backward @ state.weights
    cross = (spent @ state.weights).reshape(k, n)
    matrix[n:, :n] -= cross
    matrix[:n, n:] -= cross.T
    matrix[n:, n:] += (spent * state.weights).reshape(k, size) @ problem.charges.reshape(k, size).T
    matrix[range(n, n + k), range(n, n + k)] += state.eta / state.mu
    scale = 1 / np.sqrt(np.diag(matrix))
    matrix *= scale[:, None] * scale
    ridge = 1e-15
    while True:
        try:
            factor = cho_factor(matrix + ridge * np.eye(n + k), check_finite=False)
            break
        except LinAlgError:
            ridge *= 100
    off = state.phi + state.slack

    def step(aim: np.ndarray | float, aim_mu: np.ndarray | float):
        rhs = -residual - slopes @ (aim / state.slack - state.weights + ratio * off)
        rhs[n:] += aim_mu / state.mu - state.eta
        dy = scale * cho_solve(factor, scale * rhs, check_finite=False)
        ds = -off - slopes.T @ dy
        dw = aim / state.slack - state.weights - ratio * ds
        return dy[:n], dy[n:], ds, dw, aim_mu / state.mu - state.eta - state.eta / state.mu * dy[n:]

    return step


def _advance(problem: _Scaled, state: _State, gradient, residual, complementarity: float) -> _State:
    """One predictor-corrector step (S. Mehrotra, SIAM J. Optim. 1992)."""
    count = len(state.slack) + len(state.mu)
    step = _newton(problem, state, gradient, residual)
    _, dmu, ds, dw, de = step(0.0, 0.0)
    a = min(_longest(state.slack, ds, 1), _longest(state.mu, dmu, 1))
    b = min(_longest(state.weights, dw, 1), _longest(state.eta, de, 1))
    reached = (state.weights + b * dw) @ (state.slack + a * ds) + (state.eta + b * de) @ (state.mu + a * dmu)
    aim = max((reached / count / complementarity) ** 3, 1e-4) * complementarity
    dv, dmu, ds, dw, de = step(aim - dw * ds, aim - de * dmu)
    total = complementarity * count
    keep = max(0.995, 1 - total) if total < 1e-3 else 0.95
    a = min(_longest(state.slack, ds, keep), _longest(state.mu, dmu, keep))
    a = min(a, 2 / max(np.abs(dv).max(), 1e-300))  # the exponentials are linearised
    b = min(_longest(state.weights, dw, keep), _longest(state.eta, de, keep))
    v, mu = state.v + a * dv, np.maximum(state.mu + a * dmu, TINY)
    phi, backward = _exponents(problem, v, mu)
    return _State(
        v, mu, np.maximum(np.maximum(state.slack + a * ds, -phi), FLOOR), np.maximum(state.weights + b * dw, TINY),
        np.maximum(state.eta + b * de, TINY), phi, backward,
    )  # fmt: skip


def master(
    source: np.ndarray,
    cost: np.ndarray,
    charges: np.ndarray,
    budgets: np.ndarray,
    *,
    ceiling: float = np.inf,
    tol: float = 1e-13,
    max_steps: int = 150,
) -> Dual:
    """Solve the dual over given atoms.

    Args:
        source: p > 0, shape (n,).
        cost: nats, shape (n, atoms); +inf forbids a pair. Every atom needs an allowed letter.
        charges: what the constraints count, >= 0, shape (constraints, n, atoms); +inf forbids too.
        budgets: >= 0, finite, shape (constraints,).
        ceiling: stop once the dual exceeds it: above H(X) + E cost of a code, no channel keeps the budgets.
        tol: of complementarity and residuals.
        max_steps: the budget of Newton steps.
    """
    n, atoms = cost.shape
    forbidden = np.isinf(cost) | np.isinf(charges).any(0)
    charges = np.where(forbidden, 0, charges)
    scale = np.maximum(charges.max((1, 2), initial=0), np.finfo(float).tiny)
    tightened = np.maximum(budgets / scale - MARGIN, 0.99 * budgets / scale)
    problem = _Scaled(source, np.where(forbidden, np.inf, cost), charges / scale[:, None, None], tightened)
    state = _begin(problem)
    least_gap = least_residual = np.inf
    idle = 0
    for _ in range(max_steps):
        spent = (problem.charges * state.backward).sum(1)
        gradient = np.concatenate([state.backward, -spent])
        residual = gradient @ state.weights
        residual[:n] -= source
        residual[n:] += problem.budgets - state.eta
        gap = state.weights @ state.slack + state.eta @ state.mu
        worst = max(np.abs(residual).max(), state.weights @ np.abs(state.phi + state.slack))
        if max(gap, worst) < tol or source @ state.v - state.phi.max() - state.mu @ problem.budgets > ceiling:
            break
        idle = 0 if gap < 0.9 * least_gap or worst < 0.9 * least_residual else idle + 1
        least_gap, least_residual = min(gap, least_gap), min(worst, least_residual)
        if idle > PATIENCE:
            break
        state = _advance(problem, state, gradient, residual, gap / (atoms + len(budgets)))
    return Dual(state.v, state.mu / scale, state.weights)


def channel_of(source: np.ndarray, exponent: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The channel P(u|x) ~ weights_u exp(-exponent_xu), shape (n, atoms), its rows summing to one."""
    low = np.where(np.isfinite(exponent), exponent, np.inf).min(1, keepdims=True)
    joint = weights * np.exp(-(exponent - low))
    return joint / joint.sum(1, keepdims=True)


def exponent_of(cost: np.ndarray, charges: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """cost + slopes . charges, +inf wherever either forbids a pair, even at slope zero."""
    forbidden = np.isinf(cost) | np.isinf(charges).any(0)
    return np.where(forbidden, np.inf, np.where(forbidden, 0, cost) + np.tensordot(slopes, np.where(forbidden, 0, charges), 1))

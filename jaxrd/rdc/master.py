"""A finite rate-distortion problem under several linear constraints at once, by a primal-dual interior point.

    min I(X;U) + E cost   over channels P(u|x),   subject to E charge_i <= budget_i

With K = exp(-cost - mu . charge) it is the saddle point  max over mu >= 0 of min over q >= 0 of
-sum_x p_x ln (K q)_x + sum_u q_u - mu . budget;  v = -ln K q and mu are dual variables, whatever q. The Newton matrix
has one row a letter and one a constraint, and is well conditioned even for near duplicates among the atoms, which
column generation makes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import get_lapack_funcs

MARGIN = 1e-12
"""Budgets are tightened by this share of the cost at zero rate, as rounding may exceed them."""
_OPENING = 3  # Blahut-Arimoto steps before the first Newton step
_FLOOR = 1e-14  # of the slacks: below it they are rounding of c
_TINY = 1e-30  # of the multipliers
_CENTRE = 1e-3  # least product of a slack and its multiplier, relative to their mean
_PATIENCE = 12  # steps without progress before giving up
_REACH = 2.0  # by how much a step may change a multiplier, relative to max(1, itself)
_GOOD = 1e-10  # accuracy of the fast step rule at which the careful rule is not tried

# LAPACK itself: for matrices this small the checks of scipy's cho_factor would take as long as the work.
_potrf, _potrs = get_lapack_funcs(("potrf", "potrs"), dtype=np.float64)


class Dual(NamedTuple):
    """Where the interior point ended: any of it gives valid bounds."""

    potential: np.ndarray  # v, (n,)
    slopes: np.ndarray  # mu, (constraints,)
    weights: np.ndarray  # q, of the atoms; their sum tends to one
    error: float  # what is left of complementarity and residuals


class _Manner(NamedTuple):
    corrected: bool  # by Mehrotra's second-order term
    aim: float  # least share of the complementarity to aim at
    keep: float  # largest fraction of the distance to the boundary that a step takes


_EAGER, _CAREFUL = _Manner(True, 0.1, 0.95), _Manner(False, 0.3, 0.8)


class _Problem(NamedTuple):
    source: np.ndarray  # (n,)
    cost: np.ndarray  # (n, atoms), +inf where forbidden
    charges: np.ndarray  # (k, n, atoms), zero where forbidden
    budgets: np.ndarray  # (k,)


class _State(NamedTuple):
    q: np.ndarray
    slack: np.ndarray  # stands for 1 - c
    mu: np.ndarray
    eta: np.ndarray  # stands for budgets - spent
    ratio: np.ndarray  # K / (K q), (n, atoms)
    c: np.ndarray  # sum_x p_x ratio, (atoms,)
    means: np.ndarray  # the channel's mean charge of each letter, (k, n)
    potential: np.ndarray  # -ln K q, (n,)
    gap: float  # total complementarity
    error: float  # how far from feasible


def _state(problem: _Problem, q, slack, mu, eta) -> _State:
    exponent = problem.cost + np.tensordot(mu, problem.charges, 1)
    low = exponent.min(1)
    kernel = np.exp(low[:, None] - exponent)
    z = kernel @ q
    ratio = kernel / z[:, None]
    c, means = problem.source @ ratio, (problem.charges * ratio) @ q
    left = problem.budgets - means @ problem.source - eta
    error = max(float(q @ np.abs(c + slack - 1)), float(np.abs(left).max(initial=0)))
    return _State(q, slack, mu, eta, ratio, c, means, low - np.log(z), float(q @ slack + mu @ eta), error)


def _begin(problem: _Problem) -> _State:
    atoms, k = problem.cost.shape[1], len(problem.budgets)
    q, mu = np.full(atoms, 1 / atoms), np.ones(k)
    for _ in range(_OPENING):
        q = q * _state(problem, q, q, mu, mu).c
    q = np.maximum(q, 1e-12)
    state = _state(problem, q / q.sum(), q, mu, mu)
    left = problem.budgets - state.means @ problem.source
    return _state(problem, state.q, np.maximum(1 - state.c, 1e-3), mu, np.maximum(left, 1e-3 * problem.budgets))


def _longest(x: np.ndarray, dx: np.ndarray, keep: float) -> float:
    """The longest step <= 1 along dx that leaves at least (1 - keep) of every x."""
    falls = dx < 0
    return min(1.0, float((-keep * x[falls] / dx[falls]).min())) if falls.any() else 1.0


def _factored(matrix: np.ndarray):
    """A function rhs -> matrix^-1 rhs for a positive definite matrix, scaled to a unit diagonal."""
    scale = 1 / np.sqrt(np.diag(matrix))
    matrix, ridge = matrix * scale[:, None] * scale, 1e-16
    if not np.isfinite(matrix).all():
        return lambda rhs: np.full_like(rhs, np.nan)
    while True:
        factor, failed = _potrf(matrix + ridge * np.eye(len(scale)), lower=1, clean=0)
        if not failed:
            return lambda rhs: scale * _potrs(factor, scale * rhs, lower=1)[0]
        ridge *= 100


def _newton(problem: _Problem, state: _State):
    """A function (aims of q*slack, of mu*eta) -> (dq, dslack, dmu, deta), the matrices factorised once."""
    p, q, slack, mu, eta, k = problem.source, state.q, state.slack, state.mu, state.eta, len(problem.budgets)
    spent = problem.charges * state.ratio
    # Of the mean charges E: dE = cross dq - spread dmu; and dc = -(ratio' diag(p) ratio) dq - cross' dmu.
    cross = np.tensordot(p, spent, (0, 1)) - (p * state.means) @ state.ratio
    spread = np.array([[p @ ((a * b) @ q) for b in problem.charges] for a in spent]).reshape(k, k)
    spread = spread - (p * state.means) @ state.means.T + np.diag(eta / mu)
    solve_mu = _factored(spread) if k else lambda rhs: rhs
    rows = np.concatenate([np.sqrt(p)[:, None] * state.ratio, np.linalg.cholesky(_inverse(solve_mu, k)).T @ cross])
    weight = q / slack
    solve = _factored(np.eye(len(p) + k) + (rows * weight) @ rows.T)
    left = problem.budgets - state.means @ p

    def step(aim: np.ndarray | float, aim_mu: np.ndarray | float):
        off = left - aim_mu / mu
        t = weight * (state.c - 1 + aim / q + solve_mu(off) @ cross)
        dq = t - weight * (solve(rows @ t) @ rows)
        dmu = solve_mu(cross @ dq - off)
        return dq, aim / q - slack - slack / q * dq, dmu, aim_mu / mu - eta - eta / mu * dmu

    return step


def _inverse(solve, k: int) -> np.ndarray:
    columns = np.array([solve(e) for e in np.eye(k)]).reshape(k, k)
    return (columns + columns.T) / 2


def _advance(problem: _Problem, state: _State, manner: _Manner) -> _State:
    """One step (S. Mehrotra, On the implementation of a primal-dual interior point method, SIAM J. Optim. 1992)."""
    q, slack, mu, eta, count = state.q, state.slack, state.mu, state.eta, len(state.q) + len(state.mu)
    step = _newton(problem, state)
    if manner.corrected:
        dq, ds, dmu, de = step(0.0, 0.0)
        a = min(_longest(q, dq, 1), _longest(mu, dmu, 1))
        b = min(_longest(slack, ds, 1), _longest(eta, de, 1))
        reached = (q + a * dq) @ (slack + b * ds) + (mu + a * dmu) @ (eta + b * de)
        aim = max((reached / state.gap) ** 3, manner.aim) * state.gap / count
        dq, ds, dmu, de = step(aim - dq * ds, aim - dmu * de)
    else:
        dq, ds, dmu, de = step(manner.aim * state.gap / count, manner.aim * state.gap / count)
    keep = max(0.995, 1 - state.gap) if state.gap < 1e-3 else manner.keep
    a = min(_longest(q, dq, keep), _longest(mu, dmu, keep))
    a = min(a, _REACH / max(float((np.abs(dmu) / np.maximum(mu, 1)).max(initial=0)), 1e-300))
    b = min(_longest(slack, ds, keep), _longest(eta, de, keep))
    slack = np.maximum(slack + b * ds, _FLOOR)
    # A weight that has fallen far below what its slack allows is raised: the next step needs both.
    mean = float((q + a * dq) @ slack) / len(q)
    q = np.maximum(np.maximum(q + a * dq, _CENTRE * mean / np.maximum(slack, np.sqrt(mean))), _TINY)
    return _state(problem, q, slack, np.maximum(mu + a * dmu, _TINY), np.maximum(eta + b * de, _TINY))


def _follow(problem: _Problem, manner: _Manner, ceiling: float, tol: float, max_steps: int) -> _State:
    """The best state of all iterations."""
    state = best = _begin(problem)
    least_gap = least_error = np.inf
    idle = 0
    for _ in range(max_steps):
        worst = max(state.gap, state.error)
        best = state if worst <= max(best.gap, best.error) else best
        value = problem.source @ state.potential - np.log(state.c.max()) - state.mu @ problem.budgets
        if worst < tol or value > ceiling:
            return state
        idle = 0 if state.gap < 0.9 * least_gap or state.error < 0.9 * least_error else idle + 1
        least_gap, least_error = min(state.gap, least_gap), min(state.error, least_error)
        if idle > _PATIENCE or not np.isfinite(worst):
            break
        try:
            state = _advance(problem, state, manner)
        except np.linalg.LinAlgError:  # no channel keeps the budgets by far: the charges' spread is zero to rounding
            break
    return best


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
    """Solve the problem over given atoms.

    Args:
        source: p > 0, shape (n,).
        cost: nats, shape (n, atoms); +inf forbids a pair. Every letter needs an allowed atom.
        charges: what the constraints count, >= 0, shape (constraints, n, atoms); +inf forbids too.
        budgets: > 0, finite, shape (constraints,).
        ceiling: stop once the dual exceeds it: above H(X) + E cost of a code, no channel keeps the budgets.
        tol: of complementarity and residuals.
        max_steps: the budget of Newton steps, for each of the two step rules.
    """
    forbidden = np.isinf(cost) | np.isinf(charges).any(0)
    charges = np.where(forbidden, 0, charges)
    # The unit is the cost at zero rate: charges of distant pairs may be a thousand times larger.
    silent = np.tensordot(charges, source, (1, 0))[:, ~forbidden.any(0)].min(1, initial=np.inf)
    scale = np.where(np.isfinite(silent) & (silent > 0), silent, charges.max((1, 2), initial=0))
    scale = np.maximum(np.maximum(scale, budgets), np.finfo(float).tiny)
    tightened = np.maximum(budgets / scale - MARGIN, 0.99 * budgets / scale)
    problem = _Problem(source, np.where(forbidden, np.inf, cost), charges / scale[:, None, None], tightened)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a failed step leaves the state unchanged
        state = _follow(problem, _EAGER, ceiling, tol, max_steps)
        if max(state.gap, state.error) > _GOOD:
            other = _follow(problem, _CAREFUL, ceiling, tol, max_steps)
            state = min(state, other, key=lambda s: max(s.gap, s.error))
    return Dual(state.potential, state.mu / scale, state.q, max(state.gap, state.error))


def channel_of(source: np.ndarray, exponent: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The channel P(u|x) ~ weights_u exp(-exponent_xu), shape (n, atoms), its rows summing to one."""
    joint = weights * np.exp(exponent.min(1, keepdims=True) - exponent)
    return joint / joint.sum(1, keepdims=True)


def exponent_of(cost: np.ndarray, charges: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """cost + slopes . charges, +inf wherever either forbids a pair, even at slope zero."""
    forbidden = np.isinf(cost) | np.isinf(charges).any(0)
    allowed = np.where(forbidden, 0, charges)
    return np.where(forbidden, np.inf, np.where(forbidden, 0, cost) + np.tensordot(slopes, allowed, 1))

"""A primal-dual interior point for the laws of the strategies: second order, whatever the problem."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrd.side_information.iteration import polish
from jaxrd.side_information.problem import JointProblem
from jaxrd.side_information.terms import Columns, Terms, bound, certify, columns, terms
from jaxrd.solution import Solution, Status

_MAX_STEPS = 200
_PATIENCE = 12  # steps without a better gap or a smaller complementarity
_CENTRE = 1e-3  # q stays above this share of mu, which the central path never undercuts
_RIDGE = 4.0  # in rounding units
_KEEP = 0.5, 0.9  # of any q and of any slack: q's shares among the values would lose touch in longer steps
_RISE = 2.0  # of any q, in a step, relative to it
_LEAST = 0.2  # of mu, that a step aims at
_ENOUGH = 512.0  # gap in rounding units beyond which there is none to win
_SMALL = 10**6  # letters^2 strategies values up to which rounding-level accuracy costs next to nothing


class _State(NamedTuple):
    q: jax.Array  # (strategies, values) > 0
    slack: jax.Array  # stands for 1 - c, > 0
    at: Terms
    best: jax.Array  # q of the least gap
    best_gap: jax.Array
    least_mu: jax.Array
    idle: jax.Array
    step: jax.Array


def newton(
    at: Columns, t: Terms, diagonal: jax.Array, ridge: float | jax.Array | None = None, corrections: int = 2
) -> Callable[[jax.Array], jax.Array]:
    """v -> (q H q + diag(diagonal))^-1 v, H the Hessian of F: v and the result are relative changes of q.

    The Hessian is a block of its own for each strategy, values x values, and one term of rank one for each letter.

    Args:
        at: the problem.
        t: its terms at q.
        diagonal: >= 0, shape (strategies, values).
        ridge: relative to p(t, s), of the matrix that is factorised: a strategy's block is singular along its scale.
            The larger it is, the fewer digits a solution loses. None: some rounding units.
        corrections: of a solution, for the ridge and the rounding.
    """
    ridge = _RIDGE * float(jnp.finfo(diagonal.dtype).eps) if ridge is None else ridge
    share = at.source[:, None] * t.channel  # p(x) W(t|x)
    pairs = at.posterior[:, :, None] * at.posterior[:, None, :]
    off = jnp.tensordot(share, pairs, ((0,), (0,)))  # (strategies, values, values)
    k = off.shape[1]
    off = jnp.where(jnp.eye(k, dtype=bool), 0, off)
    # Rows sum to zero: the diagonal is what the others cancel.
    block = _diagonal(off.sum(2) + diagonal) - off
    firm = block + _diagonal(ridge * k * t.mass)
    scale = jax.lax.rsqrt(jnp.diagonal(firm, axis1=1, axis2=2))
    factor = jnp.linalg.cholesky(scale[:, :, None] * firm * scale[:, None, :], symmetrize_input=False)
    # In columns, (strategies, values, n): one factorisation for all of them.
    letters = (jnp.sqrt(at.source)[:, None, None] * t.channel[:, :, None] * at.posterior[:, None, :]).transpose(1, 2, 0)

    def within(columns: jax.Array) -> jax.Array:
        return scale[:, :, None] * jax.scipy.linalg.cho_solve((factor, True), scale[:, :, None] * columns)

    spread = within(letters)
    inner = jnp.eye(letters.shape[2], dtype=letters.dtype) + jnp.tensordot(letters, spread, ((0, 1), (0, 1)))
    root = jnp.linalg.cholesky(inner)

    def once(v: jax.Array) -> jax.Array:
        own = within(v[..., None])[..., 0]
        felt = jax.scipy.linalg.cho_solve((root, True), jnp.tensordot(own, letters, 2))
        return own - spread @ felt

    def solve(v: jax.Array) -> jax.Array:
        found = once(v)
        for _ in range(corrections):
            product = (block @ found[..., None])[..., 0] + letters @ jnp.tensordot(found, letters, 2)
            found = found + once(v - product)
        return found

    return solve


def _diagonal(values: jax.Array) -> jax.Array:
    """Matrices with these diagonals, shape (..., k, k)."""
    return values[..., None] * jnp.eye(values.shape[-1], dtype=values.dtype)


def _longest(relative: jax.Array, keep: jax.Array | float) -> jax.Array:
    """The longest step <= 1 that takes at most the share `keep` of anything, along relative changes."""
    return jnp.minimum(1, jnp.where(relative < 0, -keep / jnp.where(relative < 0, relative, -1), jnp.inf).min())


def _advance(at: Columns, state: _State) -> _State:
    """One step of Mehrotra's predictor and corrector."""
    q, slack, t = state.q, state.slack, state.at
    product = q * slack
    mu = product.mean()
    solve = newton(at, t, at.weight * product)
    residual = t.mass - at.weight * q
    first = solve(residual)
    dslack = -slack * (1 + first)
    moved = (1 + _longest(first, 1.0) * first) * (slack + _longest(dslack / slack, 1.0) * dslack)
    aim = jnp.clip(((q * moved).mean() / mu) ** 3, _LEAST, 1) * mu
    aim = aim - jnp.clip(q * first * dslack, -mu, mu)
    # Weighted as the value: q of a rare one would else grow beyond one.
    change = solve(residual + at.weight * aim)
    dslack = aim / q - slack * (1 + change)
    primal, dual = _longest(change, _KEEP[0]), _longest(dslack / slack, _KEEP[1])
    primal = jnp.minimum(primal, _RISE / jnp.abs(change).max())
    good = jnp.isfinite(change).all() & jnp.isfinite(dslack).all()
    tiny = jnp.asarray(1e-40 if q.dtype == jnp.float64 else 1e-18, q.dtype)
    new_slack = jnp.maximum(slack + dual * dslack, tiny)
    new_q = q * (1 + primal * change)
    new_q = jnp.maximum(new_q, jnp.maximum(_CENTRE * (new_q * new_slack).mean(), tiny))
    q, slack = jnp.where(good, new_q, q), jnp.where(good, new_slack, slack)
    t = terms(at, q)
    gap, new_mu = bound(at, q, t), (q * slack).mean()
    better = gap < state.best_gap
    return _State(
        q, slack, t,
        best=jnp.where(better, q, state.best),
        best_gap=jnp.where(better, gap, state.best_gap),
        least_mu=jnp.minimum(new_mu, state.least_mu),
        idle=jnp.where(better | (new_mu < 0.9 * state.least_mu), 0, state.idle + 1),
        step=state.step + 1,
    )  # fmt: skip


@partial(jax.jit, static_argnames="max_steps")
def interior_point(problem: JointProblem, slope: jax.Array, tol: jax.Array, *, max_steps: int = _MAX_STEPS) -> Solution:
    """Solve one slope by Newton's method on  min_{q >= 0} F(q) + sum_s p(s) sum_t q(t|s).

    Time strategies (values^3 + letters^2 values) a step, some 15 steps.

    Args:
        problem: as `as_inputs` gives it.
        slope: s >= 0, or inf.
        tol: nats, relative to max(1, |L|).
        max_steps: the budget (static).
    """
    problem, slope = jax.lax.stop_gradient((problem, slope))
    at = columns(problem, slope)
    (n, count), k = at.exponent.shape, at.joint.shape[1]
    q = jnp.full((count, k), 1 / count, slope.dtype)
    t = terms(at, q)
    slack = jnp.maximum(1 - t.c, 1e-2)
    aim = 0.25 * tol
    if n * n * count * k <= _SMALL:
        aim = jnp.minimum(aim, jnp.asarray(_ENOUGH * jnp.finfo(q.dtype).eps, q.dtype))

    def unfinished(state: _State) -> jax.Array:
        return (state.step < max_steps) & (state.idle < _PATIENCE) & ~(state.best_gap <= aim)

    start = _State(q, slack, t, q, bound(at, q, t), (q * slack).mean(), jnp.int32(0), jnp.int32(0))
    end = jax.lax.while_loop(unfinished, partial(_advance, at), start)
    q, more = polish(at, end.best, 0.25 * aim)
    return certify(at, q, end.step + more, tol, jnp.where(end.step < max_steps, Status.STALLED, Status.MAX_STEPS))

"""A primal-dual interior point for small smooth convex programs; JAX takes the derivatives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

_CENTRING = 0.1  # of the mean complementarity, aimed at in a step
_HALVINGS = 40
GROWTH = 2.0  # of the residuals' squares that a step may cause
_PATIENCE = 40  # steps without progress before giving up; an eighth of it close to the aim
PROGRESS = 0.9  # of what was left
RIDGE = 64.0  # rounding units on the diagonal of the scaled Newton matrix: directions that nothing depends on
RELAXED = 1e-11
"""Least bound, relative to the measure's scale, that the iteration uses: at zero no optimum of the dual is bounded."""


def relaxed(bound: jax.Array) -> jax.Array:
    """A finite bound, at least RELAXED, whose derivative is one there too: a slope at zero is not lost."""
    return bound + jax.lax.stop_gradient(jnp.maximum(bound, RELAXED) - bound)


class _Minimum(NamedTuple):
    """The best point met: of the least complementarity and residuals."""

    x: jax.Array
    multipliers: jax.Array
    highest: jax.Array
    """The point of the highest bound met."""
    steps: jax.Array


class _State(NamedTuple):
    x: jax.Array
    slack: jax.Array  # > 0, stands for -g(x): kept apart, for small ones would lose their digits
    multipliers: jax.Array  # > 0
    stationarity: jax.Array  # grad f + (dg/dx)' r
    violation: jax.Array  # g + s
    best: jax.Array
    best_x: jax.Array
    best_multipliers: jax.Array
    bound: jax.Array
    highest: jax.Array
    idle: jax.Array
    step: jax.Array


class _Program(NamedTuple):
    objective: Callable[[jax.Array], jax.Array]
    constraints: Callable[[jax.Array], jax.Array]
    bound: Callable[[jax.Array], jax.Array]


def minimise(
    objective: Callable[[jax.Array], jax.Array],
    constraints: Callable[[jax.Array], jax.Array],
    bound: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    *,
    aim: float,
    ceiling: jax.Array | float,
    max_steps: int = 200,
) -> _Minimum:
    """Solve min f(x) subject to g(x) <= 0 for smooth convex f and g, with the multipliers r >= 0 of g.

    Newton's method on  grad f + (dg/dx)' r = 0,  g + s = 0,  r_i s_i = mu,  with mu falling; steps are shortened while
    they would make the residuals grow.

    Args:
        objective: f, (n,) -> ().
        constraints: g, (n,) -> (k,).
        bound: a lower bound on -min f that any x gives, (n,) -> (); NaN where it gives none.
        start: x with g(x) < 0, shape (n,); affine constraints that hold there hold at every iterate.
        aim: of complementarity r's and residuals at which to stop.
        ceiling: stop as soon as the bound exceeds it: then f is unbounded below, and the problem that it is the dual of
            has no solution.
        max_steps: the step budget (static).

    Reference: S. Boyd and L. Vandenberghe, Convex Optimization, section 11.7.

    >>> def bound(x):
    ...     return -(x[0] ** 2)
    >>> end = minimise(lambda x: -bound(x), lambda x: 1 - x, bound, jnp.array([3.0]), aim=1e-4, ceiling=jnp.inf)
    >>> round(float(end.x[0]), 3), round(float(end.multipliers[0]), 3)
    (1.0, 2.0)
    """
    program = _Program(objective, constraints, bound)

    def unfinished(state: _State) -> jax.Array:
        return _unfinished(state, aim, ceiling, max_steps)

    end = jax.lax.while_loop(unfinished, lambda state: _step(program, state, aim), _start(program, start))
    return _Minimum(end.best_x, end.best_multipliers, end.highest, end.step)


def _start(program: _Program, x: jax.Array) -> _State:
    """The state at a point with g(x) < 0: multipliers of equal complementarity."""
    slack = -program.constraints(x)
    multipliers = 1 / (slack * slack.size)
    inf = jnp.asarray(jnp.inf, x.dtype)
    zero = jnp.int32(0)
    at = _residuals(program, x, slack, multipliers)
    return _State(x, slack, multipliers, *at, inf, x, multipliers, -inf, x, zero, zero)


def _unfinished(state: _State, aim: float, ceiling: jax.Array | float, max_steps: int) -> jax.Array:
    patience = jnp.where(state.best < 1e3 * aim, _PATIENCE // 8, _PATIENCE)
    going = (state.step < max_steps) & (state.idle < patience) & jnp.isfinite(state.x).all()
    return going & ~(state.best <= aim) & (state.bound <= ceiling)


def _step(program: _Program, state: _State, aim: float) -> _State:
    """One iteration: a Newton step, shortened where the residuals would grow, and what is best so far."""
    moves, target = _direction(program, state)
    x, s, r, stationarity, violation = _moved(program, state, moves, target)
    size = jnp.stack([r @ s, jnp.abs(stationarity).max(), jnp.abs(violation).max()]).max()
    better = size < state.best
    # The residuals may rise for some steps while complementarity falls; this also counts as progress.
    falls = (r @ s < PROGRESS * (state.multipliers @ state.slack)) & (r @ s > aim)
    progress = (size < PROGRESS * state.best) | falls
    value = program.bound(x)
    higher = value > state.bound
    return _State(
        x,
        s,
        r,
        stationarity,
        violation,
        jnp.where(better, size, state.best),
        jnp.where(better, x, state.best_x),
        jnp.where(better, r, state.best_multipliers),
        jnp.where(higher, value, state.bound),
        jnp.where(higher, x, state.highest),
        jnp.where(progress, 0, state.idle + 1),
        state.step + 1,
    )


def _direction(program: _Program, state: _State) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
    """Newton's (dx, ds, dr) towards r_i s_i = target, and that target."""
    x, s, r, stationarity, violation = state[:5]
    eps, tiny = jnp.finfo(x.dtype).eps, jnp.finfo(x.dtype).tiny
    jacobian = jax.jacfwd(program.constraints)(x)
    hessian = jax.hessian(partial(_lagrangian, program))(x, r)
    # The system is not reduced to x: where multipliers are large and slacks small, the reduced matrix loses digits.
    weights = jnp.sqrt(jnp.maximum(jnp.diag(hessian) + (jacobian**2).T @ (r / (r + s)), tiny))
    edge = jnp.sqrt(r / (r + s))
    top = hessian / weights[:, None] / weights + RIDGE * eps * jnp.eye(x.size, dtype=x.dtype)
    side = jacobian / weights * edge[:, None]
    matrix = jnp.block([[top, side.T], [side, -jnp.diag(s / (r + s))]])
    factor = jax.scipy.linalg.lu_factor(matrix)

    target = _CENTRING * (r @ s) / s.size
    complementarity = target - r * s  # the change asked of r s
    right = jnp.concatenate([-stationarity / weights, -(violation + complementarity / r) * edge])
    solution = jax.scipy.linalg.lu_solve(factor, right)
    dx, dr = solution[: x.size] / weights, solution[x.size :] * edge
    return (dx, (complementarity - s * dr) / r, dr), target


def _moved(
    program: _Program, state: _State, moves: tuple[jax.Array, jax.Array, jax.Array], target: jax.Array
) -> tuple[jax.Array, ...]:
    """(x, slack, multipliers) after a step along the moves, halved while the residuals grow; and the residuals."""
    x, s, r, stationarity, violation = state[:5]
    dx, ds, dr = moves
    length = jnp.minimum(1, 0.995 * jnp.minimum(_longest(s, ds), _longest(r, dr)))
    now = _merit(stationarity, violation, r * s - target)

    def step(length):
        moved = x + length * dx, s + length * ds, r + length * dr
        return *moved, *_residuals(program, *moved)

    def too_long(trial):
        (_, s, r, stationarity, violation), _, count = trial
        return (count < _HALVINGS) & ~(_merit(stationarity, violation, r * s - target) <= GROWTH * now)

    def shorter(trial):
        _, length, count = trial
        return step(length / 2), length / 2, count + 1

    return jax.lax.while_loop(too_long, shorter, (step(length), length, jnp.int32(0)))[0]


def _lagrangian(program: _Program, x: jax.Array, r: jax.Array) -> jax.Array:
    return program.objective(x) + r @ program.constraints(x)


def _residuals(program: _Program, x: jax.Array, s: jax.Array, r: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Stationarity and violation."""
    return jax.grad(partial(_lagrangian, program))(x, r), program.constraints(x) + s


def _merit(stationarity: jax.Array, violation: jax.Array, complementarity: jax.Array) -> jax.Array:
    total = sum((part**2).sum() for part in (stationarity, violation, complementarity))
    return jnp.where(jnp.isfinite(total), total, jnp.inf)


def _longest(values: jax.Array, moves: jax.Array) -> jax.Array:
    """The longest step <= 1 along the moves that leaves every value >= 0."""
    falls = moves < 0
    return jnp.minimum(1, jnp.where(falls, -values / jnp.where(falls, moves, -1), jnp.inf).min())

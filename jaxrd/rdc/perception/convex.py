"""A primal-dual interior point for small smooth convex programs; JAX takes the derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

CENTRING = 0.1  # of the mean complementarity, aimed at in a step
HALVINGS = 40
GROWTH = 2.0  # of the residuals' squares that a step may cause
PATIENCE = 40  # steps without progress before giving up; an eighth of it close to the aim
PROGRESS = 0.9  # of what was left
RIDGE = 64.0  # rounding units on the diagonal of the scaled Newton matrix: directions that nothing depends on


class Minimum(NamedTuple):
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


def minimise(
    objective: Callable[[jax.Array], jax.Array],
    constraints: Callable[[jax.Array], jax.Array],
    bound: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    *,
    aim: float,
    ceiling: jax.Array | float,
    max_steps: int = 200,
) -> Minimum:
    """Solve min f(x) subject to g(x) <= 0 for smooth convex f and g, with the multipliers r >= 0 of g.

    Newton's method on  grad f + (dg/dx)' r = 0,  g + s = 0,  r_i s_i = mu,  with mu falling; steps are shortened while
    they would make the residuals grow.

    Args:
        objective: f, (n,) -> ().
        constraints: g, (n,) -> (k,).
        bound: a lower bound on -min f that any x gives, (n,) -> (); NaN where it gives none.
        start: x with g(x) < 0, shape (n,); affine constraints that hold there hold all the way.
        aim: of complementarity r's and residuals at which to stop.
        ceiling: stop as soon as the bound exceeds it: f falls without end, the problem of which it is the dual has no
            solution.
        max_steps: the step budget (static).

    Reference: S. Boyd and L. Vandenberghe, Convex Optimization, section 11.7.

    >>> def bound(x):
    ...     return -(x[0] ** 2)
    >>> found = minimise(lambda x: -bound(x), lambda x: 1 - x, bound, jnp.array([3.0]), aim=1e-4, ceiling=jnp.inf)
    >>> round(float(found.x[0]), 3), round(float(found.multipliers[0]), 3)
    (1.0, 2.0)
    """
    eps = jnp.finfo(start.dtype).eps
    tiny = jnp.finfo(start.dtype).tiny

    def lagrangian(x, r):
        return objective(x) + r @ constraints(x)

    def residuals(x, s, r):
        return jax.grad(lagrangian)(x, r), constraints(x) + s

    def merit(stationarity, violation, complementarity):
        total = sum((part**2).sum() for part in (stationarity, violation, complementarity))
        return jnp.where(jnp.isfinite(total), total, jnp.inf)

    def longest(values, moves):
        falls = moves < 0
        return jnp.minimum(1, jnp.where(falls, -values / jnp.where(falls, moves, -1), jnp.inf).min())

    def iterate(state: _State) -> _State:
        x, s, r, stationarity, violation = state[:5]
        jacobian = jax.jacfwd(constraints)(x)
        hessian = jax.hessian(lagrangian)(x, r)
        # Not reduced to x: where multipliers are large beside their slacks the reduced matrix loses their digits.
        weights = jnp.sqrt(jnp.maximum(jnp.diag(hessian) + (jacobian**2).T @ (r / (r + s)), tiny))
        edge = jnp.sqrt(r / (r + s))
        top = hessian / weights[:, None] / weights + RIDGE * eps * jnp.eye(x.size, dtype=x.dtype)
        side = jacobian / weights * edge[:, None]
        matrix = jnp.block([[top, side.T], [side, -jnp.diag(s / (r + s))]])
        factor = jax.scipy.linalg.lu_factor(matrix)

        def direction(complementarity):  # the change asked of r s
            right = jnp.concatenate([-stationarity / weights, -(violation + complementarity / r) * edge])
            found = jax.scipy.linalg.lu_solve(factor, right)
            dx, dr = found[: x.size] / weights, found[x.size :] * edge
            return dx, (complementarity - s * dr) / r, dr

        target = CENTRING * (r @ s) / s.size
        dx, ds, dr = direction(target - r * s)
        length = jnp.minimum(1, 0.995 * jnp.minimum(longest(s, ds), longest(r, dr)))
        now = merit(stationarity, violation, r * s - target)

        def step(length):
            moved = x + length * dx, s + length * ds, r + length * dr
            return *moved, *residuals(*moved)

        def too_long(trial):
            (_, s, r, stationarity, violation), _, count = trial
            return (count < HALVINGS) & ~(merit(stationarity, violation, r * s - target) <= GROWTH * now)

        def shorter(trial):
            _, length, count = trial
            return step(length / 2), length / 2, count + 1

        first = step(length), length, jnp.int32(0)
        (x, s, r, stationarity, violation), _, _ = jax.lax.while_loop(too_long, shorter, first)
        size = jnp.stack([r @ s, jnp.abs(stationarity).max(), jnp.abs(violation).max()]).max()
        better = size < state.best
        # The residuals may rise for a while as complementarity falls: that is progress too.
        falls = (r @ s < PROGRESS * (state.multipliers @ state.slack)) & (r @ s > aim)
        progress = (size < PROGRESS * state.best) | falls
        value = bound(x)
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

    def unfinished(state: _State):
        patience = jnp.where(state.best < 1e3 * aim, PATIENCE // 8, PATIENCE)
        going = (state.step < max_steps) & (state.idle < patience) & jnp.isfinite(state.x).all()
        return going & ~(state.best <= aim) & (state.bound <= ceiling)

    slack = -constraints(start)
    multipliers = 1 / (slack * slack.size)
    inf = jnp.asarray(jnp.inf, start.dtype)
    zero = jnp.int32(0)
    at = residuals(start, slack, multipliers)
    first = _State(start, slack, multipliers, *at, inf, start, multipliers, -inf, start, zero, zero)
    end = jax.lax.while_loop(unfinished, iterate, first)
    return Minimum(end.best_x, end.best_multipliers, end.highest, end.step)

"""A primal-dual interior point for small smooth convex programs; JAX takes the derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrd.rdc.perception.pairs import Pairs

_LEAST_CENTRING = 1e-4  # of the mean complementarity, aimed at in a step
_MOST_CENTRING = 0.3
_CORRECTIONS = 3
_HALVINGS = 40
GROWTH = 2.0  # of the residuals' squares that a step may cause
_PATIENCE = 40  # steps without progress before giving up; an eighth of it close to the aim
PROGRESS = 0.9  # of what was left
RIDGE = 64.0  # rounding units on the diagonal of the scaled Newton matrix: directions that nothing depends on


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
    marks: jax.Array  # size and complementarity at the last progress
    idle: jax.Array
    step: jax.Array


class _Program(NamedTuple):
    objective: Callable[[jax.Array], jax.Array]
    few: Callable[[jax.Array], jax.Array]
    bound: Callable[[jax.Array], jax.Array]
    derivatives: Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
    many: Callable[[jax.Array], Sequence[Pairs]]
    places: Sequence[Pairs]

    def constraints(self, x: jax.Array) -> jax.Array:
        """All of them, the pairs last."""
        return jnp.concatenate([self.few(x), _many(self, x)])


def minimise(
    objective: Callable[[jax.Array], jax.Array],
    constraints: Callable[[jax.Array], jax.Array],
    bound: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    *,
    aim: float,
    ceiling: jax.Array | float,
    derivatives: Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]] | None = None,
    pairs: Callable[[jax.Array], Sequence[Pairs]] = lambda x: (),
    max_steps: int = 400,
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

    def taken(x: jax.Array, r: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.jacfwd(constraints)(x), jax.hessian(lambda x: objective(x) + r @ constraints(x))(x)

    places = [each.places() for each in pairs(jnp.arange(start.size, dtype=start.dtype))]
    program = _Program(objective, constraints, bound, derivatives or taken, pairs, places)

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
    return _State(x, slack, multipliers, *at, inf, x, multipliers, -inf, x, jnp.stack([inf, inf]), zero, zero)


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
    sizes = jnp.stack([size, jnp.maximum(r @ s, aim)])
    progress = (sizes < PROGRESS * state.marks).any()
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
        jnp.where(progress, jnp.minimum(sizes, state.marks), state.marks),
        jnp.where(progress, 0, state.idle + 1),
        state.step + 1,
    )


def _direction(program: _Program, state: _State) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
    """The step (dx, ds, dr), and the products r_i s_i that it aims at.

    Newton's step towards complementarity zero is tried first: the target is smaller the further it gets (Mehrotra),
    and its second-order term is taken off.
    """
    s, r = state.slack, state.multipliers
    newton = _linearised(program, state)
    _, ds, dr = newton(jnp.zeros_like(s))
    length = jnp.minimum(_longest(s, ds), _longest(r, dr))
    reached = (r + length * dr) @ (s + length * ds) / (r @ s)
    centring = jnp.clip(reached**3, _LEAST_CENTRING, _MOST_CENTRING)
    target = centring * (r @ s) / s.size
    products = target - length**2 * ds * dr
    moves = newton(products)
    for _ in range(_CORRECTIONS):
        moves, products = _centred(newton, state, moves, products, target)
    return moves, target


def _centred(newton: Any, state: _State, moves: Any, products: jax.Array, target: jax.Array) -> Any:
    """A longer step, if there is one, by keeping the products r_i s_i within a factor of the target (Gondzio)."""
    s, r = state.slack, state.multipliers
    length = jnp.minimum(_longest(s, moves[1]), _longest(r, moves[2]))
    further = jnp.minimum(1, 1.08 * length + 0.08)
    there = (s + further * moves[1]) * (r + further * moves[2])
    change = jnp.maximum(jnp.clip(there, 0.1 * target, 10 * target) - there, -10 * target)
    changed = newton(products + change)
    longer = jnp.minimum(_longest(s, changed[1]), _longest(r, changed[2])) > 1.01 * length
    keep = partial(jnp.where, longer)
    return jax.tree.map(keep, (changed, products + change), (moves, products))


def _linearised(program: _Program, state: _State) -> Callable[[jax.Array], tuple[jax.Array, jax.Array, jax.Array]]:
    """Newton's (dx, ds, dr) towards products r_i s_i, as a function of them."""
    x, s, r, stationarity, violation = state[:5]
    eps, tiny = jnp.finfo(x.dtype).eps, jnp.finfo(x.dtype).tiny
    jacobian, hessian = program.derivatives(x, r[: s.size - sum(p.costs[0].size for p in program.places)])
    kept, jacobian, ratios = _kept(program, jacobian, r / s)
    hessian = hessian + _eliminated(program, ratios, x.size)
    # The system is not reduced to x alone: where multipliers are large and slacks small, the reduced matrix loses
    # digits.
    near = r[kept] / (r[kept] + s[kept])
    weights = jnp.sqrt(jnp.maximum(jnp.diag(hessian) + (jacobian**2).T @ near, tiny))
    edge = jnp.sqrt(near)
    top = hessian / weights[:, None] / weights + RIDGE * eps * jnp.eye(x.size, dtype=x.dtype)
    side = jacobian / weights * edge[:, None]
    matrix = jnp.block([[top, side.T], [side, -jnp.diag(s[kept] / (r[kept] + s[kept]))]])
    factor = jax.scipy.linalg.lu_factor(matrix)
    _, along = jax.linearize(partial(_many, program), x)
    across = jax.linear_transpose(along, x)

    def newton(products: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        complementarity = products - r * s  # the change asked of r s
        right = violation + complementarity / r
        (back,) = across(ratios * right[s.size - ratios.size :])
        sides = jnp.concatenate([-(stationarity + back) / weights, -right[kept] * edge])
        solution = jax.scipy.linalg.lu_solve(factor, sides)
        dx = solution[: x.size] / weights
        dr = jnp.zeros_like(r).at[s.size - ratios.size :].set(ratios * (along(dx) + right[s.size - ratios.size :]))
        dr = dr.at[kept].set(solution[x.size :] * edge)
        return dx, (complementarity - s * dr) / r, dr

    return newton


def _kept(program: _Program, jacobian: jax.Array, ratios: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The constraints to keep in the system, their Jacobian, and multiplier over slack of the pairs, 0 where kept.

    As many pairs are kept as a vertex of the transport problem has: those nearest to being active.
    """
    begin = jacobian.shape[0]
    kept, rows, rest = [jnp.arange(begin)], [jacobian], ratios[begin:]
    for place in program.places:
        n, m = place.costs.shape[1:]
        _, chosen = jax.lax.top_k(ratios[begin : begin + n * m], min(n + m, n * m))
        kept.append(begin + chosen)
        rows.append(place.some(chosen, jacobian.shape[1]))
        begin += n * m
    kept = jnp.concatenate(kept)
    first = jacobian.shape[0]
    return kept, jnp.concatenate(rows), rest.at[kept[first:] - first].set(0)


def _many(program: _Program, x: jax.Array) -> jax.Array:
    return jnp.concatenate([jnp.zeros(0, x.dtype), *(pairs.value().ravel() for pairs in program.many(x))])


def _eliminated(program: _Program, ratios: jax.Array, size: int) -> jax.Array:
    """The Gram matrix of the pairs, which their elimination adds to the Hessian."""
    total, begin = jnp.zeros((size, size), ratios.dtype), 0
    for place in program.places:
        shape = place.costs.shape[1:]
        count = shape[0] * shape[1]
        total = total + place.gram(ratios[begin : begin + count].reshape(shape), size)
        begin += count
    return total


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

"""The optimum to rounding, at a given slope, distortion or rate: the point where derivatives are taken."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrd.problem import Problem

_ITERATIONS = 40
_CENTRING = 0.05  # of the complementarity, aimed at by each step
_USED = 1e3  # q_y over 1 - c_y of a letter in use; at a critical slope both vanish alike, and the letter is left out
_POLISH = 3  # Newton steps on the support alone
_RIDGE = 100.0  # in rounding units of the scaled Gram matrix, whose largest eigenvalue is at most one


class Terms(NamedTuple):
    """F(q, s) = - sum_x p_x ln sum_y q_y exp(-s e_xy), e = d - min_y d, and its derivatives."""

    kernel: jax.Array  # (n, m): K = exp(-s e)
    z: jax.Array  # (n,): K q
    mean: jax.Array  # (n,): E(e | x)
    c: jax.Array  # (m,): - dF/dq
    c_slope: jax.Array  # (m,): dc/ds at a fixed q
    objective: jax.Array  # (): F
    excess: jax.Array  # (): dF/ds = E e
    curvature: jax.Array  # (): d2F/ds2 = - E Var(e | x) <= 0
    offset: jax.Array  # (): E min_y d


def least_of_rows(problem: Problem) -> jax.Array:
    """min_y d, shape (n,), as a constant; zero for a letter that cannot be sent, or of mass zero and NaN."""
    low = jax.lax.stop_gradient(_masked(problem)).min(1)
    return jnp.where(jnp.isfinite(low), low, 0)


def _masked(problem: Problem) -> jax.Array:
    """The distortion, with zero for NaN in the rows of letters of mass zero."""
    p, d = jnp.asarray(problem.source), jnp.asarray(problem.distortion)
    return jnp.where((p > 0)[:, None] | ~jnp.isnan(d), d, 0)


def terms(problem: Problem, slope: jax.Array, q: jax.Array) -> Terms:
    """All that a Newton step needs, differentiable in everything; slope inf keeps the pairs of least distortion."""
    p, d, low = jnp.asarray(problem.source), _masked(problem), least_of_rows(problem)
    allowed = jnp.isfinite(d)
    e = jnp.where(allowed, d, 0) - jnp.where(allowed, low[:, None], 0)
    finite = jnp.isfinite(slope)
    exponent = jnp.where(finite, jnp.where(finite, slope, 0) * e, jnp.where(e > 0, jnp.inf, 0))
    k = jnp.where(allowed, jnp.exp(-exponent), 0)
    z = k @ q
    # Only a letter of mass zero may be left without a reproduction.
    z = jnp.where(z > 0, z, jnp.finfo(z.dtype).tiny)
    w, ke = p / z, k * e
    mean = (ke @ q) / z
    return Terms(
        kernel=k,
        z=z,
        mean=mean,
        c=w @ k,
        c_slope=(w * mean) @ k - w @ ke,
        objective=-p @ jnp.log(z),
        excess=p @ mean,
        curvature=-p @ (((ke * e) @ q) / z - mean**2),
        offset=p @ low,
    )


def support_solver(
    problem: Problem, t: Terms, root: jax.Array, diagonal: jax.Array | float = 0.0, corrections: int = 0
) -> Callable:
    """V -> (diag(r) K' diag(p / z^2) K diag(r) + diag(t))^-1 V for columns V, shape (m, k).

    For r = sqrt(q) the spectrum of the first lies in [0, 1]. A direction that it leaves undetermined (dependent
    columns) is left alone.

    Args:
        problem: n x m.
        t: its `terms`.
        root: r, shape (m,), zero outside the support.
        diagonal: t, shape (m,).
        corrections: of a solution for the ridge; Newton's method needs none.
    """
    a = t.kernel * (jnp.sqrt(jnp.asarray(problem.source)) / t.z)[:, None] * root
    matrix = jnp.matmul(a.T, a, precision=jax.lax.Precision.HIGHEST) + jnp.diag(jnp.broadcast_to(diagonal, root.shape))
    ridge = _RIDGE * jnp.finfo(root.dtype).eps
    factor = jnp.linalg.cholesky(matrix + ridge * jnp.eye(root.size, dtype=root.dtype))

    def solve(v):
        x = jax.scipy.linalg.cho_solve((factor, True), v)
        for _ in range(corrections):
            x = x + jax.scipy.linalg.cho_solve((factor, True), v - matrix @ x)
        return x

    return solve


def missing(kind: str, t: Terms, slope: jax.Array, target: jax.Array) -> jax.Array:
    """The increase of the distortion that is still needed to meet the target; zero where the target is the slope."""
    if kind == "slope":
        return jnp.zeros_like(target)
    if kind == "distortion":
        return target - t.excess - t.offset
    return (t.objective - slope * t.excess - target) / slope  # I falls by s per unit of distortion


def response(
    kind: str, t: Terms, root: jax.Array, solve: Callable, rhs: jax.Array, growth: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """(dq, ds) with  G dq - c_s ds = rhs  on the support; ds = 0, or such that the distortion grows by `growth`.

    The system is quasi-definite: d2F/ds2 <= 0.
    """
    if kind == "slope":
        return root * solve((root * rhs)[:, None])[:, 0], jnp.zeros_like(growth)
    b = root * t.c_slope
    # One at a time: together, a reverse pass would treat v, which does not depend on the tangents, as linear in them.
    u, v = (solve(x[:, None])[:, 0] for x in (root * rhs, b))
    ds = (growth + b @ u) / (t.curvature - b @ v)
    return root * (u + v * ds), ds


class _State(NamedTuple):
    q: jax.Array
    slack: jax.Array
    slope: jax.Array
    mu: jax.Array  # q . slack / m
    step: jax.Array


def _longest(x: jax.Array, dx: jax.Array, keep: float) -> jax.Array:
    """The longest step <= 1 along dx that takes at most the share `keep` of any x."""
    falls = dx < 0
    return jnp.minimum(1, jnp.where(falls, -keep * x / jnp.where(falls, dx, -1), jnp.inf).min())


def _without_duplicates(problem: Problem, q: jax.Array) -> tuple[Problem, jax.Array]:
    """Equal reproductions as one: the first takes the mass of all, the others are forbidden."""
    d = _masked(problem)
    n, m = d.shape
    # A projection puts equal columns side by side.
    key = jnp.cos(jnp.arange(1, n + 1, dtype=d.dtype)) @ jnp.where(jnp.isfinite(d), d, 0)
    order = jnp.argsort(key)
    columns = d[:, order]
    idle = (jnp.asarray(problem.source) <= 0)[:, None]
    same = jnp.concatenate([jnp.zeros(1, bool), ((columns[:, 1:] == columns[:, :-1]) | idle).all(0)])
    mass = jax.ops.segment_sum(q[order], jnp.cumsum(~same) - 1, m)[jnp.cumsum(~same) - 1]
    q = jnp.zeros_like(q).at[order].set(jnp.where(same, 0, mass))
    second = jnp.zeros(m, bool).at[order].set(same)
    return Problem(problem.source, jnp.where(second, jnp.inf, d)), q


@partial(jax.jit, static_argnames="kind")
def optimum(kind: str, problem: Problem, target: jax.Array, q: jax.Array, slope: jax.Array) -> tuple:
    """Improve a solution to rounding: an interior point from where it stands, then Newton's method on its support.

    Args:
        kind: what is given: "slope", "distortion" or "rate" (static).
        problem: n x m.
        target: its value.
        q: a nearly optimal output pmf, shape (m,).
        slope: and its slope, > 0; only kind "slope" takes inf.

    Returns:
        q, zero outside the support, and the slope; NaN where the conditions of optimality are not met to rounding.
    """
    dtype, m = q.dtype, q.size
    eps = jnp.finfo(dtype).eps
    tiny = jnp.asarray(1e-40 if dtype == jnp.float64 else 1e-20, dtype)
    problem, q = _without_duplicates(problem, q)

    def newton(t, q, slope, rhs, diagonal):
        root = jnp.sqrt(q)
        solve = support_solver(problem, t, root, diagonal)
        return response(kind, t, root, solve, rhs, missing(kind, t, slope, target))

    def advance(state: _State) -> _State:
        q, slack, slope, mu, _ = state
        t = terms(problem, slope, q)
        centre = _CENTRING * mu / q
        dq, ds = newton(t, q, slope, t.c - 1 + centre, slack)
        dslack = centre - slack - slack / q * dq
        primal, dual = _longest(q, dq, 0.99), _longest(slack, dslack, 0.99)
        if kind != "slope":  # a step changes the slope by at most a half of it
            primal = jnp.where(primal * jnp.abs(ds) > slope / 2, slope / 2 / jnp.abs(ds), primal)
            slope = slope + primal * ds
        q, slack = jnp.maximum(q + primal * dq, tiny), jnp.maximum(slack + dual * dslack, tiny)
        return _State(q, slack, slope, q @ slack / m, state.step + 1)

    def unfinished(state: _State):  # false for NaN, which ends the iteration
        return (state.step < _ITERATIONS) & (state.mu > 1e-3 * eps**1.25)

    c = terms(problem, slope, q).c
    mu = jnp.clip(jnp.log(c.max()), 100 * eps, 1e-2) / m
    q = jnp.maximum(q, mu)
    slack = jnp.maximum(1 - c, mu / q)
    end = jax.lax.while_loop(unfinished, advance, _State(q, slack, slope, q @ slack / m, jnp.int32(0)))
    used = end.q > _USED * end.slack

    def polish(_, state):
        q, slope, _ = state
        t = terms(problem, slope, q)
        dq, ds = newton(t, q, slope, jnp.where(used, t.c - 1, 0), 0.0)
        change = jnp.sqrt(jnp.where(used, dq**2 / jnp.where(used, q, 1), 0).sum())
        if kind != "slope":
            change = change + jnp.abs(ds) / slope
            slope = slope + ds
        return q + _longest(q, dq, 0.9) * dq, slope, change

    start = jnp.where(used, end.q, 0), end.slope, jnp.asarray(jnp.inf, dtype)
    q, slope, change = jax.lax.fori_loop(0, _POLISH, polish, start)
    violation = (terms(problem, slope, q).c - 1).max()
    # In float32 a step of 4 sqrt(eps) still left derivatives off by .011 of their value.
    sound = (change <= 2 * eps**0.5) & (violation <= 100 * eps**0.75)
    return jnp.where(sound, q, jnp.nan), jnp.where(sound, slope, jnp.nan)

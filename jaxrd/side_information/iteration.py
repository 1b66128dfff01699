"""The alternating iteration for side information at the decoder, stopped by the certificate."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from jaxrd.side_information.problem import JointProblem
from jaxrd.side_information.terms import Columns, bound, certify, columns, terms
from jaxrd.solution import Solution, Status

_MAX_STEPS = 10_000
_POLISH = 20


def _floor(q: jax.Array) -> jax.Array:
    """q without zeros, as the logarithms need it."""
    return jnp.maximum(q, 1e-40 if q.dtype == jnp.float64 else 1e-18)


def ascend(at: Columns, q: jax.Array, aim: jax.Array, max_steps: int) -> tuple[jax.Array, jax.Array]:
    """q(t|s) <- p(t|s) until the gap is within `aim`; the best q met, and the steps.

    Args:
        at: the problem.
        q: shape (strategies, values).
        aim: nats.
        max_steps: the budget.
    """

    def unfinished(state: tuple) -> jax.Array:
        _, _, _, gap, step = state
        return (step < max_steps) & (gap > aim)  # false for NaN

    def update(state: tuple) -> tuple:
        q, t, best, best_gap, step = state
        q = _floor(q * t.c)
        q = q / q.sum(0)
        t = terms(at, q)
        gap = bound(at, q, t)
        better = gap < best_gap
        return q, t, jnp.where(better, q, best), jnp.where(better, gap, best_gap), step + 1

    t = terms(at, q)
    _, _, best, _, step = jax.lax.while_loop(unfinished, update, (q, t, q, bound(at, q, t), jnp.int32(0)))
    return best, step


def polish(at: Columns, q: jax.Array, aim: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`ascend` by a few steps: they share the mass of an unused strategy among the values as its c needs."""
    return ascend(at, q / q.sum(0), aim, _POLISH)


@partial(jax.jit, static_argnames="max_steps")
def iteration(problem: JointProblem, slope: jax.Array, tol: jax.Array, *, max_steps: int = _MAX_STEPS) -> Solution:
    """Solve one slope by q(t|s) <- p(t|s), under which F falls: for many strategies, and gaps of 1e-4 or so.

    Args:
        problem: as `as_inputs` gives it.
        slope: s >= 0, or inf.
        tol: nats, relative to max(1, |L|).
        max_steps: the budget (static).
    """
    problem, slope = jax.lax.stop_gradient((problem, slope))
    at = columns(problem, slope)
    count, k = at.exponent.shape[1], at.joint.shape[1]
    q, steps = ascend(at, jnp.full((count, k), 1 / count, slope.dtype), 0.5 * tol, max_steps)
    return certify(at, q, steps, tol, jnp.where(steps < max_steps, Status.STALLED, Status.MAX_STEPS))

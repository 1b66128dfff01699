"""The least expected loss of a program at unlimited rate, certified: the limit as the price of rate falls to zero.

    min E loss(X, J)  over channels from source letters x to atoms j, under the bounds of a program, has the dual
    max sum_x p_x min_j (loss_xj + e_xj) - lambda.bounds + sum_i (dual term of measure_i),

a linear program but for the divergences among the measures; any dual point bounds from below.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxrd._envelope import envelope, underivable
from jaxrd.rdc.perception.convex import minimise
from jaxrd.rdc.perception.least_rate import aim_of
from jaxrd.rdc.perception.program import (
    EXCEEDED,
    Dual,
    Prepared,
    Program,
    Slopes,
    begin,
    hopeless,
    nonnegative,
    prepare,
    rounding,
)
from jaxrd.rdc.perception.repair import Primal, repaired
from jaxrd.rdc.point import width
from jaxrd.solution import Status, has_converged


class LeastLoss(NamedTuple):
    """lower <= the least loss <= value; the upper bound holds where the channel meets its bounds (CONVERGED)."""

    value: jax.Array
    lower: jax.Array
    primal: Primal
    slopes: Slopes
    steps: jax.Array
    status: jax.Array

    @property
    def gap(self) -> jax.Array:
        """value - lower; 0 where infeasible."""
        return width(self.value, self.lower)

    @property
    def converged(self) -> jax.Array:
        """Whether the gap is within the tolerance and the channel meets its bounds."""
        return has_converged(self.status)


@jax.jit
def least_loss(program: Program, loss: jax.Array, tol: jax.Array) -> LeastLoss:
    """Solve min E loss under the bounds of a program with one decoder, whose letters are the atoms.

    The value is differentiable in program and loss, once (envelope theorem); all other derivatives are NaN.

    Args:
        program: see `jaxrd.rdc.perception.program`.
        loss: finite, shape (n, m).
        tol: certified gap, relative to the loss's range, that counts as CONVERGED.
    """
    given = program, loss
    program, loss, tol = jax.lax.stop_gradient((program, loss, tol))
    ready, (above, scale) = prepare(program), _above(loss)
    p = program.source

    def cheapest(dual: Dual) -> jax.Array:
        return (above + ready.excess(dual)).min(1)

    def lower_bound(dual: Dual) -> jax.Array:
        dual = nonnegative(dual)
        dual = dual._replace(shift=cheapest(dual))
        return ready.value(dual, True) - rounding(ready, dual)

    start = begin(ready)
    flat, unravel = ravel_pytree(start._replace(shift=cheapest(start) - 1))
    minimum = minimise(
        lambda x: -ready.value(unravel(x), False),
        lambda x: _constraints(ready, above, unravel(x)),
        lambda x: lower_bound(unravel(x)),
        flat,
        pairs=lambda x: [pairs for pairs in ready.pairs(unravel(x)) if pairs is not None],
        ceiling=1 + 1e-3 * tol,  # no scaled loss exceeds 1
        aim=aim_of(p.dtype),
    )
    dual, pairs = unravel(minimum.x), above.size
    joint = minimum.multipliers[:pairs].reshape(above.shape)
    total = joint.sum(1, keepdims=True)
    channel = jnp.where(total > 0, joint / jnp.where(total > 0, total, 1), 1 / above.shape[1])
    primal = repaired(
        ready, channel, ready.couplings(dual, minimum.multipliers[_constraints(ready, above, dual).size :])
    )
    lower = jnp.maximum(lower_bound(unravel(minimum.highest)), 0)
    reached = (p[:, None] * (primal.channel @ primal.moves[0]) * above).sum()
    impossible = (lower > 1 + 1e-3 * tol) | hopeless(ready)
    good = (reached - lower <= tol) & (primal.exceeded <= EXCEEDED)
    status = jnp.where(good, Status.CONVERGED, Status.STALLED)
    status = jnp.where(jnp.isfinite(reached) & jnp.isfinite(lower), status, Status.NONFINITE)
    least = p @ loss.min(1)
    solved = LeastLoss(
        jnp.where(impossible, jnp.inf, least + scale * reached),
        jnp.where(impossible, jnp.inf, least + scale * lower),
        primal,
        ready.slopes(dual),
        minimum.steps,
        jnp.where(impossible, Status.INFEASIBLE, status).astype(jnp.int32),
    )
    solved, optimum = underivable(given, (solved, (dual, minimum.multipliers)))
    value = envelope(_lagrangian, given, optimum, least + scale * reached)
    return solved._replace(value=jnp.where(impossible, jnp.inf, value))


def _above(loss: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The loss beyond the least of each row, over its largest, and that."""
    above = loss - loss.min(1, keepdims=True)
    scale = jnp.where(above.max() > 0, above.max(), 1)
    return above / scale, scale


def _constraints(ready: Prepared, above: jax.Array, dual: Dual) -> jax.Array:
    pairs = dual.shift[:, None] - above - ready.excess(dual)
    return jnp.concatenate([pairs.ravel(), *ready.constraints(dual)])


def _lagrangian(given: tuple[Program, jax.Array], optimum: tuple[Dual, jax.Array]) -> jax.Array:
    (program, loss), (dual, multipliers) = given, optimum
    ready, (above, scale) = prepare(program), _above(loss)
    value = ready.value(dual, False) - multipliers @ _constraints(ready, above, dual)
    return program.source @ loss.min(1) + scale * value

"""The least rate of a program, certified: `convex.minimise` on its dual, a bound from below, a channel from above."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxrd._envelope import envelope, underivable
from jaxrd.information import entropy, mutual_information
from jaxrd.rdc.perception.convex import minimise
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


class LeastRate(NamedTuple):
    """lower <= R(bounds) <= rate, nats; the upper bound holds where the channel meets its bounds (CONVERGED)."""

    rate: jax.Array
    lower: jax.Array
    primal: Primal
    slopes: Slopes
    dual: Dual
    steps: jax.Array
    status: jax.Array
    multipliers: jax.Array  # of the constraints: those of `held`, then the pairs

    @property
    def gap(self) -> jax.Array:
        """rate - lower, nats; 0 where infeasible."""
        return width(self.rate, self.lower)

    @property
    def converged(self) -> jax.Array:
        """Whether the gap is within the tolerance and the channel meets its bounds."""
        return has_converged(self.status)


def _lower_bound(ready: Prepared, dual: Dual) -> jax.Array:
    """The bound on the rate that any dual point gives, less its rounding."""
    dual = nonnegative(dual)
    return ready.value(dual, True) - ready.atoms(dual).max() - rounding(ready, dual)


def aim_of(dtype: jnp.dtype) -> float:
    """The complementarity at which an iteration may stop: near the rounding of its sums."""
    return 1e-14 if dtype == jnp.float64 else 1e-6


@jax.jit
def least_rate(program: Program, tol: jax.Array) -> LeastRate:
    """Solve a program, min I(X; J) under its bounds.

    The rate is differentiable in the program, once (envelope theorem); all other derivatives are NaN.

    Args:
        program: see `jaxrd.rdc.perception.program`.
        tol: certified gap, nats, relative to max(1, R), that counts as CONVERGED.
    """
    ready = prepare(jax.lax.stop_gradient(program))
    p = ready.program.source
    start = begin(ready)
    start = start._replace(shift=start.shift - ready.atoms(start).max() - 1)
    flat, unravel = ravel_pytree(start)

    minimum = minimise(
        lambda x: -ready.value(unravel(x), False),
        lambda x: held(ready, unravel(x)),
        lambda x: _lower_bound(ready, unravel(x)),
        flat,
        derivatives=lambda x, r: derivatives(ready, unravel, x, r),
        pairs=lambda x: [pairs for pairs in ready.pairs(unravel(x)) if pairs is not None],
        ceiling=entropy(p) + 1e-3 * tol,  # nothing needs more than the source's entropy
        aim=aim_of(p.dtype),
    )
    dual = unravel(minimum.x)
    lower = jnp.maximum(_lower_bound(ready, unravel(minimum.highest)), 0)
    atoms = ready.program.costs.shape[2]
    channel = jax.nn.softmax(jnp.log(minimum.multipliers[:atoms]) - ready.excess(dual), axis=1)
    primal = repaired(ready, channel, ready.couplings(dual, minimum.multipliers[held(ready, dual).size :]))

    rate = mutual_information(p, primal.channel)
    impossible = (lower > entropy(p) + 1e-3 * tol) | hopeless(ready)
    good = (rate - lower <= tol * jnp.maximum(1, rate)) & (primal.exceeded <= EXCEEDED)
    status = jnp.where(good, Status.CONVERGED, Status.STALLED)
    status = jnp.where(jnp.isfinite(rate) & jnp.isfinite(lower), status, Status.NONFINITE)
    solved = LeastRate(
        rate,
        jnp.where(impossible, jnp.inf, lower),
        primal,
        ready.slopes(dual),
        dual,
        minimum.steps,
        jnp.where(impossible, Status.INFEASIBLE, status).astype(jnp.int32),
        minimum.multipliers,
    )
    solved = underivable(program, solved)
    rate = envelope(_lagrangian, program, (solved.dual, solved.multipliers), rate)
    return solved._replace(rate=jnp.where(impossible, jnp.inf, rate))


def held(prepared: Prepared, dual: Dual) -> jax.Array:
    """What must be <= 0 but for the pairs: atoms first."""
    return jnp.concatenate([prepared.atoms(dual), *prepared.constraints(dual)])


def derivatives(
    ready: Prepared, unravel: Callable[[jax.Array], Dual], x: jax.Array, r: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Jacobian of the constraints and Hessian of the Lagrangian: those of the atoms from the weights of their terms."""
    dual, p = unravel(x), ready.program.source
    atoms = ready.program.costs.shape[2]
    places = ready.layout(unravel(jnp.arange(x.size, dtype=x.dtype))).places()
    terms = p[:, None] * jnp.exp(dual.shift[:, None] - ready.excess(dual) - ready.atoms(dual))

    def others(x: jax.Array) -> jax.Array:
        return jnp.concatenate(ready.constraints(unravel(x)))

    def lagrangian(x: jax.Array) -> jax.Array:
        return r[atoms:] @ others(x) - ready.value(unravel(x), False)

    slopes = places.jacobian(terms, x.size)
    curvature = places.gram(r[:atoms] * terms, x.size) - slopes.T @ (r[:atoms, None] * slopes)
    return jnp.concatenate([slopes, jax.jacfwd(others)(x)]), curvature + jax.hessian(lagrangian)(x)


def _lagrangian(program: Program, optimum: tuple[Dual, jax.Array]) -> jax.Array:
    prepared, (dual, multipliers) = prepare(program), optimum
    pairs = [pairs.value().ravel() for pairs in prepared.pairs(dual) if pairs is not None]
    return prepared.value(dual, False) - multipliers @ jnp.concatenate([held(prepared, dual), *pairs])

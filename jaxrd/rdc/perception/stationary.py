"""Newton's method on the optimality conditions of the lifted R(D, P, C), soft labels among the unknowns.

Where the rate is within eps of the optimum, soft labels and multipliers are within about sqrt(eps) of theirs, so that
column generation ends with derivatives of 1e-5 at a gap of 1e-9. Near the optimum the Lagrangian

    L(y, r, theta) = value(y) - r . constraints(y, theta),    soft labels t ~ t0 exp(theta)

is stationary in the dual variables y, in the multipliers r of the active constraints, which hold the atoms' weights,
and in theta: a few steps of Newton's method find that point to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxrd.rdc.perception.least_rate import held
from jaxrd.rdc.perception.program import Dual, Prepared, Program, prepare

_STEPS = 20
_EXACT = 1e-14  # error of the conditions at which to stop
_ROUNDING = 1e-9  # below it, a step that does not halve the error ends the search
_ERROR = 1e-10  # error of the conditions that counts as none
_LONGEST = 1.0  # largest change of theta in one step
_AT_ONCE = 64  # rows of the Hessian
_DEPENDENT = 1e-12  # relative size of a singular value that counts as zero: a condition that others imply


class Stationary(NamedTuple):
    """A point where the optimality conditions hold."""

    dual: Dual  # the multipliers of the atoms' costs not scaled
    multipliers: np.ndarray  # of all constraints, the atoms' weights first
    soft: tuple[np.ndarray, ...]  # each (atoms, classes_k)


class _Variables(NamedTuple):
    dual: Dual
    multipliers: jax.Array
    turns: tuple[jax.Array, ...]  # theta, each (atoms, classes_k)


def stationary(
    program: Program, labels: Sequence[np.ndarray], soft: Sequence[np.ndarray], dual: Dual, multipliers: np.ndarray
) -> Stationary | None:
    """The stationary point near a solution; None where Newton's method finds none.

    Args:
        program: its costs are those of the soft labels, one for each label.
        labels: P(S_k|x), each of shape (n, classes_k).
        soft: t_k of each atom, (atoms, classes_k).
        dual: near the optimum, the multipliers of the atoms' costs not scaled.
        multipliers: of the constraints of `held` and of the pairs; an atom of weight zero takes no part. Constraints
            whose multipliers become negative are dropped.
    """
    ready = prepare(program)
    given = ready, tuple(map(jnp.asarray, labels)), tuple(map(jnp.asarray, soft))
    dual = dual._replace(multipliers=dual.multipliers * ready.shared.scale)
    here = _Variables(dual, jnp.asarray(multipliers), tuple(map(jnp.zeros_like, given[2])))
    z, unravel = ravel_pytree(here)
    z, before, error = np.array(z), np.inf, np.inf
    atoms, size = program.costs.shape[2], multipliers.size
    first = z.size - size - sum(t.size for t in soft)
    r = slice(first, first + size)
    slack = -np.asarray(_constraints(*given, unravel(jnp.asarray(z))))
    z[r] = np.where(np.arange(size) < atoms, z[r], np.where(z[r] > slack, z[r], 0))
    moving = [(t > 0) & (np.ptp(t, 1) < 1)[:, None] for t in soft]
    for _ in range(_STEPS):
        for_turns = [(m & (z[r][:atoms] > 0)[:, None]).ravel() for m in moving]
        active = np.concatenate([np.ones(first, bool), z[r] > 0, *for_turns])
        slope, curvature = map(np.asarray, _derivatives(*given, unravel(jnp.asarray(z))))
        slope, curvature = slope[active], curvature[np.ix_(active, active)]
        error = np.abs(slope).max()
        if not np.isfinite(error) or not np.isfinite(curvature).all():
            return None
        if error < _EXACT or before / 2 < error < _ROUNDING:
            break
        before = error
        largest = np.abs(curvature).max(1)
        scale = 1 / np.sqrt(np.where(largest > 0, largest, 1))
        scaled = curvature * scale[:, None] * scale
        step = np.zeros_like(z)
        step[active] = -scale * np.linalg.lstsq(scaled, scale * slope, _DEPENDENT)[0]
        z += step * (_LONGEST / max(np.abs(step[r.stop :]).max(initial=0), _LONGEST))
        z[r] = np.maximum(z[r], 0)
    end = unravel(jnp.asarray(z))
    exceeded = np.asarray(_constraints(*given, end))[atoms:].max(initial=0)
    if error > _ERROR or exceeded > _ERROR:
        return None
    dual = end.dual._replace(multipliers=end.dual.multipliers / ready.shared.scale)
    return Stationary(dual, z[r], tuple(np.asarray(a) for a in _turned(given[2], end.turns)))


def _turned(soft: Sequence[jax.Array], turns: Sequence[jax.Array]) -> list[jax.Array]:
    weighted = [t * jnp.exp(theta) for t, theta in zip(soft, turns, strict=True)]
    return [t / t.sum(1, keepdims=True) for t in weighted]


def _at(
    ready: Prepared, labels: Sequence[jax.Array], soft: Sequence[jax.Array], turns: Sequence[jax.Array]
) -> Prepared:
    """The program with its soft labels turned: KL(P(S|x) || t) changes by ln E exp(theta) - E[theta|x]."""
    if not labels:
        return ready
    change = jnp.stack(
        [
            jnp.log((t * jnp.exp(theta)).sum(1)) - rows @ theta.T
            for rows, t, theta in zip(labels, soft, turns, strict=True)
        ]
    )
    shared = ready.shared
    return ready._replace(shared=shared._replace(costs=shared.costs + change / shared.scale[:, None, None]))


@jax.jit
def _constraints(ready: Prepared, labels: Sequence[jax.Array], soft: Sequence[jax.Array], at: _Variables) -> jax.Array:
    """Those of `held`, then the pairs."""
    ready = _at(ready, labels, soft, at.turns)
    pairs = [pairs.value().ravel() for pairs in ready.pairs(at.dual) if pairs is not None]
    return jnp.concatenate([held(ready, at.dual), *pairs])


@jax.jit
def _derivatives(
    ready: Prepared, labels: Sequence[jax.Array], soft: Sequence[jax.Array], at: _Variables
) -> tuple[jax.Array, jax.Array]:
    """Gradient and Hessian of the Lagrangian in all variables, as one vector."""
    flat, unravel = ravel_pytree(at)

    def lagrangian(flat: jax.Array) -> jax.Array:
        at = unravel(flat)
        return ready.value(at.dual, False) - at.multipliers @ _constraints(ready, labels, soft, at)

    slope = jax.grad(lagrangian)

    def product(along: jax.Array) -> jax.Array:
        return jax.jvp(slope, (flat,), (along,))[1]

    # Not all at once: memory for many letters.
    return slope(flat), jax.lax.map(product, jnp.eye(flat.size, dtype=flat.dtype), batch_size=_AT_ONCE)

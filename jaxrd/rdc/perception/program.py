"""The convex program behind every R(D, P, C): mutual information under linear costs and perception bounds.

    min I(X; J)  over channels from source letters x to atoms j,  subject to
        E costs_k(X, J) <= bound_k,  and for each decoder i, which turns atom j into the letter a_i(j),
        E costs_ik(X, a_i(J)) <= bound_ik,   measure_i(p, law of a_i(J)) <= P_i.

With u_x free, multipliers lambda and potentials psi_i on the letters of decoder i, its dual is

    max  sum_x p_x u_x - lambda.bounds + sum_i (dual term of measure_i)
    subject to  ln sum_x p_x exp(u_x - e_xj) <= 0 for each atom,  e = lambda.costs + sum_i psi_i(a_i(j)),

smooth and of dimension n + a few m: `convex.minimise` solves it, and the multipliers of the constraints are the atoms'
probabilities. Any dual point, shifted until it is feasible, bounds the rate from below; the channel, moved until it
meets the bounds, from above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrd.pytree import register
from jaxrd.rdc.perception.measures import PROHIBITIVE, Wasserstein
from jaxrd.rdc.perception.pairs import Pairs
from jaxrd.rdc.perception.relaxed import relaxed

EXCEEDED = 1e-10
"""The excess of a cost over its bound, relative to its range, that counts as rounding."""


@register
@dataclass(frozen=True)
class Decoder:
    """One decoder of the atoms, its costs and its perception constraint.

    Args:
        letter: the letter a(j) of each atom, int, shape (atoms,).
        costs: finite, shape (k, n, m).
        bounds: on their expectations, shape (k,); +inf for none.
        measure: of `jaxrd.rdc.perception.measures`, or None.
        perception: the bound on the measure, shape (); +inf for none.
        reference: the pmf that the measure compares the letters' law with.
    """

    letter: jax.Array
    costs: jax.Array
    bounds: jax.Array
    measure: Any
    perception: jax.Array
    reference: jax.Array


@register
@dataclass(frozen=True)
class Program:
    """A source, atoms, costs of the atoms themselves, and decoders.

    Args:
        source: p, shape (n,), sums to one.
        costs: of the atoms, shape (k, n, atoms); +inf forbids a pair; k may be 0.
        bounds: shape (k,); +inf for none.
        decoders: one or more.
    """

    source: jax.Array
    costs: jax.Array
    bounds: jax.Array
    decoders: tuple[Decoder, ...]


class Dual(NamedTuple):
    """Dual variables; multipliers in units of the scaled costs."""

    shift: jax.Array  # u, (n,)
    multipliers: jax.Array  # of the atoms' costs
    decoders: tuple[tuple[jax.Array, Any], ...]  # multipliers of its costs, dual variables of its measure


class Slopes(NamedTuple):
    """-dR/d bound: of the atoms' costs, of each decoder's costs, of its measure."""

    costs: jax.Array
    decoders: tuple[jax.Array, ...]
    perceptions: tuple[jax.Array, ...]


class _Scaled(NamedTuple):
    """Costs between 0 and 1, each row's least 0, and their bounds; a bound of 1 constrains nothing."""

    costs: jax.Array
    bounds: jax.Array
    scale: jax.Array


def _scaled(source: jax.Array, costs: jax.Array, bounds: jax.Array) -> _Scaled:
    least = costs.min(2, keepdims=True)
    above = jnp.where(jnp.isinf(costs), 0, costs - least)
    scale = above.max((1, 2))
    scale = jnp.where(scale > 0, scale, 1)
    return _Scaled(above / scale[:, None, None], jnp.minimum((bounds - least[..., 0] @ source) / scale, 1), scale)


class Prepared(NamedTuple):
    """A program with its costs scaled, as the iteration sees it."""

    program: Program
    shared: _Scaled
    each: tuple[_Scaled, ...]
    perceptions: tuple[jax.Array | None, ...]  # bounds, +inf replaced by one that constrains nothing
    barred: jax.Array  # (n, atoms): prohibitive on forbidden pairs, else 0

    def excess(self, dual: Dual) -> jax.Array:
        """e, shape (n, atoms)."""
        total = self.barred + jnp.tensordot(dual.multipliers, self.shared.costs, 1)
        for decoder, scaled, (multipliers, inner) in zip(self.program.decoders, self.each, dual.decoders, strict=True):
            on_letters = jnp.tensordot(multipliers, scaled.costs, 1)
            if decoder.measure is not None:
                on_letters = on_letters + decoder.measure.potential(inner, decoder.reference)
            total = total + on_letters[:, decoder.letter]
        return total

    def atoms(self, dual: Dual) -> jax.Array:
        """ln sum_x p_x exp(u_x - e_xj), shape (atoms,)."""
        p = self.program.source
        exponents = dual.shift[:, None] - self.excess(dual)
        top = jax.lax.stop_gradient(exponents.max(0))
        return top + jnp.log(p @ jnp.exp(exponents - top))

    def value(self, dual: Dual, certified: bool) -> jax.Array:
        """The dual objective; certified: at potentials that need not meet the measures' own constraints."""
        p = self.program.source

        def allowed(bounds):
            return bounds if certified else relaxed(bounds)

        total = p @ dual.shift - dual.multipliers @ allowed(self.shared.bounds)
        for decoder, scaled, bound, (multipliers, inner) in zip(
            self.program.decoders, self.each, self.perceptions, dual.decoders, strict=True
        ):
            total = total - multipliers @ allowed(scaled.bounds)
            if decoder.measure is not None:
                term = decoder.measure.certified if certified else decoder.measure.term
                total = total + term(inner, decoder.reference, bound)
        return total

    def constraints(self, dual: Dual) -> list[jax.Array]:
        """What must be <= 0 beside atoms and pairs: multipliers, then those of each decoder and of its measure."""
        parts = [-dual.multipliers]
        for decoder, (multipliers, inner) in zip(self.program.decoders, dual.decoders, strict=True):
            inside = jnp.zeros(0) if decoder.measure is None else decoder.measure.constraints(inner)
            parts += [-multipliers, inside.astype(multipliers.dtype)]
        return parts

    def layout(self, dual: Dual) -> Pairs:
        """u_x - e_xj but for `barred` and what the potentials are prohibitive by: the variables that it depends on."""
        multipliers, costs, potentials = [dual.multipliers], [self.shared.costs], []
        for decoder, scaled, (own, inner) in zip(self.program.decoders, self.each, dual.decoders, strict=True):
            multipliers.append(own)
            costs.append(scaled.costs[:, :, decoder.letter])
            if decoder.measure is not None:
                potentials.append(inner["potential"][decoder.letter])
        return Pairs(dual.shift, tuple(potentials), jnp.concatenate(multipliers), jnp.concatenate(costs), -1.0)

    def pairs(self, dual: Dual) -> list[Pairs | None]:
        """What must be <= 0 for each pair of letters of a decoder, where it has a transport cost."""
        return [
            d.measure.pairs(inner) if isinstance(d.measure, Wasserstein) else None
            for d, (_, inner) in zip(self.program.decoders, dual.decoders, strict=True)
        ]

    def couplings(self, dual: Dual, multipliers: jax.Array) -> list[jax.Array | None]:
        """The multipliers of each decoder's pairs, from those of all `pairs`."""
        ends, parts = 0, []
        for pairs in self.pairs(dual):
            shape = (0, 0) if pairs is None else pairs.costs.shape[1:]
            size = shape[0] * shape[1]
            parts.append(None if pairs is None else multipliers[ends : ends + size].reshape(shape))
            ends += size
        return parts

    def slopes(self, dual: Dual) -> Slopes:
        """-dR/d of every bound, in the units given."""
        each = tuple(m / s.scale for (m, _), s in zip(dual.decoders, self.each, strict=True))
        perceptions = tuple(
            jnp.zeros(()) if d.measure is None else d.measure.slope(inner)
            for d, (_, inner) in zip(self.program.decoders, dual.decoders, strict=True)
        )
        return Slopes(dual.multipliers / self.shared.scale, each, perceptions)


def prepare(program: Program) -> Prepared:
    """Scale the costs and replace infinite bounds."""
    perceptions = tuple(
        None if d.measure is None else jnp.minimum(d.perception, d.measure.largest(d.reference))
        for d in program.decoders
    )
    each = tuple(_scaled(program.source, d.costs, d.bounds) for d in program.decoders)
    shared = _scaled(program.source, program.costs, program.bounds)
    barred = jnp.where(jnp.isinf(program.costs).any(0), PROHIBITIVE, 0).astype(program.source.dtype)
    return Prepared(program, shared, each, perceptions, barred)


def begin(ready: Prepared) -> Dual:
    """A dual point strictly inside the constraints on multipliers and measures; its shift is left at zero."""
    decoders = tuple(
        (jnp.ones_like(d.bounds), None if d.measure is None else d.measure.start(d.reference))
        for d in ready.program.decoders
    )
    return Dual(jnp.zeros_like(ready.program.source), jnp.ones_like(ready.program.bounds), decoders)


def nonnegative(dual: Dual) -> Dual:
    """The dual point with its multipliers made >= 0."""
    return dual._replace(
        multipliers=jnp.maximum(dual.multipliers, 0),
        decoders=tuple((jnp.maximum(multipliers, 0), inner) for multipliers, inner in dual.decoders),
    )


def rounding(ready: Prepared, dual: Dual) -> jax.Array:
    """The rounding error that the sums behind a bound may have."""
    p = ready.program.source
    terms = jnp.abs(dual.multipliers @ ready.shared.bounds) + p @ jnp.abs(dual.shift)
    for scaled, (multipliers, _) in zip(ready.each, dual.decoders, strict=True):
        terms = terms + jnp.abs(multipliers @ scaled.bounds)
    return 16 * jnp.finfo(p.dtype).eps * (1 + terms)


def hopeless(ready: Prepared) -> jax.Array:
    """Whether a bound lies below each letter's least cost."""
    return (jnp.concatenate([ready.shared.bounds, *(each.bounds for each in ready.each)]) < -EXCEEDED).any()

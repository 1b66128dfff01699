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

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.scipy.special import logsumexp

from jaxrd.information import entropy, mutual_information
from jaxrd.rdc.convex import minimise
from jaxrd.rdc.measures import RELAXED, move
from jaxrd.solution import Status

EXCEEDED = 1e-10
"""What a cost may exceed its bound by, relative to its range, and count as rounding."""
REPAIRS = 1


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Decoder:
    """One decoder of the atoms, its costs and its perception constraint.

    Args:
        letter: the letter a(j) of each atom, int, shape (atoms,).
        costs: finite, shape (k, n, m).
        bounds: on their expectations, shape (k,); +inf for none.
        measure: of `jaxrd.rdc.measures`, or None.
        perception: the bound on the measure, shape (); +inf for none.
    """

    letter: jax.Array
    costs: jax.Array
    bounds: jax.Array
    measure: Any
    perception: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Program:
    """A source, atoms, costs of the atoms themselves, and decoders.

    Args:
        source: p, shape (n,), sums to one.
        costs: of the atoms, finite, shape (k, n, atoms); k may be 0.
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


class Certified(NamedTuple):
    """rate - gap <= R(bounds) <= rate, nats, wherever the costs meet the bounds."""

    rate: jax.Array
    gap: jax.Array
    channel: jax.Array
    """Shape (n, atoms)."""
    moves: tuple[jax.Array, ...]
    """What each decoder does to its letter, shape (m, m): the identity but for rounding, or for a bound of zero."""
    costs: jax.Array
    """Expectations of the atoms' costs."""
    decoder_costs: tuple[jax.Array, ...]
    perceptions: tuple[jax.Array, ...]
    slopes: jax.Array
    """-dR/d bound of the atoms' costs."""
    decoder_slopes: tuple[jax.Array, ...]
    perception_slopes: tuple[jax.Array, ...]
    exceeded: jax.Array
    """The largest excess over a bound, relative to its cost's range."""
    dual: Dual
    steps: jax.Array
    status: jax.Array


class _Scaled(NamedTuple):
    """Costs between 0 and 1, each row's least 0, and their bounds; a bound of 1 constrains nothing."""

    costs: jax.Array
    bounds: jax.Array
    scale: jax.Array


def _scaled(source: jax.Array, costs: jax.Array, bounds: jax.Array) -> _Scaled:
    least = costs.min(2, keepdims=True)
    above = costs - least
    scale = above.max((1, 2))
    scale = jnp.where(scale > 0, scale, 1)
    return _Scaled(above / scale[:, None, None], jnp.minimum((bounds - least[..., 0] @ source) / scale, 1), scale)


class _Prepared(NamedTuple):
    """A program with its costs scaled, as the iteration sees it."""

    program: Program
    shared: _Scaled
    each: tuple[_Scaled, ...]
    perceptions: tuple[jax.Array | None, ...]  # bounds, +inf replaced by one that constrains nothing

    def excess(self, dual: Dual) -> jax.Array:
        """e, shape (n, atoms)."""
        total = jnp.tensordot(dual.multipliers, self.shared.costs, 1)
        for decoder, scaled, (multipliers, inner) in zip(self.program.decoders, self.each, dual.decoders, strict=True):
            on_letters = jnp.tensordot(multipliers, scaled.costs, 1)
            if decoder.measure is not None:
                on_letters = on_letters + decoder.measure.potential(inner, self.program.source)
            total = total + on_letters[:, decoder.letter]
        return total

    def atoms(self, dual: Dual) -> jax.Array:
        """ln sum_x p_x exp(u_x - e_xj), shape (atoms,)."""
        p = self.program.source
        log_source = jnp.where(p > 0, jnp.log(jnp.where(p > 0, p, 1)), -jnp.inf)
        return logsumexp((log_source + dual.shift)[:, None] - self.excess(dual), axis=0)

    def value(self, dual: Dual, certified: bool) -> jax.Array:
        """The dual objective; certified: at potentials that need not meet the measures' own constraints."""
        p = self.program.source

        def allowed(bounds):
            return bounds if certified else jnp.maximum(bounds, RELAXED)

        total = p @ dual.shift - dual.multipliers @ allowed(self.shared.bounds)
        for decoder, scaled, bound, (multipliers, inner) in zip(
            self.program.decoders, self.each, self.perceptions, dual.decoders, strict=True
        ):
            total = total - multipliers @ allowed(scaled.bounds)
            if decoder.measure is not None:
                term = decoder.measure.certified if certified else decoder.measure.term
                total = total + term(inner, p, bound)
        return total

    def constraints(self, dual: Dual) -> list[jax.Array]:
        """What must be <= 0: of the atoms, of their multipliers, then of each decoder's multipliers and measure."""
        found = [self.atoms(dual), -dual.multipliers]
        for decoder, (multipliers, inner) in zip(self.program.decoders, dual.decoders, strict=True):
            found += [-multipliers] + ([] if decoder.measure is None else [decoder.measure.constraints(inner)])
        return found


def _prepare(program: Program) -> _Prepared:
    p = program.source
    perceptions = tuple(
        None if d.measure is None else jnp.minimum(d.perception, d.measure.largest(p)) for d in program.decoders
    )
    each = tuple(_scaled(p, d.costs, d.bounds) for d in program.decoders)
    return _Prepared(program, _scaled(p, program.costs, program.bounds), each, perceptions)


def _start(ready: _Prepared) -> Dual:
    """A dual point strictly inside all constraints."""
    program, p = ready.program, ready.program.source
    decoders = tuple(
        (jnp.ones_like(d.bounds), None if d.measure is None else d.measure.start(p)) for d in program.decoders
    )
    dual = Dual(jnp.zeros_like(p), jnp.ones_like(program.bounds), decoders)
    return dual._replace(shift=dual.shift - ready.atoms(dual).max() - 1)


def _lower(ready: _Prepared, dual: Dual) -> jax.Array:
    """The bound that any dual point gives, less the rounding of its sums."""
    dual = dual._replace(
        multipliers=jnp.maximum(dual.multipliers, 0),
        decoders=tuple((jnp.maximum(multipliers, 0), inner) for multipliers, inner in dual.decoders),
    )
    p = ready.program.source
    terms = jnp.abs(dual.multipliers @ ready.shared.bounds) + p @ jnp.abs(dual.shift)
    for scaled, (multipliers, _) in zip(ready.each, dual.decoders, strict=True):
        terms = terms + jnp.abs(multipliers @ scaled.bounds)
    noise = 16 * jnp.finfo(p.dtype).eps * (1 + terms)
    return ready.value(dual, True) - ready.atoms(dual).max() - noise


class _Primal(NamedTuple):
    channel: jax.Array
    moves: tuple[jax.Array, ...]
    costs: jax.Array
    decoder_costs: tuple[jax.Array, ...]
    perceptions: tuple[jax.Array, ...]
    exceeded: jax.Array


def _primal(ready: _Prepared, channel: jax.Array, couplings: list[jax.Array]) -> _Primal:
    """What a channel costs once every decoder has been moved to meet its perception bound."""
    program, p = ready.program, ready.program.source
    joint = p[:, None] * channel
    moves, decoder_costs, perceptions, over = [], [], [], [jnp.zeros(1, p.dtype)]
    for decoder, scaled, bound, coupling in zip(
        program.decoders, ready.each, ready.perceptions, couplings, strict=True
    ):
        letters = decoder.costs.shape[2]
        on_letters = joint @ jax.nn.one_hot(decoder.letter, letters, dtype=p.dtype)
        turn = jnp.eye(letters, dtype=p.dtype)
        perception = jnp.zeros((), p.dtype)
        if decoder.measure is not None:
            law = on_letters.sum(0)
            met, perception = decoder.measure.meet(p, law, bound, coupling)
            turn = move(law, met)
            over.append((perception - bound)[None] / decoder.measure.largest(p))
        spent = jnp.einsum("xy,kxy->k", on_letters @ turn, decoder.costs)
        over.append((spent - decoder.bounds) / scaled.scale)
        moves.append(turn)
        decoder_costs.append(spent)
        perceptions.append(perception)
    spent = jnp.einsum("xj,kxj->k", joint, program.costs)
    over.append((spent - program.bounds) / ready.shared.scale)
    return _Primal(channel, tuple(moves), spent, tuple(decoder_costs), tuple(perceptions), jnp.concatenate(over).max())


def _repaired(ready: _Prepared, channel: jax.Array, couplings: list[jax.Array]) -> _Primal:
    """The channel, mixed with the one of least costs as far as its costs exceed their bounds; once is not enough.

    What a decoder changes to meet its perception bound comes at a cost, and depends on the mixture.
    """
    for _ in range(REPAIRS):
        channel = _less_costly(ready, channel, couplings)
    return _primal(ready, channel, couplings)


def _less_costly(ready: _Prepared, channel: jax.Array, couplings: list[jax.Array]) -> jax.Array:
    program = ready.program
    first, letters = _primal(ready, channel, couplings), [d.letter for d in program.decoders]
    total = ready.shared.costs.sum(0) + sum(
        scaled.costs.sum(0)[:, letter] for scaled, letter in zip(ready.each, letters, strict=True)
    )
    cheapest = jax.nn.one_hot(total.argmin(1), channel.shape[1], dtype=channel.dtype)
    least = _primal(ready, cheapest, couplings)
    share = jnp.zeros((), channel.dtype)
    spent = zip(
        (first.costs, *first.decoder_costs), (least.costs, *least.decoder_costs),
        (program.bounds, *(d.bounds for d in program.decoders)), strict=True,
    )  # fmt: skip
    for now, then, bound in spent:
        over = (now > bound) & (now > then)
        needed = jnp.where(over, (now - bound) / jnp.where(over, now - then, 1), 0)
        share = jnp.maximum(share, needed.max(initial=0))
    share = jnp.minimum(share, 1)
    return (1 - share) * channel + share * cheapest


@jax.jit
def solve_program(program: Program, tol: jax.Array) -> Certified:
    """Solve a program; see the module. The rate is differentiable (envelope theorem), the rest is constant."""
    ready = _prepare(jax.lax.stop_gradient(program))
    p = ready.program.source
    flat, unravel = ravel_pytree(_start(ready))
    found = minimise(
        lambda x: -ready.value(unravel(x), False),
        lambda x: jnp.concatenate(ready.constraints(unravel(x))),
        lambda x: _lower(ready, unravel(x)),
        flat,
        ceiling=entropy(p) + 1e-3 * tol,
        aim=1e-14 if p.dtype == jnp.float64 else 1e-6,
    )
    dual = unravel(found.x)
    lower = jnp.maximum(_lower(ready, unravel(found.highest)), 0)

    of_constraints = iter(jnp.split(found.multipliers, _ends(ready.constraints(dual))))
    log_atoms, _ = jnp.log(next(of_constraints)), next(of_constraints)
    couplings = []
    for decoder in program.decoders:
        next(of_constraints)
        couplings.append(None if decoder.measure is None else next(of_constraints))
    channel = jax.nn.softmax(log_atoms - ready.excess(dual), axis=1)
    primal = _repaired(ready, channel, couplings)

    given = _prepare(program)
    lagrangian = given.value(dual, False) - found.multipliers @ jnp.concatenate(given.constraints(dual))
    rate = mutual_information(p, primal.channel)
    gap = jnp.maximum(rate - lower, 0)
    scaled = jnp.concatenate([ready.shared.bounds, *(each.bounds for each in ready.each)])
    # Nothing needs more than the source's entropy; and no cost falls below each letter's least.
    impossible = (lower > entropy(p) + 1e-3 * tol) | (scaled < -EXCEEDED).any()
    good = (gap <= tol * jnp.maximum(1, rate)) & (primal.exceeded <= EXCEEDED)
    status = jnp.where(good, Status.CONVERGED, Status.STALLED)
    status = jnp.where(jnp.isfinite(rate) & jnp.isfinite(lower), status, Status.NONFINITE)
    status = jnp.where(impossible, Status.INFEASIBLE, status)
    return Certified(
        rate=jnp.where(impossible, jnp.inf, rate + lagrangian - jax.lax.stop_gradient(lagrangian)),
        gap=jnp.where(impossible, 0, gap),
        channel=primal.channel,
        moves=primal.moves,
        costs=primal.costs,
        decoder_costs=primal.decoder_costs,
        perceptions=primal.perceptions,
        slopes=dual.multipliers / ready.shared.scale,
        decoder_slopes=tuple(m / s.scale for (m, _), s in zip(dual.decoders, ready.each, strict=True)),
        perception_slopes=tuple(
            jnp.zeros((), p.dtype) if d.measure is None else d.measure.slope(inner)
            for d, (_, inner) in zip(program.decoders, dual.decoders, strict=True)
        ),
        exceeded=primal.exceeded,
        dual=dual,
        steps=found.steps,
        status=status.astype(jnp.int32),
    )


def _ends(parts: list[jax.Array]) -> list[int]:
    """Where each part but the last ends in their concatenation."""
    ends = 0
    return [ends := ends + part.size for part in parts[:-1]]

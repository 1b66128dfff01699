"""From a channel that nearly meets the bounds of a program to one that does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrd.rdc.perception.measures import move
from jaxrd.rdc.perception.program import Prepared


class Primal(NamedTuple):
    """A channel and what it costs."""

    channel: jax.Array  # (n, atoms)
    moves: tuple[jax.Array, ...]  # what each decoder does to its letter, (m, m)
    costs: jax.Array
    decoder_costs: tuple[jax.Array, ...]
    perceptions: tuple[jax.Array, ...]
    exceeded: jax.Array  # the largest excess over a bound, relative to its cost's range


def measured(ready: Prepared, channel: jax.Array, couplings: Sequence[jax.Array | None]) -> Primal:
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
            met, perception = decoder.measure.meet(decoder.reference, law, bound, coupling)
            turn = move(law, met)
            over.append((perception - bound)[None] / decoder.measure.largest(decoder.reference))
        spent = jnp.einsum("xy,kxy->k", on_letters @ turn, decoder.costs)
        over.append((spent - decoder.bounds) / scaled.scale)
        moves.append(turn)
        decoder_costs.append(spent)
        perceptions.append(perception)
    spent = jnp.einsum("xj,kxj->k", joint, jnp.where(jnp.isinf(program.costs), 0, program.costs))
    over.append((spent - program.bounds) / ready.shared.scale)
    return Primal(channel, tuple(moves), spent, tuple(decoder_costs), tuple(perceptions), jnp.concatenate(over).max())


def repaired(ready: Prepared, channel: jax.Array, couplings: Sequence[jax.Array | None]) -> Primal:
    """The channel, mixed with the channel of least costs so far that its costs meet their bounds.

    Args:
        ready: the program.
        channel: shape (n, atoms).
        couplings: the multipliers of each decoder's measure.
    """
    program = ready.program
    first, letters = measured(ready, channel, couplings), [d.letter for d in program.decoders]
    total = (
        ready.barred
        + ready.shared.costs.sum(0)
        + sum(scaled.costs.sum(0)[:, letter] for scaled, letter in zip(ready.each, letters, strict=True))
    )
    cheapest = jax.nn.one_hot(total.argmin(1), channel.shape[1], dtype=channel.dtype)
    least = measured(ready, cheapest, couplings)
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
    return measured(ready, (1 - share) * channel + share * cheapest, couplings)

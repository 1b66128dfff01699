"""From the end of column generation, whose multipliers are inexact, to the optimum near it."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.rdc.lifted.atoms import Atoms, Core, lossless
from jaxrd.rdc.lifted.columns import UNUSED, Round
from jaxrd.rdc.lifted.moving import Weighted, merged
from jaxrd.rdc.lifted.pricing import ascend, split
from jaxrd.rdc.perception.least_rate import LeastRate, held
from jaxrd.rdc.perception.program import EXCEEDED, Dual, Program, Slopes, prepare
from jaxrd.rdc.perception.repair import Primal, repaired
from jaxrd.rdc.perception.stationary import Stationary, stationary
from jaxrd.rdc.perception.task import Task, filled, program_of
from jaxrd.rdc.point import mutual_information

_FEW = 16  # the number of atoms is filled up to a multiple of this: a program is compiled once a shape
_INACTIVE = 1e-9  # multipliers of the perception below it are taken as zero
_LOST = 0.1  # of the tolerance: what the rate may lose


def polished(task: Task, last: Round) -> Round:
    """The optimum that the last round is near, to rounding; the round itself where none is found."""
    near, first = _maxima(task.core, last), len(task.core.source)
    atoms = filled(lossless(task.core).join(near.atoms), _FEW)
    weights = np.zeros(len(atoms.letter))
    weights[first : first + len(near.weights)] = near.weights
    found = _stationary(task, program_of(task, atoms), atoms, last.solution, weights)
    if found is None:
        return last
    atoms = Atoms(atoms.letter, found.soft)
    primal, dual, slopes = _measured(program_of(task, atoms), found.dual, jnp.asarray(found.multipliers))
    rate = mutual_information(task.core.source, np.asarray(primal.channel))
    if not (primal.exceeded <= EXCEEDED and rate <= last.reached + _LOST * task.tol):
        return last
    solved = last.solution._replace(primal=primal, dual=dual, slopes=slopes, multipliers=found.multipliers)
    charged = np.maximum(np.append(slopes.decoders[0], slopes.costs), 0)
    return last._replace(atoms=atoms, slopes=charged, solution=solved)


def _maxima(core: Core, last: Round) -> Weighted:
    """The maxima of g that are next to the atoms in use, each with the weight of all that ascend to it."""
    weights = core.source @ np.asarray(last.solution.primal.channel)
    count = len(last.atoms.letter)
    weights = np.append(weights[: count - 1], weights[count - 1 :].sum())  # the last one was repeated
    used = weights > UNUSED
    letter, soft = last.atoms.letter[used], last.atoms.side_by_side[used]
    _, soft = ascend(last.g, letter, soft)
    return merged(Weighted(Atoms(letter, split(last.g, soft)), weights[used], last.slopes))


def _stationary(
    task: Task, program: Program, atoms: Atoms, solved: LeastRate, weights: np.ndarray
) -> Stationary | None:
    """As `stationary`, from the solution over other atoms."""
    ((prices, inner),), (decoder,) = solved.dual.decoders, program.decoders
    end = len(weights) + len(task.core.labels) + 1
    multipliers = np.append(weights, np.asarray(solved.multipliers)[solved.primal.channel.shape[1] :])
    dual = Dual(solved.dual.shift, solved.slopes.costs, ((prices, inner),))
    if solved.slopes.perceptions[0] > _INACTIVE:
        return stationary(program, task.core.labels, atoms.soft, dual, multipliers)
    # At a multiplier of zero the dual terms of the divergences have no finite second derivatives: the measure is left
    # out, and its dual variables stay as they are.
    program = replace(program, decoders=(replace(decoder, measure=None),))
    dual = dual._replace(decoders=((prices, None),))
    found = stationary(program, task.core.labels, atoms.soft, dual, multipliers[:end])
    if found is None:
        return None
    dual = found.dual._replace(decoders=((found.dual.decoders[0][0], inner),))
    return found._replace(dual=dual, multipliers=np.append(found.multipliers, multipliers[end:]))


@jax.jit
def _measured(program: Program, dual: Dual, multipliers: jax.Array) -> tuple[Primal, Dual, Slopes]:
    """The channel of a stationary point, made to meet the bounds; the dual point, scaled; the slopes."""
    ready = prepare(program)
    dual = dual._replace(multipliers=dual.multipliers * ready.shared.scale)
    weights, rest = jnp.split(multipliers, [program.costs.shape[2]])
    channel = jax.nn.softmax(jnp.log(weights) - ready.excess(dual), axis=1)
    couplings = ready.couplings(dual, rest[held(ready, dual).size - weights.size :])
    return repaired(ready, channel, couplings), dual, ready.slopes(dual)

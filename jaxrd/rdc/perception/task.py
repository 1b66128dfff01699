"""What the lifted R(D, P, C) is solved for, and its program over some atoms."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.rdc.lifted.atoms import Atoms, Core, charges
from jaxrd.rdc.perception.program import Decoder, Program


class Task(NamedTuple):
    """The problem, the bounds beyond lossless coding, and the gap at which to stop."""

    core: Core
    budgets: np.ndarray  # (1 + labels,): allowed beyond lossless coding
    measure: Any
    perception: jax.Array
    reference: jax.Array  # the source's whole pmf
    tol: float


def filled(atoms: Atoms, multiple: int) -> Atoms:
    """The atoms, the last one repeated until their number is a multiple."""
    return atoms.take(np.minimum(np.arange(-(-len(atoms.letter) // multiple) * multiple), len(atoms.letter) - 1))


def program_of(task: Task, atoms: Atoms) -> Program:
    """The program over some atoms."""
    costs = charges(task.core, atoms)
    decoder = Decoder(
        jnp.asarray(atoms.letter), jnp.asarray(task.core.excess[None]), jnp.asarray(task.budgets[:1]),
        task.measure, task.perception, task.reference,
    )  # fmt: skip
    return Program(jnp.asarray(task.core.source), jnp.asarray(costs[1:]), jnp.asarray(task.budgets[1:]), (decoder,))

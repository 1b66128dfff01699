"""What serving several pairs of constraints with one encoder costs: R(Theta), A(Theta) and their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._eager import is_traced
from jaxrd.pytree import register
from jaxrd.rdc.point import width
from jaxrd.solution import Status, has_converged


@register
@dataclass(frozen=True)
class Universal:
    """The rate of one encoder that serves a set of pairs: lower <= R(Theta) <= rate, in the semantics it names.

    Of traced values `rate`, `rates` and `penalty` have first derivatives, as those of `Point`; where several pairs ask
    for the most, those of all of them in equal parts.

    Args:
        semantics: "lifted", "literal", "time-shared", "fixed" or "perception".
        rate: nats; +inf where a pair is infeasible.
        lower: valid lower bound on R(Theta), nats.
        penalty: A(Theta) is at most this, nats; NaN where a pair is infeasible.
        penalty_lower: A(Theta) is at least this, nats.
        rates: R of each pair alone, nats, shape (pairs,).
        status: a `Status`: CONVERGED where all bounds are within the tolerance, ACHIEVABLE, STALLED or INFEASIBLE.

    Reference: [B] definitions 3 and 4, equations (6) and (7).

    >>> found = served("lifted", 0.75, 0.75, [0.5, 0.25], [0.5, 0.25], Status.CONVERGED)
    >>> found.penalty, found.gap
    (0.25, 0.0)
    """

    semantics: str = field(metadata={"static": True})
    rate: float
    lower: float
    penalty: float
    penalty_lower: float
    rates: np.ndarray
    status: Status

    @property
    def gap(self) -> float:
        """rate - lower, nats; 0 where infeasible."""
        return width(self.rate, self.lower)

    @property
    def converged(self) -> bool:
        """Whether both rates are known to the accuracy asked."""
        return has_converged(self.status)


def served(
    semantics: str, rate: Any, lower: Any, rates: Sequence[Any], lowers: Sequence[Any], status: Any
) -> Universal:
    """The bounds on R(Theta) and A(Theta) from those on the rate of all pairs together and of each alone.

    Args:
        semantics: which function the rates are of.
        rate: of all pairs together, nats.
        lower: its lower bound, nats.
        rates: of each pair, nats.
        lowers: their lower bounds, nats.
        status: where no pair is infeasible.

    >>> served("lifted", 0.75, 0.5, [0.5], [0.25], Status.STALLED).penalty  # at most
    0.5
    """
    if is_traced(rate, lower, rates, lowers, status):
        return _traced(semantics, rate, lower, jnp.stack(list(rates)), jnp.stack(list(lowers)), status)
    alone = np.asarray(rates, float)
    if np.isinf(lowers).any():
        return Universal(semantics, np.inf, np.inf, np.nan, np.nan, alone, Status.INFEASIBLE)
    penalty, least = rate - float(np.max(lowers)), lower - float(alone.max())
    return Universal(semantics, rate, lower, max(penalty, 0.0), max(least, 0.0), alone, status)


def _traced(semantics: str, rate: Any, lower: Any, alone: jax.Array, lowers: jax.Array, status: Any) -> Universal:
    nowhere = jnp.isposinf(lowers).any()
    # A bound has no derivative; the penalty has that of the difference of the rates, which it is but for the gap.
    difference = rate - alone.max()
    penalty = jax.lax.stop_gradient(jnp.maximum(rate - lowers.max(), 0) - difference) + difference
    least = jnp.maximum(lower - alone.max(), 0)
    unknown = (jnp.where(nowhere, jnp.nan, value) for value in (penalty, least))
    infinite = (jnp.where(nowhere, jnp.inf, value) for value in (rate, lower))
    fields: Any = (*infinite, *unknown, alone, jnp.where(nowhere, jnp.int32(Status.INFEASIBLE), status))
    return Universal(semantics, *fields)

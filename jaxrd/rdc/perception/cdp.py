"""Classification, distortion and perception at unlimited rate: the edge of what any R(D, P, C) allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.pytree import register
from jaxrd.rdc.perception.least_loss import least_loss
from jaxrd.rdc.perception.program import Decoder, Program
from jaxrd.rdc.perception.rate import as_matrix, checked, tolerance
from jaxrd.rdc.point import width
from jaxrd.solution import Status, has_converged


@register
@dataclass(frozen=True)
class CDPPoint:
    """A point of the classification-distortion-perception function: lower <= C(D, P) <= classification.

    Args:
        classification: expected loss of the classifier on the decoder's output, in the loss's unit; +inf where no
            decoder meets the targets.
        lower: valid lower bound on it.
        distortion: E d(X, Xh) of the decoder.
        perception: the measure at its output law; for a transport cost the cost of a coupling, which bounds it.
        distortion_slope: -dC/dD >= 0.
        perception_slope: -dC/dP >= 0.
        decoder: P(xh|y), shape (observations, m).
        status: a `Status` as int32.
    """

    classification: jax.Array
    lower: jax.Array
    distortion: jax.Array
    perception: jax.Array
    distortion_slope: jax.Array
    perception_slope: jax.Array
    decoder: jax.Array
    status: jax.Array

    @property
    def value(self) -> jax.Array:
        """The least loss: `classification`, under the name that all inverses share."""
        return self.classification

    @property
    def gap(self) -> jax.Array:
        """classification - lower, in the loss's unit; 0 where infeasible."""
        return width(self.classification, self.lower)

    @property
    def converged(self) -> jax.Array:
        """Whether the gap is within the tolerance and the decoder meets the targets."""
        return has_converged(self.status)


def classification_distortion_perception(
    problem: Problem,
    loss: ArrayLike,
    distortion: ArrayLike,
    perception: ArrayLike,
    *,
    observation: ArrayLike | None = None,
    measure: Any = None,
    tol: float | None = None,
) -> CDPPoint:
    """The classification-distortion-perception function C(D, P), certified: the limit of unlimited rate.

        C(D, P) = min E loss(X, Xh)  over decoders P(xh|y),  subject to  E d(X, Xh) <= D,  measure(p_X, p_Xh) <= P

    R(D, P, C) of a given classifier is finite for C > C(D, P) and infinite below. Y is X itself, whatever the rate, or
    the output of a given channel. There is a trade-off only with a classifier given in advance or such a channel: from
    X itself a decoder reaches the least of all three at once. `classification` has first derivatives in all of them.

    Args:
        problem: source (n,), distortion (n, m), finite.
        loss: of the classifier's decision on xh where x was sent: its error probability
            sum_s P(s|x) [c(xh) != s], or its cross entropy; finite, shape (n, m).
        distortion: D, a scalar; inf for no constraint.
        perception: P, a scalar; inf for no constraint.
        observation: P(y|x), shape (n, observations); None: Y = X.
        measure: of `jaxrd.rdc.perception.measures`; None: `TotalVariation()`.
        tol: certified gap, relative to the loss's range, that counts as CONVERGED; None: by dtype.

    Raises:
        InputError: as `perceptual_rate`; an observation that is no channel.

    Reference: D. Liu, H. Zhang and Z. Xiong, On the classification-distortion-perception tradeoff, NeurIPS 2019
    ([B]'s [18]).

    >>> problem = Problem(jnp.array([0.6, 0.4]), 1 - jnp.eye(2))
    >>> error = jnp.array([[0.1, 0.9], [0.8, 0.2]])  # of a classifier that reads the letter
    >>> noisy = jnp.array([[0.8, 0.2], [0.5, 0.5]])
    >>> [round(float(classification_distortion_perception(problem, error, jnp.inf, bound, observation=noisy)
    ...     .classification), 4) for bound in (0.0, 0.2)]
    [0.3871, 0.356]
    """
    problem, measure, target = checked(problem, measure, distortion=distortion, perception=perception)
    p, d = jnp.asarray(problem.source), jnp.asarray(problem.distortion)
    lost = as_matrix("loss", loss, problem)
    seen = jnp.eye(p.size, dtype=p.dtype) if observation is None else _channel(observation, p)
    joint = p[:, None] * seen
    observed = joint.sum(0)
    backward = (joint / jnp.where(observed > 0, observed, 1)).T  # P(x|y)
    decoder = Decoder(
        jnp.arange(d.shape[1]), (backward @ d)[None], target["distortion"][None], measure, target["perception"], p
    )
    shape = observed.size, d.shape[1]
    program = Program(observed, jnp.zeros((0, *shape), p.dtype), jnp.zeros(0, p.dtype), (decoder,))
    return _solved(program, backward @ lost, tolerance(p.dtype, tol))


@jax.jit
def _solved(program: Program, loss: jax.Array, tol: jax.Array) -> CDPPoint:
    solution = least_loss(program, loss, tol)
    (turn,), (spent,), (reached,) = solution.primal.moves, solution.primal.decoder_costs, solution.primal.perceptions
    possible = solution.status != Status.INFEASIBLE

    def where_possible(value):
        return jnp.where(possible, value, jnp.nan)

    return CDPPoint(
        solution.value,
        solution.lower,
        where_possible(spent[0]),
        where_possible(reached),
        where_possible(solution.slopes.decoders[0][0]),
        where_possible(solution.slopes.perceptions[0]),
        where_possible(solution.primal.channel @ turn),
        solution.status,
    )


def _channel(observation: ArrayLike, source: jax.Array) -> jax.Array:
    channel = jnp.asarray(observation, source.dtype)
    if channel.ndim != 2 or channel.shape[0] != source.size:
        raise InputError(f"observation must be P(y|x), shape ({source.size}, observations); got {channel.shape}.")
    channel = jnp.where(source[:, None] > 0, channel, 1 / channel.shape[1])  # a letter of mass zero has no effect
    if not is_traced(channel):
        values = np.asarray(channel, float)
        if not (values >= 0).all() or not np.allclose(values.sum(1), 1, atol=1e-6):
            raise InputError(f"observation must be >= 0 with rows that sum to 1; got rows {values.tolist()}.")
    return channel / channel.sum(1, keepdims=True)

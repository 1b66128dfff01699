"""Bounds that use the whole posterior: TMRD and sample-and-communicate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.channel import optimal_channel
from jaxrd.errors import InputError
from jaxrd.information import normalised
from jaxrd.problem import Problem
from jaxrd.solution import Solution
from jaxrd.tosc._checked import (
    A_LOG_POSTERIOR,
    INVERSE_TEMPERATURE,
    ROUNDING,
    a_matrix,
    checked,
    classes_of,
    some_labels,
    some_weights,
)


@checked(
    a_matrix("posterior", "probabilities, in [0, 1]", least=-ROUNDING, most=1 + ROUNDING), some_weights("posterior")
)
def model_aware_problem(posterior: ArrayLike, weights: ArrayLike | None = None) -> Problem:
    """TMRD: the direct problem whose letters are the samples' posteriors, d_hat(v, yh) = 1 - v_yh ([A], eq. (20)).

    [A] calls it intractable; with N posterior rows it has n = N and m = classes. Its distortion is the one the
    model believes; `label_distortion` measures the real one.

    Args:
        posterior: v, shape (samples, classes), rows summing to one.
        weights: of the samples, taken as w / sum w; None: equal.
    """
    v = jnp.asarray(posterior)
    n = v.shape[0]
    w = jnp.full(n, 1 / n, v.dtype) if weights is None else jnp.asarray(weights, v.dtype)
    return Problem(w, 1 - v)


def _classes(given: dict) -> int:
    return given["problem"].distortion.shape[1]


@checked(some_labels(_classes))
@jax.jit
def label_distortion(problem: Problem, solution: Solution, labels: ArrayLike) -> jax.Array:
    """P(reproduction != label) of the optimal channel, 1 - sum_i w_i W(y_i | v_i): whatever the calibration.

    Args:
        problem: a `model_aware_problem`.
        solution: one point of it.
        labels: y, int, shape (samples,).
    """
    channel = optimal_channel(problem, solution)
    right = jnp.take_along_axis(channel, jnp.asarray(labels)[:, None], 1)[:, 0]
    return 1 - jnp.asarray(problem.source) @ right


@readable
class SampleAndCommunicate(NamedTuple):
    """A point of S&C."""

    rate: jax.Array
    """I(X; reproduction), nats: a plug-in estimate, biased low by about chi^2 / 2N,
    chi^2 = E_x sum_y (W(y|x) - q_y)^2 / q_y."""
    distortion: jax.Array
    """P(reproduction != label)."""
    model_distortion: jax.Array
    """The same as the model believes it."""


@checked(
    A_LOG_POSTERIOR,
    some_labels(classes_of("log_posterior"), of="log_posterior"),
    INVERSE_TEMPERATURE,
    some_weights("log_posterior"),
)
@jax.jit
def sample_and_communicate(
    log_posterior: ArrayLike,
    labels: ArrayLike,
    inverse_temperature: ArrayLike,
    weights: ArrayLike | None = None,
) -> SampleAndCommunicate:
    """S&C: send a sample of softmax(t ln v) by channel simulation, t the inverse temperature ([A] eq. (21)).

    Rate I(X; Yh) = mean_i KL(W(.|x_i) || q), q the mean of W; common randomness is assumed (without it the sample
    costs H(Yh)). t -> 0 ends at D = 1 - 1/classes, t -> inf at lossless decisions.

    Args:
        log_posterior: ln v, shape (samples, classes).
        labels: y, int, shape (samples,).
        inverse_temperature: t >= 0, finite, a scalar.
        weights: of the samples, taken as w / sum w; None: equal.
    """
    log_v = jnp.asarray(log_posterior)
    n = log_v.shape[0]
    w = jnp.full(n, 1 / n, log_v.dtype) if weights is None else normalised(jnp.asarray(weights, log_v.dtype))
    log_w = log_softmax(inverse_temperature * log_v, axis=1)
    channel = jnp.exp(log_w)
    q = w @ channel
    log_q = jnp.log(jnp.where(q > 0, q, 1))
    divergence = jnp.where(channel > 0, channel * (log_w - log_q), 0).sum(1)
    right = jnp.take_along_axis(channel, jnp.asarray(labels)[:, None], 1)[:, 0]
    believed = (channel * jnp.exp(log_v)).sum(1)
    return SampleAndCommunicate(jnp.maximum(w @ divergence, 0), 1 - w @ right, 1 - w @ believed)


Blocks = Iterable[tuple[ArrayLike, ArrayLike]]


@jax.jit
def _output_of(log_v: jax.Array, inverse_temperature: jax.Array, kept: jax.Array) -> jax.Array:
    """The sum of the channel's rows."""
    return kept @ jnp.exp(log_softmax(inverse_temperature * log_v, axis=1))


@jax.jit
def _sums_of(
    log_v: jax.Array, labels: jax.Array, inverse_temperature: jax.Array, kept: jax.Array, log_q: jax.Array
) -> jax.Array:
    """Divergence from q, P(right) and what the model believes it to be, summed over the rows, shape (3,)."""
    log_w = log_softmax(inverse_temperature * log_v, axis=1)
    channel = jnp.exp(log_w)
    divergence = jnp.where(channel > 0, channel * (log_w - log_q), 0).sum(1)
    right = jnp.take_along_axis(channel, labels[:, None], 1)[:, 0]
    return kept @ jnp.stack([divergence, right, (channel * jnp.exp(log_v)).sum(1)], 1)


def sample_and_communicate_in_blocks(
    blocks: Callable[[], Blocks] | Blocks, inverse_temperature: ArrayLike
) -> SampleAndCommunicate:
    """S&C of more posteriors than memory holds: `sample_and_communicate`, in two passes over blocks of samples.

    The first pass finds q, the mean of the channel's rows, the second their divergence from it. A host loop holding
    one block and its scratch arrays; it compiles once if no block is larger than the first.

    Args:
        blocks: pairs of ln v, shape (rows, classes), and labels, int, shape (rows,); something that can be iterated
            twice, or a function that returns an iterable. All samples weigh the same.
        inverse_temperature: t >= 0, finite, a scalar.

    Raises:
        InputError: there is no sample, the two passes did not see the same number, or shapes do not belong together.

    >>> log_v, labels = jnp.log(jnp.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])), jnp.array([0, 1, 1])
    >>> point = sample_and_communicate_in_blocks([(log_v[:2], labels[:2]), (log_v[2:], labels[2:])], 2.0)
    >>> bool(abs(point.rate - sample_and_communicate(log_v, labels, 2.0).rate) < 1e-6)
    True
    """
    rows = 0

    def prepared() -> Iterator[tuple[jax.Array, jax.Array, jax.Array]]:
        """Blocks filled up to the first one's length, and which rows are real."""
        nonlocal rows
        for log_v, labels in blocks() if callable(blocks) else blocks:
            log_v, labels = jnp.asarray(log_v), jnp.asarray(labels)
            if log_v.ndim != 2 or labels.shape != log_v.shape[:1]:
                raise InputError(
                    f"a block must be ln v (rows, classes) and labels (rows,); got {log_v.shape} and {labels.shape}."
                )
            rows = rows or len(labels)
            missing = max(rows - len(labels), 0)
            kept = jnp.asarray(np.arange(len(labels) + missing) < len(labels), log_v.dtype)
            if missing:
                log_v, labels = jnp.pad(log_v, ((0, missing), (0, 0))), jnp.pad(labels, (0, missing))
            yield log_v, labels, kept

    total, output = 0, None
    for log_v, _, kept in prepared():
        total += int(kept.sum())
        part = _output_of(log_v, jnp.asarray(inverse_temperature, log_v.dtype), kept)
        output = part if output is None else output + part
    if output is None or total == 0:
        raise InputError("there is no sample in the blocks.")
    q = output / total
    log_q = jnp.log(jnp.where(q > 0, q, 1))

    seen, sums = 0, jnp.zeros(3, q.dtype)
    for log_v, labels, kept in prepared():
        seen += int(kept.sum())
        sums += _sums_of(log_v, labels, jnp.asarray(inverse_temperature, log_v.dtype), kept, log_q)
    if seen != total:
        raise InputError(f"the first pass saw {total} samples, the second {seen}: pass a function, not an iterator.")
    divergence, right, believed = sums / total
    return SampleAndCommunicate(jnp.maximum(divergence, 0), 1 - right, 1 - believed)

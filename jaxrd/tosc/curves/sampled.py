"""S&C: a sample of the posterior, sharpened or flattened, sent by channel simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.information import entropy, normalised
from jaxrd.tosc._checked import (
    A_LOG_POSTERIOR,
    INVERSE_TEMPERATURE,
    checked,
    classes_of,
    rows_of,
    some_labels,
    some_weights,
)
from jaxrd.tosc.curves.confusion import landmarks
from jaxrd.tosc.curves.definition import Definition, Resampling, Samples
from jaxrd.tosc.curves.drawing import (
    Bound,
    Rate,
    Tick,
    achievable,
    margins,
    positive_and_finite,
    saturation,
)
from jaxrd.tosc.curves.parametric import smallest_point
from jaxrd.tosc.resampling import Resampled, along


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
    some_labels(classes_of("log_posterior"), rows=rows_of("log_posterior")),
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
        log_posterior: ln v, nats, shape (samples, classes).
        labels: y, int, shape (samples,).
        inverse_temperature: t >= 0, finite, a scalar, no unit.
        weights: of the samples, taken as w / sum w, shape (samples,); None: equal.

    Raises:
        InputError: known values that are no logarithms of probabilities, no classes, no t >= 0 or no weights; shapes
            that do not belong together.

    >>> point = sample_and_communicate(jnp.log(jnp.array([[0.75, 0.25], [0.25, 0.75]])), jnp.array([0, 1]), 1.0)
    >>> round(float(point.rate), 4), round(float(point.distortion), 4)  # ln 2 - h(1/4), 1/4
    (0.1308, 0.25)
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

    The first pass computes q, the mean of the channel's rows, the second their divergence from q. The loop runs on the
    host and holds one block and its scratch arrays; it compiles once if no block is larger than the first.

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


@jax.jit
def _sampled_at(log_v: jax.Array, labels: jax.Array, u: jax.Array) -> SampleAndCommunicate:
    return sample_and_communicate(log_v, labels, u / (1 - u))


def draw(joint: jax.Array, log_v: jax.Array, labels: jax.Array, count: int) -> Bound:
    """S&C: over inverse temperatures t = u / (1 - u), u in [0, 1]; at u = 1 the decisions themselves, lossless."""
    even = np.linspace(0, 1, max(count, 16) + 2)[:-1]
    steep = saturation(margins(log_v), even[-1] / (1 - even[-1]))
    u = np.concatenate([even, steep / (1 + steep), [1.0]])
    points = [jax.device_get(_sampled_at(log_v, labels, x)) for x in u[:-1]]
    d_tm, _, entropy = (float(x) for x in landmarks(joint))
    believed_end = 1 - float(np.exp(np.asarray(log_v).max(1)).mean())
    rate, d, believed = (np.array(a, float) for a in zip(*points, (entropy, d_tm, believed_end), strict=True))
    with np.errstate(divide="ignore"):
        temperatures = u / (1 - u)
    curve = achievable(d, rate, model_distortion=believed, parameters={"inverse_temperature": temperatures})

    def one(x: float) -> tuple[float, float]:
        if x >= 1:
            return d_tm, entropy
        p = _sampled_at(log_v, labels, x)
        return float(p.distortion), float(p.rate)

    def smallest(target: float) -> Rate:
        least, place = smallest_point(u, d, rate, one, target)
        return Rate(least, place / (1 - place) if place < 1 else np.inf)

    return Bound(curve, smallest)


@jax.jit
def respond(log_v: jax.Array, labels: jax.Array, weights: jax.Array, inverse_temperature: ArrayLike) -> Resampled:
    """S&C at the label distortion that an inverse temperature leads to.

    Args:
        log_v: ln v, shape (samples, classes).
        labels: y, int, shape (samples,).
        weights: `resampled_weights`, shape (replicates, samples).
        inverse_temperature: t >= 0, finite, a scalar.
    """
    n = log_v.shape[0]

    def point(weights, t):
        # I = H(q) - E H(W): linear in the weights but for H(q), so that replicates share one product of matrices.
        log_w = log_softmax(t * log_v, axis=1)
        channel = jnp.exp(log_w)
        right = jnp.take_along_axis(channel, labels[:, None], 1)[:, 0]
        return entropy(weights @ channel) - weights @ entropy(channel, axis=1), 1 - weights @ right

    return along(point, jnp.full(n, 1 / n, log_v.dtype), weights, jnp.asarray(inverse_temperature, log_v.dtype))


@jax.jit
def plugin_bias(log_v: jax.Array, inverse_temperature: ArrayLike) -> jax.Array:
    """The bias of S&C's plug-in rate to first order, - chi2 / 2N, chi2 = mean_i sum_y (W(y|x_i) - q_y)^2 / q_y; nats.

    Args:
        log_v: ln v, shape (samples, classes).
        inverse_temperature: t >= 0, finite, a scalar.

    >>> round(float(plugin_bias(jnp.log(jnp.array([[0.9, 0.1], [0.1, 0.9]])), 1.0)), 4)  # - 0.64 / 4
    -0.16
    """
    channel = jax.nn.softmax(jnp.asarray(inverse_temperature) * log_v, axis=1)
    q = channel.mean(0)
    chi2 = ((channel**2).mean(0) / jnp.where(q > 0, q, 1)).sum() - 1
    return -jnp.maximum(chi2, 0) / (2 * log_v.shape[0])


def _draw(samples: Samples, count: int, tol: float | None, tick: Tick) -> Bound:
    assert samples.log_v is not None
    return draw(samples.joint, samples.log_v, samples.labels, count)


def _respond(resampling: Resampling, inverse_temperature: float, _: Any) -> dict[str, Resampled]:
    assert resampling.log_v is not None
    assert resampling.weights is not None
    return {SAMPLED.name: respond(resampling.log_v, resampling.labels, resampling.weights, inverse_temperature)}


SAMPLED = Definition(
    name="S&C",
    meaning="send posterior sample",
    file="sc",
    draw=_draw,
    needs_posterior=True,
    achievable=True,
    respond=_respond,
    parameter=lambda curve: positive_and_finite(curve.parameters["inverse_temperature"]),
)

"""S&C: a sample of the posterior, sharpened or flattened, sent by channel simulation."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.information import entropy, normalised, without_rounding
from jaxrd.tosc._checked import (
    A_LOG_POSTERIOR,
    INVERSE_TEMPERATURE,
    checked,
    classes_of,
    rows_of,
    some_labels,
    some_weights,
)
from jaxrd.tosc.curves.definition import Acted, Definition, Resampling, Samples
from jaxrd.tosc.curves.drawing import (
    Bound,
    Least,
    Rate,
    Tick,
    achievable,
    least_margin,
    positive_and_finite,
    saturation,
)
from jaxrd.tosc.curves.parametric import least_point, smallest_point
from jaxrd.tosc.curves.sampled_passes import decided, lossless, sampled_at
from jaxrd.tosc.posterior import Posterior
from jaxrd.tosc.resampling import Resampled, Weighing, along, equal


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


def draw(joint: np.ndarray, posterior: Posterior, count: int, tick: Tick = None) -> Bound:
    """S&C: over inverse temperatures t = u / (1 - u), u in [0, 1]; at u = 1 the decisions themselves, lossless.

    Under a loss the action for the label that is drawn is sent: at u = 1 that for the likeliest label, which need not
    be the action of least expected loss.
    """
    margin = posterior.folded(lambda log_v, *_: least_margin(log_v), min)
    even = np.linspace(0, 1, max(count, 16) + 2)[:-1]
    steep = saturation(margin, even[-1] / (1 - even[-1]))
    u = np.concatenate([even, steep / (1 + steep), [1.0]])
    points = sampled_at(posterior, u[:-1], tick)
    ends = lossless(joint, posterior) if posterior.loss is None else decided(posterior)
    rate, d, believed = (np.append(np.asarray(a, float), end) for a, end in zip(points, ends, strict=True))
    with np.errstate(divide="ignore"):
        temperatures = u / (1 - u)
    curve = achievable(d, rate, model_distortion=believed, parameters={"inverse_temperature": temperatures})

    def one(x: float) -> tuple[float, float]:
        if x >= 1:
            return ends[1], ends[0]
        p = sampled_at(posterior, np.array([x]), tick)
        return float(p.distortion[0]), float(p.rate[0])

    def smallest(target: float) -> Rate:
        least, place = smallest_point(u, d, rate, one, target)
        return Rate(least, place / (1 - place) if place < 1 else np.inf)

    return Bound(curve, smallest, lambda most: Least(least_point(u, d, rate, one, most)))


@jax.jit
def respond(
    log_v: jax.Array,
    labels: jax.Array,
    weights: jax.Array,
    inverse_temperature: ArrayLike,
    own: Weighing | None = None,
    acted: Acted | None = None,
) -> Resampled:
    """S&C at the label distortion that an inverse temperature leads to.

    Args:
        log_v: ln v, shape (samples, classes).
        labels: y, int, shape (samples,).
        weights: `resampled_weights`, or `reweighed` ones, shape (replicates, samples).
        inverse_temperature: t >= 0, finite, a scalar.
        own: how much the samples count; None: equally.
        acted: the action for each class, under a loss.
    """
    own = equal(len(log_v), log_v.dtype) if own is None else own

    def point(weights, t):
        # I = H(q) - E H(W): linear in the weights but for H(q), so that replicates share one product of matrices.
        log_w = log_softmax(t * log_v, axis=1)
        channel = jnp.exp(log_w)
        if acted is None:
            lost = 1 - jnp.take_along_axis(channel, labels[:, None], 1)[:, 0]
        else:
            channel = channel @ acted.action
            lost = (channel * acted.loss[labels]).sum(1)
        rate = without_rounding(entropy(weights @ channel) - weights @ entropy(channel, axis=1))
        return rate, weights @ lost

    return along(point, own.weights, weights, jnp.asarray(inverse_temperature, log_v.dtype))


@jax.jit
def plugin_bias(
    log_v: jax.Array, inverse_temperature: ArrayLike, own: Weighing | None = None, acted: Acted | None = None
) -> jax.Array:
    """The bias of S&C's plug-in rate to first order, - chi2 / 2N, chi2 = mean_i sum_y (W(y|x_i) - q_y)^2 / q_y; nats.

    With weights, the mean is N sum_i w_i^2, and q_y is that of the sample's class where its mass is known.

    Args:
        log_v: ln v, shape (samples, classes).
        inverse_temperature: t >= 0, finite, a scalar.
        own: how much the samples count; None: equally.
        acted: the action for each class, under a loss: W and q are then those of actions.

    >>> round(float(plugin_bias(jnp.log(jnp.array([[0.9, 0.1], [0.1, 0.9]])), 1.0)), 4)  # - 0.64 / 4
    -0.16
    """
    channel = jax.nn.softmax(jnp.asarray(inverse_temperature) * log_v, axis=1)
    channel = channel if acted is None else channel @ acted.action
    own = equal(len(log_v), log_v.dtype) if own is None else own
    q = own.weights @ channel
    chi2 = ((own.squares @ own.centred(channel) ** 2) / jnp.where(q > 0, q, 1)).sum()
    return -jnp.maximum(chi2, 0) / (2 * log_v.shape[0])


def _draw(samples: Samples, count: int, tol: float | None, tick: Tick) -> Bound:
    assert samples.posterior is not None
    return draw(samples.joint, samples.posterior, count, tick)


def _respond(resampling: Resampling, inverse_temperature: float, _: Any) -> dict[str, Resampled]:
    assert resampling.log_v is not None
    assert resampling.weights is not None
    log_v, labels, weights, own = resampling.log_v, resampling.labels, resampling.weights, resampling.own
    acted = None if resampling.costs is None else resampling.costs.acted
    return {SAMPLED.name: respond(log_v, labels, weights, inverse_temperature, own, acted)}


SAMPLED = Definition(
    name="S&C",
    meaning="send posterior sample",
    file="sc",
    draw=_draw,
    needs_posterior=True,
    achievable=True,
    respond=_respond,
    parameter=lambda curve, _: positive_and_finite(curve.parameters["inverse_temperature"]),
)

"""Binary channels that are logistic in x: sample-and-communicate, and what two-atom reconstructions are."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid
from jax.scipy.special import logit
from jax.typing import ArrayLike

from jaxrd.tosc.mixture.source import GaussianMixture, floats, posterior, rule
from jaxrd.tosc.soft import SampleAndCommunicate


class LogisticChannel(NamedTuple):
    """W(1|x) = sigma(gain x + offset) on the mixture; fields of shape (2,) are indexed by the output."""

    rate: jax.Array
    """I(X; output), nats."""
    share: jax.Array
    """P(output)."""
    centroid: jax.Array
    """E[X | output]."""
    joint: jax.Array
    """P(y, output), shape (2, 2)."""


def logistic(mixture: GaussianMixture, gain: jax.Array, offset: jax.Array) -> LogisticChannel:
    """Moments of a logistic channel, as integrals.

    Args:
        mixture: of scalars.
        gain: >= 0, finite, a scalar.
        offset: finite, a scalar.
    """
    tiny = jnp.finfo(gain.dtype).tiny ** 0.25
    x, w = rule(mixture, -offset / jnp.maximum(gain, tiny), jnp.pi / jnp.maximum(gain, tiny))
    v = posterior(mixture, x)
    u = gain * x + offset
    log_channel = jnp.stack([log_sigmoid(-u), log_sigmoid(u)])
    channel = jnp.exp(log_channel)
    share = channel @ w
    rate = (channel * (log_channel - jnp.log(share)[:, None])).sum(0) @ w
    joint = jnp.stack([1 - v, v]) @ (channel * w).T
    return LogisticChannel(jnp.maximum(rate, 0), share, (channel * x) @ w / share, joint)


@jax.jit
def sample_and_communicate(mixture: GaussianMixture, inverse_temperature: ArrayLike) -> SampleAndCommunicate:
    """S&C of the mixture, exact: a sample of the tempered true posterior, W(1|x) = sigma(t (2 a x + logit q)).

    The posterior is the true one, so the model believes what is the case.

    Args:
        mixture: of scalars.
        inverse_temperature: t >= 0, finite, a scalar ([A] eq. (21)).

    Raises:
        ValueError: something is no scalar.

    >>> point = sample_and_communicate(GaussianMixture(), 1.0)  # (I(X;Y), 1 - E v^2 - E (1-v)^2)
    >>> round(float(point.rate), 4), round(float(point.distortion), 4)
    (0.3368, 0.2248)
    """
    q, a, t = floats(mixture, inverse_temperature)
    found = logistic(mixture, 2 * a * t, t * logit(q))
    wrong = found.joint[0, 1] + found.joint[1, 0]
    return SampleAndCommunicate(found.rate, wrong, wrong)

"""S&C of the mixture: a sample of the tempered posterior, sent by channel simulation."""

from __future__ import annotations

import jax
from jax.scipy.special import logit
from jax.typing import ArrayLike

from jaxrd.tosc.curves.sampled import SampleAndCommunicate
from jaxrd.tosc.mixture.logistic import logistic
from jaxrd.tosc.mixture.source import GaussianMixture, floats


@jax.jit
def sample_and_communicate(mixture: GaussianMixture, inverse_temperature: ArrayLike) -> SampleAndCommunicate:
    """S&C of the mixture, exact: a sample of the tempered true posterior, W(1|x) = sigma(t (2 a x + logit q)).

    The posterior is the true one, so believed and measured distortion are equal.

    Args:
        mixture: its prior and separation, scalars.
        inverse_temperature: t >= 0, finite, a scalar, no unit ([A] eq. (21)).

    Returns:
        A `SampleAndCommunicate`: the rate in nats, shape ().

    Raises:
        InputError: the mixture or the inverse temperature is no scalar.

    >>> point = sample_and_communicate(GaussianMixture(), 1.0)  # (I(X;Y), 1 - E v^2 - E (1-v)^2)
    >>> round(float(point.rate), 4), round(float(point.distortion), 4)
    (0.3368, 0.2248)
    """
    q, a, t = floats(mixture, inverse_temperature)
    channel = logistic(mixture, 2 * a * t, t * logit(q))
    wrong = channel.joint[0, 1] + channel.joint[1, 0]
    return SampleAndCommunicate(channel.rate, wrong, wrong)

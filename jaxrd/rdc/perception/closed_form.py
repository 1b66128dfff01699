"""Rate, distortion and perception where there is a formula: Bernoulli with total variation, Gaussian with W2^2."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form import gaussian
from jaxrd.closed_form._checked import NUMBER, POSITIVE, PROBABILITY, closed_form
from jaxrd.closed_form._root import floats
from jaxrd.information import binary_entropy, entropy


@closed_form(probability=PROBABILITY, distortion=NUMBER, perception=NUMBER)
def bernoulli_rate(probability: ArrayLike, distortion: ArrayLike, perception: ArrayLike) -> jax.Array:
    """R(D, P) of a Bernoulli(p) source, Hamming distortion, total variation, nats; elementwise, differentiable.

    With p <= 1/2, q = 1 - p, P <= p, D1 = P / (1 - 2 (p - P)) and D2 = 2 p q - (q - p) P:

        h(p) - h(D)                                                                    for D <= D1
        2 h(p) + h(p - P) - H3((D - P)/2, p) - H3((D + P)/2, q)                        for D1 <= D <= D2
        0                                                                              beyond

    H3(a, b) = H(a, b, 1 - a - b); P >= p constrains nothing.

    Args:
        probability: of one of the two letters, in [0, 1], any shape.
        distortion: D, broadcast against it.
        perception: P, total variation, broadcast against both.

    Returns:
        The rate; +inf for D < 0 or P < 0.

    Reference: Y. Blau and T. Michaeli, ICML 2019, equation (7) (there without the middle case's proof); G. Zhang et
    al., Universal rate-distortion-perception representations for lossy compression, NeurIPS 2021.

    >>> round(float(bernoulli_rate(0.3, 0.2, 0.0)), 6)
    0.132829
    """
    p, d, bound = floats(probability, distortion, perception)
    p = jnp.minimum(p, 1 - p)
    q = 1 - p
    possible = (d >= 0) & (bound >= 0)
    bound = jnp.clip(bound, 0, p)
    # D <= D1, without the quotient: at p = 1/2 and P = 0 it is 0/0, and every D keeps the law.
    early = (d * (1 - 2 * (p - bound)) <= bound) & (d <= p)
    plain = possible & early
    middle = possible & ~early & (d < 2 * p * q - (q - p) * bound)
    straight = binary_entropy(p) - binary_entropy(jnp.where(plain, d, 0.25))
    # Outside the middle case use values at which all terms are smooth.
    d, p, bound = (jnp.where(middle, x, safe) for x, safe in ((d, 0.25), (p, 0.3), (bound, 0.1)))

    def three(a, b):
        return entropy(jnp.stack([a, b, jnp.maximum(1 - a - b, 0)]), axis=0)

    bent = 2 * binary_entropy(p) + binary_entropy(p - bound)
    bent = bent - three(0.5 * (d - bound), p) - three(0.5 * (d + bound), 1 - p)
    return jnp.where(possible, jnp.where(plain, straight, jnp.where(middle, bent, 0)), jnp.inf)


@closed_form(variance=POSITIVE, distortion=NUMBER, perception=NUMBER)
def gaussian_rate(variance: ArrayLike, distortion: ArrayLike, perception: ArrayLike) -> jax.Array:
    """R(D, P) of a Gaussian source, squared error, W2^2, nats; elementwise, differentiable for P > 0.

    With t = sigma - sqrt(P), where sqrt(P) <= sigma - sqrt(|sigma^2 - D|):

        -1/2 ln(1 - ((sigma^2 + t^2 - D) / (2 sigma t))^2),

    the rate of the jointly Gaussian pair of deviations sigma and t at distance D; else max{1/2 ln(sigma^2/D), 0}.

    Args:
        variance: sigma^2 > 0, any shape.
        distortion: D, mean squared error, broadcast against it.
        perception: P, W2^2, broadcast against both.

    Returns:
        The rate; +inf for D <= 0 or P < 0.

    Reference: G. Zhang et al., NeurIPS 2021, theorem 1.

    >>> round(float(gaussian_rate(1.0, 0.5, 0.0)), 6)  # without the second constraint 0.346574
    0.413339
    """
    v, d, bound = floats(variance, distortion, perception)
    sigma = jnp.sqrt(v)
    positive = bound > 0
    t = sigma - jnp.where(positive, jnp.sqrt(jnp.where(positive, bound, 1)), 0)
    binds = (d > 0) & (bound >= 0) & (t > 0) & (t >= jnp.sqrt(jnp.abs(v - d)))
    t = jnp.where(binds, t, 1)
    correlation = jnp.where(binds, (v + t * t - d) / (2 * sigma * t), 0)
    bent = -0.5 * jnp.log1p(-(correlation**2))
    return jnp.where(bound < 0, jnp.inf, jnp.where(binds, bent, gaussian.rate(v, d)))

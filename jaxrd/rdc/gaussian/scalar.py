"""Scalar Gaussian source with a scalar Gaussian label, squared error: everything in closed form.

X has a variance, S a differential entropy h(S), and rho is their correlation; the classification loss is the
differential entropy h(S|Xh), which may be negative. All functions are elementwise, differentiable, in nats. Where no
code meets the targets they are +inf; derivatives there are 0.

Reference: [B] Theorems 1 to 3, as corrected (the printed second theorem lies below what any code can do).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd._eager import refuse_shapes
from jaxrd.closed_form import gaussian
from jaxrd.closed_form._checked import CORRELATIONS, NUMBER, POSITIVE, closed_form
from jaxrd.closed_form._root import floats

_LABEL = {"correlation": CORRELATIONS._replace(whole=False), "label_entropy": NUMBER}


def differential_entropy(variance: ArrayLike) -> jax.Array:
    """Differential entropy of a Gaussian, h = 1/2 ln(2 pi e variance), nats.

    Args:
        variance: > 0, any unit, any shape; NaN where it is negative.

    Reference: Cover and Thomas, Elements of Information Theory, Theorem 8.4.1.

    >>> round(float(differential_entropy(1.0)), 6)
    1.418939
    """
    return 0.5 * (jnp.log(2 * jnp.pi * jnp.asarray(variance)) + 1)


@closed_form(classification=NUMBER, **_LABEL)
def classification_rate(classification: ArrayLike, *, correlation: ArrayLike, label_entropy: ArrayLike) -> jax.Array:
    """R_C(C) = max{-1/2 ln(1 - (1 - e^{2(C - h(S))}) / rho^2), 0}, nats: the rate that the label alone needs.

    Args:
        classification: C, allowed h(S|Xh), nats, any shape; may be negative or +inf.
        correlation: rho of X and S, no unit, in [-1, 1].
        label_entropy: h(S), nats.

    Returns:
        The rate; +inf at and below h(S) + 1/2 ln(1 - rho^2), 0 from h(S) on.

    Raises:
        InputError: a known argument that is NaN, a correlation outside [-1, 1].

    Reference: [B] Theorem 1, its second case.

    >>> round(float(classification_rate(1.0, correlation=0.8, label_entropy=1.4)), 6)
    0.984571
    """
    c, rho, h = floats(classification, correlation, label_entropy)
    active = c < h
    excess = jnp.where(active, c - h, -1)
    needed = -jnp.expm1(2 * excess)  # the relative reduction of S's variance, which rho^2 (1 - e^{-2R}) must reach
    left = jnp.exp(2 * excess) - (1 - rho) * (1 + rho)  # rho^2 - needed, without cancellation where rho is near 1
    possible = active & (left > 0)
    squared = jnp.where(possible, rho * rho, 2)
    near = needed < 0.5 * rho * rho
    small = -jnp.log1p(-jnp.where(possible & near, needed, 0) / squared)
    large = jnp.log(squared) - jnp.log(jnp.where(possible & ~near, left, squared))
    value = 0.5 * jnp.where(near, small, large)
    return jnp.where(active, jnp.where(possible, value, jnp.inf), 0)


def rate(
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    variance: ArrayLike,
    correlation: ArrayLike,
    label_entropy: ArrayLike,
) -> jax.Array:
    """The rate-distortion-classification function, R(D, C) = max{1/2 ln(variance / D), R_C(C), 0}, nats.

    Args:
        distortion: D, mean squared error, any shape; +inf for no constraint.
        classification: C, allowed h(S|Xh), nats, broadcast against `distortion`; +inf for no constraint.
        variance: of X, > 0, in the unit of the squared error.
        correlation: rho of X and S, no unit, in [-1, 1].
        label_entropy: h(S), nats.

    Returns:
        The rate; +inf for D <= 0 and for C at or below h(S) + 1/2 ln(1 - rho^2).

    Raises:
        InputError: a known argument that is NaN, a correlation outside [-1, 1], a variance outside (0, inf).

    Reference: [B] Theorem 1, corrected: its first and third case overlap, and the first then turns negative.

    >>> round(float(rate(0.5, 1.4, variance=1.0, correlation=0.7, label_entropy=1.42)), 6)  # the distortion decides
    0.346574
    >>> float(rate(0.5, 1.0, variance=1.0, correlation=0.7, label_entropy=1.42))  # no code keeps so much of S
    inf
    """
    refuse_shapes(distortion=distortion, classification=classification, variance=variance)
    for_label = classification_rate(classification, correlation=correlation, label_entropy=label_entropy)
    return jnp.maximum(gaussian.rate(variance, distortion), for_label)


@closed_form(rate=NUMBER, **_LABEL)
def least_classification(rate: ArrayLike, *, correlation: ArrayLike, label_entropy: ArrayLike) -> jax.Array:
    """The least h(S|Xh) at a rate, C(R) = h(S) + 1/2 ln(1 - rho^2 (1 - e^{-2R})), nats; +inf for R < 0.

    No code of rate R does better; at R = inf it is the infimum h(S) + 1/2 ln(1 - rho^2), -inf for rho = +-1.

    Args:
        rate: R, nats, any shape.
        correlation: rho of X and S, no unit, in [-1, 1].
        label_entropy: h(S), nats.

    Raises:
        InputError: a known argument that is NaN, a correlation outside [-1, 1].

    Reference: [B] Theorem 2, the bound on C in its first case.

    >>> round(float(least_classification(0.34, correlation=0.7, label_entropy=1.4189385332)), 6)
    1.280562
    """
    r, rho, h = floats(rate, correlation, label_entropy)
    kept = rho * rho * jnp.expm1(-2 * jnp.maximum(r, 0))
    return jnp.where(r < 0, jnp.inf, h + 0.5 * jnp.log1p(kept))


@closed_form(classification=NUMBER, rate=NUMBER, variance=POSITIVE, **_LABEL)
def distortion(
    classification: ArrayLike,
    rate: ArrayLike,
    *,
    variance: ArrayLike,
    correlation: ArrayLike,
    label_entropy: ArrayLike,
) -> jax.Array:
    """The least distortion at (C, R), D(C, R) = variance e^{-2R} if C >= `least_classification`(R), else +inf.

    At a given rate there is no trade-off: one channel is optimal for both (Theorem 3), so the region is a quadrant.

    Args:
        classification: C, allowed h(S|Xh), nats, any shape.
        rate: R, nats, broadcast against `classification`; R < 0 gives +inf.
        variance: of X, > 0, in the unit of the squared error.
        correlation: rho of X and S, no unit, in [-1, 1].
        label_entropy: h(S), nats.

    Raises:
        InputError: a known argument that is NaN, a correlation outside [-1, 1], a variance outside (0, inf).

    Reference: [B] definition 2; Theorem 2 corrected (see `printed_distortion`).

    >>> entropy = differential_entropy(1.0)
    >>> [round(float(distortion(c, 0.2, variance=1.0, correlation=0.7, label_entropy=entropy)), 6) for c in (1.3, 1.38)]
    [inf, 0.67032]
    """
    feasible = jnp.asarray(classification) >= least_classification(
        rate, correlation=correlation, label_entropy=label_entropy
    )
    return jnp.where(feasible, gaussian.distortion(variance, rate), jnp.inf)


@closed_form(classification=NUMBER, rate=NUMBER, variance=POSITIVE, **_LABEL)
def printed_distortion(
    classification: ArrayLike,
    rate: ArrayLike,
    *,
    variance: ArrayLike,
    correlation: ArrayLike,
    label_entropy: ArrayLike,
) -> jax.Array:
    """Equation (4) of [B] as printed: for reproduction only, no code attains it below `least_classification`.

    variance e^{-2R} for C above `least_classification`(R); variance (1 - (1 - e^{2(C - h(S))}) / rho^2) from
    h(S) + 1/2 ln(1 - rho^2) up to there; 0 where C > h(S) and R > h(X); +inf below.

    The second case lies below variance e^{-2R}, the least distortion of any code, and rises with C where the text says
    that it falls: it is the locus of the corners where both constraints need the same rate. The third is false too.

    Args:
        classification: C, h(S|Xh), nats, any shape.
        rate: R, nats, broadcast against `classification`.
        variance: of X, > 0, in the unit of the squared error.
        correlation: rho of X and S, no unit, in [-1, 1].
        label_entropy: h(S), nats.

    Raises:
        InputError: a known argument that is NaN, a correlation outside [-1, 1], a variance outside (0, inf).

    >>> entropy = differential_entropy(1.0)
    >>> round(float(printed_distortion(1.3, 0.2, variance=1.0, correlation=0.7, label_entropy=entropy)), 6)
    0.567958
    """
    c, r, v, rho, h = floats(classification, rate, variance, correlation, label_entropy)
    threshold = least_classification(r, correlation=rho, label_entropy=h)
    least = least_classification(jnp.inf, correlation=rho, label_entropy=h)
    second = v * (1 + jnp.expm1(2 * (jnp.minimum(c, threshold) - h)) / jnp.where(rho == 0, 1, rho * rho))
    value = jnp.where(c > threshold, gaussian.distortion(v, r), jnp.where(c >= least, second, jnp.inf))
    return jnp.where((c > h) & (r > differential_entropy(v)), 0, value)


class GaussianChannel(NamedTuple):
    """The channel Xh = mean + gain (X - mean) + N(0, noise_variance), its E[X|Xh] being Xh.

    Args:
        gain: in [0, 1], no unit, of the shape of the targets.
        noise_variance: in the unit of the squared error, of the same shape.

    Reference: [B] Theorem 1 (the jointly Gaussian estimator).

    >>> channel = optimal_channel(1.0, 9.0, variance=1.0, correlation=0.7, label_entropy=1.42)
    >>> float(channel.gain), float(channel.noise_variance)  # no rate is needed: nothing is sent
    (0.0, 0.0)
    """

    gain: jax.Array
    noise_variance: jax.Array


def optimal_channel(
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    variance: ArrayLike,
    correlation: ArrayLike,
    label_entropy: ArrayLike,
) -> GaussianChannel:
    """The channel that attains R(D, C): gain 1 - e^{-2R}, noise variance e^{-2R} gain variance.

    Its error is variance e^{-2R} <= D and its h(S|Xh) is `least_classification`(R) <= C. Where R(D, C) is infinite it
    is the identity, which comes closest.

    Args:
        distortion: D, mean squared error, any shape; +inf for no constraint.
        classification: C, allowed h(S|Xh), nats, broadcast against `distortion`; +inf for no constraint.
        variance: of X, > 0, in the unit of the squared error.
        correlation: rho of X and S, no unit, in [-1, 1].
        label_entropy: h(S), nats.

    Raises:
        InputError: a known argument that is NaN, a correlation outside [-1, 1], a variance outside (0, inf).

    Reference: [B] Theorem 1 (the jointly Gaussian estimator).

    >>> channel = optimal_channel(0.25, 9.0, variance=1.0, correlation=0.7, label_entropy=1.42)
    >>> float(channel.gain), float(channel.noise_variance)
    (0.75, 0.1875)
    """
    given = {"variance": variance, "correlation": correlation, "label_entropy": label_entropy}
    left = jnp.exp(-2 * rate(distortion, classification, **given))
    return GaussianChannel(1 - left, left * (1 - left) * jnp.asarray(variance))

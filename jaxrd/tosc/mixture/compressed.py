"""C&E of the mixture: X compressed for squared error, the label decided from the reproduction."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logit, ndtr
from jax.typing import ArrayLike

from jaxrd.information import without_rounding
from jaxrd.tosc.mixture.logistic import LogisticChannel, logistic
from jaxrd.tosc.mixture.source import (
    GaussianMixture,
    differential_entropy,
    floats,
    posterior,
    rule,
    threshold,
    where_numbers,
)

_STAGE = 0.035  # of the continuation: the step of ln(s - critical) / 2 in one stage
_SETTLE = 3  # stages at its end that stay at the slope
_NEAREST = 1e-4  # from the critical slope, as a share of the distance to 1/2: nearer, rounding hides the atoms
_LEAST_SHARE = 1e-14  # of an atom that counts
_RESIDUAL = 1e5  # units of rounding by which gain and offset may miss their fixed point


class CompressedPoint(NamedTuple):
    """A point of C&E, exact.

    Args:
        rate: R(D_X) of X for squared error, nats, shape ().
        distortion: P(MAP decision on the reproduction != Y), shape ().
        squared_error: D_X = E (X - reproduction)^2, in units of the noise's variance, shape ().
        slope: -dR/dD_X at the point, nats per unit of squared error, shape ().

    Reference: [A] (RD), section II-A and II-C.

    >>> point = compress_and_estimate(GaussianMixture(), 0.625)
    >>> round(float(point.squared_error), 4)  # 1 / 2 s
    0.8
    """

    rate: jax.Array
    distortion: jax.Array
    squared_error: jax.Array
    slope: jax.Array


@jax.jit
def critical_slope(mixture: GaussianMixture) -> jax.Array:
    """The slope up to which R(D_X) of the mixture is zero: s = 1 / (2 + 4 a^2 (1 - 2q) / ln((1-q)/q)).

    At a reproduction E X, c(y) <= 1 for all y reads ln E exp(t (X - E X)) <= t^2 / 4 s for all t; the sharpest such
    constant of a Bernoulli variable is known in closed form. It is 1 / 2 Var X at q = 1/2, and less elsewhere.

    Args:
        mixture: its prior and separation, scalars.

    Returns:
        s, nats per unit of squared error, shape ().

    Raises:
        InputError: the mixture is not of scalars.

    Reference: M. Kearns and L. Saul, Large deviation methods for approximate probabilistic inference, UAI 1998.

    >>> float(critical_slope(GaussianMixture()))
    0.25
    """
    q, a = floats(mixture)
    u = logit(q)
    even = jnp.abs(u) < 1e-2
    # tanh(u/2) / u -> 1/2 - u^2 / 24 + u^4 / 240
    ratio = jnp.where(even, 0.5 - u**2 / 24 + u**4 / 240, jnp.tanh(u / 2) / jnp.where(even, 1, u))
    return 1 / (2 + 4 * a**2 * ratio)


def _solve(m: jax.Array, y: jax.Array) -> jax.Array:
    """m^-1 y for a 2 x 2 matrix: a general solver would be most of what is compiled here."""
    determinant = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    return jnp.stack([m[1, 1] * y[0] - m[0, 1] * y[1], m[0, 0] * y[1] - m[1, 0] * y[0]]) / determinant


def _two_atoms(mixture: GaussianMixture, slope: jax.Array) -> tuple[LogisticChannel, jax.Array]:
    """The channel to two atoms that is optimal for critical slope < s < 1/2: logistic in x, by continuation from 1/2.

    Its gain and offset are a fixed point through centroids y and shares w: gain = 2 s (y_1 - y_0), offset =
    ln(w_1/w_0) - s (y_1^2 - y_0^2). Such a law is optimal: c - 1 is p/Z - const convolved with a Gaussian, a kernel
    that diminishes variation, p/Z - const changes sign at most four times (Z the noisy atoms, wider than the
    modes), and the two atoms are double zeros already; so c <= 1 everywhere.

    Returns:
        The channel, and whether one atom is so rare that the rate is zero up to rounding.
    """
    q, a, s = floats(mixture, slope)

    def expand(z, s):
        """The residual at ln gain and offset, its derivatives in them and in s, and the channel."""

        def residual(z, s):
            gain, offset = jnp.exp(z[0]), z[1]
            channel = logistic(mixture, gain, offset)
            y, w = channel.centroid, channel.share
            tilt = jnp.log(w[1] / w[0]) - s * (y[1] ** 2 - y[0] ** 2)
            r = jnp.stack([1 - 2 * s * (y[1] - y[0]) / gain, offset - tilt])
            return r, (r, channel)

        by, (r, channel) = jax.jacfwd(residual, argnums=(0, 1), has_aux=True)(z, s)
        return r, *by, channel

    # From `critical` on the atoms separate as the root of s - critical, or their shares as s - critical itself.
    critical = critical_slope(mixture)
    depth = jnp.log((s - critical) / (0.5 - critical)) / 2
    stages = jnp.ceil(-depth / _STAGE)

    def advance(state):
        i, z, _ = state
        before, after = (
            critical + (0.5 - critical) * jnp.exp(2 * depth * jnp.minimum(k / stages, 1)) for k in (i, i + 1)
        )
        r, by_z, by_s, channel = expand(z, before)
        return i + 1, z - _solve(by_z, r + by_s * (after - before)), channel.share.min()

    def unfinished(state):
        return (state[0] < stages + _SETTLE) & (state[2] > _LEAST_SHARE)

    def newton(_, z):
        r, by_z, _, _ = expand(z, s)
        return z - _solve(by_z, r)

    start = jnp.zeros((), q.dtype), jnp.stack([jnp.log(2 * a), logit(q)]), jnp.ones((), q.dtype)
    _, z, rarest = jax.lax.stop_gradient(jax.lax.while_loop(unfinished, advance, start))
    z = jax.lax.fori_loop(0, 2, newton, z)  # these steps restore the derivatives, the second ones too
    r, _, _, channel = expand(z, s)
    reproduced = jnp.abs(r).max() < _RESIDUAL * jnp.finfo(s.dtype).eps
    return jax.tree.map(lambda a: jnp.where(reproduced, a, jnp.nan), channel), rarest <= _LEAST_SHARE


def _label_error_below_noise(mixture: GaussianMixture, squared_error: jax.Array) -> jax.Array:
    """D_Y where D_X <= 1: the reproduction is a mixture of the same modes with variance 1 - D_X.

    Given x in one mode it is Gaussian with mean m + (1 - D)(x - m), variance D (1 - D). P(Y = 1 | reproduction) is
    a logistic function blurred evenly, so that its threshold is that of X.
    """
    _, a, d = floats(mixture, squared_error)
    t = threshold(mixture)
    spread = jnp.sqrt(jnp.maximum(d * (1 - d), jnp.finfo(d.dtype).tiny))
    turn = jnp.sqrt(d / jnp.maximum(1 - d, 1e-3))
    x, w = rule(mixture, t, jnp.minimum(turn, jnp.pi / (2 * a)))
    v = posterior(mixture, x)

    def beyond(mode):
        return ndtr((mode + (1 - d) * (x - mode) - t) / spread)

    above = (1 - v) * beyond(-a) + v * beyond(a)
    return w @ ((1 - v) * above + v * (1 - above))


@jax.jit
def compress_and_estimate(mixture: GaussianMixture, slope: ArrayLike) -> CompressedPoint:
    """C&E at a slope of R(D_X), exact: X compressed for squared error, then the MAP decision ([A], section II-A).

    For s >= 1/2 the Shannon lower bound is tight, as the noise itself is Gaussian of variance 1: D_X = 1 / 2 s,
    R = h(X) - 1/2 ln(2 pi e D_X). From there down to the critical slope the reproduction has two atoms, and below
    it is constant. D_Y is neither convex in R nor monotone.

    A slope nearer to the critical one than 1e-4 of the distance to 1/2 is moved to that distance, where rounding does
    not hide the atoms (in float32 it may). NaN where it does: seen for separations below 0.5 alone.

    Args:
        mixture: its prior and separation, scalars.
        slope: s = -dR/dD_X > 0, finite, nats per unit of squared error, a scalar.

    Returns:
        A `CompressedPoint`.

    Raises:
        InputError: the mixture or the slope is no scalar.

    >>> point = compress_and_estimate(GaussianMixture(), 0.625)  # D_X = 0.8
    >>> round(float(point.rate), 4), round(float(point.distortion), 4)
    (0.4484, 0.2235)
    """
    q, a, s = floats(mixture, slope)
    critical = critical_slope(mixture)
    few = (s > critical) & (s < 0.5)
    nearest = critical + _NEAREST * (0.5 - critical)
    inside = jnp.where(few, jnp.maximum(s, nearest), 0.5 * (0.5 + critical))
    atoms, rare = _two_atoms(mixture, inside)
    power = 1 + a**2  # E X^2; an atom is the mean of the x that it reproduces
    coarse = CompressedPoint(atoms.rate, atoms.joint.min(0).sum(), power - atoms.share @ atoms.centroid**2, inside)
    d = 1 / (2 * jnp.maximum(s, 0.5))
    rate = without_rounding(differential_entropy(mixture) - 0.5 * jnp.log(2 * jnp.pi * jnp.e * d))
    fine = CompressedPoint(rate, _label_error_below_noise(mixture, d), d, s)
    mean = a * (2 * q - 1)
    silent = CompressedPoint(jnp.zeros_like(s), jnp.minimum(q, 1 - q), power - mean**2, s)

    def choose(coarse, fine, silent):
        return jnp.where(s >= 0.5, fine, jnp.where(few & ~rare, coarse, silent))

    return where_numbers(jax.tree.map(choose, coarse, fine, silent), q, a, s)

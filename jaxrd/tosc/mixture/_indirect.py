"""iRD of the mixture: the least rate of a code that sees X, for the distortion of the label."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import sigmoid
from jax.typing import ArrayLike

from jaxrd.information import entropy
from jaxrd.tosc.mixture.logistic import soft_decision
from jaxrd.tosc.mixture.source import GaussianMixture, decision_joint, floats, log_odds, rule, where_numbers

_STEEP = 1e12  # a slope that stands for infinity: it leaves 1e-24 of the distortion
_BISECTIONS = 60


class IndirectPoint(NamedTuple):
    """A point of iRD, exact.

    Args:
        rate: I(X; reproduction), nats, shape ().
        distortion: P(reproduction != Y), shape ().
        share: P(reproduction = 1), shape ().

    Reference: [A] (iRD) and section II-C.

    >>> point = indirect(GaussianMixture(), 1.7076)
    >>> round(float(point.share), 4)  # equal priors
    0.5
    """

    rate: jax.Array
    distortion: jax.Array
    share: jax.Array


def _rising_root(f: Callable[[jax.Array], jax.Array], low: float, high: float, like: jax.Array) -> jax.Array:
    """x in [low, high] with f(x) = 0 for an increasing f of a scalar, by bisection; derivatives are implicit."""

    def bisect(f, _):
        def halve(_, ends):
            middle = 0.5 * (ends[0] + ends[1])
            below = f(middle) < 0
            return jnp.where(below, middle, ends[0]), jnp.where(below, ends[1], middle)

        ends = jax.lax.fori_loop(0, _BISECTIONS, halve, (jnp.full_like(like, low), jnp.full_like(like, high)))
        return 0.5 * (ends[0] + ends[1])

    # f traced once: Newton steps that carry derivatives would trace the nested root of `indirect_rate` forty times.
    return jax.lax.custom_root(f, jnp.zeros_like(like), bisect, lambda g, y: y / g(jnp.ones_like(y)))


@jax.jit
def indirect(mixture: GaussianMixture, slope: ArrayLike) -> IndirectPoint:
    """iRD at a slope, exact: the direct problem on X with d_hat(x, yh) = P(Y != yh | x) ([A] (iRD)).

    W(1|x) = r e^{s T} / (1 - r + r e^{s T}), T = 2 v(x) - 1, the share r = P(Yh = 1) where both reproductions have
    c = 1 (theory: c_y = E K_y / (K q)); R and D are expectations under it. At q = 1/2, r = 1/2 and
    D = 1/2 - 1/2 E T tanh(s T / 2), R = E (s T / 2) tanh(s T / 2) - ln cosh(s T / 2).

    Args:
        mixture: its prior and separation, scalars.
        slope: s >= 0, nats per unit of distortion, a scalar; inf for the decisions themselves.

    Returns:
        An `IndirectPoint`; NaN where an argument is NaN.

    Raises:
        InputError: the mixture or the slope is no scalar.

    Reference: H. Witsenhausen, Indirect rate distortion problems, IEEE Trans. IT 1980.

    >>> point = indirect(GaussianMixture(), 1.7076)
    >>> round(float(point.distortion), 4), round(float(point.rate), 4)
    (0.3, 0.1569)
    """
    q, a, s = floats(mixture, slope)
    s = jnp.minimum(s, _STEEP)

    def seen(u):
        """Weights, T, and the channel with its entropy, at a log odds u of the share."""
        # The exponents meet at a negative ratio, s T + u = i pi: the nearest singularity.
        safe = jnp.maximum(s, 1e-3)
        branch = jnp.arctanh((1j * jnp.pi - jnp.clip(u, -1e3, 1e3)) / safe)
        half_odds = log_odds(mixture, 0.0) / 2
        x, w = rule(mixture, (branch.real - half_odds) / a, branch.imag / a)
        t = jnp.tanh(log_odds(mixture, x) / 2)
        return w, t, soft_decision(s * t + u)

    def lead(u):  # c_0 - c_1, rising: F is convex in the share
        w, _, (zero, one, _) = seen(u)
        return w @ zero / sigmoid(-u) - w @ one / sigmoid(u)

    u = _rising_root(lead, -60, 60, s)
    w, t, (zero, one, entropy_given_x) = seen(u)
    _, share, entropy_of_share = soft_decision(u)
    rate = jnp.maximum(entropy_of_share - w @ entropy_given_x, 0)
    wrong = 0.5 - 0.5 * w @ (t * (one - zero))

    x, w_all = rule(mixture, -log_odds(mixture, 0.0) / (2 * a), jnp.pi / (2 * a) / (1 + s))
    rare = jnp.where(q <= 0.5, 1, -1) * jnp.tanh(log_odds(mixture, x) / 2)
    silent = w_all @ jnp.expm1(jnp.minimum(s * rare, 80)) <= 0  # c of the rarer label, if it is never sent, less one
    point = IndirectPoint(
        jnp.where(silent, 0, rate),
        jnp.where(silent, jnp.minimum(q, 1 - q), wrong),
        jnp.where(silent, jnp.where(q <= 0.5, 0, 1), share),
    )
    return where_numbers(point, q, a, s)


@jax.jit
def indirect_rate(mixture: GaussianMixture, distortion: ArrayLike) -> jax.Array:
    """iRD at a distortion, nats: `indirect` at the slope that has it.

    Zero for D >= D_0 = min(q, 1 - q), the entropy of the decisions at D = D_TM, +inf below.

    Args:
        mixture: its prior and separation, scalars.
        distortion: D = P(reproduction != Y), a scalar.

    Returns:
        Nats, shape (); NaN where an argument is NaN.

    Raises:
        InputError: the mixture or the distortion is no scalar.

    Reference: [A] (iRD) and section II-C.

    >>> round(float(indirect_rate(GaussianMixture(), 0.3)), 4)
    0.1569
    """
    q, _, d = floats(mixture, distortion)
    joint = decision_joint(mixture)
    least, most = joint[0, 1] + joint[1, 0], jnp.minimum(q, 1 - q)
    rounding = 8 * jnp.finfo(d.dtype).eps
    inside = (d > least + rounding) & (d < most)
    target = jnp.where(inside, d, 0.5 * (least + most))
    u = _rising_root(lambda u: target - indirect(mixture, jnp.exp(u)).distortion, math.log(1e-12), math.log(1e9), d)
    lossless = jnp.where(d >= least - rounding, entropy(joint.sum(0)), jnp.inf)
    value = jnp.where(inside, indirect(mixture, jnp.exp(u)).rate, jnp.where(d >= most, 0, lossless))
    return where_numbers(value, q, d, most)

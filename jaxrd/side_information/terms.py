"""The functional that a code with side information at the decoder minimises, and its certificate.

    F(q) = - sum_x p(x) ln sum_t exp(-slope d(x, t)) prod_s q(t|s)^p(s|x),   d(x, t) = sum_s p(s|x) d(x, t(s))

F is convex in q. With W(t|x) the summand's share and c(t, s) = p(t|s) / q(t|s),

    F(q) - sum_s p(s) ln max_t c(t, s)  <=  min F  <=  F(q)

because F falls by sum_s p(s) ln a_s where every q(.|s) grows by a_s.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrd.side_information.problem import JointProblem, strategies
from jaxrd.solution import Solution, Status
from jaxrd.solvers.certificate import Evaluation, Means, conclude

_NOISE = 16.0
"""Rounding units of the sums, beside those of the logarithms of q that a c is made of."""


class Columns(NamedTuple):
    """A problem at one slope, a column for each strategy."""

    joint: jax.Array  # p(x, s), (n, values); zero for letters that cannot be sent
    source: jax.Array  # p(x), (n,)
    weight: jax.Array  # p(s), and 1 for a value that does not occur, (values,)
    posterior: jax.Array  # p(s|x), (n, values)
    exponent: jax.Array  # slope (d(x, t) - min_t d(x, t)), (n, strategies); +inf for a forbidden pair
    excess: jax.Array  # d(x, t) - min_t d(x, t); zero where the pair is forbidden
    least: jax.Array  # min_t d(x, t), (n,)
    slope: jax.Array
    sendable: jax.Array  # (): every letter that occurs has an allowed strategy
    sound: jax.Array  # (): the joint is a pmf, and no row of a letter that occurs holds NaN or -inf


class Terms(NamedTuple):
    """F and its derivatives at a q."""

    channel: jax.Array  # W(t|x), (n, strategies)
    mass: jax.Array  # p(t, s), (strategies, values)
    c: jax.Array  # p(t, s) / (p(s) q(t|s)), (strategies, values)
    objective: jax.Array  # F, without the least distortions
    excess: jax.Array  # E d - E min_t d


def columns(problem: JointProblem, slope: jax.Array) -> Columns:
    """Differentiable in the joint, the distortion and the slope.

    Args:
        problem: as `as_inputs` gives it.
        slope: s >= 0, or inf.
    """
    joint, d = jnp.asarray(problem.joint), jnp.asarray(problem.distortion)
    source = joint.sum(1)
    occurs = source > 0
    sound = (joint >= 0).all() & jnp.where(occurs[:, None], d > -jnp.inf, True).all()
    posterior = joint / jnp.where(occurs, source, 1)[:, None]
    chosen = jnp.asarray(strategies(problem))
    of_value = d[:, chosen]  # (n, strategies, values)
    met = (posterior > 0)[:, None, :]
    allowed = (jnp.isfinite(of_value) | ~met).all(2) & occurs[:, None]
    mean = (posterior[:, None, :] * jnp.where(jnp.isfinite(of_value), of_value, 0)).sum(2)
    least = jax.lax.stop_gradient(jnp.where(allowed, mean, jnp.inf).min(1))
    sendable = jnp.isfinite(least) | ~occurs
    least = jnp.where(jnp.isfinite(least), least, 0)
    excess = jnp.where(allowed, mean - least[:, None], 0)
    # Rounding of a mean must not make a tie a difference; its derivative stays.
    tie = excess <= 8 * jnp.finfo(d.dtype).eps * jnp.abs(least)[:, None]
    excess = excess - jax.lax.stop_gradient(jnp.where(tie, excess, 0))
    finite = jnp.isfinite(slope)
    exponent = jnp.where(finite, jnp.where(finite, slope, 0) * excess, jnp.where(excess > 0, jnp.inf, 0))
    value = joint.sum(0)
    return Columns(
        joint=joint,
        source=source,
        weight=jnp.where(value > 0, value, 1),
        posterior=posterior,
        exponent=jnp.where(allowed | ~sendable[:, None] | ~occurs[:, None], exponent, jnp.inf),
        excess=excess,
        least=least,
        slope=slope,
        sendable=sendable.all(),
        sound=sound,
    )


def terms(at: Columns, q: jax.Array) -> Terms:
    """F and its derivatives at q > 0, shape (strategies, values)."""
    log = at.posterior @ jnp.log(jnp.maximum(q, jnp.finfo(q.dtype).tiny)).T - at.exponent
    log_z = jax.scipy.special.logsumexp(log, axis=1)
    channel = jnp.exp(log - log_z[:, None])
    mass = channel.T @ at.joint
    return Terms(
        channel,
        mass,
        mass / (at.weight * q),
        -(at.source * log_z).sum(),
        (at.source[:, None] * channel * at.excess).sum(),
    )


def objective(problem: JointProblem, slope: jax.Array, q: jax.Array) -> jax.Array:
    """F(q) = min over channels of I(X;T|S) + slope E d at an optimal q, shape (values, strategies); differentiable.

    Args:
        problem: as `as_inputs` gives it.
        slope: finite.
        q: q(t|s), shape (values, strategies).
    """
    at = columns(problem, slope)
    return terms(at, q.T).objective + slope * (at.source * at.least).sum()


def bound(at: Columns, q: jax.Array, t: Terms, rounding: jax.Array | float = 0.0) -> jax.Array:
    """F at q, each of its laws divided by its sum, less the certified bound on min F.

    Args:
        at: the problem.
        q: shape (strategies, values).
        t: its terms.
        rounding: of ln c, shape (strategies, 1).
    """
    each = (jnp.log(jnp.maximum(t.c, jnp.finfo(q.dtype).tiny)) + rounding).max(0) + jnp.log(q.sum(0))
    return jnp.where(at.joint.sum(0) > 0, at.weight * each, 0).sum()


def certify(at: Columns, q: jax.Array, steps: jax.Array, tol: jax.Array, unfinished: jax.Array | Status) -> Solution:
    """The Solution at q, shape (strategies, values): `reproduction` is q(t|s), shape (values, strategies)."""
    q = q / q.sum(0)
    t = terms(at, q)
    divergence = jnp.where(t.mass > 0, t.mass * jnp.log(jnp.where(t.mass > 0, t.c, 1)), 0).sum()
    # A strategy of tiny mass has large logarithms; their rounding counts where it decides the bound.
    rounding = jnp.finfo(q.dtype).eps * (4 + 2 * jnp.abs(jnp.log(q)).max(1, keepdims=True))
    e = Evaluation(q, t.c, t.objective, divergence, bound(at, q, t, rounding) - divergence)
    size = (at.source * jnp.abs(at.least)).sum()
    none = jnp.zeros((), q.dtype)
    means = Means(t.excess, (at.source * at.least).sum(), size, none, at.sendable, at.sound)
    return conclude(at.slope, means, _NOISE, q.T, e, steps, tol, unfinished)

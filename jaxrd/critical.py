"""The slope below which zero rate is optimal."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrd.information import normalised
from jaxrd.problem import Problem, as_arrays, refuse

_STEPS = 200


def critical_slope(problem: Problem) -> jax.Array:
    """The largest slope at which the rate is zero: -R'(D_max), from the left.

    With y* the reproduction of least mean distortion, it is the positive root of
    max_{y != y*} E exp(-s (d_y - d_y*)) = 1; 0 if another reproduction is as good as y*, +inf if y* is best for
    every letter.

    Args:
        problem: source (n,), distortion (n, m).

    Returns:
        s_crit, nats per unit of distortion, shape (). Zero where y* is forbidden for some letter; NaN for traced values
        that are no problem.

    Raises:
        InputError: the shapes do not belong together, or known values have no answer (see `Problem`).

    Reference: the optimality conditions of [A] (TMRD) at a point mass.

    >>> problem = Problem(jnp.array([0.6, 0.3, 0.1]), 1 - jnp.eye(3))
    >>> round(float(critical_slope(problem)), 6)  # Hamming: ln(p_1 / p_2)
    0.693147
    """
    problem = as_arrays(problem)
    refuse(problem)
    return _critical_slope(problem)


@jax.jit
def _critical_slope(problem: Problem) -> jax.Array:
    p, d = normalised(problem.source), jnp.asarray(problem.distortion)
    eps = jnp.finfo(p.dtype).eps
    d = jnp.where(p[:, None] == 0, 0, d)
    low = d.min(1, keepdims=True)
    beyond = d - jnp.where(jnp.isfinite(low), low, 0)  # a large offset of a row costs the means no digits
    mean = p @ beyond
    sound = (mean >= 0).all()
    best = mean.argmin()
    lead = beyond - beyond[:, best, None]
    lead = jnp.where(jnp.isnan(lead), 0, lead)
    other = jnp.arange(d.shape[1]) != best

    # At the root p_x exp(-s lead_xy) <= 1 for every pair. So `unit` is no less, at any scale of the distortion.
    gains = (lead < 0) & other
    unit = jnp.where(gains, jnp.minimum(jnp.log(p), -eps)[:, None] / jnp.where(gains, lead, -1), jnp.inf).min()
    unit = jnp.minimum(unit, jnp.finfo(p.dtype).max)
    charge = unit * lead

    def excess(t):
        # ln E exp(-s lead) at s = t unit, through expm1: near zero the ones cancel exactly, in float32 too.
        charged = jnp.where(jnp.isinf(charge), charge, t * jnp.where(jnp.isinf(charge), 0, charge))
        return jnp.where(other, jnp.log1p(p @ jnp.expm1(-charged)), -jnp.inf).max(initial=-jnp.inf)

    # Convex in t and zero at t = 0: from the right Newton's method converges to the root from above.
    def newton(state):
        t, _, step = state
        value, slope = jax.value_and_grad(excess)(t)
        new = jnp.maximum(jnp.where(slope > 0, t - value / slope, 0), 0)
        return new, jnp.abs(new - t) > 4 * eps * t, step + 1

    start = (jnp.ones((), p.dtype), jnp.bool_(True), jnp.int32(0))
    root = unit * jax.lax.while_loop(lambda state: state[1] & (state[2] < _STEPS), newton, start)[0]
    tie = jnp.where(other, mean, jnp.inf).min() <= mean[best]
    critical = jnp.where(tie | ~jnp.isfinite(mean[best]), 0, jnp.where(gains.any(), root, jnp.inf))
    return jnp.where(sound, critical, jnp.nan)

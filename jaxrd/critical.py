"""The slope below which saying nothing is optimal."""

import jax
import jax.numpy as jnp

from jaxrd.problem import Problem, as_arrays


@jax.jit
def critical_slope(problem: Problem) -> jax.Array:
    """The largest slope at which the rate is zero: -R'(D_max), from the left.

    With y* the reproduction of least mean distortion, it is the positive root of
    max_{y != y*} E exp(-s (d_y - d_y*)) = 1; 0 if another reproduction is as good as y*, +inf if y* is best for
    every letter.

    Args:
        problem: source (n,), distortion (n, m).

    Returns:
        s_crit, nats per unit of distortion, shape (). Zero where y* is forbidden for some letter.

    Reference: the optimality conditions of [A] (TMRD) at a point mass.

    >>> problem = Problem(jnp.array([0.6, 0.3, 0.1]), 1 - jnp.eye(3))
    >>> round(float(critical_slope(problem)), 6)  # Hamming: ln(p_1 / p_2)
    0.693147
    """
    problem = as_arrays(problem)
    p, d = jnp.asarray(problem.source), jnp.asarray(problem.distortion)
    p = p / p.sum()
    mean = p @ jnp.where(p[:, None] > 0, d, 0)
    best = mean.argmin()
    lead = jnp.where(p[:, None] > 0, d - d[:, best, None], 0)
    lead = jnp.where(jnp.isnan(lead), 0, lead)
    other = jnp.arange(d.shape[1]) != best

    def excess(s):
        # ln E exp(-s lead) through expm1: near s = 0 the ones cancel exactly, in float32 too.
        charged = jnp.where(jnp.isinf(lead), jnp.sign(lead) * jnp.inf, s * jnp.where(jnp.isinf(lead), 0, lead))
        return jnp.where(other, jnp.log1p(p @ jnp.expm1(-charged)), -jnp.inf).max(initial=-jnp.inf)

    # Convex in s and zero at s = 0: find a slope right of the root, then Newton falls onto it from there.
    spread = jnp.where(jnp.isfinite(lead), jnp.abs(lead), 0).max()
    unit = 1 / jnp.where(spread > 0, spread, 1)
    cap = 1e9 * unit
    right = jax.lax.while_loop(lambda s: (excess(s) <= 0) & (s < cap), lambda s: 2 * s, 1e-9 * unit)

    def newton(state):
        s, _, step = state
        value, slope = jax.value_and_grad(excess)(s)
        new = jnp.maximum(jnp.where(slope > 0, s - value / slope, 0), 0)
        return new, jnp.abs(new - s) > 4 * jnp.finfo(p.dtype).eps * s, step + 1

    start = (right, jnp.bool_(True), jnp.int32(0))
    root = jax.lax.while_loop(lambda state: state[1] & (state[2] < 100), newton, start)[0]
    tie = jnp.where(other, mean, jnp.inf).min() <= mean[best]
    never = excess(right) <= 0
    return jnp.where(tie | ~jnp.isfinite(mean[best]), 0, jnp.where(never, jnp.inf, root))

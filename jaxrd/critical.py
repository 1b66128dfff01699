"""The slope below which saying nothing is optimal."""

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

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
    p, d = problem.source, problem.distortion
    mean = p @ jnp.where(p[:, None] > 0, d, 0)
    best = mean.argmin()
    lead = jnp.where(p[:, None] > 0, d - d[:, best, None], 0)
    lead = jnp.where(jnp.isnan(lead), 0, lead)
    other = jnp.arange(d.shape[1]) != best

    def log_excess(s):
        charged = jnp.where(jnp.isinf(lead), jnp.sign(lead) * jnp.inf, s * lead)
        return jnp.where(other, logsumexp(-charged, b=p[:, None], axis=0), -jnp.inf).max(initial=-jnp.inf)

    # Convex in s and zero at s = 0: find a slope right of the root, then Newton falls onto it from there.
    spread = jnp.where(jnp.isfinite(lead), jnp.abs(lead), 0).max()
    unit = 1 / jnp.where(spread > 0, spread, 1)
    cap = 1e9 * unit
    right = jax.lax.while_loop(lambda s: (log_excess(s) <= 0) & (s < cap), lambda s: 2 * s, 1e-9 * unit)

    def newton(state):
        s, _, step = state
        value, slope = jax.value_and_grad(log_excess)(s)
        new = jnp.where(slope > 0, s - value / slope, 0)
        return jnp.maximum(new, 0), jnp.abs(new - s) > 4 * jnp.finfo(p.dtype).eps * s, step + 1

    start = (right, jnp.bool_(True), jnp.int32(0))
    root = jax.lax.while_loop(lambda state: state[1] & (state[2] < 100), newton, start)[0]
    tie = jnp.where(other, mean, jnp.inf).min() <= mean[best]
    never = log_excess(right) <= 0
    return jnp.where(tie | ~jnp.isfinite(mean[best]), 0, jnp.where(never, jnp.inf, root))

"""The slope below which zero rate is optimal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._eager import is_traced
from jaxrd._host import loop
from jaxrd.distortion.streamed import Streamed
from jaxrd.information import normalised
from jaxrd.problem import Problem, as_arrays, refuse

_STEPS = 200
_MOST = 2**20  # entries up to which numpy takes less time than a compile
_SAMPLE = 2**20  # entries of the rows of a sample where Newton's method begins


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
    n, m = problem.distortion.shape
    streamed = isinstance(problem.distortion, Streamed)
    if is_traced(problem) or (not streamed and (n * m > _MOST or jax.default_backend() != "cpu")):
        return _traced(problem)
    with np.errstate(all="ignore"):
        if isinstance(problem.distortion, Streamed):
            return jax.device_put(_by_blocks(problem.distortion, np.asarray(problem.source)))
        problem = Problem(*(np.asarray(a) for a in (problem.source, problem.distortion)))
        return jax.device_put(_critical_slope(np, problem, problem.source / problem.source.sum(), loop))


@partial(jax.jit, static_argnames="build")
def _sums(data: Any, p: jax.Array, best: jax.Array, slope: jax.Array, *, build: Callable) -> tuple:
    """Of a block, for each reproduction: its mean beyond the least, E exp(-s lead) - 1 and its derivative in s."""
    d = jnp.where(p[:, None] == 0, 0, build(data))
    low = d.min(1, keepdims=True)
    beyond = d - jnp.where(jnp.isfinite(low), low, 0)
    lead = jnp.nan_to_num(beyond - beyond[:, best, None], nan=0.0, posinf=jnp.inf, neginf=-jnp.inf)
    beyond_one = jnp.expm1(-slope * lead)
    return p @ beyond, p @ beyond_one, -(p @ jnp.where(jnp.isinf(lead), 0, lead * (1 + beyond_one)))


def _by_blocks(distortion: Streamed, source: np.ndarray) -> np.ndarray:
    """By Newton's method from the right, a pass over the rows a step."""
    p, eps = source / source.sum(), np.finfo(source.dtype).eps

    def sums(best: int, slope: float) -> tuple:
        at = np.asarray(slope, p.dtype)
        return distortion.added(lambda data, p: _sums(data, p, np.int32(best), at, build=distortion.build), p)

    mean = sums(0, 1.0)[0]
    best = int(mean.argmin())
    other = np.arange(len(mean)) != best
    if not (mean >= 0).all():
        return np.asarray(np.nan, p.dtype)
    if not other.any() or not np.isfinite(mean[best]) or mean[other].min() <= mean[best]:
        return np.asarray(np.inf if not other.any() else 0, p.dtype)

    def excess(s: float) -> tuple[float, float]:
        _, beyond_one, derivative = sums(best, s)
        value = np.where(other, np.log1p(beyond_one), -np.inf)
        y = value.argmax()
        return float(value[y]), float(derivative[y] / np.exp(value[y]))

    rows = distortion.rows_of_sample(_SAMPLE // len(mean))
    near = float(_critical_slope(np, Problem(p[rows], distortion.sample(rows)), p[rows] / p[rows].sum(), loop))
    s = 1.02 * near if 0 < near < np.inf else 1.0
    value, slope = excess(s)
    while value < 0 and s < 1e15:
        s *= 1.1 if 0 < near < np.inf else 4
        value, slope = excess(s)
    if value < 0:
        return np.asarray(np.inf, p.dtype)
    for _ in range(_STEPS):
        new = max(s - value / slope, 0.0) if slope > 0 else 0.0
        if not new < s * (1 - 4 * eps):  # from the right the steps fall: another one is rounding
            break
        s = new
        value, slope = excess(s)
    return np.asarray(s, p.dtype)


@jax.jit
def _traced(problem: Problem) -> jax.Array:
    return _critical_slope(jnp, problem, normalised(problem.source), jax.lax.while_loop)


def _critical_slope(xp: ModuleType, problem: Problem, p: Any, loop: Callable) -> Any:
    """By numpy where the problem is known: each shape would else cost a compile."""
    d = xp.asarray(problem.distortion)
    eps = xp.finfo(p.dtype).eps
    d = xp.where(p[:, None] == 0, 0, d)
    low = d.min(1, keepdims=True)
    beyond = d - xp.where(xp.isfinite(low), low, 0)  # a large offset of a row costs the means no digits
    mean = p @ beyond
    sound = (mean >= 0).all()
    best = mean.argmin()
    lead = beyond - beyond[:, best, None]
    lead = xp.where(xp.isnan(lead), 0, lead)
    other = xp.arange(d.shape[1]) != best

    # At the root p_x exp(-s lead_xy) <= 1 for every pair. So `unit` is no less, at any scale of the distortion.
    gains = (lead < 0) & other
    unit = xp.where(gains, xp.minimum(xp.log(p), -eps)[:, None] / xp.where(gains, lead, -1), xp.inf).min()
    unit = xp.minimum(unit, xp.finfo(p.dtype).max)
    charge = unit * lead
    endless = xp.isinf(charge)
    finite = xp.where(endless, 0, charge)

    def excess(t):
        """ln E exp(-s lead) at s = t unit and its derivative in t, of the reproduction where it is largest."""
        # Through expm1: near zero the ones cancel exactly, in float32 too.
        beyond_one = xp.expm1(-xp.where(endless, charge, t * finite))
        value = xp.where(other, xp.log1p(p @ beyond_one), -xp.inf)
        y = value.argmax()
        return value[y], -(p @ (finite[:, y] * (1 + beyond_one[:, y]))) / xp.exp(value[y])

    # Convex in t and zero at t = 0: from the right Newton's method converges to the root from above.
    def newton(state):
        t, _, step = state
        value, slope = excess(t)
        new = xp.maximum(xp.where(slope > 0, t - value / xp.where(slope > 0, slope, 1), 0), 0)
        return new, xp.abs(new - t) > 4 * eps * t, step + 1

    start = (xp.ones((), p.dtype), xp.bool_(True), xp.int32(0))
    root = unit * loop(lambda state: state[1] & (state[2] < _STEPS), newton, start)[0]
    tie = xp.where(other, mean, xp.inf).min() <= mean[best]
    critical = xp.where(tie | ~xp.isfinite(mean[best]), 0, xp.where(gains.any(), root, xp.inf))
    return xp.where(sound, critical, xp.nan).astype(p.dtype)

"""Derivatives of solutions: implicit on the support for q, the envelope theorem where that suffices."""

import jax
import jax.numpy as jnp

from jaxrd.problem import Problem
from jaxrd.solution import Solution

SUPPORT = 1e-9  # letters below this share of the largest are taken as unused
RIDGE = 1e4  # in rounding units of the Gram matrix, whose largest eigenvalue is one


def _weights(problem: Problem, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """K = exp(-(s d - c)) and c, the row minimum as a constant: any constant gives the same functions below."""
    d = jnp.asarray(problem.distortion)
    allowed = jnp.isfinite(d)
    charge = slope * jnp.where(allowed, d, 0)
    c = jax.lax.stop_gradient(jnp.where(allowed, charge, jnp.inf).min(1))
    c = jnp.where(jnp.isfinite(c), c, 0)
    exponent = jnp.where(allowed, charge - c[:, None], 0)
    return jnp.where(allowed, jnp.exp(-exponent), 0), c


def _ratio(p: jax.Array, z: jax.Array) -> jax.Array:
    return jnp.where(p > 0, p / jnp.where(p > 0, z, 1), 0)


def lagrangian(problem: Problem, slope: jax.Array, q: jax.Array) -> jax.Array:
    """F(q) = - sum_x p_x ln sum_y q_y exp(-s d_xy), a smooth function of everything; L(s) at the optimal q."""
    k, c = _weights(problem, slope)
    p = jnp.asarray(problem.source)
    z = k @ q
    return -jnp.where(p > 0, p * (jnp.log(jnp.where(p > 0, z, 1)) - c), 0).sum()


def _point(problem: Problem, slope: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(I, E d) of the channel q makes."""
    k, _ = _weights(problem, slope)
    p, d = jnp.asarray(problem.source), jnp.asarray(problem.distortion)
    w = _ratio(p, k @ q)
    distortion = w @ (k * jnp.where(jnp.isfinite(d), d, 0)) @ q
    r = q * (w @ k)
    positive = (r > 0) & (q > 0)
    divergence = jnp.where(positive, r * jnp.log(jnp.where(positive, r / jnp.where(positive, q, 1), 1)), 0).sum()
    return lagrangian(problem, slope, q) - slope * distortion - divergence, distortion


@jax.custom_jvp
def optimal_reproduction(problem: Problem, slope: jax.Array, q: jax.Array) -> jax.Array:
    """q itself, as the function of the problem and the slope that it is by optimality."""
    return q


@optimal_reproduction.defjvp
def _(primals, tangents):
    problem, slope, q = primals
    problem_dot, slope_dot, _ = tangents  # q's own tangent is none: it is determined by the rest
    q = optimal_reproduction(problem, slope, q)

    def c_of(problem, slope):
        k, _ = _weights(problem, slope)
        return _ratio(jnp.asarray(problem.source), k @ q) @ k

    _, c_dot = jax.jvp(c_of, (problem, slope), (problem_dot, slope_dot))
    # On the support c_y = 1 stays: G q' = c', G = K' diag(p/z^2) K. Scaled by sqrt(q) its spectrum lies in [0, 1], and
    # unused letters vanish. The ridge decides what dependent columns leave undetermined: the least change.
    k, _ = _weights(problem, slope)
    z = k @ q
    root = jnp.where(q > SUPPORT * q.max(), jnp.sqrt(jnp.maximum(q, 0)), 0)
    a = k * jnp.sqrt(_ratio(jnp.asarray(problem.source), jnp.where(z > 0, z, 1) ** 2))[:, None] * root
    matrix = a.T @ a + RIDGE * jnp.finfo(q.dtype).eps * jnp.eye(q.size, dtype=q.dtype)
    q_dot = root * jax.scipy.linalg.solve(matrix, root * c_dot, assume_a="pos")
    # Within the simplex: G q = 1 on the support, so a common shift of c moves q along itself.
    return q, q_dot - q * q_dot.sum()


@jax.custom_jvp
def solved(problem: Problem, slope: jax.Array, solution: Solution) -> Solution:
    """A solver's solution at one slope, with derivatives of its rate, distortion and reproduction attached.

    Reverse and forward mode; memory independent of the iterations. Undefined at critical slopes, where the support
    changes: there it is the derivative of one of the two sides.
    """
    return solution


@solved.defjvp
def _(primals, tangents):
    problem, slope, solution = primals
    problem_dot, slope_dot, solution_dot = tangents

    def point(problem, slope):
        q = optimal_reproduction(problem, slope, jax.lax.stop_gradient(solution.reproduction))
        return (*_point(problem, slope, q), q)

    _, (rate, distortion, q) = jax.jvp(point, (problem, slope), (problem_dot, slope_dot))
    return solved(problem, slope, solution), _tangent(solution_dot, rate, distortion, q, slope_dot)


def _tangent(template: Solution, rate, distortion, q, slope) -> Solution:
    """A tangent Solution: gap, steps and status are constants."""
    return Solution(slope, rate, distortion, q, jnp.zeros_like(rate), template.steps, template.status)


def _lagrangian_tangent(problem: Problem, problem_dot: Problem, solution: Solution) -> jax.Array:
    """dL at the solution's slope and q: both are optimal, so that neither moves L (the envelope theorem)."""
    q, s = solution.reproduction, solution.slope
    return jax.jvp(lambda problem: lagrangian(problem, s, q), (problem,), (problem_dot,))[1]


@jax.custom_jvp
def rate_solved(problem: Problem, distortion: jax.Array, solution: Solution) -> Solution:
    """`rate_at`'s solution with the derivative of its rate: dR = dL - s dD."""
    return solution


@rate_solved.defjvp
def _(primals, tangents):
    problem, _, solution = primals
    problem_dot, distortion_dot, solution_dot = tangents
    rate_dot = _lagrangian_tangent(problem, problem_dot, solution) - solution.slope * distortion_dot
    fixed = jnp.zeros_like(solution.reproduction), jnp.zeros_like(rate_dot)
    return rate_solved(*primals), _tangent(solution_dot, rate_dot, distortion_dot, *fixed)


@jax.custom_jvp
def distortion_solved(problem: Problem, rate: jax.Array, solution: Solution) -> Solution:
    """`distortion_at`'s solution with the derivative of its distortion: dD = (dL - dR) / s."""
    return solution


@distortion_solved.defjvp
def _(primals, tangents):
    problem, _, solution = primals
    problem_dot, rate_dot, solution_dot = tangents
    distortion_dot = (_lagrangian_tangent(problem, problem_dot, solution) - rate_dot) / solution.slope
    fixed = jnp.zeros_like(solution.reproduction), jnp.zeros_like(rate_dot)
    return distortion_solved(*primals), _tangent(solution_dot, rate_dot, distortion_dot, *fixed)

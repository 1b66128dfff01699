"""The d-tilted information of a solved point, and its variance, the dispersion."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrd._optimum import least_of_rows, optimum, terms
from jaxrd.errors import InputError
from jaxrd.problem import Problem, as_arrays
from jaxrd.solution import Solution


def tilted_information(problem: Problem, point: Solution) -> jax.Array:
    """What each letter contributes to R(D): j(x, D) = - ln sum_y q_y exp(s (D - d(x, y))), E j(X, D) = R(D).

    For jit, grad and vmap; derivatives are those of the point, which `rate_at` attaches.

    Args:
        problem: the problem that was solved; source (n,), distortion (n, m) as a matrix.
        point: one point, as from `rate_at`: its slope s (finite), reproduction q and distortion D are used.

    Returns:
        j, nats, shape (n,). At a slope of inf the distortion of every letter is taken to be its least.

    Raises:
        InputError: the point is a whole curve, or of another problem.

    Reference: V. Kostina and S. Verdu, Fixed-length lossy compression in the finite blocklength regime, IEEE Trans. IT
    2012, definition 6.

    >>> from jaxrd import rate_at
    >>> coin = Problem(jnp.array([0.75, 0.25]), 1 - jnp.eye(2))
    >>> j = tilted_information(coin, rate_at(coin, 0.1))  # - ln p_x - h(D)
    >>> [round(float(a), 4) for a in j]
    [-0.0374, 1.0612]
    """
    problem = as_arrays(problem)
    if point.reproduction.shape != problem.distortion.shape[1:]:
        raise InputError(
            f"point must be one point of this problem, whose distortion has shape {problem.distortion.shape}; its "
            f"reproduction has shape {point.reproduction.shape}. Index a curve, or use jax.vmap."
        )
    q, slope = _polished(problem, point)
    finite = jnp.isfinite(slope)
    beyond = least_of_rows(problem) - point.distortion
    return -jnp.log(terms(problem, slope, q).z) + jnp.where(finite, jnp.where(finite, slope, 0) * beyond, 0)


def _polished(problem: Problem, point: Solution) -> tuple[jax.Array, jax.Array]:
    """q and s at the optimum to rounding: an error in q that the rate feels squared is one in j. Derivatives stay."""
    fixed, here = jax.lax.stop_gradient((problem, point))
    end = (here.slope == 0) | jnp.isinf(here.slope)
    found = optimum("distortion", fixed, here.distortion, here.reproduction, jnp.where(end, 1, here.slope))
    good = jnp.isfinite(found[0]).all() & jnp.isfinite(found[1]) & ~end
    return jax.tree.map(
        lambda new, old, moving: jnp.where(good, new + (moving - old), moving),
        found,
        (here.reproduction, here.slope),
        (point.reproduction, point.slope),
    )


def dispersion(problem: Problem, point: Solution) -> jax.Array:
    """The dispersion V(D) = Var j(X, D): n letters need about R + sqrt(V / n) Q^-1(excess) nats a letter.

    Args:
        problem: the problem that was solved; source (n,), distortion (n, m) as a matrix.
        point: one point, as from `rate_at`.

    Returns:
        V, nats squared, shape ().

    Raises:
        InputError: as `tilted_information`.

    Reference: as `tilted_information`, eq. (90).

    >>> from jaxrd import rate_at
    >>> coin = Problem(jnp.array([0.75, 0.25]), 1 - jnp.eye(2))
    >>> round(float(dispersion(coin, rate_at(coin, 0.1))), 4)  # p (1 - p) ln^2((1 - p) / p)
    0.2263
    """
    j, p = tilted_information(problem, point), jnp.asarray(problem.source)
    p = p / p.sum()
    counted = jnp.where(p > 0, j, 0)
    return p @ (counted - p @ counted) ** 2

"""The ends of a rate-distortion curve."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrd.information import normalised
from jaxrd.problem import Problem, as_arrays, refuse


def distortion_range(problem: Problem) -> tuple[jax.Array, jax.Array]:
    """The distortions between which the rate falls from its maximum to zero: D_min = E min_y d, D_max = min_y E d.

    Below D_min no code exists: there R = +inf, with derivatives zero. Ask before a training step whether the distortion
    it aims at can be reached.

    Args:
        problem: source (n,), distortion (n, m), as a matrix.

    Returns:
        (D_min, D_max), in the unit of the distortion, shape () each, differentiable. +inf is D_min where a letter
        cannot be sent, and D_max where every reproduction is forbidden for some letter.

    Raises:
        InputError: the shapes do not belong together, or known values have no answer (see `Problem`).
        ValueError: the distortion is not held as a matrix.

    Reference: T. Berger, Rate Distortion Theory, 1971, section 2.5.

    >>> least, most = distortion_range(Problem(jnp.array([0.7, 0.3]), jnp.array([[0.0, 1.0], [1.0, 0.5]])))
    >>> round(float(least), 6), round(float(most), 6)
    (0.15, 0.3)
    """
    problem = as_arrays(problem)
    refuse(problem)
    jnp.asarray(problem.distortion)  # raises where it is no matrix, and says what to pass instead
    return _range(problem)


@jax.jit
def _range(problem: Problem) -> tuple[jax.Array, jax.Array]:
    p = normalised(problem.source)
    occurs = (p != 0)[:, None]
    d = jnp.where(occurs, jnp.asarray(problem.distortion), 0)
    return p @ d.min(1), (p @ d).min()

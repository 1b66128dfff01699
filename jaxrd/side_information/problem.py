"""A source of which the receiver knows something, and the decoders that it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced, known, refuse_unless, refuse_weights
from jaxrd._points import tolerance
from jaxrd._room import make_room
from jaxrd.errors import InputError
from jaxrd.information import normalised
from jaxrd.problem import Problem, as_numbers, refuse
from jaxrd.pytree import register

MOST_STRATEGIES = 2**20
"""Strategies that are worth their memory."""


@register
@dataclass(frozen=True)
class JointProblem:
    """A source X, side information S at the decoder, and a distortion: min I(X;T|S) subject to E d(X, T(S)) <= D.

    Args:
        joint: pmf p(x, s), shape (n, values); every function takes it as p / sum p. Letters and values of mass zero are
            masked.
        distortion: d(x, y), shape (n, m), finite or +inf (a forbidden pair), in any unit.
        strategies: the decoders y = t(s) that may be used, int in [0, m), shape (strategies, values). None: all
            m^values of them. With fewer, the rate is of the best code whose decoder uses these alone.

    Nothing is checked here; the functions refuse known values that have no answer, and traced ones give NONFINITE.

    Reference: A. Wyner and J. Ziv, The rate-distortion function for source coding with side information at the
    decoder, IEEE Trans. IT 1976.

    >>> problem = JointProblem(np.array([[0.4, 0.1], [0.1, 0.4]]), 1 - np.eye(2))
    >>> strategies(problem).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """

    joint: jax.Array | np.ndarray
    distortion: jax.Array | np.ndarray
    strategies: jax.Array | np.ndarray | None = None


def strategies(problem: JointProblem) -> jax.Array | np.ndarray:
    """The decoders y = t(s) of a problem, int, shape (strategies, values): the order of `reproduction`'s columns.

    Args:
        problem: joint (n, values), distortion (n, m).

    Raises:
        InputError: there are too many of them.

    Reference: C. Shannon, Channels with side information at the transmitter, IBM Journal 1958 (strategies as letters).

    >>> strategies(JointProblem(np.ones((2, 3)) / 6, 1 - np.eye(2))).shape
    (8, 3)
    """
    if problem.strategies is not None:
        return problem.strategies
    m, values = problem.distortion.shape[1], problem.joint.shape[1]
    if m**values > MOST_STRATEGIES:
        raise InputError(
            f"{m} reproductions and {values} values of the side information have {m}^{values} strategies, more than "
            f"{MOST_STRATEGIES}. Pass those that may be used, JointProblem(joint, distortion, strategies), or merge "
            "values."
        )
    return np.stack(np.unravel_index(np.arange(m**values), (m,) * values), 1).astype(np.int32)


def as_inputs(
    problem: JointProblem, scalar: ArrayLike, tol: ArrayLike | None, *, both: bool = False, target: str | None = None
) -> tuple[JointProblem, Any, Any]:
    """A joint pmf and arrays of one floating dtype; a scalar or, for slopes, an array of that dtype; the tolerance.

    Args:
        problem: joint (n, values), distortion (n, m).
        scalar: the slope or slopes, or what `target` names.
        tol: nats; None: by dtype.
        both: whether the encoder knows S: then there are no strategies.
        target: the scalar's name in errors where it is no slope.

    Raises:
        InputError: the shapes do not belong together, or known values have no answer.
    """
    make_room()
    problem = _as_arrays(problem, both)
    _refuse(problem)
    dtype = problem.distortion.dtype
    scalar = as_numbers(scalar, target or "slope").astype(dtype)
    scalar = scalar if is_traced(scalar) else np.asarray(scalar)
    if target is None:
        refuse_unless(lambda x: x >= 0, "slope", scalar, ">= 0 nats per unit of distortion")
    else:
        refuse_unless(lambda x: ~np.isnan(x), target, scalar, "a number")
    joint = known(problem.joint)
    if joint is not None:
        joint = np.where(joint < np.finfo(dtype).tiny, 0, joint / joint.sum())
    else:
        joint = normalised(problem.joint.ravel()).reshape(problem.joint.shape)
    return JointProblem(joint, problem.distortion, problem.strategies), scalar, tolerance(dtype, tol)


def _as_arrays(problem: JointProblem, both: bool) -> JointProblem:
    if not isinstance(problem, JointProblem):
        shape = getattr(problem, "shape", None)
        got = " ".join(repr(problem).split())[:60] if shape is None else f"an array of shape {tuple(shape)}"
        raise InputError(f"a JointProblem is needed; got {got}. Write JointProblem(joint, distortion).")
    joint, d = as_numbers(problem.joint, "joint"), as_numbers(problem.distortion, "distortion")
    if joint.ndim != 2 or d.ndim != 2 or joint.shape[0] != d.shape[0] or 0 in joint.shape + d.shape:
        raise InputError(
            f"joint must have shape (n, values) and distortion (n, m), all at least 1; got {joint.shape} and {d.shape}."
        )
    dtype = jnp.result_type(joint, d)
    dtype = jnp.promote_types(dtype, jnp.float32 if jnp.issubdtype(dtype, jnp.inexact) else float)
    chosen = None if both else problem.strategies
    if chosen is None and not both:
        strategies(problem)  # refuses too many
    elif chosen is not None:
        chosen = as_numbers(chosen, "strategies")
        if chosen.ndim != 2 or chosen.shape[1] != joint.shape[1] or chosen.dtype.kind not in "iu" or not len(chosen):
            raise InputError(
                f"strategies must be integers of shape (strategies, {joint.shape[1]}); got {chosen.dtype.name} of "
                f"shape {chosen.shape}."
            )
        m = d.shape[1]
        refuse_unless(lambda t: (t >= 0) & (t < m), "strategies", chosen, f"reproductions, 0 to {m - 1}")
    return JointProblem(joint.astype(dtype), d.astype(dtype), chosen)


def _refuse(problem: JointProblem) -> None:
    refuse_weights("joint", problem.joint)
    if known(problem.joint) is not None:
        refuse(Problem(problem.joint.sum(1), problem.distortion))

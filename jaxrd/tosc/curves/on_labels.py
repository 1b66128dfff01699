"""The distortion of TMRD's channels that labels measure, whatever the model believes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import known
from jaxrd.channel import optimal_channel
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.solution import Solution
from jaxrd.tosc._checked import ROUNDING, checked, some_labels


def _classes(given: dict) -> int:
    loss = given["loss"]
    return given["problem"].distortion.shape[1] if loss is None else np.shape(loss)[0]


def _samples(given: dict) -> int:
    return given["problem"].distortion.shape[0]


def _a_loss(given: dict) -> None:
    """Refuse a loss that does not belong to the problem, and a problem of another loss than 0/1 without one."""
    d, loss = given["problem"].distortion, given["loss"]
    if loss is not None:
        shape = np.shape(loss)
        if len(shape) != 2 or shape[1] != d.shape[1]:
            raise InputError(f"loss must have shape (classes, {d.shape[1]}), the problem's letters; got {shape}.")
        return
    values = known(d) if isinstance(d, np.ndarray | jax.Array) else None
    if values is None or values.ndim != 2:
        return
    sums = (1 - np.asarray(values, np.float64)).sum(1)
    off = np.abs(sums - 1)
    if off.max(initial=0) > ROUNDING:
        i = int(off.argmax())
        raise InputError(
            f"the problem's distortion is no 1 - v: row {i} of 1 - d sums to {sums[i]:.4g}, not 1. "
            "Pass loss=l(y, a) for the expected loss of a posterior."
        )


# Shapes of the labels are checked against the loss, so it is checked first.
@checked(_a_loss, some_labels(_classes, rows=_samples))
@jax.jit
def label_distortion(
    problem: Problem, solution: Solution, labels: ArrayLike, loss: ArrayLike | None = None
) -> jax.Array:
    """P(reproduction != label) of the optimal channel, 1 - sum_i w_i W(y_i | v_i), or its mean loss on the labels.

    Under a loss sum_i w_i sum_a W(a | v_i) l(y_i, a): whatever the calibration.

    Args:
        problem: a `model_aware_problem`; source (samples,), distortion (samples, classes). Under a loss its distortion
            is the expected loss v @ l, shape (samples, actions).
        solution: one point of it; its reproduction has shape (classes,), or (actions,).
        labels: y, int, shape (samples,).
        loss: l(y, a), any unit, shape (classes, actions), as `Loss.values`; None: 0/1.

    Returns:
        A probability, or in the unit of the loss; shape ().

    Raises:
        InputError: known labels that are no classes of the problem, or not as many as its samples; a solution that is a
            curve, or of another problem; a loss of another number of actions; without one, a known distortion that is
            not 1 - v.

    Reference: [A] eq. (12).

    >>> from jaxrd import solve
    >>> from jaxrd.tosc import model_aware_problem
    >>> problem = model_aware_problem(jnp.eye(2))
    >>> round(float(label_distortion(problem, solve(problem, 2.0), jnp.array([0, 1]))), 4)  # 1 / (1 + e^2)
    0.1192
    """
    channel = optimal_channel(problem, solution)
    if loss is not None:
        return jnp.asarray(problem.source) @ (channel * jnp.asarray(loss, channel.dtype)[jnp.asarray(labels)]).sum(1)
    right = jnp.take_along_axis(channel, jnp.asarray(labels)[:, None], 1)[:, 0]
    return 1 - jnp.asarray(problem.source) @ right

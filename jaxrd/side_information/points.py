"""Points of a curve with side information: at one slope, at many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd._exported import exported
from jaxrd._points import in_turn, slopes_of_a_call
from jaxrd.errors import InputError
from jaxrd.side_information.kinds import BOTH, DECODER, Kind
from jaxrd.side_information.problem import JointProblem, as_inputs
from jaxrd.solution import Solution


def rate(problem: JointProblem, slope: ArrayLike, *, both: bool = False, tol: ArrayLike | None = None) -> Solution:
    """Solve min I(X;T|S) + slope E d(X, T(S)) at one slope, with a certificate: Wyner and Ziv's curve.

    With `both`, the encoder knows S as well: min I(X;Y|S) + slope E d(X, Y), the conditional rate-distortion function.

    Rate, distortion and reproduction are differentiable in the problem and the slope, in forward and reverse mode and
    to any order; see `jaxrd.solve`. There are no derivatives at slope inf (NaN).

    Args:
        problem: joint (n, values), distortion (n, m).
        slope: s = -dR/dD >= 0, nats per unit of distortion, a scalar; inf for the least distortion.
        both: whether the encoder knows S (static).
        tol: certified gap at which to stop, nats, relative to max(1, |L|); None: 1e-9 in float64, 1e-5 in float32.

    Returns:
        A `Solution` with rate - gap <= R(distortion) <= rate. Its reproduction is q(t|s), shape (values, strategies),
        in the order of `strategies`; with `both`, q(y|s), shape (values, m).

    Raises:
        InputError: the shapes do not belong together, known values have no answer, or there are too many strategies.

    Reference: A. Wyner and J. Ziv, The rate-distortion function for source coding with side information at the
    decoder, IEEE Trans. IT 1976; R. Gray, Conditional rate-distortion theory, 1972 (both).

    >>> coin = JointProblem(np.array([[0.375, 0.125], [0.125, 0.375]]), 1 - np.eye(2))
    >>> point = rate(coin, 2.0)  # h(1/4 * D) - h(D), * for flips one after the other
    >>> round(float(point.rate), 4), round(float(point.distortion), 4), bool(point.gap < 1e-9)
    (0.3242, 0.0796, True)
    """
    problem, at, gap = as_inputs(problem, slope, tol, both=both)
    if at.ndim != 0:
        raise InputError(f"one scalar at a time; got slopes of shape {at.shape}. For a grid use sweep, or jax.vmap.")
    kind = BOTH if both else DECODER
    if is_traced(problem, at, gap):
        return kind.solver(problem, at, tol=gap)
    return jax.device_put(jax.tree.map(lambda a: a[0], known(problem, at[None], gap, kind)))


def sweep(
    problem: JointProblem,
    slopes: ArrayLike,
    *,
    both: bool = False,
    tol: ArrayLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Solve at every slope of a grid: a curve as a Solution with a leading axis.

    Args:
        problem: joint (n, values), distortion (n, m).
        slopes: s >= 0, nats per unit of distortion, shape (k,); inf allowed.
        both: whether the encoder knows S, too (static).
        tol: certified gap at which to stop, nats; None: by dtype.
        progress: called on the host as progress(done, total) after each call of the solver.

    Raises:
        InputError: as `rate`; slopes is not one-dimensional, is empty or holds a negative value or NaN.

    Reference: as `rate`.

    >>> coin = JointProblem(np.array([[0.4, 0.1], [0.1, 0.4]]), 1 - np.eye(2))
    >>> alone, both = sweep(coin, [1.0, 2.0]), sweep(coin, [1.0, 2.0], both=True)
    >>> bool((alone.rate + alone.slope * alone.distortion >= both.rate + both.slope * both.distortion).all())
    True
    """
    problem, grid, gap = as_inputs(problem, slopes, tol, both=both)
    if grid.ndim != 1 or grid.shape[0] == 0:
        raise InputError(f"slopes must have shape (k,), k at least 1; got {grid.shape}. For one slope, use rate.")
    kind = BOTH if both else DECODER
    if is_traced(problem, grid, gap):
        return jax.lax.map(lambda slope: kind.solver(problem, slope, tol=gap), grid)
    length, solved = _length(problem, kind), []
    for first in range(0, len(grid), length):
        solved.append(known(problem, grid[first : first + length], gap, kind))
        if progress is not None:
            progress(min(first + length, len(grid)), len(grid))
    return jax.device_put(jax.tree.map(lambda *parts: np.concatenate(parts), *solved))


def _length(problem: JointProblem, kind: Kind) -> int:
    """Slopes of a call."""
    return max(slopes_of_a_call(problem.joint.size * kind.letters(problem)), 2)


def known(problem: JointProblem, slopes: np.ndarray, tol: Any, kind: Kind) -> Solution:
    """At most `_length` known slopes, by the one program of the problem's shape; numpy arrays."""
    count, length = len(slopes), _length(problem, kind)
    filled = np.concatenate([slopes, np.full(length - count, slopes[-1], slopes.dtype)])
    with jax.ensure_compile_time_eval():
        points = exported(in_turn, Solution, problem, filled, count, tol, solver=kind.solver)
        return jax.tree.map(lambda a: a[:count], jax.device_get(points))

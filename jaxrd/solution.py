"""The result of a solver: a certified point, or the reason why it is not one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import jax
import numpy as np

from jaxrd.curve import Curve
from jaxrd.errors import ConvergenceError, InputError
from jaxrd.pytree import register


class Status(IntEnum):
    """How a point was obtained; each point has its own, so that one bad lane never invalidates a batch.

    >>> Status.EXACT.converged, Status.STALLED.failed, Status(4).name
    (True, True, 'INFEASIBLE')
    """

    CONVERGED = 0
    """The certified gap is within the tolerance."""
    MAX_STEPS = 1
    """The step budget ran out; the gap is valid, but larger than asked."""
    STALLED = 2
    """Rounding stopped the progress; the gap is valid, but larger than asked."""
    NONFINITE = 3
    """NaN in the input or during the iteration: no claim at all."""
    INFEASIBLE = 4
    """No code meets the constraint: the rate is +inf."""
    EXACT = 5
    """A closed form."""
    ACHIEVABLE = 6
    """A point that some code reaches; no lower bound is claimed."""

    @property
    def converged(self) -> bool:
        """Whether the point is known to the accuracy asked: CONVERGED or EXACT."""
        return bool(has_converged(self))

    @property
    def failed(self) -> bool:
        """Whether a solver did not do what was asked: MAX_STEPS, STALLED or NONFINITE.

        INFEASIBLE is no failure: that no code exists is an answer. Nor is ACHIEVABLE: nothing was to be certified.
        """
        return bool(has_failed(self))


def has_converged(status: Any) -> Any:
    """`Status.converged` of each of an array of statuses."""
    return (status == Status.CONVERGED) | (status == Status.EXACT)


def has_failed(status: Any) -> Any:
    """`Status.failed` of each of an array of statuses.

    >>> has_failed(np.array([Status.CONVERGED, Status.STALLED, Status.INFEASIBLE]))
    array([False,  True, False])
    """
    return (status == Status.MAX_STEPS) | (status == Status.STALLED) | (status == Status.NONFINITE)


@register
@dataclass(frozen=True)
class Solution:
    """A point of a rate-distortion curve with its certificate: rate - gap <= R(distortion) <= rate.

    The gap holds an allowance for the rounding of the sums behind it; rate and distortion are themselves rounded.

    A solved curve is a Solution whose fields have a leading axis.

    Args:
        slope: s = -dR/dD >= 0, nats per unit of distortion, shape ().
        rate: I(X;Y) of the solution's channel, nats, shape ().
        distortion: E d(X,Y) of that channel, shape ().
        reproduction: the output pmf q that makes the channel W(y|x) ~ q_y exp(-s d_xy), shape (m,).
        gap: certified distance to the optimum, nats, shape ().
        steps: iterations used, shape ().
        status: a `Status` as int32, shape ().

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972; the lower
    bound: T. Berger, Rate Distortion Theory, 1971, section 2.5.

    >>> import jax.numpy as jnp
    >>> from jaxrd import Problem, solve
    >>> point = solve(Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2)), 2.0)
    >>> round(float(point.rate), 4), bool(point.gap < 1e-4)  # ln 2 - h(D), D = 1 / (1 + e^2)
    (0.3278, True)
    """

    slope: jax.Array
    rate: jax.Array
    distortion: jax.Array
    reproduction: jax.Array
    gap: jax.Array
    steps: jax.Array
    status: jax.Array = field(metadata={"names": Status})

    @property
    def lower(self) -> jax.Array:
        """The certified lower bound on R(distortion), nats."""
        return self.rate - self.gap

    @property
    def converged(self) -> jax.Array:
        """Whether the gap is within the tolerance."""
        return has_converged(self.status)

    def curve(self) -> Curve:
        """The points as a `Curve` on the host."""
        distortion, rate, slope, gap, status = (
            np.atleast_1d(np.asarray(a)) for a in (self.distortion, self.rate, self.slope, self.gap, self.status)
        )
        return Curve(distortion, rate, slope, gap, status)


def check(solution: Solution) -> Solution:
    """Return the solution if every point converged; call it on the host, outside jit.

    Args:
        solution: of `solve`, `sweep` and their like; its fields of shape () or, for a curve, (k,).

    Raises:
        ConvergenceError: names the slopes, the gaps and what to try.
        InputError: it is no solution.

    >>> from jaxrd import Problem, solve
    >>> import jax.numpy as jnp
    >>> point = check(solve(Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2)), 2.0))
    >>> round(float(point.distortion), 4)  # 1 / (1 + e^2)
    0.1192
    """
    if not (hasattr(solution, "status") and hasattr(solution, "converged")):
        raise InputError(f"check takes what solve or sweep returned; got {type(solution).__name__}.")
    status, slope, gap = (np.atleast_1d(np.asarray(a)) for a in (solution.status, solution.slope, solution.gap))
    bad = ~np.atleast_1d(np.asarray(solution.converged))
    if bad.any():
        rows = [
            f"slope {s:.6g}: {Status(int(k)).name}, gap {g:.3g} nat"
            for s, g, k in list(zip(slope[bad], gap[bad], status[bad], strict=True))[:8]
        ]
        more = f" (and {bad.sum() - 8} more)" if bad.sum() > 8 else ""
        advice = (
            "No channel meets such a target; distortion_range says which distortions there are."
            if (status[bad] == Status.INFEASIBLE).all()
            else "Try float64, solver=interior_point, a larger max_steps, or a larger tol; "
            "the gaps are valid bounds unless the status is NONFINITE."
        )
        raise ConvergenceError(f"{bad.sum()} of {bad.size} points did not converge: {'; '.join(rows)}{more}. {advice}")
    return solution

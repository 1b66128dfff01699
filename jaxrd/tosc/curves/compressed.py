"""C&E: the observation compressed for a distortion of its own, the label decided from the reproduction."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.channel import optimal_channel
from jaxrd.problem import Problem
from jaxrd.solution import Solution
from jaxrd.solvers import solve
from jaxrd.tosc._checked import a_joint, checked, numbers, one_number


@readable
class CompressAndEstimate(NamedTuple):
    """A point of C&E: the certified compression of the observation, and the distortion of the label."""

    compression: Solution
    """A point of R(D_X), certified: its distortion is that of the observation."""
    distortion: jax.Array
    """D_Y = P(MAP decision on the reproduction != label), achieved by the channel of `compression`."""

    @property
    def rate(self) -> jax.Array:
        """I(X; reproduction), nats: R(D_X) up to the gap of `compression`."""
        return self.compression.rate


@checked(a_joint(square=False))
@jax.jit
def map_distortion(joint: ArrayLike, channel: ArrayLike) -> jax.Array:
    """P(MAP decision on the reproduction != label) = sum_xh [p(xh) - max_y p(y, xh)] ([A], appendix).

    The appendix writes P(Yh = y | xh) = max_y p(y|xh); the right side equals P(Y = yh(xh) | xh).

    Args:
        joint: J[y, x] of label and observation, shape (classes, n).
        channel: W(xh|x), shape (n, m), rows summing to one.

    >>> float(map_distortion(jnp.eye(2) / 2, jnp.array([[0.75, 0.25], [0.25, 0.75]])))
    0.25
    """
    met = jnp.asarray(joint) @ jnp.asarray(channel)
    return (met.sum(0) - met.max(0)).sum()


@checked(a_joint(square=False), numbers("distortion"), one_number("slope", lambda s: s >= 0, ">= 0"))
@jax.jit
def compress_and_estimate(
    joint: ArrayLike, distortion: ArrayLike, slope: ArrayLike, tol: ArrayLike | None = None
) -> CompressAndEstimate:
    """C&E at a slope: X compressed for a distortion of its own, then the MAP decision ([A], section II-A and appendix).

    R(D_X) is convex, nonincreasing and certified; D_Y, drawn against the rate, is neither convex nor monotone (finer
    reproductions need not be better ones for the label). Where several channels are optimal for X, D_Y is that of
    the one returned. C&E lies above iRD; time sharing reaches its `lower_convex_envelope` with (D_0, 0).

    For a grid of slopes: `jax.vmap`, or `sweep` of Problem(joint.sum(0), distortion), then `map_distortion` of
    each `optimal_channel`.

    Args:
        joint: J[y, x] of label and observation, shape (classes, n): a source with its label channel, p(x) P(y|x).
        distortion: d(x, xh), shape (n, m), any unit.
        slope: s = -dR/dD_X >= 0, nats per unit of that distortion, a scalar; inf for the least.
        tol: certified gap at which to stop, nats; None: by dtype. D_Y may be off by its square root.

    Raises:
        InputError: a known joint that is no joint pmf (an entry negative or not finite, a sum that is not 1), shapes
            that do not belong together, a slope that is no scalar.

    >>> joint = jnp.array([[0.3, 0.2, 0.0], [0.0, 0.1, 0.4]])  # the label is the sign of -1, 0, 1, mostly
    >>> x = jnp.array([-1.0, 0.0, 1.0])
    >>> point = compress_and_estimate(joint, (x[:, None] - x) ** 2, jnp.inf)
    >>> round(float(point.rate), 4), round(float(point.distortion), 4)
    (1.0889, 0.1)
    """
    j = jnp.asarray(joint)
    problem = Problem(j.sum(0), jnp.asarray(distortion))
    point = solve(problem, slope, tol=tol)
    return CompressAndEstimate(point, map_distortion(j, optimal_channel(problem, point)))

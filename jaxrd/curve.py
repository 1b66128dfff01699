"""A curve on the host, for figures and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced, refuse_words
from jaxrd._host import loop
from jaxrd._readable import readable
from jaxrd.errors import InputError


@readable
@dataclass(frozen=True)
class Curve:
    """Points of a rate-distortion curve on the host, one entry each: solved, closed-form or merely achievable.

    Args:
        distortion: in the unit of the problem's distortion, shape (k,).
        rate: nats, shape (k,).
        slope: -dR/dD, nats per unit of distortion, shape (k,); NaN where the curve has none.
        gap: certified gap, nats, shape (k,); NaN where nothing is certified.
        status: a `Status` each, int, shape (k,).
        model_distortion: distortion the model believes, shape (k,), where it differs from the measured one. Slope, gap
            and status then speak of the curve over `model_distortion`; over `distortion` the points are achievable, no
            more.
        parameters: further arrays of length k by name (say, an inverse temperature), for files.

    >>> none = np.full(2, np.nan)
    >>> ends = Curve(np.array([0.0, 0.5]), np.array([np.log(2), 0.0]), none, none, np.array([6, 6]))  # of a fair coin
    >>> ends.rate.round(4).tolist()
    [0.6931, 0.0]
    """

    distortion: np.ndarray
    rate: np.ndarray
    slope: np.ndarray
    gap: np.ndarray
    status: np.ndarray
    model_distortion: np.ndarray | None = None
    parameters: dict[str, np.ndarray] = field(default_factory=dict)

    def with_distortion(self, distortion: np.ndarray) -> Curve:
        """The same points with the distortion measured anew; the former one becomes `model_distortion`."""
        return replace(self, distortion=distortion, model_distortion=self.distortion)


def lower_convex_envelope(distortion: ArrayLike, rate: ArrayLike) -> jax.Array:
    """The largest convex, nonincreasing function below the points, at each of them: what time sharing achieves.

    env(D) = min { sum_i w_i R_i : sum_i w_i D_i <= D, w a pmf }.

    Append the zero-rate point (D_0, 0) for time sharing with silence. Points with a non-finite entry are left out
    of the envelope (their own value is that of the envelope there, NaN if their distortion is NaN).

    Args:
        distortion: shape (k,), in any order.
        rate: shape (k,), any unit.

    Returns:
        The envelope at each distortion, shape (k,), in the unit of `rate`.

    Raises:
        InputError: the shapes differ, or there is no point.

    Reference: R. Yeung, Information Theory and Network Coding, 2008, chapter 8 (time sharing; [A], footnote 5).

    >>> lower_convex_envelope([0.0, 0.5, 1.0], [2.0, 1.5, 0.0]).tolist()
    [2.0, 1.0, 0.0]
    """
    refuse_words("distortion", distortion)
    refuse_words("rate", rate)
    d, r = (jnp.asarray(x) if is_traced(x) else np.asarray(x) for x in (distortion, rate))
    if d.ndim != 1 or d.shape != r.shape or d.size == 0:
        raise InputError(f"distortion and rate must have one shape (k,), k at least 1; got {d.shape} and {r.shape}.")
    dtype = jnp.promote_types(jnp.result_type(d, r), jnp.float32)
    d, r = d.astype(dtype), r.astype(dtype)
    if is_traced(d, r):
        return _traced(jnp.asarray(d), jnp.asarray(r))
    with np.errstate(all="ignore"):
        return jax.device_put(_envelope(np, d, r, loop))


@jax.jit
def _traced(d: jax.Array, r: jax.Array) -> jax.Array:
    return _envelope(jnp, d, r, jax.lax.while_loop)


def _envelope(xp: ModuleType, d: Any, r: Any, loop: Callable) -> Any:
    """By numpy where the points are known: each number of them would else cost a compile."""
    dtype = d.dtype
    usable = xp.isfinite(d) & xp.isfinite(r)
    leftmost = xp.where(usable, d, xp.inf).min()
    start_rate = xp.where(usable & (d == leftmost), r, xp.inf).min()

    # Gift wrapping: from a vertex, the steepest descent to any point on its right is the next edge.
    def edge(state):
        x, y, value, _, turns = state
        right = usable & (d > x)
        steepness = xp.where(right, (r - y) / xp.where(right, d - x, 1), xp.inf)
        least = steepness.min()
        descends = least < 0
        slope = xp.where(descends, least, 0)
        value = xp.where(d >= x, y + xp.where(slope < 0, slope * (d - x), 0), value)
        # Farthest of the points on this edge: collinear points cost no further turn.
        tied = right & (steepness <= least)
        x_next = xp.where(descends, xp.where(tied, d, -xp.inf).max(), x)
        y_next = xp.where(tied & (d == x_next), r, xp.inf).min()
        return x_next, xp.where(descends, y_next, y), value, descends, turns + 1

    start = (leftmost, start_rate, xp.full(d.shape, xp.nan, dtype), usable.any(), xp.int32(0))
    # A vertex ends at most one edge: this bounds the loop, even with overflow.
    value = loop(lambda state: state[3] & (state[4] < d.size), edge, start)[2]
    # The vertices exactly, free of the rounding of their edge.
    return xp.where(usable & (r < value), r, value)

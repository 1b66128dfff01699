"""The certificate of a reproduction pmf: a valid gap for any q, converged or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced, known, refuse_unless
from jaxrd._points import tolerance
from jaxrd._room import make_room
from jaxrd.errors import InputError
from jaxrd.information import normalised
from jaxrd.kernels import Kernel, kernel_of, ratio
from jaxrd.problem import Problem, as_arrays, as_numbers, refuse
from jaxrd.solution import Solution, Status


class Prepared(NamedTuple):
    """A problem at one slope, ready for a solver: constants for automatic differentiation."""

    kernel: Kernel
    source: jax.Array  # (n,), zero on letters that cannot be sent
    slope: jax.Array
    sendable: jax.Array  # (): every letter of positive mass has an allowed reproduction
    sound: jax.Array  # (): the source is a pmf, and no row of a letter of positive mass holds NaN or -inf


def as_inputs(
    problem: Problem, scalar: ArrayLike, tol: ArrayLike | None, *, target: str | None = None
) -> tuple[Problem, Any, Any]:
    """A pmf and arrays of one strong dtype (a Python scalar must not cost a compile of its own); tol=None: the default.

    Args:
        problem: source (n,), distortion (n, m).
        scalar: the slope, or what `target` names.
        tol: nats.
        target: the scalar's name in errors where it is no slope, which must be >= 0.

    Raises:
        InputError: the shapes do not belong together, the slope or target is no scalar, or known values have no answer.
    """
    make_room()
    problem = as_arrays(problem)
    refuse(problem)
    dtype = problem.source.dtype
    scalar = as_numbers(scalar, target or "slope").astype(dtype)
    scalar = scalar if is_traced(scalar) else np.asarray(scalar)
    if scalar.ndim != 0:
        raise InputError(
            f"one scalar at a time; got shape {scalar.shape}. For a grid of slopes use sweep, or jax.vmap."
        )
    if target is None:
        refuse_unless(lambda x: x >= 0, "slope", scalar, ">= 0 nats per unit of distortion")
    else:
        refuse_unless(lambda x: ~np.isnan(x), target, scalar, "a number")
    # A pmf rounded to fewer digits must not make the certificate invalid.
    source = known(problem.source)
    if source is not None:
        source = np.where(source < np.finfo(dtype).tiny, 0, source / source.sum())  # as XLA takes it
    else:
        source = normalised(problem.source)  # differentiable: a derivative in the source lies along the simplex
    return Problem(source, problem.distortion), scalar, tolerance(dtype, tol)


def prepare(problem: Problem, slope: jax.Array) -> Prepared:
    """Build the kernel. Derivatives stop here: a solver's result is a constant to autodiff."""
    problem, slope = jax.lax.stop_gradient((problem, slope))
    kernel = kernel_of(problem.distortion, slope)
    source = jnp.asarray(problem.source)
    sendable = kernel.least(kernel.feasible | (source <= 0))
    sound = kernel.least(jnp.where(kernel.sound, source >= 0, source == 0))
    return Prepared(kernel, jnp.where(kernel.feasible & kernel.sound, source, 0), slope, sendable, sound)


_LOOSEST = 1e-2
"""The largest gap, in nats relative to max(1, L - s E[min_y d]), that is CONVERGED where `tol` is smaller than this."""


class Evaluation(NamedTuple):
    """F(q) up to the row shift, and how far q is from optimal."""

    z: jax.Array  # (n,): K q
    c: jax.Array  # (m,): c_y = sum_x p_x K_xy / z_x
    objective: jax.Array  # - sum_x p_x ln z_x
    divergence: jax.Array  # KL(r||q), r = q c the output pmf
    gap: jax.Array  # ln max_y c_y - KL(r||q), at the pair (I, E d) the channel achieves


def evaluate(kernel: Kernel, source: jax.Array, q: jax.Array) -> Evaluation:
    """Objective and gap at a normalised q (theory: F - ln max c <= L <= F, and I + s E d = F - KL(r||q))."""
    z, c = kernel.sums(source, q)
    objective = kernel.total(-jnp.where(source > 0, source * jnp.log(jnp.where(source > 0, z, 1)), 0))
    r = q * c
    divergence = jnp.where(r > 0, r * jnp.log(jnp.where(r > 0, c, 1)), 0).sum()
    return Evaluation(z, c, objective, divergence, jnp.log(c.max()) - divergence)


def scale(objective: jax.Array) -> jax.Array:
    """Gaps are judged relative to max(1, |L|); here L without the row shift."""
    return jnp.maximum(1, jnp.abs(objective))


def certify(
    prepared: Prepared, q: jax.Array, e: Evaluation, steps: jax.Array, tol: jax.Array, unfinished: jax.Array | Status
) -> Solution:
    """The Solution at q: rate, distortion and gap, with an allowance for the rounding of the sums behind them.

    Args:
        prepared: the problem at its slope.
        q: any pmf, shape (m,), normalised: it is returned as it is.
        e: `evaluate` at this very q.
        steps: iterations spent.
        tol: the gap asked, nats.
        unfinished: the status to give a point whose gap is larger than `tol`.
    """
    kernel, source, slope, sendable, sound = prepared
    (excess,) = kernel.mean_excess(ratio(source, e.z), q)
    (least,) = kernel.minima
    ties = -kernel.least(jnp.where(source > 0, -kernel.hidden, 0))
    mean, size = kernel.total(source * least), kernel.total(source * jnp.abs(least))
    means = Means(excess, mean, size, ties, sendable, sound)
    return conclude(slope, means, kernel.noise, q, e, steps, tol, unfinished)


class Means(NamedTuple):
    """What the certificate needs of the rows of a problem, apart from its `Evaluation`."""

    excess: jax.Array  # E(d - min_y d)
    least: jax.Array  # E min_y d
    size: jax.Array  # E |min_y d|
    ties: jax.Array  # the largest `hidden` of a letter that occurs
    sendable: jax.Array  # as in `Prepared`
    sound: jax.Array


def conclude(
    slope: jax.Array,
    means: Means,
    noise: float,
    q: jax.Array,
    e: Evaluation,
    steps: jax.Array,
    tol: jax.Array,
    unfinished: jax.Array | Status,
    of_rows: float | None = None,
) -> Solution:
    """`certify` from what was summed over the rows; of_rows: the noise of a row's own numbers, where it is another."""
    beyond, least, size, ties, sendable, sound = means
    eps = jnp.finfo(q.dtype).eps
    # The distortion is rounded up, because below E d the rate would lie under the curve; a large offset leaves few
    # digits. At slope inf no finite gap could cover it.
    distortion = beyond + least + jnp.where(jnp.isfinite(slope), 4 * eps * size, 0)
    excess = jnp.where(beyond > 0, slope * beyond, 0)
    # I + s E d = F - KL(r||q); both sides without the row shift, so that a large offset of d cancels nothing.
    rate = jnp.maximum(e.objective - e.divergence - excess, 0)
    offset = jnp.where(jnp.isfinite(slope), slope * size, 0)
    # A tie moves the exponents of its row by what it hides, and ln max c by as much where one row decides it.
    gap = jnp.maximum(e.gap, 0) + ties + eps * (noise * (1 + e.objective + excess) + (of_rows or noise) * offset)

    # A large offset of d makes L large, and its rounding too, which must not count as convergence of the rate.
    allowed = jnp.minimum(tol * scale(e.objective + offset), jnp.maximum(tol, _LOOSEST) * scale(e.objective))
    status = jnp.where(gap <= allowed, Status.CONVERGED, unfinished)
    sane = jnp.isfinite(gap) & jnp.isfinite(rate) & jnp.isfinite(distortion) & (slope >= 0)
    status = jnp.where(sane, status, Status.NONFINITE)
    lost = ~sendable
    status = jnp.where(lost, Status.INFEASIBLE, status)
    # Last: an invalid problem has no answer, not even INFEASIBLE.
    status = jnp.where(sound, status, Status.NONFINITE)
    sane, lost = sane & sound, lost & sound
    return Solution(
        slope=slope,
        rate=jnp.where(lost, jnp.inf, jnp.where(sound, rate, jnp.nan)),
        distortion=jnp.where(lost, jnp.inf, jnp.where(sound, distortion, jnp.nan)),
        reproduction=jnp.where(sound, q, jnp.nan),
        gap=jnp.where(lost, 0, jnp.where(sane, gap, jnp.inf)),
        steps=jnp.asarray(steps, jnp.int32),
        status=status.astype(jnp.int32),
    )

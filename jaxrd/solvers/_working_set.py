"""The interior point on the few reproductions that matter, certified on all of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers._blahut_arimoto import ascend
from jaxrd.solvers._interior_point import NEWTON_BYTES, POLISH, follow, newton_solvers, opening
from jaxrd.solvers.certificate import as_inputs, certify, prepare, ratio
from jaxrd.solvers.newton import iterative

SIZES = (128, 256, 512)  # reproductions in a working set; each is compiled
ROUNDS = 5  # of one size, before the next is tried
PROGRESS = 0.2  # a round that leaves more of the gap than this moves on to the next size
NEWCOMERS = 4  # at most one in so many of a set is admitted for violating c <= 1
CROWDING = 8  # a set this many times the effective number of reproductions in use has been enough
FALLBACK_STEPS = 10_000  # Blahut-Arimoto steps where every set failed and no m x m matrix fits


class _State(NamedTuple):
    q: jax.Array  # (m,), zero outside the set
    priority: jax.Array  # (m,): the set is where it is largest
    gap: jax.Array  # over all m
    size: jax.Array  # index into SIZES, len(SIZES) for the whole problem
    round: jax.Array  # of this size
    steps: jax.Array
    done: jax.Array


def _evenly(m: int) -> np.ndarray:
    """Scores in (0, 1] whose k largest lie evenly over 0..m-1 for any k: van der Corput's order."""
    bits = max(int(m - 1).bit_length(), 1)
    reverse = [int(f"{y:0{bits}b}"[::-1], 2) for y in range(m)]
    return 1 - np.argsort(np.argsort(reverse)) / m


def working_set(problem: Problem, slope: ArrayLike, *, tol: ArrayLike | None = None, max_steps: int = 80) -> Solution:
    """Solve one slope by the interior point on a working set of reproductions, certified on all of them.

    Where many letters are in use it first tries the whole problem by conjugate gradients alone. Else, or where they
    fail, it starts from evenly spaced letters; each round solves the set to the tolerance, then trades its least
    useful letters, by their largest share max_x K_xy q_y / z_x in any source letter, for the worst violators of
    c_y <= 1.
    Most optima use few letters, and smooth kernels need few: two or three rounds. Where they do not, the sets grow,
    and in the end it is the interior point on everything (Blahut-Arimoto where no m x m matrix fits).
    Time n k^2 + k^3/3 an iteration for sets of k = 128, 256, 512, and n m a round. Not for vmap, which runs every
    size for every lane.

    Args:
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion, a scalar; inf for the least distortion.
        tol: certified gap at which to stop, nats, relative to max(1, |L|); None: 1e-9 in float64, 1e-5 in float32.
        max_steps: the iteration budget of a round (static).

    Returns:
        A `Solution`; `steps` sums the iterations over the rounds. It is a constant to automatic differentiation.

    Raises:
        InputError: the shapes do not belong together, or known values have no answer (see `Problem`).

    >>> x = jnp.linspace(-4, 4, 300)
    >>> gaussian = Problem(jnp.exp(-(x**2) / 2), (x[:, None] - x) ** 2)
    >>> bool(working_set(gaussian, 2.0).converged)
    True
    """
    return _solve(*as_inputs(problem, slope, tol), max_steps=max_steps)


@partial(jax.jit, static_argnames="max_steps")
def _solve(problem: Problem, slope: jax.Array, tol: jax.Array, *, max_steps: int) -> Solution:
    prepared = prepare(problem, slope)
    kernel, source = prepared.kernel, prepared.source
    dtype, m = slope.dtype, problem.distortion.shape[1]
    sizes = [k for k in SIZES if 2 * k <= m + SIZES[0]]
    capacity = jnp.asarray([*sizes, m])
    uniform = jnp.full(m, 1 / m, dtype)
    # A source letter that no reproduction in the set serves: far below any real entry, and its square is finite.
    nothing = jnp.asarray(1e-100 if dtype == jnp.float64 else 1e-15, dtype)

    def everywhere(q):
        z = jnp.maximum(kernel.matvec(q), nothing)
        return z, kernel.rmatvec(ratio(source, z))

    def share(q, z):
        return q * (jnp.where(source > 0, 1 / z, 0)[:, None] * kernel.matrix).max(0)

    def within(k):
        def solve(priority):
            columns = jax.lax.top_k(priority, k)[1]
            part = kernel.restricted(columns)
            part = replace(part, matrix=jnp.maximum(part.matrix, nothing))
            q, steps, _ = follow(part, source, opening(part, source), 0.5 * tol, max_steps)
            return jnp.zeros(m, dtype).at[columns].set(q), steps

        return solve

    cheap = [solver for solver in newton_solvers(source.size, m, dtype) if solver is iterative]
    others = [solver for solver in newton_solvers(source.size, m, dtype) if solver is not iterative]

    def whole(_):
        if m * m * dtype.itemsize > NEWTON_BYTES:
            q, _, steps = ascend(prepared, uniform, 0.5 * tol, FALLBACK_STEPS)
            return q, steps
        q, steps, _ = follow(kernel, source, opening(kernel, source), 0.5 * tol, max_steps, others)
        return q, steps

    def attempt(q):
        q, steps, _ = follow(kernel, source, q, 0.5 * tol, max_steps, cheap, patience=1)
        return q, steps, jnp.log(everywhere(q)[1].max())

    def advance(state: _State) -> _State:
        q, spent = jax.lax.switch(state.size, [*map(within, sizes), whole], state.priority)
        z, c = everywhere(q)
        gap = jnp.log(c.max())
        worst = jnp.argsort(jnp.argsort(-c)) < capacity[state.size] // NEWCOMERS
        slow = ~(gap <= PROGRESS * state.gap) | (state.round + 1 >= ROUNDS)
        return _State(
            q,
            jnp.where(worst & (c > 1), 2 + c / c.max(), share(q, z)),
            gap,
            jnp.where(slow, state.size + 1, state.size),
            jnp.where(slow, 0, state.round + 1),
            state.steps + spent,
            (gap <= 0.5 * tol) | (state.size == len(sizes)),
        )

    q = jax.lax.fori_loop(0, 3, lambda _, q: q * everywhere(q)[1], uniform)
    effective = share(q, everywhere(q)[0]).sum()
    crowded = (CROWDING * effective > capacity[:-1]).sum()
    gap, steps = jnp.asarray(jnp.inf, dtype), jnp.int32(0)
    if cheap:
        q, steps, gap = jax.lax.cond(crowded > 0, attempt, lambda q: (q, steps, gap), q)
    start = _State(
        q, jnp.asarray(_evenly(m), dtype), jnp.asarray(jnp.inf, dtype), crowded, jnp.int32(0), steps, gap <= 0.5 * tol
    )
    end = jax.lax.while_loop(lambda state: ~state.done, advance, start)
    q, e, polish = ascend(prepared, end.q, 0.5 * tol, POLISH)
    return certify(prepared, q, e, end.steps + polish, tol, Status.STALLED)

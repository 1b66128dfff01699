"""The interior point on the few reproductions that matter, certified on all of them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd.kernels import HeldKernel, ratio
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers._blahut_arimoto import ascend, polish
from jaxrd.solvers._interior_point import NEWTON_BYTES, follow, newton_solvers, opening
from jaxrd.solvers.certificate import Prepared, as_inputs, certify, prepare
from jaxrd.solvers.newton import iterative

_SIZES = (128, 256, 512, 1024)  # reproductions in a working set; each is compiled
_ROUNDS = 5  # of one size, before the next is tried
_PROGRESS = 0.2  # a round that leaves more of the gap than this moves on to the next size
_LAST_ROUNDS = 16  # of the largest size, where the whole problem has far more letters
_FAR_MORE = 3  # times as many
_ROOM = 0.75  # a set with more of its letters in use than this is too small
_IN_USE = 1e-6  # the least share of a source letter at which a reproduction is in use
_NEWCOMERS = 4  # at most one in this many of a set is added because it violates c <= 1
_CROWDING = 8  # in tests a set of this many times the effective number of reproductions in use was enough
_FALLBACK_STEPS = 10_000  # Blahut-Arimoto steps where every set failed and no m x m matrix fits


class _State(NamedTuple):
    q: jax.Array  # (m,), zero outside the set
    priority: jax.Array  # (m,): the set is where it is largest
    gap: jax.Array  # over all m
    size: jax.Array  # index into _SIZES, len(_SIZES) for the whole problem
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
    Time n k^2 + k^3/3 an iteration for sets of k = 128, 256, 512, 1024, and n m a round. Not for vmap, which runs every
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

    Reference: Cover and Thomas, Elements of Information Theory, section 10.7 (the conditions c_y <= 1).

    >>> x = jnp.linspace(-4, 4, 300)
    >>> gaussian = Problem(jnp.exp(-(x**2) / 2), (x[:, None] - x) ** 2)
    >>> bool(working_set(gaussian, 2.0).converged)
    True
    """
    return compiled(*as_inputs(problem, slope, tol), max_steps=max_steps)


@partial(jax.jit, static_argnames="max_steps")
def compiled(problem: Problem, slope: jax.Array, tol: jax.Array, *, max_steps: int) -> Solution:
    prepared = prepare(problem, slope)
    m = problem.distortion.shape[1]
    sizes = [k for k in _SIZES if 2 * k <= m + _SIZES[0]]

    def advance(state: _State) -> _State:
        return _round(prepared, sizes, state, 0.5 * tol, max_steps)

    start = _start(prepared, sizes, 0.5 * tol, max_steps)
    end = jax.lax.while_loop(lambda state: ~state.done, advance, start)
    q, e, more = polish(prepared, end.q, 0.5 * tol)
    return certify(prepared, q, e, end.steps + more, tol, Status.STALLED)


def _start(prepared: Prepared, sizes: list[int], aim: jax.Array, max_steps: int) -> _State:
    """The first set, evenly spaced; or the whole problem solved by CG, where no set is enough and CG converges."""
    kernel, source = prepared.kernel.held(), prepared.source
    dtype, m = source.dtype, kernel.shape[1]

    def attempt(q):
        cheap = [solver for solver in newton_solvers(kernel.shape[0], m, dtype) if solver is iterative]
        q, steps, _ = follow(kernel, source, q, aim, max_steps, cheap, patience=1)
        return q, steps, jnp.log(_sums(kernel, source, q)[1].max())

    q = jax.lax.fori_loop(0, 3, lambda _, q: q * _sums(kernel, source, q)[1], jnp.full(m, 1 / m, dtype))
    effective = _share(kernel, source, q, _sums(kernel, source, q)[0]).sum()
    crowded = (_CROWDING * effective > jnp.asarray([*sizes, m])[:-1]).sum()
    if m * m * dtype.itemsize > NEWTON_BYTES:  # all letters at once: thousands of plain steps
        crowded = jnp.minimum(crowded, len(sizes) - 1)
    gap, steps = jnp.asarray(jnp.inf, dtype), jnp.int32(0)
    if iterative in newton_solvers(kernel.shape[0], m, dtype):
        q, steps, gap = jax.lax.cond(crowded > 0, attempt, lambda q: (q, steps, gap), q)
    return _State(
        q, jnp.asarray(_evenly(m), dtype), jnp.asarray(jnp.inf, dtype), crowded, jnp.int32(0), steps, gap <= aim
    )


def _round(prepared: Prepared, sizes: list[int], state: _State, aim: jax.Array, max_steps: int) -> _State:
    """Solve the set, and choose the next set by the gap over all reproductions that remains."""
    kernel, source = prepared.kernel.held(), prepared.source
    capacity = jnp.asarray([*sizes, kernel.shape[1]])
    sets = [partial(_within, k, kernel, source, aim, max_steps) for k in sizes]
    q, spent = jax.lax.switch(state.size, [*sets, lambda _: _whole(prepared, aim, max_steps)], state.priority)
    z, c = _sums(kernel, source, q)
    gap = jnp.log(c.max())
    worst = jnp.argsort(jnp.argsort(-c)) < capacity[state.size] // _NEWCOMERS
    share = _share(kernel, source, q, z)
    slow = ~(gap <= _PROGRESS * state.gap) | (state.round + 1 >= _ROUNDS)
    # Where violators are many and alike, the gap falls only when the last of them is in: no reason for all letters.
    if kernel.shape[1] >= _FAR_MORE * sizes[-1]:
        full = ((share > _IN_USE).sum() > _ROOM * capacity[state.size]) | (state.round + 1 >= _LAST_ROUNDS)
        slow &= (state.size != len(sizes) - 1) | full
    return _State(
        q,
        jnp.where(worst & (c > 1), 2 + c / c.max(), share),
        gap,
        jnp.where(slow, state.size + 1, state.size),
        jnp.where(slow, 0, state.round + 1),
        state.steps + spent,
        (gap <= aim) | (state.size == len(sizes)),
    )


def _within(
    k: int, kernel: HeldKernel, source: jax.Array, aim: jax.Array, max_steps: int, priority: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The optimal pmf on the k reproductions of largest priority, zero elsewhere, and the iterations."""
    columns = jax.lax.top_k(priority, k)[1]
    part = kernel.restricted(columns, _unserved(source.dtype))
    q, steps, _ = follow(part, source, opening(part, source), aim, max_steps)
    return jnp.zeros(kernel.shape[1], source.dtype).at[columns].set(q), steps


def _whole(prepared: Prepared, aim: jax.Array, max_steps: int) -> tuple[jax.Array, jax.Array]:
    """The optimal pmf on all reproductions, and the iterations."""
    kernel, source = prepared.kernel.held(), prepared.source
    dtype, m = source.dtype, kernel.shape[1]
    if m * m * dtype.itemsize > NEWTON_BYTES:
        q, _, steps = ascend(prepared, jnp.full(m, 1 / m, dtype), aim, _FALLBACK_STEPS)
        return q, steps
    factorised = [solver for solver in newton_solvers(kernel.shape[0], m, dtype) if solver is not iterative]
    q, steps, _ = follow(kernel, source, opening(kernel, source), aim, max_steps, factorised)
    return q, steps


def _unserved(dtype: jnp.dtype) -> float:
    """z of a source letter without a reproduction in the set: far below any entry, and its inverse square is finite."""
    return 1e-100 if dtype == jnp.float64 else 1e-15


def _sums(kernel: HeldKernel, source: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """z = K q, but not zero, and c = K'(p/z)."""
    z = jnp.maximum(kernel.matvec(q), _unserved(source.dtype))
    return z, kernel.rmatvec(ratio(source, z))


def _share(kernel: HeldKernel, source: jax.Array, q: jax.Array, z: jax.Array) -> jax.Array:
    """Each reproduction's largest share of a source letter, max_x K_xy q_y / z_x."""
    return q * kernel.largest(jnp.where(source > 0, 1 / z, 0))

"""A primal-dual interior point for the reproduction pmf: few iterations, whatever the problem."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.kernels import HeldKernel, ratio
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers._blahut_arimoto import polish, positive
from jaxrd.solvers.certificate import as_inputs, certify, prepare
from jaxrd.solvers.newton import NewtonSolver, System, direct, direct_in_place, direct_in_single, iterative

NEWTON_BYTES = 2**27
"""Largest m x m Newton matrix worth its memory and its m^3: 4096 letters in float64, 5792 in float32."""
PATIENCE = 8  # iterations without a better gap or a smaller complementarity before giving up
SMALL = 10**5  # n m^2 up to which rounding-level accuracy costs next to nothing: there the iteration runs on past tol
_MIXED = 5 * 10**7  # n m^2 from which the Newton matrix is formed and factorised in float32 while that serves
_FEW = 16  # reproductions below which conjugate gradients save nothing, and take a second to compile
_ITERATIVE = 200  # reproductions from which, in problems that large, conjugate gradients are tried before
RIDGE = 4.0  # in rounding units, times m q, on the diagonal of the scaled Newton matrix
SHRINK = (0.95, 0.5)  # of any z, at most, in a step: while the gap improves, and after _STALE iterations without
_STALE = 4
_CENTRE = 1e-3  # q stays above this share of mu, which the central path (q = mu / slack, slack <= 1) never undercuts


class State(NamedTuple):
    q: jax.Array  # (m,) > 0, sums to one only at the optimum
    slack: jax.Array  # (m,) > 0, stands for 1 - c
    z: jax.Array  # (n,): K q
    c: jax.Array  # (m,): K'(p/z)
    ridge: jax.Array  # (): added to the Newton matrix, raised when its factorisation fails
    best_q: jax.Array
    best_gap: jax.Array
    idle: jax.Array  # iterations without progress
    stale: jax.Array  # iterations without a better gap
    step: jax.Array
    solver: jax.Array  # index of the Newton solver in use; one beyond the last: the last one, after a restart


def _longest(x: jax.Array, dx: jax.Array, keep: jax.Array | float = 1.0) -> jax.Array:
    """The longest step <= 1 along dx that leaves at least (1 - keep) of every x."""
    return _each(x, dx, keep).min()


def _each(x: jax.Array, dx: jax.Array, keep: jax.Array | float) -> jax.Array:
    """The same for every x alone."""
    falls = dx < 0
    return jnp.minimum(1, jnp.where(falls, -keep * x / jnp.where(falls, dx, -1), jnp.inf))


def interior_point(
    problem: Problem, slope: ArrayLike, *, tol: ArrayLike | None = None, max_steps: int = 80
) -> Solution:
    """Solve one slope by Mehrotra's predictor-corrector on  min_{q >= 0} - sum_x p_x ln (K q)_x + sum_y q_y.

    The optimum sums to one. With c = K'(p/Kq), the conditions are q_y (1 - c_y) = 0, q >= 0, c <= 1; the Newton
    matrix is K' diag(p/z^2) K + diag(slack/q). 2-20 iterations to a certified 1e-9 nat in float64. On CPU the Newton
    systems are met by conjugate gradients in float32 where a few suffice, or else factorised, large ones in float32
    as long as that makes progress; z, c and the certificate keep the problem's precision.
    Time n m^2 + m^3/3 an iteration, or some 10 passes over K; memory four n x m and two m x m arrays beside the
    distortion.

    Args:
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion, a scalar; inf for the least distortion.
        tol: certified gap at which to stop, nats, relative to max(1, |L|); None: 1e-9 in float64, 1e-5 in float32.
        max_steps: the iteration budget (static).

    Returns:
        A `Solution`; STALLED where rounding stops progress before `tol`. It is a constant to automatic
        differentiation.

    Raises:
        InputError: the shapes do not belong together, or known values have no answer (see `Problem`).

    Reference: S. Mehrotra, On the implementation of a primal-dual interior point method, SIAM J. Optim. 1992;
    Y. Kim et al., A fast algorithm for maximum likelihood estimation of mixture proportions, JCGS 2020 (the same
    convex program).

    >>> point = interior_point(Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2)), 2.0)
    >>> round(float(point.rate), 4)
    0.3278
    """
    return compiled(*as_inputs(problem, slope, tol), max_steps=max_steps)


@partial(jax.jit, static_argnames="max_steps")
def compiled(problem: Problem, slope: jax.Array, tol: jax.Array, *, max_steps: int) -> Solution:
    prepared = prepare(problem, slope)
    kernel, source = prepared.kernel.held(), prepared.source
    n, m = kernel.shape
    aim = jnp.asarray(8 * jnp.finfo(slope.dtype).eps) if n * m * m <= SMALL else 0.5 * tol
    start = opening(kernel, source)
    q, steps, exhausted = follow(kernel, source, start, aim, max_steps, newton_solvers(n, m, slope.dtype))
    q, e, more = polish(prepared, q, 0.5 * tol)
    return certify(prepared, q, e, steps + more, tol, jnp.where(exhausted, Status.MAX_STEPS, Status.STALLED))


def newton_solvers(n: int, m: int, dtype: jnp.dtype) -> tuple[NewtonSolver, ...]:
    """The solvers for the Newton systems of an n x m kernel: the cheapest first, the next where it fails."""
    # Under vmap every solver would run for each lane: on accelerators only one is used.
    if jax.default_backend() != "cpu" or n * m * m <= SMALL:
        return (direct,)
    large = n * m * m >= _MIXED
    # Few columns cost less to multiply with each other than some passes over K, if K is too long for the cache; very
    # few in any case.
    first = () if m < (_ITERATIVE if large else _FEW) else (iterative,)
    if large and dtype == jnp.float64:
        return *first, direct_in_single, direct_in_place
    return *first, direct


def opening(kernel: HeldKernel, source: jax.Array) -> jax.Array:
    """The first pmf: as many Blahut-Arimoto steps from the uniform pmf as cost one iteration, if factorised.

    Where the optimum uses most letters, these steps save several iterations.
    """
    n, m = kernel.shape
    steps = max(3, (m + m * m // n) // 100)

    def step(_, q):
        return positive(q * kernel.sums(source, q)[1])

    return jax.lax.fori_loop(0, steps, step, jnp.full(m, 1 / m, source.dtype))


def follow(
    kernel: HeldKernel,
    source: jax.Array,
    pmf: jax.Array,
    aim: jax.Array | float,
    max_steps: int,
    solvers: Sequence[NewtonSolver] = (direct,),
    patience: int = PATIENCE,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Follow the central path until the gap is within `aim`.

    Args:
        kernel: n x m.
        source: shape (n,).
        pmf: where to begin, shape (m,).
        aim: the gap at which to stop.
        max_steps: the iteration budget.
        solvers: of the Newton systems; each is used until it fails, the last one to the end.
        patience: iterations without a better gap or a smaller complementarity before giving up.

    Returns:
        the best pmf met, the iterations spent, and whether they ran out.
    """
    first = _start(kernel, source, pmf)
    systems = [solver(kernel) for solver in solvers]

    def iterate(state: State) -> State:
        new = _step(kernel, source, systems, state)
        return new if len(systems) == 1 else _restarted(first, new, len(systems), patience)

    end = jax.lax.while_loop(lambda state: _unfinished(state, aim, max_steps, patience), iterate, first)
    return end.best_q / end.best_q.sum(), end.step, end.step >= max_steps


def _start(kernel: HeldKernel, source: jax.Array, pmf: jax.Array) -> State:
    """The state at a pmf, of which no letter is left at zero."""
    dtype = source.dtype
    q = jnp.maximum(pmf, 1e-12 if dtype == jnp.float64 else 1e-7)
    q = q / q.sum()
    z = kernel.matvec(q)
    c = kernel.rmatvec(ratio(source, z))
    slack, ridge, none = jnp.maximum(1 - c, 1e-3), jnp.asarray(RIDGE, dtype), jnp.int32(0)
    # A reproduction that every letter forbids, as those that fill a problem up: on the central path from the start.
    q = jnp.where(c > 0, q, q @ slack / q.shape[0])
    return State(q, slack, z, c, ridge, q, _gap(q, c), none, none, none, none)


def _unfinished(state: State, aim: jax.Array | float, max_steps: int, patience: int) -> jax.Array:
    """Whether to iterate on: neither at the aim, nor out of steps or patience."""
    return (state.step < max_steps) & (state.idle < patience) & ~(state.best_gap <= aim)


def _gap(q: jax.Array, c: jax.Array) -> jax.Array:
    """A gap of q / sum q: F there less the bound."""
    total = q.sum()
    # At q / total, c scales by total. KL(r||q) >= 0 is left out: it never helps much.
    return jnp.log(c.max()) + jnp.log(total)


def _step(kernel: HeldKernel, source: jax.Array, systems: Sequence[System], state: State) -> State:
    """One iteration: the direction, the step along it, and whether it made progress."""
    m, last = kernel.shape[1], len(systems) - 1
    mu = state.q @ state.slack / m
    if last == 0:
        dq, ds = direction(systems[0], source, state)
    else:
        branches = [partial(direction, system, source) for system in systems]
        dq, ds = jax.lax.switch(jnp.minimum(state.solver, last), branches, state)
    q, slack, z, good = _moved(kernel, source, state, mu, dq, ds)
    c = kernel.rmatvec(ratio(source, z))
    gap = _gap(q, c)
    better = gap < state.best_gap
    # The gap may rise for a few iterations while the complementarity falls; this also counts as progress.
    new_mu = q @ slack / m
    progress = better | (new_mu < 0.9 * mu)
    # Keep the cheaper solver while it halves the gap or mu, and the gap stays within 1000 m mu (on the central path it
    # is m mu): on smooth kernels its directions lead away from the path.
    keep = good & ((gap < 0.5 * state.best_gap) | ((new_mu < 0.5 * mu) & (gap < 1000 * m * new_mu)))
    solver = jnp.where(keep | (state.solver >= last), state.solver, state.solver + 1)
    return State(
        q,
        slack,
        z,
        c,
        ridge=jnp.where(good | (solver > state.solver), state.ridge, 100 * state.ridge),
        best_q=jnp.where(better, q, state.best_q),
        best_gap=jnp.where(better, gap, state.best_gap),
        idle=jnp.where(progress, 0, state.idle + 1),
        stale=jnp.where(better, 0, state.stale + 1),
        step=state.step + 1,
        solver=solver,
    )


def direction(system: System, source: jax.Array, state: State) -> tuple[jax.Array, jax.Array]:
    """Mehrotra's corrected step (dq, d slack)."""
    q, slack, z, c = state.q, state.slack, state.z, state.c
    m = q.shape[0]
    mu = q @ slack / m
    root = jnp.sqrt(q)  # scaled by it, the Gram matrix has its spectrum in [0, 1]
    weights = ratio(source, z) / jnp.where(source > 0, z, 1)
    ridge = state.ridge * jnp.finfo(system.precision).eps * m * q
    solve = system.build(weights, root, slack + ridge)

    def slacks_share(residual):
        # The part of an inexact solution's residual that is added to the slacks. With all of it, slack = 1 - c would
        # hold at the cost of the complementarity: right for unused letters, but used letters, whose slack is tiny,
        # would block every step.
        return residual / root * slack / (slack + q)

    affine = root * (c - 1)
    solution, residual = solve(affine, affine)
    dq = root * solution
    ds = -slack - slack / q * dq - slacks_share(residual)
    mu_affine = (q + _longest(q, dq) * dq) @ (slack + _longest(slack, ds) * ds) / m
    rhs = (mu_affine / mu) ** 3 * mu - dq * ds
    # The system is linear: the correction is added to the first solution.
    correction = root * rhs / q
    more, residual = solve(residual + correction, affine + correction)
    dq = root * (solution + more)
    return dq, rhs / q - slack - slack / q * dq - slacks_share(residual)


def _moved(
    kernel: HeldKernel, source: jax.Array, state: State, mu: jax.Array, dq: jax.Array, ds: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """(q, slack, z) as far along the direction as keeps all of them positive, and whether there was a direction."""
    q, slack, z = state.q, state.slack, state.z
    new_q, new_slack = along(state, mu, dq, ds)
    new_z = kernel.matvec(new_q)
    # No z may fall by too much: 1/z would leave its linearisation. z is linear in the step, so a shorter step costs
    # nothing. Steps in which z falls by 95 % can end in a cycle: shorter ones leave it.
    most = jnp.where(state.stale < _STALE, *SHRINK)
    shorter = kernel.least(_each(jnp.where(source > 0, z, 1), new_z - z, most))

    new_q = (1 - shorter) * q + shorter * new_q  # exact where the step is whole
    new_z = (1 - shorter) * z + shorter * new_z
    # A system that was not solved gives NaN: stay, and try the next solver, or again with a larger ridge. The direction
    # itself is tested, because a vectorised maximum may lose NaN.
    good = jnp.isfinite(dq).all() & jnp.isfinite(ds).all() & kernel.least(jnp.isfinite(new_z))
    q, slack, z = (jnp.where(good, *pair) for pair in ((new_q, q), (new_slack, slack), (new_z, z)))
    return q, slack, z, good


def along(state: State, mu: jax.Array, dq: jax.Array, ds: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(q, slack) as far along a direction as keeps both positive."""
    q, slack = state.q, state.slack
    least = 1e-40 if q.dtype == jnp.float64 else 1e-16
    keep = jnp.where(mu < 1e-3, jnp.maximum(0.995, 1 - mu), 0.99)
    primal, dual = _longest(q, dq, keep), _longest(slack, ds, keep)
    new_slack = jnp.maximum(slack + dual * ds, least)
    new_q = q + primal * dq
    # Near the central path letters of tiny mass keep c finite, and 1/z stays near its linearisation.
    return jnp.maximum(new_q, jnp.maximum(_CENTRE * (new_q @ new_slack) / q.shape[0], least)), new_slack


def _restarted(first: State, state: State, count: int, patience: int) -> State:
    """The state itself; or the first one, for the last of `count` Newton solvers, once, where it is out of patience."""
    astray = (state.idle >= patience) & (state.solver > 0) & (state.solver < count)
    again = first._replace(best_q=state.best_q, best_gap=state.best_gap, step=state.step, solver=jnp.int32(count))
    return jax.tree.map(partial(jnp.where, astray), again, state)

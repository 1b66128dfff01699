"""The interior point for a distortion that is made a block of rows at a time: iterations on the host."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._points import Points, Solver, points, tolerance
from jaxrd.distortion.streamed import Streamed
from jaxrd.kernels.streamed import StreamedKernel, Sums, source_blocks
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers._interior_point import PATIENCE, RIDGE, SHRINK, State, along, direction
from jaxrd.solvers.certificate import Evaluation, Means, conclude
from jaxrd.solvers.newton import System, factorised

_STALE = 4  # as in the interior point
_SINGLE = 64
"""Reproductions from which the Gram matrix is formed and factorised in float32 while that makes progress."""
_WARM = 1e-5
"""Mass that is spread over the letters of a first law which it leaves out: the sample may have missed them."""


@partial(jax.jit, static_argnames="precision")
def _proposed(state: State, gram: jax.Array, *, precision: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(q, slack) after a step, and whether the system was solved."""

    def scaled(_, root):
        return (gram.astype(precision) * root.astype(precision)) * root.astype(precision)[:, None]

    # No row is read: the Gram matrix holds their weights.
    dq, ds = direction(System(factorised(scaled, precision).build, precision), jnp.zeros_like(state.z), state)
    mu = state.q @ state.slack / state.q.shape[0]
    return *along(state, mu, dq, ds), jnp.isfinite(dq).all() & jnp.isfinite(ds).all()


_NEAR = 1e-6
"""A gap from which the next step needs no new Gram matrix."""
_FAST = 0.1
"""A step that leaves no more of the gap, or of mu, than this is followed by one with the same Gram matrix."""


def streamed(
    distortion: Streamed, source: list[jax.Array], slope: float, tol: float, first: np.ndarray, max_steps: int = 80
) -> Solution:
    """Solve one slope from a law near the optimum, as that of a sample of the rows; a pass over all rows a step.

    Args:
        distortion: n x m.
        source: a pmf, from `source_blocks`.
        slope: s >= 0, nats per unit of distortion; inf for the least distortion.
        tol: certified gap at which to stop, nats, relative to max(1, L).
        first: q to begin with, shape (m,).
        max_steps: the iteration budget.
    """
    kernel, m, dtype = StreamedKernel(distortion, source, slope), first.size, first.dtype
    precisions = [np.dtype(np.float32), dtype] if m >= _SINGLE else [dtype]
    q = first / first.sum() + np.asarray(_WARM / m, dtype)
    q /= q.sum()
    sums = kernel.sums(q, precisions[0])
    gram = sums.gram
    mu = np.clip(np.log(sums.c.max()), 100 * np.finfo(dtype).eps, 1e-2) / m
    slack = np.maximum(1 - sums.c, np.minimum(mu / q, m * mu))
    best_gap, best, ridge, idle, stale, step = _gap(q, sums.c), (q, sums), RIDGE, 0, 0, 1
    aim = 0.5 * tol
    while step < max_steps and idle < PATIENCE and not best_gap <= aim * max(1, float(best[1].objective)):
        new_q, new_slack, good = map(
            np.asarray, _proposed(_state(q, slack, sums.c, ridge), gram, precision=precisions[0])
        )
        if not good:
            ridge, precisions, idle = 100 * ridge, precisions[-1:], idle + 1
            gram = kernel.sums(q, precisions[0]).gram
            continue
        before, old_mu, renew = kernel.z, q @ slack / m, stale > 0 or best_gap > _NEAR
        new = kernel.sums(new_q, precisions[0] if renew else None)
        most = SHRINK[0] if stale < _STALE else SHRINK[1]
        if new.shrink < 1 - most:  # z is linear in the step: a shorter one keeps 1/z near its linearisation
            share = np.asarray(most / (1 - new.shrink), dtype)
            new_q, kernel.z, renew = (1 - share) * q + share * new_q, before, True
            new, step = kernel.sums(new_q, precisions[0]), step + 1
        q, slack, sums, step = new_q, new_slack, new, step + 1
        gap, mu = _gap(q, sums.c), q @ slack / m
        better = gap < best_gap
        fast = gap < _FAST * best_gap or mu < _FAST * old_mu
        idle = 0 if better or mu < 0.9 * old_mu else idle + 1
        if better:
            best_gap, best = gap, (q, sums)
        stale = 0 if fast else stale + 1
        if renew:
            gram = sums.gram
        elif not fast:
            gram = kernel.sums(q, precisions[0]).gram
            step += 1
        if not fast and stale > 2:
            precisions = precisions[-1:]
    return _certified(kernel, *best, step, tol, Status.MAX_STEPS if step >= max_steps else Status.STALLED)


_SAMPLE = 2**20
"""Entries of the sample of rows whose solution is a first law."""


class _Known(NamedTuple):
    """What the solves of one distortion share."""

    given: np.ndarray  # the source, shape (n,)
    source: list[jax.Array]  # in blocks
    sample: Points
    solved: list[tuple[float, np.ndarray, np.ndarray]]  # slope, law of the sample, law


_known: WeakKeyDictionary[Streamed, _Known] = WeakKeyDictionary()


def _known_of(distortion: Streamed, source: np.ndarray, solver: Solver) -> _Known:
    known = _known.get(distortion)
    if known is None or known.given.dtype != source.dtype or not np.array_equal(known.given, source):
        rows = distortion.rows_of_sample(_SAMPLE // distortion.shape[1])
        p = source[rows] if source[rows].any() else np.ones(len(rows), source.dtype)
        sample = Problem(p / p.sum(), distortion.sample(rows).astype(source.dtype))
        known = _Known(source, source_blocks(distortion, source), points(sample, None, solver), [])
        _known[distortion] = known
    return known


class StreamedPoints:
    """As `jaxrd._points.Points`, for a `Streamed` distortion: each slope begins with the law of a sample of the rows.

    Args:
        problem: source a pmf, shape (n,); its distortion `Streamed`, n x m.
        tol: certified gap at which to stop, nats; None: by dtype.
        solver: of the sample.
    """

    length = 1

    def __init__(self, problem: Problem, tol: ArrayLike | None, solver: Solver):
        assert isinstance(problem.distortion, Streamed)
        source = np.asarray(problem.source)
        source = source / source.sum()
        self.problem, self.distortion, self.tol = problem, problem.distortion, float(tolerance(source.dtype, tol))
        self.known = _known_of(problem.distortion, source, solver)

    def __call__(self, slopes: np.ndarray) -> Solution:
        """Each of some slopes, solved."""
        return jax.tree.map(lambda *a: np.stack(a), *map(self.one, slopes))

    def one(self, slope: ArrayLike) -> Solution:
        """A single slope, solved."""
        s = float(slope)  # pyright: ignore
        law = np.asarray(self.known.sample.one(s).reproduction)
        if not np.isfinite(law).all():
            law = np.full(law.shape, 1 / law.size, law.dtype)
        first = law
        if self.known.solved:  # by how much the sample's law is off changes slowly with the slope
            _, other, right = min(self.known.solved, key=lambda near: abs(np.arctan(near[0]) - np.arctan(s)))
            first = np.maximum(law + right - other, law / 10)
        point = streamed(self.distortion, self.known.source, s, self.tol, first)
        right = np.asarray(point.reproduction)
        if np.isfinite(right).all():
            self.known.solved.append((s, law, right))
        return point


def _gap(q: np.ndarray, c: np.ndarray) -> float:
    """Of q / sum q, as in the interior point; inf for NaN."""
    gap = float(np.log(c.max()) + np.log(q.sum()))
    return gap if np.isfinite(gap) else np.inf


def _state(q: np.ndarray, slack: np.ndarray, c: np.ndarray, ridge: float) -> State:
    none = np.int32(0)
    return State(q, slack, c, c, np.asarray(ridge, q.dtype), q, c[0], none, none, none, none)  # pyright: ignore


@jax.jit
def _conclusion(slope, means, noise, q, e, steps, tol, unfinished) -> Solution:
    return conclude(slope, means, noise, q, e, steps, tol, unfinished, of_rows=8)  # as of a `DenseKernel`


def _certified(
    kernel: StreamedKernel, q: np.ndarray, sums: Sums, steps: int, tol: float, unfinished: Status
) -> Solution:
    """The Solution at q / sum q: c is multiplied by the sum, z divided."""
    total = q.sum()
    q, c = q / total, sums.c * total
    r = q * c
    with np.errstate(all="ignore"):
        divergence = np.where(r > 0, r * np.log(np.where(r > 0, c, 1)), 0).sum()
        e = Evaluation(c, c, sums.objective + np.log(total), divergence, np.log(c.max()) - divergence)  # pyright: ignore
    means = Means(sums.excess, sums.least, sums.size, sums.ties, sums.sendable, sums.sound)  # pyright: ignore
    return jax.device_get(
        _conclusion(kernel.slope, means, kernel.noise, q, e, np.int32(steps), tol, np.int32(unfinished))
    )

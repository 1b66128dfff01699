"""iE&C: the decision compressed for the distortion of the label."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd.distortion import SparseDiscount
from jaxrd.problem import Problem
from jaxrd.solvers.certificate import evaluate, prepare
from jaxrd.tosc._checked import (
    a_joint,
    checked,
)
from jaxrd.tosc.curves.definition import Definition, Resampling
from jaxrd.tosc.curves.drawing import (
    Bound,
    Rate,
    Tick,
    certified_at,
    certified_least,
    positive_and_finite,
    solve_grid,
    unit_of,
)
from jaxrd.tosc.joint import SparseJoint, as_joint
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.resampling import BATCH, Resampled, Weighing, inverse_newton

NEWTON_STEPS = 4  # of a resampled iE&C: with few samples per cell a resampling is no small perturbation


_ENTRANTS = 0.03  # mass of unused letters there, as a share of that of a uniform letter: a resampling may use them


@checked(a_joint())
@jax.jit
def indirect_problem(joint: ArrayLike | SparseJoint) -> Problem:
    """iE&C: the estimate compressed for the label's distortion, d_hat(yt, yh) = 1 - p(y = yh | yt) ([A] eq. (17)-(19)).

    Solve it with `sweep`; its distortion is that of the label. Estimates that never occur have mass zero.

    Args:
        joint: J[y, yt], a pmf, shape (classes, classes). Of a sparse one the problem is a `SparseDiscount`, for
            `blahut_arimoto`.

    Raises:
        InputError: a known joint that is no joint pmf: not square, an entry negative or not finite, or a sum that is
            not 1.

    >>> indirect_problem(jnp.array([[0.375, 0.125], [0.125, 0.375]])).distortion.tolist()  # right 3 times in 4
    [[0.25, 0.75], [0.75, 0.25]]
    """
    j = as_joint(joint)
    estimate = j.sum(0)
    occurs = estimate > 0
    if isinstance(j, SparseJoint):
        saved = j.mass / jnp.where(occurs, estimate, 1)[j.decisions]
        return Problem(estimate, SparseDiscount(jnp.ones((), j.dtype), j.decisions, j.labels, saved, j.shape))
    posterior = jnp.where(occurs, j / jnp.where(occurs, estimate, 1), 0)
    return Problem(estimate, 1 - posterior.T)


def draw(
    joint: jax.Array | np.ndarray,
    count: int,
    *,
    loss: Loss | None = None,
    tol: float | None = None,
    tick: Tick = None,
) -> Bound:
    """iE&C: certified; its distortion is the label's by construction.

    Estimates that never occur have no mass. Under 0/1 loss, labels that never occur have the largest distortion for
    every estimate. Neither changes the curve, and leaving them out keeps large alphabets small.
    """
    joint = np.asarray(joint)
    rows, labels = (np.flatnonzero(joint.sum(axis)) for axis in (0, 1))
    letters = labels if loss is None else np.arange(loss.actions)
    # On the host: each of these operations would be a program of its own.
    kept = joint[np.ix_(labels, rows)]
    posterior = (kept / kept.sum(0)).T
    d = 1 - posterior if loss is None else loss.among(labels).expected(posterior).astype(kept.dtype)
    problem = Problem(kept.sum(0), d)
    solved, curve = solve_grid(problem, count, tol, tick, unit=unit_of(loss))

    def everywhere(q: ArrayLike) -> np.ndarray:
        known = np.asarray(q)
        among = np.zeros((*known.shape[:-1], joint.shape[1]), known.dtype)
        among[..., letters] = known
        return among

    def smallest(target: float) -> Rate:
        rate = certified_at(problem, target, curve.distortion[-1], tol)
        assert rate.reproduction is not None
        return rate._replace(reproduction=everywhere(rate.reproduction))

    solved = replace(solved, reproduction=everywhere(solved.reproduction))
    return Bound(curve, smallest, lambda rate: certified_least(problem, rate, tol), solved=solved)


def _problem_of_actions(joint: SparseJoint, loss: jax.Array) -> Problem:
    """iE&C's of a joint of label and action: d(a, a') = sum_y P(y|a) l(y, a')."""
    mass = jnp.zeros(joint.shape, joint.dtype).at[joint.decisions, joint.labels].add(joint.mass)[:, : len(loss)]
    estimate = mass.sum(1)
    return Problem(estimate, (mass / jnp.where(estimate > 0, estimate, 1)[:, None]) @ loss)


@jax.jit
def respond(
    joint: SparseJoint,
    masses: jax.Array,
    slope: ArrayLike,
    reproduction: jax.Array,
    cells: Weighing | None = None,
    loss: jax.Array | None = None,
) -> Resampled:
    """iE&C at the distortion that a slope leads to.

    Source and distortion 1 - p(y|yt) both change, the latter much where a cell holds few samples. So each resampling
    has its own kernel, and L* is the least objective of a few steps with the old Newton matrix (an upper bound on it).
    The influence of a sample (y, yt) is -ln Z_yt + s (E_W l(y, .) - E_W d(yt, .)).

    Args:
        joint: of label and estimate.
        masses: `resampled_masses`, shape (replicates, pairs).
        slope: s > 0, finite, a scalar.
        reproduction: the optimal q there, shape (classes,), or (actions,).
        cells: how much the pairs count; None: as many as their samples, equally.
        loss: l(y, a) of the joint's labels, shape (labels, actions); None: 0/1.
    """
    cells = Weighing(joint.mass, joint.mass, jnp.zeros(len(joint.mass), int)) if cells is None else cells

    def of(joint):
        return indirect_problem(joint) if loss is None else _problem_of_actions(joint, loss)

    if loss is None:
        sparse = indirect_problem(joint)
        problem = Problem(sparse.source, sparse.distortion.dense())
    else:
        problem = _problem_of_actions(joint, loss)
    slope, q = jnp.asarray(slope, joint.dtype), jnp.asarray(reproduction, joint.dtype)
    prepared = prepare(problem, slope)
    kernel, source = prepared.kernel.held(), prepared.source
    z = kernel.matvec(q)
    channel = kernel.weighted(q) / z[:, None]
    mean = (channel * jnp.asarray(problem.distortion)).sum(1)
    log_partition = slope * kernel.minima[0] - jnp.log(z)
    distortion = source @ mean
    inverse = inverse_newton(kernel, source, jnp.maximum(q, _ENTRANTS / q.size))

    def replicate(mass):
        own = prepare(of(replace(joint, mass=mass)), slope)

        def step(state, _):
            q, least = state
            e = evaluate(own.kernel, own.source, q)
            moved = jnp.maximum(q + inverse @ (e.c - 1), jnp.finfo(q.dtype).tiny)
            return (moved / moved.sum(), jnp.minimum(least, e.objective)), None

        start = q, jnp.asarray(jnp.inf, q.dtype)
        least = jax.lax.scan(step, start, length=NEWTON_STEPS + 1)[0][1]
        return least + slope * (own.source @ own.kernel.minima[0] - distortion)

    replicates = jax.lax.map(replicate, masses, batch_size=BATCH)
    lost = 1 - channel if loss is None else channel @ loss.T  # E_W l(y, .), shape (estimates, labels)
    influence = log_partition[joint.decisions] - slope * mean[joint.decisions]
    influence = influence + slope * lost[joint.decisions, joint.labels]
    return Resampled(joint.mass @ influence - slope * distortion, replicates, cells.deviation(influence))


def _respond(resampling: Resampling, slope: float, reproduction: Any) -> dict[str, Resampled]:
    joint, masses, cells, costs = resampling.joint, resampling.masses, resampling.cells, resampling.costs
    q = jnp.asarray(reproduction)
    if costs is None:
        return {INDIRECT.name: respond(joint, masses, slope, q[resampling.occur], cells)}
    return {INDIRECT.name: respond(joint, masses, slope, q, cells, costs.occurring)}


INDIRECT = Definition(
    name="iE&C",
    meaning="decisions, label-aware coding",
    file="iec",
    draw=lambda samples, count, tol, tick: draw(samples.joint, count, loss=samples.loss, tol=tol, tick=tick),
    achievable=True,
    excess=True,
    respond=_respond,
    parameter=lambda curve, unit: positive_and_finite(curve.slope, unit),
    least_samples=15,
    by_cell=True,
)

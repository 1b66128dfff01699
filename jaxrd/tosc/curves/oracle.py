"""oRD: the rate-distortion function of the label itself, which no scheme beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._exported import exported
from jaxrd.closed_form import categorical
from jaxrd.curve import Curve
from jaxrd.problem import Problem
from jaxrd.solvers.certificate import prepare
from jaxrd.tosc.curves.definition import Definition, Resampling, Samples
from jaxrd.tosc.curves.drawing import (
    Bound,
    Least,
    Rate,
    Tick,
    certified_at,
    certified_least,
    exact,
    positive_and_finite,
    slope_grid,
    solve_grid,
    unit_of,
)
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.resampling import Resampled, Weighing, inverse_newton

_AT_ONCE = 64
"""Points of one call: another number of points then costs no compile."""


class Erokhin(NamedTuple):
    """Points of the closed form, of one pmf."""

    at_slopes: np.ndarray
    """D at each slope, shape (k,)."""
    rate: np.ndarray
    """R at each distortion, nats, shape (k,)."""
    slope: np.ndarray
    """-dR/dD there, shape (k,)."""


@jax.jit
def _erokhin(pmf: jax.Array, slopes: jax.Array, distortions: jax.Array) -> Erokhin:
    return Erokhin(
        categorical.distortion_at_slope(pmf, slopes),
        categorical.rate(pmf, distortions),
        categorical.slope(pmf, distortions),
    )


def erokhin(
    pmf: np.ndarray, slopes: Sequence[float] | np.ndarray = (), distortions: Sequence[float] | np.ndarray = ()
) -> Erokhin:
    """The closed form of `jaxrd.closed_form.categorical` at slopes and at distortions, by one compiled program.

    >>> found = erokhin(np.array([0.5, 0.5]), [np.log(3)], [0.25])
    >>> float(found.at_slopes[0]).__round__(6), float(found.rate[0]).__round__(4)
    (0.25, 0.1308)
    """
    s, d = (np.asarray(x, pmf.dtype) for x in (slopes, distortions))
    parts = []
    for first in range(0, max(len(s), len(d), 1), _AT_ONCE):
        padded = np.zeros((2, _AT_ONCE), pmf.dtype)
        for row, part in zip(padded, (s[first:], d[first:]), strict=True):
            row[: len(part)] = part[:_AT_ONCE]
        parts.append(jax.device_get(exported(_erokhin, Erokhin, pmf, *padded)))
    at_slopes, rate, slope = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Erokhin(at_slopes[: len(s)], rate[: len(d)], slope[: len(d)])


def _least(prior: np.ndarray, rate: float) -> float:
    """D(R), where erokhin(D) = R: in each call the interval shrinks to one of 63 parts.

    >>> round(_least(np.array([0.5, 0.5]), 0.1308122), 6)  # ln 2 - h(1/4)
    0.25
    """
    low, high = 0.0, 1 - float(prior.max())
    if rate >= float(erokhin(prior, distortions=[0.0]).rate[0]):
        return 0.0
    while high - low > 4 * np.finfo(prior.dtype).eps:
        d = np.linspace(low, high, _AT_ONCE)
        met = erokhin(prior, distortions=d).rate <= rate
        met[-1] = True  # it was, at the step before; at D_max the rate is zero
        first = max(int(met.argmax()), 1)
        if d[first] - d[first - 1] >= high - low:
            break
        low, high = d[first - 1], d[first]
    return float(high)


def oracle_at(prior: ArrayLike, slopes: np.ndarray) -> Curve:
    """oRD at given slopes, D_max below the critical one."""
    prior = np.asarray(prior)
    d = erokhin(prior, slopes).at_slopes
    return exact(d, erokhin(prior, distortions=d).rate, slopes)


def draw(prior: jax.Array | np.ndarray, count: int) -> Bound:
    """oRD: the rate-distortion function of the class prior, in closed form."""
    prior = np.asarray(prior)
    largest = 1 - float(prior.max())
    critical = float(erokhin(prior, distortions=[largest * (1 - 1e-9)]).slope[0])
    grid = slope_grid(len(prior), count, critical)
    d = np.concatenate([[largest], erokhin(prior, grid).at_slopes, [0.0]])
    curve = exact(d, erokhin(prior, distortions=d).rate, np.concatenate([[critical], grid, [np.inf]]))
    return Bound(
        curve,
        lambda target: Rate(float(erokhin(prior, distortions=[target]).rate[0]), target),
        lambda rate: Least(_least(prior, rate)),
    )


def draw_solved(prior: np.ndarray, loss: Loss, count: int, *, tol: float | None = None, tick: Tick = None) -> Bound:
    """oRD under a loss: no closed form, so certified. Labels that never occur are left out."""
    occur = np.flatnonzero(prior)
    problem = Problem(prior[occur], loss.values[occur].astype(prior.dtype))
    solved, curve = solve_grid(problem, count, tol, tick, unit=unit_of(loss))
    return Bound(
        curve,
        lambda target: certified_at(problem, target, curve.distortion[-1], tol),
        lambda rate: certified_least(problem, rate, tol),
        solved=solved,
    )


@jax.jit
def respond(
    prior: jax.Array,
    priors: jax.Array,
    labels: Weighing,
    loss: jax.Array,
    slope: ArrayLike,
    reproduction: ArrayLike,
) -> Resampled:
    """oRD under a loss at the distortion that a slope leads to, to second order in the prior.

    The letters are labels, and their distortion does not change: TMRD's expansion over the believed distortion.

    Args:
        prior: of the labels, shape (labels,).
        priors: of the resamplings, shape (replicates, labels).
        labels: how much the labels count.
        loss: l(y, a), shape (labels, actions).
        slope: s > 0, finite, a scalar.
        reproduction: the optimal q there, shape (actions,).
    """
    slope, q = jnp.asarray(slope, loss.dtype), jnp.asarray(reproduction, loss.dtype)
    prepared = prepare(Problem(prior, loss), slope)
    kernel, source = prepared.kernel.held(), prepared.source
    z, c = kernel.sums(source, q)
    share = kernel.weighted(jnp.ones_like(q)) / z[:, None]
    channel = share * q
    log_partition = slope * kernel.minima[0] - jnp.log(z)
    inverse = inverse_newton(kernel, source, q)
    mean = (channel * loss).sum(1)
    pull = inverse @ (source @ (share * (loss - mean[:, None])))
    run = (source @ (share * (loss - mean[:, None]))) @ pull + source @ ((channel * loss**2).sum(1) - mean**2)
    distortion, lagrangian = source @ mean, source @ log_partition
    bend = jnp.where(run > 0, 1 / jnp.where(run > 0, run, 1), 0)

    def replicate(p):
        moved = p @ share - c
        off = p @ mean + moved @ pull - distortion
        return p @ log_partition - 0.5 * moved @ inverse @ moved - slope * distortion + 0.5 * bend * off**2

    replicates = jax.vmap(replicate)(priors)
    return Resampled(lagrangian - slope * distortion, replicates, labels.deviation(log_partition))


def _draw(samples: Samples, count: int, tol: float | None, tick: Tick) -> Bound:
    prior = samples.joint.sum(1)
    if samples.loss is None:
        return draw(prior, count)
    return draw_solved(prior, samples.loss, count, tol=tol, tick=tick)


def _respond(resampling: Resampling, slope: float, reproduction: Any) -> dict[str, Resampled]:
    joint, cells, costs = resampling.joint, resampling.cells, resampling.costs
    assert cells is not None
    assert costs is not None
    loss = costs.occurring

    def by_label(values: jax.Array) -> jax.Array:
        return jax.ops.segment_sum(values.T, joint.labels, len(loss)).T

    prior = by_label(joint.mass)
    labels = Weighing(prior, by_label(cells.squares), jnp.zeros(len(loss), int))
    return {ORACLE.name: respond(prior, by_label(resampling.masses), labels, loss, slope, reproduction)}


ORACLE = Definition(
    name="oRD",
    meaning="oracle lower bound",
    file="ord",
    draw=_draw,
    respond=_respond,
    parameter=lambda curve, unit: positive_and_finite(curve.slope, unit),
    most_classes=100,
)

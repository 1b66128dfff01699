"""TMRD: the rate-distortion function of the posteriors, the optimum for a calibrated model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._sweep import sweep
from jaxrd.distortion.streamed import Streamed
from jaxrd.kernels import kernel_of
from jaxrd.problem import Problem
from jaxrd.solution import Solution
from jaxrd.solvers.certificate import prepare
from jaxrd.tosc._checked import (
    ROUNDING,
    a_matrix,
    checked,
    some_weights,
)
from jaxrd.tosc.curves.definition import BELIEVED, Definition, Resampling, Samples
from jaxrd.tosc.curves.drawing import (
    STEEPEST,
    Bound,
    Tick,
    certified_at,
    certified_least,
    least_margin,
    positive_and_finite,
    saturation,
    solve_grid,
    unit_of,
)
from jaxrd.tosc.curves.measured import measured_bound
from jaxrd.tosc.posterior import Posterior, as_it_is
from jaxrd.tosc.resampling import Resampled, Weighing, equal, inverse_newton, steepness


@checked(
    a_matrix("posterior", "probabilities, in [0, 1]", least=-ROUNDING, most=1 + ROUNDING), some_weights("posterior")
)
def model_aware_problem(posterior: ArrayLike, weights: ArrayLike | None = None) -> Problem:
    """TMRD: the direct problem whose letters are the samples' posteriors, d_hat(v, yh) = 1 - v_yh ([A], eq. (20)).

    [A] calls it intractable; with N posterior rows it has n = N and m = classes. Its distortion is the one the
    model believes; `label_distortion` measures the real one.

    Args:
        posterior: v, probabilities, shape (samples, classes), rows summing to one.
        weights: of the samples, taken as w / sum w, shape (samples,); None: equal.

    Raises:
        InputError: known entries outside [0, 1], a posterior of another shape or empty, weights that are none.

    >>> model_aware_problem(jnp.array([[0.75, 0.25], [0.25, 0.75]])).distortion.tolist()
    [[0.25, 0.75], [0.75, 0.25]]
    """
    v = jnp.asarray(posterior)
    n = v.shape[0]
    w = jnp.full(n, 1 / n, v.dtype) if weights is None else jnp.asarray(weights, v.dtype)
    return Problem(w, 1 - v)


@partial(jax.jit, static_argnames="build")
def _right(
    data: Any, weights: jax.Array, labels: jax.Array, slope: jax.Array, q: jax.Array, *, build: Callable
) -> jax.Array:
    """sum_i w_i W(y_i | v_i) over some rows: 1 - `label_distortion`."""
    kernel = kernel_of(build(data), slope).held()
    chosen = jnp.take_along_axis(kernel.weighted(q), labels[:, None], 1)[:, 0]
    return weights @ (chosen / kernel.matvec(q))


@partial(jax.jit, static_argnames="build")
def _lost(
    data: Any,
    weights: jax.Array,
    labels: jax.Array,
    slope: jax.Array,
    q: jax.Array,
    loss: jax.Array,
    *,
    build: Callable,
) -> jax.Array:
    """sum_i w_i sum_a W(a | v_i) l(y_i, a) over some rows."""
    kernel = kernel_of(build(data), slope).held()
    return weights @ ((kernel.weighted(q) * loss[labels]).sum(1) / kernel.matvec(q))


_PASSES = 4
"""Passes over many rows that a slope takes, while its distortion on the labels takes one."""


class _Seen:
    """The progress of `draw`, counted in passes over the rows: first of the curve, then of the rates asked for."""

    def __init__(self, tick: Tick):
        self.tick, self.done, self.total = tick, 0, 0

    def swept(self, done: int, total: int) -> None:
        """So many slopes of the curve are solved."""
        self.total = (_PASSES + 1) * total
        self.done = 0
        self.more(_PASSES * done)

    def more(self, passes: int) -> None:
        """So many more passes are made."""
        self.done += passes
        self.total = max(self.total, self.done)
        if self.tick is not None:
            self.tick(self.done, self.total)


def draw(posterior: Posterior, prior: np.ndarray, count: int, *, tol: float | None = None, tick: Tick = None) -> Bound:
    """TMRD: certified in model-believed distortion, drawn over the label-measured one."""
    problem, mesh, unit = posterior.problem, posterior.mesh, unit_of(posterior.loss)
    loss = 1 - np.eye(posterior.classes) if posterior.loss is None else posterior.loss.values
    margin = posterior.folded(lambda log_v, *_: least_margin(-posterior.distortion(log_v)), min)
    seen = _Seen(tick)
    beyond = saturation(margin, STEEPEST / unit, unit)
    solved, curve = solve_grid(problem, count, tol, seen.swept, beyond, mesh, unit)

    labels = np.zeros(len(problem.source), np.int32)
    labels[: posterior.samples] = posterior.labels
    weights, d = np.asarray(problem.source), problem.distortion
    held, costs = jax.device_put(labels), jax.device_put(loss.astype(weights.dtype))

    def measured(point: Solution) -> float:
        at = np.asarray(point.slope), np.asarray(point.reproduction)
        seen.more(1)
        build = d.build if isinstance(d, Streamed) else as_it_is

        def one(data: Any, w: Any, y: Any) -> jax.Array:
            if posterior.loss is None:
                return _right(data, w, y, *at, build=build)
            return _lost(data, w, y, *at, costs, build=build)

        found = float(d.added(one, weights, labels) if isinstance(d, Streamed) else one(d, weights, held))
        return 1 - found if posterior.loss is None else found

    def solve(slope: float) -> Solution:
        found = jax.device_get(sweep(problem, np.array([slope]), tol=tol, mesh=mesh))
        seen.more(_PASSES)
        return jax.tree.map(lambda a: a[0], found)

    guess = int(posterior.folded(lambda log_v, _, w: w @ posterior.distortion(log_v)).argmin())
    bound = measured_bound(solved, curve, float(prior @ loss[:, guess]), measured, solve)
    end = float(np.asarray(bound.curve.model_distortion)[-1])
    return bound._replace(
        smallest_believed=lambda target: certified_at(problem, target, end, tol, mesh),
        least_believed=lambda rate: certified_least(problem, rate, tol, mesh),
    )


class ModelAware(NamedTuple):
    """TMRD at a slope, on either axis."""

    believed: Resampled
    """R at the distortion the model believes: the rate-distortion function of the posteriors."""
    measured: Resampled
    """The rate at the distortion that the labels measure for the optimal channels."""


@jax.jit
def respond(
    v: jax.Array,
    labels: jax.Array,
    weights: jax.Array,
    slope: ArrayLike,
    reproduction: jax.Array,
    own: Weighing | None = None,
    loss: jax.Array | None = None,
) -> ModelAware:
    """TMRD at the two distortions that a slope leads to.

    psi_i = -ln Z_i is the influence of a sample on L(s) and (both extrema being flat) on R(D). The label-measured curve
    R = I(s), D = D_Y(s) has psi_i - s phi_i + kappa chi_i, where phi and chi are the influences on the believed and the
    measured distortion of the optimal channel, the change of q included, and kappa = -(dI/ds) / (dD_Y/ds) = s D'/D_Y'.
    Its curvature is taken to be (kappa/s) / |D_Y'|, which it is while kappa/s does not change (1 if calibrated).

    Args:
        v: posteriors, shape (samples, classes).
        labels: y, int, shape (samples,).
        weights: `resampled_weights`, or `reweighed` ones, shape (replicates, samples).
        slope: s > 0, finite, a scalar.
        reproduction: the optimal q there, shape (classes,), or (actions,).
        own: how much the samples count; None: equally.
        loss: l(y, a), shape (classes, actions); None: 0/1.
    """
    own = equal(len(v), v.dtype) if own is None else own
    believed = 1 - v if loss is None else v @ loss
    problem = Problem(own.weights, believed)
    slope, q = jnp.asarray(slope, v.dtype), jnp.asarray(reproduction, v.dtype)
    prepared = prepare(problem, slope)
    kernel, source = prepared.kernel.held(), prepared.source
    z, c = kernel.sums(source, q)
    share = kernel.weighted(jnp.ones_like(q)) / z[:, None]
    channel = share * q
    log_partition = slope * kernel.minima[0] - jnp.log(z)
    inverse = inverse_newton(kernel, source, q)
    push = source @ (share * (believed - (channel * believed).sum(1, keepdims=True)))  # dD/dq, and -dc/ds

    def of(d):
        """Of a distortion of the channel: mean, derivative in s, influences, mean of each row, derivative in c."""
        mean = (channel * d).sum(1)
        pull = inverse @ (source @ (share * (d - mean[:, None])))
        run = -(source @ ((channel * d * believed).sum(1) - mean * (channel * believed).sum(1))) - pull @ push
        return source @ mean, run, mean + share @ pull, mean, pull

    model, model_run, model_influence, model_mean, model_pull = of(believed)
    on_labels = 1 - jax.nn.one_hot(labels, v.shape[1], dtype=v.dtype) if loss is None else loss[labels]
    label, label_run, label_influence, label_mean, label_pull = of(on_labels)
    kappa = steepness(-slope * model_run, -label_run)
    lagrangian = source @ log_partition
    rate = lagrangian - slope * model

    def bend(ratio, run):
        return jnp.where(run < 0, ratio / jnp.where(run < 0, -run, 1), 0)

    def replicate(w):
        moved = w @ share - c
        moved_lagrangian = w @ log_partition - 0.5 * moved @ inverse @ moved
        by_model = w @ model_mean + moved @ model_pull - model
        by_label = w @ label_mean + moved @ label_pull - label
        believed = moved_lagrangian - slope * model + 0.5 * bend(1.0, model_run) * by_model**2  # the maximum over s
        along = kappa * by_label + 0.5 * bend(kappa / slope, label_run) * by_label**2
        return believed, moved_lagrangian - slope * (model + by_model) + along

    at_believed, at_measured = jax.vmap(replicate)(weights)
    at_measured_influence = log_partition - slope * model_influence + kappa * label_influence
    return ModelAware(
        Resampled(rate, at_believed, own.deviation(log_partition)),
        Resampled(rate, at_measured, own.deviation(at_measured_influence)),
    )


def _respond(resampling: Resampling, slope: float, reproduction: Any) -> dict[str, Resampled]:
    assert resampling.log_v is not None
    assert resampling.weights is not None
    v, labels, weights, own = jnp.exp(resampling.log_v), resampling.labels, resampling.weights, resampling.own
    loss = None if resampling.costs is None else resampling.costs.every
    both = respond(v, labels, weights, slope, reproduction, own, loss)
    return {MODEL_AWARE.name: both.measured, MODEL_AWARE.name + BELIEVED: both.believed}


def _draw(samples: Samples, count: int, tol: float | None, tick: Tick) -> Bound:
    assert samples.posterior is not None
    return draw(samples.posterior, samples.joint.sum(1), count, tol=tol, tick=tick)


MODEL_AWARE = Definition(
    name="TMRD",
    meaning="best if calibrated",
    file="tmrd",
    draw=_draw,
    needs_posterior=True,
    respond=_respond,
    parameter=lambda curve, unit: positive_and_finite(curve.slope, unit),
    believed=True,
)

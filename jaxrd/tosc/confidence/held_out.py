"""Channels fitted on some samples and measured on others: achievable points, and cross-fitted curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from jaxrd._eager import refuse_unless_whole
from jaxrd._sweep import sweep
from jaxrd.curve import Curve, lower_convex_envelope
from jaxrd.information import without_rounding
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status
from jaxrd.solvers.certificate import prepare
from jaxrd.tosc.curves.confusion import confusion_joint
from jaxrd.tosc.curves.model_aware import model_aware_problem


class HeldOut(NamedTuple):
    """Fixed channels W with output laws q, one per slope, rate zero first, measured on samples that chose neither."""

    slope: np.ndarray
    """That the channels were solved for, shape (k,); 0 for rate zero."""
    rate: np.ndarray
    """Mean KL(W(.|x) || q), nats: the rate of channel simulation with q, at least I."""
    distortion: np.ndarray
    """Mean P(reproduction != label), or mean loss."""
    model_distortion: np.ndarray
    """The same as the model believes it; for iE&C that of the samples it was fitted on."""
    samples: float
    """1 / sum w^2 of the measuring samples: their number where they count the same."""


def halves(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of two random halves, each summing to one, zero on the other; shape (samples,) each."""
    refuse_unless_whole("seed", seed, 0)
    order = np.random.default_rng(seed).permutation(samples)
    first, second = np.zeros(samples), np.zeros(samples)
    first[order[: samples // 2]] = 1 / (samples // 2)
    second[order[samples // 2 :]] = 1 / (samples - samples // 2)
    return first, second


@jax.jit
def _measure(
    problem: Problem, weights: jax.Array, cost: jax.Array, slopes: jax.Array, reproductions: jax.Array
) -> jax.Array:
    """(rate, distortion, model distortion) of q's channels for other weights of the rows, shape (k, 3).

    cost: mean loss of each letter for the labels of a row, times its weight, shape (rows, letters).
    """

    def one(point):
        slope, q = point
        kernel = prepare(problem, slope).kernel.held()
        z = kernel.matvec(q)
        channel = kernel.weighted(q) / z[:, None]
        model = (channel * jnp.asarray(problem.distortion)).sum(1)
        # ln W/q = -s d - ln Z: nothing to divide by.
        divergence = slope * (kernel.minima[0] - model) - jnp.log(z)
        return jnp.stack([without_rounding(weights @ divergence), (channel * cost).sum(), weights @ model])

    return jax.lax.map(one, (slopes, reproductions))


def _with_silence(fitted: Solution, measured: jax.Array, silence: tuple[float, float], weights: np.ndarray) -> HeldOut:
    w = weights[weights > 0]
    samples = len(w) if np.ptp(w) == 0 else 1 / float((w**2).sum())
    columns = np.column_stack([fitted.slope, measured])
    return HeldOut(*np.vstack([(0, 0, *silence), columns]).T, samples=samples)


def model_aware_held_out(
    v: jax.Array,
    labels: np.ndarray,
    fit: np.ndarray,
    test: np.ndarray,
    slopes: ArrayLike,
    *,
    loss: np.ndarray | None = None,
    tol: float | None = None,
) -> HeldOut:
    """TMRD's channels W ~ q_a exp(-s d(v, a)), q fitted to some samples, measured on others.

    Args:
        v: posteriors, shape (samples, classes).
        labels: y, int, shape (samples,).
        fit: weights of the samples that choose q, shape (samples,), as from `halves`.
        test: weights of those that measure.
        slopes: s > 0, finite, shape (k,).
        loss: l(y, a), shape (classes, actions); None: 0/1.
        tol: certified gap asked, nats; None: by dtype.
    """
    costs = 1 - np.eye(v.shape[1]) if loss is None else loss
    w = jnp.asarray(test, v.dtype)
    problem = model_aware_problem(v, fit)
    if loss is not None:
        problem = Problem(problem.source, v @ jnp.asarray(loss, v.dtype))
    fitted = sweep(problem, slopes, tol=tol)
    cost = w[:, None] * jnp.asarray(costs, v.dtype)[jnp.asarray(labels)]
    measured = _measure(problem, w, cost, fitted.slope, fitted.reproduction)
    believed = np.asarray(problem.distortion)
    guess = int((fit @ believed).argmin())
    return _with_silence(fitted, measured, (float(test @ costs[labels, guess]), float(test @ believed[:, guess])), test)


def indirect_held_out(
    labels: np.ndarray,
    decisions: np.ndarray,
    classes: int,
    fit: np.ndarray,
    test: np.ndarray,
    slopes: ArrayLike,
    *,
    loss: np.ndarray | None = None,
    tol: float | None = None,
) -> HeldOut:
    """iE&C's channels W ~ q_a exp(-s E[l(Y, a)|yt]), q and p(y|yt) fitted to some samples, measured on others.

    For an estimate that the fitting samples lack, p(y|yt) is their prior p(y). So the channel, q, and the rate of a
    sample, KL(W(.|yt) || q), are fixed before any measuring sample is seen. To send such an estimate as it is would
    cost +inf where q lacks it; to take the measured output law for q would let the measuring samples choose q.

    Args:
        labels: y, int, shape (samples,).
        decisions: yt, the same; under a loss any numbers of what is done.
        classes: their number, or what the larger of labels and decisions needs.
        fit: weights of the samples that fit, shape (samples,).
        test: weights of those that measure.
        slopes: s > 0, finite, shape (k,).
        loss: l(y, a), shape (labels, actions); None: 0/1.
        tol: certified gap asked, nats; None: by dtype.
    """
    costs = 1 - np.eye(classes) if loss is None else np.vstack([loss, np.zeros((classes - len(loss), loss.shape[1]))])
    seen, held = (confusion_joint(labels, decisions, classes, w) for w in (fit, test))
    estimate, prior = seen.sum(0), seen.sum(1)
    posterior = jnp.where(estimate > 0, seen / jnp.where(estimate > 0, estimate, 1), prior[:, None])
    problem = Problem(estimate, 1 - posterior.T if loss is None else posterior.T @ costs)
    fitted = sweep(problem, slopes, tol=tol)
    measured = _measure(problem, held.sum(0), held.T @ costs, fitted.slope, fitted.reproduction)
    silent = np.asarray(prior @ costs)
    guess = int(silent.argmin())
    return _with_silence(fitted, measured, (float(held.sum(1) @ costs[:, guess]), float(silent[guess])), test)


def averaged(first: HeldOut, second: HeldOut) -> Curve:
    """The cross-fitted curve: each half's channels measured on the other, the two averaged (time sharing).

    A plug-in is fitted to the samples that measure it, and lies low on average. This curve lies high on average, as
    half the samples fit it less well. Up to noise, the truth lies between them.
    """
    rate, d, model = ((a + b) / 2 for a, b in zip(first[1:4], second[1:4], strict=True))
    nothing, achievable = np.full(len(rate), np.nan), np.full(len(rate), Status.ACHIEVABLE)
    return Curve(d, rate, first.slope, nothing, achievable, model)


def indirect_cross_fitted(
    labels: np.ndarray,
    decisions: np.ndarray,
    classes: int,
    slopes: ArrayLike,
    *,
    splits: int = 1,
    seed: int = 0,
    shares: Callable[[np.ndarray], np.ndarray] = np.asarray,
    loss: np.ndarray | None = None,
    tol: float | None = None,
) -> Curve:
    """iE&C `averaged` over the two halves of each split, and over the splits; arguments as for `indirect_held_out`.

    `shares` gives the weights of the samples of each half, shape (2, samples), from equal ones.
    """
    curves = []
    for split in range(splits):
        first, second = shares(np.stack(halves(len(labels), seed + split)))
        both = (
            indirect_held_out(labels, decisions, classes, fit, test, slopes, loss=loss, tol=tol)
            for fit, test in ((first, second), (second, first))
        )
        curves.append(averaged(*both))
    rate, d, model = np.mean([(c.rate, c.distortion, c.model_distortion) for c in curves], axis=0)
    return replace(curves[0], rate=rate, distortion=d, model_distortion=model)


def rate_between(curve: Curve, target: float) -> float:
    """The rate of a falling curve at a distortion, interpolated on its lower envelope; inf below its least distortion.

    >>> d = np.linspace(0, 1, 9)
    >>> round(rate_between(Curve(d, (1 - d) ** 2, d, d, d), 0.7), 3)  # exactly 0.09; linear: 0.094
    0.09
    """
    d, place = np.unique(curve.distortion, return_index=True)
    envelope = np.asarray(lower_convex_envelope(curve.distortion, curve.rate))[place]
    if target >= d[-1]:
        return float(envelope[-1])
    return np.inf if target < d[0] else max(float(PchipInterpolator(d, envelope)(target)), 0.0)


def rate_of_envelope(distortion: np.ndarray, rate: np.ndarray, target: float) -> float:
    """The least rate that time sharing of achievable points reaches at a distortion; inf below all of them.

    >>> rate_of_envelope(np.array([0.0, 1.0]), np.array([2.0, 0.0]), 0.25)
    1.5
    """
    value = float(lower_convex_envelope(np.append(distortion, target), np.append(rate, np.inf))[-1])
    return np.inf if np.isnan(value) else max(value, 0.0)

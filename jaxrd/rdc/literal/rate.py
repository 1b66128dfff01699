"""The literal rate-distortion-classification function on a fixed reproduction alphabet: searched, not certified."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from jaxrd._threads import one_blas_thread
from jaxrd.problem import Problem
from jaxrd.rdc.alternating import alternate, measured, random_channels
from jaxrd.rdc.fixed import Linear, linear
from jaxrd.rdc.inputs import Inputs, Labels, as_inputs, as_targets
from jaxrd.rdc.lifted.atoms import divergences
from jaxrd.rdc.lifted.rate import lifted_rate
from jaxrd.rdc.point import LITERAL, Point, entropies, infeasible, mutual_information, posteriors
from jaxrd.solution import Status

_FACTORS = (0.0, 0.5, 1.0, 2.0)  # of each slope of the lifted solution
_LANES = 2**18  # entries of all the channels searched at once
TRIED, POLISHED = 32, 4  # classifiers tried at the targets, and improved there
_INFEASIBLE = 1e3  # nats: the rate given to a classifier that cannot meet the targets
_FAINT = 1e-14  # probability below which a class is as good as excluded
ITERATIONS = 60


def literal_rate(
    problem: Problem,
    labels: Labels,
    distortion: ArrayLike,
    classification: ArrayLike,
    *,
    start: Point | None = None,
    starts: int = 16,
    tol: float = 1e-9,
    seed: int = 0,
) -> Point:
    """The literal R(D, C) of definition 1 on the given reproduction alphabet: an achievable point, by multistart.

        R(D, C) = min I(X;Xh)  subject to  E Delta(X, Xh) <= D,  H(S_k|Xh) <= C_k

    H(S|Xh) is concave in the channel: the program is not convex, and neither is the function. It is the least over
    classifiers t of the fixed-classifier rate, which is convex and solved exactly; the classifiers come from
    alternating minimisation at many slopes from many starts (one compiled program), and the best are improved by
    quasi-Newton steps.

    Args:
        problem: source (n,), distortion (n, m), +inf for forbidden pairs.
        labels: P(S|X), shape (n, classes); or a list of such channels, one for each label.
        distortion: D, in the unit of the problem's distortion; inf for no constraint.
        classification: C, nats, inf for no constraint; for several labels one number each.
        start: a literal or fixed-classifier point, to try its classifier too.
        starts: random starts at each slope.
        tol: gap to the lifted lower bound at which the point counts as certified, nats, relative to max(1, R).
        seed: of the starts.

    Returns:
        A `Point`, `rate` achieved, `lower` the lifted function's certified bound, which need not be close. ACHIEVABLE;
        CONVERGED only where the two meet; INFEASIBLE only where no code at all meets the targets; STALLED with rate
        +inf where no start met them, which proves nothing.

    Raises:
        InputError: labels that are not a channel, shapes that do not match, a target that is NaN, a negative C.

    Reference: [B] definition 1, equation (3).

    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> point = literal_rate(problem, np.array([[1.0, 0.0], [0.5, 0.5]]), 0.25, 0.325)
    >>> round(point.rate, 6), point.status.name  # the lifted rate is 0.225541
    (0.226294, 'ACHIEVABLE')
    """
    inputs = as_inputs(problem, labels)
    targets = as_targets(len(inputs.labels), distortion, classification)
    below = lifted_rate(problem, labels, distortion, classification, tol=tol, seed=seed)
    if below.status == Status.INFEASIBLE:
        return infeasible(LITERAL, len(inputs.source), len(inputs.labels))
    classifiers = _classifiers(inputs, targets, below, starts, seed)
    if start is not None:
        classifiers.insert(0, _classifier_of(inputs, start))
    tried = sorted(((_at(inputs, targets, t), i) for i, t in enumerate(classifiers)), key=lambda pair: pair[0].rate)
    best = tried[0][0]
    for optimum, i in tried[:POLISHED]:
        if np.isfinite(optimum.rate):
            improved = _improve(inputs, targets, classifiers[i])
            best = improved if improved.rate < best.rate else best
    point = _point(inputs, best, below.lower)
    if np.isinf(point.rate):
        return replace(point, status=Status.STALLED)
    close = point.gap <= tol * max(1, point.rate)
    return replace(point, status=Status.CONVERGED if close else Status.ACHIEVABLE)


def _at(inputs: Inputs, targets: np.ndarray, classifier: tuple[np.ndarray, ...]) -> Linear:
    """The fixed-classifier optimum; H(S|Xh) <= E[-ln c(S|Xh)], so that its channel meets the targets too."""
    losses = [
        divergences(p, t) + entropies(p)[:, None] for p, t in zip(inputs.labels, classifier, strict=True)
    ]  # fmt: skip
    return linear(inputs.source, np.stack([inputs.distortion, *losses]), targets)


def _classifier_of(inputs: Inputs, point: Point) -> tuple[np.ndarray, ...]:
    m = inputs.distortion.shape[1]
    channel = point.channel @ (point.reproduction[:, None] == np.arange(m))
    return posteriors(inputs.source, channel, inputs.labels)


def slope_grid(below: Point, inputs: Inputs) -> np.ndarray:
    """Slopes around those of the lifted solution, (slopes, 1 + K); where one is zero or infinite, a plausible one."""
    slopes = np.array([below.distortion_slope, *below.classification_slope])
    excess = inputs.distortion - inputs.distortion.min(1, keepdims=True)
    # The unit is the least cost of one reproduction for all letters, as the largest distortion may stand for "never".
    silent = inputs.source @ excess
    unit = min((float(cost) for cost in silent if 0 < cost < np.inf), default=1.0)
    usual = np.array([2 / unit, *np.ones(len(inputs.labels))])
    base = np.where(np.isfinite(slopes) & (slopes > 0), slopes, np.where(np.isinf(slopes), 10 * usual, usual))
    factors = np.stack(np.meshgrid(*[_FACTORS] * len(base), indexing="ij"), -1).reshape(-1, len(base))
    return factors * base


def search(inputs: Inputs, slopes: np.ndarray, starts: int, seed: int):
    """Alternating minimisation with one atom a reproduction, from `starts` channels at each slope; see `measured`."""
    n, m = inputs.distortion.shape
    starts = max(2, min(starts, _LANES // (n * m * len(slopes))))
    begin = np.where(np.isfinite(inputs.distortion), random_channels(starts, n, m, seed), 0)
    lanes = np.repeat(slopes, starts, 0)
    begin = np.tile(begin / begin.sum(2, keepdims=True), (len(slopes), 1, 1))
    reproduction = np.arange(m)
    channel = alternate(inputs, reproduction, lanes, begin).channel
    return (channel, *measured(inputs, reproduction, channel))


def _classifiers(inputs: Inputs, targets: np.ndarray, below: Point, starts: int, seed: int) -> list:
    """The most promising distinct classifiers, each a tuple of arrays (m, classes_k)."""
    slopes = slope_grid(below, inputs)
    _, points, soft = search(inputs, slopes, starts, seed)
    # First-order estimate of a point's rate at the targets: a target it misses is charged at twice the usual slope.
    miss = np.maximum(points[:, 1:] - targets, 0) * 2 * slopes.max(0)
    order = np.argsort(points[:, 0] + miss.sum(1), kind="stable")
    _, first = np.unique(points[order].round(6), axis=0, return_index=True)
    chosen = order[np.sort(first)][:TRIED]
    classifiers = [tuple(t[i] for t in soft) for i in chosen]
    nearest = np.eye(inputs.distortion.shape[1])[inputs.distortion.argmin(1)]
    classifiers.append(posteriors(inputs.source, nearest, inputs.labels))
    # A target of exactly H(S|X) allows only the rows P(S|x) as soft labels.
    snapped = [
        tuple(p[divergences(p, t).argmin(0)] for p, t in zip(inputs.labels, c, strict=True)) for c in classifiers[:8]
    ]
    return classifiers + snapped


def _improve(inputs: Inputs, targets: np.ndarray, classifier: tuple[np.ndarray, ...]) -> Linear:
    """Quasi-Newton over the classifier's logits: by the envelope theorem dR/dlogit = -mu P(xh) (P(s|xh) - c(s|xh))."""
    shapes = [t.shape for t in classifier]
    cuts = np.cumsum([t.size for t in classifier])[:-1]
    best = [_at(inputs, targets, classifier)]

    def unpack(logits: np.ndarray) -> tuple[np.ndarray, ...]:
        parts = [part.reshape(shape) for part, shape in zip(np.split(logits, cuts), shapes, strict=True)]
        soft = [np.exp(part - part.max(1, keepdims=True)) for part in parts]
        return tuple(t / t.sum(1, keepdims=True) for t in soft)

    def value(logits: np.ndarray) -> tuple[float, np.ndarray]:
        soft = unpack(logits)
        optimum = _at(inputs, targets, soft)
        if not np.isfinite(optimum.rate) or not np.isfinite(optimum.slopes[1:]).all():
            return _INFEASIBLE, np.zeros(logits.size)
        if optimum.rate < best[0].rate:
            best[0] = optimum
        weights = inputs.source @ optimum.channel
        post = posteriors(inputs.source, optimum.channel, inputs.labels)
        slopes = optimum.slopes[1:]
        parts = [-mu * weights[:, None] * (q - t) for mu, q, t in zip(slopes, post, soft, strict=True)]
        return optimum.rate, np.concatenate([part.ravel() for part in parts])

    begin = np.concatenate([np.log(np.maximum(t, _FAINT)).ravel() for t in classifier])
    options = {"maxiter": ITERATIONS, "ftol": 1e-14, "gtol": 1e-9}
    with one_blas_thread():
        minimize(value, begin, jac=True, method="L-BFGS-B", options=options)
    return best[0]


def _point(inputs: Inputs, optimum: Linear, lower: float) -> Point:
    """The channel measured by its posteriors; their loss is at most that of the classifier it was solved for."""
    p, channel = inputs.source, optimum.channel
    m = inputs.distortion.shape[1]
    if channel.shape[1] == 0:
        return replace(infeasible(LITERAL, len(p), len(inputs.labels)), lower=lower)
    soft, weights = posteriors(p, channel, inputs.labels), p @ channel
    rate = mutual_information(p, channel) if np.isfinite(optimum.rate) else np.inf
    return Point(
        LITERAL, rate, lower, Status.ACHIEVABLE, float(optimum.reached[0]),
        np.array([weights @ entropies(t) for t in soft]), float(optimum.slopes[0]), optimum.slopes[1:], np.arange(m),
        soft, weights, channel,
    )  # fmt: skip

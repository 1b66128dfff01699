"""The information bottleneck of a classifier: bits against log-loss, where the receiver gets a pmf and no decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxrd._eager import refuse_unless_whole
from jaxrd._readable import readable
from jaxrd._threads import one_blas_thread
from jaxrd.curve import Curve
from jaxrd.errors import InputError
from jaxrd.information import entropy
from jaxrd.solution import Status
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.outputs import Progress
from jaxrd.tosc.regression.ceiling import below_chords

_LEAST, _STEEPEST = 0.02, 60.0  # of the multiplier less 1: up to 1 the rate is zero
_CERTIFIED = 1e-6  # nats: a gap up to it counts as converged
_COARSE = 0.25  # distance of the first points of a certificate, in units of sqrt(8 / s)
_ENOUGH = 1e-9  # nats that a step must gain
_TINY = 1e-300


@readable
@dataclass(frozen=True)
class LogLoss:
    """The result of `bottleneck`; nats.

    Args:
        curve: the point of rate zero and achievable ones: log-loss on the labels, and `model_distortion`, the log-loss
            that the model believes in, both in nats. Of two classes the gap is certified over `model_distortion`.
        oracle: R = H(Y) - D at the points of `model_distortion`, H(Y) that of the mean posterior: no scheme lies below.
        least: E H(Y|X) that the model believes in, the log-loss of sending the posterior itself.
        least_measured: the log-loss of the posterior on the labels.
        label_entropy: H(Y) of the mean posterior.

    Reference: N. Tishby, F. Pereira and W. Bialek, The information bottleneck method, 1999; T. Courtade and T.
    Weissman, Multiterminal source coding under logarithmic loss, IEEE Trans. IT 2014.

    >>> from jaxrd import tosc
    >>> v = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> found = tosc.bottleneck(tosc.limits(v, [0, 1], temperature=1.0, slopes=2), slopes=4, atoms=2)
    >>> round(found.label_entropy, 4), round(found.least, 4)  # ln 2 and h(.1)
    (0.6931, 0.3251)
    """

    curve: Curve
    oracle: np.ndarray
    least: float
    least_measured: float
    label_entropy: float


def _soft(v: np.ndarray, weights: np.ndarray, channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Output law and soft labels of a channel: q_j = sum_i w_i W_ij, t_j = sum_i w_i W_ij v_i / q_j."""
    joint = weights[:, None] * channel
    q = joint.sum(0)
    return q, (joint.T @ v) / np.maximum(q, _TINY)[:, None]


def _alternated(
    v: np.ndarray, weights: np.ndarray, slope: float, q: np.ndarray, t: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alternate W_ij ~ q_j exp(-s CE(v_i, t_j)) with the q and t of W: each step lowers I(X;T) + s E CE."""
    last, channel = np.inf, np.ones((len(v), len(q))) / len(q)
    for _ in range(steps):
        exponent = np.log(np.maximum(q, _TINY)) + slope * (v @ np.log(np.maximum(t, _TINY)).T)
        top = exponent.max(1, keepdims=True)
        channel = np.exp(exponent - top)
        total = channel.sum(1, keepdims=True)
        channel /= total
        value = -float(weights @ (top + np.log(total))[:, 0])
        q, t = _soft(v, weights, channel)
        kept = q > 1e-12
        q, t, channel = q[kept], t[kept], channel[:, kept]
        if last - value < _ENOUGH:
            break
        last = value
    return channel / channel.sum(1, keepdims=True), q, t


def bottleneck(
    limits: Limits, *, slopes: int = 12, atoms: int | None = None, steps: int = 100, progress: Progress = None
) -> LogLoss:
    """Bits per sample for a log-loss: the receiver gets one of some soft labels t instead of a class.

        minimise I(X;T)  subject to  E[-ln t_T(Y)] <= D

    The indirect rate-distortion function under log-loss, which is the information bottleneck of X and Y. The points are
    achievable by codes of long blocks, from alternating minimisation over at most `atoms` soft labels; the problem is
    not convex in them. Of two classes each point has a certified gap over what the model believes, for all soft labels;
    of more, no lower bound is claimed but the oracle's, R >= H(Y) - D. With few rows and three classes
    `jaxrd.rdc.lifted.bottleneck` certifies.

    Args:
        limits: a result of `jaxrd.tosc.limits` for scores; its posteriors and weights are taken, its loss is not.
        slopes: points of the curve.
        atoms: soft labels at most; a rate is at most their logarithm. None: two a class, from 32 to 512.
        steps: of the alternating minimisation at each slope.
        progress: called as progress("bottleneck", done, total).

    Raises:
        InputError: no `Limits`, hard decisions, or counts that are too small.

    Reference: N. Tishby, F. Pereira and W. Bialek, The information bottleneck method, 1999; T. Courtade and T.
    Weissman, Multiterminal source coding under logarithmic loss, IEEE Trans. IT 2014.

    >>> from jaxrd import tosc
    >>> v = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> curve = tosc.bottleneck(tosc.limits(v, [0, 1], temperature=1.0, slopes=2), slopes=4, atoms=2).curve
    >>> bool((np.diff(curve.rate) >= 0).all()), round(float(curve.rate[0]), 4)
    (True, 0.0)
    """
    if not isinstance(limits, Limits):
        raise InputError(f"bottleneck takes what limits returned; got {type(limits).__name__}.")
    posterior = limits.workings.posterior
    if posterior is None:
        raise InputError("the information bottleneck needs scores: hard decisions have no posterior.")
    refuse_unless_whole("slopes", slopes, 2)
    most = min(max(32, 2 * posterior.classes), 512) if atoms is None else atoms
    refuse_unless_whole("atoms", most, 2)
    refuse_unless_whole("steps", steps, 1)
    log_v, labels = posterior.log_v.astype(float), posterior.labels
    counted = posterior.weights > 0
    log_v, labels, weights = log_v[counted], labels[counted], posterior.weights[counted]
    v = np.exp(log_v)
    mean = weights @ v
    right = v.argmax(1)
    order = np.lexsort((v[np.arange(len(v)), right], right))
    chosen = order[np.linspace(0, len(order) - 1, min(most, len(order))).astype(int)]
    q, t = np.full(len(chosen), 1 / len(chosen)), np.maximum(v[chosen], 1e-9)
    t = t / t.sum(1, keepdims=True)
    points = []
    with one_blas_thread():
        for k, slope in enumerate(1 + np.geomspace(_STEEPEST, _LEAST, slopes)):
            channel, q, t = _alternated(v, weights, float(slope), q, t, steps)
            point = _measured(v, weights, labels, channel)
            gap = np.nan
            if posterior.classes == 2:
                gap = max(point[0] + slope * point[1] - _level(v, weights, float(slope), q, t), 0.0)
            points.append((float(slope), *point, gap))
            if progress is not None:
                progress("bottleneck", k + 1, slopes)
    silent = (1.0, 0.0, float(entropy(mean)), -float(weights @ np.log(np.maximum(mean, _TINY))[labels]), 0.0)
    slope, rate, believed, measured, gap = np.array([silent, *points[::-1]]).T
    status = np.where(gap <= _CERTIFIED, Status.CONVERGED, Status.ACHIEVABLE)
    status[0] = Status.EXACT
    curve = Curve(believed, rate, slope, gap, status).with_distortion(measured)
    oracle = np.maximum(float(entropy(mean)) - believed, 0)
    least_measured = -float(weights @ log_v[np.arange(len(labels)), labels])
    return LogLoss(curve, oracle, float(weights @ -(v * log_v).sum(1)), least_measured, float(entropy(mean)))


def _level(v: np.ndarray, weights: np.ndarray, slope: float, q: np.ndarray, t: np.ndarray) -> float:
    """A lower bound of min I(X;T) + s E CE(v, t_T) over codes to any soft labels, for two classes.

    It is F(q) - ln max_t c(t), c(t) = E exp(-s CE(v, t)) / Z. With t = (1 - p, p) and y the logit of p,
    -CE(v, t) = v_1 y - ln(1 + e^y): ln c + s ln(1 + e^y) is convex in y, and ln(1 + e^y) lies at most h^2 / 8 w (1 - w)
    below its chord over a width h. Beyond the logits of the rows every term falls.
    """
    log_t = np.log(np.maximum(t, _TINY))
    exponent = np.log(np.maximum(q, _TINY)) + slope * (v @ log_t.T)
    top = exponent.max(1)
    partition = top + np.log(np.exp(exponent - top[:, None]).sum(1))
    log_mass, first = np.log(weights) - partition, v[:, 1]

    def log_c(y: np.ndarray) -> np.ndarray:
        out = np.empty(len(y))
        for i in range(0, len(y), 64):
            part = y[i : i + 64, None]
            terms = log_mass + slope * (part * first - np.logaddexp(0, part))
            high = terms.max(1)
            out[i : i + 64] = high + np.log(np.exp(terms - high[:, None]).sum(1))
        return out

    logits = np.log(np.maximum(v[:, 1], _TINY)) - np.log(np.maximum(v[:, 0], _TINY))
    count = int(np.ceil((logits.max() - logits.min()) * np.sqrt(slope / 8) / _COARSE)) + 2
    grid = np.linspace(logits.min(), logits.max(), count)
    value = log_c(grid)
    most = below_chords(grid, value, log_c, slope / 8, float(value.max()), 1e-9)
    return float(-weights @ partition) - most - 1e-12


def _measured(
    v: np.ndarray, weights: np.ndarray, labels: np.ndarray, channel: np.ndarray
) -> tuple[float, float, float]:
    """I(X;T), and the log-loss of the channel's soft labels that the model believes in and that the labels show."""
    q, t = _soft(v, weights, channel)
    log_t = np.log(np.maximum(t, _TINY))
    rate = weights @ (channel * np.log(np.where(channel > 0, channel / np.maximum(q, _TINY), 1))).sum(1)
    believed = -(q @ (t * log_t).sum(1))
    measured = -(weights @ (channel * log_t[:, labels].T).sum(1))
    return max(float(rate), 0.0), float(believed), float(measured)

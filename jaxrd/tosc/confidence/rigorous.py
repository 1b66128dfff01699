"""Bounds on R(D) that hold at every sample size with the confidence asked for, for all D at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd.curve import Curve
from jaxrd.solution import Solution
from jaxrd.tosc.confidence.held_out import HeldOut, rate_of_envelope


class Lines(NamedTuple):
    """Lower bounds R(D) >= intercept - slope D, nats."""

    slope: np.ndarray
    intercept: np.ndarray
    most: float = np.inf
    """The largest finite R(D), ln(classes): a line above it proves that D is out of reach."""

    def rate(self, distortion: float) -> float:
        """The greatest of them at D, not below zero and not above `most`."""
        return min(float(np.max(self.intercept - self.slope * distortion, initial=0.0)), self.most)


class Points(NamedTuple):
    """Upper bounds: R(distortion) <= rate, nats, at each point and hence, R being convex, on its lower envelope."""

    distortion: np.ndarray
    rate: np.ndarray
    most: float = np.inf
    """The largest finite R(D), ln(classes)."""

    def at(self, distortion: float) -> float:
        """The envelope at D, not above `most`; inf where no point reaches D."""
        rate = rate_of_envelope(self.distortion, self.rate, distortion)
        return min(rate, self.most) if np.isfinite(rate) else rate


def mcdiarmid(
    points: Solution | Curve, samples: float, risk: float, *, span: float = 1.0, most: float = np.inf
) -> Lines:
    """Lower bounds on the population's R(D) from plug-in solutions at G slopes chosen beforehand.

    L(s) >= L_N(s) - s span sqrt(ln(G/risk) / 2N): another sample moves L_N by s span / N at most (McDiarmid), and
    L_N(s) = min_q F_N(q) lies low on average. The dual bound F_N(q) - ln max c_y replaces L_N, converged or not.

    Args:
        points: G solutions, a leading axis, or a curve of G points; their slopes must not depend on the samples.
        samples: N, independent; 1 / sum w^2 of weights fixed beforehand, or by the labels under a known prior.
        risk: probability that any of the bounds fails.
        span: largest less smallest distortion possible, known beforehand (1 for 1 - v), not the sample's.
        most: ln of the number of reproductions, which no finite R(D) exceeds.

    Reference: C. McDiarmid, On the method of bounded differences, 1989.

    >>> from jaxrd import Problem, sweep
    >>> v = np.tile([[0.9, 0.1], [0.1, 0.9]], (500, 1))
    >>> lines = mcdiarmid(sweep(Problem(np.full(1000, 1e-3), 1 - v), [2.0, 4.0]), 1000, 0.025)
    >>> round(lines.rate(0.2), 3)  # R(0.2), were these samples the population: 0.316
    0.216
    """
    slope, rate, distortion, gap = (
        np.asarray(a, np.float64) for a in (points.slope, points.rate, points.distortion, points.gap)
    )
    dual = rate + slope * distortion - gap
    return Lines(slope, dual - slope * span * _radius(samples, len(slope), risk), most)


def hoeffding(held: HeldOut, risk: float, *, believed: bool = False, span: float = 1.0, most: float = np.inf) -> Points:
    """Upper bounds on the population's rates and distortions of fixed channels from held-out samples.

    I <= E KL(W||q) <= mean + s span sqrt(ln(2G/risk) / 2N), E d <= mean + span sqrt(ln(2G/risk) / 2N) for each of G
    channels: KL(W||q) lies in [0, s span] for W ~ q exp(-s d). On measured distortion a code achieves the bound
    whatever the calibration; on believed distortion it bounds the R(D) of `mcdiarmid`.

    Args:
        held: G channels, measured on N independent samples that chose none of them.
        risk: probability that any of the bounds fails.
        believed: take the model's distortion, not the labels'.
        span: largest less smallest distortion possible, known beforehand (1 for 1 - v).
        most: as for `mcdiarmid`.

    Reference: W. Hoeffding, Probability inequalities for sums of bounded random variables, 1963.
    """
    reach = span * _radius(held.samples, 2 * len(held.slope), risk)
    distortion = held.model_distortion if believed else held.distortion
    return Points(distortion + reach, held.rate + held.slope * reach, most)


def _radius(samples: float, events: int, risk: float) -> float:
    return float(np.sqrt(np.log(events / risk) / (2 * samples)))

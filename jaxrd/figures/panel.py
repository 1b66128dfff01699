"""The bounds of one classifier, from all its samples, ready to be drawn and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.curve import Curve
from jaxrd.figures.comparison import chords, crossings
from jaxrd.tosc import (
    Outputs,
    confusion_joint,
    landmarks,
    sample_and_communicate,
)
from jaxrd.tosc.calibration.temperature import fitted
from jaxrd.tosc.curves import estimated, indirect, model_aware, oracle, sampled
from jaxrd.tosc.curves.drawing import Bound
from jaxrd.tosc.posterior import Posterior

SCAN = np.geomspace(0.05, 300, 33)
"""Inverse temperatures, relative to the calibrated one, between which S&C is searched for crossings."""

Crossings = list[tuple[float, float]]
"""(D, rate in nats), D rising."""


@dataclass(frozen=True)
class Panel:
    """The bounds of one classifier; rates in nats, plug-in estimates.

    Args:
        outputs: its labels and decisions, and scores if there are any.
        joint: P(label, decision).
        d_tm: D_TM, the distortion of its decisions.
        d_0: D_0, that of guessing.
        bounds: by name: oRD, E&C and iE&C; S&C and TMRD where there are scores.
        log_v: the posterior at the fitted temperature, where there are scores.
        temperature: NaN for hard decisions.
    """

    outputs: Outputs
    joint: np.ndarray
    d_tm: float
    d_0: float
    bounds: dict[str, Bound]
    log_v: jax.Array | None = None
    temperature: float = np.nan

    def curve(self, name: str) -> Curve:
        """One of the drawn curves."""
        return self.bounds[name].curve

    def inside(self, name: str) -> np.ndarray:
        """Which points of a curve lie between D_TM and D_0, the ends left out."""
        d = self.curve(name).distortion
        return np.flatnonzero((d > self.d_tm + 1e-9) & (d < self.d_0 - 1e-9))

    def excess(self, name: str, other: str, *, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Rate of one curve above another, nats, and at which D: points of the first, inside.

        The other curve is solved for at these distortions; S&C is instead taken along the chords between its points.
        """
        rows = self.inside(name)[::every]
        d = self.curve(name).distortion[rows]
        if other == "S&C":
            rate = chords(self.curve(other))(d)
        else:
            rate = np.array([self.bounds[other].smallest(float(x)).rate for x in d])
        return self.curve(name).rate[rows] - rate, d

    def crossings(self, other: Callable[[float], float]) -> Crossings:
        """Where S&C crosses another curve, D -> rate in nats; nowhere for hard decisions."""
        if self.log_v is None:
            return []
        log_v, labels = self.log_v, jnp.asarray(self.outputs.labels)

        def sample(t: float) -> tuple[float, float]:
            point = sample_and_communicate(log_v, labels, t)
            return float(point.distortion), float(point.rate)

        # S&C may go below D_TM, where the other curve may not exist.
        return crossings(SCAN, sample, lambda d: float(other(d)) if d > self.d_tm else np.inf)


def panel(
    outputs: Outputs, *, slopes: int = 48, tick: Callable[[str, int, int], None] | None = None, name: str = ""
) -> Panel:
    """The bounds of one classifier.

    The temperature of TMRD, one number, is fitted on the same samples. S&C's curve does not depend on it.

    Args:
        outputs: the classifier's.
        slopes: points a curve.
        tick: called as tick(what, done, total).
        name: of the classifier, for `tick`.
    """

    def ticks(what: str) -> Callable[[int, int], None] | None:
        return None if tick is None else partial(tick, f"{name} {what}".strip())

    joint = np.asarray(confusion_joint(outputs.labels, outputs.decisions, outputs.classes))
    d_tm, d_0, _ = (float(x) for x in landmarks(joint))
    bounds = {
        "oRD": oracle.draw(joint.sum(1), slopes),
        "E&C": estimated.draw(joint, slopes),
        "iE&C": indirect.draw(joint, slopes, tick=ticks("iE&C")),
    }
    if outputs.logits is None:
        return Panel(outputs, joint, d_tm, d_0, bounds)
    posterior = Posterior(outputs.logits, outputs.labels, fitted(outputs.logits, outputs.labels))
    bounds["S&C"] = sampled.draw(joint, posterior, 2 * slopes)
    bounds["TMRD"] = model_aware.draw(posterior, joint.sum(1), slopes, tick=ticks("TMRD"))
    return Panel(outputs, joint, d_tm, d_0, bounds, jnp.asarray(posterior.log_v), posterior.temperature)

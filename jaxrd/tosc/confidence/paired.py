"""How far the rates of several models, and their differences, may be from those of the population."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

import numpy as np

from jaxrd.errors import InputError
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.confidence import bands, intervals
from jaxrd.tosc.confidence.intervals import Interval
from jaxrd.tosc.confidence.statistics import REPLICATES
from jaxrd.tosc.curves import INDIRECT, MODEL_AWARE

PAIRED = (MODEL_AWARE.name, INDIRECT.name)
"""The curves whose differences have intervals: those for which it was measured how often they hold, see
benchmarks/README.md."""

Progress = Callable[[str, int, int], None] | None


class Paired(NamedTuple):
    """Bootstrap intervals at the distortions asked for: one dict a distortion, by curve and then by model."""

    rates: list[dict[str, dict[str, Interval]]]
    """Of the rate of each model; absent where its curve has none."""
    differences: list[dict[str, dict[str, Interval]]]
    """Of the rate of each other model less that of the first one; absent where it has none."""
    withdrawn: dict[str, dict[str, str]]
    """By model: why a curve has no interval, by its name."""


def paired(
    models: Mapping[str, Limits], together: Container[str], risk: float, seed: int, progress: Progress = None
) -> Paired:
    """Intervals of rates, and of differences to the first model where both are resampled together.

    Weights depend on the number of samples and on the seed alone. So models of the same samples get the same weights,
    and what the samples do to both of them cancels in R*_B - R*_A.

    Args:
        models: by name, with rates at the same distortions.
        together: names of the models whose samples are those of the first one.
        risk: 1 - confidence, of each interval at its own point.
        seed: of the resamplings.
        progress: called as progress(what, done, total).

    Raises:
        InputError: a model has fewer than 4 samples.

    Reference: B. Efron and R. Tibshirani, An introduction to the bootstrap, 1993, section 8.3 (pairs resampled whole).
    """
    targets = range(len(next(iter(models.values())).at))
    rates: list[dict[str, dict[str, Interval]]] = [{} for _ in targets]
    differences: list[dict[str, dict[str, Interval]]] = [{} for _ in targets]
    withdrawn: dict[str, dict[str, str]] = {}
    ours: list[dict] = []
    for done, (name, found) in enumerate(models.items()):
        outputs = found.workings.outputs
        if len(outputs.labels) < 4:
            raise InputError(
                f"{name}: {len(outputs.labels)} samples are too few for an interval; at least 4 are needed."
            )
        curves, reasons = bands.responding(found), bands.withdrawn(found)
        withdrawn[name] = {curve.name: reasons[curve.name] for curve in curves if curve.name in reasons}
        curves = [curve for curve in curves if curve.name not in reasons]
        weighed = bands.resampling(found, REPLICATES, seed)
        resampled = [bands.resampled_at(curves, weighed, places) for places in found.workings.places]
        ours = ours or resampled
        for i, at in enumerate(resampled):
            for curve in (curve.name for curve in curves if curve.name in at):
                rate, replicates = float(at[curve].rate), np.asarray(at[curve].replicates, np.float64)
                inside = intervals.bootstrap(rate, replicates, risk, most=float(np.log(found.summary["actions"])))
                rates[i].setdefault(curve, {})[name] = inside
                if name in together and curve in PAIRED and curve in ours[i]:
                    first = ours[i][curve]
                    rate, replicates = rate - float(first.rate), replicates - np.asarray(first.replicates, np.float64)
                    inside = intervals.bootstrap(rate, replicates, risk, least=-np.inf)
                    differences[i].setdefault(curve, {})[name] = inside
        if progress is not None:
            progress("intervals", done + 1, len(models))
    return Paired(rates, differences, withdrawn)

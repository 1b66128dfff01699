"""What `jaxrd limits --confidence` writes beside the plug-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns, reach

if TYPE_CHECKING:  # they take a third of a second to import
    from jaxrd.tosc import Limits, Statistics
    from jaxrd.tosc.confidence.bands import Uncertain
    from jaxrd.tosc.confidence.intervals import Interval

EXACT = "exact"
"""Begins the reason why a curve needs no interval."""
GRID = 64  # distortions at which the rigorous bounds are written
_METHODS = {
    "of": "the population at the temperature used. TMRD: rate of the optimal channels at the distortion that labels "
    "measure; TMRD_model: R(D) of the posteriors at the distortion the model believes",
    "bootstrap": "basic interval of multinomial resamplings, corrects the plug-in's bias; pointwise. They keep weights "
    "of samples and the class masses of a known prior, under which oRD is exact. oRD under 0/1 loss: rates of the "
    "priors, on the line from uniform through that of the samples, under which the plug-in is no surprise in "
    "simulations; conservative near the flat maximum, where it can miss on one side alone",
    "clt": "plug-in less its bias, +- z sd(influence) / sqrt(samples); pointwise; TMRD_model's width is also L(s)'s",
    "mcdiarmid": "lower bound at every sample size, for all D at once. oRD: for any scheme; TMRD_model: for any scheme "
    "that sees the posterior alone, if that is calibrated",
    "hoeffding": "upper bound from channels fitted on one half of the samples and measured on the other, at every "
    "sample size, for all D at once; over measured distortion whatever the calibration",
    "cross_fitted": "channels fitted on one half and measured on the other, both ways: lies high on average, as the "
    "plug-in lies low",
    "sandwich": "R_model(D + kappa) <= R(D) of the true posterior <= R_model(D - kappa), if kappa is right",
}  # fmt: skip


def _ends(name: str, interval: Interval) -> dict[str, float]:
    lower, upper = (x / NATS_PER_BIT for x in interval)
    return {f"{name}_lower_bits": lower, f"{name}_upper_bits": upper}


def _entry(uncertain: Uncertain | None) -> dict[str, float] | None:
    if uncertain is None:
        return None
    entry = {"rate_bits": uncertain.rate / NATS_PER_BIT, "bias_bits": uncertain.bias / NATS_PER_BIT}
    entry |= _ends("bootstrap", uncertain.bootstrap)
    return entry | (_ends("clt", uncertain.clt) if np.isfinite(uncertain.clt.lower) else {})


def word(statistics: Statistics, name: str, rate: float | None, uncertain: Uncertain | None) -> str:
    """The reason why there is no interval, in a few words; "interval" where there is one."""
    if uncertain is not None:
        return "interval" if np.isfinite(uncertain.bootstrap.lower) else "none found"
    if reach(rate) != "reached":
        return reach(rate)
    if name in statistics.withdrawn:
        return EXACT if statistics.withdrawn[name].startswith(EXACT) else "withdrawn"
    return "nothing is sent" if rate == 0 else "none at this point"


def withheld(statistics: Statistics) -> list[str]:
    """A sentence for each reason why curves have no interval, and what else to know of the others."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in statistics.withdrawn.items():
        by_reason.setdefault(reason, []).append(name)
    words = [
        f"{', '.join(names)}: {reason}" if reason.startswith(EXACT) else f"no interval of {', '.join(names)}: {reason}"
        for reason, names in by_reason.items()
    ]
    return words + statistics.notes


def band_columns(statistics: Statistics, name: str) -> dict[str, np.ndarray]:
    """The intervals of a curve as parallel arrays, bits; NaN where a point has none."""
    entries = [_entry(point) or {} for point in statistics.bands.get(name, [])]
    names = [key for key in dict.fromkeys(key for entry in entries for key in entry) if key != "rate_bits"]
    more = {key: np.array([entry.get(key, np.nan) for entry in entries]) for key in names}
    if name == "S&C" and statistics.sampled_bias is not None:
        more["plugin_bias_bits"] = statistics.sampled_bias / NATS_PER_BIT
    return more


def _proved(statistics: Statistics) -> dict[str, Callable[[float], float]]:
    """The rigorous bounds by the names they are written under, each a function of the distortion, nats."""
    bounds: dict[str, Callable[[float], float]] = {}
    if statistics.oracle_lower is not None:
        bounds["oRD_mcdiarmid_lower_bits"] = statistics.oracle_lower.rate
    if statistics.lower is not None and statistics.upper is not None and statistics.upper_model is not None:
        bounds |= {
            "TMRD_model_mcdiarmid_lower_bits": statistics.lower.rate,
            "TMRD_model_hoeffding_upper_bits": statistics.upper_model.at,
            "TMRD_hoeffding_upper_bits": statistics.upper.at,
        }
    return bounds


def objects(statistics: Statistics, limits: Limits, *, seed: int, given: bool) -> dict[str, Any]:
    """`confidence` and `cross_fitted` of limits.json.

    Args:
        statistics: the intervals and bounds.
        limits: the curves they belong to.
        seed: of the resamplings.
        given: whether kappa came from the user.
    """
    rows = []
    for i, row in enumerate(limits.at):
        d = float(row["distortion"] or 0)
        at = {name: statistics.at[i].get(name) for name in row if name != "distortion"}
        entry: dict[str, Any] = {"distortion": d} | {name: _entry(u) for name, u in at.items()}
        entry["status"] = {name: word(statistics, name, row[name], u) for name, u in at.items()}
        entry["above_TMRD"] = {
            name: {"excess_bits": excess.rate / NATS_PER_BIT} | _ends("bootstrap", excess.bootstrap)
            for name, excess in statistics.excess[i].items()
        }
        bits = {name: bound(d) / NATS_PER_BIT for name, bound in _proved(statistics).items()}
        entry["rigorous"] = bits | {"status": {name: reach(rate) for name, rate in bits.items()}}
        if statistics.sandwich:
            entry["sandwich"] = {f"{key}_bits": x / NATS_PER_BIT for key, x in statistics.sandwich[i]._asdict().items()}
        rows.append(entry)
    grid = np.linspace(0, max(limits.summary["zero_rate_distortion"], 1e-3), GRID)
    proved = {name: np.array([bound(float(d)) for d in grid]) for name, bound in _proved(statistics).items()}
    source = "given" if given else "estimated from the reliability of all stated probabilities; no bound"
    confidence = {
        "level": statistics.confidence, "replicates": statistics.replicates, "seed": seed, "methods": _METHODS,
        "at": rows,
        "rigorous": {"distortion": grid} | {name: rate / NATS_PER_BIT for name, rate in proved.items()},
        "withdrawn": statistics.withdrawn,
        "kappa": None if statistics.kappa is None else {"value": statistics.kappa, "source": source},
    }  # fmt: skip
    rates = [
        {"distortion": row["distortion"]}
        | {name: rate / NATS_PER_BIT for name, rate in statistics.cross_fitted_at[i].items()}
        | {"status": {name: reach(rate) for name, rate in statistics.cross_fitted_at[i].items()}}
        for i, row in enumerate(limits.at)
    ]
    crossed = {name: columns(curve) for name, curve in statistics.cross_fitted.items()}
    return {"confidence": confidence, "cross_fitted": {"curves": crossed, "at": rates}}


def optimism(statistics: Statistics, limits: Limits) -> str | None:
    """A sentence that compares plug-in and cross-fitted iE&C, where the confusion has too many cells; bits."""
    classes, samples = limits.summary["classes"], limits.summary["samples"]
    if classes**2 <= samples / 10:
        return None
    beside = [
        f"{crossed['iE&C'] / NATS_PER_BIT:.3f} for {row['iE&C'] / NATS_PER_BIT:.3f} bits at D = {row['distortion']:.4g}"
        for row, crossed in zip(limits.at, statistics.cross_fitted_at, strict=True)
        if row["iE&C"] is not None and np.isfinite(row["iE&C"]) and np.isfinite(crossed["iE&C"])
    ]
    return f"cross-fitted, iE&C takes {'; '.join(beside)}" if beside else None

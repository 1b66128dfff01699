"""What `jaxrd limits --confidence` writes beside the plug-in."""

from typing import Any

import numpy as np

from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns
from jaxrd.tosc import InputError, Limits, Statistics

GRID = 64  # distortions at which the rigorous bounds are written
METHODS = {
    "bootstrap": "basic interval of 400 multinomial resamplings, corrects the bias of the plug-in; pointwise",
    "clt": "plug-in less its bias, +- z sd(influence) / sqrt(samples); pointwise",
    "mcdiarmid": "lower bound on R(D) over the distortion the model believes, at every sample size, for all D at once; "
    "a bound for any scheme that sees the posterior alone if that is calibrated",
    "hoeffding": "upper bound from channels fitted on one half of the samples and measured on the other, at every "
    "sample size, for all D at once; over measured distortion whatever the calibration",
    "cross_fitted": "channels fitted on one half and measured on the other, both ways: lies high on average, as the "
    "plug-in lies low",
    "sandwich": "R_model(D + kappa) <= R(D) of the true posterior <= R_model(D - kappa), if kappa is right",
}  # fmt: skip


def check_options(confidence: float | None, kappa: float | None) -> None:
    """Refuse options that cannot be, before any work.

    Raises:
        InputError: quotes the value.
    """
    if confidence is not None and not 0 < confidence < 1:
        percent = f" Write {confidence / 100:g} for {confidence:g} %." if 1 < confidence < 100 else ""
        raise InputError(f"--confidence must lie in (0, 1); got {confidence:g}.{percent}")
    if kappa is not None and confidence is None:
        raise InputError("--kappa needs --confidence.")
    if kappa is not None and not 0 <= kappa <= 1:
        raise InputError(f"--kappa must lie in [0, 1]; got {kappa:g}.")


def _ends(name: str, interval: Any) -> dict[str, float]:
    lower, upper = (x / NATS_PER_BIT for x in interval)
    return {f"{name}_lower_bits": lower, f"{name}_upper_bits": upper}


def _entry(uncertain: Any) -> dict[str, float] | None:
    if uncertain is None:
        return None
    entry = {"rate_bits": uncertain.rate / NATS_PER_BIT, "bias_bits": uncertain.bias / NATS_PER_BIT}
    entry |= _ends("bootstrap", uncertain.bootstrap)
    return entry | (_ends("clt", uncertain.clt) if np.isfinite(uncertain.clt.lower) else {})


def band_columns(found: Statistics, name: str) -> dict[str, np.ndarray]:
    """The intervals of a curve as parallel arrays, bits; NaN where a point has none."""
    entries = [_entry(point) or {} for point in found.bands.get(name, [])]
    names = [key for key in dict.fromkeys(key for entry in entries for key in entry) if key != "rate_bits"]
    more = {key: np.array([entry.get(key, np.nan) for entry in entries]) for key in names}
    if name == "S&C" and found.sampled_bias is not None:
        more["plugin_bias_bits"] = found.sampled_bias / NATS_PER_BIT
    return more


def _rigorous(found: Statistics, d_0: float) -> dict[str, Any] | None:
    if found.lower is None or found.upper is None or found.upper_model is None:
        return None
    grid = np.linspace(0, max(d_0, 1e-3), GRID)
    bounds = {
        "mcdiarmid_lower_bits": found.lower.rate, "hoeffding_upper_model_bits": found.upper_model.at,
        "hoeffding_upper_bits": found.upper.at,
    }  # fmt: skip
    return {"distortion": grid} | {k: np.array([f(float(d)) for d in grid]) / NATS_PER_BIT for k, f in bounds.items()}


def objects(found: Statistics, limits: Limits, *, seed: int, given: bool) -> dict[str, Any]:
    """`confidence` and `cross_fitted` of limits.json.

    Args:
        found: the statistics.
        limits: what they are about.
        seed: of the resamplings.
        given: whether kappa came from the user.
    """
    rows = []
    for i, row in enumerate(limits.at):
        d = float(row["distortion"] or 0)
        entry: dict[str, Any] = {"distortion": d} | {name: _entry(u) for name, u in found.at[i].items()}
        entry["above_TMRD"] = {
            name: {"excess_bits": excess.rate / NATS_PER_BIT} | _ends("bootstrap", excess.bootstrap)
            for name, excess in found.excess[i].items()
        }
        if found.lower is not None and found.upper is not None and found.upper_model is not None and found.sandwich:
            entry["rigorous"] = {
                "mcdiarmid_lower_bits": found.lower.rate(d) / NATS_PER_BIT,
                "hoeffding_upper_model_bits": found.upper_model.at(d) / NATS_PER_BIT,
                "hoeffding_upper_bits": found.upper.at(d) / NATS_PER_BIT,
            }
            entry["sandwich"] = {f"{key}_bits": x / NATS_PER_BIT for key, x in found.sandwich[i]._asdict().items()}
        rows.append(entry)
    source = "given" if given else "estimated from the reliability of all stated probabilities; no bound"
    confidence = {
        "level": found.confidence, "replicates": found.replicates, "seed": seed, "methods": METHODS, "at": rows,
        "rigorous": _rigorous(found, limits.summary["zero_rate_distortion"]),
        "kappa": None if found.kappa is None else {"value": found.kappa, "source": source},
    }  # fmt: skip
    rates = [
        {"distortion": row["distortion"]}
        | {name: rate / NATS_PER_BIT for name, rate in found.cross_fitted_at[i].items()}
        for i, row in enumerate(limits.at)
    ]
    crossed = {name: columns(curve) for name, curve in found.cross_fitted.items()}
    return {"confidence": confidence, "cross_fitted": {"curves": crossed, "at": rates}}


def optimism(found: Statistics, limits: Limits) -> str | None:
    """Words on the plug-in iE&C against the cross-fitted one, where the confusion has too many cells; bits."""
    classes, samples = limits.summary["classes"], limits.summary["samples"]
    if classes**2 <= samples / 10:
        return None
    beside = [
        f"{crossed['iE&C'] / NATS_PER_BIT:.3f} for {row['iE&C'] / NATS_PER_BIT:.3f} bits at D = {row['distortion']:.4g}"
        for row, crossed in zip(limits.at, found.cross_fitted_at, strict=True)
        if row["iE&C"] is not None and np.isfinite(row["iE&C"]) and np.isfinite(crossed["iE&C"])
    ]
    return f"cross-fitted, iE&C takes {'; '.join(beside)}" if beside else None

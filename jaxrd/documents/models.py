"""What `jaxrd limits` writes for several files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxrd.documents.limits import Analysed
from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import reach
from jaxrd.tosc import CURVES, Comparison

if TYPE_CHECKING:
    from jaxrd.tosc.confidence.intervals import Interval
    from jaxrd.tosc.leads import Lead

_METHODS = {
    "difference": "rate of a model less that of the first one at the same distortion, both plug-in estimates",
    "bootstrap": "basic interval of multinomial resamplings, corrects the plug-in's bias; pointwise. Of a difference: "
    "both models on the same resampled samples, for TMRD and iE&C, where the labels agree",
    "fewest": "changes are solved for on the curves themselves, plug-in estimates without an interval; two changes "
    "back and forth between neighbouring points of a curve are missed",
}


@dataclass(frozen=True)
class Compared:
    """The limits of several classifiers beside each other.

    Args:
        models: each with its limits, the first one that with which the others are compared.
        comparison: of these limits, nats.
        sha256: of the data of each model.
        seed: of the split and of the resamplings.
    """

    models: Sequence[Analysed]
    comparison: Comparison
    sha256: Sequence[str]
    seed: int

    @property
    def names(self) -> list[str]:
        """Of the models."""
        return [model.name for model in self.models]

    @property
    def is_error(self) -> bool:
        """Whether 1 - D is an accuracy."""
        return self.models[0].limits.is_error

    @property
    def distortions(self) -> list[float]:
        """Those asked for."""
        return [float(row["distortion"]) for row in self.models[0].rows]

    @property
    def curves(self) -> list[str]:
        """Those that a model has."""
        return [curve for curve in CURVES if any(curve in model.limits.curves for model in self.models)]

    def fewest(self, i: int, curve: str) -> list[int]:
        """The models that need the fewest bits at distortion i, to rounding; none where all need the same."""
        has = {k: bits for k in range(len(self.models)) if (bits := self.bits(i, curve, k)) is not None}
        least = [k for k, bits in has.items() if np.isfinite(bits) and bits <= min(has.values()) + 1e-6]
        return least if len(least) < len(has) else []

    def bits(self, i: int, curve: str, model: int) -> float | None:
        """The rate of a model at distortion i, bits."""
        return self.models[model].rows[i][curve]

    def difference(self, i: int, curve: str, name: str) -> tuple[float | None, tuple[float, float] | None, str]:
        """The rate of a model less that of the first one at distortion i, its interval, bits, and a word on that."""
        less = self.comparison.differences[i].get(curve, {}).get(name)
        if less is None or np.isnan(less):
            return None, None, "not both reach it" if less is not None else "not computed"
        intervals = self.comparison.intervals
        if intervals is None:
            return less / NATS_PER_BIT, None, "not asked for"
        inside = intervals.differences[i].get(curve, {}).get(name)
        if inside is not None and np.isfinite(inside.lower):
            return less / NATS_PER_BIT, _in_bits(inside), "interval"
        return less / NATS_PER_BIT, None, self._why_none(i, curve, name)

    def _why_none(self, i: int, curve: str, name: str) -> str:
        from jaxrd.tosc.confidence.paired import PAIRED

        intervals = self.comparison.intervals
        assert intervals is not None
        if curve not in PAIRED:
            return "not offered"
        if name in self.comparison.apart:
            return "other samples"
        if any(curve in intervals.withdrawn[model] for model in (self.names[0], name)):
            return "withdrawn"
        return "none at this point"

    @property
    def shared_oracle(self) -> bool:
        """Whether oRD is that of all models: it depends on the labels alone."""
        return not self.comparison.apart

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The columns of limits.csv by curve, those of one model after those of another."""
        tables = {}
        for curve in CURVES:
            parts = {model.name: model.curves[curve] for model in self.models if curve in model.curves}
            names = dict.fromkeys(key for part in parts.values() for key in part)
            lengths = {name: len(part["distortion"]) for name, part in parts.items()}
            if parts:
                tables[curve] = {"model": [name for name, n in lengths.items() for _ in range(n)]} | {
                    key: [x for name, part in parts.items() for x in part.get(key, [None] * lengths[name])]
                    for key in names
                }
        return tables

    @property
    def warnings(self) -> list[str]:
        """What a reader should know: first of the comparison, then of each model."""
        first, intervals = self.names[0], self.comparison.intervals
        words = [
            f"{name} is not paired with {first}: {why}; a difference may come from the samples, and has no interval"
            for name, why in self.comparison.apart.items()
        ]
        by_reason: dict[str, list[str]] = {}
        for name, reasons in (intervals.withdrawn if intervals is not None else {}).items():
            for curve in reasons:
                by_reason.setdefault(f"{name}: {reasons[curve]}", []).append(curve)
        words += [f"no interval of {', '.join(curves)} of {reason}" for reason, curves in by_reason.items()]
        return words + [f"{model.name}: {warning}" for model in self.models for warning in model.warnings]

    @property
    def failed(self) -> list[str]:
        """Where a solver failed: models and curves, and rates at a distortion asked for."""
        return [f"{model.name} {where}" for model in self.models for where in model.failed]

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What limits.json holds; `meta` says where, when and with what versions it was computed."""
        models = []
        for model, sha256 in zip(self.models, self.sha256, strict=True):
            own = {key: value for key, value in model.document({}).items() if key not in ("schema", "name", "meta")}
            models.append({"name": model.name, "sha256": sha256} | own)
        return {
            "schema": "jaxrd.comparison/1",
            "meta": {**meta, "pixels": self.models[0].pixels, "estimator": "plug-in"},
            "models": models, "comparison": self._comparison(), "warnings": self.warnings,
        }  # fmt: skip

    def _comparison(self) -> dict[str, Any]:
        comparison = self.comparison
        asked = comparison.intervals is not None
        return {
            "first": self.names[0],
            "paired": {name: name not in comparison.apart for name in self.names[1:]},
            "apart": comparison.apart,
            "methods": _METHODS,
            "confidence": {"level": comparison.confidence, "seed": self.seed} if asked else None,
            "at": [self._at(i) for i in range(len(self.distortions))],
            "fewest": {
                curve: [_lead(lead, self.is_error) for lead in leads] for curve, leads in comparison.leads.items()
            },
        }

    def _at(self, i: int) -> dict[str, Any]:
        """The rates of all models at distortion i by curve, each with its difference to the first one."""
        row: dict[str, Any] = {"distortion": self.distortions[i]}
        intervals = self.comparison.intervals
        for curve in CURVES:
            row[curve] = {}
            for k, name in enumerate(self.names):
                bits = self.bits(i, curve, k)
                entry: dict[str, Any] = {"rate_bits": bits, "status": reach(bits)}
                if intervals is not None:
                    entry |= _ends("bootstrap", intervals.rates[i].get(curve, {}).get(name))
                if k > 0:
                    less, inside, word = self.difference(i, curve, name)
                    entry["difference_bits"] = less
                    if inside is not None:
                        entry |= dict(zip(("difference_lower_bits", "difference_upper_bits"), inside, strict=True))
                    entry["difference_status"] = word
                row[curve][name] = entry
        return row


def _in_bits(interval: Interval) -> tuple[float, float]:
    return interval.lower / NATS_PER_BIT, interval.upper / NATS_PER_BIT


def _ends(name: str, interval: Interval | None) -> dict[str, float]:
    if interval is None or not np.isfinite(interval.lower):
        return {}
    return dict(zip((f"{name}_lower_bits", f"{name}_upper_bits"), _in_bits(interval), strict=True))


def _lead(lead: Lead, is_error: bool) -> dict[str, Any]:
    ends = lead.least, lead.most
    return {
        "model": lead.model, "equal": list(lead.equal), "distortion": list(ends),
        "accuracy": [1 - d for d in ends] if is_error else None,
    }  # fmt: skip

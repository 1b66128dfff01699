"""What `jaxrd limits --loss squared` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns, reach
from jaxrd.solution import has_failed
from jaxrd.tosc import RegressionLimits

NAMES = ("oRD", "TMRD", "TMRD_model", "Gaussian")
"""The rates of a row, in the order of the table."""


@dataclass(frozen=True)
class Regressed:
    """The limits of a regression.

    Args:
        name: of the file.
        limits: the limits, nats.
        notes: what was assumed about the file.
    """

    name: str
    limits: RegressionLimits
    notes: Sequence[str]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per error asked for: rates and gaps in bits, and in `status` a word on each rate."""
        rows: list[dict[str, Any]] = []
        for row in self.limits.at:
            bits = {f"{key}_bits": value / NATS_PER_BIT for key, value in row.items() if key != "distortion"}
            words = {key: reach(row[key]) for key in NAMES}
            rows.append({"distortion": row["distortion"]} | bits | {"status": words})
        return rows

    @cached_property
    def curves(self) -> dict[str, dict[str, Any]]:
        """The columns of every curve, bits."""
        return {name: columns(curve, accuracy=False) for name, curve in self.limits.curves.items()}

    @property
    def failed(self) -> list[str]:
        """Where the certified gap is larger than asked."""
        curves = [name for name, curve in self.limits.curves.items() if has_failed(curve.status).any()]
        return curves + [f"{name} at D = {d:.4g}" for name, d in self.limits.unconverged]

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What limits.json holds; `meta` says where, when and with what versions it was computed."""
        summary: dict[str, Any] = {"loss": "squared"} | self.limits.summary
        summary["entropy_bits"] = summary.pop("entropy_nats") / NATS_PER_BIT
        return {
            "schema": "jaxrd.regression/1", "name": self.name, "meta": {**meta, "estimator": "plug-in"},
            "summary": summary, "curves": self.curves, "at": self.rows, "notes": list(self.notes),
            "warnings": self.limits.warnings,
        }  # fmt: skip

"""What `jaxrd limits --known` writes: the curves where both ends know the receiver's own decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns, reach
from jaxrd.solution import has_failed
from jaxrd.tosc.known import KNOWN, Known

SUFFIX = " receiver known"
"""Ends the name of a conditional curve in limits.csv."""


@dataclass(frozen=True)
class Receiver:
    """The receiver's own classifier, and what knowing its decisions saves.

    Args:
        name: of its file.
        sha256: of that.
        distortion: of its decisions, on the samples of the curves.
        known: the conditional curves, nats.
        pixels: of a sample, if given.
        is_error: whether 1 - D is an accuracy.
    """

    name: str
    sha256: str
    distortion: float
    known: Known
    pixels: int | None
    is_error: bool

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per distortion asked for: rates in bits, in `saving_bits` what is saved, in `status` a word."""
        rows = []
        for at, saving in zip(self.known.at, self.known.saving, strict=True):
            bits = {name: None if (v := at[name]) is None else v / NATS_PER_BIT for name in KNOWN}
            saved = {name: None if (v := saving[name]) is None else v / NATS_PER_BIT for name in KNOWN}
            status = {name: reach(v) for name, v in bits.items()}
            finite = {name: v if v is not None and np.isfinite(v) else None for name, v in bits.items()}
            rows.append({"distortion": at["distortion"], **finite, "saving_bits": saved, "status": status})
        return rows

    @cached_property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The columns of the conditional curves, bits, by name."""
        tables = {}
        for name, curve in self.known.curves.items():
            table = columns(curve, pixels=self.pixels)
            if not self.is_error:
                table["accuracy"] = np.full(len(curve.rate), np.nan)
            tables[name] = table
        return tables

    @property
    def failed(self) -> list[str]:
        """Where a solver failed."""
        curves = [name + SUFFIX for name, curve in self.known.curves.items() if has_failed(curve.status).any()]
        return curves + [f"{name}{SUFFIX} at D = {d:.4g}" for name, d in self.known.unconverged]

    def object(self) -> Mapping[str, object]:
        """`known` of limits.json."""
        known = self.known
        return {
            "name": self.name, "sha256": self.sha256, "task_model_distortion": self.distortion,
            "accuracy": 1 - self.distortion if self.is_error else None, "values": known.values,
            "decisions_entropy_bits": known.entropy / NATS_PER_BIT,
            "zero_rate_distortion": known.zero_rate_distortion, "absent": known.absent,
            "curves": self.tables, "at": self.rows,
        }  # fmt: skip

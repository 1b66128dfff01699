"""What `jaxrd sweep` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jaxrd.curve import Curve
from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns
from jaxrd.solution import Solution, Status, has_failed


@dataclass(frozen=True)
class Swept:
    """A rate-distortion curve, and its rates at the distortions asked for.

    Args:
        name: of the source and the distortion.
        letters: of the source and of the reproduction.
        critical_slope: the least slope at which anything is sent, nats per unit of distortion.
        curve: the points, nats.
        at: distortions asked for, each with its solution.
        notes: on the input, for the reader.
    """

    name: str
    letters: tuple[int, int]
    critical_slope: float
    curve: Curve
    at: Sequence[tuple[float, Solution]]
    notes: Sequence[str]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per distortion asked for, bits."""
        return [
            {"distortion": d, "rate_bits": float(p.rate) / NATS_PER_BIT, "gap_bits": float(p.gap) / NATS_PER_BIT,
             "status": Status(int(p.status)).name}
            for d, p in self.at
        ]  # fmt: skip

    @property
    def failed(self) -> bool:
        """Whether a solver failed at any point."""
        return bool(has_failed(np.array([*self.curve.status, *(int(p.status) for _, p in self.at)])).any())

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The columns of sweep.csv by curve."""
        return {"R(D)": columns(self.curve, accuracy=False)}

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What sweep.json holds; `meta` says where, when and with what versions it was computed."""
        n, m = self.letters
        return {
            "schema": "jaxrd.sweep/1", "name": self.name, "meta": meta,
            "summary": {"source_letters": n, "reproduction_letters": m, "critical_slope": self.critical_slope},
            "curves": self.tables, "at": self.rows, "notes": list(self.notes),
        }  # fmt: skip

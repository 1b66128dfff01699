"""What `jaxrd sweep` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from jaxrd.curve import Curve
from jaxrd.documents.blocks import Blocked
from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns
from jaxrd.solution import Solution, Status, has_failed

DOCUMENT = "sweep.json"
SCHEMA = "jaxrd.sweep/1"


class Shard(NamedTuple):
    """A part of a sweep that an independent job computes: every `of`-th slope, from the `number`-th on.

    Args:
        number: 1 to `of`.
        of: how many jobs there are.
        slopes: of the whole sweep, evenly on a log scale.
        low: the least of them, nats per unit of distortion.
        high: the largest.
        at: distortions asked for, which the first shard computes.
    """

    number: int
    of: int
    slopes: int
    low: float
    high: float
    at: Sequence[float]

    def __str__(self) -> str:
        """As it was asked for."""
        return f"{self.number}/{self.of}"


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
        shard: which part of a sweep this is; None: it is whole.
        blocks: what blocks of n letters need, if that was asked for.
    """

    name: str
    letters: tuple[int, int]
    critical_slope: float
    curve: Curve
    at: Sequence[tuple[float, Solution]]
    notes: Sequence[str]
    shard: Shard | None = None
    blocks: Blocked | None = None

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
        part = {} if self.shard is None else {"shard": self.shard._asdict()}
        part |= {} if self.blocks is None else {"blocks": self.blocks.object()}
        return {
            "schema": SCHEMA, "name": self.name, "meta": meta,
            "summary": {"source_letters": n, "reproduction_letters": m, "critical_slope": self.critical_slope},
            "curves": self.tables, "at": self.rows, "notes": list(self.notes), **part,
        }  # fmt: skip

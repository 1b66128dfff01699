"""What `jaxrd tasks` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxrd.information import NATS_PER_BIT
from jaxrd.solution import Status, has_failed

if TYPE_CHECKING:
    from jaxrd.tosc import JointLimits


class Named(NamedTuple):
    """A task as it was named.

    Args:
        file: of its outputs.
        loss: its name.
        labels: of the loss.
        actions: of the loss.
        sha256: of the file.
    """

    file: str
    loss: str
    labels: int
    actions: int
    sha256: str


@dataclass(frozen=True)
class Joint:
    """The rates of several tasks on one stream.

    Args:
        tasks: in order.
        limits: at the limits asked for, nats.
        surface: over a grid of limits, for a figure of two tasks; None: no figure.
        samples: in the files.
        notes: what was assumed about the outputs.
    """

    tasks: Sequence[Named]
    limits: JointLimits
    surface: JointLimits | None
    samples: int
    notes: Sequence[str]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per tuple of limits asked for, bits."""
        return _rows(self.limits)

    @cached_property
    def grid(self) -> list[dict[str, Any]]:
        """The same for every point of the surface."""
        return [] if self.surface is None else _rows(self.surface)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The rows at which the solver failed."""
        return [row for row in [*self.rows, *self.grid] if Status[row["status"]].failed]

    @property
    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """The columns of tasks.csv, by what was asked for; a list is a column for each task."""
        return {part: _columns(rows) for part, rows in (("at", self.rows), ("surface", self.grid)) if rows}

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What tasks.json holds; `meta` says where, when and with what versions it was computed."""
        found = self.limits
        tasks = [
            named._asdict()
            | {"temperature": float(t), "least_distortion": float(low), "silent_distortion": float(high)}
            for named, t, low, high in zip(self.tasks, found.temperature, found.least, found.silent, strict=True)
        ]
        return {
            "schema": "jaxrd.tasks/1", "meta": {**meta, "estimator": "plug-in"}, "samples": found.samples,
            "samples_total": self.samples, "tasks": tasks, "rows": self.rows, "surface": self.grid,
            "notes": list(self.notes), "warnings": list(found.warnings),
        }  # fmt: skip


def _rows(found: JointLimits) -> list[dict[str, Any]]:
    failed = has_failed(found.status)
    return [
        {
            "distortion": found.distortion[i].tolist(),
            "joint_bits": float(found.rate[i]) / NATS_PER_BIT,
            "alone_bits": (found.alone[i] / NATS_PER_BIT).tolist(),
            "sum_bits": float(found.sum[i]) / NATS_PER_BIT,
            "saving_bits": float(found.saving[i]) / NATS_PER_BIT,
            "gap_bits": float(found.gap[i]) / NATS_PER_BIT,
            "status": Status(int(found.status[i])).name,
            "slope": found.slope[i].tolist(),
            "label_distortion": found.measured[i].tolist(),
        }
        for i in range(len(failed))
    ]


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for key, value in rows[0].items():
        if isinstance(value, list):
            for t in range(len(value)):
                columns[f"{key}_{t + 1}"] = [row[key][t] for row in rows]
        else:
            columns[key] = [row[key] for row in rows]
    return columns


def shares(points: int) -> np.ndarray:
    """Shares of the way from the least distortions to those of rate zero, closer where rates rise, (points^2, 2)."""
    along = np.linspace(0, 1, points) ** 1.5
    return np.stack(np.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)

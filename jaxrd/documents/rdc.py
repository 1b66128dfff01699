"""What `jaxrd rdc` writes: rates and classification losses in bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxrd.information import NATS_PER_BIT
from jaxrd.solution import Status

if TYPE_CHECKING:
    from jaxrd.rdc import Least, Point, Region, Surface, Universal
    from jaxrd.rdc.gaussian.vector import VectorPoint

GAUSSIAN = "Gaussian"
"""What `semantics` says of a Gaussian vector."""
_MEANING = {
    "lifted": "the decoder may also emit a soft label",
    "literal": "H(S|Xh) on the reproduction alphabet; achieved, lower bound of the lifted one",
    "time-shared": "time sharing of literal codes; achieved, lower bound of the lifted one",
    "fixed": "cross entropy of the given classifier",
    GAUSSIAN: "C bounds the differential entropy h(S|U), D the total squared error",
}
CERTIFIED = ("lifted", "fixed", GAUSSIAN)
_IN_BITS = ("kl", "rkl")

Targets = tuple[float, ...]
"""A distortion, and a classification loss in bits for each label; inf for none."""


class AtRate(NamedTuple):
    """A question for the least distortion, or the least loss of one label, at a rate."""

    rate: float
    """Bits."""
    targets: Targets
    """NaN for what is to be least."""

    @property
    def asked(self) -> int:
        """Which target is to be least: 0 for the distortion, k for the k-th label."""
        return int(np.flatnonzero(np.isnan(self.targets))[0])


class Perception(NamedTuple):
    """A bound on a measure between the laws of source and reproduction."""

    measure: str
    """tv, w2, kl or rkl."""
    bound: float
    """Bits for kl and rkl."""

    @property
    def row(self) -> dict[str, Any]:
        """The columns that name it."""
        return {"measure": self.measure, "perception_bits" if self.measure in _IN_BITS else "perception": self.bound}


class Decoded(NamedTuple):
    """What can be decoded from a representation of the file."""

    rate: float
    """I(X;Z), nats."""
    region: Region


@dataclass(frozen=True)
class Classified:
    """Points of a rate-distortion-classification function.

    Args:
        name: of the source.
        semantics: of every point; `GAUSSIAN` for a Gaussian vector.
        labels: their number.
        summary: of the source.
        notes: on the file.
        perception: the bound that every point keeps, if any.
        at: targets asked for, each with its point.
        least: questions at a rate, each with its answer.
        surface: R over a grid, if one was asked for.
        together: targets that one encoder is to meet.
        universal: the rate of that encoder, if there are such targets.
        decoded: what the representation offers, if it was asked for.
    """

    name: str
    semantics: str
    labels: int
    summary: Mapping[str, object]
    notes: Sequence[str]
    perception: Perception | None
    at: Sequence[tuple[Targets, Point | VectorPoint]]
    least: Sequence[tuple[AtRate, Least]]
    surface: Surface | None
    together: Sequence[Targets]
    universal: Universal | None
    decoded: Decoded | None

    @property
    def losses(self) -> list[str]:
        """The names of the labels' columns."""
        return loss_names(self.labels)

    def _targets(self, targets: Sequence[float]) -> dict[str, Any]:
        return dict(zip(["distortion", *self.losses], map(float, targets), strict=True))

    def _row(self, targets: Sequence[float], rate: Any, lower: Any, status: Any, slope: Any) -> dict[str, Any]:
        return self._targets(targets) | self._kept | {
            "rate_bits": float(rate) / NATS_PER_BIT, "lower_bits": float(lower) / NATS_PER_BIT,
            "status": Status(int(status)).name, "distortion_slope_bits": float(slope) / NATS_PER_BIT,
        }  # fmt: skip

    @property
    def _kept(self) -> dict[str, Any]:
        return {"semantics": self.semantics} | ({} if self.perception is None else self.perception.row)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per targets asked for."""
        return [self._row(targets, p.rate, p.lower, p.status, p.distortion_slope) for targets, p in self.at]

    @cached_property
    def grid(self) -> list[dict[str, Any]]:
        """The same for every point of the surface."""
        if (s := self.surface) is None:
            return []
        losses = np.reshape(s.classification, (-1, self.labels)) / NATS_PER_BIT
        return [
            self._row((d, *c), *(a[i, j] for a in (s.rate, s.lower, s.status, s.distortion_slope)))
            for i, d in enumerate(s.distortion)
            for j, c in enumerate(losses)
        ]

    @cached_property
    def least_rows(self) -> list[dict[str, Any]]:
        """One dict per question at a rate: what was asked for stands among the targets, its bound beside them."""
        rows = []
        for question, found in self.least:
            name = ["distortion", *self.losses][question.asked]
            unit = NATS_PER_BIT if question.asked else 1.0
            targets = self._targets(question.targets) | {name: found.value / unit}
            rows.append(
                {"rate_bits": question.rate} | targets | self._kept
                | {"least": name, f"lower_{name}": found.lower / unit, "status": Status(found.status).name}
            )  # fmt: skip
        return rows

    @cached_property
    def universal_row(self) -> dict[str, Any] | None:
        """The rate of one encoder for all targets."""
        if (u := self.universal) is None:
            return None
        rates = {"rate": u.rate, "lower": u.lower, "penalty": u.penalty, "penalty_lower": u.penalty_lower}
        return (
            {"targets": [self._targets(targets) for targets in self.together]} | self._kept
            | {f"{key}_bits": float(value) / NATS_PER_BIT for key, value in rates.items()}
            | {"status": u.status.name}
        )  # fmt: skip

    @cached_property
    def region_rows(self) -> list[dict[str, Any]]:
        """One dict per vertex of what can be decoded from the representation."""
        if self.decoded is None:
            return []
        region = self.decoded.region
        return [
            self._targets((d, c / NATS_PER_BIT)) | {"semantics": region.semantics, "status": Status(int(s)).name}
            for d, c, s in zip(region.distortion, region.classification, region.status, strict=True)
        ]

    @property
    def searched(self) -> list[dict[str, Any]]:
        """Of targets whose bound stays open: how many ascents met no better atom, and the bound if there is none."""
        from jaxrd.rdc import Point

        return [
            self._targets(targets) | {"ascents": p.ascents, "conjectured_bits": float(p.conjectured) / NATS_PER_BIT}
            for targets, p in self.at
            if isinstance(p, Point) and p.ascents and not p.converged
        ]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The points at which a solver failed."""
        every = [*self.rows, *self.grid, *self.least_rows, *([self.universal_row] if self.universal_row else [])]
        return [row for row in every if Status[row["status"]].failed]

    @property
    def meaning(self) -> str:
        """What is computed, and whether it is certified."""
        meaning, loose = _MEANING[self.semantics], len(self.failed)
        if self.perception is not None:
            meaning += f"; {self.perception.measure} of the laws at most {self.perception.bound:g}"
            meaning += " bit" if self.perception.measure in _IN_BITS else ""
        if self.semantics not in CERTIFIED:
            return meaning
        return meaning + (f"; certified except at {loose} points" if loose else "; certified")

    @property
    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """The columns of rdc.csv, by what was asked for."""
        parts = {"at": self.rows, "least": self.least_rows, "surface": self.grid, "region": self.region_rows}
        return {part: columns for part, rows in parts.items() for columns in _columns(rows)}

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What rdc.json holds; `meta` says where, when and with what versions it was computed."""
        region = None
        if self.decoded is not None:
            decoders = self.decoded.region.decoders.tolist()
            vertices = [row | {"decoder": letters} for row, letters in zip(self.region_rows, decoders, strict=True)]
            region = {"rate_bits": self.decoded.rate / NATS_PER_BIT, "vertices": vertices}
        return {
            "schema": "jaxrd.rdc/2", "name": self.name, "meta": meta, "semantics": self.semantics,
            "meaning": self.meaning, "summary": self.summary, "at": self.rows, "searched": self.searched,
            "least": self.least_rows, "surface": self.grid, "universal": self.universal_row, "region": region,
            "notes": list(self.notes),
        }  # fmt: skip


def loss_names(labels: int) -> list[str]:
    """The names of the labels' columns, their losses in bits.

    >>> loss_names(1), loss_names(2)
    (['classification_bits'], ['classification_1_bits', 'classification_2_bits'])
    """
    return ["classification_bits"] if labels == 1 else [f"classification_{k}_bits" for k in range(1, labels + 1)]


def _columns(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, list[Any]]]:
    """Rows as one dict of columns; a row without a value has NaN, which is an empty cell. Nothing for no row."""
    if rows:
        keys = dict.fromkeys(key for row in rows for key in row)
        yield {key: [row.get(key, np.nan) for row in rows] for key in keys}

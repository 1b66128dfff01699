"""What `jaxrd rdc` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jaxrd.io.labelled import Labelled
from jaxrd.solution import Status

if TYPE_CHECKING:
    from jaxrd.rdc import Point, Surface, Universal

_MEANING = {
    "lifted": "the decoder may also emit a soft label",
    "literal": "H(S|Xh) on the reproduction alphabet; achieved, lower bound of the lifted one",
    "time-shared": "time sharing of literal codes; achieved, lower bound of the lifted one",
    "fixed": "cross entropy of the given classifier",
}
CERTIFIED = ("lifted", "fixed")

Pair = tuple[float, float]
"""A distortion and a classification loss in nats."""


@dataclass(frozen=True)
class Classified:
    """Points of a rate-distortion-classification function.

    Args:
        name: of the source.
        given: the source, its distortion and its label.
        semantics: of every point.
        ends: of the distortion and of the classification loss: the least value, and the value at rate zero.
        at: pairs asked for, each with its point.
        surface: R over a grid, if one was asked for.
        pairs: targets that one encoder is to meet.
        universal: the rate of that encoder, if there are such pairs.
    """

    name: str
    given: Labelled
    semantics: str
    ends: tuple[Pair, Pair]
    at: Sequence[tuple[Pair, Point]]
    surface: Surface | None
    pairs: Sequence[Pair]
    universal: Universal | None

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per pair asked for, nats."""
        return [self._row(pair, p.rate, p.lower, p.status, p.distortion_slope) for pair, p in self.at]

    @cached_property
    def grid(self) -> list[dict[str, Any]]:
        """The same for every point of the surface."""
        s = self.surface
        return [] if s is None else [
            self._row((d, c), *(a[i, j] for a in (s.rate, s.lower, s.status, s.distortion_slope)))
            for i, d in enumerate(s.distortion)
            for j, c in enumerate(s.classification)
        ]  # fmt: skip

    def _row(self, pair: Pair, rate: float, lower: float, status: int, slope: float) -> dict[str, Any]:
        return {
            "distortion": float(pair[0]), "classification_nats": float(pair[1]), "semantics": self.semantics,
            "rate_nats": float(rate), "lower_nats": float(lower), "status": Status(int(status)).name,
            "distortion_slope": float(slope),
        }  # fmt: skip

    @cached_property
    def together(self) -> dict[str, Any] | None:
        """The rate of one encoder for all pairs, nats."""
        if (u := self.universal) is None:
            return None
        return {
            "pairs": [{"distortion": d, "classification_nats": c} for d, c in self.pairs],
            "semantics": u.semantics, "rate_nats": u.rate, "lower_nats": u.lower,
            "penalty_nats": u.penalty, "penalty_lower_nats": u.penalty_lower, "status": u.status.name,
        }  # fmt: skip

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The points at which a solver failed."""
        every = [*self.rows, *self.grid, *([] if self.together is None else [self.together])]
        return [row for row in every if Status[row["status"]].failed]

    @property
    def meaning(self) -> str:
        """What is computed, and whether it is certified."""
        meaning, loose = _MEANING[self.semantics], len(self.failed)
        if self.semantics not in CERTIFIED:
            return meaning
        return meaning + (f"; certified except at {loose} points" if loose else "; certified")

    @property
    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """The columns of rdc.csv, by what was asked for."""
        parts = {"at": self.rows, "surface": self.grid}
        return {part: {key: [row[key] for row in rows] for key in rows[0]} for part, rows in parts.items() if rows}

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What rdc.json holds; `meta` says where, when and with what versions it was computed."""
        (near, far), (low, high) = self.ends
        n, m = self.given.problem.distortion.shape
        summary = {
            "source_letters": n, "reproduction_letters": m, "classes": self.given.labels.shape[1],
            "least_distortion": near, "silent_distortion": far,
            "least_classification_nats": low, "silent_classification_nats": high,
        }  # fmt: skip
        return {
            "schema": "jaxrd.rdc/1", "name": self.name, "meta": meta, "semantics": self.semantics,
            "meaning": self.meaning, "summary": summary, "rows": [*self.rows, *self.grid], "universal": self.together,
            "notes": list(self.given.notes),
        }  # fmt: skip

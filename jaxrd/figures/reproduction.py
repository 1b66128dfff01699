"""A reproduced figure: the picture, its numbers, and the paper's claims beside what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from jaxrd.io.write import csv_rows, to_json
from jaxrd.plots import pdf, png
from jaxrd.solution import Status

SCHEMA = "jaxrd.figure/1"


class Claim(NamedTuple):
    """A sentence of the paper, and our numbers on it."""

    paper: str
    found: str


@dataclass(frozen=True)
class Reproduction:
    """A figure of a paper, recomputed.

    Args:
        name: of the files, such as "tosc-fig1".
        figure: the picture.
        curves: parallel arrays by curve name; a key's suffix gives its unit (`_bits`, `_nats`).
        claims: the paper's, with what was found.
        notes: errata and assumptions a reader must know.
        more: further top-level entries of the JSON document.
        pictures: further ones, by the suffix of their names.
    """

    name: str
    figure: Figure
    curves: Mapping[str, Mapping[str, Any]]
    claims: list[Claim]
    notes: list[str] = field(default_factory=list)
    more: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Figure] = field(default_factory=dict)

    def document(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """What NAME.json holds; `meta` says where, when and with what versions it was computed."""
        claims = [claim._asdict() for claim in self.claims]
        head = {"schema": SCHEMA, "name": self.name, "meta": meta}
        return head | {"curves": self.curves, "claims": claims, "notes": self.notes} | dict(self.more)

    @property
    def failed(self) -> list[str]:
        """Names of the curves and further entries in which a solver failed at a point."""
        return [name for name, entry in {**self.curves, **self.more}.items() if _failed(entry)]

    def files(self, meta: Mapping[str, Any]) -> list[tuple[str, bytes]]:
        """NAME.json, and the files beside it."""
        return [(f"{self.name}.json", to_json(self.document(meta))), *self.beside()]

    def beside(self) -> list[tuple[str, bytes]]:
        """NAME.csv, NAME.png and NAME.pdf, and NAME-MORE.png of further pictures."""
        return [
            (f"{self.name}.csv", csv_rows(self.curves)),
            (f"{self.name}.png", png(self.figure)),
            (f"{self.name}.pdf", pdf(self.figure)),
            *((f"{self.name}-{more}.png", png(figure)) for more, figure in self.pictures.items()),
        ]


def _failed(entry: object) -> bool:
    """Whether a key `status` anywhere in an entry holds a failure: the name of a `Status`, or several."""
    if isinstance(entry, Mapping):
        names = np.atleast_1d(entry.get("status", ()))
        failed = {status.name for status in Status if status.failed}
        return not failed.isdisjoint(names.tolist()) or any(map(_failed, entry.values()))
    return isinstance(entry, list) and any(map(_failed, entry))

"""What `jaxrd limits` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxrd.curve import Curve
from jaxrd.documents import confidence
from jaxrd.documents.one_message import one_message, with_spending
from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns, compressai, reach
from jaxrd.solution import has_failed
from jaxrd.tosc import CURVES, Limits
from jaxrd.tosc.curves import EVERY

if TYPE_CHECKING:
    from jaxrd.documents.at_bits import AtBits
    from jaxrd.documents.codec_points import Beside
    from jaxrd.documents.known import Receiver
    from jaxrd.tosc import ByClass, LogLoss, Statistics

RESULTS = {curve.name: f"{curve.file}.json" for curve in EVERY}
"""The file of each curve in CompressAI's format."""


@dataclass(frozen=True)
class Analysed:
    """The limits of a classifier, with confidence where it was asked for.

    Args:
        name: of the outputs.
        limits: the limits, nats.
        stats: their confidence, if it was asked for.
        notes: what was assumed about the outputs.
        pixels: of a sample; None: no bits per pixel.
        seed: of the split and of the resamplings.
        kappa_given: whether kappa came from the user.
        by_class: the limits divided among the classes, if that was asked for.
        bottleneck: bits against log-loss, if that was asked for.
        at_bits: the curves at rates, if any were asked for.
        beside: codecs beside the curves, if any were given.
        receiver: the curves where its decisions are known to both ends, if it was given.
    """

    name: str
    limits: Limits
    stats: Statistics | None
    notes: Sequence[str]
    pixels: int | None
    seed: int
    kappa_given: bool
    by_class: ByClass | None = None
    bottleneck: LogLoss | None = None
    at_bits: AtBits | None = None
    beside: Beside | None = None
    receiver: Receiver | None = None

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per distortion asked for: rates in bits, and in `status` a word on each."""
        rows: list[dict[str, Any]] = [
            {key: v if key == "distortion" or v is None else v / NATS_PER_BIT for key, v in row.items()}
            for row in self.limits.at
        ]
        for row in rows:
            row["status"] = {key: reach(v) for key, v in row.items() if key != "distortion"}
        return rows

    @cached_property
    def one_message(self) -> dict[str, Any]:
        """What one message a sample costs at the distortions asked for."""
        return with_spending(one_message(self.rows, self.limits.summary["samples"]), self.limits)

    @cached_property
    def curves(self) -> dict[str, dict[str, Any]]:
        """The columns of every curve, bits; with the intervals where there are any."""
        curves = {key: self._columns(c) for key, c in self.limits.curves.items()}
        if (stats := self.stats) is None:
            return curves
        return {key: c | confidence.band_columns(stats, key) for key, c in curves.items()}

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The columns of limits.csv by curve: the cross-fitted ones come last."""
        crossed = {} if self.stats is None else self.stats.cross_fitted
        known = {} if self.receiver is None else self.receiver.tables
        tables = self.curves | {f"{key} cross-fitted": self._columns(c) for key, c in crossed.items()}
        return tables | {f"{key} receiver known": table for key, table in known.items()}

    def _columns(self, curve: Curve) -> dict[str, Any]:
        """Of a curve; its accuracy is nan where the loss has none."""
        table = columns(curve, pixels=self.pixels)
        if not self.limits.is_error:
            table["accuracy"] = np.full(len(curve.rate), np.nan)
        return table

    @property
    def warnings(self) -> list[str]:
        """Warnings that a reader should know before trusting a curve."""
        impossible = [] if self.beside is None else self.beside.warnings
        impossible = impossible if self.receiver is None else [*impossible, *self.receiver.known.warnings]
        if self.stats is None:
            return [*self.limits.warnings, *impossible]
        words = confidence.optimism(self.stats, self.limits)
        return [*self.limits.warnings, *([words] if words else []), *confidence.withheld(self.stats), *impossible]

    @property
    def failed(self) -> list[str]:
        """Where a solver failed: curves, and rates at a distortion asked for."""
        curves = [name for name, curve in self.limits.curves.items() if has_failed(curve.status).any()]
        further = [*(self.at_bits.failed if self.at_bits else []), *(self.beside.failed if self.beside else [])]
        further += [] if self.receiver is None else self.receiver.failed
        return curves + [f"{name} at D = {d:.4g}" for name, d in self.limits.unconverged] + further

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What limits.json holds; `meta` says where, when and with what versions it was computed."""
        summary: dict[str, Any] = dict(self.limits.summary)
        summary["estimate_entropy_bits"] = summary.pop("estimate_entropy_nats") / NATS_PER_BIT
        summary["accuracy"] = 1 - summary["task_model_distortion"] if self.limits.is_error else None
        document = {
            "schema": "jaxrd.limits/1", "name": self.name,
            "meta": {**meta, "pixels": self.pixels, "estimator": "plug-in"},
            "summary": summary, "absent": self.limits.absent,
            "curves": {name: self.curves.get(name) for name in CURVES}, "at": self.rows,
            "reliability": [bin._asdict() for bin in self.limits.reliability], "notes": list(self.notes),
            "warnings": self.warnings,
        }  # fmt: skip
        if self.by_class is not None:
            from jaxrd.documents import by_class

            document["by_class"] = by_class.as_object(self.by_class, self.limits)
        if self.bottleneck is not None:
            from jaxrd.documents import bottleneck

            document["bottleneck"] = bottleneck.as_object(self.bottleneck)
        document["one_message"] = self.one_message
        document |= {} if self.at_bits is None else {"at_bits": self.at_bits.rows}
        document |= {} if self.beside is None else {"codecs": self.beside.document()}
        document |= {} if self.receiver is None else {"known": self.receiver.object()}
        if self.stats is None:
            return document
        return document | confidence.objects(self.stats, self.limits, seed=self.seed, given=self.kappa_given)

    def compressai_files(self, meta: Mapping[str, object]) -> list[tuple[str, bytes]]:
        """A file of each curve in CompressAI's format; none where no pixels were given.

        Its metric is `top1`, or the name of the loss: then 1 - D, where that is an accuracy, else `distortion`.
        """
        loss = self.limits.loss
        if loss is None or loss.is_zero_one:
            column, measure = "top1", "top1 is a fraction"
        else:
            column = f"accuracy_{loss.name.partition(':')[0]}" if loss.is_error else "mean_loss"
            measure = f"{column} under the loss {loss.name}"
        return [] if self.pixels is None else [
            (RESULTS[key], compressai(f"{self.name} {key}", f"{CURVES[key]}; {measure}", c, meta, key=column))
            for key, c in self.curves.items()
        ]  # fmt: skip

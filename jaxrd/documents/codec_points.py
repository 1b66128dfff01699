"""What `jaxrd limits --codec` writes: measured points of codecs beside every curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxrd.documents.bd_rate import METHOD, BdRate, bd_rate
from jaxrd.documents.confidence import word
from jaxrd.information import NATS_PER_BIT
from jaxrd.io import CodecPoints
from jaxrd.io.write import reach, table_rows
from jaxrd.tosc import CURVES, Limits, distortions_at
from jaxrd.tosc.inverse import with_rows

if TYPE_CHECKING:  # they take a third of a second to import
    from jaxrd.tosc import Statistics
    from jaxrd.tosc.confidence.bands import Uncertain

Entry = dict[str, Any]
"""What is said of a curve beside a codec's point, by the names of the JSON: see `_entry` and `_intervals`."""
_IMPOSSIBLE = 1e-3
"""A codec this share below oRD, and more, is named: no scheme of this task spends less."""


class Codec(NamedTuple):
    """A codec's measured points, and the file that they are from."""

    points: CodecPoints
    file: str
    sha256: str


@dataclass(frozen=True)
class Beside:
    """Codecs beside the curves of `limits`.

    Args:
        codecs: their points.
        bounds: per codec and point, by curve: see `_entry`.
        bd_rates: per codec, by curve.
        is_error: whether 1 - D is an accuracy.
        failed: where a solver failed: what is said of a curve there is a bound alone.
    """

    codecs: Sequence[Codec]
    bounds: list[list[dict[str, Entry]]]
    bd_rates: list[dict[str, BdRate]]
    is_error: bool
    failed: list[str]

    @property
    def notes(self) -> list[str]:
        """What was assumed about the files."""
        return list(dict.fromkeys(note for codec in self.codecs for note in codec.points.notes))

    @property
    def warnings(self) -> list[str]:
        """A sentence for each codec that has a point that no scheme of this task has."""
        words = []
        for codec, points in zip(self.codecs, self.bounds, strict=True):
            at = [
                f"{rate:.4g} bits for {point['oRD']['rate_bits']:.4g} at D = {d:.4g}"
                for rate, d, point in zip(codec.points.rate_bits, codec.points.distortion, points, strict=True)
                if rate < (1 - _IMPOSSIBLE) * (point["oRD"]["rate_bits"] or 0)
            ]
            if at:
                words.append(
                    f"{codec.points.name} spends less than oRD, which no scheme can ({', '.join(at)}): check --pixels, "
                    "and that the file speaks of this task and these samples"
                )
        return words

    def document(self) -> list[dict[str, Any]]:
        """`codecs` of limits.json."""
        return [
            {
                "name": codec.points.name, "file": codec.file, "sha256": codec.sha256,
                "points": [
                    row | {"bounds": bounds}
                    for row, bounds in zip(self._measured(codec.points), points, strict=True)
                ],
                "bd_rate": {name: self._bd(found) for name, found in rates.items()},
                "notes": list(codec.points.notes),
            }
            for codec, points, rates in zip(self.codecs, self.bounds, self.bd_rates, strict=True)
        ]  # fmt: skip

    def csv(self) -> bytes:
        """codecs.csv: a row for each point and curve."""
        return table_rows([
            {"codec": codec.points.name} | row | {"curve": name} | _named(entry)
            for codec, points in zip(self.codecs, self.bounds, strict=True)
            for row, bounds in zip(self._measured(codec.points), points, strict=True)
            for name, entry in bounds.items()
        ])  # fmt: skip

    def _measured(self, points: CodecPoints) -> list[dict[str, Any]]:
        """What the codec was measured to do, a dict a point."""
        bpp = [] if points.pixels is None else points.bpp
        rows: list[dict[str, Any]] = [
            {"rate_bits": rate, "accuracy": self._accuracy(d), "distortion": d}
            for rate, d in zip(points.rate_bits.tolist(), points.distortion.tolist(), strict=True)
        ]
        return [row | {"bpp": float(b)} for row, b in zip(rows, bpp, strict=True)] if len(bpp) else rows

    def _accuracy(self, distortion: float | None) -> float | None:
        return None if distortion is None or not self.is_error else 1 - distortion

    def _bd(self, found: BdRate) -> dict[str, Any]:
        return {
            "percent": found.percent, "from_distortion": found.worst, "to_distortion": found.best,
            "from_accuracy": self._accuracy(found.worst), "to_accuracy": self._accuracy(found.best),
            "points": found.points, "method": METHOD, "status": found.reason or "computed",
        }  # fmt: skip


def _named(entry: Entry) -> Entry:
    """An entry as columns beside those of the codec's own point."""
    return {f"bound_{key}" if key == "rate_bits" else key: value for key, value in entry.items()}


def extended(limits: Limits, codecs: Sequence[Codec]) -> Limits:
    """The limits, solved at the distortions of all codecs too, after those asked for."""
    return with_rows(limits, [d for codec in codecs for d in codec.points.distortion.tolist()])


def trimmed(statistics: Statistics, rows: int) -> Statistics:
    """The statistics at the first distortions alone: those that were asked for."""
    sandwich = statistics.sandwich
    return replace(
        statistics, at=statistics.at[:rows], excess=statistics.excess[:rows],
        cross_fitted_at=statistics.cross_fitted_at[:rows], sandwich=None if sandwich is None else sandwich[:rows],
    )  # fmt: skip


def beside(
    limits: Limits,
    codecs: Sequence[Codec],
    rows: int,
    statistics: Statistics | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Beside:
    """Compare every point of every codec with every curve.

    Args:
        limits: `extended` by the codecs.
        codecs: their points.
        rows: how many distortions were asked for before.
        statistics: of these limits, where intervals were asked for.
        progress: called as progress(what, done, total).
    """
    at, places, total = rows, limits.workings.places, len(limits.at) - rows
    bounds, failed = [], []
    for codec in codecs:
        points = []
        for bits, d in zip(codec.points.rate_bits.tolist(), codec.points.distortion.tolist(), strict=True):
            reached, entries = distortions_at(limits, bits * NATS_PER_BIT), {}
            for name in CURVES:
                entries[name] = entry = _entry(bits, limits.at[at][name])
                if name in reached:
                    entry["distortion_at_rate"] = least = reached[name].distortion
                    entry["accuracy_at_rate"] = 1 - least if limits.is_error else None
                    if not (reached[name].converged and places[at][name].converged):
                        entry["status"] = "not converged"
                        failed.append(f"{name} beside {codec.points.name} at D = {d:.4g}")
                if statistics is not None:
                    entry |= _intervals(statistics, limits, name, bits, at, entry["distortion_at_rate"])
            points.append(entries)
            at += 1
            if progress is not None:
                progress("codecs", at - rows, total)
        bounds.append(points)
    rates = [
        {name: _bd(codec.points, [point[name] for point in points]) for name in CURVES}
        for codec, points in zip(codecs, bounds, strict=True)
    ]
    return Beside(codecs, bounds, rates, limits.is_error, failed)


def _entry(bits: float, nats: float | None) -> Entry:
    """A curve at a codec's distortion: its rate, the codec's excess and ratio; and its distortion at the codec's rate.

    The ratio is None where the curve needs no rate, and nothing but the status is there where it has no rate.
    """
    status = reach(nats)
    rate = nats / NATS_PER_BIT if nats is not None and status == "reached" else None
    return {
        "rate_bits": rate,
        "excess_bits": None if rate is None else bits - rate,
        "ratio": bits / rate if rate else None,
        "distortion_at_rate": None,
        "accuracy_at_rate": None,
        "status": "nothing is sent" if rate == 0 else status,
    }


def _bd(points: CodecPoints, entries: list[Entry]) -> BdRate:
    if all(entry["status"] == "not computed" for entry in entries):
        return BdRate(reason="not computed")
    rates = [np.inf if entry["rate_bits"] is None else entry["rate_bits"] for entry in entries]
    return bd_rate(points.distortion.tolist(), points.rate_bits.tolist(), rates)


def _intervals(statistics: Statistics, limits: Limits, name: str, bits: float, at: int, least: float | None) -> Entry:
    """The interval of a curve at a codec's distortion, and what follows from it; the codec's own figures are exact."""
    uncertain = statistics.at[at].get(name)
    entry: Entry = {"interval": word(statistics, name, limits.at[at][name], uncertain)}
    lower = upper = best = worst = None
    if uncertain is not None and np.isfinite(uncertain.bootstrap.lower):
        lower, upper = (x / NATS_PER_BIT for x in uncertain.bootstrap)
    if name in statistics.bands and least is not None:
        best, worst = _distortions_between(limits, name, statistics.bands[name], bits * NATS_PER_BIT, least)
    return entry | {
        "rate_lower_bits": lower, "rate_upper_bits": upper,
        "excess_lower_bits": None if upper is None else bits - upper,
        "excess_upper_bits": None if lower is None else bits - lower,
        "ratio_lower": bits / upper if upper else None, "ratio_upper": bits / lower if lower else None,
        "distortion_at_rate_lower": best, "distortion_at_rate_upper": worst,
        "accuracy_at_rate_lower": 1 - worst if limits.is_error and worst is not None else None,
        "accuracy_at_rate_upper": 1 - best if limits.is_error and best is not None else None,
    }  # fmt: skip


def _distortions_between(
    limits: Limits, name: str, band: Sequence[Uncertain | None], rate: float, least: float
) -> tuple[float | None, float | None]:
    """The ends of the distortions whose interval of the rate holds `rate`; None where the band says nothing.

    How far the interval reaches below and above the rate is interpolated between the points of the curve; the curve
    itself is solved: where it is lower or higher by as much.

    Args:
        limits: the curves.
        name: of the curve.
        band: its intervals, at its points.
        rate: nats.
        least: the curve's distortion at this rate.
    """
    curve = limits.curves[name]
    kept = [i for i, u in enumerate(band) if u is not None and np.isfinite(u.bootstrap.lower)]
    order = np.array(sorted(kept, key=lambda i: curve.distortion[i]), int)
    d = curve.distortion[order]
    if not len(d) or not d[0] <= least <= d[-1]:
        return None, None
    reach = np.array([[u.rate - u.bootstrap.lower, u.bootstrap.upper - u.rate] for i in order if (u := band[i])])
    below, above = (float(np.interp(least, d, x)) for x in reach.T)
    ends, most = [], float(np.nanmax(curve.rate))
    for shifted in (rate + below, rate - above):
        inside = 0 <= shifted < most
        ends.append(limits.workings.bounds[name].least(shifted).distortion if inside else None)
    return ends[0], ends[1]

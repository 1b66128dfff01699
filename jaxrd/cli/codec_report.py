"""What `jaxrd limits` prints and draws of codecs and of rates asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from jaxrd.cli.common import console, print_line, print_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxrd.documents import at_bits, one_message
    from jaxrd.documents.bd_rate import BdRate
    from jaxrd.documents.codec_points import Beside, Codec, Entry
    from jaxrd.documents.limits import Analysed

SIMULATED = ("TMRD", "S&C")
"""The curves whose channel is simulated."""
_SHOWN = 4
"""Points of a codec in the table, one less where there are intervals; all are in codecs.csv."""
_STYLE = (("#E69F00", "*"), ("#332288", "P"), ("#882255", "X"), ("#44AA99", "h"), ("#DDCC77", "d"))
"""Colours that are told apart from those of the curves and by the colour-blind; and markers."""
_TALL = 3.0
"""Codecs that spend so many times the largest rate of the curves need a logarithmic axis."""


def report_bits(found: at_bits.AtBits, is_error: bool) -> None:
    """Print the best accuracies at the rates asked for, or the least distortions where there is no accuracy."""
    from jaxrd.tosc import CURVES

    table = Table(title="best accuracy (1 - D) at a rate" if is_error else "least distortion at a rate")
    table.add_column("curve")
    table.add_column("meaning")
    for row in found.rows:
        table.add_column(f"{row['rate_bits']:.4g} bits\nper sample", justify="right")

    def cell(row: at_bits.Row, name: str) -> str:
        value = row[name]
        return "-" if value is None else f"{1 - value if is_error else value:.4f}"

    for name, meaning in CURVES.items():
        table.add_row(name, meaning, *(cell(row, name) for row in found.rows))
        if name == "TMRD":
            table.add_row("", "as model believes", *(cell(row, "TMRD_model") for row in found.rows), style="dim")
    console.print(table)


def report_codecs(found: Beside) -> None:
    """Print a table and the BD-rates of every codec."""
    for codec, points, rates in zip(found.codecs, found.bounds, found.bd_rates, strict=True):
        _table(codec, points, found.is_error)
        for line in _bd_lines(rates, found.is_error):
            print_line(line)
    print_notes(found.notes)


def _table(codec: Codec, points: list[dict[str, Entry]], is_error: bool) -> None:
    from jaxrd.tosc import CURVES

    count, certain = len(points), "interval" not in points[0]["oRD"]
    shown = np.unique(np.linspace(0, count - 1, min(count, _SHOWN if certain else _SHOWN - 1)).round().astype(int))
    part = "" if len(shown) == count else f" ({len(shown)} of {count} points; all in codecs.csv)"
    table = Table(title=f"{codec.points.name} beside the limits{part}, bits per sample")
    table.add_column("curve")
    table.add_column("the codec's")
    for i in shown:
        d, bits = codec.points.distortion[i], codec.points.rate_bits[i]
        first = f"{bits:.4g} bits"
        table.add_column(f"{first}\n{1 - d:.4g} acc." if is_error else f"{first}\nD = {d:.4g}", justify="right")
    best = "accuracy_at_rate" if is_error else "distortion_at_rate"
    for name in CURVES:
        entries = [points[i][name] for i in shown]
        table.add_row(name, "bits above", *map(_above, entries))
        if not certain:
            _add_interval(table, "excess_lower_bits", "excess_upper_bits", entries)
        table.add_row("", "ratio", *("-" if e["ratio"] is None else _ratio(e["ratio"]) for e in entries))
        words = "best acc." if is_error else "least D"
        table.add_row("", words, *("-" if e[best] is None else f"{e[best]:.4f}" for e in entries))
        if not certain:
            _add_interval(table, f"{best}_lower", f"{best}_upper", entries)
    console.print(table)


def _above(entry: Entry) -> str:
    if entry["excess_bits"] is None:
        return "-" if entry["status"] == "not computed" else entry["status"]
    return _short(entry["excess_bits"])


def _short(bits: float) -> str:
    return f"{bits:.3f}" if abs(bits) < 100 else f"{bits:.5g}"


def _ratio(ratio: float) -> str:
    return f"{ratio:.3g}" if ratio < 1000 else f"{ratio:.0f}"


def _add_interval(table: Table, lower: str, upper: str, entries: list[Entry]) -> None:
    ends = [(entry[lower], entry[upper]) for entry in entries]
    if any(pair != (None, None) for pair in ends):
        shown = ["..".join("-" if x is None else _short(x) for x in pair) for pair in ends]
        table.add_row("", "  interval", *("-" if s == "-..-" else s for s in shown), style="dim")


def _bd_lines(rates: dict[str, BdRate], is_error: bool) -> Iterator[str]:
    """The BD-rates of a codec by the overlap they are over, and why others are missing."""
    by_overlap: dict[str, list[str]] = {}
    for name, found in rates.items():
        if found.percent is None or found.best is None or found.worst is None:
            if found.reason != "not computed":
                by_overlap.setdefault(f"no BD-rate over {{}}: {found.reason}", []).append(name)
            continue
        ends = (1 - found.worst, 1 - found.best) if is_error else (found.best, found.worst)
        axis = "accuracies" if is_error else "distortions"
        head = f"BD-rate over {axis} {ends[0]:.4g} to {ends[1]:.4g} ({found.points} points): {{}}"
        by_overlap.setdefault(head, []).append(f"{found.percent:+.4g} % over {name}")
    for words, names in by_overlap.items():
        every = len(names) == len([found for found in rates.values() if found.reason != "not computed"])
        listed = ", ".join(names)
        yield words.replace(" over {}", "") if every and " over {}" in words else words.format(listed)


def report_messages(cost: one_message.Row, is_error: bool) -> None:
    """Print what one message a sample costs at the distortions asked for, beside the rates of long blocks."""
    at, decided = cost["at"], cost["decisions"]
    table = Table(title="bits per image, if images are sent one by one")
    table.add_column("what is sent")
    for row in at:
        accuracy = f"{1 - row['distortion']:.4g} acc.\n" if is_error else ""
        table.add_column(f"{accuracy}D = {row['distortion']:.4g}", justify="right")

    def add(words: str, bits: Sequence[float | None], style: str | None = None) -> None:
        if any(b is not None for b in bits):
            table.add_row(words, *("-" if b is None else f"{b:.2f}" for b in bits), style=style)

    for name in SIMULATED:
        add(f"{name}: endless blocks, R", [row["rate_bits"][name] for row in at])
        add("  one message, at most", [row[name] for row in at])
        if name == "TMRD":
            add("  jaxrd encode", [row["encoded_bits"][name] for row in at])
    reached = [row["distortion"] >= decided["distortion"] - 1e-12 for row in at]
    add("decisions: entropy H", [decided["entropy_bits"] if yes else None for yes in reached])
    add("  one message, Huffman", [decided["message_bits"] if yes else None for yes in reached])
    add("  jaxrd encode, all in one", [decided["encoded_bits"] if yes else None for yes in reached])
    if not table.row_count:
        return
    console.print(table)
    print_line(
        "TMRD and S&C assume long blocks and shared randomness; jaxrd encode of TMRD: the mean length of a message",
        style="dim",
    )


def draw_codecs(ax: Axes, analysed: Analysed) -> None:
    """Draw the codecs' points, on a logarithmic axis where they lie far above the curves; and bits a pixel."""
    from jaxrd import plots
    from jaxrd.information import NATS_PER_BIT

    found, pixels = analysed.beside, analysed.pixels
    if found is not None:
        right = ax.get_xlim()[1]
        for k, codec in enumerate(found.codecs):
            colour, marker = _STYLE[k % len(_STYLE)]
            ax.plot(
                codec.points.distortion, codec.points.rate_bits, color=colour, marker=marker, markersize=9,
                markeredgecolor="0.3", linewidth=1, label=plots.literal(codec.points.name), zorder=4,
            )  # fmt: skip
            right = max(right, 1.02 * float(codec.points.distortion.max()))
        ax.set_xlim(0, min(right, 1.0) if found.is_error else right)
        curves = max(float(np.nanmax(c.rate)) for c in analysed.limits.curves.values()) / NATS_PER_BIT
        rates = np.concatenate([codec.points.rate_bits for codec in found.codecs])
        ax.set_ylim(0, 1.05 * max(curves, float(rates.max())))
        if rates.max() > _TALL * curves:
            ax.set_yscale("log")
            least = (0.05 * curves, 0.5 * float(rates[rates > 0].min()))
            ax.set_ylim(min(x for x in least if x > 0), 2 * float(rates.max()))
        plots.place_legend(ax)
    if pixels is not None:
        plots.bits_per_pixel(ax, pixels)

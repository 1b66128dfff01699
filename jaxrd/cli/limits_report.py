"""What `jaxrd limits` prints and draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from jaxrd.cli import codec_report, limits_known
from jaxrd.cli.common import Meta, console, headed, print_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxrd.documents.limits import Analysed


def figure(analysed: Analysed) -> bytes:
    """The figure, a PNG."""
    from jaxrd import plots
    from jaxrd.tosc import CURVES

    limits, stats = analysed.limits, analysed.stats

    def draw(ax: Axes) -> None:
        plots.limits_axes(
            ax, limits.curves, task_model_distortion=limits.summary["task_model_distortion"],
            zero_rate_distortion=limits.summary["zero_rate_distortion"], meanings=CURVES,
            loss=None if limits.is_error or limits.loss is None else plots.literal(limits.loss.name),
        )  # fmt: skip
        codec_report.draw_codecs(ax, analysed)
        if analysed.receiver is not None:
            limits_known.draw(ax, analysed.receiver)
        under = "" if limits.loss is None else f", {plots.literal(limits.loss.name)}"
        what = "accuracy" if limits.is_error else "mean loss"
        ax.set_title(f"{plots.literal(analysed.name)}{under}: bits needed for a given {what}", fontsize=11)

    if stats is None:
        figure, ax = plots.new_figure()
        draw(ax)
    else:
        from jaxrd.cli.confidence_report import confidence_figure

        figure = confidence_figure(stats, limits, draw)
    return plots.png(figure)


def report(analysed: Analysed, meta: Meta) -> None:
    """Print the summary, the rates and the warnings."""
    s, curves = analysed.limits.summary, analysed.limits.curves
    print_line(
        headed(
            analysed.name,
            f": {s['samples']} samples"
            + (f" (of {s['samples_total']})" if s["samples"] != s["samples_total"] else "")
            + f", {s['classes']} classes, {measure(analysed)}"
            + (f", temperature {s['temperature']:.4g}" if s["temperature"] is not None else ""),
        )
    )
    console.print("; ".join(analysed.notes), style="dim", highlight=False)
    _print_rates(analysed)
    if analysed.by_class is not None:
        from jaxrd.cli import by_class_report

        by_class_report.report(analysed.by_class, analysed.limits)
    if analysed.bottleneck is not None:
        from jaxrd.cli import bottleneck_report

        bottleneck_report.report(analysed.bottleneck)
    if analysed.receiver is not None:
        limits_known.report(analysed.receiver)
    codec_report.report_messages(analysed.one_message, analysed.limits.is_error)
    if analysed.at_bits is not None:
        codec_report.report_bits(analysed.at_bits, analysed.limits.is_error)
    if analysed.beside is not None:
        codec_report.report_codecs(analysed.beside)
    for warning in analysed.warnings:
        print_line(f"note: {warning}")
    gaps = [np.nanmax(c.gap) for c in curves.values() if np.isfinite(c.gap).any()]
    seconds = meta["seconds"]
    print_line(
        f"largest certified gap {max(gaps):.1e} nat; compile {seconds['compile']:.1f} s, solve {seconds['solve']:.1f} s"
    )
    if analysed.stats is not None:
        from jaxrd.cli import confidence_report

        confidence_report.report(analysed.stats, analysed.limits)


def measure(analysed: Analysed) -> str:
    """How good the decisions are, in words."""
    s, loss = analysed.limits.summary, analysed.limits.loss
    named = "" if loss is None else f" under {s['loss']}"
    if analysed.limits.is_error:
        return f"accuracy {1 - s['task_model_distortion']:.2%}{named}"
    return f"mean loss {s['task_model_distortion']:.4g}{named}"


def _print_rates(analysed: Analysed) -> None:
    """The rates at the distortions asked for, and what the words among them mean."""
    from jaxrd.tosc import CURVES

    table = Table(title="bits per sample")
    table.add_column("curve")
    table.add_column("meaning")
    for row in analysed.rows:
        accuracy = f"{1 - row['distortion']:.4g} acc.\n" if analysed.limits.is_error else ""
        table.add_column(f"{accuracy}D = {row['distortion']:.4g}", justify="right")
    for key, meaning in CURVES.items():
        table.add_row(key, meaning, *(_cell(row[key]) for row in analysed.rows))
        if key == "TMRD":
            table.add_row("", "as model believes", *(_cell(row["TMRD_model"]) for row in analysed.rows), style="dim")
    console.print(table)
    shown = {_cell(row[key]) for row in analysed.rows for key in (*CURVES, "TMRD_model")}
    if "beyond" in shown:
        console.print("'beyond': the curve does not reach that distortion", style="dim")
    if "-" in shown:
        console.print("'-': not computed, see the notes", style="dim")


def _cell(bits: float | None) -> str:
    from jaxrd.io.write import reach

    word = reach(bits)
    return "-" if word == "not computed" else word if word == "beyond" else f"{bits:.4f}"

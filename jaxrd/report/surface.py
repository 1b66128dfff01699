"""A surface R(D, C): rate over distortion, a line for each C, and the points asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh.models import UIElement

_MOST = 12  # lines
_TIPS = [
    ("D", "@d{0.00000}"), ("C", "@c bits"), ("rate", "@rate{0.0000} bits"), ("lower bound", "@lower{0.0000} bits"),
    ("status", "@status"),
]  # fmt: skip


def surface(document: Mapping[str, Any]) -> list[UIElement]:
    """The figure of an `rdc.json`."""
    from bokeh.models import ColumnDataSource, HoverTool
    from bokeh.palettes import Cividis256
    from bokeh.plotting import figure

    plot = figure(
        height=520, sizing_mode="stretch_width", x_axis_label="distortion D", y_axis_label="rate, bits per letter",
        tools="pan,wheel_zoom,box_zoom,reset,save", active_scroll=None,
    )  # fmt: skip
    plot.toolbar.logo = None
    levels = sorted({_loss(row) for row in document["surface"]})
    kept = levels[:: max(1, -(-len(levels) // _MOST))]
    for number, level in enumerate(kept):
        rows = sorted((row for row in document["surface"] if _loss(row) == level), key=lambda row: row["distortion"])
        colour = Cividis256[round(235 * number / max(len(kept) - 1, 1))]
        source, label = ColumnDataSource(_columns(rows)), f"C <= {', '.join(f'{c:.3g}' for c in level)} bits"
        plot.line("d", "rate", source=source, color=colour, line_width=2, legend_label=label)
        drawn = plot.scatter("d", "rate", source=source, color=colour, size=6, legend_label=label)
        plot.add_tools(HoverTool(renderers=[drawn], tooltips=_TIPS))
    reached = [row for row in document["at"] if row["rate_bits"] is not None]
    if reached:
        asked = ColumnDataSource(_columns(reached))
        drawn = plot.scatter(
            "d", "rate", source=asked, size=12, marker="star", color="#D55E00", legend_label="asked for"
        )
        plot.add_tools(HoverTool(renderers=[drawn], tooltips=_TIPS))
    if plot.legend:
        plot.legend.click_policy, plot.legend.title, plot.legend.ncols = "hide", "click: on or off", 4
        plot.add_layout(plot.legend[0], "below")
        plot.legend.location = "center"
    return [plot]


def _loss(row: Mapping[str, Any]) -> tuple[float, ...]:
    """C of a row, of every label."""
    loss = row["classification_bits"]
    values = loss if isinstance(loss, list) else [loss]
    return tuple(float("inf") if value is None else value for value in values)


def _columns(rows: list[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {
        "d": [row["distortion"] for row in rows], "rate": [row["rate_bits"] for row in rows],
        "lower": [row["lower_bits"] for row in rows], "status": [row["status"] for row in rows],
        "c": [", ".join(f"{c:.4g}" for c in _loss(row)) for row in rows],
    }  # fmt: skip

"""Curves of rate over distortion: values under the pointer, curves to switch off, and a slider that reads them off."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxrd.plots import STYLE
from jaxrd.report.text import text
from jaxrd.solution import Status
from jaxrd.tosc import CURVES

if TYPE_CHECKING:
    from bokeh.models import CustomJS, UIElement
    from bokeh.plotting import figure

_MARKERS = {"o": "circle", "s": "square", "^": "triangle", "D": "diamond", "P": "plus", "v": "inverted_triangle"}
_BANDS = (("bootstrap", "bootstrap"), ("clt", "CLT"))
_CODECS = ("#CC79A7", "#E69F00", "#0072B2", "#D55E00", "#009E73", "#56B4E9")
_SAID = (
    "Read off straight lines between the computed points; where a curve is convex such a line lies above it. "
    "At a point that was asked for, the value is the computed one."
)
_READ = """
const d = is_error ? 1 - slider.value / 100 : slider.value;
line.location = d;
const rows = curves.map(({name, meaning, distortion, rate, asked, zero}) => {
  let least = d >= zero ? 0 : Infinity;
  for (const [at, bits] of asked) if (at <= d + 1e-9) least = Math.min(least, bits);
  for (let i = 0; i < rate.length; i++) {
    if (rate[i] === null || distortion[i] === null) continue;
    if (distortion[i] <= d) least = Math.min(least, rate[i]);
    if (i === 0 || rate[i - 1] === null) continue;
    const [a, b] = [distortion[i - 1], distortion[i]];
    if ((a - d) * (b - d) < 0)
      least = Math.min(least, rate[i - 1] + (rate[i] - rate[i - 1]) * (d - a) / (b - a));
  }
  const bits = least === Infinity ? "not reached" : least.toFixed(4);
  return `<tr><td>${name}</td><td>${meaning}</td><td class="number">${bits}</td></tr>`;
});
table.text = `<table><tr><th>curve</th><th>meaning</th><th>bits</th></tr>${rows.join("")}</table>`;
"""


def curves(document: Mapping[str, Any]) -> tuple[list[UIElement], CustomJS]:
    """The figure, the slider and what it reads; and the call that reads it when the page opens."""
    from bokeh.models import Span

    summary = document["summary"]
    is_error = "samples" in summary and summary.get("loss") in (None, "zero-one")
    plot = _figure(is_error, summary)
    entries = _entries(document)
    for entry in entries:
        _draw(plot, entry, is_error, (document.get("confidence") or {}).get("level"))
        _mark_failed(plot, entry)
    _draw_blocks(plot, document.get("blocks"))
    for number, codec in enumerate(document.get("codecs") or []):
        _draw_codec(plot, codec, _CODECS[number % len(_CODECS)], is_error)
    plot.legend.click_policy = "hide"
    plot.legend.title = "click: on or off"
    plot.add_layout(plot.legend[0], "below")
    plot.legend.ncols, plot.legend.location = 4, "center"
    plot.legend.label_text_font_size = "13px"
    line = Span(location=0, dimension="height", line_color="#444444", line_dash=[4, 4])
    plot.add_layout(line)
    table, said = text(""), text(f"<p>{_SAID}</p>")
    slider, call = _slider(document, entries, is_error, (line, table))
    return [plot, slider, table, said], call


class _Entry(NamedTuple):
    """A curve of the page.

    Args:
        name: shown.
        of: its name in `STYLE`.
        curve: as the document holds it.
        zero: the distortion from which no bit is needed.
        asked: distortion and rate of the points that were asked for.
        known: whether the receiver has decisions of its own.
    """

    name: str
    of: str
    curve: Mapping[str, Any]
    zero: float
    asked: list[tuple[float, float]]
    known: bool


def _entries(document: Mapping[str, Any]) -> list[_Entry]:
    """All curves, those of a receiver that knows something last."""
    entries = []
    for part, known in ((document, False), (document.get("known") or {}, True)):
        for name, curve in part.get("curves", {}).items():
            if curve is None:  # of decisions, which have no posterior
                continue
            rows = part.get("at") or []
            pairs = [(row["distortion"], row.get("rate_bits") if name == "R(D)" else row.get(name)) for row in rows]
            reached = [(d, bits) for d, bits in pairs if bits is not None]
            summary = part if known else part["summary"]
            largest = max((d for d in curve["distortion"] if d is not None), default=0.0)
            zero = summary.get("zero_rate_distortion", largest)
            label = f"{name}, receiver known" if known else name
            entries.append(_Entry(label, name, curve, zero, reached, known))
    return entries


def _figure(is_error: bool, summary: Mapping[str, Any]) -> figure:
    from bokeh.models import Span
    from bokeh.plotting import figure

    what = "D = 1 - accuracy" if is_error else "distortion D"
    plot = figure(
        height=480, sizing_mode="stretch_width", x_axis_label=what, tools="pan,wheel_zoom,box_zoom,reset,save",
        y_axis_label="rate, bits per sample" if "samples" in summary else "rate, bits per letter",
        active_scroll=None,
    )  # fmt: skip
    plot.toolbar.logo = None
    if "task_model_distortion" in summary:
        place = summary["task_model_distortion"]
        plot.add_layout(Span(location=place, dimension="height", line_color="#888888", line_dash=[1, 3]))
    return plot


def _draw(plot: figure, entry: _Entry, is_error: bool, level: float | None) -> None:
    """A line, its points with their values under the pointer, and its band of this confidence."""
    from bokeh.models import ColumnDataSource, HoverTool

    name, curve = entry.name, entry.curve
    colour, marker, dashes = STYLE.get(entry.of, ("#D55E00", "o", "-"))
    dash = [2, 3] if entry.known else "solid" if isinstance(dashes, str) else [round(2 * x) for x in dashes[1]]
    count = len(curve["rate_bits"])
    data = {
        "d": curve["distortion"], "rate": curve["rate_bits"], "name": [name] * count, "status": curve["status"],
        "accuracy": [None if d is None else 100 * (1 - d) for d in curve["distortion"]],
        "gap": ["none" if g is None else f"{g:.1e}" for g in curve["gap_bits"]],
    }  # fmt: skip
    band = ""
    for key, method in _BANDS:
        lower, upper = (curve.get(f"{key}_{end}_bits") for end in ("lower", "upper"))
        if lower is not None and upper is not None:
            kept = [i for i in range(count) if lower[i] is not None and upper[i] is not None]
            x, low, high = ([column[i] for i in kept] for column in (curve["distortion"], lower, upper))
            plot.varea(x, low, high, fill_color=colour, fill_alpha=0.15, legend_label=name)
            data |= {"low": lower, "high": upper}
            band = f"{level:.0%}, {method}" if level else method
            break
    source = ColumnDataSource(data)
    plot.line("d", "rate", source=source, color=colour, line_dash=dash, line_width=2, legend_label=name)
    points = plot.scatter(
        "d", "rate", source=source, color=colour, size=6, marker=_MARKERS.get(marker, "circle"), legend_label=name,
        fill_alpha=0.6 if marker in _MARKERS else 0.0, line_alpha=0.9 if marker in _MARKERS else 0.0,
    )  # fmt: skip
    shown = [("curve", "@name"), ("D", "@d{0.0000}"), ("rate", "@rate{0.0000} bits"), ("gap", "@gap bits")]
    shown.insert(1, ("accuracy", "@accuracy{0.00} %")) if is_error else None
    shown += [(band, "@low{0.0000} .. @high{0.0000} bits")] if band else []
    plot.add_tools(HoverTool(renderers=[points], tooltips=[*shown, ("status", "@status")]))


def _mark_failed(plot: figure, entry: _Entry) -> None:
    """Red crosses where a solver failed: there the gap says what is known."""
    failed = {status.name for status in Status if status.failed}
    at = [i for i, status in enumerate(entry.curve["status"]) if status in failed]
    if at:
        x, y = ([entry.curve[key][i] for i in at] for key in ("distortion", "rate_bits"))
        plot.scatter(x, y, marker="x", size=12, line_width=2, color="red", legend_label=f"{entry.name}: not converged")


def _draw_codec(plot: figure, codec: Mapping[str, Any], colour: str, is_error: bool) -> None:
    """Measured points, with the bits above the two lowest curves under the pointer."""
    from bokeh.models import ColumnDataSource, HoverTool

    points = codec["points"]
    data: dict[str, list[Any]] = {
        "d": [p["distortion"] for p in points], "rate": [p["rate_bits"] for p in points],
        "name": [codec["name"]] * len(points),
    }  # fmt: skip
    data["accuracy"] = [None if d is None else 100 * (1 - d) for d in data["d"]]
    tips = [("codec", "@name"), ("D", "@d{0.0000}"), ("rate", "@rate{0.0000} bits")]
    tips.insert(1, ("accuracy", "@accuracy{0.00} %")) if is_error else None
    for number, name in enumerate(("oRD", "TMRD")):
        bits = [(p["bounds"].get(name) or {}).get("excess_bits") for p in points]
        data[f"above{number}"] = ["unknown" if b is None else f"{b:.4f} bits" for b in bits]
        tips.append((f"above {name}", f"@above{number}"))
    drawn = plot.scatter(
        "d", "rate", source=ColumnDataSource(data), size=11, marker="star", color=colour, legend_label=codec["name"]
    )
    plot.add_tools(HoverTool(renderers=[drawn], tooltips=tips))


def _draw_blocks(plot: figure, blocks: Mapping[str, Any] | None) -> None:
    """Bars between the proved bounds of finite blocks."""
    from bokeh.models import ColumnDataSource, HoverTool

    rows = [row for row in (blocks or {}).get("rows", []) if None not in (row["lower_bits"], row["upper_bits"])]
    if not rows:
        return
    keys = ("n", "distortion", "lower_bits", "approximation_bits", "upper_bits")
    source = ColumnDataSource({key: [row[key] for row in rows] for key in keys})
    bars = plot.segment(
        "distortion", "lower_bits", "distortion", "upper_bits", source=source, line_width=4, color="#0072B2",
        line_alpha=0.5, legend_label="blocks of n letters: proved bounds",
    )  # fmt: skip
    tips = [(key.removesuffix("_bits"), f"@{key}" + ("" if key == "n" else "{0.0000}")) for key in keys]
    plot.add_tools(HoverTool(renderers=[bars], tooltips=tips))


def _slider(
    document: Mapping[str, Any], entries: list[_Entry], is_error: bool, shown: tuple[Any, Any]
) -> tuple[UIElement, CustomJS]:
    """Of the accuracy, or of the distortion; and the call that reads the curves at its value."""
    from bokeh.models import CustomJS, Slider

    line, table = shown
    read = [
        {
            "name": escape(entry.name), "meaning": escape(CURVES.get(entry.of, "rate-distortion function")),
            "rate": entry.curve["rate_bits"], "distortion": entry.curve["distortion"], "zero": entry.zero,
            "asked": entry.asked,
        }
        for entry in entries
    ]  # fmt: skip
    every = [d for entry in entries for d in entry.curve["distortion"] if d is not None] or [0.0, 1.0]
    least, most = min(every), max(every)
    begin = document["at"][0]["distortion"] if document.get("at") else (least + most) / 2
    begin = min(max(begin, least), most)
    if is_error:
        low, high, value, step = 100 * (1 - most), 100 * (1 - least), 100 * (1 - begin), 0.1
    else:
        low, high, value, step = least, most, begin, (most - least) / 500
    title = "accuracy wanted, %" if is_error else "distortion allowed"
    slider = Slider(
        start=round(low, 1) if is_error else low, end=round(high, 1) if is_error else high, step=step or 1,
        value=round(value, 1) if is_error else value, title=title, sizing_mode="stretch_width", name="wanted",
        format="0.0" if is_error else "0.0000",
    )  # fmt: skip
    call = CustomJS(
        args={"slider": slider, "line": line, "table": table, "curves": read, "is_error": is_error},
        code=_READ,
    )
    slider.js_on_change("value", call)
    return slider, call

"""What `jaxrd limits --confidence` shows: bands in the figure, a table, sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from jaxrd import plots
from jaxrd.cli.common import console, print_line
from jaxrd.documents.confidence import EXACT, band_columns
from jaxrd.information import NATS_PER_BIT
from jaxrd.tosc import Limits, Statistics
from jaxrd.tosc.confidence.intervals import Interval


def confidence_figure(statistics: Statistics, limits: Limits, draw_curves: Callable[[Axes], object]) -> Figure:
    """The curves with bands and bounds; a second panel shows TMRD over the distortion that the model believes.

    Args:
        statistics: the intervals and bounds.
        limits: the curves they belong to.
        draw_curves: draws the curves on an axes; called after the bands, so that its legend names them too.
    """
    percent, aware = f"{100 * statistics.confidence:g} %", limits.curves.get("TMRD")
    most = 1.0 if limits.loss is None else float(limits.loss.values.max()) or 1.0
    if aware is None:
        figure, ax = plots.new_figure(height=6.0)
        _oracle(ax, statistics, percent, most)
        draw_curves(ax)
        return figure
    figure = Figure(figsize=(12.4, 6.0), layout="constrained")
    ax, beside = figure.subplots(1, 2, width_ratios=(3, 2))
    colour = plots.STYLE["TMRD"][0]
    top = 1.02 * max(float(np.nanmax(c.rate)) for c in limits.curves.values()) / NATS_PER_BIT
    _band(ax, aware.distortion, band_columns(statistics, "TMRD"), top, percent)
    _oracle(ax, statistics, percent, most)
    if statistics.upper is not None:
        _bound(ax, statistics.upper.at, colour, f"TMRD's channels, at most ({percent}, Hoeffding)", top, most=most)
    draw_curves(ax)

    believed = np.asarray(aware.model_distortion)
    _band(beside, believed, band_columns(statistics, "TMRD_model"), top, percent)
    if statistics.lower is not None and statistics.upper_model is not None:
        _bound(beside, statistics.lower.rate, colour, f"at least ({percent}, McDiarmid)", dashed=True, most=most)
        _bound(beside, statistics.upper_model.at, colour, f"at most ({percent}, Hoeffding)", top, most=most)
    beside.plot(believed, aware.rate / NATS_PER_BIT, color=colour, marker="o", markersize=4, label="TMRD as believed")
    beside.set_xlabel("distortion that the model believes")
    beside.set_xlim(0, min(most, 1.02 * float(np.nanmax(believed))))
    beside.set_yscale(ax.get_yscale())
    beside.set_ylim(*ax.get_ylim())
    beside.set_title("the same channels, as the model believes", fontsize=11)
    beside.grid(alpha=0.25)
    plots.place_legend(beside)
    return figure


def _oracle(ax: Axes, statistics: Statistics, percent: str, most: float) -> None:
    if statistics.oracle_lower is not None:
        label = f"any scheme, at least ({percent}, McDiarmid)"
        _bound(ax, statistics.oracle_lower.rate, plots.STYLE["oRD"][0], label, most=most)


def _band(ax: Axes, distortion: np.ndarray, columns: dict[str, np.ndarray], top: float, percent: str) -> None:
    if "clt_lower_bits" in columns:
        lower, upper = columns["clt_lower_bits"], np.minimum(columns["clt_upper_bits"], top)
        plots.band(ax, distortion, lower, upper, colour=plots.STYLE["TMRD"][0], label=f"TMRD, {percent} (CLT)")


def _bound(
    ax: Axes,
    rate: Callable[[float], float],
    colour: str,
    label: str,
    top: float = np.inf,
    *,
    dashed: bool = False,
    most: float = 1.0,
) -> None:
    """Draw one bound on [0, most], the distortions there are; values above `top` are left out."""
    grid = np.linspace(0, most, 201)
    bits = np.array([rate(float(d)) for d in grid]) / NATS_PER_BIT
    line = (0, (4, 2)) if dashed else "-"
    ax.plot(grid, np.where(bits <= top, bits, np.nan), color=colour, linewidth=0.8, linestyle=line, label=label)


def report(statistics: Statistics, limits: Limits) -> None:
    """The intervals at the distortions asked for, in words and bits."""
    distortions, percent = [float(row["distortion"] or 0) for row in limits.at], f"{100 * statistics.confidence:g} %"
    table = Table(title=f"{percent} intervals, bits per sample")
    table.add_column("curve")
    table.add_column("by")
    for d in distortions:
        table.add_column(f"D = {d:.4g}", justify="right", no_wrap=True)

    def rows(name: str, shown: str) -> None:
        at = [row.get(name) for row in statistics.at]
        if statistics.withdrawn.get(name, "").startswith(EXACT):
            table.add_row(shown, "exact", *(_bits(float(row[name] or 0)) for row in limits.at))
            return
        by = "inversion" if name == "oRD" and limits.loss is None else "bootstrap"
        table.add_row(shown, by, *("-" if u is None else _pair(u.bootstrap) for u in at))
        if any(u is not None and np.isfinite(u.clt.lower) for u in at):
            table.add_row("", "CLT", *("-" if u is None else _pair(u.clt) for u in at))

    for name in limits.curves:
        if name in statistics.bands or name in statistics.withdrawn:
            rows(name, name)
            if name == "oRD" and statistics.oracle_lower is not None:
                table.add_row("", "McDiarmid", *(f">= {_bits(statistics.oracle_lower.rate(d))}" for d in distortions))
            if name == "TMRD" and statistics.upper is not None:
                table.add_row("", "Hoeffding", *(f"<= {_bits(statistics.upper.at(d))}" for d in distortions))
        if name in statistics.cross_fitted:
            table.add_row("", "cross-fitted", *(_bits(at[name]) for at in statistics.cross_fitted_at))
        if name == "TMRD" and statistics.lower is not None and statistics.upper_model is not None:
            rows("TMRD_model", "  believed")
            table.add_row("", "McDiarmid", *(f">= {_bits(statistics.lower.rate(d))}" for d in distortions))
            table.add_row("", "Hoeffding", *(f"<= {_bits(statistics.upper_model.at(d))}" for d in distortions))
    console.print(table)
    for line in _sentences(statistics, distortions, percent):
        print_line(line)


def _sentences(statistics: Statistics, distortions: list[float], percent: str) -> Iterator[str]:
    """Whether TMRD lies below other curves by more than the noise of a common sample; and the sandwich."""
    for d, excess in zip(distortions, statistics.excess, strict=True):
        if excess:
            pairs = ", ".join(f"{name} {_pair(more.bootstrap)}" for name, more in excess.items())
            below = all(more.bootstrap.lower > 0 for more in excess.values())
            names = ", ".join(excess)
            words = f"lies below {names}" if below else f"is not below {names} beyond noise"
            yield f"at D = {d:.4g} TMRD {words}; more is paid by ({percent}): {pairs}"
    if statistics.kappa is not None and statistics.sandwich:
        kappa = statistics.kappa
        yield f"if the posterior is off by kappa = {kappa:.3g}, the limit of any scheme that sees it alone lies"
        for d, (lower, upper, rigorous) in zip(distortions, statistics.sandwich, strict=True):
            ends = _pair(Interval(lower, upper))
            yield f"  at D = {d:.4g} in {ends} bits, plug-in; with {percent} confidence above {_bits(rigorous)}"


def _pair(interval: Interval) -> str:
    return f"{_bits(interval.lower)}..{_bits(interval.upper)}"


def _bits(rate: float) -> str:
    return "-" if np.isnan(rate) else f"{rate / NATS_PER_BIT:.3f}" if np.isfinite(rate) else "beyond"

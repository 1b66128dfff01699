"""Figures: functions (ax, curves) -> ax that never show anything."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd.curve import Curve, lower_convex_envelope
from jaxrd.information import NATS_PER_BIT
from jaxrd.solution import Status, has_failed

# Okabe and Ito's colour-blind-safe palette; markers and dashes tell the curves apart without colour.
STYLE = {
    "oRD": ("#000000", "None", (0, (5, 2))),
    "iRD": ("#000000", "None", "-"),
    "TMRD": ("#D55E00", "o", "-"),
    "iE&C": ("#0072B2", "s", "-"),
    "S&C": ("#009E73", "^", "-"),
    "E&C": ("#56B4E9", "D", "-"),
    "C&E": ("#E69F00", "P", "-"),
    "TS": ("#999999", "None", (0, (1, 1.5))),
    "merge": ("#CC79A7", "v", "-"),
}
_LONG = 6
"""Entries of a legend that has room inside of the axes."""


def _accuracy(distortion: Any) -> Any:
    return 100 * (1 - distortion)


def _distortion(accuracy: Any) -> Any:
    return 1 - accuracy / 100


def _mark_task_model(ax: Axes, task_model_distortion: float, right: float) -> None:
    """A vertical line at D_TM, named; `right` is where the axis ends."""
    ax.axvline(task_model_distortion, color="0.35", linewidth=1, linestyle=(0, (6, 3)), zorder=1)
    inside = task_model_distortion < 0.08 * right  # no room for the label left of the line
    shown = task_model_distortion if task_model_distortion > 1e-12 else 0.0  # the rest is rounding
    ax.annotate(
        f"$D_{{TM}}$ = {shown:.3g}",
        (task_model_distortion, 0),
        xycoords=("data", "axes fraction"),
        xytext=(5 if inside else -5, 6),
        textcoords="offset points",
        rotation=90,
        ha="left" if inside else "right",
        va="bottom",
        color="0.25",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        zorder=6,
    )


def limits_axes(
    ax: Axes,
    curves: Mapping[str, Curve],
    *,
    task_model_distortion: float,
    zero_rate_distortion: float,
    meanings: Mapping[str, str],
    loss: str | None = None,
) -> Axes:
    """Rate against task distortion, accuracy along the top: raw points and, where they differ, the envelopes.

    Args:
        ax: where to draw.
        curves: by name, rates in nats; drawn in bits.
        task_model_distortion: D_TM, marked by a vertical line.
        zero_rate_distortion: D_0; time sharing with silence at (D_0, 0) gives the envelopes.
        meanings: a few words for each name, for the legend.
        loss: the name of a loss that is no probability of error: then there is no accuracy.
    """
    envelopes = False
    for name, curve in curves.items():
        colour, marker, line = STYLE.get(name, ("#E69F00", "x", "-"))
        # In the order of the curve's parameter: a raw curve may turn back on itself.
        d, bits = curve.distortion, curve.rate / NATS_PER_BIT
        label = f"{name}: {meanings[name]}" if name in meanings else name
        every = max(len(d) // 24, 1)
        if name == "merge":
            line = "None"
        ax.plot(
            d, bits, color=colour, marker=marker, markersize=4, markevery=every, linestyle=line, linewidth=1.6,
            label=label, zorder=3,
        )  # fmt: skip
        if name not in ("oRD", "iRD", "iE&C", "TS"):  # those are convex as they are
            shared = np.append(d, zero_rate_distortion), np.append(bits, 0.0)
            envelope = np.asarray(lower_convex_envelope(*shared))
            if np.nanmax(shared[1] - envelope) > 0.02 * max(bits.max(), 1e-9):
                rank = np.argsort(shared[0], kind="stable")
                ax.plot(
                    shared[0][rank],
                    envelope[rank],
                    color=colour,
                    linewidth=0.9,
                    linestyle=(0, (3, 2)),
                    zorder=2,
                )
                envelopes = True
        bad = has_failed(curve.status) & np.isfinite(bits)
        if bad.any():
            ax.plot(d[bad], bits[bad], "x", color="red", markersize=9, label=f"{name}: not converged", zorder=5)
    reach = max([zero_rate_distortion, *(float(np.nanmax(c.distortion)) for c in curves.values())])
    right = min(1.0, 1.02 * reach) if loss is None else 1.02 * reach or 1.0
    if envelopes:
        ax.plot([], [], color="0.4", linewidth=0.9, linestyle=(0, (3, 2)), label="thin: with time sharing")
    _mark_task_model(ax, task_model_distortion, right)
    scales(ax, right, loss)
    place_legend(ax)
    return ax


def scales(ax: Axes, right: float, loss: str | None = None) -> None:
    """The scales of a figure of limits: task distortion up to `right`, accuracy along the top, bits upwards.

    Args:
        ax: where the curves are drawn.
        right: where the axis ends.
        loss: its name, where the distortion is no probability of error.
    """
    ax.set_xlabel("task distortion  D = 1 − accuracy" if loss is None else f"task distortion  D, mean loss ({loss})")
    ax.set_ylabel("rate  [bits per sample]")
    ax.set_xlim(0, right)
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.25)
    if loss is None:
        top = ax.secondary_xaxis("top", functions=(_accuracy, _distortion))
        top.set_xlabel("accuracy  [%]")


def place_legend(ax: Axes) -> None:
    """A legend in the upper right corner, or below the axes where it is long, or a line would run through it."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "frameon": False, "fontsize": 9}
    if len(ax.get_legend_handles_labels()[1]) > _LONG:  # without the sizes, which take as long to know as to draw
        ax.legend(ncols=2, **below)
        return
    legend = ax.legend(frameon=False, fontsize=9, loc="upper right")
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)  # only now the sizes are known
    box, steps = legend.get_window_extent().padded(4), np.linspace(0, 1, 400)
    for line in ax.lines:
        drawn = ax.transData.transform(line.get_xydata())
        drawn = drawn[np.isfinite(drawn).all(1)]
        if len(drawn) > 1 and line.get_linestyle() != "None":
            at = steps * (len(drawn) - 1)
            drawn = np.stack([np.interp(at, np.arange(len(drawn)), x) for x in drawn.T], 1)
        if box.count_contains(drawn):
            columns = 2 if ax.bbox.width > 6 * figure.dpi else 1
            ax.legend(ncols=columns, **below)
            return


def bits_per_pixel(ax: Axes, pixels: float) -> Axes:
    """A second axis, right of one of bits per sample, in bits per pixel."""

    def bpp(bits: Any) -> Any:
        return bits / pixels

    def bits(bpp: Any) -> Any:
        return bpp * pixels

    beside = ax.secondary_yaxis("right", functions=(bpp, bits))
    beside.set_ylabel(f"rate  [bits per pixel], {pixels:g} pixels")
    return ax


def band(ax: Axes, distortion: Any, lower: Any, upper: Any, *, colour: str, label: str) -> Axes:
    """A light band between two rates in bits, in the order of the curve's parameter; gaps where either is NaN."""
    ax.fill_between(distortion, lower, upper, color=colour, alpha=0.2, linewidth=0, label=label, zorder=1)
    return ax


def curve_axes(ax: Axes, curve: Curve, *, label: str = "R(D)") -> Axes:
    """One certified curve: rate in bits against distortion, points that did not converge marked."""
    order = np.argsort(curve.distortion, kind="stable")
    d, bits = curve.distortion[order], curve.rate[order] / NATS_PER_BIT
    finite = np.isfinite(d) & np.isfinite(bits)
    ax.plot(d[finite], bits[finite], color="#0072B2", marker="o", markersize=4, linewidth=1.6, label=label)
    bad = has_failed(curve.status[order]) & finite
    if bad.any():
        ax.plot(d[bad], bits[bad], "x", color="red", markersize=9, label="not converged")
    ax.set_xlabel("distortion")
    ax.set_ylabel("rate  [bits per sample]")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)
    return ax


def surface_axes(
    ax: Axes,
    distortion: np.ndarray,
    classification: np.ndarray,
    rate: np.ndarray,
    status: np.ndarray,
    *,
    asked: Sequence[tuple[float, float, float]] = (),
) -> Axes:
    """R(D, C) as filled contours in bits over distortion and classification loss in bits.

    Args:
        ax: where to draw.
        distortion: D, shape (a,).
        classification: C, nats, shape (b,).
        rate: nats, shape (a, b); +inf is left white.
        status: shape (a, b); points that are not certified are crossed, achievable ones dotted.
        asked: further points (D, C, rate in nats), marked where they lie inside, each with its rate in bits: contours
            are straight between the points of the grid, and so lie above a convex rate.
    """
    bits, loss = np.ma.masked_invalid(rate / NATS_PER_BIT).T, classification / NATS_PER_BIT
    filled = ax.contourf(distortion, loss, bits, levels=16, cmap="cividis")
    lines = ax.contour(distortion, loss, bits, levels=8, colors="white", linewidths=0.8)
    ax.clabel(lines, fmt="%.2f", fontsize=8)
    colours = ax.figure.colorbar(filled, ax=ax)
    colours.set_label("rate  [bits per sample], straight between the points of the grid")
    grid_d, grid_c = np.meshgrid(distortion, loss, indexing="ij")
    for of_kind, marker, label in (
        (status == Status.ACHIEVABLE, ".", "achieved"), (has_failed(status), "x", "not certified")
    ):  # fmt: skip
        shown = of_kind & np.isfinite(rate)
        if shown.any():
            ax.plot(grid_d[shown], grid_c[shown], marker, color="#D55E00", markersize=5, label=label, clip_on=False)
    points = [(d, c / NATS_PER_BIT, r / NATS_PER_BIT) for d, c, r in asked]
    marked(ax, points, "asked for", [(distortion.min(), distortion.max()), (loss.min(), loss.max())])
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize=9)
    ax.set_xlim(distortion.min(), distortion.max())
    ax.set_ylim(loss.min(), loss.max())
    ax.set_xlabel("distortion  D")
    ax.set_ylabel("classification loss  C  [bits]")
    return ax


def marked(ax: Axes, points: Sequence[Sequence[float]], label: str, box: Sequence[tuple[float, float]]) -> None:
    """Dots at (x, y) of points (x, y, z) inside of `box`, the ranges of x and y; beside each stands its finite z."""
    (left, right), (low, high) = box
    inside = [(x, y, z) for x, y, z in points if left <= x <= right and low <= y <= high and np.isfinite(z)]
    if inside:
        x, y, _ = np.array(inside).T
        ax.plot(x, y, "o", color="white", markeredgecolor="black", markersize=7, label=label, clip_on=False)
    for x, y, z in inside:
        ax.annotate(
            f"{z:.4g}", (x, y), xytext=(6, 5), textcoords="offset points", fontsize=8,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )  # fmt: skip


def new_figure(width: float = 7.2, height: float = 5.0) -> tuple[Figure, Axes]:
    """A figure with one axes, apart from pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def literal(name: str) -> str:
    """A name as matplotlib shows it letter by letter: no formula, no bytes that are no text, nothing hidden.

    >>> literal("$x_1$.npz")
    '\\\\$x_1\\\\$.npz'
    """
    shown = name.encode("utf-8", "backslashreplace").decode().replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown  # labels that begin with _ are left out of legends


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes, 160 dots per inch."""
    return _saved(figure, format="png", dpi=160)


def pdf(figure: Figure) -> bytes:
    """The figure as PDF bytes, without a date: the same figure gives the same bytes."""
    return _saved(figure, format="pdf", metadata={"CreationDate": None})


def _saved(figure: Figure, **how: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name may have letters that no font has
        figure.savefig(buffer, **how)
    return buffer.getvalue()

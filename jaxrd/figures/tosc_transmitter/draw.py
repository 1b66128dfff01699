"""The figure of a smaller model at the transmitter: accuracy and rates over its size, a line a family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from jaxrd.plots import STYLE

# Colours that no curve of STYLE has; the marker and the line of a family are the same in both panels.
_FAMILIES = {
    "floats": ("#000000", "*", "None"),
    "pruned": ("#882255", "o", "-"),
    "quantised": ("#117733", "s", "--"),
}
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10)


def _sizes(table: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(table["model_bits"], float) / 1e6


def _markersize(marker: str) -> float:
    return 9 if marker == "*" else 5.5


def _accuracies(ax: Axes, tables: Mapping[str, Mapping[str, Any]]) -> None:
    for family, table in tables.items():
        colour, marker, line = _FAMILIES[family]
        x, y = _sizes(table), 100 * np.asarray(table["accuracy"])
        ax.plot(
            x, y, color=colour, marker=marker, linestyle=line, linewidth=1.6, markersize=_markersize(marker),
            label=family, zorder=3,
        )  # fmt: skip
        clean = 100 * np.asarray(table["clean_accuracy"])
        ax.plot(x, clean, color=colour, marker=marker, linestyle=":", linewidth=1, markersize=4, alpha=0.5, zorder=2)
        below = family == "pruned"
        for name, at in zip(table["version"], zip(x, y, strict=True), strict=True):
            ax.annotate(
                name, at, (5, -6) if below else (-4, 6), textcoords="offset points", fontsize=8, color=colour,
                ha="left" if below else "right", va="top" if below else "bottom",
            )  # fmt: skip
    ax.plot([], [], color="0.4", linestyle=":", marker="o", markersize=4, alpha=0.6, label="faint: clean images")
    ax.set_ylabel("accuracy on noisy images  [%]")
    ax.set_ylim(0, 105)
    ax.legend(frameon=False, fontsize=9, loc="lower right")


def _rates(ax: Axes, tables: Mapping[str, Mapping[str, Any]], accuracy: float) -> None:
    reaching = []
    for curve in ("iE&C", "TMRD"):
        colour, _, _ = STYLE[curve]
        for family, table in tables.items():
            _, marker, line = _FAMILIES[family]
            bits = np.array(table[f"{curve}_at_{accuracy:g}_bits"], float)
            reaching += _sizes(table)[np.isfinite(bits)].tolist()
            ax.plot(
                _sizes(table), bits, color=colour, marker=marker, linestyle=line, linewidth=1.6,
                markersize=_markersize(marker), label=f"{curve}, {family}",
            )  # fmt: skip
    colour, _, line = STYLE["oRD"]
    floor = next(iter(tables.values()))[f"oRD_at_{accuracy:g}_bits"][0]
    ax.axhline(floor, color=colour, linestyle=line, linewidth=1.2, label="oRD, whatever the model")
    least = min((size for table in tables.values() for size in _sizes(table)), default=0.0)
    if not reaching or least < min(reaching):
        end = min(reaching) / 1.12 if reaching else ax.get_xlim()[1]
        ax.axvspan(0.8 * least, end, color="0.92", zorder=0)
        ax.annotate(
            f"no version here reaches {accuracy:.0%}", (np.sqrt(0.8 * least * end), 0.96), ha="center", va="top",
            xycoords=("data", "axes fraction"), fontsize=9, color="0.3",
        )  # fmt: skip
    ax.set_ylabel(f"rate at {accuracy:.0%} accuracy  [bits per sample]")
    ax.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.06))


def draw(tables: Mapping[str, Mapping[str, Any]], accuracy: float) -> Figure:
    """Accuracy, and the rates at one accuracy, over the size of the model; a version out of its reach has no rate."""
    figure = Figure(figsize=(11.5, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    left.set_xscale("log")
    _accuracies(left, tables)
    _rates(right, tables, accuracy)
    sizes = np.concatenate([_sizes(table) for table in tables.values()])
    for ax in (left, right):
        ax.set_xlim(0.8 * sizes.min(), 1.25 * sizes.max())
        ax.xaxis.set_major_locator(FixedLocator(_TICKS))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("model at the transmitter  [Mbit]")
        ax.grid(alpha=0.25)
    left.set_title("LeNet on MNIST with pixel noise, not retrained", fontsize=11)
    right.set_title(f"what {accuracy:.0%} accuracy takes", fontsize=11)
    return figure

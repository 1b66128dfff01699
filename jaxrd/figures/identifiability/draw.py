"""The figure of the identifiability experiment: H(Y|X) above, rates at one accuracy below, a column a corruption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd.figures.identifiability.corruptions import Corruption
from jaxrd.plots import STYLE


def _entropies(ax: Axes, table: Mapping[str, Any], x: np.ndarray) -> None:
    low, high = (np.asarray(table[f"{side}_limit_bits"], float) for side in ("lower", "upper"))
    ax.bar(x, high - low, 0.6, low, color="0.88", label="rigorous 95 % limits", zorder=1)
    proved = low > 0
    ax.plot(x[proved], low[proved], color="#000000", marker="^", markersize=6, linestyle="None",
            label="proved by repeated inputs", zorder=4)  # fmt: skip
    value, under, over = (np.asarray(table[f"cross_entropy{k}_bits"], float) for k in ("", "_low", "_high"))
    ax.errorbar(x, value, (value - under, over - value), color="#D55E00", marker="o", markersize=4, capsize=3,
                linewidth=1.6, label="cross-entropy on labels: upper bound", zorder=3)  # fmt: skip
    ax.plot(x, table["calibrated_bits"], color="#0072B2", marker="s", markersize=4, linestyle="--",
            label="mean entropy, calibrated", zorder=3)  # fmt: skip
    ax.plot(x, table["believed_bits"], color="#999999", marker="v", markersize=4, linestyle=":",
            label="mean entropy, as the model believes", zorder=2)  # fmt: skip
    ax.set_ylim(0, 3.5)


def _rates(ax: Axes, table: Mapping[str, Any], x: np.ndarray, accuracy: float) -> None:
    for name in ("oRD", "TMRD", "iE&C", "S&C"):
        colour, marker, line = STYLE[name]
        bits = np.array(table[f"{name}_at_{accuracy:g}_bits"], float)
        ax.plot(x, bits, color=colour, marker=marker, markersize=5, linestyle=line, linewidth=1.6, label=name)
    beyond = ~np.isfinite(np.array(table[f"TMRD_at_{accuracy:g}_bits"], float))
    if beyond.any():
        start = x[beyond].min() - 0.5
        ax.axvspan(start, x[-1] + 0.4, color="0.92", zorder=0)
        ax.annotate("out of this\nmodel's reach", ((start + x[-1] + 0.4) / 2, 0.04), xycoords=("data", "axes fraction"),
                    ha="center", va="bottom", fontsize=9, color="0.3")  # fmt: skip


def draw(tables: Mapping[str, Mapping[str, Any]], corruptions: Sequence[Corruption], accuracy: float) -> Figure:
    """Estimates of H(Y|X) and the rates at one accuracy, over the strengths of every corruption."""
    figure = Figure(figsize=(4.0 * len(corruptions), 7.2), layout="constrained")
    axes = figure.subplots(2, len(corruptions), sharey="row", sharex="col", squeeze=False)
    for (above, below), c in zip(axes.T, corruptions, strict=True):
        table = tables[c.name]
        x = np.arange(len(table["strength"]))
        _entropies(above, table, x)
        _rates(below, table, x, accuracy)
        above.set_title(c.name, fontsize=11)
        below.set_xlabel(c.strength)
        below.set_xticks(x, ["none" if s == 0 else f"{s:g}" for s in table["strength"]])
        below.set_xlim(-0.4, x[-1] + 0.4)
        for ax in (above, below):
            ax.grid(alpha=0.25)
    axes[0, 0].set_ylabel("H(Y|X)  [bits]")
    axes[1, 0].set_ylabel(f"rate at {accuracy:.0%} accuracy  [bits per sample]")
    axes[1, 0].set_ylim(bottom=0)
    for ax in axes[:, 0]:
        ax.legend(frameon=False, fontsize=8, loc="upper left")
    return figure

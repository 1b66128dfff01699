"""The drawing of Theorem 5 of [B]: true gaps and ratios, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_TRUE, _BOUND, _WRONG = "#0072B2", "#000000", "#D55E00"  # Okabe and Ito
TITLES = {
    "scalar Gaussian": "scalar Gaussian",
    "Gaussian vector": "Gaussian vector, the label\nsees its weaker coordinate",
    "finite": "five letters, two classes",
    "another law": "X = A + bB, S = B, one bit:\nX̂ has another law than X",
}


def draw(curves: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Above the gap, below the ratio: the true one, the bound, and where the premise fails."""
    figure = Figure(figsize=(14.5, 7.2), layout="constrained")
    axes = figure.subplots(2, len(curves), squeeze=False)
    for column, (name, curve) in zip(axes.T, curves.items(), strict=True):
        other = name == "another law"
        x = np.asarray(curve["b" if other else "share"])
        _panel(column[0], x, curve, "gap", "bound_12", "(12), corrected")
        _panel(column[1], x, curve, "ratio", "bound_13", "(13)")
        column[0].axhline(0, color="0.6", linewidth=0.8)
        column[1].axhline(1, color="0.6", linewidth=0.8)
        column[0].set_title(TITLES[name], fontsize=11)
        if max(np.max(curve["ratio"]), np.max(curve["bound_13"])) > 2:
            column[1].set_yscale("log")
        for ax in column:
            ax.set_xlim(0, 1)
            ax.grid(alpha=0.25)
            ax.set_xlabel("b" if other else "D₁ / variance of X")
            ax.legend(fontsize=8, frameon=False)
    axes[0, 0].set_ylabel("D₃ − D⁽ᵇ⁾  [squared error]")
    axes[1, 0].set_ylabel("D₃ / D⁽ᵇ⁾")
    figure.suptitle("Theorem 5: each bound is to lie below the true value. Left three: reproductions with the law of X")
    return figure


def _panel(ax: Axes, x: np.ndarray, curve: Mapping[str, Any], truth: str, bound: str, name: str) -> None:
    ax.plot(x, curve[truth], color=_TRUE, linewidth=1.8, marker="o", markersize=3, label="true")
    ax.plot(x, curve[bound], color=_BOUND, linewidth=1.3, linestyle=(0, (5, 2)), label=f"bound {name}")
    if truth == "gap" and np.isfinite(curve["printed_12"]).any() and "b" not in curve:
        ax.plot(x, curve["printed_12"], color=_WRONG, linewidth=1.1, linestyle=":", label="(12) as printed")
    fails = ~np.asarray(curve["premise"], bool)
    if fails.any():
        ax.plot(x[fails], np.asarray(curve[bound])[fails], "x", color=_WRONG, markersize=5, label="D⁽ᵇ⁾ > 2 D₁")

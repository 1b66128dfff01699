"""The figure of `jaxrd limits` of several files: one colour a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxrd import plots
from jaxrd.information import NATS_PER_BIT
from jaxrd.solution import has_failed
from jaxrd.tosc.curves import INDIRECT, MODEL_AWARE, ORACLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxrd.documents.models import Compared
    from jaxrd.tosc import Limits

# Okabe and Ito's colours, and two of Tol's that differ from them; markers tell the models apart without colour.
_MODELS = (
    ("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P"),
    ("#332288", "X"), ("#882255", "*"),
)  # fmt: skip
_DASHED = (0, (5, 2))
_GREY = "0.5"
_LETTERS = 40
"""Most letters of a model's name in the legend."""


def figure(compared: Compared) -> bytes:
    """The figure, a PNG: TMRD and iE&C of every model, oRD once, and TMRD's intervals where they were asked for."""
    figure, ax = plots.new_figure(width=8.2, height=5.8)
    shared, models = compared.shared_oracle, compared.comparison.models
    ends = [float(np.nanmax(curve.distortion)) for found in models.values() for curve in found.curves.values()]
    right = 1.02 * max([*ends, *(found.summary["zero_rate_distortion"] for found in models.values())])
    right = min(1.0, right) if compared.is_error else right
    for k, (name, found) in enumerate(models.items()):
        colour, marker = _MODELS[k % len(_MODELS)]
        if not shared or k == 0:
            _line(ax, found, ORACLE.name, _GREY if shared else colour, (0, (1, 1.5)))
        _line(ax, found, INDIRECT.name, colour, _DASHED)
        _line(ax, found, MODEL_AWARE.name, colour, "-", marker)
        # Side by side: the bars of the models at one distortion would hide each other.
        _intervals(ax, compared, name, colour, 0.008 * right * (k - (len(models) - 1) / 2))
        d_tm = found.summary["task_model_distortion"]
        ax.plot([d_tm], [0], marker=marker, color=colour, markersize=8, clip_on=False, linestyle="None", zorder=6)
        line = "-" if MODEL_AWARE.name in found.curves else _DASHED
        ax.plot([], [], color=colour, marker=marker, linestyle=line, linewidth=2, label=plots.literal(_short(name)))
    _explain(ax, compared)
    what = "accuracy" if compared.is_error else "mean loss"
    ax.set_title(f"{len(compared.names)} models: bits needed for a given {what}", fontsize=11)
    loss = next(iter(models.values())).loss
    plots.scales(ax, right, None if loss is None or loss.is_error else plots.literal(loss.name))
    plots.place_legend(ax)
    return plots.png(figure)


def _line(ax: Axes, found: Limits, name: str, colour: str, line: object, marker: str = "None") -> None:
    """One curve of one model, in the order of its parameter; points where a solver failed are crossed."""
    curve = found.curves.get(name)
    if curve is None:
        return
    d, bits = curve.distortion, curve.rate / NATS_PER_BIT
    every = max(len(d) // 16, 1)
    width = 1.8 if marker != "None" else 1.3
    ax.plot(d, bits, color=colour, linestyle=line, marker=marker, markersize=4.5, markevery=every, linewidth=width)
    bad = has_failed(curve.status) & np.isfinite(bits)
    if bad.any():
        ax.plot(d[bad], bits[bad], "x", color="red", markersize=9, zorder=5)


def _intervals(ax: Axes, compared: Compared, name: str, colour: str, beside: float) -> None:
    """TMRD's intervals of a model, a bar beside each distortion asked for."""
    intervals = compared.comparison.intervals
    if intervals is None:
        return
    for i, d in enumerate(compared.distortions):
        inside = intervals.rates[i].get(MODEL_AWARE.name, {}).get(name)
        if inside is not None and np.isfinite(inside.lower):
            ends = [inside.lower / NATS_PER_BIT, inside.upper / NATS_PER_BIT]
            ax.plot([d + beside] * 2, ends, color=colour, marker="_", markersize=7, linewidth=1.5, zorder=4)


def _explain(ax: Axes, compared: Compared) -> None:
    """What line and mark mean, in grey, below the names of the models."""
    confidence, models = compared.comparison.confidence, compared.comparison.models.values()

    def drawn(name: str) -> bool:
        return any(name in found.curves for found in models)

    if drawn(MODEL_AWARE.name):
        ax.plot([], [], color=_GREY, linewidth=1.8, label=f"{MODEL_AWARE.name}: {MODEL_AWARE.meaning}")
        if confidence is not None:
            words = f"{MODEL_AWARE.name}, {100 * confidence:g} % (bootstrap)"
            ax.plot([], [], color=_GREY, marker="|", markersize=10, linestyle="None", label=words)
    ax.plot([], [], color=_GREY, linewidth=1.3, linestyle=_DASHED, label=f"{INDIRECT.name}: {INDIRECT.meaning}")
    words = f"{ORACLE.name}: {ORACLE.meaning}" + ("" if compared.shared_oracle else ", of each model's labels")
    ax.plot([], [], color=_GREY, linewidth=1.3, linestyle=(0, (1, 1.5)), label=words)
    ax.plot([], [], color=_GREY, marker="o", markersize=8, linestyle="None", label="at the foot: $D_{TM}$ of a model")
    if any(has_failed(curve.status).any() for found in models for curve in found.curves.values()):
        ax.plot([], [], "x", color="red", markersize=9, label="not converged")


def _short(name: str) -> str:
    """A name without its middle where it is long."""
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS // 2 - 1]}…{name[-_LETTERS // 2 :]}"

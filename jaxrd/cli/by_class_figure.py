"""The figure of `jaxrd limits --by-class`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from jaxrd import plots
from jaxrd.information import NATS_PER_BIT

if TYPE_CHECKING:
    from jaxrd.tosc.class_shares import ClassPoint

_NAMED_CLASSES = 150
"""Classes up to which bars have room for names."""


def figure(
    names: Sequence[str], decided: np.ndarray, points: Mapping[str, ClassPoint], *, is_error: bool, title: str
) -> Figure:
    """Bits per sample and accuracy, or mean loss, of each class, sorted by the bits of the first curve.

    Args:
        names: of the classes.
        decided: distortion of the decisions in each class, shape (classes,); NaN for a class without samples.
        points: by curve, the first as bars and the others as markers: rates in nats.
        is_error: whether a distortion is an error, drawn as an accuracy.
        title: of the figure.
    """
    first = next(iter(points.values()), None)
    rates = np.full(len(names), np.nan) if first is None else first.rates
    order = np.flatnonzero(np.isfinite(rates))
    order = order[np.argsort(-rates[order], kind="stable")]
    place, named = np.arange(len(order)), len(order) <= _NAMED_CLASSES
    figure = Figure(figsize=(7.2 + 0.11 * max(min(len(order), _NAMED_CLASSES) - 20, 0), 6.0), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    for key, point in points.items():
        colour, marker, _ = plots.STYLE.get(key, ("#E69F00", "x", "-"))
        bits, right = point.rates[order] / NATS_PER_BIT, _percent(point.distortions[order], is_error)
        mean = point.rate / NATS_PER_BIT
        if point is first:
            top.bar(place, bits, width=0.8 if named else 1.0, color=colour, alpha=0.55, label=key)
            bottom.bar(place, right, width=0.8 if named else 1.0, color=colour, alpha=0.55, label=f"{key}, reproduced")
            top.axhline(mean, color=colour, linewidth=1.2, linestyle="--", label=f"{key}, all classes: {mean:.3f} bits")
        else:
            shape = {"color": colour, "marker": marker, "linestyle": "None", "markersize": 4 if named else 2}
            top.plot(place, bits, label=key, **shape)
            bottom.plot(place, right, label=f"{key}, reproduced", **shape)
    bottom.plot(
        place,
        _percent(decided[order], is_error),
        "_",
        color="black",
        markersize=7 if named else 2,
        label="the classifier's decisions",
    )
    top.set_title(title, fontsize=11)
    top.set_ylabel("bits per sample\nof the class")
    highest = max((np.nanmax(point.rates) for point in points.values()), default=0) / NATS_PER_BIT
    top.set_ylim(0, 1.08 * highest if highest > 0 else 1)
    bottom.set_ylabel("accuracy in the class  [%]" if is_error else "mean loss in the class")
    bottom.set_ylim(0, 105 if is_error else None)
    if named:
        size = 9 if len(order) <= 40 else 6.5
        bottom.set_xticks(
            place, [_short(str(names[k])) for k in order], rotation=90 if len(order) > 10 else 0, fontsize=size
        )
        bottom.set_xlabel("class")
    else:
        bottom.set_xlabel("classes, the one of the most bits first")
    top.set_xlim(-0.7, len(order) - 0.3)
    for ax in (top, bottom):
        ax.grid(axis="y", alpha=0.25)
        ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _percent(distortion: np.ndarray, is_error: bool) -> np.ndarray:
    return 100 * (1 - distortion) if is_error else distortion


def _short(name: str) -> str:
    """A name that fits under a bar."""
    return plots.literal(name if len(name) <= 18 else name[:17] + "…")

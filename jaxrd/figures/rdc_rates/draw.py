"""The picture of rdc-rates: MSE over bits, cross-entropy and accuracy over MSE, the universal penalty, realism."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd.figures.rdc_rates import baselines
from jaxrd.figures.rdc_rates.claims import MOST_MSE, named, penalties

Row = Mapping[str, Any]
BLUE, ORANGE, GREEN, RED, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"  # Okabe and Ito
_CODES = {
    baselines.RESIDUAL: ("0.45", "s"),
    baselines.BEAM: ("0.45", "P"),
    baselines.ADDITIVE: (RED, "D"),
    baselines.PRODUCT: (ORANGE, "v"),
    baselines.SCALAR: (PINK, "x"),
}
_COLOURS = (BLUE, GREEN, RED, PINK, ORANGE)
_MARKERS = ("o", "s", "D", "^", "v")


def draw(rates: Sequence[Row], first: str, floor: float, labels: Sequence[str]) -> Figure:
    """All six panels.

    Args:
        rates: of the JSON.
        first: name of the target of MSE alone.
        floor: sliced W2 between two samples of the images.
        labels: their names; the first and the last have a panel of accuracy.
    """
    figure = Figure((19, 10.5), layout="constrained")
    (codes, plane, digit), (penalty, realism, second) = figure.subplots(2, 3)
    _over_bits(codes, rates, first)
    _plane(plane, rates, "ce_nats", 0)
    _entropies(plane, rates, 0)
    _decimal(plane.yaxis)
    _key(plane, rates)
    plane.set_ylabel(f"cross-entropy of the fixed classifier, {labels[0]}  [nat]")
    plane.set_title("full: encoder and decoder trained together; open: universal", fontsize=10)
    for ax, k in ((digit, 0), (second, len(labels) - 1)):
        _plane(ax, rates, "accuracy", k, _wrong)
        _percents(ax)
        ax.set_ylabel(f"accuracy of the fixed classifier, {labels[k]}  [%]")
        ax.set_title(f"the same models: {labels[k]}", fontsize=10)
    _penalty(penalty, rates)
    _realism(realism, rates, first, floor)
    return figure


def _over_bits(ax: Axes, rates: Sequence[Row], first: str) -> None:
    bits = [rate["bits"] for rate in rates]

    def values(name: str) -> list[float]:
        rows = [next((b for b in rate["baselines"] if b["name"] == name), None) for rate in rates]
        return [float("nan") if row is None else row["mse"] for row in rows]

    for name, (colour, marker) in _CODES.items():
        if np.isfinite(values(name)).any():
            ax.plot(bits, values(name), marker=marker, color=colour, linewidth=1, label=name)
    ax.plot(bits, values(baselines.GAUSSIAN), "--k", linewidth=1.2,
            label="R(D) of a Gaussian source of the same\ncovariance: no bound for these images")  # fmt: skip
    rows = [named(rate["conventional"], first) for rate in rates]
    mse = [float("nan") if row is None else row["mse"] for row in rows]
    spread = [0.0 if row is None or row["mse_std"] is None else row["mse_std"] for row in rows]
    ax.errorbar(bits, mse, spread, fmt="o-", color=BLUE, linewidth=2, markersize=8, capsize=3,
                label="network, MSE alone")  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(bits, [str(b) for b in bits])
    _decimal(ax.yaxis)
    ax.set_xlabel("bits an image, at most")
    ax.set_ylabel("mean square error per pixel")
    ax.set_title("codes of the same length, fitted to the training images", fontsize=10)
    ax.grid(alpha=0.25, which="both")
    ax.margins(y=0.12)
    ax.legend(frameon=False, fontsize=8, loc="lower left")


def _decimal(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(10, subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def _targets(rates: Sequence[Row]) -> dict[str, str]:
    """A colour for each target, in the order of the rows."""
    names = dict.fromkeys(row["target"] for rate in rates for row in rate["conventional"])
    return dict(zip(names, _COLOURS * len(names), strict=False))


def _plane(ax: Axes, rates: Sequence[Row], key: str, label: int, height: Callable[[float], float] = float) -> None:
    """A measure of a label against MSE; a line joins a universal decoder to the model of its target."""
    colours = _targets(rates)
    for rate, marker in zip(rates, _MARKERS * len(rates), strict=False):
        for row in rate["conventional"]:
            ax.plot(row["mse"], height(row[key][label]), marker, color=colours[row["target"]], markersize=8)
        for row in rate["universal"]:
            own = named(rate["conventional"], row["target"])
            colour = colours.get(row["target"], "0.4")
            place = row["mse"], height(row[key][label])
            ax.plot(*place, marker, color=colour, markersize=8, markerfacecolor="white")
            if own is not None:
                ax.plot([own["mse"], place[0]], [height(own[key][label]), place[1]], "-", color=colour, linewidth=0.8)
    ax.set_yscale("log")
    ax.set_xlabel("mean square error per pixel")
    ax.grid(alpha=0.25, which="both")


def _entropies(ax: Axes, rates: Sequence[Row], label: int) -> None:
    """The least H(S|M) of each rate's encoders, an upper estimate: no decoder of that encoder has less CE."""
    for rate in rates:
        rows = [*rate["conventional"], *rate["universal"]]
        if rows:
            least = min(row["label_entropy_nats"][label] for row in rows)
            ax.plot(min(row["mse"] for row in rows), least, marker="_", color="k", markersize=18)


def _wrong(accuracy: float) -> float:
    return 100 * max(1 - accuracy, 1e-4)


def _percents(ax: Axes) -> None:
    """Accuracy upwards, on the log scale of the error: 98 and 99 % are as far apart as 80 and 90 %."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    ax.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda wrong, _: f"{100 - wrong:g}"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    ax.invert_yaxis()


def _key(ax: Axes, rates: Sequence[Row]) -> None:
    """The legend of all planes."""
    for name, colour in _targets(rates).items():
        ax.plot([], [], "o", color=colour, label=name)
    for rate, marker in zip(rates, _MARKERS * len(rates), strict=False):
        ax.plot([], [], marker, color="0.5", label=f"{rate['bits']} bits")
    frozen = dict.fromkeys(row["encoder_target"] for rate in rates for row in rate["universal"])
    if frozen:
        ax.plot(
            [], [], "o", color="0.5", markerfacecolor="white", label=f"open: on the encoder of\n{', '.join(frozen)}"
        )
    ax.plot([], [], "_k", markersize=14, label="least H(S|M), upper estimate")
    ax.legend(frameon=False, fontsize=7.5, ncols=2, loc="upper left")


def _penalty(ax: Axes, rates: Sequence[Row]) -> None:
    """MSE of universal decoders above that of the models of their targets, in percent, by rate."""
    colours = _targets(rates)
    names = list(dict.fromkeys(p["target"] for rate in rates for p in penalties(rate)))
    width = 0.8 / max(len(names), 1)
    for k, name in enumerate(names):
        found = [next((p for p in penalties(rate) if p["target"] == name), None) for rate in rates]
        place = np.arange(len(rates)) + (k - (len(names) - 1) / 2) * width
        heights = [0.0 if p is None else 100 * p["mse"] for p in found]
        ax.bar(place, heights, 0.9 * width, color=colours.get(name, "0.4"), label=name)
        for x, p, height in zip(place, found, heights, strict=True):
            if p is not None:
                asked = zip(p["ce_nats"], p["asked"], strict=True)
                words = "\n".join(f"{ce:+.3f}" for ce, weighted in asked if weighted)
                ax.annotate(words, (x, max(height, 0)), xytext=(0, 3), textcoords="offset points", ha="center",
                            fontsize=7)  # fmt: skip
    ax.axhline(100 * MOST_MSE, color="k", linestyle=":", linewidth=1)
    ax.axhline(0, color="k", linewidth=0.8)
    ax.margins(y=0.35)
    ax.set_xticks(np.arange(len(rates)), [f"{rate['bits']} bits" for rate in rates])
    ax.set_xlim(-0.5, len(rates) - 0.5)
    ax.set_ylabel("MSE above the model trained for the target  [%]")
    ax.set_title("what universal decoders lose; numbers: nats of the cross-entropies they are for", fontsize=10)
    ax.grid(alpha=0.25, axis="y")
    if names:
        ax.legend(frameon=False, fontsize=8, ncols=2, loc="upper center")


def _realism(ax: Axes, rates: Sequence[Row], first: str, floor: float) -> None:
    """Sliced W2 against MSE, as a multiple of the least MSE of the rate, with the sampling floor."""
    for rate, marker, colour in zip(rates, _MARKERS * len(rates), _COLOURS * len(rates), strict=False):
        least = named(rate["conventional"], first)
        if least is None:
            continue
        for kind, fill in (("conventional", colour), ("universal", "white")):
            rows = [row for row in rate[kind] if row["wasserstein"]]
            for row in rows:
                ends = [[1, row["mse"] / least["mse"]], [least["sliced_w2"], row["sliced_w2"]]]
                ax.plot(*ends, "-", color=colour, linewidth=0.8, alpha=0.6)
                ax.plot(ends[0][1], ends[1][1], marker, color=colour, markerfacecolor=fill, markersize=9)
        ax.plot(1, least["sliced_w2"], marker, color=colour, markersize=9, label=f"{rate['bits']} bits")
    ax.plot([], [], "o", color="0.5", markerfacecolor="white", label="open: universal decoder")
    ax.axhline(floor, color="k", linestyle="--", linewidth=1, label=f"between two samples of the images: {floor:.3f}")
    ax.axvline(2, color="k", linestyle=":", linewidth=1, label="twice the least MSE")
    ax.set_ylim(bottom=0)
    ax.margins(y=0.3)
    ax.set_xlabel("MSE, a multiple of that of MSE alone")
    ax.set_ylabel("sliced W2 to the test images  [per pixel]")
    ax.set_title("realism: at 1 MSE alone, to the right decoders with noise and a critic", fontsize=10)
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=8)

"""The pictures of Figure 6 of [B]: the trade-off, the losses of training, reproductions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd.figures.rdc_fig6.plan import LOW_CE, LOW_DISTORTION, Group

Row = Mapping[str, Any]
BLUE, ORANGE, GREEN, RED, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"  # Okabe and Ito


def draw(
    tables: Mapping[str, Sequence[Row]],
    published: Sequence[Row],
    published_universal: Sequence[Row],
    bound: Mapping[str, Any],
    corners: Sequence[Row] = (),
) -> Figure:
    """Cross-entropy and accuracy against MSE, the corner of each frozen encoder, and the effect of the W1 term."""
    figure = Figure((15.5, 6.0), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _plane(left, tables, published, published_universal, ("ce_nats", "ce_std"), float)
    _plane(middle, tables, published, (), ("accuracy", "accuracy_std"), lambda accuracy: 100 * (1 - accuracy))
    _corners(left, corners, "ce_nats", float)
    _corners(middle, corners, "accuracy", lambda accuracy: 100 * (1 - accuracy))
    _ticks(left, (0.03, 0.05, 0.1, 0.2, 0.5, 1, 2), "{:g}".format)
    _ticks(middle, (0.5, 1, 2, 5, 10, 20, 40), lambda wrong: f"{100 - wrong:g}")
    # Accuracy rises upwards, on the log scale of the error: 98 and 99 % are as far apart as 60 and 80 %.
    middle.invert_yaxis()
    plain = [r for r in tables["conventional"] if not r["wasserstein_weight"]]
    _name(left, plain, [r["ce_nats"] for r in plain])
    _name(middle, plain, [100 * (1 - r["accuracy"]) for r in plain])
    left.set_ylabel("cross-entropy of the fixed classifier  [nat]")
    middle.set_ylabel("accuracy of the fixed classifier  [%]")
    left.set_title("numbers: the weight of the cross-entropy in the loss", fontsize=10)
    middle.set_title("the same models", fontsize=10)
    measured = "" if bound["d_b"] is None else f"; measured: {bound['d_b']:.3f}"
    left.text(
        0.98, 0.02, f"Theorem 5: decoders on the\nencoder of weight 0 keep\nMSE ≤ {bound['d_b_at_most']:.3f}{measured}",
        transform=left.transAxes, ha="right", va="bottom", fontsize=9, color="0.3",
    )  # fmt: skip
    _realism(right, tables)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=2, frameon=False)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", frameon=False)
    return figure


def _plane(
    ax: Axes,
    tables: Mapping[str, Sequence[Row]],
    published: Sequence[Row],
    published_universal: Sequence[Row],
    keys: tuple[str, str],
    height: Callable[[float], float],
) -> None:
    key, deviation = keys

    def points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
        ordered = sorted((r for r in rows if r[key] is not None), key=lambda r: r["weight"])
        return [r["mse"] for r in ordered], [height(r[key]) for r in ordered]

    plain = [r for r in tables["conventional"] if not r["wasserstein_weight"]]
    decoders = [r for r in tables["universal"] if not r["wasserstein_weight"]]
    ax.set_yscale("log")
    ax.plot(*points(tables["quantiser"]), "-", color="0.45", marker=".", linewidth=1.2, label="27-message quantiser")
    ax.plot(*points(plain), "o-", color=BLUE, markeredgecolor="k", label="conventional: encoder and decoder trained")
    for encoder, colour, marker in ((LOW_CE, GREEN, "^"), (LOW_DISTORTION, ORANGE, "v")):
        rows = [r for r in decoders if r["encoder_weight"] == encoder]
        label = f"universal: decoders on the frozen encoder of weight {encoder:g}"
        if rows:
            ax.plot(*points(rows), marker=marker, linestyle=":", color=colour, markersize=8, label=label)
    repeated = [r for r in (*plain, *decoders) if r["mse_std"] is not None]
    for r in repeated:
        ends = [height(r[key] + sign * r[deviation]) for sign in (-1, 1)]
        ax.plot([r["mse"]] * 2, ends, "-k", linewidth=0.9, zorder=5)
        ax.plot(r["mse"] + np.array([-1, 1]) * r["mse_std"], [height(r[key])] * 2, "-k", linewidth=0.9, zorder=5)
    if repeated:
        ax.plot([], [], "+k", label=f"mean ± deviation of {len(repeated[0]['seeds'])} seeds")
    ax.plot(*points(published), "D", color=RED, label="published, conventional (their classifier)")
    if published_universal:
        ax.plot(*points(published_universal), "X", color=PINK, label="published, universal (their classifier)")
    ax.set_xlabel("mean square error per pixel")
    ax.grid(alpha=0.25)


def _name(ax: Axes, rows: Sequence[Row], heights: Sequence[float]) -> None:
    """Write the weight of each row right of its point; a name that would cover the one below it is moved up.

    The limits of the axes must be final.
    """
    places = ax.transData.transform([(r["mse"], y) for r, y in zip(rows, heights, strict=True)])
    free = -np.inf  # pixels
    for i in np.argsort(places[:, 1]):
        free = max(free, places[i, 1])
        up = (free - places[i, 1]) * 72 / ax.figure.dpi
        ax.annotate(f"{rows[i]['weight']:g}", (rows[i]["mse"], heights[i]), xytext=(17, up), zorder=7,
                    textcoords="offset points", va="center", fontsize=9, color=BLUE)  # fmt: skip
        free += 11 * ax.figure.dpi / 72


def _corners(ax: Axes, corners: Sequence[Row], key: str, height: Callable[[float], float]) -> None:
    """Crosses where no decoder of a frozen encoder is better in either, but for the sample."""
    shape = {"marker": "P", "linestyle": "", "markeredgecolor": "k", "markersize": 9}
    for row in corners:
        colour = {LOW_CE: GREEN, LOW_DISTORTION: ORANGE}.get(row["encoder_weight"], BLUE)
        ax.plot([row["mse"]], [height(row[key])], color=colour, zorder=6, **shape)
    if corners:
        label = "corner: training means and label shares of a frozen encoder, no network"
        ax.plot([], [], color="white", label=label, **shape)


def _ticks(ax: Axes, values: Sequence[float], name: Callable[[float], str]) -> None:
    low, high = ax.get_ylim()
    inside = [v for v in values if low <= v <= high]
    ax.set_yticks(inside, [name(v) for v in inside])
    ax.minorticks_off()


def _realism(ax: Axes, tables: Mapping[str, Sequence[Row]]) -> None:
    universal = [r for r in tables["universal"] if r["encoder_weight"] == LOW_CE]
    ax.margins(x=0.12, y=0.08)
    for rows, name, colour, marker, side in (
        (tables["conventional"], "conventional", BLUE, "o", -1),
        (universal, f"universal on the encoder of weight {LOW_CE:g}", GREEN, "^", 1),
    ):
        after = [r for r in rows if r["wasserstein_weight"]]
        weights = sorted({r["weight"] for r in after})
        before = [r for r in rows if r["weight"] in weights and not r["wasserstein_weight"]]
        for weight in weights:
            same = sorted(
                (r for r in (*before, *after) if r["weight"] == weight), key=lambda r: r["wasserstein_weight"]
            )
            ax.plot(*_points(same), "-", color=colour, linewidth=0.8, alpha=0.6)
        ax.plot(*_points(before), marker, color=colour, markersize=8, linestyle="", label=f"{name}, without W1")
        ax.plot(*_points(after), marker, color=colour, markersize=8, markerfacecolor="white", linestyle="",
                label=f"{name}, with W1")  # fmt: skip
        for place, words in _places(after, side):
            ax.annotate(words, place, xytext=(9 * side, 0), textcoords="offset points", va="center",
                        ha="left" if side > 0 else "right", fontsize=9, color=colour)  # fmt: skip
        if side < 0:
            for i, r in enumerate(before):  # by weight, and so by MSE
                ax.annotate(f"CE {r['weight']:g}", (r["mse"], r["sliced_w2"]), xytext=(0, 8), fontsize=9, color=colour,
                            textcoords="offset points", ha=("right", "left")[i == len(before) - 1])  # fmt: skip
    ax.set_xlabel("mean square error per pixel")
    ax.set_ylabel("sliced W2 to the test images  [per pixel]")
    ax.set_title("what the W1 term buys; numbers at open marks: its weight", fontsize=10)
    ax.grid(alpha=0.25)


def _points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [r["mse"] for r in rows], [r["sliced_w2"] for r in rows]


def _places(rows: Sequence[Row], side: int) -> list[tuple[tuple[float, float], str]]:
    """Where to write the W1 weights; once, at the outermost, where models of one weight lie close together."""
    places: list[tuple[tuple[float, float], str]] = []
    for r in sorted(rows, key=lambda r: -side * r["mse"]):
        place, words = (r["mse"], r["sliced_w2"]), f"{r['wasserstein_weight']:g}"
        near = [there for there, said in places if said == words and np.allclose(there, place, rtol=0.01)]
        if not near:
            places.append((place, words))
    return places


def losses(histories: Sequence[tuple[Group, Sequence[Row]]]) -> Figure:
    """MSE and cross-entropy on the training images by epoch, a row of panels for each group."""
    figure = Figure((11, 3.1 * len(histories)), layout="constrained")
    axes = figure.subplots(len(histories), 2, squeeze=False)
    for (group, history), pair in zip(histories, axes, strict=True):
        x = np.arange(1, len(history) + 1)
        for ax, key, unit in zip(
            pair, ("mse", "cross_entropy"), ("MSE per pixel", "cross-entropy  [nat]"), strict=True
        ):
            values = np.array([row[key] for row in history])
            weights = sorted({m.weight for m in group.members})
            shades = dict(zip(weights, np.linspace(0, 0.85, len(weights)), strict=True))
            for i, m in enumerate(group.members):
                # Lightness orders the weights, for every reader; dashes mark the W1 term.
                ax.plot(x, values[:, i], color=_viridis(shades[m.weight]), linewidth=1.2,
                        linestyle="--" if m.wasserstein else "-")  # fmt: skip
            for weight in weights:
                ax.plot([], [], color=_viridis(shades[weight]), label=f"{weight:g}")
            for edge in np.cumsum([leg.epochs for leg in group.legs])[:-1]:
                ax.axvline(edge + 0.5, color="0.6", linewidth=0.8, linestyle=":")
            ax.set_xlabel("epoch")
            ax.set_ylabel(unit)
            ax.grid(alpha=0.25)
        pair[1].set_yscale("log")
        _ticks(pair[1], (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5), "{:g}".format)
        pair[0].set_title(f"{group.name}: on training images, moved where the first leg moves them", fontsize=9)
        pair[1].legend(frameon=False, fontsize=7, ncols=2, title="weight of CE; dashed: with W1", title_fontsize=7)
    return figure


def _viridis(share: float) -> Any:
    from matplotlib import colormaps

    return colormaps["viridis"](share)


def _order(row: Row) -> tuple[bool, float, float, float]:
    return row["encoder"] is not None, -(row["encoder"] or 0), row["weight"], row["wasserstein"]


def samples(images: np.ndarray, stacks: Sequence[tuple[Row, np.ndarray]]) -> Figure:
    """Test images above, below them their reproductions by each model of the first seed."""
    rows = [("test images", np.round(255 * images).astype(np.uint8))]
    for row, shown in sorted(stacks, key=lambda stack: _order(stack[0])):
        if row["seed"] == 0:
            kind = "conventional" if row["encoder"] is None else f"universal on {row['encoder']:g}"
            realism = f", W1 {row['wasserstein']:g}" if row["wasserstein"] else ""
            rows.append((f"{kind}: CE {row['weight']:g}{realism}", shown))
    tile, margin = 0.42, 2.8  # inches
    width = tile * len(images) + margin
    figure = Figure((width, tile * len(rows)))
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    figure.subplots_adjust(left=margin / width, right=1, bottom=0, top=1, hspace=0)
    for ax, (name, shown) in zip(axes, rows, strict=True):
        ax.imshow(shown.reshape(-1, 28, 28).swapaxes(0, 1).reshape(28, -1), cmap="gray", vmin=0, vmax=255)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    return figure

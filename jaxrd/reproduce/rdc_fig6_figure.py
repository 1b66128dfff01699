"""The pictures of Figure 6 of [B]: the trade-off, the losses of training, reproductions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd.reproduce.rdc_fig6_plan import LOW_CE, Group

Row = Mapping[str, Any]
BLUE, ORANGE, GREEN, RED, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"  # Okabe and Ito


def draw(
    tables: Mapping[str, Sequence[Row]],
    published: Sequence[Row],
    published_universal: Sequence[Row],
    bound: Mapping[str, Any],
) -> Figure:
    """Cross-entropy and accuracy against MSE, and what the W1 term buys."""
    figure = Figure((15.5, 5.0), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    for ax, key, scale in ((left, "ce_nats", 1), (middle, "accuracy", 100)):
        _plane(ax, tables, published, published_universal if key == "ce_nats" else (), key, scale)
    left.set_yscale("log")
    left.set_ylabel("cross-entropy of the fixed classifier  [nat]")
    middle.set_ylabel("accuracy of the fixed classifier  [%]")
    left.legend(frameon=False, fontsize=8, loc="upper right")
    _realism(right, tables)
    left.annotate(
        f"Theorem 5: decoders on the low-distortion encoder\nkeep MSE ≤ {bound['d_b_at_most']:.3f}",
        (0.98, 0.45), xycoords="axes fraction", ha="right", fontsize=8, color="0.3",
    )  # fmt: skip
    return figure


def _plane(
    ax: Axes,
    tables: Mapping[str, Sequence[Row]],
    published: Sequence[Row],
    published_universal: Sequence[Row],
    key: str,
    scale: float,
) -> None:
    def points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
        ordered = sorted(rows, key=lambda r: r["weight"])
        return [r["mse"] for r in ordered], [scale * r[key] for r in ordered]

    plain = [r for r in tables["conventional"] if not r["wasserstein_weight"]]
    decoders = [r for r in tables["universal"] if not r["wasserstein_weight"]]
    ax.plot(*points(tables["quantiser"]), "-", color="0.45", marker=".", linewidth=1.2, label="27-message quantiser")
    ax.plot(*points(plain), "o-", color=BLUE, markeredgecolor="k", label="conventional: encoder and decoder trained")
    for encoder, colour, marker in ((LOW_CE, GREEN, "^"), (0.0, ORANGE, "v")):
        rows = [r for r in decoders if r["encoder_weight"] == encoder]
        label = f"universal: decoders on the encoder of weight {encoder:g}"
        if rows:
            ax.plot(*points(rows), marker=marker, linestyle=":", color=colour, label=label)
    spread = {"ce_nats": "ce_std", "accuracy": "accuracy_std"}[key]
    for r in [r for r in (*plain, *decoders) if r["mse_std"] is not None]:
        ax.errorbar(r["mse"], scale * r[key], scale * r[spread], r["mse_std"], color="k", linewidth=0.8, zorder=5)
    known = [p for p in published if p[key] is not None]
    ax.plot(*points(known), "D", color=RED, label="published, conventional (their classifier)")
    if published_universal:
        ax.plot(*points(published_universal), "x", color=RED, label="published, universal")
    for r in plain:
        ax.annotate(f"{r['weight']:g}", (r["mse"], scale * r[key]), xytext=(-5, -3), textcoords="offset points",
                    ha="right", va="top", fontsize=7, color=BLUE)  # fmt: skip
    ax.set_xlabel("mean square error per pixel")
    ax.grid(alpha=0.25)


def _realism(ax: Axes, tables: Mapping[str, Sequence[Row]]) -> None:
    for rows, name, colour, marker in (
        (tables["conventional"], "conventional", BLUE, "o"),
        ([r for r in tables["universal"] if r["encoder_weight"] == LOW_CE], "universal", GREEN, "^"),
    ):
        for with_term in (False, True):
            some = [r for r in rows if bool(r["wasserstein_weight"]) == with_term]
            face = "none" if with_term else colour
            label = f"{name}, {'with' if with_term else 'without'} the W1 term"
            ax.plot([r["mse"] for r in some], [r["sliced_w2"] for r in some], marker, color=colour,
                    markerfacecolor=face, markersize=7, label=label)  # fmt: skip
        for r in [r for r in rows if r["wasserstein_weight"]]:
            before = [b for b in rows if (b["weight"], b["wasserstein_weight"]) == (r["weight"], 0.0)]
            for b in before:
                ends = [b["mse"], r["mse"]], [b["sliced_w2"], r["sliced_w2"]]
                ax.plot(*ends, "-", color=colour, linewidth=0.8, alpha=0.6)
            ax.annotate(f"{r['weight']:g}, {r['wasserstein_weight']:g}", (r["mse"], r["sliced_w2"]), xytext=(6, 0),
                        textcoords="offset points", va="center", fontsize=7, color="0.3")  # fmt: skip
    ax.set_xlabel("mean square error per pixel")
    ax.set_ylabel("sliced W2 to the test images  [per pixel]")
    ax.set_title("with and without the W1 term (weights of CE, W1)", fontsize=9)
    ax.margins(x=0.15)
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=8)


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
                # Lightness orders the weights, for every reader; dashes tell the W1 term.
                label = f"{m.weight:g}" if m.seed == 0 and not m.wasserstein else None
                ax.plot(x, values[:, i], color=_viridis(shades[m.weight]), linewidth=1.2,
                        linestyle="--" if m.wasserstein else "-", label=label)  # fmt: skip
            for edge in np.cumsum([leg.epochs for leg in group.legs])[:-1]:
                ax.axvline(edge + 0.5, color="0.6", linewidth=0.8, linestyle=":")
            ax.set_yscale("log")
            ax.set_xlabel("epoch")
            ax.set_ylabel(unit)
            ax.grid(alpha=0.25)
        pair[0].set_title(f"{group.name}: on training images, moved where the first leg moves them", fontsize=9)
        pair[1].legend(frameon=False, fontsize=7, ncols=2, title="weight of CE", title_fontsize=7)
    return figure


def _viridis(share: float) -> Any:
    from matplotlib import colormaps

    return colormaps["viridis"](share)


def samples(images: np.ndarray, stacks: Sequence[tuple[Row, np.ndarray]]) -> Figure:
    """Test images above, below them what each model of the first seed makes of them."""
    rows = [("test images", np.round(255 * images).astype(np.uint8))]
    for row, shown in stacks:
        if row["seed"] == 0:
            kind = "conventional" if row["encoder"] is None else f"universal on {row['encoder']:g}"
            realism = f", W1 {row['wasserstein']:g}" if row["wasserstein"] else ""
            rows.append((f"{kind}: CE {row['weight']:g}{realism}", shown))
    figure = Figure((0.42 * len(images) + 2.6, 0.44 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for ax, (name, shown) in zip(axes, rows, strict=True):
        ax.imshow(shown.reshape(-1, 28, 28).swapaxes(0, 1).reshape(28, -1), cmap="gray", vmin=0, vmax=255)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    return figure

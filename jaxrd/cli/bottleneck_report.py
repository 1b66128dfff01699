"""What `jaxrd limits --bottleneck` prints and draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from jaxrd.cli.common import print_line

if TYPE_CHECKING:
    from jaxrd.tosc import LogLoss

BottleneckOption = Annotated[
    bool,
    typer.Option("--bottleneck", help="adds bits against log-loss, for soft labels: bottleneck.csv, bottleneck.png"),
]


def figure(found: LogLoss, name: str) -> bytes:
    """Bits against log-loss, a PNG."""
    from jaxrd import plots
    from jaxrd.information import NATS_PER_BIT

    drawn, ax = plots.new_figure()
    curve, believed = found.curve, found.curve.model_distortion
    assert believed is not None
    bits = curve.rate / NATS_PER_BIT
    ends = np.array([found.label_entropy, min(found.least, found.least_measured)]) / NATS_PER_BIT
    ax.plot(ends, ends[0] - ends, color="black", linestyle=(0, (5, 2)), label="oracle: H(Y) − D")
    ax.plot(
        curve.distortion / NATS_PER_BIT, bits, "o-", color="#D55E00", markersize=4, label="bottleneck, on the labels"
    )
    ax.plot(
        believed / NATS_PER_BIT, bits, color="#0072B2", linewidth=1.2, linestyle=(0, (3, 2)), label="as model believes"
    )
    ax.axvline(
        found.least_measured / NATS_PER_BIT, color="0.35", linewidth=1, linestyle=(0, (6, 3)),
        label="the posterior itself, on the labels",
    )  # fmt: skip
    ax.set_xlabel("log-loss  [bits]")
    ax.set_ylabel("rate  [bits per sample]")
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.25)
    ax.set_title(f"{plots.literal(name)}: bits needed for a given log-loss", fontsize=11)
    plots.place_legend(ax)
    return plots.png(drawn)


def report(found: LogLoss) -> None:
    """Print the ends of the curve and a point between."""
    from jaxrd.information import NATS_PER_BIT

    curve, unit = found.curve, NATS_PER_BIT
    middle = int(np.abs(curve.rate - curve.rate.max() / 2).argmin())
    print_line(
        f"log-loss: {curve.distortion[0] / unit:.4f} bits without a bit, {found.least_measured / unit:.4f} with the "
        f"posterior; {curve.rate[middle] / unit:.4f} bits a sample give {curve.distortion[middle] / unit:.4f} "
        "(information bottleneck, "
        + ("certified where the file says so)" if np.isfinite(curve.gap[1:]).all() else "achievable)")
    )

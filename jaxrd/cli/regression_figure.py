"""The figure of `jaxrd limits --loss squared`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxrd import plots
from jaxrd.information import NATS_PER_BIT

if TYPE_CHECKING:
    from jaxrd.tosc import RegressionLimits


def figure(limits: RegressionLimits, name: str) -> bytes:
    """Bits against the mean squared error, the root of it along the top; a PNG."""
    drawn, ax = plots.new_figure()
    s, curves = limits.summary, limits.curves
    for key, label in (("oRD", "oRD: oracle lower bound"), ("TMRD", "TMRD: the means, compressed, measured")):
        colour, marker, line = plots.STYLE[key]
        bits = curves[key].rate / NATS_PER_BIT
        ax.plot(curves[key].distortion, bits, color=colour, marker=marker, markersize=4, linestyle=line, label=label)
    model = curves["TMRD"].model_distortion
    if model is not None:
        bits = curves["TMRD"].rate / NATS_PER_BIT
        ax.plot(model, bits, color=plots.STYLE["TMRD"][0], linewidth=0.9, linestyle=(0, (3, 2)), label="as believed")
    gaussian = curves["Gaussian"]
    ax.plot(
        gaussian.distortion, gaussian.rate / NATS_PER_BIT, color="#009E73", linewidth=1.2, linestyle=":",
        label="Gaussian means of that variance",
    )  # fmt: skip
    ax.axvline(
        s["task_model_distortion"], color="0.35", linewidth=1, linestyle=(0, (6, 3)), label="the means as they are"
    )
    ax.axvline(s["zero_rate_distortion"], color="0.7", linewidth=1, linestyle="-", label="without a bit")
    left = min(x for x in (s["task_model_distortion"], s["believed_distortion"], np.inf) if x > 0)
    shown = left if np.isfinite(left) else s["zero_rate_distortion"] / 300
    ax.set_xscale("log")
    ax.set_xlim(
        0.8 * min(shown, s["zero_rate_distortion"]),
        1.15 * max(s["zero_rate_distortion"], *curves["TMRD"].distortion[:1]),
    )
    ax.set_ylim(bottom=0)
    ax.set_xlabel("mean squared error  D  [unit of the target squared]")
    ax.set_ylabel("rate  [bits per sample]")
    ax.grid(alpha=0.25, which="both")
    top = ax.secondary_xaxis("top", functions=(np.sqrt, np.square))
    top.set_xlabel("root mean squared error  [unit of the target]")
    ax.set_title(f"{plots.literal(name)}: bits needed for a given error", fontsize=11)
    plots.place_legend(ax)
    return plots.png(drawn)

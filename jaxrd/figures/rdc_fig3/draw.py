"""The drawing of figure 3 of [B], and the paper's sentences compared with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jaxrd.curve import lower_convex_envelope
from jaxrd.figures.reproduction import Claim
from jaxrd.information import NATS_PER_BIT
from jaxrd.rdc.point import FIXED, LIFTED, LITERAL, TIME_SHARED
from jaxrd.rdc.representation.universal import Universal

_LOOK = (("least distortion", "#0072B2", "o"), ("midpoint", "#009E73", "s"), ("least loss", "#D55E00", "^"))
TITLES = {
    LIFTED: "lifted: the decoder may emit a soft label (certified)",
    TIME_SHARED: "time-shared: literal codes take turns (achieved)",
    LITERAL: "literal: H(S|X̂) of one decoder (achieved)",
    FIXED: "fixed classifier: its cross entropy on X̂ (certified)",
}
Three = Mapping[str, Sequence[tuple[float, float]]]


def draw(curves: Mapping[str, Mapping[str, Any]], three: Three, rate: float) -> Figure:
    """Four panels; what lies above and to the right of a line can be decoded."""
    figure = Figure(figsize=(10.5, 8.2), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True).ravel()
    right = max(
        max(curve["distortion"][-1] for key, curve in curves.items() if key.startswith(name)) for name in TITLES
    )
    left = min(curve["distortion"][0] for curve in curves.values())
    right += 0.1 * (right - left)
    for ax, (name, title) in zip(axes, TITLES.items(), strict=True):
        own = [curve for key, curve in curves.items() if key.startswith(f"{name}: ")]
        highest = max(curve["classification_bits"][0] for curve in own)
        lowest = min(curve["classification_bits"][-1] for curve in own)
        top = highest + 0.25 * (highest - lowest)
        for (label, colour, marker), (d, c) in zip(_LOOK, three[name], strict=True):
            curve = curves[f"{name}: {label}"]
            ds, cs = np.asarray(curve["distortion"]), np.asarray(curve["classification_bits"])
            ax.plot([ds[0], *ds, right], [top, *cs, cs[-1]], color=colour, linewidth=1.6, label=f"from Z of {label}")
            ax.plot(d, c / NATS_PER_BIT, marker, color=colour, markersize=8, markeredgecolor="black")
        boundary = curves[f"{name}: boundary"]
        ds, cs = boundary["distortion"], boundary["classification_bits"]
        ax.plot([*ds, right], [*cs, cs[-1]], color="black", linewidth=1.2, linestyle=(0, (4, 2)), marker=".",
                markersize=5, label="any encoder of this rate")  # fmt: skip
        ax.set_title(title, fontsize=11)
        ax.set_ylim(lowest - 0.06 * (top - lowest), top)
        ax.set_ylabel("classification loss  C  [bits]")
        ax.grid(alpha=0.25)
    axes[0].set_xlim(left - 0.05 * (right - left), right)
    for ax in axes[2:]:
        ax.set_xlabel("distortion  D  [mean squared error]")
    axes[0].legend(fontsize=9, loc="upper right", frameon=True, framealpha=1)
    figure.suptitle(f"What can be decoded at R = {rate / NATS_PER_BIT:.3g} bit: D and C above and right of a line")
    return figure


def claims_of(curves: Mapping[str, Mapping[str, Any]], three: Three, penalties: Mapping[str, Universal]) -> list[Claim]:
    """The paper's sentences about the figure, and what was found."""
    bulge, where = max((_bulge(curves[f"{LITERAL}: {label}"]), label) for label, *_ in _LOOK)
    return [
        Claim(
            "The region of a representation is convex and contains all intermediate pairs.",
            f"Not of one decoder: without time sharing its boundary rises {bulge:.4f} bit above the chord between "
            f"two decoders (Z of {where}), H(S|X̂) being concave in the decoder. Time-shared and fixed-classifier "
            "regions are polygons, the lifted one a quadrant.",
        ),
        Claim(
            "Theorem 5: the upper-left extreme point of the region of Z = X̂_(D1,C1) is (D1, C1).",
            "Right in every semantics: " + "; ".join(_first(curves, three, name) for name in TITLES) + ".",
        ),
        Claim(
            "Theorem 5 bounds how far that region's lower-right extreme point is from (D3, C3), that of all encoders.",
            "Far, in C: " + "; ".join(_last(curves, three, name) for name in TITLES) + ".",
        ),
        Claim(
            "One encoder serves all constraint pairs without a rate penalty (Theorem 3, Gaussian).",
            "Not here. Serving D1 and C3 from one encoder costs, beyond the rate of either: "
            + "; ".join(_penalty(name, universal) for name, universal in penalties.items())
            + ".",
        ),
    ]


def _bulge(curve: Mapping[str, Any]) -> float:
    """How far a boundary lies above its own chords: above the lower convex envelope."""
    d, c = np.asarray(curve["distortion"]), np.asarray(curve["classification_bits"])
    return float((c - np.asarray(lower_convex_envelope(d, c))).max())


def _first(curves: Mapping[str, Mapping[str, Any]], three: Three, name: str) -> str:
    curve, (d, c) = curves[f"{name}: {_LOOK[0][0]}"], three[name][0]
    off = max(abs(curve["distortion"][0] / d - 1), abs(curve["classification_bits"][0] * NATS_PER_BIT / c - 1))
    return f"{name} within {off:.0e}"


def _last(curves: Mapping[str, Mapping[str, Any]], three: Three, name: str) -> str:
    curve, (d, c) = curves[f"{name}: {_LOOK[0][0]}"], three[name][2]
    least = float(curve["classification_bits"][-1])
    return (
        f"{name} C = {least:.4f} bit at D = {curve['distortion'][-1]:.4g} from Z of least distortion, "
        f"{c / NATS_PER_BIT:.4f} bit at D = {d:.4g} from the best encoder"
    )


def _penalty(name: str, universal: Universal) -> str:
    if not np.isfinite(universal.penalty):
        return f"{name}: no code found that meets both"
    low, high = universal.penalty_lower / NATS_PER_BIT, universal.penalty / NATS_PER_BIT
    return f"{name} {high:.4f} bit" if high - low < 1e-6 else f"{name} between {low:.4f} and {high:.4f} bit"

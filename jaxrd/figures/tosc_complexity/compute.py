"""Section IV-B of [A]: bits of ResNet-50 at the transmitter, cut by cut, against rate and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd.closed_form import categorical
from jaxrd.figures.reproduction import Claim, Reproduction
from jaxrd.figures.tosc_complexity.cuts import MEBIBYTE, PRINTED, Cut, conventions, counts, cuts
from jaxrd.information import NATS_PER_BIT
from jaxrd.plots import STYLE
from jaxrd.tosc import Outputs, confusion_joint, landmarks
from jaxrd.tosc.curves import estimated, indirect, oracle

CLASSES = 1000
ACCURACIES = (0.5, 0.6, 0.7)
TOLERANCE = 1e-6
"""Certified gap asked of iE&C, nats: two decimals are printed."""
_PUBLISHED_MEBIBYTES = 97.781
"""torchvision's own fp32 file of the whole model, as its documentation states."""


class _Rates(NamedTuple):
    """The rates with the whole model at the transmitter, bits per sample."""

    bounds: dict[str, np.ndarray]
    """At `ACCURACIES`, by name; inf where a bound does not reach."""
    decisions: float = np.nan
    """Entropy of the decisions: the rate of sending all of them."""
    accuracy: float = np.nan
    """Of the decisions."""


def rates(outputs: Outputs | None) -> _Rates:
    """The bounds at `ACCURACIES`, solved for; without outputs oRD alone, of 1000 equally likely labels.

    Args:
        outputs: a classifier's.
    """
    d = [1 - accuracy for accuracy in ACCURACIES]
    if outputs is None:
        even = np.full(CLASSES, 1 / CLASSES)
        return _Rates({"oRD": np.asarray(categorical.rate(even, np.array(d))) / NATS_PER_BIT})
    joint = confusion_joint(outputs.labels, outputs.decisions, outputs.classes)
    d_tm, _, entropy = (float(x) for x in landmarks(joint))
    bounds = {
        "oRD": oracle.draw(joint.sum(1), 2),
        "iE&C": indirect.draw(joint, 2, tol=TOLERANCE),
        "E&C": estimated.draw(joint, 2),
    }
    bits = {name: np.array([bound.smallest(x).rate for x in d]) / NATS_PER_BIT for name, bound in bounds.items()}
    return _Rates(bits, entropy / NATS_PER_BIT, 1 - d_tm)


def _draw_sizes(ax: Axes, every: Sequence[Cut]) -> None:
    x = np.arange(len(every))
    for width, colour in ((4, "#56B4E9"), (2, "#0072B2")):
        sizes = [cut.bytes(width) / MEBIBYTE for cut in every]
        ax.bar(x, sizes, color=colour, width=0.75, label=f"parameters, fp{8 * width}")
    at = {cut.unit: k for k, cut in enumerate(every)}
    for printed, unit in zip(PRINTED, ("layer4.2", "layer4.0", "layer3.3"), strict=True):
        ax.plot(at[unit], printed.megabytes, marker="*", markersize=13, color="#D55E00", markeredgecolor="white")
        ax.annotate(
            f"{printed.megabytes:g}", (at[unit], printed.megabytes), (-9, 7), textcoords="offset points", ha="right",
            fontsize=9, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1},
        )  # fmt: skip
    ax.plot([], [], "*", color="#D55E00", markersize=11, label='printed in [A], "MB", where it fits')
    ax.set_xticks(x, [cut.unit for cut in every], rotation=90, fontsize=8)
    ax.set_ylabel("front end up to and with that unit  [MiB]")
    ax.legend(frameon=False, fontsize=9, loc="upper left")
    ax.grid(alpha=0.25, axis="y")


def _draw_rates(ax: Axes, every: Sequence[Cut], whole: _Rates) -> None:
    front = [8 * cut.bytes(2) / 1e6 for cut in every]
    sent = [16 * cut.features for cut in every[:-1]]
    ax.plot(
        front[:-1], sent, "o-", color="0.45", markersize=4, linewidth=1, label="features of the cut, fp16, no codec"
    )
    if np.isfinite(whole.decisions):
        label = f"decisions, lossless: {whole.accuracy:.2%}, {whole.decisions:.2f} bit"
        ax.plot(front[-1], whole.decisions, "P", color="#CC79A7", markersize=9, label=label)
    asked = ", ".join(f"{accuracy:.0%}" for accuracy in ACCURACIES)
    for name, bits in whole.bounds.items():
        colour, marker, line = STYLE[name]
        reached = bits[np.isfinite(bits)]
        label = f"{name} at {asked}: {', '.join(f'{b:.2f}' for b in reached)} bit"
        if name == "oRD":  # wherever the model is cut
            ax.hlines(reached, front[0], front[-1], color=colour, linewidth=1, linestyle=line, label=label)
        else:
            at = np.full(len(reached), front[-1])
            ax.plot(at, reached, marker, color=colour, markersize=4.5, linestyle="None", label=label)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("model at the transmitter, fp16  [Mbit]")
    ax.set_ylabel("rate  [bits per image]")
    ax.legend(frameon=False, fontsize=9, loc="center left")
    ax.grid(alpha=0.25)


def _figure(every: Sequence[Cut], whole: _Rates, title: str) -> Figure:
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_sizes(left, every)
    left.set_title("ResNet-50 cut after every block", fontsize=11)
    _draw_rates(right, every, whole)
    right.set_title(f"what a cut sends, and the bounds: {title}", fontsize=11)
    return figure


def _nearest(every: list[Cut], k: int) -> str:
    """The counts nearest to a printed size."""
    nearest = [count for count in counts(every) if count.printed is PRINTED[k]]
    nearest.sort(key=lambda count: abs(count.megabytes - PRINTED[k].megabytes))
    return "; ".join(f"{count.megabytes:.2f} ({count.words})" for count in nearest[:3])


def _claims(every: list[Cut], allowed: _Rates) -> list[Claim]:
    at = {cut.unit: cut for cut in every}
    whole = at["fc"]
    explained = [
        "fp{} in {}, {}, {}: with {:.0f} to {:.0f} bytes a tensor for a file's container".format(
            8 * convention.counts[0].width, "MiB" if convention.counts[0].mebi else "MB",
            "batch-norm statistics counted" if convention.counts[0].buffers else "parameters only",
            ", ".join(f"{count.printed.megabytes:g} up to {count.unit}" for count in convention.counts),
            *convention.container,
        )
        for convention in conventions(every)
    ]  # fmt: skip
    published = (_PUBLISHED_MEBIBYTES * MEBIBYTE - whole.bytes(4, buffers=True)) / whole.tensors
    a, b, c = (printed.megabytes for printed in PRINTED)
    reached = {name: np.isfinite(bits) for name, bits in allowed.bounds.items()}
    spent = "; ".join(
        f"{accuracy:.0%}: "
        + ", ".join(f"{name} {bits[k]:.2f}" for name, bits in allowed.bounds.items() if reached[name][k])
        for k, accuracy in enumerate(ACCURACIES)
    )
    decided = f"; all decisions {allowed.decisions:.2f}" if np.isfinite(allowed.decisions) else ""
    return [
        Claim(
            "a full ResNet-50 of 45.06 MB (float 16) operates at the transmitter",
            f"{whole.parameters} parameters are {whole.bytes(2) / 1e6:.2f} MB or {whole.bytes(2) / MEBIBYTE:.2f} MiB. "
            f"Nearest to 45.06: {_nearest(every, 0)}. So the unit is MiB, and the fully connected layer "
            f"({whole.parameters - at['layer4.2'].parameters} parameters), without which nothing is decided, not in it",
        ),
        Claim(
            "up to Block 0 of Layer 4: almost halved, to 28 MB",
            f"nearest: {_nearest(every, 1)}; {1 - b / a:.0%} less than 45.06, not half, and "
            f"{1 - at['layer4.0'].parameters / whole.parameters:.0%} less than the whole model",
        ),
        Claim(
            "up to Block 4 of Layer 3: halved again, to 12.16 MB",
            f"nearest: {_nearest(every, 2)}; {1 - c / b:.0%} less than 28. Block 4 is not in it (with it "
            f"{at['layer3.4'].bytes(2) / MEBIBYTE:.2f} MiB), while Block 0 of Layer 4 is in the 28",
        ),
        Claim(
            "45.06, 28 and 12.16 MB, by one way of counting",
            f"{'; or '.join(explained) or 'none of those tried'}. Without a container none gives all three. "
            f"(torchvision's own fp32 file has {published:.0f} bytes a tensor beyond its numbers.)",
        ),
        Claim(
            "the gap in rate is primarily due to the complexity of the transmitter",
            f"not tested here: no learned codec is. The cuts send {16 * at['layer3.3'].features} (after layer3.3) and "
            f"{16 * at['layer4.0'].features} bit (after layer4.0) an image as they are, in fp16; with the whole model "
            f"({8 * whole.bytes(2) / 1e6:.0f} Mbit) at the transmitter the bounds are, in bits, at {spent}{decided}",
        ),
        Claim("float 16 loses nothing against float 32", "not examined: the shapes are counted, there are no weights"),
    ]  # fmt: skip


def tosc_complexity(outputs: Outputs | None, title: str, *, notes: Sequence[str] = ()) -> Reproduction:
    """Recompute section IV-B of [A]: the size of ResNet-50's front end at every cut, beside rates and accuracies.

    Args:
        outputs: a ResNet-50's on ImageNet; None: oRD alone, of 1000 equally likely labels.
        title: of the outputs.
        notes: of where the outputs come from.
    """
    every = cuts()
    whole = rates(outputs)
    curves: dict[str, dict[str, Any]] = {
        "front end": {
            "unit": [cut.unit for cut in every], "parameters": [cut.parameters for cut in every],
            "statistics": [cut.statistics for cut in every], "fp16_bits": [8 * cut.bytes(2) for cut in every],
            "fp32_bits": [8 * cut.bytes(4) for cut in every],
            "fp16_with_buffers_bits": [8 * cut.bytes(2, buffers=True) for cut in every],
            "features": [cut.features for cut in every], "features_fp16_bits": [16 * cut.features for cut in every],
        }
    }  # fmt: skip
    for name, bits in whole.bounds.items():
        curves[f"{name}, whole model at the transmitter"] = {
            "accuracy": list(ACCURACIES), "distortion": [1 - a for a in ACCURACIES], "rate_bits": bits,
            "fp16_bits": [8 * every[-1].bytes(2)] * len(ACCURACIES),
        }  # fmt: skip
    counted = [
        {"printed": count.printed.megabytes, "said": count.printed.said, "way": count.words, "counted": count.megabytes}
        for count in counts(every)
    ]
    all_notes = [
        *notes,
        "parameters by jax.eval_shape on ResNet-50 with torchvision's shapes; batch-norm statistics are counted apart",
        "oRD holds wherever the model is cut; iE&C and E&C need all of it at the transmitter",
    ]
    figure = _figure(every, whole, title)
    return Reproduction("tosc-complexity", figure, curves, _claims(every, whole), all_notes, {"counts": counted})

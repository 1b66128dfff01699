"""Figure 4 of [A]: accuracy against bits per pixel, of bounds, the merge baseline in coded bytes, and real codecs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd.figures.comparison import chords
from jaxrd.figures.entropy_coding import huffman_bits, range_coded, range_decoded
from jaxrd.figures.panel import Panel, panel
from jaxrd.figures.reproduction import Claim, Reproduction
from jaxrd.figures.tosc_fig4.published import MISSING
from jaxrd.information import NATS_PER_BIT
from jaxrd.io.codec import CodecPoints
from jaxrd.io.write import columns
from jaxrd.plots import STYLE, literal, new_figure
from jaxrd.tosc import Outputs, merge_baseline
from jaxrd.tosc.curves.merged import merge_order

DRAWN = ("oRD", "TMRD", "iE&C", "S&C", "E&C")
_MERGES = 40
"""Most points of the merge baseline that are coded."""
_CODECS = ("#E69F00", "#332288", "#882255", "#44AA99")
_PUBLISHED = (
    "#332288", "#117733", "#88CCEE", "#44AA99", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "0.45", "black",
)  # fmt: skip
_MARKERS = "o^sDvP<X>ph"


class Merged(NamedTuple):
    """The merge baseline, coded; one entry for each number of merged classes tried."""

    merged_classes: np.ndarray
    accuracy: np.ndarray
    entropy_bits: np.ndarray
    """H(reproduction), bits per sample."""
    coded_bits: np.ndarray
    """Of the range coder's bytes, per sample; it was checked that they decode to the same decisions."""
    huffman_bits: np.ndarray
    """Mean length of a code of one sample at a time."""


def coded_merges(outputs: Outputs, joint: jax.Array | np.ndarray) -> Merged:
    """Merge the k least likely estimates into the likeliest, and code all decisions of the set as bytes.

    The receiver knows the frequencies of the merged decisions, as it knows their names ([A], section IV-B).

    Args:
        outputs: a classifier's.
        joint: P(label, decision).

    Raises:
        RuntimeError: the coder did not return the decisions.
    """
    order = np.asarray(merge_order(joint))
    expected = jax.device_get(merge_baseline(joint))
    counts = np.unique(np.linspace(0, len(order) - 1, min(_MERGES, len(order))).round().astype(int))
    samples = len(outputs.labels)
    rows = []
    for k in counts:
        sent = np.arange(len(order))
        sent[order[:k]] = order[-1]
        decisions = sent[outputs.decisions]
        frequency = np.bincount(decisions, minlength=len(order)) / samples
        payload = range_coded(decisions, frequency)
        if not np.array_equal(range_decoded(payload, samples, frequency), decisions):
            raise RuntimeError(f"the range coder did not return the decisions with {k} classes merged.")
        accuracy = float((decisions == outputs.labels).mean())
        entropy = float(expected.rate[k]) / NATS_PER_BIT
        rows.append((k, accuracy, entropy, 8 * len(payload) / samples, huffman_bits(frequency)))
    return Merged(*(np.array(column) for column in zip(*rows, strict=True)))


def _draw_codecs(ax: Axes, codecs: Sequence[CodecPoints], published: Sequence[CodecPoints]) -> None:
    """A codec given as a line of stars; the published ones in a legend of their own, beside the axes."""
    for k, codec in enumerate(codecs):
        ax.plot(
            codec.bpp, 100 * codec.accuracy, color=_CODECS[k % len(_CODECS)], marker="*", markersize=9,
            markeredgecolor="0.3", linestyle="-", label=literal(codec.name),
        )  # fmt: skip
    drawn = [
        ax.plot(
            codec.bpp, 100 * codec.accuracy, color=_PUBLISHED[k % len(_PUBLISHED)], marker=_MARKERS[k % len(_MARKERS)],
            markersize=4.5, linewidth=0.9,
        )[0]
        for k, codec in enumerate(published)
    ]  # fmt: skip
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    if published:
        names = [literal(codec.name) for codec in published]
        ax.figure.legend(
            drawn, names, title="published; other classifiers", title_fontsize=9, frameon=False, fontsize=8.5,
            loc="outside right center",
        )  # fmt: skip


def _figure(
    title: str,
    one: Panel,
    merged: Merged,
    codecs: Sequence[CodecPoints],
    published: Sequence[CodecPoints],
    pixels: int,
) -> Figure:
    figure, ax = new_figure(11.0 if published else 8.2, 5.4)
    for name in DRAWN:
        if name in one.bounds:
            colour, marker, line = STYLE[name]
            curve = one.curve(name)
            shown = curve.rate > 0
            ax.plot(
                curve.rate[shown] / NATS_PER_BIT / pixels, 100 * (1 - curve.distortion[shown]), color=colour,
                marker=marker, linestyle=line, markersize=3.5, markevery=max(len(curve.rate) // 12, 1), label=name,
            )  # fmt: skip
    colour, marker, _ = STYLE["merge"]
    shown = merged.coded_bits > 0
    ax.plot(
        merged.coded_bits[shown] / pixels, 100 * merged.accuracy[shown], color=colour, marker=marker, linestyle="None",
        markersize=4.5, label="merge, range-coded bytes",
    )  # fmt: skip
    _draw_codecs(ax, codecs, published)
    ax.axhline(100 * (1 - one.d_tm), color="0.35", linewidth=0.9, linestyle=(0, (6, 3)), zorder=1)
    ax.annotate(
        f"decisions: {1 - one.d_tm:.2%}", (0.01, 100 * (1 - one.d_tm)), xycoords=("axes fraction", "data"),
        xytext=(0, 4), textcoords="offset points", fontsize=9, color="0.25",
    )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlim(left=0.02 / pixels)
    ax.set_ylim(0, 102)
    ax.set_xlabel(f"rate  [bits per pixel], {pixels} pixels")
    ax.set_ylabel("accuracy  [%]")

    def bits(bpp: Any) -> Any:
        return bpp * pixels

    def bpp(bits: Any) -> Any:
        return bits / pixels

    top = ax.secondary_xaxis("top", functions=(bits, bpp))
    top.set_xlabel("rate  [bits per sample]")
    ax.grid(alpha=0.25)
    ax.set_title(f"{literal(title)}: accuracy against rate", fontsize=11)
    return figure


def _factors(codec: CodecPoints, one: Panel) -> str:
    """The ratio of a codec's rate to each bound, at those of its accuracies where the bound is finite and positive."""
    words = []
    for name in DRAWN:
        if name not in one.bounds:
            continue
        bound = chords(one.curve(name))(codec.distortion) / NATS_PER_BIT
        compared = np.isfinite(bound) & (bound > 0)
        if not compared.any():
            continue
        factor = codec.rate_bits[compared] / bound[compared]
        words.append(f"{factor.min():.3g} to {factor.max():.3g} times {name} ({compared.sum()} of {len(bound)} points)")
        if name == "oRD" and factor.min() < 1 - 1e-3:
            words.append("which no scheme can do: check --pixels, and that the file speaks of this task")
    return f"{codec.name}: {', '.join(words) or 'no point that can be compared'}"


def _nearest(published: Sequence[CodecPoints], one: Panel) -> str:
    """Which published point comes nearest to oRD, and which to iE&C of these outputs."""
    words = []
    for name in ("oRD", "iE&C"):
        bound = chords(one.curve(name))
        found = []
        for codec in published:
            bits = bound(codec.distortion) / NATS_PER_BIT
            compared = np.flatnonzero(np.isfinite(bits) & (bits > 0))
            found += [(codec.rate_bits[k] / bits[k], bits[k], codec, k) for k in compared]
        if not found:
            words.append(f"none has an accuracy that {name} reaches")
            continue
        factor, bits, codec, k = min(found, key=lambda point: point[0])
        words.append(
            f"the nearest to {name} takes {factor:.3g} times its rate ({codec.name}: {codec.rate_bits[k]:.0f} bits "
            f"an image for {codec.accuracy[k]:.2%}, {name} {bits:.2f}; {len(found)} points compared)"
        )
    points = sum(len(codec.bpp) for codec in published)
    return (
        f"of {points} published points of {len(published)} codecs, the paper's two not among them, {', '.join(words)}; "
        f"their classifiers are others than the {1 - one.d_tm:.2%} of this file: oRD bounds them all, iE&C does not"
    )


def _claims(
    one: Panel, merged: Merged, codecs: Sequence[CodecPoints], published: Sequence[CodecPoints], pixels: int
) -> list[Claim]:
    bound = chords(one.curve("iE&C"))(1 - merged.accuracy) / NATS_PER_BIT
    used = (merged.accuracy >= (1 - one.d_tm) / 2) & (bound > 0)
    over = merged.coded_bits[used] - bound[used]
    factor = merged.coded_bits[used] / bound[used]
    excess = merged.coded_bits[merged.entropy_bits > 0] / merged.entropy_bits[merged.entropy_bits > 0] - 1
    codec = "; ".join(_factors(points, one) for points in codecs)
    if published:
        codec = "; ".join(filter(None, [codec, _nearest(published, one)]))
    return [
        Claim(
            "the state of the art is highly suboptimal with respect to oRD, and to the task-model-dependent bounds",
            codec or "no codec's points were given (--codec FILE); the paper draws its own and prints no number: none "
            "is made up here",
        ),
        Claim(
            "the inefficiency of the naive merge baseline is negligible beside the gap of the state of the art",
            f"down to half the accuracy of the decisions it spends at most {factor.max():.2f} times what iE&C does, "
            f"{over.max():.3f} bit a sample ({over.max() / pixels:.2e} bpp) more; its range-coded bytes exceed H by "
            f"{excess.min():.2%} to {excess.max():.2%}",
        ),
        Claim(
            "the baseline is one-shot",
            "coded one sample at a time, by Huffman's code, all decisions take "
            f"{merged.huffman_bits[0]:.4f} bit where H = {merged.entropy_bits[0]:.4f} and the range coder, over all "
            f"samples, {merged.coded_bits[0]:.4f}",
        ),
    ]  # fmt: skip


def tosc_fig4(
    outputs: Outputs,
    title: str,
    pixels: int,
    *,
    codecs: Sequence[CodecPoints] = (),
    published: Sequence[CodecPoints] = (),
    slopes: int = 48,
    notes: Sequence[str] = (),
    tick: Callable[[str, int, int], None] | None = None,
) -> Reproduction:
    """Recompute figure 4 of [A]: the bounds of one classifier in bits per pixel, the merge baseline, and codecs.

    Args:
        outputs: the classifier's.
        title: whose they are.
        pixels: of a sample.
        codecs: measured points to draw.
        published: points of codecs for the same images and labels whose classifiers are others.
        slopes: points a curve.
        notes: of where the outputs come from, to go in front.
        tick: called as tick(what, done, total).
    """
    one = panel(outputs, slopes=slopes, tick=tick)
    merged = coded_merges(outputs, one.joint)
    samples, classes = len(outputs.labels), int((np.bincount(outputs.decisions) > 0).sum())
    table = classes * int(np.ceil(np.log2(samples + 1))) / samples
    curves: dict[str, dict[str, Any]] = {
        name: columns(one.curve(name), pixels=pixels) for name in DRAWN if name in one.bounds
    }
    curves["merge"] = {
        "rate_bits": merged.coded_bits, "distortion": 1 - merged.accuracy, "accuracy": merged.accuracy,
        "bpp": merged.coded_bits / pixels, "kilobytes": merged.coded_bits / 8000, "entropy_bits": merged.entropy_bits,
        "huffman_bits": merged.huffman_bits, "merged_classes": merged.merged_classes,
    }  # fmt: skip
    for codec in [*codecs, *published]:
        curves[f"codec {codec.name}"] = {
            "rate_bits": codec.rate_bits, "distortion": codec.distortion, "accuracy": codec.accuracy,
            "bpp": codec.bpp, "kilobytes": codec.rate_bits / 8000,
        }  # fmt: skip
    all_notes = [
        *notes,
        *outputs.notes,
        f"bits per pixel: bits per sample over {pixels} pixels",
        "plug-in estimates from all samples; ratios to a bound are along the chords between its solved points",
        f"merge: the receiver knows the frequencies of the decisions; sent once, {table:.4f} bit a sample more",
        *dict.fromkeys(note for codec in [*codecs, *published] for note in codec.notes),
    ]
    if published:
        all_notes.append(f"not established from published numbers: {'; '.join(MISSING)}")
    if outputs.logits is None:
        all_notes.append("S&C and TMRD need scores")
    figure = _figure(title, one, merged, codecs, published, pixels)
    summary = {
        "pixels": pixels, "samples": samples, "task_model_distortion": one.d_tm, "zero_rate_distortion": one.d_0,
        "temperature": one.temperature,
    }  # fmt: skip
    claims = _claims(one, merged, codecs, published, pixels)
    return Reproduction("tosc-fig4", figure, curves, claims, all_notes, {"summary": summary})

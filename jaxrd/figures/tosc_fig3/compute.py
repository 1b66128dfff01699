"""Figure 3 of [A]: the bounds on MNIST, CIFAR-100 and ImageNet, and the crossings of section IV-A."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd.closed_form import categorical
from jaxrd.curve import Curve
from jaxrd.figures.classifiers import Classifier, elsewhere, embedded
from jaxrd.figures.comparison import chords
from jaxrd.figures.panel import Crossings, Panel, panel
from jaxrd.figures.reproduction import Claim, Reproduction
from jaxrd.information import NATS_PER_BIT
from jaxrd.io import read_outputs
from jaxrd.io.write import columns
from jaxrd.plots import STYLE
from jaxrd.tosc import Outputs
from jaxrd.tosc.confidence.held_out import indirect_cross_fitted

DRAWN = ("oRD", "TMRD", "iE&C", "S&C", "E&C")
_OTHERS = ("iE&C", "E&C")
"""The curves whose crossings with S&C are solved for."""
HELD_OUT = "iE&C held out"
HELD_OUT_SLOPES = np.geomspace(1, 12, 40)
"""Nats per unit of distortion."""

_Crossed = dict[str, Crossings]
"""Where S&C crosses another curve, by that curve's name."""


def _draw(ax: Axes, title: str, one: Panel, crossed: _Crossed) -> None:
    for name in DRAWN:
        if name not in one.bounds:
            continue
        colour, marker, line = STYLE[name]
        curve = one.curve(name)
        ax.plot(
            curve.distortion, curve.rate / NATS_PER_BIT, color=colour, marker=marker, linestyle=line, linewidth=1.4,
            markersize=3.5, markevery=max(len(curve.rate) // 12, 1), label=name,
        )  # fmt: skip
    lines = []
    for name, points in crossed.items():
        for d, rate in points:
            if name != HELD_OUT and d > one.d_tm + 0.01:  # nearer to D_TM the circle would hide the end of every curve
                ax.plot(d, rate / NATS_PER_BIT, "o", color="black", markersize=9, fillstyle="none", zorder=6)
                lines.append(f"○  S&C = {name} at D = {d:.3f}")
    if one.log_v is None:
        lines.append("hard decisions: no S&C, no TMRD")
    ax.text(0.97, 0.95, "\n".join(lines), transform=ax.transAxes, ha="right", va="top", fontsize=9)
    ax.axvline(one.d_tm, color="0.35", linewidth=0.9, linestyle=(0, (6, 3)), zorder=1)
    ax.set_title(f"{title}: {1 - one.d_tm:.2%}, $D_{{TM}}$ = {one.d_tm:.3g}", fontsize=10)
    ax.set_xlim(0, 1)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("task distortion  D = 1 − accuracy")
    ax.set_ylabel("rate  [bits per sample]")
    ax.grid(alpha=0.25)


def _figure(panels: list[tuple[Classifier, Panel, _Crossed]]) -> Figure:
    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(10, 3.9 * rows + 0.4), layout="constrained")
    axes = np.ravel(figure.subplots(rows, 2))
    for ax, (classifier, one, crossed) in zip(axes, panels, strict=False):
        _draw(ax, classifier.title, one, crossed)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _bits(nats: np.ndarray) -> str:
    low, high = (round(float(x) / NATS_PER_BIT, 4) + 0.0 for x in (nats.min(), nats.max()))
    return f"{low:.4f} to {high:.4f} bit"


def _crossing(points: Crossings, paper: float) -> str:
    """The crossing nearest to the paper's, and the others."""
    if not points:
        return "they do not cross"
    main = min(points, key=lambda point: abs(point[0] - paper))
    others = " and ".join(f"{d:.4f}" for d, _ in points if d != main[0])
    also = f"; also at D = {others}" if others else ""
    return f"they cross at D = {main[0]:.4f}, {main[1] / NATS_PER_BIT:.4f} bit{also}"


def _mnist_claims(mnist: Panel, crossed: _Crossed) -> list[Claim]:
    return [
        Claim("MNIST: a LeNet of 99.2 %, D_TM = 8e-3", f"our LeNet: {1 - mnist.d_tm:.2%}, D_TM = {mnist.d_tm:.2g}"),
        Claim(
            "MNIST: E&C and iE&C nearly achieve oRD",
            f"iE&C above oRD by {_bits(mnist.excess('iE&C', 'oRD')[0])}, the most next to D_TM; E&C above iE&C by at "
            f"most {-mnist.excess('iE&C', 'E&C')[0].min() / NATS_PER_BIT:.1e} bit",
        ),
        Claim(
            "MNIST: E&C being nearly optimal makes any other strategy suboptimal, including S&C",
            f"S&C above E&C by {_bits(mnist.excess('S&C', 'E&C')[0])}; {_crossing(crossed['E&C'], mnist.d_tm)}. "
            f"But TMRD goes below E&C, by at most {-mnist.excess('TMRD', 'E&C')[0].min() / NATS_PER_BIT:.4f} bit",
        ),
    ]


def _cifar_claims(cifar: Panel, crossed: _Crossed) -> list[Claim]:
    over = [cifar.excess("TMRD", name, every=3) for name in ("iE&C", "S&C", "E&C")]
    d, margin = over[0][1], -np.maximum.reduce([nats for nats, _ in over])
    below, best = d[margin > 0], margin.argmax()
    cells, samples = cifar.outputs.classes**2, len(cifar.outputs.labels)
    return [
        Claim(
            "CIFAR-100: a fine-tuned VGG-16 of 74 %, D_TM = .26",
            f"another network, VGG-19 with batch norm: {1 - cifar.d_tm:.2%}, D_TM = {cifar.d_tm:.4f}",
        ),
        Claim(
            "CIFAR-100: iE&C always outperforms E&C",
            f"E&C lies above iE&C by {_bits(-cifar.excess('iE&C', 'E&C')[0])}",
        ),
        Claim(
            "CIFAR-100: S&C does better than iE&C for .26 <= D <= .40",
            f"{_crossing(crossed['iE&C'], 0.40)}. This iE&C is a plug-in, {cells} confusion cells from {samples} "
            "samples, and too low; with its channel fitted on one half and measured on the other (mean of four splits) "
            f"{_crossing(crossed[HELD_OUT], 0.40)}; up to noise the true one lies between",
        ),
        Claim("CIFAR-100: S&C becomes worse than E&C for D >= .57", _crossing(crossed["E&C"], 0.57)),
        Claim(
            "S&C outperforms iE&C in certain scenarios: there is room for improvement; TMRD is intractable",
            f"TMRD, solved at temperature {cifar.temperature:.3f} and measured on the labels, lies below the lowest of "
            f"iE&C, S&C and E&C at {len(below)} of {len(d)} D compared, {below.min():.4f} to {below.max():.3f}, by up "
            f"to {margin[best] / NATS_PER_BIT:.3f} bit (D = {d[best]:.3f}); never above it by more than "
            f"{max(-margin.min(), 0) / NATS_PER_BIT:.4f} bit",
        ),
    ]


def _imagenet_claims(imagenet: Panel) -> list[Claim]:
    over, d = imagenet.excess("iE&C", "E&C")
    widest = over.argmin()
    gain, above = -over[widest], imagenet.bounds["E&C"].smallest(float(d[widest])).rate
    lossless = float(imagenet.curve("E&C").rate.max())
    at_d_tm = float(chords(imagenet.curve("iE&C"))(imagenet.d_tm))
    cells, samples = imagenet.outputs.classes**2, len(imagenet.outputs.labels)
    return [
        Claim(
            "ImageNet: ResNet-50 of 76.1 %, D_TM = .239",
            f"other predictions of a ResNet-50: {1 - imagenet.d_tm:.2%}, D_TM = {imagenet.d_tm:.4f}",
        ),
        Claim(
            "ImageNet: iE&C provides a substantial improvement over E&C",
            f"by up to {gain / NATS_PER_BIT:.3f} bit ({gain / above:.1%}) at D = {d[widest]:.3f}; part of it is not "
            f"real: the plug-in iE&C fits {cells} confusion cells to {samples} samples, and is too low",
        ),
        Claim(
            "ImageNet: S&C is highly suboptimal, except in a narrow region around D = .24",
            "not examined: these outputs are hard decisions, without scores; neither S&C nor TMRD can be had from them",
        ),
        Claim(
            "at D_TM the optimum within E&C is to send the decisions losslessly",
            f"not quite: H = {lossless / NATS_PER_BIT:.4f} bit, iE&C at D_TM at most {at_d_tm / NATS_PER_BIT:.4f} bit, "
            f"and it gets down to D = {imagenet.curve('iE&C').distortion[-1]:.5f} < D_TM = {imagenet.d_tm:.5f}: some "
            "decisions are not the likeliest label given themselves (plug-in)",
        ),
    ]


def _uniform_error(one: Panel) -> float:
    """The largest error of ln M - h(D) - D ln(M - 1) ([A], appendix), oRD for equal labels, against oRD; bits."""
    m = one.outputs.classes
    d = np.linspace(one.d_tm, min(one.d_0, 1 - 1 / m), 200)
    even = np.log(m) + (1 - d) * np.log1p(-d) + d * np.log(np.maximum(d, 1e-300)) - d * np.log(m - 1)
    return float(np.abs(even - np.asarray(categorical.rate(one.joint.sum(1), d))).max()) / NATS_PER_BIT


def _summary(one: Panel, crossed: _Crossed) -> dict[str, Any]:
    return {
        "samples": len(one.outputs.labels),
        "task_model_distortion": one.d_tm,
        "zero_rate_distortion": one.d_0,
        "temperature": one.temperature,
        "crossings": {
            f"S&C/{name}": [{"distortion": d, "rate_bits": rate / NATS_PER_BIT} for d, rate in points]
            for name, points in crossed.items()
        },
    }


def _held_out(outputs: Outputs) -> Curve:
    """iE&C, each half's channels measured on the other half; the mean of four splits."""
    return indirect_cross_fitted(outputs.labels, outputs.decisions, outputs.classes, HELD_OUT_SLOPES, splits=4)


def tosc_fig3(
    data: Path | None = None, *, slopes: int = 48, tick: Callable[[str, int, int], None] | None = None
) -> Reproduction:
    """Recompute figure 3 of [A] from this package's LeNet, and from CIFAR-100 and ImageNet outputs that exist.

    Args:
        data: a folder with classifiers/; None: `$JAXRD_DATA`.
        slopes: points a curve.
        tick: called as tick(what, done, total).

    Raises:
        InputError: `data` is no folder, or a file in it cannot be read.
    """
    there, absent = elsewhere(data)
    panels = []
    for classifier in embedded() + there:
        one = panel(read_outputs(classifier.path)[0], slopes=slopes, tick=tick, name=classifier.key)
        crossed = {name: one.crossings(lambda d, bound=one.bounds[name]: bound.smallest(d).rate) for name in _OTHERS}
        panels.append((classifier, one, crossed))
    of = {classifier.key: (one, crossed) for classifier, one, crossed in panels}
    curves = {
        f"{key}/{name}": columns(one.curve(name))
        for key, (one, _) in of.items()
        for name in DRAWN
        if name in one.bounds
    }
    claims = _mnist_claims(*of["mnist"])
    if "cifar-100" in of:
        cifar, crossed = of["cifar-100"]
        held_out = _held_out(cifar.outputs)
        crossed[HELD_OUT] = cifar.crossings(chords(held_out))
        curves[f"cifar-100/{HELD_OUT}"] = columns(held_out)
        claims += _cifar_claims(cifar, crossed)
    if "imagenet" in of:
        claims += _imagenet_claims(of["imagenet"][0])
    even = ", ".join(f"{key} {_uniform_error(one):.1e}" for key, (one, _) in of.items())
    claims.append(
        Claim("all labels are equally likely: oRD has a closed form", f"it misses oRD by at most (bit): {even}")
    )
    noisy, crossed = of["mnist-noisy"]
    notes = [
        *absent,
        "plug-in estimates from all samples of each set; TMRD's temperature, one number, is fitted on the same samples",
        f"MNIST with pixel noise ({1 - noisy.d_tm:.2%}) is not in the paper. S&C and iE&C: "
        f"{_crossing(crossed['iE&C'], 0.3)}; S&C and E&C: {_crossing(crossed['E&C'], 0.3)}",
        "erratum: iE&C is 'strictly tighter' than E&C: only <=; where the decisions are sent as they are, both agree",
        "erratum: S&C ends at D = 1 - 1/M as its inverse temperature goes to 0; that is D_0 for equal labels only",
    ]
    summary = {key: _summary(one, crossed) for key, (one, crossed) in of.items()}
    return Reproduction("tosc-fig3", _figure(panels), curves, claims, notes, {"panels": summary})

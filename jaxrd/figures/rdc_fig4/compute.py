"""Figure 4 of [B]: least distortion against classification loss of a Gaussian source, corrected and as printed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes

from jaxrd.figures.reproduction import Claim, Reproduction
from jaxrd.information import NATS_PER_BIT
from jaxrd.plots import new_figure
from jaxrd.rdc import gaussian
from jaxrd.solution import Status

RATES = (0.05, 0.1, 0.15, 0.2, 0.34)
"""Nats, as in the paper."""
_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00")  # Okabe and Ito
POINTS = 241
_DECODERS = 9


def rdc_fig4(
    *, correlation: float = 0.7, variance: float = 1.0, label_variance: float = 1.0, rates: Sequence[float] = RATES
) -> Reproduction:
    """D(C, R) of a scalar Gaussian at several rates: the right one solid, Theorem 2 as printed dashed.

    Args:
        correlation: rho of X and S.
        variance: of X.
        label_variance: of S.
        rates: nats, rising; the last one is the universal encoder's.

    Reference: [B] Figure 4, Theorems 2 and 3.
    """
    entropy = float(gaussian.differential_entropy(label_variance))
    label = {"correlation": correlation, "label_entropy": entropy}
    source = {"variance": variance, **label}
    floor = float(gaussian.least_classification(np.inf, **label))
    corners = [(float(gaussian.least_classification(r, **label)), variance * np.exp(-2 * r)) for r in rates]
    inside = np.linspace(floor, entropy + 0.12 * (entropy - floor), POINTS)
    losses = np.unique(np.concatenate([inside, [c for c, _ in corners]]))
    decoders = _decoders(rates[-1], **source)

    curves = {"universal decoders": decoders}
    for rate in rates:
        right = np.asarray(gaussian.distortion(losses, rate, **source))
        printed = np.asarray(gaussian.printed_distortion(losses, rate, **source))
        needed = np.asarray(gaussian.rate(printed, losses, **source))
        curves[f"R = {rate:g} corrected"] = _curve(losses, right, np.isfinite(right))
        possible = np.isfinite(right) & (printed >= right * (1 - 1e-12))  # at a corner the two agree but for rounding
        curves[f"R = {rate:g} printed"] = _curve(losses, printed, possible) | {"rate_needed_nats": needed}

    figure, ax = new_figure(7.6, 5.2)
    _draw(ax, corners, rates, losses, floor, decoders, source)
    claims = _claims(corners, rates, floor, decoders, source)
    notes = [
        "Classification loss is the differential entropy h(S|Xh): it may be negative, and its zero means nothing.",
        "Theorem 2's second case does not depend on R; it is where R_D = R_C, the corners of all rates. A point on it "
        "right of a rate's own corner needs less rate, left of it more.",
    ]
    more = {
        "corners": [
            {"rate_nats": r, "classification_nats": c, "distortion": d}
            for r, (c, d) in zip(rates, corners, strict=True)
        ],
        "classification_infimum_nats": floor,
        "label_information_nats": entropy - floor,
    }
    return Reproduction("rdc-fig4", figure, curves, claims, notes, more)


def _curve(losses: np.ndarray, distortion: np.ndarray, possible: np.ndarray) -> dict[str, object]:
    status = [(Status.EXACT if ok else Status.INFEASIBLE).name for ok in possible]
    return {"classification_nats": losses, "distortion": distortion, "status": status}


def _decoders(rate: float, *, variance: float, correlation: float, label_entropy: float) -> dict[str, object]:
    """Distortion and h(S|Xh) of decoders that add more and more noise to one encoder, from covariances."""
    channel = gaussian.optimal_channel(
        variance * np.exp(-2 * rate), np.inf, variance=variance, correlation=correlation, label_entropy=label_entropy
    )
    gain, noise = float(channel.gain), float(channel.noise_variance)
    seen = gain**2 * variance + noise
    added = np.append(0, np.geomspace(0.05, 20, _DECODERS - 1)) * seen
    share = gain**2 * variance / (seen + added)  # squared correlation of X and Xh
    losses = label_entropy + 0.5 * np.log1p(-(correlation**2) * share)
    return _curve(losses, variance * (1 - share), np.ones(_DECODERS, bool))


def _draw(ax: Axes, corners, rates, losses: np.ndarray, floor: float, decoders, source) -> None:
    for rate, colour, (loss, least) in zip(rates, cycle(_COLOURS), corners, strict=False):
        ax.plot(
            [loss, loss, losses[-1]], [1.12 * source["variance"], least, least], color=colour, linewidth=1.8,
            marker="o", markevery=[1], markersize=6, label=f"R = {rate:g} nat: D(C, R), corrected",
        )  # fmt: skip
    printed = np.asarray(gaussian.printed_distortion(losses, 0.0, **source))
    below = losses <= source["label_entropy"]
    ax.plot(losses[below], printed[below], "k--", linewidth=1.3, label="Theorem 2, second case as printed")
    ax.plot(
        decoders["classification_nats"], decoders["distortion"], "kx", markersize=7,
        label=f"one encoder of {rates[-1]:g} nat, noisier and noisier decoders",
    )  # fmt: skip
    ax.axvline(floor, color="0.5", linewidth=1, linestyle=":")
    ax.annotate(
        "infimum: infinite rate", (floor, 1), xycoords=("data", "axes fraction"), xytext=(4, -6),
        textcoords="offset points", rotation=90, va="top", fontsize=8, color="0.35",
    )  # fmt: skip
    loss, least = corners[0]
    ax.annotate(
        "printed for R, infeasible:\nleft of the dot of R\nno code of that rate", (0.5 * (floor + loss), 0.42 * least),
        xytext=(0.03, 0.62), textcoords="axes fraction", fontsize=9,
        arrowprops={"arrowstyle": "->", "color": "0.3"},
    )  # fmt: skip
    ax.set_xlabel("classification loss  C = h(S|X̂)  [nats]")
    ax.set_ylabel("least distortion  D(C, R)  [mean squared error]")
    ax.set_ylim(0, 1.12 * source["variance"])
    ax.set_xlim(floor - 0.01, losses[-1])
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=8, loc="lower right")


def _claims(corners, rates, floor: float, decoders, source) -> list[Claim]:
    entropy, information = source["label_entropy"], source["label_entropy"] - floor
    label = {"correlation": source["correlation"], "label_entropy": entropy}
    rate, (loss, least) = rates[0], corners[0]
    middle = 0.5 * (floor + loss)
    printed = float(gaussian.printed_distortion(middle, rate, **source))
    needed = float(gaussian.rate(printed, np.inf, **source))
    thresholds = ", ".join(f"{c:.4f} at R = {r:g}" for r, (c, _) in zip(rates, corners, strict=True))
    pairs = np.array(corners)
    together = float(gaussian.universal_rate(pairs[:, 1], pairs[:, 0], **source))
    on_locus = np.asarray(gaussian.printed_distortion(decoders["classification_nats"], 0.0, **source))
    off = np.abs(np.asarray(decoders["distortion"]) - on_locus).max()
    long = np.ceil(2 * float(gaussian.differential_entropy(source["variance"]))) / 2
    return [
        Claim(
            "Theorem 2: as C rises to the threshold, D(C, R) falls monotonically to variance e^(-2R).",
            f"It rises, from 0, and no code attains it: at R = {rate:g}, C = {middle:.4f} the formula gives D = "
            f"{printed:.4f}, below variance e^(-2R) = {least:.4f}; that distortion alone needs {needed:.4f} nat. "
            "Right: +inf below the threshold, variance e^(-2R) from there on.",
        ),
        Claim(
            f"The problem is feasible if C >= h(S) + 1/2 log(1 - rho^2) = {floor:.4f} nat.",
            f"Only in the limit of infinite rate. At rate R the least C is h(S) + 1/2 ln(1 - rho^2 (1 - e^(-2R))): "
            f"{thresholds}.",
        ),
        Claim(
            "rho = 0.7 yields a maximum rate of R_max = 0.34.",
            f"I(X;S) = {information:.6f} nat = {information / NATS_PER_BIT:.6f} bit here, rounded; it bounds I(S;Xh), "
            f"not the rate: at {rates[-1]:g} nat I(S;Xh) is at most {entropy - corners[-1][0]:.4f} nat, and grows with "
            f"the rate up to it.",
        ),
        Claim(
            "Theorem 2: D(C, R) = 0 for C > h(S) and R > h(X).",
            f"At R = {long:.4g}, above h(X), the least distortion is variance e^(-2R) = "
            f"{source['variance'] * np.exp(-2 * long):.4g}: a finite rate never leaves none.",
        ),
        Claim(
            "Theorem 3: one encoder at R_max serves every pair, the rate penalty is zero.",
            f"Right: R(Theta) of all corners together is {together:.4f} nat, what the dearest asks for alone; its "
            f"encoder reaches D = {corners[-1][1]:.4f} and C = {corners[-1][0]:.4f} at once, below the other rates in "
            "either.",
        ),
        Claim(
            "The universal model closely traces the boundary of the conventional model.",
            f"Noisier decoders of that encoder trace the corners, which is the printed curve (within {off:.1e}), from "
            f"C = {float(gaussian.least_classification(rates[-1], **label)):.4f} on; to the left of it nothing is "
            "reached.",
        ),
    ]

"""The claims of Figure 6 and Theorem 5 of [B], beside the results of the trained models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxrd.figures.rdc_fig6.plan import LOW_CE, LOW_DISTORTION
from jaxrd.figures.reproduction import Claim

Row = Mapping[str, Any]


def pick(rows: Sequence[Row], weight: float, wasserstein: float = 0.0, encoder: float | None = None) -> Row | None:
    """The row of a model, or None where it was not trained."""
    wanted = (weight, wasserstein, encoder)
    return next(
        (r for r in rows if (r["weight"], r["wasserstein_weight"], r.get("encoder_weight")) == wanted),
        None,
    )


def theorem5(variance: float, conventional: Sequence[Row], universal: Sequence[Row]) -> dict[str, Any]:
    """Theorem 5 with our numbers: its bound for decoders of low cross-entropy on the low-distortion encoder.

        D3 - D(b) >= var + v3 - 2 sqrt(v3 (var - D1)) - 2 D1,   D3 / D(b) >= (the same without - 2 D1) / (2 D1)

    D1 is the low-distortion model's MSE, D3 and v3 the low-cross-entropy model's MSE and variance. Solved for
    D(b), they limit the MSE of the universal decoder. They need D(b) <= 2 D1.

    Args:
        variance: of the source, per pixel.
        conventional: rows of the figure.
        universal: likewise.

    Returns:
        The numbers; `d_b` is None where no decoder was trained on that encoder, `holds` where it cannot be said.

    Reference: [B] (12), whose - 2 D1 belongs outside the root, and (13).
    """
    first, third = pick(conventional, LOW_DISTORTION), pick(conventional, LOW_CE)
    assert first is not None
    assert third is not None
    d1, d3, v3 = first["mse"], third["mse"], third["variance"]
    least = variance + v3 - 2 * float(np.sqrt(v3 * max(variance - d1, 0)))
    reached = pick(universal, LOW_CE, 0.0, LOW_DISTORTION)
    d_b = None if reached is None else reached["mse"]
    return {
        "source_variance": variance,
        "d1": d1,
        "d3": d3,
        "v3": v3,
        "gap_at_least": least - 2 * d1,
        "ratio_at_least": least / (2 * d1),
        "d_b_at_most": d3 - (least - 2 * d1),
        "d_b": d_b,
        "holds": None if d_b is None or d_b > 2 * d1 else d3 - d_b >= least - 2 * d1,
    }


def claims(tables: Mapping[str, Sequence[Row]], published: Sequence[Row], bound: Mapping[str, Any]) -> list[Claim]:
    """Sentences of section V with what was found."""
    ours, theirs = tables["conventional"], tables["universal"]
    low, far = pick(ours, LOW_DISTORTION), pick(ours, LOW_CE)
    assert low is not None
    assert far is not None
    sentences = [
        Claim(
            "In conventional models under a fixed rate, reducing the cross-entropy increases the distortion.",
            f"From weight {LOW_DISTORTION:g} to {LOW_CE:g} CE falls from {_value(low, 'ce_nats')} to "
            f"{_value(far, 'ce_nats')} nat, accuracy rises from {low['accuracy']:.1%} to {far['accuracy']:.1%}, MSE "
            f"from {_value(low, 'mse')} to {_value(far, 'mse')}, {far['mse'] / low['mse'] - 1:+.1%}.",
        ),
        Claim("(the published runs, drawn as published)", _dominated(ours, published)),
    ]
    at_low, at_far = pick(theirs, LOW_DISTORTION, 0.0, LOW_CE), pick(theirs, LOW_CE, 0.0, LOW_CE)
    if at_low is not None and at_far is not None:
        sentences.append(
            Claim(
                "Despite a fixed encoder the universal model achieves distortion comparable to the conventional one.",
                f"On the encoder of weight {LOW_CE:g} a decoder of weight 0 reaches MSE {_value(at_low, 'mse')}, "
                f"{at_low['mse'] / low['mse'] - 1:+.1%} against the low-distortion model (published: +10 %); one of "
                f"weight {LOW_CE:g} CE {_value(at_far, 'ce_nats')} nat, {at_far['ce_nats'] / far['ce_nats'] - 1:+.1%} "
                "against its own conventional decoder.",
            )
        )
    if (back := pick(theirs, LOW_CE, 0.0, LOW_DISTORTION)) is not None:
        sentences.append(
            Claim(
                "Universal decoders cannot recover low classification loss where the encoder was trained for low "
                "distortion alone.",
                f"On the encoder of weight 0 a decoder of weight {LOW_CE:g} reaches CE {_value(back, 'ce_nats')} nat "
                f"at MSE {_value(back, 'mse')}, accuracy {back['accuracy']:.1%}; the conventional model "
                f"{_value(far, 'ce_nats')} nat at {_value(far, 'mse')}.",
            )
        )
    pairs = [(r, without) for r in ours if r["wasserstein_weight"] and (without := pick(ours, r["weight"])) is not None]
    if pairs:
        words = "; ".join(
            f"weights ({r['weight']:g}, {r['wasserstein_weight']:g}): {r['sliced_w2']:.4f} for {b['sliced_w2']:.4f}, "
            f"MSE {r['mse']:.4f} for {b['mse']:.4f}"
            for r, b in pairs
        )
        sentences.append(
            Claim(
                "The sub-figure illustrates the benefit of the W1 term.",
                f"Sliced W2 with the term for without it, at 27 deterministic reproductions: {words}.",
            )
        )
    return [*sentences, _bound(bound)]


def _value(row: Row, name: str) -> str:
    spread = row[{"mse": "mse_std", "ce_nats": "ce_std"}[name]]
    digits = 5 if name == "mse" else 4
    return f"{row[name]:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")


def _dominated(ours: Sequence[Row], published: Sequence[Row]) -> str:
    left = []
    for p in published:
        for key, sign in (("ce_nats", -1), ("accuracy", 1)):
            if p[key] is None:
                continue
            if not any(r["mse"] <= p["mse"] and sign * r[key] >= sign * p[key] for r in ours):
                left.append(f"MSE {p['mse']:g} with {key} {p[key]:g}")
    if left:
        return "Undominated by our conventional models: " + "; ".join(left) + "."
    return "Each is dominated by one of our conventional models, in (MSE, CE) and in (MSE, accuracy)."


def _bound(bound: Mapping[str, Any]) -> Claim:
    gap, most, d_b = bound["gap_at_least"], bound["d_b_at_most"], bound["d_b"]
    words = (
        f"With D1 = {bound['d1']:.4f}, D3 = {bound['d3']:.4f}, v3 = {bound['v3']:.4f}, variance "
        f"{bound['source_variance']:.4f}: D3 - D(b) >= {gap:.4f}, D3 / D(b) >= {bound['ratio_at_least']:.3f}, that is "
        f"D(b) <= {most:.4f}"
    )
    if d_b is not None:
        words += f"; measured D(b) = {d_b:.4f}"
    return Claim(
        "Theorem 5 limits the distortion that universal decoders lose.",
        words
        + ". It holds with room to spare, and says little at this rate: D1 is neither small nor near the variance."
        if bound["holds"]
        else words + ".",
    )

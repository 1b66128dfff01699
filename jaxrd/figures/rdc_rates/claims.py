"""What rdc-rates says of [B]'s claims and of codes without a network, from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jaxrd.figures.rdc_rates.baselines import GAUSSIAN
from jaxrd.figures.reproduction import Claim

Row = Mapping[str, Any]
MOST_MSE, MOST_CE = 0.05, 0.02
"""Penalty of a universal decoder that is called slight: share of the MSE, nats of cross-entropy."""


def named(rows: Sequence[Row], target: str) -> Row | None:
    """The row of a target, or None."""
    return next((row for row in rows if row["target"] == target), None)


def penalties(rate: Row) -> list[dict[str, Any]]:
    """What universal decoders lose against the models trained for their targets, a row a target.

    Args:
        rate: `conventional` and `universal` rows of one rate.

    Returns:
        `target`; `mse`, a share of the conventional MSE; `ce_nats`, differences by label; `asked`, whether the target
        gives the label a weight; `own`, whether the frozen encoder was trained for this very target.
    """
    found = []
    for row in rate["universal"]:
        own = named(rate["conventional"], row["target"])
        if own is not None:
            ce = [a - b for a, b in zip(row["ce_nats"], own["ce_nats"], strict=True)]
            found.append(
                {
                    "target": row["target"],
                    "mse": row["mse"] / own["mse"] - 1,
                    "ce_nats": ce,
                    "asked": [weight > 0 for weight in row["cross_entropy_weights"]],
                    "own": row["target"] == row["encoder_target"],
                }
            )
    return found


def is_slight(penalty: Row) -> bool:
    """Within `MOST_MSE` and, for every label that the target asks for, `MOST_CE`."""
    asked = zip(penalty["ce_nats"], penalty["asked"], strict=True)
    return penalty["mse"] <= MOST_MSE and all(ce <= MOST_CE for ce, weighted in asked if weighted)


def claims(rates: Sequence[Row], first: str, floor: float) -> list[Claim]:
    """Sentences of [B] and on quantisers, with what was found.

    Args:
        rates: of the JSON.
        first: name of the target of MSE alone.
        floor: sliced W2 between two samples of the images.
    """
    return [
        Claim(
            "A universal encoder serves many decoders with only a slight penalty against task-specific models.",
            "; ".join(_penalty_words(rate) for rate in rates) + ".",
        ),
        Claim("(what codes without a network reach at the same bits)", _beaten(rates, first)),
        Claim(
            "Reducing the cross-entropy increases the distortion.",
            "; ".join(_price(rate, first) for rate in rates) + ".",
        ),
        Claim(
            "Realistic reproductions cost at most twice the least distortion (D(b) <= 2 D1).", _realism(rates, floor)
        ),
    ]


def _penalty_words(rate: Row) -> str:
    found = penalties(rate)
    if not found:
        return f"{rate['bits']} bits: no universal decoder beside the model of its target"
    each = ", ".join(
        f"{p['target']} MSE {p['mse']:+.1%}"
        + "".join(f", CE {ce:+.3f} nat" for ce, asked in zip(p["ce_nats"], p["asked"], strict=True) if asked)
        for p in found
    )
    slight = sum(map(is_slight, found))
    return (
        f"{rate['bits']} bits: within {MOST_MSE:.0%} and {MOST_CE:g} nat for {slight} of {len(found)} targets ({each})"
    )


def _beaten(rates: Sequence[Row], first: str) -> str:
    words = []
    for rate in rates:
        row = named(rate["conventional"], first)
        codes = [b for b in rate["baselines"] if b["name"] != GAUSSIAN]
        if row is None or not codes:
            continue
        best = min(codes, key=lambda b: b["mse"])
        line = next((b for b in rate["baselines"] if b["name"] == GAUSSIAN), None)
        spread = "" if row["mse_std"] is None else f" ± {row['mse_std']:.5f}"
        is_less = row["mse"] < best["mse"]
        words.append(
            f"{rate['bits']} bits: network {row['mse']:.5f}{spread}, {'below' if is_less else 'not below'} the best of "
            f"them, {best['name']} {best['mse']:.5f}"
            + ("" if line is None else f"; R(D) of a Gaussian source of the same covariance {line['mse']:.5f}")
        )
    return "; ".join(words) + ". The Gaussian line is no bound for these images: codes may lie below it."


def _price(rate: Row, first: str) -> str:
    rows = rate["conventional"]
    alone = named(rows, first)
    best = min((r for r in rows if not r["wasserstein"]), key=lambda r: r["ce_nats"][0])
    if alone is None or best is alone:
        return f"{rate['bits']} bits: no model for both"
    return (
        f"{rate['bits']} bits: from {first} to {best['target']} the digit's CE goes from {alone['ce_nats'][0]:.3f} to "
        f"{best['ce_nats'][0]:.3f} nat, accuracy from {alone['accuracy'][0]:.2%} to {best['accuracy'][0]:.2%}, MSE "
        f"{best['mse'] / alone['mse'] - 1:+.1%}"
    )


def _realism(rates: Sequence[Row], floor: float) -> str:
    words = []
    for rate in rates:
        plain = [r for r in rate["conventional"] if not r["wasserstein"]]
        for kind in ("conventional", "universal"):
            for row in rate[kind]:
                if row["wasserstein"] and plain:
                    least = min(plain, key=lambda r: r["mse"])
                    times = row["mse"] / least["mse"]
                    holds = "holds" if times <= 2 else "fails"
                    words.append(
                        f"{rate['bits']} bits, {kind}: MSE {times:.2f} times the least ({holds}), sliced W2 "
                        f"{row['sliced_w2']:.4f} for {least['sliced_w2']:.4f}"
                    )
    if not words:
        return "No decoder was trained for realism."
    return "; ".join(words) + f"; two samples of the images differ by {floor:.4f}."

"""Corrupted inputs: the oracle curve does not change, the bounds that use the input do ([A], appendix)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxrd import tosc
from jaxrd.datasets import Split
from jaxrd.figures.identifiability.corruptions import CORRUPTIONS, Corruption
from jaxrd.figures.identifiability.draw import draw
from jaxrd.figures.reproduction import Claim, Reproduction
from jaxrd.information import NATS_PER_BIT
from jaxrd.neural import classifier
from jaxrd.tosc.identifiability.annotations import repeated_inputs

ACCURACIES = (0.9, 0.8, 0.7, 0.5)
_ASKED = ("oRD", "TMRD", "iE&C", "S&C")
DRAWN = 0.7
"""The accuracy at which the figure shows the rates."""

Tick = Callable[[str, int, int], None] | None


def _evaluate(
    model: classifier.LeNet, images: np.ndarray, labels: np.ndarray, accuracies: Sequence[float], slopes: int
) -> tuple[dict[str, Any], list[str]]:
    """One strength: half of the test images fit the temperature, the other half gives every number, in bits."""
    outputs = tosc.from_scores(classifier.logits(model, images), labels)
    # Permuted: MNIST's test set begins with the easier writers. Every strength has the same half.
    order, half = np.random.default_rng(0).permutation(len(labels)), len(labels) // 2
    fit, rest = outputs.take(order[:half]), outputs.take(order[half:])
    assert fit.logits is not None
    temperature = float(tosc.fit_temperature(np.asarray(fit.logits), fit.labels))
    uncertainty = tosc.label_uncertainty(rest, temperature=temperature)
    rates = tosc.limits(rest, at=[1 - a for a in accuracies], temperature=temperature, slopes=slopes)
    row: dict[str, Any] = {"accuracy": 1 - uncertainty.error, "temperature": temperature}
    for name in ("believed", "calibrated", "cross_entropy", "miscalibration"):
        value, low, high = (x / NATS_PER_BIT for x in getattr(uncertainty, name))
        row |= {f"{name}_bits": value, f"{name}_low_bits": low, f"{name}_high_bits": high}
    row |= {
        "upper_limit_bits": uncertainty.upper_limit / NATS_PER_BIT,
        "fano_limit_bits": uncertainty.fano_limit / NATS_PER_BIT,
    }
    row["lower_if_best_bits"] = uncertainty.lower_if_best / NATS_PER_BIT
    for accuracy, at in zip(accuracies, rates.at, strict=True):
        for curve in _ASKED:
            rate = at[curve]
            row[f"{curve}_at_{accuracy:g}_bits"] = None if rate is None else rate / NATS_PER_BIT
    return row, rates.warnings


def _repeats(images: np.ndarray, labels: np.ndarray, classes: int) -> dict[str, Any]:
    """Limits that images which occur several times prove, for any classifier."""
    repeated = repeated_inputs([image.tobytes() for image in images], labels, classes)
    return {
        "distinct_inputs": repeated.inputs,
        "lower_limit_bits": repeated.lower_limit / NATS_PER_BIT,
        "accuracy_limit": repeated.accuracy_limit,
    }


def _proved(tables: Mapping[str, Mapping[str, list]]) -> Claim:
    facts = [
        f"{name} {t['strength'][i]:g}: {lower:.2f} to {t['upper_limit_bits'][i]:.2f} bits, "
        f"{t['distinct_inputs'][i]} different inputs"
        for name, t in tables.items()
        for i, lower in enumerate(t["lower_limit_bits"])
        if lower > 0
    ]
    return Claim(
        "Down-sampling discards information, so that several labels share one observation X: H(Y|X) > 0 (appendix).",
        "95 % limits of H(Y|X) that trust no model, the lower from inputs that repeat, the upper from the classifier: "
        + ("; ".join(facts) or "no input repeats often enough here to prove anything")
        + ". Elsewhere no positive lower limit is claimed: inputs that never repeat fit H(Y|X) = 0.",
    )


def _seen(tables: Mapping[str, Mapping[str, list]]) -> Claim:
    bits = {name: table["cross_entropy_bits"] for name, table in tables.items()}
    return Claim(
        "The phenomenon becomes explicit where noise, blur and other perturbations are injected with varying "
        "intensity (appendix).",
        "The label-measured upper bound on H(Y|X), bits from clean to strongest: "
        + "; ".join(f"{name} {b[0]:.3f} to {b[-1]:.2f}" for name, b in bits.items())
        + ". H(Y|X) itself is no less than for the clean images (data processing); by how much it rises a classifier "
        "cannot tell. A blur is invertible up to its rounding: what is lost there may be lost to this model alone.",
    )


def _moved(tables: Mapping[str, Mapping[str, list]], accuracy: float) -> Claim:
    sentences = []
    for name, table in tables.items():
        strengths, rates = table["strength"], {c: table[f"{c}_at_{accuracy:g}_bits"] for c in _ASKED}
        reached = np.isfinite(rates["TMRD"])
        last = int(np.flatnonzero(reached).max(initial=0))
        words = ", ".join(f"{c} {rates[c][0]:.2f} to {rates[c][last]:.2f}" for c in _ASKED)
        if reached.any():
            sentences.append(f"{name} 0 to {strengths[last]:g}: {words}.")
        if not reached[-1]:
            first = strengths[last + 1] if reached.any() else strengths[0]
            sentences.append(f"From {name} {first:g} on the model does not get there.")
        if (limit := min(table["accuracy_limit"])) < accuracy:
            at = table["accuracy_limit"].index(limit)
            sentences.append(
                f"At {name} {strengths[at]:g} no scheme of any rate is right more often than {limit:.0%} (repeated "
                f"inputs, 95 % confidence), yet oRD promises {accuracy:.0%} for {rates['oRD'][at]:.2f} bits."
            )
    return Claim(
        "Where H(Y|X) = 0 fails oRD is generally unachievable and does not characterise the limit; the indirect "
        "formulation does (section II-B, appendix).",
        f"Bits at {accuracy:.0%} accuracy: " + " ".join(sentences),
    )


def identifiability(
    train: Split,
    test: Split,
    *,
    accuracies: Sequence[float] = ACCURACIES,
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    slopes: int = 16,
    progress: Tick = None,
) -> Reproduction:
    """MNIST through the embedded LeNet at rising strengths of noise, blur and low resolution.

    At every strength the temperature is fitted anew on the first half of the test images; the second half gives the
    estimates of H(Y|X) and the rates. Repeated inputs are counted among the training images, of which there are more.

    Args:
        train: images whose repetitions are counted, from `datasets.mnist`.
        test: images that are classified.
        accuracies: at which the rates are asked for.
        corruptions: the families.
        slopes: points per curve that the rates are searched from.
        progress: called as progress(what, done, total).

    Returns:
        A `Reproduction`, one table (`curves` entry) a family; strength 0 is the image as it is. A rate is None where
        the curve does not reach the accuracy.
    """
    model, classes = classifier.load(), 10
    clean, many = (split.images / np.float32(255) for split in (test, train))
    total, done = 1 + sum(len(c.strengths) for c in corruptions), 0
    notes: list[str] = []

    def row(name: str, strength: float, corrupt: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
        nonlocal done
        measured, warnings = _evaluate(model, corrupt(clean), test.labels, accuracies, slopes)
        notes.extend(f"{name} {strength:g}: {words}" for words in warnings)
        done += 1
        if progress is not None:
            progress("strengths", done, total)
        return {"strength": strength} | measured | _repeats(corrupt(many), train.labels, classes)

    first = row("clean", 0.0, lambda images: images)
    tables: dict[str, dict[str, list]] = {}
    for c in corruptions:
        rows = [first, *(row(c.name, s, lambda images, c=c, s=s: c.apply(images, s)) for s in c.strengths)]
        tables[c.name] = {key: [r[key] for r in rows] for key in first}
    notes += [
        "believed: mean entropy of the posterior as it came; calibrated: the same at the temperature fitted for that "
        "strength; cross_entropy: measured on labels, an upper bound on H(Y|X) in expectation; limits hold with 95 % "
        "confidence at this sample size, one at a time.",
        "oRD, TMRD, iE&C and S&C are plug-in estimates from the second half of the test images; TMRD is drawn over the "
        "label-measured distortion, so it is what this model achieves, and a bound only as far as it is calibrated.",
        "The classifier is the same at every strength: it knew noise up to 1 in training, no blur, no low resolution.",
    ]
    accuracy = min(accuracies, key=lambda a: abs(a - DRAWN))
    claims = [_proved(tables), _seen(tables), _moved(tables, accuracy)]
    more = {"command": "jaxrd reproduce identifiability", "test_images": len(clean), "training_images": len(many)}
    return Reproduction("identifiability", draw(tables, corruptions, accuracy), tables, claims, notes, more)

"""Section IV-B of [A], last claim: a pruned or quantised classifier at the transmitter, its accuracy and its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxrd import tosc
from jaxrd.datasets import Split, embedded
from jaxrd.figures.identifiability.corruptions import noise
from jaxrd.figures.reproduction import Claim, Reproduction
from jaxrd.figures.tosc_transmitter.draw import draw
from jaxrd.figures.tosc_transmitter.reduced import Parameters, Reduced, pruned, quantised, whole
from jaxrd.information import NATS_PER_BIT
from jaxrd.neural import classifier

ACCURACIES = (0.5, 0.65, 0.75, 0.8)
DRAWN = 0.75
"""The accuracy at which the figure shows the rates."""
MARGINAL = 0.01
"""A loss of accuracy up to which a claim calls it marginal."""
ASKED = ("oRD", "TMRD", "iE&C")
_NOISE = 1.0
"""Deviation of the pixel noise of the embedded noisy example: on clean images all curves nearly coincide."""

Tick = Callable[[str, int, int], None] | None


class Version(NamedTuple):
    """A way to store the network."""

    name: str
    family: str
    reduce: Callable[[Parameters], Reduced]


VERSIONS = (
    *(Version(f"fp{width}", "floats", partial(whole, width=width)) for width in (32, 16)),
    *(Version(f"{s:.0%}", "pruned", partial(pruned, sparsity=s)) for s in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)),
    *(Version(f"{width} bits", "quantised", partial(quantised, width=width)) for width in (8, 6, 4, 3, 2)),
)
"""The first is the one that the others are compared with."""


class _Measured(NamedTuple):
    """A version on all test images."""

    row: dict[str, Any]
    right: np.ndarray
    """Which of the images behind the curves it decides rightly."""
    decisions: np.ndarray
    """Of all noisy images."""
    labels: np.ndarray
    """Of the images behind the curves."""
    warnings: list[str]


def _measure(reduced: Reduced, noisy: np.ndarray, split: Split, accuracies: Sequence[float], slopes: int) -> _Measured:
    """Accuracy, temperature and rates, in bits, as `limits` gives them: half of the images fit the temperature."""
    model = classifier.restored(reduced.parameters)
    logits = classifier.logits(model, noisy)
    clean = classifier.logits(model, split.images / np.float32(255)).argmax(1)
    outputs = tosc.from_scores(logits, split.labels)
    found = tosc.limits(outputs, at=[1 - a for a in accuracies], slopes=slopes)
    behind = found.workings.outputs
    row: dict[str, Any] = {
        "model_bits": float(reduced.bits),
        "accuracy": 1 - found.summary["task_model_distortion"],
        "task_model_distortion": found.summary["task_model_distortion"],
        "temperature": found.summary["temperature"],
        "clean_accuracy": float((clean == split.labels).mean()),
    }
    for accuracy, at in zip(accuracies, found.at, strict=True):
        for curve in ASKED:
            rate = at[curve]
            bits = np.inf if rate is None else rate / NATS_PER_BIT
            row[f"{curve}_at_{accuracy:g}_bits"] = bits if np.isfinite(bits) else None
    labels = np.asarray(behind.labels)
    return _Measured(row, np.asarray(behind.decisions) == labels, logits.argmax(1), labels, found.warnings)


def _against(first: _Measured, one: _Measured) -> dict[str, Any]:
    """How a version differs from the first, image by image: both decide the same images."""
    assert np.array_equal(first.labels, one.labels)
    change = one.right.astype(float) - first.right
    return {
        "accuracy_change": float(change.mean()),
        "accuracy_change_deviation": float(change.std() / np.sqrt(len(change))),
        "changed_decisions": float((first.decisions != one.decisions).mean()),
    }


def _points(row: Mapping[str, Any]) -> str:
    return f"{100 * row['accuracy_change']:+.2f} ± {100 * row['accuracy_change_deviation']:.2f}"


def _marginal(rows: Sequence[Mapping[str, Any]]) -> Claim:
    first = rows[0]
    families: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows[1:]:
        families.setdefault(row["family"], []).append(row)
    words = []
    for family, members in families.items():
        listed = ", ".join(
            f"{row['version']} {_points(row)} ({first['model_bits'] / row['model_bits']:.1f} times smaller)"
            for row in members
        )
        within = [row for row in members if row["accuracy_change"] >= -MARGINAL]
        least = min(within, key=lambda row: row["model_bits"])["version"] if within else "none"
        words.append(f"{family}: {listed}; smallest that loses at most {100 * MARGINAL:g} point: {least}")
    return Claim(
        "pruning and quantisation can reduce the complexity of the transmitter, with only marginal accuracy losses "
        "(section IV-B)",
        f"without retraining, from {first['accuracy']:.2%} at {first['model_bits'] / 1e6:.2f} Mbit, points of accuracy "
        f"and one standard deviation: {'. '.join(words)}",
    )


def _viable(rows: Sequence[Mapping[str, Any]], accuracy: float) -> Claim:
    oracle = rows[0][f"oRD_at_{accuracy:g}_bits"]
    words = [f"oRD {oracle:.3f}, whatever the model"]
    for curve in ("TMRD", "iE&C"):
        key = f"{curve}_at_{accuracy:g}_bits"
        told = ", ".join(f"{row['version']} {row[key]:.3f}" for row in rows if row[key] is not None)
        beyond = ", ".join(row["version"] for row in rows if row[key] is None)
        words.append(f"{curve}: {told or 'none'}" + (f"; out of reach: {beyond}" if beyond else ""))
    return Claim(
        "estimate-and-compress stays viable, paired with standard reductions of the model (section V)",
        f"bits a sample at {accuracy:.0%} accuracy: {'. '.join(words)}",
    )


def _half(rows: Sequence[Mapping[str, Any]]) -> Claim:
    half = next((row for row in rows if row["version"] == "fp16"), None)
    return Claim(
        "float 16 loses nothing against float 32 (section IV-B, a footnote)",
        "not examined"
        if half is None
        else f"{half['changed_decisions']:.2%} of the decisions on noisy images change, {_points(half)} points",
    )


def tosc_transmitter(
    test: Split,
    *,
    versions: Sequence[Version] = VERSIONS,
    accuracies: Sequence[float] = ACCURACIES,
    slopes: int = 16,
    progress: Tick = None,
) -> Reproduction:
    """The embedded LeNet in fewer and fewer bits on MNIST with pixel noise: accuracy and limits of each version.

    Args:
        test: the test images, from `datasets.mnist`.
        versions: the ways to store the network; the others are compared with the first.
        accuracies: at which the rates are asked for.
        slopes: points a curve that the rates are searched from.
        progress: called as progress(what, done, total).

    Returns:
        A `Reproduction`, one table (`curves` entry) a family. A rate is None where the curve does not reach the
        accuracy.

    Reference: [A] section IV-B; magnitude pruning: S. Han et al., Learning both weights and connections for efficient
    neural networks, NeurIPS 2015, here without retraining.
    """
    parameters = embedded(classifier.PARAMETERS)
    noisy = noise(test.images / np.float32(255), _NOISE)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    first = None
    for done, version in enumerate(versions):
        one = _measure(version.reduce(parameters), noisy, test, accuracies, slopes)
        first = one if first is None else first
        rows.append({"version": version.name, "family": version.family} | one.row | _against(first, one))
        notes += [f"{version.family} {version.name}: {words}" for words in one.warnings]
        if progress is not None:
            progress("versions", done + 1, len(versions))
    families = dict.fromkeys(row["family"] for row in rows)
    tables = {
        family: {key: [row[key] for row in rows if row["family"] == family] for key in rows[0] if key != "family"}
        for family in families
    }
    notes += [
        f"MNIST test images with pixel noise of deviation {_NOISE:g}, as in the embedded noisy example; clean_accuracy "
        "is that of the images as they are",
        "accuracy and rates are plug-in estimates from half of the images, the same for every version; the other half "
        "fits the temperature, anew for each; TMRD is measured on labels",
        "kernels are pruned by magnitude, all together, and quantised uniformly and symmetrically, one step a kernel, "
        "without retraining; activations stay float32",
        "model_bits: 16 bits a number that is left and the entropy of the zeros' places, or the width of a quantised "
        "number; the code of the network is not counted",
    ]
    accuracy = min(accuracies, key=lambda a: abs(a - DRAWN))
    claims = [_marginal(rows), _viable(rows, accuracy), _half(rows)]
    more = {"command": "jaxrd reproduce tosc-transmitter", "test_images": len(test.labels)}
    return Reproduction("tosc-transmitter", draw(tables, accuracy), tables, claims, notes, more)

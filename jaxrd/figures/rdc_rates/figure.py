"""rdc-rates: autoencoders, universal decoders and codes without a network on MNIST at 16, 32 and 64 bits."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._files import parsing
from jaxrd._version import __version__
from jaxrd.datasets import Split, thickness_classes
from jaxrd.figures.rdc_rates import baselines as codes
from jaxrd.figures.rdc_rates.claims import claims
from jaxrd.figures.rdc_rates.compute import Sample, Say, models
from jaxrd.figures.rdc_rates.draw import draw
from jaxrd.figures.rdc_rates.plan import FULL, Plan
from jaxrd.figures.reproduction import Reproduction
from jaxrd.neural import classifier, classifier_file
from jaxrd.neural.sliced import sliced_w2

SCHEMA = "jaxrd.rdc-rates/1"
LABELS = ("digit", "thickness")
"""Names of the labels, in the order of every list: the digit, and the thickness of its strokes in three classes."""
_NOTES: tuple[str, ...] = (
    "No number here is certified: models and codes are achievable, measured on the test images; R(D) of a Gaussian "
    "source bounds codes of that source, not of these images.",
    "Labels: the digit, and stroke thickness in three classes measured from the image; each with a fixed classifier.",
    "label_entropy_nats is an upper estimate of H(S|M), the least cross-entropy of any decoder of those messages: the "
    "log loss of a network that guesses the label from the message, on the test images.",
    "sliced_w2 compares reproductions with the very images they are of, so it may lie below sliced_w2_floor, that of "
    "two samples of images.",
    "Bits are log2 of the number of messages; coded_bits what a range coder takes with each symbol's own frequencies "
    "(codec encode also uses an earlier symbol, and takes less).",
)


def rdc_rates(
    train: Split,
    test: Split,
    folder: Path,
    *,
    sha256: str,
    plan: Plan = FULL,
    tick: Callable[[str, int, int], None] = lambda *_: None,
    say: Say = lambda _: None,
) -> Reproduction:
    """Networks and codes at every rate of a plan, each model for several targets, and decoders on one frozen encoder.

    After an interruption it continues from the last finished epoch if it is called again with the same folder.

    Args:
        train: MNIST's training images.
        test: MNIST's test images.
        folder: for checkpoints and finished steps; each plan, data set and version of this library has a subfolder.
        sha256: of the data.
        plan: which models, for how long.
        tick: called as tick(what, done, total).
        say: called with lines of progress.

    Reference: [B] section V, losses (16) and (17), here with several labels and larger codes.
    """
    fixed = [classifier.load(), classifier_file.load_thickness()]
    known = f"{sha256} {' '.join(map(classifier_file.digest, fixed))} {__version__}"
    own = folder / plan.digest(known)
    learnt, held_out = (
        Sample(split.images, (split.labels, thickness_classes(split.images))) for split in (train, test)
    )
    kept = [learnt.first(plan.images), held_out.first(plan.tests)]
    x, y = (one.images.reshape(len(one.images), -1) / np.float32(255) for one in kept)
    rows = []
    for done, bits in enumerate(plan.bits):
        tick("baselines", done, len(plan.bits))
        rows.append(
            _baselines(own / f"baselines-{bits}.json", x, y, bits, codes.FULL if plan is FULL else codes.QUICK, say)
        )
    tick("baselines", len(plan.bits), len(plan.bits))
    found = models(plan, learnt, held_out, [classifier.fixed(one) for one in fixed], own, say=say)
    rates = [{**rate, "baselines": row} for rate, row in zip(found, rows, strict=True)]
    return reproduction(rates, plan, floor=sliced_floor(x, y), counts=(len(x), len(y)))


def reproduction(rates: Sequence[dict[str, Any]], plan: Plan, *, floor: float, counts: tuple[int, int]) -> Reproduction:
    """The figure of finished numbers.

    Args:
        rates: a row a rate, with `bits`, `conventional`, `universal` and `baselines`.
        plan: that made them.
        floor: sliced W2 between two samples of the images.
        counts: of training and test images.
    """
    more = {
        "schema": SCHEMA,
        "command": "jaxrd reproduce rdc-rates --data DIR --out DIR" + ("" if plan == FULL else " --quick"),
        "labels": list(LABELS),
        "training_images": counts[0],
        "test_images": counts[1],
        "sliced_w2_floor": floor,
        "rates": list(rates),
    }
    notes = list(_NOTES)
    if plan != FULL:
        notes.append("A short run on few images: its numbers show that it runs, not what the models reach.")
    first = plan.first.name
    return Reproduction(
        "rdc-rates", draw(rates, first, floor, LABELS), _curves(rates), claims(rates, first, floor), notes, more
    )  # fmt: skip


def sliced_floor(train: np.ndarray, test: np.ndarray) -> float:
    """Sliced W2 between the test images and as many training images: what two samples of one law reach."""
    count = min(len(train), len(test))
    return float(sliced_w2(jax.random.key(0), jnp.asarray(test[:count]), jnp.asarray(train[:count])))


def _baselines(
    path: Path, train: np.ndarray, test: np.ndarray, bits: int, effort: Any, say: Say
) -> list[dict[str, Any]]:
    """Fitted once, then read from the folder."""
    if not path.exists():
        rows = codes.baselines(train, test, bits, effort=effort, say=say)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(json.dumps(rows))
        os.replace(temporary, path)
    with parsing(path, "baselines (delete it to have them fitted again)"):
        return json.loads(path.read_text())


def _curves(rates: Sequence[dict[str, Any]]) -> dict[str, dict[str, list[Any]]]:
    """Tables for the csv: a column a measure, lists of labels as a column each."""
    tables: dict[str, dict[str, list[Any]]] = {}
    for kind in ("conventional", "universal", "baselines"):
        flat = [_flat(row) | {"bits": rate["bits"]} for rate in rates for row in rate[kind]]
        names = dict.fromkeys(name for row in flat for name in row)
        tables[kind] = {name: [row.get(name) for row in flat] for name in names}
    return tables


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name == "seeds":
            found[name] = len(value)
        elif isinstance(value, list):
            labels = LABELS if len(value) == len(LABELS) else range(len(value))
            found |= {f"{label}_{name}": one for label, one in zip(labels, value, strict=True)}
        else:
            found[name] = value
    return found

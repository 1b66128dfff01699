"""Figure 6 of [B]: autoencoders on MNIST at 3 log2 3 bits, conventional and universal, beside a plain quantiser."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrd._version import __version__
from jaxrd.datasets import Split
from jaxrd.figures.rdc_fig6 import models
from jaxrd.figures.rdc_fig6.claims import claims, theorem5
from jaxrd.figures.rdc_fig6.draw import draw, losses, samples
from jaxrd.figures.rdc_fig6.plan import FULL, PUBLISHED, PUBLISHED_UNIVERSAL, QUICK, Plan
from jaxrd.figures.reproduction import Reproduction
from jaxrd.neural import classifier
from jaxrd.neural.family import Over
from jaxrd.rdc.quantiser import one_shot

SCHEMA = "jaxrd.rdc-fig6/1"
_COMMANDS = {
    FULL: "jaxrd reproduce rdc-fig6 --data DIR --out DIR",
    QUICK: "jaxrd reproduce rdc-fig6 --data DIR --out DIR --quick",
}
MEASURES = ("mse", "ce_nats", "label_entropy_nats", "accuracy", "sliced_w2", "variance", "entropy_bits", "coded_bits")
Rows = list[dict[str, Any]]


def rdc_fig6(
    train: Split,
    test: Split,
    folder: Path,
    *,
    sha256: str,
    model: classifier.LeNet | None = None,
    plan: Plan = FULL,
    over: Over | None = None,
    tick: models.Tick = lambda *_: None,
    say: models.Say = lambda _: None,
) -> Reproduction:
    """The trade-off of MSE and cross-entropy at one rate: end to end, on one frozen encoder, and without networks.

    After an interruption it continues from the last finished epoch if it is called again with the same folder.

    Args:
        train: images to learn from, of `datasets.mnist`.
        test: images to measure on.
        folder: for checkpoints and finished steps; each plan, data set, fixed classifier and version of this library
            has a subfolder of its own.
        sha256: of the data.
        model: the fixed classifier; None: that of MNIST's digits, which knows no other images.
        plan: which models, for how long.
        over: how the models of a group are trained together; None for what is fast here.
        tick: called as tick(what, done, total).
        say: called with lines of progress.

    Reference: [B] Figure 6, losses (16) and (17), Theorem 5.

    Longer than 60 lines: its steps follow one another, each with what the former trained.
    """
    model = classifier.load() if model is None else model
    graph, parameters = nnx.split(model)

    def logits(vectors: jax.Array) -> jax.Array:
        images = vectors.reshape(-1, 28, 28)
        return nnx.merge(graph, parameters)(images).reshape(*vectors.shape[:-1], -1)

    def prepared(split: Split, count: int | None) -> models.Sample:
        images = split.images[:count].astype(np.float32) / 255
        beliefs = jax.nn.softmax(jnp.asarray(classifier.logits(model, images)))
        return models.Sample(
            jnp.asarray(images.reshape(len(images), -1)), beliefs, jnp.asarray(split.labels[:count], jnp.int32)
        )

    # An accelerator's products of lower precision would disturb |x|^2 - 2 x.r + |r|^2, where 1 % matters.
    with jax.default_matmul_precision("float32"):
        job = models.Job(
            plan,
            logits,
            prepared(train, plan.images),
            prepared(test, plan.tests),
            folder / plan.digest(f"{sha256} {_digest(parameters)} {__version__}"),
            over,
            tick,
            say,
        )
        books = models.books(job)
        trained = [models.conventional(job, group, books) for group in plan.conventional]
        universal = [models.decoders(job, group) for group in plan.universal]
        corners = models.corners(job)
        quantiser = [_quantiser(job, weight, books[weight]) for weight in plan.search.weights]
    ours, theirs = (_means([row for one in groups for row in one.rows]) for groups in (trained, universal))
    tables = {"conventional": ours, "universal": theirs, "quantiser": quantiser}
    groups = list(zip(plan.conventional + plan.universal, trained + universal, strict=True))
    bound = theorem5(float(job.test.images.var(0).mean()), ours, theirs)
    more = {
        "schema": SCHEMA,
        "command": _COMMANDS.get(plan),
        "trained": [
            {"group": group.name, "models": len(one.rows), "device": one.device, "seconds": one.seconds}
            for group, one in groups
        ],
        "rate_bits": plan.code.dimensions * float(np.log2(plan.code.levels)),
        "dither_cells": plan.code.dither,
        "training_images": len(job.train.images),
        "test_images": len(job.test.images),
        **tables,
        "published": PUBLISHED,
        "published_universal": PUBLISHED_UNIVERSAL,
        "theorem5": bound,
        "corners": corners,
        "runs": [row for _, one in groups for row in one.rows],
    }
    shown = np.asarray(job.test.images[job.shown()])
    stacks = [(row, images) for _, one in groups for row, images in zip(one.rows, one.samples, strict=True)]
    notes = [
        "CE and accuracy are those of a fixed LeNet at temperature 1; the published runs had another classifier.",
        f"Dither: {plan.code.dither:g} cells. Every model of a weight begins from one codebook; seeds vary all else.",
        "Corners: on a frozen encoder the means of the training images by message, and the shares of their labels, are "
        "the best decoders there are, but for the sample; no network is needed.",
        "label_entropy_nats is H(S|M) of the test images, the least CE of any decoder of those messages: a plug-in "
        "estimate, too small by about 27 x 9 / 2 nat over the number of images.",
        "The quantiser's encoder sees the classifier's belief, not the label; its points are not proved best.",
        "`trained` names the device and seconds of the sitting that finished each group; `meta` is of the drawing.",
    ]
    if plan is not FULL:
        notes.append("A short run on few images: its numbers show that it runs, not what the models reach.")
    return Reproduction(
        "rdc-fig6",
        draw(tables, PUBLISHED, PUBLISHED_UNIVERSAL, bound, corners),
        {name: _columns(rows) for name, rows in tables.items()},
        claims(tables, PUBLISHED, bound),
        notes,
        more,
        {"losses": losses([(group, one.history) for group, one in groups]), "samples": samples(shown, stacks)},
    )


def _digest(parameters: Any) -> str:
    total = hashlib.sha256()
    for leaf in jax.tree.leaves(parameters):
        total.update(np.asarray(leaf).tobytes())
    return total.hexdigest()


def _quantiser(job: models.Job, weight: float, book: np.ndarray) -> dict[str, Any]:
    measured = one_shot.measure(*job.test, one_shot.codebook(jnp.asarray(book), job.logits), weight)
    return {
        "weight": weight,
        "mse": float(measured.mse),
        "ce_nats": float(measured.cross_entropy),
        "accuracy": float(measured.accuracy),
        "entropy_bits": float(measured.entropy / np.log(2)),
    }


def _means(runs: Sequence[dict[str, Any]]) -> Rows:
    """One row per model, its seeds averaged; the spread is the sample's deviation, None of one seed."""
    models_of: dict[tuple, Rows] = {}
    for run in runs:
        models_of.setdefault((run["encoder"], run["weight"], run["wasserstein"]), []).append(run)
    rows = []
    for (encoder, weight, wasserstein), same in sorted(
        models_of.items(), key=lambda item: (str(item[0][0]), *item[0][1:])
    ):
        values = {name: np.array([run[name] for run in same]) for name in MEASURES}
        spread = {name: float(v.std(ddof=1)) if len(same) > 1 else None for name, v in values.items()}
        rows.append(
            {"weight": weight, "wasserstein_weight": wasserstein}
            | ({} if encoder is None else {"encoder_weight": encoder})
            | {name: float(v.mean()) for name, v in values.items()}
            | {"seeds": sorted(run["seed"] for run in same)}
            | {"mse_std": spread["mse"], "ce_std": spread["ce_nats"], "accuracy_std": spread["accuracy"]}
        )
    return rows


def _columns(rows: Rows) -> dict[str, list[Any]]:
    names = [name for name in rows[0] if name != "seeds"]
    return {name: [row[name] for row in rows] for name in names} | (
        {"seeds": [len(row["seeds"]) for row in rows]} if "seeds" in rows[0] else {}
    )

"""What 27 messages reach on MNIST without any network: the frontier of (MSE, cross-entropy) of one-shot quantisers.

    python benchmarks/quantiser.py --data DIR      # 60 000 images; some 10 minutes on two quiet cores
    python benchmarks/quantiser.py --plot          # the picture, from the committed numbers

Every weight of the cross-entropy is reached from below (k-means first) and from above, from several random starts
each; the codebook with the least training loss is kept, and measured on the test images with an encoder that sees the
classifier's belief, not the label. Local minima: the frontier is achieved, not proved best.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from machine import describe

from jaxrd import datasets
from jaxrd.figures.rdc_fig6.plan import PUBLISHED
from jaxrd.neural import classifier
from jaxrd.neural.sliced import sliced_w2
from jaxrd.plots import png
from jaxrd.rdc.quantiser import one_shot
from jaxrd.rdc.quantiser.frontier import frontier

RESULTS = Path(__file__).parent / "results"
WEIGHTS = (0.0, 0.0005, 0.001, 0.0015, 0.0025, 0.0033, 0.0066, 0.01, 0.015, 0.03)
PERCEPTION = (0.0, 0.1, 0.3, 1.0)
"""Weights p of W2^2 per pixel, traded by `blend` at share p / (1 + p)."""


class Sample(NamedTuple):
    """Images as vectors, what the classifier believes of them at T = 1, and their labels."""

    images: jax.Array
    beliefs: jax.Array
    labels: jax.Array


def prepared(split: datasets.Split, model: classifier.LeNet) -> Sample:
    """What a quantiser needs of a split."""
    images = split.images.astype(np.float32) / 255
    beliefs = jax.nn.softmax(jnp.asarray(classifier.logits(model, images)))
    return Sample(jnp.asarray(images.reshape(len(images), -1)), beliefs, jnp.asarray(split.labels))


def row(
    weight: float,
    book: one_shot.Codebook,
    loss: float,
    train: Sample,
    test: Sample,
    logits: one_shot.Classifier,
    seed: int,
) -> dict[str, Any]:
    """One point of the frontier on the test images, with more and more realistic reproductions beside it."""
    found = one_shot.measure(*test, book, weight)
    pool = one_shot.measure(*train, book, weight).messages
    blends = []
    for perception in PERCEPTION:
        share = perception / (1 + perception)
        images = one_shot.blend(jax.random.key(seed), book, found.messages, train.images, pool, share)
        chunks = [np.asarray(jax.nn.log_softmax(logits(c))) for c in jnp.array_split(images, 10)]
        scores = np.concatenate(chunks)
        blends.append(
            {
                "wasserstein_weight": perception,
                "mse": float(((images - test.images) ** 2).mean()),
                "w2_squared_at_most": float((1 - share) ** 2 * found.mse),
                "ce_nats": float(-scores[np.arange(len(scores)), test.labels].mean()),
                "accuracy": float((scores.argmax(-1) == test.labels).mean()),
                "sliced_w2": float(sliced_w2(jax.random.key(0), test.images, images)),
            }
        )
    return {
        "weight": weight,
        "mse": float(found.mse),
        "ce_nats": float(found.cross_entropy),
        "accuracy": float(found.accuracy),
        "entropy_bits": float(found.entropy / np.log(2)),
        "training_loss": loss,
        "pixel_range": [float(book.reproductions.min()), float(book.reproductions.max())],
        "blends": blends,
    }


def draw(document: dict[str, Any]) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure((10.5, 4.2), layout="constrained")
    left, right, tiles = figure.subplots(1, 3, width_ratios=(1, 1, 0.75))
    rows, published = document["quantiser"], document["published"]
    for ax, key, scale in ((left, "ce_nats", 1), (right, "accuracy", 100)):
        known = [p for p in published if p[key] is not None]
        ax.plot(
            [p["mse"] for p in known], [scale * p[key] for p in known], "D", color="#D55E00", label="published runs"
        )
        ours = [r["mse"] for r in rows], [scale * r[key] for r in rows]
        ax.plot(*ours, "o-", color="#0072B2", markersize=4, label="27-message quantiser")
        blends = [r["blends"][3] for r in rows]
        ax.plot(
            [b["mse"] for b in blends], [scale * b[key] for b in blends], "s:", color="#009E73", markersize=4,
            label=r"the same, more realistic: $W_2^2$ a quarter",
        )  # fmt: skip
        ax.set_xlabel("mean square error per pixel (test)")
    left.set_yscale("log")
    left.set_ylabel("cross-entropy of the fixed classifier [nat]")
    right.set_ylabel("accuracy of the fixed classifier [%]")
    left.legend(fontsize=8)
    images = np.array(document["reproductions"], dtype=np.uint8).reshape(-1, 28, 28)
    columns = 4
    images = np.concatenate([images, np.zeros((-len(images) % columns, 28, 28), np.uint8)])
    grid = images.reshape(-1, columns, 28, 28).swapaxes(1, 2).reshape(-1, columns * 28)
    tiles.imshow(grid, cmap="gray", vmin=0, vmax=255)
    tiles.set_axis_off()
    tiles.set_title(f"reproductions at weight {document['reproductions_weight']}", fontsize=9)
    return png(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--messages", type=int, default=27)
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--search", type=int, default=20_000, help="training images that the search sees")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--books", type=Path, help="also save the codebooks, as .npz: reproductions by weight")
    parser.add_argument("--plot", action="store_true", help="only redraw the picture")
    args = parser.parse_args()

    target = args.out / "quantiser.json"
    if args.plot:
        (args.out / "quantiser.png").write_bytes(draw(json.loads(target.read_text())))
        return
    clock = perf_counter()
    model = classifier.load()
    graph, params = nnx.split(model)

    def logits(vectors: jax.Array) -> jax.Array:
        return nnx.merge(graph, params)(vectors.reshape(-1, 28, 28)).reshape(*vectors.shape[:-1], -1)

    train, test = (prepared(split, model) for split in datasets.mnist(args.data))
    options = {name: getattr(args, name) for name in ("messages", "starts", "rounds", "search", "seed")}

    def report(weight: float, losses: jax.Array) -> None:
        print(f"weight {weight:<7} losses {np.sort(losses).round(6)}  {perf_counter() - clock:.0f} s", flush=True)

    books = frontier(train.images, train.beliefs, logits, WEIGHTS, **options, report=report)
    found = [(weight, *one) for weight, one in zip(WEIGHTS, books, strict=True)]
    if args.books:
        named: dict[str, Any] = {str(weight): np.asarray(book.reproductions) for weight, book, _ in found}
        np.savez_compressed(args.books, **named)
    shown = WEIGHTS.index(0.0025)
    document = {
        "schema": "jaxrd.quantiser/1",
        "command": "python benchmarks/quantiser.py " + " ".join(f"--{k} {v}" for k, v in options.items()),
        "machine": describe(),
        "seconds": round(perf_counter() - clock),
        "rate_bits": float(np.log2(args.messages)),
        "quantiser": [row(*point, train, test, logits, args.seed) for point in found],
        "published": PUBLISHED,
        "reproductions_weight": WEIGHTS[shown],
        "reproductions": (255 * np.clip(found[shown][1].reproductions, 0, 1)).round().astype(int).tolist(),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document) + "\n")
    (args.out / "quantiser.png").write_bytes(draw(document))


if __name__ == "__main__":
    main()

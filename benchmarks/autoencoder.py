"""One autoencoder on real MNIST at R = 3 log2 3: begun from a codebook of `quantiser.py --books`, trained on loss (16).

    python benchmarks/autoencoder.py --books books.npz --weight 0.03 --run RUNS/low-ce
    python benchmarks/autoencoder.py --universal RUNS/low-ce --weight 0 --run RUNS/low-ce-0      # (17), fresh decoder

A run killed at any moment goes on from its last finished epoch when the same command is given again. Its folder then
holds result.json (test images) and history.json, beside the last checkpoint.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from machine import describe

from jaxrd import datasets
from jaxrd.neural import classifier, warm
from jaxrd.neural.checkpoint import latest
from jaxrd.neural.codec import compress, fitted
from jaxrd.neural.evaluate import evaluate
from jaxrd.neural.image_stream import coded_bits
from jaxrd.neural.losses import Terms, Weights
from jaxrd.neural.quantizer import codes
from jaxrd.neural.run import Leg, train
from jaxrd.neural.train import Code, Objective, Stage, State, initial, universal


def vectors(split: datasets.Split) -> tuple[np.ndarray, np.ndarray]:
    """Images as vectors in [0, 1], and labels."""
    return split.images.reshape(len(split.images), -1).astype(np.float32) / 255, split.labels


def conventional_legs(args: argparse.Namespace) -> list[Leg]:
    """The encoder learns the codebook on moved images, then both learn the loss, then the decoder what was encoded."""
    adversarial = args.wasserstein > 0
    return [
        Leg(Stage(("encoder",), adversarial=False, shift=args.shift, temperature=0.003), args.warm, 1e-3),
        Leg(Stage(adversarial=adversarial), args.joint, 2e-4),
        Leg(Stage(("decoder",), adversarial=adversarial), args.last, 3e-4),
    ]


def beginning(code: Code, args: argparse.Namespace) -> tuple[State, list[Leg]]:
    """Where the run starts, and its legs."""
    state = initial(code, args.seed)
    if args.universal:
        if (found := latest(args.universal, state)) is None:
            raise SystemExit(f"no finished checkpoint in {args.universal}")
        legs = [Leg(Stage(("decoder",), adversarial=args.wasserstein > 0), args.joint, 1e-3)]
        return universal(code, found[0], args.seed + 1), legs
    with np.load(args.books) as books:
        chosen = args.book if args.book is not None else str(args.weight)
        if chosen not in books:
            raise SystemExit(f"no codebook of weight {chosen} in {args.books}; it has: {', '.join(books)}")
        reproductions = books[chosen].astype(np.float32)
    order = warm.arrange(reproductions, np.asarray(codes(code.dimensions, code.levels)))
    return warm.teach(code, state, jnp.asarray(reproductions[order])), conventional_legs(args)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run")
    parser.add_argument("--books", type=Path, help="codebooks, from quantiser.py --books")
    parser.add_argument("--book", help="the codebook's weight, where it is not --weight")
    parser.add_argument("--universal", type=Path, help="a finished run whose encoder is used, frozen")
    parser.add_argument("--weight", type=float, required=True, help="of the cross-entropy")
    parser.add_argument("--wasserstein", type=float, default=0.0, help="weight of W1")
    parser.add_argument("--dither", type=float, default=0.0, help="width of the shared dither in cells")
    parser.add_argument("--warm", type=int, default=20, help="epochs of the first leg")
    parser.add_argument("--shift", type=int, default=2, help="pixels by which the first leg's images move")
    parser.add_argument("--joint", type=int, default=6, help="epochs of the second leg, or of the universal stage")
    parser.add_argument("--last", type=int, default=2, help="epochs of the third leg")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not (args.books or args.universal):
        parser.error("one of --books and --universal is needed")

    model = classifier.load()
    graph, params = nnx.split(model)

    def logits(images: jax.Array) -> jax.Array:
        return nnx.merge(graph, params)(images.reshape(-1, 28, 28))

    (images, labels), test = (vectors(split) for split in datasets.mnist(args.data))
    code = Code(dither=args.dither)
    state, legs = beginning(code, args)
    weights = Weights(1.0, args.weight, args.wasserstein)
    args.run.mkdir(parents=True, exist_ok=True)
    clock = perf_counter()

    def report(leg: int, i: int, terms: Terms) -> None:
        values = "  ".join(f"{name} {float(value):.5f}" for name, value in terms._asdict().items())
        print(f"leg {leg} epoch {i + 1:2d}/{legs[leg].epochs}  {values}  {perf_counter() - clock:.0f} s", flush=True)

    objective = Objective(code, logits, jnp.asarray(images), jnp.asarray(labels), weights)
    state, history = train(objective, legs, state, folder=args.run, report=report)
    found: dict[str, Any] = evaluate(code, state.parameters, logits, *test)
    found["coded_bits"] = coded_bits(compress(fitted(code, state.parameters, images), test[0]))
    options = {k: v.name if isinstance(v, Path) else v for k, v in vars(args).items() if k not in ("data", "run")}
    document = {"options": options, "test": found, "train": evaluate(code, state.parameters, logits, images, labels)}
    (args.run / "history.json").write_text(json.dumps(history) + "\n")
    (args.run / "result.json").write_text(json.dumps(document | {"machine": describe()}, indent=2) + "\n")
    print(found)


if __name__ == "__main__":
    main()

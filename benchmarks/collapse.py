"""Does training from random weights ever collapse? Ten seeds at each rate on MNIST, a short training each.

    JAXRD_DATA=... python benchmarks/collapse.py --out results/collapse.json

A code has collapsed if a place of its messages hardly varies, or if its error is near that of the mean image.
Every run is kept in the file as it ends; the same command goes on from there.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from machine import describe

from jaxrd import datasets
from jaxrd.neural import Schedule, fit, measure

BITS = (4.7549, 16.0, 32.0, 64.0)
IMAGES = 20_000
SCHEDULE = Schedule(epochs=2, rate=1e-3)


def run(train: np.ndarray, test: np.ndarray, bits: float, seed: int) -> dict[str, Any]:
    """One short training, and how evenly its symbols are used on the test images."""
    clock = perf_counter()
    model = fit(train, bits=bits, schedule=SCHEDULE, seed=seed).model
    symbols = np.asarray(model.encode(test))
    used = [
        np.bincount(column, minlength=size) / len(symbols)
        for column, size in zip(symbols.T, model.code.sizes, strict=True)
    ]
    entropies = [float(-(p[p > 0] * np.log2(p[p > 0])).sum()) for p in used]
    shares = [entropy / np.log2(size) for entropy, size in zip(entropies, model.code.sizes, strict=True)]
    return {
        "bits": bits, "seed": seed, "mse": measure(model, test)["mse"], "sizes": list(model.code.sizes),
        "least_entropy_share": float(min(shares)), "messages": len(np.unique(symbols, axis=0)),
        "seconds": round(perf_counter() - clock, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    train, test = (split.images.astype(np.float32) / 255 for split in datasets.mnist(args.data))
    train = train[:IMAGES]
    runs: list[dict[str, Any]] = json.loads(args.out.read_text())["runs"] if args.out.exists() else []
    mean_image = float(((test - train.mean(0)) ** 2).mean())
    for bits in BITS:
        for seed in range(args.seeds):
            if any((one["bits"], one["seed"]) == (bits, seed) for one in runs):
                continue
            runs.append(run(train, test, bits, seed))
            print(runs[-1], flush=True)
            # Half of log2 of a place's size, and the error of the mean image: no healthy run is near either.
            collapsed = sum(r["least_entropy_share"] < 0.5 or r["mse"] > 0.8 * mean_image for r in runs)
            whole = {"images": IMAGES, "epochs": SCHEDULE.epochs, "mean_image_mse": mean_image, "collapsed": collapsed}
            args.out.write_text(json.dumps(whole | {"runs": runs} | describe(), indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What codes without a network reach on MNIST at 16, 32 and 64 bits an image, fitted to all 60 000 training images.

    python benchmarks/baselines.py --data DIR

Writes results/rdc-rates-baselines.json: rows of name, bits, mse (test) and train_mse, and how long each rate took.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter

import numpy as np
from machine import describe

from jaxrd import datasets
from jaxrd.figures.rdc_rates.baselines import FULL, QUICK, baselines

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--bits", type=int, nargs="+", default=(16, 32, 64))
    parser.add_argument("--images", type=int, help="training images, the first ones; all if not given")
    parser.add_argument("--quick", action="store_true", help="few iterations")
    args = parser.parse_args()

    train, test = (split.images.reshape(len(split.images), -1) / np.float32(255) for split in datasets.mnist(args.data))
    train = train[: args.images]
    effort = QUICK if args.quick else FULL
    target = args.out / "rdc-rates-baselines.json"
    rates = []
    for bits in args.bits:
        clock = perf_counter()
        rows = baselines(
            train, test, bits, effort=effort, say=lambda line, clock=clock: print(
                f"{line}  {perf_counter() - clock:.0f} s", flush=True
            ),
        )  # fmt: skip
        rates.append({"bits": bits, "baselines": rows, "seconds": round(perf_counter() - clock)})
    document = {
        "schema": "jaxrd.rdc-rates-baselines/1",
        "command": "python benchmarks/baselines.py --bits " + " ".join(map(str, args.bits)),
        "machine": describe(),
        "effort": effort._asdict(),
        "training_images": len(train),
        "test_images": len(test),
        "rates": rates,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

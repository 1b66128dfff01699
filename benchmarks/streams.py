"""Real files of a trained code: MNIST's test images at 32 and 64 bits, encoded and decoded by the command line.

    python benchmarks/streams.py --data DIR --epochs 3

Trains with `jaxrd codec train` on the 60 000 training images, encodes the 10 000 test images, decodes them in another
process, and compares: the symbols bit for bit with those of the encoder, the pixels with the ones it foresaw, and the
bits of the whole file with the ideal length of the code, -log2 p of the model's own law. Writes results/streams.json.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import numpy as np
from machine import describe

from jaxrd import datasets
from jaxrd.neural.universal import stored, stream

RESULTS = Path(__file__).parent / "results"


def jaxrd(*args: object) -> float:
    """Run the command line in a process of its own; its seconds."""
    clock = perf_counter()
    subprocess.run([sys.executable, "-m", "jaxrd", *map(str, args)], check=True)
    return perf_counter() - clock


def one(folder: Path, bits: int, epochs: int, train: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    """The row of a rate."""
    np.save(folder / "train.npy", train)
    np.save(folder / "test.npy", test)
    model, sent, back = folder / f"{bits}.npz", folder / f"{bits}.jrc", folder / f"{bits}.npy"
    seconds = {
        "train": jaxrd("codec", "train", folder / "train.npy", "--bits", bits, "--epochs", epochs, "--out", model),
        "encode": jaxrd("codec", "encode", folder / "test.npy", "--model", model, "--out", sent),
        "decode": jaxrd("codec", "decode", sent, "--model", model, "--out", back),
    }
    told = json.loads(sent.with_suffix(".json").read_text())
    kept, packed, decoded = stored.read(model), sent.read_bytes(), np.load(back)
    jax.config.update("jax_enable_x64", False)
    expected = stream.quantise(kept, test / np.float32(255))
    ideal = float(kept.law.bits(expected).mean())
    return {
        "bits": bits,
        "epochs": epochs,
        "images": len(test),
        "file_bytes": len(packed),
        "file_bits_per_image": 8 * len(packed) / len(test),
        "payload_bits_per_image": told["payload_bits_per_image"],
        "ideal_bits_per_image": ideal,
        "file_over_ideal": 8 * len(packed) / len(test) / ideal,
        "symbols_bit_exact": bool((stream.unpack(kept, packed)[0] == expected).all()),
        "pixels_as_foreseen": hashlib.sha256(decoded.tobytes()).hexdigest() == told["sha256"],
        "places_given_another": sum(parent >= 0 for parent in kept.law.parents),
        "places": len(kept.law.parents),
        "mse": told["mse"],
        "model_bytes": model.stat().st_size,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--bits", type=int, nargs="+", default=(32, 64))
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    train, test = (split.images for split in datasets.mnist(args.data))
    with tempfile.TemporaryDirectory() as folder:
        rows = [one(Path(folder), bits, args.epochs, train, test) for bits in args.bits]
    document = {
        "schema": "jaxrd.streams/1",
        "command": f"python benchmarks/streams.py --bits {' '.join(map(str, args.bits))} --epochs {args.epochs}",
        "machine": describe(),
        "rows": rows,
    }
    (args.out / "streams.json").write_text(json.dumps(document, indent=1) + "\n")
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()

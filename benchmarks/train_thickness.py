"""Train the embedded classifier of stroke thickness, the second label of MNIST's images: thin, middle or thick.

    JAXRD_DATA=... python benchmarks/train_thickness.py --out jaxrd/data

Writes mnist_thickness_parameters.npz and its entry in PROVENANCE.json, with the accuracy on the test images.
"""

import argparse
import hashlib
import json
from pathlib import Path
from time import perf_counter

import jax
import numpy as np
import optax

from jaxrd import datasets
from jaxrd.neural import classifier, classifier_file
from jaxrd.neural.classifier_fit import fit_classifier, measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--out", type=Path, default=Path("jaxrd/data"))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--widths", type=int, nargs=3, default=(16, 32, 64))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    def prepared(split: datasets.Split) -> tuple[np.ndarray, np.ndarray]:
        return split.images / np.float32(255), datasets.thickness_classes(split.images)

    train, test = map(prepared, datasets.mnist(args.data))
    clock = perf_counter()

    def report(epoch: int, loss: float) -> None:
        print(f"epoch {epoch:2d}/{args.epochs}  loss {loss:.4f}  {perf_counter() - clock:.0f} s", flush=True)

    model = fit_classifier(*train, epochs=args.epochs, widths=tuple(args.widths), seed=args.seed, report=report)
    found = measured(model, *test)
    print(found)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / classifier.THICKNESS).write_bytes(content := classifier_file.to_bytes(model))
    sidecar = args.out / "PROVENANCE.json"
    provenance = json.loads(sidecar.read_text()) if sidecar.exists() else {"sha256": {}}
    provenance["sha256"][classifier.THICKNESS] = hashlib.sha256(content).hexdigest()
    provenance["mnist_thickness"] = {
        "content": "parameters of a LeNet-like classifier of the three classes of datasets.thickness_classes",
        "command": f"python benchmarks/train_thickness.py --epochs {args.epochs} --seed {args.seed} "
        f"--widths {' '.join(map(str, args.widths))}",
        "parameters": int(sum(v.size for v in classifier.flatten(model).values())),
        "training_seconds": round(perf_counter() - clock),
        "test_accuracy": found["accuracy"],
        "test_ce_nats": found["ce_nats"],
        "versions": {"jax": jax.__version__, "optax": optax.__version__, "numpy": np.__version__},
    }
    sidecar.write_text(json.dumps(provenance, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""How long is one training step of the autoencoder, generator and critic, at batch 64 with the shipped classifier?

    python benchmarks/step.py            # prints; --out FILE saves

Median of single steps as a user's loop would take them, and the time a step takes inside a scanned epoch.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import jax
import jax.numpy as jnp
from flax import nnx
from machine import describe

from jaxrd.neural import classifier
from jaxrd.neural.losses import Weights
from jaxrd.neural.train import Code, Stage, epoch, initial, step

BATCH, SCANNED = 64, 50
STAGES = {
    "generator and critic": Stage(),
    "generator": Stage(adversarial=False),
    "universal: decoder and critic": Stage(("decoder",)),
}


def milliseconds(job: Callable, arguments: tuple, repeats: int) -> float:
    """Median time of a call, compiling apart."""
    jax.block_until_ready(job(*arguments))
    taken = []
    for _ in range(repeats):
        clock = perf_counter()
        jax.block_until_ready(job(*arguments))
        taken.append(perf_counter() - clock)
    return 1e3 * median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    graph, params = nnx.split(classifier.load())

    def logits(images: jax.Array) -> jax.Array:
        return nnx.merge(graph, params)(images.reshape(-1, 28, 28))

    code = Code()
    state = initial(code, 0)
    images = jax.random.uniform(jax.random.key(1), (BATCH * SCANNED, 784))
    labels = jnp.arange(len(images)) % 10
    weights, rates = Weights(1.0, 0.01, 0.001), jnp.full((SCANNED, 2), 1e-4)
    rows = []
    for name, stage in STAGES.items():
        one = jax.jit(partial(step, code, stage, logits))
        many = jax.jit(partial(epoch, code, stage, logits))
        single = milliseconds(one, (state, images[:BATCH], labels[:BATCH], weights, rates[0]), args.repeats)
        scanned = milliseconds(many, (state, images, labels, weights, rates), 3) / SCANNED
        rows.append({"stage": name, "step_ms": single, "scanned_step_ms": scanned})
        print(f"{name:32s} {single:6.1f} ms a step, {scanned:6.1f} ms in a scanned epoch", flush=True)
    if args.out:
        args.out.write_text(json.dumps({"batch": BATCH, "rows": rows, "machine": describe()}, indent=2) + "\n")


if __name__ == "__main__":
    main()

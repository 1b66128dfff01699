"""How long is a step of the universal autoencoder at 64 bits, batch 128, beside PyTorch's of the same networks?

    taskset -c 1 python benchmarks/universal_step.py --torch PYTHON --out results/universal_step.json

Each tool runs in a process of its own, one after the other there and back, on the same cores. A step is timed alone,
as a user's loop would take it, and for ours inside a scanned epoch too, as `fit` takes it. Three steps: MSE alone; with
the shipped classifier; with classifier and critic. `--torch` names a Python that has PyTorch.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from step import milliseconds

BATCH, SCANNED, REPEATS = 128, 30, 30
KINDS = {"mse": (False, False), "classifier": (True, False), "critic": (True, True)}


def time_torch() -> dict[str, float]:
    import torch_universal_step
    from torch_step import timed_arguments

    arguments = timed_arguments(BATCH)
    found = {}
    for kind, (labels, critic) in KINDS.items():
        step = torch_universal_step.make_step(labels=labels, critic=critic)
        found[kind] = milliseconds(lambda step=step: step(*arguments), REPEATS)
    return found


def _finished(job: Callable, arguments: tuple) -> None:
    import jax

    jax.block_until_ready(job(*arguments))


def time_jax() -> dict[str, float]:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from jaxrd.neural import UniversalAutoencoder, Weights, Words, classifier, dense
    from jaxrd.neural.train import State
    from jaxrd.neural.universal.networks import dense_critic
    from jaxrd.neural.universal.step import Objective, Stage, epoch, moments, split, step

    graph, parameters = nnx.split(classifier.load())

    def logits(images: jax.Array) -> jax.Array:
        return nnx.merge(graph, parameters)(images)

    images = jax.random.uniform(jax.random.key(1), (BATCH * SCANNED, 28, 28))
    labels = (jnp.arange(len(images)) % 10)[:, None]
    rngs = nnx.Rngs(0)
    encoder, decoder = dense((28, 28), 64, rngs=rngs)
    critics = {"one": dense_critic((28, 28), rngs=rngs)}
    model = UniversalAutoencoder((28, 28), encoder, Words(8, 256, 64, rngs=rngs), {"one": decoder}, critics)
    graphs, parts = split(model, "one")
    fast = jnp.full((SCANNED, 2), 1e-4)
    found = {}
    for kind, (labelled, critic) in KINDS.items():
        weights = Weights(1.0, jnp.full(int(labelled), 0.01), 0.001 * critic)
        objective = Objective(graphs, (logits,) * labelled, images, labels[:, : int(labelled)], None, None, weights)
        stage = Stage(adversarial=critic, batch=BATCH)
        state = State(parts, moments(stage, parts), jax.random.key(0))
        alone, many = (objective, stage, state, jnp.arange(BATCH), fast[0]), (objective, stage, state, fast)
        found[kind] = milliseconds(partial(_finished, jax.jit(step, static_argnums=1), alone), REPEATS)
        found[f"{kind}_scanned"] = milliseconds(partial(_finished, epoch, many), 3) / SCANNED
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="of both tools, there and back")
    parser.add_argument("--torch", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", choices=("jaxrd", "torch"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(time_torch() if args.child == "torch" else time_jax()))
        return
    from machine import describe

    runs: dict[str, list[dict[str, float]]] = {"jaxrd": [], "torch": []}
    for i in range(args.rounds):
        for tool in ("jaxrd", "torch") if i % 2 == 0 else ("torch", "jaxrd"):
            python = args.torch if tool == "torch" else sys.executable
            done = subprocess.run([python, __file__, "--child", tool], capture_output=True, text=True, check=True)
            runs[tool].append(json.loads(done.stdout.splitlines()[-1]))
            print(tool, {k: round(v, 2) for k, v in runs[tool][-1].items()}, flush=True)
    rows = {tool: {key: median(run[key] for run in some) for key in some[0]} for tool, some in runs.items()}
    ratios = {
        kind: sorted(a[kind] / b[kind] for a, b in zip(runs["jaxrd"], runs["torch"], strict=True)) for kind in KINDS
    }
    over = {kind: {"min": r[0], "median": median(r), "max": r[-1]} for kind, r in ratios.items()}
    print(json.dumps(over, indent=1))
    if args.out:
        cores = len(os.sched_getaffinity(0))
        whole = {"batch": BATCH, "bits": 64, "cores": cores, "step_ms": rows, "jaxrd_over_torch": over}
        args.out.write_text(json.dumps(whole | describe(), indent=2) + "\n")


if __name__ == "__main__":
    main()

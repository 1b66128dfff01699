"""How long is one training step of the autoencoder, generator and critic, at batch 64 with the shipped classifier?

    python benchmarks/step.py --out results/step.json     # with PyTorch's step beside ours, where there is torch

Each tool runs in a process of its own, one after the other there and back. A step is timed alone, as a user's loop
would take it, and inside a scanned epoch. The lineage's architecture is timed apart, beside the time its flops would
take at this machine's measured float32 matrix rate.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

BATCH, SCANNED, REPEATS = 64, 50, 30
TOOLS = ("jaxrd", "torch", "jaxrd-lineage", "torch-lineage")


def milliseconds(job: Callable, repeats: int) -> float:
    """Median time of a call; the first, which compiles, apart."""
    job()
    taken = []
    for _ in range(repeats):
        clock = perf_counter()
        job()
        taken.append(perf_counter() - clock)
    return 1e3 * median(taken)


def time_torch(lineage: bool) -> dict[str, float]:
    import torch_step

    step = torch_step.make_lineage_step() if lineage else torch_step.make_step()
    arguments = torch_step.timed_arguments(BATCH)
    return {"step_ms": milliseconds(lambda: step(*arguments), REPEATS)}


def time_jax(lineage: bool) -> dict[str, float]:
    import jax
    import jax.numpy as jnp
    from flax import nnx
    from lineage import make_step

    from jaxrd.neural import classifier
    from jaxrd.neural.losses import Weights
    from jaxrd.neural.train import Code, Objective, Stage, epoch, initial, step

    graph, params = nnx.split(classifier.load())

    def logits(images: jax.Array) -> jax.Array:
        return nnx.merge(graph, params)(images.reshape(-1, 28, 28))

    images = jax.random.uniform(jax.random.key(1), (BATCH * SCANNED, 784))
    labels = jnp.arange(len(images)) % 10
    few = images[:BATCH], labels[:BATCH]
    if lineage:
        one, state = make_step(logits)
        one = jax.jit(one).lower(state, *few).compile()
        gflops = dict(one.cost_analysis() or {})["flops"] / 1e9
        taken = milliseconds(lambda: jax.block_until_ready(one(state, *few)), REPEATS)
        return {"step_ms": taken, "gflops_a_step": gflops}
    code = Code()
    state, weights, rates = initial(code, 0), Weights(1.0, 0.01, 0.001), jnp.full((SCANNED, 2), 1e-4)
    batch, whole = Objective(code, logits, *few, weights), Objective(code, logits, images, labels, weights)
    stages = {"": Stage(), "generator_": Stage(adversarial=False), "universal_": Stage(("decoder",))}
    found = {}
    for name, stage in stages.items():
        one, many = (jax.jit(f, static_argnums=1) for f in (step, epoch))
        found[f"{name}step_ms"] = milliseconds(
            lambda one=one, stage=stage: jax.block_until_ready(one(batch, stage, state, rates[0])), REPEATS
        )
        found[f"{name}scanned_step_ms"] = (
            milliseconds(lambda many=many, stage=stage: jax.block_until_ready(many(whole, stage, state, rates)), 3)
            / SCANNED
        )
    return found


def child(tool: str) -> None:
    """Time one tool and print what was found."""
    lineage = tool.endswith("lineage")
    print(json.dumps(time_torch(lineage) if tool.startswith("torch") else time_jax(lineage)))


def summary(runs: dict[str, list[dict[str, float]]], rate: float) -> dict[str, Any]:
    """Medians over the runs, PyTorch's time over ours run by run, and the lineage's floor."""
    rows: dict[str, Any] = {
        tool: {key: median(run[key] for run in found) for key in found[0]} for tool, found in runs.items()
    }
    for ours, theirs in (("jaxrd", "torch"), ("jaxrd-lineage", "torch-lineage")):
        if theirs in runs:
            ratios = sorted(b["step_ms"] / a["step_ms"] for a, b in zip(runs[ours], runs[theirs], strict=True))
            rows[ours]["torch_over_jaxrd"] = {"min": ratios[0], "median": median(ratios), "max": ratios[-1]}
    rows["jaxrd-lineage"]["floor_ms"] = 1e3 * rows["jaxrd-lineage"]["gflops_a_step"] / rate
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of all tools, there and back")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", choices=TOOLS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child)
    from machine import measure

    tools = [tool for tool in TOOLS if not tool.startswith("torch") or find_spec("torch")]
    runs: dict[str, list[dict[str, float]]] = {tool: [] for tool in tools}
    for i in range(args.rounds):
        for tool in tools if i % 2 == 0 else tools[::-1]:
            done = subprocess.run(
                [sys.executable, __file__, "--child", tool], capture_output=True, text=True, check=True
            )
            runs[tool].append(json.loads(done.stdout.splitlines()[-1]))
            print(tool, {k: round(v, 2) for k, v in runs[tool][-1].items()}, flush=True)
    machine = measure()
    rows = summary(runs, machine["rates"]["gemm_f32_gflops"])
    print(json.dumps(rows, indent=1))
    if args.out:
        args.out.write_text(json.dumps({"batch": BATCH, "tools": rows, **machine}, indent=2) + "\n")


if __name__ == "__main__":
    main()

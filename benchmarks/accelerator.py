"""What an accelerator does: sweeps of P1..P5, one huge problem on a mesh of all devices, a family's training step.

    python benchmarks/accelerator.py --out results/accelerator.json

On whatever JAX finds (a GPU, a TPU, else the CPU). Sweeps are vmapped against mapped, in float64 and float32; seconds
are medians of three, compiling apart. `--large` is a classifier's posteriors in float32, made and solved on the
devices, its rows split over them. Every gap is recomputed in numpy (`gap.py`), of the large problem in float64 and a
block of rows at a time. The file is written after each part, so that a run that is cut short keeps what it has; no
part begins after `--minutes`.
"""

import argparse
import json
import os
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import problems
from gap import CELLS, certified_gap
from jax.sharding import NamedSharding, PartitionSpec
from machine import describe, rates

from jaxrd import Problem, Status, sweep

CASES = ("P1-200", "P1-1000", "P2-100", "P2-100 x1024", "P2-1000", "P3", "P4", "P5")
REPEATS = 3


def case(name: str) -> tuple[Problem, np.ndarray]:
    """A benchmark problem, or one with its grid refined to so many slopes: "P2-100 x1024"."""
    base, _, count = name.partition(" x")
    problem, slopes = problems.named(base)
    return problem, np.geomspace(slopes[0], slopes[-1], int(count)) if count else slopes


def measure(problem: Problem, slopes: np.ndarray, dtype: Any, batch_size: int | None) -> dict[str, Any]:
    """Seconds and certificates of one way to sweep."""
    there = Problem(*(jax.device_put(jnp.asarray(a, dtype)) for a in (problem.source, problem.distortion)))
    clock = perf_counter()
    curve = jax.block_until_ready(sweep(there, slopes, batch_size=batch_size))
    first = perf_counter() - clock
    taken = []
    for _ in range(REPEATS):
        clock = perf_counter()
        jax.block_until_ready(sweep(there, slopes, batch_size=batch_size))
        taken.append(perf_counter() - clock)
    source, distortion = (np.asarray(a, np.float64) for a in (there.source, there.distortion))
    source = source / source.sum()
    relative, understated = [], 0
    for i in range(0, len(slopes), max(len(slopes) // 32, 1)):
        q = np.asarray(curve.reproduction[i], np.float64)
        gap, lagrangian = certified_gap(source, distortion, float(curve.slope[i]), q / q.sum())
        relative.append(gap / max(1, abs(lagrangian)))
        understated += bool(gap > float(curve.gap[i]) + 1e-12)
    seconds = median(taken)
    return {
        "dtype": np.dtype(dtype).name,
        "batch_size": batch_size,
        "seconds": seconds,
        "ms_a_slope": 1e3 * seconds / len(slopes),
        "compile_seconds": first - seconds,
        "converged": int((curve.status == Status.CONVERGED).sum()),
        "slopes": len(slopes),
        "gaps_rechecked": len(relative),
        "largest_relative_gap": max(relative),
        "gaps_understated": understated,
        "steps": int(curve.steps.sum()),
    }


def large(rows: int, classes: int, slopes: tuple[float, ...] = (2.0, 6.0, 20.0)) -> dict[str, Any]:
    """One problem of float32 posteriors, rows over all devices: seconds a slope, and its gaps by numpy."""
    mesh = jax.make_mesh((1, jax.device_count()), ("slope", "sample"))
    split = NamedSharding(mesh, PartitionSpec("sample"))

    @partial(jax.jit, out_shardings=split)
    def distortion(key: jax.Array) -> jax.Array:
        noise, drawn = jax.random.split(key)
        labels = jax.random.randint(drawn, (rows,), 0, classes)
        logits = 2 * jax.random.normal(noise, (rows, classes), jnp.float32)
        logits += 8 * jax.nn.one_hot(labels, classes, dtype=jnp.float32)
        return 1 - jax.nn.softmax(logits, axis=1)

    d, source = distortion(jax.random.key(0)), np.full(rows, 1 / rows, np.float32)
    problem, grid = Problem(source, d), np.asarray(slopes, np.float32)
    clock = perf_counter()
    curve = sweep(problem, grid, mesh=mesh)
    first = perf_counter() - clock
    clock = perf_counter()
    curve = jax.device_get(sweep(problem, grid, mesh=mesh))
    seconds, worst = perf_counter() - clock, 0.0
    block = max(CELLS // classes, 1)
    for s, q, gap in zip(curve.slope, curve.reproduction, curve.gap, strict=True):
        c, q = np.zeros(classes), np.asarray(q, np.float64) / np.asarray(q, np.float64).sum()
        for i in range(0, rows, block):
            part = np.asarray(d[i : i + block], np.float64)
            kernel = np.exp(-float(s) * (part - part.min(1, keepdims=True)))
            c += (1 / rows / (kernel @ q)) @ kernel
        used = q * c > 0
        worst = max(worst, float(np.log(c.max()) - (q[used] * c[used]) @ np.log(c[used])) / float(gap))
    return {
        "rows": rows, "classes": classes, "dtype": str(d.dtype), "devices": jax.device_count(), "slopes": len(slopes),
        "seconds": seconds, "first_seconds": first, "steps": int(curve.steps.sum()),
        "converged": int((curve.status == Status.CONVERGED).sum()), "largest_gap": float(curve.gap.max()),
        "largest_ratio_of_gap_by_numpy": worst, "gib_of_the_matrix": 4 * rows * classes / 2**30,
    }  # fmt: skip


def family_step(members: int) -> dict[str, Any]:
    """Milliseconds of a training step of a family of autoencoders, as `neural.run` trains them."""
    from step import BATCH, SCANNED, milliseconds

    from jaxrd.neural import family
    from jaxrd.neural.run import _epoch
    from jaxrd.neural.train import Code, Objective, Stage, initial

    images, code = jax.random.uniform(jax.random.key(1), (BATCH * SCANNED, 784)), Code()
    labels, rates_ = jnp.arange(len(images)) % 10, jnp.full((SCANNED, 2), 1e-4)
    states = family.stacked([initial(code, seed) for seed in range(members)])
    weights = family.weights([(0.01, 0.001)] * members)
    objective = Objective(code, lambda x: x[:, :10], images, labels, weights)
    over = family.by_backend(members)
    taken = milliseconds(lambda: jax.block_until_ready(_epoch(over, objective, Stage(), states, rates_)), 3)
    return {"members": members, "step_ms": taken / SCANNED, "step_ms_a_member": taken / SCANNED / members}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", help="cases, separated by commas")
    parser.add_argument("--large", help="ROWSxCLASSES, 0x0 for none; 1000000x1000 on an accelerator, else none")
    parser.add_argument("--members", type=int, default=8, help="of the family of autoencoders, 0 for none")
    parser.add_argument("--minutes", type=float, default=7.0, help="after which no part begins")
    args = parser.parse_args()
    began = perf_counter()
    jax.config.update("jax_enable_x64", True)
    device = jax.devices()[0]
    document: dict[str, Any] = {
        "schema": "jaxrd.accelerator/1",
        "device": device.device_kind,
        "machine": describe(),
        "rates": rates(),
    }
    print(device.device_kind, document["rates"], flush=True)
    rows: dict[str, list] = {}

    def keep(**more: Any) -> None:
        document.update(more)
        if args.out:
            args.out.write_text(json.dumps(document, indent=2) + "\n")

    size = args.large or ("0x0" if jax.default_backend() == "cpu" else "1000000x1000")
    if size != "0x0":
        rows_, classes = map(int, size.split("x"))
        keep(large=large(rows_, classes))
        print(document["large"], flush=True)
    if args.members:
        keep(family=family_step(args.members))
        print(document["family"], flush=True)
    for name in args.only.split(",") if args.only else CASES:
        if name.startswith("P5") and "JAXRD_DATA" not in os.environ:
            continue
        if perf_counter() - began > 60 * args.minutes:
            print(f"{name}: not begun after {args.minutes:g} minutes", flush=True)
            continue
        problem, slopes = case(name)
        rows[name] = []
        for dtype in (jnp.float64, jnp.float32):
            for batch_size in (None, 1):
                if batch_size == 1 and (len(slopes) > 64 or np.size(problem.distortion) > 10**5):
                    continue  # minutes, for what no one would run
                row = measure(problem, slopes, dtype, batch_size)
                rows[name].append(row)
                shown = {k: v if not isinstance(v, float) else float(f"{v:.3g}") for k, v in row.items()}
                print(name, shown, flush=True)
                keep(problems=rows)


if __name__ == "__main__":
    main()

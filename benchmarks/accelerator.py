"""Sweeps on whatever JAX finds (a GPU, a TPU, else the CPU): vmapped against mapped, float64 and float32.

    python benchmarks/accelerator.py --out results/accelerator.json

Every slope's gap is recomputed in numpy (`gap.py`). Seconds are medians of three sweeps, compiling apart.
"""

import argparse
import json
import os
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import problems
from gap import certified_gap
from machine import describe, rates

from jaxrd import Problem, Status, sweep

CASES = ("P1-200", "P1-1000", "P2-100", "P2-100 x1024", "P2-1000", "P3", "P5")
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", help="cases, separated by commas")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    device = jax.devices()[0]
    document = {"schema": "jaxrd.accelerator/1", "device": device.device_kind, "machine": describe(), "rates": rates()}
    print(device.device_kind, document["rates"], flush=True)
    rows: dict[str, list] = {}
    for name in args.only.split(",") if args.only else CASES:
        if name.startswith("P5") and "JAXRD_DATA" not in os.environ:
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
                if args.out:
                    args.out.write_text(json.dumps(document | {"problems": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()

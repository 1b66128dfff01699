"""Does `solve` arrive, everywhere? P1..P5 at every slope of their grids, and at 1e-3 and 1e3.

    JAXRD_DATA=... python benchmarks/certify.py [P1-200 P2-100 ...]

The gap of every point is recomputed in plain numpy from the reproduction pmf alone, and judged as
gap <= 1e-9 max(1, |L|). Writes benchmarks/results/certify.json; about two minutes on two CPU cores.
"""

import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import problems
from gap import certified_gap

from jaxrd import Status, solve

EXTREME = (1e-3, 1e3)


def run(name: str) -> dict:
    """One problem: worst gap, iterations, seconds a slope (compile excluded)."""
    given, grid = problems.named(name)
    problem = jax.tree.map(jax.numpy.asarray, given)
    source, distortion = np.asarray(given.source), np.asarray(given.distortion)
    rows = []
    jax.block_until_ready(solve(problem, 1.0))
    for slope in sorted({*EXTREME, *grid.tolist()}):
        start = time.perf_counter()
        point = jax.block_until_ready(solve(problem, slope))
        seconds = time.perf_counter() - start
        q = np.asarray(point.reproduction)
        gap, lagrangian = certified_gap(source, distortion, slope, q / q.sum())
        rows.append((gap / max(1, abs(lagrangian)), float(point.gap), int(point.steps), seconds, int(point.status)))
    relative, reported, steps, seconds, status = (np.array(a) for a in zip(*rows, strict=True))
    return {
        "slopes": len(rows),
        "converged": int((status == Status.CONVERGED).sum()),
        "largest_relative_gap_nats": float(relative.max()),
        "largest_reported_gap_nats": float(reported.max()),
        "iterations": [int(steps.min()), float(np.median(steps)), int(steps.max())],
        "seconds_a_slope": [float(np.quantile(seconds, x)) for x in (0, 0.5, 1)],
    }


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    out = Path(__file__).parent / "results" / "certify.json"
    document: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"problems": {}}
    document["command"] = "python benchmarks/certify.py"
    document["machine"] = {"cpus": os.cpu_count(), "machine": platform.machine(), "jax": jax.__version__}
    for name in sys.argv[1:] or problems.STANDARD:
        document["problems"][name] = found = run(name)
        print(name, json.dumps(found), flush=True)
        out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""1000 shapes in one process: does `sweep` go on where each new shape keeps memory?

    python benchmarks/shapes.py [--shapes 1000] [--out benchmarks/results/shapes.json]

Each shape is new (n from 2 on, m = n or n + 1), so that each compiles. Counted are the memory maps and the resident
memory of the process, and how often JAX's caches were cleared to make room (`jaxrd._room`). Linux allows 65 530 maps;
without room XLA crashed after some 218 shapes. About 25 minutes with few optimisations:
XLA_FLAGS="--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0".
"""

import argparse
import json
import os
import time
from pathlib import Path

import jax
import numpy as np

from jaxrd import Problem, Status, sweep


def maps() -> int:
    """Memory maps of this process."""
    return Path("/proc/self/maps").read_bytes().count(b"\n")


def resident() -> int:
    """Resident memory of this process, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "shapes.json")
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    cleared, clear = [], jax.clear_caches

    def count() -> None:
        cleared.append(len(rows))
        clear()

    jax.clear_caches = count
    start, rows, most = time.perf_counter(), [], 0
    for k in range(asked.shapes):
        g = np.random.default_rng(k)
        n, m = 2 + k // 2, 2 + k // 2 + k % 2
        found = sweep(Problem(g.dirichlet(np.ones(n)), g.random((n, m))), np.array([1.0, 4.0, 16.0]))
        assert (found.status == Status.CONVERGED).all(), (n, m, found.status)
        most = max(most, maps())
        if k % 20 == 19:
            rows.append({"shapes": k + 1, "maps": maps(), "resident_mib": resident()})
            print(rows[-1], round(time.perf_counter() - start), flush=True)
    result = {
        "command": f"python benchmarks/shapes.py --shapes {asked.shapes}",
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "shapes": asked.shapes,
        "cleared": len(cleared),
        "most_maps": most,
        "most_resident_mib": max(row["resident_mib"] for row in rows),
        "seconds": round(time.perf_counter() - start),
        "along": rows,
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n")
    print({key: value for key, value in result.items() if key != "along"})


if __name__ == "__main__":
    main()

"""How long R(D, P) under W2 takes on 50 to 200 letters, how wide its bounds are, and how much memory it needs.

    python benchmarks/perception.py

The standard normal law on equally spaced letters in [-4, 4], squared error. Writes benchmarks/results/perception.json;
some two minutes on two CPU cores. `cpu_s` counts all threads: it says more than `warm_s` where other programs run.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import describe

from jaxrd import Problem, Status
from jaxrd.rdc import measures, perceptual_rate

OUT = Path(__file__).parent / "results" / "perception.json"
LETTERS = (50, 100, 200)
PAIRS = ((0.5, 0.1), (0.2, 0.02), (0.8, 0.01))


def at(letters: int, distortion: float, perception: float) -> dict[str, Any]:
    """One pair: the first call, which compiles, and a second one."""
    x = np.linspace(-4, 4, letters)
    p = np.exp(-(x**2) / 2)
    d = (x[:, None] - x) ** 2
    problem, measure = Problem(p / p.sum(), d), measures.Wasserstein(d)
    times, cpus = [], []
    point = None
    for _ in range(2):
        start, cpu = time.perf_counter(), time.process_time()
        point = jax.block_until_ready(perceptual_rate(problem, distortion, perception, measure=measure))
        times.append(time.perf_counter() - start)
        cpus.append(time.process_time() - cpu)
    assert point is not None
    return {
        "letters": letters, "distortion": distortion, "perception": perception, "rate_nats": float(point.rate),
        "gap_nats": float(point.gap), "steps": int(point.steps), "status": Status(int(point.status)).name,
        "first_s": times[0], "warm_s": times[1], "cpu_s": cpus[1],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def main() -> None:
    """Measure every pair and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--letters", type=int, nargs="+", help="sizes; nothing is written")
    sizes = parser.parse_args().letters
    jax.config.update("jax_enable_x64", True)
    load, points = os.getloadavg(), []
    for letters in sizes or LETTERS:
        for pair in PAIRS:
            points.append(at(letters, *pair))
            print(json.dumps(points[-1]), flush=True)
    if sizes is None:
        written = {"machine": describe(), "load_average": [load, os.getloadavg()], "points": points}
        OUT.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

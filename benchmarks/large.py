"""How large may alphabets be? 20 000 x 20 000 letters in the plane, and curves of 100 000 classes: time, memory, gap.

    python benchmarks/large.py [--quick] [--out FILE]

Every case runs in a process of its own, whose peak memory (resident, the interpreter and compiler included) is part of
the result; `idle` is what such a process takes to solve next to nothing. Gaps are recomputed in plain float64 numpy
from the reproduction pmf alone, after the peak was read. Writes benchmarks/results/large.json; 5 to 20 minutes on two
CPU cores.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax

from jaxrd import Problem, Status, blahut_arimoto, tosc
from jaxrd.distortion import PointCloud
from jaxrd.tosc.curves.estimated import EstimateAndCompress
from jaxrd.tosc.curves.sampled_in_blocks import sample_and_communicate_in_blocks
from jaxrd.tosc.joint import SparseJoint

SLOPE = 4.0
TOLERANCE = 2e-4  # relative to L: below 1e-3 nat
STEPS = 6  # of the runs that only time a step


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plane(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and places of n samples of a mixture of eight Gaussians."""
    g = np.random.default_rng(0)
    centres, shares = 2.5 * g.standard_normal((8, 2)), g.dirichlet(np.full(8, 2.0))
    x = centres[g.choice(8, n, p=shares)] + 0.6 * g.standard_normal((n, 2))
    p = g.gamma(1.0, size=n)
    return p / p.sum(), x


def gap_of_points(p: np.ndarray, x: np.ndarray, slope: float, q: np.ndarray) -> float:
    """ln max c - KL(r || q) for squared error between the points themselves: every row has a zero, no shift."""
    p, x, q = p.astype(np.float64), x.astype(np.float64), q.astype(np.float64)
    p, q = p / p.sum(), q / q.sum()
    c = np.zeros(len(q))
    for rows in np.array_split(np.arange(len(p)), max(len(p) * len(q) // 10**7, 1)):
        k = np.exp(-slope * sum((x[rows, None, i] - x[None, :, i]) ** 2 for i in range(x.shape[1])))
        c += (p[rows] / (k @ q)) @ k
    return float(np.log(c.max()) - (q * c) @ np.log(c))


def solve_plane(n: int, dtype: str, tolerance: float) -> dict[str, Any]:
    """One slope of squared error in the plane, source letters and reproductions the same n points."""
    jax.config.update("jax_enable_x64", dtype == "float64")
    p, x = (a.astype(dtype) for a in plane(n))
    problem = Problem(p, PointCloud(x, x))
    start = time.perf_counter()
    point = jax.block_until_ready(blahut_arimoto(problem, SLOPE, tol=tolerance))
    seconds = time.perf_counter() - start
    peak = peak_mib()
    return {
        "letters": [n, n],
        "dtype": dtype,
        "slope": SLOPE,
        "seconds_with_compilation": seconds,
        "steps": int(point.steps),
        "peak_mib": peak,
        "rate_nats": float(point.rate),
        "distortion": float(point.distortion),
        "gap_nats": float(point.gap),
        "gap_in_numpy_nats": gap_of_points(p, x, SLOPE, np.asarray(point.reproduction)),
        "status": Status(int(point.status)).name,
    }


def time_a_step(n: int) -> dict[str, Any]:
    """Seconds a step, compilation excluded: the row minima and the certificate are three evaluations more."""
    jax.config.update("jax_enable_x64", True)
    p, x = plane(n)
    problem = jax.tree.map(jnp.asarray, Problem(p, PointCloud(x, x)))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(blahut_arimoto(problem, SLOPE, tol=0, max_steps=STEPS))
        seconds.append(time.perf_counter() - start)
    return {"letters": n, "seconds_a_step": min(seconds[1:]) / (STEPS + 3), "peak_mib": peak_mib()}


def confusion(classes: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and decisions: three in four are right, the others among some thirty neighbours."""
    g = np.random.default_rng(1)
    labels = g.choice(classes, samples, p=g.dirichlet(np.full(classes, 2.0)))
    return labels, np.where(g.random(samples) < 0.75, labels, (labels + g.integers(1, 30, samples)) % classes)


@jax.jit
def estimated(joint: SparseJoint, grid: jax.Array) -> EstimateAndCompress:
    return jax.lax.map(lambda d: tosc.estimate_and_compress(joint, d), grid)


def estimate_and_compress(classes: int, samples: int) -> dict[str, Any]:
    """E&C: a curve of 32 points, the joint included."""
    jax.config.update("jax_enable_x64", True)
    start = time.perf_counter()
    joint = tosc.sparse_joint(*confusion(classes, samples), classes)
    found = jax.block_until_ready(estimated(joint, jnp.linspace(0, 0.9, 32)))
    seconds = time.perf_counter() - start
    return {
        "points": 32,
        "seconds_with_compilation": seconds,
        "peak_mib": peak_mib(),
        "rate_nats": float(found.rate[0]),
    }


def gap_of_confusion(problem: Problem, slope: float, q: np.ndarray) -> float:
    """ln max c - KL(r || q) for a ceiling less discounts, from the definition."""
    d: Any = problem.distortion
    p, rows, columns, discount = (np.asarray(a) for a in (problem.source, d.rows, d.columns, d.discount))
    k = np.exp(slope * discount) - 1  # relative to the ceiling
    z = 1 + np.bincount(rows, k * q[columns], len(p))
    w = p / z
    c = w.sum() + np.bincount(columns, k * w[rows], len(q))
    used = q * c > 0
    return float(np.log(c.max()) - (q * c)[used] @ np.log(c[used]))


def indirect(classes: int, samples: int) -> dict[str, Any]:
    """iE&C at three slopes, the joint included."""
    jax.config.update("jax_enable_x64", True)
    start = time.perf_counter()
    joint = tosc.sparse_joint(*confusion(classes, samples), classes)
    problem = tosc.indirect_problem(joint)
    slopes = [np.log(classes) + shift for shift in (-3.0, 0.0, 8.0)]
    points = [jax.block_until_ready(blahut_arimoto(problem, s, tol=1e-5)) for s in slopes]
    seconds = time.perf_counter() - start
    peak = peak_mib()
    return {
        "pairs": int(joint.mass.size),
        "slopes": slopes,
        "seconds_with_compilation": seconds,
        "peak_mib": peak,
        "rate_nats": [float(x.rate) for x in points],
        "distortion": [float(x.distortion) for x in points],
        "steps": [int(x.steps) for x in points],
        "gap_nats": [float(x.gap) for x in points],
        "gap_in_numpy_nats": [
            gap_of_confusion(problem, s, np.asarray(x.reproduction)) for s, x in zip(slopes, points, strict=True)
        ],
        "status": [Status(int(x.status)).name for x in points],
    }


def sampled(classes: int, samples: int) -> dict[str, Any]:
    """S&C: one temperature, float32 posteriors made anew in each pass, 64 samples at a time."""
    rows = 64

    def blocks():
        for block in range(samples // rows):
            g = np.random.default_rng([2, block])
            labels = g.integers(0, classes, rows)
            logits = g.standard_normal((rows, classes), np.float32)
            logits[np.arange(rows), labels] += np.float32(1 + np.log(classes))
            yield log_softmax(logits, axis=1), labels

    start = time.perf_counter()
    point = sample_and_communicate_in_blocks(blocks, 1.2)
    return {
        "samples": samples,
        "rows_a_block": rows,
        "seconds_with_compilation_and_data": time.perf_counter() - start,
        "peak_mib": peak_mib(),
        "all_posteriors_would_take_mib": samples * classes * 4 / 2**20,
        "rate_nats": float(point.rate),
        "distortion": float(point.distortion),
    }


def cases(quick: bool) -> dict[str, tuple[Any, ...]]:
    """Functions and arguments by name."""
    n, classes, samples = (400, 1000, 3000) if quick else (20_000, 100_000, 300_000)
    return {
        "idle": (solve_plane, 8, "float64", TOLERANCE),
        "E&C": (estimate_and_compress, classes, samples),
        "iE&C": (indirect, classes, samples),
        "S&C": (sampled, classes, 128 if quick else 2048),
        **{f"step-{k}": (time_a_step, k) for k in (n // 8, n // 4, n // 2, n)},
        "plane-float64": (solve_plane, n, "float64", TOLERANCE),
        "plane-float32": (solve_plane, n, "float32", TOLERANCE),
    }


def growth(rows: list[dict]) -> dict[str, Any]:
    """Exponents of n, from a straight line through the logarithms; of memory, what an idle process takes included."""
    n, seconds, mib = (np.array([row[key] for row in rows]) for key in ("letters", "seconds_a_step", "peak_mib"))
    exponents = {
        "time": np.polyfit(np.log(n), np.log(seconds), 1)[0],
        "memory": np.polyfit(np.log(n), np.log(mib), 1)[0],
    }
    return {"steps": rows, "exponents": {key: round(float(value), 3) for key, value in exponents.items()}}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, seconds; writes only where --out says")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--case", help="run one case here and print it")
    arguments = parser.parse_args()
    plan = cases(arguments.quick)
    if arguments.case:
        function, *values = plan[arguments.case]
        print(json.dumps(function(*values)))
        return
    found = {}
    for name in plan:
        command = [sys.executable, __file__, "--case", name] + ["--quick"] * arguments.quick
        found[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(name, json.dumps(found[name]), flush=True)
    steps = [found.pop(name) for name in plan if name.startswith("step-")]
    document = {
        "command": "python benchmarks/large.py" + " --quick" * arguments.quick,
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine(), "jax": jax.__version__},
        "cases": found,
        "growth": growth(steps),
    }
    out = arguments.out or (None if arguments.quick else Path(__file__).parent / "results" / "large.json")
    if out:
        temporary = out.with_suffix(".partial")
        temporary.write_text(json.dumps(document, indent=1) + "\n")
        os.replace(temporary, out)


if __name__ == "__main__":
    main()

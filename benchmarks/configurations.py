"""A million classes: detection cast as classification ([A], III-B), and how S&C and Blahut-Arimoto grow with classes.

    python benchmarks/configurations.py [--quick] [--out FILE]

A scene has `cells` places, each empty or held by one of the object classes: states^cells configurations. Each place is
seen through Gaussian noise, so the posterior is known, a product over places, and rows are made anew when they are
needed. Every case runs in a process of its own on one core; seconds are of CPU (`process_time`, the least of three) and
of the wall, exponents are fitted to the former. S&C is in float32, the rest in float64; matrices that leave the caches
as they grow lift an exponent above that of the arithmetic. Writes benchmarks/results/configurations.json and .png; five
minutes of CPU.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from large import gap_of_confusion, peak_mib

from jaxrd import Problem, Status, blahut_arimoto, distortion, plots, tosc
from jaxrd.closed_form import categorical
from jaxrd.tosc.curves.configurations import configuration, joint_log_posterior, sample_and_communicate_by_cells
from jaxrd.tosc.curves.estimated import EstimateAndCompress
from jaxrd.tosc.curves.sampled_in_blocks import sample_and_communicate_in_blocks
from jaxrd.tosc.joint import SparseJoint

CONTRAST = 3.5  # of a state, in deviations of the noise
SLOPE = 12.0  # nats per unit, of the steps that are timed
DECISIONS = 1_000_000  # where steps are timed; three times as many where the curves are computed
ROWS = 64  # of S&C, where it is timed
CELLS_A_BLOCK = 2**23  # of float32: 32 MiB
DENSE = (14, 16, 18, 20, 22)  # states in three places: 2744 to 10 648 configurations
MANY = (22, 32, 46, 68, 100)  # 10 648 to 10^6


def prior(cells: int, states: int) -> np.ndarray:
    """Of each place, shape (cells, states): empty half of the time, the objects more and less common."""
    g = np.random.default_rng(0)
    return np.concatenate([np.full((cells, 1), 0.5), 0.5 * g.dirichlet(np.ones(states - 1), cells)], 1)


def scenes(cells: int, states: int, samples: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """States of the places, (samples, cells), and the exact ln posterior of each, float32 (samples, cells, states)."""
    g, p = np.random.default_rng(seed), prior(cells, states)
    above = g.random((samples, cells, 1), np.float32) > p.cumsum(1)[None, :, :-1]
    y = above.sum(2, dtype=np.int32)
    seen = g.standard_normal((samples, cells, states), np.float32)
    np.put_along_axis(seen, y[:, :, None], np.take_along_axis(seen, y[:, :, None], 2) + np.float32(CONTRAST), 2)
    return y, np.asarray(log_softmax(np.log(p).astype(np.float32) + np.float32(CONTRAST) * seen, axis=2))


def decided(cells: int, states: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Configurations, and the likeliest given the image: the likeliest state of each place, without forming a row."""
    pairs = []
    for block, rows in enumerate(np.diff(np.arange(0, samples + 50_000, 50_000).clip(max=samples))):
        if rows:
            y, log_factors = scenes(cells, states, int(rows), (1, block))
            pairs.append([np.asarray(configuration(a, states)) for a in (y, log_factors.argmax(2).astype(np.int32))])
    labels, decisions = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return labels, decisions


def rows_of(cells: int, states: int, samples: int) -> Callable[[], Iterator[tuple[jax.Array, jax.Array]]]:
    """Blocks of whole posterior rows, made anew in every pass."""
    rows = max(min(CELLS_A_BLOCK // states**cells, samples), 1)

    def blocks() -> Iterator[tuple[jax.Array, jax.Array]]:
        for block in range(samples // rows):
            y, log_factors = scenes(cells, states, rows, (2, block))
            yield joint_log_posterior(log_factors), configuration(y, states)

    return blocks


def timed(job: Callable[[], Any], repeats: int = 3) -> dict[str, float]:
    """Seconds of CPU and of the wall of a job already compiled, each the least of a few."""
    cpu, wall = [], []
    for _ in range(repeats):
        start = time.process_time(), time.perf_counter()
        jax.block_until_ready(job())
        cpu.append(time.process_time() - start[0])
        wall.append(time.perf_counter() - start[1])
    return {"cpu_seconds": min(cpu), "wall_seconds": min(wall)}


def timed_step(problem: Problem, few: int = 2, long_enough: float = 0.3) -> dict[str, float]:
    """A step of Blahut-Arimoto: what more of them take, as many as a clock can tell."""

    def steps(count: int) -> dict[str, float]:
        def job() -> Any:
            return blahut_arimoto(problem, SLOPE, tol=0, max_steps=count)

        assert int(job().steps) == count
        return timed(job)

    short, many = steps(few), 8
    while (long := steps(many))["cpu_seconds"] < short["cpu_seconds"] + long_enough:
        many *= 4
    return {"steps": many - few} | {key: (long[key] - short[key]) / (many - few) for key in short}


def step_of_sampling(states: int, rows: int) -> dict[str, float]:
    """S&C of some samples at one temperature, their rows included, in two passes."""
    jax.config.update("jax_enable_x64", False)
    blocks = rows_of(3, states, rows)

    def job() -> Any:
        return sample_and_communicate_in_blocks(blocks, 1.2)

    job()
    return timed(job)


def dense_joint(states: int, decisions: int) -> jax.Array:
    return tosc.confusion_joint(*decided(3, states, decisions), states**3)


def step_of_dense_indirect(states: int, decisions: int) -> dict[str, float]:
    """iE&C as [A] computes it: Blahut-Arimoto on the confusion matrix."""
    return timed_step(jax.tree.map(jnp.asarray, tosc.indirect_problem(dense_joint(states, decisions))))


def step_of_dense_estimate(states: int, decisions: int) -> dict[str, float]:
    """E&C as [A] computes it: Blahut-Arimoto with the Hamming matrix."""
    estimate = dense_joint(states, decisions).sum(0)
    return timed_step(Problem(estimate, distortion.hamming(states**3)))


def step_of_sparse_indirect(states: int, decisions: int) -> dict[str, float]:
    """iE&C on the pairs that occur."""
    joint = tosc.sparse_joint(*decided(3, states, decisions), states**3)
    return {"pairs": int(joint.mass.size)} | timed_step(tosc.indirect_problem(joint))


def point_of_estimate(states: int, decisions: int) -> dict[str, float]:
    """E&C in closed form at one distortion."""
    joint = tosc.sparse_joint(*decided(3, states, decisions), states**3)

    def job() -> Any:
        return tosc.estimate_and_compress(joint, 0.5)

    job()
    return timed(job)


def step_of_model_aware(states: int, rows: int) -> dict[str, float]:
    """TMRD: Blahut-Arimoto on some posterior rows."""
    _, log_factors = scenes(3, states, rows, (2, 0))
    return timed_step(tosc.model_aware_problem(jnp.exp(joint_log_posterior(log_factors))))


GROWTH: dict[str, tuple[Callable[[int, int], dict[str, float]], tuple[int, ...], int, str]] = {
    "E&C, dense BA step": (step_of_dense_estimate, DENSE, DECISIONS, "quadratic"),
    "iE&C, dense BA step": (step_of_dense_indirect, DENSE, DECISIONS, "quadratic"),
    "S&C, 64 samples": (step_of_sampling, MANY, ROWS, "linear"),
    "iE&C, BA step on the pairs": (step_of_sparse_indirect, MANY, DECISIONS, ""),
    "E&C, closed form, a point": (point_of_estimate, MANY, DECISIONS, ""),
    "TMRD, BA step, 64 samples": (step_of_model_aware, MANY, ROWS, ""),
}
"""Function, states, samples, and what [A] says of its growth with the classes."""


def whole_sampling(cells: int, states: int, samples: int) -> dict[str, Any]:
    """S&C at one temperature over whole rows, and by places, on the same samples and on many."""
    jax.config.update("jax_enable_x64", False)
    blocks = rows_of(cells, states, samples)
    start = time.process_time(), time.perf_counter()
    point = sample_and_communicate_in_blocks(blocks, 1.0)
    cpu, wall = time.process_time() - start[0], time.perf_counter() - start[1]
    peak = peak_mib()
    rows = max(min(CELLS_A_BLOCK // states**cells, samples), 1)
    few = [scenes(cells, states, rows, (2, block)) for block in range(samples // rows)]
    few_y, few_factors = (np.concatenate(column) for column in zip(*few, strict=True))
    many_y, many_factors = scenes(cells, states, 200_000, (3,))
    return {
        "classes": states**cells,
        "samples": len(few_y),
        "rows_a_block": rows,
        "cpu_seconds_with_compilation_and_data": cpu,
        "wall_seconds": wall,
        "peak_mib": peak,
        "all_posteriors_would_take_mib": len(few_y) * states**cells * 4 / 2**20,
        "rate_nats": float(point.rate),
        "most_a_plug_in_rate_can_be_nats": float(np.log(len(few_y))),
        "distortion": float(point.distortion),
        "by_cells": sample_and_communicate_by_cells(few_factors, few_y, 1.0)._asdict(),
        "by_cells_200000_samples": sample_and_communicate_by_cells(many_factors, many_y, 1.0)._asdict(),
    }


@jax.jit
def _estimated(joint: SparseJoint, grid: jax.Array) -> EstimateAndCompress:
    return jax.lax.map(lambda d: tosc.estimate_and_compress(joint, d), grid)


@jax.jit
def _oracle(pmf: jax.Array, grid: jax.Array) -> jax.Array:
    return jax.lax.map(lambda d: categorical.rate(pmf, d), grid)


def whole_curves(cells: int, states: int, decisions: int) -> dict[str, Any]:
    """Every curve that needs no more than decisions: 32 points of each, three slopes of iE&C."""
    seconds: dict[str, float] = {}

    def clocked(name: str, job: Callable[[], Any]) -> Any:
        start = time.process_time()
        found = jax.block_until_ready(job())
        seconds[name] = time.process_time() - start
        return found

    classes = states**cells
    labels, estimates = clocked("data", lambda: decided(cells, states, decisions))
    joint = clocked("confusion", lambda: tosc.sparse_joint(labels, estimates, classes))
    d_tm, d_0, entropy = (float(x) for x in clocked("landmarks", lambda: tosc.landmarks(joint)))
    grid = jnp.linspace(d_tm, d_0, 32)
    shared = clocked("TS", lambda: tosc.time_sharing(joint, grid))
    merged = clocked("merge", lambda: tosc.merge_baseline(joint))
    oracle = clocked("oRD", lambda: _oracle(joint.sum(1), grid))
    estimated = clocked("E&C", lambda: _estimated(joint, jnp.linspace(0, 1, 32)))
    problem = tosc.indirect_problem(joint)
    slopes = [float(np.log(classes)) * share for share in (0.6, 0.8, 1.3)]
    points = clocked("iE&C", lambda: [blahut_arimoto(problem, s, tol=1e-4) for s in slopes])
    peak = peak_mib()
    exact = np.ones(1)
    for p in prior(cells, states):
        exact = np.multiply.outer(exact, p).ravel()
    return {
        "classes": classes,
        "decisions": decisions,
        "pairs": int(joint.mass.size),
        "cpu_seconds_with_compilation": seconds,
        "peak_mib": peak,
        "dense_confusion_would_take_gib": classes**2 * 8 / 2**30,
        "task_model_distortion": d_tm,
        "zero_rate_distortion": d_0,
        "estimate_entropy_nats": entropy,
        "at": {
            "distortion": float(grid[8]),
            "oRD_nats": float(oracle[8]),
            "oRD_of_the_exact_prior_nats": float(_oracle(jnp.asarray(exact), grid[8:9])[0]),
            "TS_nats": float(shared[8]),
            "merge_nats": float(merged.rate[merged.distortion <= grid[8]].min()),
            "E&C_nats": float(estimated.rate[estimated.distortion <= grid[8]].min()),
        },
        "iE&C": [
            {
                "slope": s,
                "rate_nats": float(x.rate),
                "distortion": float(x.distortion),
                "steps": int(x.steps),
                "gap_nats": float(x.gap),
                "gap_in_numpy_nats": gap_of_confusion(problem, s, np.asarray(x.reproduction)),
                "status": Status(int(x.status)).name,
            }
            for s, x in zip(slopes, points, strict=True)
        ],
    }


def cases(quick: bool) -> dict[str, tuple[Any, ...]]:
    """Functions and arguments by name."""
    cells, samples, decisions = (3, 64, 20_000) if quick else (6, 512, 3 * DECISIONS)
    found: dict[str, tuple[Any, ...]] = {
        "S&C": (whole_sampling, cells, 10, samples),
        "curves": (whole_curves, cells, 10, decisions),
    }
    for name, (function, sizes, number, _) in GROWTH.items():
        # The larger a run, the less a start counts: quick ones only show that everything works.
        for states in (6, 10) if quick else sizes:
            found[f"{name}: {states**3}"] = (function, states, min(number, decisions))
    return found


def growth(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Exponents of |Y| from a straight line through the logarithms, and what [A] says of them.

    Where [A] says quadratic, the largest size measured gives what 10^6 classes would take at least.
    """
    rows = {}
    for name, (_, _, _, claim) in GROWTH.items():
        points = [
            {"classes": int(key.removeprefix(f"{name}: "))} | p
            for key, p in found.items()
            if key.startswith(f"{name}: ")
        ]
        size, cpu, wall = (np.log([p[key] for p in points]) for key in ("classes", "cpu_seconds", "wall_seconds"))
        rows[name] = {
            "points": points,
            "exponent": round(float(np.polyfit(size, cpu, 1)[0]), 3),
            "exponent_of_wall": round(float(np.polyfit(size, wall, 1)[0]), 3),
            "paper": claim or None,
        }
        if claim == "quadratic":
            last = points[-1]
            rows[name]["cpu_seconds_at_a_million"] = last["cpu_seconds"] * (1e6 / last["classes"]) ** 2
    return rows


def picture(document: dict[str, Any]) -> bytes:
    """CPU seconds against classes."""
    figure, ax = plots.new_figure(7.6, 5.2)
    colours = {name: plots.STYLE[name.partition(",")[0]][0] for name in GROWTH}
    for (name, row), marker in zip(document["growth"].items(), "sDo^vP", strict=True):
        size, seconds = (np.array([p[key] for p in row["points"]]) for key in ("classes", "cpu_seconds"))
        dense = "dense" in name
        label = f"{name}: exponent {row['exponent']:.2f}"
        ax.loglog(size, seconds, color=colours[name], marker=marker, markersize=5, label=label,
                  linestyle="--" if dense else "-")  # fmt: skip
        if dense:
            ends = [seconds[-1], row["cpu_seconds_at_a_million"]]
            ax.loglog([size[-1], 1e6], ends, color=colours[name], linestyle=":", linewidth=1)
    ax.set_xlabel("classes  |Y|")
    ax.set_ylabel("CPU time  [s], one core")
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    ax.set_title("dotted: the square, extrapolated; the matrix of 10$^6$ classes would take 7.3 TiB", fontsize=10)
    return plots.png(figure)


def run(name: str, quick: bool) -> dict[str, Any]:
    """A case in a process of its own."""
    command = [sys.executable, __file__, "--case", name] + ["--quick"] * quick
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes; writes only where --out says")
    parser.add_argument("--out", type=Path, help="of the results; the picture goes beside them")
    parser.add_argument("--case", help="run one case here and print it")
    arguments = parser.parse_args()
    plan = cases(arguments.quick)
    if arguments.case:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        jax.config.update("jax_enable_x64", True)
        function, *values = plan[arguments.case]
        found = function(*values)
        print(json.dumps({**found, "peak_mib": found.get("peak_mib", peak_mib())}, default=float))
        return
    found = {}
    for name in plan:
        found[name] = run(name, arguments.quick)
        print(name, json.dumps(found[name]), flush=True)
    document = {
        "command": "python benchmarks/configurations.py" + " --quick" * arguments.quick,
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine(), "jax": jax.__version__},
        "load": "one core a case, shared with other work: compare CPU seconds; wall seconds are upper bounds",
        "cases": {name: found[name] for name in ("S&C", "curves")},
        "growth": growth(found),
    }
    out = arguments.out or (None if arguments.quick else Path(__file__).parent / "results" / "configurations.json")
    if out:
        out.with_suffix(".png").write_bytes(picture(document))
        temporary = out.with_suffix(".partial")
        temporary.write_text(json.dumps(document, indent=1) + "\n")
        os.replace(temporary, out)


if __name__ == "__main__":
    main()

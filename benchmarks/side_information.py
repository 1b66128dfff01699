"""Wyner-Ziv curves of 500 random problems: is every gap within 1e-9 nat, by a certificate recomputed in numpy?

    python benchmarks/side_information.py [--problems 500] [--out benchmarks/results/side_information.json]

At most 4 letters, 4 reproductions and 3 values of the side information: uniform, Hamming, nearly deterministic, with
pairs of letter and value that never occur. Each at ten slopes and the least distortion, and at three distortions. The
channel's rate is summed term by term, the bound is the one of q(t|s) in numpy; the conditional curve lies below, the
curve without side information above. And some problems of thousands of strategies. Three minutes on two CPU cores.
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import describe

import jaxrd
from jaxrd import Problem, Solution
from jaxrd.side_information import JointProblem, rate, rate_at, sweep

SLOPES = np.append(np.geomspace(0.3, 100, 10), np.inf)
SHARES = (0.1, 0.5, 0.9)
LARGE = ((16, 16, 3), (5, 5, 5), (4, 4, 6), (100, 10, 3))
TOLERANCE = 1e-9


def drawn(seed: int) -> JointProblem:
    """A random problem."""
    g = np.random.default_rng(seed)
    n, m, values = int(g.integers(2, 5)), int(g.integers(2, 5)), int(g.integers(2, 4))
    joint = g.dirichlet(np.full(n * values, (0.1, 0.5, 1.0, 10.0)[seed % 4])).reshape(n, values)
    if seed % 5 == 4:
        joint[g.random((n, values)) < 0.4] = 0
        joint[0, 0] += 0.1
    return JointProblem(joint / joint.sum(), 1 - np.eye(n, m) if seed % 2 else g.random((n, m)))


def recomputed(problem: JointProblem, slope: float, q: np.ndarray) -> tuple[float, float, float]:
    """(rate, distortion, gap) of q(t|s), shape (values, strategies), at a finite slope; in numpy, term by term."""
    joint = np.asarray(problem.joint, float)[np.asarray(problem.joint).sum(1) > 0]
    d = np.asarray(problem.distortion, float)[np.asarray(problem.joint).sum(1) > 0]
    used = joint.sum(0) > 0
    chosen = np.array(list(product(range(d.shape[1]), repeat=joint.shape[1])))[:, used]
    joint, q = joint[:, used], np.maximum(np.asarray(q, float)[used], 1e-300)
    source, value = joint.sum(1), joint.sum(0)
    channel = joint / source[:, None]
    cost = np.einsum("xs,xts->xt", channel, d[:, chosen])
    log = channel @ np.log(q) - slope * cost
    shift = log.max(1, keepdims=True)
    log_z = shift[:, 0] + np.log(np.exp(log - shift).sum(1))
    w = np.exp(log - log_z[:, None])
    mass = joint.T @ w  # p(s, t)
    bound = -(source @ log_z) - value @ np.log((mass / q).max(1) / value)
    share = np.log(np.maximum(mass / value[:, None], 1e-300))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (source[:, None] * np.where(w > 0, w * (np.log(w) - channel @ share), 0)).sum()
    distortion = float((source[:, None] * w * cost).sum())
    return float(found), distortion, float(found + slope * distortion - bound)


def lagrangian(points: Solution) -> np.ndarray:
    """R + s D at the finite slopes."""
    return np.asarray(points.rate + points.slope * points.distortion)[:-1]


def one(seed: int) -> dict[str, Any]:
    """What is claimed of a problem, and what is found."""
    problem = drawn(seed)
    curve, both = sweep(problem, SLOPES), sweep(problem, SLOPES, both=True)
    nothing = jaxrd.sweep(Problem(problem.joint.sum(1), problem.distortion), SLOPES)
    checked = [recomputed(problem, s, q) for s, q in zip(SLOPES[:-1], np.asarray(curve.reproduction[:-1]), strict=True)]
    claimed = np.stack([curve.rate, curve.distortion], 1)[:-1]
    errors = np.abs(claimed - np.array(checked)[:, :2]).sum(1)
    ends = float(curve.distortion[-1]), float(rate_at(problem, 1e6).distortion)
    at = [rate_at(problem, ends[0] + share * (ends[1] - ends[0])) for share in SHARES]
    slack = np.asarray(curve.gap)[:-1] + np.asarray(both.gap)[:-1] + np.asarray(nothing.gap)[:-1]
    ordered = (lagrangian(both) <= lagrangian(curve) + slack) & (lagrangian(curve) <= lagrangian(nothing) + slack)
    return {
        "gap": float(curve.gap.max()),
        "gap_at": max(float(point.gap) for point in at),
        "recomputed_gap": max(gap for _, _, gap in checked),
        "error": float(errors.max()),
        "converged": bool(curve.converged.all() and all(point.converged for point in at)),
        "ordered": bool(ordered.all()),
        "steps": int(curve.steps.max()),
    }


def large(shape: tuple[int, int, int]) -> dict[str, Any]:
    """A quantised Gaussian pair with many strategies: seconds and gap a slope."""
    n, m, values = shape
    x, y, s = (np.linspace(-a, a, k) for a, k in ((2, n), (2, m), (1.5, values)))
    joint = np.exp(-(x[:, None] ** 2) / 2 - 2 * (x[:, None] - s) ** 2)
    problem = JointProblem(joint, (x[:, None] - y) ** 2)
    rate(problem, 1.0)
    rows = []
    for slope in (0.5, 2.0, 6.0, 30.0):
        start = time.perf_counter()
        point = rate(problem, slope)
        rows.append((time.perf_counter() - start, float(point.gap), int(point.steps)))
    seconds, gaps, steps = np.array(rows).T
    return {
        "letters": n, "reproductions": m, "values": values, "strategies": m**values,
        "largest_gap_nats": float(gaps.max()), "longest_seconds": float(seconds.max()), "steps": int(steps.max()),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "side_information.json")
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    start, rows = time.perf_counter(), []
    for seed in range(asked.problems):
        rows.append(one(seed))
        if seed % 50 == 49:
            print(seed + 1, max(row["gap"] for row in rows), round(time.perf_counter() - start), flush=True)

    def count(name: str) -> int:
        return sum(row[name] for row in rows)

    def most(name: str) -> float:
        return max(row[name] for row in rows)

    result = {
        "command": f"python benchmarks/side_information.py --problems {asked.problems}",
        "machine": describe(),
        "problems": len(rows),
        "slopes": len(SLOPES),
        "distortions": len(SHARES),
        "problems_within_1e-9": sum(max(row["gap"], row["gap_at"]) <= TOLERANCE for row in rows),
        "problems_within_1e-9_by_numpy": sum(row["recomputed_gap"] <= TOLERANCE for row in rows),
        "problems_converged": count("converged"),
        "problems_in_order": count("ordered"),
        "largest_gap_nats": most("gap"),
        "largest_gap_at_a_distortion_nats": most("gap_at"),
        "largest_gap_by_numpy_nats": most("recomputed_gap"),
        "largest_difference_of_rate_and_distortion": most("error"),
        "most_steps": most("steps"),
        "many_strategies": [large(shape) for shape in LARGE],
        "seconds": round(time.perf_counter() - start),
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "machine"}, indent=1))


if __name__ == "__main__":
    main()

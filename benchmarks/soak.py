"""2000 awkward random problems: does every certificate hold, and does the solver arrive?

    python benchmarks/soak.py [--problems 2000] [--seed 0] [--out benchmarks/results/soak.json]

Sizes 2..300 (a drawn list of shapes, so that compiles are shared), slopes 1e-3..1e3, sources with letters of mass zero
and down to 1e-30, distortions smooth, sparse, with duplicated and near-duplicated columns, forbidden pairs, scaled by
1e-6..1e6. Every point's gap is recomputed in numpy from its reproduction pmf alone; a certificate is valid if what it
claims is no less than that, and a point has arrived if its gap is at most 1e-9 max(1, |L|). A few minutes.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from certify import gap_in_numpy

from jaxrd import Problem, Status, solve, working_set


def draw(g: np.random.Generator, n: int, m: int) -> tuple[Problem, list[str]]:
    """One problem and what is awkward about it."""
    p = g.dirichlet(np.full(n, g.choice([0.05, 0.3, 1.0, 10.0])))
    kind = g.choice(["uniform", "gamma", "line", "plane", "posterior", "hamming"])
    if kind == "uniform":
        d = g.random((n, m))
    elif kind == "gamma":
        d = g.gamma(0.3, size=(n, m))
    elif kind == "line":
        d = (np.sort(g.standard_normal(n))[:, None] - np.linspace(-3, 3, m)) ** 2
    elif kind == "plane":
        d = ((g.standard_normal((n, 1, 2)) - g.standard_normal((1, m, 2))) ** 2).sum(-1)
    elif kind == "posterior":
        d = 1 - g.dirichlet(np.full(m, g.choice([0.02, 0.3])), n)
    else:
        d = (g.random((n, m)) > g.choice([0.02, 0.5])).astype(float)
    twists = [str(kind)]

    def happens(name: str, chance: float = 0.2) -> bool:
        if g.random() < chance:
            twists.append(name)
            return True
        return False

    if happens("sparse"):
        d = np.where(g.random((n, m)) < 0.9, d.max(), d)
    if m > 2 and happens("duplicated"):
        d[:, g.integers(0, m, m // 2)] = d[:, g.integers(0, m, m // 2)]
    if m > 2 and happens("near-duplicated"):
        k = m // 2
        d[:, :k] = d[:, m - k :] * (1 + 10.0 ** -g.integers(6, 15) * g.standard_normal((n, k)))
        d = np.maximum(d, 0)
    if n > 2 and happens("zero mass"):
        p[g.integers(0, n, max(n // 4, 1))] = 0
    if n > 2 and happens("tiny mass"):
        p[g.integers(0, n, max(n // 4, 1))] = 10.0 ** -g.uniform(8, 30)
    if happens("scaled", 0.4):
        d = d * 10.0 ** g.uniform(-6, 6)
    if happens("forbidden", 0.1):
        block = g.random((n, m)) < 0.3
        block[np.arange(n), g.integers(0, m, n)] = False
        d = np.where(block, np.inf, d)
    if p.sum() == 0:
        p[0] = 1
    return Problem(p / p.sum(), d), twists


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shapes", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "soak.json")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    g = np.random.default_rng(args.seed)
    shapes = np.unique(np.exp(g.uniform(np.log(2), np.log(301), (args.shapes, 2))).astype(int), axis=0)
    counts = {"problems": 0, "converged": 0, "arrived": 0, "valid": 0}
    worst, missed, start = 0.0, [], time.perf_counter()
    for i in range(args.problems):
        n, m = (int(k) for k in shapes[i % len(shapes)])
        problem, twists = draw(g, n, m)
        slope = 10 ** g.uniform(-3, 3)
        # Sets of 128 letters: the working set's logic, on every problem large enough to have one.
        solver = working_set if m >= 128 and i % 2 else solve
        point = solver(jax.tree.map(jnp.asarray, problem), slope)
        q = np.asarray(point.reproduction)
        kept = problem.source > 0
        gap, lagrangian = gap_in_numpy(
            Problem(problem.source[kept], np.asarray(problem.distortion)[kept]), slope, q / q.sum()
        )
        scale = max(1.0, abs(lagrangian))
        valid = gap <= float(point.gap) + 1e-12 * scale
        arrived = gap <= 1e-9 * scale
        worst = max(worst, gap / scale)
        counts["problems"] += 1
        counts["converged"] += int(point.status) == Status.CONVERGED
        counts["arrived"] += arrived
        counts["valid"] += valid
        if not (arrived and valid and int(point.status) == Status.CONVERGED):
            missed.append(
                {"index": i, "shape": [n, m], "slope": slope, "twists": twists, "solver": solver.__name__,
                 "gap": gap, "reported": float(point.gap), "status": Status(int(point.status)).name}
            )  # fmt: skip
        if sys.stderr.isatty() and i % 20 == 0:
            print(f"\r{i}/{args.problems}  missed {len(missed)}", end="", file=sys.stderr)
    document = {
        "command": f"python benchmarks/soak.py --problems {args.problems} --seed {args.seed}",
        **counts,
        "shapes": len(shapes),
        "largest_relative_gap_nats": worst,
        "seconds": round(time.perf_counter() - start),
        "missed": missed,
    }
    args.out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()

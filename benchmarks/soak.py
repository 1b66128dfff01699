"""100 000 awkward random problems: does every certificate hold, and does the solver arrive?

    python benchmarks/soak.py [--problems 100000] [--seed 0] [--float32] [--out benchmarks/results/soak_float64.json]

Batches of 250 of one shape, solved together (vmap): 2 to 64 letters, every 25th batch 64 to 300. Slopes 1e-3..1e3,
sources with letters of mass zero and down to 1e-30, distortions smooth, sparse, with duplicated and near-duplicated
columns, forbidden pairs, scaled by 1e-6..1e6. Every point's gap is recomputed in numpy from its reproduction pmf alone;
a certificate is valid if what it claims is no less than that, and a point has arrived if its gap is at most
1e-9 max(1, |L|), in float32 1e-5.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import numpy as np
from gap import as_pmf

from jaxrd import Problem, Solution, Status, solve, working_set

BATCH = 250
ARRIVED = {"float64": 1e-9, "float32": 1e-5}


def draw(g: np.random.Generator, n: int, m: int, dtype: np.dtype) -> tuple[Problem, list[str]]:
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
    return Problem((p / p.sum()).astype(dtype), d.astype(dtype)), twists


def shape_of(index: int) -> tuple[int, int]:
    """Letters of a batch's source and reproduction: one of 40 shapes, 2 to 64; every 25th batch one of 10 up to 300."""
    few = np.random.default_rng(7)
    small = np.exp(few.uniform(np.log(2), np.log(65), (40, 2))).astype(int)
    large = np.exp(few.uniform(np.log(64), np.log(301), (10, 2))).astype(int)
    n, m = large[index // 25 % 10] if index % 25 == 24 else small[index % 40]
    return int(n), int(m)


@partial(jax.jit, static_argnames="solver")
def many(problems: Problem, slopes: jax.Array, *, solver: Callable[..., Solution]) -> Solution:
    """A solution of each problem."""
    return jax.vmap(lambda problem, slope: solver(problem, slope))(problems, slopes)


def judged(p: np.ndarray, d: np.ndarray, slope: float, point: Solution) -> tuple[float, float]:
    """How far what is claimed, or what the channel of q achieves, lies above the lower bound of q; and that bound.

    In float64, from q alone; shares no code with the solvers. Nats.
    """
    q = as_pmf(np.asarray(point.reproduction, np.float64))
    p, d = np.asarray(p, np.float64), np.asarray(d, np.float64)
    p, d = p[p > 0] / p.sum(), d[p > 0]
    low = d.min(1)
    kernel = np.exp(-slope * (d - low[:, None]))
    z = kernel @ q
    c = (p / z) @ kernel
    objective = -(p @ np.log(z)) + slope * (p @ low)
    used = q * c > 0
    achieved = objective - (q[used] * c[used]) @ np.log(c[used])
    claimed = float(point.rate) + slope * float(point.distortion)
    bound = objective - np.log(c.max())
    return float(max(achieved, claimed) - bound), float(bound)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    dtype = np.dtype(np.float32 if args.float32 else np.float64)
    jax.config.update("jax_enable_x64", not args.float32)
    out = args.out or Path(__file__).parent / "results" / f"soak_{dtype.name}.json"
    counts: dict[str, int] = dict.fromkeys(("problems", "converged", "stalled", "arrived", "valid", "nan"), 0)
    worst, missed, start = 0.0, [], time.perf_counter()
    for index in range(-(-args.problems // BATCH)):
        g = np.random.default_rng([args.seed, index])
        n, m = shape_of(index)
        solver = working_set if m >= 128 and index % 2 else solve
        drawn = [draw(g, n, m, dtype) for _ in range(min(BATCH, args.problems - index * BATCH))]
        problems = jax.tree.map(lambda *a: np.stack(a), *(problem for problem, _ in drawn))
        slopes = (10 ** g.uniform(-3, 3, len(drawn))).astype(dtype)
        points = jax.device_get(many(problems, slopes, solver=solver))
        for i, (_, twists) in enumerate(drawn):
            point = jax.tree.map(lambda a, i=i: a[i], points)
            gap, lagrangian = judged(problems.source[i], problems.distortion[i], float(slopes[i]), point)
            size = max(1.0, abs(lagrangian))
            status = Status(int(point.status))
            here = {
                "problems": True,
                "converged": status == Status.CONVERGED,
                "stalled": status == Status.STALLED,
                "arrived": bool(gap <= ARRIVED[dtype.name] * size),
                "valid": bool(gap <= float(point.gap) + 1e-12 * size),
                "nan": not np.isfinite([point.rate, point.distortion, point.gap]).all(),
            }
            counts = {key: counts[key] + here[key] for key in counts}
            worst = max(worst, gap / size)
            if not (here["arrived"] and here["valid"]) or here["nan"]:
                missed.append(
                    {"batch": index, "place": i, "shape": [n, m], "slope": float(slopes[i]), "twists": twists,
                     "solver": solver.__name__, "gap": gap, "lagrangian": lagrangian, "reported": float(point.gap),
                     "status": status.name}
                )  # fmt: skip
        if index % 20 == 19:
            print(counts, f"{time.perf_counter() - start:.0f} s", flush=True)
    option = " --float32" if args.float32 else ""
    document = {
        "command": f"python benchmarks/soak.py --problems {args.problems} --seed {args.seed}{option}",
        **counts,
        "largest_relative_gap_nats": worst,
        "seconds": round(time.perf_counter() - start),
        "missed": missed,
    }
    out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()

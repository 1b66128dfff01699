"""How far apart are the bounds of the lifted R(D, C) with many classes and labels, and in what time?

    python benchmarks/label_certificates.py [targets mnist surface large random]

Random problems of four to ten classes and of three binary labels; 64 codewords of MNIST with their ten digits at two
points and over a surface of 12 x 12; 500 letters with their memory; and 300 random problems whose bounds are compared
with brute force: a linear program over a grid of posteriors (no bound may lie above it), the channel measured term by
term (it must reach its rate within the targets), and g on a grid of soft labels (the bound that the point's own
multipliers give there). Writes benchmarks/results/label_certificates.json; about six minutes on two CPU cores.
"""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from scipy.optimize import linprog
from scipy.special import logsumexp

from jaxrd import Problem, Status
from jaxrd.rdc import Point, lifted_rate, surface
from jaxrd.rdc.point import entropies

OUT = Path(__file__).parent / "results" / "label_certificates.json"
MNIST = OUT.with_name("rdc_mnist64.npz")
SHAPES = {  # letters, classes of each label, seconds at most
    "4 classes": (6, (4,), 1.0),
    "three binary labels": (6, (2, 2, 2), 1.0),
    "5 classes, 6 letters": (6, (5,), 1.0),
    "10 classes, 8 letters": (8, (10,), 10.0),
}
SEEDS, SHARES = range(8), ((0.3, 0.3), (0.6, 0.1))  # of the way from the least targets to silence
POINTS = ((0.0241, 1.02), (0.031, 1.5))
LARGE = {"500 letters, 10 classes": (10,), "500 letters, ten binary labels": (2,) * 10}
RANDOM, DIVISIONS = 300, {2: 3000, 3: 120, 4: 36, 5: 18, 6: 12}  # of the grid of posteriors, by letters
SOFT = {2: 4000, 3: 250, 4: 60, 5: 30}  # of the grid of soft labels, by classes


def drawn(letters: int, sizes: Sequence[int], seed: int, *, smooth: bool = False) -> tuple[Problem, list[np.ndarray]]:
    """Random points of the plane, squared error; every label's rows Dirichlet, or a softmax of linear functions."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((letters, 2))
    problem = Problem(g.dirichlet(np.full(letters, 3.0)), ((x[:, None] - x) ** 2).sum(2))
    if not smooth:
        return problem, [g.dirichlet(np.full(size, 0.5), letters) for size in sizes]
    weights = [np.exp(2 * x @ g.standard_normal((2, size))) for size in sizes]
    return problem, [w / w.sum(1, keepdims=True) for w in weights]


def ends(problem: Problem, labels: Sequence[np.ndarray]) -> np.ndarray:
    """The least of distortion and of each label's loss, and what silence costs, (1 + labels, 2)."""
    p, d = np.asarray(problem.source), np.asarray(problem.distortion)
    return np.array([(p @ d.min(1), (p @ d).min()), *((p @ entropies(a), entropies(p @ a)) for a in labels)])


def targets_at(problem: Problem, labels: Sequence[np.ndarray], shares: Sequence[float]) -> tuple[float, np.ndarray]:
    """D and the labels' C at shares of the way from the least to silence: the last share is of all labels."""
    low, high = ends(problem, labels).T
    found = low + np.array([shares[0], *[shares[1]] * len(labels)]) * (high - low)
    return float(found[0]), found[1:]


def timed(problem: Problem, labels: Sequence[np.ndarray], d: float, c: Any, **options: Any) -> tuple[Point, float]:
    """A point and its seconds of CPU: what it takes on an idle machine, for it runs in one thread."""
    start = time.process_time()
    point = lifted_rate(problem, list(labels), d, c, **options)
    return point, time.process_time() - start


def random_targets() -> list[dict[str, Any]]:
    """The worst and the median of random problems of each shape."""
    rows = []
    for name, (letters, sizes, most) in SHAPES.items():
        points = []
        for seed, shares in itertools.product(SEEDS, SHARES):
            problem, labels = drawn(letters, sizes, seed)
            points.append(timed(problem, labels, *targets_at(problem, labels, shares)))
        gaps, seconds = np.array([p.gap for p, _ in points]), np.array([s for _, s in points])
        rows.append({
            "problem": name, "points": len(points), "wanted": f"1e-9 in {most:g} s",
            "reached": int(((gaps <= 1e-9) & (seconds <= most)).sum()),
            "largest_gap_nats": float(gaps.max()), "largest_gap_without_the_worst_nats": float(np.sort(gaps)[-2]),
            "median_seconds": float(np.median(seconds)), "longest_seconds": float(seconds.max()),
            "largest_multiplier": float(max(p.classification_slope.sum() for p, _ in points)),
        })  # fmt: skip
    return rows


def mnist() -> tuple[Problem, np.ndarray]:
    """64 codewords and their digits."""
    with np.load(MNIST) as real:
        return Problem(real["source"], real["distortion"]), real["labels"]


def digits() -> list[dict[str, Any]]:
    """The two points of the codewords."""
    problem, labels = mnist()
    rows = []
    for d, c in POINTS:
        point, seconds = timed(problem, [labels], d, c)
        rows.append({
            "problem": f"MNIST, 64 codewords, ({d:g}, {c:g})", "wanted": "1e-3 in 60 s, 1e-4 in 10 min",
            "rate_nats": point.rate, "gap_nats": point.gap, "seconds": seconds, "evidence": point.evidence,
        })  # fmt: skip
    return rows


def digits_surface(count: int = 12) -> dict[str, Any]:
    """R(D, C) of the codewords over a grid from the least targets to silence."""
    problem, labels = mnist()
    axes = [np.linspace(low, high, count) for low, high in ends(problem, [labels])]
    start = time.process_time()
    found = surface(problem, labels, *axes)
    seconds, gap = time.process_time() - start, found.gap
    status = [Status(int(k)).name for k in found.status.ravel()]
    return {
        "points": gap.size, "seconds": seconds,
        "to 1e-6": int((gap <= 1e-6).sum()), "to 1e-9": int((gap <= 1e-9).sum()),
        "largest_gap_nats": float(gap.max()), "status": {k: status.count(k) for k in sorted(set(status))},
    }  # fmt: skip


def large(name: str) -> dict[str, Any]:
    """One point of 500 letters, in a process of its own, with its peak of memory."""
    code = f"import json, label_certificates as b; print(json.dumps(b.large_here({name!r})))"
    run = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True)
    return {"problem": name} | (
        json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else {"error": run.stderr}
    )


def large_here(name: str) -> dict[str, Any]:
    """That point, in this process."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problem, labels = drawn(500, LARGE[name], 0, smooth=True)
    point, seconds = timed(problem, labels, *targets_at(problem, labels, (0.6, 0.1)))
    return {
        "rate_nats": point.rate, "gap_nats": point.gap, "seconds": seconds, "evidence": point.evidence,
        "multipliers": point.classification_slope.tolist(), "atoms": len(point.weights),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "mib_before": before / 1024,
    }  # fmt: skip


def simplex(parts: int, divisions: int) -> np.ndarray:
    """All pmfs of so many parts in multiples of 1 / divisions."""
    bars = np.array(list(itertools.combinations(range(divisions + parts - 1), parts - 1)), int)
    bars = bars.reshape(-1, parts - 1)
    edge = np.full((len(bars), 1), -1), np.full((len(bars), 1), divisions + parts - 1)
    return (np.diff(np.concatenate([edge[0], bars, edge[1]], 1), axis=1) - 1) / divisions


def by_brute_force(problem: Problem, labels: np.ndarray, d: float, c: float) -> float:
    """An upper bound on R: codes whose posteriors lie on a grid, by linear programming."""
    p, posteriors = np.asarray(problem.source), simplex(len(problem.source), DIVISIONS[len(problem.source)])
    cost = entropies(p) - entropies(posteriors)
    spent = np.array([(posteriors @ problem.distortion).min(1), entropies(posteriors @ labels)])
    found = linprog(cost, A_ub=spent, b_ub=[d, c], A_eq=posteriors.T, b_eq=p, method="highs")
    return float(found.fun) if found.status == 0 else np.inf


def by_hand(problem: Problem, labels: np.ndarray, point: Point) -> tuple[float, float, float]:
    """I(X;U), E Delta and H(S|U) of the point's channel."""
    joint = np.asarray(problem.source)[:, None] * point.channel
    output = joint.sum(0)
    ratio = np.where(joint > 0, point.channel / np.where(output > 0, output, 1), 1)
    mean = (joint * np.asarray(problem.distortion)[:, point.reproduction]).sum()
    soft = joint.T @ labels / np.where(output > 0, output, 1)[:, None]
    return float((joint * np.log(ratio)).sum()), float(mean), float(output @ entropies(soft))


def by_soft_labels(problem: Problem, labels: np.ndarray, point: Point, d: float, c: float) -> float:
    """The bound of the point's multipliers if a grid of soft labels, and its atoms, held the largest g."""
    p, distortion = np.asarray(problem.source), np.asarray(problem.distortion)
    mu = np.array([point.distortion_slope, point.classification_slope[0]])
    if not np.isfinite(mu).all():
        return np.inf

    def exponents(reproduction: np.ndarray, soft: np.ndarray) -> np.ndarray:
        loss = -labels @ np.log(np.maximum(soft, 1e-300)).T
        return -mu[0] * distortion[:, reproduction] - mu[1] * loss

    log_z = logsumexp(exponents(point.reproduction, point.soft_labels[0]) + np.log(point.weights), axis=1)
    soft = np.concatenate([simplex(labels.shape[1], SOFT[labels.shape[1]]), point.soft_labels[0]])
    largest = max(
        float(
            np.asarray(logsumexp((np.log(p) - log_z)[:, None] + exponents(np.full(len(part), y), part), axis=0)).max()
        )
        for y in range(distortion.shape[1])
        for part in np.array_split(soft, -(-len(soft) // 50_000))
    )
    return float(-p @ log_z - largest - mu @ [d, c])


def random_case(seed: int) -> tuple[Problem, np.ndarray, float, float]:
    """|X| 2..6, |S| 2..5, targets between the least ones and a little beyond silence."""
    g = np.random.default_rng(seed)
    letters, classes = int(g.integers(2, 7)), int(g.integers(2, 6))
    problem = Problem(g.dirichlet(np.full(letters, 2.0)), g.random((letters, letters)))
    labels = g.dirichlet(np.full(classes, g.choice([0.2, 1.0, 3.0])), letters)
    low, high = ends(problem, [labels]).T
    d, c = (low + (0.02 + g.random(2)) * (high - low)).tolist()
    return problem, labels, d, c


def against_brute_force() -> dict[str, Any]:
    """300 random problems: how many are certified to 1e-8, and how many bounds are wrong."""
    rows, wrong = [], []
    for seed in range(RANDOM):
        problem, labels, d, c = random_case(seed)
        point, seconds = timed(problem, [labels], d, c)
        rate, mean, loss = by_hand(problem, labels, point)
        above = by_brute_force(problem, labels, d, c)
        at_grid = by_soft_labels(problem, labels, point, d, c)
        rows.append((point.gap, seconds, above - point.rate, at_grid - point.lower))
        faults = {
            "lower bound above a code of the grid": point.lower - above > 1e-9,
            "rate is not the channel's": abs(rate - point.rate) > 1e-9,
            "targets exceeded": mean > d + 1e-10 or loss > c + 1e-10,
            "lower bound above that of soft labels on a grid": point.lower - at_grid > 1e-8,
        }
        wrong += [{"seed": seed, "fault": name} for name, fault in faults.items() if fault]
    gap, seconds, above, beyond = np.array(rows).T
    return {
        "problems": RANDOM, "wrong": wrong, "to 1e-8": int((gap <= 1e-8).sum()), "to 1e-9": int((gap <= 1e-9).sum()),
        "largest_gap_nats": float(gap.max()), "median_seconds": float(np.median(seconds)),
        "longest_seconds": float(seconds.max()),
        "grid_above_rate_nats": [float(x) for x in np.quantile(above[np.isfinite(above)], (0, 0.5, 1))],
        "soft_grid_above_lower_nats": [float(x) for x in np.quantile(beyond[np.isfinite(beyond)], (0, 0.5, 1))],
    }  # fmt: skip


def table(found: dict[str, Any]) -> str:
    """All targets beside what was reached."""
    lines = ["| problem | wanted | gap [nat] | CPU seconds |", "|---|---|--:|--:|"]
    for row in found.get("targets", []):
        reached = f"{row['reached']} of {row['points']}, largest {row['largest_gap_nats']:.1e}"
        lines.append(f"| {row['problem']} | {row['wanted']} | {reached} | {row['longest_seconds']:.2f} |")
    for row in found.get("mnist", []):
        lines.append(f"| {row['problem']} | {row['wanted']} | {row['gap_nats']:.1e} | {row['seconds']:.2f} |")
    if row := found.get("surface"):
        reached = f"{row['to 1e-6']} of {row['points']}, largest {row['largest_gap_nats']:.1e}"
        lines.append(f"| its surface 12 x 12 | 130 points to 1e-6 | {reached} | {row['seconds']:.0f} |")
    for row in found.get("large", []):
        reached = row.get("error") or f"{row['gap_nats']:.1e}, {row['peak_mib']:.0f} MiB"
        lines.append(f"| {row['problem']} | time and memory | {reached} | {row.get('seconds', np.nan):.1f} |")
    if row := found.get("random"):
        reached = f"{row['to 1e-8']} of {row['problems']} to 1e-8, {len(row['wrong'])} wrong"
        lines.append(
            f"| random, 2..6 letters, 2..5 classes | 99 % to 1e-8, 0 wrong | {reached} | {row['longest_seconds']:.2f} |"
        )
    return "\n".join(lines)


PARTS = {
    "targets": random_targets, "mnist": digits, "surface": digits_surface,
    "large": lambda: [large(name) for name in LARGE], "random": against_brute_force,
}  # fmt: skip


def main() -> None:
    found: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {}
    found["command"], found["machine"] = "python benchmarks/label_certificates.py", describe()
    for name in sys.argv[1:] or PARTS:
        found[name] = PARTS[name]()
        OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()

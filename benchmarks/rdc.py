"""How long the rate-distortion-classification functions take, and how wide their bounds are.

    python benchmarks/rdc.py

Points of the plane and points on the line, label channels drawn at random (hard) or smooth in x (easy); 64 letters at
one (D, C), ten classes, surfaces of 12 x 12, codewords of MNIST. Writes benchmarks/results/rdc.json; about four
minutes on two CPU cores.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe

from jaxrd import Problem, Status
from jaxrd.rdc import lifted_rate, literal_rate, surface, time_shared_rate
from jaxrd.rdc.point import entropies

OUT = Path(__file__).parent / "results" / "rdc.json"
MNIST = OUT.with_name("rdc_mnist64.npz")
SHARES = ((0.3, 0.3), (0.1, 0.6), (0.6, 0.05))  # of the way from the least targets to silence


def example(letters: int, classes: int, *, smooth: bool, seed: int = 0) -> tuple[Problem, np.ndarray]:
    """Random points of the plane, squared error; labels a softmax of linear functions, or Dirichlet(.7) rows."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((letters, 2))
    problem = Problem(g.dirichlet(np.full(letters, 3.0)), ((x[:, None] - x) ** 2).sum(2))
    if not smooth:
        return problem, g.dirichlet(np.full(classes, 0.7), letters)
    logits = 2 * x @ g.standard_normal((2, classes))
    labels = np.exp(logits - logits.max(1, keepdims=True))
    return problem, labels / labels.sum(1, keepdims=True)


def ends(problem: Problem, labels: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least and silent distortion, least and silent classification loss."""
    p, d = np.asarray(problem.source), np.asarray(problem.distortion)
    return (
        (float(p @ d.min(1)), float((p @ d).min())),
        (float(p @ entropies(labels)), float(entropies(p @ labels))),
    )


def at(problem: Problem, labels: np.ndarray, shares: tuple[float, float], solver: Any = lifted_rate) -> dict[str, Any]:
    """One point, timed."""
    targets = [low + share * (high - low) for (low, high), share in zip(ends(problem, labels), shares, strict=True)]
    start = time.perf_counter()
    point = solver(problem, labels, *targets)
    return {
        "shares": shares, "distortion": targets[0], "classification_nats": targets[1], "semantics": point.semantics,
        "rate_nats": point.rate, "lower_nats": point.lower, "width_nats": point.gap,
        "status": Status(point.status).name, "seconds": time.perf_counter() - start,
    }  # fmt: skip


def grid(problem: Problem, labels: np.ndarray, count: int = 12) -> dict[str, Any]:
    """A surface between the least targets and silence, timed."""
    axes = [np.linspace(low, high, count) for low, high in ends(problem, labels)]
    start = time.perf_counter()
    found = surface(problem, labels, *axes)
    status = [Status(int(k)).name for k in found.status.ravel()]
    return {
        "points": count * count, "seconds": time.perf_counter() - start, "widest_nats": float(found.gap.max()),
        "median_width_nats": float(np.median(found.gap)), "status": {k: status.count(k) for k in sorted(set(status))},
    }  # fmt: skip


def main() -> None:
    found: dict[str, Any] = {"command": "python benchmarks/rdc.py", "machine": describe()}
    found["one point, 64 letters"] = [
        {"classes": classes, "labels": "smooth" if smooth else "random"}
        | at(*example(64, classes, smooth=smooth), shares)
        for classes in (2, 3)
        for smooth in (True, False)
        for shares in SHARES
    ]
    found["one point, 64 letters, 10 classes"] = [
        {"labels": "smooth" if smooth else "random"} | at(*example(64, 10, smooth=smooth), shares)
        for smooth in (True, False)
        for shares in SHARES
    ]
    small = example(4, 3, smooth=False)
    found["other semantics, 4 letters"] = [
        at(*small, (0.3, 0.3), solver) for solver in (literal_rate, time_shared_rate)
    ]
    found["surface, 8 letters, 3 classes"] = grid(*example(8, 3, smooth=False))
    found["surface, 64 letters, 3 classes"] = grid(*example(64, 3, smooth=False))
    with np.load(MNIST) as real:
        digits = Problem(real["source"], real["distortion"]), real["labels"]
    found["MNIST, 64 codewords, 10 digits"] = [at(*digits, shares) for shares in ((0.5, 0.3), (0.5, 0.1), (0.8, 0.3))]
    found["surface, MNIST, 64 codewords, 10 digits"] = grid(*digits)
    for name, value in found.items():
        print(name, json.dumps(value, indent=None if isinstance(value, dict) else 1), flush=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

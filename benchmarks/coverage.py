"""Do the intervals of `jaxrd limits --confidence` hold what they promise, on populations whose curves are known?

    python benchmarks/coverage.py [--replicas 2000] [--seed 0] [--only NAME] [--out benchmarks/results/coverage.json]

Each replica draws samples from a population, labels from its posterior, and runs `limits` and `statistics` as the
command line does; what is counted is how often each interval holds the population's rate at one distortion, and how
often the rigorous bounds hold at all of several distortions at once. Populations: `8x3`, eight posterior rows of three
classes (reference values of tests/reference.json); `mixture`, the Gaussian mixture of [A], posterior sigma(2x), with
L(4) beside the rates; `400x10`, 400 rows of ten classes drawn once. About half an hour on one core.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

from jaxrd import Problem, rate_at, solve, tosc
from jaxrd.closed_form import categorical
from jaxrd.tosc.confidence.intervals import central_limit
from jaxrd.tosc.confidence.statistics import Statistics
from jaxrd.tosc.curves import model_aware

CONFIDENCE = 0.95
EIGHT = np.array(
    [
        [18, 1, 1], [12, 6, 2], [4, 14, 2], [2, 9, 9], [1, 3, 16], [6, 6, 8], [6.8, 6.6, 6.6], [0.4, 18, 1.6],
    ]
) / 20  # fmt: skip


@dataclass(frozen=True)
class Population:
    """Posterior rows with probabilities, the samples of a replica, and where the curves are asked."""

    name: str
    v: np.ndarray  # (rows, classes)
    p: np.ndarray  # (rows,)
    samples: int
    distortion: float
    grid: tuple[float, ...]  # for the rigorous bounds
    slope: float = 4.0  # for L(s)

    def draw(self, g: np.random.Generator) -> tosc.Outputs:
        """Independent samples with labels from their own posterior: calibrated."""
        v = self.v[g.choice(len(self.p), self.samples, p=self.p)]
        labels = (g.random((self.samples, 1)) > np.cumsum(v, 1)[:, :-1]).sum(1)
        return tosc.from_scores(v, labels, probabilities=True)


def populations() -> list[Population]:
    x, w = np.polynomial.hermite_e.hermegauss(80)
    w = w[np.abs(x) < 8] / w[np.abs(x) < 8].sum()
    x = x[np.abs(x) < 8]
    mixture = 1 / (1 + np.exp(-2 * np.concatenate([x + 1, x - 1])))
    rows = np.random.default_rng(0).dirichlet(np.full(10, 0.1), 400)
    rows = np.maximum(rows, 1e-9) / np.maximum(rows, 1e-9).sum(1, keepdims=True)
    return [
        Population("8x3", EIGHT, np.full(8, 1 / 8), 500, 0.45, (0.38, 0.42, 0.45, 0.5, 0.55)),
        Population(
            "mixture", np.stack([mixture, 1 - mixture], 1), np.concatenate([w, w]) / 2, 500, 0.25,
            (0.18, 0.22, 0.25, 0.3, 0.4),
        ),
        Population("400x10", rows, np.full(400, 1 / 400), 2000, 0.5, (0.35, 0.42, 0.5, 0.6, 0.75)),
        Population("400x10, few", rows, np.full(400, 1 / 400), 500, 0.5, (0.35, 0.42, 0.5, 0.6, 0.75)),
    ]  # fmt: skip


def truth(population: Population) -> dict[str, float]:
    """Every curve of the population at its distortion, nats."""
    v, p, d = population.v, population.p, population.distortion
    n, k = v.shape
    decisions = np.repeat(v.argmax(1), k)
    labels, weights = np.tile(np.arange(k), n), (p[:, None] * v).ravel()
    joint = tosc.confusion_joint(labels, decisions, k, weights)
    log_v = jnp.asarray(np.log(np.repeat(v, k, axis=0)))

    def sampled(t: float):
        return tosc.sample_and_communicate(log_v, jnp.asarray(labels), t, jnp.asarray(weights))

    def estimated(d_hat: float):
        return tosc.estimate_and_compress(joint, d_hat)

    t: Any = brentq(lambda t: float(sampled(t).distortion) - d, 1e-3, 200, xtol=1e-12)
    d_hat: Any = brentq(lambda x: float(estimated(x).distortion) - d, 1e-9, 1 - float(joint.sum(0).max()), xtol=1e-13)
    tmrd = float(rate_at(Problem(p, 1 - v), d).rate)
    point = solve(Problem(p, 1 - v), population.slope)
    return {
        "oRD": float(categorical.rate(joint.sum(1), d)),
        "TMRD": tmrd,
        "TMRD_model": tmrd,
        "iE&C": float(rate_at(tosc.indirect_problem(joint), d).rate),
        "S&C": float(sampled(float(t)).rate),
        "E&C": float(estimated(float(d_hat)).rate),
        "TS": float(tosc.time_sharing(joint, d)),
        "L": float(point.rate + population.slope * point.distortion),
    }


def lagrangian(population: Population, log_v: jax.Array, labels: np.ndarray) -> tuple[float, float]:
    """L_N(s) and the standard error that the central limit theorem gives it."""
    v = jnp.exp(log_v)
    point = solve(tosc.model_aware_problem(v), population.slope)
    once = jnp.full((1, len(labels)), 1 / len(labels))
    found = model_aware.respond(v, jnp.asarray(labels), once, population.slope, point.reproduction)
    error = float(found.believed.deviation) / np.sqrt(len(labels))
    return float(point.rate + population.slope * point.distortion), error


def verdicts(
    population: Population, found: Statistics, exact: dict[str, float], curve: Callable[[float], float]
) -> dict[str, tuple[bool, float]]:
    """By curve and method: whether the interval holds the truth, and its width."""
    result = {}

    def judge(name: str, method: str, lower: float, upper: float) -> None:
        holds = lower - 1e-12 <= exact[name] <= upper + 1e-12  # an end may be the maximum itself, to rounding
        result[f"{name}, {method}"] = holds, upper - lower

    for name, point in found.at[0].items():
        if point is None:
            result[f"{name}, bootstrap"] = False, np.nan
            continue
        judge(name, "bootstrap", *point.bootstrap)
        if np.isfinite(point.clt.lower):
            judge(name, "clt", *point.clt)
            judge(name, "clt about the plug-in", *(end + point.bias for end in point.clt))
    for name, more in found.excess[0].items():
        lower, upper = more.bootstrap
        result[f"{name} above TMRD, bootstrap"] = bool(lower <= exact[name] - exact["TMRD"] <= upper), upper - lower
    assert found.lower is not None
    assert found.upper is not None
    assert found.upper_model is not None
    assert found.oracle_lower is not None
    d = population.distortion
    judge("TMRD_model", "mcdiarmid and hoeffding", found.lower.rate(d), found.upper_model.at(d))
    judge("TMRD", "hoeffding", 0.0, found.upper.at(d))
    result["oRD, mcdiarmid"] = found.oracle_lower.rate(d) <= exact["oRD"], np.nan
    below = all(found.lower.rate(d) <= curve(d) for d in population.grid)
    result["TMRD_model, mcdiarmid at all D"] = below, np.nan
    for name, points in (("TMRD_model", found.upper_model), ("TMRD", found.upper)):
        result[f"{name}, hoeffding at all D"] = all(curve(d) <= points.at(d) for d in population.grid), np.nan
    return result


def measure(population: Population, replicas: int, seed: int, *, slopes: int = 2) -> dict:
    """Coverage over replicas, each with a generator of its own; the points of the curves are not asked for."""
    exact = truth(population)
    curve = {d: float(rate_at(Problem(population.p, 1 - population.v), d).rate) for d in population.grid}
    held, widths = defaultdict(list), defaultdict(list)
    start = time.perf_counter()
    for i in range(replicas):
        outputs = population.draw(np.random.default_rng([seed, i]))
        limits = tosc.limits(outputs, at=[population.distortion], temperature=1.0, slopes=slopes)
        found = tosc.statistics(limits, confidence=CONFIDENCE, seed=i)
        result = verdicts(population, found, exact, curve.__getitem__)
        assert limits.workings.log_v is not None
        value, error = lagrangian(population, limits.workings.log_v, outputs.labels)
        lower, upper = central_limit(value, error, 1 - CONFIDENCE)
        result["L, clt about the plug-in"] = bool(lower <= exact["L"] <= upper), upper - lower
        for key, (holds, width) in result.items():
            held[key].append(holds)
            widths[key].append(width)
        if i % 100 == 99:
            print(f"{population.name}: {i + 1} of {replicas}", file=sys.stderr, flush=True)
    coverage = {}
    for key in sorted(held):
        rate, width = float(np.mean(held[key])), float(np.mean(widths[key]))
        noise = float(np.sqrt(max(rate * (1 - rate), 1 / replicas) / replicas))
        coverage[key] = {"coverage": rate, "noise": round(noise, 4)}
        if np.isfinite(width):
            coverage[key]["width_nats"] = width
    return {
        "rows": len(population.p), "classes": population.v.shape[1], "samples": population.samples,
        "distortion": population.distortion, "slope": population.slope, "replicas": replicas,
        "truth_nats": exact, "coverage": coverage, "seconds": round(time.perf_counter() - start),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[population.name for population in populations()])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "coverage.json")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    document = {
        "command": f"python benchmarks/coverage.py --replicas {args.replicas} --seed {args.seed}",
        "confidence": CONFIDENCE,
        "populations": {p.name: measure(p, args.replicas, args.seed) for p in populations() if p.name in args.only},
    }
    args.out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()

"""Do the intervals of the difference between two models hold what they promise, where the curves of both are known?

    python benchmarks/paired.py [--replicas 1000] [--seed 0] [--only NAME] [--out benchmarks/results/paired.json]

The populations of `coverage.py`, seen by two models on the same samples: A knows the posterior v of a sample, B only to
which group of posteriors it belongs, and states the mean of the group (`coarser`), or that to the power 1.5, so that it
believes itself better than it is (`overconfident`). Each replica draws samples and labels, runs `limits` on both models
and makes the intervals of `compare`; what is counted is how often the interval of R_B - R_A at one distortion holds the
population's. Beside its width stands that of two independent intervals, added in squares.
"""

import argparse
import json
import shlex
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from coverage import CONFIDENCE, Population, populations  # pyright: ignore
from scipy.optimize import brentq

from jaxrd import Problem, optimal_channel, rate_at, solve, tosc
from jaxrd.tosc._limits import asked_at
from jaxrd.tosc.confidence.paired import PAIRED, Paired, paired

POWER = 1.5
GROUPS = {"8x3": 4, "mixture": 7, "400x10": 70, "400x10, few": 70}
DISTORTIONS = {"8x3": 0.48, "mixture": 0.3, "400x10": 0.6, "400x10, few": 0.6}


@dataclass(frozen=True)
class Pair:
    """What two models say about each row of a population."""

    name: str
    population: Population
    b: np.ndarray  # B's posterior of each row, (rows, classes)
    distortion: float


def pairs() -> list[Pair]:
    found = []
    for population in populations():
        v, p = population.v, population.p
        # Rows of one group are alike; a few groups lie across a border of decisions.
        order = v[:, 0].argsort() if v.shape[1] == 2 else np.lexsort((v.max(1), v.argmax(1)))
        group = np.empty(len(p), int)
        group[order] = np.minimum(np.cumsum(p[order]) - p[order] / 2, 1) * GROUPS[population.name]
        mean = np.stack([np.bincount(group, p * column) for column in v.T], 1) / np.bincount(group, p)[:, None]
        coarser = mean[group]
        sharp = coarser**POWER
        for name, b in (("coarser", coarser), ("overconfident", sharp / sharp.sum(1, keepdims=True))):
            found.append(Pair(f"{population.name}, {name}", population, b, DISTORTIONS[population.name]))
    return found


def measured(v: np.ndarray, p: np.ndarray, stated: np.ndarray, d: float) -> float:
    """TMRD of a model that states other posteriors than the true v: its rate at the distortion that labels measure."""
    problem = Problem(p, 1 - stated)

    def at(slope: float) -> tuple[float, float]:
        point = solve(problem, slope)
        right = (np.asarray(optimal_channel(problem, point)) * v).sum(1)
        return float(point.rate), 1 - float(p @ right)

    slope: Any = brentq(lambda s: at(s)[1] - d, 0.5, 100, xtol=1e-11)
    return at(float(slope))[0]


def truth(pair: Pair) -> dict[str, float]:
    """R_B - R_A of the population by curve, nats."""
    v, p = pair.population.v, pair.population.p
    labels, weights = np.tile(np.arange(v.shape[1]), len(v)), (p[:, None] * v).ravel()
    rates = []
    for stated in (v, pair.b):
        joint = tosc.confusion_joint(labels, np.repeat(stated.argmax(1), v.shape[1]), v.shape[1], weights)
        indirect = float(rate_at(tosc.indirect_problem(joint), pair.distortion).rate)
        rates.append({"TMRD": measured(v, p, stated, pair.distortion), "iE&C": indirect})
    return {name: rates[1][name] - rates[0][name] for name in PAIRED}


def compared(pair: Pair, g: np.random.Generator, confidence: float, seed: int = 0) -> Paired:
    """Both models on the same samples, whose labels are drawn from their true posteriors: their intervals."""
    population = pair.population
    rows = g.choice(len(population.p), population.samples, p=population.p)
    labels = (g.random((len(rows), 1)) > np.cumsum(population.v[rows], 1)[:, :-1]).sum(1)

    def limits(stated: np.ndarray) -> tosc.Limits:
        found = tosc.limits(tosc.from_scores(stated[rows], labels, probabilities=True), temperature=1.0, slopes=2)
        drawn = {name: found.workings.bounds[name] for name in PAIRED}  # the other curves would take most of the time
        kept = replace(found, curves={name: found.curves[name] for name in PAIRED})
        return asked_at(replace(kept, workings=replace(kept.workings, bounds=drawn)), [pair.distortion])

    return paired({"A": limits(population.v), "B": limits(pair.b)}, {"B"}, 1 - confidence, seed)


def measure(pair: Pair, replicas: int, seed: int) -> dict:
    """Coverage over replicas, each with a generator of its own."""
    exact = truth(pair)
    held, widths = defaultdict(list), defaultdict(list)
    start = time.perf_counter()
    for i in range(replicas):
        found = compared(pair, np.random.default_rng([seed, i]), CONFIDENCE, i)
        for name in PAIRED:
            inside = found.differences[0].get(name, {}).get("B")
            if inside is not None:
                held[name].append(bool(inside.lower <= exact[name] <= inside.upper))
                widths[name].append(inside.upper - inside.lower)
                both = [found.rates[0][name][model] for model in "AB"]
                apart = np.hypot(both[0].upper - both[0].lower, both[1].upper - both[1].lower)
                widths[f"{name}, as if independent"].append(float(apart))
        if i % 100 == 99:
            print(f"{pair.name}: {i + 1} of {replicas}", file=sys.stderr, flush=True)
    coverage = {}
    for name, holds in held.items():
        rate = float(np.mean(holds))
        coverage[name] = {
            "coverage": rate, "noise": round(float(np.sqrt(max(rate * (1 - rate), 1 / replicas) / replicas)), 4),
            "given": len(holds), "width_nats": float(np.mean(widths[name])),
            "width_as_if_independent_nats": float(np.mean(widths[f"{name}, as if independent"])),
        }  # fmt: skip
    return {
        "samples": pair.population.samples, "distortion": pair.distortion, "replicas": replicas, "truth_nats": exact,
        "coverage": coverage, "seconds": round(time.perf_counter() - start),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[pair.name for pair in pairs()])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "paired.json")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    found: dict[str, dict] = {}
    document = {
        "command": shlex.join(["python", "benchmarks/paired.py", *sys.argv[1:]]),
        "confidence": CONFIDENCE,
        "pairs": found,
    }
    for pair in pairs():
        if pair.name in args.only:
            found[pair.name] = measure(pair, args.replicas, args.seed)
            args.out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()

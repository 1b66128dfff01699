"""Do the intervals of `jaxrd limits --confidence` hold for many classes, and where oRD is nearly as high as it can be?

    python benchmarks/coverage_classes.py [--share 1] [--seed 0] [--out benchmarks/results/coverage_classes.json]

Two tables. `oRD`: class priors of K = 2, 10, 100, 1000 classes, from uniform to steep, at 30 % and 70 % of the
distortion of guessing; labels alone are drawn. `curves`: classifiers of 10 and 100 classes, whose posteriors are
2000 rows (softmax of normal logits, one of them raised) with labels drawn from them; each curve is asked for at one
fixed parameter, and its interval has to hold the population's rate at the distortion that the sample gives there. The
replicas of each row stand beside it; `--share` multiplies them. `coverage.py` has the populations of few classes.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import PchipInterpolator

from jaxrd import Problem, solve, sweep, tosc
from jaxrd.closed_form import categorical
from jaxrd.tosc import resampling
from jaxrd.tosc.confidence import bands
from jaxrd.tosc.confidence.inversion import oracle_interval
from jaxrd.tosc.confidence.statistics import REPLICATES
from jaxrd.tosc.curves import estimated, indirect, model_aware, time_sharing

RISK = 0.05
SHARES = 0.3, 0.7  # of D_0, where oRD is asked
Verdict = tuple[bool, bool, float]  # the interval lies above the truth, below it; its width


def priors(classes: int) -> dict[str, np.ndarray]:
    """From one at which oRD is greatest to one far from it."""
    g = np.random.default_rng(1)
    found = {"uniform": np.ones(classes), "gamma(8)": g.gamma(8, size=classes), "zipf": 1 / np.arange(1.0, classes + 1)}
    return {name: p / p.sum() for name, p in found.items()}


def summary(verdicts: list[Verdict]) -> dict[str, float]:
    """Coverage, on which side it is missed, and the mean width."""
    above, below, width = np.mean(verdicts, axis=0)
    held = 1 - above - below
    noise = np.sqrt(max(held * (1 - held), 1 / len(verdicts)) / len(verdicts))
    return {
        "coverage": round(float(held), 4), "noise": round(float(noise), 4), "above": round(float(above), 4),
        "below": round(float(below), 4), "width_nats": float(width),
    }  # fmt: skip


def judge(lower: float, upper: float, truth: float) -> Verdict:
    """A truth within rounding of an end is held."""
    return lower > truth + 1e-9, upper < truth - 1e-9, upper - lower


def measure_oracle(classes: int, samples: int, replicas: int, seed: int) -> list[dict[str, Any]]:
    """Rows of the table `oRD`."""
    rows = []
    for name, prior in priors(classes).items():
        d = np.array(SHARES) * (1 - prior.max())
        truth = np.asarray(categorical.rate(prior, d))
        top = np.asarray(categorical.rate(np.full(classes, 1 / classes), d))
        verdicts = defaultdict(list)
        for i in range(replicas):
            g = np.random.default_rng([seed, classes, samples, i])
            counts = g.multinomial(samples, prior)
            found = oracle_interval(
                counts[counts > 0], d, most=classes, risk=RISK, replicates=REPLICATES, seed=int(g.integers(2**31))
            )
            for share, low, high, exact in zip(SHARES, found.lower, found.upper, truth, strict=True):
                verdicts[share].append(judge(low, high, exact))
        for share, exact, most in zip(SHARES, truth, top, strict=True):
            rows.append(
                {
                    "classes": classes, "samples": samples, "prior": name, "share_of_d_0": share, "replicas": replicas,
                    "truth_nats": float(exact), "most_nats": float(most),
                }
                | summary(verdicts[share])
            )  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def posteriors(classes: int, rows: int = 2000) -> np.ndarray:
    """Of a classifier that decides right about 60 times in 100, all classes alike."""
    g = np.random.default_rng(0)
    z = 1.5 * g.normal(size=(rows, classes))
    z[np.arange(rows), np.arange(rows) % classes] += np.log(classes) + 1.6 + 3 * g.normal(size=rows)
    v = np.exp(z - z.max(1, keepdims=True))
    return v / v.sum(1, keepdims=True)


def truths(v: np.ndarray, at: dict[str, float]) -> dict[str, Callable[[float], float]]:
    """Every curve of the population about the parameter at which it is asked, as rate over distortion, nats."""
    rows, classes = v.shape
    joint = np.zeros((classes, classes))
    np.add.at(joint.T, v.argmax(1), v / rows)
    j, near = jnp.asarray(joint), np.geomspace(0.75, 1.33, 13)
    aware = sweep(Problem(np.full(rows, 1 / rows), 1 - v), at["TMRD"] * near)
    indirect = sweep(tosc.indirect_problem(j), at["iE&C"] * near)
    warm = [tosc.sample_and_communicate(jnp.log(v), v.argmax(1), t) for t in at["S&C"] * near]
    cold = [tosc.estimate_and_compress(j, d) for d in at["E&C"] * near]
    points = {
        "TMRD": (aware.distortion, aware.rate),
        "iE&C": (indirect.distortion, indirect.rate),
        "S&C": ([p.model_distortion for p in warm], [p.rate for p in warm]),
        "E&C": ([p.distortion for p in cold], [p.rate for p in cold]),
    }
    found: dict[str, Callable[[float], float]] = {"TS": lambda d: float(tosc.time_sharing(j, d))}
    for name, (d, rate) in points.items():
        order = np.argsort(d)
        found[name] = PchipInterpolator(np.asarray(d)[order], np.asarray(rate)[order], extrapolate=False)
    return found | {"TMRD_model": found["TMRD"]}


AT = {"TMRD": 6.0, "iE&C": 6.0, "S&C": 1.2, "E&C": 0.2, "TS": 0.7}


def intervals_of(v: np.ndarray, labels: np.ndarray, seed: int, names: tuple[str, ...]) -> dict[str, Any]:
    """By curve: where its interval stands, and the `Uncertain`."""
    samples = len(v)
    w = resampling.resampled_weights(samples, REPLICATES, seed)
    decisions = v.argmax(1)
    occur = np.unique(np.concatenate([labels, decisions]))
    y, yt = np.searchsorted(occur, labels), np.searchsorted(occur, decisions)
    joint = tosc.sparse_joint(y, yt, len(occur))
    masses = jnp.asarray(resampling.resampled_masses(joint, y, yt, w))
    d_tm, d_0, _ = tosc.landmarks(joint)
    at = tosc.estimate_and_compress(joint, AT["E&C"])
    found = {
        "E&C": (float(at.distortion), estimated.respond(joint, masses, AT["E&C"])),
        "TS": (float(AT["TS"] * d_tm + (1 - AT["TS"]) * d_0), time_sharing.respond(joint, masses, AT["TS"])),
    }
    if "iE&C" in names:
        point = solve(tosc.indirect_problem(tosc.confusion_joint(y, yt, len(occur))), AT["iE&C"])
        found["iE&C"] = float(point.distortion), indirect.respond(joint, masses, AT["iE&C"], point.reproduction)
    if "TMRD" in names:
        problem, weights, log_v = tosc.model_aware_problem(v), jnp.asarray(w), jnp.log(v)
        point = solve(problem, AT["TMRD"])
        both = model_aware.respond(jnp.asarray(v), jnp.asarray(labels), weights, AT["TMRD"], point.reproduction)
        sampled = tosc.sample_and_communicate(log_v, labels, AT["S&C"])
        found |= {
            "TMRD": (float(tosc.label_distortion(problem, point, labels)), both.measured),
            "TMRD_model": (float(point.distortion), both.believed),
            "S&C": (float(sampled.distortion), sampled.respond(log_v, jnp.asarray(labels), weights, AT["S&C"])),
        }
    return {name: (d, bands.uncertain(resampled, samples, RISK)) for name, (d, resampled) in found.items()}


def measure_curves(
    classes: int, samples: int, replicas: int, seed: int, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Rows of the table `curves`."""
    v, start = posteriors(classes), time.perf_counter()
    truth, verdicts = truths(v, AT), defaultdict(list)
    for i in range(replicas):
        g = np.random.default_rng([seed, classes, samples, i])
        drawn = v[g.integers(len(v), size=samples)]
        labels = (g.random((samples, 1)) > np.cumsum(drawn, 1)[:, :-1]).sum(1)
        for name, (d, found) in intervals_of(drawn, labels, i, names).items():
            exact = float(truth[name](d))
            verdicts[name, "bootstrap"].append(judge(found.bootstrap.lower, found.bootstrap.upper, exact))
            if np.isfinite(found.clt.lower):
                verdicts[name, "clt"].append(judge(found.clt.lower, found.clt.upper, exact))
        if i % 10 == 9:
            print(classes, samples, i + 1, round(time.perf_counter() - start), flush=True)
    rows = [
        {"classes": classes, "samples": samples, "curve": name, "method": method, "replicas": replicas} | summary(found)
        for (name, method), found in verdicts.items()
    ]
    print(*rows, sep="\n", flush=True)
    return rows


EVERY = ("TMRD", "iE&C", "S&C", "E&C", "TS")
ORACLE = ((2, 500, 2000), (10, 100, 500), (10, 500, 2000), (100, 5000, 500), (1000, 50_000, 40))
CURVES = ((100, 5000, 250, EVERY), (10, 500, 400, EVERY))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the replicas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("oRD", "curves"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "coverage_classes.json")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    command = f"python benchmarks/coverage_classes.py --share {args.share:g} --seed {args.seed}"
    document: dict[str, Any] = json.loads(args.out.read_text()) if args.only and args.out.exists() else {}
    document |= {"command": command, "confidence": 1 - RISK}

    def keep(table: str, rows: list[dict[str, Any]]) -> None:
        document[table] += rows
        args.out.write_text(json.dumps(document, indent=1) + "\n")  # a long run may be cut short

    if args.only != "curves":
        document["oRD"] = []
        for classes, samples, replicas in ORACLE:
            keep("oRD", measure_oracle(classes, samples, max(int(args.share * replicas), 2), args.seed))
    if args.only != "oRD":
        document["curves"] = []
        for classes, samples, replicas, names in CURVES:
            keep("curves", measure_curves(classes, samples, max(int(args.share * replicas), 2), args.seed, names))


if __name__ == "__main__":
    main()

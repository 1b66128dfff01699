"""Random problems: derivatives of the rates of `jaxrd.rdc` and of their inverses against differences.

    python benchmarks/rdc_derivatives.py [--problems 40] [--seed 0] [--only perceptual_lifted_rate]
        [--out benchmarks/results/rdc_derivatives.json]

3 or 4 letters (two shapes, so that compiles are shared), every target a random share of the way from the least possible
to where it binds nothing. Each function is differentiated in every argument, along a random direction of it.
The reference is a central difference of fourth order with two step lengths; where the two disagree by more than 1e-6 a
kink is near, and the value is counted apart, as it is where no code meets a target. Errors are relative to
max(1, |derivative|). --only runs the functions whose names begin so, at the same problems and directions, and replaces
their rows and the totals in the file of a whole run, whose seconds stay.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd import Problem, rdc
from jaxrd.rdc import measures
from jaxrd.rdc.gaussian import vector
from jaxrd.rdc.representation.universal import universal_perceptual_rate, universal_vector_gaussian_rate

SHAPES = ((4, 4, 2), (3, 3, 3))
STEPS = {"least_distortion": 1e-3, "least_classification": 1e-3}
STEP, LIMIT, KINK = 3e-4, 1e-5, 1e-6
RARE = 5
"""Of so many problems `perceptual_lifted_rate`, which takes longest, is differentiated at one."""
MEASURES = {
    "TV": lambda cost: measures.TotalVariation(),
    "W2": measures.Wasserstein,
    "KL": lambda cost: measures.RelativeEntropy(),
    "reverse KL": lambda cost: measures.ReverseRelativeEntropy(),
}
DISCRETE = ("source", "distortion")


def perceptual(measure, source, distortion, d, p, cost=None):
    return rdc.perceptual_rate(Problem(source, distortion), d, p, measure=MEASURES[measure](cost)).rate


def perceptual_fixed(measure, source, distortion, loss, d, p, c, cost=None):
    problem = Problem(source, distortion)
    return rdc.perceptual_fixed_classifier_rate(problem, loss, d, p, c, measure=MEASURES[measure](cost)).rate


def perceptual_lifted(measure, source, distortion, labels, d, p, c, cost=None):
    problem = Problem(source, distortion)
    return rdc.perceptual_lifted_rate(problem, labels, d, p, c, measure=MEASURES[measure](cost)).rate


FUNCTIONS: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "lifted_rate": (
        lambda s, a, labels, d, c: rdc.lifted_rate(Problem(s, a), labels, d, c).rate,
        (*DISCRETE, "labels", "D", "C"),
    ),
    "fixed_classifier_rate": (
        lambda s, a, loss, d, c: rdc.fixed_classifier_rate(Problem(s, a), loss, d, c).rate,
        (*DISCRETE, "loss", "D", "C of loss"),
    ),
    "least_distortion": (
        lambda s, a, labels, c, r: rdc.least_distortion(Problem(s, a), labels, c, r).value,
        (*DISCRETE, "labels", "C", "R"),
    ),
    "least_classification": (
        lambda s, a, labels, d, r: rdc.least_classification(Problem(s, a), labels, d, r).value,
        (*DISCRETE, "labels", "D", "R"),
    ),
    "universal_lifted_rate": (
        lambda s, a, labels, d, c: rdc.universal_lifted_rate(Problem(s, a), labels, d, c).rate,
        (*DISCRETE, "labels", "Ds", "Cs"),
    ),
    "universal_fixed_classifier_rate": (
        lambda s, a, loss, d, c: rdc.universal_fixed_classifier_rate(Problem(s, a), loss, d, c).rate,
        (*DISCRETE, "loss", "Ds", "Cs of loss"),
    ),
    "universal_perceptual_rate": (
        lambda s, a, d, p: universal_perceptual_rate(Problem(s, a), d, p).rate,
        (*DISCRETE, "Ds", "Ps"),
    ),
    **{
        f"perceptual_rate, {name}": (partial(perceptual, name), (*DISCRETE, "D", "P", *(["cost"] * (name == "W2"))))
        for name in MEASURES
    },
    **{
        f"perceptual_fixed_classifier_rate, {name}": (
            partial(perceptual_fixed, name),
            (*DISCRETE, "loss", "D", "P", "C of loss", *(["cost"] * (name == "W2"))),
        )
        for name in MEASURES
    },
    **{
        f"perceptual_lifted_rate, {name}": (
            partial(perceptual_lifted, name),
            (*DISCRETE, "labels", "D", "P", "C", *(["cost"] * (name == "W2"))),
        )
        for name in MEASURES
    },
    "vector.rate_at": (
        lambda s, a, w, d, c: vector.rate_at(vector.VectorSource(s, a, w), d, c).rate,
        ("covariance", "direction", "noise", "total D", "h"),
    ),
    "vector.distortion_at": (
        lambda s, a, w, c, r: vector.distortion_at(vector.VectorSource(s, a, w), c, r).distortion,
        ("covariance", "direction", "noise", "h", "large R"),
    ),
    "vector.classification_at": (
        lambda s, a, w, d, r: vector.classification_at(vector.VectorSource(s, a, w), d, r).classification,
        ("covariance", "direction", "noise", "total D", "large R"),
    ),
    "universal_vector_gaussian_rate": (
        lambda s, a, w, d, c: universal_vector_gaussian_rate(vector.VectorSource(s, a, w), d, c).rate,
        ("covariance", "direction", "noise", "total Ds", "hs"),
    ),
}


def draw(g: np.random.Generator) -> dict[str, np.ndarray]:
    """Values of all arguments."""
    n, m, classes = SHAPES[g.integers(len(SHAPES))]
    p, hollow = g.dirichlet(np.full(n, 3.0)), 1 - np.eye(n, m)
    d, labels, loss = hollow * g.random((n, m)), g.dirichlet(np.ones(classes), n), g.random((n, m))

    def entropies(q):
        return -(q * np.log(q)).sum(-1)

    def between(least, most, count=None):
        return np.asarray(least + g.uniform(0.3, 0.9, count) * (most - least))

    h, silent = p @ entropies(labels), entropies(p @ labels)
    factor = g.standard_normal((n, n))
    sigma, a, w = factor @ factor.T / n + 0.3 * np.eye(n), g.standard_normal(n), np.asarray(g.uniform(0.1, 1))
    known, unknown = (0.5 * np.log(2 * np.pi * np.e * v) for v in (w, w + a @ sigma @ a))
    least = p @ d.min(1), (p @ d).min()
    lost = p @ loss.min(1), (p @ loss).min()
    return {
        "source": p, "distortion": d, "labels": labels, "loss": loss, "cost": hollow * g.random((n, m)),
        "D": between(*least), "Ds": between(*least, 2), "C": between(h, silent), "Cs": between(h, silent, 2),
        "C of loss": between(np.mean(lost), lost[1]), "Cs of loss": between(np.mean(lost), lost[1], 2),
        "P": np.asarray(g.uniform(0.01, 0.1)), "Ps": g.uniform(0.01, 0.1, 2),
        "R": np.asarray(g.uniform(0.05, 0.5) * entropies(p)), "large R": np.asarray(g.uniform(0.5, 2)),
        "covariance": sigma, "direction": a, "noise": w, "total D": between(0, np.trace(sigma)),
        "total Ds": between(0, np.trace(sigma), 2), "h": between(known, unknown), "hs": between(known, unknown, 2),
    }  # fmt: skip


def direction(g: np.random.Generator, name: str, value: np.ndarray) -> np.ndarray:
    """A random one, along which label channels stay channels and covariances symmetric."""
    along = g.standard_normal(value.shape)
    if name == "labels":
        return along - along.mean(1, keepdims=True)
    if name == "covariance":
        return along + along.T
    return along * (value > 0)


@cache
def compiled(name: str) -> Callable:
    """(value, derivatives) of a function in all arguments."""
    function, arguments = FUNCTIONS[name]
    return jax.jit(jax.value_and_grad(function, range(len(arguments))))


def rows_of(seed: int, k: int, only: str = "") -> list[dict]:
    """Errors at one problem, a row for each function, whose name begins with `only`, and argument."""
    g = np.random.default_rng([seed, k])
    values, rows = draw(g), []
    for name, (_, arguments) in FUNCTIONS.items():
        if k % RARE and name.startswith("perceptual_lifted_rate"):
            continue
        directions = [direction(g, argument, values[argument]) for argument in arguments]
        if not name.startswith(only):
            continue
        at = [jnp.asarray(values[argument]) for argument in arguments]
        value, slopes = compiled(name)(*at)
        for i, (argument, along) in enumerate(zip(arguments, directions, strict=True)):

            def moved(t, i=i, along=along, at=at, name=name):
                return float(compiled(name)(*at[:i], at[i] + t * along, *at[i + 1 :])[0])

            def difference(h, moved=moved):
                return (moved(-2 * h) - 8 * moved(-h) + 8 * moved(h) - moved(2 * h)) / (12 * h)

            step = STEPS.get(name, STEP)
            with np.errstate(invalid="ignore"):
                coarse, fine = difference(step), difference(step / 2)
            size, given = max(1.0, abs(fine)), float((slopes[i] * along).sum())
            rows.append(
                {
                    "of": name, "in": argument, "feasible": bool(np.isfinite(value)),
                    "smooth": bool(abs(coarse - fine) <= KINK * size), "matters": bool(abs(fine) > 1e-6),
                    "error": abs(given - fine) / size,
                }
            )  # fmt: skip
    return rows


def summary(rows: list[dict]) -> list[dict]:
    """Per function and argument: how many values, within the limit and beyond, at a kink, infeasible."""
    out = []
    for key in dict.fromkeys((r["of"], r["in"]) for r in rows):
        mine = [r for r in rows if (r["of"], r["in"]) == key]
        smooth = [r for r in mine if r["feasible"] and r["smooth"]]
        errors = np.array([r["error"] for r in smooth])
        out.append(
            {
                "of": key[0], "in": key[1], "values": len(smooth), "not zero": sum(r["matters"] for r in smooth),
                "within": int((errors <= LIMIT).sum()), "beyond": int((~(errors <= LIMIT)).sum()),
                "largest_error": float(errors.max(initial=0)),
                "kinks": sum(r["feasible"] and not r["smooth"] for r in mine),
                "infeasible": sum(not r["feasible"] for r in mine),
            }
        )  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", choices=sorted({name.split(",")[0] for name in FUNCTIONS}))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "rdc_derivatives.json")
    asked = parser.parse_args()
    command = f"python benchmarks/rdc_derivatives.py --problems {asked.problems} --seed {asked.seed}"
    whole: dict | None = json.loads(asked.out.read_text()) if asked.only else None
    if whole is not None and whole["command"] != command:
        parser.error(f"{asked.out} is of {whole['command']}, with other problems.")
    jax.config.update("jax_enable_x64", True)
    start = time.perf_counter()
    rows = []
    for k in range(asked.problems):
        rows += rows_of(asked.seed, k, asked.only)
        print(f"{k + 1} of {asked.problems} problems, {time.perf_counter() - start:.0f} s", flush=True)
    table = summary(rows)
    for row in table:
        print(row)
    seconds = round(time.perf_counter() - start)
    if whole is not None:
        new = {(row["of"], row["in"]): row for row in table}
        table = [{**row, **new.get((row["of"], row["in"]), {})} for row in whole["summary"]]
        seconds = whole["seconds"]
    result = {
        "command": command,
        "limit": LIMIT,
        "kink": KINK,
        "seconds": seconds,
        "values": sum(row["values"] for row in table),
        "beyond": sum(row["beyond"] for row in table),
        "largest_error": max(row["largest_error"] for row in table),
        "summary": table,
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{result['values']} values, {result['beyond']} beyond {LIMIT:g}, largest {result['largest_error']:.1e}")


if __name__ == "__main__":
    main()

"""500 random problems: derivatives of solve and rate_at against differences of solutions at a tolerance of 1e-13.

    python benchmarks/derivatives.py [--problems 500] [--seed 0] [--out benchmarks/results/derivatives.json]

4 to 200 letters (five shapes, so that compiles are shared, the two largest for a tenth of the problems), slopes 1 to
60, half of the problems at the default tolerance and half at 1e-3 to 1e-12, every problem in both precisions.
Differentiated are rate and distortion at
a slope in ln s, in the source and in the distortion (random directions), and the rate at a distortion in D and in the
distortion matrix. The reference is a central difference of fourth order, in float64, with two step lengths; where the
two disagree by more than 1e-7 a kink is near, and the value is counted apart. NaN is a refusal. Errors are relative to
max(|derivative|, .01).
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd import Problem, rate_at, solve

SHAPES = ((4, 4), (16, 16), (40, 30), (150, 100), (100, 200))
SHARES = (0.3, 0.3, 0.3, 0.05, 0.05)
KINDS = ("posterior", "uniform", "gamma", "points", "hamming")
STEP = 5e-4
LIMITS = {"float64": 1e-6, "float32": 1e-2}


def draw(g: np.random.Generator) -> tuple[Problem, float, str]:
    """A problem, a slope and the kind of its distortion."""
    n, m = SHAPES[g.choice(len(SHAPES), p=SHARES)]
    p = g.dirichlet(np.full(n, g.choice([0.3, 1.0, 5.0])))
    kind = KINDS[g.integers(len(KINDS))]
    if kind == "posterior":
        d = 1 - g.dirichlet(np.full(m, 0.1), n)
    elif kind == "uniform":
        d = g.random((n, m))
    elif kind == "gamma":
        d = g.gamma(0.3, size=(n, m))
    elif kind == "points":
        d = (g.standard_normal(n)[:, None] - g.standard_normal(m)) ** 2
    else:
        d = 1 - np.eye(n, m)
    return Problem(p, d), float(np.exp(g.uniform(0, np.log(60)))), kind


def moved(problem: Problem, along: Problem, step: jax.Array) -> Problem:
    """The problem moved along a direction."""
    return jax.tree.map(lambda a, b: a + step * b, problem, along)


@jax.jit
def at_slope(problem, along, slope, rise, step, tol):
    """(rate, distortion) at slope exp(step * rise) times `slope`."""
    point = solve(moved(problem, along, step), slope * jnp.exp(step * rise), tol=tol)
    return jnp.stack([point.rate, point.distortion])


@jax.jit
def at_distortion(problem, along, distortion, rise, step, tol):
    """(rate,) at distortion + step * rise."""
    return rate_at(moved(problem, along, step), distortion + step * rise, tol=tol).rate[None]


@partial(jax.jit, static_argnames="function")
def derivative(function, problem, along, at, rise, tol):
    """In the step, at zero."""
    zero = jnp.zeros((), problem.source.dtype)
    return jax.jvp(lambda t: function(problem, along, at, rise, t, tol), (zero,), (jnp.ones_like(zero),))[1]


def difference(function, problem, along, at, rise, step: float) -> np.ndarray:
    """The central difference of fourth order."""
    f = [np.asarray(function(problem, along, at, rise, k * step, 1e-13)) for k in (-2.0, -1.0, 1.0, 2.0)]
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * step)


def rows_of(g: np.random.Generator) -> list[dict]:
    """Errors of one problem, a row for each derivative and precision."""
    problem, slope, kind = draw(g)
    n, m = problem.distortion.shape
    tol = {"float64": 1e-9, "float32": 1e-5} if g.random() < 0.5 else 10.0 ** g.uniform(-12, -3)
    still = Problem(np.zeros(n), np.zeros((n, m)))
    direction = g.standard_normal(n)
    in_source = Problem(problem.source * (direction - problem.source @ direction), still.distortion)
    in_distortion = Problem(still.source, g.standard_normal((n, m)) * np.asarray(problem.distortion))
    distortion = float(solve(problem, slope).distortion)
    asked = [
        ("solve, ln s", at_slope, still, slope, 1.0),
        ("solve, source", at_slope, in_source, slope, 0.0),
        ("solve, distortion", at_slope, in_distortion, slope, 0.0),
        ("rate_at, D", at_distortion, still, distortion, distortion),
        ("rate_at, distortion", at_distortion, in_distortion, distortion, 0.0),
    ]
    rows = []
    for name, function, along, at, rise in asked:
        coarse, fine = (difference(function, problem, along, at, rise, h) for h in (STEP, STEP / 2))
        size = np.maximum(np.abs(fine), 0.01)
        smooth = np.abs(coarse - fine) <= 1e-7 * size
        for dtype in ("float64", "float32"):
            given, towards, x, dx, t = jax.tree.map(
                lambda a, dtype=dtype: np.asarray(a, dtype),
                (problem, along, at, rise, tol[dtype] if isinstance(tol, dict) else tol),
            )
            exact = np.asarray(derivative(function, given, towards, x, dx, t))
            for field, k in zip(("rate", "distortion"), range(len(exact)), strict=False):
                rows.append(
                    {
                        "of": f"{field} of {name}", "dtype": dtype, "kind": kind, "shape": [n, m], "slope": slope,
                        "default_tol": isinstance(tol, dict), "smooth": bool(smooth[k]),
                        "refused": bool(np.isnan(exact[k])),
                        "error": float(np.abs(exact[k] - fine[k]) / size[k]),
                    }
                )  # fmt: skip
    return rows


def summary(rows: list[dict]) -> list[dict]:
    """Per derivative, precision and tolerance: how many within the limit, beyond it, refused, at a kink."""
    out = []
    for key in sorted({(r["of"], r["dtype"], r["default_tol"]) for r in rows}):
        mine = [r for r in rows if (r["of"], r["dtype"], r["default_tol"]) == key]
        smooth = [r for r in mine if r["smooth"]]
        kept = np.array([r["error"] for r in smooth if not r["refused"]])
        out.append(
            {
                "derivative": key[0], "dtype": key[1], "tol": "default" if key[2] else "1e-3 to 1e-12",
                "values": len(smooth), "kinks": len(mine) - len(smooth),
                "refused": sum(r["refused"] for r in smooth),
                "within": int((kept <= LIMITS[key[1]]).sum()), "beyond": int((kept > LIMITS[key[1]]).sum()),
                "median_error": float(np.median(kept)) if len(kept) else None,
                "largest_error": float(kept.max()) if len(kept) else None,
            }
        )  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "derivatives.json")
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    start, rows = time.perf_counter(), []

    def keep(problems: int) -> dict:
        beyond = [r for r in rows if r["smooth"] and r["error"] > LIMITS[r["dtype"]]]
        result = {
            "command": f"python benchmarks/derivatives.py --problems {problems} --seed {asked.seed}",
            "problems": problems,
            "limits": LIMITS,
            "seconds": round(time.perf_counter() - start),
            "summary": summary(rows),
            "beyond": beyond,
        }
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
        print(f"{problems} problems, {len(beyond)} beyond", flush=True)
        return result

    for k in range(asked.problems):
        rows += rows_of(np.random.default_rng([asked.seed, k]))
        if k % 20 == 19:
            keep(k + 1)  # a long run may be cut short
    result = keep(asked.problems)
    for row in result["summary"]:
        print(row)


if __name__ == "__main__":
    main()

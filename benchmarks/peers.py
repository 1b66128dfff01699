"""Hold other people's Blahut-Arimoto to the laws of `jaxrd.testing`; what they break is recorded with its numbers.

    python benchmarks/peers.py dit                                  # installed from PyPI
    python benchmarks/peers.py weckford=FOLDER csaba=FOLDER         # clones of their repositories
    python benchmarks/peers.py numpy jaxrd                          # the textbook's iteration, of this file; ours
    python benchmarks/peers.py --table

Each peer is called as its own documentation says, at its defaults, on the problems below. Results are added to
benchmarks/results/peers.json, a peer at a time; `--table` prints them for docs/testing.md. A call that does not end in
10 seconds is a fault too. Nothing of a peer's code is here.
"""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxrd import Problem, __version__, solve, testing

RESULTS = Path(__file__).parent / "results" / "peers.json"
SECONDS = 10
TOL = 1e-4
"""Nats, relative to max(1, L(s)): ten times what the loosest of them asks of itself."""

Solve = Callable[[np.ndarray, np.ndarray, float], tuple[float, float]]

BITS = float(np.log(2))


def dit() -> tuple[Solve, str]:
    """dit's `blahut_arimoto` with its 100 restarts: it counts in bits, and its matrices are square."""
    theirs = importlib.import_module("dit.rate_distortion.blahut_arimoto").blahut_arimoto

    def implementation(source: np.ndarray, distortion: np.ndarray, slope: float) -> tuple[float, float]:
        np.random.seed(0)  # noqa: NPY002 - dit draws its restarts from the global generator
        found, _ = theirs(source, slope / BITS, lambda *_: distortion)
        return float(found.rate) * BITS, float(found.distortion)

    return implementation, f"dit {metadata.version('dit')}"


def weckford(folder: str) -> tuple[Solve, str]:
    """`getRD_BA` of andreweckford/RateDistortion at one slope: nats; its matrices have a column a source letter."""
    module = _module("RateDistortion", folder)

    def implementation(source: np.ndarray, distortion: np.ndarray, slope: float) -> tuple[float, float]:
        found = module.getRD_BA(source, distortion.T, smin=-slope, smax=-slope, numPoints=1)
        return float(found["r_v"][0]), float(found["Dmax_v"][0])

    return implementation, f"andreweckford/RateDistortion {_commit(folder)}"


def csaba(folder: str) -> tuple[Solve, str]:
    """`Blahut_Arimoto` of danielcsaba/Attent_Comp: utility -d, cost 1/s; the rate is that of its channel."""
    module = _module("blahut_arimoto", folder)

    def implementation(source: np.ndarray, distortion: np.ndarray, slope: float) -> tuple[float, float]:
        np.random.seed(0)  # noqa: NPY002 - it draws its start from the global generator
        return _pair(source, distortion, module.Blahut_Arimoto(-distortion, 1 / slope, source).conditional_prob)

    return implementation, f"danielcsaba/Attent_Comp {_commit(folder)}"


def textbook() -> tuple[Solve, str]:
    """The iteration as lecture notes have it: exp(-s d) as it is, until q changes by less than 1e-6."""

    def implementation(source: np.ndarray, distortion: np.ndarray, slope: float) -> tuple[float, float]:
        q = np.full(distortion.shape[1], 1 / distortion.shape[1])
        channel = np.exp(-slope * distortion)
        for _ in range(10_000):
            channel = q * np.exp(-slope * distortion)
            channel /= channel.sum(1, keepdims=True)
            before, q = q, source @ channel
            if np.abs(q - before).max() < 1e-6:
                break
        return _pair(source, distortion, channel)

    return implementation, "numpy, the iteration of this file"


def jaxrd() -> tuple[Solve, str]:
    """`jaxrd.solve`, held to what the others are held to."""

    def implementation(source: np.ndarray, distortion: np.ndarray, slope: float) -> tuple[float, float]:
        point = solve(Problem(source, distortion), slope)
        return float(point.rate), float(point.distortion)

    return implementation, f"jaxrd {__version__}"


SQUARE = (dit,)
"""Their source and reproduction have the same letters: other problems are left out."""
PEERS: dict[str, Callable[..., tuple[Solve, str]]] = {
    "dit": dit, "weckford": weckford, "csaba": csaba, "numpy": textbook, "jaxrd": jaxrd,
}  # fmt: skip


def _module(name: str, folder: str) -> Any:
    sys.path.insert(0, folder)
    return importlib.import_module(name)


def _commit(folder: str) -> str:
    asked = ["git", "-C", folder, "rev-parse", "--short=10", "HEAD"]
    return "at " + subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _pair(source: np.ndarray, distortion: np.ndarray, channel: np.ndarray) -> tuple[float, float]:
    """Rate and distortion of a channel, nats."""
    joint = source[:, None] * channel
    law = joint.sum(0)
    silent = joint == 0  # NaN is not, and stays
    terms = np.where(silent, 0, joint * np.log(np.where(silent, 1, channel) / np.where(law == 0, 1, law)))
    return float(terms.sum()), float(np.where(silent, 0, joint * distortion).sum())


def _arrays(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(problem.source), np.asarray(problem.distortion)


def problems() -> dict[str, tuple[Problem, float]]:
    """Small problems with a slope, each of a kind that is met: all have a certified answer."""
    p, hamming = np.array([0.7, 0.3]), 1 - np.eye(2)
    coin = Problem(p, hamming)
    die = Problem(np.array([0.4, 0.3, 0.2, 0.1]), 1 - np.eye(4))
    x = np.linspace(-3, 3, 12)
    bell = np.exp(-(x**2) / 2)
    grid = Problem(bell / bell.sum(), (x[:, None] - x) ** 2)
    far = Problem(np.array([0.5, 0.3, 0.2]), np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 1.0], [4.0, 1.0, 0.0]]) * 1e3)
    erased = Problem(np.array([0.5, 0.5]), np.array([[0.0, np.inf, 1.0], [np.inf, 0.0, 1.0]]))
    critical = float(np.log(0.7 / 0.3))  # below this slope nothing is sent; there the iteration converges like 1 / k
    return {
        "coin": (coin, 2.0),
        "coin just above its critical slope": (coin, critical + 0.02),
        "coin at its critical slope": (coin, critical),
        "die": (die, 1.5),
        "die of which a letter almost leaves": (die, float(np.log(7.0 / 3.0)) + 0.3),
        "grid of 12 points": (grid, 2.0),
        "grid of 12 points, low rate": (grid, 0.6),
        "a last letter that never occurs": (Problem(np.array([0.6, 0.4, 0.0]), 1 - np.eye(3)), 2.0),
        "a first letter that never occurs": (Problem(np.array([0.0, 0.6, 0.4]), 1 - np.eye(3)), 2.0),
        "coin, distortions in units of 1e-9": (Problem(p, hamming * 1e-9), 2e9),
        "distances in metres, not in kilometres": (far, 2.0),
        "a constant added to every distortion": (Problem(p, hamming + 1000.0), 2.0),
        "two letters for three": (
            Problem(np.array([0.5, 0.3, 0.2]), np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])),
            3.0,
        ),
        "erasure, forbidden pairs": (erased, 0.5),
    }


@contextmanager
def limited() -> Iterator[None]:
    """Fail where a call does not end in time."""

    def late(*_: object) -> None:
        raise AssertionError(f"no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def held_to(implementation: Solve, peer: Callable[..., Any]) -> dict[str, dict[str, str]]:
    """By problem and law: "" where the law holds, else what breaks it."""
    found: dict[str, dict[str, str]] = {}
    pairs = {
        name: (problem, slope)
        for name, (problem, slope) in problems().items()
        if peer not in SQUARE or len(set(_arrays(problem)[1].shape)) == 1
    }
    for name, (problem, slope) in pairs.items():
        laws: dict[str, Callable[[], None]] = {
            "optimal": partial(_optimal, implementation, problem, slope),
            "permuted": partial(testing.assert_same_when_permuted, implementation, problem, slope, tol=TOL),
            "duplicated": partial(testing.assert_same_when_duplicated, implementation, problem, slope, tol=TOL),
            "scaled": partial(testing.assert_same_when_scaled, implementation, problem, slope, 1e-9, tol=TOL),
        }
        if len(problem.source) == 2 and np.isfinite(_arrays(problem)[1]).all():
            laws["shifted"] = partial(
                testing.assert_shifts_with_rows, implementation, problem, slope, [0.0, 800.0 / slope], tol=TOL
            )
        found[name] = {law: _broken(check) for law, check in laws.items()}
    coin, die = pairs["coin"][0], pairs["die"][0]
    found["coin and die"] = {"added": _broken(partial(testing.assert_adds, implementation, coin, die, 1.5, tol=TOL))}
    found["coin, a curve"] = {"envelope": _broken(lambda: _envelope(implementation, coin))}
    return found


def _optimal(implementation: Solve, problem: Problem, slope: float) -> None:
    source, distortion = _arrays(problem)
    testing.assert_optimal(problem, slope, *implementation(source, distortion, slope), tol=TOL)


def _envelope(implementation: Solve, problem: Problem) -> None:
    slopes = np.linspace(0.5, 4, 15)
    points = np.array([implementation(*_arrays(problem), float(s)) for s in slopes])
    testing.assert_envelope_slope(slopes, points[:, 1], points[:, 0], tol=TOL)


def _broken(check: Callable[[], None]) -> str:
    try:
        with limited(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            check()
    except AssertionError as error:
        return str(error)
    except Exception as error:  # a peer may raise anything
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""


def record(version: str, found: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What is written of a peer: by problem the laws that it breaks, each with what the law says."""
    broken = {name: {law: said for law, said in laws.items() if said} for name, laws in found.items()}
    return {
        "version": version,
        "checks": sum(map(len, found.values())),
        "broken": sum(map(len, broken.values())),
        "faults": {name: laws for name, laws in broken.items() if laws},
    }


def described() -> dict[str, Any]:
    """The problems, as numbers: a reader can pose them again."""
    return {
        name: {
            "source": _arrays(problem)[0].tolist(),
            "distortion": [[None if np.isinf(d) else d for d in row] for row in _arrays(problem)[1].tolist()],
            "slope": slope,
        }
        for name, (problem, slope) in problems().items()
    }


def table(held: dict[str, Any]) -> str:
    """A row for each peer and problem, with the first law that it breaks there, for docs/testing.md."""
    rows = ["| peer | problem | laws broken | the first one says |", "|---|---|---|---|"]
    for one in held["peers"].values():
        head = f"{one['version']}: {one['broken']} of {one['checks']}"
        for problem, laws in one["faults"].items():
            rows.append(f"| {head} | {problem} | {', '.join(laws)} | {next(iter(laws.values()))} |")
            head = ""
    return "\n".join(rows)


def main() -> None:
    """Check the peers that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", metavar="PEER[=FOLDER]", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--table", action="store_true", help="print what is recorded")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    held = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"peers": {}}
    for asked in args.peers:
        name, _, folder = asked.partition("=")
        if name not in PEERS:
            parser.error(f"there is no peer {name!r}; there are {', '.join(PEERS)}")
        implementation, version = PEERS[name](*([folder] if folder else []))
        held["peers"][name] = record(version, held_to(implementation, PEERS[name]))
        print(f"{version}: {held['peers'][name]['broken']} of {held['peers'][name]['checks']} laws broken")
    if args.peers:
        held |= {"command": "python benchmarks/peers.py PEER", "tolerance_nats": TOL, "problems": described()}
        held["versions"] = {name: metadata.version(name) for name in ("jax", "numpy", "scipy")}
        RESULTS.write_text(json.dumps(held, indent=1, allow_nan=False) + "\n")
    if args.table:
        print(table(held))


if __name__ == "__main__":
    main()

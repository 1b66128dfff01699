"""How long does a user wait for an answer? Wall time of whole commands, the first time and after, beside a bare plot.

    python benchmarks/answer.py [--verbs limits,sweep,...] [--repeats 5] [--out benchmarks/results/answer.json]

B is a process that imports jax and matplotlib.pyplot, draws one line and saves a PNG. `cold` is the median of three
runs, each with an empty cache of compiled programs, `warm` the median of the runs after; all are whole processes, and
ratios are to the B of the same run. `programs` counts what a warm run loads; the stages are seconds of a warm run.
`limits-cifar100` needs JAXRD_DATA. `toy` is a process without any cache that calls solve, rate_at and sweep on a
4 x 4 problem. `files` are twenty of 4 000 to 6 000 samples and 10 classes, one after another in one process: the
programs compiled for each, and the time of the last over that of the second. About five minutes on two quiet cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BARE = """
import jax, matplotlib.pyplot as plt
jax.devices()
plt.plot([0, 1])
plt.savefig("bare.png")
"""
RUN = """
import collections, json, sys
import jax.monitoring
seconds, programs = collections.Counter(), 0
def note(event, duration, **_):
    global programs
    for stage in ("jaxpr_trace", "jaxpr_to_mlir_module", "backend_compile"):
        seconds[stage] += duration * event.endswith(stage + "_duration")
    programs += event.endswith("backend_compile_duration")
jax.monitoring.register_event_duration_secs_listener(note)
from jaxrd.cli.app import run
code = run(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump({"programs": programs, **seconds}, file)
sys.exit(code)
"""
TOY = """
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np, jaxrd
g = np.random.default_rng(0)
problem = jaxrd.Problem(g.dirichlet(np.ones(4)), 1 - np.eye(4))
jaxrd.solve(problem, 2.0), jaxrd.rate_at(problem, 0.2), jaxrd.sweep(problem, [1.0, 2.0, 4.0])
"""
MANY = """
import json, sys, time
import jax
jax.config.update("jax_enable_x64", True)
import jax.monitoring, numpy as np
from jaxrd import tosc
programs, rows, g = [0], [], np.random.default_rng(0)
def note(event, duration, **_):
    programs[0] += event.endswith("backend_compile_duration")
jax.monitoring.register_event_duration_secs_listener(note)
for n in g.integers(4000, 6001, 20):
    labels = g.integers(0, 10, n)
    scores = g.standard_normal((n, 10)) + 2.5 * np.eye(10)[labels]
    before, start = programs[0], time.perf_counter()
    tosc.limits(scores, labels, at=[0.2, 0.4, 0.6])
    rows.append((programs[0] - before, time.perf_counter() - start))
json.dump(rows, open(sys.argv[1], "w"))
"""
COLD = 3
OTHERS = ("JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS", "PYTHONDONTWRITEBYTECODE")
"""What a user's machine does not have: there Python keeps each module as it was first read."""
STAGES = {"jaxpr_trace": "trace", "jaxpr_to_mlir_module": "lower", "backend_compile": "load"}


def commands(folder: Path) -> dict[str, list[str]]:
    """The command lines, and the files they need."""
    g = np.random.default_rng(0)
    np.savez(folder / "problem.npz", source=g.dirichlet(np.ones(100)), distortion=g.random((100, 100)))
    every = {
        "limits": ["limits"],
        "sweep": ["sweep", str(folder / "problem.npz")],
        "rdc": ["rdc"],
        "encode": ["encode", "--slope", "4"],
    }
    data = Path(os.environ.get("JAXRD_DATA", "")) / "classifiers" / "cifar100_vgg19_bn_logits.npz"
    if os.environ.get("JAXRD_DATA") and data.exists():
        every["limits-cifar100"] = ["limits", str(data)]
    return every


def seconds(code: str, *args: str, folder: Path) -> float:
    """Wall time of a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k not in OTHERS}
    environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "MPLBACKEND": "agg"}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *args], check=True, capture_output=True, cwd=folder, env=environment)
    return time.perf_counter() - start


def measured(name: str, command: list[str], repeats: int, folder: Path) -> dict:
    """The first run with an empty cache and the runs after it, each after one of B."""
    out = ["--out", str(folder / ("decisions.jrd" if name == "encode" else name))]
    told, bare, warm, cold = str(folder / "told.json"), [], [], []
    for _ in range(COLD):
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            seconds(BARE, folder=Path(empty))  # matplotlib's list of fonts lies in that cache too
            cold.append(seconds(RUN, told, *command, *out, folder=Path(empty)))
            for _ in range(repeats if len(cold) == COLD else 0):
                bare.append(seconds(BARE, folder=Path(empty)))
                warm.append(seconds(RUN, told, *command, *out, folder=Path(empty)))
    stages = json.loads(Path(told).read_text())
    b, first = statistics.median(bare), statistics.median(cold)
    return {
        "bare_seconds": b, "cold_seconds": first, "warm_seconds": statistics.median(warm), "cold_over_bare": first / b,
        "warm_over_bare": statistics.median(w / x for w, x in zip(warm, bare, strict=True)),
        "programs": stages["programs"],
        **{f"{stage}_seconds": stages.get(key, 0.0) for key, stage in STAGES.items()},
    }  # fmt: skip


def toy(folder: Path) -> dict:
    """Every process compiles anew."""
    pairs = [(seconds(BARE, folder=folder), seconds(TOY, folder=folder)) for _ in range(3)]
    b, all_three = (statistics.median(x) for x in zip(*pairs, strict=True))
    return {"bare_seconds": b, "seconds": all_three, "over_bare": statistics.median(t / b for b, t in pairs)}


def files(folder: Path) -> dict:
    """Programs and seconds of each file."""
    told = folder / "files.json"
    seconds(MANY, str(told), folder=folder)
    rows = json.loads(told.read_text())
    return {
        "programs": [count for count, _ in rows], "seconds": [round(x, 3) for _, x in rows],
        "last_over_second": rows[-1][1] / rows[1][1],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbs", default="")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "answer.json")
    asked = parser.parse_args()
    result = {"command": f"python benchmarks/answer.py --repeats {asked.repeats}", "cores": os.cpu_count(), "verbs": {}}
    with tempfile.TemporaryDirectory(prefix="answer-") as name:
        folder = Path(name)
        for verb, command in commands(folder).items():
            if asked.verbs and verb not in asked.verbs.split(","):
                continue
            row = {key: round(value, 3) for key, value in measured(verb, command, asked.repeats, folder).items()}
            result["verbs"][verb] = row
            print(verb, row, flush=True)
            asked.out.write_text(json.dumps(result, indent=1) + "\n")
        if not asked.verbs:
            result |= {"toy": toy(folder), "files": files(folder)}
            print(result["toy"], result["files"], flush=True)
            asked.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

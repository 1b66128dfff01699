"""One process a job: the hidden subcommands of compare.py, and the calls that start, watch and end them.

A process of its own makes the peak memory of each tool honest and lets a tool that hangs be ended. The parent stays
small (it never imports jax): on Linux a child's peak starts at what its parent held when it started it.
"""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tools
from gap import judge

MEMORY = 0.75  # share of the machine's memory a peer may address, so that one cannot starve the rest
STARTUP = 30.0
"""Seconds added to a tool's time for starting, importing and reading the problem."""
GRACE = 60.0  # seconds past its limit after which a job ends itself, should its parent be gone


def _write(path: str, document: Any) -> None:
    Path(path).write_text(json.dumps(document))


def _peak_mb(who: int = resource.RUSAGE_SELF) -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss: bytes there, kilobytes here
    return resource.getrusage(who).ru_maxrss / unit


def _load(folder: str) -> tuple[np.ndarray, np.ndarray]:
    return np.load(Path(folder, "source.npy")), np.load(Path(folder, "distortion.npy"))


def _build(folder: str, name: str, slopes: str) -> None:
    """Write a problem to a folder: source.npy, distortion.npy and shape.json; `slopes` > 0 asks for so many."""
    import problems  # imports jaxrd: in a child only

    problem, grid = problems.named(name)
    if int(slopes):
        grid = np.geomspace(grid[0], grid[-1], int(slopes))
    np.save(Path(folder, "source.npy"), np.asarray(problem.source))
    np.save(Path(folder, "distortion.npy"), np.asarray(problem.distortion))
    n, m = problem.distortion.shape
    _write(str(Path(folder, "shape.json")), {"n": n, "m": m, "grid": grid.tolist()})


def without_paths(text: str) -> str:
    """An error's message, short and without the folders of this machine."""
    return re.sub(r"(/[\w.@+-]+){2,}/?", "<path>", " ".join(text.split()))[:200]


def _tool(folder: str, request: str, out: str) -> None:
    """Run one tool on the problem in a folder; append its events to `out`, a line each."""
    asked = json.loads(request)
    signal.alarm(int(asked["seconds"] + GRACE))
    if asked["tool"] not in ("jaxrd", "jax-ba"):  # XLA reserves addresses it never touches
        most = int(MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with open(out, "w") as lines:

        def emit(event: dict[str, Any]) -> None:
            peak = max(_peak_mb(), _peak_mb(resource.RUSAGE_CHILDREN))
            if "q" in event:
                event = {**event, "q": np.asarray(event["q"], float).tolist()}
            if "failed" in event:
                event = {**event, "failed": without_paths(event["failed"])}
            lines.write(json.dumps({**event, "peak_mb": round(peak, 1)}) + "\n")
            lines.flush()

        try:
            run = tools.TOOLS[asked["tool"]]()
            emit({"ready": True})
            source, distortion = _load(folder)
            task = tools.Task(source, distortion, asked["grid"], asked["slopes"], asked["share_seconds"])
            del source, distortion
            for event in run(task):
                emit(event)
        except Exception as error:  # whatever a tool raises is its result
            emit({"failed": f"{type(error).__name__}: {error}"})


def _judge(folder: str, events: str, out: str) -> None:
    """Replace every q of a tool's events by the gap recomputed from it."""
    source, distortion = _load(folder)
    _write(out, [judge(source, distortion, json.loads(line)) for line in Path(events).read_text().splitlines()])


def _machine(out: str) -> None:
    """Describe the machine and measure its rates."""
    import machine

    _write(out, machine.measure())


JOBS: dict[str, Callable[..., None]] = {"_build": _build, "_tool": _tool, "_judge": _judge, "_machine": _machine}
"""The hidden subcommands."""


class JobError(RuntimeError):
    """A job of the harness itself, not a tool, failed."""


@contextmanager
def _child(job: str, *arguments: str) -> Iterator[subprocess.Popen]:
    """A job under way; whatever happens here, it and all it started are gone at the end."""
    script = str(Path(__file__).with_name("compare.py"))
    # An interrupt between the start of a child and the `try` that ends it would leave it behind: noted, raised later.
    # (Blocking the signal is not enough: threads of numpy would take it.)
    noted: list[bool] = []
    handler = signal.signal(signal.SIGINT, lambda *_: noted.append(True))
    # A session of its own: Ctrl-C reaches the parent only.
    process = subprocess.Popen(
        [sys.executable, script, job, *arguments], start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        signal.signal(signal.SIGINT, handler)
        if noted:
            raise KeyboardInterrupt
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def call(job: str, *arguments: str) -> None:
    """Run a job of the harness to its end.

    Raises:
        JobError: it failed.
    """
    with _child(job, *arguments) as process:
        if code := process.wait():
            raise JobError(f"{job} {' '.join(arguments[1:2])} ended with exit code {code}")


def build(folder: Path, name: str, slopes: int = 0) -> dict[str, Any]:
    """Write a problem to a folder; returns n, m and grid."""
    call("_build", str(folder), name, str(slopes))
    return json.loads(Path(folder, "shape.json").read_text())


def machine_in_child(folder: Path) -> dict[str, Any]:
    """The machine and its rates, measured in a process of their own."""
    call("_machine", str(folder / "machine.json"))
    return json.loads((folder / "machine.json").read_text())


def run_tool(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Run one tool once and judge it: {"events", "wall_seconds", "ended", "unfinished_seconds"}.

    `asked` holds tool, grid, slopes, seconds (for the whole job), slope_seconds (after which a slope is ended) and
    share_seconds (after which a tool that can stop itself does). `ended` says why the tool did not
    finish ("slope limit", "time limit", "exit code"), or is None.
    """
    events, judged = folder / "events.jsonl", folder / "judged.json"
    events.write_text("")
    start = last = time.monotonic()
    seen, ended = 0, None
    with _child("_tool", str(folder), json.dumps(asked), str(events)) as process:
        while ended is None:
            try:
                code = process.wait(timeout=0.2)
                ended = f"exit code {code}" if code else ""
            except subprocess.TimeoutExpired:
                now = time.monotonic()
                if events.stat().st_size != seen:
                    seen, last = events.stat().st_size, now
                if now - start > asked["seconds"]:
                    ended = f"time limit of {asked['seconds']:.0f} s"
                # jaxrd's first event comes after several sweeps; only the limit for the whole job holds for it
                elif seen and asked["tool"] != "jaxrd" and now - last > asked["slope_seconds"] + 5:
                    ended = f"slope limit of {asked['slope_seconds']:.0f} s"
    wall = time.monotonic() - start
    # What the slope under way had taken when it was ended
    unfinished = time.monotonic() - last if ended and seen else None
    lines = events.read_text()
    if not lines.endswith("\n"):  # a line cut short by the end of its writer
        events.write_text(lines[: lines.rfind("\n") + 1])
    call("_judge", str(folder), str(events), str(judged))
    return {
        "events": json.loads(judged.read_text()),
        "wall_seconds": wall,
        "ended": ended or None,
        "unfinished_seconds": unfinished,
    }

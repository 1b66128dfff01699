"""The tools compared, each a function () -> run: it imports what it needs, and run(task) yields one event a result.

An event is a dict: slope, seconds, q (the reproduction pmf) and what else the tool tells; or slope, seconds, failed.
No tool but `jaxrd` imports jaxrd, so that none of them is helped or burdened by it.
"""

import importlib
import importlib.util
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

AIMS = (1e-3, 1e-6, 1e-9)
"""Relative gaps whose times plain Blahut-Arimoto reports."""
CHECK = 20  # plain Blahut-Arimoto steps between two looks at the certificate
CALLS, CALLS_SECONDS = 5, 3.0  # later calls of a sweep: at most so many, and no further one after so long


class Task(NamedTuple):
    """One problem, as arrays, and the slopes to solve."""

    source: np.ndarray  # (n,)
    distortion: np.ndarray  # (n, m)
    grid: list[float]  # every slope
    slopes: list[float]  # the few that slow tools run
    slope_seconds: float  # time one slope may take, for the tools that can stop themselves


Event = dict[str, Any]
Run = Callable[[Task], Iterator[Event]]


def _x64() -> Any:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


def jaxrd() -> Run:
    """`sweep` at its defaults: the whole grid, then only the slopes the slow tools run; compiling apart."""
    jax = _x64()
    package = importlib.import_module("jaxrd")

    def timed(problem: Any, slopes: list[float]) -> tuple[float, Any]:
        start = perf_counter()
        solution = jax.block_until_ready(package.sweep(problem, np.array(slopes)))
        return perf_counter() - start, solution

    def steady(problem: Any, slopes: list[float]) -> tuple[float, list[float], Any]:
        first, solution = timed(problem, slopes)
        later: list[float] = []
        while not later or (len(later) < CALLS and sum(later) < CALLS_SECONDS):
            seconds, solution = timed(problem, slopes)
            later.append(seconds)
        return first, later, solution

    def run(task: Task) -> Iterator[Event]:
        problem = package.Problem(jax.numpy.asarray(task.source), jax.numpy.asarray(task.distortion))
        jax.clear_caches()  # of a problem of the same size before
        first, later, solution = steady(problem, task.grid)
        seconds = median(later)
        sweep = {"compile_seconds": first - seconds, "seconds": seconds, "calls": len(later)}
        for slope, q, steps in zip(task.grid, solution.reproduction, solution.steps, strict=True):
            yield {"slope": slope, "seconds": seconds / len(task.grid), "q": np.asarray(q), "steps": int(steps)}
        if task.slopes == task.grid:
            sweep["same_slopes_seconds"] = seconds
        else:
            sweep["same_slopes_seconds"] = median(steady(problem, task.slopes)[1])
        yield {"sweep": sweep}

    return run


def dit(restarts: int) -> Run:
    """dit's `blahut_arimoto` with so many restarts, else at its defaults; q is the output pmf of its joint law."""
    solve = importlib.import_module("dit.rate_distortion.blahut_arimoto").blahut_arimoto

    def joint(source: np.ndarray, distortion: np.ndarray, slope: float) -> np.ndarray:
        np.random.seed(0)  # noqa: NPY002 - dit draws its restarts from the global generator
        # dit counts in bits: its kernel is 2^(-beta d).
        return solve(source, slope / np.log(2), distortion=lambda *_: distortion, restarts=restarts)[1]

    def run(task: Task) -> Iterator[Event]:
        joint(np.full(2, 0.5), 1 - np.eye(2), 1.0)  # what it loads at its first call stays outside the clock
        for slope in task.slopes:
            start = perf_counter()
            q = joint(task.source, task.distortion, slope).sum(0)
            yield {"slope": slope, "seconds": perf_counter() - start, "q": q}

    return run


def clarabel(tolerance: float | None) -> Run:
    """cvxpy + Clarabel on the exponential cone: maximise sum_x p_x log (K q)_x; at its own tolerances or tighter."""
    cp = importlib.import_module("cvxpy")
    options = {} if tolerance is None else {f"tol_{name}": tolerance for name in ("gap_abs", "gap_rel", "feas")}

    def solve(source: np.ndarray, distortion: np.ndarray, slope: float, seconds: float) -> Event:
        kernel = np.exp(-slope * (distortion - distortion.min(1, keepdims=True)))
        q = cp.Variable(kernel.shape[1], nonneg=True)
        problem = cp.Problem(cp.Maximize(source @ cp.log(kernel @ q)), [cp.sum(q) == 1])
        try:
            problem.solve(solver=cp.CLARABEL, time_limit=seconds, **options)
        except cp.error.SolverError as error:
            return {"failed": str(error)}
        return {"failed": problem.status} if q.value is None else {"q": q.value, "says": problem.status}

    def run(task: Task) -> Iterator[Event]:
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        solve(np.full(2, 0.5), 1 - np.eye(2), 1.0, 1.0)  # what it loads at its first call stays outside the clock
        for slope in task.slopes:
            start = perf_counter()
            event = solve(task.source, task.distortion, slope, task.slope_seconds)
            yield {"slope": slope, "seconds": perf_counter() - start, **event}

    return run


def _relative(q: Any, c: Any, objective: Any, log: Callable, largest: Callable) -> Any:
    """The certificate of a step that has its c already; c is positive."""
    return (log(c.max()) - (q * c) @ log(c)) / largest(1, objective)


def numpy_ba() -> Run:
    """Plain Blahut-Arimoto in numpy, q <- q c, stopped by the certificate at each of AIMS in turn."""

    def solve(task: Task, slope: float) -> list[Event]:
        start = perf_counter()
        low = task.distortion.min(1)
        kernel = np.exp(-slope * (task.distortion - low[:, None]))
        offset = slope * (task.source @ low)
        q = np.full(kernel.shape[1], 1 / kernel.shape[1])
        aims, step, events = list(AIMS), 0, []
        while aims:
            z = kernel @ q
            c = (task.source / z) @ kernel
            if step % CHECK == 0:
                gap = _relative(q, c, offset - task.source @ np.log(z), np.log, np.maximum)
                event = {"slope": slope, "seconds": perf_counter() - start, "steps": step, "q": q}
                while aims and gap <= aims[0]:
                    events.append({**event, "aim": aims.pop(0)})
                if aims and event["seconds"] > task.slope_seconds:
                    return [*events, event]
            q = q * c
            step += 1
        return events

    def run(task: Task) -> Iterator[Event]:
        for slope in task.slopes:
            yield from solve(task, slope)

    return run


def jax_ba() -> Run:
    """The same in JAX: one jitted while_loop, float64; the host looks at the clock every quarter of a second or so."""
    jax = _x64()
    jnp, lax = jax.numpy, jax.lax

    @jax.jit
    def prepare(source, distortion, slope):
        low = distortion.min(1)
        return jnp.exp(-slope * (distortion - low[:, None])), slope * (source @ low)

    @jax.jit
    def advance(kernel, source, offset, q, aim, most):
        def update(_, q):
            return q * ((source / (kernel @ q)) @ kernel)

        def gap_of(q):
            z = kernel @ q
            return _relative(q, (source / z) @ kernel, offset - source @ jnp.log(z), jnp.log, jnp.maximum)

        def block(state):
            q = lax.fori_loop(0, CHECK, update, state[0])
            return q, gap_of(q), state[2] + CHECK

        return lax.while_loop(lambda state: (state[1] > aim) & (state[2] < most), block, (q, gap_of(q), 0))

    def solve(task: Task, source: Any, distortion: Any, slope: float) -> list[Event]:
        start = perf_counter()
        kernel, offset = prepare(source, distortion, slope)
        q = jnp.full(kernel.shape[1], 1 / kernel.shape[1], jnp.float64)  # a weak type would compile twice
        aims, steps, budget, events = list(AIMS), 0, CHECK, []
        while aims:
            before = perf_counter()
            q, gap, done = jax.block_until_ready(advance(kernel, source, offset, q, aims[0], budget))
            # Plain numbers: comparing arrays would compile, inside the clock.
            gap, steps, now = float(gap), steps + int(done), perf_counter()
            if now - before < 0.25:
                budget *= 2
            event = {"slope": slope, "seconds": now - start, "steps": steps, "q": np.asarray(q)}
            while aims and gap <= aims[0]:
                events.append({**event, "aim": aims.pop(0)})
            if aims and (now - start > task.slope_seconds or not np.isfinite(gap)):
                return [*events, event]
        return events

    def run(task: Task) -> Iterator[Event]:
        source, distortion = jnp.asarray(task.source), jnp.asarray(task.distortion)
        kernel, offset = prepare(source, distortion, 1.0)  # compiles both, outside the clock
        uniform = jnp.full(kernel.shape[1], 1 / kernel.shape[1], jnp.float64)
        jax.block_until_ready(advance(kernel, source, offset, uniform, AIMS[0], 0))
        for slope in task.slopes:
            yield from solve(task, source, distortion, slope)

    return run


def mixsqp() -> Run:
    """R's mixsqp at its defaults, one R process a slope; its seconds leave out starting R and reading the problem."""
    rscript = shutil.which("Rscript") or "Rscript"

    def run(task: Task) -> Iterator[Event]:
        n, m = task.distortion.shape
        with tempfile.TemporaryDirectory() as folder:
            task.source.astype(float).tofile(Path(folder, "source.bin"))
            task.distortion.astype(float).T.tofile(Path(folder, "distortion.bin"))
            script = Path(__file__).with_name("mixsqp.R")
            for slope in task.slopes:
                start = perf_counter()
                command = [rscript, str(script), folder, str(n), str(m), repr(slope)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
                    yield {"slope": slope, "seconds": perf_counter() - start, "failed": why}
                    continue
                seconds = float(Path(folder, "seconds.txt").read_text())
                yield {"slope": slope, "seconds": seconds, "q": np.fromfile(Path(folder, "q.bin"))}

    return run


TOOLS: dict[str, Callable[[], Run]] = {
    "jaxrd": jaxrd,
    "jax-ba": jax_ba,
    "numpy-ba": numpy_ba,
    "clarabel": lambda: clarabel(None),
    "clarabel-tight": lambda: clarabel(1e-12),
    "dit": lambda: dit(100),
    "dit-1": lambda: dit(1),
    "mixsqp": mixsqp,
}
"""Every tool by the name --tools takes."""

NEEDS = {"clarabel": ("cvxpy", "clarabel"), "clarabel-tight": ("cvxpy", "clarabel"), "dit": ("dit",), "dit-1": ("dit",)}
"""Packages of the optional extra a tool needs."""


def absent(tool: str) -> str | None:
    """Why a tool cannot run on this machine, or None; imports nothing."""
    missing = [name for name in NEEDS.get(tool, ()) if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed (pip install -e '.[bench]')"
    if tool == "mixsqp":
        if shutil.which("Rscript") is None:
            return "no Rscript on this machine"
        command = ["Rscript", "-e", "packageVersion('mixsqp')"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return "R has no package mixsqp"
    return None


def unfit(tool: str, n: int, m: int) -> str | None:
    """Why a tool cannot take a problem of this shape, or None."""
    return f"needs n = m; this problem has {n} x {m}" if tool.startswith("dit") and n != m else None

"""From the judged events of every run to one entry a tool: verdict, gaps, seconds, ratios, memory."""

from statistics import fmean, median
from typing import Any

from gap import TOLERANCE
from tools import AIMS

Run = dict[str, Any]
Entry = dict[str, Any]
Spread = dict[str, float]


def spread(values: list[float]) -> Spread | None:
    """Least, median and largest over the repeats; None of nothing."""
    return {"min": min(values), "median": median(values), "max": max(values)} if values else None


def last_words(run: Run) -> dict[float, dict[str, Any]]:
    """What a run said last about each slope."""
    return {event["slope"]: event for event in run["events"] if "slope" in event}


def _sweep(run: Run) -> dict[str, float] | None:
    return next((event["sweep"] for event in run["events"] if "sweep" in event), None)


def _within(event: dict[str, Any], aim: float) -> bool:
    gap = event.get("relative_gap")
    return gap is not None and gap <= aim


def _why(runs: list[Run]) -> str | None:
    """The first thing that went wrong, in a few words."""
    for run in runs:
        said = [event["failed"] for event in run["events"] if "failed" in event]
        if said or run["ended"]:
            return said[0] if said else run["ended"]
    return None


def _verdict(runs: list[Run], slopes: list[float]) -> Entry:
    """Gaps and memory of a tool, the worst over its repeats."""
    finals = [last_words(run) for run in runs]
    told = [event.get("relative_gap") for final in finals for event in final.values()]
    gaps = [gap for gap in told if gap is not None]
    reached = min((sum(_within(event, TOLERANCE) for event in final.values()) for final in finals), default=0)
    peaks = [event["peak_mb"] for run in runs for event in run["events"]]
    starts = [event["peak_mb"] for run in runs for event in run["events"] if event.get("ready")]
    return {
        "verdict": "reached" if reached == len(slopes) else "not reached",
        "slopes_asked": len(slopes),
        "slopes_run": min((len(final) for final in finals), default=0),
        "slopes_reached": reached,
        "smallest_relative_gap": min(gaps, default=None),
        "largest_relative_gap": max(gaps, default=None),
        "peak_mb": max(peaks, default=None),
        "start_mb": max(starts, default=None),
        "repeats": len(runs),
        "seconds_spent": sum(run["wall_seconds"] for run in runs),
        "why": _why(runs),
    }


def flops(n: int, m: int) -> float:
    """Of one iteration of a dense interior point: the Newton matrix and its factorisation."""
    return 2 * n * m**2 + m**3 / 3


def of_jaxrd(runs: list[Run], grid: list[float], n: int, m: int, gemm_gflops: float) -> Entry:
    """jaxrd on the whole grid.

    `dense_equivalent_fraction` is iterations x flops of a dense interior point / seconds / measured GEMM rate: a
    working set may spend fewer flops, and then it says how much was saved rather than how fast the machine ran.
    """
    sweeps = [sweep for run in runs if (sweep := _sweep(run))]
    steps = [event["steps"] for run in runs[:1] for event in last_words(run).values() if "steps" in event]
    work = sum(steps) * flops(n, m)
    return {
        **_verdict(runs, grid),
        "seconds": spread([s["seconds"] for s in sweeps]),
        "seconds_a_slope": spread([s["seconds"] / len(grid) for s in sweeps]),
        "same_slopes_seconds": spread([s["same_slopes_seconds"] for s in sweeps]),
        "compile_seconds": spread([s["compile_seconds"] for s in sweeps]),
        "steps": {**(spread(steps) or {}), "total": sum(steps)},
        "dense_equivalent_fraction": spread([work / s["seconds"] / (gemm_gflops * 1e9) for s in sweeps]),
    }


def seconds_a_slope(run: Run) -> float | None:
    """Mean over the slopes a run began; one that was ended counts with what it had spent."""
    seconds = [event["seconds"] for event in last_words(run).values()]
    if run.get("unfinished_seconds") is not None:
        seconds.append(run["unfinished_seconds"])
    return fmean(seconds) if seconds else None


def _ratios(theirs: list[float | None], ours: list[float | None]) -> Spread | None:
    """Of each repeat that both have; jaxrd may have none at all."""
    return spread([a / b for a, b in zip(theirs, ours, strict=False) if a and b])


def _notes_aims(run: Run) -> bool:
    return any("aim" in event for event in run["events"])


def _cut_off(run: Run) -> bool:
    """Whether time ran out: its seconds are then what it spent, less than it needs."""
    short = _notes_aims(run) and any("aim" not in event for event in last_words(run).values())
    return run["ended"] is not None or short


def _aims(runs: list[Run], slopes: list[float], ours: list[float | None]) -> Entry:
    """Time to each gap, for the tools that note when they pass it; a ratio only where every slope passed."""
    found: Entry = {}
    for aim in AIMS:
        passed = [[e["seconds"] for e in run["events"] if e.get("aim") == aim and _within(e, aim)] for run in runs]
        means = [fmean(seconds) if seconds else None for seconds in passed]
        complete = [mean if len(seconds) == len(slopes) else None for mean, seconds in zip(means, passed, strict=True)]
        found[f"{aim:.0e}"] = {
            "slopes_reached": min((len(seconds) for seconds in passed), default=0),
            "seconds_a_slope": spread([mean for mean in means if mean is not None]),
            "ratio": _ratios(complete, ours),
        }
    return found


def of_peer(runs: list[Run], slopes: list[float], jaxrd_runs: list[Run], grid: list[float]) -> Entry:
    """A peer on its slopes, and its ratios to the jaxrd run of the same repeat, per slope.

    `ratio` is to the mean over jaxrd's sweep of the whole grid, `ratio_same_slopes` to its sweep of these slopes only.
    """
    sweeps = [_sweep(run) for run in jaxrd_runs[: len(runs)]]
    ours = [sweep["seconds"] / len(grid) if sweep else None for sweep in sweeps]
    ours_same = [sweep["same_slopes_seconds"] / len(slopes) if sweep else None for sweep in sweeps]
    means = [seconds_a_slope(run) for run in runs]
    entry = {
        **_verdict(runs, slopes),
        "seconds_a_slope": spread([mean for mean in means if mean is not None]),
        "ratio": _ratios(means, ours),
        "ratio_same_slopes": _ratios(means, ours_same),
        "cut_off": any(_cut_off(run) for run in runs),
    }
    if any(_notes_aims(run) for run in runs):
        entry["aims"] = _aims(runs, slopes, ours)
    return entry

"""How jaxrd's time and peak memory grow with n, m and the number of slopes: exponents by least squares."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import children
import numpy as np

SLOPES = 8
SERIES: dict[str, list[tuple[int, str, int]]] = {  # (size, problem, slopes)
    "n = m (P2)": [(n, f"P2-{n}", SLOPES) for n in (100, 200, 400, 800, 1600)],
    "n (P3, m = 100)": [(n, f"P3-{n}x100", SLOPES) for n in (2500, 5000, 10_000, 20_000, 40_000)],
    "m (P3, n = 5000)": [(m, f"P3-5000x{m}", SLOPES) for m in (50, 100, 200, 400, 800)],
    "slopes (P2-100)": [(k, "P2-100", k) for k in (8, 16, 32, 64, 128)],
}
TINY = ("P2-4", SLOPES)  # its process holds the imports, the compiler and next to no data
LEAST_MB = 8.0  # memory beyond that process that is more than chance


def exponent(sizes: list[float], values: list[float]) -> float | None:
    """Slope of ln(value) on ln(size) by least squares; None of fewer than two points."""
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def _one(name: str, slopes: int, repeats: int, seconds: float) -> dict[str, Any]:
    """Median seconds of a sweep, largest peak and iterations over the repeats, each in its own process."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        shape = children.build(Path(folder), name, slopes)
        # Asking for the grid only spares the second sweep.
        asked = {"tool": "jaxrd", "grid": shape["grid"], "slopes": shape["grid"], "seconds": seconds}
        asked |= {"slope_seconds": seconds, "share_seconds": seconds}
        for _ in range(repeats):
            events = children.run_tool(Path(folder), asked)["events"]
            sweep = next((event["sweep"] for event in events if "sweep" in event), None)
            if sweep is None:
                return {"failed": next((e["failed"] for e in events if "failed" in e), "time limit")}
            steps = [event["steps"] for event in events if "steps" in event]
            found.append({"seconds": sweep["seconds"], "peak": max(e["peak_mb"] for e in events), "steps": sum(steps)})
    return {
        "seconds": median(one["seconds"] for one in found),
        "peak_mb": max(one["peak"] for one in found),
        "steps_a_slope": found[0]["steps"] / slopes,
    }


def fit(points: list[dict[str, Any]], baseline_mb: float) -> dict[str, Any]:
    """Exponents of a series; memory is what lies beyond the process of a tiny problem, where that is not chance."""
    solved = [point for point in points if "seconds" in point]
    large = [point for point in solved if point["peak_mb"] - baseline_mb >= LEAST_MB]
    return {
        "points": points,
        "time_exponent": exponent([p["size"] for p in solved], [p["seconds"] for p in solved]),
        "memory_exponent": exponent([p["size"] for p in large], [p["peak_mb"] - baseline_mb for p in large]),
        "memory_points": len(large),
    }


def measure(document: dict[str, Any], save: Callable[[], None], repeats: int, seconds: float) -> None:
    """Fill document["growth"], saving after every series."""
    baseline = _one(*TINY, repeats, seconds).get("peak_mb")
    if baseline is None:
        raise children.JobError(f"jaxrd did not finish on {TINY[0]}")
    with tempfile.TemporaryDirectory() as folder:
        found = {**children.machine_in_child(Path(folder)), "baseline_mb": baseline, "series": {}}
    for title, cases in SERIES.items():
        points = []
        for size, name, slopes in cases:
            points.append({"size": size, **_one(name, slopes, repeats, seconds)})
            print(f"{title} {size}: {points[-1]}", flush=True)
        found["series"][title] = fit(points, baseline)
        document["growth"] = found
        save()

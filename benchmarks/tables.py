"""The results file as markdown, between markers of docs/speed.md and benchmarks/README.md."""

import os
import re
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- benchmark:begin -->", "<!-- benchmark:end -->"
TITLES = {
    "jaxrd": "**jaxrd**",
    "jax-ba": "plain Blahut-Arimoto, jitted",
    "numpy-ba": "plain Blahut-Arimoto, numpy",
    "clarabel": "cvxpy + Clarabel",
    "clarabel-tight": "cvxpy + Clarabel, tolerances 1e-12",
    "dit": "dit, 100 restarts (its default)",
    "dit-1": "dit, 1 restart",
    "mixsqp": "R mixsqp",
}


class MarkerError(Exception):
    """A page has no place for the table."""


def number(value: float | None, form: str = ".3g") -> str:
    """A number for a reader: three digits, no exponent where a plain number is short."""
    if value is None:
        return "-"
    text = format(value, form)
    return f"{value:.0f}" if "e" in text and 1 <= abs(value) < 1e6 else text


def ranged(spread: dict[str, float] | None, factor: float = 1.0) -> str:
    """A median and, where repeats differ, the range around it."""
    if spread is None:
        return "-"
    low, mid, high = (number(factor * spread[key]) for key in ("min", "median", "max"))
    return mid if low == high else f"{mid} ({low} to {high})"


def _gap(value: float | None) -> str:
    return "-" if value is None else f"{max(value, 0):.1e}"


def measured(document: dict[str, Any]) -> dict[str, Any]:
    """The problems that were run, in the order of their names, numbers by size."""

    def order(name: str) -> list[int]:
        return [int(digits) for digits in re.findall(r"\d+", name)]

    found = document["problems"]
    return {name: found[name] for name in sorted(found, key=order) if "tools" in found[name]}


def next_best(entry: dict[str, Any]) -> str | None:
    """The fastest peer a slope, of those that reach 1e-9 at every slope they were asked; None where none does."""
    reached = {
        tool: one["seconds_a_slope"]["median"]
        for tool, one in entry["tools"].items()
        if tool != "jaxrd" and one["verdict"] == "reached"
    }
    return min(reached, key=reached.__getitem__, default=None)


def short(document: dict[str, Any]) -> str:
    """For the README: jaxrd's seconds and the next best that reaches 1e-9."""
    rows = [
        "| problem | slopes | jaxrd, all slopes | next best that reaches 1e-9 | its time over jaxrd's, a slope |",
        "|---|---|---|---|---|",
    ]
    for name, entry in measured(document).items():
        ours = entry["tools"].get("jaxrd", {"verdict": "not run"})
        time = f"{number(ours['seconds']['median'])} s" if ours.get("seconds") else "-"
        if ours["verdict"] != "reached":
            time += f" ({ours['verdict']})"
        peer = next_best(entry)
        if peer is not None:
            other, ratio = TITLES[peer], ranged(entry["tools"][peer]["ratio"])
        else:
            other, ratio = _to_coarse(entry)
        rows.append(f"| {name}, {entry['n']} x {entry['m']} | {entry['slopes']} | {time} | {other} | {ratio} |")
    return "\n".join(rows)


def _to_coarse(entry: dict[str, Any]) -> tuple[str, str]:
    """Where no peer reaches 1e-9: what plain jitted Blahut-Arimoto takes to a gap of 1e-3, and over jaxrd's to 1e-9."""
    coarse = entry["tools"].get("jax-ba", {}).get("aims", {}).get("1e-03", {})
    if not coarse.get("ratio"):
        return "none", "-"
    seconds = number(coarse["seconds_a_slope"]["median"])
    return f"none; plain Blahut-Arimoto to 1e-3: {seconds} s a slope", f"{ranged(coarse['ratio'])}, to 1e-3"


def _full_rows(entry: dict[str, Any], name: str) -> list[str]:
    rows = []
    for tool, one in entry["tools"].items():
        if one["verdict"] in ("absent", "not applicable"):
            rows.append(f"| {name} | {TITLES[tool]} | {one['verdict']}: {one['why']} | - | - | - | - | - |")
            continue
        verdict = f"{one['verdict']}, {one['slopes_reached']}/{one['slopes_asked']}"
        if one["why"]:
            verdict += f"; {one['why']}"
        if one["slopes_run"] < one["slopes_asked"]:
            verdict += f"; {one['slopes_run']} run"
        least = "> " if one.get("cut_off") and one["seconds_a_slope"] else ""
        cells = [
            name,
            TITLES[tool],
            verdict,
            _gap(one["largest_relative_gap"]),
            least + ranged(one["seconds_a_slope"], 1e3),
            least + ranged(one.get("ratio")) if tool != "jaxrd" else "1",
            least + ranged(one.get("ratio_same_slopes")) if tool != "jaxrd" else "1",
            number(one["peak_mb"], ".0f"),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def full(document: dict[str, Any]) -> str:
    """For benchmarks/README.md: every tool on every problem, jaxrd in detail, times to coarser gaps, growth."""
    problems = measured(document)
    lines = [
        "| problem | tool | 1e-9 | largest gap | ms a slope | over jaxrd's sweep | on the same slopes | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in problems.items():
        lines += _full_rows(entry, name)
    lines += ["", "jaxrd alone: the whole grid, compiling apart."]
    lines += ["", "| problem | n x m | slopes | s | compiling, s | iterations | of the GEMM rate | peak MB (imports) |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name, entry in problems.items():
        ours = entry["tools"].get("jaxrd", {})
        if not ours.get("seconds"):
            continue
        steps, share = ours["steps"], ours["dense_equivalent_fraction"]["median"]
        lines.append(
            f"| {name} | {entry['n']} x {entry['m']} | {entry['slopes']} | {ranged(ours['seconds'])} "
            f"| {number(ours['compile_seconds']['median'])} | {steps['min']:.0f} to {steps['max']:.0f} "
            f"| {share:.0%} | {ours['peak_mb']:.0f} ({ours['start_mb']:.0f}) |"
        )
    lines += ["", *_coarse(problems), *_growth(document.get("growth")), *_machines(document)]
    return "\n".join(lines)


def _coarse(problems: dict[str, Any]) -> list[str]:
    lines = ["Plain Blahut-Arimoto to coarser gaps: slopes that got there, ms each, and over jaxrd's time to 1e-9.", ""]
    lines += ["| problem | tool | 1e-3 | 1e-6 | 1e-9 |", "|---|---|---|---|---|"]
    for name, entry in problems.items():
        for tool, one in entry["tools"].items():
            if "aims" not in one:
                continue
            cells = []
            for aim in one["aims"].values():
                ratio = f", x {number(aim['ratio']['median'])}" if aim["ratio"] else ""
                time = ranged(aim["seconds_a_slope"], 1e3)
                cells.append(f"{aim['slopes_reached']}/{one['slopes_asked']}: {time}{ratio}")
            lines.append(f"| {name} | {TITLES[tool]} | {' | '.join(cells)} |")
    return [*lines, ""]


def _growth(growth: dict[str, Any] | None) -> list[str]:
    if growth is None:
        return []
    lines = ["How jaxrd grows, log-log: time of a sweep; memory beyond the process of a tiny problem.", ""]
    lines += ["| with | sizes | seconds | time exponent | peak MB | memory exponent |", "|---|---|---|---|---|---|"]
    for title, one in growth["series"].items():
        points = [p for p in one["points"] if "seconds" in p]
        columns = [", ".join(number(p[key]) for p in points) for key in ("size", "seconds", "peak_mb")]
        memory = number(one["memory_exponent"], ".2f")
        if one["memory_exponent"] is not None:
            memory += f" ({one['memory_points']} sizes)"
        time = number(one["time_exponent"], ".2f")
        lines.append(f"| {title} | {columns[0]} | {columns[1]} | {time} | {columns[2]} | {memory} |")
    return [*lines, ""]


def _machines(document: dict[str, Any]) -> list[str]:
    """One line a machine, with the range of the rates found beside the problems run on it."""
    measured_on: dict[str, list[dict[str, float]]] = {}
    for entry in [*measured(document).values(), *([document["growth"]] if "growth" in document else [])]:
        machine = entry["machine"]
        versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items() if v)
        words = f"{machine['cpus']} CPU cores, {machine['machine']}, backend {machine['backend']}, "
        measured_on.setdefault(f"{words}Python {machine['python']}, {versions}", []).append(entry["rates"])
    lines = []
    for words, rates in measured_on.items():
        span = {key: (min(r[key] for r in rates), max(r[key] for r in rates)) for key in rates[0]}
        texts = {
            key: f"{low:.0f}" + (f" to {high:.0f}" if f"{low:.0f}" != f"{high:.0f}" else "")
            for key, (low, high) in span.items()
        }
        lines.append(
            f"Measured on {words}. Matrix products, GF/s: float64 {texts['gemm_f64_gflops']}, float32 "
            f"{texts['gemm_f32_gflops']}; tall, float64 {texts['gemm_tall_f64_gflops']}, float32 "
            f"{texts['gemm_tall_f32_gflops']}. Stream: {texts['stream_gbytes']} GB/s."
        )
    return lines


def inserted(text: str, table: str) -> str:
    """A text with what stands between its markers replaced.

    Raises:
        MarkerError: there is not exactly one pair of markers, in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise MarkerError(f"needs one pair of markers {BEGIN} and {END}")
    return re.sub(f"(?s)({BEGIN}).*({END})", lambda found: f"{found[1]}\n{table}\n{found[2]}", text)


def write(document: dict[str, Any], readmes: list[Path]) -> None:
    """Write the short table into the first page and the full one into the second: both or neither."""
    if not measured(document):
        raise MarkerError("the results file holds no measured problem")
    texts = []
    for path, table in zip(readmes, (short(document), full(document)), strict=True):
        try:
            texts.append(inserted(path.read_text(), table))
        except MarkerError as error:
            raise MarkerError(f"{path.name} {error}") from None
    for path, text in zip(readmes, texts, strict=True):
        part = path.with_name(path.name + ".tmp")
        part.write_text(text)
        os.replace(part, path)

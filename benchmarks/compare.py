"""jaxrd against what a user would pick instead, on P1..P5, in one run; `--table` writes the pages' tables.

    JAXRD_DATA=... python benchmarks/compare.py [--only P1-200,P3] [--tools jaxrd,dit] [--repeats 3]
    python benchmarks/compare.py --growth
    python benchmarks/compare.py --table

See benchmarks/README.md for what is measured and how. The results file is rewritten after every problem; Ctrl-C keeps
what is finished and ends with exit code 130. Bad options end in one line and exit code 2.
"""

import argparse
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import children
import growth
import summary
import tables
import tools

HERE = Path(__file__).parent
STANDARD = ("P1-200", "P1-1000", "P2-100", "P2-1000", "P3", "P4", "P5")
KNOWN = re.compile(r"P[12]-[1-9]\d*|P3(-[1-9]\d*x[1-9]\d*)?|P4|P5")
CHEAP = 60.0  # seconds: a tool that took longer on a problem is not repeated
SWEEPS = 4  # times a peer's limit that jaxrd gets: it runs several sweeps of the whole grid and compiles


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"compare.py: {message}\n")


class UsageError(Exception):
    """Something the caller can mend, in one line."""


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError(text)
    return value


_positive.__name__, _count.__name__ = "positive number", "positive integer"  # argparse quotes these names


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse and check; exits with code 2 and one line where something is wrong."""
    parser = _Parser(prog="compare.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_names, default=list(STANDARD), help=f"problems (default: {','.join(STANDARD)})")
    parser.add_argument("--tools", type=_names, default=list(tools.TOOLS), help=f"of {','.join(tools.TOOLS)}")
    parser.add_argument("--repeats", type=_count, default=3, help="of the cheap tools, interleaved (default: 3)")
    parser.add_argument("--slope-seconds", type=_positive, default=120.0, help="a peer may spend on a slope")
    parser.add_argument("--tool-seconds", type=_positive, default=160.0, help="a peer may spend on a problem")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "compare.json")
    only_one = parser.add_mutually_exclusive_group()
    only_one.add_argument("--growth", action="store_true", help="measure how time and memory grow instead")
    only_one.add_argument("--table", action="store_true", help="run nothing: write the tables of the pages from --out")
    args = parser.parse_args(arguments)
    for name in args.only:
        if not KNOWN.fullmatch(name):
            parser.error(f"argument --only: no problem is called {name!r}; known: {', '.join(STANDARD)}")
    for name in args.tools:
        if name not in tools.TOOLS:
            parser.error(f"argument --tools: no tool is called {name!r}; known: {', '.join(tools.TOOLS)}")
    if not args.only or not args.tools:
        parser.error("--only and --tools each need at least one name")
    return args


def read(path: Path) -> dict[str, Any]:
    """The results so far, or an empty document."""
    if not path.exists():
        return {"problems": {}}
    try:
        document = json.loads(path.read_text())
        document["problems"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"--out: {path.name} is not a results file of compare.py; move it away") from None
    return document


def write(path: Path, document: dict[str, Any]) -> None:
    """Replace the results file at once: a reader finds the old one or the new one, never half of one."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, suffix=".tmp", delete=False) as file:
        file.write(json.dumps(document, indent=1) + "\n")
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def eighths(grid: list[float]) -> list[float]:
    """The slopes that slow tools run: the middle of every eight, so that neither end of the grid is favoured."""
    return grid[4::8] or grid


def missing_data(name: str) -> str | None:
    """Why a problem cannot be built here, or None."""
    folder = os.environ.get("JAXRD_DATA")
    if name == "P5" and not (folder and Path(folder, "classifiers", "cifar100_vgg19_bn_logits.npz").exists()):
        return "needs JAXRD_DATA, a folder with classifiers/cifar100_vgg19_bn_logits.npz"
    return None


def compare(name: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One problem, every tool: the entry of the results file."""
    shape = children.build(folder, name)
    n, m, grid = shape["n"], shape["m"], shape["grid"]
    slopes = eighths(grid)
    entry: dict[str, Any] = {"n": n, "m": m, "slopes": len(grid), "peers_slopes": slopes, "tools": {}}
    entry |= {"slope_seconds": args.slope_seconds, "tool_seconds": args.tool_seconds}
    entry |= children.machine_in_child(folder)

    runs: dict[str, list[dict[str, Any]]] = {}
    for tool in args.tools:
        if why := tools.absent(tool):
            entry["tools"][tool] = {"verdict": "absent", "why": why}
        elif why := tools.unfit(tool, n, m):
            entry["tools"][tool] = {"verdict": "not applicable", "why": why}
        else:
            runs[tool] = []
    for repeat in range(args.repeats):
        # There and back, so that a machine that grows slower burdens no tool more than another.
        for tool in list(runs) if repeat % 2 == 0 else list(runs)[::-1]:
            if repeat and runs[tool][0]["wall_seconds"] > CHEAP and tool != "jaxrd":
                continue
            ours = tool == "jaxrd"
            # The tools that can stop themselves share their time out evenly, so that each slope is tried.
            asked = {
                "tool": tool,
                "grid": grid,
                "slopes": slopes,
                "seconds": args.tool_seconds * (SWEEPS if ours else 1) + children.STARTUP,
                "slope_seconds": args.slope_seconds,
                "share_seconds": min(args.slope_seconds, args.tool_seconds / len(slopes)),
            }
            runs[tool].append(found := children.run_tool(folder, asked))
            print(f"{name} {tool} {repeat + 1}/{args.repeats}: {found['wall_seconds']:.1f} s", flush=True)
    jaxrd_runs = runs.get("jaxrd", [])
    for tool, its in runs.items():
        if tool == "jaxrd":
            entry["tools"][tool] = summary.of_jaxrd(its, grid, n, m, entry["rates"]["gemm_f64_gflops"])
        else:
            entry["tools"][tool] = summary.of_peer(its, slopes, jaxrd_runs, grid)
    entry["tools"] = {tool: entry["tools"][tool] for tool in args.tools}
    return entry


def run(args: argparse.Namespace) -> None:
    """All problems asked, each written as soon as it is finished."""
    document = read(args.out)
    for name in args.only:
        if why := missing_data(name):
            print(f"{name} skipped: {why}", flush=True)
            # What was measured where the data lay stays.
            document["problems"].setdefault(name, {"skipped": why})
        else:
            with tempfile.TemporaryDirectory() as folder:
                document["problems"][name] = {"command": args.command} | compare(name, args, Path(folder))
        write(args.out, document)


def main(arguments: Sequence[str]) -> int:
    """Run, measure growth or write the tables; returns the exit code."""
    if arguments and arguments[0] in children.JOBS:
        children.JOBS[arguments[0]](*arguments[1:])
        return 0
    args = options(arguments)
    args.command = shlex.join(["python", "benchmarks/compare.py", *arguments])
    try:
        if args.table:
            if not args.out.exists():
                raise UsageError(f"--table: there is no {args.out.name} yet; run compare.py first")
            tables.write(read(args.out), [HERE.parent / "docs" / "speed.md", HERE / "README.md"])
            return 0
        try:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            write(args.out, read(args.out))
        except OSError as error:
            raise UsageError(f"--out: cannot write {args.out}: {error.strerror}") from None
        if args.growth:
            document = read(args.out)
            growth.measure(document, lambda: write(args.out, document), args.repeats, args.tool_seconds)
            document["growth"]["command"] = args.command
            write(args.out, document)
        else:
            run(args)
    except (UsageError, tables.MarkerError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    except children.JobError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"compare.py: interrupted; what was finished stands in {args.out.name}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

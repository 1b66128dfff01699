"""Would the tests notice a mistake? Mutants written by hand, one a kind of mistake, and a sample of cosmic-ray's.

    python benchmarks/mutate.py hand [WORD ...] [--python PYTHON]
    python benchmarks/mutate.py sample [GROUP ...] [--count 10] [--seed 0] [--python PYTHON]
    python benchmarks/mutate.py score

A mutant is one change of one file, made in a copy of the sources; it is killed if the tests named for it fail or take
LIMIT times as long as without it, or, in a sample, if those of the folder do. `hand` runs those of
benchmarks/mutants.json whose kind or file holds a word.
`sample` draws `count` at random from each group of files below and needs cosmic-ray, which may live in a Python of its
own: --python names the one that has jaxrd. Results go to benchmarks/results/mutants.json; what other runs left there
is kept.
"""

import argparse
import ast
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HAND = ROOT / "benchmarks" / "mutants.json"
RESULTS = ROOT / "benchmarks" / "results" / "mutants.json"
LIMIT = 3  # times the tests' own time, and a minute for what must be compiled anew

_CONFIDENCE = ["tosc/test_confidence.py::TestUnits", "tosc/test_confidence.py::TestStatistics"]
GROUPS = {
    "solvers": {
        "jaxrd/solvers/_blahut_arimoto.py": [
            "solvers/test_solvers.py::TestStatus",
            "solvers/test_solvers.py::test_momentum_where_the_distortion_is_no_matrix",
            "solvers/test_solvers.py::test_solvers_agree",
            "solvers/test_solvers.py::test_steps_after_the_interior_point_lift_letters_of_tiny_mass",
            "solvers/test_by_hand.py",
        ],
        "jaxrd/solvers/_interior_point.py": [
            "solvers/test_solvers.py::test_letters_of_tiny_mass",
            "solvers/test_solvers.py::test_five_letters_of_tiny_mass_and_whole_distortions", "solvers/test_newton.py",
            "solvers/test_by_hand.py",
        ],
        "jaxrd/solvers/newton.py": ["solvers/test_newton.py"],
        "jaxrd/solvers/_working_set.py": ["solvers/test_working_set.py", "solvers/test_by_hand.py"],
    },
    "certificate": {
        "jaxrd/solvers/certificate.py": [
            "solvers/test_solvers.py::TestCertify", "solvers/test_solvers.py::TestStatus",
            "solvers/test_solvers.py::test_scalars_are_checked",
            "solvers/test_solvers.py::test_lower_true_upper", "test_nonfinite.py",
        ]
    },
    "closed_form": {
        f"jaxrd/closed_form/{name}.py": [
            f"closed_form/test_closed_form.py::test_{test}"
            for test in (
                "reference_values", "erokhin_reference", "bottleneck_reference", "ends", "lossless_ends",
                "erokhin_by_slope", "inverse_and_vectorised", "gauss_markov_limits", "derivatives",
                "derivative_at_the_least_distortion",
            )
        ]
        for name in (
            "binary", "bottleneck", "categorical", "erasure", "exponential", "gauss_markov", "gaussian", "laplacian",
            "remote_gaussian", "vector_gaussian",
        )
    },
    "statistics": {
        "jaxrd/tosc/confidence/bands.py": _CONFIDENCE,
        "jaxrd/tosc/confidence/held_out.py": ["tosc/test_statistics.py::TestHeldOut"],
        "jaxrd/tosc/confidence/intervals.py": ["tosc/test_statistics.py::TestIntervals"],
        "jaxrd/tosc/resampling.py": [
            "tosc/test_statistics.py::TestResampling", "tosc/test_statistics.py::TestResponse"
        ],
        **{
            f"jaxrd/tosc/curves/{name}.py": [
                "tosc/test_tosc.py::TestLimits", "tosc/test_tosc.py::TestDips",
                "tosc/test_statistics.py::TestResampling", "tosc/test_statistics.py::TestResponse",
            ]
            for name in (
                "drawing", "estimated", "indirect", "merged", "model_aware", "oracle", "sampled", "time_sharing",
            )
        },
        "jaxrd/tosc/confidence/rigorous.py": ["tosc/test_statistics.py::TestRigorous"],
        "jaxrd/tosc/confidence/statistics.py": _CONFIDENCE,
    },
    "write": {
        "jaxrd/io/write.py": [
            "cli/test_cli.py::TestWriters", "cli/test_cli.py::TestLimits::test_pixels_no_plot_temperature"
        ]
    },
    "save": {
        "jaxrd/io/save.py": [
            "io/test_save.py", "cli/test_cli.py::test_out_that_cannot_be_written",
            "cli/test_cli.py::test_a_folder_in_the_way_of_a_file",
            "cli/test_cli.py::test_a_failure_while_writing_leaves_the_old_results",
            "cli/test_cli.py::test_an_interrupt_while_writing_waits",
        ]
    },
    "rdc_certificate": {"jaxrd/rdc/lifted/certificate.py": ["rdc/test_rdc_lifted.py::TestCertificate"]},
}  # fmt: skip
"""By name: files of the library, and for each the tests meant for it."""

WIDER = {
    "solvers": ["solvers", "test_target.py", "test_arguments.py"],
    "certificate": ["solvers", "test_target.py", "test_arguments.py"],
    "closed_form": ["closed_form"],
    "statistics": ["tosc"],
    "write": ["io", "cli"],
    "save": ["io", "cli"],
    "rdc_certificate": ["rdc"],
}
"""What `sample` tries beside the file's doctests, slow tests left out, where the tests meant for the file pass."""

IDLE = re.compile(
    "RemoveDecorator|NoOp|ExceptionReplacer|ReplaceUnaryOperator|(Add|Sub|Mul|Div)_(?!Add|Sub|Mul|Div)[A-Z]|"
    "(FloorDiv|Mod|Pow|Shift|Xor)_|Bit(Or|And)_(?!BitOr|BitAnd)|_(Is|IsNot)(_|$)"
)
"""Operators left out: without jit the same is computed; signs that floats do not have, or of bits for those of numbers,
fail at once and would flatter the score."""

SERVER = """
import os, sys
import hypothesis, jax, jax.numpy, jax.scipy.special, matplotlib.figure, numpy, pytest, rich.table, scipy.optimize
import scipy.stats, signal, typer
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        os._exit(int(pytest.main(line.split())))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Imports once what a run of the tests spends most of its start on, and forks a process for each; nothing of jaxrd."""


class Copy:
    """A copy of the sources in which one file at a time is changed."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        for name in ("jaxrd", "tests", "benchmarks", "docs", "README.md", "pyproject.toml"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / name)
        cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax"))
        # No bytecode: two mutants of one second and one length would share it.
        environment = os.environ | {
            "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "JAX_COMPILATION_CACHE_DIR": cache,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }  # fmt: skip
        self.server = subprocess.Popen(
            [python, "-c", SERVER],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def test(self, tests: list[str], limit: float | None = None) -> tuple[str, float]:
        """("passed", "failed" or "too long", seconds) of some tests; the first failure ends them."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        began, slow = time.perf_counter(), threading.Event()
        paths = (test if test.startswith("jaxrd/") else f"tests/{test}" for test in tests)
        print("-x -p no:randomly -m not(slow)", *paths, file=self.server.stdin, flush=True)
        child = int(self.server.stdout.readline())

        def stop() -> None:
            slow.set()
            os.killpg(child, signal.SIGKILL)

        timer = threading.Timer(limit or 3600, stop)
        timer.start()
        code = int(self.server.stdout.readline())
        timer.cancel()
        seconds = time.perf_counter() - began
        if slow.is_set():
            return "too long", seconds
        if code not in (0, 1, 2):  # no tests, or a wrong command: that is no verdict; a crash is
            said = (self.folder / "said.txt").read_text()[-2000:]
            if code > 0:
                raise SystemExit(f"pytest {' '.join(tests)} ended with {code}:\n{said}")
        return "failed" if code else "passed", seconds

    def with_text(self, file: str, text: str, tests: list[str], limit: float | None) -> tuple[str, float]:
        """The same with one file changed."""
        path = self.folder / file
        before = path.read_text()
        path.write_text(text)
        try:
            return self.test(tests, limit)
        finally:
            path.write_text(before)


def by_hand(copy: Copy, words: list[str]) -> Iterator[dict]:
    """Each mutant of mutants.json against the tests named beside it, which must pass without it."""
    sound: dict[tuple[str, ...], float] = {}
    for mutant in json.loads(HAND.read_text()):
        if words and not any(word in mutant["kind"] or word in mutant["file"] for word in words):
            continue
        text, tests = (ROOT / mutant["file"]).read_text(), tuple(mutant["tests"])
        if text.count(mutant["old"]) != 1:
            raise SystemExit(f"{mutant['file']}: {text.count(mutant['old'])} places for {mutant['old']!r}, not 1")
        if tests not in sound:
            verdict, sound[tests] = copy.test(list(tests))
            if verdict != "passed":
                raise SystemExit(f"{' '.join(tests)} fail without any mutant")
        changed = text.replace(mutant["old"], mutant["new"])
        verdict, seconds = copy.with_text(mutant["file"], changed, list(tests), LIMIT * sound[tests] + 60)
        yield mutant | {"verdict": verdict, "seconds": round(seconds, 1)}


def sample(copy: Copy, group: str, count: int, seed: int) -> Iterator[dict]:
    """A random sample of the mutants that cosmic-ray makes of a group's files, each against its file's tests."""
    from cosmic_ray.ast import ast_nodes, get_ast  # pyright: ignore[reportMissingImports]
    from cosmic_ray.mutating import mutate_code  # pyright: ignore[reportMissingImports]
    from cosmic_ray.plugins import get_operator, operator_names  # pyright: ignore[reportMissingImports]

    every = []
    for file in GROUPS[group]:
        nodes = list(ast_nodes(get_ast((ROOT / file).read_text())))
        for operator in sorted(operator_names()):
            kind = get_operator(operator)
            if kind.arguments() or IDLE.search(operator):
                continue
            places = [start for node in nodes for start, _ in kind().mutation_positions(node)]
            every += [(file, operator, i, line) for i, (line, _) in enumerate(places)]
    # Lines first, then one of a line's, lest those with many signs be all there is.
    lines = sorted({(file, line) for file, _, _, line in every})
    print(f"{group}: {len(every)} mutants on {len(lines)} lines", flush=True)
    chosen, done = random.Random(f"{group} {seed}"), 0
    chosen.shuffle(lines)
    alone: dict[tuple[str, ...], float] = {}
    for at in lines:
        if done == count:
            return
        file, operator, occurrence, line = chosen.choice([m for m in every if (m[0], m[3]) == at])
        text, tests = (ROOT / file).read_text(), GROUPS[group][file]
        changed = mutate_code(text, get_operator(operator)(), occurrence)
        if _bare(changed) in (None, _bare(text)):
            continue
        done += 1
        verdict, seconds = "passed", 0.0
        for tried in (tests, [file, *WIDER[group]]):
            if verdict == "passed":
                if tuple(tried) not in alone:
                    verdict, alone[tuple(tried)] = copy.test(tried)
                    if verdict != "passed":
                        raise SystemExit(f"{' '.join(tried)} fail without any mutant")
                verdict, more = copy.with_text(file, changed, tried, LIMIT * alone[tuple(tried)] + 60)
                seconds += more
        pairs = zip(text.splitlines(), changed.splitlines(), strict=False)
        old, new = next((a.strip(), b.strip()) for a, b in pairs if a != b)
        yield {
            "group": group, "file": file, "line": line, "operator": operator.removeprefix("core/"), "old": old,
            "new": new, "verdict": verdict, "seconds": round(seconds, 1), "of": len(every),
        }  # fmt: skip


class _Bare(ast.NodeTransformer):
    """Leaves types out, which are never evaluated."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """An argument by its name alone."""
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function without what it says it returns."""
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """A field or variable without its type."""
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def _bare(text: str) -> str | None:
    """The program without its types; None of what is none."""
    try:
        return ast.dump(_Bare().visit(ast.parse(text)))
    except SyntaxError:
        return None


def _line(name: str, of: int | str, part: list[dict]) -> str:
    drawn, same = len(part), sum("equivalent" in row for row in part)
    since = sum("since" in row for row in part)
    killed = sum(row["verdict"] != "passed" and "since" not in row for row in part)
    others = drawn - same
    shares = [f"{k / others:.0%}" if others else "-" for k in (killed, killed + since)]
    if others:
        shares[0] += f" ± {math.sqrt(killed * (others - killed) / others**3):.0%}"
    return f"| {name} | {of} | {drawn} | {killed} | {same} | {' | '.join(shares)} |"


def score(rows: list[dict]) -> str:
    """Tables in Markdown, of the newest seed by group and of every seed: how many were drawn, killed as the tests were,
    and by tests written for them.
    """
    newest = max(row["seed"] for row in rows)
    heading = "| mutants | drawn | killed | equivalent | killed of the others | with tests written since |"
    rule = "|---|--:|--:|--:|--:|--:|--:|"
    groups, all_of = [], 0
    for group in GROUPS:
        part = [row for row in rows if row["group"] == group and row["seed"] == newest]
        of = max((row["of"] for row in part), default=0)
        all_of += of
        groups.append(_line(group, of, part))
    total = _line("all", all_of, [row for row in rows if row["seed"] == newest])
    seeds = [_line(f"seed {k}", "", [row for row in rows if row["seed"] == k]) for k in range(newest + 1)]
    return "\n".join([f"| seed {newest} {heading}", rule, *groups, total, "", f"| every seed {heading}", rule, *seeds])


def _cells(*texts: str) -> str:
    return f"| {' | '.join(text.replace('|', chr(92) + '|').replace(chr(10), ' ') for text in texts)} |"


def by_kind(rows: list[dict]) -> str:
    """A table in Markdown: each mutant by hand, and the test that kills it."""
    table = ["| kind | file | mutant | killed by |", "|---|---|---|---|"]
    for row in rows:
        killed = ", ".join(row["tests"]) if row["verdict"] != "passed" else f"survives: {row.get('equivalent', '')}"
        change = f"`{' '.join(row['old'].split())}` -> `{' '.join(row['new'].split())}`"
        table.append(_cells(row["kind"], row["file"].removeprefix("jaxrd/"), change, killed))
    return "\n".join(table)


def survivors(rows: list[dict]) -> str:
    """A table in Markdown: what the tests let pass of the sample, and what became of it."""
    table = ["| file, line | mutant | then |", "|---|---|---|"]
    for row in rows:
        if row["verdict"] == "passed" or "since" in row:
            change = f"`{row['old']}` -> `{row['new']}`"
            place = f"{row['file'].removeprefix('jaxrd/')}, {row['line']}"
            since = f"killed by {row['since']}" if "since" in row else "survives"
            then = f"equivalent: {row['equivalent']}" if "equivalent" in row else since
            table.append(_cells(place, change, then))
    return "\n".join(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("hand", "sample", "score"))
    parser.add_argument("which", nargs="*")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", default=sys.executable)
    asked = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"hand": [], "sample": []}

    def save(part: str, fresh: dict, same: tuple[str, ...]) -> None:
        former = [row for row in kept[part] if all(row[key] == fresh[key] for key in same)]
        kept[part] = [row for row in kept[part] if row not in former]
        # What was said by hand about a mutant stays with it.
        lasting = ("equivalent", "since") if fresh["verdict"] == "passed" else ("since",)
        said = {key: row[key] for row in former for key in lasting if key in row}
        kept[part].append(fresh | said)
        RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        print(f"{fresh['verdict']:9}{fresh['seconds']:7.1f} s  {fresh['file']}: {fresh['old']!r} -> {fresh['new']!r}")
        sys.stdout.flush()

    if asked.what == "score":
        print(f"{by_kind(kept['hand'])}\n\n{score(kept['sample'])}\n\n{survivors(kept['sample'])}")
        return
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(Path(folder), asked.python)
        if asked.what == "hand":
            for row in by_hand(copy, asked.which):
                save("hand", row, ("file", "old", "new"))
        else:
            for group in asked.which or GROUPS:
                for row in sample(copy, group, asked.count, asked.seed):
                    save("sample", row | {"seed": asked.seed}, ("file", "line", "operator", "old", "new", "seed"))


if __name__ == "__main__":
    main()

"""The comparison harness: its judge, its tools, what it makes of their runs, and its command line."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import children
import compare
import gap
import growth
import numpy as np
import problems
import published
import published_problems
import pytest
import summary
import tables
import tools

import jaxrd

ROOT = Path(jaxrd.__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "compare.py"


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **environment},
    )


def task(name="P2-8", every=16, seconds=5.0):
    problem, grid = problems.named(name)
    slopes = grid[::every].tolist()
    return tools.Task(np.asarray(problem.source), np.asarray(problem.distortion), slopes, slopes, seconds)


# The judge


def test_gap_against_loops():
    g = np.random.default_rng(3)
    p, q, d, s = g.dirichlet(np.ones(4)), g.dirichlet(np.ones(3)), g.random((4, 3)), 2.5
    lagrangian, c = 0.0, np.zeros(3)
    for x in range(4):
        z = sum(q[y] * np.exp(-s * d[x, y]) for y in range(3))
        lagrangian -= p[x] * np.log(z)
        for y in range(3):
            c[y] += p[x] * np.exp(-s * d[x, y]) / z
    expected = np.log(c.max()) - sum(q[y] * c[y] * np.log(c[y]) for y in range(3))
    assert gap.certified_gap(p, d, s, q) == pytest.approx((expected, lagrangian), rel=1e-12)


def test_gap_in_blocks_of_rows(monkeypatch):
    t = task()
    q = np.full(8, 1 / 8)
    whole = gap.certified_gap(t.source, t.distortion, 3.0, q)
    monkeypatch.setattr(gap, "CELLS", 20)
    assert gap.certified_gap(t.source, t.distortion, 3.0, q) == pytest.approx(whole, rel=1e-12)


def test_gap_is_zero_only_at_the_optimum():
    source, hamming = np.full(2, 0.5), 1 - np.eye(2)
    assert gap.certified_gap(source, hamming, 2.0, source)[0] == pytest.approx(0, abs=1e-15)
    assert gap.certified_gap(source, hamming, 2.0, np.array([0.6, 0.4]))[0] > 1e-2


def test_judge_clips_and_never_passes_nonsense():
    source, hamming = np.full(2, 0.5), 1 - np.eye(2)
    repaired = gap.judge(source, hamming, {"slope": 2.0, "q": [3.0, -1e-9]})
    assert repaired["relative_gap"] > 0.1
    assert "q" not in repaired
    for q in ([np.nan, 1.0], [0.0, 0.0]):
        assert gap.judge(source, hamming, {"slope": 2.0, "q": q})["relative_gap"] is None
    assert gap.judge(source, hamming, {"slope": 2.0, "failed": "no"}) == {"slope": 2.0, "failed": "no"}


# The tools


def judged(tool, t):
    return [gap.judge(t.source, t.distortion, event) for event in tools.TOOLS[tool]()(t)]


@pytest.mark.parametrize("tool", ["numpy-ba", "jax-ba"])
def test_plain_blahut_arimoto_passes_every_aim(tool):
    t = task()
    events = judged(tool, t)
    assert [e["aim"] for e in events] == list(tools.AIMS) * len(t.slopes)
    assert all(e["relative_gap"] <= e["aim"] for e in events)
    assert all(e["steps"] % tools.CHECK == 0 for e in events)


@pytest.mark.parametrize("tool", ["numpy-ba", "jax-ba"])
def test_plain_blahut_arimoto_stops_at_its_time(tool):
    events = judged(tool, task("P1-100", seconds=0.05)._replace(slopes=[5.0]))  # never reaches 1e-9
    *passed, last = events
    assert "aim" not in last
    assert [event["aim"] for event in passed] == list(tools.AIMS)[: len(passed)]
    assert last["relative_gap"] > 1e-9
    assert 0.05 < last["seconds"] < 2


def test_jaxrd_covers_the_grid_and_times_the_few():
    t = task()._replace(slopes=task().grid[:2])
    *points, sweep = judged("jaxrd", t)
    assert [e["slope"] for e in points] == t.grid
    assert all(e["relative_gap"] <= 1e-9 for e in points)
    assert sweep["sweep"]["compile_seconds"] > sweep["sweep"]["seconds"] > 0
    assert sweep["sweep"]["same_slopes_seconds"] > 0


@pytest.mark.parametrize(
    ("tool", "package", "largest"),
    [("clarabel", "cvxpy", 1e-3), ("clarabel-tight", "cvxpy", 1e-6), ("dit", "dit", 0.1), ("dit-1", "dit", 0.1)],
)
def test_peers_of_the_extra_solve_the_same_problem(tool, package, largest):
    pytest.importorskip(package, reason=f"{package} is not installed: pip install -e '.[bench]'")
    events = judged(tool, task())
    assert all(event["relative_gap"] <= largest for event in events)


def test_absent_and_unfit_tools_say_why(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "dit not installed" in (tools.absent("dit") or "")
    assert "cvxpy and clarabel" in (tools.absent("clarabel") or "")
    assert tools.absent("numpy-ba") is None
    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    assert "no Rscript" in (tools.absent("mixsqp") or "")
    assert "needs n = m" in (tools.unfit("dit-1", 3, 2) or "")
    assert tools.unfit("dit", 3, 3) is None
    assert tools.unfit("clarabel", 3, 2) is None


# What is made of their runs


def jaxrd_run(seconds, same, slopes):
    sweep = {"seconds": seconds, "same_slopes_seconds": same, "compile_seconds": 2.0, "calls": 3}
    points = [{"slope": s, "seconds": 0, "steps": 10, "relative_gap": 1e-10, "peak_mb": 200} for s in slopes]
    events = [{"ready": True, "peak_mb": 100}, *points, {"sweep": sweep, "peak_mb": 200}]
    return {"events": events, "wall_seconds": 9.0, "ended": None, "unfinished_seconds": None}


def peer_run(points, ended=None, unfinished=None):
    events = [{"ready": True, "peak_mb": 50}, *({"peak_mb": 80, **p} for p in points)]
    return {"events": events, "wall_seconds": 5.0, "ended": ended, "unfinished_seconds": unfinished}


GRID = [float(s) for s in range(1, 17)]
FEW = [5.0, 13.0]


def test_ratios_pair_repeats():
    ours = [jaxrd_run(1.6, 0.4, GRID), jaxrd_run(3.2, 0.8, GRID)]
    points = [{"slope": s, "seconds": 1.0, "relative_gap": 1e-12} for s in FEW]
    found = summary.of_peer([peer_run(points), peer_run(points)], FEW, ours, GRID)
    assert found["verdict"] == "reached"
    assert found["ratio"] == pytest.approx({"min": 5, "median": 7.5, "max": 10})
    assert found["ratio_same_slopes"] == pytest.approx({"min": 2.5, "median": 3.75, "max": 5})
    assert not found["cut_off"]
    assert (found["peak_mb"], found["start_mb"], found["repeats"]) == (80, 50, 2)


def test_a_tool_that_was_ended_is_not_reached():
    run = peer_run([{"slope": 5.0, "seconds": 2.0, "relative_gap": 3e-12}], "time limit of 6 s", 4.0)
    found = summary.of_peer([run], FEW, [], GRID)
    assert (found["verdict"], found["slopes_run"], found["slopes_reached"]) == ("not reached", 1, 1)
    assert found["seconds_a_slope"]["median"] == 3.0
    assert found["why"] == "time limit of 6 s"
    assert found["ratio"] is None
    assert found["cut_off"]


def test_one_bad_repeat_spoils_the_verdict():
    good = [{"slope": s, "seconds": 1.0, "relative_gap": 1e-12} for s in FEW]
    bad = [good[0], {"slope": 13.0, "seconds": 1.0, "failed": "SolverError: no"}]
    found = summary.of_peer([peer_run(good), peer_run(bad)], FEW, [], GRID)
    assert (found["verdict"], found["slopes_reached"], found["why"]) == ("not reached", 1, "SolverError: no")
    nothing = summary.of_peer([peer_run([], "exit code -9")], FEW, [], GRID)
    assert nothing["verdict"] == "not reached"
    assert nothing["largest_relative_gap"] is None


def test_time_to_each_aim():
    points = [{"slope": s, "seconds": 1.0, "aim": 1e-3, "relative_gap": 9e-4} for s in FEW]
    points += [{"slope": 5.0, "seconds": 3.0, "aim": 1e-6, "relative_gap": 9e-7}]
    points += [{"slope": s, "seconds": 9.0, "relative_gap": 1e-7} for s in FEW]
    found = summary.of_peer([peer_run(points)], FEW, [jaxrd_run(1.6, 0.2, GRID)], GRID)
    assert found["seconds_a_slope"]["median"] == 9.0
    assert [aim["slopes_reached"] for aim in found["aims"].values()] == [2, 1, 0]
    assert found["aims"]["1e-03"]["ratio"]["median"] == pytest.approx(10)
    assert found["aims"]["1e-06"]["ratio"] is None
    assert found["cut_off"]  # its last words on a slope name no aim


def test_roofline():
    found = summary.of_jaxrd([jaxrd_run(2.0, 1.0, GRID)], GRID, n=300, m=30, gemm_gflops=1.0)
    assert found["steps"]["total"] == 160
    work = 160 * (2 * 300 * 900 + 27_000 / 3)
    assert found["dense_equivalent_fraction"]["median"] == pytest.approx(work / 2.0 / 1e9)
    assert found["seconds_a_slope"]["median"] == 2.0 / 16


def test_growth_exponents():
    sizes = [100.0, 200.0, 400.0]
    assert growth.exponent(sizes, [2 * s**2.5 for s in sizes]) == pytest.approx(2.5)
    assert growth.exponent([1.0], [1.0]) is None
    points = [{"size": s, "seconds": s**1.5, "peak_mb": 300 + s**2 / 1000} for s in sizes]
    found = growth.fit([*points, {"size": 800.0, "failed": "time limit"}], 300)
    assert found["time_exponent"] == pytest.approx(1.5)
    assert found["memory_points"] == 3
    assert found["memory_exponent"] == pytest.approx(2)


# Tables


def document():
    ours = [jaxrd_run(1.6, 0.4, GRID)]
    point = {"seconds": 1.0, "relative_gap": 1e-12}
    good = [{"slope": s, **point} for s in FEW]
    slow = [{"slope": s, "seconds": 9.0, "relative_gap": 1e-4, "aim": 1e-3} for s in FEW]
    machine = {"cpus": 2, "machine": "any", "python": "3", "backend": "cpu", "versions": {"jax": "1", "dit": None}}
    rates = dict.fromkeys(("gemm_f64_gflops", "gemm_f32_gflops", "gemm_tall_f64_gflops", "gemm_tall_f32_gflops"), 5.0)
    entry = {
        "n": 4, "m": 4, "slopes": 16, "machine": machine, "rates": {**rates, "stream_gbytes": 3.0},
        "tools": {
            "jaxrd": summary.of_jaxrd(ours, GRID, 4, 4, 5.0),
            "jax-ba": summary.of_peer([peer_run(slow)], FEW, ours, GRID),
            "clarabel": summary.of_peer([peer_run(good)], FEW, ours, GRID),
            "mixsqp": {"verdict": "absent", "why": "no Rscript on this machine"},
        },
    }  # fmt: skip
    return {"problems": {"P2-4": entry, "P5": {"skipped": "needs JAXRD_DATA"}}}


def test_short_table():
    found = document()
    assert tables.next_best(found["problems"]["P2-4"]) == "clarabel"
    assert tables.short(found).splitlines()[2:] == ["| P2-4, 4 x 4 | 16 | 1.6 s | cvxpy + Clarabel | 10 |"]
    del found["problems"]["P2-4"]["tools"]["clarabel"]
    assert "| none; plain Blahut-Arimoto to 1e-3: 9 s a slope | 90, to 1e-3 |" in tables.short(found)


def test_problems_stand_in_the_order_of_their_sizes():
    names = ["P2-1000", "P1-1000", "P4", "P2-100", "P1-200", "P3"]
    found = tables.measured({"problems": {name: {"tools": {}} for name in names}})
    assert list(found) == ["P1-200", "P1-1000", "P2-100", "P2-1000", "P3", "P4"]


def test_full_table():
    text = tables.full(document())
    rows = [line for line in text.splitlines() if line.startswith("| P2-4")]
    assert any("absent: no Rscript" in row for row in rows)
    assert any("not reached, 0/2" in row and "1.0e-04" in row for row in rows)
    assert "2 CPU cores" in text
    grown = document() | {"growth": {**document()["problems"]["P2-4"], "series": {"n": growth.fit([], 0)}}}
    assert "| n |  |  | - |  | - |" in tables.full(grown)


def test_tables_of_every_tool_have_rows_as_wide_as_their_heads():
    for table in tables.full(document()).split("\n\n"):
        widths = {line.count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(widths) <= 1


def test_tables_are_written_to_both_or_neither(tmp_path):
    first, second = tmp_path / "A.md", tmp_path / "B.md"
    first.write_text(f"a\n{tables.BEGIN}\nold\n{tables.END}\nz\n")
    second.write_text("no markers\n")
    with pytest.raises(tables.MarkerError, match=r"B\.md"):
        tables.write(document(), [first, second])
    assert "old" in first.read_text()
    second.write_text(f"{tables.BEGIN}\n{tables.END}\n")
    for _ in range(2):
        tables.write(document(), [first, second])
        assert first.read_text() == f"a\n{tables.BEGIN}\n{tables.short(document())}\n{tables.END}\nz\n"
    assert tables.full(document()) in second.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A.md", "B.md"]


def test_the_pages_have_their_markers():
    for path in (ROOT / "docs" / "speed.md", ROOT / "benchmarks" / "README.md"):
        tables.inserted(path.read_text(), "")


def test_numbers_for_readers():
    assert [tables.number(v) for v in (None, 0.01234, 12345.6, 1e-7)] == ["-", "0.0123", "12346", "1e-07"]
    assert tables.ranged({"min": 1.0, "median": 2.0, "max": 3.0}, 1e3) == "2000 (1000 to 3000)"


# The command line


def test_names_agree():
    assert compare.STANDARD == problems.STANDARD
    assert all(compare.KNOWN.fullmatch(name) for series in growth.SERIES.values() for _, name, _ in series)
    assert set(tables.TITLES) == set(tools.TOOLS)
    with pytest.raises(ValueError, match="P9"):
        problems.named("P9")


def test_eighths():
    assert compare.eighths(list(range(64))) == [4, 12, 20, 28, 36, 44, 52, 60]
    assert compare.eighths([8.0]) == [8.0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "P9"], "no problem is called 'P9'"),
        (["--only", "P2-0"], "'P2-0'"),
        (["--only", ","], "at least one name"),
        (["--tools", "jaxrd,qics"], "no tool is called 'qics'"),
        (["--repeats", "0"], "invalid positive integer value: '0'"),
        (["--slope-seconds", "nan"], "invalid positive number value: 'nan'"),
        (["--tool-seconds", "-1"], "--tool-seconds"),
        (["--growth", "--table"], "not allowed with"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_options(arguments, says, capsys):
    with pytest.raises(SystemExit) as exit:
        compare.main(arguments)
    assert exit.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert says in err


def test_bad_results_files(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert compare.main(["--table", "--out", str(out)]) == 2
    for text in ("{", "[]", '{"problems": 3}'):
        out.write_text(text)
        assert compare.main(["--out", str(out)]) == 2
        assert out.read_text() == text
    out.write_text('{"problems": {}}')
    assert compare.main(["--table", "--out", str(out)]) == 2
    blocked = out / "inside.json"
    assert compare.main(["--out", str(blocked)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 6
    assert all(line.startswith("compare.py: ") for line in err.splitlines())


def test_p5_is_skipped_without_data(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("JAXRD_DATA", raising=False)
    out = tmp_path / "out.json"
    assert compare.main(["--only", "P5", "--out", str(out)]) == 0
    assert "JAXRD_DATA" in json.loads(out.read_text())["problems"]["P5"]["skipped"]
    out.write_text('{"problems": {"P5": {"tools": {}}}}')
    assert compare.main(["--only", "P5", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["problems"]["P5"] == {"tools": {}}
    assert list(tmp_path.iterdir()) == [out]


def test_messages_name_no_folders():
    assert children.without_paths("OSError: no /some/where/file.txt\n here") == "OSError: no <path> here"
    assert children.without_paths("1e-9 and/or n/m") == "1e-9 and/or n/m"


def test_a_tool_past_its_time_is_ended(tmp_path):
    endless = task("P1-100")  # plain Blahut-Arimoto never gets to 1e-9
    np.save(tmp_path / "source.npy", endless.source)
    np.save(tmp_path / "distortion.npy", endless.distortion)
    asked = {"tool": "numpy-ba", "grid": [1.0], "slopes": [1.0], "slope_seconds": 99.0, "share_seconds": 99.0}
    found = children.run_tool(tmp_path, {**asked, "seconds": 1.0})
    assert found["ended"] == "time limit of 1 s"
    assert summary.of_peer([found], [1.0], [], [1.0])["verdict"] == "not reached"
    found = children.run_tool(tmp_path, {**asked, "seconds": 60.0, "tool": "no such tool"})
    assert "KeyError" in summary.of_peer([found], [1.0], [], [1.0])["why"]


@pytest.mark.slow
def test_large_files(tmp_path):
    out = tmp_path / "files.json"
    options = ["--files", "1200x6", "--out", str(out), "--folder", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, ROOT / "benchmarks" / "files.py", *options], check=True, env=environment)
    (row,) = json.loads(out.read_text())["files"].values()
    assert row["exit"] == 0
    assert row["failed"] == 0
    assert 0 < row["worst"] <= 1
    assert row["points"] > 32
    assert row["seconds"] > 0
    assert row["peak_gib"] > 0.1


@pytest.mark.slow
def test_accelerator(tmp_path):
    """The prepared script, at a small size and on a mesh of four CPU devices."""
    out, script = tmp_path / "accelerator.json", ROOT / "benchmarks" / "accelerator.py"
    options = ["--only", "P2-10 x16,P2-10", "--large", "3000x12", "--members", "2", "--out", str(out)]
    flags = f"--xla_force_host_platform_device_count=4 {os.environ.get('XLA_FLAGS', '')}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    subprocess.run([sys.executable, script, *options], check=True, capture_output=True, env=environment)
    found = json.loads(out.read_text())
    large = found["large"]
    assert (large["devices"], large["converged"], large["dtype"]) == (4, 3, "float32")
    assert 0 < found["large"]["largest_ratio_of_gap_by_numpy"] <= 1
    assert found["family"]["members"] == 2
    assert found["family"]["step_ms"] > 0
    for row in [row for rows in found["problems"].values() for row in rows]:
        assert row["converged"] == row["slopes"]
        assert row["gaps_understated"] == 0
    late = subprocess.run(
        [sys.executable, script, *options, "--minutes", "0"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert "P2-10: not begun after 0 minutes" in late.stdout


@pytest.mark.slow
def test_streamed_files(tmp_path):
    out = tmp_path / "files.json"
    options = ["--streamed", "--sizes", "1200x6", "--out", str(out), "--folder", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, ROOT / "benchmarks" / "files.py", *options], check=True, env=environment)
    row = json.loads(out.read_text())["files"]["1200x6 float16"]
    assert np.load(tmp_path / "1200x6" / "logits.npy").dtype == np.float16
    assert row["exit"] == 0
    assert 0.05 < row["anonymous_gib"] < row["peak_gib"]
    assert row["exp_seconds"] > 0


@pytest.mark.slow
def test_time_to_answer(tmp_path):
    out = tmp_path / "answer.json"
    script = ROOT / "benchmarks" / "answer.py"
    options = ["--verbs", "sweep", "--repeats", "1", "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, script, *options], check=True, capture_output=True, env=environment)
    (row,) = json.loads(out.read_text())["verbs"].values()
    assert min(row["bare_seconds"], row["warm_seconds"], row["cold_seconds"]) > 0
    assert row["cold_over_bare"] == pytest.approx(row["cold_seconds"] / row["bare_seconds"], rel=2e-3)
    assert row["programs"] == 1
    assert 0 < row["trace_seconds"] + row["lower_seconds"] + row["load_seconds"] < row["warm_seconds"]


@pytest.mark.slow
def test_one_command_end_to_end(tmp_path):
    out = tmp_path / "out.json"
    out.write_text('{"problems": {"P3": {"kept": true}}}')
    done = command("--only", "P2-5", "--tools", "jaxrd,numpy-ba", "--repeats", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["problems"]
    assert found["P3"] == {"kept": True}
    entry = found["P2-5"]
    assert {tool: one["verdict"] for tool, one in entry["tools"].items()} == {"jaxrd": "reached", "numpy-ba": "reached"}
    ours = entry["tools"]["jaxrd"]
    assert ours["slopes_reached"] == ours["slopes_asked"] == 64
    assert ours["peak_mb"] > ours["start_mb"] > 0
    assert entry["tools"]["numpy-ba"]["ratio"]["median"] > 0
    assert entry["rates"]["gemm_f64_gflops"] > 0
    assert str(ROOT) not in out.read_text()
    assert "P2-5" in tables.full({"problems": {"P2-5": entry}})


def test_interrupt(tmp_path):
    out = tmp_path / "out.json"
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--only", "P5,P2-5", "--tools", "numpy-ba", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**{k: v for k, v in os.environ.items() if k != "JAXRD_DATA"}, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert "P5 skipped" in process.stdout.readline()
    while not out.exists() or "P5" not in json.loads(out.read_text())["problems"]:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "compare.py: interrupted; what was finished stands in out.json\n"
    assert list(json.loads(out.read_text())["problems"]) == ["P5"]


def test_the_race_judges_by_valid_bounds():
    """No channel has less than the certified bound, no dual variables give more, and one-step problems take one."""
    case = published_problems.cases(small=True)["rd-hamming"]()
    g = np.random.default_rng(0)
    for channel in (*g.dirichlet(np.ones(8), (5, 8)), np.eye(8), np.full((8, 8), 1 / 8)):
        assert case.cost(channel) >= case.lower - 1e-12
    assert np.isnan(case.cost(np.full((8, 8), np.nan)))
    for slope in (0.1, 2.0, 20.0):
        assert case.bound((g.dirichlet(np.ones(8)), slope, {})) <= case.lower + 1e-9
    row = published.timed_rival(case, case.rivals["constrained BA"], 2.0)
    for kind in ("certified", "true"):
        assert row[kind]["steps"] == {"0.001": 1, "1e-06": 1, "1e-09": 1}
    never = published.timed_rival(case, case.rivals["constrained BA"]._replace(step=lambda state: state), 0.01)
    assert never["true"]["seconds"] == never["certified"]["seconds"] == {"0.001": None, "1e-06": None, "1e-09": None}


@pytest.mark.slow
@pytest.mark.parametrize("script", ["published.py --small --seconds 0.1", "perception.py --letters 6"])
def test_published_and_perception(script):
    name, *options = script.split()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    arguments = [sys.executable, ROOT / "benchmarks" / name, *options]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, env=environment)
    assert ("rdp-w2" if name == "published.py" else '"CONVERGED"') in done.stdout


def test_every_hand_mutant_is_one_change_of_the_code_as_it_is():
    for mutant in json.loads((ROOT / "benchmarks" / "mutants.json").read_text()):
        assert (ROOT / mutant["file"]).read_text().count(mutant["old"]) == 1, mutant["kind"]
        for test in mutant["tests"]:
            assert (ROOT / "tests" / test.split("::")[0]).exists(), mutant["kind"]

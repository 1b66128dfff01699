"""`jaxrd sweep --resume`: whatever ends a run, at most one batch is lost and the files are the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jaxrd import _resume, sweep
from jaxrd.cli.app import run

# A child that writes a line to a file at each batch and each distortion that it begins to compute, then waits.
LOGGED = """
import os, signal, sys, time
from jaxrd import _resume
log, wait, *args = sys.argv[1:]
real = _resume.kept
def logged(claimed, kind, key, compute):
    def told():
        with open(log, "a") as file:
            file.write(f"{time.monotonic()} {kind} {key.tobytes().hex()}\\n")
        time.sleep(float(wait))
        return compute()
    return real(claimed, kind, key, told)
_resume.kept = logged
from jaxrd.cli.app import run
sys.exit(run(args))
"""


@pytest.fixture
def problem(tmp_path):
    g = np.random.default_rng(0)
    np.savez(tmp_path / "p.npz", source=g.dirichlet(np.ones(6)), distortion=g.gamma(0.5, size=(6, 6)))
    return tmp_path / "p.npz"


def args_of(problem, out, *options):
    return ["sweep", str(problem), "--slopes", "70", "--at", "0.1", "--out", str(out), *options]


def contents(folder):
    """All files; of the document what does not depend on when and how fast it was computed."""
    held = {path.name: path.read_bytes() for path in folder.iterdir()}
    document = json.loads(held.pop("sweep.json"))
    document["meta"].pop("seconds")
    return held | {"sweep.json": document}


EVENLY = ("--low", "0.2", "--high", "40")


@pytest.mark.parametrize("options", [(), EVENLY, ("--high", "40"), ("--low", "0.2")])
def test_the_same_files_with_and_without_it(problem, tmp_path, options):
    assert run(args_of(problem, tmp_path / "plain", *options)) == 0
    for out in ("first", "again"):
        assert run(args_of(problem, tmp_path / out, *options, "--resume", str(tmp_path / "kept"))) == 0
        assert contents(tmp_path / out) == contents(tmp_path / "plain")
    assert (tmp_path / "kept" / "resume.json").exists()


def test_what_is_kept_is_not_solved_again(problem, tmp_path, monkeypatch):
    args = args_of(problem, tmp_path / "o", "--resume", str(tmp_path / "kept"))
    solved = []

    def counted(problem, slopes, **options):
        solved.append(len(slopes))
        return sweep(problem, slopes, **options)

    monkeypatch.setattr(_resume, "sweep", counted)
    assert run(args) == 0
    assert sum(solved) >= 60  # the zero-rate point is exact, and straight pieces need no solve
    solved.clear()
    monkeypatch.setattr("jaxrd.rate_at", lambda *_: pytest.fail("it is kept"))
    assert run(args) == 0
    assert not solved


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--slopes", "71"), "its slopes is 70 from 0.2 to 40.0, evenly, here 71 from"),
        (("--low", "0.3"), "here 70 from 0.3 to 40.0, evenly"),
        (("--high", "41"), "here 70 from 0.2 to 41.0, evenly"),
        (("--shard", "2/3"), "evenly, shard 2/3"),
        (("--float32",), "its tolerance is 1e-09, here 1e-05; its dtype is float64, here float32"),
        (None, "its problem is another"),
    ],
)
def test_a_folder_of_another_run_is_refused(problem, tmp_path, capsys, options, words):
    args = args_of(problem, tmp_path / "o", "--no-plot", "--resume", str(tmp_path / "kept"), *EVENLY)
    assert run(args) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != problem}
    if options is None:
        np.savez(problem, source=[0.5, 0.5], distortion=1 - np.eye(2))
    assert run([*args, *(options or ())]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'kept'} holds another run: " in error
    assert words in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != problem} == before


def test_another_distortion_may_be_asked_for(problem, tmp_path):
    """Those asked for do not decide the curve."""
    args = args_of(problem, tmp_path / "o", "--no-plot", "--resume", str(tmp_path / "kept"))
    assert run(args) == 0
    held = len(list((tmp_path / "kept").iterdir()))
    assert run([*args, "--at", "0.2"]) == 0
    assert len(list((tmp_path / "kept").iterdir())) == held + 1


def test_one_line_where_the_folder_is_a_file(problem, tmp_path, capsys):
    assert run(args_of(problem, tmp_path / "o", "--resume", str(problem))) == 2
    assert capsys.readouterr().err == f"jaxrd: {problem / 'resume.json'}: Not a directory\n"
    assert not (tmp_path / "o").exists()


def child(tmp_path, args, wait=0.0, script=LOGGED):
    return subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log"), str(wait), *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )  # fmt: skip


def lines(tmp_path):
    """When each computation began, and of what."""
    path = tmp_path / "log"
    return [tuple(line.split(" ", 1)) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_line(tmp_path, process, count=1):
    end = time.monotonic() + 120
    while len(lines(tmp_path)) < count and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def test_killed_while_a_batch_is_written(problem, tmp_path):
    """Between the file under its temporary name and the rename: the batch is lost, no other, and nothing is left."""
    kept = tmp_path / "kept"
    args = args_of(problem, tmp_path / "o", "--resume", str(kept), *EVENLY)
    before_rename = LOGGED.replace(
        "from jaxrd.cli.app",
        "rename, renamed = os.replace, []\n"
        "def replace(a, b):\n"
        "    renamed.append(b)\n"
        "    if len([path for path in renamed if 'slopes-' in str(path)]) == 3:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    rename(a, b)\n"
        "os.replace = replace\n"
        "from jaxrd.cli.app",
        1,
    )
    process = child(tmp_path, args, script=before_rename)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert len(list(kept.glob("slopes-*.npz"))) == 2
    assert list(kept.glob(".jaxrd-*"))
    assert not (tmp_path / "o").exists()
    assert run(args) == 0
    assert not list(kept.glob(".jaxrd-*"))
    assert run(args_of(problem, tmp_path / "plain", *EVENLY)) == 0
    assert contents(tmp_path / "o")["sweep.csv"] == contents(tmp_path / "plain")["sweep.csv"]


def test_ctrl_c_says_that_batches_are_kept(problem, tmp_path):
    script = LOGGED.replace(
        "from jaxrd.cli.app", "from jaxrd.cli import interrupts\ninterrupts.install()\nfrom jaxrd.cli.app"
    )
    args = args_of(problem, tmp_path / "o", "--resume", str(tmp_path / "kept"))
    process = child(tmp_path, args, wait=60, script=script)
    wait_for_line(tmp_path, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    words = b"no results were written; the same command goes on from the steps that --resume has kept"
    assert (process.returncode, err) == (130, b"jaxrd: interrupted; " + words + b"\n")


@pytest.mark.slow  # eleven processes, a minute or so
@pytest.mark.parametrize("options", [EVENLY, ()], ids=["evenly", "where it bends"])
def test_kill_9_at_ten_random_moments(tmp_path, options):
    g = np.random.default_rng(1)
    problem = tmp_path / "p.npz"
    np.savez(problem, source=g.dirichlet(np.ones(60)), distortion=g.gamma(0.5, size=(60, 60)))

    def args(name):
        more = "--slopes", "600", "--at", "0.05", "--at", "0.02"
        return [*args_of(problem, tmp_path / name / "o", *more, *options), "--resume", str(tmp_path / name / "kept")]

    def kept(name):
        folder: Path = tmp_path / name / "kept"
        return {path.name: path.read_bytes() for path in folder.glob("*.npz")}

    whole = child(tmp_path, args("whole"), wait=0.1)
    assert whole.communicate(timeout=300)[1] == b""
    every = [of for _, of in lines(tmp_path)]
    assert len(every) == len(set(every)) == len(kept("whole")) > 20
    (tmp_path / "log").unlink()

    computed = []  # what all processes began to compute
    random = np.random.default_rng(9)
    for count in random.integers(1, 3, 10):  # in or after the first or the second computation of each process
        before = kept("killed")
        process = child(tmp_path, args("killed"), wait=0.1)
        wait_for_line(tmp_path, process, count)
        time.sleep(random.uniform(0, 0.15))
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL  # none was at its end
        begun, after = [of for _, of in lines(tmp_path)], kept("killed")
        (tmp_path / "log").unlink()
        assert before.items() <= after.items()
        assert len(after) - len(before) >= len(begun) - 1  # at most one is lost
        computed += begun
        assert not (tmp_path / "killed" / "o").exists()
    assert 0 < len(kept("killed")) < len(every)
    last = child(tmp_path, args("killed"))
    assert last.communicate(timeout=300)[1] == b""
    computed += [of for _, of in lines(tmp_path)]
    assert set(computed) == set(every)
    assert len(computed) <= len(every) + 10
    assert kept("killed") == kept("whole")
    assert contents(tmp_path / "killed" / "o") == contents(tmp_path / "whole" / "o")

"""Large files on the command line: the progress bar, Ctrl-C, and results equal to those of a file held in memory."""

import io
import json
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from jaxrd.cli import common
from jaxrd.cli.app import run
from jaxrd.io import arrays
from jaxrd.tosc import rows


@pytest.fixture
def folder(tmp_path):
    g = np.random.default_rng(0)
    labels = g.integers(0, 20, 4000)
    (tmp_path / "outputs").mkdir()
    scores = 1.3 * g.standard_normal((4000, 20)) + 3 * np.eye(20)[labels]
    np.save(tmp_path / "outputs" / "logits.npy", scores.astype(np.float16))
    np.save(tmp_path / "outputs" / "labels.npy", labels)
    return tmp_path / "outputs"


def plain(shown):
    """The last picture of a bar, without control codes."""
    return [line for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue()).splitlines() if line.strip()][-1]


def test_the_bar_shows_the_time_left(monkeypatch):
    shown, now = io.StringIO(), [0.0]
    screen = Console(file=shown, force_terminal=True, width=120, get_time=lambda: now[0])
    monkeypatch.setattr(common, "errors", screen)
    monkeypatch.setattr(common, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    with common.progress_bar() as tick:
        for done in range(4):
            tick("TMRD", done, 11)
            now[0] += 60.0  # a slope of a large file may take a minute
        tick("TMRD", 4, 11)
        now[0] += 1.0
    assert re.search(r"TMRD .*4/11.* 0:04:01 .*0:07:00.* left", plain(shown))


def test_work_of_the_same_name_begins_again(monkeypatch):
    shown, now = io.StringIO(), [0.0]
    monkeypatch.setattr(common, "errors", Console(file=shown, force_terminal=True, width=120, get_time=lambda: now[0]))
    monkeypatch.setattr(common, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    with common.progress_bar() as tick:
        for done, total in ((1, 2), (2, 2), (1, 5)):
            now[0] += 10
            tick("S&C", done, total)
        now[0] += 10
    assert re.search(r"S&C .*1/5.* 0:00:10 ", plain(shown))


def test_every_number_is_that_of_memory(folder, tmp_path, monkeypatch):
    asked = ["--at", "0.2", "--at", "0.5", "--slopes", "12", "--no-plot"]
    assert run(["limits", str(folder), *asked, "--out", str(tmp_path / "held")]) == 0
    monkeypatch.setattr(rows, "LARGE", 0)
    monkeypatch.setattr(rows, "_NUMBERS", 10_000)
    monkeypatch.setattr(arrays, "MAPPED", 0)
    assert run(["limits", str(folder), *asked, "--out", str(tmp_path / "streamed")]) == 0
    held, streamed = (json.loads((tmp_path / name / "limits.json").read_text()) for name in ("held", "streamed"))
    for document in (held, streamed):
        del (
            document["meta"]["seconds"],
            document["files"],
        )  # the last digit of a number may change the sum of limits.csv

    def same(one, other):
        if isinstance(one, dict):
            assert one.keys() == other.keys()
            one, other = list(one.values()), list(other.values())
        if isinstance(one, list):
            assert len(one) == len(other)
            for a, b in zip(one, other, strict=True):
                same(a, b)
        elif isinstance(one, float):
            assert abs(one - other) <= 1e-10 * max(1, abs(one))
        else:
            assert one == other

    same(held, streamed)


CHILD = """
import sys
import jaxrd.kernels.streamed as kernel
from jaxrd.cli import main
from jaxrd.io import arrays
from jaxrd.tosc import posterior, rows
rows.LARGE, rows._NUMBERS, arrays.MAPPED, posterior.HELD, posterior._KEPT = 0, 1000, 0, 0, 0
stage, calls = sys.argv.pop(1), []
def told(function):
    def call(*args):
        calls.append(1)
        if len(calls) == 5:
            print("there", flush=True)
        return function(*args)
    return call
if stage == "reading":
    rows.Rows.__getitem__ = told(rows.Rows.__getitem__)
else:
    kernel.StreamedKernel.sums = told(kernel.StreamedKernel.sums)
main()
"""


@pytest.mark.parametrize("stage", ["reading", "solving"])
def test_ctrl_c_leaves_the_folder_as_it_was(folder, tmp_path, stage):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("as it was")
    command = [sys.executable, "-c", CHILD, stage, "limits", str(folder), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "there\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "jaxrd: interrupted; nothing was written\n"
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [("mine.txt", "as it was")]

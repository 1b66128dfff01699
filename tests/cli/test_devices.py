"""The options that share the work: devices of a mesh, and several processes on loopback."""

import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxrd.cli.app import run
from jaxrd.cli.devices import _CHILD, Devices


@pytest.fixture
def file(tmp_path):
    g = np.random.default_rng(0)
    labels, logits = g.integers(0, 4, 300), 2 * g.standard_normal((300, 4))
    logits[np.arange(300), labels] += 2
    np.savez(tmp_path / "outputs.npz", logits=logits, labels=labels)
    return tmp_path / "outputs.npz"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mesh", "2by4"], "--mesh must be two numbers such as 2x4, of slopes and of samples; got '2by4'"),
        (["--mesh", "0x4"], "got '0x4'"),
        (["--mesh", "2x4"], "--mesh 2x4 is of 8 devices; there is 1"),
        (["--distributed", "--processes", "2"], "--distributed finds the processes itself"),
        (["--processes", "2"], "--coordinator, --processes and --process belong together"),
        (["--coordinator", "here", "--processes", "2", "--process", "0"], "must be HOST:PORT; got 'here'"),
        (["--coordinator", "a:1", "--processes", "2", "--process", "2"], "--process must lie in 0..1; got 2"),
    ],
)
def test_what_cannot_be_is_one_line(file, tmp_path, capsys, options, message):
    assert run(["limits", str(file), *options, "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_decisions_have_nothing_to_share(tmp_path, capsys):
    np.savez(tmp_path / "d.npz", predictions=[0, 1, 1, 0], labels=[0, 1, 0, 0])
    assert run(["limits", str(tmp_path / "d.npz"), "--mesh", "1x1", "--out", str(tmp_path / "out")]) == 2
    assert "--mesh 1x1 has no effect: hard decisions have no TMRD" in capsys.readouterr().err


def test_one_device_needs_no_mesh():
    assert Devices(None).chosen(10**9) is None


def command(file, out, *options, devices=1, program=("-m", "jaxrd")):
    flags = f"--xla_force_host_platform_device_count={devices} {os.environ.get('XLA_FLAGS', '')}"
    return subprocess.Popen(
        [sys.executable, *program, "limits", str(file), "--no-plot", "--at", ".3", "--out", str(out), *options],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def by_hand():
    """The options of two processes, but the last: which one it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return "--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--process"


# A process that has met the others, says so in the file `here`, and does no work.
MET = f"""
import os, sys, time
os.environ[{_CHILD!r}] = "1"
from pathlib import Path
from jaxrd.cli.devices import Devices
def chosen(self, entries):
    Path({{here!r}}).touch()
    time.sleep(600)
Devices.chosen = chosen
from jaxrd.cli.app import run
run(sys.argv[1:])
"""
COUNTING = """
import os, sys
import jaxrd.distortion.streamed, jaxrd.tosc.calibration.temperature, jaxrd.tosc.posterior, jaxrd.tosc.rows
rows, count = jaxrd.tosc.rows, [0]
rows.LARGE, rows._NUMBERS = 100, 400
jaxrd.tosc.posterior.HELD = jaxrd.tosc.posterior._KEPT = 10
jaxrd.tosc.posterior._NUMBERS = 800
jaxrd.distortion.streamed._MOST_ROWS = 256
jaxrd.tosc.calibration.temperature._ROWS = 400
stored = rows.Rows._stored
def counted(self, first, last):
    count[0] += last - first
    return stored(self, first, last)
rows.Rows._stored = counted
from jaxrd.cli.app import run
code = run(["limits", *sys.argv[2:], "--no-plot", "--at", ".5"])
open(sys.argv[1], "w").write(str(count[0]))
sys.exit(code)
"""


def counting(folder, name, *options, devices=1):
    """A command that keeps in the file `name` how many rows of scores it read."""
    flags = f"--xla_force_host_platform_device_count={devices} {os.environ.get('XLA_FLAGS', '')}"
    return subprocess.Popen(
        [sys.executable, "-c", COUNTING, str(folder / name), *map(str, options)],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, _CHILD: "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def numbers(out):
    """All of them but those of the run itself."""
    found = json.loads((out / "limits.json").read_text())
    return {key: value for key, value in found.items() if key not in ("meta", "files")}


def furthest(a, b):
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return max((furthest(a[k], b[k]) for k in a), default=0)
    if isinstance(a, list):
        return max((furthest(x, y) for x, y in zip(a, b, strict=True)), default=0)
    if isinstance(a, float):
        return abs(a - b)
    assert a == b
    return 0


@pytest.mark.slow
def test_a_sweep_on_eight_devices(tmp_path):
    """With --resume too, whose folder belongs to the mesh."""
    g = np.random.default_rng(0)
    np.savez(tmp_path / "p.npz", source=g.dirichlet(np.ones(30)), distortion=g.random((30, 20)))
    flags = f"--xla_force_host_platform_device_count=8 {os.environ.get('XLA_FLAGS', '')}"

    def sweep(out, *options):
        return subprocess.run(
            [sys.executable, "-m", "jaxrd", "sweep", str(tmp_path / "p.npz"), "--no-plot", "--at", ".2",
             "--low", "1", "--high", "9", "--slopes", "6", "--out", str(tmp_path / out), *options],
            env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}, capture_output=True, text=True,
        )  # fmt: skip

    kept = "--resume", str(tmp_path / "kept")
    for out, options in (("a", ["--mesh", "1x1"]), ("b", ["--mesh", "2x4"]), ("c", kept)):
        done = sweep(out, *options)
        assert done.returncode == 0, done.stderr
    a, b, c = (json.loads((tmp_path / out / "sweep.json").read_text()) for out in "abc")
    for found in (b, c):
        assert furthest(a["curves"], found["curves"]) <= 1e-12
        assert furthest(a["at"], found["at"]) <= 1e-12
    other = sweep("d", *kept, "--mesh", "2x4")
    assert other.returncode == 2
    assert "its mesh is 8x1, here 2x4" in other.stderr


def test_no_cluster_is_one_line(file, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "OMPI", "PMI", "PMIX"))}
    done = subprocess.run(
        [sys.executable, "-m", "jaxrd", "limits", str(file), "--distributed", "--out", str(tmp_path / "out")],
        env=environment | {"JAX_PLATFORMS": "cpu"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("jaxrd: the processes of this run did not find each other: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
class TestProcesses:
    def test_two_give_what_one_gives(self, file, tmp_path):
        """And the first one alone writes; on eight devices, where nothing is asked, all are used."""
        options = by_hand()
        pair = [command(file, tmp_path / "two", *options, str(i)) for i in range(2)]
        words = [process.communicate(timeout=300) for process in pair]
        assert [process.returncode for process in pair] == [0, 0], words
        assert "wrote" in words[0][0]
        assert "wrote" not in words[1][0]
        for name, mesh, devices in (("one", ["--mesh", "1x2"], 2), ("all", [], 8)):
            alone = command(file, tmp_path / name, *mesh, devices=devices)
            assert alone.wait(timeout=300) == 0, alone.stderr and alone.stderr.read()
        assert furthest(numbers(tmp_path / "two"), numbers(tmp_path / "one")) <= 1e-12
        assert 0 < furthest(numbers(tmp_path / "two"), numbers(tmp_path / "all")) <= 1e-9  # other sums

    def test_each_reads_its_own_rows(self, tmp_path):
        """Of outputs that are read a block at a time, in every pass; all numbers are those of one process."""
        g = np.random.default_rng(3)
        np.save(tmp_path / "z.npy", g.normal(size=(3000, 4)))
        np.save(tmp_path / "y.npy", g.integers(4, size=3000))
        options = str(tmp_path / "z.npy"), "--labels", str(tmp_path / "y.npy")
        each = by_hand()
        pair = [counting(tmp_path, f"rows{i}", *options, "--out", tmp_path / "two", *each, i) for i in range(2)]
        words = [process.communicate(timeout=300) for process in pair]
        assert [process.returncode for process in pair] == [0, 0], words
        alone = counting(tmp_path, "rows", *options, "--out", tmp_path / "one", "--mesh", "1x2", devices=2)
        _, err = alone.communicate(timeout=300)
        assert alone.returncode == 0, err
        assert furthest(numbers(tmp_path / "two"), numbers(tmp_path / "one")) <= 1e-12
        one, *two = (int((tmp_path / name).read_text()) for name in ("rows", "rows0", "rows1"))
        assert one > 20 * 3000
        assert max(two) <= 0.55 * one

    @pytest.mark.parametrize("lost", [0, 1])
    def test_one_is_killed(self, file, tmp_path, lost):
        """When both have met, and the other one waits for it."""
        here, options = tmp_path / "here", by_hand()
        programs = [("-m", "jaxrd"), ("-m", "jaxrd")]
        programs[lost] = "-c", MET.format(here=str(here))
        pair = [command(file, tmp_path / "out", *options, str(i), program=programs[i]) for i in range(2)]
        try:
            deadline = time.monotonic() + 120
            while not here.exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(2)
            pair[lost].kill()
            killed = time.monotonic()
            _, err = pair[1 - lost].communicate(timeout=90)
            assert time.monotonic() - killed < 60
        finally:
            for process in pair:
                process.kill()
        assert pair[1 - lost].returncode == 2
        assert err == "jaxrd: a process of this run was lost; nothing is half-written\n"
        assert not (tmp_path / "out").exists()

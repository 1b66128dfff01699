"""What a run writes: never over what it reads, all of it or none, and told apart from what a killed run left."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from jaxrd.cli.app import run
from jaxrd.errors import InputError
from jaxrd.io import differing, save, save_all
from jaxrd.io.save import check_target

HEAD = {"schema": "jaxrd.test/1"}


def saved(folder, mark, names=("x.csv", "x.png")):
    return save_all(folder, [(name, mark.encode()) for name in names], ("x.json", HEAD | {"mark": mark}))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_of_a_file_s_name_is_left_alone(tmp_path):
    """Whoever saves without check_target: it would be renamed aside, and deleted with what it was renamed into."""
    (tmp_path / "x.csv").mkdir()
    (tmp_path / "x.csv" / "mine").write_text("kept")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        saved(tmp_path, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
    assert (tmp_path / "x.csv" / "mine").read_text() == "kept"


def test_one_file_is_replaced_in_one_step(tmp_path, monkeypatch):
    """So that there is no moment without it."""
    steps, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append(b), replace(a, b)))
    for mark in (b"old", b"new"):
        save_all(tmp_path, [("x.csv", mark)])
    assert steps == [tmp_path / "x.csv"] * 2
    assert content(tmp_path) == {"x.csv": b"new"}


def test_folders_are_made_and_those_that_are_there_serve(tmp_path):
    for mark in ("old", "new"):
        written = saved(tmp_path / "a" / "b", mark)
        assert [path.name for path in written] == ["x.json", "x.csv", "x.png"]
        assert (tmp_path / "a" / "b" / "x.csv").read_text() == mark


@pytest.mark.parametrize(("before", "ours"), [(0, True), (200 - 17, True), (200 - 16, False)])
def test_a_document_is_known_by_the_schema_in_its_first_200_bytes(tmp_path, before, ours):
    (tmp_path / "x.json").write_bytes(b" " * before + b'"schema": "jaxrd.test/1"')
    if ours:
        check_target(tmp_path, [], document="x.json")
    else:
        with pytest.raises(InputError, match="is no result of jaxrd's"):
            check_target(tmp_path, [], document="x.json")


def test_what_a_killed_run_left_and_cannot_be_removed_is_in_nobody_s_way(tmp_path, monkeypatch):
    (tmp_path / ".jaxrd-left").mkdir()
    (tmp_path / ".jaxrd-left" / "stuck").write_text("x")
    unlink = os.unlink

    def refuse(path, **more):
        if str(path).endswith("stuck"):
            raise PermissionError("stuck")
        unlink(path, **more)

    monkeypatch.setattr(os, "unlink", refuse)
    saved(tmp_path, "new")
    assert (tmp_path / "x.csv").read_text() == "new"
    monkeypatch.undo()
    saved(tmp_path, "newer")
    assert not (tmp_path / ".jaxrd-left").exists()


class TestOverwriting:
    @pytest.fixture
    def csv(self, tmp_path):
        path = tmp_path / "limits.csv"
        path.write_text("class_0,class_1,label\n" + "0.9,0.1,0\n0.2,0.8,1\n" * 10)
        return path

    def refused(self, capsys, *args):
        assert run([str(a) for a in args]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert re.search("would replace .*, which is read; pass another --out", err)

    def test_limits(self, csv, tmp_path, capsys):
        before = csv.read_bytes()
        (tmp_path / "link").symlink_to(tmp_path)
        (tmp_path / "in.csv").symlink_to(csv)
        os.link(csv, tmp_path / "hard.csv")
        for file, out in ((csv, tmp_path), (csv, tmp_path / "link"), ("in.csv", tmp_path), ("hard.csv", tmp_path)):
            self.refused(capsys, "limits", tmp_path / file, "--out", out)
        assert csv.read_bytes() == before

    def test_a_link_in_the_folder(self, csv, tmp_path, capsys):
        (tmp_path / "o").mkdir()
        (tmp_path / "o" / "limits.json").symlink_to(csv)
        self.refused(capsys, "limits", csv, "--out", tmp_path / "o")
        assert (tmp_path / "o" / "limits.json").is_symlink()

    def test_labels_and_files_with_pixels(self, csv, tmp_path, capsys):
        (tmp_path / "ord.json").write_text(json.dumps([{"label": 0}, {"label": 1}] * 10))
        args = ["limits", csv, "--labels", tmp_path / "ord.json", "--out", tmp_path / "o", "--pixels", "4"]
        (tmp_path / "o").mkdir()
        os.link(tmp_path / "ord.json", tmp_path / "o" / "ord.json")
        self.refused(capsys, *args)

    def test_the_json_beside_a_stream(self, tmp_path, capsys):
        rows = [{"class_0": 0.9, "class_1": 0.1, "label": 0}, {"class_0": 0.2, "class_1": 0.8, "label": 1}] * 5
        (tmp_path / "preds.json").write_text(json.dumps(rows))
        args = ["encode", tmp_path / "preds.json", "--slope", 2, "--out", tmp_path / "preds.jrd"]
        self.refused(capsys, *args)
        assert json.loads((tmp_path / "preds.json").read_text()) == rows
        # Nor a json that is not read, but whose name was never typed.
        (tmp_path / "other.npz").symlink_to(tmp_path / "preds.json")
        assert run([str(a) for a in ["encode", tmp_path / "other.npz", *args[2:]]]) == 2
        (tmp_path / "other.npz").unlink()
        np.savez(tmp_path / "other.npz", probs=np.full((4, 2), 0.5), labels=np.arange(4) % 2)
        capsys.readouterr()
        assert run([str(a) for a in ["encode", tmp_path / "other.npz", *args[2:]]]) == 2
        assert "preds.json is there and is no result of jaxrd's" in capsys.readouterr().err
        assert json.loads((tmp_path / "preds.json").read_text()) == rows

    def test_other_verbs(self, tmp_path, capsys):
        problem = tmp_path / "in.npz"
        np.savez(problem, source=[0.5, 0.5], distortion=1 - np.eye(2), labels=np.eye(2))
        for verb in ("sweep", "rdc"):
            (tmp_path / f"{verb}.csv").symlink_to(problem)
            self.refused(capsys, verb, problem, "--out", tmp_path)
        (tmp_path / "a.npy").write_bytes(b"JRD1")
        self.refused(capsys, "decode", tmp_path / "a.npy", "--out", tmp_path / "a.npy")
        self.refused(capsys, "codec", "decode", "x.jrc", "--model", tmp_path / "a.npy", "--out", tmp_path / "a.npy")
        (tmp_path / "i.json").symlink_to(problem)
        self.refused(capsys, "codec", "encode", problem, "--model", "m.npz", "--out", tmp_path / "i.jrc")
        (tmp_path / "i.jrc").symlink_to(problem)
        self.refused(capsys, "codec", "encode", "i.npy", "--model", problem, "--out", tmp_path / "i.jrc")
        assert set(np.load(problem)) == {"source", "distortion", "labels"}

    def test_what_reproduce_reads(self, tmp_path, capsys):
        points = tmp_path / "tosc-fig4.csv"
        points.write_text("bpp,accuracy\n0.1,0.5\n")
        self.refused(capsys, "reproduce", "tosc-fig4", "--codec", points, "--out", tmp_path)
        assert points.read_text() == "bpp,accuracy\n0.1,0.5\n"

    def test_folders_and_what_is_not_there(self, tmp_path):
        np.save(tmp_path / "scores.npy", np.eye(2))
        saved(tmp_path, "a")
        with pytest.raises(InputError, match=r"x\.csv is a file; results are written to a folder"):
            check_target(tmp_path / "x.csv", ["new.csv"])
        check_target(tmp_path, ["x.csv", "new.csv"], [tmp_path, None, tmp_path / "missing"], document="x.json")
        with pytest.raises(InputError, match="would replace"):
            check_target(tmp_path, ["scores.npy"], [tmp_path])
        (tmp_path / "y.csv").mkdir()
        with pytest.raises(IsADirectoryError):
            check_target(tmp_path, ["y.csv"])


class TestAllOrNone:
    def test_the_document_lists_what_lies_beside_it(self, tmp_path):
        written = saved(tmp_path / "o", "a")
        assert [path.name for path in written] == ["x.json", "x.csv", "x.png"]
        assert set(content(tmp_path / "o")) == {"x.json", "x.csv", "x.png"}
        assert differing(written[0]) == []
        written[1].write_bytes(b"b")
        written[2].unlink()
        assert differing(written[0]) == ["x.csv", "x.png"]
        for text in ("{}", "[]", "{", '{"files": 3}'):
            written[0].write_text(text)
            with pytest.raises(InputError, match="lists no files"):
                differing(written[0])

    def test_killed_between_renames(self, tmp_path):
        """At whatever rename: either the old files, or no document, or the new files."""
        script = (
            "import os, signal, sys\nfrom jaxrd.io import save_all\n"
            "folder, most = __import__('pathlib').Path(sys.argv[1]), int(sys.argv[2])\nreal = os.replace\n"
            "def replace(a, b):\n    global most\n    most -= 1\n"
            "    if most < 0:\n        os.kill(os.getpid(), signal.SIGKILL)\n    real(a, b)\n"
            "os.replace = replace\n"
            "for most in range(7):\n    if os.fork() == 0:\n"
            "        save_all(folder / str(most), [('x.csv', b'new'), ('x.png', b'new')],"
            " ('x.json', {'schema': 'jaxrd.test/1', 'mark': 'new'}))\n        os._exit(0)\n    os.wait()\n"
        )
        for k in range(7):
            saved(tmp_path / str(k), "old")
        subprocess.run([sys.executable, "-c", script, str(tmp_path), "0"], check=True)
        states = []
        for k in range(7):
            folder = tmp_path / str(k)
            if not (folder / "x.json").exists():
                states.append("none")
                assert len([*folder.glob(".jaxrd-*")]) == 1
            else:
                assert differing(folder / "x.json") == []
                states.append(json.loads((folder / "x.json").read_text())["mark"])
            saved(folder, "next")  # what was killed is cleared away
            assert set(content(folder)) == {"x.json", "x.csv", "x.png"}
            assert differing(folder / "x.json") == []
        assert states == ["old", "none", "none", "none", "none", "none", "new"]

    def test_a_failing_rename_puts_all_back(self, tmp_path, monkeypatch):
        saved(tmp_path, "old")
        before, real, left = content(tmp_path), os.replace, 4

        def replace(a, b):
            nonlocal left
            left -= 1
            if left == -1:
                raise PermissionError(1, "not permitted", str(b))
            real(a, b)

        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(PermissionError):
            saved(tmp_path, "new", ("x.csv", "x.png", "more.csv"))
        assert left < -1
        assert content(tmp_path) == before

    def test_two_at_once_do_not_mix(self, tmp_path, monkeypatch):
        real = os.replace
        monkeypatch.setattr(os, "replace", lambda a, b: (time.sleep(0.002), real(a, b)))
        marks = [str(k) for k in range(8)]
        threads = [threading.Thread(target=saved, args=(tmp_path, mark)) for mark in marks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = content(tmp_path)
        assert set(found) == {"x.json", "x.csv", "x.png"}
        assert found["x.csv"].decode() == found["x.png"].decode() == json.loads(found["x.json"])["mark"]
        assert differing(tmp_path / "x.json") == []

    def test_one_that_does_not_end_is_told_in_a_line(self, tmp_path, monkeypatch):
        import fcntl

        monkeypatch.setattr(save, "_PATIENCE", 0.0)
        handle = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run is writing to"):
            saved(tmp_path, "a")
        os.close(handle)
        assert content(tmp_path) == {}
        saved(tmp_path, "a")

    def test_one_that_ends_soon_is_waited_for(self, tmp_path):
        import fcntl

        handle = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        threading.Timer(0.3, os.close, (handle,)).start()
        began = time.monotonic()
        saved(tmp_path, "a")
        assert time.monotonic() - began > 0.25

    def test_no_locks_to_be_had(self, tmp_path, monkeypatch):
        import fcntl

        def none(*_):
            raise OSError(95, "not supported")

        monkeypatch.setattr(fcntl, "flock", none)
        assert len(saved(tmp_path, "a")) == 3

    @pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
    def test_the_umask_decides_who_may_read(self, tmp_path, mask, mode):
        before = os.umask(mask)
        try:
            written = saved(tmp_path / "o", "a")
        finally:
            os.umask(before)
        assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {mode}
        assert stat.S_IMODE((tmp_path / "o").stat().st_mode) == 0o777 & ~mask

    def test_names_are_flushed_in_order(self, tmp_path, monkeypatch):
        """The old document is gone before files change, and these are there before the new one."""
        saved(tmp_path, "old")
        steps, replace = [], os.replace
        monkeypatch.setattr(os, "replace", lambda a, b: (steps.append(Path(b).name), replace(a, b)))
        monkeypatch.setattr(os, "fsync", lambda handle: steps.append("content"))
        monkeypatch.setattr(save, "_flush", lambda folder: steps.append("names"))
        saved(tmp_path, "new")
        old, new = ["x.json", "names", "x.png", "x.csv"], ["x.csv", "x.png", "names", "x.json", "names"]
        assert steps == ["content"] * 3 + old + new


class TestInterrupts:
    """Ctrl-C while files are written: all of them, and the words are true."""

    SCRIPT = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom jaxrd.cli import interrupts\n"
        "interrupts.install()\nfrom jaxrd.cli.common import write\n"
        "def hurt(f):\n    def g(*a):\n        signal.raise_signal(signal.SIGINT)\n        return f(*a)\n    return g\n"
        "if sys.argv[2] == 'replace':\n    os.replace = hurt(os.replace)\n"
        "if sys.argv[2] == 'full':\n"
        "    def fsync(_):\n        signal.raise_signal(signal.SIGINT)\n        raise OSError(28, 'full')\n"
        "    os.fsync = fsync\n"
        "write(Path(sys.argv[1]), [('x.csv', b'new')], ('x.json', {'schema': 'jaxrd.test/1'}))\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )

    @pytest.mark.parametrize(
        ("when", "words", "there"),
        [
            ("replace", "the results were written before", {"x.json", "x.csv"}),
            ("after", "the results were written before", {"x.json", "x.csv"}),
            ("full", "nothing was written", set()),
        ],
    )
    def test_words(self, tmp_path, when, words, there):
        command = [sys.executable, "-c", self.SCRIPT, str(tmp_path), when]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 130, done.stderr
        assert done.stderr == f"jaxrd: interrupted; {words}\n"
        assert set(content(tmp_path)) == there

    def test_a_handler_of_somebody_else_stays(self, tmp_path):
        from jaxrd.cli.common import write

        calls = []
        before = signal.signal(signal.SIGINT, handler := lambda *_: calls.append(1))
        try:
            write(tmp_path, [("x.csv", b"a")])
            assert signal.getsignal(signal.SIGINT) is handler
        finally:
            signal.signal(signal.SIGINT, before)
        assert not calls

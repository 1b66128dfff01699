"""`jaxrd tasks` as a user meets it."""

import csv
import json

import numpy as np
import pytest

from jaxrd.cli.app import run
from jaxrd.information import NATS_PER_BIT
from jaxrd.tosc import from_scores, joint_limits, losses
from jaxrd.tosc.tasks import optimum

KEYS = ["distortion", "joint_bits", "alone_bits", "sum_bits", "saving_bits", "gap_bits", "status"]


def informative(seed, classes, labels=None):
    g = np.random.default_rng(seed)
    z = 3 * g.normal(size=(60, classes))
    if labels is not None:
        z[np.arange(60), labels] += 1.5
    return z, (z / 1.5 + g.gumbel(size=z.shape)).argmax(1) if labels is None else labels


LOGITS, LABELS = informative(0, 3)
OTHER, _ = informative(1, 3, LABELS)


@pytest.fixture
def files(tmp_path):
    np.savez(tmp_path / "a.npz", logits=LOGITS, labels=LABELS)
    np.savez(tmp_path / "b.npz", logits=OTHER, labels=LABELS)
    np.savez(tmp_path / "turned.npz", logits=OTHER[::-1], labels=LABELS[::-1])
    np.savez(tmp_path / "short.npz", logits=LOGITS[:40], labels=LABELS[:40])
    np.savez(tmp_path / "hard.npz", predictions=LABELS, labels=LABELS)
    (tmp_path / "coarse.csv").write_text("0\n0\n1\n")
    return tmp_path


def ran(folder, *args, file="a.npz", code=0, out="out"):
    words = [str(folder / word) if word.endswith(".npz") else word for word in args]
    words = [word.replace("superclass:", f"superclass:{folder}/") for word in words]
    assert run(["tasks", str(folder / file), *words, "--out", str(folder / out)]) == code
    path = folder / out / "tasks.json"
    return json.loads(path.read_text(), parse_constant=lambda c: pytest.fail(f"{c} in JSON")) if code < 2 else None


PAIR = ("--loss", "zero-one", "--loss", "superclass:coarse.csv", "--temperature", "1")
QUICK = (*PAIR, "--no-plot")


def test_writes_json_csv_and_png(files, capsys):
    document = ran(files, *PAIR, "--at", "0.3,0.15", "--at", "0.01,inf", "--grid", "3")
    assert sorted(p.name for p in (files / "out").iterdir()) == ["tasks.csv", "tasks.json", "tasks.png"]
    assert document["schema"] == "jaxrd.tasks/1"
    assert [task["loss"] for task in document["tasks"]] == ["zero-one", "superclass:coarse.csv"]
    assert [task["actions"] for task in document["tasks"]] == [3, 2]
    assert document["meta"]["sha256"] == document["tasks"][0]["sha256"]
    assert document["samples"] == document["samples_total"] == 60
    row, beyond = document["rows"]
    assert list(row)[: len(KEYS)] == KEYS
    outputs = from_scores(LOGITS, LABELS)
    tasks = [(outputs, losses.zero_one(3)), (outputs, losses.superclass([0, 0, 1]))]
    found = joint_limits(tasks, at=[(0.3, 0.15)], temperature=1.0)
    assert row["joint_bits"] == pytest.approx(found.rate[0] / NATS_PER_BIT, abs=1e-8)
    assert row["alone_bits"] == pytest.approx(found.alone[0] / NATS_PER_BIT, abs=1e-8)
    assert row["saving_bits"] == pytest.approx(row["sum_bits"] - row["joint_bits"], abs=1e-12)
    assert row["label_distortion"] == pytest.approx(found.measured[0], abs=1e-5)
    assert row["status"] == "CONVERGED"
    assert beyond["joint_bits"] is None
    assert beyond["status"] == "INFEASIBLE"
    assert beyond["distortion"] == [0.01, None]
    assert len(document["surface"]) == 9
    assert (files / "out" / "tasks.png").read_bytes().startswith(b"\x89PNG")
    table = list(csv.DictReader((files / "out" / "tasks.csv").open()))
    assert [line["curve"] for line in table] == ["at"] * 2 + ["surface"] * 9
    assert float(table[0]["alone_bits_2"]) == row["alone_bits"][1]
    printed = capsys.readouterr().out
    assert f"{row['joint_bits']:.4f}" in printed
    assert "beyond" in printed
    assert "plug-in estimates" in printed
    assert max(map(len, printed.split("\n")[3:])) < 400


def test_limits_nobody_asked_for(files):
    document = ran(files, *QUICK)
    assert len(document["rows"]) == 9
    assert document["surface"] == []
    assert not (files / "out" / "tasks.png").exists()
    assert len(ran(files, *QUICK, "--loss", "zero-one", out="three")["rows"]) == 3


def test_every_option_counts(files):
    at = ("--at", "0.42,0.25", "--no-plot")
    base = ran(files, *QUICK, *at)["rows"][0]["joint_bits"]
    assert ran(files, *QUICK, "--at", "0.4,0.2", out="at")["rows"][0]["joint_bits"] > base + 0.01
    warm = ran(files, *PAIR[:4], "--temperature", "1.5", *at, out="warm")
    assert warm["rows"][0]["joint_bits"] > base + 0.01
    assert warm["tasks"][0]["temperature"] == 1.5
    fitted = ran(files, *PAIR[:4], "--at", "0.5,0.33", "--no-plot", out="fitted")
    assert fitted["samples"] == 30
    again = ran(files, *PAIR[:4], "--at", "0.5,0.33", "--no-plot", "--seed", "1", out="seed")
    assert fitted["tasks"][0]["temperature"] != again["tasks"][0]["temperature"]
    top = ran(files, "--loss", "top2", *QUICK[2:], "--at", "0.2,0.25", out="top")
    assert top["tasks"][0]["loss"] == "top2"
    assert len(ran(files, *PAIR, "--at", "0.4,0.3", "--grid", "2", out="grid")["surface"]) == 4


def test_how_files_are_read(files):
    at = ("--at", "0.42,0.25")
    base = ran(files, *QUICK, *at)["rows"][0]
    np.savez(files / "many.npz", one=LOGITS, two=OTHER, y=LABELS, z=LABELS[::-1])
    np.save(files / "y.npy", LABELS + 1)
    args = ("--scores", "one", "--label-column", "y")
    assert ran(files, *QUICK, *at, *args, file="many.npz", out="one")["rows"][0] == base
    other = ran(files, *QUICK, *at, "--scores", "one", "--label-column", "z", file="many.npz", out="z")["rows"][0]
    assert other["joint_bits"] == base["joint_bits"]
    assert other["label_distortion"] != base["label_distortion"]
    assert (
        ran(files, *QUICK, *at, "--scores", "two", "--label-column", "y", file="many.npz", out="two")["rows"][0] != base
    )
    np.savez(files / "bare.npz", logits=LOGITS)
    labels = ("--labels", str(files / "y.npy"), "--first-label", "1")
    assert ran(files, *QUICK, *at, *labels, file="bare.npz", out="bare")["rows"][0] == base
    np.savetxt(files / "w.txt", np.arange(60) % 3)
    heavy = ran(files, *QUICK, *at, "--weights", str(files / "w.txt"), out="heavy")
    assert heavy["samples"] == 40
    np.savez(files / "weighted.npz", logits=LOGITS, labels=LABELS, weights=np.arange(60) % 3)
    assert ran(files, *QUICK, *at, file="weighted.npz", out="held")["rows"] == heavy["rows"]
    np.savez(files / "positive.npz", x=np.exp(LOGITS), labels=LABELS)
    read = ("--scores", "x", "--probabilities")
    row = ran(files, *QUICK, *at, *read, file="positive.npz", out="p")["rows"][0]
    assert row["joint_bits"] == pytest.approx(base["joint_bits"], abs=1e-6)


def test_several_files(files):
    at = ("--temperature", "1", "--at", "0.35,0.3", "--no-plot")
    both = ran(files, "b.npz", *at)
    assert [task["file"] for task in both["tasks"]] == ["a.npz", "b.npz"]
    assert [task["loss"] for task in both["tasks"]] == ["zero-one", "zero-one"]
    assert both["meta"]["sha256"] is None
    assert both["tasks"][0]["sha256"] != both["tasks"][1]["sha256"]
    row = both["rows"][0]
    assert max(row["alone_bits"]) - 1e-8 <= row["joint_bits"] <= row["sum_bits"] + 1e-8
    same = ran(files, "b.npz", "--loss", "zero-one", *at, out="same")
    assert same["rows"] == both["rows"]
    each = ran(files, "b.npz", "--loss", "zero-one", "--loss", "superclass:coarse.csv", *at, out="each")
    assert [task["actions"] for task in each["tasks"]] == [3, 2]
    two = ran(files, "b.npz", *at, "--temperature", "1.2", out="temperatures")
    assert [task["temperature"] for task in two["tasks"]] == [1.0, 1.2]
    other = ran(files, "turned.npz", *at, "--different-labels", out="different")
    assert other["rows"][0]["joint_bits"] != row["joint_bits"]


REFUSED = {
    "one loss": (["--loss", "zero-one"], "one file needs two tasks or more"),
    "losses for files": (["b.npz", *["--loss", "zero-one"] * 3], "2 files take one --loss, or one each; got 3"),
    "no such loss": (["--loss", "zero-one", "--loss", "nothing"], "no loss 'nothing'"),
    "one limit": ([*QUICK, "--at", "0.3"], "--at must be D1,D2, each >= 0 or inf; got '0.3'"),
    "a word": ([*QUICK, "--at", "0.3,x"], "got '0.3,x'"),
    "a negative limit": ([*QUICK, "--at", "-0.3,0.1"], "got '-0.3,0.1'"),
    "a temperature": ([*PAIR[:4], "--temperature", "0"], "--temperature must be a positive number; got 0"),
    "temperatures": ([*PAIR, "--temperature", "2"], "--temperature must be given once, or once for each of 1 files"),
    "a seed": ([*QUICK, "--seed", "1"], "--seed 1 has no effect"),
    "a negative seed": ([*PAIR[:4], "--seed", "-1"], "--seed must be >= 0; got -1"),
    "a grid": ([*PAIR, "--grid", "1"], "--grid must lie in 2..50; got 1"),
    "a grid of nothing": ([*QUICK, "--grid", "4"], "--grid 4 has no effect"),
    "a grid of three": ([*PAIR, "--loss", "zero-one", "--grid", "4"], "--grid 4 has no effect"),
    "one file's labels": ([*QUICK, "--different-labels"], "--different-labels has no effect"),
    "other samples": (["short.npz"], "short.npz has 40 samples, a.npz 60"),
    "rows in another order": (["turned.npz"], "turned.npz and a.npz have different labels at"),
    "hard decisions": (["hard.npz"], "hard.npz has hard decisions only"),
    "no file": (["none.npz"], "none.npz"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(files, name, capsys):
    args, message = REFUSED[name]
    ran(files, *args, code=2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (files / "out").exists()


def test_what_is_not_certified_says_so(files, monkeypatch, capsys):
    monkeypatch.setattr(optimum, "_ROUNDS", 1)
    monkeypatch.setattr(optimum, "_STEPS", 0)
    document = ran(files, *PAIR, "--at", "0.3,0.15", "--grid", "3", code=1)
    row = document["rows"][0]
    assert row["status"] == "STALLED"
    assert row["gap_bits"] > 1e-3
    assert "not certified at" in capsys.readouterr().err

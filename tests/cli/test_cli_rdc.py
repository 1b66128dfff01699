"""`jaxrd rdc` as a user meets it."""

import csv
import json

import numpy as np
import pytest

from jaxrd import Problem
from jaxrd.cli.app import run
from jaxrd.errors import InputError
from jaxrd.io.labelled import read_labelled
from jaxrd.rdc import lifted_rate
from jaxrd.rdc.lifted.certificate import bound

BIT = float(np.log(2))

SOURCE = np.array([0.5, 0.3, 0.2])
LABELS = np.array([[0.95, 0.05], [0.5, 0.5], [0.1, 0.9]])
CLASSIFIER = np.array([[0.9, 0.1], [0.5, 0.5], [0.15, 0.85]])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "three.npz"
    np.savez(path, source=SOURCE, distortion=1 - np.eye(3), labels=LABELS, classifier=CLASSIFIER)
    return path


def load(folder):
    return json.loads((folder / "rdc.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))


def test_writes_json_csv_and_png(file, tmp_path, capsys):
    out = tmp_path / "out"
    c = f"{0.5 / BIT!r}"  # half a nat, written in bits
    args = ["--at", f"0.2,{c}", "--at", "0.2,inf", "--at", "inf,0.1", "--universal", f"0.2,inf;inf,{c}"]
    assert run(["rdc", str(file), *args, "--surface", "4", "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["rdc.csv", "rdc.json", "rdc.png"]
    document = load(out)
    assert document["schema"] == "jaxrd.rdc/2"
    assert document["name"] == "three.npz"
    assert document["semantics"] == "lifted"
    assert len(document["meta"]["sha256"]) == 64
    rows = document["at"]
    assert (len(rows), len(document["surface"])) == (3, 16)
    assert all(row["semantics"] == "lifted" for row in [*rows, *document["surface"]])
    assert rows[0]["classification_bits"] == pytest.approx(0.5 / BIT)
    assert rows[0]["rate_bits"] == pytest.approx(0.41778326244 / BIT, abs=1e-9)
    assert rows[0]["lower_bits"] == pytest.approx(0.41778326244 / BIT, abs=1e-9)
    slope = (lifted_rate(Problem(SOURCE, 1 - np.eye(3)), LABELS, 0.2, 0.5)).distortion_slope
    assert rows[0]["distortion_slope_bits"] == pytest.approx(slope / BIT)
    assert rows[1]["classification_bits"] is None
    assert rows[2] == {
        "distortion": None, "classification_bits": 0.1, "semantics": "lifted", "rate_bits": None, "lower_bits": None,
        "status": "INFEASIBLE", "distortion_slope_bits": None,
    }  # fmt: skip
    assert document["universal"]["rate_bits"] == pytest.approx(0.41778326244 / BIT, abs=1e-9)
    assert document["universal"]["penalty_bits"] == pytest.approx(0.02716210802 / BIT, abs=1e-8)
    assert document["universal"]["targets"][1] == {"distortion": None, "classification_bits": float(c)}
    entropy = -(0.645 * np.log2(0.645) + 0.355 * np.log2(0.355))  # H(S)
    assert document["summary"]["silent_classification_bits"] == pytest.approx(entropy)
    assert not [name for row in rows for name in row if name.endswith("_nats")]
    assert document["summary"]["least_distortion"] == 0
    assert (out / "rdc.png").read_bytes().startswith(b"\x89PNG")
    table = list(csv.DictReader((out / "rdc.csv").open()))
    assert len(table) == 19
    assert {row["curve"] for row in table} == {"at", "surface"}
    printed = capsys.readouterr().out
    assert "soft label; certified" in printed
    assert "infeasible" in printed
    assert "0.602734" in printed  # bits
    assert "0.039187 more than the dearest pair" in printed


@pytest.mark.slow
@pytest.mark.parametrize("semantics", ["literal", "time-shared", "fixed"])
def test_other_semantics(file, tmp_path, semantics, capsys):
    out = tmp_path / "out"
    c = repr(0.5 / BIT)
    args = ["--at", f"0.25,{c}", "--universal", f"0.25,{c};0.25,inf", "--surface", "0", "--semantics", semantics]
    assert run(["rdc", str(file), *args, "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["rdc.csv", "rdc.json"]
    document = load(out)
    (row,) = document["at"]
    assert row["semantics"] == document["semantics"] == semantics
    lifted = lifted_rate(Problem(SOURCE, 1 - np.eye(3)), LABELS, 0.25, 0.5)
    assert row["rate_bits"] * BIT >= lifted.lower - 1e-12
    assert row["status"] in ("CONVERGED", "ACHIEVABLE")
    together, printed = document["universal"], capsys.readouterr().out
    assert together["semantics"] == semantics
    if semantics == "fixed":
        assert row["rate_bits"] * BIT == pytest.approx(0.37952342974, abs=1e-8)
        assert together["rate_bits"] * BIT == pytest.approx(0.37952342974, abs=1e-8)
        assert together["penalty_bits"] == pytest.approx(0, abs=1e-8)
    else:
        assert together["status"] == "ACHIEVABLE"
        assert together["lower_bits"] < together["rate_bits"]
        assert "one encoder for all pairs: between" in printed
    assert document["meaning"] in printed


@pytest.mark.parametrize("semantics", ["lifted", "literal", "time-shared"])
def test_the_seed_reaches_the_solver(file, tmp_path, monkeypatch, semantics, capsys):
    def solver(*args, seed):
        raise InputError(f"begun with seed {seed}")

    name = {"lifted": "lifted_rate", "literal": "literal_rate", "time-shared": "time_shared_rate"}[semantics]
    monkeypatch.setattr(f"jaxrd.rdc.{name}", solver)
    args = ["rdc", str(file), "--semantics", semantics, "--at", "0.2,0.5", "--surface", "0", "--out", str(tmp_path)]
    for options, seed in ((["--seed", "7"], 7), ([], 0)):
        assert run([*args, *options]) == 2
        assert f"begun with seed {seed}" in capsys.readouterr().err


def test_the_embedded_example(tmp_path, capsys):
    assert run(["rdc", "--surface", "3", "--no-plot", "--out", str(tmp_path)]) == 0
    document = load(tmp_path)
    assert document["summary"]["source_letters"] == 16
    assert {row["status"] for row in document["surface"]} == {"CONVERGED"}
    rates = [row["rate_bits"] for row in document["surface"]]
    assert rates[0] == pytest.approx(max(rates))
    assert rates[-1] == pytest.approx(0, abs=1e-8)
    assert not (tmp_path / "rdc.png").exists()
    assert "MNIST" in capsys.readouterr().out


def test_what_is_not_certified_ends_with_1(tmp_path, capsys, monkeypatch):
    def short(*args, **options):  # the search for a certificate ends early
        return bound(*args, **options | {"max_cells": 10})

    monkeypatch.setattr("jaxrd.rdc.lifted.columns.bound", short)
    g = np.random.default_rng(0)
    x = g.standard_normal(12)
    path = tmp_path / "ten.npz"
    labels = g.dirichlet(np.full(10, 0.2), 12)
    np.savez(path, source=np.full(12, 1 / 12), distortion=(x[:, None] - x) ** 2, labels=labels)
    entropy = -np.where(labels > 0, labels * np.log(np.where(labels > 0, labels, 1)), 0).sum(1).mean()
    args = ["--at", f"1,{(entropy + 0.1) / BIT}", "--surface", "0", "--out", str(tmp_path)]
    assert run(["rdc", str(path), *args]) == 1
    (row,) = load(tmp_path)["at"]
    assert row["status"] == "MAX_STEPS"
    assert 0 < row["lower_bits"] < row["rate_bits"]
    assert "not certified at 1 points, widest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--at", "0.1"], "--at must be D,C (D,C1,C2,... for several labels), numbers or inf; got '0.1'"),
        (["--at", "0.1,x"], "got '0.1,x'"),
        (["--at", "0.2,-1"], "--at must have C >= 0; got targets 0.2,-1"),
        (["--at", "0.2,1,1"], "--at must be D,C: the file has 1 label(s); got targets 0.2,1,1"),
        (["--least", "0.5,least"], "--least must be R,least,C or R,D,least"),
        (["--least", "0.5,0.2,0.3"], "got '0.5,0.2,0.3'"),
        (["--least", "0.5,least,least"], "got '0.5,least,least'"),
        (["--least", "least,0.5,0.3"], "got 'least,0.5,0.3'"),
        (["--least", "-1,least,0.3"], "0 <= R < inf, D and C numbers or inf; got '-1,least,0.3'"),
        (["--least", "inf,least,0.3"], "got 'inf,least,0.3'"),
        (["--least", "1,nan,least"], "got '1,nan,least'"),
        (["--least", "1,least,-0.3"], "--least must have C >= 0; got targets least,-0.3"),
        (["--least", "1,least,0.3,0.3"], "--least must be R,D,C: the file has 1 label(s); got targets least,0.3,0.3"),
        (["--perception", "0.1"], "--perception must be one of tv, w2, kl, rkl, then :P, P >= 0; got '0.1'"),
        (["--perception", "tv"], "got 'tv'"),
        (["--perception", "tv:-1"], "got 'tv:-1'"),
        (["--perception", "w1:0.1"], "got 'w1:0.1'"),
        (["--perception", "tv:0.1", "--semantics", "literal"], "--perception is for --semantics lifted or fixed; got"),
        (
            ["--perception", "tv:0.1", "--semantics", "fixed", "--universal", "1,1"],
            "--universal with --perception is computed for --semantics lifted alone",
        ),
        (
            ["--perception", "tv:0.1"],
            "--perception alone asks for nothing: pass --at, --least, --universal or --surface",
        ),
        (["--perception", "tv:0.1", "--region"], "--region has no perception bound"),
        (["--region"], "--region needs representation, P(z|x) of shape (n, representations), in the file"),
        (["--universal", "1,1,1"], "--universal must be D,C: the file has 1 label(s)"),
        (["--at", "nan,1"], "got 'nan,1'"),
        (["--surface", "1"], "--surface must be 0 or at least 2; got 1"),
        (["--semantics", "magic"], "--semantics must be one of lifted, fixed, literal, time-shared; got 'magic'"),
        (["--universal", "1,1;2"], "--universal must be D,C"),
        (["--seed", "-1"], "--seed must be >= 0"),
        (["--seed", "1", "--semantics", "fixed"], "--seed 1 has no effect: --semantics fixed has no random starts"),
        (["--surface", "0"], "--surface 0 leaves nothing to solve for"),
    ],
)
def test_bad_options_end_in_one_line(file, tmp_path, capsys, args, message):
    out = tmp_path / "out"
    assert run(["rdc", str(file), *args, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"source": SOURCE, "distortion": 1 - np.eye(3)}, "has no labels; it has: distortion, source"),
        ({"source": SOURCE, "labels": LABELS}, "has no distortion"),
        ({"source": SOURCE, "distortion": 1 - np.eye(3), "labels": LABELS * 1.1}, "sums to 1.1"),
        ({"source": SOURCE, "distortion": 1 - np.eye(3), "labels": LABELS[:2]}, "shape (3, classes)"),
        ({"source": SOURCE, "distortion": 1 - np.eye(3), "labels": np.array(["a", "b", "c"])}, "must be numbers"),
        ({"source": SOURCE * 2, "distortion": 1 - np.eye(3), "labels": LABELS}, "must sum to 1"),
        (
            {"source": SOURCE, "distortion": 1 - np.eye(3), "labels": LABELS, "labels_1": LABELS},
            "bad.npz has labels and labels_1: number all of them, or none",
        ),
        (
            {"source": SOURCE, "distortion": 1 - np.eye(3), "labels_1": LABELS, "labels_3": LABELS},
            "bad.npz has labels_3, but no labels_2: number them from 1",
        ),
        (
            {"source": SOURCE, "distortion": 1 - np.eye(3), "labels_1": LABELS, "labels_2": LABELS[:2]},
            "shape (3, classes)",
        ),
        (
            {
                "source": SOURCE,
                "distortion": 1 - np.eye(3),
                "labels_1": LABELS,
                "labels_2": LABELS,
                "classifier_1": CLASSIFIER,
            },
            "bad.npz has 2 labels and 1 of classifier: one for each is needed",
        ),
        ({"covariance": np.eye(2), "direction": np.ones(2)}, "bad.npz has a covariance, but no noise_variance"),
        (
            {"covariance": np.eye(2), "direction": np.ones(3), "noise_variance": 1.0},
            "covariance must have shape (d, d), direction (d,) and noise_variance (); got (2, 2), (3,) and ()",
        ),
        (
            {"covariance": -np.eye(2), "direction": np.ones(2), "noise_variance": 1.0},
            "covariance must be symmetric and positive definite",
        ),
        (
            {"covariance": np.eye(2), "direction": np.ones(2), "noise_variance": -1.0},
            "noise_variance must be > 0; got -1",
        ),
        ({"covariance": np.eye(2), "direction": np.array(["a"]), "noise_variance": 1.0}, "direction must be numbers"),
    ],
)
def test_bad_files_end_in_one_line(tmp_path, capsys, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    assert run(["rdc", str(tmp_path / "bad.npz"), "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_is_not_used_is_named(tmp_path, capsys):
    arrays = {"source": SOURCE, "distortion": 1 - np.eye(3), "labels": LABELS, "classifier": CLASSIFIER}
    np.savez(tmp_path / "x.npz", **arrays, cross_entropy=np.ones((3, 3)), weights=np.ones(3))
    args = ["--semantics", "fixed", "--surface", "0", "--at", "0.25,1", "--out", str(tmp_path)]
    assert run(["rdc", str(tmp_path / "x.npz"), *args]) == 0
    notes = ["not used: 'weights'", "not used: 'classifier', for 'cross_entropy' is there"]
    assert load(tmp_path)["notes"] == notes
    printed = capsys.readouterr().out
    assert all(f"note: {note}" in printed for note in notes)


def test_fixed_needs_a_classifier(tmp_path, capsys):
    np.savez(tmp_path / "none.npz", source=SOURCE, distortion=1 - np.eye(3), labels=LABELS)
    assert run(["rdc", str(tmp_path / "none.npz"), "--semantics", "fixed", "--out", str(tmp_path)]) == 2
    assert "needs classifier (m, classes) or cross_entropy (n, m)" in capsys.readouterr().err
    with pytest.raises(InputError, match="does not exist"):
        read_labelled(tmp_path / "missing.npz")


def test_ctrl_c_writes_nothing(file, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxrd.rdc.surface", interrupted)
    assert run(["rdc", str(file), "--at", "0.2,0.5", "--out", str(tmp_path / "out")]) == 130
    assert not (tmp_path / "out").exists()


def test_one_letter_far_away_does_not_take_the_whole_grid(tmp_path):
    x = np.array([-1.0, 0.0, 1e6])
    p = np.array([0.5 - 5e-10, 0.5 - 5e-10, 1e-9])
    np.savez(tmp_path / "far.npz", source=p, distortion=(x[:, None] - x) ** 2, labels=LABELS)
    assert run(["rdc", str(tmp_path / "far.npz"), "--surface", "2", "--no-plot", "--out", str(tmp_path / "o")]) == 0
    document = load(tmp_path / "o")
    assert document["summary"]["silent_distortion"] == pytest.approx(1000, rel=1e-2)
    assert 0.4 < max(row["distortion"] for row in document["surface"]) < 0.6

"""The command line as a user meets it: results, bad input, interruption."""

import ast
import csv
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import jaxrd
from jaxrd import Curve, Problem, Status, rate_at, tosc
from jaxrd import _kept as cache
from jaxrd.cli import common
from jaxrd.cli.app import run
from jaxrd.errors import InputError
from jaxrd.io.write import columns, compressai, csv_rows, to_json

FIELDS = {"rate_bits", "distortion", "accuracy", "slope", "gap_bits", "status"}


def small(seed=0, n=300, k=3):
    g = np.random.default_rng(seed)
    v = g.dirichlet(np.full(k, 0.5), n)
    labels = np.array([g.choice(k, p=row) for row in v])
    return np.log(v + 1e-9), labels


@pytest.fixture
def file(tmp_path):
    logits, labels = small()
    np.savez(tmp_path / "my outputs.npz", logits=logits, labels=labels)
    return tmp_path / "my outputs.npz"


def load(folder):
    return json.loads((folder / "limits.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))


class TestLimits:
    def test_writes_json_csv_and_png(self, file, tmp_path, capsys):
        out = tmp_path / "out"
        assert run(["limits", str(file), "--at", "0.3", "--accuracy", "0.55", "--slopes", "6", "--out", str(out)]) == 0
        assert sorted(p.name for p in out.iterdir()) == ["limits.csv", "limits.json", "limits.png"]
        document = load(out)
        assert document["schema"] == "jaxrd.limits/1"
        assert document["name"] == "my outputs.npz"
        meta = document["meta"]
        assert {"versions", "device", "dtype", "tolerance", "sha256", "seed", "seconds"} <= set(meta)
        assert {"compile", "solve"} == set(meta["seconds"])
        assert meta["dtype"] == "float64"
        assert len(meta["sha256"]) == 64
        summary = document["summary"]
        assert summary["samples"] == 150
        assert summary["samples_total"] == 300
        assert {
            "classes", "task_model_distortion", "zero_rate_distortion", "estimate_entropy_bits", "temperature", "ece",
            "nll",
        } <= set(summary)  # fmt: skip
        assert set(document["curves"]) == {"oRD", "E&C", "iE&C", "S&C", "TMRD", "TS", "merge"}
        for curve in document["curves"].values():
            assert set(curve) >= FIELDS
            assert "bpp" not in curve
            assert len({len(values) for values in curve.values()}) == 1
            np.testing.assert_allclose(np.add(curve["distortion"], curve["accuracy"]), 1)
        assert "model_distortion" in document["curves"]["TMRD"]
        assert [row["distortion"] for row in document["at"]] == pytest.approx([0.3, 0.45])
        assert "TMRD_model" in document["at"][0]
        assert (out / "limits.png").read_bytes().startswith(b"\x89PNG")
        rows = list(csv.DictReader((out / "limits.csv").open()))
        assert len(rows) == sum(len(c["rate_bits"]) for c in document["curves"].values())
        assert {r["curve"] for r in rows} == set(document["curves"])
        printed = capsys.readouterr().out
        assert "bits per sample" in printed
        assert "oracle lower bound" in printed
        assert str(out / "limits.png") in printed.replace("\n", "")

    def test_pixels_no_plot_temperature(self, tmp_path):
        out, file = tmp_path / "out", tmp_path / "whole.npz"
        logits, labels = small(n=150)  # as many as half of `file`: the shapes are compiled already
        np.savez(file, logits=logits, labels=labels)
        args = ["--pixels", "1024", "--no-plot", "--temperature", "1", "--slopes", "6", "--at", "0.4"]
        assert run(["limits", str(file), *args, "--out", str(out)]) == 0
        names = {p.name for p in out.iterdir()}
        assert names == {"limits.json", "limits.csv"} | {
            f"{n}.json" for n in ("ord", "ec", "iec", "sc", "tmrd", "ts", "merge")
        }
        document = load(out)
        assert len(document["curves"]["TS"]["rate_bits"]) == 6
        assert document["summary"]["samples"] == 150
        assert document["summary"]["temperature"] == 1
        curve = document["curves"]["iE&C"]
        np.testing.assert_allclose(np.array(curve["bpp"]) * 1024, curve["rate_bits"])
        result = json.loads((out / "iec.json").read_text())
        assert {"name", "description", "meta", "results"} == set(result)
        np.testing.assert_allclose(result["results"]["bpp"], curve["bpp"])
        np.testing.assert_allclose(result["results"]["top1"], curve["accuracy"])

    def test_seed_changes_the_split(self, file, tmp_path):
        found, args = [], ["limits", str(file), "--slopes", "6", "--at", ".4", "--no-plot", "--out", str(tmp_path)]
        for seed in ("0", "0", "1"):
            run([*args, "--seed", seed])
            found.append(load(tmp_path)["summary"]["temperature"])
        assert found[0] == found[1] != found[2]

    def test_float32(self, file, tmp_path):
        args = ["limits", str(file), "--slopes", "6", "--at", "0.4", "--no-plot", "--out"]
        assert run([*args, str(tmp_path / "a"), "--float32"]) == 0
        assert run([*args, str(tmp_path / "b")]) == 0
        a, b = load(tmp_path / "a"), load(tmp_path / "b")
        assert a["meta"]["dtype"] == "float32"
        for name in ("oRD", "E&C", "iE&C", "S&C", "TMRD", "TS", "TMRD_model"):
            assert a["at"][0][name] == pytest.approx(b["at"][0][name], abs=5e-4)

    @pytest.mark.parametrize(("options", "dtype"), [([], "float64"), (["--float32"], "float32")])
    def test_float32_reaches_the_solvers(self, file, tmp_path, monkeypatch, options, dtype, capsys):
        def computed(*args, **options):
            raise InputError(f"computed in {jnp.asarray(1.0).dtype}")

        monkeypatch.setattr("jaxrd.tosc.limits", computed)
        assert run(["limits", str(file), *options, "--out", str(tmp_path / "o")]) == 2
        assert f"computed in {dtype}" in capsys.readouterr().err

    @pytest.mark.parametrize("status", ["MAX_STEPS", "STALLED", "NONFINITE"])
    def test_a_curve_that_did_not_converge_ends_with_1(self, tmp_path, monkeypatch, status, capsys):
        labels = np.arange(60) % 3
        found = tosc.limits(np.where(np.arange(60) % 5, labels, 0), labels, at=[0.4], slopes=4)
        np.savez(tmp_path / "x.npz", predictions=np.where(np.arange(60) % 5, labels, 0), labels=labels)
        args = ["limits", str(tmp_path / "x.npz"), "--no-plot", "--out", str(tmp_path / "o")]
        curve = found.curves["iE&C"]
        states = curve.status.copy()
        states[2] = Status[status]
        loose = replace(found, curves=found.curves | {"iE&C": replace(curve, status=states)})
        places = [{name: rate._replace(converged=name != "iE&C") for name, rate in found.workings.places[0].items()}]
        upper = replace(found, workings=replace(found.workings, places=places))
        assert (found.unconverged, upper.unconverged) == ([], [("iE&C", 0.4)])
        said = replace(found, warnings=["iE&C at D = 0.4 did not converge: its rate is an upper bound"])
        for result, code in ((found, 0), (loose, 1), (upper, 1), (said, 0)):
            monkeypatch.setattr("jaxrd.tosc.limits", lambda *args, result=result, **options: result)
            assert run(args) == code
            assert ("not converged at some slopes, see status: iE&C" in capsys.readouterr().err) == bool(code)
        assert load(tmp_path / "o")["at"][0]["iE&C"] == pytest.approx(found.at[0]["iE&C"] / np.log(2), rel=1e-12)

    def test_that_no_code_exists_is_an_answer(self, tmp_path, monkeypatch, capsys):
        labels = np.arange(60) % 3
        found = tosc.limits(np.where(np.arange(60) % 5, labels, 0), labels, at=[0.4], slopes=4)
        np.savez(tmp_path / "x.npz", predictions=np.where(np.arange(60) % 5, labels, 0), labels=labels)
        none = {name: replace(c, status=np.full(len(c.rate), Status.INFEASIBLE)) for name, c in found.curves.items()}
        monkeypatch.setattr("jaxrd.tosc.limits", lambda *args, **options: replace(found, curves=none))
        assert run(["limits", str(tmp_path / "x.npz"), "--no-plot", "--out", str(tmp_path / "o")]) == 0
        assert not capsys.readouterr().err

    def test_hard_decisions(self, tmp_path, capsys):
        g = np.random.default_rng(0)
        labels = g.integers(0, 3, 150)
        decisions = np.where(g.random(150) < 0.7, labels, g.integers(0, 3, 150))
        np.savez(tmp_path / "hard.npz", predictions=decisions, labels=labels)
        assert run(["limits", str(tmp_path / "hard.npz"), "--slopes", "6", "--no-plot", "--out", str(tmp_path)]) == 0
        document = load(tmp_path)
        assert document["curves"]["TMRD"] is None
        assert document["curves"]["S&C"] is None
        assert document["at"][0]["TMRD_model"] is None
        assert "need scores" in capsys.readouterr().out

    def test_useless_classifier(self, tmp_path, capsys):
        np.savez(tmp_path / "x.npz", predictions=[1, 1, 1, 1, 0, 0], labels=[0, 0, 0, 1, 1, 1])
        assert run(["limits", str(tmp_path / "x.npz"), "--at", "0.5", "--no-plot", "--out", str(tmp_path)]) == 0
        document = load(tmp_path)
        assert document["curves"]["TS"] is None
        assert document["at"][0]["TS"] is None
        assert "TS is undefined" in capsys.readouterr().out.replace("\n", " ")

    def test_examples(self, tmp_path):
        for name, args in (("mnist-noisy", []), ("mnist-clean", ["--example", "mnist-clean"])):
            assert run(["limits", *args, "--slopes", "4", "--at", "0.3", "--no-plot", "--out", str(tmp_path)]) == 0
            document = load(tmp_path)
            assert document["name"] == name
            assert document["summary"]["classes"] == 10
        accuracy = 1 - document["summary"]["task_model_distortion"]
        assert accuracy > 0.99

    def test_other_containers_give_the_same(self, file, tmp_path):
        logits, labels = small()
        folder = tmp_path / "pair"
        folder.mkdir()
        np.save(folder / "scores.npy", logits)
        np.save(folder / "targets.npy", labels)
        with (tmp_path / "table.csv").open("w") as out:
            out.write("id,cat,dog,emu,label\n")
            out.writelines(
                f"{i},{','.join(repr(float(x)) for x in row)},{y}\n"
                for i, (row, y) in enumerate(zip(logits, labels, strict=True))
            )
        np.savez(tmp_path / "probs.npz", probs=np.exp(logits) / np.exp(logits).sum(1, keepdims=True), y=labels[:, None])
        np.savetxt(tmp_path / "labels.txt", labels, fmt="%d")
        log_v = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        np.savez(tmp_path / "logprobs.npz", scores=log_v, targets=labels.astype(float))
        cases = [
            [str(file)], [str(folder)], [str(tmp_path / "table.csv")], [str(tmp_path / "probs.npz")],
            [str(tmp_path / "logprobs.npz")],
            [str(folder / "scores.npy"), "--labels", str(tmp_path / "labels.txt")],
            [str(folder / "scores.npy"), "--labels", str(folder / "targets.npy")],
        ]  # fmt: skip
        rows = []
        for i, case in enumerate(cases):
            out = tmp_path / f"out{i}"
            args = ["--slopes", "6", "--at", "0.4", "--no-plot", "--out", str(out)]
            assert run(["limits", *case, *args]) == 0, case
            rows.append(load(out)["at"][0])
        status = rows[0].pop("status")
        for row in rows[1:]:
            assert row.pop("status") == status
            assert row == pytest.approx(rows[0], abs=1e-9)


class TestWriters:
    """What files hold of a curve, by hand: rate and gap in bits, the rest as it is."""

    curve = Curve(
        np.array([0.5, 0.25]), np.array([0.0, 2 * np.log(2)]), np.array([1.5, 3.0]), np.array([0.0, 0.5 * np.log(2)]),
        np.array([Status.EXACT, Status.STALLED]), np.array([0.4, 0.2]), {"share": np.array([np.inf, 0.75])},
    )  # fmt: skip

    def test_columns(self):
        found = columns(self.curve, pixels=4)
        expected = {
            "rate_bits": [0, 2], "distortion": [0.5, 0.25], "accuracy": [0.5, 0.75], "slope": [1.5, 3],
            "gap_bits": [0, 0.5], "status": ["EXACT", "STALLED"], "bpp": [0, 0.5], "model_distortion": [0.4, 0.2],
            "share": [np.inf, 0.75],
        }  # fmt: skip
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert np.asarray(found[name]).tolist() == pytest.approx(values), name
        assert "accuracy" not in columns(self.curve, accuracy=False)
        assert "bpp" not in columns(self.curve)

    def test_csv(self):
        tables = {"a": {"rate_bits": np.array([1.5, np.nan])}, "b": {"slope": np.array([2.0]), "rate_bits": [0.25]}}
        assert csv_rows(tables).decode() == "curve,rate_bits,slope\na,1.5,\na,,\nb,0.25,2.0\n"

    def test_compressai_keeps_the_finite_points(self):
        curve = {
            "bpp": [0.5, np.inf, 0.25], "accuracy": [0.75, 0.5, np.nan], "distortion": [0.25, 0.5, np.nan],
            "slope": [np.inf, 2, 1],
        }  # fmt: skip
        found = json.loads(compressai("n", "d", curve, {"seed": 0}))
        assert found.pop("results") == {"bpp": [0.5], "top1": [0.75], "distortion": [0.25], "slope": [None]}
        assert found == {"name": "n", "description": "d", "meta": {"seed": 0}}

    def test_json_has_no_infinity(self):
        found = json.loads(to_json({"a": [np.inf, np.float32(0.5), np.arange(2)], 3: (float("nan"), True, None, "é")}))
        assert found == {"a": [None, 0.5, [0, 1]], "3": [None, True, None, "é"]}
        assert "é".encode() in to_json("é")
        assert to_json({"a": 1}) == b'{\n "a": 1\n}\n'


class TestSweep:
    def test_erokhin(self, tmp_path, capsys):
        np.savez(tmp_path / "p.npz", source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3))
        assert (
            run(["sweep", str(tmp_path / "p.npz"), "--at", "0.2", "--slopes", "9", "--out", str(tmp_path / "o")]) == 0
        )
        assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["sweep.csv", "sweep.json", "sweep.png"]
        document = json.loads((tmp_path / "o" / "sweep.json").read_text())
        from jaxrd.closed_form import categorical

        rate = float(categorical.rate(np.array([0.5, 0.3, 0.2]), 0.2)) / np.log(2)
        assert document["at"][0]["rate_bits"] == pytest.approx(rate, abs=1e-8)
        assert set(document["curves"]["R(D)"]["status"]) == {"CONVERGED"}
        assert "9 converged" in capsys.readouterr().out.replace("\n", " ")

    def test_the_range_of_slopes(self, tmp_path, capsys):
        np.savez(tmp_path / "p.npz", source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3))
        args = ["--no-plot", "--slopes", "5", "--out", str(tmp_path / "o")]
        assert run(["sweep", str(tmp_path / "p.npz"), "--low", "1", "--high", "4", *args]) == 0
        curve = json.loads((tmp_path / "o" / "sweep.json").read_text())["curves"]["R(D)"]
        np.testing.assert_allclose(curve["slope"], np.geomspace(1, 4, 5))
        # without --high the curve ends at the least distortion, where the slope is infinite (null in a file)
        assert run(["sweep", str(tmp_path / "p.npz"), "--low", "1", *args]) == 0
        curve = json.loads((tmp_path / "o" / "sweep.json").read_text())["curves"]["R(D)"]
        assert curve["slope"][-1] is None
        assert curve["distortion"][-1] == 0
        assert run(["sweep", str(tmp_path / "p.npz"), "--low", "4", "--high", "1", *args]) == 2
        assert "0 < low < high; got 4 and 1" in capsys.readouterr().err

    def test_points_lie_where_the_curve_is_whatever_the_largest_distortion(self, tmp_path, capsys):
        def swept(name, source, distortion):
            np.savez(tmp_path / "p.npz", source=source, distortion=distortion)
            assert run(["sweep", str(tmp_path / "p.npz"), "--slopes", "20", "--out", str(tmp_path / name)]) == 0
            document = json.loads((tmp_path / name / "sweep.json").read_text())
            curve = document["curves"]["R(D)"]
            assert set(curve["status"]) == {"CONVERGED"}
            return document["summary"]["critical_slope"], np.array(curve["distortion"]), np.array(curve["rate_bits"])

        # "Never" written as a large number: the erasure source, whose curve is one straight line.
        for never in (1e12, 1e300):
            critical, d, rate = swept("never", [0.5, 0.5], [[0, 1, never], [never, 1, 0]])
            assert critical == pytest.approx(np.log(2))
            np.testing.assert_allclose(rate, 1 - d, atol=1e-9)
            assert (np.diff(np.sort(d)) < 0.1).all()
            assert (d.min(), d.max()) == (0, 1)
        # One letter far away, of mass 1e-9: the curve of the others, whose rates go up to log2 6.
        x = np.r_[np.linspace(-3, 3, 6), 1e6]
        _, d, rate = swept("far", np.r_[np.full(6, (1 - 1e-9) / 6), 1e-9], (x[:, None] - x) ** 2)
        assert d.max() > 900
        assert (np.diff(np.sort(rate)) < 0.35).all()
        assert rate.max() == pytest.approx(np.log2(6), abs=1e-6)

    @pytest.mark.parametrize("value", ["nan", "inf"])
    def test_bad_target(self, tmp_path, value, capsys):
        np.savez(tmp_path / "p.npz", source=[0.5, 0.5], distortion=1 - np.eye(2))
        assert run(["sweep", str(tmp_path / "p.npz"), "--at", value, "--out", str(tmp_path / "o")]) == 2
        assert f"got {value}" in capsys.readouterr().err
        assert not (tmp_path / "o").exists()

    def test_bits_and_precision(self, tmp_path, monkeypatch, capsys):
        """A coin: R(D) = 1 - h(D) bits. Coarse on purpose, the gap is in bits too."""
        path = tmp_path / "p.npz"
        np.savez(path, source=[0.5, 0.5], distortion=1 - np.eye(2))
        args = ["sweep", str(path), "--at", "0.11", "--slopes", "4", "--no-plot", "--out", str(tmp_path / "o")]
        point = rate_at(Problem(np.array([0.5, 0.5]), 1 - np.eye(2)), 0.11)
        given = SimpleNamespace(rate=point.rate, gap=0.5 * np.log(2), status=point.status)
        monkeypatch.setattr("jaxrd.rate_at", lambda problem, d, mesh: given)
        assert run(args) == 0
        (row,) = json.loads((tmp_path / "o" / "sweep.json").read_text())["at"]
        assert row["rate_bits"] == pytest.approx(0.500084, abs=1e-6)
        assert row["gap_bits"] == pytest.approx(0.5)

        def refuse(problem):
            raise InputError(f"held in {problem.distortion.dtype}")

        monkeypatch.setattr("jaxrd.critical.critical_slope", refuse)
        for options, dtype in (([], "float64"), (["--float32"], "float32")):
            assert run([*args, *options]) == 2
            assert f"held in {dtype}" in capsys.readouterr().err

    @pytest.mark.parametrize("status", list(Status))
    def test_exit_code(self, tmp_path, monkeypatch, status, capsys):
        np.savez(tmp_path / "p.npz", source=[0.5, 0.5], distortion=1 - np.eye(2))
        args = ["sweep", str(tmp_path / "p.npz"), "--at", "0.1", "--slopes", "3", "--no-plot"]
        given = SimpleNamespace(rate=np.inf, gap=0.0, status=status)
        monkeypatch.setattr("jaxrd.rate_at", lambda problem, d, mesh: given)
        assert run([*args, "--out", str(tmp_path / "o")]) == status.failed
        assert ("jaxrd: not converged at some slopes, see status" in capsys.readouterr().err) == status.failed
        assert json.loads((tmp_path / "o" / "sweep.json").read_text())["at"][0]["status"] == status.name

    def test_forbidden_pairs(self, tmp_path):
        d = np.array([[0, np.inf, 1], [np.inf, 0, 1.0]])
        np.savez(tmp_path / "p.npz", source=[0.5, 0.5], distortion=d)
        assert run(["sweep", str(tmp_path / "p.npz"), "--slopes", "4", "--no-plot", "--out", str(tmp_path)]) == 0

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"source": [0.5, 0.5]}, "has no distortion; it has: source"),
            ({"source": [0.5, 0.4], "distortion": np.eye(2)}, "source must sum to 1; got 0.9"),
            ({"source": [0.5, 0.5], "distortion": np.eye(3)}, "got (2,) and (3, 3)"),
            ({"source": [0.5, 0.5], "distortion": [[np.nan, 1], [1, 0]]}, "got nan at (0, 0)"),
            ({"source": ["a", "b"], "distortion": np.eye(2)}, "source must be numbers"),
        ],
    )
    def test_bad_input(self, tmp_path, arrays, message, capsys):
        np.savez(tmp_path / "p.npz", **arrays)
        assert run(["sweep", str(tmp_path / "p.npz"), "--out", str(tmp_path / "o")]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "o").exists()


def npz(**arrays):
    return lambda path: np.savez(path / "x.npz", **arrays) or path / "x.npz"


def truncated(path):
    logits, labels = small()
    np.savez(path / "x.npz", logits=logits, labels=labels)
    whole = (path / "x.npz").read_bytes()
    (path / "x.npz").write_bytes(whole[: len(whole) // 2])
    return path / "x.npz"


def damaged(path):
    logits, labels = small()
    np.savez_compressed(path / "x.npz", logits=logits, labels=labels)
    whole = bytearray((path / "x.npz").read_bytes())
    whole[200:260] = b"\0" * 60
    (path / "x.npz").write_bytes(bytes(whole))
    return path / "x.npz"


def pickled(path):
    (path / "x.pkl").write_bytes(pickle.dumps({"logits": [1]}))
    return path / "x.pkl"


def disguised_pickle(path):
    (path / "x.npz").write_bytes(pickle.dumps({"logits": [1]}))
    return path / "x.npz"


def text(name, content):
    return lambda path: (path / name).write_text(content) and (path / name)


def folder_without(path):
    (path / "d").mkdir()
    np.save(path / "d" / "scores.npy", np.eye(3))
    return path / "d"


L, Y = small()
P = np.exp(L) / np.exp(L).sum(1, keepdims=True)
NAN, INF = L.copy(), L.copy()
NAN[5, 1], INF[7, 2] = np.nan, np.inf
OBJECTS = np.array([{"a": 1}, None], dtype=object)

BAD = {
    "missing file": (lambda path: path / "nowhere.npz", "does not exist"),
    "wrong keys": (npz(foo=L, labels=Y), "|probabilities) nor predictions; it has: foo, labels"),
    "no labels": (npz(logits=L), "has no labels (labels|targets|y); it has: logits"),
    "label out of range": (npz(logits=L, labels=np.where(Y == 0, 7, Y)), "labels must lie in 0..2"),
    "negative label": (npz(logits=L, labels=Y - 1), "labels must be >= 0; got -1"),
    "label not integral": (npz(logits=L, labels=Y + 0.5), "labels must be integers; got"),
    "label nan": (npz(logits=L, labels=np.where(Y == 0, np.nan, Y)), "labels must be integers; got nan"),
    "labels 1-based": (npz(logits=L, labels=Y + 1), "labels look 1-based"),
    "labels 1-based, hard": (npz(predictions=Y, labels=Y + 1), "labels look 1-based"),
    "huge label": (npz(logits=L, labels=np.where(Y == 0, 1e300, Y)), "labels must be below 20000; got 1e+300"),
    "huge unsigned label": (npz(logits=L, labels=Y.astype(np.uint64) + np.uint64(2**64 - 9)), "must be below 20000"),
    "huge prediction": (npz(predictions=Y + 4294967290, labels=Y), "predictions must be below 20000"),
    "csv with two labels": (text("x.csv", "a,b,label,y\n1,2,0,1\n"), "two columns of labels; 'y' is the second"),
    "labels are text": (npz(logits=L, labels=np.where(Y == 0, "cat", "dog")), "the labels are 2 (cat, dog) for 3"),
    "labels are text and numbers": (npz(logits=L, labels=np.where(Y == 0, "cat", "1")), "'cat' is no number"),
    "one-hot labels": (npz(logits=L, labels=np.eye(3)[Y]), "one-hot, take their argmax along axis 1"),
    "scores transposed": (npz(logits=L.T, labels=Y), "The scores, (3, 300), need a row a sample: are they transposed?"),
    "fewer labels": (npz(logits=L, labels=Y[:-1]), "labels has 299 entries for 300 samples"),
    "fewer predictions": (npz(predictions=Y[:-2], labels=Y), "predictions has 298 entries for 300 samples"),
    "scores of rank 3": (npz(logits=L[None], labels=Y), "got (1, 300, 3)"),
    "nan score": (npz(logits=NAN, labels=Y), "must be finite; got nan at sample 5, class 1"),
    "inf score": (npz(logits=INF, labels=Y), "must be finite; got inf at sample 7, class 2"),
    "negative probability": (npz(probs=P - 0.3, labels=Y), "probabilities must be >= 0; got -0."),
    "rows off by 1 %": (npz(probabilities=P * 1.01, labels=Y), "must sum to 1 in each row; row"),
    "empty": (npz(logits=L[:0], labels=Y[:0]), "empty"),
    "empty, hard": (npz(predictions=Y[:0], labels=Y[:0]), "empty"),
    "one column": (npz(logits=L[:, :1], labels=Y * 0), "at least two classes"),
    "one class only": (npz(logits=L, labels=Y * 0 + 2), "all 300 labels are class 2"),
    "truncated": (truncated, "truncated"),
    "damaged": (damaged, "truncated"),
    "pickle": (pickled, "x.pkl is a pickle"),
    "pickle named npz": (disguised_pickle, "holds a pickle"),
    "text named npz": (text("x.npz", "0.1 0.9\n0.3 0.7\n"), "not be read as a numpy file"),
    "object array": (npz(logits=OBJECTS, labels=Y), "holds a pickle"),
    "unknown type": (text("x.txt", "1 2 3"), "files of type '.txt' are not read"),
    "csv without labels": (text("x.csv", "a,b\n1,2\n"), "no column labels|targets|y"),
    "csv with a word": (text("x.csv", "a,b,label\n1,x,0\n"), "column 'b', line 2: 'x' is no number"),
    "csv ragged": (text("x.csv", "a,b,label\n1,2\n"), "line 2: 2 fields where the header has 3"),
    "csv empty": (text("x.csv", "\n"), "is empty"),
    "folder without labels": (folder_without, "holds none of labels.npy"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_exit_2_and_nothing_written(case, tmp_path, capsys):
    build, message = BAD[case]
    path = build(tmp_path)
    out = tmp_path / "out"
    assert run(["limits", str(path), "--out", str(out)]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert "Traceback" not in shown.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--at", "1.5"], "must lie in [0, 1]; got 1.5"),
        (["--at", "nan"], "got nan"),
        (["--at", "x"], "'x'"),
        (["--at", "a"], "; got 'a'. See"),  # a letter of the message itself
        (["--at", "0.3,0.4"], "'0.3,0.4'; for several values give the option several times. See"),
        (["--accuracy", "73"], "--accuracy must lie in [0, 1]; got 73. Write 0.73 for 73 %."),
        (["--temperature", "0"], "positive number; got 0"),
        (["--temperature", "nan"], "positive number; got nan"),
        (["--slopes", "1"], "must be an integer >= 2; got 1"),
        (["--pixels", "0"], "at least 1; got 0"),
        (["--example", "cats"], "no example 'cats'; there are: mnist-noisy, mnist-clean"),
        (["--frobnicate"], "--frobnicate"),
        (["--seed", "-1"], "--seed must be >= 0; got -1"),
        (["--seed", "0", "--temperature", "1"], "--seed 0 has no effect: with --temperature and without --confidence"),
        (["--labels", "y.csv"], "--labels are for a FILE of outputs; none was named."),
        (["--first-label", "0"], "--first-label is for a FILE of outputs"),
        (["--logits"], "--logits are for a FILE of outputs"),
        (["--unsafe-pickle"], "--unsafe-pickle is for a FILE of outputs"),
    ],
)
def test_bad_options(args, message, tmp_path, capsys):
    assert run(["limits", *args, "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_out_that_cannot_be_written(file, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    assert run(["limits", str(file), "--out", str(tmp_path / "taken")]) == 2
    assert run(["limits", str(file), "--out", str(tmp_path / "taken" / "below")]) == 2
    assert run(["limits", str(file), "--out", "/proc/jaxrd"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 3
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_failure_while_writing_leaves_the_old_results(file, tmp_path, monkeypatch):
    args = ["limits", str(file), "--slopes", "6", "--at", "0.4", "--no-plot", "--out", str(tmp_path / "o")]
    assert run(args) == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "o").iterdir()}

    real, calls = os.fsync, []

    def failing(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(handle)

    monkeypatch.setattr(os, "fsync", failing)
    assert run(args) == 2
    assert {p.name: p.read_bytes() for p in (tmp_path / "o").iterdir()} == before


# `jaxrd`, which writes ! when its handler stands, when the second program comes to be compiled, or when that has run.
AT_A_MOMENT = """
import os, sys
moment, calls = sys.argv.pop(1), []
from jaxrd.cli import interrupts, main
install = interrupts.install
def installed():
    install()
    moment == "loading" and os.write(1, b"!")
interrupts.install = installed
if moment != "loading":
    import jaxrd._exported
    call = jaxrd._exported.exported
    def exported(*arguments, **static):
        calls.append(0)
        moment == "compiling" and len(calls) == 2 and os.write(1, b"!")
        result = call(*arguments, **static)
        moment == "solving" and len(calls) == 2 and os.write(1, b"!")
        return result
    jaxrd._exported.exported = exported
sys.argv[0] = "jaxrd"
main()
"""


# Compiling is where a plain KeyboardInterrupt was seen to crash.
@pytest.mark.parametrize(("moment", "seconds"), [("loading", 0.0), ("compiling", 0.4), ("solving", 0.02)])
def test_ctrl_c_writes_nothing(tmp_path, moment, seconds):
    out = tmp_path / "out"
    # With nothing compiled before, and all optimisations, the second program takes one second.
    unprepared = {k: v for k, v in os.environ.items() if k not in ("JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS")}
    unprepared["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    command = [sys.executable, "-c", AT_A_MOMENT, moment, "limits", "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=unprepared)
    assert process.stdout.read(1) == "!"
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "jaxrd: interrupted; nothing was written"
    assert not out.exists()


def test_a_folder_in_the_way_of_a_file(file, tmp_path, capsys):
    (tmp_path / "o" / "limits.csv").mkdir(parents=True)
    args = ["--slopes", "6", "--at", "0.4", "--no-plot", "--out", str(tmp_path / "o")]
    assert run(["limits", str(file), *args]) == 2
    assert "limits.csv: is a folder" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["limits.csv"]


def test_other_arrays_in_the_archive_are_not_read(tmp_path):
    logits, labels = small()
    np.savez(tmp_path / "x.npz", logits=logits, labels=labels, names=OBJECTS)
    args = ["--slopes", "6", "--at", "0.4", "--no-plot", "--out", str(tmp_path / "o")]
    assert run(["limits", str(tmp_path / "x.npz"), *args]) == 0


def test_a_seed_for_decisions_alone(tmp_path, capsys):
    _, labels = small()
    np.savez(tmp_path / "x.npz", predictions=labels, labels=labels)
    assert run(["limits", str(tmp_path / "x.npz"), "--seed", "3", "--out", str(tmp_path / "o")]) == 2
    assert "--seed 3 has no effect: hard decisions without --confidence" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_sweep_names_what_it_does_not_use(tmp_path, capsys):
    np.savez(tmp_path / "p.npz", source=[0.5, 0.5], distortion=1 - np.eye(2), cost=np.ones(2), weights=np.ones(2))
    assert run(["sweep", str(tmp_path / "p.npz"), "--slopes", "2", "--no-plot", "--out", str(tmp_path / "o")]) == 0
    assert "note: not used: 'cost', 'weights'" in capsys.readouterr().out
    assert json.loads((tmp_path / "o" / "sweep.json").read_text())["notes"] == ["not used: 'cost', 'weights'"]


def test_the_code_of_the_verbs_stays_thin():
    """One name of a type that typing cannot say, and no function over 60 lines."""
    trees = [ast.parse(path.read_text()) for path in Path(common.__file__).parent.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    assert sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes) <= 1
    lengths = {node.name: node.end_lineno - node.lineno + 1 for node in nodes if isinstance(node, ast.FunctionDef)}
    assert not {name: length for name, length in lengths.items() if length > 60}


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("jaxrd 0.")


def test_an_interrupt_while_writing_waits(tmp_path, monkeypatch):
    from jaxrd.io import save_all

    real = os.replace

    def interrupted(a, b):
        signal.raise_signal(signal.SIGINT)
        real(a, b)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_all(tmp_path / "o", [("a", b"1"), ("b", b"2")])
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["a", "b"]


def test_help_and_the_completion_of_the_shell(capsys):
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "--install-completion" in shown
    assert "Exit codes: 0, all is done" in shown
    script = "import sys\nfrom jaxrd.cli import main\nsys.argv = ['jaxrd']\nmain()\n"
    asked = {"_JAXRD_COMPLETE": "complete_bash", "COMP_WORDS": "jaxrd li", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | asked, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "limits", "")


def test_help_names_every_option(capsys):
    run(["limits", "--help"])
    shown = capsys.readouterr().out
    for option in ("--at", "--accuracy", "--temperature", "--slopes", "--pixels", "--seed", "--out", "--no-plot"):
        assert option in shown


class TestCompilationCache:
    def command(self, tmp_path, *options):
        if not (tmp_path / "problem.npz").exists():
            np.savez(tmp_path / "problem.npz", source=np.full(3, 1 / 3), distortion=1 - np.eye(3))
        command = [sys.executable, "-m", "jaxrd", *options, "sweep", str(tmp_path / "problem.npz"), "--slopes", "3"]
        environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
        environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JAX_PLATFORMS": "cpu"}
        subprocess.run([*command, "--out", str(tmp_path / "out")], env=environment, check=True, capture_output=True)
        return json.loads((tmp_path / "out" / "sweep.json").read_text())

    def test_the_second_run_compiles_next_to_nothing(self, tmp_path):
        first = self.command(tmp_path)
        kept = {path.name for path in (tmp_path / "cache" / "jaxrd").iterdir()}
        entries = {name for name in kept if not name.endswith(".sha256")}
        assert entries
        assert kept == entries | {f"{name}.sha256" for name in entries}
        second = self.command(tmp_path)
        assert {path.name for path in (tmp_path / "cache" / "jaxrd").iterdir()} == kept  # no program is compiled anew
        assert second["meta"]["seconds"]["compile"] < first["meta"]["seconds"]["compile"]
        first.pop("meta"), second.pop("meta")
        assert first == second

    def test_no_cache_keeps_nothing(self, tmp_path):
        self.command(tmp_path, "--no-cache")
        assert not (tmp_path / "cache" / "jaxrd").exists()  # matplotlib keeps its own there

    def test_nowhere_to_keep_it(self, tmp_path):
        (tmp_path / "cache").write_text("a file, not a folder")
        self.command(tmp_path)

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        asked, left = {}, []
        monkeypatch.setattr(cache.jax.config, "update", asked.__setitem__)
        monkeypatch.setattr(cache.atexit, "register", lambda f, *args: left.append(lambda: f(*args)))
        (tmp_path / "jaxrd").mkdir()
        return tmp_path / "jaxrd", asked, left

    def test_entries_that_are_damaged_or_not_vouched_for_are_removed(self, folder):
        folder, asked, left = folder
        common.keep_compilations()
        assert asked["jax_compilation_cache_dir"] == str(folder)
        for name in "abc":
            (folder / f"{name}-cache").write_bytes(name.encode() * 1000)
        left.pop()()
        (folder / "a-cache").write_bytes(b"a" * 999 + b"b")  # one bit
        (folder / "b-cache.sha256").write_bytes(b"")
        (folder / "killed-cache").write_bytes(b"half")
        (folder / "gpu").mkdir()
        common.keep_compilations()
        assert {path.name for path in folder.iterdir()} == {"c-cache", "c-cache.sha256", "gpu"}
        (folder / "a-cache").write_bytes(b"a" * 1000)  # compiled again
        left.pop()()
        common.keep_compilations()
        assert (folder / "a-cache").exists()

    def test_the_oldest_entries_go_when_there_is_too_much(self, folder, monkeypatch):
        folder, asked, _ = folder
        monkeypatch.setattr(cache, "_MOST", 2500)
        for k, name in enumerate("abcd"):
            (folder / f"{name}-cache").write_bytes(name.encode() * 1000)
            os.utime(folder / f"{name}-cache", (k, k))
        cache._record(folder)
        common.keep_compilations()
        assert {path.name for path in folder.iterdir() if path.suffix != ".sha256"} == {"c-cache", "d-cache"}
        assert len(list(folder.iterdir())) == 4
        assert asked["jax_persistent_cache_min_compile_time_secs"] == 0

    def test_a_folder_that_cannot_be_written_is_one_line(self, folder, monkeypatch, capsys):
        folder, asked, left = folder

        def refused(dir):
            raise OSError(30, "Read-only file system")

        (folder / "a-cache").write_bytes(b"a")
        cache._record(folder)
        monkeypatch.setattr(cache.tempfile, "TemporaryFile", refused)
        common.keep_compilations()
        assert capsys.readouterr().err == f"jaxrd: what is compiled is not kept: {folder}: Read-only file system.\n"
        assert asked["jax_compilation_cache_dir"] == str(folder)  # what is there serves
        assert asked["jax_persistent_cache_min_compile_time_secs"] > 1e6
        assert not left
        asked.clear()
        (folder / "a-cache").write_bytes(b"b")
        common.keep_compilations()
        assert not asked
        assert (folder / "a-cache").exists()

    def test_no_home(self, folder, monkeypatch, capsys):
        def unknown():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(cache.Path, "home", unknown)
        common.keep_compilations()
        assert not folder[1]
        assert capsys.readouterr().err.startswith("jaxrd: what is compiled is not kept: there is no home directory.")
        with pytest.warns(UserWarning, match="Set XDG_CACHE_HOME"):
            assert jaxrd.cache() is None

    def test_a_script_keeps_them_too(self, folder, monkeypatch):
        folder, asked, left = folder
        assert jaxrd.cache() == folder
        assert asked["jax_compilation_cache_dir"] == str(folder)
        assert len(left) == 1

        def refused(dir):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(cache.tempfile, "TemporaryFile", refused)
        with pytest.warns(UserWarning, match="what is compiled is not kept: .*: No space left on device"):
            assert jaxrd.cache() == folder  # what is there serves
        asked.clear()
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
        assert jaxrd.cache() == Path("elsewhere")
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")  # chosen: none
        assert jaxrd.cache() is None
        assert not asked


class TestNames:
    """Names of files with what rich and matplotlib would read as more than letters, and with bytes that are no text."""

    NAMES = ("a$x_1$.npz", "$b^.npz", "c[bold]d[red].npz", b"e\xff$\\frac$.npz".decode(errors="surrogateescape"))

    def test_the_verbs_end_well(self, tmp_path):
        script = (
            "import sys, json\nfrom jaxrd.cli import app\napp.keep_compilations = lambda: None\n"
            "sys.exit(max(app.run(args) for args in json.loads(sys.argv[1])))"
        )
        commands = []
        for k, name in enumerate(self.NAMES):
            np.savez(tmp_path / name, source=np.full(3, 1 / 3), distortion=1 - np.eye(3))
            commands.append(["sweep", str(tmp_path / name), "--slopes", "3", "--out", str(tmp_path / f"o{k}")])
        logits, labels = small()
        np.savez(tmp_path / name, logits=logits, labels=labels, **{"not[/used]": labels})
        commands[-1] = ["limits", *commands[-1][1:], "--at", "0.4"]
        done = subprocess.run([sys.executable, "-c", script, json.dumps(commands)], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        assert not done.stderr
        out = done.stdout.decode()
        for name in (*self.NAMES, "not[/used]"):
            assert name.encode("utf-8", "backslashreplace").decode() in out
        assert json.loads((tmp_path / "o3" / "limits.json").read_text())["name"] == self.NAMES[3]

    def test_a_terminal_of_ascii_alone(self, tmp_path):
        np.savez(tmp_path / "é$.npz", source=np.full(3, 1 / 3), distortion=1 - np.eye(3))
        command = ["-m", "jaxrd", "sweep", str(tmp_path / "é$.npz"), "--slopes", "3", "--out", str(tmp_path / "o")]
        plain = {"TERM": "dumb", "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "JAX_PLATFORMS": "cpu"}
        done = subprocess.run([sys.executable, *command], capture_output=True, env=os.environ | plain)
        assert (done.returncode, done.stderr) == (0, b"")
        assert rb"\xe9$.npz" in done.stdout
        assert b"\x1b" not in done.stdout

    def test_figures_show_them_letter_by_letter(self):
        from matplotlib.text import Text

        from jaxrd import plots

        for name in self.NAMES:
            shown, is_math = Text()._preprocess_math(plots.literal(name))
            assert not is_math
            assert shown == name.encode("utf-8", "backslashreplace").decode()
        assert plots.literal("_x") == " _x"  # legends leave out what begins with _


class TestInterruptsAtTheStart:
    def test_nothing_heavy_is_imported_before_the_handler_stands(self):
        script = (
            "import sys\nbefore = set(sys.modules)\nimport jaxrd.cli\n"
            "assert {m for m in set(sys.modules) - before if m.startswith('jaxrd')} == "
            "{'jaxrd', 'jaxrd._version', 'jaxrd.cli', 'jaxrd.cli.interrupts'}\n"
            "assert not {'jax', 'jaxlib', 'numpy', 'typer', 'rich', 'typing'} & (set(sys.modules) - before)\n"
        )
        subprocess.run([sys.executable, "-S", "-c", script], check=True, cwd=Path(__file__).parents[2])

    @pytest.mark.parametrize("seconds", [0.0, 0.05, 0.15, 0.3, 0.6, 1.0, 1.5])
    def test_one_line_at_any_moment(self, seconds, tmp_path):
        """The child says when the handler stands, which takes as long as Python takes to start."""
        script = (
            "from jaxrd.cli import interrupts, main\nimport os, sys\ninstall = interrupts.install\n"
            "def told():\n    install()\n    os.write(1, b'!')\n"
            "interrupts.install = told\nsys.argv[0] = 'jaxrd'\nmain()\n"
        )
        command = [sys.executable, "-c", script, "limits", "--out", str(tmp_path / "out")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout.read(1) == b"!"
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, b"", b"jaxrd: interrupted; nothing was written\n")

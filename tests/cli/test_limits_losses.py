"""`jaxrd limits` with --loss, --prior and --weights."""

import csv
import json

import numpy as np
import pytest

from jaxrd import closed_form, tosc
from jaxrd.cli.app import run
from jaxrd.tosc import losses


@pytest.fixture(scope="module")
def data():
    g = np.random.default_rng(0)
    v = g.dirichlet(np.full(4, 0.4), 400)
    return np.log(v + 1e-9), np.array([g.choice(4, p=row) for row in v])


@pytest.fixture
def file(tmp_path, data):
    np.savez(tmp_path / "x.npz", logits=data[0], labels=data[1])
    return tmp_path / "x.npz"


@pytest.fixture
def limits(file, tmp_path):
    def asked(*options, code=0):
        arguments = ["limits", str(file), "--temperature", "1", "--slopes", "6", "--out", str(tmp_path / "out")]
        assert run([*arguments, *map(str, options)]) == code
        if code:
            assert not (tmp_path / "out").exists()
            return None
        return json.loads((tmp_path / "out" / "limits.json").read_text())

    return asked


def bits(found):
    return {k: None if v is None else v / np.log(2) for k, v in found.at[0].items() if k != "distortion"}


def agree(row, expected):
    for name, value in expected.items():
        if value is None or not np.isfinite(value):
            assert row[name] is None
        else:
            np.testing.assert_allclose(row[name], value, atol=1e-7)


def test_a_loss_that_is_an_error(limits, data, tmp_path, capsys):
    document = limits("--loss", "top2", "--accuracy", "0.8")
    agree(document["at"][0], bits(tosc.limits(*data, at=[0.2], temperature=1, slopes=6, loss=losses.top(2, 4))))
    assert document["summary"]["loss"] == "top2"
    assert document["summary"]["actions"] == 6
    assert document["summary"]["accuracy"] == pytest.approx(1 - document["summary"]["task_model_distortion"])
    assert document["curves"]["E&C"] is None
    assert set(document["absent"]) == {"E&C"}
    curve = document["curves"]["TMRD"]
    np.testing.assert_allclose(np.add(curve["accuracy"], curve["distortion"]), 1)
    printed = capsys.readouterr().out
    assert "under top2" in printed
    assert "0.8 acc." in printed
    assert (tmp_path / "out" / "limits.png").stat().st_size > 10_000


def test_a_loss_that_is_none(limits, data, tmp_path, capsys):
    document = limits("--loss", "abstain:0.4", "--at", "0.3", "--pixels", "64")
    agree(document["at"][0], bits(tosc.limits(*data, at=[0.3], temperature=1, slopes=6, loss=losses.abstain(0.4, 4))))
    assert document["summary"]["accuracy"] is None
    assert all(a is None for a in document["curves"]["oRD"]["accuracy"])
    rows = list(csv.DictReader((tmp_path / "out" / "limits.csv").open()))
    assert {row["accuracy"] for row in rows} == {""}
    held = json.loads((tmp_path / "out" / "tmrd.json").read_text())["results"]
    assert "top1" not in held
    np.testing.assert_allclose(held["mean_loss"], held["distortion"])
    printed = capsys.readouterr().out
    assert "mean loss" in printed
    assert "acc." not in printed


def test_a_loss_larger_than_one(limits, tmp_path):
    np.save(tmp_path / "tree.npy", [0, 0, 1, 1])
    document = limits("--loss", f"hierarchy:{tmp_path / 'tree.npy'}", "--at", "1.01", "--no-plot")
    assert document["at"][0]["distortion"] == 1.01
    assert document["curves"]["E&C"] is not None
    assert document["curves"]["oRD"]["distortion"][0] > 1


def test_defaults_of_a_large_loss(limits, tmp_path):
    np.savetxt(tmp_path / "cost.csv", 1000.0 * (1 - np.eye(4)), delimiter=",")
    document = limits("--loss", tmp_path / "cost.csv", "--no-plot")
    plain = limits("--no-plot")
    np.testing.assert_allclose(
        [row["distortion"] for row in document["at"]], [1000 * row["distortion"] for row in plain["at"]]
    )
    for row, other in zip(document["at"], plain["at"], strict=True):
        for name in ("oRD", "TMRD", "iE&C", "TS", "merge", "TMRD_model", "S&C"):
            np.testing.assert_allclose(row[name], other[name], atol=1e-6)


def test_a_prior(limits, data, tmp_path):
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    np.save(tmp_path / "prior.npy", prior)
    document = limits("--prior", tmp_path / "prior.npy", "--at", "0.3", "--no-plot")
    assert document["summary"]["weighted"]
    exact = float(closed_form.categorical.rate(prior, 0.3)) / np.log(2)
    assert document["at"][0]["oRD"] == pytest.approx(exact, abs=1e-12)
    uniform = limits("--prior", "uniform", "--at", "0.3", "--no-plot")
    exact = float(closed_form.categorical.rate(np.full(4, 0.25), 0.3)) / np.log(2)
    assert uniform["at"][0]["oRD"] == pytest.approx(exact, abs=1e-12)


def test_weights(limits, data, tmp_path):
    weights = np.random.default_rng(1).random(400)
    np.save(tmp_path / "w.npy", weights)
    document = limits("--weights", tmp_path / "w.npy", "--at", "0.3", "--no-plot")
    agree(document["at"][0], bits(tosc.limits(*data, at=[0.3], temperature=1, slopes=6, weights=weights)))
    assert document["summary"]["weighted"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--loss", "abstain:0.3", "--accuracy", "0.5"], "--accuracy has no meaning for the loss abstain:0.3"),
        (["--loss", "hinge"], "no loss 'hinge'; there are: zero-one, topK"),
        (["--loss", "top9"], "top-k needs k in 1..3"),
        (["--loss", "top2", "--at", "1.5"], "must lie in [0, 1], the losses of top2; got 1.5"),
        (["--prior", "equal"], "--prior must be uniform or a file"),
        (["--weights", "mass"], "nothing named 'mass'"),
    ],
)
def test_refused_in_one_line(limits, options, words, capsys):
    limits(*options, code=2)
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1

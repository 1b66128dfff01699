"""Rates and errors divided among the classes: the parts make the whole, on either side of every option."""

import csv
import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import Solution, optimal_channel, tosc
from jaxrd.cli.app import run
from jaxrd.errors import InputError
from jaxrd.io import read_outputs
from jaxrd.tosc import losses

PRIOR = np.array([0.5, 0.25, 0.2, 0.05])


def outputs(n=400, seed=0, classes=4):
    g = np.random.default_rng(seed)
    y = g.choice(classes, n, p=PRIOR)
    return 2 * np.eye(classes)[y] + g.normal(size=(n, classes)), y


@pytest.fixture(scope="module")
def limits():
    return tosc.limits(*outputs(), at=[0.3, 0.9], temperature=1.0, slopes=6)


@pytest.fixture(scope="module")
def found(limits):
    return tosc.by_class(limits)


class TestSums:
    """The law of total expectation, to rounding."""

    def test_classes_add_up_to_the_point(self, limits, found):
        for points in (*found.at, {"along": found.along[3]}, {"last": found.along[-1]}):
            for point in points.values():
                assert abs(found.share @ point.rates - point.rate) < 1e-12
                assert abs(found.share @ point.distortions - point.distortion) < 1e-12
                assert abs(point.reproduced.sum() - 1) < 1e-12

    def test_the_point_is_that_of_the_curve(self, limits, found):
        for name in ("TMRD", "iE&C"):
            assert abs(found.at[0][name].rate - limits.at[0][name]) < 1e-9
            assert abs(found.at[0][name].distortion - 0.3) < 1e-9
        curve = limits.curves["TMRD"]
        np.testing.assert_allclose([point.rate for point in found.along], curve.rate, atol=1e-12)
        np.testing.assert_allclose([point.distortion for point in found.along], curve.distortion, atol=1e-12)

    def test_independent_computation(self, limits, found):
        # With the package's own channel, one sample at a time.
        place = limits.workings.places[0]["TMRD"]
        logits, y = outputs()
        v = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        problem = tosc.model_aware_problem(jnp.asarray(v))
        zero = jnp.zeros(())
        solution = Solution(jnp.asarray(place.parameter), zero, zero, jnp.asarray(place.reproduction), zero, zero, zero)
        channel = np.asarray(optimal_channel(problem, solution))
        divergence = (channel * np.log(channel / channel.mean(0))).sum(1)
        point = found.at[0]["TMRD"]
        for k in range(4):
            np.testing.assert_allclose(point.rates[k], divergence[y == k].mean(), rtol=1e-9)
            np.testing.assert_allclose(1 - point.distortions[k], channel[y == k, k].mean(), rtol=1e-9)
        np.testing.assert_allclose(found.share, np.bincount(y) / 400, rtol=1e-12)
        np.testing.assert_allclose(found.distortions, [(logits.argmax(1) != y)[y == k].mean() for k in range(4)])

    def test_at_rate_zero_the_likeliest_class_is_guessed(self, found):
        for point in (found.at[1]["TMRD"], found.at[1]["iE&C"], found.along[0]):
            assert point.rate == 0
            assert point.rates.tolist() == [0, 0, 0, 0]
            assert point.distortions.tolist() == [0, 1, 1, 1]
            assert point.reproduced[0] == pytest.approx(1)

    def test_the_last_slope_is_infinite(self, limits, found):
        # Every sample takes its likeliest class: the rate is the entropy of the decisions.
        assert found.along[-1].slope == np.inf
        assert abs(found.along[-1].rate - limits.summary["estimate_entropy_nats"]) < 1e-9

    def test_many_samples_in_blocks(self, limits, monkeypatch, found):
        monkeypatch.setattr("jaxrd.tosc.posterior._NUMBERS", 200)
        blocks = tosc.by_class(tosc.limits(*outputs(), at=[0.3], temperature=1.0, slopes=6))
        np.testing.assert_allclose(blocks.at[0]["TMRD"].rates, found.at[0]["TMRD"].rates, rtol=1e-12)


def test_a_class_without_samples_is_nan_and_adds_nothing():
    logits, y = outputs()
    logits = np.c_[logits, np.full(400, -3.0)]
    found = tosc.by_class(tosc.limits(logits, y, at=[0.3], temperature=1.0, slopes=4))
    point = found.at[0]["TMRD"]
    assert np.isnan(point.rates[4])
    assert np.isnan(found.distortions[4])
    assert abs(found.share[:4] @ point.rates[:4] - point.rate) < 1e-12


def test_hard_decisions_have_iec_alone(limits):
    logits, y = outputs()
    found = tosc.by_class(tosc.limits(logits.argmax(1), y, at=[0.3, 0.001]))
    assert found.along == []
    assert set(found.at[0]) == {"iE&C"}
    assert found.at[1] == {"iE&C": None}  # not reached


def test_what_is_no_limits_is_refused():
    with pytest.raises(InputError, match="by_class takes what limits returned; got dict"):
        tosc.by_class({})  # pyright: ignore


class TestLosses:
    """Weights, and losses of other actions than labels."""

    def test_weights_count(self, found):
        # A weight of 2 is a sample twice.
        logits, y = outputs()
        twice = np.r_[np.arange(400), np.arange(100)]
        weights = np.where(np.arange(400) < 100, 2.0, 1.0)
        one = tosc.by_class(tosc.limits(logits, y, at=[0.3], temperature=1.0, slopes=4, weights=weights)).at[0]
        two = tosc.by_class(tosc.limits(logits[twice], y[twice], at=[0.3], temperature=1.0, slopes=4)).at[0]
        for name in ("TMRD", "iE&C"):
            np.testing.assert_allclose(one[name].rates, two[name].rates, rtol=1e-6)
        assert not np.allclose(one["TMRD"].rates, found.at[0]["TMRD"].rates, rtol=1e-3)

    def test_an_action_that_is_no_label(self):
        logits, y = outputs()
        limits = tosc.limits(logits, y, at=[0.2], temperature=1.0, slopes=4, loss=losses.abstain(0.3, 4))
        found = tosc.by_class(limits)
        assert found.decided.shape == (5,)
        v = np.exp(limits.workings.posterior.log_v)
        acts = losses.abstain(0.3, 4).decide(v)
        cost = np.where(acts == 4, 0.3, acts != y)
        np.testing.assert_allclose(found.distortions, [cost[y == k].mean() for k in range(4)])
        for name in ("TMRD", "iE&C"):
            point = found.at[0][name]
            assert abs(found.share @ point.rates - point.rate) < 1e-12
            assert abs(found.share @ point.distortions - point.distortion) < 1e-12
            assert abs(point.rate - limits.at[0][name]) < 1e-8
            assert abs(point.distortion - 0.2) < 1e-8


class TestNames:
    def table(self, path, columns, labels, header="label"):
        rows = [",".join([header, *columns])]
        logits, y = outputs(60)
        rows += [",".join([labels[k], *map(str, z)]) for k, z in zip(y, logits, strict=True)]
        path.write_text("\n".join(rows) + "\n")
        return read_outputs(path)[0]

    def test_columns_that_labels_name(self, tmp_path):
        animals = ["cat", "dog", "emu", "fox"]
        assert self.table(tmp_path / "a.csv", animals, animals).class_names == tuple(animals)

    def test_numbers(self, tmp_path):
        columns, labels = [f"logit_{k}" for k in range(4)], list("0123")
        assert self.table(tmp_path / "a.csv", columns, labels).class_names == ("0", "1", "2", "3")

    def test_numbers_from_one(self):
        logits, y = outputs(60)
        assert tosc.from_scores(logits, y + 1, first_label=1).class_names == ("1", "2", "3", "4")
        assert tosc.from_decisions(y + 1, y + 1, first_label=1).class_names == ("1", "2", "3", "4")

    def test_they_stay_with_the_classes_that_are_kept(self):
        logits, y = outputs(60)
        masked = np.insert(logits, 1, -1e6, axis=1)
        found = tosc.by_class(tosc.limits(masked, np.where(y > 0, y + 1, 0), at=[0.3], temperature=1.0, slopes=4))
        assert found.names == ("0", "2", "3", "4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by class")
    logits, y = outputs()
    np.savez(folder / "x.npz", logits=logits, labels=y)
    options = ["--temperature", "1", "--slopes", "6", "--at", "0.3", "--at", "0.9"]
    assert run(["limits", str(folder / "x.npz"), "--by-class", *options, "--out", str(folder / "out")]) == 0
    return folder / "out"


class TestCommand:
    def test_files(self, folder, found):
        document = json.loads((folder / "limits.json").read_text())
        shares = document["by_class"]
        assert shares["names"] == ["0", "1", "2", "3"]
        at = shares["at"][0]["TMRD"]
        np.testing.assert_allclose(at["classes"]["rate_bits"], found.at[0]["TMRD"].rates / np.log(2), rtol=1e-9)
        np.testing.assert_allclose(np.dot(shares["share"], at["classes"]["rate_bits"]), at["rate_bits"], atol=1e-12)
        np.testing.assert_allclose(np.dot(shares["share"], at["classes"]["accuracy"]), 0.7, atol=1e-9)
        np.testing.assert_allclose(sum(at["classes"]["rate_share"]), 1, atol=1e-12)
        assert shares["at"][1]["TMRD"]["classes"]["rate_share"] == [None] * 4  # no bits to share
        assert len(shares["along_TMRD"]) == len(document["curves"]["TMRD"]["rate_bits"])
        rows = list(csv.DictReader((folder / "by_class.csv").open()))
        assert len(rows) == 2 * 2 * 4
        first = [row for row in rows if row["curve"] == "iE&C" and row["asked_distortion"] == "0.3"]
        np.testing.assert_allclose([float(row["rate_bits"]) for row in first], found.at[0]["iE&C"].rates / np.log(2))
        assert (folder / "by_class.png").read_bytes().startswith(b"\x89PNG")
        assert {"by_class.csv", "by_class.png"} <= set(document["files"])

    def test_under_a_loss(self, tmp_path, capsys):
        logits, y = outputs()
        np.savez(tmp_path / "x.npz", logits=logits, labels=y)
        options = ["--temperature", "1", "--slopes", "4", "--loss", "abstain:0.3", "--at", "0.2"]
        assert run(["limits", str(tmp_path / "x.npz"), "--by-class", *options, "--out", str(tmp_path / "out")]) == 0
        assert "bits by class at a mean loss of 0.2" in capsys.readouterr().out
        at = json.loads((tmp_path / "out" / "limits.json").read_text())["by_class"]["at"][0]["TMRD"]
        assert "accuracy" not in at["classes"]
        assert "reproduced_share" not in at["classes"]
        assert len(at["classes"]["mean_loss"]) == 4

    def test_the_table(self, tmp_path, capsys):
        g = np.random.default_rng(0)
        y = np.arange(240) % 12
        np.savez(tmp_path / "x.npz", predictions=np.where(g.random(240) < 0.3, 0, y), labels=y)
        options = ["--at", "0.5", "--no-plot", "--slopes", "4", "--out", str(tmp_path / "out")]
        assert run(["limits", str(tmp_path / "x.npz"), "--by-class", *options]) == 0
        printed = capsys.readouterr().out
        assert "bits by class at 0.5 accuracy: the 10 that need most" in printed
        assert not (tmp_path / "out" / "by_class.png").exists()
        assert run(["limits", str(tmp_path / "x.npz"), *options]) == 0
        assert "by class" not in capsys.readouterr().out
        assert "by_class" not in json.loads((tmp_path / "out" / "limits.json").read_text())

"""`jaxrd rdc`: several labels, perception, the least at a rate, regions, Gaussian vectors; all in bits."""

import csv
import json

import numpy as np
import pytest

from jaxrd import Problem, rdc
from jaxrd.cli.app import run
from jaxrd.errors import InputError
from jaxrd.rdc.gaussian import vector
from jaxrd.rdc.representation.literal import literal_boundary
from jaxrd.rdc.representation.region import fixed_classifier_region, time_shared_region
from jaxrd.rdc.representation.universal import universal_vector_gaussian_rate

BIT = float(np.log(2))
SOURCE = np.array([0.5, 0.3, 0.2])
LABELS = np.array([[0.95, 0.05], [0.5, 0.5], [0.1, 0.9]])
OTHER = np.array([[0.8, 0.2], [0.1, 0.9], [0.6, 0.4]])
CLASSIFIER = np.array([[0.9, 0.1], [0.5, 0.5], [0.15, 0.85]])
PROBLEM = Problem(SOURCE, 1 - np.eye(3))
COST = np.abs(np.arange(3.0)[:, None] - np.arange(3)) ** 2
REPRESENTATION = np.array([[0.8, 0.1, 0.05, 0.05], [0.1, 0.7, 0.1, 0.1], [0.05, 0.05, 0.3, 0.6]])
ONE = {"source": SOURCE, "distortion": PROBLEM.distortion, "labels": LABELS, "classifier": CLASSIFIER}
TWO = {
    "source": SOURCE, "distortion": PROBLEM.distortion, "labels_1": LABELS, "labels_2": OTHER,
    "classifier_1": CLASSIFIER, "classifier_2": OTHER,
}  # fmt: skip
GAUSSIAN = {"covariance": np.diag([2.0, 1.0]), "direction": np.array([0.0, 1.0]), "noise_variance": 0.5}
VECTOR = vector.VectorSource(*GAUSSIAN.values())

MEASURES = {
    "tv": (rdc.measures.TotalVariation(), 0.02, 0.02),
    "w2": (rdc.measures.Wasserstein(COST), 0.02, 0.02),
    "kl": (rdc.measures.RelativeEntropy(), 0.002, 0.002 * BIT),
    "rkl": (rdc.measures.ReverseRelativeEntropy(), 0.002, 0.002 * BIT),
}
REGIONS = {
    "time-shared": lambda: time_shared_region(PROBLEM, LABELS, REPRESENTATION),
    "fixed": lambda: fixed_classifier_region(PROBLEM, rdc.cross_entropies(LABELS, CLASSIFIER), REPRESENTATION),
}


@pytest.fixture
def asked(tmp_path):
    """Write a source, ask for something, and give the document and the folder."""

    def ask(arrays, *args, code=0, surface="0"):
        np.savez(tmp_path / "source.npz", **arrays)
        out = tmp_path / "out"
        assert run(["rdc", str(tmp_path / "source.npz"), *args, "--surface", surface, "--out", str(out)]) == code
        text = (out / "rdc.json").read_text()
        return json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in JSON")), out

    return ask


class TestSeveralLabels:
    def test_at(self, asked, capsys):
        document, out = asked(TWO, "--at", "0.3,0.8,inf", "--at", "0.3,0.8,0.7")
        first, second = document["at"]
        assert list(first)[:3] == ["distortion", "classification_1_bits", "classification_2_bits"]
        assert first["classification_2_bits"] is None
        for row, c in ((first, np.inf), (second, 0.7)):
            point = rdc.lifted_rate(PROBLEM, [LABELS, OTHER], 0.3, np.array([0.8, c]) * BIT)
            assert row["rate_bits"] * BIT == pytest.approx(point.rate, abs=1e-9)
            assert row["lower_bits"] * BIT == pytest.approx(point.lower, abs=1e-9)
        assert second["rate_bits"] > first["rate_bits"] + 0.01  # the second label counts
        assert document["summary"]["classes"] == [2, 2]
        assert document["summary"]["least_classification_2_bits"] > 0
        rows = list(csv.DictReader((out / "rdc.csv").open()))
        assert rows[1]["classification_2_bits"] == "0.7"
        assert "C2" in capsys.readouterr().out

    def test_least_loss_of_either(self, asked):
        document, _ = asked(TWO, "--least", "0.4,0.4,0.9,least", "--least", "0.4,0.4,least,0.85")
        second, first = document["least"]
        assert second["least"] == "classification_2_bits"
        for row, given, label in ((first, [np.inf, 0.85], 0), (second, [0.9, np.inf], 1)):
            found = rdc.least_classification(
                PROBLEM, [LABELS, OTHER], 0.4, 0.4 * BIT, classification=np.array(given) * BIT, label=label
            )
            name = f"classification_{label + 1}_bits"
            assert row["least"] == name
            assert row[name] * BIT == pytest.approx(found.value, abs=1e-8)
            assert row[f"lower_{name}"] <= row[name]
            assert row["rate_bits"] == 0.4

    def test_surface_in_proportion(self, asked):
        document, out = asked(TWO, surface="2")
        assert (out / "rdc.png").exists()
        low, high = (
            [document["summary"][f"{end}_classification_{k}_bits"] for k in (1, 2)] for end in ("least", "silent")
        )
        losses = [[row[f"classification_{k}_bits"] for k in (1, 2)] for row in document["surface"]]
        np.testing.assert_allclose(losses, [low, high, low, high])

    def test_together_and_fixed(self, asked):
        document, _ = asked(TWO, "--universal", "0.2,inf,inf;inf,0.7,0.8")
        corner = rdc.lifted_rate(PROBLEM, [LABELS, OTHER], 0.2, np.array([0.7, 0.8]) * BIT)
        assert document["universal"]["rate_bits"] * BIT == pytest.approx(corner.rate, abs=1e-9)
        losses = [rdc.cross_entropies(LABELS, CLASSIFIER), rdc.cross_entropies(OTHER, OTHER)]
        document, _ = asked(TWO, "--at", "0.3,0.8,0.75", "--semantics", "fixed")
        point = rdc.fixed_classifier_rate(PROBLEM, losses, 0.3, np.array([0.8, 0.75]) * BIT)
        assert document["at"][0]["rate_bits"] * BIT == pytest.approx(point.rate, abs=1e-9)

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["--at", "0.2,0.5"], "--at must be D,C1,C2: the file has 2 label(s); got targets 0.2,0.5"),
            (["--least", "1,least,0.5"], "--least must be R,D,C1,C2: the file has 2 label(s); got targets least,0.5"),
            (["--universal", "1,1,1", "--semantics", "fixed"], "takes one label; the file has 2"),
            (["--at", "1,1,1", "--semantics", "fixed", "--perception", "tv:1"], "takes one label; the file has 2"),
            (["--region"], "--region takes one label; the file has 2"),
        ],
    )
    def test_what_does_not_suit(self, tmp_path, capsys, args, message):
        np.savez(tmp_path / "two.npz", **TWO, representation=REPRESENTATION)
        assert run(["rdc", str(tmp_path / "two.npz"), *args, "--surface", "0", "--out", str(tmp_path / "out")]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
        assert not (tmp_path / "out").exists()


class TestLeast:
    def test_distortion_and_loss_are_inverse_to_the_rate(self, asked, capsys):
        document, out = asked(
            ONE, "--least", "0.6,least,0.75", "--least", "0.6,0.25,least", "--least", "0.01,0.0,least"
        )
        distortion, loss, nowhere = document["least"]
        for row, (d, c) in (
            (distortion, (distortion["distortion"], 0.75)), (loss, (0.25, loss["classification_bits"]))
        ):  # fmt: skip
            again = rdc.lifted_rate(PROBLEM, LABELS, d, c * BIT)
            assert again.rate / BIT == pytest.approx(0.6, abs=1e-8)
            assert row["status"] == "CONVERGED"
        assert distortion["lower_distortion"] <= distortion["distortion"]
        assert loss["lower_classification_bits"] <= loss["classification_bits"]
        assert nowhere["status"] == "INFEASIBLE"
        assert nowhere["classification_bits"] is None
        rows = list(csv.DictReader((out / "rdc.csv").open()))
        assert [row["least"] for row in rows] == ["distortion", "classification_bits", "classification_bits"]
        assert rows[0]["lower_classification_bits"] == ""
        printed = capsys.readouterr().out
        assert f"least: {distortion['distortion']:.6f}" in printed
        assert "least: infeasible" in printed

    def test_in_other_semantics(self, asked):
        document, _ = asked(ONE, "--least", "0.6,least,0.8", "--semantics", "fixed")
        found = rdc.least_distortion(
            PROBLEM, rdc.cross_entropies(LABELS, CLASSIFIER), 0.8 * BIT, 0.6 * BIT, solver=rdc.fixed_classifier_rate
        )
        assert document["least"][0]["distortion"] == pytest.approx(found.value, abs=1e-8)
        assert document["least"][0]["semantics"] == "fixed"


class TestPerception:
    @pytest.mark.parametrize("name", ["tv", "w2", "kl", pytest.param("rkl", marks=pytest.mark.slow)])
    def test_every_measure(self, asked, name, capsys):
        measure, bound, nats = MEASURES[name]
        document, _ = asked(ONE | {"transport_cost": COST}, "--perception", f"{name}:{bound}", "--at", "0.4,inf")
        (row,) = document["at"]
        found = rdc.perceptual_rate(PROBLEM, 0.4, nats, measure=measure)
        assert row["rate_bits"] * BIT == pytest.approx(float(found.rate), abs=1e-8)
        plain = rdc.lifted_rate(PROBLEM, LABELS, 0.4, np.inf)
        assert row["lower_bits"] * BIT > plain.rate + 1e-3  # the bound counts
        assert row["measure"] == name
        assert row["perception_bits" if "kl" in name else "perception"] == bound
        words = f"{name} of the laws at most {bound:g}" + (" bit" if "kl" in name else "")
        assert words in document["meaning"]
        assert words in capsys.readouterr().out

    def test_no_surface_unless_it_is_asked_for(self, tmp_path, monkeypatch):
        monkeypatch.setattr("jaxrd.rdc.surface", lambda *_, **__: pytest.fail("a surface that nobody asked for"))
        np.savez(tmp_path / "one.npz", **ONE)
        args = ["rdc", str(tmp_path / "one.npz"), "--perception", "tv:0.02", "--at", "0.4,inf"]
        assert run([*args, "--out", str(tmp_path / "out")]) == 0
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rdc.csv", "rdc.json"]

    def test_the_cost_of_w2_may_be_the_distortion(self, asked):
        document, _ = asked(ONE, "--perception", "w2:0.02", "--at", "0.4,inf")
        # Hamming's transport cost is the total variation.
        found = rdc.perceptual_rate(PROBLEM, 0.4, 0.02)
        assert document["at"][0]["rate_bits"] * BIT == pytest.approx(float(found.rate), abs=1e-8)
        assert document["notes"] == ["W2: its cost is the distortion, for the file has no transport_cost"]

    @pytest.mark.parametrize(
        ("change", "args", "message"),
        [
            ({"transport_cost": COST[:2]}, ["w2:0.1"], "the cost of Wasserstein must have shape (3, 3)"),
            ({"transport_cost": -COST}, ["w2:0.1"], "the cost of Wasserstein must be finite and >= 0"),
            (
                {"distortion": np.where(np.eye(3), 0, np.inf)},
                ["tv:0.1"],
                "distortion must be finite beside a perception",
            ),
            ({"distortion": np.ones((3, 2))}, ["tv:0.1"], "3 source and 2 reproduction letters"),
        ],
    )
    def test_bad_files(self, tmp_path, capsys, change, args, message):
        np.savez(tmp_path / "bad.npz", **(ONE | change))
        asked = ["--at", "0.4,inf", "--perception", *args, "--out", str(tmp_path / "out")]
        assert run(["rdc", str(tmp_path / "bad.npz"), *asked]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
        assert not (tmp_path / "out").exists()

    def test_with_every_question(self, asked):
        # The shapes are those of tests/rdc/test_soft_perception.py: compiled once for both.
        problem, labels = Problem(np.array([0.7, 0.3]), 1 - np.eye(2)), np.array([[1.0, 0.0], [0.5, 0.5]])
        arrays = {"source": problem.source, "distortion": problem.distortion, "labels": labels}
        c = 0.3 / BIT
        args = (
            "--perception",
            "tv:0",
            "--at",
            f"0.2,{c}",
            "--least",
            f"0.5,least,{c}",
            "--universal",
            f"0.2,inf;inf,{c}",
        )
        document, _ = asked(arrays, *args, surface="2")
        point = rdc.perceptual_lifted_rate(problem, labels, 0.2, 0.0, 0.3)
        plain = rdc.lifted_rate(problem, labels, 0.2, 0.3)
        assert document["at"][0]["rate_bits"] * BIT == pytest.approx(point.rate, abs=1e-8)
        assert point.lower > plain.rate + 1e-3
        least = document["least"][0]
        again = rdc.perceptual_lifted_rate(problem, labels, least["distortion"], 0.0, 0.3)
        assert again.rate / BIT == pytest.approx(0.5, abs=1e-7)
        # Who serves both pairs keeps the law at their least targets: one bound for all.
        assert document["universal"]["rate_bits"] * BIT == pytest.approx(point.rate, abs=1e-8)
        silent = document["surface"][-1]  # D and C of silence, whose law is not the source's
        assert silent["measure"] == "tv"
        assert silent["rate_bits"] > 0.01

    def test_the_seed_reaches_the_solver(self, tmp_path, capsys, monkeypatch):
        def solver(*_, seed, **__):
            raise InputError(f"begun with seed {seed}")

        monkeypatch.setattr("jaxrd.rdc.perceptual_lifted_rate", solver)
        np.savez(tmp_path / "one.npz", **ONE)
        args = ["rdc", str(tmp_path / "one.npz"), "--perception", "tv:0", "--at", "0.4,1", "--out", str(tmp_path)]
        for options, seed in ((["--seed", "7"], 7), ([], 0)):
            assert run([*args, *options]) == 2
            assert f"begun with seed {seed}" in capsys.readouterr().err

    def test_a_given_classifier(self, asked):
        document, _ = asked(ONE, "--perception", "tv:0.02", "--at", "0.4,0.85", "--semantics", "fixed", surface="2")
        loss = rdc.cross_entropies(LABELS, CLASSIFIER)
        found = rdc.perceptual_fixed_classifier_rate(PROBLEM, loss, 0.4, 0.02, 0.85 * BIT)
        (row,) = document["at"]
        assert row["rate_bits"] * BIT == pytest.approx(float(found.rate), abs=1e-8)
        assert row["distortion_slope_bits"] * BIT == pytest.approx(float(found.distortion_slope), abs=1e-6)
        assert len(document["surface"]) == 4


class TestRegion:
    def vertices(self, asked, semantics):
        arrays = ONE | {"representation": REPRESENTATION}
        document, out = asked(arrays, "--region", "--semantics", semantics)
        assert (out / "rdc_region.png").read_bytes().startswith(b"\x89PNG")
        joint = SOURCE[:, None] * REPRESENTATION
        information = (joint * np.log2(REPRESENTATION / joint.sum(0))).sum()
        assert document["region"]["rate_bits"] == pytest.approx(information)
        rows = list(csv.DictReader((out / "rdc.csv").open()))
        vertices = document["region"]["vertices"]
        assert [float(row["distortion"]) for row in rows if row["curve"] == "region"] == [
            vertex["distortion"] for vertex in vertices
        ]
        return vertices

    def test_lifted(self, asked, capsys):
        (vertex,) = self.vertices(asked, "lifted")
        assert vertex["distortion"] == pytest.approx(0.29 - 0.08)
        joint = (SOURCE[:, None] * REPRESENTATION).T @ LABELS
        loss = -(joint * np.log2(joint / joint.sum(1, keepdims=True))).sum()
        assert vertex["classification_bits"] == pytest.approx(loss)
        assert f"D = 0.21 with C = {loss:.6f} bit" in capsys.readouterr().out

    @pytest.mark.parametrize("semantics", REGIONS)
    def test_of_decoders(self, asked, semantics):
        vertices, region = self.vertices(asked, semantics), REGIONS[semantics]()
        assert [vertex["decoder"] for vertex in vertices] == region.decoders.tolist()
        np.testing.assert_allclose([v["classification_bits"] for v in vertices], region.classification / BIT)

    def test_without_a_figure(self, asked):
        document, out = asked(ONE | {"representation": REPRESENTATION}, "--region", "--no-plot", surface="2")
        assert sorted(path.name for path in out.iterdir()) == ["rdc.csv", "rdc.json"]
        assert len(document["region"]["vertices"]) == 1
        without, _ = asked(ONE, "--at", "0.4,1")
        assert without["region"] is None

    def test_literal(self, asked):
        vertices = self.vertices(asked, "literal")
        d = [vertex["distortion"] for vertex in vertices]
        expected = literal_boundary(PROBLEM, LABELS, REPRESENTATION, d)
        np.testing.assert_allclose([v["classification_bits"] for v in vertices], expected / BIT)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"representation": REPRESENTATION[:2]}, "representation must be P(z|x), shape (3, representations)"),
            ({"representation": 2 * REPRESENTATION}, "rows that sum to 1"),
            ({"representation": np.array(["z"])}, "representation must be numbers"),
            ({"distortion": np.where(np.eye(3), 0, np.inf)}, "distortion must be finite here"),
        ],
    )
    def test_bad_files(self, tmp_path, capsys, monkeypatch, change, message):
        monkeypatch.setattr("jaxrd.rdc.surface", lambda *_, **__: pytest.fail("refused only after the surface"))
        np.savez(tmp_path / "bad.npz", **(ONE | {"representation": REPRESENTATION} | change))
        assert run(["rdc", str(tmp_path / "bad.npz"), "--region", "--out", str(tmp_path / "out")]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
        assert not (tmp_path / "out").exists()


class TestGaussian:
    def test_every_question(self, asked, capsys):
        args = ["--at", "1,1.7", "--at", "-1,inf", "--least", "2,least,1.7", "--least", "2,1,least"]
        document, out = asked(GAUSSIAN, *args, "--universal", "1,inf;inf,1.6", surface="3")
        assert document["semantics"] == "Gaussian"
        point = vector.rate_at(VECTOR, 1.0, 1.7 * BIT)
        first, nowhere = document["at"]
        assert first["rate_bits"] * BIT == pytest.approx(float(point.rate), abs=1e-9)
        assert first["distortion_slope_bits"] * BIT == pytest.approx(float(point.distortion_slope), rel=1e-6)
        assert nowhere["status"] == "INFEASIBLE"
        distortion, loss = document["least"]
        for row, targets in (
            (distortion, (distortion["distortion"], 1.7)), (loss, (1.0, loss["classification_bits"]))
        ):  # fmt: skip
            again = vector.rate_at(VECTOR, targets[0], targets[1] * BIT)
            assert float(again.rate) / BIT == pytest.approx(2, abs=1e-8)
            assert row["status"] == "CONVERGED"
        assert 0 <= distortion["distortion"] - distortion["lower_distortion"] < 1e-8
        assert 0 <= loss["classification_bits"] - loss["lower_classification_bits"] < 1e-8
        # The bounds hold: a little below them the rate is certainly larger.
        for d, c in (
            (distortion["lower_distortion"] - 1e-7, 1.7), (1.0, loss["lower_classification_bits"] - 1e-7)
        ):  # fmt: skip
            assert float(vector.rate_at(VECTOR, d, c * BIT).lower) > 2 * BIT
        together = universal_vector_gaussian_rate(VECTOR, [1, np.inf], [np.inf, 1.6 * BIT])
        assert document["universal"]["penalty_bits"] * BIT == pytest.approx(together.penalty, abs=1e-9)
        assert (out / "rdc.png").exists()
        assert document["surface"][-1]["rate_bits"] == pytest.approx(0, abs=1e-9)
        assert document["surface"][0]["distortion"] == pytest.approx(3 / 20)
        entropy = 0.5 * np.log2(2 * np.pi * np.e * 1.5)
        assert document["surface"][-1]["classification_bits"] == pytest.approx(entropy)
        assert document["summary"]["silent_classification_bits"] == pytest.approx(entropy)
        assert "a Gaussian vector of dimension 2" in capsys.readouterr().out

    def test_a_loss_may_be_negative(self, asked):
        document, _ = asked(GAUSSIAN | {"noise_variance": 1e-3}, "--at", "inf,-1")
        assert document["at"][0]["status"] == "CONVERGED"

    def test_no_rate(self, asked):
        document, _ = asked(GAUSSIAN, "--least", "0,least,inf", "--least", "0,inf,least")
        distortion, loss = document["least"]
        assert distortion["distortion"] == pytest.approx(3)
        assert distortion["lower_distortion"] == pytest.approx(3)
        assert loss["classification_bits"] == pytest.approx(0.5 * np.log2(2 * np.pi * np.e * 1.5))
        assert loss["lower_classification_bits"] == pytest.approx(loss["classification_bits"])

    @pytest.mark.parametrize(
        ("args", "name"),
        [
            (["--semantics", "lifted"], "semantics"),
            (["--perception", "tv:0.1"], "perception"),
            (["--region"], "region"),
            (["--seed", "1"], "seed"),
        ],
    )
    def test_options_of_discrete_sources(self, tmp_path, capsys, args, name):
        np.savez(tmp_path / "g.npz", **GAUSSIAN)
        assert run(["rdc", str(tmp_path / "g.npz"), *args, "--at", "1,1", "--out", str(tmp_path / "out")]) == 2
        assert f"--{name} is for a discrete source; the file holds a Gaussian one" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_a_label_that_the_source_knows_nothing_of_has_a_surface(asked, recwarn):
    document, _ = asked(ONE | {"labels": np.full((3, 2), 0.5)}, surface="2")
    losses = sorted({row["classification_bits"] for row in document["surface"]})
    assert losses == pytest.approx([1, 1 + 1 / BIT])
    assert not [warning for warning in recwarn if "identical" in str(warning.message)]

"""Figure 6 of [B]: what is claimed of its tables, what is trained again and what is not, and its command."""

import gzip
import json
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from shared import compiled_quickly

from jaxrd import datasets
from jaxrd.cli.app import run
from jaxrd.errors import InputError
from jaxrd.figures.rdc_fig6.claims import claims, pick, theorem5
from jaxrd.figures.rdc_fig6.draw import _name
from jaxrd.figures.rdc_fig6.models import file_name
from jaxrd.figures.rdc_fig6.plan import FULL, LOW_CE, LOW_DISTORTION, PUBLISHED, QUICK, Group, Member, Plan, Search
from jaxrd.neural import classifier, classifier_file
from jaxrd.neural.run import Leg
from jaxrd.neural.train import Code, Stage
from jaxrd.plots import new_figure

COMMITTED = Path(__file__).parents[2] / "benchmarks" / "results" / "rdc-fig6.json"
MEASURES = {
    "weight", "wasserstein_weight", "mse", "ce_nats", "label_entropy_nats", "accuracy", "sliced_w2", "coded_bits",
}  # fmt: skip
SPREAD = {"seeds", "mse_std", "ce_std"}
QUANTISER = {"weight", "mse", "ce_nats", "accuracy"}


def row(weight, mse, ce, accuracy, *, variance=0.02, wasserstein=0.0, w2=0.1, **more):
    measured = {"mse": mse, "ce_nats": ce, "accuracy": accuracy, "variance": variance, "sliced_w2": w2}
    spread = {"mse_std": None, "ce_std": None, "accuracy_std": None}
    return {"weight": weight, "wasserstein_weight": wasserstein} | measured | spread | more


LOW, FAR = row(LOW_DISTORTION, 0.04, 1.4, 0.75), row(LOW_CE, 0.05, 0.1, 0.99)


def said(conventional, universal=(), published=()):
    tables = {"conventional": conventional, "universal": universal}
    return [claim.found for claim in claims(tables, published, theorem5(0.07, conventional, universal))]


class TestClaims:
    """On tables made up so that the answer is known."""

    @pytest.mark.parametrize(
        ("published", "left"),
        [
            ({"mse": 0.041, "ce_nats": 1.5, "accuracy": 0.7}, None),
            ({"mse": 0.04, "ce_nats": 1.4, "accuracy": 0.75}, None),  # equal is dominated
            (
                {"mse": 0.0399, "ce_nats": 1.5, "accuracy": 0.7},
                "MSE 0.0399 with ce_nats 1.5; MSE 0.0399 with accuracy 0.7",
            ),
            ({"mse": 0.045, "ce_nats": 1.3, "accuracy": 0.7}, "MSE 0.045 with ce_nats 1.3"),
            ({"mse": 0.045, "ce_nats": 1.5, "accuracy": 0.76}, "MSE 0.045 with accuracy 0.76"),
            ({"mse": 0.045, "ce_nats": 1.5, "accuracy": None}, None),
            ({"mse": 0.06, "ce_nats": 0.2, "accuracy": 0.995}, "MSE 0.06 with accuracy 0.995"),
        ],
    )
    def test_a_published_point_is_dominated_or_named(self, published, left):
        found = said([LOW, FAR], published=[published])[1]
        assert found == (
            "Each is dominated by one of our conventional models, in (MSE, CE) and in (MSE, accuracy)."
            if left is None
            else f"Undominated by our conventional models: {left}."
        )

    def test_the_price_of_cross_entropy(self):
        assert said([LOW, FAR])[0].endswith("accuracy rises from 75.0% to 99.0%, MSE from 0.04000 to 0.05000, +25.0%.")
        spread = FAR | {"mse_std": 0.0012, "ce_std": 0.034}
        assert "to 0.1000 ± 0.0340 nat" in said([LOW, spread])[0]

    def test_the_penalty_of_a_frozen_encoder(self):
        at_low = row(LOW_DISTORTION, 0.043, 0.12, 0.99, encoder_weight=LOW_CE)
        at_far = row(LOW_CE, 0.05, 0.103, 0.99, encoder_weight=LOW_CE)
        found = said([LOW, FAR], [at_low, at_far])
        assert "MSE 0.04300, +7.5% against the low-distortion model" in found[2]
        assert "CE 0.1030 nat, +3.0% against its own" in found[2]
        assert len(found) == 4
        assert len(said([LOW, FAR], [at_low])) == 3  # half of it says nothing

    def test_the_way_back(self):
        back = row(LOW_CE, 0.045, 0.8, 0.74, encoder_weight=LOW_DISTORTION)
        assert "reaches CE 0.8000 nat at MSE 0.04500, accuracy 74.0%" in said([LOW, FAR], [back])[2]

    def test_the_w1_term_beside_the_same_model_without(self):
        with_term = row(LOW_CE, 0.051, 0.1, 0.99, wasserstein=0.01, w2=0.08)
        alone = row(0.5, 0.06, 0.1, 0.99, wasserstein=0.01)
        found = said([LOW, FAR, with_term, alone])[2]
        assert f"weights ({LOW_CE:g}, 0.01): 0.0800 for 0.1000, MSE 0.0510 for 0.0500." in found
        assert "0.5" not in found


def test_names_of_close_points_do_not_cover_each_other():
    figure, ax = new_figure()
    rows = [row(weight, 0.045, 0.1, 0.99) for weight in (0.01, 0.015, 0.03)]
    heights = [1.0, 1.01, 1.02]
    ax.plot([0.04, 0.05], [0.5, 2.0])
    _name(ax, rows, heights)
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))


class TestTheorem5:
    def test_by_hand(self):
        # 0.07 + 0.02 - 2 sqrt(0.02 * 0.03) = 0.0410102; less 2 * 0.04, and over it
        found = theorem5(0.07, [LOW, FAR], [])
        assert (found["d1"], found["d3"], found["v3"], found["source_variance"]) == (0.04, 0.05, 0.02, 0.07)
        assert found["gap_at_least"] == pytest.approx(-0.0389898, abs=1e-7)
        assert found["ratio_at_least"] == pytest.approx(0.5126276, abs=1e-7)
        assert found["d_b_at_most"] == pytest.approx(0.0889898, abs=1e-7)
        assert found["d_b"] is found["holds"] is None

    @pytest.mark.parametrize(("d_b", "holds"), [(0.05, True), (0.0799, True), (0.081, None)])
    def test_it_speaks_below_twice_d1_alone(self, d_b, holds):
        back = row(LOW_CE, d_b, 0.8, 0.74, encoder_weight=LOW_DISTORTION)
        assert theorem5(0.07, [LOW, FAR], [back])["holds"] is holds

    def test_it_can_fail(self):
        low, far = row(LOW_DISTORTION, 0.01, 1.4, 0.75), row(LOW_CE, 0.06, 0.1, 0.99, variance=0.0)
        back = row(LOW_CE, 0.015, 0.8, 0.74, encoder_weight=LOW_DISTORTION)
        found = theorem5(0.07, [low, far], [back])  # D(b) <= 0.06 - (0.07 - 0.02) = 0.01
        assert found["d_b_at_most"] == pytest.approx(0.01)
        assert found["holds"] is False
        assert "room" not in said([low, far], [back])[-1]

    def test_an_encoder_worse_than_none(self):
        assert np.isfinite(theorem5(0.03, [LOW, FAR], [])["gap_at_least"])


class TestPlan:
    @pytest.mark.parametrize("plan", [FULL, QUICK])
    def test_it_can_be_followed(self, plan):
        members = [m for group in plan.conventional for m in group.members]
        assert {m.weight for m in members} <= set(plan.search.weights)
        assert list(plan.search.weights) == sorted(plan.search.weights)
        decoders = [m for group in plan.universal for m in group.members]
        for m in decoders:
            assert Member(m.encoder, 0.0, m.seed) in members
        assert set(plan.kept) <= {*members, *decoders}
        named = [file_name(m) for m in (*members, *decoders)]
        assert len(set(named)) == len(named)
        groups = [*plan.conventional, *plan.universal]
        assert len({group.name for group in groups}) == len(groups)
        for group in groups:  # a Wasserstein weight needs a critic
            critic = any(leg.stage.adversarial for leg in group.legs)
            assert critic or not any(m.wasserstein for m in group.members)

    def test_no_critic_is_trained_that_no_model_asks_for(self):
        for group in (*FULL.conventional, *FULL.universal):
            assert any(leg.stage.adversarial for leg in group.legs) == any(m.wasserstein for m in group.members)

    def test_a_name_for_each_plan_and_data(self):
        more = replace(FULL, lessons=FULL.lessons + 1)
        first, *others = FULL.universal
        longer = replace(FULL, universal=(replace(first, legs=(replace(first.legs[0], epochs=16),)), *others))
        names = {plan.digest(data) for plan in (FULL, QUICK, more, longer) for data in ("a", "b")}
        assert len(names) == 8
        assert FULL.digest("a") == replace(FULL).digest("a")


@pytest.fixture(scope="module")
def found():
    return json.loads(COMMITTED.read_text())


class TestCommitted:
    """The committed results belong to the plan, and say what the README says of them."""

    def test_they_are_of_this_plan_on_mnist(self, found):
        assert FULL.digest(found["meta"]["sha256"]) == "310d915e3f44"
        trained = [(r["weight"], r["wasserstein"], r["seed"], r["encoder"]) for r in found["runs"]]
        assert trained == [tuple(m) for group in (*FULL.conventional, *FULL.universal) for m in group.members]
        assert (found["training_images"], found["test_images"]) == (60_000, 10_000)
        assert [one["models"] for one in found["trained"]] == [5, 9, 2, 3, 11, 2]
        assert all("cpu" in one["device"] and one["seconds"] > 0 for one in found["trained"])

    def test_what_was_to_be_reached(self, found):
        ours, theirs = found["conventional"], found["universal"]
        assert found["rate_bits"] <= 4.7549
        assert all(r["coded_bits"] < 4.7549 for r in (*ours, *theirs))
        low, far = pick(ours, LOW_DISTORTION), pick(ours, LOW_CE)
        assert low["mse"] <= 0.0435
        assert far["accuracy"] >= 0.985
        assert far["mse"] <= 0.0455
        assert pick(theirs, LOW_DISTORTION, 0.0, LOW_CE)["mse"] <= 1.05 * low["mse"]
        assert pick(theirs, LOW_CE, 0.0, LOW_CE)["ce_nats"] <= 1.05 * far["ce_nats"]
        for r in (low, far, pick(theirs, LOW_DISTORTION, 0.0, LOW_CE), pick(theirs, LOW_CE, 0.0, LOW_CE)):
            assert r["seeds"] == [0, 1, 2]
        for p in found["published"]:
            assert any(r["mse"] <= p["mse"] and r["ce_nats"] <= p["ce_nats"] for r in ours)
            if p["accuracy"] is not None:
                assert any(r["mse"] <= p["mse"] and r["accuracy"] >= p["accuracy"] for r in ours)
        assert found["published"] == [dict(p) for p in PUBLISHED]

    def test_no_decoder_beats_the_corner_of_its_encoder(self, found):
        corners = {(c["encoder_weight"], c["seed"]): c for c in found["corners"]}
        decoders = [r for r in found["runs"] if r["encoder"] is not None]
        assert set(corners) == {(r["encoder"], r["seed"]) for r in decoders}
        assert len(corners) == 4
        for r in decoders:
            corner = corners[r["encoder"], r["seed"]]
            assert corner["label_entropy_nats"] == pytest.approx(r["label_entropy_nats"], rel=1e-12)
            assert corner["label_entropy_nats"] < corner["ce_nats"] < r["ce_nats"]
            assert corner["mse"] < r["mse"] + 2e-5  # its means are of the training images

    def test_nothing_lies_below_the_label_entropy(self, found):
        assert all(0 < r["label_entropy_nats"] < r["ce_nats"] for r in found["runs"])

    def test_means_and_spreads_are_those_of_the_runs(self, found):
        for r in (*found["conventional"], *found["universal"]):
            what = r["weight"], r["wasserstein_weight"], r.get("encoder_weight")
            same = [s for s in found["runs"] if (s["weight"], s["wasserstein"], s["encoder"]) == what]
            assert r["seeds"] == [s["seed"] for s in same]
            for name in ("mse", "ce_nats", "label_entropy_nats", "accuracy", "coded_bits"):
                assert r[name] == pytest.approx(np.mean([s[name] for s in same]), rel=1e-12)
            for name, std in (("mse", "mse_std"), ("ce_nats", "ce_std")):
                expected = None if len(same) == 1 else pytest.approx(np.std([s[name] for s in same], ddof=1))
                assert r[std] == expected


# Without a critic: nearly all of its time is compiling.
TINY = Plan(
    code=Code(1, 3),
    search=Search((LOW_DISTORTION, LOW_CE), 1, 1, 64),
    conventional=(
        Group(
            "conventional",
            (Member(LOW_DISTORTION), Member(LOW_CE)),
            (Leg(Stage(adversarial=False), 3, 1e-3),),
        ),
    ),
    universal=(
        Group(
            "universal",
            (Member(LOW_DISTORTION, 0.0, 0, LOW_CE),),
            (Leg(Stage(("decoder",), adversarial=False), 1, 1e-3),),
        ),
    ),
    kept=(Member(LOW_CE),),
    lessons=5,
    images=64,
    tests=20,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Ten patterns with some pixels disturbed, in the files of MNIST."""
    folder = tmp_path_factory.mktemp("data") / "mnist"
    folder.mkdir()
    g = np.random.default_rng(0)
    patterns = (g.random((10, 28, 28)) < 0.2) * 255
    for prefix, count in (("train", 80), ("t10k", 30)):
        labels = np.arange(count) % 10
        images = np.where(g.random((count, 28, 28)) < 0.05, 255, patterns[labels])
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            path = folder / f"{prefix}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return folder.parent


class Linear(nnx.Module):
    """A classifier that costs little to compile."""

    shape = (28, 28, 1)

    def __init__(self):
        self.head = nnx.Linear(784, 10, rngs=nnx.Rngs(0))

    def __call__(self, images):
        return self.head(images.reshape(-1, 784))


@pytest.fixture
def _compiled_quickly(monkeypatch):
    monkeypatch.setattr(datasets, "is_mnist", lambda _: True)  # of the images made here
    with compiled_quickly():
        yield


@pytest.mark.usefixtures("_compiled_quickly")
class TestCommand:
    @pytest.mark.slow
    def test_interrupted_resumed_and_drawn_again(self, data, tmp_path, monkeypatch, capsys):
        """One plan in three sittings: the first ends in an epoch, the second trains the rest, the third nothing."""
        from jaxrd.figures.rdc_fig6 import models as rdc_fig6_models
        from jaxrd.figures.rdc_fig6 import plan as rdc_fig6_plan
        from jaxrd.neural import run as training

        monkeypatch.setattr(rdc_fig6_plan, "QUICK", TINY)
        monkeypatch.setattr(classifier, "load", Linear)
        command = ["reproduce", "rdc-fig6", "--quick", "--data", str(data), "--out", str(tmp_path)]

        def stopped(folder, state, history, save=training.save):
            save(folder, state, history)
            if len(history) == 2:
                raise KeyboardInterrupt

        with monkeypatch.context() as first:
            first.setattr(training, "save", stopped)
            assert run(command) == 130
        assert [p.name for p in tmp_path.iterdir()] == ["rdc-fig6.runs"]
        assert "epoch 1/3" in capsys.readouterr().err

        with monkeypatch.context() as second:
            second.setattr(rdc_fig6_models, "_frontier", forbidden)
            second.setattr(rdc_fig6_models.family, "taught", forbidden)
            assert run(command) == 0
        err = capsys.readouterr().err
        assert "leg 1/1 epoch 3/3" in err
        assert "epoch 2/3" not in err
        pictures = ["rdc-fig6-losses.png", "rdc-fig6-samples.png", "rdc-fig6.pdf", "rdc-fig6.png"]
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
            [*pictures, "rdc-fig6.csv", "rdc-fig6.json", "rdc-fig6.runs"]
        )
        found = json.loads((tmp_path / "rdc-fig6.json").read_text())
        assert found["schema"] == "jaxrd.rdc-fig6/1"
        assert found["rate_bits"] == pytest.approx(np.log2(3))
        assert all(set(r) >= MEASURES | SPREAD for r in found["conventional"])
        assert all(set(r) >= MEASURES | SPREAD | {"encoder_weight"} for r in found["universal"])
        assert all(set(r) >= QUANTISER for r in found["quantiser"])
        assert len(found["published"]) == 5
        (corner,) = found["corners"]
        assert (corner["encoder_weight"], corner["seed"]) == (LOW_CE, 0)
        assert corner["label_entropy_nats"] == pytest.approx(found["universal"][0]["label_entropy_nats"])
        assert 0 < corner["mse"] < found["universal"][0]["mse"]  # its decoder had one epoch
        assert (len(found["conventional"]), len(found["universal"]), len(found["quantiser"])) == (2, 1, 2)
        assert (found["training_images"], found["test_images"]) == (64, 20)
        assert any("A short run on few images" in note for note in found["notes"])
        (models,) = tmp_path.glob("rdc-fig6.runs/*/models")
        assert [p.name for p in models.iterdir()] == [f"conventional-{LOW_CE:g}.npz"]
        # A frozen encoder sends what it sent: the same messages, so as many bits.
        assert found["universal"][0]["coded_bits"] == pick(found["conventional"], LOW_CE)["coded_bits"]

        with monkeypatch.context() as third:
            for name in ("_frontier", "train", "_measured"):
                third.setattr(rdc_fig6_models, name, forbidden)
            assert run(command) == 0
        again = json.loads((tmp_path / "rdc-fig6.json").read_text())
        assert {k: v for k, v in again.items() if k != "meta"} == {k: v for k, v in found.items() if k != "meta"}

    @pytest.mark.parametrize("quick", [["--quick"], []])
    def test_no_data_is_one_line_and_nothing_written(self, quick, tmp_path, capsys):
        out = tmp_path / "out"
        assert run(["reproduce", "rdc-fig6", *quick, "--data", str(tmp_path / "none"), "--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("jaxrd: no MNIST: ")
        assert error.count("\n") == 1
        assert "none" in error
        assert "--data FOLDER" in error
        assert not out.exists()

    def test_a_classifier_for_other_images(self, data, tmp_path, monkeypatch, capsys):
        """The cross-entropy of other images under the digits' classifier would mean nothing: it was printed."""
        monkeypatch.setattr(datasets, "is_mnist", lambda _: False)
        command = ["reproduce", "rdc-fig6", "--quick", "--data", str(data), "--out", str(tmp_path / "out")]
        four = classifier.LeNet(classes=4, widths=(2, 2, 2), rngs=nnx.Rngs(0))
        (tmp_path / "c.npz").write_bytes(classifier_file.to_bytes(four))
        for more, message in (
            ([], "images are not MNIST's, and the classifier that ships with jaxrd knows its digits alone: pass --cla"),
            (["--classifier", str(tmp_path / "c.npz")], "c.npz: labels of 4 classes must lie in 0..3; got 9"),
            (["--classifier", str(tmp_path / "none.npz")], "none.npz"),
        ):
            assert run([*command, *more]) == 2
            error = capsys.readouterr().err
            assert message in error
            assert error.count("\n") == 1
        for name in ("identifiability", "tosc-transmitter"):
            assert run(["reproduce", name, "--data", str(data), "--out", str(tmp_path / "out")]) == 2
            assert "knows its digits alone; this figure is of MNIST." in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

        def given(*_, model, **__):
            raise InputError(f"classes: {model.classes}")

        monkeypatch.setattr("jaxrd.figures.rdc_fig6.compute.rdc_fig6", given)
        ten = classifier.LeNet(widths=(2, 2, 2), rngs=nnx.Rngs(0))
        (tmp_path / "c.npz").write_bytes(classifier_file.to_bytes(ten))
        assert run([*command, "--classifier", str(tmp_path / "c.npz")]) == 2
        assert "classes: 10" in capsys.readouterr().err

    def test_no_place_to_write(self, data, tmp_path, capsys):
        (tmp_path / "file").write_text("")
        assert run(["reproduce", "rdc-fig6", "--quick", "--data", str(data), "--out", str(tmp_path / "file")]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def forbidden(*_, **__):
    raise AssertionError("this was done already")

"""rdc-rates: what is claimed of its tables, what its files hold, what is kept, and its command."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
from shared import idx

from jaxrd.cli.app import run
from jaxrd.figures.rdc_rates import figure as module
from jaxrd.figures.rdc_rates.baselines import ADDITIVE, GAUSSIAN, SCALAR
from jaxrd.figures.rdc_rates.claims import claims, is_slight, penalties
from jaxrd.figures.rdc_rates.figure import reproduction
from jaxrd.figures.rdc_rates.plan import FULL, QUICK

SEEDS = {"seeds": [0, 1, 2], "mse_std": 1e-4, "ce_std": [0.01, 0.01]}


def row(target, mse, ce, *, accuracy=0.95, wasserstein=0.0, w2=0.06, **more):
    return {
        "target": target, "mse": mse, "ce_nats": [ce, 0.3], "accuracy": [accuracy, 0.9], "wasserstein": wasserstein,
        "cross_entropy_weights": [0.005 * ("digit" in target), 0.0],
        "label_entropy_nats": [0.6 * ce, 0.2], "sliced_w2": w2, "variance": 0.05, "coded_bits": 15.1, **SEEDS, **more,
    }  # fmt: skip


def rate(bits=16, mse=0.024, penalty=1.02):
    codes = {ADDITIVE: 0.0243, SCALAR: 0.038, GAUSSIAN: 0.0355}
    conventional = [
        row("mse", mse, 0.4), row("mse + digit", 1.03 * mse, 0.05, accuracy=0.99),
        row("mse + realism", 1.6 * mse, 0.5, wasserstein=0.01, w2=0.03),
    ]  # fmt: skip
    universal = [
        row(one["target"], penalty * one["mse"], one["ce_nats"][0] + 0.01, wasserstein=one["wasserstein"],
            w2=one["sliced_w2"], encoder_target="mse + digit")
        for one in conventional
    ]  # fmt: skip
    baselines = [{"name": name, "bits": bits, "mse": value} for name, value in codes.items()]
    return {"bits": bits, "conventional": conventional, "universal": universal, "baselines": baselines}


def said(*rates):
    return [claim.found for claim in claims(rates, "mse", 0.012)]


class TestClaims:
    """On tables made up so that the answer is known."""

    @pytest.mark.parametrize(("penalty", "slight"), [(1.02, 3), (1.049, 3), (1.06, 0), (0.9, 3)])
    def test_slight_penalties_are_counted(self, penalty, slight):
        assert (
            f"within 5% and 0.02 nat for {slight} of 3 targets (mse MSE {penalty - 1:+.1%}"
            in said(rate(penalty=penalty))[0]
        )

    def test_the_labels_that_the_target_asks_for_count(self):
        assert is_slight({"mse": 0.05, "ce_nats": [0.02, -1.0], "asked": [True, True]})
        assert not is_slight({"mse": 0.0, "ce_nats": [0.0, 0.021], "asked": [True, True]})
        assert is_slight({"mse": 0.0, "ce_nats": [0.0, 3.0], "asked": [True, False]})
        assert "(mse MSE +2.0%, mse + digit MSE +2.0%, CE +0.010 nat, mse + realism" in said(rate())[0]
        assert [p["own"] for p in penalties(rate())] == [False, True, False]
        assert [p["ce_nats"] for p in penalties(rate())] == [pytest.approx([0.01, 0.0])] * 3

    @pytest.mark.parametrize(("mse", "word"), [(0.0242, "below"), (0.0244, "not below")])
    def test_the_best_code_without_a_network(self, mse, word):
        """The Gaussian line, .0355, is no code: a network above it would still be compared with the best code."""
        assert (
            f"network {mse:.5f} ± 0.00010, {word} the best of them, {ADDITIVE} 0.02430; R(D)" in said(rate(mse=mse))[1]
        )
        assert "no bound for these images" in said(rate())[1]

    def test_the_price_of_cross_entropy(self):
        assert "from 0.400 to 0.050 nat, accuracy from 95.00% to 99.00%, MSE +3.0%" in said(rate())[2]

    def test_realism(self):
        found = said(rate(penalty=1.3))[3]
        assert "16 bits, conventional: MSE 1.60 times the least (holds), sliced W2 0.0300 for 0.0600" in found
        assert "universal: MSE 2.08 times the least (fails)" in found
        assert found.endswith("two samples of the images differ by 0.0120.")
        without = rate()
        for kind in ("conventional", "universal"):
            without[kind] = without[kind][:2]
        assert said(without)[3] == "No decoder was trained for realism."


def test_of_what_is_finished():
    """Without universal decoders, and with the first target alone: less is said, and all is drawn."""
    some = rate()
    some["universal"], some["conventional"] = [], some["conventional"][:1]
    found = said(some)
    assert found[0] == "16 bits: no universal decoder beside the model of its target."
    assert found[2] == "16 bits: no model for both."
    assert reproduction([some], FULL, floor=0.012, counts=(9, 9)).figure.axes


def test_what_the_files_hold():
    found = reproduction([rate(16), rate(32, 0.018)], FULL, floor=0.012, counts=(60_000, 10_000))
    document = json.loads(dict(found.files({}))["rdc-rates.json"])
    assert document["schema"] == "jaxrd.rdc-rates/1"
    assert [one["bits"] for one in document["rates"]] == [16, 32]
    assert document["labels"] == ["digit", "thickness"]
    assert document["sliced_w2_floor"] == 0.012
    for one in document["rates"]:
        measured = {
            "target",
            "mse",
            "ce_nats",
            "accuracy",
            "label_entropy_nats",
            "sliced_w2",
            "coded_bits",
            "seeds",
            "mse_std",
        }
        assert all(set(r) >= measured for r in one["conventional"])
        assert all(set(r) >= measured | {"encoder_target"} for r in one["universal"])
        assert all(set(r) >= {"name", "mse", "bits"} for r in one["baselines"])
    table = found.curves["universal"]
    assert table["digit_ce_nats"] == pytest.approx([0.41, 0.06, 0.51] * 2)
    assert table["bits"] == [16] * 3 + [32] * 3
    assert not any("short run" in note for note in found.notes)
    assert any("short run" in note for note in reproduction([rate()], QUICK, floor=0.0, counts=(1, 1)).notes)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A hundred images in the files of MNIST."""
    monkeypatch.setattr("jaxrd.datasets.is_mnist", lambda _: True)
    g = np.random.default_rng(0)
    for prefix, count in (("train", 100), ("t10k", 40)):
        images = (g.random((count, 28, 28)) < 0.2) * 255
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(count) % 10)):
            path = tmp_path / "data" / "mnist" / f"{prefix}-{kind}-ubyte.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(idx(array)))
    return tmp_path / "data"


def test_the_command(folder, tmp_path, monkeypatch, capsys):
    """The models are made up; baselines are fitted once, then read."""
    asked = []

    def models(plan, train, test, classifiers, own, *, say):
        asked.append((plan, len(train.labels), test.labels[1].max() <= 2, len(classifiers), own.parent.name))
        return [{k: v for k, v in rate(bits).items() if k != "baselines"} for bits in plan.bits]

    plan = replace(QUICK, bits=(16,))
    monkeypatch.setattr("jaxrd.figures.rdc_rates.plan.QUICK", plan)
    monkeypatch.setattr(module, "models", models)
    efforts = []

    def baselines(train, test, bits, *, effort, say):
        efforts.append((effort, train.shape, test.shape, float(train.max())))
        return rate(bits)["baselines"]

    monkeypatch.setattr(module.codes, "baselines", baselines)
    command = ["reproduce", "rdc-rates", "--quick", "--data", str(folder), "--out", str(tmp_path / "out")]
    assert run(command) == 0
    assert efforts == [(module.codes.QUICK, (100, 784), (40, 784), 1.0)]
    assert asked == [(plan, 2, True, 2, "rdc-rates.runs")]
    pictures = {f"rdc-rates.{kind}" for kind in ("csv", "json", "pdf", "png")}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {*pictures, "rdc-rates.runs"}
    assert "found  16 bits: within 5%" in capsys.readouterr().out
    first = json.loads((tmp_path / "out" / "rdc-rates.json").read_text())

    assert run(command) == 0
    assert json.loads((tmp_path / "out" / "rdc-rates.json").read_text())["rates"] == first["rates"]
    assert len(efforts) == 1


def test_other_images_are_refused(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("jaxrd.datasets.is_mnist", lambda _: False)
    assert run(["reproduce", "rdc-rates", "--data", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "images are not MNIST's" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

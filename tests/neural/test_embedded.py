"""The embedded classifier and its outputs."""

import gzip
import hashlib
import json
import struct
from importlib import resources

import jax
import numpy as np
import pytest

from jaxrd import datasets, tosc
from jaxrd.io import read_outputs

FOLDER = resources.files("jaxrd") / "data"
PROVENANCE = json.loads((FOLDER / "PROVENANCE.json").read_text())


def test_sizes_and_digests():
    for name, digest in PROVENANCE["sha256"].items():
        raw = (FOLDER / name).read_bytes()
        assert hashlib.sha256(raw).hexdigest() == digest, name
        assert len(raw) < 1_000_000
    outputs = sum(len((FOLDER / name).read_bytes()) for name in datasets.EXAMPLES.values())
    assert outputs < 450_000


@pytest.mark.parametrize(("name", "low", "high"), [("mnist-clean", 0.992, 1.0), ("mnist-noisy", 0.75, 0.85)])
def test_accuracy(name, low, high):
    outputs, _ = read_outputs(datasets.example_path(name))
    accuracy = float((outputs.decisions == outputs.labels).mean())
    assert low <= accuracy <= high
    # float16 in the file may turn a near tie
    assert accuracy == pytest.approx(PROVENANCE["test_accuracy"][name.removeprefix("mnist-")], abs=5e-4)


def test_on_the_noisy_set_the_curves_come_apart():
    outputs, _ = read_outputs(datasets.example_path("mnist-noisy"))
    row = tosc.limits(outputs, at=[0.3], slopes=4).at[0]
    assert row["oRD"] < row["TMRD"] < min(row["iE&C"], row["S&C"], row["E&C"]) < row["TS"] < row["merge"]


def test_unknown_example():
    with pytest.raises(KeyError, match="there are: mnist-noisy, mnist-clean"):
        datasets.example_path("cifar")


def test_parameters_give_the_outputs(data):
    from jaxrd.neural import classifier

    _, test = datasets.mnist(data / "mnist")
    model = classifier.load()
    with jax.enable_x64(False):
        found = classifier.logits(model, test.images[:2000] / np.float32(255))
    stored = datasets.embedded(datasets.EXAMPLES["mnist-clean"])
    np.testing.assert_allclose(found, stored["logits"][:2000].astype(np.float32), atol=0.05)
    np.testing.assert_array_equal(test.labels, stored["labels"])


def test_the_classifier_of_thickness(data):
    from jaxrd.neural import classifier_file
    from jaxrd.neural.classifier_fit import measured

    told = PROVENANCE["mnist_thickness"]
    model = classifier_file.load_thickness()
    assert (model.shape, model.classes) == ((28, 28, 1), 3)
    _, test = datasets.mnist(data / "mnist")
    few = test.images[:2000]
    with jax.enable_x64(False):
        found = measured(model, few / np.float32(255), datasets.thickness_classes(few))
    assert told["test_accuracy"] > 0.96
    assert found["accuracy"] == pytest.approx(told["test_accuracy"], abs=0.01)
    assert found["ce_nats"] == pytest.approx(told["test_ce_nats"], abs=0.02)


def test_parameters_load_without_data():
    from jaxrd.neural import classifier

    model = classifier.load()
    assert sum(v.size for v in classifier.flatten(model).values()) == PROVENANCE["parameters"]
    saved = datasets.embedded(classifier.PARAMETERS)
    for name, values in classifier.flatten(model).items():
        np.testing.assert_array_equal(values, saved[name])
    assert classifier.logits(model, np.zeros((3, 28, 28)), batch=2).shape == (3, 10)


class TestIdx:
    def write(self, path, array, compress=False):
        raw = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
        path.write_bytes(gzip.compress(raw) if compress else raw)

    def test_reads_both(self, tmp_path):
        images = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
        for prefix, compress in (("train", True), ("t10k", False)):
            ending = ".gz" if compress else ""
            self.write(tmp_path / f"{prefix}-images-idx3-ubyte{ending}", images, compress)
            self.write(tmp_path / f"{prefix}-labels-idx1-ubyte{ending}", np.array([3, 4], np.uint8), compress)
        train, test = datasets.mnist(tmp_path)
        np.testing.assert_array_equal(train.images, images)
        np.testing.assert_array_equal(test.labels, [3, 4])

    def test_refuses_the_rest(self, tmp_path):
        self.write(tmp_path / "short", np.zeros((2, 3), np.uint8))
        whole = (tmp_path / "short").read_bytes()
        (tmp_path / "short").write_bytes(whole[:-1])
        with pytest.raises(ValueError, match="5 bytes of data where its header says"):
            datasets.read_idx(tmp_path / "short")
        (tmp_path / "other").write_bytes(b"\x89PNG1234")
        with pytest.raises(ValueError, match="begins with 89504e47"):
            datasets.read_idx(tmp_path / "other")
        with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte\[.gz\] not found"):
            datasets.mnist(tmp_path)

    def test_no_folder(self, monkeypatch):
        monkeypatch.delenv("JAXRD_DATA", raising=False)
        with pytest.raises(FileNotFoundError, match="set JAXRD_DATA"):
            datasets.mnist()

"""The LeNet in fewer bits: what pruning and quantisation do to its numbers, and the figure made of it."""

import gzip
import json
import struct
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrd import datasets
from jaxrd.cli.app import run
from jaxrd.datasets import Split, embedded
from jaxrd.figures.identifiability.corruptions import noise
from jaxrd.figures.tosc_transmitter.compute import VERSIONS, Version, tosc_transmitter
from jaxrd.figures.tosc_transmitter.reduced import pruned, quantised, whole
from jaxrd.neural import classifier

LENET = embedded(classifier.PARAMETERS)
COUNT = sum(array.size for array in LENET.values())
KERNELS = [name for name in LENET if name.endswith("kernel")]
NUMBERS = sum(LENET[name].size for name in KERNELS)
BIASES = COUNT - NUMBERS


class TestReduced:
    def test_floats(self):
        assert whole(LENET, 32).bits == 32 * COUNT
        assert whole(LENET, 16).bits == 16 * COUNT
        for name, array in LENET.items():
            np.testing.assert_array_equal(whole(LENET, 32).parameters[name], array)
            half = whole(LENET, 16).parameters[name]
            assert half.dtype == np.float32
            np.testing.assert_array_equal(half, array.astype(np.float16))

    @pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.95])
    def test_pruning_takes_the_smallest_of_all_kernels(self, sparsity):
        found = pruned(LENET, sparsity).parameters
        floats = whole(LENET, 16).parameters
        gone = np.concatenate([np.abs(floats[name][found[name] == 0]) for name in KERNELS])
        left = np.concatenate([np.abs(found[name][found[name] != 0]) for name in KERNELS])
        assert gone.size == pytest.approx(round(sparsity * NUMBERS), abs=20)  # a few are zero in fp16
        assert gone.max(initial=0) <= left.min()
        for name in LENET:
            kept = found[name] != 0
            np.testing.assert_array_equal(found[name][kept], floats[name][kept])
            if name not in KERNELS:
                np.testing.assert_array_equal(found[name], floats[name])

    @given(st.integers(0, 11))
    def test_ties_are_pruned_to_the_number_asked(self, count):
        ones = {"a.kernel": np.ones((2, 3)), "b.kernel": -np.ones(6), "b.bias": np.zeros(2)}
        found = pruned(ones, count / 12)
        assert sum((found.parameters[name] == 0).sum() for name in ("a.kernel", "b.kernel")) == count
        share = count / 12
        entropy = -sum(p * np.log2(p) for p in (share, 1 - share) if p)
        assert found.bits == pytest.approx(16 * (12 - count + 2) + 12 * entropy)

    @pytest.mark.parametrize("width", [8, 4, 3, 2])
    def test_quantised(self, width):
        found = quantised(LENET, width)
        assert found.bits == width * NUMBERS + 32 * len(KERNELS) + 16 * BIASES
        for name in KERNELS:
            array, other = LENET[name], found.parameters[name]
            step = np.abs(array).max() / (2 ** (width - 1) - 1)
            levels = np.unique(np.round(other / step).astype(int))
            np.testing.assert_allclose(np.unique(other), levels * step, rtol=1e-5)
            assert levels.min() >= -(2 ** (width - 1) - 1)
            assert levels.max() <= 2 ** (width - 1) - 1
            assert np.abs(other - array).max() <= step / 2 * (1 + 1e-5)
        np.testing.assert_array_equal(
            quantised(found.parameters, width).parameters[KERNELS[0]], found.parameters[KERNELS[0]]
        )

    def test_a_kernel_of_zeros(self):
        assert quantised({"a.kernel": np.zeros(3)}, 4).parameters["a.kernel"].tolist() == [0, 0, 0]

    def test_restored_is_the_inverse_of_flatten(self):
        found = classifier.flatten(classifier.restored(quantised(LENET, 4).parameters))
        for name, array in quantised(LENET, 4).parameters.items():
            np.testing.assert_array_equal(found[name], array)


@pytest.fixture(scope="module")
def split():
    """Ten bright patterns, some of their pixels disturbed: the LeNet decides something, not digits."""
    g = np.random.default_rng(0)
    prototypes = (g.random((10, 28, 28)) < 0.2) * 255
    labels = g.integers(0, 10, 60)
    images = np.where(g.random((60, 28, 28)) < 0.05, 255, prototypes[labels]).astype(np.uint8)
    decided = classifier.logits(classifier.load(), noise(images / np.float32(255), 1.0)).argmax(1)
    return Split(images, np.where(g.random(60) < 0.8, decided, labels).astype(np.int32))


FEW = (
    Version("fp32", "floats", partial(whole, width=32)),
    Version("90%", "pruned", partial(pruned, sparsity=0.9)),
    Version("2 bits", "quantised", partial(quantised, width=2)),
)


@pytest.fixture(scope="module")
def found(split):
    return tosc_transmitter(split, versions=FEW, accuracies=(0.3, 0.5), slopes=4)


class TestFigure:
    def test_tables(self, found):
        assert set(found.curves) == {"floats", "pruned", "quantised"}
        (first,) = found.curves["floats"]["accuracy"]
        labels_alone = set()
        for family, table in found.curves.items():
            assert len(table["version"]) == 1
            assert table["accuracy_change"][0] == pytest.approx(table["accuracy"][0] - first, abs=1e-12)
            assert table["model_bits"][0] == {v.family: v.reduce(LENET).bits for v in FEW}[family]
            labels_alone.add(round(table["oRD_at_0.5_bits"][0], 9))
        assert len(labels_alone) == 1
        assert found.curves["floats"]["accuracy_change_deviation"] == [0]
        assert found.curves["floats"]["changed_decisions"] == [0]
        assert found.curves["quantised"]["changed_decisions"][0] > 0
        for curve in ("TMRD", "iE&C"):
            assert (
                found.curves["floats"][f"{curve}_at_0.3_bits"][0] <= found.curves["floats"][f"{curve}_at_0.5_bits"][0]
            )

    def test_claims_and_files(self, found):
        assert len(found.claims) == 3
        marginal, viable, half = (claim.found for claim in found.claims)
        assert "90%" in marginal
        assert "2 bits" in marginal
        assert viable.startswith("bits a sample at 50% accuracy: oRD ")
        assert "fp32" in viable
        assert half == "not examined"
        files = dict(found.files({}))
        assert json.loads(files["tosc-transmitter.json"])["curves"]["pruned"]["version"] == ["90%"]
        assert files["tosc-transmitter.png"].startswith(b"\x89PNG")

    def test_what_no_version_reaches_is_none(self, split):
        found = tosc_transmitter(split, versions=FEW[2:], accuracies=(0.999,), slopes=4)
        assert found.curves["quantised"]["iE&C_at_0.999_bits"] == [None]
        assert "iE&C: none; out of reach: 2 bits" in found.claims[1].found


@pytest.fixture
def folder(monkeypatch, tmp_path, split):
    monkeypatch.setattr("jaxrd.datasets.is_mnist", lambda _: True)  # of the images made here
    for prefix in ("train", "t10k"):
        for kind, array in (("images-idx3", split.images), ("labels-idx1", split.labels)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            path = tmp_path / "data" / "mnist" / f"{prefix}-{kind}-ubyte.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return tmp_path / "data"


class TestCommand:
    def test_files(self, folder, tmp_path, monkeypatch, capsys):
        figure = partial(tosc_transmitter, versions=FEW, slopes=4)
        monkeypatch.setattr("jaxrd.figures.tosc_transmitter.compute.tosc_transmitter", figure)
        out = tmp_path / "out"
        assert run(["reproduce", "tosc-transmitter", "--data", str(folder), "--out", str(out)]) == 0
        assert sorted(p.name for p in out.iterdir()) == [f"tosc-transmitter.{e}" for e in ("csv", "json", "pdf", "png")]
        document = json.loads((out / "tosc-transmitter.json").read_text())
        assert document["test_images"] == 60
        assert len(document["meta"]["sha256"]) == 64
        assert "pruning and quantisation" in capsys.readouterr().out

    def test_bad_data_is_one_line_and_exit_2(self, folder, tmp_path, capsys):
        (folder / "mnist" / "t10k-images-idx3-ubyte.gz").unlink()
        assert run(["reproduce", "tosc-transmitter", "--data", str(folder), "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert error.startswith("jaxrd: no MNIST: ")
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_real_images(data):
    """The whole network gives the embedded outputs; 8 bits change next to nothing, 2 bits nearly all."""
    _, test = datasets.mnist(data)
    embedded_logits = embedded("mnist_lenet_noisy.npz")["logits"]
    noisy = noise(test.images / np.float32(255), 1.0)[:1000]  # the draw is of all images at once
    found = {}
    for version in VERSIONS:
        if version.name in ("fp32", "8 bits", "2 bits"):
            found[version.name] = classifier.logits(classifier.restored(version.reduce(LENET).parameters), noisy)
    np.testing.assert_allclose(found["fp32"], embedded_logits[:1000], atol=0.02)
    decisions = {name: logits.argmax(1) for name, logits in found.items()}
    assert (decisions["8 bits"] == decisions["fp32"]).mean() > 0.98
    assert (decisions["2 bits"] == decisions["fp32"]).mean() < 0.5

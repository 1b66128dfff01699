"""The corrupted-input experiment on made-up digits, and its command."""

import gzip
import json
import struct

import numpy as np
import pytest

from jaxrd.cli.app import run
from jaxrd.figures.identifiability.corruptions import CORRUPTIONS, blur, low_resolution, noise


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Ten images with some pixels disturbed, in the files of MNIST."""
    monkeypatch.setattr("jaxrd.datasets.is_mnist", lambda _: True)  # of the images made here
    g = np.random.default_rng(0)
    prototypes = (g.random((10, 28, 28)) < 0.2) * 255
    for prefix, count in (("train", 200), ("t10k", 60)):
        labels = g.integers(0, 10, count)
        images = np.where(g.random((count, 28, 28)) < 0.05, 255, prototypes[labels])
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            path = tmp_path / "data" / "mnist" / f"{prefix}-{kind}-ubyte.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return tmp_path / "data"


class TestCorruptions:
    images = np.random.default_rng(1).random((5, 28, 28), np.float32)

    @pytest.mark.parametrize("c", CORRUPTIONS, ids=lambda c: c.name)
    def test_same_shape_same_type_same_twice(self, c):
        found = c.apply(self.images, c.strengths[-1])
        assert found.shape == self.images.shape
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, c.apply(self.images, c.strengths[-1]))

    def test_low_resolution_block_by_block(self):
        found = low_resolution(self.images, 7.0)
        for i in range(0, 28, 7):
            block = self.images[:, i : i + 7, 14:21].mean((1, 2))
            np.testing.assert_allclose(found[:, i + 3, 15], np.round(3 * block) / 3, atol=1e-6)
        assert len(np.unique(found)) <= 4

    def test_noise_has_its_deviation_and_blur_keeps_the_light(self):
        np.testing.assert_allclose((noise(self.images, 0.5) - self.images).std(), 0.5, rtol=0.05)
        dot = np.zeros((1, 28, 28), np.float32)
        dot[0, 14, 14] = 1
        np.testing.assert_allclose(blur(dot, 1.0).sum(), 1, atol=0.05)
        assert np.allclose(255 * blur(self.images, 2.0), np.round(255 * blur(self.images, 2.0)), atol=1e-3)


@pytest.mark.slow
def test_command(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["reproduce", "identifiability", "--quick", "--data", str(folder), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == [f"identifiability.{e}" for e in ("csv", "json", "pdf", "png")]
    found = json.loads((out / "identifiability.json").read_text())
    assert set(found["curves"]) == {c.name for c in CORRUPTIONS}
    assert len(found["claims"]) == 3
    for table in found["curves"].values():
        assert table["strength"][0] == 0
        labels_alone = np.array(table["oRD_at_0.7_bits"])
        np.testing.assert_array_max_ulp(labels_alone, np.full_like(labels_alone, labels_alone[0]), 2)
        lower, upper = (np.array(table[f"{side}_limit_bits"]) for side in ("lower", "upper"))
        assert (lower <= upper).all()
        for name in ("believed", "calibrated", "cross_entropy"):
            low, value, high = (np.array(table[f"{name}{k}_bits"]) for k in ("_low", "", "_high"))
            assert (low <= value).all()
            assert (value <= high).all()
    low = found["curves"]["low resolution"]
    assert low["distinct_inputs"] == sorted(low["distinct_inputs"], reverse=True)
    assert "oRD" in capsys.readouterr().out


def without_an_image_file(folder):
    (folder / "mnist" / "t10k-images-idx3-ubyte.gz").unlink()


def cut_short(folder):
    path = folder / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-200])


def no_idx(folder):
    (folder / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"hello"))


def other_labels(folder):
    path = folder / "mnist" / "t10k-labels-idx1-ubyte.gz"
    (folder / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(path.read_bytes())


@pytest.mark.parametrize("damage", [without_an_image_file, cut_short, no_idx, other_labels])
def test_bad_data_is_one_line_and_exit_2(damage, folder, tmp_path, capsys):
    damage(folder)
    out = tmp_path / "out"
    assert run(["reproduce", "identifiability", "--quick", "--data", str(folder), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("jaxrd: no MNIST: ")
    assert error.count("\n") == 1
    assert "--data FOLDER" in error
    assert not out.exists()


def test_no_data(monkeypatch, tmp_path, capsys):
    def offline(*_, **__):
        raise ConnectionError

    monkeypatch.delenv("JAXRD_DATA", raising=False)
    monkeypatch.setattr("pooch.retrieve", offline)
    assert run(["reproduce", "identifiability", "--out", str(tmp_path / "out")]) == 2
    assert "pass --data FOLDER, or set JAXRD_DATA" in capsys.readouterr().err

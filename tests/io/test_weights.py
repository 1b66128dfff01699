"""Weights of samples and probabilities of classes, from files."""

import numpy as np
import pytest

from jaxrd.errors import InputError
from jaxrd.io import read_outputs
from jaxrd.io.weights import read_prior

V = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
Y = np.array([0, 1, 1])
W = np.array([1.0, 2.0, 5.0])


def weights(*arguments, **options):
    return read_outputs(*arguments, **options)[0].weights


@pytest.mark.parametrize("name", ["weights", "sample_weight", "sample_weights"])
def test_in_the_file(tmp_path, name):
    np.savez(tmp_path / "x.npz", probs=V, labels=Y, **{name: W})
    outputs, _ = read_outputs(tmp_path / "x.npz")
    np.testing.assert_allclose(outputs.weights, W / 8)
    assert f"weights of the samples from {name}" in outputs.notes
    assert not any("not used" in note for note in outputs.notes)


def test_in_a_table(tmp_path):
    (tmp_path / "x.csv").write_text("label,prob_0,prob_1,sample_weight\n0,.9,.1,1\n1,.2,.8,2\n1,.6,.4,5\n")
    np.testing.assert_allclose(weights(tmp_path / "x.csv"), W / 8)
    (tmp_path / "y.csv").write_text("label,prob_0,prob_1,w\n0,.9,.1,3\n1,.2,.8,3\n1,.6,.4,2\n")
    np.testing.assert_allclose(weights(tmp_path / "y.csv", weights="w"), np.array([3, 3, 2]) / 8)


@pytest.mark.parametrize("kind", ["npy", "csv", "txt"])
def test_in_a_file_of_their_own(tmp_path, kind):
    np.savez(tmp_path / "x.npz", probs=V, labels=Y)
    assert weights(tmp_path / "x.npz") is None
    path = tmp_path / f"w.{kind}"
    if kind == "npy":
        np.save(path, W)
    else:
        path.write_text("id,weights\n7,1\n8,2\n9,5\n" if kind == "csv" else "1\n2\n5\n")
    outputs, sha256 = read_outputs(tmp_path / "x.npz", weights=str(path))
    np.testing.assert_allclose(outputs.weights, W / 8)
    assert sha256 != read_outputs(tmp_path / "x.npz")[1]


def test_an_array_of_another_length_is_none(tmp_path):
    np.savez(tmp_path / "x.npz", probs=V, labels=Y, weights=np.ones(2))  # of the classes
    assert weights(tmp_path / "x.npz") is None


@pytest.mark.parametrize(
    ("values", "message"),
    [([1, -1, 1], ">= 0"), ([1, np.nan, 1], "finite"), ([1, 1], r"shape \(3,\)"), ([0] * 3, "zero")],
)
def test_refused(tmp_path, values, message):
    np.savez(tmp_path / "x.npz", probs=V, labels=Y)
    np.save(tmp_path / "w.npy", values)
    with pytest.raises(InputError, match=message):
        weights(tmp_path / "x.npz", weights=str(tmp_path / "w.npy"))


def test_neither_a_column_nor_a_file(tmp_path):
    np.savez(tmp_path / "x.npz", probs=V, labels=Y)
    with pytest.raises(InputError, match="nothing named 'mass', and there is no such file"):
        weights(tmp_path / "x.npz", weights="mass")


def test_a_prior(tmp_path):
    assert read_prior("uniform") == "uniform"
    np.save(tmp_path / "p.npy", [0.25, 0.75])
    np.testing.assert_array_equal(read_prior(str(tmp_path / "p.npy")), [0.25, 0.75])
    (tmp_path / "p.csv").write_text("class,prior\ncat,.25\ndog,.75\n")
    np.testing.assert_array_equal(read_prior(str(tmp_path / "p.csv")), [0.25, 0.75])
    with pytest.raises(InputError, match="uniform or a file"):
        read_prior("even")
    (tmp_path / "two.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(InputError, match="one column"):
        read_prior(str(tmp_path / "two.csv"))

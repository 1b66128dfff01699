"""Codes without a network, against exhaustive searches, optimality conditions and the rate-distortion function."""

import json
import os
import subprocess
import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from jaxrd.errors import InputError
from jaxrd.figures.rdc_rates.baselines import (
    ADDITIVE,
    BEAM,
    FULL,
    GAUSSIAN,
    PRODUCT,
    RESIDUAL,
    SCALAR,
    baselines,
    gaussian,
)
from jaxrd.figures.rdc_rates.codebooks import (
    Effort,
    decode,
    encode,
    joint_books,
    k_means,
    nearest,
    principal,
    residual_books,
)
from jaxrd.figures.rdc_rates.transforms import ProductCode, ScalarCode, lloyd_max, rounded, shared_out

SMALL = Effort(iterations=10, rounds=3, turns=10, beam=4, words=8)


def gaussians(count, dimensions=6, seed=0, fall=0.7):
    """Gaussian vectors whose axes are turned at random, float32 and centred."""
    g = np.random.default_rng(seed)
    turned = np.linalg.qr(np.random.default_rng(9).standard_normal((dimensions, dimensions)))[0]
    x = (g.standard_normal((count, dimensions)) * fall ** np.arange(dimensions)) @ turned
    return (x - x.mean(0)).astype(np.float32)


def error(x, y):
    return float(((x - y) ** 2).mean(dtype=float))


class TestCodebooks:
    def test_no_word_is_dead_and_each_is_the_mean_of_its_images(self):
        g = np.random.default_rng(0)
        # Most images are one point: random words begin dead.
        x = np.concatenate([np.zeros((500, 2)), g.standard_normal((40, 2))]).astype(np.float32)
        words = k_means(x, 16, 50, np.random.default_rng(1))
        index = nearest(x, words)
        assert len(np.unique(index)) == 16
        for j in range(16):
            np.testing.assert_allclose(words[j], x[index == j].mean(0), atol=1e-5)

    @pytest.mark.parametrize("count", [3, 8])
    def test_fewer_images_than_words(self, count):
        x = gaussians(count)
        words = k_means(x, 8, 3, np.random.default_rng(0))
        assert error(x, words[nearest(x, words)]) < 1e-10

    def test_a_wide_beam_finds_the_best_code_and_a_narrow_one_is_greedy(self):
        x, books = gaussians(50), np.random.default_rng(1).standard_normal((3, 4, 6)).astype(np.float32)
        every = np.array(list(product(range(4), repeat=3)))
        sums = decode(every, books)
        best = ((x[:, None] - sums) ** 2).sum(-1).min(1)
        found = ((x - decode(encode(x, books, 64), books)) ** 2).sum(-1)
        np.testing.assert_allclose(found, best, rtol=1e-3, atol=1e-4)
        rest, greedy = x.copy(), []
        for book in books:
            greedy.append(((rest[:, None] - book) ** 2).sum(-1).argmin(1))
            rest = rest - book[greedy[-1]]
        np.testing.assert_array_equal(encode(x, books, 1), np.stack(greedy, 1))
        errors = [error(x, decode(encode(x, books, beam), books)) for beam in (1, 4, 64)]
        assert errors[0] > errors[1] >= errors[2]

    def test_jointly_fitted_books_are_the_least_squares_solution(self):
        x = gaussians(400)
        codes = encode(x, residual_books(x, 2, SMALL, np.random.default_rng(0)), 1)
        ones = np.concatenate([np.eye(8)[codes[:, k]] for k in range(2)], 1)
        system = np.vstack([ones, np.sqrt(0.5) * np.eye(16)])
        expected = np.linalg.lstsq(system, np.vstack([x, np.zeros((16, 6))]), rcond=None)[0]
        np.testing.assert_allclose(joint_books(x, codes, 8, ridge=0.5).reshape(16, 6), expected, atol=1e-4)


class TestTransforms:
    def test_parts_of_equal_size_and_nearly_equal_product(self):
        variances = 0.8 ** np.arange(12.0)
        parts = shared_out(variances, 3)
        assert np.bincount(parts).tolist() == [4, 4, 4]
        logs = [np.log(variances[parts == p]).sum() for p in range(3)]
        assert np.ptp(logs) < 0.5

    def test_the_rotation_helps(self):
        """Pairs of points of two clouds, turned: principal axes mix the clouds, the fitted rotation parts them."""
        g = np.random.default_rng(3)
        clouds = g.standard_normal((2, 8, 3))
        x = np.concatenate([cloud[g.integers(0, 8, 2000)] for cloud in clouds], 1)
        x = (x - x.mean(0)) @ np.linalg.qr(g.standard_normal((6, 6)))[0]
        x = (x + 0.02 * g.standard_normal(x.shape)).astype(np.float32)
        still, turned = (
            ProductCode(x, 2, SMALL._replace(turns=turns, iterations=30), np.random.default_rng(0)) for turns in (0, 40)
        )
        assert error(x, turned.reproduce(x)) < 0.95 * error(x, still.reproduce(x))
        np.testing.assert_allclose(turned.directions.T @ turned.directions, np.eye(6), atol=1e-4)

    def test_levels_are_the_best_there_are(self):
        """Against all ways to cut sorted values: of a smooth density Lloyd's fixed point is the only one."""
        values = np.sort(np.random.default_rng(2).standard_normal(40))
        for levels in (1, 2, 3):
            cuts = [c for c in product(range(1, 40), repeat=levels - 1) if all(a < b for a, b in pairwise(c))]
            best = min(sum(part.var() * len(part) for part in np.split(values, list(c))) / 40 for c in cuts)
            found = ((rounded(values, lloyd_max(values, levels)) - values) ** 2).mean()
            assert found == pytest.approx(best, rel=0.05)
            assert found >= best - 1e-12

    def test_bits_go_where_they_help_the_most(self):
        x = gaussians(3000, 3, fall=0.4)
        found = ScalarCode(x, 6)
        assert found.bits.sum() == 6
        values = np.sort(x @ principal(x)[1], 0)

        def total(bits):
            return sum(
                ((rounded(column, lloyd_max(column, 2**b)) - column) ** 2).mean()
                for column, b in zip(values.T, bits, strict=True)
            )

        every = [b for b in product(range(7), repeat=3) if sum(b) == 6]
        assert total(found.bits) == pytest.approx(min(map(total, every)), rel=1e-6)


@pytest.fixture(scope="module")
def rows():
    """Of Gaussian vectors moved into [0, 1], which R(D) then bounds."""
    x = [0.5 + 0.08 * gaussians(count, 8, seed) for count, seed in ((4000, 0), (1000, 1))]
    assert min(one.min() for one in x) > 0
    assert max(one.max() for one in x) < 1
    said = []
    return baselines(*x, 16, effort=Effort(4, 2, 2, 4), say=said.append), said


def test_none_beats_the_gaussian_line_on_gaussian_images(rows):
    found = {row["name"]: row["mse"] for row in rows[0]}
    assert set(found) == {RESIDUAL, BEAM, ADDITIVE, PRODUCT, SCALAR, GAUSSIAN}
    line = found.pop(GAUSSIAN)
    assert all(line < mse < 12 * line for mse in found.values())
    assert found[BEAM] < found[RESIDUAL]
    assert all(row["bits"] == 16 and row["train_mse"] < 1.2 * row["mse"] for row in rows[0][:-1])
    assert len(rows[1]) == len(rows[0])


def test_the_gaussian_line_is_water_filling():
    """Two coordinates of variances 4 and 1, two bits: both above the level 1/2."""
    x = np.array([[2.0, 1], [-2, 1], [2, -1], [-2, -1]])
    assert gaussian(x, 2.0) == pytest.approx((0.5 + 0.5) / 2, rel=1e-6)
    assert gaussian(x, 0.0) == pytest.approx(2.5)


@pytest.mark.parametrize("bits", [0, 12, -8])
def test_bits_that_are_no_stages(bits):
    with pytest.raises(InputError, match=f"a positive multiple of 8, one stage of 256 words each; got {bits}"):
        baselines(np.zeros((9, 4)), np.zeros((9, 4)), bits)


def test_the_committed_numbers():
    """They are of all images and of the full effort, and the order of the codes is as the page says."""
    found = json.loads((Path(__file__).parents[2] / "benchmarks/results/rdc-rates-baselines.json").read_text())
    assert (found["training_images"], found["test_images"]) == (60_000, 10_000)
    assert found["effort"] == FULL._asdict()
    assert [rate["bits"] for rate in found["rates"]] == [16, 32, 64]
    for rate in found["rates"]:
        mse = {row["name"]: row["mse"] for row in rate["baselines"]}
        assert mse[ADDITIVE] < mse[BEAM] < mse[RESIDUAL] < mse[PRODUCT] < mse[SCALAR]
        assert mse[GAUSSIAN] < mse[SCALAR]
        assert mse[ADDITIVE] < mse[GAUSSIAN]  # a bound for a Gaussian source, which these images are not


@pytest.mark.slow
def test_the_script(data, tmp_path):
    """On few images of MNIST, with few iterations."""
    script = Path(__file__).parents[2] / "benchmarks" / "baselines.py"
    options = ["--quick", "--images", "1000", "--bits", "16", "--data", data, "--out", tmp_path]
    environment = os.environ | {"PYTHONPATH": str(script.parents[1])}
    subprocess.run([sys.executable, script, *map(str, options)], check=True, env=environment, capture_output=True)
    found = json.loads((tmp_path / "rdc-rates-baselines.json").read_text())
    mse = {row["name"]: row["mse"] for row in found["rates"][0]["baselines"]}
    assert mse[GAUSSIAN] < mse[SCALAR] < 0.06
    assert found["training_images"] == 1000

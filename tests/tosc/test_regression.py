"""Limits of a regression: closed forms, bounds over all real reproductions, and files."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from jaxrd import tosc
from jaxrd.cli.app import run
from jaxrd.closed_form import gaussian
from jaxrd.errors import InputError
from jaxrd.io.regression import read_regression
from jaxrd.tosc.regression.ceiling import ceiling
from jaxrd.tosc.regression.curve import RealSource
from jaxrd.tosc.regression.laws import of_draws, of_quantiles
from jaxrd.tosc.regression.line import LETTERS, cells_of, solve_line

COIN = np.array([-1.0, 1.0])


def coin_rate(d):
    """ln 2 - h(f), D = 4 f (1 - f): a fair coin of +-1, reproduced as +-(1 - 2 f)."""
    f = (1 - np.sqrt(1 - d)) / 2
    return np.log(2) + f * np.log(f) + (1 - f) * np.log1p(-f)


def laws(n=60, seed=0):
    g = np.random.default_rng(seed)
    m = 2 + 3 * g.normal(size=n)
    sd = 0.5 + 0.5 * g.random(n)
    return m, sd**2, m + sd * g.normal(size=n)


@pytest.fixture(scope="module")
def found():
    return tosc.regression_limits(*laws(), at=[2.0, 5.0, 0.05, 50.0], slopes=4)


class TestCeiling:
    @pytest.mark.parametrize("seed", range(6))
    def test_never_below_the_function_and_close_above(self, seed):
        g = np.random.default_rng(seed)
        x = np.sort(g.normal(size=30))
        log_masses, slope = g.normal(size=30), float(np.exp(g.uniform(-2, 5)))
        found = ceiling(x, log_masses, slope, tol=1e-9)
        y = np.linspace(x[0] - 1, x[-1] + 1, 40_001)
        value = np.log(np.exp(log_masses - slope * (y[:, None] - x) ** 2).sum(1)).max()
        assert value <= found.value
        assert found.value - found.levels.max() <= 2e-9

    def test_a_search_that_ends_early_is_valid(self):
        x = np.sort(np.random.default_rng(0).normal(size=30))
        loose, tight = (ceiling(x, np.zeros(30), 50.0, tol=1e-9, enough=e) for e in (-5.0, np.inf))
        assert loose.value > tight.value

    def test_far_terms_are_counted(self):
        # A huge mass out of reach of every other point.
        assert ceiling(np.array([0.0, 1e3]), np.array([60.0, 0.0]), 1.0, tol=1e-9).value >= 60


class TestLine:
    @pytest.mark.parametrize("slope", [0.6, 3.0, 40.0])
    def test_certificate_holds_against_finer_reproductions(self, slope):
        # No weights on a fine grid of reproductions do better than the bound allows.
        x = np.sort(np.random.default_rng(1).normal(size=25))
        cells = cells_of((x - x.mean()) / x.std())
        found = solve_line(cells, slope, tol=1e-8)
        assert 0 <= found.gap < 1e-7
        grid = np.linspace(-3, 3, 1501)
        kernel = np.exp(-slope * (cells.centre[:, None] - grid) ** 2)
        q = np.full(1501, 1 / 1501)
        for _ in range(300):
            q = q * (cells.mass @ (kernel / (kernel @ q)[:, None]))
            assert -cells.mass @ np.log(kernel @ q) >= found.level

    def test_cells_of_many_samples_bound_the_samples_own_rate(self):
        x = np.random.default_rng(2).normal(size=200)
        x = (x - x.mean()) / x.std()
        every, few = solve_line(cells_of(x), 4.0, tol=1e-8), solve_line(cells_of(x, 40), 4.0, tol=1e-8)
        assert few.level <= every.level
        assert few.rate + 4 * few.distortion >= every.level
        assert few.gap < 0.1
        assert cells_of(x, 40).within > 0

    def test_a_start_nearby_changes_nothing(self):
        x = np.random.default_rng(3).normal(size=50)
        cells = cells_of(x / x.std())
        far = solve_line(cells, 5.0, tol=1e-8)
        near = solve_line(cells, 5.0, near=solve_line(cells, 4.8, tol=1e-8), tol=1e-8)
        np.testing.assert_allclose(near.level, far.level, atol=1e-7)


class TestSource:
    @pytest.mark.parametrize("d", [0.9, 0.5, 0.1, 1e-3])
    def test_coin(self, d):
        point = RealSource(COIN).at(d)
        assert point.lower <= coin_rate(d) + 1e-12
        assert point.rate >= coin_rate(d) - 1e-12
        assert point.rate - point.lower < 1e-6

    def test_ends(self):
        source = RealSource(3 * COIN + 7)
        assert source.at(9.0).rate == 0
        assert source.at(0.0).rate == pytest.approx(np.log(2))
        assert source.at(-0.1).rate == np.inf
        assert RealSource(np.ones(3)).at(0.0).rate == 0

    def test_rate_does_not_depend_on_place_and_unit(self):
        x = laws()[0]
        np.testing.assert_allclose(RealSource(x).at(1.0).rate, RealSource(1000 * x - 5).at(1e6).rate, atol=2e-6)


class TestLimits:
    def test_gaussian_means(self):
        # 500 points of a Gaussian of variance 9, noise of variance 1: 1/2 ln(9 / (D - 1)).
        m = 3 * norm.ppf((np.arange(500) + 0.5) / 500) + 7
        found = tosc.regression_limits(m, 1.0, m + 1, at=[2.0, 5.0], slopes=2)
        for row in found.at:
            expected = float(gaussian.rate(m.var(), row["distortion"] - 1))
            assert abs(row["TMRD_model"] - expected) < 2e-3
            assert row["TMRD_model"] <= expected + 1e-9
            assert row["Gaussian"] == pytest.approx(expected, abs=1e-12)
            assert row["TMRD_model_gap"] < 1e-5

    def test_coin_with_noise(self):
        found = tosc.regression_limits(COIN, [0.2, 0.8], COIN, at=[0.9], slopes=2)
        assert found.at[0]["TMRD_model"] == pytest.approx(coin_rate(0.4), abs=1e-6)
        assert found.at[0]["oRD"] == pytest.approx(coin_rate(0.9), abs=1e-6)
        assert found.summary["believed_distortion"] == pytest.approx(0.5)
        assert found.summary["task_model_distortion"] == 0

    def test_measured_errors_are_those_of_the_channels(self, found):
        m, v, t = laws()
        curve, source = found.curves["TMRD"], RealSource(m)
        one = source.line(float(source.slopes(4)[-1]))
        z = (m - m.mean()) / m.std()
        joint = one.weights * np.exp(-one.slope * (z[:, None] - one.atoms) ** 2)
        rows = joint / joint.sum(1, keepdims=True)
        y = m.mean() + m.std() * one.atoms
        measured = (rows * (t[:, None] - y) ** 2).sum(1).mean()
        believed = v.mean() + (rows * (m[:, None] - y) ** 2).sum(1).mean()
        np.testing.assert_allclose(curve.distortion[-1], measured, rtol=1e-6)
        np.testing.assert_allclose(curve.model_distortion[-1], believed, rtol=1e-6)

    def test_order(self, found):
        row = found.at[0]
        assert row["oRD"] < row["TMRD_model"] <= row["Gaussian"]
        assert found.at[2]["TMRD"] == found.at[2]["TMRD_model"] == np.inf  # below the noise
        assert {found.at[3][name] for name in ("oRD", "TMRD", "TMRD_model", "Gaussian")} == {0.0}
        assert found.unconverged == []
        for name in ("oRD", "TMRD"):
            assert (np.diff(found.curves[name].rate) > 0).all()
            assert (found.curves[name].gap < 1e-4).all()

    def test_default_errors_lie_between_deciding_and_silence(self):
        m, v, t = laws()
        found = tosc.regression_limits(m, v, t, at=None, slopes=2)
        d = [row["distortion"] for row in found.at]
        assert len(d) == 3
        assert np.mean((t - m) ** 2) < min(d) <= max(d) < t.var()

    def test_warnings(self):
        m, v, t = laws()
        found = tosc.regression_limits(m, 9 * v, t, at=[9 * v.mean() + 0.05], slopes=2)
        assert any("miscalibrated" in words for words in found.warnings)
        assert any("near the logarithm of the 60 samples" in words for words in found.warnings)
        assert any("all means are equal" in w for w in tosc.regression_limits(0 * m, v, t, slopes=2).warnings)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"mean": [1.0, np.nan]}, "mean must be finite; got nan at sample 1"),
            ({"variance": [0.1, -1.0]}, "variance must be >= 0; got -1 at sample 1"),
            ({"variance": [0.1]}, "must have one length; got 2, 1 and 2"),
            ({"target": ["a", "b"]}, "target must be real numbers"),
            ({"target": [1.0, 1.0]}, "all 2 targets are 1"),
            ({"at": [-1.0]}, "mean squared error must be >= 0 and finite; got -1"),
            ({"at": "x"}, "at must be a list of mean squared errors"),
            ({"slopes": 1}, "slopes must be an integer >= 2; got 1"),
        ],
    )
    def test_refused(self, change, message):
        given = {"mean": [0.0, 1.0], "variance": [0.1, 0.1], "target": [0.0, 1.0]} | change
        with pytest.raises(InputError, match=message):
            tosc.regression_limits(**given)


class TestLaws:
    def test_quantiles_of_a_uniform_law(self):
        u = np.linspace(0, 1, 11)
        mean, variance = of_quantiles([3 + 2 * u, u], u)
        np.testing.assert_allclose(mean, [4, 0.5])
        np.testing.assert_allclose(variance, [4 / 12, 1 / 12])

    def test_quantiles_stay_beyond_the_levels(self):
        mean, variance = of_quantiles([[0.0, 1.0]], [0.4999999, 0.5000001])
        np.testing.assert_allclose([mean[0], variance[0]], [0.5, 0.25], atol=1e-6)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: of_quantiles([[0.0, 1.0]], [0.5, 0.2]), "levels must rise within"),
            (
                lambda: of_quantiles([[1.0, 0.0]], [0.2, 0.5]),
                "quantiles must not fall along a row; they do at sample 0",
            ),
            (lambda: of_quantiles([[1.0, 2.0]], [0.2, 0.5, 0.6]), r"shape \(samples, 3\), a column a level"),
            (lambda: of_draws([[1.0]]), r"two or more; got \(1, 1\)"),
        ],
    )
    def test_refused(self, call, message):
        with pytest.raises(InputError, match=message):
            call()


class TestFile:
    def write(self, tmp_path, **arrays):
        np.savez(tmp_path / "x.npz", **arrays)
        return tmp_path / "x.npz"

    def test_each_way_to_write_a_law(self, tmp_path):
        draws = np.array([[0.0, 2.0], [1.0, 1.0]])
        for given in (
            {"mean": [1.0, 1.0], "variance": [1.0, 0.0]}, {"mean": [1.0, 1.0], "std": [1.0, 0.0]}, {"samples": draws},
            {"quantiles": draws, "levels": [0.4999999, 0.5000001]},
        ):  # fmt: skip
            held = read_regression(self.write(tmp_path, target=[0.0, 1.0], **given))
            np.testing.assert_allclose(held.mean, [1, 1], atol=1e-6)
            np.testing.assert_allclose(held.variance, [1, 0], atol=1e-6)

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"mean": [1.0], "std": [1.0]}, "has no target"),
            ({"target": [1.0], "y": [1.0], "mean": [1.0]}, "two targets, target and y"),
            ({"target": [1.0]}, "has no predictive law"),
            ({"target": [1.0], "mean": [1.0]}, "has mean, but neither variance nor std"),
            ({"target": [1.0], "mean": [1.0], "std": [-1.0]}, "std must be >= 0; got -1 at sample 0"),
            ({"target": [1.0], "quantiles": [[1.0, 2.0]]}, "has quantiles, but no levels"),
        ],
    )
    def test_refused(self, tmp_path, arrays, message):
        with pytest.raises(InputError, match=message):
            read_regression(self.write(tmp_path, **arrays))

    def test_command(self, tmp_path, capsys):
        m, v, t = laws()
        path, out = self.write(tmp_path, mean=m, variance=v, target=t, row=np.arange(60)), tmp_path / "out"
        options = ["--loss", "squared", "--at", "2", "--at", "5", "--at", "0.05", "--slopes", "4"]
        assert run(["limits", str(path), *options, "--out", str(out)]) == 0
        printed = capsys.readouterr().out
        assert "MSE = 2" in printed
        assert "beyond" in printed
        assert "not used: 'row'" in printed
        document = json.loads((out / "limits.json").read_text())
        assert document["schema"] == "jaxrd.regression/1"
        rows = document["at"]
        expected = tosc.regression_limits(m, v, t, at=[2.0, 5.0], slopes=4).at
        for row, known in zip(rows, expected, strict=False):
            for name in ("oRD", "TMRD", "TMRD_model", "Gaussian"):
                np.testing.assert_allclose(row[f"{name}_bits"], known[name] / np.log(2), atol=1e-5)
        assert rows[2]["TMRD_bits"] is None
        assert rows[2]["status"]["TMRD"] == "beyond"
        assert len(document["curves"]["TMRD"]["model_distortion"]) == 5
        assert (out / "limits.png").read_bytes().startswith(b"\x89PNG")
        assert set(document["files"]) == {"limits.csv", "limits.png"}

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--accuracy", "0.5"], "--accuracy has no meaning with --loss squared"),
            (["--by-class"], "--by-class has no meaning"),
            (["--float32"], "--float32 has no meaning"),
            (["--at", "-1"], "--at must be a mean squared error >= 0; got -1"),
        ],
    )
    def test_options_without_meaning_are_refused(self, tmp_path, capsys, options, message):
        path = self.write(tmp_path, mean=[0.0, 1.0], std=[1.0, 1.0], target=[0.0, 1.0])
        assert run(["limits", str(path), "--loss", "squared", *options, "--out", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_more_letters_than_are_kept_apart():
    x = np.random.default_rng(0).normal(size=9000)
    cells = cells_of(x)
    assert 0.4 * LETTERS < len(cells.mass) <= LETTERS + 1
    assert cells.mass.sum() == pytest.approx(1)
    np.testing.assert_allclose(cells.mass @ (cells.spread + cells.centre**2), np.mean(x**2))
    assert (cells.low <= cells.centre).all()
    assert (cells.centre <= cells.high).all()

"""`jaxrd reproduce tosc-fig1` and `tosc-fig2`: the numbers in their files, and bad input."""

import csv
import json

import numpy as np
import pytest

from jaxrd.cli.app import run


def reproduce(folder, name):
    assert run(["reproduce", name, "--out", str(folder)]) == 0
    assert sorted(p.name for p in folder.iterdir()) == [f"{name}.{kind}" for kind in ("csv", "json", "pdf", "png")]
    text = (folder / f"{name}.json").read_text()
    document = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    rows = list(csv.DictReader((folder / f"{name}.csv").open()))
    assert {row["curve"] for row in rows} == set(document["curves"])
    assert document["schema"] == "jaxrd.figure/1"
    assert all(claim["paper"] and claim["found"] for claim in document["claims"])
    assert not any("nan" in claim["found"] for claim in document["claims"])
    return document


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return reproduce(tmp_path_factory.mktemp("first"), "tosc-fig1")


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    return reproduce(tmp_path_factory.mktemp("second"), "tosc-fig2")


@pytest.mark.slow
class TestFigure1:
    @pytest.mark.slow
    def test_values_of_the_theory(self, first):
        bits = {0.16: 0.932979700202, 0.20: 0.590862952347, 0.25: 0.373816337071, 0.30: 0.226342294327}
        rows = {row["distortion"]: row for row in first["at"]}
        e = 0.158655253931457
        for d, value in (bits | {0.40: 0.053332923740}).items():
            u = (d - e) / (1 - 2 * e)
            symmetric = 1 + u * np.log2(u) + (1 - u) * np.log2(1 - u)
            np.testing.assert_allclose(rows[d]["iRD_bits"], value, atol=1e-9)
            np.testing.assert_allclose(rows[d]["iE&C_bits"], symmetric, atol=1e-9)
            np.testing.assert_allclose(rows[d]["E&C_bits"], symmetric, atol=1e-9)
            np.testing.assert_allclose(rows[d]["oRD_bits"], 1 + d * np.log2(d) + (1 - d) * np.log2(1 - d), atol=1e-12)

    def test_order(self, first):
        for row in first["at"]:
            assert row["oRD_bits"] < row["iRD_bits"] < row["E&C_bits"]
            assert row["iRD_bits"] < row["C&E_bits"]

    def test_compress_and_estimate_is_flat_then_falls(self, first):
        curve = {key: np.array(first["curves"]["C&E"][key], object) for key in ("rate_bits", "distortion")}
        rate, d = (values.astype(float) for values in curve.values())
        flat = (rate > 0.4859) & (rate < 0.53)
        assert flat.any()
        np.testing.assert_allclose(d[flat], 0.2248, atol=5e-5)
        assert d[rate > 0.6].max() < 0.2245
        assert (np.array(first["curves"]["C&E"]["time_shared_rate_bits"]) < rate - 0.1).any()

    def test_discretised_curves(self, first):
        """The paper's Blahut-Arimoto lies within 2e-3 of the exact curve where its D_Y has settled: D_X < 3/4."""
        exact = {k: np.array(first["curves"]["C&E"][k], float) for k in ("squared_error", "distortion", "rate_bits")}
        order = exact["squared_error"].argsort()
        for name, tolerance in (("plain Blahut-Arimoto", 2e-3), ("certified", 2e-2)):
            curve = first["curves"][f"C&E discretised, {name}"]
            at, d, rate = (np.array(curve[k], float) for k in ("squared_error", "distortion", "rate_bits"))
            fine = (at < 0.75) & (at > 0.1)
            assert fine.sum() >= 4
            for ours, key, limit in ((d, "distortion", tolerance), (rate, "rate_bits", 2e-3)):
                interpolated = np.interp(at[fine], exact["squared_error"][order], exact[key][order])
                np.testing.assert_allclose(ours[fine], interpolated, atol=limit)

    def test_density(self, first):
        density = {key: np.array(values) for key, values in first["curves"]["density"].items()}
        np.testing.assert_allclose(density["density_y0"] + density["density_y1"], density["density"], atol=1e-12)
        np.testing.assert_allclose(np.trapezoid(density["density"], density["x"]), 1, atol=1e-3)


@pytest.mark.slow
class TestFigure2:
    @pytest.mark.slow
    def test_order_of_all_bounds(self, second):
        """oRD < iRD < TMRD < iE&C < E&C, and nothing that uses the task model below TMRD."""
        for row in second["at"]:
            rates = [row[f"{name}_bits"] for name in ("oRD", "iRD", "TMRD", "iE&C", "E&C")]
            assert (np.diff(rates) > 1e-4).all()
            assert row["C&E_bits"] > row["iRD_bits"] + 1e-3
            for name in ("S&C", "TS", "merge"):
                assert row[f"{name}_bits"] > row["TMRD_bits"] + 1e-4
            assert row["TS_bits"] > row["iE&C_bits"]

    def test_visibly_apart(self, second):
        """At D = 0.4 any two bounds differ by a hundredth of a bit."""
        row = next(row for row in second["at"] if row["distortion"] == 0.4)
        rates = sorted(value for key, value in row.items() if key.endswith("_bits"))
        assert np.diff(rates).min() > 0.01

    def test_not_bounded_by_the_task_model(self, second):
        """C&E decides from X: it falls below TMRD and reaches the Bayes error, which no task-model scheme does."""
        curves = second["curves"]
        row = second["at"][0]
        assert row["C&E_bits"] < row["TMRD_bits"] - 0.1
        best = min(curves["C&E"]["distortion"])
        np.testing.assert_allclose(best, min(curves["iRD"]["distortion"]), atol=1e-9)
        assert best < min(curves["TMRD"]["distortion"]) - 0.05

    def test_certified(self, second):
        for name in ("iRD", "TMRD", "iE&C"):
            curve = second["curves"][name]
            assert set(curve["status"]) <= {"CONVERGED", "EXACT"}
            assert max(curve["gap_bits"]) < 2e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tosc-fig7"], "no figure 'tosc-fig7'; there are: "),
        (["tosc-fig1", "--prior", "1.5"], "must lie between 0 and 1; got 1.5"),
        (["tosc-fig1", "--separation", "0"], "separation must lie in (0, 20] deviations of the noise; got 0"),
        (["tosc-fig1", "--prior", "0.001", "--separation", "0.1"], "leave nothing to decide"),
        (["tosc-fig1", "--separation", "wide"], "Invalid value for '--separation'"),
    ],
)
def test_bad_input_ends_in_one_line(arguments, message, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--out", str(out)] if arguments[0] == "tosc-fig1" else []
    assert run(["reproduce", *arguments, *options]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not out.exists()


def test_unknown_figures_are_told_the_known_ones(capsys):
    assert run(["reproduce", "fig1"]) == 2
    assert "tosc-fig1, tosc-fig2" in capsys.readouterr().err


def test_no_figure_shows_the_help_alone(capsys):
    assert run(["reproduce"]) == 2
    told = capsys.readouterr()
    assert "tosc-fig1" in told.out
    assert told.err == ""

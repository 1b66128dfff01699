"""Theorem 5 of [B]: its bounds against true distortions, and the command."""

import csv
import json

import numpy as np
import pytest

from jaxrd import Problem
from jaxrd.cli.app import run
from jaxrd.figures.rdc_thm5 import compute as module
from jaxrd.figures.rdc_thm5 import sources
from jaxrd.figures.rdc_thm5.compute import rdc_thm5
from jaxrd.rdc import perceptual_lifted_rate
from jaxrd.rdc.perception.closed_form import gaussian_rate


@pytest.fixture(scope="module")
def found():
    return rdc_thm5(points=3, grid=17)


def test_the_bounds_hold_where_the_law_is_kept_and_fail_elsewhere(found):
    for name in ("scalar Gaussian", "Gaussian vector", "finite"):
        curve = found.curves[name]
        assert (curve["gap"] >= curve["bound_12"]).all()
        assert (curve["ratio"] >= curve["bound_13"]).all()
        assert curve["premise"].all()
        assert (curve["bound_12"] <= 0).all()
        variance = curve["D1"] / curve["share"]
        for distortion in (curve["D3"], curve["Db"]):  # what (14) says near the variance follows from these two
            assert (distortion >= 2 * variance - 2 * np.sqrt(variance * (variance - curve["D1"])) - 1e-9).all()
            assert (distortion <= 2 * variance + 1e-9).all()
        assert set(curve["status"]) == {"CONVERGED"}
        assert (np.diff(curve["share"]) < 0).all()
        # The least loss at a rate is no larger than that of another code of the rate.
        assert (curve["C3_bits"] <= curve["Cb_bits"] + 1e-9).all()
    other = found.curves["another law"]
    b, fails = other["b"], other["gap"] < other["bound_12"] - 1e-12
    # By hand: D(b) = b^2 + (1-b)^2, D3 = 1, the gap 2b - 2b^2, the bound 1 - 2b.
    np.testing.assert_allclose(other["Db"], b**2 + (1 - b) ** 2)
    np.testing.assert_allclose(other["bound_12"], 1 - 2 * b, atol=1e-12)
    np.testing.assert_array_equal(fails, b < 1 - 0.5**0.5)
    np.testing.assert_array_equal(other["premise"], b >= 0.5 - 1e-9)


def test_the_scalar_gaussian_has_no_gap(found):
    curve = found.curves["scalar Gaussian"]
    d1 = np.exp(-2 * np.log(2) * curve["rate_bits"])
    np.testing.assert_allclose(curve["D1"], d1, rtol=1e-8)
    np.testing.assert_allclose(curve["D3"], 2 - 2 * np.sqrt(1 - d1), rtol=1e-6)
    np.testing.assert_allclose(curve["gap"], 0, atol=1e-9)
    # It is what the perception constraint costs: R(D3) with equal laws.
    np.testing.assert_allclose(gaussian_rate(1.0, curve["D3"], 0.0), np.log(2) * curve["rate_bits"], rtol=1e-5)


def test_the_vector_sends_the_label_or_the_rest():
    rate = 0.5
    truth = sources.gaussian_truth(sources.PLANE, rate)
    # Least loss: all bits on the second coordinate. W2^2 of diagonal Gaussians is a sum over coordinates.
    seen = np.array([0.0, 1 - np.exp(-2 * rate)])
    assert truth.last == pytest.approx(2 + np.exp(-2 * rate) + (2**0.5) ** 2 + (1 - seen[1] ** 0.5) ** 2, rel=1e-6)
    # Least distortion: reverse water-filling at the level t < 1 with (2/t)(1/t) = e^{2R}.
    level = np.sqrt(2) * np.exp(-rate)
    assert truth.first == pytest.approx(2 * level, rel=1e-7)
    expected = 2 * level + (2**0.5 - (2 - level) ** 0.5) ** 2 + (1 - (1 - level) ** 0.5) ** 2
    assert truth.extreme == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_the_finite_source_s_d3_is_certified():
    """R(D, P = 0, C) below D3 takes more than the rate at the least loss: another program, with the law constrained."""
    rate = 0.5
    truth = sources.finite_truth(rate, grid=41)
    own = Problem(sources.SOURCE, (sources.VALUES[:, None] - sources.VALUES) ** 2)
    at = perceptual_lifted_rate(own, sources.LABELS, truth.last, 0.0, truth.last_loss + 1e-7)
    assert at.rate <= rate + 1e-6
    below = perceptual_lifted_rate(own, sources.LABELS, truth.last - 0.003, 0.0, truth.last_loss + 1e-7)
    assert below.lower > rate + 1e-7


def test_claims_have_their_numbers(found):
    text = " ".join(f"{claim.paper} {claim.found}" for claim in found.claims)
    assert len(found.claims) == 5
    for words in (
        "(12)",
        "(13)",
        "(14)",
        "(15)",
        "all 9 points",
        "it claims a gap of 0.800, which is 0.180",
        "b <= 0.275",
    ):
        assert words in text
    assert "nan" not in text
    assert "-0 " not in text


def test_command(tmp_path, capsys, monkeypatch, found):
    asked = []
    monkeypatch.setattr(module, "rdc_thm5", lambda *, tick: asked.append(tick) or found)
    assert run(["reproduce", "rdc-thm5", "--out", str(tmp_path)]) == 0
    assert len(asked) == 1
    assert {path.name for path in tmp_path.iterdir()} == {f"rdc-thm5.{kind}" for kind in ("json", "csv", "png", "pdf")}
    document = json.loads((tmp_path / "rdc-thm5.json").read_text(), parse_constant=lambda c: pytest.fail(c))
    assert document["schema"] == "jaxrd.figure/1"
    rows = list(csv.DictReader((tmp_path / "rdc-thm5.csv").open()))
    assert {row["curve"] for row in rows} == set(document["curves"])
    assert "(14)" in capsys.readouterr().out

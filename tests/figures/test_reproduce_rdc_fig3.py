"""Figure 3 of [B]: boundaries and regions of three representations in each semantics, and the command."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from jaxrd import Problem
from jaxrd.cli.app import run
from jaxrd.figures.rdc_fig3 import compute as module
from jaxrd.figures.rdc_fig3.compute import NAMES, digits, rdc_fig3
from jaxrd.information import NATS_PER_BIT
from jaxrd.rdc import lifted_rate, literal_rate, time_shared_rate

SMALL = Problem(np.array([0.7, 0.3]), 1 - np.eye(2)), np.array([[0.95, 0.05], [0.45, 0.55]])


@pytest.fixture(scope="module")
def found():
    """A cursory search: the laws tested hold for any code found."""
    with pytest.MonkeyPatch.context() as patch:
        for name, few in (("TRIED", 4), ("POLISHED", 1), ("ITERATIONS", 15)):
            patch.setattr(f"jaxrd.rdc.literal.rate.{name}", few)

        def alone(*problem, **options):  # one literal code is a time-shared one that never takes turns
            return replace(literal_rate(*problem, **options), semantics="time-shared")

        patch.setattr(module, "time_shared_rate", alone)
        return rdc_fig3(*SMALL, rate=0.3, points=3, searched=3, starts=2)


@pytest.mark.slow
def test_boundaries_are_ordered_and_certified(found):
    lifted, shared, literal, fixed = (
        found.curves[f"{name}: boundary"] for name in ("lifted", "time-shared", "literal", "fixed")
    )
    for curve in (lifted, fixed):
        gaps = (curve["classification_bits"] - curve["lower_bits"])[1:]
        assert (gaps >= -1e-9).all()
        assert (gaps <= 1e-5).all()  # what SLACK gives away at the last
        assert set(curve["status"]) == {"CONVERGED"}
    for curve in (lifted, shared, literal, fixed):
        assert (np.diff(curve["distortion"]) > 0).all()
        assert (np.diff(curve["classification_bits"]) <= 1e-9).all()

    def at(curve, d):
        return np.interp(d, curve["distortion"], curve["classification_bits"])

    for lower, upper in ((lifted, shared), (shared, literal), (lifted, fixed)):
        d = upper["distortion"][1:]
        # Convex boundaries lie below the chords between their own points.
        own = np.array([at(lower, x) for x in d]) if lower is not lifted else _lifted_loss(d)
        assert (own <= upper["classification_bits"][1:] + 2e-6).all()


def _lifted_loss(d):
    from jaxrd.rdc import least_classification

    return np.array([least_classification(*SMALL, float(x), 0.3).lower for x in d]) / NATS_PER_BIT


@pytest.mark.slow
def test_regions_hold_their_own_point(found):
    for row in found.more["representations"]:
        region = found.curves[f"{row['semantics']}: {row['representation']}"]
        d, c = np.asarray(region["distortion"]), np.asarray(region["classification_bits"])
        assert (np.diff(d) > 0).all()
        assert (np.diff(c) <= 1e-12).all()
        assert d[0] <= row["distortion"] + 1e-9
        assert np.interp(row["distortion"], d, c) <= row["classification_bits"] + 1e-9
        # And nothing that a code of this rate cannot do.
        best = lifted_rate(*SMALL, d[0], c[0] * NATS_PER_BIT)
        if row["semantics"] != "fixed":
            assert best.lower <= 0.3 + 1e-8
    assert [(row["semantics"], row["representation"]) for row in found.more["representations"]] == [
        (name, which) for name in ("lifted", "time-shared", "literal", "fixed") for which in NAMES
    ]


def test_the_region_of_codes_that_take_turns():
    problem, labels = SMALL[0], np.array([[1.0, 0.0], [0.5, 0.5]])
    point = time_shared_rate(problem, labels, 0.25, 0.325, starts=4)
    assert len(point.reproduction) > 2  # two codes at least
    d, c = module._shared(problem, labels, point)
    assert (np.diff(d) > 0).all()
    assert (np.diff(c) < 0).all()
    assert np.interp(point.distortion, d, c) <= point.classification[0] + 1e-8
    assert d[0] <= point.distortion + 1e-8


@pytest.mark.slow
def test_claims(found):
    text = " ".join(claim.found for claim in found.claims)
    assert "lifted" in text
    assert "literal" in text
    penalties = {row["semantics"]: row for row in found.more["universal"]}
    assert penalties["lifted"]["status"] == penalties["fixed"]["status"] == "CONVERGED"
    assert 0 <= penalties["lifted"]["penalty_lower_bits"] <= penalties["lifted"]["penalty_bits"]


@pytest.mark.slow
def test_command(tmp_path, capsys, monkeypatch, found):
    asked = []

    def quick(problem, labels, *, tick):
        asked.append((problem, labels))
        tick("lifted", 1, 1)
        return found

    monkeypatch.setattr(module, "rdc_fig3", quick)
    assert run(["reproduce", "rdc-fig3", "--out", str(tmp_path)]) == 0
    problem, labels = asked[0]
    assert problem.distortion.shape == (6, 3)
    np.testing.assert_allclose(labels.sum(1), 1)
    np.testing.assert_allclose(problem.source.sum(), 1)
    assert {path.name for path in tmp_path.iterdir()} == {f"rdc-fig3.{kind}" for kind in ("json", "csv", "png", "pdf")}
    document = json.loads((tmp_path / "rdc-fig3.json").read_text(), parse_constant=lambda c: pytest.fail(c))
    assert document["schema"] == "jaxrd.figure/1"
    assert len(document["universal"]) == 4
    rows = list(csv.DictReader((tmp_path / "rdc-fig3.csv").open()))
    assert {row["curve"] for row in rows} == set(document["curves"])
    assert "concave in the decoder" in capsys.readouterr().out


def test_the_codewords_chosen_serve_best():
    few, one = digits(3)[0], digits(1)[0]
    distortion = np.asarray(few.distortion)
    assert few.source @ distortion.min(1) < one.source @ np.asarray(one.distortion).min(1)
    assert (distortion.min(0) == 0).all()

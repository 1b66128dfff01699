"""Figure 4 of [B]: the corrected curves, the printed ones marked, and the command that writes them."""

import csv
import json

import numpy as np
import pytest

from jaxrd.cli.app import run
from jaxrd.figures.rdc_fig4.compute import RATES, rdc_fig4


def test_curves_and_claims():
    found = rdc_fig4()
    assert set(found.curves) == {
        "universal decoders",
        *(f"R = {r:g} {k}" for r in RATES for k in ("corrected", "printed")),
    }
    for rate, corner in zip(RATES, found.more["corners"], strict=True):
        right, printed = (found.curves[f"R = {rate:g} {kind}"] for kind in ("corrected", "printed"))
        losses, possible = right["classification_nats"], np.array(right["status"]) == "EXACT"
        np.testing.assert_array_equal(possible, losses >= corner["classification_nats"])
        np.testing.assert_allclose(right["distortion"][possible], np.exp(-2 * rate))
        assert np.isinf(right["distortion"][~possible]).all()
        # Below the corner the printed formula is a number, below what any code reaches: marked.
        assert np.isfinite(printed["distortion"]).all()
        assert (printed["distortion"][~possible] < np.exp(-2 * rate)).all()
        assert (printed["rate_needed_nats"][~possible] > rate).all()
        assert set(np.array(printed["status"])[~possible]) == {"INFEASIBLE"}
        assert set(np.array(printed["status"])[possible]) == {"EXACT"}
    # (C, D) of theory: R = .05 and R = .34
    corners = [(c["classification_nats"], c["distortion"]) for c in found.more["corners"]]
    np.testing.assert_allclose(corners[0], (1.3950626072932677689, 0.90483741803595957316))
    np.testing.assert_allclose(corners[-1], (1.2805624068069229176, 0.50661699236558960951))
    np.testing.assert_allclose(found.more["label_information_nats"], 0.3366722766318827982)
    text = " ".join(f"{claim.paper} {claim.found}" for claim in found.claims)
    for number in ("0.336672", "1.0823", "1.3951", "0.3822", "0.9048", "0.3400"):
        assert number in text


def test_another_source():
    found = rdc_fig4(correlation=-0.9, variance=2.0, label_variance=0.5, rates=(0.1, 0.7))
    decoders = found.curves["universal decoders"]
    np.testing.assert_allclose(decoders["distortion"][0], 2 * np.exp(-1.4))
    assert (np.diff(decoders["distortion"]) > 0).all()
    assert (np.diff(decoders["classification_nats"]) > 0).all()


def test_command(tmp_path, capsys):
    assert run(["reproduce", "rdc-fig4", "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"rdc-fig4.{kind}" for kind in ("json", "csv", "png", "pdf")}
    document = json.loads((tmp_path / "rdc-fig4.json").read_text(), parse_constant=lambda c: pytest.fail(c))
    assert document["schema"] == "jaxrd.figure/1"
    corrected = document["curves"]["R = 0.2 corrected"]
    assert corrected["distortion"][0] is None
    assert corrected["status"][0] == "INFEASIBLE"
    rows = list(csv.DictReader((tmp_path / "rdc-fig4.csv").open()))
    assert {row["curve"] for row in rows} == set(document["curves"])
    printed = capsys.readouterr().out
    assert "Theorem 2" in printed
    assert "no code attains it" in printed


def test_unwritable_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["reproduce", "rdc-fig4", "--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith("jaxrd: ")

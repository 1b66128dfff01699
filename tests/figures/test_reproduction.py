"""A reproduction writes its picture and its numbers, strictly."""

import csv
import io
import json
from dataclasses import replace

import numpy as np

from jaxrd import plots
from jaxrd.cli.app import run
from jaxrd.figures import Claim, Reproduction


def small():
    figure, ax = plots.new_figure()
    ax.plot([0, 1], [1, 0])
    curves = {
        "R": {"distortion": np.array([0.0, 1.0]), "rate_bits": np.array([np.inf, 0.0])},
        "flat": {"distortion": [0.5], "rate_bits": [0.25], "slope": [np.nan]},
    }
    return Reproduction("tiny", figure, curves, [Claim("it falls", "it falls")], ["one note"], {"extra": {"x": 1}})


def test_document_is_strict_json_with_the_claims():
    files = dict(small().files({"seed": 0}))
    assert set(files) == {"tiny.json", "tiny.csv", "tiny.png", "tiny.pdf"}
    read = json.loads(files["tiny.json"])
    assert read["schema"] == "jaxrd.figure/1"
    assert read["curves"]["R"] == {"distortion": [0.0, 1.0], "rate_bits": [None, 0.0]}
    assert read["claims"] == [{"paper": "it falls", "found": "it falls"}]
    assert read["notes"] == ["one note"]
    assert read["extra"] == {"x": 1}


def test_failed_names_what_a_solver_failed_at():
    found = small()
    assert found.failed == []
    ends = {"status": ["INFEASIBLE", "EXACT", "ACHIEVABLE", "CONVERGED"]}
    late = {"distortion": [0.5, 0.4], "status": ["CONVERGED", "MAX_STEPS"]}
    words = {"status": ["beyond", None]}  # not of a solver
    more = {
        "words": words,
        "universal": [{"status": "EXACT"}, {"status": "STALLED"}],
        "edge": [{"status": "INFEASIBLE"}],
    }
    assert replace(found, curves={"ends": ends, "late": late}, more=more).failed == ["late", "universal"]


def test_a_failed_point_is_exit_code_1_and_the_files_are_kept(tmp_path, monkeypatch, capsys):
    curves = {"R": {"distortion": [0.5], "rate_bits": [0.25], "status": ["NONFINITE"]}}
    monkeypatch.setattr("jaxrd.figures.tosc_fig2.compute.tosc_fig2", lambda **_: replace(small(), curves=curves))
    assert run(["reproduce", "tosc-fig2", "--out", str(tmp_path)]) == 1
    assert (tmp_path / "tosc-fig2.json").exists()
    assert capsys.readouterr().err == "jaxrd: not converged at some points, see status: R\n"


def test_table_has_a_row_a_point():
    rows = list(csv.DictReader(io.StringIO(dict(small().files({}))["tiny.csv"].decode())))
    assert [row["curve"] for row in rows] == ["R", "R", "flat"]
    assert rows[0]["rate_bits"] == ""
    assert rows[2]["rate_bits"] == "0.25"


def test_pictures_are_the_same_bytes_twice():
    first, second = (dict(small().files({})) for _ in range(2))
    assert first["tiny.pdf"] == second["tiny.pdf"]
    assert first["tiny.pdf"].startswith(b"%PDF")
    assert first["tiny.png"].startswith(b"\x89PNG")

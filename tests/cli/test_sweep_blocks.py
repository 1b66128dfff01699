"""`jaxrd sweep --block`: rows of blocks in the table, JSON, CSV and the figure, or one line."""

import csv
import io
import json

import numpy as np
import pytest
from test_cli import run

from jaxrd import Problem, blocklength, plots
from jaxrd.cli import sweep_blocks
from jaxrd.documents.blocks import COLUMNS, Blocked
from jaxrd.information import NATS_PER_BIT

COIN = Problem(np.array([0.89, 0.11]), 1 - np.eye(2))


@pytest.fixture
def problem(tmp_path):
    np.savez(tmp_path / "p.npz", source=COIN.source, distortion=COIN.distortion)
    return tmp_path / "p.npz"


def swept(problem, out, *options):
    assert run(["sweep", str(problem), "--slopes", "3", "--out", str(out), *options]) == 0
    return json.loads((out / "sweep.json").read_text())


def test_rows(problem, tmp_path, capsys):
    asked = "--at", "0.05", "--at", "0.0", "--block", "10,100", "--excess"
    document = swept(problem, tmp_path / "o", *asked, "0.01")
    rows = document["blocks"]["rows"]
    assert document["blocks"]["excess"] == 0.01
    assert [(row["distortion"], row["n"]) for row in rows] == [(0.05, 10), (0.05, 100), (0.0, 10), (0.0, 100)]
    found = blocklength.rate(COIN, 0.05, [10, 100], 0.01)
    for row, *bounds in zip(rows, found.lower, found.approximation, found.upper, strict=False):
        bits = [row["lower_bits"], row["approximation_bits"], row["upper_bits"]]
        np.testing.assert_allclose(bits, np.array(bounds) / NATS_PER_BIT, rtol=1e-9)
        assert row["status"] == "bounded"
    assert [rows[2][key] for key in COLUMNS[2:]] == [None, None, None, "at the least distortion"]
    assert set(document["blocks"]["status"]) == {"bounded", "at the least distortion"}
    table = list(csv.DictReader(io.StringIO((tmp_path / "o" / "blocks.csv").read_text())))
    assert list(table[0]) == list(COLUMNS)
    assert [row["upper_bits"] for row in table] == ["" if (v := r["upper_bits"]) is None else str(v) for r in rows]
    assert f"{rows[1]['upper_bits']:.4f}" in capsys.readouterr().out
    assert (tmp_path / "o" / "sweep.png").stat().st_size > 1000
    other = swept(problem, tmp_path / "p", *asked, "0.1", "--no-plot")["blocks"]["rows"]
    assert other[1]["lower_bits"] < rows[1]["lower_bits"]
    assert not (tmp_path / "p" / "sweep.png").exists()


def test_without_at_between_the_ends(problem, tmp_path):
    document = swept(problem, tmp_path / "o", "--no-plot", "--block", "5", "--excess", ".1")
    assert [row["distortion"] for row in document["blocks"]["rows"]] == pytest.approx([0.0275, 0.055, 0.0825])
    assert "blocks" not in swept(problem, tmp_path / "q", "--no-plot")
    assert not (tmp_path / "q" / "blocks.csv").exists()


def test_in_the_figure():
    found = blocklength.rate(COIN, 0.05, [10, 100], 0.01)
    blocks = Blocked(0.01, [10, 100], [(0.05, found)])
    _, ax = plots.new_figure()
    sweep_blocks.draw(ax, blocks)
    bars = [line.get_ydata() for line in ax.lines if line.get_marker() == "_" and len(line.get_ydata())]
    np.testing.assert_allclose(bars, np.stack([found.lower, found.upper], 1) / NATS_PER_BIT)
    assert ax.get_ylim()[1] > found.upper.max() / NATS_PER_BIT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--block", "10"), "--block needs --excess"),
        (("--excess", ".1"), "--excess 0.1 has no effect without --block"),
        (("--block", "10", "--excess", "1"), "--excess must lie in (0, 1); got 1. Write 0.01 for 1 %."),
        (("--block", "10", "--excess", "0"), "--excess must lie in (0, 1); got 0."),
        (("--block", "0", "--excess", ".1"), "lengths from 1 to 1000000"),
        (("--block", "1,,2", "--excess", ".1"), "got '1,,2'"),
        (("--block", "1e3", "--excess", ".1"), "got '1e3'"),
        (("--block", "9999999", "--excess", ".1"), "got '9999999'"),
        (("--block", "3,3", "--excess", ".1"), "at most 6 different lengths"),
        (("--block", "1,2,3,4,5,6,7", "--excess", ".1"), "at most 6 different lengths"),
        (("--block", "3", "--excess", ".1", "--shard", "1/2", "--low", "1", "--high", "2"), "for a whole sweep"),
    ],
)
def test_one_line(problem, tmp_path, capsys, options, message):
    assert run(["sweep", str(problem), "--out", str(tmp_path / "o"), *options]) == 2
    words = capsys.readouterr().err
    assert message in words
    assert words.count("\n") == 1
    assert not (tmp_path / "o").exists()

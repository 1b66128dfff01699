"""`jaxrd limits --known`: the receiver's decisions in table, JSON, CSV and figure; bad input."""

import csv
import json

import numpy as np
import pytest

from jaxrd import plots
from jaxrd.cli import limits_known
from jaxrd.cli.app import run
from jaxrd.documents.known import Receiver
from jaxrd.tosc.known import KNOWN, given_decisions
from tests.tosc.test_known import LABELS, LOGITS, RECEIVER, limits  # noqa: F401

FAST = "--temperature", "1", "--slopes", "6", "--at", ".42", "--at", ".05"


@pytest.fixture
def files(tmp_path):
    np.savez(tmp_path / "sender.npz", logits=LOGITS, labels=LABELS)
    np.savez(tmp_path / "receiver.npz", predictions=RECEIVER, labels=LABELS)
    return str(tmp_path / "sender.npz"), str(tmp_path / "receiver.npz")


def test_everywhere(files, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["limits", files[0], "--known", files[1], *FAST, "--out", str(out)]) == 0
    document = json.loads((out / "limits.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    known = document["known"]
    assert (known["name"], len(known["sha256"]), known["values"]) == ("receiver.npz", 64, 3)
    assert known["accuracy"] == pytest.approx((RECEIVER == LABELS).mean())
    assert known["zero_rate_distortion"] < document["summary"]["zero_rate_distortion"]
    first, second = known["at"]
    for name in KNOWN:
        assert first["saving_bits"][name] == pytest.approx(document["at"][0][name] - first[name])
        assert first["saving_bits"][name] > 0
    assert (second["iE&C"], second["status"]["iE&C"]) == (None, "beyond")
    assert second["status"]["oRD"] == "reached"
    assert set(known["curves"]) == set(KNOWN)
    with (out / "limits.csv").open() as file:
        names = {row["curve"] for row in csv.DictReader(file)}
    assert {f"{name} receiver known" for name in KNOWN} <= names
    printed = capsys.readouterr().out
    assert "both ends know the decisions of receiver.npz" in " ".join(printed.split())
    assert f"{first['saving_bits']['TMRD']:.4f}" in printed
    assert f"{first['TMRD']:.4f}" in printed
    assert "receiver known: iE&C is fitted to 8.9 samples a cell" in printed


def test_in_the_colours_of_the_curves(limits):  # noqa: F811
    known = given_decisions(limits, RECEIVER, slopes=6)
    _, ax = plots.new_figure()
    limits_known.draw(ax, Receiver("r.npz", "", 0.4, known, None, True))
    colours = [line.get_color() for line in ax.lines]
    assert colours[:3] == [plots.STYLE[name][0] for name in known.curves]
    assert [len(line.get_xdata()) for line in ax.lines[:3]] == [len(curve.rate) for curve in known.curves.values()]
    assert ax.lines[-1].get_xdata()[0] == known.zero_rate_distortion


def test_half_of_the_samples(files, tmp_path):
    """Where one half fits the temperature, the receiver's decisions are those of the other half."""
    args = ["limits", files[0], "--known", files[1], "--slopes", "4", "--at", ".3", "--no-plot"]
    assert run([*args, "--seed", "1", "--out", str(tmp_path / "a")]) == 0
    document = json.loads((tmp_path / "a" / "limits.json").read_text())
    assert document["summary"]["samples"] == 120
    assert document["known"]["accuracy"] != pytest.approx((RECEIVER == LABELS).mean())


def test_one_line(files, tmp_path, capsys):
    np.savez(tmp_path / "other.npz", predictions=RECEIVER[::-1], labels=LABELS[::-1])
    np.savez(tmp_path / "few.npz", predictions=RECEIVER[:50], labels=LABELS[:50])
    sender, receiver = files
    for args, message in (
        ([sender, "--known", str(tmp_path / "none.npz")], "none.npz does not exist."),
        ([sender, "--known", str(tmp_path / "few.npz")], "few.npz: the receiver's file must hold the same samples"),
        ([sender, "--known", str(tmp_path / "other.npz")], "labels differ"),
        ([sender, receiver, "--known", receiver], "--known is for one model"),
        ([sender, "--loss", "squared", "--known", receiver], "--known has no meaning with --loss squared"),
    ):
        assert run(["limits", *args, "--out", str(tmp_path / "o")]) == 2
        words = capsys.readouterr().err
        assert message in words
        assert len(words.strip().splitlines()) == 1
        assert not (tmp_path / "o").exists()

"""What is recorded of other people's implementations, and on the page about it, is what the laws say."""

import json
import re
from pathlib import Path

import peers
import pytest

ROOT = Path(__file__).parent.parent.parent
HELD = json.loads(peers.RESULTS.read_text())["peers"]


def faults(peer):
    return {(problem, law): said for problem, laws in HELD[peer]["faults"].items() for law, said in laws.items()}


def test_ours_breaks_none():
    assert HELD["jaxrd"]["broken"] == 0
    assert HELD["jaxrd"]["checks"] == HELD["numpy"]["checks"] == 63


def test_the_faults_that_the_page_tells():
    dit, weckford, csaba = faults("dit"), faults("weckford"), faults("csaba")
    assert (
        "(0, 0) lies below the curve: no channel has fewer than 0.673012 nat"
        in (dit["a first letter that never occurs", "optimal"])
    )
    assert "0.260163 becomes 0.136047" in dit["coin just above its critical slope", "scaled"]
    assert "0.772698 becomes 0.984189" in dit["die", "scaled"]
    assert "(nan, 0) is not optimal" in dit["a constant added to every distortion", "optimal"]
    assert "0.260147 becomes 0.2949" in weckford["coin just above its critical slope", "scaled"]
    assert "0.62703 becomes 0.669985" in weckford["die of which a letter almost leaves", "scaled"]
    assert weckford["a constant added to every distortion", "optimal"] == "no answer in 10 s"
    assert csaba["coin at its critical slope", "optimal"] == "no answer in 10 s"
    assert "(nan, nan)" in csaba["a constant added to every distortion", "optimal"]


def test_the_counts_on_the_page():
    page = " ".join((ROOT / "docs" / "testing.md").read_text().split())
    counts = [HELD[name]["broken"] for name in ("dit", "weckford", "csaba", "numpy")]
    said = re.search(r"breaks (\d+) of 55, \S+ (\d+) of 63, \S+ (\d+), the iteration of a textbook (\d+),", page)
    assert list(map(int, said.groups())) == counts


def test_the_table_has_a_row_for_each_problem_that_is_got_wrong():
    rows = peers.table({"peers": HELD}).splitlines()
    assert len(rows) == 2 + sum(len(one["faults"]) for one in HELD.values())


def test_a_peer_is_held_to_every_law():
    """One that answers nothing breaks all of them."""
    found = peers.held_to(lambda *_: (float("nan"), float("nan")), peers.textbook)
    said = [words for laws in found.values() for words in laws.values()]
    assert len(said) == 63
    assert all(said)


def test_dit_still_does():
    """When it does not the page is out of date."""
    pytest.importorskip("dit", reason="dit is not installed")
    theirs, _ = peers.dit()
    with pytest.raises(AssertionError, match="lies below the curve"):
        peers._optimal(theirs, *peers.problems()["a first letter that never occurs"])

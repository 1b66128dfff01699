"""Slopes and rows on many devices: eight emulated ones, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def found():
    script = Path(__file__).with_name("mesh_script.py")
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "JAX_PLATFORMS": "cpu"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_numbers_are_those_of_one_device(found):
    for place, row in found["same_numbers"].items():
        assert row["rate"] <= 1e-12, place
        assert row["distortion"] <= 1e-12, place
        assert row.get("failed", 0) == 0, place
        assert row.get("order", True), place


def test_limits_are_those_of_one_device(found):
    for name, row in found["limits_on_a_mesh"]["curves"].items():
        assert max(row.values()) <= 1e-12, name
    assert found["limits_on_a_mesh"]["at"] <= 1e-11


def test_nothing_of_the_size_of_the_problem_travels(found):
    """What travels between devices has at most m^2 numbers, or m for each slope: K is never gathered."""
    for parts, row in found["program"].items():
        assert row["largest"] == 64 * 64, parts
        assert row["collectives"] > 0, parts


def test_the_memory_of_a_device_falls_as_the_parts_grow(found):
    bytes_of = {int(parts): row["bytes"] for parts, row in found["program"].items()}
    assert 5 < bytes_of[1] / (8 * 4096 * 64) < 6  # matrices, as docs/scale.md reckons
    for parts in (2, 4, 8):
        assert bytes_of[parts] <= 1.2 * bytes_of[1] / parts, parts


def test_many_slopes_are_spread_evenly(found):
    assert found["spread"]["points"] == 1024
    assert set(found["spread"]["calls"]) == {8 * 32}  # 32 slopes a device and call


def test_programs_kept_are_for_one_device(found):
    assert found["kept"] == {"sums": [[0.25] * 4] * 2, "files": 1}


def test_what_a_mesh_cannot_do_is_one_line(found):
    words = found["refused"]
    assert "mesh must have the axes" in words["axes"]
    assert "('x', 'y')" in words["axes"]
    assert "got '2x4'" in words["no mesh"]
    assert "solved by jaxrd.solve alone" in words["solver"]
    assert "must be known" in words["traced"]
    assert "must be known" in words["traced target"]
    assert "got a PointCloud" in words["cloud"]
    assert "mesh must have the axes" in words["limits"]

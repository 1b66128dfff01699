"""The intervals on populations whose curves are known, by the path of benchmarks/coverage.py; its committed result."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest


BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RESULTS = BENCHMARKS / "results" / "coverage.json"

# By its path: a package of that name measures which lines tests reach, and may be loaded.
spec = importlib.util.spec_from_file_location("coverage_of_intervals", BENCHMARKS / "coverage.py")
coverage = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = coverage
spec.loader.exec_module(coverage)


def test_eight_rows_are_those_of_the_reference(reference):
    np.testing.assert_allclose(coverage.EIGHT, reference["C"]["tmrd_8x3"]["V"], atol=1e-12)
    exact = coverage.truth(coverage.populations()[0])
    fixed = {row["D"]: row["R_nats"] for row in reference["C"]["tmrd_8x3"]["fixed_D"]}
    assert exact["TMRD"] == pytest.approx(fixed[0.45], abs=1e-9)


def test_forty_replicas():
    """Binomial: of 40 at .95 more than 7 miss once in 10 000; the rigorous ones never miss."""
    population = replace(coverage.populations()[0], samples=150)  # of the shape of other tests
    found = coverage.measure(population, 40, seed=1)["coverage"]
    assert {key.split(", ")[0] for key in found} == {"oRD", "TMRD", "TMRD_model", "iE&C", "S&C", "E&C", "TS", "L"}
    for key, value in found.items():
        if "mcdiarmid" in key or "hoeffding" in key:
            assert value["coverage"] == 1, key
        else:
            assert value["coverage"] >= 33 / 40, key


@pytest.mark.parametrize("name", ["8x3", "mixture", "400x10"])
def test_committed_coverage(name):
    """2000 replicas: the CLT band within 1.5 points of 95 %, the rigorous bounds at least at it."""
    document = json.loads(RESULTS.read_text())
    found = document["populations"][name]
    assert document["confidence"] == 0.95
    assert found["replicas"] >= 2000
    for key, value in found["coverage"].items():
        if "mcdiarmid" in key or "hoeffding" in key:
            assert value["coverage"] >= 0.95, key
        elif key.endswith(", clt") or key == "L, clt about the plug-in":
            assert abs(value["coverage"] - 0.95) <= 0.015, key

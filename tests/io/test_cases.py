"""The small files on which the first version failed, where the folder that writes them lies beside the real data."""

import runpy
import sys

import numpy as np
import pytest

from jaxrd import Problem, critical_slope, rate_at, tosc
from jaxrd.errors import InputError
from jaxrd.io.read import read_outputs, read_problem

AS_GOOD = [
    "good.npz", "index_column.csv", "prediction_column.csv", "netcal_names.npz", "sklearn_names.npz", "tabs.tsv",
    "names.csv",
]  # fmt: skip


@pytest.fixture(scope="module")
def cases(data, tmp_path_factory):
    script = data.resolve().parent / "cases" / "make_cases.py"
    if not script.exists():
        pytest.skip(f"{script.parent.name}/make_cases.py does not lie beside the real data")
    folder = tmp_path_factory.mktemp("cases")
    argv, sys.argv = sys.argv, [str(script), str(folder)]
    try:
        runpy.run_path(str(script))
    finally:
        sys.argv = argv
    return folder


def read(path):
    return read_outputs(path)[0]


def accuracy_limits(outputs):
    """(D_TM, TMRD_model(.45) in bits) at temperature 1."""
    v = np.exp(np.asarray(tosc.log_posterior(outputs.logits, 1.0)))
    labels = np.asarray(outputs.labels)
    point = rate_at(Problem(np.full(len(v), 1 / len(v)), 1 - v), 0.45)
    return float(np.mean(v.argmax(1) != labels)), float(point.rate) / np.log(2)


@pytest.mark.parametrize("name", ["good.csv", *AS_GOOD])
def test_as_good(cases, name):
    d, bits = accuracy_limits(read(cases / name))
    assert d == pytest.approx(0.35)
    assert bits == pytest.approx(0.9048, abs=5e-5)


@pytest.mark.parametrize(("name", "within"), [("rounded_3.csv", 1e-3), ("rounded_2.csv", 1e-2)])
def test_rounded(cases, name, within):
    outputs = read(cases / name)
    assert any("renormalised" in note for note in outputs.notes)
    assert accuracy_limits(outputs)[1] == pytest.approx(0.9048, abs=within)


def test_numbers_in_names_say_the_class(cases):
    text, number = (accuracy_limits(read(cases / f"{name}_order.csv")) for name in ("text", "number"))
    assert text == number


def test_masked_classes_do_not_move_the_temperature(cases):
    masked, reference = (read(cases / f"{name}.npz") for name in ("masked", "masked_reference"))
    both = [tosc.fit_temperature(outputs.logits, outputs.labels) for outputs in (masked, reference)]
    assert float(both[0]) == pytest.approx(float(both[1]), abs=1e-6)


def test_an_outlier_is_named(cases):
    found = tosc.limits(read(cases / "outlier_row.npz"))
    assert any("sample 5 alone" in warning for warning in found.warnings)


def test_one_positive_has_an_answer(cases):
    assert np.isfinite(tosc.limits(read(cases / "one_positive.npz")).curves["TMRD"].rate).all()


def test_a_sentinel_and_a_far_letter(cases):
    problem = read_problem(cases / "sentinel.npz")[0]
    assert float(critical_slope(problem)) == pytest.approx(np.log(2), abs=1e-9)
    problem = read_problem(cases / "far_letter.npz")[0]
    assert bool(rate_at(problem, 0.5).converged)


def test_one_sigmoid_is_two_classes(cases):
    outputs = read(cases / "one_sigmoid.npz")
    np.testing.assert_allclose(np.exp(np.asarray(tosc.log_posterior(outputs.logits, 1.0))).sum(1), 1)
    assert outputs.classes == 2


def test_a_missing_header_is_called_that(cases):
    with pytest.raises(InputError, match="has no header"):
        read(cases / "no_header.csv")


def test_wide(cases):
    outputs = read(cases / "wide.csv")
    assert outputs.classes * len(np.asarray(outputs.labels)) == 2_000_000

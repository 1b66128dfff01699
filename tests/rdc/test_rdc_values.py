"""Every row of the reference's discrete section: values found by other means (LP with branch and bound, grids)."""

import numpy as np
import pytest

from jaxrd.problem import Problem
from jaxrd.rdc import lifted_rate, lifted_solve, literal_rate, time_shared_rate
from jaxrd.solution import Status


def number(value):
    return np.inf if value is None else float(value)


def task(entry):
    return Problem(np.array(entry["p"]), np.array(entry["Delta"])), np.array(entry["P_S_given_X"])


@pytest.mark.parametrize(("example", "rows"), [("ex1", 5), ("exz", 4), ("ex2", 6)])
def test_lifted_intervals_overlap(reference, example, rows):
    entry = reference["D"]["lifted"][example]
    assert len(entry["rows"]) == rows
    for row in entry["rows"]:
        d, c = row["D"], number(row["C"])
        point = lifted_rate(*task(entry), d, c)
        assert point.status == Status.CONVERGED
        assert 0 <= point.gap <= 1e-8
        assert point.lower <= row["R_UB_nats"]
        assert point.rate >= row["R_LB_certified_nats"]
        assert point.distortion <= d + 1e-9
        assert (point.classification <= c + 1e-9).all()


def test_symmetric_label(reference):
    """h(p) - h(min(D, d_C, p)), evaluated in mpmath."""
    entry = reference["D"]["lifted"]["ex1"]
    for row in reference["D"]["BSC_closed_form"]["rows"]:
        point = lifted_rate(*task(entry), float(row["D"]), float(row["C"]))
        assert point.gap <= 1e-8
        assert point.lower - 1e-12 <= float(row["R_nats"]) <= point.rate + 1e-12


@pytest.mark.slow
def test_searched_semantics(reference):
    """Grids of channels: the literal rate between bounds, the time-shared one from above, in error by about 1e-6."""
    entry = reference["D"]["lifted"]["exz"]
    for row in entry["rows"]:
        literal = literal_rate(*task(entry), row["D"], row["C"], starts=4)
        shared = time_shared_rate(*task(entry), row["D"], row["C"], start=literal)
        low, high = row["R_lit"]
        assert low <= literal.rate <= high
        assert row["R_ts_grid"] - 2e-6 <= shared.rate <= row["R_ts_grid"] + 1e-9
        assert row["R_LB_certified_nats"] <= shared.rate + 1e-12
        assert shared.rate <= literal.rate + 1e-9
        assert shared.lower <= row["R_UB_nats"]


def test_literal_is_not_convex_and_lifted_lies_below(reference):
    """Ends and midpoint of a segment: the printed claim that R(D, C) is convex fails by .00495 nat."""
    entry = reference["D"]["literal_nonconvex"]
    rates = {}
    for name in "ABM":
        row = entry[name]
        literal = literal_rate(*task(entry), row["D"], row["C"])
        assert literal.status in (Status.ACHIEVABLE, Status.CONVERGED)
        assert row["R_lit_LB"] - 1e-12 <= literal.rate <= row["R_lit_UB"] + 1e-9
        assert literal.lower <= row["R_lift_UB"] + 1e-12
        assert literal.lower >= row["R_lift_LB"] - 1e-8
        rates[name] = literal.rate
    violation = entry["M"]["R_lit_LB"] - (rates["A"] + rates["B"]) / 2  # nothing at M is below its bound
    np.testing.assert_allclose(violation, entry["midpoint_violation_certified"], atol=1e-7)
    ends = [lifted_rate(*task(entry), entry[k]["D"], entry[k]["C"]) for k in "AB"]
    assert lifted_rate(*task(entry), entry["M"]["D"], entry["M"]["C"]).lower <= np.mean([q.rate for q in ends])


def test_slopes(reference):
    """No worse than the best of many starts of alternating minimisation, no better than a certified bound."""
    rows = reference["D"]["altmin"]
    assert len(rows) == 7
    for row in rows:
        point = lifted_solve(*task(reference["D"]["lifted"][row["ex"]]), row["lam"], row["mu"])
        value = point.rate + row["lam"] * point.distortion + row["mu"] * point.classification[0]
        assert point.converged
        assert point.gap <= 1e-8
        assert row["L_LB_certified"] - 1e-9 <= value <= row["L_best"] + 1e-9

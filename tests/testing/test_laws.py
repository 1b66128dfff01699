"""The public kit: each law holds for our solver, and fails for an implementation that breaks it alone."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrd import InputError, Problem, solve, sweep, testing
from jaxrd.closed_form import binary
from jaxrd.distortion import PointCloud, squared_error

COIN = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
THREE = Problem(np.array([0.5, 0.3, 0.2]), np.array([[0.0, 1.0, 3.0], [2.0, 0.0, 1.0], [1.0, 4.0, 0.0]]))


def ours(source, distortion, slope):
    point = solve(Problem(source, distortion), slope)
    return float(point.rate), float(point.distortion)


def after(rounds, **changed):
    """Blahut-Arimoto that stops after some rounds from a uniform start, with a fault if one is named."""

    def implementation(source, distortion, slope):
        cost = distortion - distortion.min() if changed.get("shifts") else distortion
        kernel = np.exp(-slope * (np.minimum(cost, 1.0) if changed.get("clips") else cost))
        q = np.full(distortion.shape[1], 1 / distortion.shape[1])
        if changed.get("counts"):  # a prior that depends on the order of the letters
            q = np.arange(1, distortion.shape[1] + 1) / np.arange(1, distortion.shape[1] + 1).sum()
        for _ in range(rounds):
            channel = q * kernel
            channel /= channel.sum(1, keepdims=True)
            q = source @ channel
        terms = np.where(channel > 0, channel * np.log(np.maximum(channel, 1e-300) / q), 0)
        unit = np.log(2) if changed.get("bits") else 1.0
        return float(source @ terms.sum(1)) / unit, float(source @ (channel * distortion).sum(1))

    return implementation


class TestOurs:
    """The solver that the kit comes with passes every law."""

    @settings(max_examples=20)
    @given(testing.problems(((3, 3),), forbidden=False), testing.slopes(), testing.generators())
    def test_every_law(self, problem, slope, g):
        slope = min(slope, 100.0)
        testing.assert_certified(problem, slope, solve(problem, slope).reproduction)
        testing.assert_optimal(problem, slope, *ours(problem.source, problem.distortion, slope))
        testing.assert_same_when_permuted(ours, problem, slope, seed=int(g.integers(99)))
        testing.assert_same_when_duplicated(ours, problem, slope)
        testing.assert_same_when_scaled(ours, problem, slope, 10 ** g.uniform(-3, 3))
        testing.assert_shifts_with_rows(ours, problem, slope, g.random(3))
        testing.assert_data_processing(ours, problem, slope, g.dirichlet(np.ones(3), 3))

    def test_sources_add(self):
        testing.assert_adds(ours, COIN, THREE, 1.5)

    def test_a_curve(self):
        curve = sweep(THREE, np.geomspace(0.05, 50, 24))
        testing.assert_convex(curve.distortion, curve.rate)
        testing.assert_nonincreasing(curve.distortion, curve.rate)
        testing.assert_envelope_slope(curve.slope, curve.distortion, curve.rate)

    def test_a_closed_form(self):
        curve = sweep(COIN, np.geomspace(1, 10, 8))
        exact = [float(binary.rate(0.3, d)) for d in np.asarray(curve.distortion)]
        testing.assert_inside(exact, curve.rate, curve.gap)


class TestFaults:
    """What is wrong in one way fails the law of that name."""

    def test_too_few_rounds(self):
        rate, distortion = after(3)(*COIN_AT)
        with pytest.raises(AssertionError, match="is not optimal"):
            testing.assert_optimal(COIN, 1.0, rate, distortion)
        testing.assert_achievable(COIN, rate, distortion)  # it is a channel all the same

    def test_bits_for_nats(self):
        with pytest.raises(AssertionError, match="is not optimal"):
            testing.assert_optimal(COIN, 3.0, *after(2000, bits=True)(COIN.source, COIN.distortion, 3.0))

    def test_nats_for_bits(self):
        rate, distortion = ours(*COIN_AT)
        with pytest.raises(AssertionError, match="lies below the curve"):
            testing.assert_achievable(COIN, rate * np.log(2), distortion)
        with pytest.raises(AssertionError, match=r"no channel has the distortion -0.1; the least is 0"):
            testing.assert_achievable(COIN, rate, -0.1)

    def test_nothing_is_sent_and_nothing_is_lost(self):
        """At the least distortion the slope is infinite: the bound comes from steep ones. dit 2.3 gave this pair."""
        for problem in (COIN, Problem(np.array([0, 0.6, 0.4]), 1 - np.eye(3)), THREE):
            with pytest.raises(AssertionError, match="lies below the curve"):
                testing.assert_achievable(problem, 0.0, 0.0)
        certain = Problem(np.array([1.0, 0.0]), 1 - np.eye(2))
        testing.assert_achievable(certain, 0.0, 0.0)
        testing.assert_achievable(Problem(COIN.source, np.zeros((2, 2))), 0.0, 0.0)

    def test_an_offset_makes_no_tolerance(self):
        """A thousandth of L(s) = 2000 would be two nats."""
        far = Problem(COIN.source, COIN.distortion + 1000.0)
        rate, distortion = ours(far.source, far.distortion, 2.0)
        testing.assert_optimal(far, 2.0, rate, distortion, tol=1e-3)
        for wrong in ((rate + 0.01, distortion), (rate, distortion + 0.01), (rate, 0.0), (np.nan, np.nan)):
            with pytest.raises(AssertionError):
                testing.assert_optimal(far, 2.0, *wrong, tol=1e-3)
        with pytest.raises(AssertionError, match="do not add that"):
            testing.assert_shifts_with_rows(
                lambda p, d, s: (0.01 * (d.min() > 1), float(d.min())), COIN, 1.0, 1000.0, tol=1e-3
            )

    def test_a_reproduction_that_proves_nothing(self):
        with pytest.raises(AssertionError, match=r"proves a gap of inf nat only"):
            testing.assert_certified(Problem(COIN.source, np.array([[0, np.inf], [np.inf, 0]])), 1.0, [1.0, 0.0])
        for q in ([0.5, 0.6], [1.5, -0.5], [1.0], [np.nan, 1.0]):
            with pytest.raises(AssertionError, match="is no pmf of 2 letters"):
                testing.assert_certified(COIN, 1.0, q)

    def test_tol_decides(self):
        q = np.asarray(solve(COIN, 1.0).reproduction) + np.array([1e-4, -1e-4])
        testing.assert_certified(COIN, 1.0, q, tol=1e-3)
        with pytest.raises(AssertionError, match="proves a gap"):
            testing.assert_certified(COIN, 1.0, q, tol=1e-6)
        close = after(60)
        testing.assert_same_when_permuted(after(60, counts=True), THREE, 1.0, tol=1e-2)
        with pytest.raises(AssertionError, match="permuted letters change L"):
            testing.assert_same_when_permuted(after(3, counts=True), THREE, 1.0, tol=1e-9)
        rate, distortion = close(*COIN_AT)
        testing.assert_optimal(COIN, 1.0, rate, distortion, tol=1e-2)

    def test_duplicates_that_change_the_start(self):
        with pytest.raises(AssertionError, match="duplicated letters change"):
            testing.assert_same_when_duplicated(after(3), COIN, 1.0)

    def test_a_clipped_distortion(self):
        with pytest.raises(AssertionError, match="scaled by 10 changes"):
            testing.assert_same_when_scaled(after(500, clips=True), THREE, 1.0, 10.0)

    def test_a_kernel_that_underflows(self):
        """Without the row minimum exp(-s d) is 0 in a whole row: 0/0."""
        with np.errstate(invalid="ignore"), pytest.raises(AssertionError, match="becomes nan"):
            testing.assert_shifts_with_rows(after(500), COIN, 2.0, [1000.0, 0.0])
        testing.assert_shifts_with_rows(after(500, shifts=True), COIN, 2.0, 1000.0)

    def test_sources_that_do_not_add(self):
        with pytest.raises(AssertionError, match="do not add up"):
            testing.assert_adds(lambda p, d, s: (float(np.log(len(p)) ** 2), 0.0), COIN, THREE, 1.0)

    def test_a_remote_source_that_is_easier(self):
        with pytest.raises(AssertionError, match="seen through a channel the source is easier"):
            testing.assert_data_processing(lambda p, d, s: (float(d.max()), 0.0), COIN, 1.0, np.full((2, 2), 0.5))

    def test_a_point_of_another_slope(self):
        curve = sweep(THREE, np.geomspace(0.5, 5, 8))
        slope, distortion, rate = (np.array(a) for a in (curve.slope, curve.distortion, curve.rate))
        slope[[2, 3]] = slope[[3, 2]]
        with pytest.raises(AssertionError, match="is worse than"):
            testing.assert_envelope_slope(slope, distortion, rate)
        testing.assert_envelope_slope(slope, distortion, rate, tol=1.0)
        with pytest.raises(AssertionError, match="nan"):
            testing.assert_envelope_slope([1.0, 2.0], [np.nan, 0.1], [0.1, 0.2])


COIN_AT = COIN.source, COIN.distortion, 1.0


class TestCurves:
    @given(testing.generators(), st.integers(3, 12))
    def test_convex_curves_pass_and_one_raised_point_fails(self, g, n):
        d = np.sort(g.random(n))
        r = (d - 1) ** 2
        order = g.permutation(n)
        testing.assert_convex(d[order], r[order])
        testing.assert_nonincreasing(d[order], r[order])
        i = int(g.integers(1, n - 1))
        chord = np.interp(d[i], d[[i - 1, i + 1]], r[[i - 1, i + 1]])
        r[i] = chord + 1e-3
        with pytest.raises(AssertionError, match="is not convex"):
            testing.assert_convex(d[order], r[order])
        testing.assert_convex(d[order], r[order], tol=2e-3)

    def test_infinite_rates(self):
        testing.assert_convex([0.0, 0.1, 0.2], [np.inf, 1.0, 0.5])
        testing.assert_nonincreasing([0.0, 0.1, 0.2], [np.inf, 1.0, 0.5])
        with pytest.raises(AssertionError, match="is not convex"):
            testing.assert_convex([0.0, 0.1, 0.2], [1.0, np.inf, 0.5])
        with pytest.raises(AssertionError, match="rises with the distortion"):
            testing.assert_nonincreasing([0.0, 0.1], [1.0, np.inf])

    def test_two_rates_at_one_distortion(self):
        testing.assert_nonincreasing([0.1, 0.1], [0.5, 0.75])
        testing.assert_convex([0.0, 0.1, 0.1, 0.2], [1.0, 0.4, 0.45, 0.2], tol=0.05 + 1e-12)
        with pytest.raises(AssertionError, match="is not convex"):
            testing.assert_convex([0.0, 0.1, 0.1, 0.2], [1.0, 0.4, 0.45, 0.2])

    @pytest.mark.parametrize("law", [testing.assert_convex, testing.assert_nonincreasing])
    def test_nan_is_no_rate(self, law):
        with pytest.raises(AssertionError, match="point 1 is no number"):
            law([0.1, 0.2], [0.5, np.nan])

    def test_outside_the_certificate(self):
        testing.assert_inside([0.5, 0.7], [0.5, 0.75], [0.0, 0.1])
        for exact in (0.6, 0.8, np.nan):
            with pytest.raises(AssertionError, match=r"does not lie in \[0.65, 0.75\]"):
                testing.assert_inside(exact, 0.75, 0.1)


def test_a_cloud_of_points_is_no_matrix():
    cloud = Problem(np.full(3, 1 / 3), PointCloud(np.eye(3), np.eye(3), squared_error))
    with pytest.raises(InputError, match="a matrix of distortions is needed; got a PointCloud"):
        testing.assert_certified(cloud, 1.0, np.full(3, 1 / 3))


def test_the_certificate_needs_no_jax():
    script = """
import sys
from jaxrd.testing import achieved_pair, assert_convex, certificate, certified_gap
certificate([0.5, 0.5], [[0, 1], [1, 0]], 2.0, [0.5, 0.5])
assert not {"jax", "hypothesis", "scipy"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_hypothesis_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "jaxrd.testing._strategies")
    monkeypatch.delitem(vars(testing), "slopes", raising=False)
    with pytest.raises(InputError, match=r"slopes needs hypothesis, which is not installed: pip install 'jaxrd\["):
        _ = testing.slopes
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = testing.nothing
    assert set(testing.__all__) <= set(dir(testing))

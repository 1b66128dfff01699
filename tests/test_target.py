"""The curve at a distortion and at a rate."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrd import Problem, Status, blahut_arimoto, critical_slope, distortion_at, optimal_channel, rate_at, solve
from jaxrd.closed_form import binary, categorical, erasure
from jaxrd.testing import problems


def coin(q):
    return Problem(np.array([1 - q, q]), 1 - np.eye(2))


@pytest.mark.parametrize("d", [1e-9, 1e-4, 0.1, 0.299, 0.3 - 1e-9])
def test_binary(d):
    point = rate_at(coin(0.3), d)
    assert int(point.status) == Status.CONVERGED
    np.testing.assert_allclose(point.rate, binary.rate(0.3, d), atol=1e-9)
    np.testing.assert_allclose(point.distortion, d, rtol=1e-12)


@pytest.mark.parametrize("rate", [1e-9, 1e-3, 0.3, 0.6])
def test_binary_by_rate(rate):
    point = distortion_at(coin(0.3), rate)
    np.testing.assert_allclose(point.distortion, binary.distortion(0.3, rate), atol=1e-9)
    np.testing.assert_allclose(point.rate, rate, atol=1e-12)


@pytest.mark.parametrize("share", [1e-9, 1e-6, 1e-3, 0.03, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("power", [0, 1, 2])
def test_few_slopes_are_solved(power, share):
    """Where D falls exponentially in s (power 0), and where it falls like 1/s until the grid is too coarse."""
    x = np.linspace(-1, 1, 30)
    p = np.exp(-3 * x**2)
    p, apart = p / p.sum(), np.abs(x[:, None] - x)
    problem = Problem(p, apart**power if power else 1 - np.eye(30))
    d_max = float((p @ problem.distortion).min())
    at_distortion = rate_at(problem, share * d_max)
    at_rate = distortion_at(problem, at_distortion.rate)
    for point in (at_distortion, at_rate):
        assert int(point.status) == Status.CONVERGED
        assert int(point.steps) <= 13  # up to 28 with secants and chords alone


@pytest.mark.parametrize("ulps", [1, 2, 3, 4, 8, 16, 64, 1000])
def test_a_target_barely_above_the_least_distortion(ulps):
    """Where no distortion lies between two points, no slope tells more: the search once took all 60."""
    p, d = np.array([0.22500253, 0.77499747]), np.array([[0.4893021, 0.5106979], [0.98471616, 0.01528384]])
    point = rate_at(Problem(p, d), p @ d.min(1) * (1 + ulps * 2.0**-53))
    assert int(point.status) == Status.CONVERGED
    assert int(point.steps) <= 30
    entropy = -p @ np.log(p)
    assert float(point.lower) <= entropy <= float(point.rate) + 1e-10


@pytest.mark.parametrize("tol", [0.1, 1e-3])
def test_the_gap_holds_where_the_solver_is_coarse(tol):
    """lower <= R(D) <= rate with points that are far from optimal: their own gaps count."""
    p, d = np.array([0.7, 0.2, 0.1]), 1 - np.eye(3)
    widest = 0.0
    for target in (0.02, 0.05, 0.1, 0.15, 0.2, 0.25):
        point = rate_at(Problem(p, d), target, solver=blahut_arimoto, tol=tol)
        truth = float(categorical.rate(p, target))
        assert float(point.rate - point.gap) <= truth <= float(point.rate)
        widest = max(widest, float(point.rate) - truth)
        by_rate = distortion_at(Problem(p, d), truth, solver=blahut_arimoto, tol=tol)
        exact = float(categorical.rate(p, float(by_rate.distortion)))
        assert float(by_rate.rate - by_rate.gap) <= exact <= float(by_rate.rate) + 1e-15
    assert widest > 1e-3 * tol  # else there is nothing to hold


def exactly(problem, slope, *, tol=None):
    """`solve`, whose points claim to be exact: what a gap is then, the search has added."""
    return replace(solve(problem, slope, tol=tol), gap=jnp.zeros(()))


def test_the_gap_allows_for_the_rounding_of_the_mixture():
    # On a straight line the bracket has no gap of its own.
    problem = Problem(np.full(4, 0.25), np.hstack([np.where(np.eye(4) > 0, 0, np.inf), np.ones((4, 1))]))
    for d in (0.1, 0.5, 0.93):
        point = rate_at(problem, d, solver=exactly)
        assert 4 * np.finfo(float).eps * (1 + float(point.rate)) <= float(point.gap) < 1e-14


def test_linear_curve_needs_a_mixture():
    # Erasure: R is one straight line, so no slope hits an inner distortion.
    problem = Problem(np.full(4, 0.25), np.hstack([np.where(np.eye(4) > 0, 0, np.inf), np.ones((4, 1))]))
    for d in (0.1, 0.5, 0.93):
        point = rate_at(problem, d)
        assert int(point.status) == Status.CONVERGED
        np.testing.assert_allclose(point.rate, erasure.rate(4, d), atol=1e-9)
        np.testing.assert_allclose(point.distortion, d, atol=1e-12)
        back = distortion_at(problem, point.rate)
        np.testing.assert_allclose(back.distortion, d, atol=1e-8)


def test_kinks_of_erokhin_are_no_trouble():
    p = np.array([0.4, 0.2, 0.2, 0.1, 0.1])
    for d in (0.4, 0.6 - 1e-12, 0.2):
        np.testing.assert_allclose(rate_at(Problem(p, 1 - np.eye(5)), d).rate, categorical.rate(p, d), atol=1e-9)


def test_ends():
    problem = coin(0.3)
    low = rate_at(problem, -0.01)
    assert int(low.status) == Status.INFEASIBLE
    assert low.rate == np.inf
    lossless = rate_at(problem, 0.0)
    assert int(lossless.status) == Status.CONVERGED
    np.testing.assert_allclose(lossless.rate, -0.3 * np.log(0.3) - 0.7 * np.log(0.7))
    for d in (0.3, 0.5, 2.0):
        silent = rate_at(problem, d)
        assert float(silent.rate) == 0
        np.testing.assert_allclose(silent.distortion, 0.3)
    assert distortion_at(problem, -1.0).distortion == np.inf
    assert distortion_at(problem, 5.0).distortion == 0
    np.testing.assert_allclose(distortion_at(problem, 0.0).distortion, 0.3)


def test_forbidden_pairs_have_a_least_rate():
    problem = Problem(np.array([0.5, 0.25, 0.25]), np.array([[0, 1, np.inf], [np.inf, 0, 1.0], [0, np.inf, 3]]))
    point = rate_at(problem, 10.0)
    assert int(point.status) == Status.CONVERGED
    assert 0 < float(point.rate) < float(rate_at(problem, 0.0).rate)


@given(problem=problems(), share=st.floats(0.02, 0.98))
def test_bracketed_everywhere(problem, share):
    """lower <= R(D) <= upper: above every tangent, below every chord, of the same problem."""
    d = np.where(np.isinf(problem.distortion), np.nan, problem.distortion)
    keep = np.asarray(problem.source) > 0
    d_min = float(problem.source[keep] @ np.nanmin(d[keep], 1))
    silence = problem.source[keep] @ problem.distortion[keep]
    d_max = float(silence.min()) if np.isfinite(silence).any() else float(problem.source[keep] @ np.nanmax(d[keep], 1))
    if not np.isfinite(d_max) or d_max - d_min <= 1e-9 * abs(d_max):
        return
    target = d_min + share * (d_max - d_min)
    point = rate_at(problem, target)
    assert int(point.status) == Status.CONVERGED
    assert float(point.distortion) <= target * (1 + 1e-12) + 1e-300
    for slope in (0.3, 3.0, 30.0):
        s = slope / (d_max - d_min)
        tangent = solve(problem, jnp.asarray(s))
        bound = float(tangent.lower + s * (tangent.distortion - target))
        assert float(point.rate) >= bound - 1e-9 * max(1, float(s * target))


@given(problem=problems(forbidden=False), share=st.floats(0.05, 0.95))
def test_inverse_functions(problem, share):
    finest = float(solve(problem, np.inf).rate)
    if finest < 1e-6:
        return
    point = distortion_at(problem, share * finest)
    assert int(point.status) in (Status.CONVERGED, Status.EXACT)
    back = rate_at(problem, point.distortion)
    scale = max(1.0, float(point.slope) * abs(float(point.distortion)))
    np.testing.assert_allclose(back.rate, point.rate, atol=3e-9 * scale)


def test_reference(reference):
    case = reference["C"]["tmrd_8x3"]
    problem = Problem(np.array(case["w"]), 1 - np.array(case["V"]))
    for row in case["rows"]:
        point = solve(problem, row["lam_nats"])
        np.testing.assert_allclose(point.rate, row["R_nats"], atol=1e-12)
        np.testing.assert_allclose(point.distortion, row["D"], atol=1e-12)
        np.testing.assert_allclose(point.reproduction, row["q"], atol=1e-9)
    fixed = reference["C"]["tmrd_8x3_fixedD"]
    for row in fixed["rows"]:
        np.testing.assert_allclose(rate_at(problem, row["D"]).rate, row["R_nats"], atol=1e-12)
    np.testing.assert_allclose(critical_slope(problem), fixed["lam_crit"], rtol=1e-12)
    assert float(rate_at(problem, fixed["D_max"]).rate) == 0
    assert rate_at(problem, fixed["D_min"] - 1e-9).rate == np.inf


def test_a_rate_below_what_forbidden_pairs_leave_is_infeasible():
    problem = Problem(np.array([0.5, 0.5]), np.array([[0, np.inf], [np.inf, 0]]))
    point = distortion_at(problem, 0.1)
    assert int(point.status) == Status.INFEASIBLE
    assert (point.rate, point.distortion) == (0.1, np.inf)
    assert distortion_at(problem, 0.7).distortion == 0


def test_the_slope_of_a_mixture_with_silence_is_that_of_the_line():
    problem = Problem(np.full(3, 1 / 3), np.hstack([np.where(np.eye(3) > 0, 0, np.inf), np.ones((3, 1))]))
    for d in (0.3, 0.55, 0.7, 0.9):
        point = rate_at(problem, d)
        np.testing.assert_allclose(point.slope, np.log(3), rtol=1e-6)
        channel = np.asarray(optimal_channel(problem, point))
        mean = np.where(channel > 0, channel * np.where(channel > 0, problem.distortion, 0), 0).sum(1).mean()
        np.testing.assert_allclose(mean, d, atol=1e-6)


def test_a_target_below_the_least_distortion_is_not_reached():
    problem = Problem(np.array([0.5, 0.5]), np.array([[1.0, 1e6], [1e6, 1.0]]))
    assert int(rate_at(problem, 0.999).status) == Status.INFEASIBLE
    assert int(rate_at(problem, 1.0).status) == Status.CONVERGED


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_any_scale_of_the_distortion(scale):
    problem = Problem(np.array([1 / 3, 2 / 3]), scale * (1 - np.eye(2)))
    point = rate_at(problem, 0.1 * scale)
    assert int(point.status) == Status.CONVERGED
    np.testing.assert_allclose(point.rate, binary.rate(1 / 3, 0.1), atol=1e-9)
    np.testing.assert_allclose(critical_slope(problem) * scale, np.log(2), rtol=1e-14)


@pytest.mark.parametrize("offset", [1e6, 1e12, -1e12, 1e15])
def test_an_offset_costs_digits_and_the_gap_says_so(offset):
    problem = Problem(np.array([1 / 3, 2 / 3]), offset + (1 - np.eye(2)))
    for point in (rate_at(problem, offset + 0.1), solve(problem, 2.0), solve(problem, 1.3), solve(problem, 4.0)):
        truth = float(binary.rate(1 / 3, float(point.distortion) - offset))  # the difference is exact
        assert float(point.rate - point.gap) <= truth <= float(point.rate)
        assert int(point.status) != Status.CONVERGED or float(point.gap) <= 1e-9 * max(1, 4 * abs(offset))
    np.testing.assert_allclose(critical_slope(problem), np.log(2), rtol=1e-12)


def test_a_forbidden_pair_written_as_a_large_number():
    # The erasure source, R(D) = (1 - D) ln 2.
    for dtype, sizes, accuracy in ((np.float64, (1e12, 1e300), 1e-9), (np.float32, (1e12, 1e30), 1e-5)):
        for never in sizes:
            problem = Problem(np.array([0.5, 0.5], dtype), np.array([[0, 1, never], [never, 1, 0]], dtype))
            np.testing.assert_allclose(critical_slope(problem), np.log(2), rtol=accuracy)
            point = rate_at(problem, 0.5)
            assert int(point.status) == Status.CONVERGED
            np.testing.assert_allclose(point.rate, 0.5 * np.log(2), atol=accuracy)


class TestCriticalSlope:
    def test_one_letter_far_away(self):
        # It is sent first: the slope at which its cost, ln 1e9, is worth the 1e12 it saves.
        x = np.r_[np.linspace(-3, 3, 20), 1e6]
        problem = Problem(np.r_[np.full(20, 0.05) * (1 - 1e-9), 1e-9], (x[:, None] - x) ** 2)
        s = float(critical_slope(problem))
        assert s == pytest.approx(np.log(1e9) / 1e12, rel=1e-5)
        mean = problem.source @ problem.distortion
        lead = np.delete(problem.distortion - problem.distortion[:, [mean.argmin()]], mean.argmin(), 1)
        with np.errstate(over="ignore"):
            value = lambda t: (problem.source @ np.expm1(-t * lead)).max()  # noqa: E731
            assert value(0.999 * s) < 0 < value(1.001 * s)

    def test_float32_and_rounded_sources(self):
        p = np.array([0.6, 0.3, 0.1])
        for source in (p.astype(np.float32), p * (1 + 9e-7), p.astype(np.float32).astype(np.float64)):
            problem = Problem(source, (1 - np.eye(3)).astype(source.dtype))
            np.testing.assert_allclose(critical_slope(problem), np.log(2), rtol=1e-5)

    def test_splits_zero_from_positive_rate(self):
        g = np.random.default_rng(2)
        for _ in range(10):
            problem = Problem(g.dirichlet(np.ones(9)), g.gamma(0.7, size=(9, 4)))
            s = float(critical_slope(problem))
            assert float(solve(problem, jnp.asarray(0.999 * s)).rate) < 1e-8
            assert float(solve(problem, jnp.asarray(1.05 * s)).rate) > 1e-7

    def test_ends(self):
        assert critical_slope(Problem(np.full(3, 1 / 3), 1 - np.eye(3))) == 0
        assert critical_slope(Problem(np.array([1.0]), np.array([[0.0, 1.0]]))) == np.inf
        assert critical_slope(Problem(np.array([0.5, 0.5]), np.ones((2, 1)))) == np.inf
        blocked = np.array([[0.0, np.inf], [np.inf, 0.0]])
        assert critical_slope(Problem(np.array([0.5, 0.5]), blocked)) == 0


def test_jit_and_vmap():
    problem = coin(0.3)
    d = jnp.array([0.05, 0.1, 0.2])
    mapped = jax.vmap(lambda x: rate_at(problem, x))(d)
    np.testing.assert_allclose(mapped.rate, binary.rate(0.3, d), atol=1e-9)
    rates = jax.jit(jax.vmap(lambda x: distortion_at(problem, x).distortion))(mapped.rate)
    np.testing.assert_allclose(rates, d, atol=1e-8)


@pytest.mark.parametrize(("source", "offset"), [([0.5, 0.3, 0.2], 0.1), ([0.7, 0.3], 0.0), ([0.5, 0.5], 0.0)])
@pytest.mark.parametrize("tol", [1e-4, None])
def test_next_to_d_max_the_slope_is_that_of_the_curve(source, offset, tol):
    """Silence and a little of the least distortion, whose slope is inf, have the rate at once, but not the slope."""
    p = np.array(source)
    problem = Problem(p, 1 - np.eye(len(p)) + offset)
    d_max = float((p @ problem.distortion).min())
    slope = float(rate_at(problem, d_max - 1e-6).slope)
    for below in (1e-7, 1e-8, 1e-9):
        point = rate_at(problem, d_max - below, tol=tol)
        assert float(point.slope) == pytest.approx(slope, rel=0.02, abs=0.002)
    target = np.nextafter(d_max, 0)  # as what a user types for D_max may be
    point = rate_at(problem, target, tol=tol)
    assert int(point.status) == Status.CONVERGED
    assert float(point.slope) == 0
    assert float(point.rate) < 1e-14
    assert float(jax.grad(lambda d: rate_at(problem, d, tol=tol).rate)(target)) == 0

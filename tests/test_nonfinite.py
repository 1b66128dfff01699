"""NaN, inf and what is no pmf certify nothing: refused where they are known, NONFINITE or NaN where they are traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared import INTERIOR, NAMES

from jaxrd import (
    ConvergenceError,
    InputError,
    Problem,
    Solution,
    Status,
    blahut_arimoto,
    check,
    critical_slope,
    distortion_at,
    distortion_range,
    optimal_channel,
    rate_at,
    solve,
    sweep,
    tosc,
    validate,
)
from jaxrd.closed_form import bottleneck, categorical
from jaxrd.distortion import PointCloud, SparseDiscount
from jaxrd.information import entropy, mutual_information

HAMMING = 1 - np.eye(2)
NAN, INF = np.nan, np.inf
BAD = [NAN, -INF]


def third_masked(source, rows):
    """A third letter of mass zero, whose row nobody may read."""
    return Problem(np.array([*source, 0.0]), np.array([*rows, BAD], float))


NO_PROBLEM = {
    "NaN in the source": (third_masked([NAN, 0.5], HAMMING), "source must be finite; got nan at 0"),
    "inf in the source": (third_masked([0.5, INF], HAMMING), "source must be finite; got inf at 1"),
    "no source": (third_masked([0.0, 0.0], HAMMING), "source must have a positive finite sum; got 0"),
    "a negative mass": (third_masked([1.5, -0.5], HAMMING), "source must not be negative; got -0.5 at letter 1"),
    "NaN pair": (third_masked([0.5, 0.5], [[0, NAN], [1, 0]]), r"finite or \+inf; got nan at \(0, 1\)"),
    "NaN row": (third_masked([0.5, 0.5], [[NAN, NAN], [1, 0]]), r"got nan at \(0, 0\)"),
    "-inf pair": (third_masked([0.5, 0.5], [[0, 1], [1, -INF]]), r"got -inf at \(1, 1\)"),
    "-inf everywhere": (third_masked([0.5, 0.5], [[-INF, -INF], [-INF, -INF]]), r"got -inf at \(0, 0\)"),
    "both infinities": (third_masked([0.5, 0.5], [[-INF, INF], [1, 0]]), r"got -inf at \(0, 0\)"),
}

FUNCTIONS = {
    "solve": solve,
    "blahut_arimoto": blahut_arimoto,
    "sweep": lambda problem, slope: jax.tree.map(lambda a: a[0], sweep(problem, jnp.array([slope, 1.0]))),
    "rate_at": rate_at,
    "distortion_at": distortion_at,
    "critical_slope": lambda problem, _: critical_slope(problem),
    "optimal_channel": lambda problem, _: optimal_channel(
        problem, Solution(jnp.asarray(2.0), *[jnp.zeros(())] * 2, jnp.array([0.5, 0.5]), *[jnp.zeros(())] * 3)
    ),
}
TRACED = {name: jax.jit(function) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_problem_has_no_answer(name):
    for problem, message in NO_PROBLEM.values():
        with pytest.raises(InputError, match=message):
            FUNCTIONS[name](problem, 0.2)
        found = TRACED[name](problem, 0.2)
        if not isinstance(found, Solution):
            assert np.isnan(found).all()
            continue
        assert found.status == Status.NONFINITE
        assert found.gap == INF
        assert np.isnan(found.rate)
        assert np.isnan(found.distortion)
        with pytest.raises(ConvergenceError, match="NONFINITE"):
            check(found)


@pytest.mark.parametrize("row", [[NAN, NAN], [NAN, 1], [-INF, 0], [INF, -INF], [INF, INF]], ids=str)
def test_the_row_of_a_letter_of_mass_zero_is_not_read(row):
    masked = Problem(np.array([0.25, 0.75, 0.0]), np.array([*HAMMING, row]))
    validate(masked)
    # h(.25) - h(.1); at slope ln 9 the distortion is .1
    expected, slope = 0.2372522, np.log(9)
    for name, at in (("rate_at", 0.1), ("distortion_at", expected), ("solve", slope), ("sweep", slope)):
        point = TRACED[name](masked, at)
        assert point.status == Status.CONVERGED
        np.testing.assert_allclose([point.rate, point.distortion], [expected, 0.1], atol=1e-7)
    for function, at in ((rate_at, 0.1), (solve, slope)):
        np.testing.assert_allclose(function(masked, at).rate, expected, atol=1e-7)
    point = TRACED["blahut_arimoto"](masked, slope)
    np.testing.assert_allclose([point.rate, point.distortion], [expected, 0.1], atol=1e-7)
    np.testing.assert_allclose(critical_slope(masked), np.log(3), rtol=1e-12)
    channel = np.asarray(optimal_channel(masked, point))
    np.testing.assert_allclose(channel[:2].sum(1), 1, rtol=1e-12)
    np.testing.assert_array_equal(channel[2], 0)
    np.testing.assert_allclose(mutual_information(masked.source, channel), expected, atol=1e-7)


def test_distortions_that_are_not_held_follow_the_same_rules():
    x, y = np.array([[0.0], [NAN], [1.0]]), np.array([[0.0], [1.0]])
    pairs, discount = (np.array([0, 1, 2]), np.array([0, 0, 1])), np.array([1.0, NAN, 1.0])
    masked, seen = np.array([0.25, 0.0, 0.75]), np.full(3, 1 / 3)
    traced = jax.jit(blahut_arimoto)
    for distortion in (PointCloud(x, y), SparseDiscount(1.0, *pairs, discount, (3, 2))):
        point = traced(Problem(masked, distortion), np.log(9))
        assert point.status == Status.CONVERGED
        np.testing.assert_allclose([point.rate, point.distortion], [0.2372522, 0.1], atol=1e-6)
        np.testing.assert_allclose(distortion.expected(jnp.asarray(masked)), [0.75, 0.25])
        with pytest.raises(InputError, match="must be finite; got nan"):
            rate_at(Problem(seen, distortion), 0.1)
        assert traced(Problem(seen, distortion), 1.0).status == Status.NONFINITE


def test_targets_and_slopes():
    problem = third_masked([0.25, 0.75], HAMMING)
    for name, what in (("rate_at", "distortion"), ("distortion_at", "rate")):
        with pytest.raises(InputError, match=f"{what} must be a number; got nan"):
            FUNCTIONS[name](problem, NAN)
        assert TRACED[name](problem, NAN).status == Status.NONFINITE
    for slope in (NAN, -1.0):
        with pytest.raises(InputError, match=f"slope must be >= 0 nats per unit of distortion; got {slope:g}"):
            solve(problem, slope)
        point = TRACED["solve"](problem, slope)
        assert point.status == Status.NONFINITE
        assert point.gap == INF


def test_a_source_is_taken_as_p_over_its_sum():
    counts = third_masked([7, 3], HAMMING)
    expected = 0.2857813  # h(.3) - h(.1)
    for name, at in (("rate_at", 0.1), ("distortion_at", expected), ("solve", np.log(9)), ("sweep", np.log(9))):
        np.testing.assert_allclose(TRACED[name](counts, at).rate, expected, atol=1e-7)
    np.testing.assert_allclose(rate_at(counts, 0.1).rate, expected, atol=1e-7)
    np.testing.assert_allclose(critical_slope(counts), np.log(7 / 3), rtol=1e-12)
    pair = np.array([7.0, 3.0])
    for rate in (categorical.rate, jax.jit(categorical.rate)):
        np.testing.assert_allclose(rate(pair, 0.1), expected, atol=1e-7)
    np.testing.assert_allclose(categorical.distortion(pair, expected), 0.1, atol=1e-7)
    np.testing.assert_allclose(categorical.slope(pair, 0.1), np.log(9), rtol=1e-12)
    np.testing.assert_allclose(categorical.distortion_at_slope(pair, np.log(9)), 0.1, rtol=1e-12)
    np.testing.assert_allclose(categorical.reproduction(pair, 0.1), [0.75, 0.25], rtol=1e-12)
    np.testing.assert_allclose(mutual_information(pair, np.eye(2)), entropy(pair / 10), rtol=1e-14)
    # the derivatives are those of p / sum p: along p there is none
    assert abs(jax.grad(lambda p: categorical.rate(p, 0.1))(jnp.asarray(pair)) @ pair) < 1e-12


FORMS = [*INTERIOR, (bottleneck, (np.array([0.3, 0.9]),), ())]


@pytest.mark.parametrize(("module", "args", "_"), FORMS, ids=[*NAMES, "bottleneck"])
def test_closed_forms(module, args, _):
    names = ["information"] if module is bottleneck else ["rate", "distortion"]
    names += ["slope", "reproduction", "distortion_at_slope"] if module is categorical else []
    for name in names:
        form = getattr(module, name)
        traced, x = jax.jit(form), np.array([0.1, NAN, INF])
        # One bad entry spoils no other.
        found = np.asarray(traced(*args, x))
        assert np.isnan(found[1]).all()
        assert not np.isnan(found[[0, 2]]).any()
        with pytest.raises(InputError, match="got nan at 1"):
            form(*args, x)
        for i in range(len(args)):
            given = [*args, x]
            given[i] = np.full(np.shape(given[i]), NAN)
            with pytest.raises(InputError, match="got nan"):
                form(*given)
            assert np.isnan(traced(*given)).all()


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("binary", (1.5, 0.1), r"probability must be in \[0, 1\]; got 1.5"),
        ("categorical", ([1.5, -0.5], 0.1), "pmf must not be negative; got -0.5 at letter 1"),
        ("categorical", ([0.0, 0.0], 0.1), "pmf must have a positive finite sum; got 0"),
        ("gaussian", (-1.0, 0.1), "variance must be positive and finite; got -1"),
        ("gaussian", ([1.0, 0.0], 0.1), "variance must be positive and finite; got 0 at 1"),
        ("vector_gaussian", ([1.0, -2.0], 0.1), "eigenvalues must be >= 0 and finite; got -2 at 1"),
        ("gauss_markov", (1.0, 0.1), r"correlation must be inside \(-1, 1\); got 1"),
        ("laplacian", (INF, 0.1), "scale must be positive and finite; got inf"),
        ("erasure", (0.5, 0.1), "classes must be an integer >= 1; got 0.5"),
        ("remote_gaussian", (1.0, -0.5, 0.9), "noise_variance must be >= 0 and finite; got -0.5"),
        ("exponential", (0.0, 0.1), "mean must be positive and finite; got 0"),
    ],
)
def test_parameters_outside_their_range(name, args, message):
    import jaxrd.closed_form

    with pytest.raises(InputError, match=message):
        getattr(jaxrd.closed_form, name).rate(*args)


def test_mutual_information():
    assert np.isnan(mutual_information([NAN, 0.0], np.eye(2)))
    assert np.isnan(mutual_information([1.5, -0.5], np.eye(2)))
    assert mutual_information([0.0, 1.0], np.array([[NAN, NAN], [0.5, 0.5]])) == 0


def test_bounds_of_a_classifier():
    joint, d = np.array([[0.4, 0.1], [0.1, 0.4]]), np.array([NAN, 0.3])
    np.testing.assert_array_equal(np.isnan(tosc.time_sharing(joint, d)), [True, False])
    for found in tosc.estimate_and_compress(joint, d):
        np.testing.assert_array_equal(np.isnan(found), [True, False])
    mixture = tosc.mixture
    for source, at in ((mixture.GaussianMixture(), NAN), (mixture.GaussianMixture(NAN), 0.3)):
        for function in (mixture.indirect, mixture.indirect_rate, mixture.compress_and_estimate):
            assert np.isnan(jax.tree.leaves(function(source, at))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_subnormal_mass_counts_as_zero_everywhere(dtype):
    """XLA flushes it to zero: then no function may call the letter, which cannot be sent, lost."""
    d = np.array([[0, 1], [1, 0], [np.inf, np.nan]], dtype)
    found = []
    for mass in (dtype(0), np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny / 8):
        problem = Problem(np.array([0.25, 0.75, mass], dtype), d)
        validate(problem)
        points = check(solve(problem, dtype(2))), check(rate_at(problem, dtype(0.1)))
        found.append(([float(p.rate) for p in points], *map(float, distortion_range(problem))))
    assert found[0] == found[1] == found[2]
    with pytest.raises(InputError, match="letter 2 is forbidden"):
        validate(Problem(np.array([0.25, 0.75, np.finfo(dtype).tiny], dtype), np.where(np.isnan(d), np.inf, d)))

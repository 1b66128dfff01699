"""Gaussian sources with a Gaussian label: corrected theorems, the printed one shown infeasible, the max-det program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrd.closed_form import bottleneck
from jaxrd.closed_form import gaussian as plain
from jaxrd.closed_form import vector_gaussian as water_filling
from jaxrd.errors import InputError
from jaxrd.rdc import gaussian
from jaxrd.rdc.gaussian.vector import VectorSource, classification_at, distortion_at, rate_at
from jaxrd.rdc.perception.closed_form import bernoulli_rate, gaussian_rate
from jaxrd.rdc.representation.universal import universal_vector_gaussian_rate
from jaxrd.solution import Status
from jaxrd.testing import generators

H = 1.4189385332046727418  # h(S) of a unit variance, nats
SOURCE = {"variance": 1.0, "correlation": 0.7, "label_entropy": H}
LABEL = {"correlation": 0.7, "label_entropy": H}


def number(value):
    return np.inf if value is None else float(value)


def columns(rows, *keys):
    return (np.array([number(row[key]) for row in rows]) for key in keys)


def test_every_rate_of_the_reference(reference):
    rows = reference["E"]["R_DC"]
    assert len(rows) == 54
    rho, d, c, expected = columns(rows, "rho", "D", "C", "R")
    found = gaussian.rate(d, c, variance=1.0, correlation=rho, label_entropy=H)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    overlap = reference["E"]["thm1_overlap"]  # in print the first case overlaps the third and is -.0912 here
    assert gaussian.rate(overlap["D"], H + overlap["C_minus_h"], **SOURCE) == overlap["correct"]
    assert overlap["printed_first_branch"] < 0


def test_every_distortion_of_the_reference(reference):
    r, c, expected, threshold, printed = columns(
        reference["E"]["D_CR"], "R", "C", "D", "C_threshold", "printed_formula"
    )
    assert np.isinf(expected).any()
    np.testing.assert_allclose(gaussian.distortion(c, r, **SOURCE), expected, rtol=1e-13)
    np.testing.assert_allclose(gaussian.printed_distortion(c, r, **SOURCE), printed, rtol=1e-12)
    np.testing.assert_allclose(gaussian.least_classification(r, **LABEL), threshold, rtol=1e-14)
    third = reference["E"]["thm2_third_branch"]
    np.testing.assert_allclose(gaussian.distortion(H + 0.001, third["R"], **SOURCE), third["correct"])
    assert gaussian.printed_distortion(H + 0.001, third["R"], **SOURCE) == third["printed"]


def test_figure_4_of_the_reference(reference):
    figure = reference["E"]["fig4"]
    floor = number(figure["C_infimum"])
    np.testing.assert_allclose(gaussian.least_classification(np.inf, **LABEL), floor, rtol=1e-14)
    np.testing.assert_allclose(H - floor, number(figure["I_XS_nats"]), rtol=1e-13)
    keys = ("R", "D_min", "C_min_at_R", "I_S_Xhat_max", "printed_branch2_at_midC", "printed_branch2_at_threshold")
    r, least, loss, information, middle, corner = columns(figure["rows"], *keys)
    np.testing.assert_allclose(gaussian.least_classification(r, **LABEL), loss, rtol=1e-14)
    np.testing.assert_allclose(H - loss, information, rtol=1e-12)
    np.testing.assert_allclose(gaussian.distortion(loss + 1e-12, r, **SOURCE), least, rtol=1e-12)
    printed = gaussian.printed_distortion(np.stack([0.5 * (floor + loss), loss - 1e-13]), r, **SOURCE)
    np.testing.assert_allclose(printed, [middle, corner], rtol=1e-11)
    assert (np.asarray(printed[0]) < least).all()  # no code of rate R


def test_thresholds_at_the_ends():
    assert gaussian.least_classification(-0.1, **LABEL) == np.inf
    assert gaussian.least_classification(np.inf, correlation=1.0, label_entropy=H) == -np.inf


class TestScalar:
    parameters = st.tuples(st.floats(-0.99, 0.99), st.floats(0.1, 10), st.floats(-1, 3))

    @given(given=parameters, rate=st.floats(0.01, 3), share=st.floats(0.01, 0.99))
    def test_no_code_attains_the_second_printed_case(self, given, rate, share):
        rho, variance, entropy = given
        label = {"correlation": rho, "label_entropy": entropy}
        low = float(gaussian.least_classification(np.inf, **label))
        high = float(gaussian.least_classification(rate, **label))
        losses = low + np.array([share, 0.5 * (1 + share)]) * (high - low)
        if abs(rho) < 1e-3 or high - losses[1] < 1e-9 * (high - low):
            return
        first, second = gaussian.printed_distortion(losses, rate, variance=variance, **label)
        # Its distortion alone needs more than the rate; and it rises where the text says that it falls.
        assert plain.rate(variance, first) > rate
        assert first < second < variance * np.exp(-2 * rate)
        assert gaussian.distortion(losses[0], rate, variance=variance, **label) == np.inf

    @given(given=parameters, g=generators())
    def test_convex_and_nonincreasing(self, given, g):
        rho, variance, entropy = given
        source = {"variance": variance, "correlation": rho, "label_entropy": entropy}
        low = float(gaussian.least_classification(np.inf, correlation=rho, label_entropy=entropy))
        d, c = variance * g.uniform(0.01, 1.5, (2, 50)), low + g.exponential(0.2, (2, 50))
        ends, middle = gaussian.rate(d, c, **source), gaussian.rate(d.mean(0), c.mean(0), **source)
        assert (middle <= ends.mean(0) * (1 + 1e-9) + 1e-12).all()
        assert (gaussian.rate(d * 1.1, c, **source) <= ends).all()
        assert (gaussian.rate(d, c + 0.1, **source) <= ends).all()

    @given(given=parameters, share=st.floats(0.01, 1.2), more=st.floats(0.01, 2))
    def test_channel_attains_the_rate(self, given, share, more):
        rho, variance, entropy = given
        label = {"correlation": rho, "label_entropy": entropy}
        d, c = share * variance, float(gaussian.least_classification(more, **label))
        rate = float(gaussian.rate(d, c, variance=variance, **label))
        if not np.isfinite(rate):  # rounding of a correlation near zero
            return
        gain, noise = (float(x) for x in gaussian.optimal_channel(d, c, variance=variance, **label))
        shared = gain * variance / np.sqrt(variance * (gain**2 * variance + noise)) if rate > 1e-12 else 0.0
        assert rate == pytest.approx(-0.5 * np.log(1 - shared**2), rel=1e-6, abs=1e-9)
        assert (1 - gain) ** 2 * variance + noise <= d * (1 + 1e-9)
        assert entropy + 0.5 * np.log(1 - (rho * shared) ** 2) <= c + 1e-7

    def test_infeasible_is_infinite(self):
        given = {"variance": 1.0, "correlation": 0.7, "label_entropy": H}
        assert (gaussian.rate(np.array([0.0, -1.0, 0.5]), np.array([H, H, 1.08]), **given) == np.inf).all()
        uncorrelated = given | {"correlation": 0.0}
        assert gaussian.rate(0.5, H, **uncorrelated) == pytest.approx(0.5 * np.log(2))
        assert gaussian.rate(0.5, H - 1e-9, **uncorrelated) == np.inf
        assert gaussian.distortion(H, -0.1, **given) == np.inf
        assert gaussian.distortion(1.0, 3.0, **given) == np.inf
        assert gaussian.rate(np.inf, np.inf, **given) == 0

    def test_nan_certifies_nothing(self):
        given = {"variance": 1.0, "correlation": 0.7, "label_entropy": H}
        c, r = np.array([H - 0.1, np.nan]), np.array([0.3, np.nan])
        traced = jax.jit(lambda c, r: (
            gaussian.rate(0.5, c, **given), gaussian.rate(r, H, **given), gaussian.least_classification(r, **LABEL),
            gaussian.distortion(H, r, **given), gaussian.distortion(c, 0.5, **given), bernoulli_rate(r, 0.1, 0.2),
            bernoulli_rate(0.3, r, 0.2), bernoulli_rate(0.3, 0.2, r), gaussian_rate(1.0, r, 0.2),
            gaussian_rate(1.0, 0.2, r),
        ))  # fmt: skip
        for found in traced(c, r):
            np.testing.assert_array_equal(np.isnan(found), [False, True])
        with pytest.raises(InputError, match="classification must be a number; got nan"):
            gaussian.rate(0.5, np.nan, **given)
        with pytest.raises(InputError, match="variance must be positive and finite; got -1"):
            gaussian.distortion(H, 0.5, **(given | {"variance": -1.0}))

    def test_a_label_that_is_the_source(self):
        given = {"variance": 1.0, "correlation": 1.0, "label_entropy": H}
        np.testing.assert_allclose(gaussian.rate(np.inf, H - np.array([1e-3, 1.0, 40.0]), **given), [1e-3, 1.0, 40.0])

    def test_derivatives(self):
        def rate(d, c, v, rho, h):
            return gaussian.rate(d, c, variance=v, correlation=rho, label_entropy=h)

        for at in ((0.4, 1.3, 1.5, 0.7, 1.4), (0.2, 1.39, 1.5, 0.7, 1.4), (0.9, 0.9, 1.0, -0.99, 1.4)):
            slopes = jax.grad(rate, range(5))(*at)
            for i, slope in enumerate(slopes):
                up, down = ((*at[:i], at[i] + h, *at[i + 1 :]) for h in (1e-6, -1e-6))
                np.testing.assert_allclose(slope, (rate(*up) - rate(*down)) / 2e-6, rtol=1e-5, atol=1e-8)
        edges = [(0.0, 1.3), (2.0, 1.5), (1.0, 1.4), (0.5, 1.0), (np.inf, np.inf), (0.3, 1.4)]
        for function in (rate, lambda d, c, *p: gaussian.printed_distortion(c, d, variance=p[0], correlation=p[1],
                                                                           label_entropy=p[2])):  # fmt: skip
            for d, c in edges:
                slopes = jax.grad(function, (0, 1, 2, 3, 4))(d, c, 1.0, 0.7, 1.4)
                least = function is rate and d == 0  # R is +inf there, and falls from it
                assert (slopes[0] == -np.inf) if least else np.isfinite(slopes[0])
                assert np.isfinite(slopes[1:]).all()

    def test_one_encoder_for_all_pairs(self):
        d, c = np.array([[0.9, 0.5, 0.8], [0.2, 1.0, 1.0]]), np.array([[1.35, 1.42, 1.3], [1.4, 1.4, 1.4]])
        each = gaussian.rate(d, c, **SOURCE)
        np.testing.assert_allclose(gaussian.universal_rate(d, c, **SOURCE), each.max(-1), rtol=1e-14)
        np.testing.assert_allclose(gaussian.rate_penalty(d, c, **SOURCE), 0, atol=1e-15)
        assert np.isnan(gaussian.rate_penalty([0.5, 0.0], [H, H], **SOURCE))
        several = gaussian.rate_penalty(d[:1], c[:1], **(SOURCE | {"variance": np.array([[1.0], [2.0]])}))
        np.testing.assert_allclose(several, [0, 0], atol=1e-15)

    def test_the_penalty_is_a_difference_of_rates(self, monkeypatch):
        """Regression: it was zero times a rate, so that zero said nothing."""

        def rate(distortion, classification, **_):  # a source whose distortion and label need bits of their own
            return -0.5 * jnp.log(distortion) + (H - classification)

        monkeypatch.setattr("jaxrd.rdc.gaussian.universality.rate", rate)
        d, c = jnp.array([0.25, 1.0]), jnp.array([H, H - 0.5])
        np.testing.assert_allclose(gaussian.universal_rate(d, c, **SOURCE), np.log(2) + 0.5)
        np.testing.assert_allclose(gaussian.rate_penalty(d, c, **SOURCE), 0.5)  # beside ln 2, the dearer of the two

    def test_one_dimension_of_the_vector_program(self):
        label_variance = 0.5
        source = VectorSource(np.array([[1.0]]), np.array([0.7]), label_variance)
        variance = 0.49 + label_variance
        given = {"variance": 1.0, "correlation": 0.7 / np.sqrt(variance)}
        entropy = float(gaussian.differential_entropy(variance))
        d, c = np.array([0.5, np.inf]), np.array([np.inf, entropy - 0.1])
        program = universal_vector_gaussian_rate(source, d, c)
        found = gaussian.universal_rate(d, c, **given, label_entropy=entropy)
        assert program.lower - 1e-12 <= found <= program.rate + 1e-12
        penalty = float(gaussian.rate_penalty(d, c, **given, label_entropy=entropy))
        assert program.penalty_lower - 1e-12 <= penalty <= program.penalty + 1e-12

    def test_the_bottleneck_is_the_label_alone(self):
        rates = np.array([0.1, 1.0, 3.0])
        losses = H - bottleneck.information(0.8, rates)
        np.testing.assert_allclose(gaussian.least_classification(rates, correlation=0.8, label_entropy=H), losses)
        found = gaussian.rate(np.inf, losses, variance=2.0, correlation=0.8, label_entropy=H)
        np.testing.assert_allclose(found, rates, rtol=1e-12)


SIGMA = np.array([[2.0, 0.6, 0.2], [0.6, 1.0, 0.3], [0.2, 0.3, 0.5]])
VECTOR = VectorSource(SIGMA, np.array([0.2, -0.5, 1.0]), 0.3)


def bounds(source, point, d, c):
    """(dual value at the slopes, rate of Q, tr Q, h(S|U)) in numpy: both sides of the certificate."""
    sigma, a, w = (np.asarray(x, float) for x in (source.covariance, source.direction, source.noise_variance))
    allowed = np.minimum([d, np.exp(2 * c - 1) / (2 * np.pi) - w], [np.trace(sigma), a @ sigma @ a])
    q = np.asarray(point.error_covariance)
    label = a @ q @ a + w
    theta = np.array([2 * float(point.distortion_slope), float(point.classification_slope) / label])
    root = np.linalg.cholesky(sigma)
    m = np.linalg.eigvalsh(root.T @ (theta[0] * np.eye(len(a)) + theta[1] * np.outer(a, a)) @ root)
    dual = 0.5 * (np.where(m > 1, 1 + np.log(np.maximum(m, 1)), m).sum() - theta @ allowed)
    rate = 0.5 * (np.linalg.slogdet(sigma)[1] - np.linalg.slogdet(q)[1])
    assert np.linalg.eigvalsh(sigma - q)[0] > -1e-9 * np.linalg.eigvalsh(sigma)[-1]
    return dual, rate, np.trace(q), 0.5 * np.log(2 * np.pi * np.e * label)


class TestVector:
    def test_reference(self, reference):
        entry = reference["E"]["vector"]  # a conic solver, to about 1e-8
        np.testing.assert_array_equal(SIGMA, entry["Sigma"])
        for row in entry["rows"]:
            point = rate_at(VECTOR, row["D"], number(row["C"]))
            assert point.status == Status.CONVERGED
            assert point.gap < 1e-9
            np.testing.assert_allclose(point.rate, row["R_nats"], atol=2e-8)

    def test_universality_costs_rate(self):
        found = universal_vector_gaussian_rate(VECTOR, [1.0, np.inf], [np.inf, 1.0])
        np.testing.assert_allclose(found.penalty, 0.291143718346071, atol=2e-8)
        np.testing.assert_allclose(found.rates, [1.4491699638404545, 0.6534286258979484], atol=2e-8)
        assert found.penalty - found.penalty_lower < 1e-9
        assert found.status == Status.CONVERGED
        infeasible = universal_vector_gaussian_rate(VECTOR, [1.0, 2.0], [np.inf, 0.8])
        assert infeasible.status == Status.INFEASIBLE
        assert np.isinf(infeasible.rate)
        assert np.isnan(infeasible.penalty)

    @settings(max_examples=15)
    @given(g=generators())
    def test_both_sides_of_the_certificate(self, g):
        a = g.standard_normal((3, 3)) * 10.0 ** g.uniform(-1, 1, 3)
        sigma = a @ a.T + 1e-3 * np.trace(a @ a.T) * np.eye(3)
        source = VectorSource(sigma, g.standard_normal(3), 10.0 ** g.uniform(-2, 1))
        label = source.direction @ sigma @ source.direction
        d = float(np.trace(sigma) * 10.0 ** g.uniform(-3, 0.2))
        c = float(0.5 * np.log(2 * np.pi * np.e * (label * 10.0 ** g.uniform(-3, 0.2) + source.noise_variance)))
        point = rate_at(source, d, c)
        dual, rate, spent, loss = bounds(source, point, d, c)
        assert point.status == Status.CONVERGED
        assert dual <= rate + 1e-9 * (1 + rate)
        assert rate - dual <= 1e-8 * (1 + rate)
        assert float(point.lower) <= dual + 1e-8 * (1 + rate)
        np.testing.assert_allclose(point.rate, rate, rtol=1e-8, atol=1e-9)
        assert spent <= d * (1 + 1e-9)
        assert loss <= c + 1e-8
        # Convex along any line, and nonincreasing.
        further = rate_at(source, 1.5 * d, c + 0.2)
        middle = rate_at(source, 1.25 * d, c + 0.1)
        assert middle.lower <= 0.5 * (point.rate + further.rate) + 1e-9
        assert further.lower <= point.rate

    def test_one_constraint_is_water_filling_or_the_bottleneck(self):
        eigenvalues, a = np.linalg.eigvalsh(SIGMA), np.asarray(VECTOR.direction)
        for d in (0.01, 1.0, 3.4):
            np.testing.assert_allclose(rate_at(VECTOR, d, np.inf).rate, water_filling.rate(eigenvalues, d), atol=1e-9)
        signal = a @ SIGMA @ a
        squared = signal / (signal + 0.3)
        entropy = 0.5 * np.log(2 * np.pi * np.e * (signal + 0.3))
        loss = entropy - float(bottleneck.information(np.sqrt(squared), 0.4))
        np.testing.assert_allclose(rate_at(VECTOR, np.inf, loss).rate, 0.4, atol=1e-9)
        silent = rate_at(VECTOR, np.inf, np.inf)
        assert silent.rate == pytest.approx(0, abs=1e-14)
        assert silent.distortion_slope == silent.classification_slope == 0

    def test_least_distortion_and_least_loss(self):
        point = distortion_at(VECTOR, 1.15, 0.7)
        assert point.status == Status.CONVERGED
        assert 0.7 - 1e-9 <= point.rate <= 0.7 + 1e-12
        assert point.classification <= 1.15 + 1e-12
        again = classification_at(VECTOR, point.distortion, 0.7)
        np.testing.assert_allclose(again.classification, point.classification, atol=1e-7)
        nowhere = distortion_at(VECTOR, 0.9, 0.2)
        assert nowhere.status == Status.INFEASIBLE
        assert nowhere.distortion == np.inf
        assert classification_at(VECTOR, 0.1, 0.2).classification == np.inf

    def test_infeasible_is_infinite(self):
        floor = 0.5 * np.log(2 * np.pi * np.e * 0.3)
        for d, c in ((0.0, np.inf), (1.0, floor), (np.inf, -3.0)):
            point = rate_at(VECTOR, d, c)
            assert point.rate == np.inf
            assert point.status == Status.INFEASIBLE
        assert rate_at(VECTOR, 1.0, np.nan).status == Status.NONFINITE
        blind = VectorSource(SIGMA, np.zeros(3), 0.3)  # a label that X knows nothing of
        np.testing.assert_allclose(rate_at(blind, 1.0, floor + 1e-6).rate, rate_at(VECTOR, 1.0, np.inf).rate)
        assert rate_at(blind, 1.0, floor - 1e-6).rate == np.inf

    def test_derivatives(self):
        def rate(d, c, w, scale):
            return rate_at(VectorSource(scale * SIGMA, VECTOR.direction, w), d, c).rate

        at = (2.0, 1.1, 0.3, 1.2)
        slopes = jax.grad(rate, range(4))(*(jnp.asarray(x) for x in at))
        point = rate_at(VectorSource(1.2 * SIGMA, VECTOR.direction, 0.3), 2.0, 1.1)
        np.testing.assert_allclose(-slopes[0], point.distortion_slope, rtol=1e-6)
        np.testing.assert_allclose(-slopes[1], point.classification_slope, rtol=1e-6)
        for i, slope in enumerate(slopes):
            up, down = ((*at[:i], at[i] + h, *at[i + 1 :]) for h in (1e-4, -1e-4))
            np.testing.assert_allclose(slope, (rate(*up) - rate(*down)) / 2e-4, rtol=1e-5)

    def test_derivatives_that_are_not_known_are_nan(self):
        assert jnp.isnan(jax.grad(jax.grad(lambda d: rate_at(VECTOR, d, 1.1).rate))(2.0))
        assert jnp.isnan(jax.grad(lambda d: rate_at(VECTOR, d, 1.1).distortion_slope)(2.0))
        assert jnp.isnan(jax.grad(lambda d: classification_at(VECTOR, d, 1.0).distortion)(2.0))
        assert jnp.isnan(jax.grad(jax.grad(lambda d: classification_at(VECTOR, d, 1.0).classification))(2.0))

    @pytest.mark.parametrize(("inverse", "target"), [(distortion_at, 1.1), (classification_at, 2.0)])
    def test_derivatives_of_the_inverses(self, inverse, target):
        def least(sigma, a, w, target, rate):
            point = inverse(VectorSource(sigma, a, w), target, rate, tol=1e-12)
            return point.distortion if inverse is distortion_at else point.classification

        g = np.random.default_rng(0)
        at = SIGMA, np.asarray(VECTOR.direction), np.asarray(0.3), np.asarray(target), np.asarray(0.6)
        slopes = jax.jit(jax.grad(least, range(5)))(*at)
        for i, slope in enumerate(slopes):
            along = g.standard_normal(at[i].shape)
            along = along + along.T
            up, down = ((*at[:i], at[i] + h * along, *at[i + 1 :]) for h in (1e-5, -1e-5))
            expected = (least(*up) - least(*down)) / 2e-5
            assert abs(expected) > 1e-3
            np.testing.assert_allclose((slope * along).sum(), expected, rtol=1e-5, atol=1e-5)
        point = inverse(VECTOR, target, 0.6, tol=1e-12)
        mu = (point.distortion_slope, point.classification_slope)
        least_mu, other = mu if inverse is distortion_at else mu[::-1]
        np.testing.assert_allclose(slopes[4], -1 / least_mu, rtol=1e-6)
        np.testing.assert_allclose(slopes[3], -other / least_mu, rtol=1e-6)

    def test_a_constraint_that_is_not_there_has_slope_zero(self):
        def rate(d, c):
            return rate_at(VECTOR, d, c).rate

        assert jax.grad(rate, 1)(1.0, jnp.inf) == jax.grad(rate, 0)(jnp.inf, 1.1) == 0

    def test_derivatives_of_what_no_code_reaches_are_zero(self):
        assert jax.value_and_grad(lambda r: distortion_at(VECTOR, -3.0, r).distortion)(0.5) == (np.inf, 0)
        assert jax.value_and_grad(lambda r: classification_at(VECTOR, 0.1, r).classification)(0.2) == (np.inf, 0)

    @pytest.mark.parametrize(
        ("source", "target", "message"),
        [
            (VectorSource(SIGMA[:2], VECTOR.direction, 0.3), (1.0, 1.0), r"covariance must have shape \(d, d\)"),
            (VectorSource(SIGMA, VECTOR.direction[:2], 0.3), (1.0, 1.0), r"got \(3, 3\), \(2,\) and \(\)"),
            (VectorSource(-SIGMA, VECTOR.direction, 0.3), (1.0, 1.0), "positive definite"),
            (VectorSource(SIGMA, VECTOR.direction, 0.0), (1.0, 1.0), "noise_variance must be > 0; got 0"),
            (VECTOR, (np.ones(2), 1.0), "one point at a time"),
        ],
    )
    def test_bad_input(self, source, target, message):
        with pytest.raises(ValueError, match=message):
            rate_at(source, *target)

    def test_a_negative_distortion_is_infeasible(self):
        point = rate_at(VECTOR, -1.0, 1.0)
        assert (point.status, point.rate) == (Status.INFEASIBLE, np.inf)

    def test_bad_pairs(self):
        with pytest.raises(InputError, match="one entry a pair"):
            universal_vector_gaussian_rate(VECTOR, [1.0, 2.0], [1.0])

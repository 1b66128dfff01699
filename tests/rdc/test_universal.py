"""One encoder for many constraints, what a representation offers, the bottleneck: against reference and brute force."""

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from jaxrd import Problem
from jaxrd.closed_form import bottleneck as gaussian_bottleneck
from jaxrd.errors import InputError
from jaxrd.information import binary_entropy
from jaxrd.rdc import literal_rate
from jaxrd.rdc.lifted.bottleneck import bottleneck_information, bottleneck_rate
from jaxrd.rdc.perception.rate import perceptual_rate
from jaxrd.rdc.representation.real_valued import (
    decoded_distortion,
    distortion_gap,
    distortion_ratio,
    extremes,
    premise,
    printed_extreme_distortion,
)
from jaxrd.rdc.representation.region import fixed_classifier_region, lifted_region, lower_hull, time_shared_region
from jaxrd.rdc.representation.universal import (
    universal_bounds,
    universal_fixed_classifier_rate,
    universal_lifted_rate,
    universal_perceptual_rate,
)
from jaxrd.solution import Status
from jaxrd.testing import generators

TERNARY = Problem(np.array([0.5, 0.3, 0.2]), 1 - np.eye(3))
LABELS = np.array([[0.95, 0.05], [0.5, 0.5], [0.1, 0.9]])
CLASSIFIER = np.array([[0.9, 0.1], [0.5, 0.5], [0.15, 0.85]])
CROSS_ENTROPY = -LABELS @ np.log(CLASSIFIER).T
BINARY = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
Z_LABELS = np.array([[1.0, 0.0], [0.5, 0.5]])
INF = np.inf


class TestUniversal:
    # Certified intervals from another implementation: (problem, labels, D, C, R(Theta), A(Theta)).
    @pytest.mark.parametrize(
        ("problem", "labels", "d", "c", "rate", "penalty"),
        [
            (TERNARY, LABELS, 0.2, 0.5, 0.4177832624382, 0.02716210802),
            (BINARY, Z_LABELS, 0.1, 0.3, 0.3159589941797, 0.02755011896),
        ],
    )
    def test_lifted_reference(self, problem, labels, d, c, rate, penalty):
        found = universal_lifted_rate(problem, labels, [d, INF], [INF, c])
        assert found.status == Status.CONVERGED
        assert found.lower - 1e-9 <= rate <= found.rate + 1e-9
        assert found.penalty_lower - 1e-9 <= penalty <= found.penalty + 1e-9
        assert found.penalty - found.penalty_lower < 1e-8

    def test_symmetric_label_costs_nothing(self):
        # Label noise of one kind for both letters: R = max(R_D, R_C), the penalty of every set is zero.
        symmetric = np.array([[0.9, 0.1], [0.1, 0.9]])
        found = universal_lifted_rate(BINARY, symmetric, [0.2, INF, 0.1], [0.6, 0.55, INF])
        assert found.penalty < 1e-8
        np.testing.assert_allclose(found.rate, found.rates.max(), atol=1e-8)

    def test_bounds_where_the_semantics_is_only_searched(self):
        lifted = universal_lifted_rate(BINARY, Z_LABELS, [0.25, INF], [INF, 0.325])
        found = universal_bounds(BINARY, Z_LABELS, [0.25, INF], [INF, 0.325], solver=partial(literal_rate, starts=2))
        assert found.semantics == "literal"
        assert found.status == Status.ACHIEVABLE
        # Whoever serves the pairs in the literal sense serves them in the lifted one.
        assert lifted.lower - 2e-9 <= found.lower <= found.rate
        assert found.rate >= lifted.lower - 1e-9
        assert found.penalty >= found.penalty_lower >= 0

    # A conic solver, to about 1e-8.
    @pytest.mark.parametrize(
        ("theta", "rate", "penalty"),
        [
            ([(0.2, INF)], 0.39062115441277917, 0.0),
            ([(0.25, 0.5)], 0.3795234297428795, 0.0),
            ([(0.2, 0.58), (0.3, 0.47)], 0.4769181273835137, 0.0006408664671401776),
        ],
    )
    def test_fixed_classifier_reference(self, theta, rate, penalty):
        found = universal_fixed_classifier_rate(TERNARY, CROSS_ENTROPY, *np.array(theta).T)
        assert found.status == Status.CONVERGED
        assert found.rate - found.lower < 1e-8
        np.testing.assert_allclose(found.rate, rate, atol=2e-8)
        np.testing.assert_allclose([found.penalty, found.penalty_lower], penalty, atol=2e-8)

    @pytest.mark.parametrize(
        ("theta", "rate", "penalty"),
        [
            ([(0.1, INF), (0.12, 0.0)], 0.28830603395610754, 0.0025247053038139344),
            ([(0.2, INF), (0.3, 0.0)], 0.11046187851370562, 0.0),
        ],
    )
    def test_perceptual_reference(self, theta, rate, penalty):
        # A third letter, never sent: compiled once for all tests of three letters.
        bernoulli = Problem(np.array([0.7, 0.3, 0.0]), TERNARY.distortion)
        found = universal_perceptual_rate(bernoulli, *np.array(theta).T)
        assert found.status == Status.CONVERGED
        assert found.rate - found.lower < 1e-8
        np.testing.assert_allclose(found.rate, rate, atol=2e-8)
        np.testing.assert_allclose([found.penalty, found.penalty_lower], penalty, atol=2e-8)
        implied = universal_perceptual_rate(bernoulli, *np.array([*theta, (0.5, 0.5)]).T)  # a pair the others imply
        np.testing.assert_allclose(implied.rate, found.rate, atol=1e-9)
        alone = perceptual_rate(bernoulli, *theta[0])
        np.testing.assert_allclose(found.rates[0], alone.rate, atol=1e-9)

    def test_infeasible_pair(self):
        lifted = universal_lifted_rate(BINARY, Z_LABELS, [0.1, INF], [INF, 0.1])
        fixed = universal_fixed_classifier_rate(TERNARY, CROSS_ENTROPY, [0.2, 0.3], [0.58, 0.1])
        for found in (lifted, fixed):
            assert found.status == Status.INFEASIBLE
            assert found.rate == INF
            assert np.isnan(found.penalty)

    @pytest.mark.parametrize(
        ("d", "c", "message"),
        [
            ([0.1], [0.1, 0.2], "one entry a pair"),
            ([], [], "one entry a pair"),
            ([np.nan], [0.1], "distortion must be numbers; got nan for pair 0"),
            ([0.1], [np.nan], "classification must be >= 0; got nan"),
        ],
    )
    def test_bad_pairs(self, d, c, message):
        with pytest.raises(InputError, match=message):
            universal_lifted_rate(BINARY, Z_LABELS, d, c)
        with pytest.raises(InputError, match=message):
            universal_fixed_classifier_rate(TERNARY, CROSS_ENTROPY, d, c)

    def test_too_many_joint_reproductions(self):
        d = np.linspace(0.1, 0.3, 7)
        with pytest.raises(InputError, match="3 reproductions for 7 pairs make 2187"):
            universal_fixed_classifier_rate(TERNARY, CROSS_ENTROPY, d, d[::-1])


REPRESENTATION = np.array([[0.7, 0.2, 0.05, 0.05], [0.1, 0.5, 0.3, 0.1], [0.05, 0.05, 0.3, 0.6]])


def conditional_entropy(joint):
    """H(S|Xh) of P(s, xh), nats."""
    mass = joint.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.nansum(joint * np.log(joint / mass))


class TestRegion:
    def test_reference(self):
        found = time_shared_region(TERNARY, LABELS, REPRESENTATION)
        np.testing.assert_allclose(found.distortion, [0.29, 0.32], atol=1e-14)
        np.testing.assert_allclose(found.classification, [0.5354039558782628, 0.5276592819049558], atol=1e-14)
        assert found.decoders.tolist() == [[0, 1, 1, 2], [0, 1, 2, 2]]
        corner = lifted_region(TERNARY, LABELS, REPRESENTATION)
        np.testing.assert_allclose([corner.distortion[0], corner.classification[0]], [0.29, 0.5240649596868167])

    @settings(max_examples=30)
    @given(g=generators())
    def test_no_decoder_lies_below_any_of_them(self, g):
        p, d = g.dirichlet(np.ones(3)), g.random((3, 3))
        labels, seen = g.dirichlet(np.ones(2), 3), g.dirichlet(np.full(4, 0.5), 3)
        loss = g.random((3, 3))
        problem, joint = Problem(p, d), p[:, None] * seen
        shared = time_shared_region(problem, labels, seen)
        fixed = fixed_classifier_region(problem, loss, seen)
        corner = lifted_region(problem, labels, seen)
        for region in (shared, fixed):
            assert (np.diff(region.distortion) > 0).all()
            assert (np.diff(region.classification) < 0).all()
            assert len(lower_hull(region.distortion, region.classification)) == len(region.distortion)
        assert (corner.distortion <= shared.distortion + 1e-12).all()
        assert (corner.classification <= shared.classification + 1e-12).all()
        decoders = [np.eye(3)[list(letters)] for letters in itertools.product(range(3), repeat=4)]
        decoders += list(g.dirichlet(np.full(3, 0.3), (20, 4)))
        for decoder in decoders:
            spent = (joint.T @ d * decoder).sum()
            points = (
                (shared, conditional_entropy(labels.T @ joint @ decoder)),
                (fixed, (joint.T @ loss * decoder).sum()),
            )
            for region, lost in points:
                if spent <= region.distortion[-1]:
                    edge = np.interp(spent, region.distortion, region.classification, left=INF)
                    assert spent >= region.distortion[0] - 1e-12
                    assert lost >= min(edge, region.classification[0]) - 1e-12 or spent < region.distortion[0]
                assert lost >= region.classification[-1] - 1e-12

    def test_rounding_adds_no_vertex(self):
        """Regression: a decoder at a larger distortion was a vertex, its loss less by a rounding error."""
        assert lower_hull(np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 0.5 - 1e-16])).tolist() == [0, 1]
        assert lower_hull(np.array([0.0, 1.0]), np.array([0.5, 0.5 - 1e-12])).tolist() == [0, 1]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((TERNARY, LABELS, REPRESENTATION[:2]), r"representation must be P\(z\|x\), shape \(3, representations\)"),
            ((TERNARY, LABELS, 2 * REPRESENTATION), "rows that sum to 1"),
            ((TERNARY, 2 * LABELS, REPRESENTATION), "labels must sum to 1"),
            ((TERNARY, [LABELS, LABELS], REPRESENTATION), "one label"),
            ((TERNARY, LABELS, np.full((3, 20), 0.05)), "over 1000000"),
            ((Problem(TERNARY.source, np.where(np.eye(3), 0, INF)), LABELS, REPRESENTATION), "must be finite"),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(InputError, match=message):
            time_shared_region(*arguments)

    def test_bad_classifier(self):
        with pytest.raises(InputError, match=r"shape \(3, 3\); got shape \(2, 2\)"):
            fixed_classifier_region(TERNARY, np.ones((2, 2)), REPRESENTATION)


class TestRealValued:
    """X = A + B/10, S = B, signs uniform: the rate of one bit sends A, or B."""

    values = np.array([a + 0.1 * b for a in (-1, 1) for b in (-1, 1)])
    labels = np.tile(np.eye(2), (2, 1))
    sends_a = np.repeat(np.eye(2), 2, 0)

    def test_fifth_theorem_needs_its_premise(self):
        found = extremes(np.full(4, 0.25), self.values, self.labels, self.sends_a)
        np.testing.assert_allclose([found.mmse, found.classification], [0.01, np.log(2)])
        # The reproduction of least loss sends B: its letters are +-0.1, its distortion 1.
        last, law = np.array([-0.1, 0.1]), np.full(2, 0.5)
        extreme = printed_extreme_distortion(found, law, last)
        np.testing.assert_allclose(extreme, 0.82)
        variance, first = 1.01, found.mmse
        assert not premise(first, extreme)
        claimed, truth = float(distortion_gap(variance, first, 0.01)), 1.0 - extreme
        np.testing.assert_allclose([claimed, truth], [0.80, 0.18], atol=1e-9)
        assert truth < claimed  # what the theorem prints is false here

    @settings(max_examples=30)
    @given(g=generators())
    def test_fifth_theorem_where_it_holds(self, g):
        # The last reproduction has the source's law.
        p, values = g.dirichlet(np.ones(4)), g.standard_normal(4)
        found = extremes(p, values, g.dirichlet(np.ones(2), 4), g.dirichlet(np.ones(3), 4))
        extreme = printed_extreme_distortion(found, p, values)
        assert premise(found.mmse, extreme - 1e-12)
        # There the bounds compare D3 with what is no less than D^(b).
        variance = p @ (values - p @ values) ** 2
        gap, ratio = (bound(variance, found.mmse, variance) for bound in (distortion_gap, distortion_ratio))
        np.testing.assert_allclose(gap, 2 * found.mmse * (ratio - 1))
        assert gap <= 1e-12  # with equal laws the bound on the difference never promises anything

    @settings(max_examples=30)
    @given(g=generators())
    def test_distortion_of_any_decoder(self, g):
        p, values, letters = g.dirichlet(np.ones(4)), g.standard_normal((4, 2)), g.standard_normal((3, 2))
        labels, seen, decoder = g.dirichlet(np.ones(3), 4), g.dirichlet(np.ones(5), 4), g.dirichlet(np.ones(3), 5)
        found = extremes(p, values, labels, seen)
        squares = ((values[:, None] - letters) ** 2).sum(2)
        direct = (p[:, None] * (seen @ decoder) * squares).sum()
        np.testing.assert_allclose(decoded_distortion(found, letters, decoder), direct)
        law = found.weights @ decoder
        # The transport cost is a lower bound on what a decoder adds; that it is attained is what the theorem assumes.
        assert printed_extreme_distortion(found, law, letters) <= direct + 1e-9
        np.testing.assert_allclose(found.classification, conditional_entropy(labels.T @ (p[:, None] * seen)))
        assert found.classification <= found.printed_classification + 1e-12

    def test_estimates_that_coincide(self):
        # Two representations with one estimate but different labels: X~ forgets what Z knew of S.
        seen = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
        found = extremes(np.full(4, 0.25), np.array([-1.0, 1.0, 0.0, 0.0]), np.tile(np.eye(2), (2, 1)), seen)
        assert found.classification < found.printed_classification


class TestBottleneck:
    symmetric = np.array([[0.9, 0.1], [0.1, 0.9]])

    @given(crossing=st.floats(0.001, 0.499))
    @settings(max_examples=8)
    def test_symmetric_channel(self, crossing):
        # X uniform, S = X flipped with probability 0.1: the optimum flips X (Mrs Gerber's lemma).
        rate = float(np.log(2) - binary_entropy(crossing))
        loss = float(binary_entropy(crossing * 0.9 + (1 - crossing) * 0.1))
        point = bottleneck_rate([0.5, 0.5], self.symmetric, loss)
        assert point.lower - 1e-9 <= rate <= point.rate + 1e-9

    def test_information_is_the_inverse(self):
        for rate in (0.01, 0.2, 0.5):
            found = bottleneck_information([0.7, 0.3], Z_LABELS, rate)
            assert found.status == Status.CONVERGED
            assert 0 <= found.upper - found.information <= 1e-8
            assert found.point.rate <= rate + 1e-9
            loss = 0.42270908780599087 - found.information  # H(S)
            again = bottleneck_rate([0.7, 0.3], Z_LABELS, loss)
            np.testing.assert_allclose(again.rate, rate, atol=1e-6)
        all_of_it = bottleneck_information([0.7, 0.3], Z_LABELS, 1.0)
        entropy = -0.7 * np.log(0.7) - 0.3 * np.log(0.3)
        for rate in (np.nextafter(entropy, 0), entropy - 1e-14):  # all but all of it
            nearly = bottleneck_information([0.7, 0.3], Z_LABELS, rate)
            assert nearly.status == Status.CONVERGED
            assert nearly.information == pytest.approx(all_of_it.information, abs=1e-8)
            assert nearly.point.rate <= rate
        np.testing.assert_allclose(all_of_it.information, 0.42270908780599087 - 0.2079441541679836, atol=1e-12)
        assert bottleneck_information([0.7, 0.3], Z_LABELS, 0.0).information == pytest.approx(0, abs=1e-8)

    def test_quantised_gaussian_stays_below_the_closed_form(self):
        rho, letters, classes = 0.8, 12, 5
        edges = norm.ppf(np.linspace(0, 1, classes + 1))
        x = norm.ppf((np.arange(50 * letters) + 0.5) / (50 * letters)).reshape(letters, -1)
        labels = np.diff(norm.cdf((edges - rho * x[:, :, None]) / np.sqrt(1 - rho**2)), axis=2).mean(1)
        point = bottleneck_rate(np.full(letters, 1 / letters), labels / labels.sum(1, keepdims=True), 1.35)
        information = np.log(classes) - float(point.classification[0])
        most = float(gaussian_bottleneck.information(rho, point.rate))
        assert 0.85 * most < information < most

    def test_infeasible_and_bad_input(self):
        point = bottleneck_rate([0.7, 0.3], Z_LABELS, 0.1)
        assert point.status == Status.INFEASIBLE
        assert point.rate == INF
        with pytest.raises(InputError, match=r"source must be a pmf, shape \(n,\)"):
            bottleneck_rate(np.eye(2), Z_LABELS, 0.3)
        with pytest.raises(InputError, match="one label; got 2"):
            bottleneck_rate([0.7, 0.3], [Z_LABELS, Z_LABELS], 0.3)
        with pytest.raises(InputError, match="rate must be >= 0; got -1"):
            bottleneck_information([0.7, 0.3], Z_LABELS, -1)

"""Rate, distortion and perception: certificates against formulas, brute force, linear programs and reference values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from oracles import two_letter_perception
from scipy.optimize import linprog

from jaxrd import Problem, rate_at
from jaxrd.closed_form import gaussian
from jaxrd.errors import InputError
from jaxrd.rdc.perception import least_rate
from jaxrd.rdc.perception.cdp import classification_distortion_perception
from jaxrd.rdc.perception.closed_form import bernoulli_rate, gaussian_rate
from jaxrd.rdc.perception.measures import RelativeEntropy, ReverseRelativeEntropy, TotalVariation, Wasserstein, move
from jaxrd.rdc.perception.pairs import Pairs
from jaxrd.rdc.perception.program import Decoder, Program, begin, prepare
from jaxrd.rdc.perception.rate import perceptual_fixed_classifier_rate, perceptual_rate
from jaxrd.rdc.perception.transport import transport, wasserstein_on_line
from jaxrd.solution import Status
from jaxrd.testing import generators, pmfs

TERNARY = Problem(np.array([0.5, 0.3, 0.2]), 1 - np.eye(3))
LINE = np.array([0.0, 1.0, 2.5])
SQUARES = (LINE[:, None] - LINE) ** 2
MEASURES = {
    "TV": TotalVariation(),
    "KL": RelativeEntropy(),
    "KLr": ReverseRelativeEntropy(),
    "W2": Wasserstein(SQUARES),
}
# (measure, D, P, R): a conic solver, to about 1e-9, independent of this project.
TERNARY_RATES = [
    ("TV", 0.1, 0.0, 0.6409957713598444),
    ("TV", 0.1, 0.1, 0.635255322607959),
    ("TV", 0.3, 0.02, 0.22584089485113384),
    ("TV", 0.45, 0.0, 0.0664524167914979),
    ("TV", 0.45, 0.1, 0.049719571085782135),
    ("KL", 0.1, 0.1, 0.6352553226111407),
    ("KL", 0.3, 0.1, 0.21084455783814773),
    ("KL", 0.45, 0.1, 0.04199871020695282),
    ("KLr", 0.1, 0.1, 0.635255322608454),
    ("KLr", 0.3, 0.1, 0.21084455783993733),
    ("KLr", 0.45, 0.1, 0.04090373515306531),
]
# (p, D, P, R): the formula in mpmath, confirmed by a conic solver.
BERNOULLI_RATES = [
    (0.3, 0.05, 0.02, 0.4124005837848667),
    (0.3, 0.2, 0.0, 0.1328286287645633),
    (0.3, 0.3, 0.1, 0.02236675024785772),
    (0.2, 0.15, 0.01, 0.1142484259930332),
    (0.3, 0.25, 0.3, 0.04852915743608511),
]
# (variance, D, P, R)
GAUSSIAN_RATES = [
    (1.0, 0.5, 0.0, 0.413339286592233966),
    (1.0, 0.5, 0.2, 0.346573590279972655),
    (1.0, 1.5, 0.01, 0.0150546311794475579),
    (2.0, 0.3, 0.001, 0.958412098639636171),
]


def value(name, p, r):
    """The measure in numpy."""
    if name == "TV":
        return 0.5 * np.abs(p - r).sum()
    if name == "W2":
        return transport(p, r, SQUARES).cost
    first, second = (p, r) if name == "KL" else (r, p)
    used = first > 0
    with np.errstate(divide="ignore"):
        return float((first[used] * np.log(first[used] / second[used])).sum())


def embedded(p, d01, d10):
    """A two-letter problem in three letters, the third never sent and never worth sending: one compilation for both."""
    d = np.array([[0, d01, 50.0], [d10, 0, 50.0], [50.0, 50.0, 0]])
    return Problem(np.array([1 - p, p, 0.0]), d)


class TestRate:
    @pytest.mark.parametrize(("name", "d", "bound", "expected"), TERNARY_RATES)
    def test_reference(self, name, d, bound, expected):
        point = perceptual_rate(TERNARY, d, bound, measure=MEASURES[name])
        assert point.status == Status.CONVERGED
        assert point.gap <= 1e-8
        np.testing.assert_allclose(point.rate, expected, atol=2e-9)

    @pytest.mark.parametrize("name", MEASURES)
    @settings(max_examples=8)
    @given(p=pmfs(3, concentration=(0.5, 5.0)), g=generators(), share=st.floats(0.02, 1.2))
    def test_channel_keeps_what_it_promises(self, name, p, g, share):
        p = np.maximum(p, 1e-6) / np.maximum(p, 1e-6).sum()
        d = g.random((3, 3)) * (1 - np.eye(3))
        problem, target = Problem(p, d), share * float((p @ d).min())
        bound = float(g.choice([1e-3, 0.01, 0.1, 1.0]))
        point = perceptual_rate(problem, target, bound, measure=MEASURES[name])
        assert point.status == Status.CONVERGED
        channel = np.asarray(point.channel)
        output = p @ channel
        np.testing.assert_allclose(channel.sum(1), 1, atol=1e-12)
        assert (p[:, None] * channel * d).sum() <= target + 1e-10
        assert value(name, p, output) <= bound + 1e-9
        with np.errstate(divide="ignore", invalid="ignore"):
            information = np.nansum(np.where(channel > 0, p[:, None] * channel * np.log(channel / output), 0))
        np.testing.assert_allclose(point.rate, information, atol=1e-12)
        # Without the perception bound it can only be less; with more room too; halfway at most the mean.
        assert rate_at(problem, target).lower <= point.rate + 1e-9
        further = perceptual_rate(problem, 1.3 * target, 2 * bound, measure=MEASURES[name])
        middle = perceptual_rate(problem, 1.15 * target, 1.5 * bound, measure=MEASURES[name])
        assert further.lower <= point.rate + 1e-12
        assert middle.lower <= 0.5 * (point.rate + further.rate) + 1e-12

    @pytest.mark.parametrize("name", MEASURES)
    def test_against_brute_force(self, name):
        g = np.random.default_rng(5)
        for bound in (0.0, 0.003, 0.05):
            p, d01, d10 = g.uniform(0.1, 0.9), *g.uniform(0.3, 2.0, 2)
            problem = embedded(p, d01, d10)
            d = g.uniform(0.2, 0.9) * min(p * d10, (1 - p) * d01)

            def distance(r, p=p):
                pmf = np.array([1 - r, r, 0.0])
                return value(name, np.array([1 - p, p, 0.0]), pmf)

            expected = two_letter_perception(p, d01, d10, d, bound, distance)
            point = perceptual_rate(problem, d, bound, measure=MEASURES[name])
            assert point.status == Status.CONVERGED
            assert point.lower - 1e-9 <= expected <= point.rate + 1e-6
            np.testing.assert_allclose(point.rate, expected, atol=1e-6)

    def test_no_bound_is_the_plain_function(self):
        for d in (0.05, 0.3, 0.6):
            plain = rate_at(TERNARY, d)
            for measure in MEASURES.values():
                point = perceptual_rate(TERNARY, d, np.inf, measure=measure)
                assert point.lower <= plain.rate + 1e-12
                assert plain.lower <= point.rate + 1e-12

    def test_corners(self):
        entropy = -(TERNARY.source @ np.log(TERNARY.source))
        for measure in MEASURES.values():
            for bound in (0.0, 0.1):
                point = perceptual_rate(TERNARY, 0.0, bound, measure=measure)
                np.testing.assert_allclose([point.rate, point.lower], entropy, atol=1e-8)
            silent = perceptual_rate(TERNARY, np.inf, 0.0, measure=measure)
            np.testing.assert_allclose(silent.rate, 0, atol=1e-9)
            np.testing.assert_allclose(TERNARY.source @ np.asarray(silent.channel), TERNARY.source, atol=1e-9)

    @pytest.mark.parametrize("name", MEASURES)
    def test_infeasible_is_infinite(self, name):
        # Letters can only be told apart at a distortion of 0.2 at least if the law is kept.
        d = np.array([[0.2, 0.1, 1], [1, 0.2, 0.1], [1, 1, 0.2]])
        problem = Problem(TERNARY.source, d)
        point = perceptual_rate(problem, 0.1, 1e-4, measure=MEASURES[name])
        assert point.status == Status.INFEASIBLE
        assert point.rate == point.lower == np.inf
        assert point.gap == 0
        assert np.isnan(point.distortion)
        assert np.isnan(point.channel).all()

    def test_letters_never_sent(self):
        whole, part = embedded(0.3, 1.0, 1.0), float(bernoulli_rate(0.3, 0.2, 0.05))
        point = perceptual_rate(whole, 0.2, 0.05)
        np.testing.assert_allclose(point.rate, part, atol=1e-9)
        strict = perceptual_rate(whole, 0.2, 0.05, measure=ReverseRelativeEntropy())
        assert strict.status == Status.CONVERGED
        assert (np.asarray(strict.channel)[:2, 2] == 0).all()

    def test_derivatives_of_many_at_once(self):
        measure = MEASURES["KL"]

        def rate(d, bound, scale):
            return perceptual_rate(Problem(TERNARY.source, scale * TERNARY.distortion), d, bound, measure=measure).rate

        points = np.array([[0.45, 0.01, 1.0], [0.1, 0.02, 1.1], [0.3, 1e-3, 0.9]])
        rates, slopes = jax.vmap(jax.value_and_grad(rate, range(3)))(*points.T)
        for i, at in enumerate(points):
            single = perceptual_rate(Problem(TERNARY.source, at[2] * TERNARY.distortion), at[0], at[1], measure=measure)
            np.testing.assert_allclose(rates[i], single.rate, atol=1e-10)
            np.testing.assert_allclose(-slopes[0][i], single.distortion_slope, rtol=1e-7)
            np.testing.assert_allclose(-slopes[1][i], single.perception_slope, rtol=1e-7, atol=1e-12)
            for k in range(3):
                h = 1e-3 * at[k] * np.eye(3)[k]
                difference = (rate(*(at + h)) - rate(*(at - h))) / (2 * h[k])
                np.testing.assert_allclose(slopes[k][i], difference, rtol=1e-4, atol=1e-9)

    @pytest.mark.parametrize(
        ("arguments", "options", "message"),
        [
            ((TERNARY, 0.1, -0.1), {}, "perception must be >= 0; got -0.1"),
            ((TERNARY, np.nan, 0.1), {}, "distortion must be one number; got nan"),
            ((TERNARY, np.ones(2), 0.1), {}, r"one number; got shape \(2,\)"),
            ((Problem(TERNARY.source, np.ones((3, 2))), 0.1, 0.1), {}, "3 source and 2 reproduction letters"),
            ((Problem(-TERNARY.source, TERNARY.distortion), 0.1, 0.1), {}, "source must not be negative"),
            ((Problem(TERNARY.source, np.where(np.eye(3), 0, np.inf)), 0.1, 0.1), {}, "distortion must be finite"),
            ((TERNARY, 0.1, 0.1), {"measure": Wasserstein(np.ones((2, 2)))}, r"shape \(3, 3\)"),
            ((TERNARY, 0.1, 0.1), {"measure": Wasserstein(-np.ones((3, 3)))}, "finite and >= 0"),
        ],
    )
    def test_bad_input(self, arguments, options, message):
        with pytest.raises(InputError, match=message):
            perceptual_rate(*arguments, **options)


class TestClosedForms:
    @pytest.mark.parametrize(("p", "d", "bound", "expected"), BERNOULLI_RATES)
    def test_bernoulli(self, p, d, bound, expected):
        np.testing.assert_allclose(bernoulli_rate(p, d, bound), expected, rtol=1e-12)
        point = perceptual_rate(embedded(p, 1.0, 1.0), d, bound)
        assert point.lower - 1e-10 <= expected <= point.rate + 1e-10
        assert point.gap <= 1e-8

    @pytest.mark.parametrize(("variance", "d", "bound", "expected"), GAUSSIAN_RATES)
    def test_gaussian(self, variance, d, bound, expected):
        np.testing.assert_allclose(gaussian_rate(variance, d, bound), expected, rtol=1e-13)

    @settings(max_examples=20)
    @given(p=st.floats(0.01, 0.99), d=st.floats(0, 1), bound=st.floats(0, 1))
    def test_bernoulli_inside_its_certificate(self, p, d, bound):
        point = perceptual_rate(embedded(p, 1.0, 1.0), d, bound)
        exact = float(bernoulli_rate(p, d, bound))
        assert point.lower - 1e-9 <= exact <= point.rate + 1e-9

    @given(g=generators())
    def test_convex_and_nonincreasing(self, g):
        scale = g.uniform(0.1, 3)
        for rate, size, least in ((bernoulli_rate, g.uniform(0.01, 0.5), 0.0), (gaussian_rate, scale, 1e-3 * scale)):
            d, bound = least + g.uniform(0, 1.5 * size, (2, 40)), g.uniform(0, size, (2, 40))
            ends, middle = rate(size, d, bound), rate(size, d.mean(0), bound.mean(0))
            assert (middle <= ends.mean(0) + 1e-12).all()
            assert (rate(size, 1.05 * d, bound) <= ends + 1e-14).all()
            assert (rate(size, d, 1.05 * bound) <= ends + 1e-14).all()

    def test_ends(self):
        assert bernoulli_rate(0.3, -0.1, 0.1) == bernoulli_rate(0.3, 0.1, -0.1) == np.inf
        assert gaussian_rate(1.0, 0.0, 0.1) == gaussian_rate(1.0, 0.1, -0.1) == np.inf
        np.testing.assert_allclose(gaussian_rate(2.0, 0.5, np.inf), gaussian.rate(2.0, 0.5))
        assert gaussian_rate(1.0, 2.0, 0.0) == 0  # an independent copy
        np.testing.assert_allclose(bernoulli_rate(0.7, 0.2, 0.05), bernoulli_rate(0.3, 0.2, 0.05))
        np.testing.assert_allclose(bernoulli_rate(0.5, 0.2, 0.0), bernoulli_rate(0.5, 0.2, 0.5))  # always uniform

    def test_derivatives(self):
        for rate, points in (
            (bernoulli_rate, ((0.3, 0.05, 0.1), (0.3, 0.3, 0.1), (0.8, 0.2, 0.05))),
            (gaussian_rate, ((1.0, 0.5, 0.05), (1.0, 0.5, 0.5), (2.0, 2.1, 0.1))),
        ):
            for at in points:
                for i, slope in enumerate(jax.grad(rate, range(3))(*at)):
                    up, down = ((*at[:i], at[i] + h, *at[i + 1 :]) for h in (1e-6, -1e-6))
                    np.testing.assert_allclose(slope, (rate(*up) - rate(*down)) / 2e-6, rtol=1e-5, atol=1e-8)
            for at in ((0.5, 0.1, 0.0), (0.5, 0.5, 0.0), (0.5, 3.0, 1.0), (0.5, -1.0, 0.1)):
                assert np.isfinite(jax.grad(rate, range(3))(*at)).all()


class TestDualTerms:
    """Of any dual variables: - psi.p - nu P and its kin, below - psi.r of every law r within P of the source."""

    p = np.array([0.5, 0.3, 0.2])

    def test_total_variation_by_hand(self):
        dual = {"potential": jnp.array([1.0, 0.0, -2.0]), "ends": jnp.array([-2.0, 1.0])}
        found = TotalVariation().certified(dual, jnp.asarray(self.p), 0.1)
        assert float(found) == pytest.approx(-(0.5 - 0.4) - 3 * 0.1)  # reached by .1 moved from the last to the first

    def test_wasserstein_by_hand(self):
        dual = {"potential": jnp.array([1.0, 0.0, -2.0]), "multiplier": jnp.asarray(6.25)}
        rows = [min(SQUARES[x] - [1, 0, -2]) for x in range(3)]
        found = Wasserstein(SQUARES).certified(dual, jnp.asarray(self.p), 0.1)
        assert float(found) == pytest.approx(self.p @ rows - 0.1)

    @settings(max_examples=30)
    @given(g=generators(), name=st.sampled_from(tuple(MEASURES)))
    def test_below_every_law_in_reach(self, g, name):
        psi, r = g.normal(size=3), g.dirichlet(np.ones(3))
        bound = value(name, self.p, r)
        multiplier = max(psi.max(), 0) + g.uniform(0.01, 2) if name == "KL" else g.uniform(0.3, 3)
        if name == "W2":
            multiplier = g.normal()  # one below zero counts as zero
        dual = {"potential": jnp.asarray(psi), "multiplier": jnp.asarray(multiplier)}
        for reach in (bound, bound + 1.0):
            found = float(MEASURES[name].certified(dual, jnp.asarray(self.p), reach))
            assert found <= -psi @ r + 1e-9

    def test_a_multiplier_below_zero_counts_as_zero(self):
        dual = {"potential": jnp.zeros(3), "multiplier": jnp.asarray(-1.0)}
        assert float(Wasserstein(SQUARES).certified(dual, jnp.asarray(self.p), 100.0)) == 0


class TestTransport:
    @settings(max_examples=30)
    @given(g=generators(), shape=st.sampled_from([(1, 3), (4, 4), (6, 2)]))
    def test_line_agrees_with_the_linear_program(self, g, shape):
        n, m = shape
        p, r = g.dirichlet(np.full(n, 0.7)), g.dirichlet(np.full(m, 0.7))
        x, y = g.standard_normal(n), g.standard_normal(m)
        found = transport(p, r, (x[:, None] - y) ** 2)
        assert found.gap <= 1e-9
        np.testing.assert_allclose(wasserstein_on_line(p, x, r, y), found.cost, atol=1e-9)
        np.testing.assert_allclose(found.coupling.sum(1), p, atol=1e-12)
        np.testing.assert_allclose(found.coupling.sum(0), r, atol=1e-12)
        first = transport(p, r, np.abs(x[:, None] - y)).cost
        np.testing.assert_allclose(wasserstein_on_line(p, x, r, y, power=1.0), first, atol=1e-9)

    @given(g=generators())
    def test_moving_reaches_the_target_with_least_change(self, g):
        r, target = g.dirichlet(np.full(5, 0.3)), g.dirichlet(np.full(5, 0.3))
        turn = np.asarray(move(jnp.asarray(r), jnp.asarray(target)))
        np.testing.assert_allclose(r @ turn, target, atol=1e-14)
        np.testing.assert_allclose(turn.sum(1), 1, atol=1e-14)
        np.testing.assert_allclose(r @ (1 - np.diag(turn)), 0.5 * np.abs(r - target).sum(), atol=1e-14)
        np.testing.assert_array_equal(move(jnp.asarray(r), jnp.asarray(r)), np.eye(5))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([0.5, 0.5], [1.0], np.ones((2, 2))), "must agree"),
            (([0.5, -0.5], [1.0], np.ones((2, 1))), "equal sums"),
            (([0.5, 0.5], [1.0], np.array([[1.0], [np.inf]])), "cost must be finite"),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            transport(*arguments)
        with pytest.raises(ValueError, match="pmfs and positions"):
            wasserstein_on_line([0.5, 0.5], [1.0], [1.0], [1.0])


LOSS = np.array([[0.2, 0.7, 1.8], [1.2, 0.7, 1.0], [2.1, 0.7, 0.3]])


class TestClassifier:
    """A given classifier: at any rate, and at unlimited rate."""

    # sections D and F of the reference: the classifier [.9, .1], [.5, .5], [.15, .85] of labels [.95, .05], [.5, .5],
    # [.1, .9] on the ternary source, a conic solver to about 1e-8.
    cross_entropy = -np.log([[0.9, 0.1], [0.5, 0.5], [0.15, 0.85]]) @ np.array([[0.95, 0.5, 0.1], [0.05, 0.5, 0.9]])

    @pytest.mark.parametrize(
        ("d", "c", "expected"),
        [
            (0.2, np.inf, 0.39062115441277917),
            (0.25, 0.5, 0.3795234297428795),
            (0.2, 0.58, 0.39062115441198497),
            (0.3, 0.47, 0.4762772609163735),
        ],
    )
    def test_reference(self, d, c, expected):
        point = perceptual_fixed_classifier_rate(TERNARY, self.cross_entropy.T, d, np.inf, c)
        assert point.status == Status.CONVERGED
        np.testing.assert_allclose(point.rate, expected, atol=2e-8)
        assert point.classification <= c + 1e-10

    def test_three_constraints_meet_at_the_limit_of_unlimited_rate(self):
        for d, bound in ((0.3, 0.05), (0.1, 0.0), (np.inf, 0.02)):
            limit = classification_distortion_perception(TERNARY, LOSS, d, bound)
            assert limit.status == Status.CONVERGED
            assert limit.lower <= limit.classification
            least = float(limit.classification)
            above = perceptual_fixed_classifier_rate(TERNARY, LOSS, d, bound, least + 1e-3)
            below = perceptual_fixed_classifier_rate(TERNARY, LOSS, d, bound, least - 1e-3)
            assert above.status == Status.CONVERGED
            assert below.status == Status.INFEASIBLE
            assert below.rate == np.inf

    @settings(max_examples=8)
    @given(g=generators(), bound=st.sampled_from([0.0, 0.03, 0.3]))
    def test_unlimited_rate_is_a_linear_program(self, g, bound):
        p, d, loss = g.dirichlet(np.ones(3)), g.random((3, 3)) * (1 - np.eye(3)), g.random((3, 3))
        seen = g.dirichlet(np.ones(3), 3)
        target = float(g.uniform(0.05, 0.6))
        found = classification_distortion_perception(Problem(p, d), loss, target, bound, observation=seen)
        joint = p[:, None] * seen
        law = np.tile(np.eye(3), 3) * joint.sum(0).repeat(3)  # of xh, from the channels P(xh|y) side by side
        rows = [np.append((joint.T @ d).ravel(), np.zeros(3)), np.append(np.zeros(9), np.full(3, 0.5))]
        table = np.vstack([rows, np.hstack([law, -np.eye(3)]), np.hstack([-law, -np.eye(3)])])
        expected = linprog(
            np.append((joint.T @ loss).ravel(), np.zeros(3)), A_ub=table, b_ub=[target, bound, *p, *-p],
            A_eq=np.hstack([np.kron(np.eye(3), np.ones(3)), np.zeros((3, 3))]), b_eq=np.ones(3),
        )  # fmt: skip
        if expected.status == 2:
            assert found.status == Status.INFEASIBLE
            assert found.classification == np.inf
            return
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose([found.classification, found.lower], expected.fun, atol=1e-8)
        assert (joint.T @ d * np.asarray(found.decoder)).sum() <= target + 1e-9
        assert 0.5 * np.abs(joint.sum(0) @ np.asarray(found.decoder) - p).sum() <= bound + 1e-9

    def test_bad_input(self):
        with pytest.raises(InputError, match=r"cross_entropy must have shape \(3, 3\)"):
            perceptual_fixed_classifier_rate(TERNARY, LOSS[:2], 0.1, 0.1, 0.5)
        with pytest.raises(InputError, match="cross_entropy must be finite; got inf"):
            perceptual_fixed_classifier_rate(TERNARY, np.where(np.eye(3), np.inf, 1), 0.1, 0.1, 0.5)
        with pytest.raises(InputError, match="classification must be >= 0; got -1"):
            perceptual_fixed_classifier_rate(TERNARY, LOSS, 0.1, 0.1, -1.0)
        with pytest.raises(InputError, match=r"P\(y\|x\), shape \(3, observations\)"):
            classification_distortion_perception(TERNARY, LOSS, 0.1, 0.1, observation=np.eye(2))
        with pytest.raises(InputError, match="rows that sum to 1"):
            classification_distortion_perception(TERNARY, LOSS, 0.1, 0.1, observation=np.ones((3, 2)))

    def test_rows_of_mass_zero_are_not_read_and_distortions_may_be_negative(self):
        pmf = np.array([0.6, 0.4, 0.0])
        unseen, loss, channel = (np.array(a, float) for a in (TERNARY.distortion, LOSS, np.full((3, 3), 1 / 3)))
        channel[:2] = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]
        problem = Problem(pmf, unseen.copy())
        expected = perceptual_fixed_classifier_rate(problem, loss, 0.1, 0.1, 1.0)
        shifted = perceptual_fixed_classifier_rate(Problem(pmf, unseen - 1), loss, -0.9, 0.1, 1.0)
        decoded = classification_distortion_perception(problem, loss, 0.4, 0.1, observation=channel)
        unseen[2], loss[2], channel[2] = np.inf, np.nan, np.nan
        found = perceptual_fixed_classifier_rate(Problem(pmf, unseen), loss, 0.1, 0.1, 1.0)
        again = classification_distortion_perception(Problem(pmf, unseen), loss, 0.4, 0.1, observation=channel)
        assert expected.rate > 0.1
        np.testing.assert_allclose([found.rate, found.lower], [expected.rate, expected.lower], atol=1e-12)
        np.testing.assert_allclose(shifted.rate, expected.rate, atol=2e-9)
        np.testing.assert_allclose(again.classification, decoded.classification, atol=1e-12)
        assert perceptual_fixed_classifier_rate(problem, LOSS, -0.1, 0.1, 1.0).status == Status.INFEASIBLE


class TestDerivatives:
    """The envelope theorem gives first derivatives of a value; no other is claimed, none is silently 0."""

    PROBLEM = Problem(jnp.array([0.7, 0.3]), 1 - jnp.eye(2))

    def rate(self, d):
        return perceptual_rate(self.PROBLEM, d, 0.02).rate

    def test_second_derivatives_are_not_known(self):
        step = 1e-4
        slope = jax.grad(self.rate)
        assert (slope(0.05 + step) - slope(0.05 - step)) / (2 * step) == pytest.approx(25.118, abs=0.01)  # the truth
        assert jnp.isnan(jax.grad(slope)(0.05))
        assert jnp.isnan(jax.jvp(slope, (0.05,), (1.0,))[1])

    @pytest.mark.parametrize("field", ["lower", "distortion", "distortion_slope", "perception_slope", "channel"])
    def test_nor_are_those_of_other_fields(self, field):
        def value(d):
            return jnp.asarray(getattr(perceptual_rate(self.PROBLEM, d, 0.02), field)).ravel()[0]

        assert jnp.isnan(jax.grad(value)(0.1))
        assert jnp.isnan(jax.jvp(value, (0.1,), (1.0,))[1])
        assert jax.jvp(value, (0.1,), (0.0,))[1] == 0

    def test_at_the_least_targets(self):
        """Regression: a bound raised to where a dual optimum exists had the derivative 0."""

        def rate(d, p):
            return perceptual_rate(self.PROBLEM, d, p).rate

        for d, p in ((0.0, 0.02), (0.05, 0.0)):
            point = jax.jit(lambda d, p: perceptual_rate(self.PROBLEM, d, p))(d, p)
            slopes = jax.jit(jax.grad(rate, (0, 1)))(d, p)
            assert max(point.distortion_slope, point.perception_slope) > 0.5
            np.testing.assert_allclose(slopes, [-point.distortion_slope, -point.perception_slope], rtol=1e-3, atol=1e-9)

    def test_first_derivatives_stay_where_other_fields_are_carried_along(self):
        def total(ds):
            return jax.lax.scan(lambda c, d: (c + self.rate(d), perceptual_rate(self.PROBLEM, d, 0.02)), 0.0, ds)[0]

        ds = jnp.array([0.05, 0.1])
        expected = [-float(perceptual_rate(self.PROBLEM, d, 0.02).distortion_slope) for d in ds]
        np.testing.assert_allclose(jax.jit(jax.grad(total))(ds), expected, rtol=1e-6)
        np.testing.assert_allclose(jax.vmap(jax.grad(self.rate))(ds), expected, rtol=1e-6)

    def test_of_the_least_loss(self):
        error = jnp.array([[0.1, 0.9], [0.8, 0.2]])

        def value(d):
            return classification_distortion_perception(self.PROBLEM, error, d, 0.1).classification

        point = classification_distortion_perception(self.PROBLEM, error, 0.1, 0.1)
        assert jax.grad(value)(0.1) == pytest.approx(-float(point.distortion_slope), abs=1e-7)
        assert jnp.isnan(jax.grad(jax.grad(value))(0.1))


class TestPairs:
    """The structured derivatives of affine functions with one value for each pair of letters, against autodiff."""

    @staticmethod
    def example(x):
        """Three rows, four columns of which two share a letter, two potentials, two costs: 3 + 3 + 2 + 2 variables."""
        letters, costs = jnp.array([0, 1, 1, 2]), jnp.asarray(np.random.default_rng(0).random((2, 3, 4)))
        return Pairs(x[:3], (x[3:6][letters], x[6:8][jnp.array([0, 1, 0, 1])]), x[8:], costs, -1.0)

    def test_gram_and_jacobian(self):
        g = np.random.default_rng(1)
        x, weights = jnp.asarray(g.standard_normal(10)), jnp.asarray(g.random((3, 4)))
        places = self.example(jnp.arange(10.0)).places()
        rows = jax.jit(jax.jacobian(lambda x: self.example(x).value()))(x)
        np.testing.assert_allclose(places.jacobian(weights, 10), jnp.einsum("xj,xji->ji", weights, rows), atol=1e-14)
        gram = jnp.einsum("xj,xji,xjk->ik", weights, rows, rows)
        np.testing.assert_allclose(places.gram(weights, 10), gram, atol=1e-14)
        chosen = jnp.array([5, 0, 11])
        np.testing.assert_allclose(places.some(chosen, 10), rows.reshape(12, 10)[chosen], atol=1e-14)

    @pytest.mark.parametrize("name", ["W2", "KL"])
    def test_derivatives_of_a_program(self, name):
        """Those that the solver uses are JAX's own."""
        p, d = jax.device_put((np.array([0.5, 0.3, 0.2]), SQUARES))

        @jax.jit
        def differences(shift):
            decoder = Decoder(jnp.arange(3), d[None], jnp.array([0.4]), MEASURES[name], jnp.asarray(0.1), p)
            ready = prepare(Program(p, jnp.zeros((0, 3, 3)), jnp.zeros(0), (decoder,)))
            flat, unravel = ravel_pytree(begin(ready))
            x = flat + shift[: flat.size]
            r = 1 + shift[: least_rate.held(ready, unravel(x)).size]

            def held(x):
                return least_rate.held(ready, unravel(x))

            jacobian, hessian = least_rate.derivatives(ready, unravel, x, r)
            expected = jax.hessian(lambda x: r @ held(x) - ready.value(unravel(x), False))(x)
            return jacobian - jax.jacobian(held)(x), hessian - expected

        for difference in differences(0.1 * np.random.default_rng(2).random(40)):
            np.testing.assert_allclose(difference, 0, atol=1e-12)

    def test_many_letters_on_a_line(self):
        """41 letters, 1681 pairs: W2 at the output law itself, and a smaller alphabet's rate nearby."""
        x = np.linspace(-3, 3, 41)
        p = np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
        d = (x[:, None] - x) ** 2
        point = perceptual_rate(Problem(p, d), 0.5, 0.05, measure=Wasserstein(d))
        assert point.status == Status.CONVERGED
        assert point.gap <= 1e-9
        assert wasserstein_on_line(p, x, p @ np.asarray(point.channel), x) <= 0.05 + 1e-10
        np.testing.assert_allclose(point.rate, gaussian_rate(1.0, 0.5, 0.05), atol=0.02)  # of the whole line

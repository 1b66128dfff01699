"""Side information at the decoder: closed forms, laws, other ways to the same number, and derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

import jaxrd
from jaxrd import InputError, Problem, Status
from jaxrd.side_information import JointProblem, rate, rate_at, strategies, sweep
from jaxrd.side_information.iteration import iteration
from jaxrd.side_information.problem import as_inputs
from tests.oracles import side_information_by_channels, side_information_by_posteriors

HAMMING = 1 - np.eye(2)
SLOPES = np.array([0.5, 2.0, 6.0, 30.0, np.inf])


def entropy(u):
    return -u * np.log(u) - (1 - u) * np.log1p(-u)


def symmetric(p):
    return JointProblem(np.array([[1 - p, p], [p, 1 - p]]) / 2, HAMMING)


def lagrangian(point):
    return point.rate + jnp.where(jnp.isfinite(point.slope), point.slope * point.distortion, 0)


def drawn(seed, shape=(3, 3, 2), zeros=False):
    g = np.random.default_rng(seed)
    n, m, values = shape
    joint = g.dirichlet(np.full(n * values, 0.7)).reshape(n, values)
    if zeros:
        joint[g.random((n, values)) < 0.3] = 0
        joint[0, 0] += 0.1
    return JointProblem(joint / joint.sum(), g.random((n, m)) if seed % 2 else 1 - np.eye(n, m))


class TestClosedForms:
    @pytest.mark.parametrize("p", [0.05, 0.25, 0.4])
    def test_symmetric_coins(self, p):
        """The lower convex envelope of h(p * D) - h(D) and (p, 0)."""

        def curve(d):
            return entropy(p * (1 - d) + d * (1 - p)) - entropy(d)

        def steep(d):
            c = p * (1 - d) + d * (1 - p)
            return (1 - 2 * p) * np.log((1 - c) / c) - np.log((1 - d) / d)

        touch = brentq(lambda d: curve(d) + steep(d) * (p - d), 1e-9, p * (1 - 1e-9), xtol=1e-15)
        for share in (0.01, 0.3, 0.7, 0.95):
            d = share * p
            expected = curve(d) if d <= touch else curve(touch) * (p - d) / (p - touch)
            point = rate_at(symmetric(p), d)
            assert float(point.rate) == pytest.approx(expected, abs=1e-10)
            assert float(point.gap) < 1e-10
            slope = steep(min(d, touch))
            assert float(point.slope) == pytest.approx(-slope, rel=1e-4)

    def test_both_know_the_coin(self):
        """h(p) - h(D)."""
        for d in (0.01, 0.1, 0.2):
            point = rate_at(symmetric(0.25), d, both=True)
            assert float(point.rate) == pytest.approx(entropy(0.25) - entropy(d), abs=1e-10)

    @pytest.mark.parametrize("values", [1, 3])
    def test_a_receiver_that_knows_nothing(self, values):
        """S constant, or independent of X: R(D)."""
        g = np.random.default_rng(3)
        p, d = g.dirichlet(np.ones(4)), g.random((4, 3))
        alone = jaxrd.sweep(Problem(p, d), SLOPES)
        for both in (False, True):
            found = sweep(JointProblem(np.outer(p, g.dirichlet(np.ones(values))), d), SLOPES, both=both)
            np.testing.assert_allclose(found.rate[:-1], alone.rate[:-1], atol=2e-8)
            np.testing.assert_allclose(lagrangian(found)[:-1], lagrangian(alone)[:-1], atol=1e-11)
            assert float(found.rate[-1]) == pytest.approx(float(alone.rate[-1]), abs=1e-9)

    def test_a_receiver_that_knows_all(self):
        p = np.array([0.5, 0.3, 0.2])
        for both in (False, True):
            found = sweep(JointProblem(np.diag(p), 1 - np.eye(3)), SLOPES, both=both)
            np.testing.assert_allclose(found.rate, 0, atol=1e-12)
            assert float(rate_at(JointProblem(np.diag(p), 1 - np.eye(3)), 0.0, both=both).rate) < 1e-12

    def test_gaussian(self):
        """No loss against an encoder that knows S, X on 21 points, S on 16, decoders y = u + D s on 41 points."""
        x, s, y, u = (np.linspace(-a, a, k) for a, k in ((4, 21), (6, 16), (4, 41), (2.7, 28)))
        joint = np.exp(-(x[:, None] ** 2) / 2 - (s - x[:, None]) ** 2 / 2)
        decoders = np.clip(np.round((u[:, None] + 0.25 * s + 4) / 0.2), 0, 40).astype(int)
        d = (x[:, None] - y) ** 2
        alone = rate(JointProblem(joint, d, decoders), 2.0)
        both = rate(JointProblem(joint, d), 2.0, both=True)
        least = float(lagrangian(both) - both.gap)
        assert least <= float(lagrangian(alone))
        assert float(lagrangian(alone)) - least < 1e-3
        assert float(lagrangian(alone)) == pytest.approx(np.log(2) / 2 + 0.5, abs=2e-3)  # ln(Var(X|S) / D) / 2 + s D


class TestAnotherWay:
    @settings(max_examples=20)
    @given(seed=st.integers(0, 10**6), s=st.floats(0.3, 20), zeros=st.booleans())
    def test_posteriors_of_a_binary_source(self, seed, s, zeros):
        problem = drawn(seed, (2, 3, 3), zeros)
        joint = problem.joint[:, problem.joint.sum(0) > 0]
        if not (joint.sum(1) > 0).all():
            return
        found, oracle = rate(problem, s), side_information_by_posteriors(joint, problem.distortion, s)
        assert float(lagrangian(found) - found.gap) <= oracle + 1e-12
        assert float(lagrangian(found)) == pytest.approx(oracle, abs=3e-6)

    def test_channels_to_strategies(self):
        for seed, s in ((1, 4.0), (2, 1.0)):
            problem = drawn(seed)
            found, oracle = rate(problem, s), side_information_by_channels(problem.joint, problem.distortion, s)
            assert float(lagrangian(found) - found.gap) <= oracle + 1e-12
            assert float(lagrangian(found)) == pytest.approx(oracle, abs=1e-6)

    def test_an_encoder_that_knows_it(self):
        """With the pair (X, S) as the source, the decoder's curve is the conditional one."""
        problem = drawn(1)
        n, values = problem.joint.shape
        pairs = np.zeros((n * values, values))
        pairs[np.arange(n * values), np.arange(n * values) % values] = problem.joint.ravel()
        wide = JointProblem(pairs, np.repeat(problem.distortion, values, 0))
        slopes = [1.0, 3.0, 9.0]
        np.testing.assert_allclose(
            lagrangian(sweep(wide, slopes)), lagrangian(sweep(problem, slopes, both=True)), atol=1e-11
        )

    def test_the_iteration(self):
        problem, slope, tol = as_inputs(drawn(1), 3.0, 1e-6)
        found, best = iteration(problem, jnp.asarray(slope), tol), rate(problem, 3.0)
        assert found.status == Status.CONVERGED
        assert float(lagrangian(found) - found.gap) <= float(lagrangian(best)) <= float(lagrangian(found)) + 1e-12
        assert int(found.steps) > 3
        short = iteration(problem, jnp.asarray(slope), tol, max_steps=3)
        assert short.status == Status.MAX_STEPS
        assert float(lagrangian(short) - short.gap) <= float(lagrangian(best))


class TestLaws:
    @settings(max_examples=30)
    @given(seed=st.integers(0, 10**6), zeros=st.booleans())
    def test_in_order(self, seed, zeros):
        """Who knows more needs less, at every slope; and every gap is small."""
        problem = drawn(seed, zeros=zeros)
        finite = SLOPES[:-1]
        both, alone = sweep(problem, finite, both=True), sweep(problem, finite)
        nothing = jaxrd.sweep(Problem(problem.joint.sum(1), problem.distortion), finite)
        assert (lagrangian(both) - both.gap <= lagrangian(alone)).all()
        assert (lagrangian(alone) - alone.gap <= lagrangian(nothing)).all()
        assert float(jnp.maximum(both.gap, alone.gap).max()) < 1e-9
        assert (jnp.diff(alone.distortion) <= 1e-9).all()

    @settings(max_examples=10)
    @given(seed=st.integers(0, 10**6), share=st.floats(0.05, 0.95))
    def test_in_order_at_a_distortion(self, seed, share):
        problem = drawn(seed)
        ends = rate(problem, np.inf).distortion, rate_at(problem, 1e3).distortion
        d = float(ends[0] + share * (ends[1] - ends[0]))
        both, alone = rate_at(problem, d, both=True), rate_at(problem, d)
        nothing = jaxrd.rate_at(Problem(problem.joint.sum(1), problem.distortion), d)
        assert float(both.lower) <= float(alone.rate) + 1e-12
        assert float(alone.lower) <= float(nothing.rate) + 1e-12
        assert alone.converged
        assert both.converged
        assert float(alone.distortion) == pytest.approx(d, abs=1e-12)

    @settings(max_examples=15)
    @given(seed=st.integers(0, 10**6))
    def test_more_decoders_need_no_more(self, seed):
        """`strategies`: all of them in another order change nothing; with fewer the rate is not less."""
        problem, g = drawn(seed), np.random.default_rng(seed)
        every = strategies(problem)
        order = g.permutation(len(every))
        whole = sweep(problem, SLOPES[:-1])
        mixed = sweep(JointProblem(problem.joint, problem.distortion, every[order]), SLOPES[:-1])
        np.testing.assert_allclose(lagrangian(whole), lagrangian(mixed), atol=1e-10)
        few = sweep(JointProblem(problem.joint, problem.distortion, every[order[:4]]), SLOPES[:-1])
        assert (lagrangian(few) >= lagrangian(whole) - 1e-10).all()
        constant = np.repeat(np.arange(3)[:, None], 2, 1)  # the decoder does not look at S: no worse encoder than R(D)
        blind = sweep(JointProblem(problem.joint, problem.distortion, constant), SLOPES[:-1])
        assert (lagrangian(blind) >= lagrangian(whole) - 1e-10).all()

    @pytest.mark.parametrize("both", [False, True])
    def test_float32(self, both):
        """Follows the input's precision; what it claims holds in float64."""
        problem = drawn(3)
        narrow = JointProblem(problem.joint.astype(np.float32), problem.distortion.astype(np.float32))
        wide = JointProblem(narrow.joint.astype(float), narrow.distortion.astype(float))
        single, double = sweep(narrow, [2.0, 8.0], both=both), sweep(wide, [2.0, 8.0], both=both)
        assert single.rate.dtype == np.float32
        assert single.converged.all()
        assert (lagrangian(single) - single.gap <= lagrangian(double)).all()
        np.testing.assert_allclose(lagrangian(single), lagrangian(double), atol=2e-5)

    def test_rare_values(self):
        """Regression: a barrier of equal weight for all values drove the law of a rare one beyond one; gap 2e-2."""
        joint = np.array([[2e-12, 4.2e-2, 2.5e-6], [2.5e-14, 0.31, 0.647997]])
        found = sweep(JointProblem(joint, np.array([[0.19, 0.81], [0.98, 0.76]])), SLOPES)
        assert float(found.gap.max()) < 1e-11

    def test_equal_shapes_are_one_program(self):
        sizes = []
        for seed in range(3):
            rate(drawn(seed), 2.0)
            sizes.append(jaxrd._points.in_turn._cache_size())
        assert sizes[0] == sizes[-1]


class TestEnds:
    def test_zero_rate(self):
        for both in (False, True):
            point = rate_at(symmetric(0.1), 0.3, both=both)
            assert point.rate == 0
            assert float(point.distortion) == pytest.approx(0.1)
            assert point.status == Status.EXACT

    def test_below_the_least(self):
        problem = JointProblem(np.full((2, 2), 0.25), HAMMING + 0.2)
        for both in (False, True):
            point = rate_at(problem, 0.1, both=both)
            assert point.status == Status.INFEASIBLE
            assert np.isinf(point.rate)

    def test_forbidden_pairs(self):
        """Erasures: letter 2 is never wrong; what the receiver guesses alone must not be forbidden."""
        d = np.array([[0.0, np.inf, 1.0], [np.inf, 0.0, 1.0]])
        joint = np.array([[0.4, 0.1], [0.1, 0.4]])
        found = rate_at(JointProblem(joint, d), 0.5)
        both = rate_at(JointProblem(joint, d), 0.5, both=True)
        assert float(both.rate) == pytest.approx(float(jaxrd.rate_at(Problem([0.8, 0.2], d), 0.5).rate), abs=1e-9)
        assert float(both.lower) <= float(found.rate) <= 0.5 * np.log(2)
        nothing = JointProblem(joint, np.array([[np.inf] * 2, [0.0, 1.0]]))
        assert rate(nothing, 1.0).status == Status.INFEASIBLE
        assert rate(nothing, 1.0, both=True).status == Status.INFEASIBLE

    def test_traced_nonsense_claims_nothing(self):
        for both in (False, True):
            point = jax.jit(partial(rate, slope=1.0, both=both))(JointProblem(-symmetric(0.1).joint, HAMMING))
            assert point.status == Status.NONFINITE

    def test_values_that_do_not_occur(self):
        wide = JointProblem(np.array([[0.4, 0.0, 0.1], [0.1, 0.0, 0.4]]), HAMMING)
        for both in (False, True):
            slopes = [1.0, 3.0]
            thin = sweep(symmetric(0.2), slopes, both=both)
            np.testing.assert_allclose(lagrangian(sweep(wide, slopes, both=both)), lagrangian(thin), atol=1e-11)


class TestDerivatives:
    D, S = 0.12, 3.0

    @pytest.fixture(scope="class")
    @staticmethod
    def problem():
        g = np.random.default_rng(5)
        return JointProblem(jnp.asarray(g.dirichlet(np.ones(6)).reshape(3, 2)), jnp.asarray(g.random((3, 2))))

    @pytest.mark.parametrize("both", [False, True])
    def test_at_a_distortion(self, problem, both):
        def value(target, joint, d):
            return rate_at(JointProblem(joint, d), target, both=both).rate

        point = rate(problem, self.S, both=both)
        target = float(point.distortion)
        slopes = jax.jit(jax.grad(value, (0, 1, 2)))(target, problem.joint, problem.distortion)
        assert float(slopes[0]) == pytest.approx(-self.S, rel=1e-6)
        g, h = np.random.default_rng(0), 1e-5
        for k, at in ((1, problem.joint), (2, problem.distortion)):
            way = g.normal(size=at.shape) * (0.1 if k == 1 else 1)
            given = [target, problem.joint, problem.distortion]
            ends = []
            for sign in (-1, 1):
                given[k] = at + sign * h * way
                ends.append(float(value(*given)))
            assert float((slopes[k] * way).sum()) == pytest.approx((ends[1] - ends[0]) / (2 * h), rel=1e-4, abs=1e-7)

    @pytest.mark.parametrize("both", [False, True])
    def test_at_a_slope(self, problem, both):
        def values(slope, joint, d):
            point = rate(JointProblem(joint, d), slope, both=both)
            return jnp.stack([point.rate, point.distortion, (point.reproduction[:, 0] ** 2).sum()])

        g, h = np.random.default_rng(1), 1e-5
        given = (self.S, problem.joint, problem.distortion)
        ways = 1.0, 0.1 * g.normal(size=(3, 2)), g.normal(size=(3, 2))
        moved = jax.jit(lambda: jax.jvp(values, given, ways))()[1]
        ends = [values(*(a + sign * h * way for a, way in zip(given, ways, strict=True))) for sign in (-1, 1)]
        np.testing.assert_allclose(moved, (ends[1] - ends[0]) / (2 * h), rtol=1e-4, atol=1e-6)

    @pytest.mark.slow
    def test_reverse_is_forward_and_twice(self, problem):
        def value(slope):
            return rate(problem, slope).rate

        reverse, h = jax.jit(jax.grad(value)), 1e-4
        forward = jax.jit(lambda s: jax.jvp(value, (s,), (1.0,))[1])(self.S)
        assert float(forward) == pytest.approx(float(reverse(self.S)), rel=1e-9)
        second = (reverse(self.S + h) - reverse(self.S - h)) / (2 * h)
        assert float(jax.jit(jax.grad(reverse))(self.S)) == pytest.approx(float(second), rel=1e-4)

    def test_many_at_once(self, problem):
        slopes = jnp.array([1.0, 3.0])
        each = jax.jit(jax.vmap(lambda s: rate(problem, s).rate))(slopes)
        np.testing.assert_allclose(each, sweep(problem, slopes).rate, atol=1e-9)

    def test_none_where_there_is_none(self, problem):
        """Beyond D_max the rate stays zero; the slope at a distortion has no derivative, and says so."""
        assert float(jax.grad(lambda d: rate_at(problem, d).rate)(5.0)) == 0
        assert np.isnan(jax.grad(lambda d: rate_at(problem, d).slope)(self.D))


MISTAKES = {
    "another problem": (lambda: rate(Problem(np.ones(2) / 2, HAMMING), 1.0), "a JointProblem is needed"),
    "shapes": (lambda: rate(JointProblem(np.ones((3, 2)) / 6, HAMMING), 1.0), "got (3, 2) and (2, 2)"),
    "a pmf": (lambda: rate(JointProblem(np.ones(2) / 2, HAMMING), 1.0), "joint must have shape (n, values)"),
    "negative": (lambda: rate(JointProblem(-np.ones((2, 2)), HAMMING), 1.0), "joint must not be negative"),
    "nan": (lambda: rate(JointProblem(np.ones((2, 2)), HAMMING * np.nan), 1.0), "finite or +inf; got nan"),
    "too many": (
        lambda: rate(JointProblem(np.ones((2, 30)), HAMMING), 1.0), "2^30 strategies, more than 1048576. Pass those",
    ),
    "no such letter": (
        lambda: rate(JointProblem(np.ones((2, 2)), HAMMING, np.array([[0, 2]])), 1.0), "must be reproductions, 0 to 1",
    ),
    "no integers": (
        lambda: rate(JointProblem(np.ones((2, 2)), HAMMING, np.array([[0.0, 1.0]])), 1.0), "must be integers of shape",
    ),
    "many slopes": (lambda: rate(symmetric(0.1), [1.0, 2.0]), "For a grid use sweep"),
    "no slopes": (lambda: sweep(symmetric(0.1), []), "k at least 1"),
    "a negative slope": (lambda: sweep(symmetric(0.1), [1.0, -1.0]), "slope must be >= 0"),
    "many distortions": (lambda: rate_at(symmetric(0.1), [0.1, 0.2]), "one distortion at a time"),
    "a negative tolerance": (lambda: rate_at(symmetric(0.1), 0.1, tol=-1.0), "tol must be"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name):
    mistake, message = MISTAKES[name]
    with pytest.raises(InputError) as error:
        mistake()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_progress_and_tolerance():
    seen = []
    sweep(symmetric(0.1), np.linspace(1, 3, 40), progress=lambda *at: seen.append(at))
    assert seen[-1] == (40, 40)
    assert len(seen) > 1
    loose = rate(symmetric(0.1), 2.0, tol=0.0)
    assert loose.status == Status.STALLED
    few = rate_at(symmetric(0.1), 0.03, max_solves=1)
    assert few.status == Status.MAX_STEPS

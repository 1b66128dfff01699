"""Derivatives of the rates of rdc and of their inverses, and the transforms of functions that run on the host."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import InputError, Problem, Status
from jaxrd.rdc import (
    bottleneck_information,
    bottleneck_rate,
    cross_entropies,
    fixed_classifier_rate,
    least_classification,
    least_distortion,
    lifted_rate,
    lifted_solve,
    literal_rate,
    measures,
    perceptual_fixed_classifier_rate,
    perceptual_lifted_rate,
    perceptual_rate,
    surface,
    universal_fixed_classifier_rate,
    universal_lifted_rate,
)
from jaxrd.rdc.fixed import linear
from jaxrd.rdc.gaussian import vector
from jaxrd.rdc.representation.universal import universal_perceptual_rate, universal_vector_gaussian_rate

COIN, FLIPPED = Problem(np.array([0.7, 0.3]), 1 - np.eye(2)), np.array([[0.9, 0.1], [0.1, 0.9]])


def entropy(p):
    return float(-(p * np.log(p)).sum())


def difference(function, args, directions, step):
    """The central difference of fourth order along directions, one an argument."""

    def at(t):
        return float(function(*(a + t * b for a, b in zip(args, directions, strict=True))))

    return (at(-2 * step) - 8 * at(-step) + 8 * at(step) - at(2 * step)) / (12 * step)


def directions(g, args, pmfs):
    """A random direction of each argument; the rows of those in `pmfs` keep their sum."""
    found = [g.standard_normal(np.shape(a)) for a in args]
    return [b - b.mean(-1, keepdims=True) if i in pmfs else b for i, b in enumerate(found)]


def worst(function, args, pmfs=(), step=3e-4, seed=0):
    """The largest error of a derivative, each argument along a random direction, relative to max(1, it)."""
    g, errors = np.random.default_rng(seed), []
    both = jax.jit(jax.value_and_grad(function, range(len(args))))  # one program for both
    slopes = both(*args)[1]
    for i, along in enumerate(directions(g, args, pmfs)):
        only = [along if j == i else np.zeros(np.shape(a)) for j, a in enumerate(args)]
        expected = difference(lambda *at: both(*at)[0], args, only, step)
        given = float((slopes[i] * along).sum())
        assert abs(expected) > 1e-3  # the argument matters
        errors.append(abs(given - expected) / max(1, abs(expected)))
    return max(errors)


def together(function, args, pmfs=(), step=5e-4, seed=0):
    """The error along one random direction in all arguments at once, for functions that take long."""
    along = directions(np.random.default_rng(seed), args, pmfs)
    slopes = jax.grad(function, range(len(args)))(*map(jnp.asarray, args))
    given = sum(float((a * b).sum()) for a, b in zip(slopes, along, strict=True))
    expected = difference(function, args, along, step)
    return abs(given - expected) / max(1, abs(expected))


def lifted(seed, classes=(2,)):
    """(source, distortion, D, C, labels...) where all constraints bind."""
    g = np.random.default_rng(seed)
    p, d = g.dirichlet(np.full(4, 3.0)), g.random((4, 3))
    labels = [g.dirichlet(np.ones(k), 4) for k in classes]
    alone = lifted_solve(Problem(p, d), labels, 5.0, np.zeros(len(classes)))
    least = np.array([p @ [entropy(row) for row in a] for a in labels])
    targets = np.asarray(1.2 * alone.distortion), least + 0.85 * (alone.classification - least)
    point = lifted_rate(Problem(p, d), labels, *targets)
    assert min(point.distortion_slope, *point.classification_slope) > 0.1
    return p, d, *targets, *labels


def lifted_value(p, d, distortion, classification, *labels):
    return lifted_rate(Problem(p, d), list(labels), distortion, classification).rate


def fixed(seed):
    """(source, distortion, D, C, loss) of the channel that is optimal at the slopes 5 and 2."""
    g = np.random.default_rng(seed)
    p, d, loss, q = g.dirichlet(np.full(4, 3.0)), g.random((4, 3)), 2 * g.random((4, 3)), np.full(3, 1 / 3)
    for _ in range(5000):  # Blahut-Arimoto
        w = q * np.exp(-5 * d - 2 * loss)
        w = w / w.sum(1, keepdims=True)
        q = p @ w
    joint = p[:, None] * w
    assert q.min() > 1e-2
    return p, d, (joint * d).sum(), (joint * loss).sum(), loss


def fixed_value(p, d, distortion, classification, loss):
    return fixed_classifier_rate(Problem(p, d), loss, distortion, classification).rate


class TestAgreeWithDifferences:
    """To 1e-5, in every argument, away from kinks."""

    @pytest.mark.parametrize(("seed", "classes"), [(0, (2,)), (1, (2,)), (0, (3,)), (0, (2, 2))])
    def test_lifted(self, seed, classes):
        args = lifted(seed, classes)
        assert worst(lifted_value, args, pmfs=range(4, len(args))) < 1e-5

    @pytest.mark.parametrize("seed", [0, 9, 10])
    def test_fixed_classifier(self, seed):
        assert worst(fixed_value, fixed(seed)) < 1e-5

    def test_several_given_classifiers(self):
        p, d, distortion, classification, loss = fixed(0)

        def rate(p, d, targets, loss, other):
            return fixed_classifier_rate(Problem(p, d), [loss, other], distortion, targets).rate

        other = np.random.default_rng(9).random((4, 3))
        free = fixed_classifier_rate(Problem(p, d), loss, distortion, classification)
        reached = (p[:, None] * free.channel * other).sum()
        assert worst(rate, (p, d, np.array([classification + 0.02, reached - 0.01]), loss, other)) < 1e-5

    def test_labels_and_classifier_of_a_fixed_classifier(self):
        p, d, *_ = fixed(0)
        g = np.random.default_rng(5)
        labels, classifier = g.dirichlet(np.ones(3), 4), g.dirichlet(np.full(3, 3.0), 3)
        loss = cross_entropies(labels, classifier)
        silent, best = (p @ loss).min(), p @ loss.min(1)

        def rate(labels, classifier):
            return fixed_classifier_rate(Problem(p, d), cross_entropies(labels, classifier), np.inf, target).rate

        target = 0.5 * (silent + best)
        assert worst(rate, (labels, classifier), pmfs=(0, 1)) < 1e-5

    def test_bottleneck(self):
        p, *_, labels = lifted(3)

        def rate(p, labels, loss):
            return bottleneck_rate(p, labels, loss).rate

        loss = 0.5 * (p @ [entropy(row) for row in labels] + entropy(p @ labels))
        assert worst(rate, (p, labels, np.asarray(loss)), pmfs=(1,)) < 1e-5

    def test_least_distortion(self):
        p, d, distortion, classification, labels = lifted(1)
        rate = lifted_value(p, d, distortion, classification, labels)

        def least(p, d, labels, classification, rate):
            return least_distortion(Problem(p, d), labels, classification, rate).value

        assert together(least, (p, d, labels, classification, np.asarray(rate)), pmfs=(2,)) < 1e-5

    def test_least_classification(self):
        label = 1
        p, d, distortion, classification, *labels = lifted(0, (2, 2))
        rate = lifted_value(p, d, distortion, classification, *labels)

        def least(p, d, one, other, distortion, loss, rate):
            others = jnp.full(2, loss)  # that of the label itself is not read
            found = least_classification(
                Problem(p, d), [one, other], distortion, rate, classification=others, label=label
            )
            return found.value

        args = p, d, *labels, distortion, classification[1 - label], np.asarray(rate)
        assert together(least, args, pmfs=(2, 3)) < 1e-5

    def test_least_distortion_for_a_fixed_classifier(self):
        p, d, distortion, classification, loss = fixed(9)
        rate = fixed_value(p, d, distortion, classification, loss)

        def least(p, d, loss, classification, rate):
            return least_distortion(Problem(p, d), loss, classification, rate, solver=fixed_classifier_rate).value

        assert together(least, (p, d, loss, classification, np.asarray(rate))) < 1e-5

    def test_universal_lifted(self):
        p, d, distortion, classification, labels = lifted(0)

        def both(p, d, labels, ds, cs):
            found = universal_lifted_rate(Problem(p, d), labels, ds, cs)
            return found.rate + 0.5 * found.penalty + 0.25 * found.rates[1]

        pairs = np.array([distortion, 1.3 * distortion]), np.array([1.05, 1.0]) * classification
        assert worst(both, (p, d, labels, *pairs), pmfs=(2,)) < 1e-5


class TestTheInverseIsTheInverse:
    """Without differences: dD/dR = -1 / mu_D and dD/dC = -mu_C / mu_D, with the multipliers of the point."""

    def test_least_distortion(self):
        p, d, distortion, classification, labels = lifted(0)
        rate = lifted_value(p, d, distortion, classification, labels)

        def least(classification, rate):
            found = least_distortion(Problem(p, d), labels, classification, rate)
            return found.value, found.point

        (in_loss, in_rate), point = jax.jit(jax.grad(least, (0, 1), has_aux=True))(classification[0], rate)
        mu, mu_loss = float(point.distortion_slope), float(point.classification_slope[0])
        assert in_rate == pytest.approx(-1 / mu, rel=1e-12)
        assert in_loss == pytest.approx(-mu_loss / mu, rel=1e-12)
        plain = lifted_rate(Problem(p, d), labels, distortion, classification)
        assert mu == pytest.approx(plain.distortion_slope, rel=1e-5)

    def test_least_classification(self):
        p, d, distortion, classification, labels = lifted(0)
        rate = lifted_value(p, d, distortion, classification, labels)

        def least(distortion, rate):
            return least_classification(Problem(p, d), labels, distortion, rate).value

        in_distortion, in_rate = jax.grad(least, (0, 1))(jnp.asarray(distortion), rate)
        plain = lifted_rate(Problem(p, d), labels, distortion, classification)
        assert in_distortion == pytest.approx(-plain.distortion_slope / plain.classification_slope[0], rel=1e-5)
        assert in_rate == pytest.approx(-1 / plain.classification_slope[0], rel=1e-5)


class TestTransforms:
    ARGS = lifted(0)
    DS = np.array([0.9, 1.0, 1.2]) * ARGS[2]

    def rate(self, distortion):
        return lifted_value(*self.ARGS[:2], distortion, *self.ARGS[3:])

    def test_jit_is_the_plain_call(self):
        p, d, distortion, classification, labels = self.ARGS
        plain = lifted_rate(Problem(p, d), labels, distortion, classification)
        traced = jax.jit(lifted_rate)(Problem(p, d), labels, distortion, classification)
        for name in ("rate", "lower", "status", "distortion", "classification", "distortion_slope", "gap", "converged"):
            np.testing.assert_array_equal(getattr(traced, name), getattr(plain, name))
        np.testing.assert_array_equal(traced.classification_slope, plain.classification_slope)
        assert traced.semantics == plain.semantics
        assert traced.channel is traced.weights is traced.soft_labels is traced.reproduction is None
        assert isinstance(plain.rate, float)

    def test_jit_of_a_given_classifier_has_its_channel(self):
        p, d, distortion, classification, loss = fixed(0)
        plain = fixed_classifier_rate(Problem(p, d), loss, distortion, classification)
        traced = jax.jit(fixed_classifier_rate)(Problem(p, d), loss, distortion, classification)
        for name in ("rate", "lower", "status", "channel", "weights", "reproduction", "classification"):
            np.testing.assert_array_equal(getattr(traced, name), getattr(plain, name))

    def test_vmap_is_a_loop(self):
        points = jax.jit(jax.vmap(lambda x: lifted_rate(Problem(*self.ARGS[:2]), self.ARGS[4], x, self.ARGS[3])))(
            self.DS
        )
        assert points.rate.tolist() == [self.rate(x) for x in self.DS]
        slopes = jax.vmap(jax.grad(self.rate))(jnp.asarray(self.DS))
        np.testing.assert_array_equal(slopes, -points.distortion_slope)
        np.testing.assert_array_equal(slopes, [jax.grad(self.rate)(x) for x in jnp.asarray(self.DS)])

    def test_lax_map_and_scan_under_jit(self):
        def total(scale):
            mapped = jax.lax.map(self.rate, scale * self.DS).sum()
            return mapped + jax.lax.scan(lambda c, x: (c + self.rate(scale * x), None), 0.0, self.DS)[0]

        value, slope = jax.jit(jax.value_and_grad(total))(1.0)
        assert value == pytest.approx(2 * sum(self.rate(x) for x in self.DS), rel=1e-12)
        assert slope == pytest.approx(2 * sum(x * float(jax.grad(self.rate)(x)) for x in self.DS), rel=1e-12)

    def test_jvp_and_vjp_agree(self):
        along = directions(np.random.default_rng(1), self.ARGS, (4,))
        forward = jax.jvp(lifted_value, tuple(map(jnp.asarray, self.ARGS)), tuple(map(jnp.asarray, along)))
        value, pull = jax.vjp(lifted_value, *self.ARGS)
        assert forward[0] == value
        backward = sum(float((a * b).sum()) for a, b in zip(pull(jnp.ones_like(value)), along, strict=True))
        assert float(forward[1]) == pytest.approx(backward, rel=1e-12)
        columns, rows = (jacobian(lifted_value, 1)(*self.ARGS) for jacobian in (jax.jacfwd, jax.jacrev))
        np.testing.assert_allclose(columns, rows, rtol=1e-12, atol=1e-15)

    def test_of_inverses_and_universal_rates(self):
        p, d, distortion, classification, labels = self.ARGS
        problem, pairs = Problem(p, d), (np.array([distortion, np.inf]), np.array([np.inf, classification[0]]))
        for function in (
            lambda r: least_distortion(problem, labels, classification, r),
            lambda r: least_classification(problem, labels, distortion, r),
            lambda r: universal_lifted_rate(problem, labels, pairs[0] * (1 + r), pairs[1]),
        ):
            plain, traced = function(0.3), jax.jit(function)(0.3)
            mapped = jax.vmap(function)(jnp.array([0.3, 0.35]))
            for name in ("rate", "penalty", "rates") if hasattr(plain, "penalty") else ("value",):
                np.testing.assert_allclose(getattr(traced, name), getattr(plain, name), rtol=0, atol=1e-14)
                np.testing.assert_allclose(getattr(mapped, name)[0], getattr(plain, name), rtol=0, atol=1e-14)
            assert traced.lower == plain.lower
            assert traced.status == plain.status == Status.CONVERGED
            assert traced.semantics == plain.semantics

    def test_the_host_is_called_once_a_point(self, monkeypatch):
        calls = []
        monkeypatch.setattr("jaxrd.rdc.fixed.linear", lambda *args: calls.append(1) or linear(*args))
        p, d, distortion, classification, loss = fixed(0)
        value = jax.jit(jax.value_and_grad(lambda x: fixed_value(p, d, x, classification, loss)))
        value(distortion)[0].block_until_ready()
        assert len(calls) == 1

    def test_float32_holds_bounds_of_what_was_given(self):
        with jax.enable_x64(False):
            args = [jnp.asarray(a, jnp.float32) for a in self.ARGS]
            point = jax.jit(lambda p, d, x, c, labels: lifted_rate(Problem(p, d), labels, x, c))(*args)
            slopes = jax.jit(jax.grad(lifted_value, range(5)))(*args)
            assert point.rate.dtype == point.lower.dtype == slopes[0].dtype == jnp.float32
        p, d, distortion, classification, labels = (np.asarray(a, np.float64) for a in args)
        plain = lifted_rate(Problem(p, d), labels, float(distortion), classification)
        assert float(point.lower) <= plain.lower <= plain.rate <= float(point.rate)
        assert point.rate - point.lower < 2e-7
        assert point.status == Status.CONVERGED
        exact = jax.grad(lifted_value, range(5))(*map(jnp.asarray, (p, d, distortion, classification, labels)))
        for a, b in zip(slopes, exact, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

    def test_float32_is_rounded_outward(self):
        p, d, distortion, classification, loss = fixed(0)
        targets = np.linspace(1, 1.5, 12, dtype=np.float32) * np.float32(distortion)
        with jax.enable_x64(False):
            problem = Problem(*(jnp.asarray(a, jnp.float32) for a in (p, d)))
            losses, bound = jnp.asarray(loss, jnp.float32), jnp.float32(classification)
            points = jax.vmap(lambda x: fixed_classifier_rate(problem, losses, x, bound))(jnp.asarray(targets))
        exact = Problem(*(np.asarray(a, np.float64) for a in (problem.source, problem.distortion)))
        for i, x in enumerate(targets):
            plain = fixed_classifier_rate(exact, np.asarray(losses, np.float64), float(x), float(bound))
            assert float(points.lower[i]) <= plain.lower <= plain.rate <= float(points.rate[i])

    def test_a_start_is_used_and_must_be_known(self, monkeypatch):
        p, d, distortion, classification, labels = self.ARGS
        near, seen = lifted_rate(Problem(p, d), labels, 1.1 * distortion, classification), []
        monkeypatch.setattr("jaxrd.rdc.lifted.rate.weighted_of", lambda core, start: seen.append(start))
        jax.jit(lambda x: lifted_rate(Problem(p, d), labels, x, classification, start=near).rate)(distortion)
        assert seen == [near]
        with pytest.raises(InputError, match="start must be known"):
            jax.jit(lambda x, start: lifted_rate(Problem(p, d), labels, x, classification, start=start).rate)(
                distortion, near
            )

    def test_options_reach_the_solver(self):
        g = np.random.default_rng(0)
        problem, labels = Problem(g.dirichlet(np.ones(4)), g.random((4, 3))), g.dirichlet(np.full(4, 0.3), 4)
        point = lifted_solve(problem, labels, 3.0, 3.0)

        def gap(**options):
            return jax.jit(
                lambda x: lifted_rate(problem, labels, x, point.classification, **options)
            )(point.distortion)  # fmt: skip

        assert gap(max_cells=1).status == Status.MAX_STEPS
        uncertified = jax.grad(lambda x: lifted_rate(problem, labels, x, point.classification, max_cells=1).rate)
        assert uncertified(point.distortion) == pytest.approx(-3.0, rel=1e-5)  # of what is achieved
        assert gap(max_cells=1, tol=10.0).status == Status.CONVERGED
        p, d, distortion, classification, loss = fixed(0)
        strict = jax.jit(
            lambda x: fixed_classifier_rate(Problem(p, d), loss, x, classification, tol=0.0).status
        )(distortion)  # fmt: skip
        assert strict == Status.STALLED


class TestKinksAndEnds:
    """Documented at `Point`: one of the sides, with the slopes returned."""

    def slope(self, distortion, classification, argument=0):
        def rate(d, c):
            return lifted_rate(COIN, FLIPPED, d, c).rate

        return float(jax.grad(rate, argument)(distortion, classification))

    def test_a_constraint_that_does_not_bind(self):
        assert self.slope(0.1, np.inf, 1) == 0
        assert self.slope(np.inf, 0.5, 0) == 0
        assert self.slope(0.1, np.inf, 0) == pytest.approx(-np.log(0.9 / 0.1), rel=1e-6)

    def test_zero_rate(self):
        assert self.slope(0.3, np.inf) == self.slope(0.5, 0.69) == 0

    def test_the_least_distortion(self):
        assert self.slope(0.0, np.inf) == -np.inf
        assert self.slope(0.0, np.inf, 1) == 0  # whatever the infinite slope beside it
        table = jax.grad(lambda d: lifted_rate(Problem(COIN.source, d), FLIPPED, 0.0, np.inf).rate)(1 - jnp.eye(2))
        np.testing.assert_array_equal(table, np.diag([np.inf, np.inf]))

    def test_an_infinite_slope_times_zero_is_zero(self):
        def rate(d, c):
            return lifted_rate(COIN, FLIPPED, d, c).rate

        assert jax.jvp(rate, (0.0, 0.5), (0.0, 1.0))[1] == 0
        assert jax.jvp(rate, (0.0, 0.5), (1.0, 0.0))[1] == -np.inf

    def test_a_class_that_cannot_occur(self):
        labels = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.2, 0.8]])
        problem = Problem(np.array([0.4, 0.3, 0.3]), 1 - np.eye(3))
        slope = jax.grad(lambda a: lifted_rate(problem, a, np.inf, 0.2).rate)(labels)
        assert slope[0, 1] == slope[1, 1] == np.inf  # H(S|U) rises as x ln x does
        assert np.isfinite(np.asarray(slope)[:, 0]).all()

    def test_infeasible(self):
        def point(d, c):
            return lifted_rate(COIN, FLIPPED, d, c)

        value, slopes = jax.value_and_grad(lambda *at: point(*at).rate, (0, 1))(0.1, 0.2)  # C < H(S|X)
        assert value == np.inf
        assert slopes == (0, 0)
        found = jax.jit(point)(0.1, 0.2)
        assert found.status == Status.INFEASIBLE
        assert found.gap == 0
        least = jax.jit(jax.value_and_grad(lambda r: least_distortion(COIN, FLIPPED, 0.2, r).value))(0.3)
        assert least == (np.inf, 0)
        both = jax.jit(lambda c: universal_lifted_rate(COIN, FLIPPED, [0.1, 0.2], jnp.stack([c, c])))(0.2)
        assert both.rate == both.lower == np.inf
        assert both.status == Status.INFEASIBLE
        assert np.isnan(both.penalty)

    def test_least_distortion_where_the_rate_allows_the_least(self):
        def least(d, rate):
            return least_distortion(Problem(COIN.source, d), FLIPPED, np.inf, rate).value

        matrix = 1.1 - jnp.eye(2)
        in_matrix, in_rate = jax.grad(least, (0, 1))(matrix, 0.65)
        assert least(matrix, 0.65) == pytest.approx(0.1)
        assert in_rate == 0
        np.testing.assert_allclose(in_matrix, np.diag(COIN.source), atol=1e-12)

    def test_letters_of_mass_zero(self):
        source = jnp.array([0.7, 0.3, 0.0])
        problem, labels = Problem(source, np.vstack([1 - np.eye(2), [np.nan, 5.0]])), np.vstack([FLIPPED, [0.5, 0.5]])
        slopes = jax.grad(lambda p, d, a: lifted_rate(Problem(p, d), a, 0.1, 0.5).rate, (0, 1, 2))(
            source, jnp.asarray(problem.distortion), jnp.asarray(labels)
        )
        plain = jax.grad(lambda p: lifted_rate(Problem(p, COIN.distortion), FLIPPED, 0.1, 0.5).rate)(source[:2])
        np.testing.assert_allclose(slopes[0], [*plain, 0.0], atol=1e-9)
        assert (np.asarray(slopes[1])[2] == 0).all()
        assert (np.asarray(slopes[2])[2] == 0).all()

    def test_a_pmf_of_any_sum(self):
        """Functions take p / sum p, so the derivative along p is zero."""
        p, d, distortion, classification, labels = lifted(0)
        slope = jax.grad(lambda p: lifted_value(p, d, distortion, classification, labels))
        assert abs(slope(jnp.asarray(p)) @ p) < 1e-12
        np.testing.assert_allclose(slope(5 * jnp.asarray(p)), slope(jnp.asarray(p)) / 5, rtol=1e-6)
        rows = jax.grad(lifted_value, 4)(p, d, distortion, classification, jnp.asarray(labels))
        np.testing.assert_allclose((rows * labels).sum(1), 0, atol=1e-12)


class TestWhatIsNotGiven:
    def rate(self, d):
        return lifted_rate(COIN, FLIPPED, d, 0.5).rate

    def test_second_derivatives_are_nan(self):
        assert np.isfinite(jax.grad(self.rate)(0.1))
        assert np.isnan(jax.grad(jax.grad(self.rate))(0.1))
        assert np.isnan(jax.jvp(jax.grad(self.rate), (0.1,), (1.0,))[1])
        assert np.isnan(jax.grad(jax.grad(self.rate))(0.0))  # where the first is infinite too

    @pytest.mark.parametrize("field", ["lower", "distortion", "classification", "distortion_slope"])
    def test_nor_are_those_of_other_fields(self, field):
        def value(d):
            return jnp.sum(getattr(lifted_rate(COIN, FLIPPED, d, 0.5), field))

        assert np.isnan(jax.grad(value)(0.1))
        assert jax.jvp(value, (0.1,), (0.0,))[1] == 0

    def test_values_that_are_no_problem(self):
        for d, c in ((jnp.nan, 0.5), (0.1, -1.0)):
            point = jax.jit(partial(lifted_rate, COIN, FLIPPED))(d, c)
            assert point.status == Status.NONFINITE
            assert np.isnan(point.rate)
            assert point.lower == -np.inf
            assert np.isnan(jax.grad(lambda d, c: lifted_rate(COIN, FLIPPED, d, c).rate)(d, c))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((COIN, FLIPPED[:1], 0.1, 0.5), r"labels must have shape \(2, classes\); got \(1, 2\)"),
            ((COIN, FLIPPED, 0.1, [0.5, 0.5]), r"one for each label; got shapes \(\) and \(2,\)"),
            ((COIN, FLIPPED, [0.1], 0.5), "For many points use jax.vmap"),
            ((Problem(np.ones(3), 1 - np.eye(2)), FLIPPED, 0.1, 0.5), "source must have shape"),
        ],
    )
    def test_shapes_are_refused(self, arguments, message):
        problem, labels, d, c = arguments
        with pytest.raises(InputError, match=message):
            jax.jit(lambda d: lifted_rate(problem, labels, d, c))(jnp.asarray(d))

    def test_functions_without_a_rule_say_so(self):
        for function in (
            lambda d: literal_rate(COIN, FLIPPED, d, 0.5),
            lambda d: lifted_solve(COIN, FLIPPED, d, 0.5),
            lambda d: surface(COIN, FLIPPED, jnp.stack([d, d]), [0.5]),
            lambda d: bottleneck_information(COIN.source, FLIPPED, d),
            lambda d: bottleneck_information(jnp.stack([d, 1 - d]), FLIPPED, 0.1),
        ):
            with pytest.raises(InputError, match="must be known here, not traced"):
                jax.jit(lambda d, function=function: jnp.asarray(function(d).rate))(0.1)
        with pytest.raises(InputError, match="solver must be lifted_rate or fixed_classifier_rate; got literal_rate"):
            jax.grad(lambda r: least_distortion(COIN, FLIPPED, 0.5, r, solver=literal_rate).value)(0.1)
        partially = jax.grad(
            lambda r: least_distortion(COIN, FLIPPED, 0.6, r, solver=partial(lifted_rate, tol=1e-10)).value
        )(0.2857813286)
        assert partially == pytest.approx(-1 / np.log(9), rel=1e-4)


def perceptual(kind, seed=3):
    """(source, distortion, loss, D, P, C, transport cost) where all constraints bind, and the measure of a cost."""
    g = np.random.default_rng(seed)
    p, q, hollow = g.dirichlet(np.full(4, 3.0)), np.full(4, 0.25), 1 - np.eye(4)
    d, loss, cost = hollow * g.random((4, 4)), g.random((4, 4)), hollow * g.random((4, 4))
    for _ in range(3000):  # Blahut-Arimoto
        w = q * np.exp(-3 * d - 1.5 * loss)
        w = w / w.sum(1, keepdims=True)
        q = p @ w
    joint = p[:, None] * w
    classification = (joint * loss).sum()
    classification += 0.15 * ((p @ loss).min() - classification)
    args = p, d, loss, 1.15 * (joint * d).sum(), np.asarray(MEASURES[kind][1]), classification, cost
    return tuple(map(np.asarray, args))


MEASURES = {
    "total variation": (lambda cost: measures.TotalVariation(), 0.1),
    "transport": (measures.Wasserstein, 0.05),
    "KL": (lambda cost: measures.RelativeEntropy(), 0.1),
    "reverse KL": (lambda cost: measures.ReverseRelativeEntropy(), 0.05),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", MEASURES)
class TestPerception:
    """Compiled, not called back: the same conventions."""

    def test_with_a_classifier_in_every_argument(self, kind):
        *args, cost = perceptual(kind)

        def rate(p, d, loss, distortion, perception, classification, cost=cost):
            measure = MEASURES[kind][0](cost)
            return perceptual_fixed_classifier_rate(
                Problem(p, d), loss, distortion, perception, classification, measure=measure
            ).rate

        assert worst(rate, (*args, cost) if kind == "transport" else args) < 1e-5

    def test_without_one(self, kind):
        p, d, _, distortion, perception, _, cost = perceptual(kind)

        def rate(p, d, distortion, perception):
            return perceptual_rate(Problem(p, d), distortion, perception, measure=MEASURES[kind][0](cost)).rate

        assert worst(rate, (p, d, distortion, 0.5 * perception)) < 1e-5


@pytest.mark.slow
class TestPerceptionAndSoftLabels:
    """`perceptual_lifted_rate`: JAX inside a callback."""

    BOUNDS = {  # noqa: RUF012
        "total variation": 0.05,
        "transport": 0.02,
        "KL": 0.02,
        "reverse KL": 0.02,
    }

    def arguments(self, kind):
        g, hollow = np.random.default_rng(3), 1 - np.eye(3)
        p = g.dirichlet(np.full(3, 3.0))
        d, cost, labels = hollow * g.random((3, 3)), hollow * g.random((3, 3)), g.dirichlet(np.ones(2), 3)
        alone = lifted_solve(Problem(p, d), labels, 4.0, 0.0)
        least = p @ [entropy(row) for row in labels]
        loss = least + 0.85 * (alone.classification[0] - least)
        return p, d, labels, *map(np.asarray, (1.2 * alone.distortion, self.BOUNDS[kind], loss)), cost

    @pytest.mark.parametrize("kind", ["transport", "KL"])
    def test_in_all_arguments(self, kind):
        *args, cost = self.arguments(kind)
        apart = ~np.eye(3, dtype=bool)  # the letters' own cost stays zero

        def rate(p, d, labels, distortion, perception, classification, costs):
            measure = MEASURES[kind][0](jnp.zeros((3, 3)).at[apart].set(costs))
            return perceptual_lifted_rate(
                Problem(p, d), labels, distortion, perception, classification, measure=measure
            ).rate

        assert together(jax.jit(rate), (*args, cost[apart]), pmfs=(2,), step=2e-4) < 1e-5

    def test_transforms_and_ends(self):
        p, d, labels, distortion, perception, classification, cost = self.arguments("total variation")

        def point(bound, loss=classification):
            return perceptual_lifted_rate(Problem(p, d), labels, distortion, bound, loss)

        def with_point(bound):
            found = point(bound)
            return found.rate, found

        plain, bounds = point(perception), jnp.stack([perception, 0.03])
        slopes, traced = jax.jit(jax.vmap(jax.grad(with_point, has_aux=True)))(bounds)
        for name in ("rate", "lower", "status", "distortion", "perception", "perception_slope", "gap"):
            np.testing.assert_array_equal(getattr(traced, name)[0], getattr(plain, name))
        np.testing.assert_array_equal(slopes, -traced.perception_slope)
        assert traced.decoder is traced.channel is None
        assert jax.value_and_grad(lambda c: point(perception, c).rate)(0.01) == (np.inf, 0)

        def equal(bound):
            return perceptual_lifted_rate(
                Problem(p, d), labels, distortion, bound, classification, measure=measures.Wasserstein(cost)
            ).rate

        assert np.isnan(jax.grad(equal)(0.0))  # solved as total variation, in whose unit the multiplier is
        with pytest.raises(InputError, match=r"perception must be one number; got shape \(2,\)"):
            jax.jit(point)(bounds)
        with pytest.raises(InputError, match="measure must be one of"):
            jax.jit(lambda x: perceptual_lifted_rate(COIN, FLIPPED, x, 0.1, 0.5, measure="tv").rate)(0.1)


class TestSeveralDecoders:
    def test_fixed_classifier(self):
        p, d, distortion, classification, loss = fixed(0)

        def both(p, d, loss, ds, cs):
            found = universal_fixed_classifier_rate(Problem(p, d), loss, ds, cs)
            return found.rate + 0.5 * found.penalty + 0.25 * found.rates[1]

        pairs = np.array([distortion, 1.3 * distortion]), np.array([1.3, 1.0]) * classification
        assert worst(both, (p, d, loss, *pairs)) < 1e-5
        plain = universal_fixed_classifier_rate(Problem(p, d), loss, *pairs)
        traced = jax.jit(universal_fixed_classifier_rate)(Problem(p, d), loss, *pairs)  # the pairs too
        for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(traced), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)
        assert plain.penalty > 1e-3
        assert plain.status == Status.CONVERGED

    @pytest.mark.slow
    def test_perception(self):
        p, d, _, distortion, *_ = perceptual("total variation")

        def both(p, d, ds, bounds):
            found = universal_perceptual_rate(Problem(p, d), ds, bounds)
            return found.rate + 0.5 * found.penalty + 0.25 * found.rates[1]

        pairs = np.array([distortion, 1.3 * distortion]), np.array([0.3, 0.02])
        assert worst(both, (p, d, *pairs)) < 1e-5

    def test_a_pair_that_another_implies(self):
        """Where pairs are traced none is left out; the rate is the same, its derivative in that pair zero."""
        p, d, distortion, classification, loss = fixed(0)
        pairs = np.array([1.0, 1.2]) * distortion, np.array([1.0, 1.2]) * classification

        def rate(ds, cs):
            return universal_fixed_classifier_rate(Problem(p, d), loss, ds, cs).rate

        slopes = jax.jit(jax.grad(rate, (0, 1)))(*pairs)
        point = fixed_classifier_rate(Problem(p, d), loss, distortion, classification)
        assert jax.jit(rate)(*pairs) == pytest.approx(point.rate, abs=1e-9)
        np.testing.assert_allclose(slopes[0], [-point.distortion_slope, 0], atol=1e-4)
        np.testing.assert_allclose(slopes[1], [-point.classification_slope[0], 0], atol=1e-4)

    def test_vector_gaussian(self):
        sigma = np.array([[2.0, 0.6, 0.2], [0.6, 1.0, 0.3], [0.2, 0.3, 0.5]])

        def both(sigma, a, w, ds, cs):
            found = universal_vector_gaussian_rate(vector.VectorSource(sigma, a, w), ds, cs, tol=1e-12)
            return found.rate + 0.5 * found.penalty + 0.25 * found.rates[1]

        args = sigma, np.array([0.2, -0.5, 1.0]), np.asarray(0.3), np.array([1.0, 1.6]), np.array([1.3, 1.0])
        g = np.random.default_rng(0)
        along = directions(g, args, ())
        along[0] = along[0] + along[0].T
        slopes = jax.jit(jax.grad(both, range(5)))(*args)
        given = [float((a * b).sum()) for a, b in zip(slopes, along, strict=True)]
        for i, b in enumerate(along):
            only = [b if j == i else np.zeros(np.shape(a)) for j, a in enumerate(args)]
            assert given[i] == pytest.approx(difference(jax.jit(both), args, only, 1e-4), rel=1e-5, abs=1e-5)
        assert universal_vector_gaussian_rate(vector.VectorSource(*args[:3]), *args[3:]).penalty > 1e-3

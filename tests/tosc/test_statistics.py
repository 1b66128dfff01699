"""Intervals, bounds and cross-fitting: against exact re-solves, closed forms, loops, and on known populations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from jaxrd import Problem, optimal_channel, rate_at, solve, sweep, tosc
from jaxrd.closed_form import categorical
from jaxrd.curve import Curve
from jaxrd.testing import generators
from jaxrd.tosc import resampling
from jaxrd.tosc.confidence import held_out, intervals, inversion
from jaxrd.tosc.confidence.rigorous import hoeffding, mcdiarmid
from jaxrd.tosc.curves import estimated, indirect, model_aware, sampled, time_sharing
from jaxrd.tosc.curves.sampled import plugin_bias
from jaxrd.tosc.curves.sampled_in_blocks import sample_and_communicate_in_blocks


def drawn(seed=0, n=600, k=3, concentration=0.4):
    """Calibrated samples: posteriors, labels from them, decisions."""
    g = np.random.default_rng(seed)
    v = np.maximum(g.dirichlet(np.full(k, concentration), n), 1e-9)
    v /= v.sum(1, keepdims=True)
    labels = (g.random((n, 1)) > np.cumsum(v, 1)[:, :-1]).sum(1)
    return jnp.asarray(v), labels, v.argmax(1)


N = 2000


@pytest.fixture(scope="module")
def samples():
    return drawn(0, N)


@pytest.fixture(scope="module")
def weights():
    return jnp.asarray(resampling.resampled_weights(N, 400, 5))


def joint_of(labels, decisions, k, weights=None):
    joint = tosc.sparse_joint(labels, decisions, k)
    return joint, None if weights is None else resampling.resampled_masses(joint, labels, decisions, weights)


class TestResampling:
    def test_weights_are_those_of_drawn_samples(self):
        w = resampling.resampled_weights(50, 200, 3)
        assert np.array_equal(w, resampling.resampled_weights(50, 200, 3))
        assert not np.array_equal(w, resampling.resampled_weights(50, 200, 4))
        np.testing.assert_allclose(w.sum(1), 1)
        np.testing.assert_allclose((50 * w).var(), 1 - 1 / 50, rtol=0.05)

    def test_a_class_ruled_out_adds_no_bias(self):
        log_v = jnp.log(jnp.array([[0.9, 0.1], [0.2, 0.8]]))
        masked = jnp.pad(log_v, ((0, 0), (0, 1)), constant_values=-jnp.inf)
        np.testing.assert_allclose(plugin_bias(masked, 2.0), plugin_bias(log_v, 2.0), rtol=1e-14)
        assert plugin_bias(log_v, 2.0) < -0.1

    def test_masses_are_the_joint_of_the_resampled(self, samples, weights):
        _, y, yt = samples
        joint, masses = joint_of(y, yt, 3, weights)
        for row, mass in zip(np.asarray(weights)[:3], masses, strict=False):
            again = np.repeat(np.arange(N), np.rint(N * row).astype(int))
            dense = np.zeros((3, 3))
            dense[np.asarray(joint.labels), np.asarray(joint.decisions)] = mass
            np.testing.assert_allclose(dense, tosc.confusion_joint(y[again], yt[again], 3), atol=1e-15)

    @pytest.mark.parametrize("name", ["E&C", "S&C", "TS"])
    def test_at_a_fixed_distortion(self, samples, weights, name):
        """Against the resampled curve solved for the same distortion: second order apart."""
        v, y, yt = samples
        log_v = jnp.log(v)
        joint, masses = joint_of(y, yt, 3, weights)
        if name == "E&C":
            found = estimated.respond(joint, jnp.asarray(masses), 0.2)
            target = float(tosc.estimate_and_compress(joint, 0.2).distortion)
        elif name == "S&C":
            found = sampled.respond(log_v, jnp.asarray(y), weights, 2.0)
            target = float(tosc.sample_and_communicate(log_v, y, 2.0).distortion)
        else:
            d_tm, d_0, _ = tosc.landmarks(joint)
            target = float(0.6 * d_tm + 0.4 * d_0)
            found = time_sharing.respond(joint, jnp.asarray(masses), 0.6)
            np.testing.assert_allclose(found.rate, tosc.time_sharing(joint, target), rtol=1e-12)
        exact = []
        for i in range(8):
            w = weights[i]
            dense = tosc.confusion_joint(y, yt, 3, w)
            if name == "E&C":
                x = brentq(lambda x, j=dense: float(tosc.estimate_and_compress(j, x).distortion) - target, 0.02, 0.5)
                exact.append(tosc.estimate_and_compress(dense, x).rate)
            elif name == "S&C":
                t = brentq(
                    lambda t, w=w: float(tosc.sample_and_communicate(log_v, y, t, w).distortion) - target, 0.3, 20
                )
                exact.append(tosc.sample_and_communicate(log_v, y, t, w).rate)
            else:
                exact.append(tosc.time_sharing(dense, target))
        off = np.asarray(found.replicates[:8]) - np.array(exact)
        assert np.sqrt(np.mean(off**2)) < 0.15 * np.std(found.replicates)

    def test_along_a_parabola_the_expansion_is_exact(self):
        """R = (1 - t)^2 + 3 w at D = t + w, of slope 2 (1 - t) whatever w: (1 - D + w)^2 + 3 w at a fixed D."""

        def point(w, t):
            return (1 - t) ** 2 + 3 * w, t + w

        others = jnp.array([0.1, -0.2, 0.3])
        found = resampling.along(point, jnp.asarray(0.0), others, jnp.asarray(0.4))
        np.testing.assert_allclose(found.replicates, (0.6 + others) ** 2 + 3 * others, rtol=1e-12)
        assert float(found.rate) == pytest.approx(0.36)

    def test_bias_of_the_sampled_rate(self, samples):
        v, _, _ = samples
        w = np.asarray(jax.nn.softmax(1.5 * jnp.log(v), axis=1))
        q = w.mean(0)
        chi2 = ((w - q) ** 2 / q).sum(1).mean()
        np.testing.assert_allclose(plugin_bias(jnp.log(v), 1.5), -chi2 / (2 * N), rtol=1e-10)

    def test_a_rising_curve_has_no_slope(self):
        found = [
            float(resampling.steepness(jnp.asarray(a), jnp.asarray(b))) for a, b in ((1, 2), (0, 0), (1, -1), (1, 0))
        ]
        np.testing.assert_equal(found, [0.5, 0, np.nan, np.nan])


def oracle_intervals(prior, samples, distortion, draws, replicates=200):
    """Intervals at one distortion for as many draws, shape (draws, 2)."""
    g, found = np.random.default_rng(0), []
    for seed in range(draws):
        counts = g.multinomial(samples, prior)
        inside = inversion.oracle_interval(
            counts[counts > 0], np.array([distortion]), most=len(prior), risk=0.05, replicates=replicates, seed=seed
        )
        found.append((inside.lower[0], inside.upper[0]))
    return np.array(found)


class TestInversion:
    """oRD: what the bootstrap about the plug-in missed, and what it did not."""

    def test_class_balanced_data(self):
        """Regression: the bootstrap's intervals lay above what any prior of 100 classes attains, 29 in 40."""
        lower, upper = oracle_intervals(np.full(100, 0.01), 500, 0.3, 15, replicates=100).T
        top = np.log(100) + 0.7 * np.log(0.7) + 0.3 * np.log(0.3 / 99)  # ln M - h(D) - D ln(M - 1)
        assert (upper <= top + 1e-12).all()
        assert (lower < upper).all()
        assert (upper > top - 1e-12).sum() >= 13  # misses below the truth once in 40
        assert np.mean(upper - lower) < 0.1

    def test_nearly_balanced_data(self):
        """Regression: near a uniform prior the basic interval lay above the truth 16 times in 100, not 2.5."""
        prior = np.array([0.31375, 0.3975, 0.28875])
        truth = float(categorical.rate(prior, 0.45))
        lower, upper = oracle_intervals(prior, 500, 0.45, 100).T
        assert (lower > truth).mean() <= 0.07  # of 100 at 2.5 % more than 7 come once in 400
        assert (upper < truth).mean() <= 0.07

    def test_far_from_uniform_the_central_limit_theorem_holds(self):
        prior, d, n = np.array([0.6, 0.2, 0.15, 0.05]), 0.2, 20_000
        rate, influence = jax.value_and_grad(lambda p: categorical.rate(p, d))(jnp.asarray(prior))
        width = 2 * 1.96 * np.sqrt(prior @ (influence - prior @ influence) ** 2 / n)
        found = inversion.oracle_interval(
            np.rint(n * prior).astype(int), np.array([d]), most=4, risk=0.05, replicates=1000, seed=0
        )
        assert found.upper[0] - found.lower[0] == pytest.approx(width, rel=0.1)
        assert (found.upper[0] + found.lower[0]) / 2 == pytest.approx(float(rate), abs=0.05 * width)
        wider = inversion.oracle_interval(
            np.rint(n * prior).astype(int), np.array([d]), most=4, risk=0.01, replicates=1000, seed=0
        )
        assert wider.upper[0] - wider.lower[0] == pytest.approx(width * 2.576 / 1.96, rel=0.15)

    def test_a_sample_of_equal_counts_is_not_certain(self):
        lower, upper = (
            ends[0]
            for ends in inversion.oracle_interval(
                np.array([250, 250]), np.array([0.2]), most=2, risk=0.05, replicates=400, seed=0
            )[1:]
        )
        top = np.log(2) + 0.8 * np.log(0.8) + 0.2 * np.log(0.2)
        assert upper == pytest.approx(top, abs=1e-12)
        # Of p = .5 + x: ln 2 - h is 2 x^2. Counts as unequal as one standard deviation, .0224, are allowed for, and
        # 1.96 more: x = .066, but for the interpolation between a few priors.
        assert 2 * 0.06**2 < top - lower < 2 * 0.075**2

    def test_classes_not_drawn_may_be_there(self):
        counts, d = np.full(10, 50), np.array([0.3])
        tops = [
            inversion.oracle_interval(counts, d, most=most, risk=0.05, replicates=100, seed=0).upper[0]
            for most in (10, 12)
        ]
        assert 0 < tops[1] - tops[0] < 0.05


class TestResponse:
    """TMRD and iE&C expanded about their optimum, against solving again."""

    @settings(max_examples=8)
    @given(g=generators(), slope=st.sampled_from((2.5, 4.0, 6.0)))
    def test_believed_rate_against_solving_again(self, g, slope):
        v, y, _ = drawn(int(g.integers(2**31)), N)
        weights = jnp.asarray(resampling.resampled_weights(N, 400, 1))
        problem = tosc.model_aware_problem(v)
        point = solve(problem, slope)
        found = model_aware.respond(v, y, weights, slope, point.reproduction).believed
        np.testing.assert_allclose(found.rate, point.rate, atol=1e-9)
        exact = np.array([rate_at(Problem(w, 1 - v), point.distortion).rate for w in weights[:5]])
        off = np.asarray(found.replicates[:5]) - exact
        assert np.sqrt(np.mean(off**2)) < 0.1 * np.std(found.replicates)

    @pytest.mark.parametrize("slope", [3.0, 6.0])
    def test_measured_rate_against_solving_again(self, samples, weights, slope):
        v, y, _ = samples
        problem = tosc.model_aware_problem(v)
        point = solve(problem, slope)
        found = model_aware.respond(v, jnp.asarray(y), weights, slope, point.reproduction).measured
        target = float(tosc.label_distortion(problem, point, y))
        off = []
        for i in range(6):
            again = Problem(weights[i], 1 - v)

            def beyond(s, again=again):
                return float(tosc.label_distortion(again, solve(again, s), y)) - target

            exact = solve(again, brentq(beyond, 0.3 * slope, 5 * slope, xtol=1e-10)).rate
            off.append(float(found.replicates[i] - exact))
        assert np.sqrt(np.mean(np.square(off))) < 0.15 * float(np.std(found.replicates))

    def test_influence_is_the_derivative_in_the_weights(self, samples, weights):
        """Both deviations and kappa, against automatic differentiation through the solver."""
        v, y, _ = samples
        slope = 5.0
        q = solve(tosc.model_aware_problem(v), slope).reproduction
        found = model_aware.respond(v, jnp.asarray(y), weights, slope, q)

        def point(w, s):
            problem = Problem(w, 1 - v)
            solved = solve(problem, s)
            return jnp.stack([solved.rate, tosc.label_distortion(problem, solved, y), solved.distortion])

        once = jnp.full(N, 1 / N)
        rise, run, run_model = jax.jit(jax.jacfwd(point, 1))(once, slope)
        of_weights = np.asarray(jax.jit(jax.jacrev(point))(once, slope))
        assert float(-rise / run_model) == pytest.approx(slope, rel=1e-6)
        for resampled, kappa, axis in ((found.measured, -rise / run, 1), (found.believed, slope, 2)):
            influence = of_weights[0] + float(kappa) * of_weights[axis]
            np.testing.assert_allclose(resampled.deviation, np.std(influence), rtol=1e-5)

    def test_plugin_bias_is_that_of_the_letters_in_use(self, samples, weights):
        """E L_N - L = -(k - 1) / 2N: theory's 'biased low', to first order."""
        v, y, _ = samples
        point = solve(tosc.model_aware_problem(v), 4.0)
        assert (np.asarray(point.reproduction) > 1e-3).all()
        found = model_aware.respond(v, jnp.asarray(y), weights, 4.0, point.reproduction).believed
        # R*(D) = max_s L*(s) - s D: the maximum adds (D* - D)^2 / 2|D'|, which is left out again
        log_partition = -jnp.log(jnp.exp(-4.0 * (1 - v)) @ point.reproduction)
        slopes = jnp.array([3.99, 4.01])
        run = float(jnp.diff(jnp.stack([solve(tosc.model_aware_problem(v), s).distortion for s in slopes]))[0] / 0.02)
        moved = np.array([float(solve(Problem(w, 1 - v), 4.0).distortion) for w in weights[:100]]) - float(
            point.distortion
        )
        second_order = found.replicates - (weights @ log_partition - 4 * point.distortion)
        np.testing.assert_allclose(second_order.mean() - (moved**2).mean() / (-2 * run), -2 / (2 * N), rtol=0.25)

    @pytest.mark.parametrize("slope", [3.0, 6.0])
    def test_indirect_against_solving_again(self, samples, weights, slope):
        _, y, yt = samples
        joint, masses = joint_of(y, yt, 3, weights)
        problem = tosc.indirect_problem(tosc.confusion_joint(y, yt, 3))
        point = solve(problem, slope)
        found = indirect.respond(joint, jnp.asarray(masses), slope, point.reproduction)
        np.testing.assert_allclose(found.rate, point.rate, atol=1e-9)
        spread = float(np.std(found.replicates))
        for i in range(8):
            again = tosc.indirect_problem(tosc.confusion_joint(y, yt, 3, weights[i]))
            solved = solve(again, slope)
            lagrangian = float(solved.rate + slope * (solved.distortion - point.distortion))
            # never below L*(s) - s D, and hardly above
            assert -1e-9 < float(found.replicates[i]) - lagrangian < 0.1 * spread, i

    def test_indirect_of_a_few_samples_a_cell(self):
        """No small perturbation: three steps of the four would leave 0.4 % of the spread, four leave 0.12 %."""
        _, y, yt = drawn(0, 60)
        weights = jnp.asarray(resampling.resampled_weights(60, 400, 1))
        joint, masses = joint_of(y, yt, 3, weights)
        point = solve(tosc.indirect_problem(tosc.confusion_joint(y, yt, 3)), 6.0)
        found = np.asarray(indirect.respond(joint, jnp.asarray(masses), 6.0, point.reproduction).replicates)
        again = [solve(tosc.indirect_problem(tosc.confusion_joint(y, yt, 3, w)), 6.0) for w in weights[:16]]
        above = found[:16] - [float(s.rate + 6 * (s.distortion - point.distortion)) for s in again]
        assert above.min() > -1e-9
        assert above.max() < 2e-3 * found.std()

    def test_influence_of_indirect(self, samples, weights):
        """-ln Z + s (E_W[p] - W): the derivative of L(s) in the joint, against automatic differentiation."""
        _, y, yt = samples
        joint, masses = joint_of(y, yt, 3, weights)
        slope = 5.0
        point = solve(tosc.indirect_problem(tosc.confusion_joint(y, yt, 3)), slope)
        found = indirect.respond(joint, jnp.asarray(masses), slope, point.reproduction)

        @jax.jit
        def lagrangian(mass):
            solved = solve(tosc.indirect_problem(jnp.zeros((3, 3)).at[joint.labels, joint.decisions].add(mass)), slope)
            return solved.rate + slope * solved.distortion

        gradient, mass = np.asarray(jax.jit(jax.grad(lagrangian))(joint.mass)), np.asarray(joint.mass)
        np.testing.assert_allclose(found.deviation, np.sqrt(mass @ (gradient - mass @ gradient) ** 2), rtol=1e-6)

    def test_float32(self, samples, weights):
        v, y, _ = samples
        point = solve(tosc.model_aware_problem(v), 4.0)
        wide = model_aware.respond(v, jnp.asarray(y), weights, 4.0, point.reproduction)
        with jax.enable_x64(False):
            narrow = model_aware.respond(
                *(jnp.asarray(np.asarray(a), d) for a, d in ((v, "float32"), (y, "int32"), (weights, "float32"))),
                4.0,
                jnp.asarray(np.asarray(point.reproduction), "float32"),
            )
        for a, b in zip(narrow, wide, strict=True):
            assert a.replicates.dtype == jnp.float32
            np.testing.assert_allclose(a.replicates, b.replicates, atol=2e-4)
            np.testing.assert_allclose(a.deviation, b.deviation, rtol=1e-3)

    def test_vmap_and_jit(self, samples, weights):
        v, y, _ = samples
        slopes = jnp.array([3.0, 6.0])
        q = jnp.stack([solve(tosc.model_aware_problem(v), s).reproduction for s in slopes])
        both = jax.vmap(lambda s, q: model_aware.respond(v, jnp.asarray(y), weights, s, q))(slopes, q)
        one = model_aware.respond(v, jnp.asarray(y), weights, 6.0, q[1])
        np.testing.assert_allclose(both.measured.replicates[1], one.measured.replicates, rtol=1e-9)


class TestIntervals:
    def test_bootstrap_reflects(self):
        replicates = np.random.default_rng(0).normal(1.8, 0.1, 200_000)  # about a plug-in of 2, biased by -0.2
        assert intervals.bias(2.0, replicates) == pytest.approx(-0.2, abs=1e-3)
        found = intervals.bootstrap(2.0, replicates, 0.05)
        np.testing.assert_allclose(found, (2.2 - 0.196, 2.2 + 0.196), atol=2e-3)
        np.testing.assert_allclose(intervals.central_limit(2.0, 0.1, 0.05, bias=-0.2), found, atol=2e-3)

    def test_no_rate_below_zero_but_differences(self):
        replicates = np.linspace(0, 0.2, 101)
        assert intervals.bootstrap(0.05, replicates, 0.05).lower == 0
        assert intervals.bootstrap(0.05, replicates, 0.05, least=-np.inf).lower < 0

    def test_no_rate_above_the_most_there_can_be(self):
        replicates = np.linspace(1.0, 2.0, 101)
        assert intervals.bootstrap(1.5, replicates, 0.05, most=1.7) == pytest.approx((1.025, 1.7))
        assert np.isnan(intervals.bootstrap(1.5, replicates, 0.05, most=1.0)).all()  # wholly above: it has failed
        assert intervals.central_limit(1.0, 0.1, 0.05, most=1.1).upper == 1.1
        assert np.isnan(intervals.central_limit(1.0, 0.1, 0.05, most=0.5)).all()

    def test_no_number_no_interval(self):
        assert np.isnan(intervals.bootstrap(1.0, np.array([1.0, np.nan]), 0.05)).all()
        assert np.isnan(intervals.central_limit(1.0, np.nan, 0.05)).all()


def mixture(n):
    """Posteriors of [A]'s Gaussian mixture, v = sigma(2x), X ~ N(+-1, 1): n quantiles of either half, without noise."""
    from scipy.special import ndtri

    x = ndtri((np.arange(n) + 0.5) / n)
    v = 1 / (1 + np.exp(-2 * np.concatenate([x + 1, x - 1])))
    return jnp.asarray(np.stack([v, 1 - v], 1))


class TestReference:
    """reference.json, section C, on the Gaussian mixture; the numbers are copied from there."""

    def test_lagrangian_and_widths(self):
        # CI: lam 4, N 500: mean widths .0779353 (CLT) and .4871562 (rigorous); plugin_bias: L_exact 1.2090393926
        v = mixture(N // 2)
        point = solve(tosc.model_aware_problem(v), 4.0)
        assert float(point.rate + 4 * point.distortion) == pytest.approx(1.2090393926, abs=1e-4)
        once = jnp.full((1, len(v)), 1 / len(v))
        found = model_aware.respond(v, jnp.zeros(len(v), int), once, 4.0, point.reproduction).believed
        clt = intervals.central_limit(1.0, float(found.deviation) / np.sqrt(500), 0.05)
        assert clt.upper - clt.lower == pytest.approx(0.0779353, rel=0.01)
        one = jax.tree.map(lambda a: a[None], point)
        below = float(mcdiarmid(one, 500, 0.025).intercept[0])
        held = held_out.HeldOut(np.array([4.0]), np.array([0.0]), np.array([0.0]), np.array([0.0]), 500)
        # L alone has one event, not the rate's and the distortion's two
        above = 4 * float(hoeffding(held, 0.05).distortion[0])
        assert above + float(point.rate + 4 * point.distortion) - below == pytest.approx(0.4871562, rel=0.01)

    def test_plugin_bias(self):
        # plugin_bias: N 50, mean plug-in 1.2002976 (se .0031885) against 1.2090394: -(2 - 1) / 100 is predicted
        assert abs(1.2002976 - 1.2090394 + 1 / 100) < 2 * 0.0031885
        g = np.random.default_rng(0)
        x = g.standard_normal((300, 50)) + np.where(g.random((300, 50)) < 0.5, 1, -1)
        v = 1 / (1 + np.exp(-2 * x))
        problems = Problem(jnp.full((300, 50), 1 / 50), jnp.asarray(np.stack([1 - v, v], 2)))
        points = jax.jit(jax.vmap(lambda p: solve(p, 4.0)))(problems)
        plugin = np.asarray(points.rate + 4 * points.distortion)
        assert abs(plugin.mean() - 1.2002976) < 3 * np.hypot(plugin.std() / np.sqrt(300), 0.0031885)

    def test_bias_of_sample_and_communicate(self):
        # SC_plugin_bias: N 100, I 0.3368308203, predicted -.0027520025, mean plug-in .3340260958 (se .000113)
        v = mixture(N // 2)
        predicted = float(plugin_bias(jnp.log(v), 1.0)) * len(v) / 100
        assert predicted == pytest.approx(-0.0027520025, rel=1e-3)
        exact = float(tosc.sample_and_communicate(jnp.log(v), jnp.zeros(len(v), int), 1.0).rate)
        assert exact == pytest.approx(0.3368308203, abs=1e-5)
        assert abs(exact + predicted - 0.3340260958) < 3 * 0.000113

    def test_one_hot_trap(self):
        # onehot_trap: lam 4: D .0179862100, below iRD's least .1586552539: labels know more than any classifier
        problem = tosc.model_aware_problem(np.eye(2)[np.arange(N) % 2])
        point = solve(problem, 4.0)
        assert float(point.distortion) == pytest.approx(0.017986209962, abs=1e-9)
        assert float(point.rate) / np.log(2) == pytest.approx(0.8700207253, abs=1e-9)  # oRD there


class TestRigorous:
    def test_mcdiarmid_by_hand(self, samples):
        v, _, _ = samples
        problem = tosc.model_aware_problem(v)
        points = sweep(problem, [2.0, 5.0])
        lines = mcdiarmid(points, N, 0.025)
        k = np.exp(-5.0 * (1 - np.asarray(v)))
        q = np.asarray(points.reproduction[1])
        dual = -np.log(k @ q).mean() - np.log((k / (k @ q)[:, None]).mean(0).max())
        assert lines.intercept[1] == pytest.approx(dual - 5 * np.sqrt(np.log(2 / 0.025) / (2 * N)), abs=1e-8)
        assert lines.rate(0.3) == max(*(lines.intercept - lines.slope * 0.3), 0)
        assert lines.rate(1.0) == 0
        # Below the least distortion of the posteriors the lines rise past what any rate is.
        assert lines.rate(-0.5) > np.log(3)
        assert mcdiarmid(points, N, 0.025, most=np.log(3)).rate(-0.5) == np.log(3)

    def test_hoeffding_by_hand(self):
        held = held_out.HeldOut(
            np.array([0.0, 3.0]), np.array([0.0, 1.0]), np.array([0.6, 0.3]), np.array([0.6, 0.2]), 50
        )
        reach = np.sqrt(np.log(4 / 0.025) / 100)
        found = hoeffding(held, 0.025)
        np.testing.assert_allclose(found.distortion, [0.6 + reach, 0.3 + reach])
        np.testing.assert_allclose(found.rate, [0, 1 + 3 * reach])
        np.testing.assert_allclose(hoeffding(held, 0.025, believed=True).distortion, [0.6 + reach, 0.2 + reach])
        assert found.at(0.45 + reach) == pytest.approx((1 + 3 * reach) / 2)
        assert found.at(0.29 + reach) == np.inf
        assert found.at(1.0) == 0
        low = hoeffding(held, 0.025, most=0.9)
        assert low.at(0.3 + reach) == 0.9
        assert low.at(0.29 + reach) == np.inf


def test_blocks_of_unequal_length_count_their_samples_alone(samples):
    v, y, _ = samples
    log_v, y = jnp.log(v), jnp.asarray(y)
    cuts = [(log_v[:30], y[:30]), (log_v[30:47], y[30:47]), (log_v[47:], y[47:])]
    cuts.sort(key=lambda block: -len(block[1]))
    whole = tosc.sample_and_communicate(log_v, y, 2.0)
    parts = sample_and_communicate_in_blocks(cuts, 2.0)
    for one, other in zip(whole[:3], parts[:3], strict=True):
        assert float(other) == pytest.approx(float(one), abs=1e-9)


class TestHeldOut:
    def test_model_aware_against_loops(self, samples):
        v, y, _ = samples
        fit, test = held_out.halves(N, 0)
        found = held_out.model_aware_held_out(v, y, fit, test, [4.0])
        point = solve(Problem(fit, 1 - v), 4.0)
        channel = np.asarray(optimal_channel(Problem(fit, 1 - v), point))
        q, rows = np.asarray(point.reproduction), np.flatnonzero(test)
        rate = np.mean([(channel[i] * np.log(channel[i] / q)).sum() for i in rows])
        wrong = np.mean([1 - channel[i, y[i]] for i in rows])
        believed = np.mean([1 - channel[i] @ np.asarray(v)[i] for i in rows])
        np.testing.assert_allclose([c[1] for c in found[1:4]], [rate, wrong, believed], atol=1e-9)
        guess = np.asarray(v)[fit > 0].mean(0).argmax()
        assert found.rate[0] == found.slope[0] == 0
        assert found.distortion[0] == pytest.approx(np.mean(y[rows] != guess))
        assert found.samples == len(rows) == N // 2

    def test_indirect_against_loops(self):
        y, yt = np.array([0, 0, 1, 1, 2, 2, 0, 1, 2, 2]), np.array([0, 0, 1, 0, 1, 1, 0, 1, 2, 2])
        fit = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0]) / 5  # estimate 2 never occurs here
        test = np.where(fit > 0, 0, 1 / 5)
        found = held_out.indirect_held_out(y, yt, 3, fit, test, [3.0])
        seen = np.zeros((3, 3))
        for a, b in zip(y[:5], yt[:5], strict=True):
            seen[a, b] += 0.2
        posterior = np.stack([seen[:, 0] / seen[:, 0].sum(), seen[:, 1] / seen[:, 1].sum(), seen.sum(1)])
        point = solve(Problem(seen.sum(0), 1 - posterior), 3.0)
        q = np.asarray(point.reproduction)
        w = q * np.exp(3 * posterior)
        w /= w.sum(1, keepdims=True)
        rate = np.mean([(w[t] * np.log(w[t] / q)).sum() for t in yt[5:]])
        wrong = np.mean([1 - w[t, a] for a, t in zip(y[5:], yt[5:], strict=True)])
        np.testing.assert_allclose([found.rate[1], found.distortion[1]], [rate, wrong], atol=1e-8)

    def test_halves(self):
        a, b = held_out.halves(7, 0)
        np.testing.assert_allclose([a.sum(), b.sum()], 1)
        assert ((a > 0) ^ (b > 0)).all()
        assert ((a > 0).sum(), (b > 0).sum()) == (3, 4)

    def test_plugin_below_cross_fitted_on_average(self):
        """Theory: the plug-in iE&C is optimistic where M^2/N is large; both about the population's."""
        above = []
        for seed in range(12):
            _, y, yt = drawn(seed, 60)
            curve = held_out.indirect_cross_fitted(y, yt, 3, np.geomspace(0.5, 32, 8), seed=seed)
            plugin = float(rate_at(tosc.indirect_problem(tosc.confusion_joint(y, yt, 3)), 0.45).rate)
            above.append(held_out.rate_between(curve, 0.45) - plugin)
        assert np.mean(above) > 0.02

    def test_cross_fitted_swaps_the_halves_and_averages_over_splits(self):
        _, y, yt = drawn(3, 60)
        slopes = np.geomspace(0.5, 32, 4)
        one, next_one = (
            held_out.averaged(
                held_out.indirect_held_out(y, yt, 3, *held_out.halves(60, seed), slopes),
                held_out.indirect_held_out(y, yt, 3, *held_out.halves(60, seed)[::-1], slopes),
            )
            for seed in (3, 4)
        )
        found = held_out.indirect_cross_fitted(y, yt, 3, slopes, seed=3)
        np.testing.assert_array_equal([found.rate, found.distortion], [one.rate, one.distortion])
        twice = held_out.indirect_cross_fitted(y, yt, 3, slopes, splits=2, seed=3)
        np.testing.assert_allclose(twice.rate, (one.rate + next_one.rate) / 2, rtol=1e-12)
        np.testing.assert_allclose(twice.distortion, (one.distortion + next_one.distortion) / 2, rtol=1e-12)

    def test_rate_of_an_envelope(self):
        d, rate = np.array([0.0, 1.0, 0.5]), np.array([2.0, 0.0, 1.9])  # the last one lies above the chord
        assert held_out.rate_of_envelope(d, rate, 0.25) == pytest.approx(1.5)
        assert held_out.rate_of_envelope(d, rate, 1.5) == 0
        assert held_out.rate_of_envelope(d, rate, -0.1) == np.inf

    def test_rates_between_points(self):
        d = np.array([0.5, 0.3, 0.3, 0.1, 0.6])
        curve = Curve(d, np.array([0.0, 1.5, 0.6, 2.0, 0.0]), d, d, d)
        assert held_out.rate_between(curve, 0.3) == pytest.approx(0.6)
        assert held_out.rate_between(curve, 0.05) == np.inf
        assert held_out.rate_between(curve, 0.9) == 0
        one = Curve(*(np.array([0.5]) for _ in range(5)))
        assert held_out.rate_between(one, 0.5) == 0.5

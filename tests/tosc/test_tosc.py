"""The curves of paper [A]: independent values, laws that hold, counterexamples to those that do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from jaxrd import Curve, Status, lower_convex_envelope, optimal_channel, rate_at, solve, sweep, tosc
from jaxrd.closed_form import categorical
from jaxrd.errors import InputError
from jaxrd.information import entropy
from jaxrd.testing import assert_convex, assert_nonincreasing, generators, joints, posteriors
from jaxrd.tosc.calibration.reliability import estimated_kappa
from jaxrd.tosc.calibration.temperature import doubts
from jaxrd.tosc.curves import drawing, model_aware
from jaxrd.tosc.curves.merged import merge_order
from jaxrd.tosc.doubts import miscalibration
from jaxrd.tosc.posterior import Posterior

SLOPES = np.geomspace(0.3, 60, 24)


def ec_curve(joint, points=400):
    grid = np.linspace(0, 1 - float(joint.sum(0).max()), points)
    return jax.vmap(lambda d: tosc.estimate_and_compress(joint, d))(jnp.asarray(grid))


class TestReference:
    """reference.json, section B and C."""

    def joint(self, reference, name):
        which = {"J1": "EC_exceeds_TS", "J2": "lossless_not_optimal"}[name]
        return jnp.asarray(reference["B"][which]["joint_y_yt"])

    @pytest.mark.parametrize("name", ["J1", "J2"])
    def test_estimate_and_compress(self, reference, name):
        joint = self.joint(reference, name)
        for row in reference["B"]["EC_ref"][name]:
            point = tosc.estimate_and_compress(joint, row["Dhat"])
            np.testing.assert_allclose(point.rate, row["R_nats"], atol=1e-9)
            np.testing.assert_allclose(point.distortion, row["DY"], atol=1e-9)

    @pytest.mark.parametrize("name", ["J1", "J2"])
    def test_indirect(self, reference, name):
        problem = tosc.indirect_problem(self.joint(reference, name))
        for row in reference["B"]["iEC_ref"][name]:
            np.testing.assert_allclose(rate_at(problem, row["D"]).rate, row["R_nats"], atol=1e-9)

    def test_landmarks_and_time_sharing_exceeded(self, reference):
        # E&C may cost more than time sharing: theory.md's table gives it no such law.
        case = reference["B"]["EC_exceeds_TS"]
        joint = jnp.asarray(case["joint_y_yt"])
        d_tm, d_0, h = tosc.landmarks(joint)
        np.testing.assert_allclose([d_tm, d_0, h], [case["D_TM"], case["D0"], case["H_Yt"]], atol=1e-12)
        rate, d, _ = case["at"]
        excess = rate - float(tosc.time_sharing(joint, d))
        np.testing.assert_allclose(excess, case["max_EC_minus_TS_nats"], atol=1e-9)
        silent = tosc.estimate_and_compress(joint, 1 - joint.sum(0).max())
        np.testing.assert_allclose(silent.distortion, case["EC_zero_rate_D"], atol=1e-12)

    def test_lossless_decisions_are_not_optimal_at_d_tm(self, reference):
        case = reference["B"]["lossless_not_optimal"]
        problem = tosc.indirect_problem(jnp.asarray(case["joint_y_yt"]))
        np.testing.assert_allclose(rate_at(problem, case["D_TM"]).rate, case["iEC_R_at_DTM"], atol=1e-9)
        np.testing.assert_allclose(solve(problem, np.inf).distortion, case["iEC_Dmin"], atol=1e-12)
        assert case["iEC_R_at_DTM"] < case["H_Yt"]

    def test_ties_report_the_best_label_distortion(self, reference):
        case = reference["B"]["EC_tie_trap"]
        joint = jnp.asarray(case["joint_y_yt"])
        silent = tosc.estimate_and_compress(joint, 1 - joint.sum(0).max())
        np.testing.assert_allclose(silent.distortion, case["DY_zero_rate_best_q"], atol=1e-12)
        assert float(silent.rate) < 1e-12

    def test_estimate_and_compress_is_not_monotone(self, reference):
        case = reference["B"]["EC_nonmonotone_bayes_consistent"]
        points = ec_curve(jnp.asarray(case["joint_y_yt"]), 2000)
        d = np.asarray(points.distortion)  # D_hat rises, so D_Y should too; it falls somewhere
        fall = (np.maximum.accumulate(d) - d).max()
        assert fall > case["decrease"] - 1e-6
        for rate, d_y in list(zip(case["R_nats"], case["D_Y"], strict=True))[::8]:
            ours = np.interp(-rate, -np.asarray(points.rate), d)
            np.testing.assert_allclose(ours, d_y, atol=2e-6)

    def test_estimate_and_compress_is_not_convex(self, reference):
        case = reference["B"]["EC_nonconvex_monotone"]
        joint, d3, r3 = (np.array(a) for a in case["joint_D_R"])
        chord = r3[0] + (r3[2] - r3[0]) * (d3[1] - d3[0]) / (d3[2] - d3[0])
        np.testing.assert_allclose(r3[1] - chord, case["violation"], atol=1e-9)
        points = ec_curve(jnp.asarray(joint), 4000)
        ours = np.interp(-r3[:2], -np.asarray(points.rate), np.asarray(points.distortion))
        np.testing.assert_allclose(ours, d3[:2], atol=1e-5)

    def test_sample_and_communicate_is_not_monotone(self, reference):
        case = reference["B"]["SC_nonmonotone"]
        v, w = np.array(case["V"]), np.array(case["w"])
        # labels as pairs: each posterior row appears once per class, weighted by its probability
        log_v = jnp.asarray(np.log(np.repeat(v, 2, axis=0)))
        labels, weights = jnp.array([0, 1, 0, 1]), jnp.asarray((w[:, None] * v).ravel())
        rates = []
        for row in case["rows"]:
            point = tosc.sample_and_communicate(log_v, labels, float(row["lam"]), weights)
            np.testing.assert_allclose(point.rate, row["R_nats"], atol=1e-12)
            np.testing.assert_allclose(point.distortion, row["D"], atol=1e-12)
            np.testing.assert_allclose(point.model_distortion, row["D"], atol=1e-12)
            rates.append(float(point.rate))
        assert np.diff(rates).min() < -0.01

    def test_merge(self, reference):
        points = tosc.merge_baseline(jnp.eye(10) / 10)
        for row in reference["B"]["merge_uniform10"]:
            np.testing.assert_allclose(points.rate[row["k"]], row["R_nats"], atol=1e-12)
            np.testing.assert_allclose(points.distortion[row["k"]], row["Dhat"], atol=1e-12)

    def test_sample_against_optimal_when_calibrated(self, reference):
        v = np.array(reference["C"]["tmrd_8x3"]["V"])
        problem = tosc.model_aware_problem(v)
        log_v = jnp.asarray(np.log(np.repeat(v, 3, axis=0)))
        labels, weights = jnp.tile(jnp.arange(3), 8), jnp.asarray(v.ravel() / 8)
        for row in reference["C"]["SC_vs_TMRD_calibrated"]:
            point = tosc.sample_and_communicate(log_v, labels, float(row["lam"]), weights)
            np.testing.assert_allclose(point.rate, row["SC_R"], atol=1e-9)
            np.testing.assert_allclose(point.distortion, row["SC_D"], atol=1e-9)
            np.testing.assert_allclose(rate_at(problem, point.distortion).rate, row["TMRD_R"], atol=1e-9)

    def test_miscalibration(self, reference):
        v = np.array(reference["C"]["tmrd_8x3"]["V"])
        for row, power in zip(reference["C"]["miscalibration"], (0.5, 2.0), strict=True):
            eta = v**power / (v**power).sum(1, keepdims=True)
            np.testing.assert_allclose(np.abs(eta - v).max(1).mean(), row["kappa"], atol=1e-12)
            log_v = jnp.asarray(np.log(np.repeat(v, 3, axis=0)))
            labels, weights = jnp.tile(jnp.arange(3), 8), jnp.asarray(eta.ravel() / 8)
            point = tosc.sample_and_communicate(log_v, labels, row["lam"], weights)
            np.testing.assert_allclose(point.rate, row["SC_R"], atol=1e-9)
            np.testing.assert_allclose(point.distortion, row["SC_D_true"], atol=1e-9)
            believed = rate_at(tosc.model_aware_problem(v), point.distortion).rate
            true = rate_at(tosc.model_aware_problem(eta), point.distortion).rate
            np.testing.assert_allclose(believed, row["TMRD_model_believed"], atol=1e-9)
            np.testing.assert_allclose(true, row["TMRD_true"], atol=1e-9)
            assert (float(believed) > float(point.rate)) == row["violation_TMRDmodel_gt_SC"]
            # the sandwich: R_model(D + kappa) <= R_true(D) <= R_model(D - kappa)
            model = tosc.model_aware_problem(v)
            d, kappa = float(point.distortion), row["kappa"]
            assert rate_at(model, d + kappa).rate <= true + 1e-9
            assert true <= rate_at(model, d - kappa).rate + 1e-9


class TestLaws:
    """theory.md's table, curve by curve."""

    @given(joint=joints())
    def test_oracle_is_convex_and_nonincreasing(self, joint):
        prior = joint.sum(1)
        d = np.linspace(0, 1, 60)
        rate = np.asarray(categorical.rate(prior, d))
        assert_nonincreasing(d, rate, tol=1e-12)
        assert_convex(d, rate, tol=1e-9)
        assert (rate[d >= 1 - prior.max()] == 0).all()

    @given(joint=joints())
    def test_indirect_is_convex_nonincreasing_and_above_the_oracle(self, joint):
        problem = tosc.indirect_problem(joint)
        curve = sweep(problem, SLOPES)
        assert np.asarray(curve.converged).all()
        d, rate, gap = (np.asarray(a) for a in (curve.distortion, curve.rate, curve.gap))
        assert (np.diff(rate) >= -2e-9).all()
        assert_convex(d, rate, tol=1e-7)
        assert (np.asarray(categorical.rate(joint.sum(1), d)) <= rate + gap + 1e-9).all()
        beyond = rate_at(problem, 1 - float(joint.sum(1).max()) + 1e-15)  # D_0 may be the least distortion too
        assert float(beyond.rate) < 1e-9

    @given(joint=joints())
    def test_estimate_and_compress_substitutes(self, joint):
        """(D_hat, R) convex; |D_Y - D_hat| <= D_TM; above iE&C; R <= H(Yt); its envelope below it."""
        joint = jnp.asarray(joint)
        points = ec_curve(joint)
        d_hat, d_y, rate = (np.asarray(a) for a in (points.estimate_distortion, points.distortion, points.rate))
        d_tm, d_0, h = (float(x) for x in tosc.landmarks(joint))
        assert_convex(d_hat, rate, tol=1e-9)
        assert (np.abs(d_y - d_hat) <= d_tm + 1e-9).all()
        assert (rate <= h + 1e-12).all()
        problem = tosc.indirect_problem(joint)
        for i in (20, 150, 350):
            assert float(rate_at(problem, d_y[i]).lower) <= rate[i] + 1e-9
        shared = np.append(d_y, d_0), np.append(rate, 0.0)
        envelope = np.asarray(lower_convex_envelope(*shared))
        assert (envelope <= shared[1] + 1e-12).all()
        order = np.argsort(shared[0])
        assert (np.diff(envelope[order]) <= 1e-9).all()
        assert_convex(shared[0], envelope, tol=1e-7)

    @given(joint=joints())
    def test_channel_of_estimate_and_compress(self, joint):
        """D_Y in closed form is that of the solved channel."""
        joint = jnp.asarray(joint)
        estimate = joint.sum(0)
        d_hat = 0.4 * (1 - float(estimate.max()))
        if float(categorical.slope(estimate, d_hat)) == np.inf or d_hat < 1e-9:
            return
        from jaxrd import Problem

        problem = Problem(estimate, 1 - jnp.eye(len(estimate)))
        point = solve(problem, categorical.slope(estimate, d_hat))
        channel = optimal_channel(problem, point)
        right = float((joint * channel.T).sum())
        found = tosc.estimate_and_compress(joint, point.distortion)
        np.testing.assert_allclose(found.distortion, 1 - right, atol=1e-6)
        np.testing.assert_allclose(found.rate, point.rate, atol=1e-8)

    @given(joint=joints())
    def test_time_sharing(self, joint):
        joint = jnp.asarray(joint)
        d_tm, d_0, h = (float(x) for x in tosc.landmarks(joint))
        middle = float(tosc.time_sharing(joint, 0.5 * (d_tm + d_0)))
        if d_tm >= d_0:
            assert np.isnan(middle)
        else:
            np.testing.assert_allclose(middle, h / 2)
            np.testing.assert_allclose(tosc.time_sharing(joint, d_tm), h)
            assert float(tosc.time_sharing(joint, d_tm - 1e-3)) == np.inf
            assert float(tosc.time_sharing(joint, min(d_0 + 1e-3, 1.0))) == 0

    @given(joint=joints())
    def test_merge_baseline(self, joint):
        """R nonincreasing in k; D need not rise; after time sharing above iE&C."""
        points = tosc.merge_baseline(jnp.asarray(joint))
        rate, d = np.asarray(points.rate), np.asarray(points.distortion)
        assert (np.diff(rate) <= 1e-12).all()
        assert rate[-1] == 0
        np.testing.assert_allclose(rate[0], entropy(joint.sum(0)), atol=1e-12)
        np.testing.assert_allclose(d[0], 1 - np.trace(joint), atol=1e-12)
        problem = tosc.indirect_problem(joint)
        for i in range(len(rate)):
            assert float(rate_at(problem, d[i]).lower) <= rate[i] + 1e-9

    def test_merge_ties_do_not_hang_on_rounding(self):
        # Regression: classes predicted equally often were ordered by the rounding of their column sums.
        g = np.random.default_rng(7)
        labels = g.integers(0, 12, 600)
        decisions = np.repeat(np.arange(12), 50)
        points = tosc.merge_baseline(tosc.confusion_joint(labels, decisions, 12))
        for _ in range(3):
            name = g.permutation(12)
            other = tosc.merge_baseline(tosc.confusion_joint(name[labels], name[decisions], 12))
            np.testing.assert_allclose(other.rate, points.rate, atol=1e-12)
            ties_of_prior = len(np.unique(np.bincount(labels))) < 12
            if not ties_of_prior:
                np.testing.assert_allclose(other.distortion, points.distortion, atol=1e-12)

    def test_merge_order_of_ties(self):
        """Equally likely estimates: the one whose loss costs the label least goes first; the likeliest stays last."""
        joint = np.array([[0.30, 0.02, 0.10, 0.05], [0.05, 0.18, 0.0, 0.0], [0.03, 0.0, 0.10, 0.0], [0.02, 0, 0, 0.15]])
        assert joint.sum(0).tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2])
        # Sent as 0 instead: right with .02, .10 and .05, for .18, .10 and .15 before.
        assert merge_order(jnp.asarray(joint)).tolist() == [2, 3, 1, 0]
        points = tosc.merge_baseline(jnp.asarray(joint))
        np.testing.assert_allclose(points.distortion, [0.27, 0.27, 0.37, 0.53], atol=1e-12)
        # Of two likeliest the one with the likelier label stands for the others, whatever its loss would cost.
        tied = np.array([[0.30, 0.05, 0.05], [0.03, 0.28, 0.05], [0.02, 0.02, 0.20]])
        assert merge_order(jnp.asarray(tied)).tolist() == [2, 1, 0]

    def test_merge_distortion_is_not_monotone(self):
        # The rare estimate is always wrong, and is right once sent as the likeliest class.
        joint = jnp.array([[0.5, 0.1, 0.1], [0.1, 0.2, 0.0], [0.0, 0.0, 0.0]])
        d = np.asarray(tosc.merge_baseline(joint).distortion)
        assert d[1] < d[0]

    @pytest.mark.slow
    @given(v=posteriors())
    def test_model_aware_is_convex_nonincreasing_and_lowest(self, v):
        problem = tosc.model_aware_problem(v)
        curve = sweep(problem, SLOPES)
        assert np.asarray(curve.converged).all()
        d, rate = np.asarray(curve.distortion), np.asarray(curve.rate)
        assert (np.diff(rate) >= -2e-9).all()
        assert_convex(d, rate, tol=1e-7)
        # calibrated labels: TMRD lies below S&C and below iE&C of its own decisions
        n, k = v.shape
        log_v = jnp.asarray(np.log(np.repeat(v, k, axis=0)))
        labels, weights = jnp.tile(jnp.arange(k), n), jnp.asarray(v.ravel() / n)
        for t in (0.3, 1.0, 5.0):
            point = tosc.sample_and_communicate(log_v, labels, t, weights)
            assert float(rate_at(problem, point.distortion).lower) <= float(point.rate) + 1e-9
        decisions = jnp.asarray(np.repeat(v.argmax(1), k))
        joint = tosc.confusion_joint(labels, decisions, k, weights)
        coarse = tosc.indirect_problem(joint)
        d_mid = 0.5 * (float(solve(coarse, np.inf).distortion) + 1 - float(joint.sum(1).max()))
        assert float(rate_at(problem, d_mid).lower) <= float(rate_at(coarse, d_mid).rate) + 1e-9

    @given(v=posteriors())
    def test_sample_when_calibrated(self, v):
        """At t = 1: (I(X;Y), 1 - E|V|^2); D nonincreasing in t."""
        n, k = v.shape
        log_v = jnp.asarray(np.log(np.repeat(v, k, axis=0)))
        labels, weights = jnp.tile(jnp.arange(k), n), jnp.asarray(v.ravel() / n)
        one = tosc.sample_and_communicate(log_v, labels, 1.0, weights)
        information = float(entropy(v.mean(0)) - entropy(v).mean())
        np.testing.assert_allclose(one.rate, information, atol=1e-12)
        np.testing.assert_allclose(one.distortion, 1 - (v**2).sum(1).mean(), atol=1e-12)
        d = [
            float(tosc.sample_and_communicate(log_v, labels, t, weights).distortion) for t in (0.0, 0.5, 1.0, 3.0, 20.0)
        ]
        assert (np.diff(d) <= 1e-12).all()
        np.testing.assert_allclose(d[0], 1 - 1 / k, atol=1e-12)

    def test_one_hot_posteriors_return_the_oracle(self):
        # The trap of theory.md: labels as "posteriors" know too much.
        labels = np.repeat(np.arange(4), (10, 5, 3, 2))
        problem = tosc.model_aware_problem(np.eye(4)[labels])
        for d in (0.05, 0.2, 0.4):
            prior = np.bincount(labels) / 20
            np.testing.assert_allclose(rate_at(problem, d).rate, categorical.rate(prior, d), atol=1e-8)


class TestCalibration:
    def test_temperature_minimises_the_loss(self):
        g = np.random.default_rng(0)
        z = 3 * g.standard_normal((500, 6))
        labels = np.array([g.choice(6, p=np.exp(row / 2.5) / np.exp(row / 2.5).sum()) for row in z])

        def loss(t):
            return float(-np.asarray(tosc.log_posterior(z, t))[np.arange(500), labels].mean())

        best = minimize_scalar(loss, bounds=(0.5, 10), method="bounded", options={"xatol": 1e-10}).x
        np.testing.assert_allclose(tosc.fit_temperature(z, labels), best, rtol=1e-6)

    @pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
    def test_any_scale(self, scale):
        z = np.array([[2.0, 0.0]] * 4) * scale
        np.testing.assert_allclose(tosc.fit_temperature(z, [0, 0, 0, 1]), 2 * scale / np.log(3), rtol=1e-9)

    @pytest.mark.parametrize("mask", [-1e4, -1e7, -1e9, -3e38, -np.inf])
    def test_a_masked_class_does_not_count(self, mask):
        """Regression: T = 1000 to 1e32, from a unit that was the largest difference."""
        g = np.random.default_rng(0)
        z = 3 * g.standard_normal((500, 6))
        labels = np.array([g.choice(6, p=np.exp(row / 2.5) / np.exp(row / 2.5).sum()) for row in z])
        masked = np.column_stack([z, np.full(500, mask)])
        masked[::7, 2] = np.where(labels[::7] == 2, z[::7, 2], mask)  # and one that is ruled out for some samples
        plain = np.where(masked[:, :6] == mask, -1e3, masked[:, :6])
        np.testing.assert_allclose(
            tosc.fit_temperature(masked, labels),
            tosc.fit_temperature(np.c_[plain, plain[:, 0] - 1e3], labels),
            rtol=1e-9,
        )

    def test_the_search_is_bounded(self):
        """Regression: 2.6e124. Labels that the scores contradict are likeliest under the flattest posterior."""
        z, y = np.array([[2.0, 0.0]] * 4), np.array([1, 1, 1, 0])
        assert float(tosc.fit_temperature(z, y)) == pytest.approx(2e6)
        assert float(tosc.fit_temperature(1e300 * z, y)) == pytest.approx(2e306)
        assert doubts(z, y, 2e6, np.arange(4))[-1].startswith("the fit of the temperature ended at its bound, 2e+06")

    @pytest.mark.parametrize("rows", [[5], [5, 17]])
    def test_outlier_rows_are_named(self, rows):
        g = np.random.default_rng(0)
        z = 3 * g.standard_normal((500, 6))
        labels = np.array([g.choice(6, p=np.exp(row / 2.5) / np.exp(row / 2.5).sum()) for row in z])
        fitted = float(tosc.fit_temperature(z, labels))
        assert doubts(z, labels, fitted, np.arange(500)) == []
        spoilt = z.copy()
        spoilt[rows, labels[rows]] = -1e4
        spoilt[5, labels[5]] *= 3
        words = doubts(spoilt, labels, float(tosc.fit_temperature(spoilt, labels)), 1000 + np.arange(500))
        who = "sample 1005 alone moves" if len(rows) == 1 else "2 samples, of which sample 1005 is the worst, move"
        assert words[0].startswith(f"{who} the temperature from {fitted:.2f}")
        assert len(words) == 2  # and that it is at the bound

    def test_nothing_to_fit(self):
        assert float(tosc.fit_temperature(np.eye(3), [0, 1, 2])) == 1

    def test_reliability(self):
        log_v = np.log(np.array([[0.8, 0.2], [0.8, 0.2], [0.3, 0.7], [0.3, 0.7]]))
        found = tosc.reliability(log_v, np.array([0, 1, 1, 1]))
        # bin of .8: accuracy 1/2; bin of .7: accuracy 1
        np.testing.assert_allclose(found.ece, (2 * 0.3 + 2 * 0.3) / 4)
        np.testing.assert_allclose(found.nll, -np.log([0.8, 0.2, 0.7, 0.7]).mean())
        np.testing.assert_allclose(found.brier, np.mean([2 * 0.04, 2 * 0.64, 2 * 0.09, 2 * 0.09]))
        assert [(b.samples, b.accuracy) for b in found.table] == [(2, 1.0), (2, 0.5)]
        np.testing.assert_allclose([b.confidence for b in found.table], [0.7, 0.8])
        np.testing.assert_allclose([b.low for b in found.table], [10 / 15, 12 / 15])

    @pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
    def test_kappa_of_a_distortion_of_probabilities(self, reference, power):
        """reference.json, section C, miscalibration: truth v^power; kappa .1335 and .1114 there, 0 at power 1."""
        v = np.array(reference["C"]["tmrd_8x3"]["V"])
        eta = v**power / (v**power).sum(1, keepdims=True)
        g = np.random.default_rng(0)
        rows = g.integers(8, size=20_000)
        labels = (g.random((20_000, 1)) > np.cumsum(eta[rows], 1)[:, :-1]).sum(1)
        kappa = np.abs(eta - v).max(1).mean()
        assert estimated_kappa(np.log(v[rows]), labels) == pytest.approx(kappa, abs=0.012)

    def test_kappa_leaves_out_the_noise_of_the_labels(self):
        """Stated .9, right 280 times in 400: .2 off, of which the labels' noise is sqrt(.9 .1 / 400)."""
        found = estimated_kappa(np.log([[0.9, 0.1]] * 400), [0] * 280 + [1] * 120)
        assert found == pytest.approx(np.sqrt(0.2**2 - 0.09 / 400), rel=1e-12)

    def test_kappa_cannot_be_seen_where_errors_cancel(self):
        """The estimate averages over inputs of like confidence: no bound, as it says."""
        v = np.array([[0.7, 0.3]] * 1000)
        labels = np.repeat([0, 1], [700, 300])  # rows known beforehand: the truth is one-hot, kappa = .42
        assert estimated_kappa(np.log(v), labels) < 1e-6


class TestSmallestRate:
    @given(g=generators(), target=st.floats(0.05, 0.95))
    def test_against_a_dense_scan(self, g, target):
        a, b, c = g.uniform(0.5, 3, 3)

        def curve(t):
            d = 0.5 + 0.4 * np.cos(a * 3 * t + b)
            return d, 1.2 + np.sin(c * 2 * t) + 0.3 * t

        grid = np.linspace(0, 3, 200)
        d, r = curve(grid)
        found = tosc.smallest_rate(grid, d, r, lambda t: tuple(map(float, curve(t))), target)
        dense_d, dense_r = curve(np.linspace(0, 3, 400_001))
        met = dense_d <= target
        best = dense_r[met].min() if met.any() else np.inf
        if np.isinf(best) or np.isinf(found):
            assert best == found or met.mean() < 0.01
        else:
            assert abs(found - best) < 2e-5


class TestDips:
    """Regression: label-measured distortion may dip below D_TM on the way to it; rates there were null or H(Yt)."""

    def test_the_curve_is_drawn_to_where_the_nearest_tie_saturates(self):
        scores = jnp.array([[0.3, 0.5, 0.2], [0.6, 0.2, 0.2], [0.4, 0.4, 0.2]])  # apart by 0.2, 0.4, and tied
        drawn = drawing.saturation(drawing.least_margin(scores), 2.0)
        np.testing.assert_allclose(drawn, 2 * 100 ** (np.arange(1, 13) / 12), rtol=1e-12)  # to 40 / 0.2, six a decade
        assert drawing.saturation(1e-9, 2.0)[-1] == pytest.approx(1e6)
        assert drawing.saturation(np.inf, 2.0).size == 0

    def case(self, seed, scale):
        g = np.random.default_rng(seed)
        v = g.dirichlet(np.full(4, 0.6), 400)
        labels = np.array([g.choice(4, p=row) for row in v])
        return tosc.from_scores(scale * np.log(v + 1e-9), labels)

    @pytest.mark.slow
    @pytest.mark.parametrize(("seed", "scale"), [(0, 0.1), (1, 0.1), (2, 0.3), (3, 1.0), (4, 0.02), (5, 0.1)])
    def test_below_and_at_d_tm(self, seed, scale):
        outputs = self.case(seed, scale)
        log_v = tosc.log_posterior(outputs.logits)
        v = np.exp(np.asarray(log_v))
        d_tm = float((outputs.decisions != outputs.labels).mean())
        # An independent dense scan in t and s.
        sampled = [tosc.sample_and_communicate(log_v, outputs.labels, t) for t in np.geomspace(0.1, 1e6, 1500)]
        problem = jax.tree.map(jnp.asarray, tosc.model_aware_problem(v))
        solved = sweep(problem, np.geomspace(1, 1e6, 600))
        measured = [
            float(tosc.label_distortion(problem, jax.tree.map(lambda a, i=i: a[i], solved), outputs.labels))
            for i in range(600)
        ]
        for name, d, rate in (
            ("S&C", [float(p.distortion) for p in sampled], [float(p.rate) for p in sampled]),
            ("TMRD", measured, solved.rate),
        ):
            d, rate = np.array(d), np.asarray(rate)
            for target in (d_tm, d_tm - 0.5 * max(d_tm - d.min(), 0), d_tm + 0.02):
                if not (d <= target).any():
                    continue
                scanned = rate[d <= target].min()
                for slopes in (8, 32):
                    found = tosc.limits(outputs, temperature=1.0, slopes=slopes, at=[target]).at[0][name]
                    assert found <= scanned + 1e-9, (name, target, slopes)
                    assert found >= scanned - 0.03, (name, target, slopes)


class TestLimits:
    @pytest.fixture
    def outputs(self):
        g = np.random.default_rng(4)
        v = g.dirichlet(np.full(3, 0.4), 400)
        labels = np.array([g.choice(3, p=row) for row in v])
        return tosc.from_scores(np.log(v + 1e-9), labels)

    def test_fixed_temperature_uses_every_sample(self, outputs):
        found = tosc.limits(outputs, temperature=1.0, slopes=8)
        assert found.summary["samples"] == found.summary["samples_total"] == 400
        assert found.summary["nll"] == found.summary["nll_before"]

    def test_fitted_temperature_splits(self, outputs):
        found = tosc.limits(outputs, slopes=8, seed=3)
        assert found.summary["samples"] == 200
        order = np.random.default_rng(3).permutation(400)
        half = outputs.take(order[:200])
        np.testing.assert_allclose(found.summary["temperature"], tosc.fit_temperature(half.logits, half.labels))
        rest = outputs.take(order[200:])
        assert found.summary["task_model_distortion"] == pytest.approx((rest.decisions != rest.labels).mean())
        other = tosc.limits(outputs, slopes=8, seed=4)
        assert other.summary["temperature"] != found.summary["temperature"]

    def test_rates_are_solved_not_interpolated(self, outputs):
        coarse = tosc.limits(outputs, temperature=1.0, slopes=6, at=[0.3, 0.45])
        fine = tosc.limits(outputs, temperature=1.0, slopes=60, at=[0.3, 0.45])
        for a, b in zip(coarse.at, fine.at, strict=True):
            for name in ("oRD", "E&C", "iE&C", "S&C", "TMRD", "TS", "TMRD_model"):
                np.testing.assert_allclose(a[name], b[name], atol=2e-8, err_msg=name)

    def test_rates_agree_with_the_curves(self, outputs):
        found = tosc.limits(outputs, temperature=1.0, slopes=40, at=[0.4])
        row = found.at[0]
        for name, curve in found.curves.items():
            met = curve.distortion <= 0.4
            assert row[name] <= curve.rate[met].min() + 1e-8, name
        assert row["oRD"] <= row["TMRD"]
        assert row["TMRD"] <= row["S&C"] + 0.02  # sampled labels: up to their noise

    def test_every_point_has_a_status_and_valid_gap(self, outputs):
        found = tosc.limits(outputs, temperature=1.0, slopes=8)
        assert set(found.curves) == set(tosc.CURVES)
        for name, curve in found.curves.items():
            n = len(curve.rate)
            assert all(len(a) == n for a in (curve.distortion, curve.slope, curve.gap, curve.status)), name
            assert set(curve.status) <= {Status.CONVERGED, Status.EXACT, Status.ACHIEVABLE}
            certified = curve.status != Status.ACHIEVABLE
            assert (curve.gap[certified] <= 1e-9).all()
            assert np.isnan(curve.gap[~certified]).all()

    def test_beyond_reach_and_beyond_d_0(self, outputs):
        row = tosc.limits(outputs, temperature=1.0, slopes=8, at=[0.01, 0.9]).at
        assert row[0]["oRD"] > 0
        assert all(row[0][k] == np.inf for k in ("E&C", "iE&C", "S&C", "TMRD", "TS", "merge", "TMRD_model"))
        assert all(abs(row[1][k]) < 1e-9 for k in row[1] if k != "distortion")

    def test_hard_decisions(self):
        outputs = tosc.from_decisions(np.array([0, 1, 1, 2, 2, 2]), np.array([0, 1, 2, 2, 2, 1]))
        found = tosc.limits(outputs, slopes=4, at=[0.4])
        assert set(found.curves) == {"oRD", "E&C", "iE&C", "TS", "merge"}
        assert found.at[0]["TMRD"] is found.at[0]["S&C"] is found.at[0]["TMRD_model"] is None
        assert any("need scores" in w for w in found.warnings)
        line, joint = found.curves["TS"], tosc.confusion_joint(outputs.labels, outputs.decisions, 3)
        shared = [float(tosc.time_sharing(joint, d)) for d in line.distortion]
        np.testing.assert_allclose(line.rate, shared, rtol=1e-12, atol=1e-15)
        assert len(set(shared)) == len(shared) > 3

    def test_estimates_are_compressed_from_their_own_largest_distortion(self):
        """Of the estimates' marginal, not the labels': here 1/3 of one and 1/2 of the other are the likeliest."""
        labels, estimates = np.array([0, 0, 1, 1, 2, 2]), np.array([2, 0, 1, 2, 2, 1])
        found = tosc.limits(tosc.from_decisions(estimates, labels), slopes=4, at=[0.6])
        shown = found.curves["E&C"].parameters["estimate_distortion"]
        np.testing.assert_allclose([shown[0], shown[-1]], [1 / 2, 0], atol=1e-15)
        assert found.curves["E&C"].rate[0] == 0

    def test_useless_classifier_has_no_time_sharing(self):
        found = tosc.limits(tosc.from_decisions(np.array([0, 0, 0, 1, 1, 1]), np.array([1, 1, 1, 1, 0, 0])), at=[0.3])
        assert "TS" not in found.curves
        assert found.at[0]["TS"] is None
        assert any("TS is undefined" in w for w in found.warnings)

    def test_ties_of_the_prior_do_not_crash(self):
        # Regression: at a critical slope of zero the solver's point is not the silence the curve begins with.
        scores = np.array([[1.0, 0], [0, 1.0], [2.0, 0], [0, 2.0]])
        found = tosc.limits(
            tosc.from_scores(scores, np.array([0, 1, 0, 0]), probabilities=False),
            at=[0.1, 0.2, 0.25, 0.3],
            temperature=1.0,
        )
        assert found.at[2]["TMRD"] == 0
        found = tosc.limits(
            tosc.from_scores(-scores, np.array([0, 1, 0, 0]), probabilities=False),
            at=[0.1, 0.2, 0.3, 0.8],
            temperature=1.0,
        )
        assert found.at[3]["TMRD"] == 0

    def test_a_class_that_always_wins(self):
        # The critical slope is inf: no slope buys anything.
        scores = np.array([[1.0, 0], [2.0, 0], [3.0, 1]])
        found = tosc.limits(tosc.from_scores(scores, np.array([0, 1, 0])), at=[0.2, 0.5], temperature=1.0)
        assert found.at[0]["TMRD"] == np.inf
        assert found.at[1]["TMRD"] == 0

    def test_from_d_0_on_nothing_needs_to_be_sent(self):
        """Regression: "beyond" for the curves whose own silence names another class than the likeliest label."""
        scores = np.array([[1.0, 0], [2.0, 0], [3.0, 1], [2.0, 0.5]])
        found = tosc.limits(tosc.from_scores(scores, np.array([1, 1, 0, 1])), at=[0.25, 0.3, 0.2], temperature=1.0)
        assert found.summary["zero_rate_distortion"] == 0.25
        for row in found.at[:2]:
            assert all(row[name] == 0 for name in ("oRD", "TMRD", "iE&C", "S&C", "E&C", "merge"))
            assert row["TS"] is None
            assert row["TMRD_model"] >= 0  # over its own distortion
        assert found.at[2]["TMRD"] == found.at[2]["S&C"] == np.inf

    def test_a_rare_class_is_split_too(self):
        """Regression: a traceback where its only sample fell into the half that fits the temperature."""
        labels = np.array([0, 0, 0, 1, 0, 0, 0, 0])
        for seed in range(4):
            found = tosc.limits(
                tosc.from_scores(np.random.default_rng(0).normal(size=(8, 2)), labels), seed=seed, at=[0.1]
            )
            assert found.summary["zero_rate_distortion"] == 0.25
            assert np.isfinite(found.at[0]["oRD"])

    def test_one_label_alone(self):
        """A reproduction alphabet of one letter is ordinary: everything is 0 bits at no distortion."""
        logits = np.array([[1.0, 0], [0, 1.0], [2.0, 0], [0, 2.0]])
        one = tosc.Outputs(np.zeros(4, int), logits.argmax(1), 2, logits)
        found = tosc.limits(one, at=[0.0, 0.3], temperature=1.0)
        assert all(row[name] == 0 for row in found.at for name in ("oRD", "TMRD", "iE&C", "S&C", "E&C", "merge"))
        assert all(np.isfinite(curve.rate).all() for curve in found.curves.values())
        assert (found.curves["iE&C"].rate == 0).all()

    def test_a_class_that_is_masked_everywhere_is_left_out(self, outputs):
        masked = tosc.Outputs(outputs.labels, outputs.decisions, 4, np.c_[outputs.logits, np.full(400, -1e7)])
        plain, found = (tosc.limits(o, slopes=8, seed=3, at=[0.4]) for o in (outputs, masked))
        assert found.summary["temperature"] == pytest.approx(plain.summary["temperature"], rel=1e-9)
        assert found.at[0] == pytest.approx(plain.at[0], abs=1e-9)
        assert found.summary["classes"] == 3
        assert any("probability 0 in every row and no label: class 3" in w for w in found.warnings)
        for name, curve in plain.curves.items():
            np.testing.assert_allclose(found.curves[name].rate, curve.rate, atol=1e-9)

    def test_curves_are_in_their_order(self, outputs):
        """Best to worst: the order of the figure's legend, the table and the files."""
        order = ["oRD", "TMRD", "iE&C", "S&C", "E&C", "TS", "merge"]
        assert list(tosc.CURVES) == order
        assert list(tosc.limits(outputs, temperature=1.0, slopes=4).curves) == order

    def test_default_targets(self, outputs):
        rows = tosc.limits(outputs, slopes=4, at=None).at
        assert len(rows) == 3
        assert all(np.isfinite(row["TMRD"]) for row in rows)

    def test_a_bad_posterior_is_told(self):
        g = np.random.default_rng(2)
        v = g.dirichlet(np.full(4, 0.5), 3000)
        labels = np.array([g.choice(4, p=row) for row in v])
        confused = np.log(v + 1e-9) * np.where(g.random(3000) < 0.5, 0.05, 20)[:, None]
        found = tosc.limits(tosc.from_scores(confused, labels), temperature=1.0, slopes=6, at=[0.5, 0.6])
        assert any("lies below TMRD" in w for w in found.warnings)

    @pytest.mark.parametrize("swapped", [False, True])
    def test_a_decision_that_is_no_label_and_a_label_never_decided(self, swapped):
        """iE&C leaves out the estimates and the labels that do not occur, each by its own axis."""
        one, other = np.repeat([0, 1], 50), np.concatenate([np.repeat([0, 2], [40, 10]), np.repeat([1, 2], [45, 5])])
        labels, decisions = (other, one) if swapped else (one, other)
        found = tosc.limits(tosc.from_decisions(decisions, labels, classes=3), at=[0.2, 0.3], slopes=8)
        problem = tosc.indirect_problem(tosc.confusion_joint(labels, decisions, 3))
        for row in found.at:
            assert row["iE&C"] == pytest.approx(float(rate_at(problem, row["distortion"]).rate), abs=1e-8)
        assert found.curves["iE&C"].rate.max() == pytest.approx(float(solve(problem, np.inf).rate), abs=1e-8)

    def test_large_empty_alphabets_cost_nothing(self):
        g = np.random.default_rng(0)
        labels = g.integers(0, 5, 200) * 300
        decisions = np.where(g.random(200) < 0.7, labels, 300)
        sparse = tosc.limits(tosc.from_decisions(decisions, labels), slopes=6, at=[0.4]).at[0]
        dense = tosc.limits(tosc.from_decisions(decisions // 300, labels // 300), slopes=6, at=[0.4]).at[0]
        for name in ("oRD", "iE&C", "E&C", "TS", "merge"):
            assert sparse[name] == pytest.approx(dense[name], abs=1e-8), name

    def test_never_predicted_classes_are_masked(self):
        g = np.random.default_rng(0)
        labels = g.integers(0, 5, 300)
        decisions = np.where(labels == 4, 3, labels)
        found = tosc.limits(tosc.from_decisions(decisions, labels), slopes=6, at=[0.3])
        for curve in found.curves.values():
            assert np.isfinite(curve.rate).all()
            assert np.isfinite(curve.distortion).all()
        assert np.isfinite(found.at[0]["iE&C"])

    def test_miscalibration_beyond_noise_alone_is_told(self):
        # Regression: the side and the size were those of the largest difference, noise or not.
        believed = np.array([0.5, 0.04])
        nothing = np.full(2, np.nan)
        for measured, words in (([0.54, 0.021], "worse than its labels show, by up to 0.019"), ([0.54, 0.045], None)):
            curve = Curve(np.array(measured), nothing, nothing, nothing, nothing, believed)
            found = miscalibration(curve, 1000)
            assert found is None if words is None else words in found

    @pytest.mark.slow
    def test_a_calibrated_posterior_is_hardly_ever_called_miscalibrated(self):
        alarms = 0
        for seed in range(40):
            g = np.random.default_rng(seed)
            v = g.dirichlet(np.full(3, 0.5), 500)
            labels = jnp.asarray((g.random((500, 1)) > np.cumsum(v, 1)[:, :-1]).sum(1))
            prior = jnp.bincount(labels, length=3) / 500
            bound = model_aware.draw(Posterior(np.log(np.maximum(v, 1e-9)), labels, 1.0), np.asarray(prior), 6)
            alarms += miscalibration(bound.curve, 500) is not None
        assert alarms <= 1  # three standard deviations, at a dozen correlated points

    def test_overconfidence_is_told(self):
        g = np.random.default_rng(1)
        v = g.dirichlet(np.full(3, 1.0), 2000)
        labels = np.array([g.choice(3, p=row) for row in v])
        found = tosc.limits(tosc.from_scores(6 * np.log(v), labels), temperature=1.0, slopes=6)
        assert any("believes itself better" in w for w in found.warnings)
        curve = found.curves["TMRD"]
        assert curve.distortion.min() > curve.model_distortion.min() + 0.1

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"at": [1.2]}, "got 1.2"),
            ({"temperature": 0.0}, "positive number; got 0"),
            ({"slopes": 1}, "must be an integer >= 2; got 1"),
        ],
    )
    def test_bad_arguments(self, outputs, kwargs, message):
        with pytest.raises(InputError, match=message):
            tosc.limits(outputs, **kwargs)

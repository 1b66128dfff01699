"""The Gaussian mixture of paper [A]: independent values, brute force on the line, laws, derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import two_letter_optimum
from scipy.integrate import quad

from jaxrd import rate_at, tosc
from jaxrd.closed_form import binary
from jaxrd.information import NATS_PER_BIT, binary_entropy
from jaxrd.tosc import mixture
from jaxrd.tosc.mixture import GaussianMixture
from jaxrd.tosc.mixture.compressed import _two_atoms
from jaxrd.tosc.mixture.source import rule

PAPER = GaussianMixture()
LINE = np.linspace(-20, 20, 4001)
MIXTURES = [(0.5, 1.0), (0.3, 1.0), (0.9, 0.6), (0.02, 3.0)]


two_atoms = jax.jit(_two_atoms)


def mass(q, a):
    """The mixture on a fine grid, where the trapezoid rule errs by less than rounding."""
    p = ((1 - q) * np.exp(-((LINE + a) ** 2) / 2) + q * np.exp(-((LINE - a) ** 2) / 2)) / np.sqrt(2 * np.pi)
    return p * (LINE[1] - LINE[0])


class TestReference:
    """theory.md and reference.json, section B."""

    def test_figure_values(self):
        # theory.md, end of section B
        bits = {0.16: 0.932979700202, 0.20: 0.590862952347, 0.25: 0.373816337071, 0.30: 0.226342294327}
        for d, value in (bits | {0.40: 0.053332923740}).items():
            np.testing.assert_allclose(mixture.indirect_rate(PAPER, d) / NATS_PER_BIT, value, atol=1e-12)

    def test_curves(self, reference):
        case = reference["B"]["gmm"]
        joint = mixture.decision_joint(PAPER)
        e = float(case["eps_Q1"])
        np.testing.assert_allclose(tosc.landmarks(joint).task_model_distortion, float(case["D_TM"]), atol=1e-15)
        for row in case["curves"]:
            d = float(row["D"])
            point = mixture.indirect(PAPER, float(row["lam_nats"]))
            np.testing.assert_allclose(point.distortion, d, atol=1e-14)
            np.testing.assert_allclose(point.rate, float(row["iRD_nats"]), atol=1e-14)
            np.testing.assert_allclose(mixture.indirect_rate(PAPER, d), float(row["iRD_nats"]), atol=1e-14)
            coded = tosc.estimate_and_compress(joint, (d - e) / (1 - 2 * e))
            aware = rate_at(tosc.indirect_problem(joint), d)
            for ours, key in (
                (coded.rate, "EC_bits"),
                (aware.rate, "iEC_bits"),
                (np.log(2) - binary_entropy((d - e) / (1 - 2 * e)), "iEC_bits"),
                (binary.rate(0.5, d), "oRD_bits"),
                (tosc.time_sharing(joint, d), "TS_bits"),
            ):
                np.testing.assert_allclose(ours / NATS_PER_BIT, float(row[key]), atol=1e-12, err_msg=key)
            np.testing.assert_allclose(coded.distortion, d, atol=1e-12)

    def test_information(self, reference):
        case = reference["B"]["gmm"]
        h = mixture.differential_entropy(PAPER)
        np.testing.assert_allclose(h, float(case["h_X_nats"]), rtol=1e-14)
        noise = 0.5 * np.log(2 * np.pi * np.e)
        np.testing.assert_allclose((h - noise) / NATS_PER_BIT, float(case["I_YX_bits"]), rtol=1e-13)

    def test_sample_and_communicate(self, reference):
        for row in reference["B"]["gmm"]["S&C"]:
            point = mixture.sample_and_communicate(PAPER, float(row["lam"]))
            np.testing.assert_allclose(point.distortion, float(row["D"]), atol=1e-13)
            np.testing.assert_allclose(point.rate / NATS_PER_BIT, float(row["R_bits"]), atol=1e-13)

    def test_compress_and_estimate(self, reference):
        for row in reference["B"]["gmm"]["C&E"]:
            slope = float(row["lam"]) if "lam" in row else 0.5 / float(row["D_X"])
            point = mixture.compress_and_estimate(PAPER, slope)
            np.testing.assert_allclose(point.squared_error, float(row["D_X"]), atol=1e-13)
            np.testing.assert_allclose(point.rate / NATS_PER_BIT, float(row["R_bits"]), atol=1e-12)
            np.testing.assert_allclose(point.distortion, float(row["D_Y"]), atol=1e-12)

    def test_two_atoms_are_sample_and_communicate(self, reference):
        for row in reference["B"]["CE_equals_SC"]["two_point"]:
            point = mixture.compress_and_estimate(PAPER, float(row["lam_CE"]))
            sample = mixture.sample_and_communicate(PAPER, float(row["lam_SC"]))
            np.testing.assert_allclose(point.rate, sample.rate, atol=1e-13)
            np.testing.assert_allclose(point.distortion, sample.distortion, atol=1e-13)
            np.testing.assert_allclose(point.rate / NATS_PER_BIT, float(row["CE_R_bits"]), atol=1e-13)
            np.testing.assert_allclose(point.distortion, float(row["CE_D"]), atol=1e-13)
        end = reference["B"]["CE_equals_SC"]["at_DX1"]
        point = mixture.compress_and_estimate(PAPER, 0.5)
        np.testing.assert_allclose(point.distortion, float(end["SC_lambda1_D"]), atol=1e-12)
        np.testing.assert_allclose(point.rate / NATS_PER_BIT, float(end["SC_lambda1_R_bits"]), atol=1e-12)

    def test_compress_and_estimate_is_flat_then_falls(self, reference):
        rows = reference["B"]["CE_fine_nonconvex"]
        points = [mixture.compress_and_estimate(PAPER, 0.5 / row["D_X"]) for row in rows]
        for row, point in zip(rows, points, strict=True):
            np.testing.assert_allclose(point.rate / NATS_PER_BIT, row["R_bits"], atol=1e-13)
            # These entries hold to 3.4e-7 only (D_X = .4); the quadrature below settles it.
            np.testing.assert_allclose(point.distortion, row["D_Y"], atol=4e-7)
        rate, d = (np.array([float(getattr(p, k)) for p in points]) for k in ("rate", "distortion"))
        assert abs(d[-4:] - d[-1]).max() < 2e-7  # D_X from .95 to 1: flat
        chord = d[-1] + (d[0] - d[-1]) * (rate - rate[-1]) / (rate[0] - rate[-1])
        assert (d - chord).max() > 0.003  # above its chord: not convex

    @pytest.mark.parametrize("d_x", [0.4, 0.9])
    def test_label_error_by_iterated_quadrature(self, d_x):
        z = np.linspace(-10, 10, 4001)
        blur = np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])

        def wrong(y):  # density of the reproduction times the error of deciding 1 there
            modes = np.exp(-((y - np.array([-1, 1])) ** 2) / 2 / (1 - d_x)).sum() / 2 / np.sqrt(2 * np.pi * (1 - d_x))
            return modes * (blur @ (1 / (1 + np.exp(2 * (y + np.sqrt(d_x) * z)))))

        slow = 2 * sum(quad(wrong, k, k + 1, epsabs=1e-14, epsrel=1e-13)[0] for k in range(8))
        ours = mixture.compress_and_estimate(PAPER, 0.5 / d_x).distortion
        np.testing.assert_allclose(ours, slow, atol=1e-12)

    def test_another_prior(self, reference):
        case = reference["B"]["gmm_prior_0p3"]
        skewed = GaussianMixture(0.3)
        joint = mixture.decision_joint(skewed)
        d_tm, d_0, h = tosc.landmarks(joint)
        found = (d_tm, d_0, h, joint[:, 1].sum(), mixture.threshold(skewed))
        for ours, key in zip(found, ("D_TM", "D_0", "H_Yt_nats", "p_yt1", "MAP_threshold"), strict=True):
            np.testing.assert_allclose(ours, float(case[key]), atol=1e-14)
        for row in case["rows"]:
            point = mixture.indirect(skewed, float(row["lam_nats"]))
            for ours, key in zip(point, ("R_nats", "D", "q1"), strict=True):
                np.testing.assert_allclose(ours, float(row[key]), atol=1e-14)


class TestBruteForce:
    @settings(max_examples=15)
    @given(q=st.floats(0.02, 0.98), a=st.floats(0.1, 3), s=st.floats(-1, 1.3).map(lambda e: 10**e))
    def test_indirect(self, q, a, s):
        """R + s D against the least Lagrangian over the share, by minimisation on the grid."""
        v = 1 / (1 + np.exp(-np.clip(2 * a * LINE + np.log(q / (1 - q)), -700, 700)))
        p = mass(q, a)
        best, _ = two_letter_optimum(p / p.sum(), np.stack([v, 1 - v], 1), s)
        point = mixture.indirect(GaussianMixture(q, a), s)
        np.testing.assert_allclose(point.rate + s * point.distortion, best, rtol=1e-10, atol=1e-10)
        assert point.rate >= 0

    @settings(max_examples=20)
    @given(q=st.floats(0.05, 0.95), a=st.floats(0.5, 5), share=st.floats(1e-3, 1))
    def test_two_atoms_are_optimal(self, q, a, share):
        """The certificate of the continuous source: rate + s D_X = F of some two atoms, whose c is at most 1."""
        model = GaussianMixture(q, a)
        critical = float(mixture.critical_slope(model))
        s = critical + share * (0.4999 - critical)
        point = mixture.compress_and_estimate(model, float(s))
        two, rare = two_atoms(model, jnp.asarray(s))
        if bool(rare):
            assert point.rate == 0
            return
        y, w = np.asarray(two.centroid), np.asarray(two.share)
        p = mass(q, a)
        z = np.exp(-s * (LINE[:, None] - y) ** 2) @ w
        np.testing.assert_allclose(point.rate + s * point.squared_error, -p @ np.log(z), rtol=1e-9)
        reach = np.linspace(-a - 6, a + 6, 601)
        c = np.exp(-s * (LINE[None] - reach[:, None]) ** 2) @ (p / z)
        assert c.max() < 1 + 1e-10
        assert point.distortion <= min(q, 1 - q) + 1e-12

    @pytest.mark.parametrize(("q", "a"), MIXTURES)
    def test_critical_slope(self, q, a):
        """E X alone is optimal up to it and no further: sup_t of ln E exp(t (X - E X)) / t^2 is 1 / 4 s."""
        t = np.linspace(-40, 40, 800_001)
        t = t[np.abs(t) > 1e-2]
        log_mgf = t**2 / 2 + np.logaddexp(np.log(q) + a * t, np.log1p(-q) - a * t) - a * (2 * q - 1) * t
        slope = float(mixture.critical_slope(GaussianMixture(q, a)))
        np.testing.assert_allclose(slope, 0.25 / (log_mgf / t**2).max(), rtol=1e-5)
        silent = mixture.compress_and_estimate(GaussianMixture(q, a), 0.999 * slope)
        assert silent.rate == 0
        np.testing.assert_allclose(silent.squared_error, 1 + 4 * q * (1 - q) * a**2, rtol=1e-14)
        np.testing.assert_allclose(silent.distortion, min(q, 1 - q))

    @pytest.mark.parametrize(("centre", "scale"), [(0.3, 1.0), (0.3, 1e-6), (-40.0, 0.1), (5.0, 1e3)])
    def test_rule(self, centre, scale):
        """Moments of the mixture, wherever the nodes gather."""
        x, w = rule(GaussianMixture(0.3, 2.0), centre, scale)
        np.testing.assert_allclose([w.sum(), w @ x, w @ x**2], [1, -0.8, 5], rtol=1e-13)


class TestLaws:
    @pytest.mark.slow
    @pytest.mark.parametrize(("q", "a"), MIXTURES)
    def test_order_and_shape(self, q, a):
        model = GaussianMixture(q, a)
        joint = mixture.decision_joint(model)
        points = jax.vmap(partial(mixture.indirect, model))(jnp.geomspace(0.3, 300, 60))
        rate, d = np.asarray(points.rate), np.asarray(points.distortion)
        assert (np.diff(rate) >= -1e-14).all()
        assert (np.diff(d) <= 1e-14).all()
        lossy = rate > 1e-6
        slopes = np.diff(rate[lossy]) / np.diff(d[lossy])
        assert (np.diff(slopes) <= 1e-6 * np.abs(slopes[1:])).all()  # convex: steeper as D falls
        assert (np.asarray(binary.rate(q, d)) <= rate + 1e-12).all()
        aware = tosc.indirect_problem(joint)
        for i in (20, 35, 50):
            assert rate[i] <= float(rate_at(aware, d[i]).rate) + 1e-12
        for t in (0.4, 1.0, 3.0):
            sample = mixture.sample_and_communicate(model, t)
            assert float(mixture.indirect_rate(model, float(sample.distortion))) <= float(sample.rate) + 1e-12
        for s in (0.3, 0.45, 0.6, 2.0):
            point = mixture.compress_and_estimate(model, s)
            assert float(mixture.indirect_rate(model, float(point.distortion))) <= float(point.rate) + 1e-9

    @pytest.mark.parametrize(("q", "a"), MIXTURES)
    def test_mirror(self, q, a):
        one, other = GaussianMixture(q, a), GaussianMixture(1 - q, a)
        for found, mirrored in (
            (mixture.indirect(one, 4.0)[:2], mixture.indirect(other, 4.0)[:2]),
            (mixture.compress_and_estimate(one, 0.4), mixture.compress_and_estimate(other, 0.4)),
            (mixture.compress_and_estimate(one, 0.9), mixture.compress_and_estimate(other, 0.9)),
            (mixture.sample_and_communicate(one, 1.5), mixture.sample_and_communicate(other, 1.5)),
        ):
            np.testing.assert_allclose(found, mirrored, atol=1e-12)

    @pytest.mark.parametrize(("q", "a"), MIXTURES)
    def test_regimes_of_compress_and_estimate_meet(self, q, a):
        below, at = (mixture.compress_and_estimate(GaussianMixture(q, a), s) for s in (0.5 - 1e-10, 0.5))
        np.testing.assert_allclose(below, at, atol=1e-8)
        np.testing.assert_allclose(at.squared_error, 1)

    def test_ends(self):
        d_tm = float(tosc.landmarks(mixture.decision_joint(PAPER)).task_model_distortion)
        steep = mixture.indirect(PAPER, np.inf)
        np.testing.assert_allclose([steep.rate, steep.distortion], [np.log(2), d_tm], atol=1e-10)
        np.testing.assert_allclose(mixture.indirect_rate(PAPER, d_tm), np.log(2), rtol=1e-14)
        assert mixture.indirect_rate(PAPER, d_tm - 1e-6) == np.inf
        assert mixture.indirect_rate(PAPER, 0.5) == 0
        flat = mixture.indirect(PAPER, 0.0)
        np.testing.assert_allclose([flat.rate, flat.distortion], [0, 0.5], atol=1e-15)
        silent = mixture.sample_and_communicate(PAPER, 0.0)
        np.testing.assert_allclose([silent.rate, silent.distortion], [0, 0.5], atol=1e-15)

    def test_drowned_atoms_are_nan_not_wrong(self):
        # Modes that nearly coincide, a skewed prior: rounding hides where the second atom stands.
        point = mixture.compress_and_estimate(GaussianMixture(0.94, 0.06), 0.4971)
        assert np.isnan(point.rate) or point.rate < 1e-12

    def test_rank_is_checked(self):
        with pytest.raises(ValueError, match=r"scalars only; got shapes \[\(2,\)"):
            mixture.indirect(GaussianMixture(np.array([0.3, 0.5])), 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "transform", "at"),
    [
        (mixture.indirect_rate, jax.jacrev, (0.2, 0.29)),  # and through it `indirect`
        (mixture.compress_and_estimate, jax.jacfwd, (0.4, 0.8)),
    ],
)
def test_transforms(function, transform, at):
    """Under vmap as alone, and derivatives in prior, separation and slope against finite differences."""

    def stacked(q, a, s):
        return jnp.hstack(jax.tree.leaves(function(GaussianMixture(q, a), s)))

    def both(q, a, s):
        return stacked(q, a, s), transform(stacked, argnums=(0, 1, 2))(q, a, s)

    here, h = np.array([[0.3, 1.0, s] for s in at]).T, 1e-5
    values, slopes = jax.jit(jax.vmap(both))(*here)
    for i, s in enumerate(at):
        np.testing.assert_allclose(values[i], stacked(0.3, 1.0, s), atol=1e-13)
        for slope, step in zip(slopes, h * np.eye(3), strict=True):
            there, back = (stacked(*(np.array([0.3, 1.0, s]) + sign * step).tolist()) for sign in (1, -1))
            np.testing.assert_allclose(slope[i], (there - back) / (2 * h), atol=1e-8)

"""C&E of discrete sources: independent values, brute force, and what D_Y does not obey."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrd import Problem, optimal_channel, rate_at, tosc
from jaxrd.closed_form import gaussian, remote_gaussian, vector_gaussian
from jaxrd.distortion import hamming, remote, squared_error
from jaxrd.information import NATS_PER_BIT
from jaxrd.solvers import blahut_arimoto
from jaxrd.testing import certified_gap, generators
from jaxrd.tosc import mixture
from jaxrd.tosc.curves.compressed import map_distortion


def gaussian_mixture(letters=145, reach=6.0):
    """The example of [A], section II-C, on a grid: J[y, x] and its squared errors."""
    x = np.linspace(-reach, reach, letters)
    p = np.asarray(mixture.density(mixture.GaussianMixture(), x))
    v = np.asarray(mixture.posterior(mixture.GaussianMixture(), x))
    return np.stack([1 - v, v]) * p / p.sum(), np.asarray(squared_error(x, x))


def test_label_error_falls_and_rises(reference):
    """theory.md: the D_Y axis is neither convex nor monotone."""
    case = reference["B"]["CE_nonmonotone"]
    x, p, y = (np.array(case[k]) for k in ("x", "p", "y"))
    joint = np.stack([p * (y == 0), p * (y == 1)])
    found = []
    for row in case["rows"]:
        point = tosc.compress_and_estimate(joint, squared_error(x, x), row["lam"])
        np.testing.assert_allclose(point.rate, row["R_nats"], atol=1e-9)
        np.testing.assert_allclose(point.compression.distortion, row["D_X"], atol=1e-9)
        np.testing.assert_allclose(point.distortion, row["D_Y"], atol=1e-9)
        found.append((float(point.rate), float(point.distortion)))
    (r1, d1), (r2, d2), (r3, d3) = found[2:5]
    assert r1 < r2 < r3
    assert d1 < d2 - 0.01 < d3 - 0.03  # more rate, more errors


def test_label_error_is_flat_while_the_rate_goes_elsewhere():
    """X = (+-3, +-1), Y the sign of the weak component: the first bit goes to the strong one."""
    x, reproduction = (
        np.stack(np.meshgrid([3 * k for k in ks], ks), -1).reshape(-1, 2) for ks in ((-1, 1), (-1, 0, 1))
    )
    joint = np.stack([x[:, 1] < 0, x[:, 1] > 0]) / 4
    points = [tosc.compress_and_estimate(joint, squared_error(x, reproduction), s) for s in (0.1, 0.3, 1.5)]
    rate, d_y = (np.array([float(getattr(p, k)) for p in points]) for k in ("rate", "distortion"))
    assert 0.5 < rate[0] < rate[1] - 0.1 < rate[2] - 0.6
    np.testing.assert_allclose(d_y[:2], 0.5, atol=1e-6)
    assert d_y[2] < 0.1


def test_gaussian_pair_is_flat_then_drops(reference):
    """The same with Gaussian components of variances 4 and 1, by reverse water-filling.

    The entries of reference.json name no source; this one has them to the last digit.
    """
    for row in reference["B"]["CE_flat_then_drop"]:
        total = vector_gaussian.distortion(np.array([4.0, 1.0]), row["R_nats"])
        weak = jnp.minimum(total / 2, 1)  # the water level, or all of the weak component
        correlation = jnp.sqrt(1 - weak)
        np.testing.assert_allclose(jnp.arccos(correlation) / np.pi, row["D_Y"], atol=1e-9)


@pytest.mark.parametrize("slope", [1.0, 0.34])
def test_plain_blahut_arimoto_as_in_the_paper(reference, slope):
    """The discretised curve of [A]: 6000 steps on a grid of 1/12."""
    joint, d = gaussian_mixture()
    row = reference["B"]["CE_BA_discretisation"][f"C&E_BA_check_lam{slope:g}"]
    problem = Problem(joint.sum(0), d)
    point = blahut_arimoto(problem, slope, max_steps=6000)
    error = map_distortion(joint, optimal_channel(problem, point))
    np.testing.assert_allclose(point.rate / NATS_PER_BIT, row["R_bits"], atol=1e-5)
    np.testing.assert_allclose(point.distortion, row["D_X"], atol=1e-5)
    np.testing.assert_allclose(error, row["D_Y"], atol=1e-5)
    exact = mixture.compress_and_estimate(mixture.GaussianMixture(), slope)
    np.testing.assert_allclose(error, exact.distortion, atol=2e-3)
    np.testing.assert_allclose(point.rate / NATS_PER_BIT, exact.rate / NATS_PER_BIT, atol=2e-3)


def test_a_certified_rate_does_not_settle_the_label_error():
    """Two reproduction laws, both within 1e-6 nat of R(D_X), whose D_Y differ by 0.0078.

    X is a blur of the optimal law, and undoing a blur is ill-posed: a comb serves X as well as the smooth law does,
    with a tooth on the threshold or without.
    """
    joint, d = gaussian_mixture()
    x, p, slope = np.linspace(-6, 6, 145), joint.sum(0), 1.0
    smooth = np.exp(-((x - 1) ** 2)) + np.exp(-((x + 1) ** 2))  # the modes, of variance 1 - D_X = 1/2
    errors = []
    for first in (0, 4):
        law = np.where((np.arange(145) - first) % 8 == 0, smooth, 0)
        assert certified_gap(p, d, slope, law) < 1e-6
        channel = law * np.exp(-slope * d)
        errors.append(float(map_distortion(joint, channel / channel.sum(1, keepdims=True))))
    assert errors[0] > errors[1] + 0.0078


@given(g=generators(), slope=st.floats(-1, 2).map(lambda e: 10.0**e))
@settings(max_examples=20)
def test_against_brute_force_and_above_the_indirect_bound(g, slope):
    joint = g.dirichlet(np.full(18, 0.5)).reshape(3, 6)
    x = g.standard_normal(6)
    point = tosc.compress_and_estimate(joint, squared_error(x, x), slope)
    problem = Problem(joint.sum(0), squared_error(x, x))
    channel = np.asarray(optimal_channel(problem, point.compression))
    guesses = np.array([[sum(joint[y, i] * channel[i, k] for i in range(6)) for y in range(3)] for k in range(6)])
    np.testing.assert_allclose(point.distortion, 1 - guesses.max(1).sum(), atol=1e-12)
    assert joint.sum() - joint.max(0).sum() - 1e-12 <= point.distortion <= 1 - joint.sum(1).max() + 1e-12
    indirect = Problem(joint.sum(0), remote(hamming(3), (joint / joint.sum(0)).T))
    assert float(rate_at(indirect, point.distortion).lower) <= float(point.rate) + 1e-9


def test_ends():
    joint, d = gaussian_mixture(25)
    lossless = tosc.compress_and_estimate(joint, d, np.inf)
    np.testing.assert_allclose(lossless.distortion, joint.min(0).sum(), atol=1e-14)
    silent = tosc.compress_and_estimate(joint, d, 0.0)
    np.testing.assert_allclose([silent.rate, silent.distortion], [0, 0.5], atol=1e-12)


def test_optimal_beyond_identity():
    """[A]: C&E is optimal only if Y = X. Counterexample: X = Y + N jointly Gaussian, squared errors."""
    power, noise = 2.0, 0.5
    gain = power / (power + noise)
    mmse = gain * noise
    for d_y in (0.45, 0.8, 1.5):
        d_x = (d_y - mmse) / gain**2  # E (Y - gain Xh)^2 = mmse + gain^2 D_X
        compress = gaussian.rate(power + noise, d_x)
        np.testing.assert_allclose(compress, remote_gaussian.rate(power, noise, d_y), rtol=1e-13)


def test_transforms():
    joint, d = gaussian_mixture(25)
    slopes = jnp.array([0.3, 0.6, 2.0])
    many = jax.jit(jax.vmap(partial(tosc.compress_and_estimate, joint, d)))(slopes)
    for i, slope in enumerate(slopes):
        one = tosc.compress_and_estimate(joint, d, slope)
        np.testing.assert_allclose(many.distortion[i], one.distortion, atol=1e-6)
        np.testing.assert_allclose(many.rate[i], one.rate, atol=1e-8)

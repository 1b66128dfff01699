"""Closed forms against independent values, their inverses, their derivatives, and the certified solver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import INTERIOR, NAMES

from jaxrd import Problem, rate_at
from jaxrd.closed_form import (
    binary,
    bottleneck,
    categorical,
    erasure,
    exponential,
    gauss_markov,
    gaussian,
    laplacian,
    remote_gaussian,
    vector_gaussian,
)
from jaxrd.information import entropy
from jaxrd.testing import pmfs


def f(row, *keys):
    return tuple(np.asarray(row[k], float) for k in keys)


# section of reference.json -> (module, parameters of a row)
ROWS = {
    "binary_hamming": (binary, lambda r: f(r, "q")),
    "uniform_Mary_hamming": (categorical, lambda r: (np.full(r["M"], 1 / r["M"]),)),
    "gaussian_mse": (gaussian, lambda r: f(r, "var")),
    "vector_gaussian": (vector_gaussian, lambda r: f(r, "eig")),
    "laplacian_abs": (laplacian, lambda r: f(r, "scale_b")),
    "exponential_onesided": (exponential, lambda r: f(r, "mean")),
    "erasure_uniform": (erasure, lambda r: (r["M"],)),
    "gauss_markov": (gauss_markov, lambda r: f(r, "rho")),
    "gaussian_indirect_mse": (remote_gaussian, lambda r: f(r, "varY", "varN")),
}


@pytest.mark.parametrize("section", ROWS)
def test_reference_values(reference, section):
    module, parameters = ROWS[section]
    tolerance = 1e-11 if section == "gauss_markov" else 1e-13
    for row in reference["A"][section]:
        args = parameters(row)
        d, rate = float(row["D"]), float(row["R_nats"])
        np.testing.assert_allclose(module.rate(*args, d), rate, rtol=tolerance)
        np.testing.assert_allclose(module.distortion(*args, rate), d, rtol=1e-11)


@pytest.mark.parametrize("case", ["p5", "ties"])
def test_erokhin_reference(reference, case):
    entry = reference["A"]["erokhin"][case]
    p = np.array(entry["p"], float)
    for row in entry["rows"]:
        d = float(row["D"])
        np.testing.assert_allclose(categorical.rate(p, d), float(row["R_nats"]), rtol=1e-13)
        np.testing.assert_allclose(categorical.slope(p, d), float(row["lam_nats"]), rtol=1e-13)
        np.testing.assert_allclose(categorical.reproduction(p, d), np.array(row["q"], float), atol=1e-14)
        np.testing.assert_allclose(categorical.distortion(p, float(row["R_nats"])), d, rtol=1e-11)
        np.testing.assert_allclose(categorical.distortion_at_slope(p, float(row["lam_nats"])), d, rtol=1e-12)


def test_bottleneck_reference(reference):
    for row in reference["A"]["gaussian_ib_scalar"]:
        found = bottleneck.information(float(row["rho"]), float(row["R"]))
        np.testing.assert_allclose(found, float(row["I_SU_nats"]), rtol=1e-13)
    for row in reference["A"]["gaussian_ib_vector"]:
        rho, rate = np.array(row["rho"], float), float(row["R_nats"])
        np.testing.assert_allclose(bottleneck.information(rho, rate), float(row["I_nats"]), rtol=1e-13)
        slope = jax.grad(bottleneck.information, argnums=1)(jnp.asarray(rho), rate)
        np.testing.assert_allclose(slope, float(row["dI_dR"]), rtol=1e-12)


# (module, parameters, interior distortions)
@pytest.mark.parametrize(("module", "args", "distortions"), INTERIOR, ids=NAMES)
def test_inverse_and_vectorised(module, args, distortions):
    d = np.array(distortions)
    rates = module.rate(*args, d)
    assert rates.shape == d.shape
    assert (np.diff(rates) < 0).all()
    np.testing.assert_allclose([module.rate(*args, x) for x in d], rates, rtol=1e-13)
    np.testing.assert_allclose(module.distortion(*args, rates), d, rtol=1e-9)
    assert module.distortion(*args, rates[None, :]).shape == (1, len(d))


@pytest.mark.parametrize(("module", "args", "distortions"), INTERIOR, ids=NAMES)
def test_derivatives(module, args, distortions):
    for d in distortions:
        h = 1e-5 * d
        slope = jax.grad(lambda x: module.rate(*args, x))(d)
        numeric = (module.rate(*args, d + h) - module.rate(*args, d - h)) / (2 * h)
        np.testing.assert_allclose(slope, numeric, rtol=2e-5)
        back = jax.grad(lambda r: module.distortion(*args, r))(module.rate(*args, d))
        np.testing.assert_allclose(back * slope, 1, rtol=1e-8)
    # in the first parameter too
    if module not in (categorical, vector_gaussian, erasure):
        d, x = distortions[1], args[0]
        slope = jax.grad(lambda x: module.rate(x, *args[1:], d))(x)
        numeric = (module.rate(x + 1e-6, *args[1:], d) - module.rate(x - 1e-6, *args[1:], d)) / 2e-6
        np.testing.assert_allclose(slope, numeric, rtol=1e-6)


@pytest.mark.parametrize(("module", "args", "distortions"), INTERIOR, ids=NAMES)
def test_second_derivative(module, args, distortions):
    d = distortions[1]
    slope = jax.grad(lambda x: module.rate(*args, x))
    h = 1e-5 * d
    np.testing.assert_allclose(jax.grad(slope)(d), (slope(d + h) - slope(d - h)) / (2 * h), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(("module", "args", "distortions"), INTERIOR, ids=NAMES)
def test_ends(module, args, distortions):
    assert module.rate(*args, -0.1) == np.inf
    assert module.rate(*args, 1e3) == 0
    assert module.distortion(*args, -0.1) == np.inf
    largest = module.distortion(*args, 0.0)
    assert abs(module.rate(*args, largest)) < 1e-12
    assert not np.isnan(jax.grad(lambda x: module.rate(*args, x))(1e3))


def test_lossless_ends():
    p = np.array([0.1, 0.4, 0.2, 0.3])
    np.testing.assert_allclose(categorical.rate(p, 0.0), entropy(p), rtol=1e-14)
    np.testing.assert_allclose(categorical.reproduction(p, 0.0), p)
    np.testing.assert_allclose(binary.rate(0.3, 0.0), entropy(np.array([0.3, 0.7])), rtol=1e-14)
    assert gaussian.rate(1.0, 0.0) == np.inf
    assert categorical.rate(np.array([0.0, 1.0]), 0.0) == 0
    np.testing.assert_allclose(categorical.reproduction(p, 0.6), [0, 1, 0, 0], atol=1e-14)


def test_no_rate_is_below_zero():
    q = np.random.default_rng(0).uniform(0.01, 0.5, 500)
    rates = np.asarray(binary.rate(q, np.nextafter(q, 0)))
    assert (rates >= 0).all()
    assert (rates < 1e-14).all()
    slopes = jax.vmap(jax.grad(binary.rate, 1))(q, np.nextafter(q, 0))
    np.testing.assert_allclose(slopes, np.log(q / (1 - q)), atol=1e-12)


@pytest.mark.slow
def test_rounding_at_the_zero_rate_end():
    # theory.md: rounding at D ~ D_max can fall through the search over k; the answer there is 0.
    g = np.random.default_rng(0)
    for _ in range(200):
        p = g.dirichlet(np.ones(g.integers(2, 30)))
        d_max = 1 - p.max()
        around = d_max * (1 + np.arange(-4, 5) * 2.0**-52)
        rates = np.asarray(categorical.rate(p, around))
        assert (rates >= 0).all()
        assert (rates < 1e-14).all()
        assert np.isfinite(np.asarray(categorical.reproduction(p, around))).all()


@given(p=pmfs(5), share=st.floats(0.001, 0.999))
def test_erokhin_inside_certificate(p, share):
    d = share * (1 - p.max())
    point = rate_at(Problem(p, 1 - np.eye(5)), d)
    exact = float(categorical.rate(p, d))
    assert point.rate - point.gap - 1e-14 <= exact <= point.rate + 1e-14
    # the slope formula is the derivative, and the reproduction has the right distortion
    q = np.asarray(categorical.reproduction(p, d))
    np.testing.assert_allclose(q.sum(), 1, atol=1e-12)
    assert (q >= -1e-15).all()


@given(p=pmfs(6, concentration=(0.3, 3.0)), s=st.floats(0.01, 30))
def test_erokhin_by_slope(p, s):
    d = categorical.distortion_at_slope(p, s)
    lossy = float(d) < (1 - p.max()) * (1 - 1e-12)
    if lossy:
        np.testing.assert_allclose(categorical.slope(p, d), s, rtol=1e-6)


def test_gauss_markov_limits():
    np.testing.assert_allclose(gauss_markov.rate(0.0, 0.3), gaussian.rate(1.0, 0.3), rtol=1e-13)
    np.testing.assert_allclose(gauss_markov.rate(-0.7, 0.3), gauss_markov.rate(0.7, 0.3), rtol=1e-14)
    # against a fine sum over the spectrum
    w = (np.arange(200_000) + 0.5) * np.pi / 200_000
    s = (1 - 0.95**2) / (1 - 2 * 0.95 * np.cos(w) + 0.95**2)
    level = 1.7
    d, rate = np.minimum(level, s).mean(), np.maximum(0.5 * np.log(s / level), 0).mean()
    np.testing.assert_allclose(gauss_markov.rate(0.95, d), rate, rtol=1e-8)


def test_bottleneck_ends():
    assert bottleneck.information(0.5, 0.0) == 0
    np.testing.assert_allclose(bottleneck.information(1.0, 0.7), 0.7)
    np.testing.assert_allclose(bottleneck.information(0.6, 50.0), -0.5 * np.log(1 - 0.36), rtol=1e-14)
    assert bottleneck.information(0.0, 3.0) == 0
    assert np.isnan(bottleneck.information(0.5, -1.0))


def test_gradient_with_an_empty_class():
    slope = jax.grad(lambda p: categorical.rate(p, 0.1))(jnp.array([0.5, 0.3, 0.2, 0.0]))
    assert np.isfinite(slope[:3]).all()
    assert not np.isnan(slope).any()


def test_rank_is_checked():
    with pytest.raises(ValueError, match=r"shape \(letters,\); got \(2, 2\)"):
        categorical.rate(np.eye(2), 0.1)


@pytest.mark.parametrize(
    ("rate", "slope"),
    [
        (lambda d: binary.rate(0.3, d), -jnp.inf),
        (lambda d: categorical.rate(jnp.array([0.7, 0.3, 0.0]), d), -jnp.inf),
        (lambda d: gaussian.rate(2.0, d), -jnp.inf),
        (lambda d: laplacian.rate(2.0, d), -jnp.inf),
        (lambda d: exponential.rate(2.0, d), -jnp.inf),
        (lambda d: vector_gaussian.rate(jnp.array([2.0, 1.0]), d), -jnp.inf),
        (lambda d: gauss_markov.rate(0.5, d), -jnp.inf),
        (lambda d: remote_gaussian.rate(1.0, 1.0, 0.5 + d), -jnp.inf),
        (lambda d: erasure.rate(4, d), -jnp.log(4)),
        (lambda d: categorical.rate(jnp.array([1.0, 0.0]), d), 0.0),
    ],
)
def test_derivative_at_the_least_distortion(rate, slope):
    """The one-sided one, as for `rate_at`: R falls there without bound, but for erasures."""
    np.testing.assert_allclose(jax.grad(rate)(0.0), slope, rtol=1e-12)
    assert jax.grad(rate)(-0.1) == 0  # +inf all around

"""The lower convex envelope, and curves on the host."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from jaxrd import Curve, Problem, Status, lower_convex_envelope, sweep
from jaxrd.testing import generators


def slow_envelope(d, r):
    """At each point: the least value over all chords around it, and over all points to its left."""
    out = []
    for x in d:
        best = r[d <= x].min()
        for i in np.flatnonzero(d <= x):
            for j in np.flatnonzero(d > x):
                best = min(best, r[i] + (r[j] - r[i]) * (x - d[i]) / (d[j] - d[i]))
        out.append(best)
    return np.array(out)


@given(g=generators(), n=st.sampled_from((1, 2, 5, 12)), ties=st.booleans())
def test_against_all_chords(g, n, ties):
    d, r = g.random(n), g.random(n)
    if ties:
        d, r = np.round(d, 1), np.round(r, 1)
    np.testing.assert_allclose(lower_convex_envelope(d, r), slow_envelope(d, r), atol=1e-12)


@given(g=generators())
def test_convex_nonincreasing_and_below(g):
    d, r = np.sort(g.random(40)), g.random(40)
    env = np.asarray(lower_convex_envelope(d, r))
    assert (env <= r + 1e-15).all()
    assert (np.diff(env) <= 1e-12).all()
    slopes = np.diff(env) / np.diff(d)
    assert (np.diff(slopes) >= -1e-7).all()
    # every vertex of the lower hull left of the minimum is kept exactly
    hull = ConvexHull(np.stack([d, r], 1))
    assert np.isclose(env, r).sum() >= 1
    assert set(np.flatnonzero(env == r)) <= set(hull.vertices) | set(np.flatnonzero(r == r.min()))


def test_nonfinite_points_are_left_out():
    d = jnp.array([0.0, 0.2, 0.5, jnp.nan, 1.0])
    r = jnp.array([2.0, jnp.inf, 1.5, 0.0, 0.0])
    np.testing.assert_allclose(lower_convex_envelope(d, r), [2.0, 1.6, 1.0, np.nan, 0.0])


def test_an_infinite_distortion_gets_the_floor():
    found = lower_convex_envelope([0.0, 1.0, 2.0, np.inf], [3.0, 1.0, 0.5, 0.2])
    np.testing.assert_allclose(found, [3.0, 1.0, 0.5, 0.5])


def test_jit_and_vmap():
    g = np.random.default_rng(0)
    d, r = g.random((3, 7)), g.random((3, 7))
    mapped = jax.jit(jax.vmap(lower_convex_envelope))(d, r)
    for i in range(3):
        np.testing.assert_allclose(mapped[i], lower_convex_envelope(d[i], r[i]), atol=1e-14)


def test_a_solution_gives_a_curve():
    problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    curve = sweep(problem, [1.0, 2.0]).curve()
    assert isinstance(curve, Curve)
    assert curve.rate.shape == (2,)
    assert list(curve.status) == [Status.CONVERGED] * 2
    moved = curve.with_distortion(curve.distortion + 0.1)
    np.testing.assert_array_equal(moved.model_distortion, curve.distortion)

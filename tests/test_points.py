"""One compiled program a size: padding changes no point, and what is known compiles nothing twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrd import Problem, Status, _points, distortion_at, interior_point, rate_at, solve, sweep

G = np.random.default_rng(3)


def problem(n, m, forbidden=False):
    d = G.gamma(0.5, size=(n, m))
    if forbidden:
        d = np.where((G.random((n, m)) < 0.3) & (np.arange(m) > 0), np.inf, d)
    return Problem(G.dirichlet(np.ones(n)), d)


def test_one_program_serves_every_function_and_every_size_of_its_kind():
    solve(problem(4, 4), 1.0)
    before = _points.in_turn._cache_size()
    for shape in ((4, 4), (3, 2), (2, 4), (1, 3)):
        small = problem(*shape)
        solve(small, 2.0)
        rate_at(small, 0.2, tol=1e-7)
        distortion_at(small, 0.3)
        sweep(small, [0.5, 1.0, 3.0])
        sweep(small, np.geomspace(0.1, 9, 50))
    assert _points.in_turn._cache_size() == before


@pytest.mark.parametrize("forbidden", [False, True])
@pytest.mark.parametrize("shape", [(5, 3), (33, 37), (7, 50)])
@pytest.mark.parametrize("slope", [0.7, 30.0, np.inf])
def test_padding_changes_no_point(shape, forbidden, slope):
    known = problem(*shape, forbidden=forbidden)
    padded, exact = solve(known, slope), interior_point(known, slope)
    assert padded.reproduction.shape == (shape[1],)
    np.testing.assert_allclose(padded.reproduction.sum(), 1, atol=1e-14)
    np.testing.assert_allclose([padded.rate, padded.distortion], [exact.rate, exact.distortion], atol=1e-9)
    assert padded.status == exact.status == Status.CONVERGED


@pytest.mark.parametrize("along", [rate_at, distortion_at])
@pytest.mark.parametrize("target", [-0.1, 0.0, 0.1, 0.3, 50.0])
def test_the_search_on_the_host_is_the_traced_one(along, target):
    for forbidden in (False, True):
        known = problem(6, 5, forbidden)
        traced = jax.jit(lambda x: along(known, x))(target)  # noqa: B023
        found = along(known, target)
        assert found.status == traced.status
        for name in ("rate", "distortion", "slope", "gap"):
            np.testing.assert_allclose(getattr(found, name), getattr(traced, name), rtol=1e-6, atol=1e-9)


def test_known_values_inside_another_functions_jit():
    known = problem(4, 4)
    inside = jax.jit(lambda x: x * rate_at(known, 0.2).rate + solve(known, 1.0).rate + sweep(known, [2.0]).rate[0])(1.0)
    outside = rate_at(known, 0.2).rate + solve(known, 1.0).rate + sweep(known, [2.0]).rate[0]
    np.testing.assert_allclose(inside, outside, rtol=1e-15)


def test_arrays_of_numpy_and_jax_give_the_same():
    known = problem(4, 4)
    other = jax.tree.map(jnp.asarray, known)
    assert float(solve(known, 1.0).rate) == float(solve(other, 1.0).rate)
    assert float(rate_at(known, 0.2).rate) == float(rate_at(other, 0.2).rate)


@given(st.integers(1, 10**7))
def test_sizes(count):
    size = _points.size(count)
    assert count <= size <= max(count + 3, count * 9 / 8)
    assert _points.size(size) == size

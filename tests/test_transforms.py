"""jit, vmap and autodiff of everything public; what importing costs; what a sweep compiles."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrd
from jaxrd import (
    Problem,
    Status,
    blahut_arimoto,
    critical_slope,
    distortion_at,
    interior_point,
    lower_convex_envelope,
    optimal_channel,
    rate_at,
    solve,
    sweep,
)
from jaxrd.distortion import squared_error

G = np.random.default_rng(0)
SOURCES = jnp.asarray(G.dirichlet(np.ones(5), 3))
DISTORTIONS = jnp.asarray(G.gamma(0.5, size=(3, 5, 4)))
PROBLEMS = Problem(SOURCES, DISTORTIONS)


def one(i):
    return Problem(SOURCES[i], DISTORTIONS[i])


FUNCTIONS = {
    "solve": lambda p: solve(p, 2.0),
    "interior_point": lambda p: interior_point(p, 2.0),
    "blahut_arimoto": lambda p: blahut_arimoto(p, 2.0, tol=1e-6),
    "rate_at": lambda p: rate_at(p, p.source @ p.distortion.min(1) + 0.05),
    "distortion_at": lambda p: distortion_at(p, 0.1),
    "critical_slope": critical_slope,
    "optimal_channel": lambda p: optimal_channel(p, solve(p, 2.0)),
    "sweep": lambda p: sweep(p, jnp.array([0.5, 5.0])),
    "envelope": lambda p: lower_convex_envelope(p.source, p.distortion[:, 0]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_jit_and_vmap_equal_the_plain_call(name):
    function = FUNCTIONS[name]
    mapped = jax.jit(jax.vmap(function))(PROBLEMS)
    for i in range(3):
        plain, lane = function(one(i)), jax.tree.map(lambda a, i=i: a[i], mapped)
        for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(lane), strict=True):
            if jnp.issubdtype(a.dtype, jnp.floating):
                np.testing.assert_allclose(a, b, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["interior_point", "blahut_arimoto"])
def test_bare_solvers_are_constants_to_autodiff(name):
    gradient = jax.grad(lambda d: FUNCTIONS[name](Problem(SOURCES[0], d)).rate)(DISTORTIONS[0])
    assert (gradient == 0).all()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_dtype_of_the_input_is_kept(dtype):
    problem = Problem(SOURCES[0].astype(dtype), DISTORTIONS[0].astype(dtype))
    for name in ("solve", "blahut_arimoto", "rate_at", "distortion_at", "sweep"):
        point = FUNCTIONS[name](problem)
        for field in (point.rate, point.distortion, point.gap, point.slope, point.reproduction):
            assert field.dtype == dtype, name


def test_python_scalars_cost_no_second_compile():
    size = jaxrd.solvers.interior_point.__globals__["compiled"]._cache_size
    interior_point(one(0), 2.0)
    before = size()
    for slope in (3, 3.5, np.float32(1), np.float64(2), jnp.asarray(1.0)):
        interior_point(one(1), slope)
    assert size() == before


def test_import_is_light_and_leaves_x64_alone():
    code = (
        "import sys, jaxrd, jax; "
        "assert not {'flax', 'matplotlib', 'typer', 'rich'} & set(sys.modules), set(sys.modules); "
        "assert not jax.config.jax_enable_x64; print('fine')"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "fine"


def test_public_names():
    for name in jaxrd.__all__:
        assert getattr(jaxrd, name).__doc__, name


@pytest.mark.slow
@pytest.mark.parametrize("size", [(5, 4), (20, 30), (50, 50)])
def test_a_distortion_computed_under_the_same_jit(size):
    # Regression: XLA computed the squares once for the row minima and again, by another rounding, for the kernel. At
    # slope inf no pair was then the least of its row.
    n, m = size
    g = np.random.default_rng(0)
    x, y = jnp.asarray(g.standard_normal(n)), jnp.asarray(g.standard_normal(m))
    source = jnp.full(n, 1 / n)

    def solved(x, y):
        return interior_point(Problem(source, squared_error(x, y)), jnp.inf)

    assert int(jax.jit(solved)(x, y).status) == int(solved(x, y).status) == Status.CONVERGED

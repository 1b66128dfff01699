"""Sweeps: one map or the other, padding, progress, one compile a shape."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest

from jaxrd import Problem, Status, _points, blahut_arimoto, interior_point, solve, sweep
from jaxrd import sweep as sweep_function

G = np.random.default_rng(0)
PROBLEM = jax.tree.map(jnp.asarray, Problem(G.dirichlet(np.ones(7)), G.gamma(0.5, size=(7, 5))))
GRID = np.geomspace(0.1, 30, 11)


@pytest.mark.parametrize("solver", [interior_point, blahut_arimoto])
@pytest.mark.parametrize("batch_size", [1, 4, 11, 64])
def test_every_batch_size_gives_each_single_solve(solver, batch_size):
    curve = sweep(PROBLEM, GRID, solver=solver, tol=1e-7, batch_size=batch_size)
    for i, slope in enumerate(GRID):
        single = solver(PROBLEM, jnp.asarray(slope), tol=1e-7)
        np.testing.assert_allclose(curve.rate[i], single.rate, atol=2e-7)
        np.testing.assert_allclose(curve.gap[i], single.gap, atol=1e-7)
        assert int(curve.status[i]) == int(single.status) == Status.CONVERGED


def test_vmapped_blahut_arimoto_equals_the_serial_map():
    # The accelerator's path against the CPU's, point by point: the same iterates, up to the order of sums.
    problem, grid = problems.p2(100)
    problem = jax.tree.map(jnp.asarray, problem)
    serial = sweep(problem, grid[::4], solver=blahut_arimoto, tol=1e-5, batch_size=1)
    lanes = sweep(problem, grid[::4], solver=blahut_arimoto, tol=1e-5, batch_size=16)
    np.testing.assert_allclose(serial.reproduction, lanes.reproduction, atol=1e-12)
    np.testing.assert_allclose(serial.rate, lanes.rate, rtol=1e-10)
    np.testing.assert_allclose(serial.distortion, lanes.distortion, rtol=1e-10)
    np.testing.assert_array_equal(serial.steps, lanes.steps)


def test_progress_counts_to_the_end():
    seen = []
    sweep(PROBLEM, GRID, batch_size=4, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(4, 11), (8, 11), (11, 11)]


def test_interrupt_between_batches():
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(PROBLEM, GRID, batch_size=4, progress=stop)


@pytest.mark.parametrize("count", [1, 9, 75])
def test_results_lie_in_the_order_of_the_grid(count):
    grid = np.random.default_rng(0).uniform(0.1, 5, count)
    curve = sweep(PROBLEM, grid)
    np.testing.assert_array_equal(curve.slope, grid)
    np.testing.assert_allclose(curve.rate[0], solve(PROBLEM, grid[0]).rate, atol=1e-9)


def test_one_trace_a_shape():
    traces = []

    def counted(problem, slope, *, tol=None):
        traces.append(slope)
        return interior_point(problem, slope, tol=tol)

    # On an accelerator the default batch is the whole grid.
    sweep(PROBLEM, GRID, solver=counted, batch_size=1)
    first = len(traces)
    # The first calls meet in threads: one compiles, the others wait for it.
    assert first == 1
    other = Problem(PROBLEM.source[::-1], PROBLEM.distortion[::-1] * 2)
    sweep(other, GRID * 1.1, solver=counted, batch_size=1)
    sweep(other, np.geomspace(0.2, 3, 30), solver=counted, batch_size=1)  # more slopes of the same batch
    assert len(traces) == first


def test_a_second_problem_of_the_same_shape_compiles_nothing():
    # The calls run side by side in threads: they share the one compiled program, whatever the number of slopes.
    g = np.random.default_rng(1)
    problem = Problem(g.dirichlet(np.ones(130)), g.gamma(0.5, size=(130, 131)))
    sweep(problem, GRID, batch_size=1)
    size = _points.in_turn._cache_size
    before = size()
    sweep(Problem(problem.source[::-1], problem.distortion[::-1] * 2), np.geomspace(0.2, 3, 30), batch_size=1)
    sweep(problem, [1.0], batch_size=1)
    assert size() == before


def test_traced_sweep_and_gradient_free():
    traced = jax.jit(lambda p: sweep(p, jnp.asarray(GRID)))(PROBLEM)
    np.testing.assert_allclose(traced.rate, sweep(PROBLEM, GRID).rate, atol=1e-9)


def test_sorted_and_convex():
    curve = sweep(PROBLEM, GRID)
    assert (np.diff(curve.rate) >= -1e-9).all()
    assert (np.diff(curve.distortion) <= 1e-9).all()


def test_solve_picks_blahut_arimoto_where_no_newton_matrix_fits(monkeypatch):

    monkeypatch.setattr("jaxrd.solvers._choice.NEWTON_BYTES", 100)
    point = jax.jit(lambda slope: solve(PROBLEM, slope, tol=1e-6))(1.0)  # traced anew: no program of before
    by_name = blahut_arimoto(PROBLEM, 1.0, tol=1e-6)
    assert int(point.steps) == int(by_name.steps)


@pytest.mark.parametrize(
    ("slopes", "kwargs", "message"),
    [
        (1.0, {}, r"slopes must have shape \(k,\)"),
        ([], {}, "k at least 1"),
        ([1.0, -2.0], {}, "slopes must be >= 0 .*; got -2"),
        ([np.nan], {}, "got nan"),
        ([1.0], {"batch_size": 0}, "batch_size must be an integer >= 1; got 0"),
    ],
)
def test_bad_grids(slopes, kwargs, message):
    with pytest.raises(ValueError, match=message):
        sweep_function(PROBLEM, slopes, **kwargs)


def test_threads_keep_the_precision_of_the_caller():
    # A context such as jax.enable_x64 belongs to its thread; the slopes are solved in others.
    code = (
        "import jax, numpy as np, jaxrd; g = np.random.default_rng(1)\n"
        "problem = jaxrd.Problem(g.dirichlet(np.ones(130)), g.gamma(0.5, size=(130, 131)))\n"
        "with jax.enable_x64(True):\n"
        "    curve = jaxrd.sweep(problem, np.geomspace(0.2, 3, 6))\n"
        "    assert curve.rate.dtype == np.float64 and curve.converged.all() and float(curve.gap.max()) < 1e-8\n"
        "    assert jaxrd._points.in_turn._cache_size() == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""A distortion made a block of rows at a time: the same points as the whole matrix, certified by other means."""

import jax
import numpy as np
import pytest

from jaxrd import InputError, Problem, Status, blahut_arimoto, critical_slope, distortion_at, rate_at, solve, sweep
from jaxrd.distortion import expected
from jaxrd.distortion.streamed import Streamed, block_rows
from jaxrd.solvers import _streamed

SLOPES = [0.3, 1.5, 6.0, 80.0, 1e5, np.inf]


def believed(z):
    return 1 - jax.nn.softmax(z, axis=1)


def as_it_is(d):
    return d


def classifier(n, m, seed=0, rows=128, scale=2.0):
    """A streamed problem, and the same as a matrix."""
    g = np.random.default_rng(seed)
    z = scale * g.standard_normal((n, m)) + 3 * np.eye(m)[g.integers(0, m, n)]
    source = g.dirichlet(np.ones(n))
    streamed = Streamed(lambda i, j: z[i:j], believed, (n, m), rows)
    return Problem(source, streamed), Problem(source, np.asarray(believed(z)))


def gap_of(problem, slope, q):
    """The certificate in numpy."""
    p, d = problem.source, np.asarray(problem.distortion)
    e = d - d.min(1, keepdims=True)
    k = np.exp(-slope * e) if np.isfinite(slope) else (e == 0).astype(float)
    z = k @ q
    c = (p / z) @ k
    r = q * c
    return np.log(c.max()) - (r * np.log(np.where(r > 0, c, 1))).sum()


@pytest.mark.parametrize(("n", "m"), [(1000, 6), (700, 70)])
def test_every_slope_is_that_of_the_matrix(n, m, monkeypatch):
    monkeypatch.setattr(_streamed, "_SAMPLE", 100 * m)  # a sample of 100 rows, far from the rest
    problem, matrix = classifier(n, m)
    curve, exact = sweep(problem, SLOPES, tol=1e-12), sweep(matrix, SLOPES, tol=1e-12)
    assert (np.asarray(curve.status) != Status.NONFINITE).all()
    np.testing.assert_allclose(curve.rate, exact.rate, atol=1e-10)
    np.testing.assert_allclose(curve.distortion, exact.distortion, atol=1e-10)
    for i, slope in enumerate(SLOPES):
        assert gap_of(matrix, slope, np.asarray(curve.reproduction[i])) <= float(curve.gap[i])
    assert (np.asarray(curve.gap)[:4] < 1e-11).all()


def test_targets_and_ends():
    problem, matrix = classifier(900, 5)
    np.testing.assert_allclose(critical_slope(problem), critical_slope(matrix), rtol=1e-9)
    np.testing.assert_allclose(expected(problem.distortion, problem.source), problem.source @ matrix.distortion)
    for target in (0.35, 0.5):
        np.testing.assert_allclose(rate_at(problem, target).rate, rate_at(matrix, target).rate, atol=1e-9)
    np.testing.assert_allclose(distortion_at(problem, 0.3).distortion, distortion_at(matrix, 0.3).distortion, atol=1e-9)
    assert rate_at(problem, 1e-4).status == Status.INFEASIBLE
    assert float(rate_at(problem, 0.9).rate) == 0


def test_the_answer_depends_on_neither_the_blocks_nor_the_order_of_the_solves():
    one, _ = classifier(1000, 6, rows=64)
    other, _ = classifier(1000, 6, rows=1000)
    for slope in (5.0, 0.7, 4.9):
        solve(one, slope)
    np.testing.assert_allclose(solve(one, 2.0, tol=1e-12).rate, solve(other, 2.0, tol=1e-12).rate, atol=1e-12)


def test_one_compile_whatever_the_number_of_rows():
    from jaxrd.kernels.streamed import _block

    solve(classifier(1000, 6)[0], 2.0)
    before = _block._cache_size()
    for n in (400, 1500, 1777):
        solve(classifier(n, 6)[0], 2.0)
    assert _block._cache_size() == before


def test_forbidden_pairs_and_rows_without_mass():
    g = np.random.default_rng(2)
    d = g.random((300, 4))
    d[::3, 0] = np.inf
    d[7] = np.nan
    source = np.where(np.arange(300) == 7, 0, g.random(300))
    source /= source.sum()
    streamed = Problem(source, Streamed(lambda i, j: d[i:j], as_it_is, d.shape, 64))
    exact = solve(Problem(source, d), 3.0, tol=1e-12)
    found = solve(streamed, 3.0, tol=1e-12)
    np.testing.assert_allclose([found.rate, found.distortion], [exact.rate, exact.distortion], atol=1e-11)
    d[9] = np.inf
    assert solve(streamed, 3.0).status == Status.INFEASIBLE
    d[9] = np.nan
    assert solve(streamed, 3.0).status == Status.NONFINITE


def test_an_ill_posed_start_is_left(monkeypatch):
    """A sample that sees one class alone: the law begins at a vertex, and steps must be shortened."""
    monkeypatch.setattr(_streamed, "_SAMPLE", 8)
    g = np.random.default_rng(0)
    z = 9 * np.eye(4)[np.minimum(np.arange(4000) // 20 % 7, 3)] + 0.1 * g.standard_normal((4000, 4))
    problem = Problem(np.full(4000, 1 / 4000), Streamed(lambda i, j: z[i:j], believed, z.shape, 512))
    for slope in (2.0, 30.0):
        exact = solve(Problem(problem.source, np.asarray(believed(z))), slope)
        found = solve(problem, slope)
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.rate, exact.rate, atol=1e-8)


def test_what_it_is_not_for():
    problem, _ = classifier(200, 3)
    with pytest.raises(InputError, match="solve alone"):
        sweep(problem, [1.0], solver=blahut_arimoto)
    with pytest.raises(InputError, match="as a matrix"):
        np.asarray(problem.distortion)
    assert block_rows(10**6, 10) == 2**15
    assert block_rows(5, 3) == 8


@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("n", [5000, 20_011, 300_000, 1_000_000])
def test_the_gap_covers_the_rounding_of_long_sums(n, matrix):
    """5000 equal terms, added up one by one, were off by 200 rounding units, and the gap allowed for 8."""
    m = 3
    classes = np.random.default_rng(0).choice(m, n, p=[0.62, 0.3, 0.08])
    d = 1.0 - np.eye(m)[classes]
    source = np.full(n, 1 / n)
    found = solve(Problem(source, d if matrix else Streamed(lambda i, j: d[i:j], as_it_is, d.shape)), np.inf)
    q = np.asarray(found.reproduction)
    c = np.bincount(classes) / n / q  # exact: K is an indicator
    r = q * c
    assert np.log(c.max()) - (r * np.log(c)).sum() <= float(found.gap)
    assert float(found.gap) < 1e-9

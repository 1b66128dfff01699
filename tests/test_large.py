"""Distortions that are not held as a matrix, and confusions of very many classes: the same numbers as with matrices."""

import jax
import jax.numpy as jnp
import large
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from jaxrd import (
    Problem,
    Status,
    blahut_arimoto,
    critical_slope,
    interior_point,
    optimal_channel,
    rate_at,
    solve,
    sweep,
    tosc,
    validate,
    working_set,
)
from jaxrd.closed_form import categorical
from jaxrd.distortion import PointCloud, SparseDiscount, pairwise_squares, squared_error
from jaxrd.errors import InputError
from jaxrd.kernels import kernel_of, ratio
from jaxrd.kernels.dense import dense_kernel
from jaxrd.solvers._blahut_arimoto import compiled
from jaxrd.testing import achieved_pair, certificate, certified_gap, generators
from jaxrd.tosc.curves.sampled_in_blocks import sample_and_communicate_in_blocks

SLOPES = (0.0, 1e-3, 0.7, 30.0, 1e3, np.inf)
N, M = 13, 9


def fenced(x, y):
    """Absolute error; a pair whose second coordinates differ in sign is forbidden."""
    forbidden = (x[:, None, 1] * y[None, :, 1] < 0) & (y[None, :, 1] != 0)
    return jnp.where(forbidden, jnp.inf, jnp.abs(x[:, None, 0] - y[None, :, 0]))


@st.composite
def clouds(draw):
    """Points on a line or in the plane, some coinciding or far out, in one block or several; some masses zero."""
    g = draw(generators())
    k = draw(st.sampled_from((1, 2)))
    x, y = g.standard_normal((N, k)), g.standard_normal((M, k))
    twist = draw(st.sampled_from(("none", "same points", "grid", "offset", "fenced")))
    if twist == "same points":
        x[:M] = y
    elif twist == "grid":  # exact ties
        x, y = np.round(2 * x) / 2, np.round(2 * y) / 2
    elif twist == "offset":
        x, y = x + 1e3, y + 1e3
    p = g.dirichlet(np.full(N, draw(st.sampled_from((0.05, 1.0)))))
    p[g.random(N) < 0.2] = 0
    p[0] += 1e-3
    rows = draw(st.sampled_from((13, 5)))  # 5: the last block is filled up
    measure = pairwise_squares
    if twist == "fenced" and k > 1:
        y[0, 1] = 0  # allowed everywhere
        measure = fenced
    return Problem(p / p.sum(), PointCloud(x, y, measure, block_bytes=rows * M * 8))


@st.composite
def discounts(draw):
    """Sparse discounts over a ceiling: empty rows, full rows, ties."""
    g = draw(generators())
    kept = g.permutation(N * M)[: draw(st.sampled_from((12, N * M)))]
    d = SparseDiscount(draw(st.sampled_from((1.0, 40.0))), kept // M, kept % M, g.random(kept.size).round(2), (N, M))
    return Problem(g.dirichlet(np.ones(N)), d)


@jax.jit
def methods(distortion, matrix, slope, p, w, q):
    """What every method of the kernel says, and what the matrix does."""
    kernel = kernel_of(distortion, slope)
    dense = dense_kernel((matrix,), (slope,))
    z = dense.matrix @ q
    ours = (kernel.matvec(q), kernel.rmatvec(w), kernel.minima, kernel.mean_excess(w, q), *kernel.sums(p, q))
    theirs = (z, w @ dense.matrix, dense.minima, dense.mean_excess(w, q), z, ratio(p, z) @ dense.matrix)
    return (ours, kernel.feasible), (theirs, dense.feasible)


def assert_same_kernel(distortion, g, slope):
    """Every method against the matrix; `slope` scales what rounding may do to an exponent."""
    p, w, q = (jnp.asarray(g.dirichlet(np.full(k, 0.3))) for k in (N, N, M))
    distortion = distortion.astype(jnp.float64)
    # The matrix from outside: XLA would compute it again inside, rounded otherwise, and at slope inf that matters.
    (ours, feasible), (theirs, also) = methods(distortion, distortion.dense(), jnp.asarray(slope), p, w, q)
    np.testing.assert_array_equal(feasible, also)
    loose = 1e-12 * max(1, min(slope, 1e6))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=loose, atol=1e-15), ours, theirs)


class TestKernels:
    @given(problem=clouds(), g=generators(), slope=st.sampled_from(SLOPES))
    @settings(max_examples=40)
    def test_blocks_equal_the_matrix(self, problem, g, slope):
        assert_same_kernel(problem.distortion, g, slope)

    @given(problem=discounts(), g=generators(), slope=st.sampled_from(SLOPES))
    @settings(max_examples=40)
    def test_sparse_equals_the_matrix(self, problem, g, slope):
        sparse = problem.distortion
        full = np.full((N, M), sparse.ceiling)
        full[sparse.rows, sparse.columns] -= sparse.discount
        np.testing.assert_array_equal(sparse.dense(), full)
        assert_same_kernel(sparse, g, slope)

    def test_squares_keep_their_digits_far_from_the_origin(self):
        g = np.random.default_rng(0)
        for k in (1, 2, 12):  # 12: the loop
            x, y = 1e6 + g.standard_normal((7, k)), 1e6 + g.standard_normal((5, k))
            np.testing.assert_allclose(pairwise_squares(x, y), ((x[:, None] - y) ** 2).sum(-1), rtol=1e-14)
            np.testing.assert_allclose(pairwise_squares(x, y), squared_error(x, y), rtol=1e-14)


def assert_honest(problem, slope, point, slack=1e-12):
    """The point is real, and its gap no smaller than numpy finds from q alone."""
    p, d = np.asarray(problem.source), np.asarray(problem.distortion.dense())
    q = point.reproduction
    rate, distortion = achieved_pair(p, d, slope, q)
    scale = max(1.0, slope * distortion)
    np.testing.assert_allclose(point.rate, rate, atol=slack * scale)
    np.testing.assert_allclose(point.distortion, distortion, rtol=slack, atol=slack)
    assert certified_gap(p, d, slope, q) <= float(point.gap) + slack * scale


@pytest.mark.slow
@given(problem=st.one_of(clouds(), discounts()), slope=st.sampled_from(SLOPES[1:-1]))
@settings(max_examples=30)
def test_certified(problem, slope):
    validate(problem)
    point = solve(problem, slope, tol=1e-4)
    assert_honest(problem, slope, point)
    assert int(point.status) == Status.CONVERGED
    assert float(point.gap) <= 1e-4 * max(1, float(point.rate + slope * point.distortion)) * (1 + 1e-9)
    # The optimum of the matrix lies between the bounds.
    best = interior_point(Problem(problem.source, problem.distortion.dense()), slope)
    value = float(best.rate + slope * best.distortion)
    ours = float(point.rate + slope * point.distortion)
    assert ours - float(point.gap) <= value + 1e-9 * max(1, value)
    assert value <= ours + 1e-9 * max(1, value)


@given(problem=clouds(), slope=st.sampled_from((0.0, np.inf)))
@settings(max_examples=20)
def test_the_ends(problem, slope):
    point = blahut_arimoto(problem, slope, tol=1e-4)
    best = interior_point(Problem(problem.source, problem.distortion.dense()), slope)
    assert int(point.status) == Status.CONVERGED
    if slope:  # at slope zero every q is optimal, but for forbidden pairs
        np.testing.assert_allclose(point.distortion, best.distortion, rtol=1e-12)
    np.testing.assert_allclose(point.rate, best.rate, atol=2e-4 * max(1, float(best.rate)))


def mixture(n, *, dtype=np.float64, rows=16):
    g = np.random.default_rng(0)
    x = (2 * g.standard_normal((4, 2)))[g.integers(0, 4, n)] + 0.6 * g.standard_normal((n, 2))
    p = g.gamma(1.0, size=n)
    cloud = PointCloud(x.astype(dtype), x.astype(dtype), block_bytes=rows * n * np.dtype(dtype).itemsize)
    return Problem((p / p.sum()).astype(dtype), cloud)


def test_float32_is_honest():
    with jax.enable_x64(False):
        problem = mixture(300, dtype=np.float32)
        points = [(s, blahut_arimoto(problem, s, tol=1e-4)) for s in (0.5, 4.0, 64.0, 1e3)]
    p = problem.source.astype(np.float64)
    x = problem.distortion.source.astype(np.float64)
    d = ((x[:, None] - x) ** 2).sum(-1)
    for slope, point in points:
        assert point.rate.dtype == jnp.float32
        f, top = certificate(p / p.sum(), d, slope, point.reproduction)
        assert float(point.rate) + slope * float(point.distortion) - (f - top) <= float(point.gap)
        assert int(point.status) == Status.CONVERGED
        assert float(point.gap) <= 1.01e-4 * max(1, f)


def arrays_in(jaxpr):
    """Sizes of every array a program forms, its subprograms included."""
    for equation in jaxpr.eqns:
        for value in equation.outvars:
            yield getattr(value.aval, "size", 1)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from arrays_in(inner)


def test_nothing_larger_than_a_block_is_formed():
    problem = mixture(300)
    program = jax.make_jaxpr(lambda problem, s: solve(problem, s, tol=1e-3))(problem, 4.0)
    assert max(arrays_in(program.jaxpr)) <= 16 * 300
    many = sparse_problem(np.random.default_rng(0), 2000, 3000)[1]
    program = jax.make_jaxpr(lambda problem, s: solve(problem, s, tol=1e-3))(many, 4.0)
    assert max(arrays_in(program.jaxpr)) <= 3000


def test_momentum_saves_steps():
    problem = mixture(150)
    dense = Problem(problem.source, problem.distortion.dense())
    plain = blahut_arimoto(dense, 4.0, tol=2e-4)
    fast = blahut_arimoto(dense, 4.0, tol=2e-4, momentum=True)
    assert bool(fast.converged)
    assert 4 * int(fast.steps) < int(plain.steps)
    blocked = blahut_arimoto(problem, 4.0, tol=2e-4)
    assert int(blocked.steps) == int(fast.steps)
    np.testing.assert_allclose(blocked.reproduction, fast.reproduction, atol=1e-12)


@pytest.mark.parametrize("slope", SLOPES[1:-1])
def test_momentum_out_of_steps_is_still_certified(slope):
    problem = mixture(40)
    point = blahut_arimoto(problem, slope, tol=0, max_steps=7)
    assert int(point.status) == Status.MAX_STEPS
    assert int(point.steps) == 7
    assert_honest(problem, slope, point)


def test_one_compile_a_shape():
    problem = mixture(40)
    blahut_arimoto(problem, 1.0, tol=1e-3)
    before = compiled._cache_size()
    moved = PointCloud(2 * problem.distortion.source, problem.distortion.reproduction, block_bytes=16 * 40 * 8)
    blahut_arimoto(Problem(problem.source, moved), 2, tol=1e-2)
    jax.jit(lambda s: blahut_arimoto(problem, s, tol=1e-3))(3.0)
    assert compiled._cache_size() == before
    lanes = jax.vmap(lambda s: blahut_arimoto(problem, s, tol=1e-3).rate)(jnp.array([1.0, 4.0]))
    np.testing.assert_allclose(lanes, [blahut_arimoto(problem, s, tol=1e-3).rate for s in (1.0, 4.0)], rtol=1e-12)


def test_sweep_and_targets():
    problem = mixture(40)
    dense = Problem(problem.source, problem.distortion.dense())
    curve = sweep(problem, [0.5, 2.0, 8.0], tol=1e-4)
    assert bool(curve.converged.all())
    exact = rate_at(dense, 0.5)
    point = rate_at(problem, 0.5, tol=1e-3)
    assert float(point.lower) <= float(exact.rate) <= float(point.rate) + 1e-12
    assert float(point.gap) <= 1e-3 * max(1, float(point.rate))


class TestErrors:
    problem = mixture(40)

    @pytest.mark.parametrize("needs_matrix", [interior_point, working_set])
    def test_solvers_that_need_the_matrix(self, needs_matrix):
        with pytest.raises(ValueError, match=r"got a PointCloud of 40 x 40 pairs. Pass Problem\(source, distortion"):
            needs_matrix(self.problem, 1.0)

    def test_functions_that_need_the_matrix(self):
        sparse = sparse_problem(np.random.default_rng(0), 40, 90)[1]
        point = solve(self.problem, 1.0, tol=1e-3)
        for problem in (self.problem, sparse):
            for function in (
                lambda problem, _: critical_slope(problem),
                optimal_channel,
                lambda problem, _: np.asarray(problem.distortion),
                lambda problem, _: jax.grad(lambda s: solve(problem, s, tol=1e-3).rate)(1.0),
            ):
                with pytest.raises(ValueError, match="needs the distortion as a matrix"):
                    function(problem, point)

    def test_shapes(self):
        p = np.full(3, 1 / 3)
        with pytest.raises(ValueError, match=r"got \(3, 2\) and \(4, 1\)"):
            solve(Problem(p, PointCloud(np.ones((3, 2)), np.ones((4, 1)))), 1.0)
        with pytest.raises(ValueError, match=r"got \(3,\) and \(5, 4\)"):
            solve(Problem(p, PointCloud(np.ones((5, 2)), np.ones((4, 2)))), 1.0)
        with pytest.raises(ValueError, match=r"pass x\[:, None\]"):
            solve(Problem(p, PointCloud(np.ones(3), np.ones(4))), 1.0)
        with pytest.raises(ValueError, match="one shape"):
            solve(Problem(p, SparseDiscount(1.0, np.arange(2), np.arange(2), np.ones(3), (3, 3))), 1.0)

    def test_values(self):
        p, good = np.full(2, 0.5), np.arange(2)
        with pytest.raises(ValueError, match="source points must be finite; got nan"):
            validate(Problem(p, PointCloud(np.array([[0.0], [np.nan]]), np.ones((2, 1)))))
        with pytest.raises(ValueError, match="discount must be >= 0; got -1"):
            validate(Problem(p, SparseDiscount(1.0, good, good, -np.ones(2), (2, 2))))
        with pytest.raises(ValueError, match=r"columns must lie in 0..1; got 0 to 2"):
            validate(Problem(p, SparseDiscount(1.0, good, 2 * good, np.ones(2), (2, 2))))
        with pytest.raises(ValueError, match=r"\(1, 0\) is"):
            validate(Problem(p, SparseDiscount(1.0, np.ones(2, int), np.zeros(2, int), np.ones(2), (2, 2))))

    def test_nan_ends_at_once_and_claims_nothing(self):
        x = np.array([[0.0], [np.nan]])
        problem = Problem(np.full(2, 0.5), PointCloud(x, np.ones((3, 1))))
        with pytest.raises(InputError, match=r"source points must be finite; got nan"):
            blahut_arimoto(problem, 1.0)
        point = jax.jit(lambda problem: blahut_arimoto(problem, 1.0))(problem)
        assert int(point.status) == Status.NONFINITE
        assert int(point.steps) <= 1
        assert point.gap == np.inf

    def test_infeasible(self):
        x, y = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[0.0, -1.0]])
        point = blahut_arimoto(Problem(np.full(2, 0.5), PointCloud(x, y, fenced)), 1.0)
        assert int(point.status) == Status.INFEASIBLE

    def test_float64_points_without_x64_warn(self):
        with jax.enable_x64(False), pytest.warns(UserWarning, match="x64 is off"):
            assert solve(self.problem, 1.0, tol=1e-3).rate.dtype == jnp.float32


def sparse_samples(g, classes, samples):
    labels = g.choice(classes, samples, p=g.dirichlet(np.ones(classes)))
    wrong = (labels + g.integers(1, 4, samples)) % classes
    return labels, np.where(g.random(samples) < 0.7, labels, wrong)


def sparse_problem(g, classes, samples):
    joint = tosc.sparse_joint(*sparse_samples(g, classes, samples), classes)
    return joint, tosc.indirect_problem(joint)


def filled_up(joint, pairs):
    """The same joint with empty pairs: equal shapes compile once."""
    missing = pairs - joint.mass.size
    return jax.tree.map(lambda a: jnp.pad(a, (0, missing), "edge" if a.dtype.kind == "i" else "constant"), joint)


class TestSparseConfusion:
    @given(g=generators(), weighted=st.booleans())
    @settings(max_examples=25)
    def test_equals_the_matrix(self, g, weighted):
        classes, samples = 6, 25
        labels, decisions = sparse_samples(g, classes, samples)
        weights = g.dirichlet(np.ones(samples)) if weighted else None
        sparse = tosc.sparse_joint(labels, decisions, classes, weights)
        sparse = filled_up(sparse, samples)
        joint = np.zeros((classes, classes))
        np.add.at(joint, (labels, decisions), np.full(samples, 1 / samples) if weights is None else weights)

        d = np.linspace(-0.1, 1, 8)
        for function in (
            tosc.landmarks,
            tosc.merge_baseline,
            lambda joint: tosc.estimate_and_compress(joint, d),
            lambda joint: tosc.time_sharing(joint, d),
        ):
            jax.tree.map(
                lambda ours, theirs: np.testing.assert_allclose(ours, theirs, atol=1e-12),
                function(sparse),
                function(joint),
            )
        np.testing.assert_allclose(sparse.diagonal(), np.diagonal(joint), atol=1e-15)

    @given(g=generators(), slope=st.sampled_from((0.3, 4.0, 40.0)))
    @settings(max_examples=15)
    def test_indirect_equals_the_matrix(self, g, slope):
        classes, samples = 6, 25
        labels, decisions = sparse_samples(g, classes, samples)
        joint = tosc.sparse_joint(labels, decisions, classes)
        validate(tosc.indirect_problem(joint))
        problem = tosc.indirect_problem(filled_up(joint, samples))
        joint = np.zeros((classes, classes))
        np.add.at(joint, (labels, decisions), 1 / samples)
        estimate = joint.sum(0)
        d = 1 - (joint / np.where(estimate > 0, estimate, 1)).T
        np.testing.assert_allclose(problem.distortion.dense(), d, atol=1e-15)
        p, q = jnp.asarray(estimate), jnp.asarray(g.dirichlet(np.ones(classes)))
        ours, theirs = methods(problem.distortion, jnp.asarray(d), jnp.asarray(slope), p, p, q)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15), ours, theirs)

    def test_many_classes(self):
        g = np.random.default_rng(3)
        classes, samples = 100_000, 50_000
        labels, decisions = sparse_samples(g, classes, samples)
        joint = tosc.sparse_joint(labels, decisions, classes)
        d_tm, d_0, entropy = tosc.landmarks(joint)
        counts = np.bincount(decisions) / samples
        np.testing.assert_allclose(d_tm, (labels != decisions).mean())
        np.testing.assert_allclose(d_0, 1 - np.bincount(labels).max() / samples)
        np.testing.assert_allclose(entropy, -(counts[counts > 0] @ np.log(counts[counts > 0])))
        # E&C from its channel, W ~ q_yh e^{-s [yh != yt]}, pair by pair.
        d = 0.4
        point = tosc.estimate_and_compress(joint, d)
        estimate = np.asarray(joint.sum(0))
        q, s = np.asarray(categorical.reproduction(estimate, d)), float(categorical.slope(estimate, d))
        z = np.exp(-s) + (1 - np.exp(-s)) * q[decisions]
        right = np.where(labels == decisions, q[labels], np.exp(-s) * q[labels]) / z
        np.testing.assert_allclose(point.distortion, 1 - right.mean(), rtol=1e-10)
        indirect = blahut_arimoto(tosc.indirect_problem(joint), 15.0, tol=1e-4)
        assert bool(indirect.converged)

    def test_input_is_checked(self):
        with pytest.raises(ValueError, match=r"decisions must be integers in 0..1; got 0 to 2"):
            tosc.sparse_joint([0, 1], [0, 2], 2)
        with pytest.raises(ValueError, match=r"got \(1,\) and \(2,\)"):
            tosc.sparse_joint([0], [0, 1], 2)


class TestSampleInBlocks:
    @given(g=generators(), t=st.sampled_from((0.0, 0.5, 1.0, 9.0)), rows=st.sampled_from((30, 8, 7)))
    @settings(max_examples=15)
    def test_equals_the_whole(self, g, t, rows):
        log_v = log_softmax(3 * g.standard_normal((30, 4)), axis=1)
        labels = g.integers(0, 4, 30)
        cuts = range(0, 30, rows)
        blocks = [(log_v[i : i + rows], labels[i : i + rows]) for i in cuts]
        ours = sample_and_communicate_in_blocks(blocks, t)
        np.testing.assert_allclose(ours, tosc.sample_and_communicate(log_v, labels, t), atol=1e-12)
        np.testing.assert_allclose(sample_and_communicate_in_blocks(lambda: iter(blocks), t), ours, rtol=0)
        # And from the definition.
        w = np.exp(t * log_v)
        w /= w.sum(1, keepdims=True)
        rate = (w * np.log(w / w.mean(0))).sum(1).mean()
        right = w[np.arange(30), labels].mean()
        np.testing.assert_allclose(ours, [rate, 1 - right, 1 - (w * np.exp(log_v)).sum(1).mean()], atol=1e-12)

    def test_errors(self):
        block = (np.zeros((2, 3)), np.zeros(2, int))
        with pytest.raises(ValueError, match="no sample"):
            sample_and_communicate_in_blocks([], 1.0)
        with pytest.raises(ValueError, match="the second 0: pass a function"):
            sample_and_communicate_in_blocks(iter([block]), 1.0)
        with pytest.raises(ValueError, match=r"got \(2, 3\) and \(3,\)"):
            sample_and_communicate_in_blocks([(block[0], np.zeros(3, int))], 1.0)


def test_benchmark():
    plane = large.solve_plane(60, "float64", 2e-4)
    curves = large.indirect(200, 600)
    for found in (plane, curves):
        np.testing.assert_allclose(found["gap_nats"], found["gap_in_numpy_nats"], atol=1e-9)
    assert plane["gap_nats"] < 1e-3
    rows = [{"letters": n, "seconds_a_step": 3e-9 * n**2, "peak_mib": 300 + n} for n in (10, 20, 40)]
    assert large.growth(rows)["exponents"]["time"] == 2

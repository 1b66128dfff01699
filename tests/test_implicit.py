"""Derivatives through solutions, against finite differences of the solver in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxrd import Problem, Status, _optimum, distortion_at, distortion_range, rate_at, solve, sweep, tosc
from jaxrd.closed_form import categorical
from jaxrd.information import binary_entropy, entropy

G = np.random.default_rng(0)
P = jnp.asarray(G.dirichlet(np.ones(6)))
D = jnp.asarray(G.gamma(0.7, size=(6, 5)))
S = jnp.asarray(3.0)


def numeric(f, x, h=1e-6):
    """Central differences, entry by entry."""
    x = np.asarray(x, float)
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[i] = h
        out[i] = (float(f(jnp.asarray(x + e))) - float(f(jnp.asarray(x - e)))) / (2 * h)
    return out


def close(f, x, rtol=1e-6):
    exact, expected = np.asarray(jax.grad(f)(jnp.asarray(x))), numeric(f, x)
    np.testing.assert_allclose(exact, expected, atol=rtol * max(np.abs(expected).max(), 1e-3))


FIELDS = {
    "rate": lambda point: point.rate,
    "distortion": lambda point: point.distortion,
    "reproduction": lambda point: point.reproduction @ jnp.arange(5.0),
    "lagrangian": lambda point: point.rate + point.slope * point.distortion,
}


@pytest.mark.parametrize("field", FIELDS)
class TestSolve:
    def test_in_the_distortion(self, field):
        close(lambda d: FIELDS[field](solve(Problem(P, d), S)), D)

    def test_in_the_source(self, field):
        close(lambda p: FIELDS[field](solve(Problem(p, D), S)), P)

    def test_in_the_slope(self, field):
        close(lambda s: FIELDS[field](solve(Problem(P, D), s)), S)

    def test_forward_mode_equals_reverse_mode(self, field):
        f = lambda d: FIELDS[field](solve(Problem(P, d), S))  # noqa: E731
        np.testing.assert_allclose(jax.jacfwd(f)(D), jax.grad(f)(D), atol=1e-12)

    def test_second_derivative_in_the_slope(self, field):
        first = jax.grad(lambda s: FIELDS[field](solve(Problem(P, D), s)))
        close(first, S, rtol=1e-5)


def test_envelope_of_the_lagrangian():
    """dL/ds = E d, dL/dd_xy = s p_x W_xy (theory, section 0)."""
    from jaxrd import optimal_channel

    problem = Problem(P, D)
    point = solve(problem, S)
    lagrangian = lambda problem, s: FIELDS["lagrangian"](solve(problem, s))  # noqa: E731
    np.testing.assert_allclose(jax.grad(lagrangian, 1)(problem, S), point.distortion, rtol=1e-10)
    slope = jax.grad(lagrangian)(problem, S).distortion
    np.testing.assert_allclose(slope, S * P[:, None] * optimal_channel(problem, point), atol=1e-10)


class TestTargets:
    target = float(solve(Problem(P, D), S).distortion)

    def test_rate_at(self):
        close(lambda x: rate_at(Problem(P, D), x).rate, self.target)
        close(lambda d: rate_at(Problem(P, d), self.target).rate, D)
        close(lambda p: rate_at(Problem(p, D), self.target).rate, P)

    def test_distortion_at(self):
        close(lambda r: distortion_at(Problem(P, D), r).distortion, 0.3)
        close(lambda d: distortion_at(Problem(P, d), 0.3).distortion, D)

    def test_the_slope_of_the_curve(self):
        p = jnp.array([0.5, 0.3, 0.2])
        problem = Problem(p, 1 - jnp.eye(3))
        for d in (0.05, 0.2, 0.45):
            slope = jax.grad(lambda x: rate_at(problem, x).rate)(d)
            np.testing.assert_allclose(slope, -categorical.slope(p, d), rtol=1e-6)
            in_p = jax.grad(lambda p, d=d: rate_at(Problem(p, 1 - jnp.eye(3)), d).rate)(p)
            closed = jax.grad(lambda p, d=d: categorical.rate(p, d))(p)
            # up to a constant: the source is taken as p / sum p
            np.testing.assert_allclose(in_p - in_p.mean(), closed - closed.mean(), atol=1e-6)

    def test_zero_rate_and_infeasible(self):
        gradient = jax.grad(lambda x, d: rate_at(Problem(P, d), x).rate, (0, 1))
        assert gradient(50.0, D)[0] == 0
        assert int(rate_at(Problem(P, D), -1.0).status) == Status.INFEASIBLE
        # R = +inf all around: a training step gets zeros there, not NaN
        assert all((g == 0).all() for g in gradient(-1.0, D))
        assert jax.grad(lambda r: distortion_at(Problem(P, D), r).distortion)(-1.0) == 0

    def test_ends_of_the_curve(self):
        p, hamming = jnp.array([0.75, 0.25]), 1 - jnp.eye(2)
        in_source = jax.grad(lambda p: rate_at(Problem(p, hamming), 0.0).rate)(p)
        np.testing.assert_allclose(in_source, -jnp.log(p) - entropy(p), atol=1e-12)  # R(0) = H(p): -.27465, .82396
        assert jax.grad(lambda x: rate_at(Problem(p, hamming), x).rate)(0.0) == -jnp.inf
        in_distortion = jax.grad(lambda d: rate_at(Problem(p, d), 0.0).rate)(hamming)
        np.testing.assert_array_equal(in_distortion, jnp.where(jnp.eye(2) > 0, jnp.inf, 0))  # 0 is out of reach then
        beyond = jax.grad(lambda r: distortion_at(Problem(p, hamming), r).distortion)(1.0)  # more than H(p)
        assert beyond == 0
        at_silence = jax.grad(lambda p: distortion_at(Problem(p, hamming), 0.0).distortion)(p)
        np.testing.assert_allclose(at_silence, jnp.array([0.0, 1.0]) - 0.25, atol=1e-12)  # D_max = p_2

    @pytest.mark.parametrize("below", [1e-2, 1e-4, 1e-7])
    def test_near_the_largest_distortion(self, below):
        """R = ln 2 - h(D): R'(1/2 - e) = -ln((1/2 + e) / (1/2 - e))."""
        problem = Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2))
        slope = jax.grad(lambda x: rate_at(problem, x).rate)(0.5 - below)
        np.testing.assert_allclose(slope, -np.log((0.5 + below) / (0.5 - below)), rtol=1e-6)

    def test_second_derivatives(self):
        problem = Problem(jnp.array([0.5, 0.5]), 1 - jnp.eye(2))
        curvature = jax.grad(jax.grad(lambda x: rate_at(problem, x).rate))(0.1)
        np.testing.assert_allclose(curvature, 1 / (0.1 * 0.9), rtol=1e-9)  # 11.11
        np.testing.assert_allclose(jax.grad(lambda x: rate_at(problem, x).slope)(0.1), -1 / (0.1 * 0.9), rtol=1e-9)
        x = 0.16
        rate = jnp.log(2) - binary_entropy(x)
        inverse = jax.grad(jax.grad(lambda r: distortion_at(problem, r).distortion))(rate)
        slope = np.log((1 - x) / x)
        np.testing.assert_allclose(inverse, 1 / (x * (1 - x)) / slope**3, rtol=1e-9)  # R'' / |R'|^3

    def test_on_a_linear_piece(self):
        """Erasure: R = (1 - D/.5) ln 2 with one slope throughout, no solution of which meets D."""
        d = jnp.array([[0, jnp.inf, 0.5], [jnp.inf, 0, 0.5]])
        value, slope = jax.value_and_grad(lambda x: rate_at(Problem(jnp.array([0.5, 0.5]), d), x).rate)(0.2)
        np.testing.assert_allclose([value, slope], [0.6 * np.log(2), -2 * np.log(2)], rtol=1e-9)


def test_a_letter_of_mass_zero():
    """One-sided, as its mass grows from zero."""
    p, hamming = jnp.array([0.6, 0.4, 0.0]), 1 - jnp.eye(3)
    functions = {
        "solve": lambda p, d: solve(Problem(p, d), 2.0, tol=1e-13).rate,
        "rate_at": lambda p, d: rate_at(Problem(p, d), 0.1, tol=1e-13).rate,
    }
    for f in functions.values():
        h = 1e-6
        one_sided = [(f(p.at[x].add(h), hamming) - f(p, hamming)) / h for x in range(3)]
        np.testing.assert_allclose(jax.grad(f)(p, hamming), one_sided, rtol=1e-4)


def test_what_the_row_of_mass_zero_holds_is_not_read():
    p, hamming = jnp.array([0.6, 0.4, 0.0]), 1 - jnp.eye(3)
    gradient = jax.grad(lambda p, d: rate_at(Problem(p, d), 0.1, tol=1e-13).rate, (0, 1))
    for sound, other in zip(gradient(p, hamming), gradient(p, hamming.at[2].set(jnp.nan)), strict=True):
        np.testing.assert_allclose(other[:2], sound[:2], atol=1e-12)


@pytest.mark.slow
def test_the_ends_as_functions_of_the_problem():
    """D_min = E min d and D_max = min E d, what to ask before a target is set."""
    p, d = jnp.array([0.7, 0.3, 0.0]), jnp.array([[0.0, 1.0], [1.0, 0.5], [jnp.nan, jnp.nan]])
    np.testing.assert_allclose(distortion_range(Problem(p, d)), (0.15, 0.3), atol=1e-15)
    least, most = jax.jacobian(lambda p: distortion_range(Problem(p, d)))(p)
    np.testing.assert_allclose(least[:2], [0 - 0.15, 0.5 - 0.15], atol=1e-15)  # p is taken as p / sum p
    np.testing.assert_allclose(most[:2], [0 - 0.3, 1 - 0.3], atol=1e-15)
    assert int(rate_at(Problem(p, d), 0.1499).status) == Status.INFEASIBLE
    assert float(rate_at(Problem(p, d), 0.3).rate) == 0
    assert distortion_range(Problem(p[:2], jnp.array([[0.0, 1], [jnp.inf, jnp.inf]])))[0] == jnp.inf


def test_at_the_least_distortion():
    """At slope inf q is the law of the nearest reproductions: rate H(p), and q moves with p."""
    p, hamming = jnp.array([0.5, 0.3, 0.2]), 1 - jnp.eye(3)
    gradient = jax.grad(lambda p: solve(Problem(p, hamming), jnp.inf).rate)(p)
    np.testing.assert_allclose(gradient, -jnp.log(p) - entropy(p), atol=1e-12)
    moves = jax.jacobian(lambda p: solve(Problem(p, hamming), jnp.inf).reproduction)(p)
    np.testing.assert_allclose(moves, jnp.eye(3) - p[:, None], atol=1e-12)


def test_equal_reproductions_one_side():
    """The first of two equal columns stands for both; every entry is the derivative of one of the two sides."""
    p, d, h = jnp.array([0.75, 0.25]), jnp.array([[0.0, 1, 0], [1, 0, 1]]), 1e-6
    f = lambda d: solve(Problem(p, d), 2.0, tol=1e-13).rate  # noqa: E731
    gradient = jax.grad(f)(d)
    for x, y in np.ndindex(d.shape):
        sides = [float((f(d.at[x, y].add(e)) - f(d)) / e) for e in (h, -h)]
        assert min(abs(float(gradient[x, y]) - side) for side in sides) < 1e-4
    assert (gradient[:, 2] == 0).all()


@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 1e-6), (np.float32, 1e-2)])
def test_where_the_solver_stopped_does_not_matter(dtype, limit):
    """150 x 100, d = 1 - posterior rows: the solver stops at a gap of 5e-10, the derivative is that of the optimum."""
    g = np.random.default_rng(3)
    p, d, s = g.dirichlet(np.ones(150)), 1 - g.dirichlet(np.full(100, 0.1), 150), 6.0
    exact = lambda s: solve(Problem(p, d), s, tol=1e-13)  # noqa: E731
    h = 1e-3
    for field in ("rate", "distortion"):
        f = lambda s, field=field: float(FIELDS[field](exact(s)))  # noqa: E731
        expected = (8 * (f(s + h) - f(s - h)) - (f(s + 2 * h) - f(s - 2 * h))) / (12 * h)
        problem = Problem(jnp.asarray(p, dtype), jnp.asarray(d, dtype))
        for tol in (None, 1e-3):
            at_tol = lambda s, problem=problem, field=field, tol=tol: FIELDS[field](solve(problem, s, tol=tol))  # noqa: E731
            found = jax.grad(at_tol)(dtype(s))
            assert abs(float(found) / expected - 1) < limit


def test_dependent_columns():
    """Where q is not unique the rate and the distortion still are, and so are their derivatives."""
    twice = jnp.concatenate([D, D[:, 1:3]], 1)
    for field in ("rate", "distortion"):
        f = lambda d, s, field=field: FIELDS[field](solve(Problem(P, d), s))  # noqa: E731
        np.testing.assert_allclose(jax.grad(f, 1)(twice, S), jax.grad(f, 1)(D, S), rtol=1e-7)
        whole = jax.grad(f)(twice, S)
        merged = whole[:, :5].at[:, 1:3].add(whole[:, 5:])
        np.testing.assert_allclose(merged, jax.grad(f)(D, S), atol=1e-7)


@pytest.mark.parametrize("far", [0.3, 0.25, 0.4])
def test_a_singular_support_without_equal_columns(far):
    """Four letters on a circle whose kernel [1, b, c, b] has 1 - 2b + c = 0: q may move along (1, -1, 1, -1) for free.

    By symmetry q stays uniform, so that dD/ds = - Var(d) of a row of the channel.
    """
    row = -np.log([1, (1 + far) / 2, far, (1 + far) / 2])
    problem = Problem(jnp.full(4, 0.25), jnp.stack([jnp.roll(jnp.asarray(row), i) for i in range(4)]))
    w = np.exp(-row) / np.exp(-row).sum()
    for field, sign in (("rate", 1), ("distortion", -1)):
        found = jax.grad(lambda s, field=field: FIELDS[field](solve(problem, s)))(1.0)
        np.testing.assert_allclose(found, sign * (w @ row**2 - (w @ row) ** 2), rtol=1e-4)


def test_what_the_ridge_changes_is_corrected():
    """At a small slope letters are nearly alike: dq/dp = 1 / tanh(s/2), its Gram matrix has an eigenvalue s^2 / 4."""
    s = 1e-4
    f = lambda p: solve(Problem(p, 1 - jnp.eye(2)), s).reproduction[1]  # noqa: E731
    slope = jax.grad(f)(jnp.array([0.5, 0.5])) @ jnp.array([-1.0, 1.0])
    np.testing.assert_allclose(slope, 1 / np.tanh(s / 2), rtol=1e-7)


@pytest.mark.parametrize("kind", [rate_at, distortion_at])
def test_every_field_at_a_target_in_the_source(kind):
    """Regression: in reverse mode all but the rate (the distortion) at a target raised an error of JAX's.

    A coin of p: R = h(p) - h(D), slope ln((1 - D) / D), q = (p - D) / (1 - 2D); of weights, p is their share.
    """
    p, d = 0.3, 0.1
    source, hamming = jnp.array([1 - p, p]), 1 - jnp.eye(2)

    def fields(source):
        point = kind(Problem(source, hamming), d if kind is rate_at else binary_entropy(p) - binary_entropy(d))
        return jnp.stack([point.rate, point.distortion, point.slope, point.reproduction[1]])

    rise = np.log((1 - p) / p)
    moved = 0.0 if kind is rate_at else rise / np.log((1 - d) / d)  # dD/dp
    q_moved = 1 / (1 - 2 * d) + (2 * p - 1) / (1 - 2 * d) ** 2 * moved
    expected = [rise if kind is rate_at else 0, moved, -moved / (d * (1 - d)), q_moved]
    found = np.asarray(jax.jacrev(fields)(source))
    np.testing.assert_allclose(found @ [-1, 1], expected, atol=1e-9)
    np.testing.assert_allclose(found @ np.asarray(source), 0, atol=1e-9)


def test_at_a_critical_slope_one_side():
    """Where the support changes the derivative is that of one of the two sides, never NaN."""
    p = np.array([0.5, 0.3, 0.2])
    s = float(categorical.slope(p, categorical._sort(p, 0.0)[0].breakpoint[2]))
    f = lambda s: solve(Problem(p, 1 - np.eye(3)), s).distortion  # noqa: E731
    found = float(jax.grad(f)(s))
    sides = [float((f(s + h) - f(s)) / h) for h in (1e-5, -1e-5)]
    assert min(abs(found - side) for side in sides) < 1e-3


def test_forbidden_pairs_and_empty_letters():
    d = np.where(np.eye(6, 5) > 0, np.inf, np.asarray(D))
    p = np.concatenate([[0.0], np.asarray(P)[1:] / np.asarray(P)[1:].sum()])
    for field in ("rate", "distortion"):
        slope = jax.grad(lambda d, field=field: FIELDS[field](solve(Problem(p, d), S)))(jnp.asarray(d))
        assert np.isfinite(slope).all()
        assert (slope[np.isinf(d)] == 0).all()
        assert (slope[0] == 0).all()


def test_vmap_jit_and_sweep():
    grid = jnp.array([2.0, 3.0])
    each = [jax.grad(lambda d, s=s: solve(Problem(P, d), s).rate)(D) for s in grid]
    mapped = jax.jit(jax.vmap(jax.grad(lambda d, s: solve(Problem(P, d), s).rate), (None, 0)))(D, grid)
    np.testing.assert_allclose(mapped, np.stack(each), atol=1e-9)
    swept = jax.grad(lambda d: sweep(Problem(P, d), grid).rate @ jnp.array([1.0, 10.0]))(D)
    np.testing.assert_allclose(swept, each[0] + 10 * each[1], atol=1e-9)


def test_check_grads_of_jax():
    check_grads(lambda d, s: solve(Problem(P, d), s).rate, (D, S), order=1, eps=1e-5, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_through_tosc_to_logits():
    z = jnp.asarray(2 * G.standard_normal((25, 4)))
    labels = jnp.asarray(G.integers(0, 4, 25))

    def problem(z):
        return tosc.model_aware_problem(jax.nn.softmax(z))

    close(lambda z: rate_at(problem(z), 0.4).rate, z)
    close(lambda z: tosc.label_distortion(problem(z), solve(problem(z), 5.0), labels), z)
    close(lambda z: tosc.sample_and_communicate(jax.nn.log_softmax(z), labels, 1.3).rate, z)


def test_memory_is_independent_of_the_iterations():
    """The loop is not unrolled into the reverse pass: no residual grows with max_steps."""
    jaxpr = str(jax.make_jaxpr(jax.grad(lambda d: solve(Problem(P, d), S).rate))(D))
    assert "80,6" not in jaxpr
    assert "80,5" not in jaxpr


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_where_newton_still_moves_there_is_no_derivative(monkeypatch, dtype):
    """A last step of more than 2 sqrt(eps) left float32 derivatives off by .011: such a point is refused."""
    g = np.random.default_rng(0)
    problem = Problem(g.dirichlet(np.ones(6)).astype(dtype), g.random((6, 5)).astype(dtype))
    near = solve(problem, 4.0).reproduction
    slope, far = jnp.asarray(4.0, dtype), jnp.full_like(near, 1 / 5)

    def optimum(q, steps):
        monkeypatch.setattr(_optimum, "_ITERATIONS", 0)
        monkeypatch.setattr(_optimum, "_POLISH", steps)
        return _optimum.optimum.__wrapped__("slope", problem, slope, q, slope)

    assert np.isfinite(optimum(near, 3)[0]).all()
    for q, slope_ in (optimum(near, 0), optimum(far, 1)):
        assert np.isnan(q).all()
        assert np.isnan(slope_)

"""Each solver's iteration, written again in numpy from its equations: what is faster or slower than it says is seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.random import default_rng

from jaxrd import Problem
from jaxrd.solvers import _interior_point as ip
from jaxrd.solvers import _working_set as ws
from jaxrd.solvers._blahut_arimoto import _accelerate, ascend
from jaxrd.solvers.certificate import prepare
from jaxrd.solvers.newton import direct

EPS = np.finfo(float).eps


def drawn(n=7, m=5, seed=0, slope=3.0):
    """A prepared problem, its pmf, and K in numpy."""
    g = default_rng(seed)
    prepared = prepare(Problem(g.dirichlet(np.ones(n)), g.random((n, m))), jnp.asarray(slope))
    return prepared, np.asarray(prepared.source), np.asarray(prepared.kernel.matrix)


def longest(x, dx, keep=1.0):
    """The longest step along dx, at most 1, that leaves (1 - keep) x of every entry."""
    return min([1.0, *(keep * a / -b for a, b in zip(x, dx, strict=True) if b < 0)])


def mehrotra(k, p, old):
    """One step of the predictor-corrector on min -p ln(K q) + sum q, with its safeguards."""
    q, slack, z, c = old["q"], old["slack"], old["z"], old["c"]
    m = len(q)
    mu = q @ slack / m
    gram = k.T @ np.diag(p / z**2) @ k
    newton = gram + np.diag((slack + old["ridge"] * EPS * m * q) / q)
    dq = np.linalg.solve(newton, c - 1)
    ds = -slack - slack / q * dq
    affine = (q + longest(q, dq) * dq) @ (slack + longest(slack, ds) * ds) / m
    rhs = (affine / mu) ** 3 * mu - dq * ds
    dq = np.linalg.solve(newton, c - 1 + rhs / q)
    ds = rhs / q - slack - slack / q * dq

    keep = max(0.995, 1 - mu) if mu < 1e-3 else 0.99
    new_slack = np.maximum(slack + longest(slack, ds, keep) * ds, 1e-40)
    new_q = q + longest(q, dq, keep) * dq
    new_q = np.maximum(new_q, max(1e-3 * (new_q @ new_slack) / m, 1e-40))
    shorter = longest(z, k @ new_q - z, 0.95 if old["stale"] < 4 else 0.5)
    new_q = (1 - shorter) * q + shorter * new_q
    new_z = (1 - shorter) * z + shorter * (k @ new_q if shorter == 1 else k @ (q + (new_q - q) / shorter))
    new_c = k.T @ (p / new_z)
    gap = np.log(new_c.max()) + np.log(new_q.sum())
    better = gap < old["best_gap"]
    progress = better or new_q @ new_slack / m < 0.9 * mu
    return old | {
        "q": new_q, "slack": new_slack, "z": new_z, "c": new_c,
        "best_q": new_q if better else old["best_q"], "best_gap": gap if better else old["best_gap"],
        "idle": 0 if progress else old["idle"] + 1, "stale": 0 if better else old["stale"] + 1,
        "step": old["step"] + 1,
    }  # fmt: skip


def begun(k, p, q):
    q = np.maximum(q, 1e-12)
    q = q / q.sum()
    z = k @ q
    c = k.T @ (p / z)
    gap = np.log(c.max()) + np.log(q.sum())
    return {
        "q": q, "slack": np.maximum(1 - c, 1e-3), "z": z, "c": c, "ridge": 4.0, "best_q": q, "best_gap": gap,
        "idle": 0, "stale": 0, "step": 0, "solver": 0,
    }  # fmt: skip


def assert_same(found, expected, rtol=1e-7):
    for name, value in found._asdict().items():
        np.testing.assert_allclose(value, expected[name], rtol=rtol, atol=1e-12, err_msg=name)


class TestInteriorPoint:
    @pytest.mark.parametrize("seed", range(4))
    def test_every_iteration(self, seed):
        prepared, p, k = drawn(seed=seed)
        first = np.array([0.7, 0.3, 0, 0, 0]) if seed == 3 else np.full(5, 0.2)
        state, expected = ip._start(prepared.kernel, prepared.source, jnp.asarray(first)), begun(k, p, first)
        assert_same(state, expected)
        for _ in range(6):
            state = ip._step(prepared.kernel, prepared.source, [direct(prepared.kernel)], state)
            expected = mehrotra(k, p, expected)
            assert_same(state, expected, 1e-4 if seed == 3 else 1e-7)  # letters of mass 1e-12 cost digits

    @pytest.mark.parametrize("stale", [0, 3, 4, 9])
    def test_steps_are_shorter_after_four_without_a_better_gap(self, stale):
        """Where z would fall by more than either bound allows."""
        prepared, p, k = drawn(slope=30.0)
        first = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
        state = ip._start(prepared.kernel, prepared.source, jnp.asarray(first))
        state = state._replace(stale=jnp.int32(stale), best_gap=jnp.asarray(-1.0), idle=jnp.int32(2))
        expected = begun(k, p, first) | {"stale": stale, "best_gap": -1.0, "idle": 2}
        found, after = (
            ip._step(prepared.kernel, prepared.source, [direct(prepared.kernel)], state),
            mehrotra(k, p, expected),
        )
        assert_same(found, after)
        assert after["stale"] == stale + 1
        falls = 1 - np.asarray(found.z) / np.asarray(state.z)
        assert falls.max() == pytest.approx(0.95 if stale < 4 else 0.5)

    def test_a_direction_that_is_none_keeps_the_state_and_raises_the_ridge(self):
        prepared, *_ = drawn()
        state = ip._start(prepared.kernel, prepared.source, jnp.full(5, 0.2))
        broken = state._replace(ridge=jnp.asarray(np.nan))
        found = ip._step(prepared.kernel, prepared.source, [direct(prepared.kernel)], broken)
        for name in ("q", "slack", "z", "best_q"):
            np.testing.assert_array_equal(getattr(found, name), getattr(state, name))
        assert (int(found.step), int(found.stale), int(found.idle)) == (1, 1, 1)

        def fails(weights, root, diagonal):
            return lambda rhs, _: (jnp.full_like(rhs, jnp.nan), jnp.zeros_like(rhs))

        failing = direct(prepared.kernel)._replace(build=fails)
        found = ip._step(prepared.kernel, prepared.source, [failing], state)
        assert float(found.ridge) == 400.0

    @pytest.mark.parametrize(("step", "idle", "gap", "unfinished"), [
        (9, 7, 1.1, True), (10, 7, 1.1, False), (9, 8, 1.1, False), (9, 7, 1.0, False), (9, 7, np.nan, True),
    ])  # fmt: skip
    def test_when_it_ends(self, step, idle, gap, unfinished):
        prepared, *_ = drawn()
        state = ip._start(prepared.kernel, prepared.source, jnp.full(5, 0.2))
        state = state._replace(step=jnp.int32(step), idle=jnp.int32(idle), best_gap=jnp.asarray(gap))
        assert bool(ip._unfinished(state, 1.0, 10, 8)) == unfinished

    @pytest.mark.parametrize(("n", "m", "steps"), [(5, 5, 3), (40, 400, 44), (400, 900, 29)])
    def test_the_opening_is_as_many_steps_as_one_iteration_costs(self, n, m, steps):
        prepared, p, k = drawn(n, m)
        q = np.full(m, 1 / m)
        for _ in range(steps):
            q = q * (k.T @ (p / (k @ q)))
        np.testing.assert_allclose(ip.opening(prepared.kernel, prepared.source), q, rtol=1e-9)


def evaluated(k, p, q):
    """F(q), the gap ln max c - KL(r||q), and c of a pmf."""
    c = k.T @ (p / (k @ q))
    r = q * c
    objective, divergence = -p @ np.log(k @ q), r @ np.log(c)
    return objective, np.log(c.max()) - divergence, c


def test_blahut_arimoto_step_by_step():
    prepared, p, k = drawn()
    q = np.full(5, 0.2)
    after = jax.jit(lambda steps: ascend(prepared, jnp.full(5, 3.0), jnp.asarray(0.0), steps))
    for steps in range(4):
        found, e, taken = after(steps)
        np.testing.assert_allclose(found, q, rtol=1e-12)
        np.testing.assert_allclose(e.gap, evaluated(k, p, q)[1], rtol=1e-9)
        assert taken == steps
        q = q * evaluated(k, p, q)[2]


@pytest.mark.parametrize("seed", range(3))
def test_momentum_step_by_step(seed):
    """(r - 1)/(r + 2) of the last change of ln q after r steps, dropped where the objective rises."""
    prepared, p, k = drawn(seed=seed, slope=8.0)
    after = jax.jit(lambda steps: _accelerate(prepared, jnp.full(5, 0.2), jnp.asarray(-1.0), steps))
    q = at = best = np.full(5, 0.2)
    objective, gap, c = evaluated(k, p, at)
    least, run, bound, dropped = gap / max(1, abs(objective)), 0, np.inf, 0
    for steps in range(60):
        found, taken = after(steps)
        np.testing.assert_allclose(found, best, rtol=1e-6, atol=1e-14, err_msg=str(steps))
        assert taken == steps
        if objective <= bound:
            run, new, bound = run + 1, np.maximum(at * c, 1e-290) / (at * c).sum(), objective
        else:
            run, new, bound, dropped = 0, q, np.inf, dropped + 1
        at = new * np.exp(max(run - 1, 0) / (run + 2) * np.clip(np.log(new / q), -20, 20))
        q, at = new, at / at.sum()
        objective, gap, c = evaluated(k, p, at)
        if gap / max(1, abs(objective)) < least:
            least, best = gap / max(1, abs(objective)), at
    assert dropped > 0


class TestWorkingSet:
    @pytest.mark.parametrize("m", [1, 2, 5, 8, 300])
    def test_starting_letters_lie_evenly(self, m):
        score = ws._evenly(m)
        assert score.max() == 1
        assert sorted(score) == pytest.approx(np.arange(1, m + 1) / m)
        for k in (2, 4, 8):
            chosen = np.sort(np.argsort(-score)[:k])
            if m >= 4 * k:
                assert np.diff(chosen).max() <= 2 * m / k

    @pytest.mark.parametrize(
        ("sizes", "gap", "round_", "size_after"),
        [
            ([128, 256], np.inf, 0, 0),
            ([128, 256], 0.0, 0, 1),
            ([128, 256], np.inf, 4, 1),
            ([128, 256], np.inf, 3, 0),
            ([128], 0.0, 0, 0),
            ([128], 0.0, 14, 0),
            ([128], 0.0, 15, 1),
        ],
    )
    def test_a_round(self, sizes, gap, round_, size_after):
        """Shares for those of the set, the worst violators first; the next size where a round brought too little.

        The largest size stays for 16 rounds, unless most of its letters are in use; here 400 are far more than 128.
        """
        x = np.linspace(-4, 4, 400)
        p = np.exp(-(x**2) / 2)
        prepared = prepare(Problem(p / p.sum(), (x[:, None] - x) ** 2), jnp.asarray(10.0))
        k, p = np.asarray(prepared.kernel.matrix), np.asarray(prepared.source)
        start = ws._State(
            jnp.full(400, 1 / 400), jnp.asarray(ws._evenly(400)), jnp.asarray(gap), jnp.int32(0), jnp.int32(round_),
            jnp.int32(7), jnp.asarray(False),
        )  # fmt: skip
        found = jax.jit(lambda state: ws._round(prepared, sizes, state, jnp.asarray(1e-12), 80))(start)
        q = np.asarray(found.q)
        inside = np.argsort(-ws._evenly(400))[:128]
        assert np.abs(np.delete(q, inside)).max() == 0
        z = k @ q
        c = k.T @ (p / z)
        assert np.log(c[inside].max()) < 1e-11  # solved on the set
        assert float(found.gap) == pytest.approx(np.log(c.max()), rel=1e-9)
        worst = np.argsort(np.argsort(-c)) < 128 // 4
        expected = np.where(worst & (c > 1), 2 + c / c.max(), (k * q / z[:, None]).max(0))
        np.testing.assert_allclose(found.priority, expected, rtol=1e-6, atol=1e-12)
        assert (int(found.size), int(found.round)) == (size_after, 0 if size_after else round_ + 1)
        assert found.steps > 7
        assert not found.done

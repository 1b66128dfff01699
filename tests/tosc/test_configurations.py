"""Configurations as classes: rows made of factors, S&C by cells, and the benchmark of a million of them."""

import itertools

import configurations
import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.nn import log_softmax
from scipy.special import softmax

from jaxrd import tosc
from jaxrd.testing import generators
from jaxrd.tosc.curves.configurations import configuration, joint_log_posterior, sample_and_communicate_by_cells


def factors(g, samples, cells, states):
    return np.asarray(log_softmax(2 * g.standard_normal((samples, cells, states)), axis=2))


class TestRows:
    @given(g=generators(), shape=st.sampled_from(((5, 1, 4), (4, 3, 3), (2, 4, 2))))
    @settings(max_examples=10)
    def test_every_configuration_is_a_product(self, g, shape):
        samples, cells, states = shape
        f = factors(g, *shape)
        rows = np.exp(joint_log_posterior(f))
        np.testing.assert_allclose(rows.sum(1), 1)
        for y in itertools.product(range(states), repeat=cells):
            product = np.exp([sum(f[i, c, y[c]] for c in range(cells)) for i in range(samples)])
            np.testing.assert_allclose(rows[:, int(configuration(np.array(y), states))], product)

    def test_a_million_in_int32(self):
        with jax.enable_x64(False):
            assert int(configuration(np.full(6, 9, np.int32), 10)) == 999_999


class TestByCells:
    def test_is_the_whole_where_cells_are_independent(self):
        # Every combination of three views of each of two cells: under the samples' own law the cells are independent.
        g = np.random.default_rng(0)
        views = factors(g, 3, 2, 4)
        f = np.array([[views[i, 0], views[j, 1]] for i in range(3) for j in range(3)])
        y = g.integers(0, 4, (9, 2))
        for t in (0.0, 0.7, 3.0):
            whole = tosc.sample_and_communicate(joint_log_posterior(f), configuration(y, 4), t)
            np.testing.assert_allclose(sample_and_communicate_by_cells(f, y, t), whole, atol=1e-12)

    @given(g=generators(), t=st.sampled_from((0.5, 1.0, 4.0)))
    @settings(max_examples=10)
    def test_costs_the_dependence_more_than_the_whole(self, g, t):
        f, y = factors(g, 12, 3, 3), g.integers(0, 3, (12, 3))
        whole = tosc.sample_and_communicate(joint_log_posterior(f), configuration(y, 3), t)
        found = sample_and_communicate_by_cells(f, y, t)
        w = softmax(t * f, axis=2)
        q = np.einsum("ia,ib,ic->abc", *w.transpose(1, 0, 2)) / 12
        product = np.einsum("a,b,c->abc", *w.mean(0))
        dependence = (q * np.log(q / product)).sum()
        np.testing.assert_allclose(found.rate, whole.rate + dependence, atol=1e-12)
        np.testing.assert_allclose(found[1:], whole[1:], atol=1e-12)

    def test_the_plug_in_rate_of_the_whole_is_bounded_by_the_samples(self):
        # 4096 classes, 16 samples: the truth is above ln 16, and no plug-in estimate can say so.
        y, f = configurations.scenes(6, 4, 16, (0,))
        many_y, many_f = configurations.scenes(6, 4, 20_000, (1,))
        whole = tosc.sample_and_communicate(joint_log_posterior(f), configuration(y, 4), 1.0)
        truth = sample_and_communicate_by_cells(many_f, many_y, 1.0)
        assert float(whole.rate) <= np.log(16) < float(truth.rate)


class TestBenchmark:
    def test_scenes_are_calibrated(self):
        y, f = configurations.scenes(2, 5, 20_000, (0,))
        occurs = np.stack([(y == k).mean(0) for k in range(5)], 1)
        np.testing.assert_allclose(occurs, configurations.prior(2, 5), atol=0.015)
        np.testing.assert_allclose(np.exp(f).mean(0), occurs, atol=0.015)
        believed = np.exp(f.max(2))
        np.testing.assert_allclose(believed.mean(0), (f.argmax(2) == y).mean(0), atol=0.01)

    def test_decisions_are_those_of_the_rows(self):
        labels, decisions = configurations.decided(3, 3, 40)
        y, f = configurations.scenes(3, 3, 40, (1, 0))
        np.testing.assert_array_equal(decisions, np.asarray(joint_log_posterior(f)).argmax(1))
        np.testing.assert_array_equal(labels, configuration(y, 3))

    def test_blocks_come_again(self, monkeypatch):
        monkeypatch.setattr(configurations, "CELLS_A_BLOCK", 4 * 27)
        blocks = configurations.rows_of(3, 3, 12)
        first, second = ([np.asarray(v) for v, _ in blocks()] for _ in range(2))
        assert [v.shape for v in first] == [(4, 27)] * 3
        np.testing.assert_array_equal(first, second)

    def test_curves(self):
        found = configurations.whole_curves(2, 4, 2000)
        at = found["at"]
        assert at["oRD_nats"] < at["E&C_nats"] < at["merge_nats"]
        assert found["classes"] == 16
        for point in found["iE&C"]:
            np.testing.assert_allclose(point["gap_nats"], point["gap_in_numpy_nats"], atol=1e-9)

    def test_exponents_and_picture(self):
        found = {
            f"{name}: {n}": {"cpu_seconds": 1e-9 * n**k, "wall_seconds": 2e-9 * n**k}
            for k, name in enumerate(configurations.GROWTH)
            for n in (100, 200, 400)
        }
        rows = configurations.growth(found)
        assert [row["exponent"] for row in rows.values()] == [0, 1, 2, 3, 4, 5]
        assert configurations.picture({"growth": rows}).startswith(b"\x89PNG")

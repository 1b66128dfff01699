"""Quantisers of one letter at a time, against loops in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from jaxrd.rdc.quantiser import one_shot

CLASSES = 3


def logits(r):
    """Smooth, nonlinear, fixed."""
    d = r.shape[-1]
    matrix = jnp.sin(jnp.arange(1.0, d * CLASSES + 1)).reshape(d, CLASSES)
    return 3 * jnp.tanh(r @ matrix) + 0.5 * (r**2) @ matrix[::-1]


def problem(seed, n=40, d=4, messages=5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    source = rng.normal(size=(n, d)) + 2 * rng.normal(size=(CLASSES, d))[labels]
    beliefs = 0.9 * np.eye(CLASSES)[labels] + 0.1 / CLASSES
    return jnp.asarray(source), jnp.asarray(beliefs), jnp.asarray(labels), jnp.asarray(source[:messages])


def slow_costs(source, beliefs, r, weight):
    scores = np.asarray(logits(r))
    scores = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    found = np.zeros((len(source), len(r)))
    for i, (x, p) in enumerate(zip(source, beliefs, strict=True)):
        for j, y in enumerate(r):
            found[i, j] = np.mean((x - y) ** 2) - weight * np.sum(p * scores[j])
    return found


@given(seed=st.integers(0, 1000), weight=st.floats(0, 3))
@settings(max_examples=20)
def test_costs_are_the_loss(seed, weight):
    source, beliefs, _, start = problem(seed)
    found = one_shot.costs(source, beliefs, one_shot.codebook(start, logits), weight)
    np.testing.assert_allclose(found, slow_costs(*map(np.asarray, (source, beliefs, start)), weight), atol=1e-12)


run = jax.jit(lambda source, beliefs, start, weight: one_shot.lloyd(source, beliefs, start, weight, logits, rounds=12))


@given(seed=st.integers(0, 1000), weight=st.sampled_from([0.0, 0.01, 0.3, 5.0, 100.0]))
@settings(max_examples=25)
def test_the_loss_never_rises(seed, weight):
    source, beliefs, _, start = problem(seed)
    _, losses = run(source, beliefs, start, weight)
    assert (np.diff(losses) <= 1e-12 * np.abs(losses[:-1])).all()
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("seed", range(5))
def test_without_a_weight_it_is_k_means(seed):
    source, beliefs, _, start = problem(seed)
    book, _ = run(source, beliefs, start, 0.0)
    x, r = np.asarray(source), np.asarray(start)
    for _ in range(12):
        nearest = ((x[:, None] - r) ** 2).sum(-1).argmin(1)
        r = np.stack([x[nearest == j].mean(0) if (nearest == j).any() else r[j] for j in range(len(r))])
    np.testing.assert_allclose(book.reproductions, r, atol=1e-12)


def test_the_weight_buys_cross_entropy():
    source, beliefs, labels, start = problem(3, n=200)
    points = []
    for weight in (0.0, 1.0):
        book, _ = one_shot.lloyd(source, beliefs, start, weight, logits, rounds=60)
        points.append(one_shot.measure(source, beliefs, labels, book, weight))
    assert points[1].cross_entropy < points[0].cross_entropy - 0.02
    assert points[1].mse > points[0].mse


def test_an_empty_cell_stays_where_it_is():
    source, beliefs, _, start = problem(0)
    far = start.at[2].set(1e3)
    book, losses = run(source, beliefs, far, 0.0)
    np.testing.assert_array_equal(book.reproductions[2], far[2])
    assert np.isfinite(losses).all()


def test_starts_by_vmap():
    source, beliefs, _, start = problem(1)
    starts = jnp.stack([start, source[-5:]])
    together, losses = jax.vmap(lambda s: run(source, beliefs, s, 0.2))(starts)
    for i, s in enumerate(starts):
        alone, loss = run(source, beliefs, s, 0.2)
        # Near its end a descent takes or refuses steps on the last bit of a cost: the root of that bit in place.
        np.testing.assert_allclose(together.reproductions[i], alone.reproductions, atol=1e-6)
        np.testing.assert_allclose(losses[i], loss, atol=1e-12)


def test_measured_on_labels():
    source, beliefs, labels, start = problem(2)
    book = one_shot.codebook(start, logits)
    found = one_shot.measure(source, beliefs, labels, book, 0.1)
    z = slow_costs(*map(np.asarray, (source, beliefs, start)), 0.1).argmin(1)
    np.testing.assert_array_equal(found.messages, z)
    assert found.mse == pytest.approx(np.mean((np.asarray(source) - np.asarray(start)[z]) ** 2))
    chosen = np.asarray(book.log_posteriors)[z]
    assert found.cross_entropy == pytest.approx(-chosen[np.arange(len(z)), labels].mean())
    assert found.accuracy == pytest.approx((chosen.argmax(1) == np.asarray(labels)).mean())
    p = np.bincount(z) / len(z)
    assert found.entropy == pytest.approx(-(p[p > 0] * np.log(p[p > 0])).sum())


class TestBlend:
    def trained(self, n=400):
        source, beliefs, labels, start = problem(4, n=n)
        book, _ = one_shot.lloyd(source, beliefs, start, 0.0, logits, rounds=40)
        return source, book, one_shot.measure(source, beliefs, labels, book, 0.0)

    def test_no_share_is_the_codebook(self):
        source, book, found = self.trained()
        r = one_shot.blend(jax.random.key(0), book, found.messages, source, found.messages, 0.0)
        np.testing.assert_array_equal(r, book.reproductions[found.messages])

    def test_a_whole_share_is_a_letter_of_the_cell(self):
        source, book, found = self.trained(60)
        r = one_shot.blend(jax.random.key(0), book, found.messages, source, found.messages, 1.0)
        equal = np.isclose(np.asarray(source)[:, None], np.asarray(r)).all(-1)  # (pool, n)
        assert (np.asarray(found.messages)[equal.argmax(0)] == np.asarray(found.messages)).all()
        assert equal.any(0).all()

    @pytest.mark.parametrize("share", [0.3, 0.7])
    def test_its_mse_is_the_law(self, share):
        source, book, found = self.trained()
        keys = jax.random.split(jax.random.key(1), 200)
        draw = jax.vmap(lambda key: one_shot.blend(key, book, found.messages, source, found.messages, share))
        mse = ((draw(keys) - source) ** 2).mean((1, 2))
        # Five standard errors of the mean over draws.
        assert abs(mse.mean() - (1 + share**2) * found.mse) < 5 * mse.std() / np.sqrt(len(keys))

    def test_nearest_neighbours_have_w2_equal_to_the_mse(self):
        source, book, found = self.trained(150)
        r = np.asarray(book.reproductions)[found.messages]
        squares = ((np.asarray(source)[:, None] - r) ** 2).mean(-1)
        rows, columns = linear_sum_assignment(squares)
        assert squares[rows, columns].mean() == pytest.approx(float(found.mse), rel=1e-9)

    def test_a_message_the_pool_never_has(self):
        source, book, found = self.trained(60)
        pool = source[found.messages != 1]
        r = one_shot.blend(jax.random.key(0), book, jnp.array([1, 1]), pool, found.messages[found.messages != 1], 1.0)
        np.testing.assert_array_equal(r, book.reproductions[jnp.array([1, 1])])

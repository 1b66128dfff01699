"""Blocks of n letters: closed forms of the dispersion, and bounds around codes found by trying all of them."""

from itertools import combinations, product
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrd
from jaxrd import InputError, Problem, blocklength, rate_at, sweep
from jaxrd.blocklength.achievability import _letters, _log_hits, _types, largest_log_size
from jaxrd.blocklength.converse import certified_tilted, least_log_size
from jaxrd.blocklength.sums import least_tails

HAMMING = 1 - np.eye(2)
COIN = Problem(np.array([0.89, 0.11]), HAMMING)


def entropy(p):
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


class TestDispersion:
    @pytest.mark.parametrize("p", [0.05, 0.11, 0.3, 0.49])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_bernoulli(self, p, share):
        """V = p (1 - p) ln^2((1 - p) / p), whatever D < p; j = - ln p_x - h(D)."""
        coin = Problem(jnp.array([1 - p, p]), 1 - jnp.eye(2))
        point = rate_at(coin, share * p)
        j = blocklength.tilted_information(coin, point)
        np.testing.assert_allclose(j, -np.log([1 - p, p]) - entropy(share * p), atol=1e-9)
        assert float(blocklength.dispersion(coin, point)) == pytest.approx(
            p * (1 - p) * np.log((1 - p) / p) ** 2, abs=1e-12
        )

    @pytest.mark.parametrize("m", [2, 3, 10])
    def test_equiprobable_letters(self, m):
        even = Problem(jnp.full(m, 1 / m), 1 - jnp.eye(m))
        assert float(blocklength.dispersion(even, rate_at(even, 0.2))) == pytest.approx(0, abs=1e-12)

    def test_gaussian(self):
        """V = 1/2 nats squared under squared error; the grid's cells cost a little."""
        x = np.linspace(-7, 7, 281)
        gaussian = Problem(np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum(), (x[:, None] - x) ** 2)
        assert float(blocklength.dispersion(gaussian, rate_at(gaussian, 0.2))) == pytest.approx(0.5, abs=2e-3)

    def test_transforms(self):
        """The mean of j is R; jit and vmap give the same, and derivatives agree with differences."""
        g = np.random.default_rng(0)
        p, d = g.dirichlet(np.ones(4)), g.random((4, 3))
        curve = sweep(Problem(p, d), jnp.array([2.0, 5.0, 9.0]))
        problem = Problem(jnp.asarray(p), jnp.asarray(d))
        each = jax.jit(jax.vmap(lambda point: blocklength.tilted_information(problem, point)))(curve)
        np.testing.assert_allclose(each @ p, curve.rate, atol=1e-8)

        def spread(target, weight):
            moved = problem.source * (1 + weight * jnp.arange(4.0))
            here = Problem(moved / moved.sum(), problem.distortion)
            return blocklength.dispersion(here, rate_at(here, target))

        target, h = float(curve.distortion[1]), 1e-5
        for k, at in enumerate(np.eye(2) * h):
            slope = jax.grad(spread, k)(target, 0.0)
            difference = (spread(target + at[0], at[1]) - spread(target - at[0], -at[1])) / (2 * h)
            assert float(slope) == pytest.approx(float(difference), rel=1e-4, abs=1e-6)

    def test_a_curve_is_no_point(self):
        with pytest.raises(InputError, match="must be one point"):
            blocklength.dispersion(COIN, sweep(COIN, np.array([1.0, 2.0])))


def least_size(p, d, target, n, excess):
    """The size of the smallest code, by trying all of them."""
    words = np.array(list(product(range(d.shape[1]), repeat=n)))
    blocks = np.array(list(product(range(len(p)), repeat=n)))
    mass = p[blocks].prod(1)
    near = d[blocks[:, None, :], words[None]].mean(2) <= target + 1e-12
    for size in range(1, len(words) + 1):
        for chosen in combinations(range(len(words)), size):
            if mass @ ~near[:, chosen].any(1) <= excess:
                return size
    return np.inf


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6), letters=st.integers(2, 3), n=st.integers(1, 2), share=st.floats(0.1, 0.9),
    excess=st.sampled_from([0.01, 0.1, 0.3]), plain=st.booleans(),
)  # fmt: skip
def test_around_the_best_code(seed, letters, n, share, excess, plain):
    g = np.random.default_rng(seed)
    p, m = g.dirichlet(np.ones(letters)), 2 if n == 2 else 3
    d = 1 - np.eye(letters, m) if plain else g.random((letters, m))
    low, high = p @ d.min(1), (p @ d).min()
    if high - low < 1e-3:
        return
    target = float(low + share * (high - low))
    found = blocklength.rate(Problem(p, d), target, n, excess)
    best = np.log(least_size(p, d, target, n, excess)) / n
    assert found.lower[0] <= best + 1e-12
    assert best <= found.upper[0] + 1e-12


class TestCoin:
    """Bernoulli(.11) at D = .05, excess .01."""

    N = (10, 20, 50, 100, 200, 500, 1000, 2000)

    @pytest.fixture(scope="class")
    @staticmethod
    def found():
        return blocklength.rate(COIN, 0.05, TestCoin.N, 0.01)

    def test_in_order(self, found):
        assert (found.lower < found.upper).all()
        assert (found.lower < found.approximation).all()
        assert (found.approximation[2:] < found.upper[2:]).all()
        assert (found.lower[2:] > found.rate).all()

    def test_the_gap_falls_as_log_n_over_n(self, found):
        gap = (found.upper - found.lower) * found.n / np.log(found.n)
        assert (np.diff(gap[2:]) < 0).all()
        assert gap[-1] < 1.5

    def test_one_length_is_one_of_many(self, found):
        alone = blocklength.rate(COIN, 0.05, 100, 0.01)
        assert alone.lower[0] == found.lower[3]
        assert alone.upper[0] == found.upper[3]

    def test_excess(self, found):
        rarer = blocklength.rate(COIN, 0.05, self.N, 0.001)
        assert (rarer.lower[1:] > found.lower[1:]).all()
        assert (rarer.upper[1:] > found.upper[1:]).all()


def test_equal_letters_need_no_types():
    """Ten equal letters are one type: blocks of 1000 take no time, and V = 0 leaves only the logarithm."""
    even = Problem(np.full(10, 0.1), 1 - np.eye(10))
    found = blocklength.rate(even, 0.3, [10, 1000], 0.1)
    assert (found.lower <= found.upper).all()
    assert found.upper[1] - found.rate < 6e-3


@pytest.mark.parametrize("n", [10, 40, 100])
@pytest.mark.parametrize("excess", [0.1, 0.01])
def test_a_fair_coin_by_spheres(n, excess):
    """Balls of radius nD: some code of M = ln excess / ln(1 - V) words is enough, and (1 - excess) / V are needed."""
    found = blocklength.rate(Problem(np.full(2, 0.5), HAMMING), 0.11, n, excess)
    volume = sum(comb(n, k) for k in range(int(0.11 * n + 1e-9) + 1)) / 2**n
    enough = min(np.log(np.ceil(np.log(excess) / np.log1p(-volume))), n * np.log(2))
    assert found.upper[0] * n == pytest.approx(enough, abs=2e-3)
    assert found.lower[0] * n <= np.log((1 - excess) / volume) + 1e-9


def test_many_types_have_no_upper_bound():
    g = np.random.default_rng(1)
    d = g.random((9, 5))
    d[0] += 0.5  # no reproduction of this letter lies within D
    found = blocklength.rate(Problem(g.dirichlet(np.ones(9)), d), 0.4, 200, 0.05)
    assert np.isnan(found.upper[0])
    assert found.lower[0] > 0


def test_tails_are_not_above_the_true_ones():
    """Three letters' sum of 4, by trying all blocks."""
    g = np.random.default_rng(2)
    for _ in range(6):  # each takes Fourier transforms of 2^21 cells
        value, p = g.normal(size=3), g.dirichlet(np.ones(3))
        blocks = np.array(list(product(range(3), repeat=4)))
        total, mass = value[blocks].sum(1), p[blocks].prod(1)
        threshold, tail = least_tails(value, p, 4)
        for at in g.integers(len(threshold), size=40):
            true = mass[total >= threshold[at]].sum()
            assert tail[at] <= true
        middle = np.sort(total)[40] - 1e-4 * np.ptp(total)  # beyond what a lattice of 2^21 cells moves a sum by
        at = np.searchsorted(threshold, middle)
        assert mass[total >= middle + 1e-4 * np.ptp(total)].sum() - 1e-8 <= tail[at]


@pytest.mark.parametrize("tilt", [0.5, 3.0, 12.0])
def test_hits_of_each_type(tilt):
    """The probability of a word within D of a block, by trying all words: distortions lie on a lattice here."""
    g = np.random.default_rng(3)
    d, q, p = g.integers(0, 4, (3, 3)) / 4, g.dirichlet(np.ones(3)), np.full(3, 1 / 3)
    letters = _letters(p, d, q, 0.3, 64)
    types = _types(len(letters.source), 4)
    words = np.array(list(product(range(3), repeat=4)))
    rows = [int((np.abs(letters.law - law).sum(1)).argmin()) for law in _rows(d, q, letters)]
    found = {}
    for block in product(range(3), repeat=4):
        key = tuple(np.bincount([rows[x] for x in block], minlength=len(letters.source)))
        found[key] = q[words].prod(1) @ (d[np.array(block), words].mean(1) <= 0.3 + 1e-12)
    log = _log_hits(letters, types, 4, tilt)
    for some, hit in zip(types.tolist(), log, strict=True):
        assert np.exp(hit) == pytest.approx(found[tuple(some)], abs=1e-8)  # a steep tilt leaves fewer digits
        assert np.exp(hit) <= found[tuple(some)] + 1e-15


def _rows(d, q, letters):
    low = d.min()
    for row in d:
        law = np.zeros(letters.law.shape[1])
        np.add.at(law, ((row - low) / letters.step).round().astype(int), q)
        yield law


def test_any_channel_gives_a_converse():
    """The j of a wrong slope and a wrong q satisfies what the converse needs, and its bound is only lower."""
    p, d = np.asarray(COIN.source), np.asarray(COIN.distortion)
    point = rate_at(COIN, 0.05)
    best = certified_tilted(p, d, float(point.slope), np.asarray(point.reproduction), 0.05)
    for s, q in ((1.0, [0.5, 0.5]), (4.0, [0.9, 0.1]), (0.0, [0.2, 0.8])):
        j = certified_tilted(p, d, s, np.array(q), 0.05)
        assert ((p * np.exp(j)) @ np.exp(s * (0.05 - d)) <= 1).all()
        assert least_log_size(j, p, 500, 0.01) < least_log_size(best, p, 500, 0.01)


def test_beyond_zero_rate():
    """Regression: at D > D_max the slope, and with it the tilt, is zero, and no steeper tilt was ever reached."""
    g = np.random.default_rng(0)
    problem = Problem(np.array([0.39, 0.59, 0.015, 0.005]), g.random((4, 4)))
    _, most = jaxrd.distortion_range(problem)
    found = blocklength.rate(problem, float(most) + 0.01, [1, 10], 0.1)
    assert found.rate == 0
    assert (found.lower <= found.upper).all()


def test_no_code_at_all():
    """A block of letters that no word is near is an excess: where these are too many the answer is inf."""
    p, d = np.array([0.5, 0.5]), np.array([[0.0, 1.0], [0.6, 0.9]])
    assert largest_log_size(p, d, 1.0, np.array([0.5, 0.5]), 0.4, 1, 0.1) == np.inf


@pytest.mark.parametrize(
    ("distortion", "n", "excess", "message"),
    [
        (0.05, 0, 0.1, "n must be"),
        (0.05, 1.5, 0.1, "n must be"),
        (0.05, 10, 0.0, "excess must lie in (0, 1)"),
        (0.05, 10, 1.0, "excess must lie in (0, 1)"),
        (0.0, 10, 0.1, "above the least"),
        (-1.0, 10, 0.1, "above the least"),
    ],
)
def test_bad_questions(distortion, n, excess, message):
    with pytest.raises(InputError) as error:
        blocklength.rate(COIN, distortion, n, excess)
    assert message in str(error.value)

"""The bound on g over all soft labels, part by part, and the rates that it certifies."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import lifted_program, rdc_point
from scipy.cluster.hierarchy import linkage

from jaxrd import Problem, Status
from jaxrd.rdc import lifted_rate, lifted_solve
from jaxrd.rdc.lifted.certificate import bound
from jaxrd.rdc.lifted.contraction import contraction, largest_total
from jaxrd.rdc.lifted.families import _joined
from jaxrd.rdc.lifted.pricing import Price, ascend
from jaxrd.rdc.lifted.relaxation import Boxes, bounded, first_boxes, relaxation, shrunk
from jaxrd.rdc.point import entropies
from jaxrd.testing import generators

MNIST = Path(__file__).parents[2] / "benchmarks" / "results" / "rdc_mnist64.npz"
SHAPES = ((2,), (3,), (4,), (2, 2), (3, 2), (2, 2, 2))


def channel(g, letters, classes):
    """Rows of several kinds: with zero entries, repeated, without noise, nearly equal, with a class of no weight."""
    kind = g.integers(6)
    rows = g.dirichlet(np.full(classes, g.choice([0.2, 1.0, 5.0])), letters)
    if kind == 0:
        rows = np.where(g.random(rows.shape) < 0.4, 0, rows) + 1e-300
        rows = np.where(rows > 1e-200, rows, 0) + np.eye(classes)[g.integers(0, classes, letters)] * 0.1
    elif kind == 1:
        rows = rows[g.integers(0, letters, letters)]
    elif kind == 2:
        rows = np.eye(classes)[g.integers(0, classes, letters)]
    elif kind == 3:
        rows = 0.9 * rows.mean(0) + 0.1 * rows
    elif kind == 4:
        rows[:, 0] = 1e-310
    return rows / rows.sum(1, keepdims=True)


def prices(g, power, sizes, letters=5, columns=2):
    """A random g: `power` in all, shared by the labels; some pairs forbidden."""
    labels = [channel(g, letters, size) for size in sizes]
    slopes = g.dirichlet(np.ones(len(sizes))) * power
    rows = np.concatenate(labels, 1)
    offset = np.sum([slope * entropies(label) for slope, label in zip(slopes, labels, strict=True)], 0)
    exponents = g.normal(0, 2, (letters, columns))
    exponents = np.where(g.random(exponents.shape) < 0.15, -np.inf, exponents)
    exponents[0] = 0.0
    return Price(exponents, rows * np.repeat(slopes, sizes), offset, rows, sizes, 1e-13, float(slopes.sum()))


def everywhere(g, price, count=3000):
    """Largest g over random soft labels, means of random letters, and all that they ascend to."""
    parts = [g.dirichlet(np.full(size, 0.5), count) for size in price.sizes]
    weights = g.dirichlet(np.full(len(price.labels), 0.3), count)
    soft = np.concatenate([np.concatenate(parts, 1), weights @ price.labels])
    columns = price.exponents.shape[1]
    top = max(float(price.terms(np.full(len(soft), y), soft).sum(1).max()) for y in range(columns))
    starts = np.concatenate([price.labels, soft[-30:]])
    values, found = ascend(price, np.repeat(np.arange(columns), len(starts)), np.tile(starts, (columns, 1)))
    best = [
        (y, found[y * len(starts) + values[y * len(starts) : (y + 1) * len(starts)].argmax()]) for y in range(columns)
    ]
    return max(top, float(values.max())), np.array([y for y, _ in best]), np.array([t for _, t in best])


class TestContraction:
    @given(flip=st.floats(0, 0.5))
    def test_binary_symmetric(self, flip):
        rows = np.array([[1 - flip, flip], [flip, 1 - flip]])
        assert contraction(rows) == pytest.approx((1 - 2 * flip) ** 2, abs=1e-9)

    @given(lost=st.floats(0, 1))
    def test_erasure(self, lost):
        rows = np.concatenate([(1 - lost) * np.eye(3), np.full((3, 1), lost)], 1)
        assert contraction(rows) == pytest.approx(1 - lost, abs=1e-9)

    def test_rows_all_alike(self):
        assert contraction(np.full((4, 3), 1 / 3)) == 0.0
        assert contraction(np.eye(3)) == pytest.approx(1.0)

    @given(g=generators(), size=st.sampled_from((2, 3, 5)))
    @settings(max_examples=30)
    def test_against_search(self, g, size):
        """Over random pmfs of all letters and random directions, and over two letters at a time on a fine grid."""
        rows = channel(g, 4, size)
        eta = contraction(rows)
        w = g.dirichlet(np.full(4, g.choice([0.1, 1.0])), 4000) + 1e-12
        v = w * g.standard_normal(w.shape)
        v -= w / w.sum(1, keepdims=True) * v.sum(1, keepdims=True)
        t = w @ rows
        spread = np.where(t > 0, (v @ rows) ** 2 / np.where(t > 0, t, 1), 0).sum(1)
        ratio = spread / (v**2 / w).sum(1)
        assert ratio.max() <= eta + 1e-9
        b = np.linspace(0, 1, 2001)[1:-1, None]
        pairs = [
            (b * (1 - b) * (p - q) ** 2 / np.maximum(b * p + (1 - b) * q, 1e-300)).sum(1).max()
            for i, p in enumerate(rows)
            for q in rows[:i]
        ]
        assert max(pairs) <= eta + 1e-12
        assert eta <= max(pairs) + 2e-3  # near b = 0 or 1 the grid misses a little

    @given(g=generators(), sizes=st.sampled_from(SHAPES))
    @settings(max_examples=30)
    def test_up_to_the_total_the_entropies_are_concave(self, g, sizes):
        """H(w) - sum_k slope_k H(wP_k) lies above its chords, and beyond the total not everywhere."""
        labels = [channel(g, 4, size) for size in sizes]
        slopes = g.dirichlet(np.ones(len(sizes)))
        most = largest_total(labels, slopes)

        def value(w):
            return entropies(w) - most * sum(s * entropies(w @ p) for s, p in zip(slopes, labels, strict=True))

        if most > 1e6:  # no letter says anything
            return
        ends = g.dirichlet(np.full(4, 0.3), (2, 4000))
        share = g.random((4000, 1))
        middle = share * ends[0] + (1 - share) * ends[1]
        chord = share[:, 0] * value(ends[0]) + (1 - share[:, 0]) * value(ends[1])
        assert (value(middle) >= chord - 1e-9).all()


class TestRelaxation:
    @given(g=generators(), power=st.sampled_from((0.3, 1.0, 1.5, 6.0, 200.0)), sizes=st.sampled_from(SHAPES))
    @settings(max_examples=40)
    def test_bounds_all_that_the_box_holds(self, g, power, sizes):
        """H(w) + w.a - sum mu H(wP) of every pmf w of the letters whose label lies in the box."""
        price = prices(g, power, sizes)
        at = relaxation(price)
        w = g.dirichlet(np.full(5, g.choice([0.2, 1.0])), 2000)
        t = w @ price.labels
        middle, size = t[g.integers(len(t))], g.choice([0.02, 0.2, 1.0])
        low, high = np.maximum(middle - size * g.random(len(middle)), 0), middle + size * g.random(len(middle))
        inside = ((t >= low) & (t <= high)).all(1)
        low, high, dual, middle = (np.tile(part, (3, 1)) for part in (low, high, g.normal(-2, 2, low.shape), middle))
        # Two columns and their family.
        boxes = Boxes(np.arange(3), low, high, dual, middle, 0 * low, np.zeros(3), np.full(3, np.inf))
        linear = np.where(np.isfinite(price.exponents), price.exponents + price.offset[:, None], -1e6)
        weights = price.powers.sum(0) / np.maximum(price.labels.sum(0), 1e-300)
        entropic = weights * t * np.log(np.where(t > 0, t, 1))
        value = entropies(w)[:, None] + w @ linear + entropic.sum(1)[:, None]
        value = np.concatenate([value, value.max(1, keepdims=True)], 1)
        for steps, level in ((1, -np.inf), (3, -np.inf), (30, -np.inf), (30, float(value.max()) + 1e-3)):
            result = bounded(at, boxes, level, steps).bound
            assert (value[inside] <= result + 1e-9 * (1 + power)).all()

    @given(g=generators(), power=st.sampled_from((0.3, 1.0, 1.5, 6.0, 200.0)), sizes=st.sampled_from(SHAPES))
    @settings(max_examples=40)
    def test_no_stationary_point_is_cut_off(self, g, power, sizes):
        price = prices(g, power, sizes)
        at = relaxation(price)
        starts = np.concatenate([price.labels, g.dirichlet(np.full(5, 0.3), 10) @ price.labels])
        letter = np.repeat([0, 1], len(starts))
        values, soft = ascend(price, letter, np.tile(starts, (2, 1)))
        for _ in range(20):
            values, soft = ascend(price, letter, soft)
        some = values > 0
        letter, soft, values = letter[some], soft[some], values[some]
        terms = price.terms(letter, soft)
        still = np.abs((terms / terms.sum(1, keepdims=True)) @ price.labels - soft).max(1) < 1e-13
        size = g.choice([0.01, 0.1, 1.0])
        low, high = np.maximum(soft - size * g.random(soft.shape), 0), soft + size * g.random(soft.shape)
        number = np.arange(len(soft))[:, None] + np.zeros_like(soft)
        family = np.where(g.random(len(soft)) < 0.5, letter, 2)
        boxes = Boxes(family, low, high, soft, soft, number, 0 * values, np.log(values) + 1e-12)
        left = shrunk(at, boxes, float(np.log(values[still].min(initial=np.inf))) - 1e-12)
        kept = left.over[:, 0].astype(int)
        assert set(np.flatnonzero(still)) <= set(kept)
        for row, i in enumerate(kept):
            if still[i]:
                assert (left.low[row] <= soft[i] + 1e-12).all()
                assert (left.high[row] >= soft[i] - 1e-12).all()

    def test_boxes_shrink_and_vanish(self):
        labels = np.array([[0.9, 0.1], [0.1, 0.9]])
        power = 4.0
        price = Price(np.zeros((2, 1)), power * labels, power * entropies(labels), labels, (2,), 1e-13, power)
        at = relaxation(price)
        values, soft = ascend(price, np.zeros(1, int), labels[:1])
        whole = first_boxes(at, soft)
        level = float(np.log(values.max()))
        assert whole.family.tolist() == [0]
        near = whole._replace(low=np.array([[0.8, 0.1]]), high=np.array([[0.9, 0.2]]))
        (shrank,) = (part.high - part.low for part in (shrunk(at, near, level),))
        assert shrank.max() < 0.05
        far = whole._replace(low=np.array([[0.4, 0.4]]), high=np.array([[0.6, 0.6]]))
        assert not len(shrunk(at, far, level).bound)


class TestBound:
    @given(g=generators(), power=st.sampled_from((0.5, 1.0, 1.1, 2.0, 9.0, 300.0)), sizes=st.sampled_from(SHAPES),
           cells=st.sampled_from((1, 30, 20_000)))  # fmt: skip
    @settings(max_examples=60)
    def test_never_below_g(self, g, power, sizes, cells):
        price = prices(g, power, sizes, columns=int(g.integers(1, 7)))
        top, letter, soft = everywhere(g, price)
        result = bound(price, letter, soft, tol=1e-7 * top, max_cells=cells)
        assert result.value >= top * (1 - 1e-13)
        assert result.cells <= cells
        if cells == 20_000:
            assert result.value <= max(top, result.best) * (1 + 1e-6)

    def test_no_search_up_to_the_contraction_coefficient(self):
        """(1 - 2 * .1)^2 = .64: concave up to M = 1.5625."""
        labels = np.array([[0.9, 0.1], [0.1, 0.9]])
        for power, searched in ((1.56, False), (1.57, True)):
            price = Price(
                np.array([[0.0], [0.1]]), power * labels, power * entropies(labels), labels, (2,), 1e-13, power
            )
            values, soft = ascend(price, np.zeros(2, int), labels)
            top = values.argmax()
            result = bound(price, np.array([top]), soft[[top]], tol=1e-9)
            assert (result.cells > 0) == searched
            assert values.max() <= result.value <= values.max() + 1e-9

    def test_a_saddle_point_bounds_nothing_beyond_it(self):
        labels = np.array([[0.9, 0.1], [0.1, 0.9]])
        price = Price(np.zeros((2, 1)), 3.1 * labels, 3.1 * entropies(labels), labels, (2,), 1e-13, 3.1)
        values, _ = ascend(price, np.zeros(2, int), labels)
        saddle = np.array([[0.5, 0.5]])
        assert price.terms(np.zeros(1, int), saddle).sum() < 0.9 * values.max()
        assert bound(price, np.zeros(1, int), saddle, tol=1e-9).value >= values.max()

    def test_a_better_point_ends_the_search(self):
        labels = np.array([[0.99, 0.01], [0.01, 0.99]])
        power = 5.0
        price = Price(np.array([[0.0], [-0.5]]), power * labels, power * entropies(labels), labels, (2,), 1e-13, power)
        values, soft = ascend(price, np.zeros(2, int), labels)  # two maxima of one column
        worse = int(values.argmin())
        early = bound(price, np.zeros(1, int), soft[[worse]], tol=1e-9)
        full = bound(price, np.zeros(1, int), soft[[1 - worse]], tol=1e-9)
        assert early.best > values[worse] * 1.01
        assert early.value >= values.max()
        assert full.value <= values.max() + 1e-9


def random_case(seed):
    """|X| 2..6, 2..5 classes, targets between the least ones and silence."""
    g = np.random.default_rng(seed)
    n, classes = int(g.integers(2, 7)), int(g.integers(2, 6))
    p, d = g.dirichlet(np.full(n, 2.0)), g.random((n, n))
    labels = g.dirichlet(np.full(classes, g.choice([0.2, 1.0, 3.0])), n)
    ends = [(p @ d.min(1), (p @ d).min()), (p @ entropies(labels), entropies(p @ labels))]
    targets = [float(low + share * (high - low)) for (low, high), share in zip(ends, 0.02 + g.random(2), strict=True)]
    return Problem(p, d), labels, *targets


@pytest.mark.parametrize("seed", range(12))
def test_random_brackets_hold(seed):
    """Against a grid of posteriors; 300 of them are in benchmarks/label_certificates.py."""
    problem, labels, d, c = random_case(seed)
    point = lifted_rate(problem, labels, d, c)
    rate, mean, (loss,) = rdc_point(problem.source, problem.distortion, [labels], point.reproduction, point.channel)
    assert point.gap <= 1e-8
    assert rate == pytest.approx(point.rate, abs=1e-9)
    assert mean <= d + 1e-10
    assert loss <= c + 1e-10
    divisions = {2: 2000, 3: 60, 4: 20, 5: 10, 6: 7}[len(problem.source)]
    assert point.lower <= lifted_program(problem.source, problem.distortion, [labels], d, [c], divisions) + 1e-9


def drawn(letters, sizes, seed=0):
    g = np.random.default_rng(seed)
    problem = Problem(g.dirichlet(np.full(letters, 3.0)), g.random((letters, max(2, letters // 2))))
    return problem, [g.dirichlet(np.full(size, 0.5), letters) for size in sizes]


class TestTargets:
    @pytest.mark.parametrize(("letters", "sizes", "slopes"), [(6, (4,), 4.0), (5, (2, 2, 2), 1.5), (6, (5,), 4.0)])
    def test_more_than_three_classes_in_all(self, letters, sizes, slopes):
        problem, labels = drawn(letters, sizes)
        point = lifted_solve(problem, labels, 1.0, np.full(len(sizes), slopes))
        assert point.converged
        assert point.gap <= 1e-9

    @pytest.mark.slow
    def test_ten_classes(self):
        problem, labels = drawn(8, (10,))
        point = lifted_solve(problem, labels, 1.0, 4.0, max_cells=10**6)
        assert point.gap <= 1e-9

    @pytest.mark.parametrize(
        ("d", "c", "rate"), [(0.0241, 1.02, 1.5901917), pytest.param(0.031, 1.5, 0.9140568, marks=pytest.mark.slow)]
    )
    def test_codewords_of_mnist(self, d, c, rate):
        with np.load(MNIST) as real:
            point = lifted_rate(Problem(real["source"], real["distortion"]), real["labels"], d, c)
        assert point.gap <= 1e-8
        assert point.lower - 1e-7 <= rate <= point.rate + 1e-7


class TestEvidence:
    def test_what_is_proved_and_what_was_searched(self):
        problem, labels = drawn(8, (10,))
        open_ = [lifted_solve(problem, labels, 1.0, 4.0, max_cells=cells) for cells in (10, 1000, 10_000)]
        for fewer, more in pairwise(open_):
            assert fewer.lower < more.lower
        for point in open_:
            assert point.status == Status.MAX_STEPS
            assert point.ascents > 10
            assert point.lower < point.conjectured <= point.rate + 1e-12
            assert point.conjectured == pytest.approx(point.rate, abs=1e-9)
            words = (
                f"proved: R is within {point.gap:.1e} nat of the rate; searched: {point.ascents} ascents met no atom"
            )
            assert point.evidence.startswith(words)

    def test_of_a_certified_point_and_of_none(self):
        problem, labels = drawn(3, (2,))
        point = lifted_rate(problem, labels, 0.6, np.inf)
        assert point.converged
        assert point.evidence == f"proved: R is within {point.gap:.1e} nat of the rate"
        assert lifted_rate(problem, labels, 0.01, np.inf).evidence == "no code meets the targets"


@given(generators(), st.integers(2, 12))
def test_the_families_are_those_of_complete_linkage(g, n):
    points = g.random((n, 3))
    joined = linkage(points, "complete", "cityblock")[:, :2].astype(int)
    np.testing.assert_array_equal(np.sort(_joined(points)), np.sort(joined))
    some = _joined(np.round(points))  # equal distances: all points come together, each once
    np.testing.assert_array_equal(np.sort(some, axis=None), np.arange(2 * n - 2))

"""The lifted rate-distortion-classification function: certified values, laws, and the certificate itself."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import lifted_program, rdc_point

from jaxrd import Problem, Status, rate_at
from jaxrd.errors import InputError
from jaxrd.rdc import least_classification, least_distortion, lifted_rate, lifted_solve, lifted_sweep, surface
from jaxrd.rdc.lifted.atoms import Core
from jaxrd.rdc.lifted.certificate import bound
from jaxrd.rdc.lifted.pricing import LARGEST, Price, ascend, best_starts, price, starts
from jaxrd.rdc.point import entropies
from jaxrd.testing import generators, labelled

COIN = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
FLIPPED = np.array([[0.9, 0.1], [0.1, 0.9]])
Z_CHANNEL = np.array([[1.0, 0.0], [0.5, 0.5]])
FOUR = Problem(np.array([0.4, 0.3, 0.2, 0.1]), (np.arange(4.0)[:, None] - np.arange(4.0)) ** 2)
THREE_CLASSES = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.05, 0.05, 0.9]])
TRIANGLE = Problem(np.array([0.5, 0.3, 0.2]), 1 - np.eye(3))
GRADED = np.array([[0.95, 0.05], [0.5, 0.5], [0.1, 0.9]])


def h(u):
    return 0.0 if u <= 0 or u >= 1 else -u * np.log(u) - (1 - u) * np.log(1 - u)


def inverse_h(value):
    low, high = 0.0, 0.5
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if h(middle) < value else (low, middle)
    return low


def symmetric_label(p, flip, d, c):
    """h(p) - h(min(D, d_C, p)), d_C = (h^-1(C) - f)/(1 - 2f): theory, by Mrs. Gerber's lemma."""
    floor = p if c >= np.log(2) else (inverse_h(c) - flip) / (1 - 2 * flip)
    return h(p) - h(min(d, floor, p))


class TestClosedForm:
    @pytest.mark.parametrize("d", [0.02, 0.1, 0.25, np.inf])
    @pytest.mark.parametrize("c", [0.36, 0.5, 0.6, 0.69, np.inf])
    def test_symmetric_label(self, d, c):
        point = lifted_rate(COIN, FLIPPED, d, c)
        assert point.converged
        assert point.lower - 1e-12 <= symmetric_label(0.3, 0.1, d, c) <= point.rate + 1e-12

    @given(p=st.floats(0.05, 0.5), flip=st.floats(0, 0.4), share=st.floats(0.01, 1.2), d=st.floats(0.01, 0.6))
    @settings(max_examples=25)
    def test_symmetric_label_anywhere(self, p, flip, share, d):
        labels = np.array([[1 - flip, flip], [flip, 1 - flip]])
        c = h(flip) + share * (np.log(2) - h(flip))
        point = lifted_rate(Problem(np.array([1 - p, p]), 1 - np.eye(2)), labels, d, c)
        assert point.gap <= 1e-8
        assert point.lower - 1e-9 <= symmetric_label(p, flip, d, c) <= point.rate + 1e-9

    def test_without_the_label_it_is_the_rate_distortion_function(self):
        for d in (0.05, 0.2, 0.5):
            alone = rate_at(TRIANGLE, d)
            np.testing.assert_allclose(lifted_rate(TRIANGLE, GRADED, d, np.inf).rate, alone.rate, atol=1e-9)

    def test_deterministic_label_costs_what_it_hides(self):
        labels = np.eye(2)[[0, 0, 1]]
        for c in (0.0, 0.2, 0.5):
            point = lifted_rate(TRIANGLE, labels, np.inf, c)
            np.testing.assert_allclose(point.rate, max(h(0.2) - c, 0), atol=1e-9)
            assert point.converged


# Certified independently: linear programs over posteriors with their own branch and bound.
REFERENCE = [
    (COIN, Z_CHANNEL, 0.1, 0.3, 0.31595899416, 0.31595899420),
    (COIN, Z_CHANNEL, 0.3, 0.3, 0.28840887520, 0.28840887523),
    (COIN, Z_CHANNEL, 0.275, 0.37385454390299544, 0.11189403562, 0.11189403566),
    (TRIANGLE, GRADED, 0.05, 0.6, 0.79648041169, 0.79648041170),
    (TRIANGLE, GRADED, 0.4, 0.5, 0.36265657435, 0.36265657438),
    (TRIANGLE, GRADED, 0.5, 0.5, 0.36265657436, 0.36265657438),
]


@pytest.mark.parametrize(("problem", "labels", "d", "c", "low", "high"), REFERENCE)
def test_reference(problem, labels, d, c, low, high):
    point = lifted_rate(problem, labels, d, c)
    assert point.status == Status.CONVERGED
    assert point.semantics == "lifted"
    assert point.gap <= 1e-8
    assert point.lower <= high
    assert point.rate >= low


@given(case=labelled())
@settings(max_examples=20)
def test_certified_and_achieved(case):
    """The channel does what the point says, meets the targets, and the bounds are tight."""
    problem, labels, d, c = case
    point = lifted_rate(problem, labels, d, c)
    assert point.status == Status.CONVERGED
    assert -1e-13 <= point.gap <= 1e-8
    rate, mean, (loss,) = rdc_point(problem.source, problem.distortion, [labels], point.reproduction, point.channel)
    np.testing.assert_allclose(point.channel.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose([point.rate, point.distortion, point.classification[0]], [rate, mean, loss], atol=1e-9)
    assert mean <= d + 1e-10
    assert loss <= c + 1e-10
    # For any (D', C') the dual point gives a line below R.
    slopes = point.distortion_slope, point.classification_slope[0]
    for d2, c2 in ((d * 1.1, c * 1.05), (d * 0.95, c)):
        other = lifted_rate(problem, labels, d2, c2)
        line = point.lower - np.dot(slopes, (d2 - d, c2 - c)) if np.isfinite(slopes).all() else -np.inf
        assert other.rate >= line - 1e-7 * (1 + abs(line))


@given(case=labelled(letters=(2, 3), classes=(2,)))
@settings(max_examples=12)
def test_against_a_grid_of_posteriors(case):
    problem, labels, d, c = case
    divisions = 400 if len(problem.source) == 2 else 36
    above = lifted_program(problem.source, problem.distortion, [labels], d, [c], divisions)
    point = lifted_rate(problem, labels, d, c)
    assert point.lower <= above + 1e-9
    if np.isfinite(above):
        assert point.rate >= above - 0.03


@given(case=labelled(letters=(3,)), turn=st.floats(0.05, 0.95))
@settings(max_examples=10)
def test_convex_and_nonincreasing(case, turn):
    problem, labels, d, c = case
    far_d, far_c = float((problem.source @ problem.distortion).min()), float(entropies(problem.source @ labels))
    ends = [(d, far_c), (far_d, c)]
    middle = tuple(turn * a + (1 - turn) * b for a, b in zip(*ends, strict=True))
    first, second, inner = (lifted_rate(problem, labels, *at) for at in (*ends, middle))
    assert inner.lower <= turn * first.rate + (1 - turn) * second.rate + 1e-12
    corner = lifted_rate(problem, labels, d, c)
    for at in ends:
        assert corner.rate >= lifted_rate(problem, labels, *at).lower - 1e-12


def test_invariances():
    base = lifted_rate(FOUR, THREE_CLASSES, 0.4, 0.75).rate
    order = np.array([2, 0, 3, 1])
    shuffled = Problem(FOUR.source[order], FOUR.distortion[order][:, order])
    np.testing.assert_allclose(lifted_rate(shuffled, THREE_CLASSES[order], 0.4, 0.75).rate, base, atol=2e-9)
    doubled = Problem(np.repeat(FOUR.source / 2, 2), np.repeat(FOUR.distortion, 2, 0))
    np.testing.assert_allclose(lifted_rate(doubled, np.repeat(THREE_CLASSES, 2, 0), 0.4, 0.75).rate, base, atol=2e-9)
    offset = np.array([1.0, 2.0, 0.5, 3.0])
    moved = Problem(FOUR.source, FOUR.distortion + offset[:, None])
    np.testing.assert_allclose(
        lifted_rate(moved, THREE_CLASSES, 0.4 + FOUR.source @ offset, 0.75).rate, base, atol=2e-9
    )
    padded = Problem(np.append(FOUR.source, 0.0), np.vstack([FOUR.distortion, np.full(4, 7.0)]))
    point = lifted_rate(padded, np.vstack([THREE_CLASSES, [1.0, 0, 0]]), 0.4, 0.75)
    np.testing.assert_allclose(point.rate, base, atol=2e-9)
    np.testing.assert_allclose(point.channel.sum(1), 1)


class TestSeveralLabels:
    def test_the_same_label_twice_is_the_stricter_one(self):
        one = lifted_rate(TRIANGLE, GRADED, 0.3, 0.48)
        two = lifted_rate(TRIANGLE, [GRADED, GRADED], 0.3, [0.55, 0.48])
        np.testing.assert_allclose(two.rate, one.rate, atol=2e-9)
        assert two.converged
        assert two.classification.shape == (2,)
        assert len(two.soft_labels) == 2

    def test_a_label_that_says_nothing_costs_nothing(self):
        empty = np.full((3, 2), 0.5)
        one = lifted_rate(TRIANGLE, GRADED, 0.3, 0.48)
        two = lifted_rate(TRIANGLE, [GRADED, empty], 0.3, [0.48, np.log(2)])
        np.testing.assert_allclose(two.rate, one.rate, atol=2e-9)

    def test_two_labels_against_a_grid(self):
        other = np.array([[0.3, 0.7], [0.9, 0.1], [0.6, 0.4]])
        targets = 0.35, [0.55, 0.62]
        point = lifted_rate(TRIANGLE, [GRADED, other], *targets)
        above = lifted_program(TRIANGLE.source, TRIANGLE.distortion, [GRADED, other], *targets, 60)
        assert point.converged
        assert point.lower <= above
        assert point.rate >= above - 0.01
        _, _, losses = rdc_point(
            TRIANGLE.source, TRIANGLE.distortion, [GRADED, other], point.reproduction, point.channel
        )
        assert (np.array(losses) <= np.array(targets[1]) + 1e-10).all()


class TestCertificate:
    @given(
        g=generators(),
        power=st.sampled_from((0.3, 1.0, 1.0001, 1.7, 6.0, 40.0)),
        sizes=st.sampled_from(((2,), (3,), (2, 2), (4,))),
        sharp=st.booleans(),
    )
    @settings(max_examples=40)
    def test_bounds_every_point(self, g, power, sizes, sharp):
        n, columns = 5, 2
        labels = np.concatenate([g.dirichlet(np.full(s, 0.2 if sharp else 2.0), n) for s in sizes], 1)
        shares = g.dirichlet(np.ones(len(sizes))) * power
        powers = labels * np.repeat(shares, sizes)
        offset = -(powers * np.log(np.maximum(labels, 1e-300))).sum(1)
        trial = Price(g.normal(0, 2, (n, columns)), powers, offset, labels, sizes, 1e-13, float(shares.sum()))
        trials = np.concatenate([g.dirichlet(np.full(s, 0.5), 4000) for s in sizes], 1)
        trials = np.concatenate([trials, g.dirichlet(np.full(n, 0.3), 500) @ labels])
        values = np.exp(trial.match(trials)) @ trial.coefficients
        letter, start = np.repeat(np.arange(columns), 20), np.tile(trials[-20:], (columns, 1))
        found, soft = ascend(trial, letter, start)
        np.testing.assert_allclose([part.sum(1) for part in np.split(soft, np.cumsum(sizes)[:-1], 1)], 1, atol=1e-12)
        result = bound(trial, letter, soft, tol=1e-6 * found.max(), max_cells=20_000)
        assert result.value >= values.max() * (1 - 1e-12)
        assert result.value >= found.max() * (1 - 1e-12)
        assert result.best <= result.value * (1 + 1e-12)
        if sizes in ((2,), (3,)) or power <= 1:
            assert result.value <= max(result.best, values.max()) * (1 + 1e-5)

    @pytest.mark.parametrize("beyond", [0.0, 1.0, -1.0])
    def test_prices_that_would_overflow_have_no_bound(self, beyond):
        labels = np.eye(2)
        trial = Price(np.array([[LARGEST + beyond, 0.0], [0.0, 0.0]]), 0 * labels, np.zeros(2), labels, (2,), 0.0, 0.0)
        found = bound(trial, np.array([0, 1]), labels, tol=1e-6, max_cells=10)
        assert (found.value == np.inf) == (beyond >= 0)

    def test_above_one_a_tangent_bounds_nothing(self):
        """Where M > 1 the price has several maxima, and the tangent at a lower one lies below the others."""
        apart = 0
        for seed in range(20):
            g = np.random.default_rng(seed)
            labels = g.dirichlet(np.full(3, 0.1), 5)
            powers = 1.8 * labels
            offset = -(powers * np.log(np.maximum(labels, 1e-300))).sum(1)
            trial = Price(g.normal(0, 1, (5, 1)), powers, offset, labels, (3,), 1e-13, 1.8)
            values, soft = ascend(trial, np.zeros(40, int), g.dirichlet(np.ones(3), 40))
            lowest = int(values.argmin())
            if values[lowest] < values.max() * (1 - 1e-3):
                apart += 1
                result = bound(trial, np.zeros(1, int), soft[[lowest]], tol=1e-6)
                assert result.value >= values.max() * (1 - 1e-12)
        assert apart > 5

    def test_ten_classes_are_never_called_certified_when_they_are_not(self):
        g = np.random.default_rng(0)
        x = g.standard_normal((24, 2))
        problem = Problem(g.dirichlet(np.full(24, 3.0)), ((x[:, None] - x) ** 2).sum(2))
        labels = g.dirichlet(np.full(10, 0.3), 24)
        least = float(problem.source @ entropies(labels))
        entropy = float(entropies(problem.source @ labels))
        c = least + 0.3 * (entropy - least)
        point = lifted_rate(problem, labels, 0.5, c, max_cells=2000)
        assert point.status == Status.MAX_STEPS
        assert not point.converged
        assert 1e-3 < point.gap < point.rate
        assert point.lower >= max(entropy - c, float(rate_at(problem, 0.5).lower)) - 1e-9
        # Where the label hardly binds, its multiplier is below one, and no search is needed.
        easy = lifted_rate(problem, labels, 0.1, least + 0.95 * (entropy - least))
        assert easy.converged

    def test_the_budget_of_cells_is_kept(self, monkeypatch):
        """Where the labels had more than three classes in all it was 5000 unless more was asked for."""
        g = np.random.default_rng(0)
        problem = Problem(g.dirichlet(np.full(6, 3.0)), g.random((6, 3)))
        labels, spent = g.dirichlet(np.full(4, 0.5), 6), []

        def counted(*args, **options):
            found = bound(*args, **options)
            spent.append(found.cells)
            return found

        monkeypatch.setattr("jaxrd.rdc.lifted.columns.bound", counted)
        lower = {}
        for cells in (20, 100, 1500):
            spent.clear()
            lower[cells] = lifted_solve(problem, labels, 1.0, 4.0, max_cells=cells).lower
            assert 0 < max(spent) <= cells
        assert lower[20] < lower[100] < lower[1500]
        for cells in (0, 0.5, "many"):
            with pytest.raises(InputError, match=f"max_cells must be a whole number >= 1; got {cells!r}"):
                lifted_solve(problem, labels, 1.0, 4.0, max_cells=cells)  # pyright: ignore

    @pytest.mark.parametrize("power", [0.5, 0.97])
    def test_a_concave_price_needs_no_search(self, power):
        """Ascents that began on a face of the simplex stayed there, where no tangent bounds g."""
        labels = np.eye(4)[np.arange(12) % 4]
        rows = Core(
            np.full(12, 1 / 12), 3 - 3 * np.eye(12), (labels,), np.ones(2), np.arange(12), np.arange(12), False, {}
        )  # fmt: skip
        concave = price(rows, np.zeros(12), np.array([1.0, power]))
        letter, soft = best_starts(concave, starts(rows, 0), 3)
        values, soft = ascend(concave, letter, soft)
        result = bound(concave, letter, soft, tol=1e-9, max_cells=1)
        assert result.cells == 0
        assert values.max() <= result.value <= values.max() + 1e-9

    @pytest.mark.parametrize("power", [0.0, 0.6, 2.5])
    def test_is_rounded_up(self, power):
        """By search, by a tangent and where g does not depend on the label."""
        labels, letter = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 1])
        powers = power * labels
        offset = -(powers * np.log(labels)).sum(1)

        def found(rounding):
            price = Price(np.array([[0.0, -1.0], [-0.5, 0.0]]), powers, offset, labels, (2,), rounding, power)
            values, soft = ascend(price, letter, labels[::-1])
            return bound(price, letter, soft, tol=1e-9 * values.max(), max_cells=20_000)

        exact, allowed = found(0.0), found(1e-3)
        assert allowed.best == exact.best
        assert 1.001 * exact.value <= allowed.value * (1 + 1e-12) <= 1.01 * exact.value
        assert exact.value == pytest.approx(exact.best, rel=1e-6)

    def test_a_label_of_no_power_costs_no_cells(self):
        """Its simplex is not searched, and its soft label stays as it was given."""
        labels, letter = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0])
        powers = 8.0 * labels
        offset = -(powers * np.log(labels)).sum(1)
        alone = Price(np.array([[0.0], [-0.5]]), powers, offset, labels, (2,), 1e-13, 8.0)
        _, labels_of = ascend(alone, letter, labels)
        both = alone._replace(
            powers=np.hstack([powers, np.zeros((2, 2))]), labels=np.hstack([labels, labels]), sizes=(2, 2)
        )
        least = bound(alone, letter, labels_of, tol=1e-6)
        result = bound(both, letter, np.hstack([labels_of, np.full((2, 2), 0.5)]), tol=1e-6)
        assert result.cells == least.cells > 1
        assert (result.value, result.best, result.letter) == (least.value, least.best, least.letter)
        np.testing.assert_array_equal(result.soft, [*least.soft, 0.5, 0.5])


class TestSlopes:
    # [altmin]: the best of many starts, and a certified bound.
    @pytest.mark.parametrize(
        ("problem", "labels", "mu_d", "mu_c", "low", "high"),
        [
            (TRIANGLE, GRADED, 0.8, 1.5, 1.3130842598, 1.3130842709),
            (FOUR, THREE_CLASSES, 0.5, 1.5, 1.8929508753, 1.8929508914),
            (FOUR, THREE_CLASSES, 0.0874, 2.2265, 2.3048058169, 2.3048058189),  # alternating finds 2.31030 too
            (COIN, Z_CHANNEL, 0.4, 1.9, 0.9163140929, 0.9163141082),
        ],
    )
    def test_reference(self, problem, labels, mu_d, mu_c, low, high):
        alone = lifted_solve(problem, labels, mu_d, mu_c)
        (swept,) = lifted_sweep(problem, labels, [mu_d], [mu_c])
        for point in (alone, swept):
            value = point.rate + mu_d * point.distortion + mu_c * point.classification[0]
            assert point.converged
            assert low - 1e-9 <= value <= high + 1e-9

    def test_a_slope_and_its_targets_agree(self):
        point = lifted_solve(TRIANGLE, GRADED, 1.0, 1.4)
        at = lifted_rate(TRIANGLE, GRADED, point.distortion, point.classification[0])
        np.testing.assert_allclose(at.rate, point.rate, atol=1e-8)

    def test_shapes(self):
        with pytest.raises(InputError, match=r"got \(2,\) and \(3,\)"):
            lifted_sweep(COIN, FLIPPED, [1.0, 2.0], [1.0, 2.0, 3.0])
        with pytest.raises(InputError, match="finite"):
            lifted_solve(COIN, FLIPPED, np.inf, 1.0)
        with pytest.raises(InputError, match=">= 0; got -1"):
            lifted_solve(COIN, FLIPPED, 1.0, -1.0)


class TestEnds:
    def test_lossless_reaches_both_least_targets_at_once(self):
        least = float(TRIANGLE.source @ entropies(GRADED))
        point = lifted_rate(TRIANGLE, GRADED, 0.0, least)
        assert point.converged
        np.testing.assert_allclose(point.rate, entropies(TRIANGLE.source), atol=1e-9)
        np.testing.assert_allclose([point.distortion, point.classification[0]], [0, least], atol=1e-12)

    def test_the_least_loss_tells_apart_only_what_the_label_does(self):
        labels = GRADED[[0, 0, 2]]
        point = lifted_rate(TRIANGLE, labels, np.inf, float(TRIANGLE.source @ entropies(labels)))
        assert point.converged
        np.testing.assert_allclose(point.rate, h(0.2), atol=1e-9)

    def test_close_to_the_least_targets(self):
        least = float(TRIANGLE.source @ entropies(GRADED))
        for small in (1e-3, 1e-6, 1e-9):
            point = lifted_rate(TRIANGLE, GRADED, np.inf, least + small)
            assert point.lower <= entropies(TRIANGLE.source)
            assert point.gap <= 1e-8
            assert lifted_rate(TRIANGLE, GRADED, small, np.inf).gap <= 1e-8

    def test_infeasible_is_infinite_and_says_so(self):
        least = float(TRIANGLE.source @ entropies(GRADED))
        for d, c in ((0.1, least - 1e-6), (np.inf, 0.0)):
            point = lifted_rate(TRIANGLE, GRADED, d, c)
            assert point.status == Status.INFEASIBLE
            assert point.rate == point.lower == np.inf
            assert point.gap == 0
        shifted = Problem(TRIANGLE.source, TRIANGLE.distortion + 1)
        assert lifted_rate(shifted, GRADED, 0.999, np.inf).status == Status.INFEASIBLE

    def test_nothing_asked_is_free(self):
        point = lifted_rate(TRIANGLE, GRADED, np.inf, np.inf)
        assert point.converged
        assert point.rate == pytest.approx(0, abs=1e-9)

    def test_forbidden_pairs(self):
        d = np.array([[0, 1, np.inf], [np.inf, 0, 1.0], [0, np.inf, 3]])
        problem = Problem(np.array([0.5, 0.25, 0.25]), d)
        free = lifted_rate(problem, GRADED, np.inf, np.inf)
        assert free.converged
        assert 0 < free.rate < lifted_rate(problem, GRADED, 0.0, np.inf).rate
        rate, *_ = rdc_point(problem.source, d, [GRADED], free.reproduction, free.channel)
        np.testing.assert_allclose(free.rate, rate, atol=1e-9)


@pytest.mark.parametrize(
    ("labels", "d", "c", "message"),
    [
        (np.array([[0.9, 0.2], [0.1, 0.9]]), 0.1, 0.5, "row 0 sums to 1.1"),
        (np.array([[1.2, -0.2], [0.1, 0.9]]), 0.1, 0.5, "got -0.2 for letter 0, class 1"),
        (np.array([[np.nan, 1.0], [0.1, 0.9]]), 0.1, 0.5, "got nan"),
        (np.ones((3, 1)), 0.1, 0.5, r"shape \(2, classes\)"),
        (np.ones(2), 0.1, 0.5, r"got \(2,\)"),
        (FLIPPED, [0.1, 0.2], 0.5, "distortion must be one number; got \\[0.1, 0.2\\]"),
        (FLIPPED, "low", 0.5, "distortion must be one number; got 'low'"),
        (FLIPPED, 0.1, -0.5, "classification must be >= 0; got -0.5"),
        (FLIPPED, np.nan, 0.5, "got nan"),
        (FLIPPED, 0.1, [0.5, 0.5], r"each of the 1 label\(s\); got shape \(2,\)"),
    ],
)
def test_bad_input_is_refused_in_one_line(labels, d, c, message):
    with pytest.raises(InputError, match=message):
        lifted_rate(COIN, labels, d, c)


def test_bounds_stay_double_without_x64():
    with jax.enable_x64(False):
        problem = Problem(np.float32(COIN.source), np.float32(COIN.distortion))
        point = lifted_rate(problem, np.float32(FLIPPED), 0.1, 0.6)
    assert point.channel.dtype == np.float64
    assert point.gap <= 1e-9


class TestInverse:
    @pytest.mark.parametrize(("d", "c"), [(0.2, 0.5), (0.1, 0.55), (0.3, 0.45)])
    def test_undoes_the_rate(self, d, c):
        rate = lifted_rate(TRIANGLE, GRADED, d, c)
        back = least_distortion(TRIANGLE, GRADED, c, rate.rate)
        assert back.status == Status.CONVERGED
        assert back.lower <= d + 1e-9
        assert back.point.rate <= rate.rate + 2e-9
        if rate.distortion_slope > 1e-6:
            np.testing.assert_allclose(back.value, d, atol=1e-7)
        loss = least_classification(TRIANGLE, GRADED, d, rate.rate)
        assert loss.status == Status.CONVERGED
        if rate.classification_slope[0] > 1e-6:
            np.testing.assert_allclose(loss.value, c, atol=1e-7)
        # Where R is flat from some C on, 1e-9 nat leaves that C uncertain by its root.
        assert 0 <= loss.gap <= 1e-4

    def test_ends(self):
        everything = least_distortion(TRIANGLE, GRADED, np.inf, 2.0)
        assert (everything.value, everything.lower) == (0, 0)
        nothing = least_distortion(TRIANGLE, GRADED, 0.4, 0.01)
        assert nothing.status == Status.INFEASIBLE
        assert nothing.value == np.inf
        silent = least_distortion(TRIANGLE, GRADED, np.inf, 0.0)
        np.testing.assert_allclose(silent.value, 0.5, atol=1e-6)
        with pytest.raises(InputError, match="rate must be >= 0; got -1"):
            least_distortion(TRIANGLE, GRADED, np.inf, -1.0)

    def test_one_label_of_two(self):
        found = least_classification(TRIANGLE, [GRADED, GRADED[::-1]], np.inf, 0.3, classification=[0, np.inf])
        alone = least_classification(TRIANGLE, GRADED, np.inf, 0.3)
        np.testing.assert_allclose(found.value, alone.value, atol=1e-6)


def test_a_surface_is_its_points():
    d, c = np.array([0.0, 0.1, 0.3]), np.array([0.3, 0.45, 0.6, np.inf])
    calls = []
    found = surface(TRIANGLE, GRADED, d, c, progress=lambda done, total: calls.append((done, total)))
    assert found.semantics == "lifted"
    assert calls == [(i + 1, 12) for i in range(12)]
    for i, j in np.ndindex(3, 4):
        alone = lifted_rate(TRIANGLE, GRADED, d[i], c[j])
        assert found.status[i, j] == alone.status
        np.testing.assert_allclose(found.rate[i, j], alone.rate, atol=2e-9)
    assert (found.status[:, 0] == Status.INFEASIBLE).all()  # H(S|X) = .372
    assert found.gap.max() <= 1e-8

"""The literal, time-shared and fixed-classifier functions, and how the four lie to each other."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import rdc_point

from jaxrd import Problem, Status, rate_at
from jaxrd.errors import InputError
from jaxrd.rdc import (
    cross_entropies,
    fixed_classifier_rate,
    least_classification,
    least_distortion,
    lifted_rate,
    literal_rate,
    surface,
    time_shared_rate,
    universal_lifted_rate,
)
from jaxrd.rdc.fixed import linear
from jaxrd.rdc.point import entropies
from jaxrd.rdc.representation.region import fixed_classifier_region, lifted_region
from jaxrd.testing import generators, labelled

COIN = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
Z_CHANNEL = np.array([[1.0, 0.0], [0.5, 0.5]])
TRIANGLE = Problem(np.array([0.5, 0.3, 0.2]), 1 - np.eye(3))
GRADED = np.array([[0.95, 0.05], [0.5, 0.5], [0.1, 0.9]])
LOSS = cross_entropies(GRADED, np.array([[0.9, 0.1], [0.5, 0.5], [0.15, 0.85]]))
FOUR = Problem(np.array([0.4, 0.3, 0.2, 0.1]), (np.arange(4.0)[:, None] - np.arange(4.0)) ** 2)
THREE_CLASSES = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.05, 0.05, 0.9]])


class TestFixed:
    @pytest.mark.parametrize(
        ("d", "c", "rate"),
        [
            (0.2, np.inf, 0.39062115441),
            (0.25, 0.5, 0.37952342974),
            (0.2, 0.58, 0.39062115441),
            (0.3, 0.47, 0.47627726092),
        ],
    )
    def test_reference(self, d, c, rate):
        point = fixed_classifier_rate(TRIANGLE, LOSS, d, c)
        assert point.status == Status.CONVERGED
        assert point.semantics == "fixed"
        assert point.gap <= 1e-9
        np.testing.assert_allclose(point.rate, rate, atol=1e-8)  # known to 1e-8

    def test_two_decoders_of_one_code(self):
        i, j = np.indices((3, 3)).reshape(2, -1)
        d = TRIANGLE.distortion
        tables = np.stack([d[:, i], LOSS[:, i], d[:, j], LOSS[:, j]])
        found = linear(TRIANGLE.source, tables, np.array([0.2, 0.58, 0.3, 0.47]))
        np.testing.assert_allclose(found.rate, 0.4769181273835, atol=1e-8)
        assert found.rate - found.lower <= 1e-9

    @given(g=generators(), shares=st.tuples(st.floats(0.05, 1.2), st.floats(0.05, 1.2)))
    @settings(max_examples=15)
    def test_certified_and_achieved(self, g, shares):
        n, m = [(2, 2), (5, 3), (3, 1)][g.integers(3)]
        problem = Problem(g.dirichlet(np.ones(n)), g.random((n, m)))
        loss = g.gamma(0.5, size=(n, m))
        p, tables = problem.source, (problem.distortion, loss)
        d, c = (p @ a.min(1) + s * ((p @ a).min() - p @ a.min(1)) for a, s in zip(tables, shares, strict=True))
        point = fixed_classifier_rate(problem, loss, d, c)
        if point.status == Status.INFEASIBLE:  # then some mixture of the two charges is above its target for every code
            weights = np.linspace(0, 1, 2001)
            least = [(p @ (w * tables[0] + (1 - w) * tables[1]).min(1)) - w * d - (1 - w) * c for w in weights]
            assert max(least) > -1e-9
            return
        assert point.status == Status.CONVERGED
        joint = p[:, None] * point.channel
        rate, mean, _ = rdc_point(p, problem.distortion, [], range(m), point.channel)
        np.testing.assert_allclose([point.rate, point.distortion], [rate, mean], atol=1e-12)
        assert mean <= d
        assert (joint * loss).sum() <= c
        for w in (0.0, 0.3, 1.0):  # one constraint implied by the two: the ordinary function, certified apart
            mixed = rate_at(Problem(p, w * problem.distortion + (1 - w) * loss), w * d + (1 - w) * c)
            assert point.rate >= float(mixed.lower) - 1e-9

    @given(g=generators(), turn=st.floats(0.05, 0.95))
    @settings(max_examples=12)
    def test_convex_and_nonincreasing(self, g, turn):
        ends = [(g.uniform(0.05, 0.5), g.uniform(0.45, 0.7)) for _ in range(2)]
        middle = tuple(turn * a + (1 - turn) * b for a, b in zip(*ends, strict=True))
        first, second, inner = (fixed_classifier_rate(TRIANGLE, LOSS, *at) for at in (*ends, middle))
        if np.isfinite([first.rate, second.rate]).all():
            assert inner.lower <= turn * first.rate + (1 - turn) * second.rate + 1e-12
        corner = fixed_classifier_rate(TRIANGLE, LOSS, *map(max, zip(*ends, strict=True)))
        assert corner.lower <= min(first.rate, second.rate) + 1e-12

    def test_ends(self):
        least = float(TRIANGLE.source @ np.diag(LOSS))  # of the code without distortion
        lossless = fixed_classifier_rate(TRIANGLE, LOSS, 0.0, least)
        np.testing.assert_allclose(lossless.rate, entropies(TRIANGLE.source), atol=1e-9)
        for d, c in ((0.0, least - 1e-6), (np.inf, TRIANGLE.source @ LOSS.min(1) - 1e-6)):
            point = fixed_classifier_rate(TRIANGLE, LOSS, d, c)
            assert point.status == Status.INFEASIBLE
            assert point.rate == np.inf
        crossed = LOSS[:, [1, 0, 2]]  # each target can be met, not both
        assert fixed_classifier_rate(TRIANGLE, crossed, 0.1, np.inf).converged
        assert fixed_classifier_rate(TRIANGLE, crossed, np.inf, least + 0.02).converged
        assert fixed_classifier_rate(TRIANGLE, crossed, 0.1, least + 0.02).status == Status.INFEASIBLE
        best = fixed_classifier_rate(TRIANGLE, LOSS, np.inf, TRIANGLE.source @ LOSS.min(1))
        assert best.converged
        # A classifier that rules a class out forbids the pair, but only where the loss counts.
        ruled = cross_entropies(GRADED, np.array([[1.0, 0.0], [0.5, 0.5], [0.15, 0.85]]))
        assert np.isinf(ruled).any()
        np.testing.assert_allclose(fixed_classifier_rate(TRIANGLE, ruled, 0.2, np.inf).rate, 0.39062115441, atol=1e-9)
        assert fixed_classifier_rate(TRIANGLE, ruled, 0.0, 0.7).status == Status.INFEASIBLE

    def test_bad_input(self):
        with pytest.raises(InputError, match=r"shape \(3, 3\); got \(3, 2\)"):
            fixed_classifier_rate(TRIANGLE, LOSS[:, :2], 0.2, 0.5)
        with pytest.raises(InputError, match="got -1"):
            fixed_classifier_rate(TRIANGLE, -np.ones((3, 3)), 0.2, 0.5)
        with pytest.raises(InputError, match=r">= 0; got -0\.2"):
            fixed_classifier_rate(TRIANGLE, LOSS, 0.5, -0.2)
        with pytest.raises(InputError, match="2 classes; got 3"):
            cross_entropies(GRADED, np.full((3, 3), 1 / 3))


# A certified grid search over all channels gave these intervals.
LITERAL = [
    (0.25, 0.325, 0.22629436004, 0.22629437651),
    (0.3, 0.42270908780599087, 0.0, 0.0),
    (0.275, 0.37385454390299544, 0.11810099519, 0.11810101437),
]


@pytest.mark.slow
def test_literal_is_not_convex():
    """[B] says R(D, C) is convex. Certified: its midpoint lies .00495 nat above the chord."""
    found = [literal_rate(COIN, Z_CHANNEL, d, c) for d, c, *_ in LITERAL]
    for point, (d, c, low, high) in zip(found, LITERAL, strict=True):
        assert low - 1e-9 <= point.rate <= high + 1e-9
        assert point.semantics == "literal"
        rate, mean, (loss,) = rdc_point(COIN.source, COIN.distortion, [Z_CHANNEL], range(2), point.channel)
        np.testing.assert_allclose(point.rate, rate, atol=1e-12)
        assert mean <= d + 1e-12
        assert loss <= c + 1e-12
    ends, middle = found[:2], found[2]
    assert LITERAL[2][2] - (LITERAL[0][3] + LITERAL[1][3]) / 2 > 0.00495
    assert middle.rate - sum(point.rate for point in ends) / 2 > 0.00495
    assert middle.status == Status.ACHIEVABLE
    assert middle.lower < middle.rate - 0.006  # the lifted function: no bound on a convex claim
    shared = time_shared_rate(COIN, Z_CHANNEL, *LITERAL[2][:2])
    assert shared.rate < sum(point.rate for point in ends) / 2 + 1e-9
    assert shared.lower <= shared.rate < middle.rate


def test_time_sharing_reaches_the_envelope():
    # 1201 x 1201 channels, mixed: .2257011937 at most.
    point = time_shared_rate(COIN, Z_CHANNEL, 0.25, 0.325)
    assert point.semantics == "time-shared"
    assert point.status == Status.ACHIEVABLE
    assert 0.22554148 < point.rate <= 0.22570120
    rate, mean, _ = rdc_point(COIN.source, COIN.distortion, [Z_CHANNEL], point.reproduction, point.channel)
    np.testing.assert_allclose([point.rate, point.distortion], [rate, mean], atol=1e-12)
    np.testing.assert_allclose(point.channel.sum(1), 1, atol=1e-12)


@pytest.mark.slow
@given(case=labelled(letters=(2, 3), ties=False), g=generators())
@settings(max_examples=4)
def test_order(case, g):
    """lifted <= time-shared <= literal <= fixed classifier, on the same alphabet."""
    problem, labels, d, c = case
    classifier = g.dirichlet(np.full(labels.shape[1], 2.0), len(problem.source))
    fixed = fixed_classifier_rate(problem, cross_entropies(labels, classifier), d, c)
    lifted = lifted_rate(problem, labels, d, c)
    literal = literal_rate(problem, labels, d, c)
    shared = time_shared_rate(problem, labels, d, c)
    assert lifted.lower <= shared.rate + 1e-12
    assert shared.rate <= literal.rate + 1e-12
    assert literal.rate <= fixed.rate + 1e-9
    assert literal.lower <= lifted.rate + 1e-9


def test_literal_agrees_with_itself_and_with_lifted_where_that_is_literal():
    rates = [literal_rate(FOUR, THREE_CLASSES, 0.4, 0.75, seed=seed) for seed in range(2)]
    for point in rates:
        assert point.status == Status.CONVERGED  # one soft label a reproduction is enough here
        np.testing.assert_allclose(point.rate, rates[0].rate, atol=1e-9)
    again = literal_rate(FOUR, THREE_CLASSES, 0.4, 0.75, start=rates[0], starts=2)
    assert again.rate <= rates[0].rate + 1e-12


def test_a_small_alphabet_may_have_no_code():
    problem = Problem(np.full(3, 1 / 3), np.zeros((3, 1)))
    labels = np.eye(3)
    point = literal_rate(problem, labels, np.inf, 0.5)
    assert point.rate == np.inf
    assert point.status == Status.STALLED  # no start met it: not a proof
    assert np.isfinite(point.lower)
    assert lifted_rate(problem, labels, np.inf, 0.5).converged  # soft labels can


def test_infeasible_in_every_semantics():
    least = float(COIN.source @ entropies(Z_CHANNEL))
    for solver in (literal_rate, time_shared_rate):
        point = solver(COIN, Z_CHANNEL, 0.1, least - 1e-3)
        assert point.status == Status.INFEASIBLE
        assert point.rate == np.inf


def test_at_the_least_loss_only_letters_alike_may_share():
    labels = GRADED[[0, 0, 2]]
    least = float(TRIANGLE.source @ entropies(labels))
    point = literal_rate(TRIANGLE, labels, np.inf, least)
    np.testing.assert_allclose(point.rate, entropies(np.array([0.8, 0.2])), atol=1e-9)


@pytest.mark.slow
def test_inverse_and_surface_of_other_semantics():
    back = least_distortion(TRIANGLE, LOSS, 0.47, 0.47627726092, solver=fixed_classifier_rate)
    assert back.status == Status.CONVERGED
    assert back.semantics == "fixed"
    np.testing.assert_allclose(back.value, 0.20438995, atol=1e-5)  # where R(., .47) becomes flat
    loss = least_classification(TRIANGLE, LOSS, 0.25, 0.37952342974, solver=fixed_classifier_rate)
    np.testing.assert_allclose(loss.value, 0.5, atol=1e-7)
    literal = least_distortion(COIN, Z_CHANNEL, 0.6, 0.2, solver=partial(literal_rate, starts=2))
    assert literal.semantics == "literal"
    np.testing.assert_allclose(literal.value, least_distortion(COIN, Z_CHANNEL, 0.6, 0.2).value, atol=1e-7)
    found = surface(TRIANGLE, LOSS, [0.1, 0.3], [0.3, 0.5], solver=fixed_classifier_rate)
    assert found.semantics == "fixed"
    assert found.status.tolist() == [[Status.INFEASIBLE, Status.CONVERGED]] * 2


# A joint pmf divided by its marginal has a row 0/0 where a letter never occurs; nothing may depend on that row.
UNSEEN = Problem(np.append(TRIANGLE.source, 0.0), np.vstack([TRIANGLE.distortion, np.full(3, np.inf)]))
SEEN_LABELS, SEEN_LOSS = (np.vstack([a, np.full(a.shape[1], np.nan)]) for a in (GRADED, LOSS))
CHANNEL = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
SEEN_CHANNEL = np.vstack([CHANNEL, [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("rate", "labels", "seen"),
    [
        (lifted_rate, GRADED, SEEN_LABELS),
        (partial(literal_rate, starts=4), GRADED, SEEN_LABELS),
        (partial(time_shared_rate, starts=4), GRADED, SEEN_LABELS),
        (fixed_classifier_rate, LOSS, SEEN_LOSS),
    ],
)
def test_letters_of_mass_zero_and_negative_targets(rate, labels, seen):
    expected = rate(TRIANGLE, labels, 0.2, 0.58)
    found = rate(UNSEEN, seen, 0.2, 0.58)
    np.testing.assert_allclose([found.rate, found.lower], [expected.rate, expected.lower], atol=2e-9)
    shifted = rate(Problem(TRIANGLE.source, TRIANGLE.distortion - 1), labels, -0.8, 0.58)
    np.testing.assert_allclose([shifted.rate, shifted.lower], [expected.rate, expected.lower], atol=2e-9)
    nowhere = rate(TRIANGLE, labels, -0.1, 0.58)
    assert (nowhere.status, nowhere.rate) == (Status.INFEASIBLE, np.inf)
    broken = seen.copy()
    broken[0] = np.nan
    with pytest.raises(InputError, match="got nan"):
        rate(UNSEEN, broken, 0.2, 0.58)


def test_letters_of_mass_zero_elsewhere():
    np.testing.assert_array_equal(cross_entropies(SEEN_LABELS, np.full((3, 2), 0.5))[3], np.full(3, np.nan))
    plain = universal_lifted_rate(TRIANGLE, GRADED, [0.2, 0.4], [0.6, 0.58])
    more = universal_lifted_rate(UNSEEN, SEEN_LABELS, [0.2, 0.4], [0.6, 0.58])
    np.testing.assert_allclose([more.rate, more.lower], [plain.rate, plain.lower], atol=2e-9)
    for region, labels, seen in ((lifted_region, GRADED, SEEN_LABELS), (fixed_classifier_region, LOSS, SEEN_LOSS)):
        plain, more = region(TRIANGLE, labels, CHANNEL), region(UNSEEN, seen, SEEN_CHANNEL)
        np.testing.assert_allclose(more.distortion, plain.distortion, atol=1e-12)
        np.testing.assert_allclose(more.classification, plain.classification, atol=1e-12)

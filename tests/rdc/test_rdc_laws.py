"""Laws of the functions built on R(D, C): regions of a representation, universality, the bottleneck, the inverse."""

import numpy as np
import pytest
from hypothesis import given, settings

from jaxrd import Problem
from jaxrd.errors import InputError
from jaxrd.rdc import (
    bottleneck_information,
    cross_entropies,
    fixed_classifier_rate,
    least_classification,
    lifted_rate,
    universal_fixed_classifier_rate,
    universal_lifted_rate,
)
from jaxrd.rdc.master import master
from jaxrd.rdc.point import entropies
from jaxrd.rdc.representation.literal import literal_boundary
from jaxrd.rdc.representation.region import time_shared_region
from jaxrd.solution import Status
from jaxrd.testing import generators

INF = np.inf


def drawn(g, n=3, classes=2):
    """A source, its distortion and label."""
    return Problem(g.dirichlet(np.full(n, 2.0)), g.random((n, n)) * (1 - np.eye(n))), g.dirichlet(np.ones(classes), n)


def decoded(problem, labels, seen, decoder):
    """(E d, H(S|Xh)) of one decoder p(xh|z), term by term."""
    joint = problem.source[:, None] * (seen @ decoder)
    spent = (joint * problem.distortion).sum()
    with_label = joint.T @ labels
    return spent, sum(w.sum() * entropies(w / w.sum()) for w in with_label if w.sum() > 0)


class TestLiteralRegion:
    @settings(max_examples=10)
    @given(g=generators())
    def test_no_random_decoder_lies_below(self, g):
        problem, labels = drawn(g)
        seen = g.dirichlet(np.full(4, 0.4), 3)
        tried = [decoded(problem, labels, seen, w) for w in g.dirichlet(np.full(3, 0.2), (60, 4))]
        least = literal_boundary(problem, labels, seen, [d for d, _ in tried])
        assert (least <= np.array([c for _, c in tried]) + 1e-12).all()

    @settings(max_examples=10)
    @given(g=generators())
    def test_touches_the_time_shared_region_at_its_vertices(self, g):
        problem, labels = drawn(g)
        seen = g.dirichlet(np.full(4, 0.4), 3)
        hull = time_shared_region(problem, labels, seen)
        np.testing.assert_allclose(
            literal_boundary(problem, labels, seen, hull.distortion), hull.classification, atol=1e-12
        )
        d = np.linspace(hull.distortion[0] - 0.01, hull.distortion[-1] + 0.1, 40)
        least = literal_boundary(problem, labels, seen, d)
        reached = np.isfinite(least)
        np.testing.assert_array_equal(reached, d >= hull.distortion[0])
        assert (np.diff(least[reached]) <= 1e-12).all()
        inside = np.interp(d, hull.distortion, hull.classification, left=-INF)
        assert (least >= inside - 1e-12).all()

    def test_is_attained(self):
        """Two letters, two messages: every decoder on a grid, and the least of those that keep D."""
        problem = Problem(np.array([0.6, 0.4]), np.array([[0.0, 1.0], [0.7, 0.0]]))
        labels, seen = np.array([[0.8, 0.2], [0.1, 0.9]]), np.array([[0.9, 0.1], [0.3, 0.7]])
        shares = np.linspace(0, 1, 201)
        points = np.array(
            [decoded(problem, labels, seen, np.array([[a, 1 - a], [b, 1 - b]])) for a in shares for b in shares]
        )
        d = np.linspace(points[:, 0].min() + 0.01, points[:, 0].max(), 15)
        brute = np.array([points[points[:, 0] <= x + 1e-12, 1].min() for x in d])
        exact = literal_boundary(problem, labels, seen, d)
        assert (exact <= brute + 1e-12).all()
        np.testing.assert_allclose(exact, brute, atol=2e-3)

    def test_silence_and_bad_input(self):
        problem, labels = Problem(np.array([0.5, 0.5]), np.array([[0.2], [0.4]])), np.eye(2)
        found = literal_boundary(problem, labels, np.eye(2), [0.29, 0.3, 1.0])
        np.testing.assert_allclose(found, [INF, np.log(2), np.log(2)])
        with pytest.raises(InputError, match="over 1000000"):
            literal_boundary(Problem(np.full(3, 1 / 3), np.eye(3)), np.eye(3), np.full((3, 20), 0.05), [0.1])
        with pytest.raises(InputError, match="one label"):
            literal_boundary(problem, [labels, labels], np.eye(2), [0.1])


class TestUniversal:
    @settings(max_examples=6)
    @given(g=generators())
    def test_lifted(self, g):
        problem, labels = drawn(g)
        silent, floor = float((problem.source @ problem.distortion).min()), float(problem.source @ entropies(labels))
        most = float(entropies(problem.source @ labels))
        d, c = silent * g.uniform(0.2, 1, 3), floor + (most - floor) * g.uniform(0.2, 1, 3)
        some, more = universal_lifted_rate(problem, labels, d[:2], c[:2]), universal_lifted_rate(problem, labels, d, c)
        assert more.status == Status.CONVERGED
        assert more.rates.max() - 1e-8 <= more.rate
        assert more.rate >= some.lower - 1e-12  # one pair more never costs less
        assert 0 <= more.penalty_lower <= more.penalty
        corner = lifted_rate(problem, labels, d.min(), c.min())
        np.testing.assert_allclose(more.rate, corner.rate, atol=3e-9)

    @settings(max_examples=3)
    @given(g=generators())
    def test_fixed_classifier(self, g):
        problem, labels = drawn(g)
        loss = cross_entropies(0.05 + 0.9 * labels, 0.05 + 0.9 * labels)
        d = float((problem.source @ problem.distortion).min()) * g.uniform(0.3, 0.9, 2)
        best, silent = float(problem.source @ loss.min(1)), float((problem.source @ loss).min())
        c = best + (silent - best) * g.uniform(0.3, 0.9, 2)
        pairs = np.sort(d), np.sort(c)[::-1]
        found = universal_fixed_classifier_rate(problem, loss, *pairs)
        corner = fixed_classifier_rate(problem, loss, d.min(), c.min())
        alone = [fixed_classifier_rate(problem, loss, *pair) for pair in zip(*pairs, strict=True)]
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.rates, [point.rate for point in alone], atol=2e-8)  # two solvers
        assert found.rates.max() - 2e-8 <= found.rate <= corner.rate + 2e-8


@pytest.mark.slow
@settings(max_examples=2)
@given(g=generators())
def test_the_bottleneck_is_concave_and_below_what_processing_allows(g):
    problem, labels = drawn(g)
    rates = np.sort(g.uniform(0.02, 0.8, 2))
    rates = np.array([rates[0], rates.mean(), rates[1]])
    low, middle, high = (bottleneck_information(problem.source, labels, float(r)) for r in rates)
    whole = float(entropies(problem.source @ labels) - problem.source @ entropies(labels))
    for rate, found in zip(rates, (low, middle, high), strict=True):
        assert 0 <= found.information <= min(rate, whole) + 1e-9
    assert low.information <= middle.upper
    assert middle.information <= high.upper
    assert middle.upper >= 0.5 * (low.information + high.information) - 1e-12


def test_flat_stretches_certify_nothing():
    """Where silence is enough the slope is zero but for rounding: it once passed for a bracket of width .37 nat."""
    problem = Problem(np.array([0.5, 0.3, 0.2]), 1 - np.eye(3))
    labels = np.array([[0.95, 0.05], [0.5, 0.5], [0.1, 0.9]])
    loss = cross_entropies(labels, labels)
    for rate in (0.2, 0.5):
        found = least_classification(problem, loss, INF, rate, solver=fixed_classifier_rate)
        assert found.status == Status.CONVERGED
        assert found.value - found.lower <= 1e-7
        np.testing.assert_allclose(fixed_classifier_rate(problem, loss, INF, found.value).rate, rate, atol=1e-8)


def test_a_step_that_cannot_be_taken_ends_the_master_problem():
    """Budgets far below what any channel meets: the spread of the charges vanished, and its factorisation raised."""
    source = [0.16669539734528427, 0.19749468482445304, 0.18858817445268033, 0.14382577716485628, 0.16428202034132272]
    source = np.array([*source, 0.13911394587140324])
    distances = [0, 2.5929299459742001e-02, 5.0597850866369344e-02, 2.5929299459742001e-02, 0, 2.3230661060344118e-02]
    distances += [5.0597850866369344e-02, 2.3230661060344118e-02, 0, 8.4830652661299633e-03, 0, 6.3831934426386051e-03]
    distances += [9.2603545141560911e-03, 0, 4.6321599878765517e-03, 1.1794852165581370e-03, 0, 2.5807059685860227e-02]
    losses = [0, 6.4868484546474536e-01, 1.5468127807307483, 8.2601081608349824e-01, 7.3160125674249787e-03, 0]
    losses += [1.5388628530304294, 2.8848418973600987e-01, 0, 2.1068666371619060e-01, 0, 5.6897075297635857e-01]
    losses += [1.8612970741621460, 6.1385710873991561e-01, 0, 1.8076821931186640, 0, 4.1595388080814766e-01]
    charges = np.array([distances, losses]).reshape(2, 6, 3)
    budgets = np.array([0.00225434411371431, 0.00094692510975236])
    dual = master(source, np.zeros((6, 3)), charges, budgets, ceiling=2.783613608958932)
    assert np.isfinite(dual.potential).all()

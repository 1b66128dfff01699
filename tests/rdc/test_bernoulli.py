"""X ~ Bernoulli(p), S = X flipped with probability f, Hamming distortion: closed forms of rates, regions, universality.

The problem of N. Nguyen, T. Nguyen and B. Bose, Rate-distortion-classification representation theory for Bernoulli
sources, arXiv 2601.11919. The forms are derived here, not taken from there. One-shot with common randomness: given the
randomness a code of one letter is constant or tells X, so

    R1(D, C) = h(p) max{1 - D / p, (H(S) - C) / (H(S) - h(f)), 0}
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog

from jaxrd import Problem
from jaxrd.rdc import (
    least_classification,
    least_distortion,
    lifted_rate,
    literal_rate,
    time_shared_rate,
    universal_lifted_rate,
)
from jaxrd.rdc.representation.literal import literal_boundary
from jaxrd.rdc.representation.region import time_shared_region

HAMMING = 1 - np.eye(2)
sources = st.tuples(st.floats(0.05, 0.5), st.floats(0.02, 0.45))


def h(x):
    return float(-sum(y * np.log(y) for y in (x, 1 - x) if y > 0))


def flipped(x, f):
    """The probability of a one of Bernoulli(x) after the flip."""
    return x * (1 - f) + (1 - x) * f


def labels(f):
    return np.array([[1 - f, f], [f, 1 - f]])


def crossing(loss, f):
    """d_C: the crossing probability of X given the code at which H(S|.) is the loss."""
    if loss >= np.log(2):
        return 0.5
    return (brentq(lambda x: h(x) - loss, 0, 0.5) - f) / (1 - 2 * f)


def block(p, f, d, c):
    """The lifted, time-shared and literal R(D, C): h(p) - h(min(D, d_C, p))."""
    return h(p) - h(min(d, crossing(c, f), p))


def one_shot(p, f, d, c):
    most = h(flipped(p, f))
    return h(p) * max(1 - d / p, (most - c) / (most - h(f)), 0)


def targets(p, f, shares):
    """D and C between the least and the silent ones."""
    low, high = h(f), h(flipped(p, f))
    return shares[0] * p, low + shares[1] * (high - low)


shares = st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95))


@given(source=sources, at=shares)
def test_one_shot_is_the_best_mixture_of_deterministic_codes(source, at):
    p, f = source
    d, c = targets(p, f, at)
    joint = np.diag([1 - p, p]) @ labels(f)
    rows = []
    for code in itertools.product((0, 1), repeat=2):
        sent = np.eye(2)[list(code)]
        with_label = sent.T @ joint
        mass = with_label.sum(1)
        loss = sum(m * h(row[1] / m) for m, row in zip(mass, with_label, strict=True) if m > 0)
        rows.append((h(mass[1]), float(((np.array([1 - p, p])[:, None] * sent) * HAMMING).sum()), loss))
    rate, distortion, loss = np.array(rows).T
    best = linprog(rate, A_ub=np.stack([distortion, loss]), b_ub=[d, c], A_eq=np.ones((1, 4)), b_eq=[1])
    assert best.fun == pytest.approx(one_shot(p, f, d, c), abs=1e-8)


@settings(max_examples=8)
@given(source=sources, at=shares)
def test_lifted_rate_and_its_inverses(source, at):
    p, f = source
    problem, label = Problem(np.array([1 - p, p]), HAMMING), labels(f)
    d, c = targets(p, f, at)
    rate = block(p, f, d, c)
    point = lifted_rate(problem, label, d, c)
    assert point.lower - 1e-9 <= rate <= point.rate + 1e-9
    assert point.rate <= one_shot(p, f, d, c) + 1e-9  # no block code is worse than the best of one letter
    if rate > 1e-3:
        found = least_distortion(problem, label, np.inf, rate)
        least = min(d, crossing(c, f))  # D at which h(p) - h(D) is the rate
        assert found.lower - 1e-7 <= least <= found.value + 1e-7
        loss = least_classification(problem, label, np.inf, rate)
        assert loss.lower - 1e-7 <= h(flipped(least, f)) <= loss.value + 1e-7


def test_the_ends_are_those_of_one_letter():
    p, f = 0.3, 0.1
    problem, label = Problem(np.array([1 - p, p]), HAMMING), labels(f)
    for d, c in ((0.0, np.log(2)), (p, h(f)), (p, h(flipped(p, f)))):
        assert one_shot(p, f, d, c) == pytest.approx(lifted_rate(problem, label, d, c).rate, abs=1e-8)
    # Between them blocks are better.
    assert one_shot(p, f, 0.1, 0.6) > block(p, f, 0.1, 0.6) + 0.05


@pytest.mark.slow
@settings(max_examples=4)
@given(source=sources, at=shares)
def test_searched_semantics_reach_it(source, at):
    """The optimal code has two atoms, one for each reproduction: neither time sharing nor soft labels add to it."""
    p, f = source
    problem, label = Problem(np.array([1 - p, p]), HAMMING), labels(f)
    d, c = targets(p, f, at)
    for solver in (literal_rate, time_shared_rate):
        assert solver(problem, label, d, c, starts=4).rate == pytest.approx(block(p, f, d, c), abs=2e-6)


@settings(max_examples=8)
@given(source=sources, every=st.lists(shares, min_size=2, max_size=3))
def test_one_encoder_costs_nothing_more(source, every):
    p, f = source
    problem = Problem(np.array([1 - p, p]), HAMMING)
    pairs = np.array([targets(p, f, at) for at in every])
    found = universal_lifted_rate(problem, labels(f), *pairs.T)
    rate = max(block(p, f, *pair) for pair in pairs)
    assert found.lower - 1e-9 <= rate <= found.rate + 1e-9
    assert found.penalty <= 1e-8


@given(source=sources, seen=st.tuples(st.floats(0.01, 0.49), st.floats(0.51, 0.99)), share=st.floats(0.01, 0.99))
def test_region_of_a_binary_representation(source, seen, share):
    """P(Z=1|X=x) = seen_x: two decoders matter, that which tells Z and that which always says 0."""
    (p, f), (a, b) = source, seen
    problem, representation = Problem(np.array([1 - p, p]), HAMMING), np.array([[1 - a, a], [1 - b, b]])
    q = (1 - p) * a + p * b  # P(Z=1)
    label = flipped(p, f)  # P(S=1)
    one = flipped(p * b / q, f)  # P(S=1|Z=1)
    zero = flipped(p * (1 - b) / (1 - q), f)
    told = (1 - p) * a + p * (1 - b), (1 - q) * h(zero) + q * h(one)
    region = time_shared_region(problem, labels(f), representation)
    expected = [told] if told[0] <= p else [(p, h(label)), told]
    np.testing.assert_allclose(np.stack([region.distortion, region.classification], 1), expected, atol=1e-12)
    if told[0] > p + 1e-6:
        # One decoder alone says 1 for a part t of the letters Z = 1: above the line between the two.
        d = p + share * (told[0] - p)
        said = share * q
        loss = said * h(one) + (1 - said) * h((label - said * one) / (1 - said))
        assert literal_boundary(problem, labels(f), representation, [d])[0] == pytest.approx(loss, abs=1e-9)
        assert loss >= (1 - share) * h(label) + share * told[1] - 1e-12

"""Nothing is decided by the largest distortion: large numbers for "never", far letters, offsets, least budgets."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import Problem, Status, rate_at, rdc
from jaxrd.information import binary_entropy
from jaxrd.rdc.lifted.atoms import forbidding_loss

LABELS = np.array([[0.9, 0.1], [0.1, 0.9]])
RATES = {
    "lifted": lambda p, d: rdc.lifted_rate(p, LABELS, d, np.inf),
    "fixed": lambda p, d: rdc.fixed_classifier_rate(p, np.zeros(np.shape(p.distortion)), d, np.inf),
    "literal": lambda p, d: rdc.literal_rate(p, LABELS, d, np.inf),
    "time-shared": lambda p, d: rdc.time_shared_rate(p, LABELS, d, np.inf),
}


def never(value):
    """A coin that is sent as it is, at no distortion, or given up for 1; the wrong value never."""
    return Problem(np.array([0.5, 0.5]), np.array([[0, 1, value], [value, 1, 0]]))


@pytest.mark.parametrize("value", [1e3, 1e12, 1e20, 1e300, np.inf])
@pytest.mark.parametrize("semantics", RATES)
def test_a_large_number_for_never(semantics, value):
    found = RATES[semantics](never(value), 0.5)
    assert found.rate == pytest.approx(np.log(2) / 2, abs=1e-8)  # an erasure at half of the times
    assert found.lower <= np.log(2) / 2 + 1e-12
    assert found.distortion <= 0.5
    assert found.status == Status.CONVERGED


def test_a_large_number_for_never_elsewhere():
    at = never(1e12)
    least = rdc.least_distortion(at, LABELS, np.inf, np.log(2) / 2)
    assert least.value == pytest.approx(0.5, abs=1e-8)
    found = rdc.universal_lifted_rate(at, LABELS, [0.5, 0.8], [np.inf, np.inf])
    assert found.rate == pytest.approx(np.log(2) / 2, abs=1e-8)


@pytest.mark.parametrize("far", [1e3, 1e6, 1e8])
@pytest.mark.parametrize("semantics", ["lifted", "fixed"])
def test_one_letter_far_away(semantics, far):
    x = np.array([0, 1, 2, 3, 4, 5, far])
    problem = Problem(np.append(np.full(6, (1 - 1e-9) / 6), 1e-9), (x[:, None] - x) ** 2)
    for target in (0.5, 0.05):
        loss = np.zeros((7, 7))
        found = (
            rdc.fixed_classifier_rate(problem, loss, target, np.inf)
            if semantics == "fixed"
            else rdc.lifted_rate(problem, np.full((7, 2), 0.5), target, np.inf)
        )
        true = rate_at(problem, target)
        assert found.rate == pytest.approx(float(true.rate), abs=1e-9)
        assert found.lower <= float(true.rate)
        assert found.status == Status.CONVERGED


@pytest.mark.parametrize("offset", [-1e12, -1e3, 1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("semantics", ["lifted", "fixed"])
def test_an_offset_costs_digits_and_the_gap_says_so(semantics, offset):
    problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2) + np.array([[offset], [0]]))
    true = np.log(2) - float(binary_entropy(0.1))
    found = RATES[semantics](problem, 0.5 * offset + 0.1)
    rounding = 1e-15 * abs(offset)
    assert found.lower <= true + 1e-12
    assert found.rate >= true - 3 * rounding - 1e-9
    assert found.gap < 1e-8 + 10 * rounding or np.isinf(found.rate)
    if np.isinf(found.rate):
        assert found.status == Status.STALLED


@pytest.mark.parametrize("budget", [0, 1e-20, 1e-15, 1e-13, 1e-12, 3.9e-12, 4.1e-12, 1e-11, 1e-9, 1e-6])
@pytest.mark.parametrize("semantics", ["lifted", "fixed"])
def test_next_to_nothing_to_spend(semantics, budget):
    """The least distortion and what is a little above it are no longer one: the lower bound holds for each."""
    found = RATES[semantics](Problem(np.array([0.5, 0.5]), 1 - np.eye(2)), budget)
    true = np.log(2) - float(binary_entropy(budget))
    assert found.lower <= true
    assert found.lower >= true - 1e-9
    assert found.rate >= true
    assert found.distortion <= budget
    assert np.isfinite(found.rate) or found.status == Status.STALLED


def test_next_to_no_loss_to_spend():
    """Rows of labels that differ: at a budget b of nats the lower bound gives way by about b ln(1/b) for their gap."""
    labels = np.array([[0.6, 0.4], [0.6, 0.4], [0.5, 0.5]])
    problem = Problem(np.full(3, 1 / 3), np.zeros((3, 1)))
    least = float(np.mean(binary_entropy(labels[:, 0])))
    at_least = rdc.lifted_rate(problem, labels, np.inf, least)
    assert at_least.rate == pytest.approx(float(binary_entropy(1 / 3)), abs=1e-9)
    above = rdc.lifted_rate(problem, labels, np.inf, least + 5e-13)
    assert above.lower < at_least.lower
    assert above.lower >= at_least.lower - 1e-7
    truly = rdc.lifted_rate(problem, labels, np.inf, least + 1e-6)
    assert above.lower >= truly.lower


def test_a_letter_of_tiny_mass_still_has_to_be_sent_well():
    problem = Problem(np.array([0.5, 0.5, 1e-19]), np.array([[0, 1.0], [1, 0], [1e20, 0]]))
    found = rdc.lifted_rate(problem, LABELS[[0, 1, 0]], 0.1, np.inf)
    joint = np.asarray(problem.source)[:, None] * found.channel
    assert (joint * np.asarray(problem.distortion)[:, found.reproduction]).sum() <= 0.1
    assert found.rate == pytest.approx(np.log(2) - float(binary_entropy(0.1)), abs=1e-9)


def test_loss_of_forbidding():
    """The bound of min over s of s b + W exp(-s c), by a search."""
    s = np.linspace(0, 100, 2_000_001)
    for b, c, w in ((1e-6, 1.0, 2.0), (1e-9, 0.5, 10.0)):
        least = (s * b + w * np.exp(-s * c)).min()
        assert forbidding_loss(b, c, np.log(w)) == pytest.approx(least, rel=1e-6)
    assert forbidding_loss(2.0, 1.0, 0.0) == np.inf
    assert forbidding_loss(-1.0, 1.0, 5.0) == 0


@pytest.mark.parametrize("semantics", ["lifted", "fixed"])
def test_a_source_of_counts(semantics):
    loss = 1 - np.eye(2)
    counts, pmf = Problem(np.array([7.0, 3.0]), loss), Problem(np.array([0.7, 0.3]), loss)
    assert RATES[semantics](counts, 0.1).rate == pytest.approx(RATES[semantics](pmf, 0.1).rate, abs=1e-12)
    a, b = (float(rdc.perceptual_rate(Problem(jnp.asarray(p.source), loss), 0.1, 0.05).rate) for p in (counts, pmf))
    assert a == pytest.approx(b, abs=1e-12)


def test_a_loss_that_no_channel_changes():
    """Its target is met with nothing to spare, and it binds nothing."""
    problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    found = rdc.fixed_classifier_rate(problem, np.ones((2, 2)), 0.1, 1.0)
    assert found.rate == pytest.approx(rdc.fixed_classifier_rate(problem, np.ones((2, 2)), 0.1, np.inf).rate, abs=1e-9)
    assert found.classification_slope == [0]
    assert rdc.fixed_classifier_rate(problem, np.ones((2, 2)), 0.1, 0.9).status == Status.INFEASIBLE

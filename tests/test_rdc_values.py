"""Rate-distortion-classification functions against values found by other means (LP with branch and bound, mpmath)."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd.problem import Problem
from jaxrd.rdc import gaussian, vector_gaussian
from jaxrd.rdc.discrete import lifted_rate
from jaxrd.rdc.literal import literal_rate
from jaxrd.rdc.perception import perceptual_rate
from jaxrd.rdc.perception_closed_form import bernoulli_rate, gaussian_rate
from jaxrd.solution import Status
from jaxrd.tosc import InputError

FLIPPED = ([0.7, 0.3], [[0.9, 0.1], [0.1, 0.9]])
Z_CHANNEL = ([0.7, 0.3], [[1.0, 0.0], [0.5, 0.5]])
THREE = ([0.5, 0.3, 0.2], [[0.95, 0.05], [0.5, 0.5], [0.1, 0.9]])

# Lower and upper ends of certified intervals, from a column generation of their own.
LIFTED = [
    (FLIPPED, 0.05, 0.6, 0.41234905870896, 0.41234905871035),
    (FLIPPED, 0.2, 0.55, 0.14895448188687, 0.14895448190995),
    (Z_CHANNEL, 0.05, 0.25, 0.44701268635700, 0.44701268638907),
    (Z_CHANNEL, 0.25, 0.325, 0.22554148375094, 0.22554148378970),
    (THREE, 0.2, 0.5, 0.41778326242885, 0.41778326244330),
    (THREE, 0.3, 0.48, 0.42675862270837, 0.42675862271875),
    (THREE, 0.2, np.inf, 0.39062115441437, 0.39062115441597),
]


def task(example):
    source, labels = example
    return Problem(np.array(source), 1 - np.eye(len(source))), np.array(labels)


@pytest.mark.parametrize(("example", "distortion", "classification", "low", "high"), LIFTED)
def test_lifted_intervals_overlap(example, distortion, classification, low, high):
    point = lifted_rate(*task(example), distortion, classification)
    assert point.status == Status.CONVERGED
    assert point.gap <= 1e-8
    assert point.lower <= high
    assert point.rate >= low
    assert point.distortion <= distortion + 1e-9
    assert (point.classification <= classification + 1e-9).all()


def test_literal_is_not_convex_and_lifted_lies_below():
    """Ends and midpoint of a segment: the printed claim that R(D, C) is convex fails by .00495 nat."""
    problem, labels = task(Z_CHANNEL)
    entropy = 0.42270908780599087
    ends = [(0.25, 0.325), (0.3, entropy)]
    middle = (0.275, (0.325 + entropy) / 2)
    literal = [literal_rate(problem, labels, *at) for at in (*ends, middle)]
    assert literal[0].rate == pytest.approx(0.2262943764, abs=2e-7)
    assert literal[1].rate == pytest.approx(0.0, abs=1e-9)
    assert literal[2].rate == pytest.approx(0.1181010144, abs=2e-7)
    assert literal[2].rate - (literal[0].rate + literal[1].rate) / 2 > 0.0049
    for at, above in zip((*ends, middle), literal, strict=True):
        below = lifted_rate(problem, labels, *at)
        assert below.lower <= above.rate + 1e-9
        assert above.status in (Status.ACHIEVABLE, Status.CONVERGED)


def test_what_no_code_meets_is_infinite():
    problem, labels = task(FLIPPED)
    point = lifted_rate(problem, labels, np.inf, 0.3)  # H(S|X) = h(.1) = .325
    assert np.isinf(point.rate)
    assert point.status == Status.INFEASIBLE
    found = literal_rate(problem, labels, np.inf, 0.3)
    assert np.isinf(found.rate)
    assert found.status == Status.INFEASIBLE


@pytest.mark.parametrize(
    ("labels", "distortion", "classification"),
    [
        ([[0.9, 0.2], [0.1, 0.9]], 0.1, 0.5),  # rows that are no pmf
        ([[1.0, 0.0]], 0.1, 0.5),  # one row for two letters
        ([[0.9, 0.1], [0.1, 0.9]], -0.1, 0.5),
        ([[0.9, 0.1], [0.1, 0.9]], 0.1, -0.5),
    ],
)
def test_bad_input_is_refused(labels, distortion, classification):
    with pytest.raises(InputError):
        lifted_rate(task(FLIPPED)[0], np.array(labels), distortion, classification)


ENTROPY = 1.4189385332046727418  # of a Gaussian of variance 1
SCALAR = [
    (0.7, 0.05, 1.0889997021054276, 2.13038739143795735),
    (0.7, 0.9, 1.3179368502151079, 0.23362871787133720),
    (0.7, 1.5, ENTROPY, 0.0),
    (0.95, 0.51, 1.0697530980579224, 0.40698338253544313),
    (0.95, 0.3, ENTROPY, 0.60198640216296800),
]


@pytest.mark.parametrize(("correlation", "distortion", "classification", "rate"), SCALAR)
def test_scalar_gaussian(correlation, distortion, classification, rate):
    options = {"variance": 1.0, "correlation": correlation, "label_entropy": ENTROPY}
    assert float(gaussian.rate(distortion, classification, **options)) == pytest.approx(rate, abs=1e-12)


def test_printed_second_theorem_is_infeasible():
    """Below C(R) the printed D(C, R) undercuts variance e^{-2R}, which no code of rate R can."""
    options = {"variance": 1.0, "correlation": 0.7, "label_entropy": ENTROPY}
    least = gaussian.least_classification(0.2, correlation=0.7, label_entropy=ENTROPY)
    printed = gaussian.printed_distortion(least - 0.02, 0.2, **options)
    assert float(printed) < np.exp(-0.4)
    assert np.isinf(gaussian.distortion(least - 0.02, 0.2, **options))
    assert float(gaussian.distortion(least + 1e-9, 0.2, **options)) == pytest.approx(np.exp(-0.4))
    assert float(gaussian.rate(1.2, ENTROPY + 0.1, **options)) == 0.0  # in print: -.091


def test_vector_gaussian_is_certified():
    source = vector_gaussian.VectorSource(jnp.diag(jnp.array([2.0, 1.0])), jnp.array([0.0, 1.0]), 0.5)
    both, d_only, c_only = (
        vector_gaussian.rate_at(source, d, c) for d, c in ((1.0, 1.2), (1.0, np.inf), (np.inf, 1.2))
    )
    for point in (both, d_only, c_only):
        assert int(point.status) == Status.CONVERGED
        assert 0 <= float(point.gap) <= 1e-8
    assert float(both.rate) > max(float(d_only.rate), float(c_only.rate)) + 0.01  # the trade-off is real here
    assert float(d_only.rate) == pytest.approx(0.5 * np.log(2 / 0.5) + 0.5 * np.log(1 / 0.5), abs=1e-8)


BERNOULLI = [
    (0.3, 0.05, 0.02, 0.4124005837848667),
    (0.3, 0.2, 0.0, 0.1328286287645633),
    (0.3, 0.3, 0.1, 0.02236675024785772),
    (0.2, 0.15, 0.01, 0.1142484259930332),
]


@pytest.mark.parametrize(("probability", "distortion", "perception", "rate"), BERNOULLI)
def test_bernoulli_perception(probability, distortion, perception, rate):
    assert float(bernoulli_rate(probability, distortion, perception)) == pytest.approx(rate, abs=1e-10)
    problem = Problem(jnp.array([1 - probability, probability]), 1 - jnp.eye(2))
    point = perceptual_rate(problem, distortion, perception)
    assert int(point.status) == Status.CONVERGED
    assert float(point.lower) <= rate + 1e-9
    assert float(point.rate) >= rate - 1e-9
    assert float(point.gap) <= 1e-8


@pytest.mark.parametrize(
    ("variance", "distortion", "perception", "rate"),
    [
        (1, 0.5, 0.0, 0.413339286592233966),
        (1, 0.5, 0.2, 0.346573590279972655),
        (1, 1.5, 0.01, 0.0150546311794475579),
        (2, 0.3, 0.001, 0.958412098639636171),
    ],
)
def test_gaussian_perception(variance, distortion, perception, rate):
    assert float(gaussian_rate(variance, distortion, perception)) == pytest.approx(rate, abs=1e-12)

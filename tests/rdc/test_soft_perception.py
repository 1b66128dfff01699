"""R(D, P, C) with soft labels: reference values, the functions it lies between, and its constraints measured anew."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrd import Problem
from jaxrd.errors import InputError
from jaxrd.rdc import Point, least_distortion, lifted_rate, perceptual_lifted_rate, perceptual_rate, surface
from jaxrd.rdc.perception import polish
from jaxrd.rdc.perception.measures import RelativeEntropy, ReverseRelativeEntropy, TotalVariation, Wasserstein
from jaxrd.solution import Status
from jaxrd.testing import generators

BINARY = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
Z_LABELS = np.array([[1.0, 0.0], [0.5, 0.5]])


def entropy(pmf):
    return -(pmf * np.log(np.where(pmf > 0, pmf, 1))).sum(-1)


@pytest.mark.parametrize(
    ("d", "bound", "c", "expected"),
    [
        # Upper bounds of a grid of step 5e-5, in error by about 1e-8.
        (0.2, 0.0, 0.3, 0.2895967745945796),
        (0.25, 0.0, 0.35, 0.16852833378420495),
        (0.3, 0.02, 0.3, 0.2884088756913924),
    ],
)
def test_reference(d, bound, c, expected):
    found = perceptual_lifted_rate(BINARY, Z_LABELS, d, bound, c)
    assert found.status == Status.CONVERGED
    assert found.gap <= 1e-9
    assert found.lower - 1e-9 <= expected <= found.rate + 1e-8


@settings(max_examples=6)
@given(g=generators(), bound=st.sampled_from([0.0, 0.01, 0.1, np.inf]))
def test_between_its_neighbours(g, bound):
    p, labels = g.dirichlet(np.full(2, 2.0)), g.dirichlet(np.full(2, 0.7), 2)
    problem = Problem(p, g.uniform(0.3, 2, (2, 2)) * (1 - np.eye(2)))
    d = float(g.uniform(0.1, 1.1) * (p @ problem.distortion).min())
    floor, most = float(p @ entropy(labels)), float(entropy(p @ labels))
    c = floor + float(g.uniform(0.1, 1.1)) * (most - floor)
    point = perceptual_lifted_rate(problem, labels, d, bound, c)
    assert point.status == Status.CONVERGED
    # Never less than with one constraint gone; equal to the plain lifted function without a bound.
    plain, unlabelled = lifted_rate(problem, labels, d, c), perceptual_rate(problem, d, bound)
    assert plain.lower <= point.rate + 1e-9
    assert unlabelled.lower <= point.rate + 1e-9
    if np.isinf(bound):
        np.testing.assert_allclose(point.rate, plain.rate, atol=3e-9)
    # The channel and its decoder, measured anew.
    joint = p[:, None] * point.channel
    law = joint.sum(0) @ point.decoder
    np.testing.assert_allclose(point.channel.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(point.decoder.sum(1), 1, atol=1e-12)
    assert (joint @ point.decoder * problem.distortion).sum() <= d + 1e-9
    assert 0.5 * np.abs(law - p).sum() <= bound + 1e-9
    mass = joint.sum(0)
    assert mass @ entropy((joint / mass).T @ labels) <= c + 1e-9


def test_it_is_a_point_like_every_other():
    found = perceptual_lifted_rate(BINARY, Z_LABELS, 0.2, 0.0, 0.3)
    plain = lifted_rate(BINARY, Z_LABELS, 0.2, 0.3)
    assert isinstance(found, Point)
    for name, value in vars(plain).items():
        assert type(getattr(found, name)) is type(value), name
    assert found.gap == found.rate - found.lower
    assert found.converged
    again = jax.tree.map(lambda x: x, found)
    assert (again.semantics, again.perception, again.rate) == ("lifted", found.perception, found.rate)

    def solver(problem, labels, distortion, classification, *, start=None):
        return perceptual_lifted_rate(problem, labels, distortion, 0.0, classification)

    # What takes a solver takes this one.
    grid = surface(BINARY, Z_LABELS, [0.2], [0.3, np.inf], solver=solver)
    np.testing.assert_allclose(grid.rate[0, 0], found.rate, atol=1e-9)
    assert grid.rate[0, 1] < found.rate
    least = least_distortion(BINARY, Z_LABELS, 0.3, found.rate, solver=solver)
    np.testing.assert_allclose(least.value, 0.2, atol=1e-7)


def test_three_constraints_trade():
    loose = perceptual_lifted_rate(BINARY, Z_LABELS, 0.25, 0.2, 0.35)
    for d, bound, c in ((0.2, 0.2, 0.35), (0.25, 0.0, 0.35), (0.25, 0.2, 0.3)):
        assert perceptual_lifted_rate(BINARY, Z_LABELS, d, bound, c).lower > loose.rate + 1e-4
    middle = perceptual_lifted_rate(BINARY, Z_LABELS, 0.225, 0.1, 0.325)
    tight = perceptual_lifted_rate(BINARY, Z_LABELS, 0.2, 0.0, 0.3)
    assert middle.lower <= 0.5 * (loose.rate + tight.rate)
    # A divergence binds where total variation does not, and costs rate too.
    near = perceptual_lifted_rate(BINARY, Z_LABELS, 0.25, 1e-3, 0.35, measure=RelativeEntropy())
    assert near.status == Status.CONVERGED
    assert near.perception <= 1e-3 + 1e-9
    assert near.perception_slope > 0


@pytest.mark.parametrize(
    ("measure", "bound"),
    [
        (TotalVariation(), 0.05),
        (Wasserstein(np.array([[0.0, 0.7], [0.4, 0.0]])), 0.02),
        (RelativeEntropy(), 0.01),
        (RelativeEntropy(), 3.0),  # binds nothing
        (ReverseRelativeEntropy(), 0.01),
    ],
)
def test_multipliers_are_the_derivatives_of_the_rate(measure, bound):
    """They were right to 1e-5 alone: the square root of the gap at which column generation ends."""
    at = np.array([0.2, bound, 0.35])

    def point(targets):
        return perceptual_lifted_rate(BINARY, Z_LABELS, *targets, measure=measure)

    found = point(at)
    slopes = [found.distortion_slope, found.perception_slope, found.classification_slope[0]]
    steps = 1e-2 * at[:, None] * np.eye(3)
    for slope, step in zip(slopes, steps, strict=True):
        behind, near_behind, near, ahead = (point(at + k * step / 4).rate for k in (-2, -1, 1, 2))
        difference = (behind - 8 * near_behind + 8 * near - ahead) / (3 * step.sum())
        np.testing.assert_allclose(-slope, difference, rtol=0, atol=1e-7 * max(1, abs(slope)))


def test_the_certificate_stands_without_exact_multipliers(monkeypatch):
    exact = perceptual_lifted_rate(BINARY, Z_LABELS, 0.2, 0.05, 0.35)
    assert len(exact.weights) <= 4  # nearly equal atoms became one
    monkeypatch.setattr(polish, "stationary", lambda *args: None)
    found = perceptual_lifted_rate(BINARY, Z_LABELS, 0.2, 0.05, 0.35)
    assert found.status == Status.CONVERGED
    assert found.lower == exact.lower <= exact.rate <= found.rate + 1e-13


@pytest.mark.parametrize(("d", "bound", "c"), [(0.2, 0.1, 0.2), (0.2, 0.0, 0.0)])
def test_infeasible_is_infinite(d, bound, c):
    found = perceptual_lifted_rate(BINARY, Z_LABELS, d, bound, c, measure=TotalVariation())
    assert found.status == Status.INFEASIBLE
    assert found.rate == np.inf
    assert np.isnan(found.perception)


def test_perception_can_make_a_distortion_infeasible():
    costly = Problem(BINARY.source, np.array([[0.3, 0.0], [1.0, 0.3]]))  # the letter kept is not the letter meant
    assert np.isfinite(perceptual_lifted_rate(costly, Z_LABELS, 0.2, np.inf, 0.4).rate)
    found = perceptual_lifted_rate(costly, Z_LABELS, 0.2, 0.01, 0.4)
    assert found.status == Status.INFEASIBLE
    assert found.rate == np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BINARY, Z_LABELS, np.nan, 0.1, 0.3), "distortion must be one number; got nan"),
        ((BINARY, Z_LABELS, 0.1, -0.1, 0.3), "perception must be >= 0; got -0.1"),
        ((BINARY, Z_LABELS, 0.1, 0.1, -0.3), "classification must be >= 0; got -0.3"),
        ((BINARY, Z_LABELS[:1], 0.1, 0.1, 0.3), r"P\(S\|X\), shape \(2, classes\)"),
        ((BINARY, 2 * Z_LABELS, 0.1, 0.1, 0.3), "labels must sum to 1"),
        ((Problem(BINARY.source, np.ones((2, 3))), Z_LABELS, 0.1, 0.1, 0.3), "2 source and 3 reproduction letters"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        perceptual_lifted_rate(*arguments)

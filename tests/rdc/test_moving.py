"""Atoms that move: the equations, their derivative, and what column generation does with the result."""

import numpy as np
import pytest

from jaxrd import Problem, Status
from jaxrd.datasets import embedded_path
from jaxrd.io.labelled import read_labelled
from jaxrd.rdc import lifted_rate, surface
from jaxrd.rdc.inputs import as_inputs
from jaxrd.rdc.lifted.assemble import weighted_of
from jaxrd.rdc.lifted.atoms import Atoms, Core, core
from jaxrd.rdc.lifted.moving import Weighted, _jacobian, _state, moved
from jaxrd.rdc.point import entropies

FOUR = Problem(np.array([0.4, 0.3, 0.2, 0.1]), (np.arange(4.0)[:, None] - np.arange(4.0)) ** 2)
THREE_CLASSES = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.05, 0.05, 0.9]])
GRADED = np.array([[0.95, 0.05], [0.6, 0.4], [0.4, 0.6], [0.1, 0.9]])


def reduced(labels, *targets) -> Core:
    found = core(as_inputs(FOUR, labels), np.array(targets))
    assert found is not None
    return found


def shifted(at: Weighted, active: np.ndarray, by: np.ndarray) -> Weighted:
    """A change of (q, theta, mu), with t = softmax(theta)."""
    m, width = len(at.weights), at.atoms.side_by_side.shape[1]
    theta, slopes, soft, k = by[m : m + m * width].reshape(m, width), at.slopes.copy(), [], 0
    slopes[active] += by[m + m * width :]
    for t in at.atoms.soft:
        t = t * np.exp(theta[:, k : k + t.shape[1]])
        soft.append(t / t.sum(1, keepdims=True))
        k += t.shape[1]
    return Weighted(Atoms(at.atoms.letter, tuple(soft)), at.weights + by[:m], slopes)


@pytest.mark.parametrize(
    ("labels", "slopes", "budgets"),
    [
        ([THREE_CLASSES], [1.3, 0.8], [0.2, 0.1]),
        ([THREE_CLASSES], [1.3, 0.8], [np.inf, 0.1]),  # a price
        ([GRADED, THREE_CLASSES], [0.7, 1.1, 0.4], [0.2, 0.1, 0.3]),
        ([GRADED, THREE_CLASSES], [0.7, 1.1, 0.0], [0.2, np.inf, 0.3]),
    ],
)
def test_the_jacobian_is_the_derivative_of_the_equations(labels, slopes, budgets):
    g = np.random.default_rng(0)
    problem = reduced(labels, np.inf, *[np.inf] * len(labels))
    soft = tuple(g.dirichlet(np.ones(p.shape[1]), 3) for p in labels)
    at, budgets = Weighted(Atoms(np.array([0, 1, 3]), soft), g.random(3), np.array(slopes)), np.array(budgets)
    now = _state(problem, budgets, at)
    matrix, m, side = _jacobian(problem, at, now), len(at.weights), at.atoms.side_by_side
    of = np.repeat(np.arange(len(labels)), [p.shape[1] for p in labels])
    # Where a label has no multiplier, dtheta = 0 stands in the place of 0 = 0.
    counts = np.concatenate([np.ones(m), np.tile(at.slopes[1 + of] > 0, m), np.ones(len(now.active))]).astype(bool)
    for direction in g.standard_normal((5, len(matrix))):
        # A change of all of theta leaves t as it is: the matrix has there what keeps theta's mean.
        theta = direction[m : m + side.size].reshape(side.shape)
        for k in range(len(labels)):
            theta[:, of == k] -= (theta * side)[:, of == k].sum(1, keepdims=True)
        ahead, behind = (
            _state(problem, budgets, shifted(at, now.active, sign * 1e-6 * direction)).residual for sign in (1, -1)
        )
        expected = (ahead - behind) / 2e-6
        np.testing.assert_allclose((matrix @ direction)[counts], expected[counts], atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("before", "after"), [((0.2, 0.8), (0.25, 0.85)), ((0.2, 0.8), (0.2, 1.0)), ((0.2, 1.0), (0.2, 0.8))]
)
def test_a_neighbour_leads_to_the_optimum(before, after):
    """Also where a budget binds in one of the two alone."""
    least = FOUR.source @ entropies(THREE_CLASSES)
    targets = after[0], least + after[1] - 0.75
    start = lifted_rate(FOUR, THREE_CLASSES, before[0], least + before[1] - 0.75)
    problem = reduced([THREE_CLASSES], *targets)
    found = moved(problem, problem.budgets, weighted_of(problem, start))
    assert found is not None
    alone = lifted_rate(FOUR, THREE_CLASSES, *targets)
    np.testing.assert_allclose(found.slopes, [alone.distortion_slope, *alone.classification_slope], atol=1e-5)
    now = _state(problem, problem.budgets, found)
    np.testing.assert_allclose(now.joint.sum(0), 1, atol=1e-12)
    if found.slopes[1] > 0:
        backward = now.joint / now.joint.sum(0)
        np.testing.assert_allclose(found.atoms.soft[0], backward.T @ THREE_CLASSES, atol=1e-12)
    assert (now.spent <= problem.budgets * (1 + 1e-12)).all()
    np.testing.assert_allclose(now.spent[found.slopes > 0], problem.budgets[found.slopes > 0], rtol=1e-12)


def test_an_atom_of_no_use_is_dropped():
    point = lifted_rate(FOUR, THREE_CLASSES, 0.2, 0.7)
    problem = reduced([THREE_CLASSES], 0.2, 0.7)
    near = weighted_of(problem, point)
    useless = Atoms(np.array([0]), (np.array([[0.05, 0.05, 0.9]]),))
    found = moved(
        problem, problem.budgets, Weighted(near.atoms.join(useless), np.append(near.weights, 0.01), near.slopes)
    )
    assert found is not None
    assert len(found.weights) == len(near.weights)


def test_two_atoms_that_are_one_lead_nowhere():
    """Their weights are not determined: the interior point solves the problem then."""
    point = lifted_rate(FOUR, THREE_CLASSES, 0.2, 0.85)
    problem = reduced([THREE_CLASSES], 0.25, 0.85)
    near = weighted_of(problem, point)
    twice = Weighted(near.atoms.join(near.atoms), np.tile(near.weights, 2), near.slopes)
    found = moved(problem, problem.budgets, twice)
    assert found is None or len(found.weights) < len(twice.weights)
    assert lifted_rate(FOUR, THREE_CLASSES, 0.25, 0.85, start=point).converged


def test_most_points_of_a_surface_need_no_interior_point(monkeypatch):
    import jaxrd.rdc.lifted.optimum as module

    calls, solve = [], module.master
    monkeypatch.setattr(module, "master", lambda *args, **options: calls.append(1) or solve(*args, **options))
    given = read_labelled(embedded_path("rdc_mnist.npz"))
    p, (labels,) = np.asarray(given.problem.source), given.labels
    distortions = np.linspace(0.002, (p @ np.asarray(given.problem.distortion)).min(), 6)
    losses = np.linspace(p @ entropies(labels) + 0.01, entropies(p @ labels), 6)
    found = surface(given.problem, labels, distortions, losses)
    assert found.converged.all()
    assert found.gap.max() <= 1e-9
    assert len(calls) <= 12  # 36 points, which took 190
    for i, j in ((0, 0), (2, 3), (4, 1), (5, 5)):
        alone = lifted_rate(given.problem, labels, distortions[i], losses[j])
        assert max(alone.lower, found.lower[i, j]) <= min(alone.rate, found.rate[i, j]) + 1e-12


@pytest.mark.parametrize("beyond", [1, 1.5])
def test_what_every_code_meets_is_no_constraint(beyond):
    silent = (FOUR.source @ FOUR.distortion).min() * beyond
    entropy = entropies(FOUR.source @ GRADED)
    free = lifted_rate(FOUR, GRADED, np.inf, 0.6)
    point = lifted_rate(FOUR, GRADED, silent, 0.6)
    assert point.distortion <= silent
    assert point.distortion_slope == 0
    assert point.rate == pytest.approx(free.rate, abs=1e-9)
    point = lifted_rate(FOUR, GRADED, 0.2, entropy * beyond)
    assert point.classification_slope == 0
    assert point.rate == pytest.approx(lifted_rate(FOUR, GRADED, 0.2, np.inf).rate, abs=1e-9)


def test_forbidden_pairs_leave_a_bound():
    """A tiny mass on a forbidden pair at a slope of zero once made both bounds NaN."""
    g = np.random.default_rng(98)
    n, m = g.integers(2, 9), g.integers(2, 8)
    p = g.dirichlet(np.ones(n))
    g.integers(6)
    d = g.random((n, m))
    d = np.where(g.random(d.shape) < 0.25, np.inf, d)
    d[:, 0] = g.random(n)
    labels = g.dirichlet(np.full(3, 0.4), n)
    least = p @ entropies(labels)
    point = lifted_rate(Problem(p, d), labels, p @ d.min(1) + 0.02, least + 1.8e-7)
    assert 0 < point.lower <= point.rate < np.inf
    assert point.status == Status.CONVERGED

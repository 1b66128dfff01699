"""Information measures and distortion matrices."""

import numpy as np
import pytest
from hypothesis import given

from jaxrd import Problem, validate
from jaxrd.coding import encode
from jaxrd.distortion import hamming, log_loss, remote, squared_error
from jaxrd.information import binary_entropy, cross_entropy, entropy, mutual_information, relative_entropy
from jaxrd.testing import generators, pmfs


@given(p=pmfs(6), q=pmfs(6, concentration=(1.0,)))
def test_identities(p, q):
    np.testing.assert_allclose(relative_entropy(p, q), cross_entropy(p, q) - entropy(p), atol=1e-12)
    assert relative_entropy(p, q) >= -1e-15
    assert relative_entropy(p, p) == 0
    np.testing.assert_allclose(binary_entropy(p[0]), entropy(np.array([p[0], 1 - p[0]])), atol=1e-15)


@given(g=generators())
def test_mutual_information(g):
    p, w = g.dirichlet(np.ones(4)), g.dirichlet(np.full(5, 0.3), 4)
    joint = p[:, None] * w
    expected = entropy(p) + entropy(joint.sum(0)) - entropy(joint.ravel())
    np.testing.assert_allclose(mutual_information(p, w), expected, atol=1e-12)
    # data processing
    v = g.dirichlet(np.ones(3), 5)
    assert mutual_information(p, w @ v) <= mutual_information(p, w) + 1e-12


@given(g=generators())
def test_no_information_is_below_zero(g):
    n, m = g.choice([1, 2, 40, 299]), g.choice([2, 5, 11])  # each shape is compiled
    w = g.dirichlet(np.ones(m)) * (1 + 1e-9 * g.standard_normal((n, m)))  # nearly constant
    w /= w.sum(1, keepdims=True)
    assert 0 <= mutual_information(g.dirichlet(np.ones(n)), w) < 1e-14
    found = encode(w)
    assert 0 <= found.information < 1e-14
    assert found.quantisation >= 0


def test_exact_at_zero():
    assert entropy(np.array([0.0, 1.0])) == 0
    assert relative_entropy(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf
    assert mutual_information(np.array([0.0, 1.0]), np.eye(2)) == 0


def test_distortions():
    assert hamming(3).sum() == 6
    np.testing.assert_allclose(squared_error(np.array([[0.0, 1.0]]), np.array([[3.0, 5.0]])), [[25.0]])
    assert log_loss(np.array([[0.0, 1.0]]))[0, 0] == np.inf
    v = np.array([[0.2, 0.8], [1.0, 0.0]])
    np.testing.assert_allclose(remote(hamming(2), v), 1 - v)
    # a forbidden pair forbids only where its class can occur
    d = np.array([[0.0, np.inf], [1.0, 0.0]])
    np.testing.assert_allclose(remote(d, np.array([[0.5, 0.5], [0.0, 1.0]])), [[0.5, np.inf], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("source", "distortion", "message"),
    [
        ([0.5, 0.47], np.eye(2), "source must sum to 1; got 0.97. Pass source / source.sum()"),
        ([1.5, -0.5], np.eye(2), "must not be negative; got -0.5 at letter 1"),
        ([np.nan, 1.0], np.eye(2), "must be finite; got nan"),
        ([0.5, 0.5], np.array([[0, np.nan], [1, 0]]), r"got nan at \(0, 1\)"),
        ([0.5, 0.5], np.array([[np.inf, np.inf], [1, 0]]), "every reproduction of letter 0 is forbidden"),
        ([0.5, 0.5], np.zeros((3, 2)), r"got \(2,\) and \(3, 2\)"),
    ],
)
def test_validate(source, distortion, message):
    with pytest.raises(ValueError, match=message):
        validate(Problem(np.array(source), distortion))

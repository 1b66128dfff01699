"""One convention for what rdc computes: rate or value, lower, status, gap, converged; INFEASIBLE alike everywhere."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import Problem, Status, rdc
from jaxrd.rdc.gaussian import vector
from jaxrd.rdc.perception.cdp import classification_distortion_perception
from jaxrd.rdc.perception.least_loss import least_loss
from jaxrd.rdc.perception.least_rate import least_rate
from jaxrd.rdc.perception.program import Decoder, Program
from jaxrd.rdc.perception.rate import tolerance
from jaxrd.rdc.point import width
from jaxrd.rdc.representation import universal
from jaxrd.rdc.representation.region import lifted_region
from jaxrd.solution import has_failed

# Every letter costs at least 0.1, so that no code has distortion 0.05.
COIN, LABELS = Problem(np.array([0.7, 0.3]), 1.1 - np.eye(2)), np.array([[0.9, 0.1], [0.1, 0.9]])
SOURCE = vector.VectorSource(jnp.diag(jnp.array([2.0, 1.0])), jnp.array([0.0, 1.0]), 0.5)
LOSS = -np.log(LABELS)


def program(distortion):
    p, d = jnp.asarray(COIN.source), jnp.asarray(COIN.distortion)
    inf = jnp.asarray(jnp.inf)
    decoder = Decoder(jnp.arange(2), d[None], jnp.asarray([distortion]), rdc.measures.TotalVariation(), inf, p)
    return Program(p, jnp.zeros((0, 2, 2)), jnp.zeros(0), (decoder,))


def at(distortion):
    """What each function gives at a distortion that no code meets, or that one does."""
    return {
        "lifted": lambda: rdc.lifted_rate(COIN, LABELS, distortion, np.inf),
        "literal": lambda: rdc.literal_rate(COIN, LABELS, distortion, np.inf, starts=2),
        "time-shared": lambda: rdc.time_shared_rate(COIN, LABELS, distortion, np.inf, starts=2),
        "fixed": lambda: rdc.fixed_classifier_rate(COIN, LOSS, distortion, np.inf),
        "least": lambda: rdc.least_classification(COIN, LABELS, distortion, 0.5),
        "surface": lambda: rdc.surface(COIN, LABELS, [distortion], [np.inf]),
        "perceptual": lambda: rdc.perceptual_rate(COIN, distortion, np.inf),
        "perceptual lifted": lambda: rdc.perceptual_lifted_rate(COIN, LABELS, distortion, np.inf, np.inf),
        "least rate": lambda: least_rate(program(distortion), tolerance(jnp.zeros(0).dtype, None)),
        "cdp": lambda: classification_distortion_perception(COIN, LOSS, distortion, np.inf),
        "vector": lambda: vector.rate_at(SOURCE, distortion if distortion > 0.1 else -1.0, np.inf),
        "vector's inverse": lambda: vector.classification_at(SOURCE, 1.0 if distortion > 0.1 else -1.0, 2.0),
        "universal lifted": lambda: rdc.universal_lifted_rate(COIN, LABELS, [distortion, 0.3], [np.inf, np.inf]),
        "least distortion": lambda: rdc.least_distortion(COIN, LABELS, 0.1 if distortion < 0.1 else np.inf, 0.5),
        "least loss": lambda: least_loss(program(distortion), jnp.asarray(LOSS), tolerance(jnp.zeros(0).dtype, None)),
        "universal perceptual": lambda: universal.universal_perceptual_rate(COIN, [distortion, 0.3], [np.inf, np.inf]),
        "universal vector": lambda: universal.universal_vector_gaussian_rate(
            SOURCE, [distortion if distortion > 0.1 else -1.0, 2.0], [np.inf, np.inf]
        ),
        "universal bounds": lambda: universal.universal_bounds(
            COIN, LABELS, [distortion, 0.3], [np.inf, np.inf], solver=rdc.literal_rate
        ),
        "universal fixed": lambda: rdc.universal_fixed_classifier_rate(COIN, LOSS, [distortion], [np.inf]),
    }  # fmt: skip


@pytest.mark.parametrize("name", at(0.0))
def test_infeasible_is_an_answer(name):
    found = at(0.05)[name]()
    value = found.value if hasattr(found, "value") else found.rate
    assert np.all(value == np.inf)
    assert np.all(found.lower == np.inf)
    assert np.all(found.gap == 0)
    assert np.all(np.asarray(found.status) == Status.INFEASIBLE)
    assert not np.any(found.converged)
    assert not np.any(has_failed(np.asarray(found.status)))


@pytest.mark.parametrize("name", ["lifted", "fixed", "least", "surface", "perceptual", "cdp", "vector"])
def test_a_point_lies_between_its_bounds(name):
    found = at(0.3)[name]()
    value = found.value if hasattr(found, "value") else found.rate
    assert np.all(found.converged)
    assert np.all(found.gap >= 0)
    assert np.all(found.gap < 1e-6)
    np.testing.assert_allclose(value - found.gap, found.lower, atol=1e-12)


def test_what_is_always_feasible():
    found = rdc.bottleneck_information(COIN.source, LABELS, 10.0)
    assert found.value == found.lower == found.information
    assert found.gap == found.upper - found.information
    assert found.converged
    region = lifted_region(COIN, LABELS, np.eye(2))
    assert (region.value == region.lower).all()
    assert (region.gap == 0).all()
    assert region.converged.all()


def test_nothing_known_is_an_infinite_gap():
    point = vector.rate_at(SOURCE, np.nan, np.inf)
    assert point.status == Status.NONFINITE
    assert point.gap == np.inf
    assert not point.converged
    assert width(jnp.asarray([1.0, jnp.inf, jnp.nan]), jnp.asarray([0.5, jnp.inf, 0.0])).tolist() == [0.5, 0.0, np.inf]

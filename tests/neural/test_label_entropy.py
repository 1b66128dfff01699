"""H(S|M) against its definition, and the corner of a frozen encoder against a law that is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrd.neural.label_entropy import corner, plug_in


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60))
def test_plug_in_is_the_entropy_of_the_pairs_less_that_of_the_messages(pairs):
    messages, labels = np.array(pairs).T

    def entropy(rows):
        _, number = np.unique(rows, axis=0, return_counts=True)
        return -(number / number.sum() * np.log(number / number.sum())).sum()

    found = plug_in(messages, labels)
    assert found == pytest.approx(entropy(np.array(pairs)) - entropy(messages[:, None]), abs=1e-12)
    assert 0 <= found <= np.log(4) + 1e-12


def test_the_corner_is_that_of_means_and_shares():
    g = np.random.default_rng(0)

    def sample(count):
        messages = g.integers(0, 3, count)
        labels = np.where(g.random(count) < 0.9, messages, (messages + 1) % 3)
        images = messages[:, None] / 4 + 0.1 * g.standard_normal((count, 6))
        return messages, images.astype(np.float32), labels

    train, test = sample(4000), sample(4000)
    found = corner(train, test, 5)  # two messages that never occur
    assert found.mse == pytest.approx(0.01, rel=0.03)
    h = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert found.ce_nats == pytest.approx(h, abs=0.02)
    assert found.label_entropy_nats == pytest.approx(h, abs=0.02)
    assert found.label_entropy_nats < found.ce_nats
    assert found.accuracy == pytest.approx(0.9, abs=0.01)
    rare = (np.array([4]), test[1][:1], np.array([0]))
    assert corner(train, rare, 5).ce_nats == pytest.approx(np.log(3))

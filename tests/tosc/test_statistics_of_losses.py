"""`statistics` under a loss, under weights and under a known prior."""

import numpy as np
import pytest

from jaxrd import tosc
from jaxrd.tosc import losses

N, K = 600, 3


@pytest.fixture(scope="module")
def scores():
    g = np.random.default_rng(1)
    y = g.integers(0, K, N)
    return 1.5 * np.eye(K)[y] + g.standard_normal((N, K)), y


LOSS = losses.of_matrix([[0, 1, 3], [2, 0, 1], [1, 0.5, 0]])
CASES = {"loss": {"loss": LOSS}, "weights": {"weights": 1 + np.arange(N) % 3}, "prior": {"prior": [0.2, 0.2, 0.6]}}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_generalised_is_withheld(scores, case):
    found = tosc.statistics(tosc.limits(*scores, at=[0.3], temperature=1, slopes=4, **CASES[case]))
    assert {"oRD", "TMRD", "TMRD_model", "iE&C", "S&C", "E&C", "TS"} <= set(found.withdrawn)
    assert not found.bands
    assert found.lower is None
    assert found.oracle_lower is None
    assert found.sandwich is None

"""What a status says."""

import numpy as np
import pytest

from jaxrd import Status
from jaxrd.solution import has_converged, has_failed


@pytest.mark.parametrize("status", list(Status), ids=lambda status: status.name)
def test_each_status(status):
    assert status.converged == (status.name in ("CONVERGED", "EXACT"))
    assert status.failed == (status.name in ("MAX_STEPS", "STALLED", "NONFINITE"))


def test_of_arrays():
    every = np.arange(len(Status))
    np.testing.assert_array_equal(has_converged(every), [status.converged for status in Status])
    np.testing.assert_array_equal(has_failed(every), [status.failed for status in Status])

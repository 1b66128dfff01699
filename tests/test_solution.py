"""What a status says."""

import numpy as np
import pytest

from jaxrd import Problem, Status, blahut_arimoto, rate_at
from jaxrd.errors import ConvergenceError
from jaxrd.solution import check, has_converged, has_failed


@pytest.mark.parametrize("status", list(Status), ids=lambda status: status.name)
def test_each_status(status):
    assert status.converged == (status.name in ("CONVERGED", "EXACT"))
    assert status.failed == (status.name in ("MAX_STEPS", "STALLED", "NONFINITE"))


def test_of_arrays():
    every = np.arange(len(Status))
    np.testing.assert_array_equal(has_converged(every), [status.converged for status in Status])
    np.testing.assert_array_equal(has_failed(every), [status.failed for status in Status])


def test_what_to_do_about_a_target_that_no_channel_meets():
    problem = Problem(np.array([0.5, 0.5]), 1.5 - np.eye(2))
    with pytest.raises(ConvergenceError, match=r"INFEASIBLE.* distortion_range says which distortions there are"):
        check(rate_at(problem, 0.1))
    with pytest.raises(ConvergenceError, match="larger max_steps"):
        check(blahut_arimoto(problem, 3.0, tol=0.0, max_steps=1))

"""Which solver is fastest for a matrix of a size, on this backend."""

from __future__ import annotations

import jax

from jaxrd._points import Solver
from jaxrd.solvers._blahut_arimoto import blahut_arimoto
from jaxrd.solvers._interior_point import NEWTON_BYTES, interior_point
from jaxrd.solvers._working_set import working_set

_MANY = 384
"""Number of reproductions from which a working set is faster, on CPU."""


def choice(reproductions: int, itemsize: int) -> Solver:
    """The solver for m reproductions, and numbers of so many bytes.

    >>> choice(10, 8).__name__
    'interior_point'
    """
    if jax.default_backend() == "cpu" and reproductions >= _MANY:
        return working_set
    return interior_point if reproductions**2 * itemsize <= NEWTON_BYTES else blahut_arimoto

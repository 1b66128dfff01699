"""One BLAS thread: for matrices this small more cost time, and on a busy machine they wait for each other, spinning."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

import scipy.linalg.blas  # noqa: F401  (the libraries must be loaded to be limited)
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager:
    """A context in which numpy and scipy call BLAS on one thread."""
    return _controller().limit(limits=1, user_api="blas")

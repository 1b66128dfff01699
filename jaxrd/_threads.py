"""One BLAS thread: for matrices this small more threads cost time, and on a busy machine they wait in busy loops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_limited = ExitStack()
_inside = 0


@cache
def _libraries() -> ThreadpoolController:
    # The libraries that numpy, scipy and XLA call must be loaded before they can be limited.
    import scipy.linalg.blas
    import scipy.linalg.cython_lapack  # noqa: F401

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """A context in which the process calls BLAS and LAPACK on one thread.

    Contexts may overlap in several threads: the first to enter sets the limit, the last to leave restores what it was.

    >>> with one_blas_thread():
    ...     pass
    """
    global _inside
    with _lock:
        if not _inside:
            _limited.enter_context(_libraries().limit(limits=1, user_api="blas"))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limited.close()

"""Threads: calls side by side on the cores, and BLAS on one, because for small matrices more of them cost time."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import islice
from typing import Any

import jax
from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_limited = ExitStack()
_inside = 0
_setter = ThreadPoolExecutor(1, "jaxrd-blas")
"""threadpoolctl takes changes of OpenBLAS from the thread that made the last one, as long as that lives."""


@cache
def _libraries() -> ThreadpoolController:
    # The libraries that numpy, scipy and XLA call must be loaded before they can be limited.
    import scipy.linalg.blas
    import scipy.linalg.cython_lapack  # noqa: F401

    return ThreadpoolController()


def _limit() -> None:
    _limited.enter_context(_libraries().limit(limits=1, user_api="blas"))


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
            _setter.submit(_limit).result()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _setter.submit(_limited.close).result()


def cores() -> int:
    """That this process may use.

    >>> cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(function: Callable[[Any], Any], arguments: Iterable[Any], workers: int | None = None) -> Iterator[Any]:
    """Results in order, from threads: XLA releases the GIL. Where a compile is needed, one thread makes it for all.

    Args:
        function: called with each argument.
        arguments: taken as they are needed: few wait.
        workers: threads; None: one a core on CPU, else one.

    >>> list(side_by_side(lambda x: 2 * x, range(3)))
    [0, 2, 4]
    """
    workers = workers or (cores() if jax.default_backend() == "cpu" else 1)
    rest = iter(arguments)
    first = list(islice(rest, 2))
    if workers == 1 or len(first) < 2:
        yield from map(function, first)
        yield from map(function, rest)
        return
    # Contexts such as jax.enable_x64(True) belong to the thread that entered them.
    wide, device = jax.config.jax_enable_x64, jax.config.jax_default_device  # pyright: ignore

    def in_context(argument):
        with jax.enable_x64(wide), jax.default_device(device):
            return function(argument)

    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future] = deque(pool.submit(in_context, x) for x in (*first, *islice(rest, 2 * workers - 2)))
        while waiting:
            found = waiting.popleft().result()
            waiting.extend(pool.submit(in_context, x) for x in islice(rest, 1))
            yield found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

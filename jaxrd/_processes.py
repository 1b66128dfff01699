"""One pass over rows: threads work side by side, and the processes of one run each on their own part of the rows."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any

import jax
import numpy as np

from jaxrd._threads import side_by_side
from jaxrd.errors import InputError


def folded(
    function: Callable[[Any], Any],
    arguments: Sequence[Any],
    fold: Callable[[Any, Any], Any] = add,
    tick: Callable[[int], object] | None = None,
    *,
    shared: bool,
) -> Any:
    """fold(... fold(fold(f(a), f(b)), f(c)) ...) over all arguments.

    Args:
        function: called with each argument, in a thread.
        arguments: one or more, of all processes.
        fold: associative; called in the order of the arguments.
        tick: called with the number of arguments done, in all processes together where they are equally fast.
        shared: whether all processes of a `jax.distributed` run make this call with the same arguments: each takes a
            contiguous part of them, and all return the whole.

    Raises:
        InputError: what `function` raises in any process, in all of them.

    >>> folded(lambda x: 2 * x, range(4), shared=False)
    12
    """
    if not shared:
        return reduce(fold, _counted(side_by_side(function, arguments), tick, 1))
    first, last = (len(arguments) * (jax.process_index() + k) // jax.process_count() for k in (0, 1))
    found: list[Any] = []
    try:
        if first < last:
            results = side_by_side(function, arguments[first:last])
            found = [reduce(fold, _counted(results, tick, len(arguments) / (last - first)))]
    except InputError as error:
        found = [error]
    parts = [part for each in _exchanged(found) for part in each]
    for part in parts:
        if isinstance(part, InputError):
            raise part
    return reduce(fold, parts)


def _counted(results: Iterable[Any], tick: Callable[[int], object] | None, each: float) -> Iterator[Any]:
    """The results; each counts as so many."""
    for i, result in enumerate(results):
        if tick is not None:
            tick(round((i + 1) * each))
        yield result


def _exchanged(found: Any) -> list[Any]:
    """What each process found, in their order."""
    from jax.experimental.multihost_utils import process_allgather

    data = np.frombuffer(pickle.dumps(found), np.uint8)
    lengths = process_allgather(np.array(len(data), np.int32))
    room = 1 << int(lengths.max() - 1).bit_length()  # few lengths: each compiles
    every = process_allgather(np.pad(data, (0, room - len(data))))
    return [pickle.loads(row[:length].tobytes()) for row, length in zip(every, lengths, strict=True)]

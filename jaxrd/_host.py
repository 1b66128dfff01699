"""What the same formulas need on the host, by numpy: there another shape costs no compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def loop(unfinished: Callable[[Any], Any], body: Callable[[Any], Any], state: Any) -> Any:
    """`jax.lax.while_loop` on the host.

    >>> loop(lambda x: x < 10, lambda x: 2 * x, 3)
    12
    """
    while unfinished(state):
        state = body(state)
    return state

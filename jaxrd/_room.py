"""Clear compiled programs before they use all memory maps that the operating system allows a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jax

_MAPS = Path("/proc/self/maps")
MOST = Path("/proc/sys/vm/max_map_count")
_SHARE = 0.5
"""Share of the memory maps that Linux allows a process, 65 530 by default. XLA keeps some for each program, 300 for a
new shape of `sweep`, and crashes where it gets no more."""
EVERY = 64
"""Programs compiled between two checks: a check of 30 000 maps takes 20 ms."""

_compiled = 0  # since the last check; threads may miscount it slightly


def _count(event: str, duration_secs: float, **kwargs: str | int) -> None:
    global _compiled
    if event == "/jax/core/compile/backend_compile_duration":
        _compiled += 1


jax.monitoring.register_event_duration_secs_listener(_count)


@cache
def _most() -> int:
    try:
        return int(_SHARE * int(MOST.read_text()))
    except (OSError, ValueError):
        return 0  # no Linux: there is no such limit


def make_room() -> bool:
    """Clear JAX's caches once the compiled programs take half of the memory maps there are; whether they were.

    What is used again is then compiled again, or read from JAX's compilation cache where that is on. It is called
    before work that may compile.

    >>> make_room()
    False
    """
    global _compiled
    if _compiled < EVERY or not _most():
        return False
    _compiled = 0
    try:
        if _MAPS.read_bytes().count(b"\n") <= _most():
            return False
    except OSError:
        return False
    jax.clear_caches()
    return True

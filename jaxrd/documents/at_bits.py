"""What `jaxrd limits --bits` writes: the least distortion of every curve at a rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxrd.information import NATS_PER_BIT
from jaxrd.tosc import CURVES, Limits, distortions_at

_AXES = [name for curve in CURVES for name in ((curve, "TMRD_model") if curve == "TMRD" else (curve,))]


Row = dict[str, Any]
"""A rate, and by curve its least distortion, in `accuracy` 1 less it, in `status` a word."""


class AtBits(NamedTuple):
    """The curves at the rates asked for."""

    rows: list[Row]
    """One per rate, `rate_bits`."""
    failed: list[str]
    """Where a solver failed: the distortion there is only an upper bound."""


def at_bits(limits: Limits, bits: Sequence[float], progress: Callable[[str, int, int], None] | None = None) -> AtBits:
    """Solve the curves at some rates.

    Args:
        limits: the curves.
        bits: rates a sample, >= 0.
        progress: called as progress(what, done, total).
    """
    rows, failed = [], []
    for i, rate in enumerate(bits):
        reached = distortions_at(limits, rate * NATS_PER_BIT)
        least = {name: reached[name].distortion if name in reached else None for name in _AXES}
        accuracy = {name: None if d is None or not limits.is_error else 1 - d for name, d in least.items()}
        status = {name: "not computed" if d is None else "reached" for name, d in least.items()}
        for name in (name for name, point in reached.items() if not point.converged):
            status[name] = "not converged"
            failed.append(f"{name} at {rate:g} bits")
        rows.append({"rate_bits": float(rate)} | least | {"accuracy": accuracy, "status": status})
        if progress is not None:
            progress("distortions asked for", i + 1, len(bits))
    return AtBits(rows, failed)

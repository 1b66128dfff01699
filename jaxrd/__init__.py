"""jaxrd: rate-distortion curves computed with certificates, compiled by JAX.

The rooms `closed_form`, `datasets`, `information`, `io`, `neural`, `plots`, `rdc`, `reproduce`, `simulation` and
`tosc` are imported when they are first asked for: `jaxrd.tosc.limits` works after `import jaxrd`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jaxrd.channel import optimal_channel
from jaxrd.critical import critical_slope
from jaxrd.curve import Curve, lower_convex_envelope
from jaxrd.ends import distortion_range
from jaxrd.errors import ConvergenceError, InputError
from jaxrd.problem import Problem, validate
from jaxrd.solution import Solution, Status, check
from jaxrd.solvers import blahut_arimoto, interior_point, solve, working_set
from jaxrd.sweep import sweep
from jaxrd.target import distortion_at, rate_at

if TYPE_CHECKING:
    from jaxrd import (  # noqa: F401
        closed_form,
        datasets,
        information,
        io,
        neural,
        plots,
        rdc,
        reproduce,
        simulation,
        tosc,
    )  # fmt: skip

__version__ = "0.1.0"

_ROOMS = (
    "closed_form", "datasets", "information", "io", "neural", "plots", "rdc", "reproduce", "simulation", "tosc",
)  # fmt: skip

__all__ = [
    "ConvergenceError",
    "Curve",
    "InputError",
    "Problem",
    "Solution",
    "Status",
    "blahut_arimoto",
    "check",
    "critical_slope",
    "distortion_at",
    "distortion_range",
    "interior_point",
    "lower_convex_envelope",
    "optimal_channel",
    "rate_at",
    "solve",
    "sweep",
    "validate",
    "working_set",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"jaxrd.{name}")
    raise AttributeError(f"module 'jaxrd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})

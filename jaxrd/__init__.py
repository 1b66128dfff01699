"""jaxrd: rate-distortion curves computed with certificates, compiled by JAX.

Names and rooms (`closed_form`, `datasets`, `information`, `io`, `neural`, `plots`, `rdc`, `reproduce`, `simulation`,
`tosc`) are imported when they are first asked for: `jaxrd.tosc.limits` works after `import jaxrd`, which itself is
done before JAX is loaded.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

TYPE_CHECKING = False  # typing takes longer to import than all the rest here
if TYPE_CHECKING:
    from typing import Any

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

__version__ = "0.1.0"

_ROOMS = (
    "closed_form", "datasets", "information", "io", "neural", "plots", "rdc", "reproduce", "simulation", "tosc",
)  # fmt: skip
_MODULES = (
    "blocks", "channel", "critical", "curve", "distortion", "eager", "ends", "errors", "implicit", "kernel", "optimum",
    "problem", "pytree", "readable", "room", "solution", "solvers", "sparse", "target", "threads",
)  # fmt: skip
_HOMES = {
    "ConvergenceError": "errors", "Curve": "curve", "InputError": "errors", "Problem": "problem",
    "Solution": "solution", "Status": "solution", "blahut_arimoto": "solvers", "check": "solution",
    "critical_slope": "critical", "distortion_at": "target", "distortion_range": "ends",
    "interior_point": "solvers", "lower_convex_envelope": "curve", "optimal_channel": "channel",
    "rate_at": "target", "solve": "solvers", "sweep": "sweep", "validate": "problem", "working_set": "solvers",
}  # fmt: skip

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
    if name in _HOMES:
        value = getattr(importlib.import_module(f"jaxrd.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    if name in _ROOMS or name in _MODULES:
        return importlib.import_module(f"jaxrd.{name}")
    raise AttributeError(f"module 'jaxrd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *__all__})


class _Package(ModuleType):
    """A package in which `sweep` is the function, even after its module of that name was imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

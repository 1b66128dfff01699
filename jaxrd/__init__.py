"""jaxrd: rate-distortion curves computed with certificates, compiled by JAX.

Names and rooms (`blocklength`, `closed_form`, `coding`, `datasets`, `figures`, `information`, `io`, `neural`, `plots`,
`rdc`, `schemas`, `side_information`, `testing`, `tosc`) are imported when they are first asked for: `jaxrd.tosc.limits`
works after `import jaxrd`, which itself is done before JAX is loaded.
"""

from __future__ import annotations

import importlib

from jaxrd._version import __version__ as __version__

TYPE_CHECKING = False  # typing takes longer to import than all the rest here
if TYPE_CHECKING:
    from typing import Any

    from jaxrd import (  # noqa: F401
        blocklength,
        closed_form,
        coding,
        datasets,
        figures,
        information,
        io,
        neural,
        plots,
        rdc,
        schemas,
        side_information,
        testing,
        tosc,
    )  # fmt: skip
    from jaxrd._kept import cache
    from jaxrd._sweep import sweep
    from jaxrd.channel import optimal_channel
    from jaxrd.critical import critical_slope
    from jaxrd.curve import Curve, lower_convex_envelope
    from jaxrd.ends import distortion_range
    from jaxrd.errors import ConvergenceError, InputError
    from jaxrd.problem import Problem, validate
    from jaxrd.solution import Solution, Status, check
    from jaxrd.solvers import blahut_arimoto, interior_point, solve, working_set
    from jaxrd.target import distortion_at, rate_at
    from jaxrd.tosc.model import from_model

_ROOMS = (
    "blocklength", "closed_form", "coding", "datasets", "figures", "information", "io", "neural", "plots", "rdc",
    "schemas", "side_information", "testing", "tosc",
)  # fmt: skip
_MODULES = (
    "channel", "critical", "curve", "distortion", "ends", "errors", "implicit", "kernels", "problem", "pytree",
    "solution", "solvers", "target",
)  # fmt: skip
_HOMES = {
    "ConvergenceError": "errors", "Curve": "curve", "InputError": "errors", "Problem": "problem",
    "Solution": "solution", "Status": "solution", "blahut_arimoto": "solvers", "cache": "_kept", "check": "solution",
    "critical_slope": "critical", "distortion_at": "target", "distortion_range": "ends", "from_model": "tosc.model",
    "interior_point": "solvers", "lower_convex_envelope": "curve", "optimal_channel": "channel",
    "rate_at": "target", "solve": "solvers", "sweep": "_sweep", "validate": "problem", "working_set": "solvers",
}  # fmt: skip

__all__ = [
    "ConvergenceError",
    "Curve",
    "InputError",
    "Problem",
    "Solution",
    "Status",
    "blahut_arimoto",
    "cache",
    "check",
    "critical_slope",
    "distortion_at",
    "distortion_range",
    "from_model",
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
    return sorted({*_ROOMS, *__all__})

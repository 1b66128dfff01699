"""jaxrd: rate-distortion curves computed with certificates, compiled by JAX."""

from jaxrd.channel import optimal_channel
from jaxrd.critical import critical_slope
from jaxrd.curve import Curve, lower_convex_envelope
from jaxrd.errors import ConvergenceError, InputError
from jaxrd.problem import Problem, validate
from jaxrd.solution import Solution, Status, check
from jaxrd.solvers import blahut_arimoto, interior_point, solve, working_set
from jaxrd.sweep import sweep
from jaxrd.target import distortion_at, rate_at

__version__ = "0.1.0"

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
    "interior_point",
    "lower_convex_envelope",
    "optimal_channel",
    "rate_at",
    "solve",
    "sweep",
    "validate",
    "working_set",
]

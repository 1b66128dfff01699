"""Closed forms: one module a source, each with `rate(..., distortion)` in nats and its inverse where one exists."""

from jaxrd.closed_form import (
    binary,
    bottleneck,
    categorical,
    erasure,
    exponential,
    gauss_markov,
    gaussian,
    laplacian,
    remote_gaussian,
    vector_gaussian,
)

__all__ = [
    "binary",
    "bottleneck",
    "categorical",
    "erasure",
    "exponential",
    "gauss_markov",
    "gaussian",
    "laplacian",
    "remote_gaussian",
    "vector_gaussian",
]

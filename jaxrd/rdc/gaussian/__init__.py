"""Gaussian sources under squared error: a scalar in closed form, a vector by a certified max-det program (`vector`)."""

from jaxrd.rdc.gaussian import vector
from jaxrd.rdc.gaussian.scalar import (
    GaussianChannel,
    classification_rate,
    differential_entropy,
    distortion,
    least_classification,
    optimal_channel,
    printed_distortion,
    rate,
)
from jaxrd.rdc.gaussian.universality import rate_penalty, universal_rate

__all__ = [
    "GaussianChannel",
    "classification_rate",
    "differential_entropy",
    "distortion",
    "least_classification",
    "optimal_channel",
    "printed_distortion",
    "rate",
    "rate_penalty",
    "universal_rate",
    "vector",
]

"""The Gaussian mixture of paper [A], section II-C, for any prior and separation: its bounds as integrals."""

from jaxrd.tosc.mixture._indirect import IndirectPoint, indirect, indirect_rate
from jaxrd.tosc.mixture.compressed import CompressedPoint, compress_and_estimate, critical_slope
from jaxrd.tosc.mixture.sampled import sample_and_communicate
from jaxrd.tosc.mixture.source import (
    GaussianMixture,
    decision_joint,
    density,
    differential_entropy,
    posterior,
    threshold,
)

__all__ = [
    "CompressedPoint",
    "GaussianMixture",
    "IndirectPoint",
    "compress_and_estimate",
    "critical_slope",
    "decision_joint",
    "density",
    "differential_entropy",
    "indirect",
    "indirect_rate",
    "posterior",
    "sample_and_communicate",
    "threshold",
]

"""Task-oriented source coding: a classifier's outputs in, its rate-accuracy limits out (paper [A])."""

from jaxrd.tosc import mixture
from jaxrd.tosc.calibration import Reliability, fit_temperature, log_posterior, reliability
from jaxrd.tosc.compressed import CompressAndEstimate, compress_and_estimate, map_distortion
from jaxrd.tosc.confusion import (
    EstimateAndCompress,
    Landmarks,
    Merged,
    confusion_joint,
    estimate_and_compress,
    indirect_problem,
    landmarks,
    merge_baseline,
    time_sharing,
)
from jaxrd.tosc.joint import SparseJoint, sparse_joint
from jaxrd.tosc.limits import CURVES, Limits, limits
from jaxrd.tosc.outputs import InputError, Outputs, from_decisions, from_scores
from jaxrd.tosc.parametric import smallest_rate
from jaxrd.tosc.soft import (
    SampleAndCommunicate,
    label_distortion,
    model_aware_problem,
    sample_and_communicate,
    sample_and_communicate_in_blocks,
)

__all__ = [
    "CURVES",
    "CompressAndEstimate",
    "EstimateAndCompress",
    "InputError",
    "Landmarks",
    "Limits",
    "Merged",
    "Outputs",
    "Reliability",
    "SampleAndCommunicate",
    "SparseJoint",
    "compress_and_estimate",
    "confusion_joint",
    "estimate_and_compress",
    "fit_temperature",
    "from_decisions",
    "from_scores",
    "indirect_problem",
    "label_distortion",
    "landmarks",
    "limits",
    "log_posterior",
    "map_distortion",
    "merge_baseline",
    "mixture",
    "model_aware_problem",
    "reliability",
    "sample_and_communicate",
    "sample_and_communicate_in_blocks",
    "smallest_rate",
    "sparse_joint",
    "time_sharing",
]

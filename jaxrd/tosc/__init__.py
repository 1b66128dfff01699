"""Task-oriented source coding: a classifier's outputs in, its rate-accuracy limits out (paper [A])."""

from jaxrd.errors import InputError
from jaxrd.tosc import mixture
from jaxrd.tosc._limits import CURVES, Limits, limits
from jaxrd.tosc.calibration.reliability import Reliability, estimated_kappa, reliability
from jaxrd.tosc.calibration.temperature import fit_temperature, log_posterior
from jaxrd.tosc.confidence.statistics import Statistics, statistics
from jaxrd.tosc.curves.compressed import CompressAndEstimate, compress_and_estimate, map_distortion
from jaxrd.tosc.curves.configurations import configuration, joint_log_posterior, sample_and_communicate_by_cells
from jaxrd.tosc.curves.confusion import Landmarks, confusion_joint, landmarks
from jaxrd.tosc.curves.estimated import EstimateAndCompress, estimate_and_compress
from jaxrd.tosc.curves.indirect import indirect_problem
from jaxrd.tosc.curves.merged import Merged, merge_baseline, merge_order
from jaxrd.tosc.curves.model_aware import label_distortion, model_aware_problem
from jaxrd.tosc.curves.parametric import smallest_rate
from jaxrd.tosc.curves.sampled import (
    SampleAndCommunicate,
    sample_and_communicate,
    sample_and_communicate_in_blocks,
)
from jaxrd.tosc.curves.time_sharing import time_sharing
from jaxrd.tosc.estimate import Estimate
from jaxrd.tosc.identifiability.annotations import Annotations, RepeatedInputs, annotation_entropy, repeated_inputs
from jaxrd.tosc.identifiability.fano import greatest_entropy, least_entropy, least_error
from jaxrd.tosc.identifiability.label_entropy import LabelUncertainty, label_uncertainty
from jaxrd.tosc.joint import SparseJoint, sparse_joint
from jaxrd.tosc.outputs import Outputs, from_decisions, from_scores

__all__ = [
    "CURVES",
    "Annotations",
    "CompressAndEstimate",
    "Estimate",
    "EstimateAndCompress",
    "InputError",
    "LabelUncertainty",
    "Landmarks",
    "Limits",
    "Merged",
    "Outputs",
    "Reliability",
    "RepeatedInputs",
    "SampleAndCommunicate",
    "SparseJoint",
    "Statistics",
    "annotation_entropy",
    "compress_and_estimate",
    "configuration",
    "confusion_joint",
    "estimate_and_compress",
    "estimated_kappa",
    "fit_temperature",
    "from_decisions",
    "from_scores",
    "greatest_entropy",
    "indirect_problem",
    "joint_log_posterior",
    "label_distortion",
    "label_uncertainty",
    "landmarks",
    "least_entropy",
    "least_error",
    "limits",
    "log_posterior",
    "map_distortion",
    "merge_baseline",
    "merge_order",
    "mixture",
    "model_aware_problem",
    "reliability",
    "repeated_inputs",
    "sample_and_communicate",
    "sample_and_communicate_by_cells",
    "sample_and_communicate_in_blocks",
    "smallest_rate",
    "sparse_joint",
    "statistics",
    "time_sharing",
]

"""Task-oriented source coding: the rate-accuracy limits of a classifier, from its outputs (paper [A]).

Less common functions are in the subpackages `calibration`, `confidence`, `curves`, `identifiability`, `mixture`.

Names are imported when they are first asked for: one of them alone then costs no import of scipy or of all the others.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from jaxrd.tosc import mixture
    from jaxrd.tosc._limits import CURVES, Limits, limits
    from jaxrd.tosc.calibration.reliability import reliability
    from jaxrd.tosc.calibration.temperature import fit_temperature, log_posterior
    from jaxrd.tosc.class_shares import ByClass, by_class
    from jaxrd.tosc.comparison import Comparison, compare
    from jaxrd.tosc.confidence.statistics import Statistics, statistics
    from jaxrd.tosc.curves.compressed import compress_and_estimate
    from jaxrd.tosc.curves.confusion import confusion_joint, landmarks
    from jaxrd.tosc.curves.estimated import estimate_and_compress
    from jaxrd.tosc.curves.indirect import indirect_problem
    from jaxrd.tosc.curves.merged import merge_baseline
    from jaxrd.tosc.curves.model_aware import model_aware_problem
    from jaxrd.tosc.curves.on_labels import label_distortion
    from jaxrd.tosc.curves.parametric import smallest_rate
    from jaxrd.tosc.curves.sampled import sample_and_communicate
    from jaxrd.tosc.curves.time_sharing import time_sharing
    from jaxrd.tosc.identifiability.label_entropy import label_uncertainty
    from jaxrd.tosc.inverse import distortions_at, rates_at
    from jaxrd.tosc.joint import sparse_joint
    from jaxrd.tosc.log_loss import LogLoss, bottleneck
    from jaxrd.tosc.outputs import Outputs, from_decisions, from_scores
    from jaxrd.tosc.regression.limits import RegressionLimits, regression_limits
    from jaxrd.tosc.tasks.joint import JointLimits, joint_limits

_HOMES = {
    "ByClass": "class_shares", "CURVES": "_limits", "Comparison": "comparison", "JointLimits": "tasks.joint",
    "Limits": "_limits", "LogLoss": "log_loss", "Outputs": "outputs", "RegressionLimits": "regression.limits",
    "Statistics": "confidence.statistics", "bottleneck": "log_loss", "by_class": "class_shares",
    "compare": "comparison", "compress_and_estimate": "curves.compressed", "confusion_joint": "curves.confusion",
    "distortions_at": "inverse", "estimate_and_compress": "curves.estimated",
    "fit_temperature": "calibration.temperature", "from_decisions": "outputs", "from_scores": "outputs",
    "indirect_problem": "curves.indirect", "joint_limits": "tasks.joint", "label_distortion": "curves.on_labels",
    "label_uncertainty": "identifiability.label_entropy", "landmarks": "curves.confusion", "limits": "_limits",
    "log_posterior": "calibration.temperature", "merge_baseline": "curves.merged",
    "model_aware_problem": "curves.model_aware", "rates_at": "inverse", "regression_limits": "regression.limits",
    "reliability": "calibration.reliability", "sample_and_communicate": "curves.sampled",
    "smallest_rate": "curves.parametric", "sparse_joint": "joint", "statistics": "confidence.statistics",
    "time_sharing": "curves.time_sharing",
}  # fmt: skip

__all__ = [
    "CURVES",
    "ByClass",
    "Comparison",
    "JointLimits",
    "Limits",
    "LogLoss",
    "Outputs",
    "RegressionLimits",
    "Statistics",
    "bottleneck",
    "by_class",
    "compare",
    "compress_and_estimate",
    "confusion_joint",
    "distortions_at",
    "estimate_and_compress",
    "fit_temperature",
    "from_decisions",
    "from_scores",
    "indirect_problem",
    "joint_limits",
    "label_distortion",
    "label_uncertainty",
    "landmarks",
    "limits",
    "log_posterior",
    "merge_baseline",
    "mixture",
    "model_aware_problem",
    "rates_at",
    "regression_limits",
    "reliability",
    "sample_and_communicate",
    "smallest_rate",
    "sparse_joint",
    "statistics",
    "time_sharing",
]


def __getattr__(name: str) -> Any:
    if name == "mixture":
        return importlib.import_module("jaxrd.tosc.mixture")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"jaxrd.tosc.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'jaxrd.tosc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""Rate, distortion, classification and perception (paper [B]): computed, with certificates, the semantics named."""

from jaxrd.rdc import gaussian, vector_gaussian
from jaxrd.rdc.bottleneck import bottleneck_information, bottleneck_rate
from jaxrd.rdc.cdp import classification_distortion_perception
from jaxrd.rdc.discrete import lifted_rate, lifted_solve
from jaxrd.rdc.fixed import cross_entropies, fixed_classifier_rate
from jaxrd.rdc.inverse import least_classification, least_distortion
from jaxrd.rdc.literal import literal_rate
from jaxrd.rdc.literal_region import literal_boundary
from jaxrd.rdc.measures import RelativeEntropy, ReverseRelativeEntropy, TotalVariation, Wasserstein
from jaxrd.rdc.perception import perceptual_fixed_classifier_rate, perceptual_rate
from jaxrd.rdc.point import Least, Point
from jaxrd.rdc.region import Region, fixed_classifier_region, lifted_region, time_shared_region
from jaxrd.rdc.slopes import lifted_sweep
from jaxrd.rdc.soft_perception import perceptual_lifted_rate
from jaxrd.rdc.surface import Surface, surface
from jaxrd.rdc.time_shared import time_shared_rate
from jaxrd.rdc.universal import (
    Universal,
    universal_bounds,
    universal_fixed_classifier_rate,
    universal_lifted_rate,
    universal_perceptual_rate,
    universal_vector_gaussian_rate,
)

__all__ = [
    "Least",
    "Point",
    "Region",
    "RelativeEntropy",
    "ReverseRelativeEntropy",
    "Surface",
    "TotalVariation",
    "Universal",
    "Wasserstein",
    "bottleneck_information",
    "bottleneck_rate",
    "classification_distortion_perception",
    "cross_entropies",
    "fixed_classifier_rate",
    "fixed_classifier_region",
    "gaussian",
    "least_classification",
    "least_distortion",
    "lifted_rate",
    "lifted_region",
    "lifted_solve",
    "lifted_sweep",
    "literal_boundary",
    "literal_rate",
    "perceptual_fixed_classifier_rate",
    "perceptual_lifted_rate",
    "perceptual_rate",
    "surface",
    "time_shared_rate",
    "time_shared_region",
    "universal_bounds",
    "universal_fixed_classifier_rate",
    "universal_lifted_rate",
    "universal_perceptual_rate",
    "universal_vector_gaussian_rate",
    "vector_gaussian",
]

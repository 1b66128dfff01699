"""Rate, distortion, classification and perception (paper [B]): computed, with certificates, the semantics named."""

from jaxrd.rdc import gaussian
from jaxrd.rdc._surface import Surface, surface
from jaxrd.rdc.fixed import cross_entropies, fixed_classifier_rate
from jaxrd.rdc.gaussian import vector as vector_gaussian
from jaxrd.rdc.inverse import least_classification, least_distortion
from jaxrd.rdc.lifted.bottleneck import bottleneck_information, bottleneck_rate
from jaxrd.rdc.lifted.rate import lifted_rate, lifted_solve
from jaxrd.rdc.lifted.slopes import lifted_sweep
from jaxrd.rdc.literal.rate import literal_rate
from jaxrd.rdc.literal.time_shared import time_shared_rate
from jaxrd.rdc.perception.cdp import classification_distortion_perception
from jaxrd.rdc.perception.lifted import perceptual_lifted_rate
from jaxrd.rdc.perception.measures import RelativeEntropy, ReverseRelativeEntropy, TotalVariation, Wasserstein
from jaxrd.rdc.perception.rate import perceptual_fixed_classifier_rate, perceptual_rate
from jaxrd.rdc.point import Least, Point
from jaxrd.rdc.representation.literal import literal_boundary
from jaxrd.rdc.representation.region import Region, fixed_classifier_region, lifted_region, time_shared_region
from jaxrd.rdc.representation.universal import (
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

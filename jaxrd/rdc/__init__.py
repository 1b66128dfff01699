"""Rate, distortion, classification and perception (paper [B]): computed, with certificates, the semantics named."""

from jaxrd.rdc import gaussian
from jaxrd.rdc.discrete import lifted_rate, lifted_solve
from jaxrd.rdc.fixed import cross_entropies, fixed_classifier_rate
from jaxrd.rdc.inverse import least_classification, least_distortion
from jaxrd.rdc.literal import literal_rate
from jaxrd.rdc.point import Least, Point
from jaxrd.rdc.slopes import lifted_sweep
from jaxrd.rdc.surface import Surface, surface
from jaxrd.rdc.time_shared import time_shared_rate

__all__ = [
    "Least",
    "Point",
    "Surface",
    "cross_entropies",
    "fixed_classifier_rate",
    "gaussian",
    "least_classification",
    "least_distortion",
    "lifted_rate",
    "lifted_solve",
    "lifted_sweep",
    "literal_rate",
    "surface",
    "time_shared_rate",
]

"""Rate, distortion, classification and perception (paper [B]): computed, with certificates, the semantics named.

What is asked for less often stays in its module: `gaussian.vector` (vector sources), `measures` (of perception),
`perception.cdp`, `perception.closed_form`, `representation.region`, `representation.literal`,
`representation.real_valued`, the other functions of `representation.universal`, and `quantiser`.
"""

from jaxrd.rdc import gaussian
from jaxrd.rdc._surface import Surface, surface
from jaxrd.rdc.fixed import cross_entropies, fixed_classifier_rate
from jaxrd.rdc.inverse import least_classification, least_distortion
from jaxrd.rdc.lifted.bottleneck import bottleneck_information, bottleneck_rate
from jaxrd.rdc.lifted.rate import lifted_rate, lifted_solve
from jaxrd.rdc.lifted.slopes import lifted_sweep
from jaxrd.rdc.literal.rate import literal_rate
from jaxrd.rdc.literal.time_shared import time_shared_rate
from jaxrd.rdc.perception import measures
from jaxrd.rdc.perception.lifted import perceptual_lifted_rate
from jaxrd.rdc.perception.rate import perceptual_fixed_classifier_rate, perceptual_rate
from jaxrd.rdc.point import Least, Point
from jaxrd.rdc.representation.region import Region
from jaxrd.rdc.representation.universal import Universal, universal_fixed_classifier_rate, universal_lifted_rate

__all__ = [
    "Least",
    "Point",
    "Region",
    "Surface",
    "Universal",
    "bottleneck_information",
    "bottleneck_rate",
    "cross_entropies",
    "fixed_classifier_rate",
    "gaussian",
    "least_classification",
    "least_distortion",
    "lifted_rate",
    "lifted_solve",
    "lifted_sweep",
    "literal_rate",
    "measures",
    "perceptual_fixed_classifier_rate",
    "perceptual_lifted_rate",
    "perceptual_rate",
    "surface",
    "time_shared_rate",
    "universal_fixed_classifier_rate",
    "universal_lifted_rate",
]

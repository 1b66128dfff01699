"""Rate, distortion, classification and perception (paper [B]): computed, with certificates, the semantics named.

What is asked for less often stays in its module: `gaussian.vector` (vector sources), `measures` (of perception),
`perception.cdp`, `perception.closed_form`, `representation.region`, `representation.literal`, the other functions of
`representation.universal`, and `quantiser`.

Names are imported when they are first asked for, as in `jaxrd.tosc`.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    from jaxrd.rdc.representation import real_valued
    from jaxrd.rdc.representation.region import Region
    from jaxrd.rdc.representation.universal import Universal, universal_fixed_classifier_rate, universal_lifted_rate

_HOMES = {
    "Least": "point", "Point": "point", "Region": "representation.region", "Surface": "_surface",
    "Universal": "representation.universal", "bottleneck_information": "lifted.bottleneck",
    "bottleneck_rate": "lifted.bottleneck", "cross_entropies": "fixed", "fixed_classifier_rate": "fixed",
    "least_classification": "inverse", "least_distortion": "inverse", "lifted_rate": "lifted.rate",
    "lifted_solve": "lifted.rate", "lifted_sweep": "lifted.slopes", "literal_rate": "literal.rate",
    "perceptual_fixed_classifier_rate": "perception.rate", "perceptual_lifted_rate": "perception.lifted",
    "perceptual_rate": "perception.rate", "surface": "_surface", "time_shared_rate": "literal.time_shared",
    "universal_fixed_classifier_rate": "representation.universal",
    "universal_lifted_rate": "representation.universal",
}  # fmt: skip
_MODULES = {
    "gaussian": "gaussian", "measures": "perception.measures", "real_valued": "representation.real_valued",
}  # fmt: skip

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
    "real_valued",
    "surface",
    "time_shared_rate",
    "universal_fixed_classifier_rate",
    "universal_lifted_rate",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"jaxrd.rdc.{_MODULES[name]}")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"jaxrd.rdc.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'jaxrd.rdc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*_MODULES, *__all__})

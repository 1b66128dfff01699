"""Networks in Flax: codes of images, and fixed classifiers (needs the extra `neural`: flax, optax, orbax-checkpoint).

Names are imported when they are first asked for, as in `jaxrd.rdc`; the other modules are imported by their names.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from jaxrd.neural.losses import Weights
    from jaxrd.neural.universal.codes import Levels, Words
    from jaxrd.neural.universal.fit import fit, fit_decoder, tune
    from jaxrd.neural.universal.measure import measure
    from jaxrd.neural.universal.model import Search, UniversalAutoencoder
    from jaxrd.neural.universal.networks import convolutional, dense
    from jaxrd.neural.universal.run import Fit, Schedule

_HOMES = {
    "Fit": "universal.run", "Levels": "universal.codes", "Schedule": "universal.run", "Search": "universal.model",
    "UniversalAutoencoder": "universal.model", "Weights": "losses", "Words": "universal.codes",
    "convolutional": "universal.networks", "dense": "universal.networks", "fit": "universal.fit",
    "fit_decoder": "universal.fit", "measure": "universal.measure", "tune": "universal.fit",
}  # fmt: skip

__all__ = [
    "Fit",
    "Levels",
    "Schedule",
    "Search",
    "UniversalAutoencoder",
    "Weights",
    "Words",
    "convolutional",
    "dense",
    "fit",
    "fit_decoder",
    "measure",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"jaxrd.neural.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'jaxrd.neural' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

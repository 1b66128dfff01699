"""Check any implementation of rate-distortion theory: strategies to draw problems, laws to hold it to, a certificate.

The certificate is plain numpy: it shares no code with the solvers that it judges. The strategies need hypothesis
(`pip install jaxrd[testing]`).

Names are imported when they are first asked for.
"""

from __future__ import annotations

import importlib

from jaxrd.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from jaxrd.testing._certificate import Certificate, achieved_pair, certificate, certified_gap
    from jaxrd.testing._classifier_strategies import joints, labelled, posteriors
    from jaxrd.testing._curve_laws import assert_convex, assert_envelope_slope, assert_inside, assert_nonincreasing
    from jaxrd.testing._invariances import (
        assert_adds,
        assert_data_processing,
        assert_same_when_duplicated,
        assert_same_when_permuted,
        assert_same_when_scaled,
        assert_shifts_with_rows,
    )
    from jaxrd.testing._point_laws import assert_achievable, assert_certified, assert_optimal
    from jaxrd.testing._strategies import distortions, generators, pmfs, problems, slopes

_HOMES = {
    "Certificate": "_certificate", "achieved_pair": "_certificate", "assert_achievable": "_point_laws",
    "assert_adds": "_invariances", "assert_certified": "_point_laws", "assert_convex": "_curve_laws",
    "assert_data_processing": "_invariances", "assert_envelope_slope": "_curve_laws", "assert_inside": "_curve_laws",
    "assert_nonincreasing": "_curve_laws", "assert_optimal": "_point_laws",
    "assert_same_when_duplicated": "_invariances", "assert_same_when_permuted": "_invariances",
    "assert_same_when_scaled": "_invariances", "assert_shifts_with_rows": "_invariances",
    "certificate": "_certificate", "certified_gap": "_certificate", "distortions": "_strategies",
    "generators": "_strategies", "joints": "_classifier_strategies", "labelled": "_classifier_strategies",
    "pmfs": "_strategies", "posteriors": "_classifier_strategies", "problems": "_strategies", "slopes": "_strategies",
}  # fmt: skip

__all__ = [
    "Certificate",
    "achieved_pair",
    "assert_achievable",
    "assert_adds",
    "assert_certified",
    "assert_convex",
    "assert_data_processing",
    "assert_envelope_slope",
    "assert_inside",
    "assert_nonincreasing",
    "assert_optimal",
    "assert_same_when_duplicated",
    "assert_same_when_permuted",
    "assert_same_when_scaled",
    "assert_shifts_with_rows",
    "certificate",
    "certified_gap",
    "distortions",
    "generators",
    "joints",
    "labelled",
    "pmfs",
    "posteriors",
    "problems",
    "slopes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxrd.testing' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"jaxrd.testing.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise InputError(f"{name} needs hypothesis, which is not installed: pip install 'jaxrd[testing]'.") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

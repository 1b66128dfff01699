"""The curves of `limits` at further distortions, and at rates: solved, as those asked for are."""

from __future__ import annotations

from dataclasses import replace

from jaxrd.errors import InputError
from jaxrd.tosc._checked import checked, one_number
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.curves import EVERY
from jaxrd.tosc.curves.definition import BELIEVED
from jaxrd.tosc.curves.drawing import Least, Rate

_ROUNDING = 1e-12


@checked(one_number("distortion", lambda d: d >= 0, ">= 0"))
def rates_at(found: Limits, distortion: float) -> dict[str, Rate]:
    """The smallest rate of every curve at a task distortion, R(D) = min { R : the curve has a point (D', R), D' <= D }.

    From D_0 on it is zero for every curve: always guessing the likeliest label suffices.

    Args:
        found: from `limits`.
        distortion: D, in the unit of the task's loss, a scalar.

    Returns:
        By curve, and by `TMRD_model` over the distortion that the model believes: `rate` in nats, inf where the curve
        does not reach D, and `converged`, False where it is an upper bound alone.

    Raises:
        InputError: `found` is no `Limits`, or the distortion is not >= 0.

    Reference: [A] sections II and III, Figure 3.

    >>> import numpy as np
    >>> from jaxrd.tosc import limits
    >>> found = limits(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    >>> round(rates_at(found, 0.25)["oRD"].rate, 4)  # ln 2 - h(1/4)
    0.1308
    """
    _refuse("rates_at", found)
    bounds, d = found.workings.bounds, float(distortion)
    silent = d >= found.summary["zero_rate_distortion"] - _ROUNDING
    rates = {name: Rate(0.0) if silent else bound.smallest(d) for name, bound in bounds.items()}
    believed = {name + BELIEVED: ask(d) for name, bound in bounds.items() if (ask := bound.smallest_believed)}
    return rates | believed


@checked(one_number("rate", lambda r: r >= 0, ">= 0, in nats"))
def distortions_at(found: Limits, rate: float) -> dict[str, Least]:
    """The least task distortion of every curve at a rate, D(R) = min { D : the curve has a point (D, R'), R' <= R }.

    It is D_0 at most, that of always guessing the likeliest label, which needs no rate.

    Args:
        found: from `limits`.
        rate: R >= 0, nats, a scalar.

    Returns:
        By curve, and by `TMRD_model` over the distortion that the model believes: `distortion` in the unit of the
        task's loss, as certain as the rate of that curve at it, and `converged`, False where it is an upper bound.

    Raises:
        InputError: `found` is no `Limits`, or the rate is not >= 0.

    Reference: Cover and Thomas, Elements of Information Theory, section 10.2; [A] sections II and III.

    >>> import numpy as np
    >>> from jaxrd.tosc import limits
    >>> found = limits(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    >>> round(distortions_at(found, 0.1308122)["oRD"].distortion, 4)  # ln 2 - h(1/4)
    0.25
    """
    _refuse("distortions_at", found)
    bounds, d_0, most = found.workings.bounds, found.summary["zero_rate_distortion"], float(rate)
    reached = {name: bound.least(most) for name, bound in bounds.items()}
    reached = {name: Least(d_0) if point.distortion > d_0 else point for name, point in reached.items()}
    believed = {name + BELIEVED: ask(most) for name, bound in bounds.items() if (ask := bound.least_believed)}
    return reached | believed


def with_rows(found: Limits, distortions: list[float]) -> Limits:
    """The same limits, asked for at further distortions too: `statistics` then gives their intervals."""
    axes = [curve.name for curve in EVERY] + [curve.name + BELIEVED for curve in EVERY if curve.believed]
    places = [rates_at(found, d) for d in distortions]
    rows = [
        {"distortion": d} | dict.fromkeys(axes) | {name: place.rate for name, place in at.items()}
        for d, at in zip(distortions, places, strict=True)
    ]
    workings = replace(found.workings, places=[*found.workings.places, *places])
    return replace(found, at=[*found.at, *rows], workings=workings)


def _refuse(function: str, found: Limits) -> None:
    if not isinstance(found, Limits):
        raise InputError(f"{function} takes what limits returned; got {type(found).__name__}.")

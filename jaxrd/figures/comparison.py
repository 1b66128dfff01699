"""Which of two curves lies lower, and where they cross: solved for, not read from a drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq

from jaxrd.curve import Curve

_RESOLUTION = 1e-6
"""Nats: two curves closer than this count as equal."""


def chords(curve: Curve) -> Callable[[float | np.ndarray], np.ndarray]:
    """D -> rate along the chords between a curve's points: never below it where it is convex; inf left of them.

    Args:
        curve: rates in nats; of points at one distortion the lowest counts.
    """
    order = np.lexsort((curve.rate, curve.distortion))
    d, first = np.unique(curve.distortion[order], return_index=True)
    rate = curve.rate[order][first]
    return lambda target: np.asarray(np.interp(target, d, rate, left=np.inf))


def crossings(
    parameters: np.ndarray, evaluate: Callable[[float], tuple[float, float]], other: Callable[[float], float]
) -> list[tuple[float, float]]:
    """Where a parametric curve t -> (D(t), R(t)) crosses R = other(D), by bisection on R(t) - other(D(t)).

    The grid brackets the sign changes: two crossings between neighbours are missed.

    Args:
        parameters: t, rising, positive, shape (k,).
        evaluate: t -> (D, R), nats.
        other: D -> R, nats; inf where the other curve does not reach.

    Returns:
        (D, R) of each crossing, by rising D.

    >>> circle = lambda t: (float(np.cos(t)), float(np.sin(t)))
    >>> [(round(d, 6), round(r, 6)) for d, r in crossings(np.linspace(0.1, 1.5, 5), circle, lambda d: d)]
    [(0.707107, 0.707107)]
    """

    def excess(t: float) -> float:
        d, rate = evaluate(t)
        return rate - other(d)

    t = np.asarray(parameters, float)
    values = np.array([excess(float(x)) for x in t])
    apart = np.isfinite(values) & (np.abs(values) > _RESOLUTION)
    t, values = t[apart], values[apart]
    points = []
    for i in np.flatnonzero(np.sign(values[1:]) != np.sign(values[:-1])):
        root: Any = brentq(excess, t[i], t[i + 1], xtol=1e-9)
        points.append(evaluate(float(root)))
    return sorted(points)

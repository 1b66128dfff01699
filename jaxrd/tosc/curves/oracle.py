"""oRD: the rate-distortion function of the label itself, which no scheme beats."""

from __future__ import annotations

import jax
import numpy as np

from jaxrd.closed_form import categorical
from jaxrd.curve import Curve
from jaxrd.tosc.curves.definition import Definition
from jaxrd.tosc.curves.drawing import (
    Bound,
    Rate,
    exact,
    slope_grid,
)


def oracle_at(prior: jax.Array, slopes: np.ndarray) -> Curve:
    """oRD at given slopes, D_max below the critical one."""
    d = np.asarray(categorical.distortion_at_slope(prior, slopes))
    return exact(d, np.asarray(categorical.rate(prior, d)), slopes)


def draw(prior: jax.Array | np.ndarray, count: int) -> Bound:
    """oRD: the rate-distortion function of the class prior, in closed form."""
    largest = 1 - float(np.asarray(prior).max())
    critical = float(categorical.slope(prior, largest * (1 - 1e-9)))
    grid = slope_grid(len(prior), count, critical)
    inner = np.asarray(categorical.distortion_at_slope(prior, grid))
    d = np.concatenate([[largest], inner, [0.0]])
    curve = exact(d, np.asarray(categorical.rate(prior, d)), np.concatenate([[critical], grid, [np.inf]]))
    return Bound(curve, lambda target: Rate(float(categorical.rate(prior, target)), target))


ORACLE = Definition(
    name="oRD",
    meaning="oracle lower bound",
    file="ord",
    draw=lambda samples, count, tol, tick: draw(np.asarray(samples.joint).sum(1), count),
    most_classes=100,
)

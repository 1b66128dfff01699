"""The lifted R(D, P, C) inside jit, vmap and grad: a callback, whose rate has first derivatives.

To those of R(D, C) the perception constraint adds the derivatives of nu (measure(p, r) - P), nu its multiplier and r
the law of the reproductions: in p(x) the mean of the letters' potentials, sum_xh W(xh|x) psi(xh), and the derivative of
the measure's dual term with them held; in P -nu; in a transport cost nu times the coupling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._callback import Answer, on_host
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc._traced import Given, as_given, as_shaped, blank_point, constant, derivative, multipliers
from jaxrd.rdc.perception.measures import TotalVariation
from jaxrd.rdc.perception.transport import transport
from jaxrd.rdc.point import LIFTED, Point


class Potentials(NamedTuple):
    """The dual variables of a perception constraint, as the derivatives need them."""

    letters: np.ndarray  # psi, (m,)
    in_source: np.ndarray  # derivative of the measure's dual term in the source, these held, (n,)


class _Given(NamedTuple):
    problem: Given
    perception: Any  # P, ()
    costs: list[Any]  # of the measure: a transport cost, or none


def rate(
    point_class: Callable[..., Point],
    solver: Callable[..., tuple[Any, Potentials | None]],
    problem: Problem,
    labels: Any,
    distortion: Any,
    perception: Any,
    classification: Any,
    measure: Any,
) -> Any:
    """A `PerceptualLiftedPoint` whose rate has derivatives in problem, labels, targets and transport cost.

    Args:
        point_class: `PerceptualLiftedPoint`.
        solver: (problem, labels, distortion, perception, classification, measure) -> (point, potentials).
        problem, labels, distortion, perception, classification, measure: as the solver takes them, some traced.
    """
    costs, tree = jax.tree.flatten(measure)
    if np.ndim(perception) != 0:
        raise InputError(f"perception must be one number; got shape {np.shape(perception)}. For many use jax.vmap.")
    given = _Given(
        as_given(LIFTED, problem, labels, distortion, classification),
        jnp.asarray(perception),
        list(map(jnp.asarray, costs)),
    )
    dtype = jnp.result_type(*jax.tree.leaves(given))
    given = jax.tree.map(lambda a: a.astype(dtype), given)
    nan, none = np.float64(np.nan), None
    blank = point_class(**vars(blank_point(LIFTED, given.problem)), perception=nan, perception_slope=nan, decoder=none)

    def solve(given: _Given) -> Answer:
        one = given.problem
        problem, measure = Problem(one.source, one.distortion), jax.tree.unflatten(tree, given.costs)
        point, potentials = solver(
            problem, list(one.labels), one.targets[0], given.perception, one.targets[1:], measure
        )
        known = potentials is not None
        slopes = _derivative(given, point, potentials, measure) if known else constant(given, point.status)
        return Answer(point.rate, point.lower, replace(as_shaped(point, blank), decoder=none), slopes)

    found, lower, point = on_host(solve, given, blank)
    return replace(point, rate=found, lower=lower)


def _derivative(given: _Given, point: Any, potentials: Potentials, measure: Any) -> _Given:
    one, mu = given.problem, point.perception_slope
    slopes = derivative(one, point, 1.0, multipliers(point))
    total, kept = one.source.sum(), one.source > 0
    p, channel = one.source / total, np.where(kept[:, None], point.channel, 0)
    by_letter = channel @ potentials.letters[point.reproduction] + potentials.in_source
    in_source = np.where(kept, by_letter - p[kept] @ by_letter[kept], 0) / total
    # Equal laws are asked for through total variation: in another measure's unit the slope is another one.
    equal = given.perception == 0 and not isinstance(measure, TotalVariation)
    costs = []
    for cost in given.costs:
        law = p @ channel @ point.decoder
        costs.append(np.zeros_like(cost) if equal or not mu else mu * transport(p, law, cost).coupling)
    return _Given(slopes._replace(source=slopes.source + in_source), np.asarray(np.nan if equal else -mu), costs)

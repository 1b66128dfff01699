"""Figure 3 of [B]: what one representation of a discrete source can be decoded to, in each semantics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np

from jaxrd.datasets import embedded
from jaxrd.figures.rdc_fig3.draw import claims_of, draw
from jaxrd.figures.reproduction import Reproduction
from jaxrd.information import NATS_PER_BIT
from jaxrd.problem import Problem
from jaxrd.rdc.fixed import cross_entropies, fixed_classifier_rate
from jaxrd.rdc.inputs import as_problem
from jaxrd.rdc.inverse import Solver, least_classification, least_distortion
from jaxrd.rdc.lifted.rate import lifted_rate
from jaxrd.rdc.literal.rate import literal_rate
from jaxrd.rdc.literal.time_shared import time_shared_rate
from jaxrd.rdc.point import FIXED, LIFTED, LITERAL, TIME_SHARED, Least, Point
from jaxrd.rdc.representation.literal import literal_boundary
from jaxrd.rdc.representation.region import fixed_classifier_region, lifted_region, lower_hull, time_shared_region
from jaxrd.rdc.representation.universal import (
    Universal,
    universal_bounds,
    universal_fixed_classifier_rate,
    universal_lifted_rate,
)
from jaxrd.solution import Status

_RATE = NATS_PER_BIT
SLACK = 1e-6
"""Nats added to the least loss, so that the least distortion there is well posed."""
_FAINT = 1e-9  # weight of an atom, or gain of an edge, that is due to rounding alone
GRID = 201
NAMES = ("least distortion", "midpoint", "least loss")


class _Semantics(NamedTuple):
    """One semantics of the problem: its solver, and what a representation can be decoded to."""

    solver: Solver
    label: np.ndarray
    """What the solver takes: P(S|X), or the cross entropies of a classifier."""
    region: Callable[[Point], tuple[np.ndarray, np.ndarray]]
    """The lower-left boundary (D, C) of what can be decoded from a point's representation."""
    universal: Callable[[np.ndarray, np.ndarray], Universal]
    points: int


def digits(reproductions: int = 3) -> tuple[Problem, np.ndarray]:
    """Codewords of the MNIST digits 3, 5 and 8 as the source, a few with least distortion as reproductions; P(S|X)."""
    archive = embedded("rdc_digits.npz")
    source, distortion = archive["source"], archive["distortion"]
    few = min(
        combinations(range(len(source)), reproductions), key=lambda kept: source @ distortion[:, list(kept)].min(1)
    )
    return Problem(source, distortion[:, list(few)]), archive["labels"]


def rdc_fig3(
    problem: Problem,
    labels: np.ndarray,
    *,
    rate: float = _RATE,
    points: int = 13,
    searched: int = 5,
    starts: int = 4,
    tick: Callable[[str, int, int], None] | None = None,
) -> Reproduction:
    """The boundary of Omega(R) and the regions of three representations on it, in four semantics.

    The representations are those of the caption: least distortion (D1, C1), the middle (D2, C2) in distortion, least
    classification loss (D3, C3). The fixed classifier knows P(S|X) of the letter closest to a reproduction.

    Args:
        problem: source (n,), distortion (n, m), finite.
        labels: P(S|X), shape (n, classes), positive.
        rate: R, nats.
        points: of the boundary where it is certified, at least 3 and odd.
        searched: of the boundary where it is searched, at least 3 and odd.
        starts: of each search.
        tick: called as tick(what, done, total).

    Reference: [B] Figure 3, Theorems 4 and 5, as corrected.

    Longer than 60 lines: its tables of semantics and of results name each entry.
    """
    loss = cross_entropies(labels, labels[as_problem(problem)[1].argmin(0)])
    literal, shared = partial(literal_rate, starts=starts), partial(time_shared_rate, starts=starts)

    def bounds(solver: Solver, d: np.ndarray, c: np.ndarray) -> Universal:
        return universal_bounds(problem, labels, d, c, solver=solver)

    semantics = {
        LIFTED: _Semantics(
            lifted_rate, labels, lambda q: _lifted(problem, labels, q), partial(universal_lifted_rate, problem, labels),
            points,
        ),
        TIME_SHARED: _Semantics(
            shared, labels, lambda q: _shared(problem, labels, q), partial(bounds, shared), searched
        ),
        LITERAL: _Semantics(
            literal, labels, lambda q: _literal(problem, labels, q), partial(bounds, literal), searched
        ),
        FIXED: _Semantics(
            fixed_classifier_rate, loss, lambda q: _fixed(problem, loss, q),
            partial(universal_fixed_classifier_rate, problem, loss), points,
        ),
    }  # fmt: skip
    curves, three, penalties = {}, {}, {}
    for name, one in semantics.items():
        boundary = _trade_off(problem, one, rate, tick=None if tick is None else partial(tick, name))
        # Codes of the same rate may be time-shared too: points of the search above a chord are not on the boundary.
        shown = lower_hull(*_reached_by(boundary)) if name == TIME_SHARED else range(len(boundary))
        curves[f"{name}: boundary"] = _columns([boundary[i] for i in shown])
        chosen = [boundary[0], boundary[len(boundary) // 2], boundary[-1]]
        three[name] = [_reached(least.point) for least in chosen]
        for label, least in zip(NAMES, chosen, strict=True):
            d, c = one.region(least.point)
            curves[f"{name}: {label}"] = {"distortion": d, "classification_bits": c / NATS_PER_BIT}
        ends = three[name][0][0], three[name][2][1]
        penalties[name] = one.universal(np.array([ends[0], np.inf]), np.array([np.inf, ends[1]]))
    figure = draw(curves, three, rate)
    more = {
        "rate_bits": rate / NATS_PER_BIT,
        "representations": [
            {"semantics": name, "representation": label, "distortion": d, "classification_bits": c / NATS_PER_BIT}
            for name, reached in three.items()
            for label, (d, c) in zip(NAMES, reached, strict=True)
        ],
        "universal": [
            {
                "semantics": name,
                "rate_bits": universal.rate / NATS_PER_BIT,
                "penalty_bits": universal.penalty / NATS_PER_BIT,
                "penalty_lower_bits": universal.penalty_lower / NATS_PER_BIT,
                "status": universal.status.name,
            }
            for name, universal in penalties.items()
        ],
    }
    notes = [
        "Lifted and fixed-classifier boundaries are certified; time-shared and literal ones are achieved, from "
        f"{starts} starts a slope: a better code may exist, one below the lifted boundary may not.",
        "Time-shared: decoders know which of the codes is in use. Literal: one decoder, random or not, found exactly.",
    ]
    return Reproduction("rdc-fig3", figure, curves, claims_of(curves, three, penalties), notes, more)


def _trade_off(
    problem: Problem, semantics: _Semantics, rate: float, *, tick: Callable[[int, int], None] | None = None
) -> list[Least]:
    """The least C at distortions from the least one at R to that of the least C, D rising."""
    solver, label, total = semantics.solver, semantics.label, semantics.points
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if tick is not None:
            tick(done, total + 1)

    first = least_distortion(problem, label, np.inf, rate, solver=solver)
    advance()
    last = least_classification(problem, label, np.inf, rate, solver=solver)
    cheapest = least_distortion(problem, label, last.value + SLACK, rate, solver=solver)
    advance()
    # One point more where the boundary is steepest.
    shares = np.insert(np.linspace(0, 1, total), 1, 0.25 / (total - 1))[1:-1]
    boundary = [_as_loss(first, 0.0)]  # at D1 the loss is that of its one code: it has no lower bound here
    for share in shares:
        d = first.value + float(share) * (cheapest.value - first.value)
        boundary.append(least_classification(problem, label, d, rate, solver=solver))
        advance()
    return [*boundary, _as_loss(cheapest, last.lower)]


def _as_loss(least: Least, lower: float) -> Least:
    return replace(least, value=float(least.point.classification[0]), lower=lower)


def _reached(point: Point) -> tuple[float, float]:
    return point.distortion, float(point.classification[0])


def _reached_by(boundary: list[Least]) -> np.ndarray:
    return np.array([_reached(least.point) for least in boundary]).T


def _columns(boundary: list[Least]) -> dict[str, Any]:
    d, c = _reached_by(boundary)
    return {
        "distortion": d,
        "classification_bits": c / NATS_PER_BIT,
        "lower_bits": np.array([least.lower for least in boundary]) / NATS_PER_BIT,
        "status": [Status(least.status).name for least in boundary],
    }


def _seen(point: Point) -> np.ndarray:
    return point.channel[:, point.weights > _FAINT]


def _lifted(problem: Problem, labels: np.ndarray, point: Point) -> tuple[np.ndarray, np.ndarray]:
    region = lifted_region(problem, labels, _seen(point))
    return region.distortion, region.classification


def _fixed(problem: Problem, loss: np.ndarray, point: Point) -> tuple[np.ndarray, np.ndarray]:
    region = fixed_classifier_region(problem, loss, _seen(point))
    return region.distortion, region.classification


def _literal(problem: Problem, labels: np.ndarray, point: Point) -> tuple[np.ndarray, np.ndarray]:
    shared = time_shared_region(problem, labels, _seen(point))
    d = np.linspace(shared.distortion[0], shared.distortion[-1], GRID if len(shared.distortion) > 1 else 1)
    return d, literal_boundary(problem, labels, _seen(point), d)


def _shared(problem: Problem, labels: np.ndarray, point: Point) -> tuple[np.ndarray, np.ndarray]:
    """The sum of the codes' hulls, each weighted by its share of the time: edges in the order of their slopes."""
    used = point.weights > _FAINT
    # Letters rise within a code; where two codes share no letter, the letter identifies the code.
    codes = np.split(np.flatnonzero(used), 1 + np.flatnonzero(np.diff(point.reproduction[used]) <= 0))
    start, edges = np.zeros(2), []
    for columns in codes:
        share = point.weights[columns].sum()
        channel = point.channel[:, columns]
        region = time_shared_region(problem, labels, channel / channel.sum(1, keepdims=True))
        vertices = share * np.stack([region.distortion, region.classification], 1)
        start = start + vertices[0]
        edges += [b - a for a, b in pairwise(vertices) if a[1] - b[1] > _FAINT]
    path = np.cumsum([start, *sorted(edges, key=lambda edge: edge[1] / edge[0])], axis=0)
    return path[:, 0], path[:, 1]

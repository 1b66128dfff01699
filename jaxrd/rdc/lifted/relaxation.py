"""An upper bound on g over boxes of soft labels: each box is first cut down, then a concave program bounds g in it.

With a_x the terms' exponents at t = 1, m_s the label's mu of class s and t = wL, L the label channels side by side,

    ln max_t g = max over pmfs w of  H(w) + w . a + sum_s m_s t_s ln t_s                    (Gibbs; t = wL is the best)

H(w) + k sum_s m_s t_s ln t_s is concave where k M eta <= 1, M = sum of the labels' mu and eta the contraction
coefficient of L, each label in proportion to its mu. So only (1 - k) m_s t_s ln t_s, convex in each t_s, has to be
bounded: by its chord over the box. What is left is concave: its tangent at the w that any positive tau gives,
w ~ exp(b + k sum_s m_s L_s ln tau_s), bounds it by ln G + sum_s k m_s ln(t_s / tau_s) (w'L)_s at any w'. A multiplier
push_s of either sign takes part of a slope to the edge of the box: ln G + sum_s (high_s or low_s) push_s
+ max_x sum_s (k m_s ln(t_s / tau_s) - push_s) L_xs, tight where tau = t inside and push takes all at an edge.
With k = 1 there is no chord, and the first box is the last.

The maximum of g is one of its stationary points, t = wL with w_x = term_x / g. In a box low <= t <= high those with
g >= exp(level) have w_x <= term_x(high) / exp(level), and w_x >= term_x(low) / (a bound on g). Linear programming
duality bounds t_s = sum_x w_x L_xs over such w: t_s <= n + sum_x most_x (L_xs - n)+ - sum_x least_x (n - L_xs)+ for
every n. Boxes of the whole simplex shrink to their few interesting corners, those without a stationary point vanish.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd.rdc.lifted.atoms import log
from jaxrd.rdc.lifted.contraction import largest_total
from jaxrd.rdc.lifted.families import Families, families
from jaxrd.rdc.lifted.pricing import Price, split

_SWEEPS = 2  # of the cut over all classes
_SHARES = np.linspace(0, 1, 12) ** 3  # places of the duals n between a class's least and its largest L
_SLACK = 1e-12  # rounding of a soft label
_FLOOR = 1e-200  # of tau
_STILL = 1e-14  # nats between the program's bounds at which to stop
_PERIOD = 3  # steps from one extrapolation to the next
_SETTLED = 8  # steps of every program, even where its bound stays too large
_FALLS = 5.0  # steps like the last one that may be expected of a bound
_PACE = 4.0  # longest step of a multiplier, in units of ln t
_FURTHEST = 50.0  # extrapolation
_EPSILON = np.finfo(float).eps


class Relaxation(NamedTuple):
    """What the bounds of all boxes share."""

    families: Families  # of the columns of g
    offset: np.ndarray  # of the exponents at t = 1, (n,)
    powers: np.ndarray  # m L, (n, classes)
    labels: np.ndarray  # L, (n, classes)
    exact: np.ndarray  # k m: what is concave with the entropy of w, (classes,)
    rest: np.ndarray  # (1 - k) m
    duals: np.ndarray  # n, (duals, classes)
    above: np.ndarray  # (L - n)+, (n, duals * classes)
    below: np.ndarray  # (n - L)+
    of: np.ndarray  # the label of each class, one-hot, (classes, labels)
    rounding: float  # of a bound, nats


class Boxes(NamedTuple):
    """Boxes low <= t <= high of soft labels side by side, for one family of columns each."""

    family: np.ndarray  # (boxes,)
    low: np.ndarray  # (boxes, classes)
    high: np.ndarray
    dual: np.ndarray  # ln tau of the relaxed program
    soft: np.ndarray  # where it is largest
    over: np.ndarray  # by how much each class's chord exceeds the function there
    apart: np.ndarray  # by how much the family exceeds its best column at `soft`, nats, (boxes,)
    bound: np.ndarray  # on ln g, (boxes,)

    def take(self, index: np.ndarray) -> Boxes:
        """Some of them."""
        return Boxes(*(part[index] for part in self))

    def join(self, other: Boxes) -> Boxes:
        """Both lists."""
        return Boxes(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def relaxation(price: Price) -> Relaxation:
    """Of g; every column needs a term."""
    slopes = np.array([part.sum(1).max() for part in split(price, price.powers)])
    kept = min(1.0, largest_total(split(price, price.labels), slopes) / slopes.sum())
    low, high = price.labels.min(0), price.labels.max(0)
    duals = low + _SHARES[:, None] * (high - low)
    apart = (price.labels[:, None] - duals).reshape(len(price.labels), -1)
    return Relaxation(
        families(price.exponents.T), price.offset, price.powers, price.labels, kept * np.repeat(slopes, price.sizes),
        (1 - kept) * np.repeat(slopes, price.sizes), duals, np.maximum(apart, 0), np.maximum(-apart, 0),
        np.repeat(np.eye(len(price.sizes)), price.sizes, 0), 2 * price.rounding + 4 * _EPSILON * price.total,
    )  # fmt: skip


def first_boxes(at: Relaxation, soft: np.ndarray) -> Boxes:
    """The smallest box around all letters' labels, for all columns together.

    Where no box has to be cut it is one for each column; `soft` is where their programs begin, (columns, classes).
    """
    if at.rest.any():
        family, soft = np.array([len(at.families.parts) - 1]), soft.mean(0, keepdims=True)
    else:
        family = np.arange(len(soft))
    low, high = (np.tile(end, (len(family), 1)) for end in (at.labels.min(0), at.labels.max(0)))
    dual, none = np.log(np.maximum(soft, _FLOOR)), np.zeros(len(family))
    return Boxes(family, low, high, dual, soft, np.zeros_like(low), none, none + np.inf)


def shrunk(at: Relaxation, boxes: Boxes, level: float) -> Boxes:
    """The boxes cut down to where stationary points of g >= exp(level) may lie, those that have none left out."""
    low, high, whole = boxes.low, boxes.high, (len(boxes.low), *at.duals.shape)
    ceiling, floor = at.families.largest[boxes.family], at.families.least[boxes.family] + at.offset
    some = np.ones(len(low), bool)
    for _ in range(_SWEEPS):
        most = np.exp(np.minimum(ceiling + np.minimum(log(high) @ at.powers.T + at.offset, 0) - level + at.rounding, 0))
        least = np.exp(np.minimum(floor + log(low) @ at.powers.T - boxes.bound[:, None] - at.rounding, 0))
        up = (at.duals + (most @ at.above - least @ at.below).reshape(whole)).min(1)
        down = (at.duals - (most @ at.below - least @ at.above).reshape(whole)).max(1)
        high, low = np.minimum(high, up + _SLACK), np.maximum(low, down - _SLACK)
        high = np.minimum(high, 1 - (low @ at.of @ at.of.T - low) + _SLACK)
        low = np.maximum(low, 1 - (high @ at.of @ at.of.T - high) - _SLACK)
        some &= (low <= high).all(1) & (most.sum(1) >= 1 - _SLACK)
    return boxes._replace(low=low, high=high).take(some)


def _chords(at: Relaxation, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Slopes of the chords of t ln t from low to high."""
    wide = (high - low) / np.where(low > _FLOOR, low, np.inf)
    ratio = np.where(wide > 1e-8, np.log1p(wide) / np.where(wide > 1e-8, wide, 1), 1 - wide / 2)
    return np.log(np.maximum(high, _FLOOR)) + np.where(low > _FLOOR, ratio, 0)


def _entropic(t: np.ndarray) -> np.ndarray:
    return t * np.log(np.where(t > 0, t, 1))


def bounded(at: Relaxation, boxes: Boxes, level: float, steps: int) -> Boxes:
    """The boxes with their bounds: by the program without their edges, and where that is not enough, with them."""
    slope = _chords(at, boxes.low, boxes.high)
    start = (_entropic(boxes.low) - slope * boxes.low) @ at.rest + at.rounding
    linear = at.families.largest[boxes.family] + at.offset + (at.rest * slope) @ at.labels.T
    anywhere = np.broadcast_to(np.array([0.0, np.inf])[:, None, None], (2, *boxes.low.shape))
    tau = np.log(np.maximum(boxes.soft, _FLOOR))
    bound, soft, _ = _solved(at, linear, start, tau, anywhere, level, steps, 0)
    bound, dual = np.fmin(bound, boxes.bound), boxes.dual.copy()  # a failed program bounds nothing
    again = np.flatnonzero(bound > level)
    if len(again):
        box = np.stack([boxes.low[again], boxes.high[again]])
        within, _, dual[again] = _solved(at, linear[again], start[again], dual[again], box, level, steps, _SETTLED)
        bound[again] = np.fmin(bound[again], within)
    inner = np.clip(soft, boxes.low, boxes.high)
    over = at.rest * (_entropic(boxes.low) + slope * (inner - boxes.low) - _entropic(inner))
    return boxes._replace(dual=dual, soft=soft, over=over, bound=bound)


def _solved(
    at: Relaxation,
    linear: np.ndarray,
    start: np.ndarray,
    tau: np.ndarray,
    edges: np.ndarray,
    level: float,
    steps: int,
    settled: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds of concave programs, where they are largest, and ln tau.

    tau <- t solves one without edges. A class whose t would leave them keeps as much of ln(t / tau) as holds it there;
    its step is Newton's where that is longer. Every third step extrapolates the last two.

    Args:
        at: what all programs share.
        linear: b, (boxes, n).
        start: constants, (boxes,).
        tau: ln tau to begin with, (boxes, classes).
        edges: low and high of each class, (2, boxes, classes).
        level: a program is left when its bound is below, or its value is not.
        steps: at most.
        settled: steps at least of a program whose bound is not below.
    """
    powers, squares = (at.exact * at.labels).T, at.labels**2
    bound, soft, dual, left = np.full(len(tau), np.inf), np.zeros_like(tau), tau.copy(), np.arange(len(tau))
    with np.errstate(divide="ignore"):
        ends = np.log(edges)
    last, before = np.full(len(tau), np.inf), None
    for step in range(steps):
        exponent = linear + tau @ powers
        top = exponent.max(1)
        terms = np.exp(exponent - top[:, None])
        total = terms.sum(1)
        t, spread = (terms @ at.labels) / total[:, None], (terms @ squares) / total[:, None]
        log_t = np.log(np.maximum(t, _FLOOR))
        pace = np.clip(t / np.maximum(at.exact * (spread - t**2), 1e-300), 1, _PACE)
        least, most = tau + pace * (ends[0] - log_t), tau + pace * (ends[1] - log_t)
        new = _within(np.clip(log_t, least, np.maximum(least, most)))
        push, inside = at.exact * (log_t - new), at.exact * (new - tau)
        edge = np.where(push > 0, edges[1], edges[0])
        value = top + np.log(total) + start + (push * np.where(push == 0, 0, edge)).sum(1)
        above, height = value + (inside @ at.labels.T).max(1), value + (inside * t).sum(1)
        bound[left], soft[left], dual[left] = np.fmin(bound[left], above), t, new
        may = (height <= level) | (step < settled) | ((last - height) * _FALLS > height - level) & (settled > 0)
        open_ = (above > level) & (above - height > _STILL) & may
        if not open_.any():
            break
        last = height
        if before is None or step % _PERIOD != _PERIOD - 1:
            before, tau = (tau, new - tau), new
        else:
            tau, before = _extrapolated(*before, new - tau), None
        if open_.mean() < 0.7:
            left, linear, start, tau, last = (part[open_] for part in (left, linear, start, tau, last))
            edges, ends, before = edges[:, open_], ends[:, open_], before and (before[0][open_], before[1][open_])
    return bound, soft, dual


def _extrapolated(tau: np.ndarray, change: np.ndarray, next_change: np.ndarray) -> np.ndarray:
    """From two steps in a row (R. Varadhan and C. Roland, Simple and globally convergent methods for accelerating the
    convergence of any EM algorithm, Scand. J. Statist. 2008): any tau gives a valid bound."""
    turn = next_change - change
    length = np.sqrt((change**2).sum(1) / np.maximum((turn**2).sum(1), 1e-300))
    length = np.clip(length, 1, _FURTHEST)[:, None]
    return _within(tau + 2 * length * change + length**2 * turn)


def _within(tau: np.ndarray) -> np.ndarray:
    """ln tau where neither tau nor 1 / tau is beyond floating point."""
    return np.clip(tau, np.log(_FLOOR), -np.log(_FLOOR))

"""What the discrete RDC functions return: a point with its bounds, and the semantics it belongs to.

Every computed point of `jaxrd.rdc` has `rate` (`value` where the rate is given and something else is least), a valid
lower bound `lower` on it, `status`, and the properties `gap` and `converged`. Where no code meets the targets, rate
and lower are +inf, the gap is 0, and the status is INFEASIBLE: an answer, neither converged nor failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.pytree import register
from jaxrd.solution import Status, has_converged

LIFTED, LITERAL, TIME_SHARED, FIXED = "lifted", "literal", "time-shared", "fixed"


def width(value: Any, lower: Any) -> Any:
    """The gap between a value and its lower bound: 0 where both are +inf, and +inf where one is NaN; elementwise.

    >>> width(1.5, 1.0), width(np.inf, np.inf), width(np.nan, 0.0)
    (0.5, 0.0, inf)
    """
    if isinstance(value, jax.Array):
        return _width(jnp, value, lower)
    gap = _width(np, value, lower)
    return gap if gap.shape else float(gap)


def _width(xp: Any, value: Any, lower: Any) -> Any:
    infeasible = xp.isposinf(lower) & (value == lower)
    gap = value - xp.where(infeasible, 0.0, lower)
    return xp.where(infeasible, 0.0, xp.where(xp.isnan(gap), xp.inf, gap))


@register
@dataclass(frozen=True)
class Point:
    """A point of a rate-distortion-classification function: lower <= R <= rate, in the semantics it names.

    The arrays are numpy's in float64, whatever the x64 switch says: bounds rounded to float32 would bound nothing.

    Where an argument is traced by jit, vmap or grad the host is called back, a point at a time, and the fields are
    JAX's, in the dtype of the arguments: float64 with x64, else float32, to which the float64 solution is rounded,
    `rate` upwards and `lower` downwards. Atoms, whose number varies, are then None but for "fixed". `rate` has first
    derivatives in the source, the distortion, the labels and the targets: those of what is achieved, certified or not.
    All others, second ones too, are NaN. At a kink they are those of one side, with the slopes returned: zero for a
    constraint that does not bind, infinite at the least possible target, where those in the source and the labels may
    be NaN; zero for an INFEASIBLE point. Source and label channels are taken as p / sum p and row by row, so that
    derivatives along themselves are zero; letters of mass zero are not read. Values that are no problem: NONFINITE.

    Args:
        semantics: "lifted", "literal", "time-shared" or "fixed" (static).
        rate: achieved by `channel` (and, where rounding asks for it, a vanishing share of lossless coding), nats.
        lower: valid lower bound on R at the targets, nats; -inf where there is none.
        status: a `Status`: CONVERGED where rate - lower is within the tolerance, ACHIEVABLE where the function is not
            convex and only `rate` was searched for, INFEASIBLE where no code meets the targets.
        distortion: E Delta(X, Xh) of the channel, in the unit of the problem's distortion.
        classification: H(S_k|U) of the channel for each label, nats; for "fixed" the mean cross entropy. Shape (K,).
        distortion_slope: the multiplier of the distortion, -dR/dD where R is smooth, nats per unit.
        classification_slope: those of the labels, -dR/dC_k, nats per nat, shape (K,).
        reproduction: xh of each atom u of the channel, int, shape (atoms,).
        soft_labels: the decoder's soft label P(S_k|u) of each atom, each of shape (atoms, classes_k).
        weights: P(u), shape (atoms,).
        channel: P(u|x), shape (n, atoms).
        ascents: "lifted": local searches, from different soft labels, for an atom that improves the channel; 0 where
            nothing was searched.
        conjectured: a lower bound on R that holds if one of them met the best atom, nats: where it is above `lower`,
            nothing proves it. NaN where nothing was searched.

    Reference: [B] definition 1, equation (3).

    >>> from jaxrd import Problem
    >>> from jaxrd.rdc import lifted_rate
    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> point = lifted_rate(problem, np.array([[0.9, 0.1], [0.1, 0.9]]), 0.2, 0.55)
    >>> point.semantics, round(point.rate, 6), point.lower <= point.rate
    ('lifted', 0.148954, True)
    """

    semantics: str = field(metadata={"static": True})
    rate: float
    lower: float
    status: Status
    distortion: float
    classification: np.ndarray
    distortion_slope: float
    classification_slope: np.ndarray
    reproduction: np.ndarray
    soft_labels: tuple[np.ndarray, ...]
    weights: np.ndarray
    channel: np.ndarray
    ascents: int = 0
    conjectured: float = float("nan")

    @property
    def evidence(self) -> str:
        """What is proved, and beside it what was only searched, in words.

        >>> infeasible("lifted", 2, 1).evidence
        'no code meets the targets'
        """
        if self.status == Status.INFEASIBLE:
            return "no code meets the targets"
        proved = f"proved: R is within {self.gap:.1e} nat of the rate"
        if self.converged or not self.ascents:
            return proved
        left = max(self.rate - self.conjectured, 0.0)
        return f"{proved}; searched: {self.ascents} ascents met no atom that lowers it by more than {left:.1e} nat"

    @property
    def gap(self) -> float:
        """rate - lower, nats: the width of the interval that holds R; 0 where infeasible."""
        return width(self.rate, self.lower)

    @property
    def converged(self) -> bool:
        """Whether the gap is within the tolerance."""
        return has_converged(self.status)


@register
@dataclass(frozen=True)
class Least:
    """The least distortion or classification loss at a rate: lower <= least <= value, in the semantics it names.

    Of traced arguments `value` has first derivatives in all of them, as the rate of a `Point`: those of the rate over
    the multiplier of what is least, -1 over it in R. Where the multiplier is zero, as at zero rate, they are infinite
    or NaN.

    Args:
        value: achieved by `point`, in the unit of the distortion, or nats for a loss; +inf where infeasible.
        lower: valid lower bound on the least, in the same unit.
        status: a `Status`: CONVERGED where value - lower is within the tolerance, INFEASIBLE.
        semantics: "lifted", "literal", "time-shared" or "fixed".
        point: the `Point` that reaches `value` at the rate given.

    Reference: [B] definition 2, equation (5).

    >>> from jaxrd import Problem
    >>> from jaxrd.rdc import least_distortion
    >>> problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> found = least_distortion(problem, np.array([[0.9, 0.1], [0.1, 0.9]]), 0.6, 0.2857813286)
    >>> round(found.value, 6), found.status.name
    (0.1, 'CONVERGED')
    """

    value: float
    lower: float
    status: Status
    semantics: str = field(metadata={"static": True})
    point: Point

    @property
    def gap(self) -> float:
        """value - lower; 0 where infeasible."""
        return width(self.value, self.lower)

    @property
    def converged(self) -> bool:
        """Whether `value` is known to the accuracy asked."""
        return has_converged(self.status)


def infeasible(semantics: str, letters: int, labels: int) -> Point:
    """No code meets the targets: rate +inf."""
    inf, none = float("inf"), np.zeros(0)
    return Point(
        semantics, inf, inf, Status.INFEASIBLE, inf, np.full(labels, inf), inf, np.full(labels, inf),
        none.astype(int), (), none, np.zeros((letters, 0)),
    )  # fmt: skip


def mutual_information(source: np.ndarray, channel: np.ndarray) -> float:
    """I(X;U) in nats."""
    output = source @ channel
    positive = (channel > 0) & (source[:, None] > 0)
    ratio = np.divide(channel, output, out=np.ones_like(channel), where=positive)
    return float(max((source[:, None] * channel * np.log(ratio)).sum(), 0.0))


def entropies(pmf: np.ndarray) -> np.ndarray:
    """Entropy of each row, nats."""
    return -(pmf * np.log(np.where(pmf > 0, pmf, 1))).sum(-1)


def posteriors(source: np.ndarray, channel: np.ndarray, labels: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """P(S_k|u) of each output u, each of shape (outputs, classes_k); the prior's for outputs that never occur."""
    joint = source[:, None] * channel
    weights = joint.sum(0)
    backward = np.where(weights > 0, joint / np.where(weights > 0, weights, 1), source[:, None])
    return tuple(backward.T @ p for p in labels)

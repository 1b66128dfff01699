"""From the atoms of an optimum to a `Point`: merged, measured, judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jaxrd.rdc.inputs import Inputs
from jaxrd.rdc.lifted.atoms import Atoms, Core, least_targets
from jaxrd.rdc.lifted.moving import Weighted
from jaxrd.rdc.lifted.optimum import Optimum
from jaxrd.rdc.point import LIFTED, Point, entropies, mutual_information, posteriors
from jaxrd.solution import Status

_MERGED = 1e-5  # atoms of one reproduction are the same where no sqrt(t) differs by more
_DROPPED = 1e-12  # probability, whatever the letter
_EPSILON = 32 * np.finfo(float).eps


def atoms_of(reduced: Core, start: Point) -> Atoms:
    """A point's atoms as columns of another core: same reproduction, the nearest of the pinned soft labels."""
    free = [t for k, t in enumerate(start.soft_labels) if k not in reduced.pinned]
    other = reduced.reproduction != start.reproduction[:, None]
    far = sum(np.abs(start.soft_labels[k][:, None] - t).sum(2) for k, t in reduced.pinned.items())
    return Atoms((10.0 * other + far).argmin(1), tuple(free))


def weighted_of(reduced: Core, start: Point) -> Weighted:
    """A point as a solution near that of another core; a charge that has no multiplier in both has none."""
    slopes = np.concatenate([[start.distortion_slope], start.classification_slope])
    slopes = slopes[[0, *(1 + k for k in range(len(start.classification_slope)) if k not in reduced.pinned)]]
    slopes = np.where(np.isfinite(slopes) & np.isfinite(reduced.budgets), slopes, 0)
    return Weighted(atoms_of(reduced, start), start.weights, slopes)


def _merged(reduced: Core, optimum: Optimum, matters: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The channel with atoms of equal reproduction and soft labels merged, and each one's best reproduction.

    Args:
        reduced: the problem.
        optimum: its solution.
        matters: bool, (1 + labels,): whether the reproduction and each label distinguish atoms; None: merge no atoms.
    """
    atoms, channel = optimum.atoms, optimum.channel
    if matters is not None:
        keys = [np.zeros((len(atoms.letter), 1))] + [atoms.letter[:, None]] * bool(matters[0])
        # Compared by sqrt(t), because small differences matter near a face.
        keys += [np.round(np.sqrt(t) / _MERGED) for t, m in zip(atoms.soft, matters[1:], strict=True) if m]
        _, of = np.unique(np.concatenate(keys, 1), axis=0, return_inverse=True)
        channel = channel @ (of.reshape(-1, 1) == np.arange(of.max() + 1))
    channel = channel[:, channel.max(0) > _DROPPED]
    channel = channel / channel.sum(1, keepdims=True)
    joint = reduced.source[:, None] * channel
    # A forbidden pair may still have a mass that is tiny, but not zero.
    return channel, (joint.T @ np.where(np.isfinite(reduced.excess), reduced.excess, 1e300)).argmin(1)


def assemble(inputs: Inputs, reduced: Core, optimum: Optimum, targets: np.ndarray | None) -> Point:
    """The channel merged and measured; where it overdraws a target by rounding, mixed with lossless coding."""
    p, least = reduced.source, least_targets(inputs)
    labels = tuple(a[reduced.kept] for a in inputs.labels)
    free = reduced.free
    # Atoms that differ only in what costs nothing are merged, unless a target is met only by keeping them apart.
    always = np.append(np.isinf(reduced.excess).any(), np.zeros(len(optimum.slopes) - 1, bool))
    for matters in ((optimum.slopes > 0) | always, np.ones(len(optimum.slopes), bool), None):
        channel, letter = _merged(reduced, optimum, matters)
        reproduction = reduced.reproduction[letter]
        soft, weights = posteriors(p, channel, labels), p @ channel
        d = np.where(channel > 0, inputs.distortion[reduced.kept][:, reproduction], 0)
        reached = np.array([(p[:, None] * channel * d).sum(), *(weights @ entropies(t) for t in soft)])
        if targets is None or (reached <= targets)[free].all():
            break
    rate, slopes = mutual_information(p, channel), np.full(len(reached), np.inf)
    slopes[free] = optimum.slopes[int(reduced.exact) :]
    if targets is None:
        lower = optimum.lower - slopes @ (reached - least)
    else:
        lower = optimum.lower
        over = [i for i in free if reached[i] > targets[i] > least[i]]
        share = max(((reached[i] - targets[i]) / (reached[i] - least[i]) for i in over), default=0.0)
        rate = (1 - share) * rate + share * entropies(p)
    paid = np.isfinite(slopes) & (slopes > 0)
    spent = np.abs(reached - least)
    spent[0] += p @ np.abs(inputs.distortion[reduced.kept].min(1)) / 4  # its rounding is in the excess
    lower -= reduced.loss + _EPSILON * (1 + entropies(p) + slopes[paid] @ spent[paid])
    conjectured = max(lower, optimum.conjectured - optimum.lower + lower)
    full = np.tile(weights, (len(inputs.source), 1))
    full[reduced.kept] = channel
    return Point(
        LIFTED, float(rate), float(max(lower, 0)), Status.MAX_STEPS, float(reached[0]), reached[1:],
        float(slopes[0]), slopes[1:], reproduction, soft, weights, full, optimum.ascents, float(max(conjectured, 0)),
    )  # fmt: skip


def judged(point: Point, tol: float) -> Point:
    """The point with its status: CONVERGED where the gap is within `tol`, relative to max(1, R)."""
    status = Status.CONVERGED if point.gap <= tol * max(1, point.rate) else Status.MAX_STEPS
    return replace(point, status=status)

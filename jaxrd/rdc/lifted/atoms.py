"""The lifted problem as an ordinary one: reproductions (xh, t), t a soft label, charged beyond lossless coding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxrd.rdc.inputs import Inputs
from jaxrd.rdc.point import entropies

EDGE = 1e-12
"""Relative distance below the least possible at which a target counts as the least possible: rounding of its sum."""
_FAR = 2.5e11
"""A pair that costs this many times the whole budget is forbidden: it could have a probability of 4e-12."""
_TIED = 8 * np.finfo(float).eps
"""Reproductions of a letter are equally good where their distortions differ by less, relative to the least."""
_NEVER = -1e30
"""ln 0, such that 0 * _NEVER is 0."""


class Atoms(NamedTuple):
    """Reproductions (xh, t_1, ..., t_K)."""

    letter: np.ndarray  # (atoms,) int: columns of Core.excess
    soft: tuple[np.ndarray, ...]  # each (atoms, classes_k)

    @property
    def side_by_side(self) -> np.ndarray:
        """The soft labels of all labels in one matrix, shape (atoms, classes)."""
        return np.concatenate([np.zeros((len(self.letter), 0)), *self.soft], 1)

    def take(self, index: np.ndarray) -> Atoms:
        """Some of them."""
        return Atoms(self.letter[index], tuple(t[index] for t in self.soft))

    def join(self, other: Atoms) -> Atoms:
        """Both lists."""
        soft = tuple(np.concatenate(pair) for pair in zip(self.soft, other.soft, strict=True))
        return Atoms(np.concatenate([self.letter, other.letter]), soft)


class Core(NamedTuple):
    """Letters of positive mass, and what a channel may cost beyond lossless coding: E excess <= budgets[0] and
    E KL(P(S_k|X) || t_k) <= budgets[k], since H(S|U) = H(S|X) + min over t of E KL.

    A target at the very least possible leaves no budget; it forbids pairs instead. For a label that means soft labels
    among the rows P(S_k|x), each open to its own letters only: the columns then are pairs (xh, rows).
    """

    source: np.ndarray  # (n,) > 0
    excess: np.ndarray  # (n, columns): d - min d, +inf for forbidden pairs
    labels: tuple[np.ndarray, ...]  # (n, classes_k) each: those with a budget, or none to meet
    budgets: np.ndarray  # (1 + labels,), inf for no constraint
    kept: np.ndarray  # letters of the given source
    reproduction: np.ndarray  # (columns,): xh
    exact: bool  # whether pairs are forbidden because the distortion must be the least possible
    pinned: dict[int, np.ndarray]  # label's place in the input -> soft label of each column, (columns, classes_k)
    loss: float = 0.0  # nats that pairs could save which are forbidden though the budgets allow them a little

    @property
    def free(self) -> list[int]:
        """Places in (distortion, labels) of the input that have a budget, or none to meet."""
        every = [not self.exact] + [k not in self.pinned for k in range(len(self.labels) + len(self.pinned))]
        return [i for i, is_free in enumerate(every) if is_free]


def least_targets(inputs: Inputs) -> np.ndarray:
    """(D_min, H(S_1|X), ..., H(S_K|X)): what lossless coding reaches, all at once."""
    p = inputs.source
    keep = p > 0
    return np.array([p[keep] @ inputs.distortion[keep].min(1), *(p @ entropies(a) for a in inputs.labels)])


def unaffordable(excess: np.ndarray, least: np.ndarray, budget: float) -> np.ndarray:
    """Pairs that cost so many times the budget that almost no probability is left for them, bool, (n, columns).

    They depend on the budget, never on the largest distortion: a distortion of 1e300 written for "never", or one
    letter far from all others, does not set the scale on which the targets differ.

    Args:
        excess: beyond the letter's least, (n, columns); +inf where forbidden already.
        least: the letter's least, (n,); the rounding of the excess is relative to it.
        budget: E excess <= budget; nothing positive is affordable where it is not positive.
    """
    with np.errstate(over="ignore"):
        most = np.maximum(_FAR * max(budget, 0.0), _TIED * np.abs(least)[:, None])
    return np.isfinite(excess) & (excess > most)


def forbidding_loss(budget: float, price: float, log_weight: float) -> float:
    """How much less than its bound a rate may be, nats, because pairs of an excess >= price were forbidden.

    With a multiplier s of the budget, the forbidden pairs raise the dual constraints by at most W exp(-s price), so
    that the bound falls by s budget + W exp(-s price), least at s = ln(W price / budget) / price.

    Args:
        budget: E excess <= budget.
        price: the least excess of a pair forbidden for it.
        log_weight: ln W, W = sum_x p_x exp(v_x) at the dual variables v.

    >>> round(forbidding_loss(1e-12, 1.0, np.log(2)) * 1e11, 2), forbidding_loss(0.0, 1.0, 0.0)
    (2.93, 0.0)
    """
    share = max(budget, 0.0) / price
    if share >= 1:
        return np.inf
    return float(share * (1 + max(log_weight - np.log(share), 0.0))) if share else 0.0


def core(inputs: Inputs, targets: np.ndarray) -> Core | None:
    """The problem at given targets (1 + K,); None where no code meets them."""
    kept = np.flatnonzero(inputs.source > 0)
    p, d = inputs.source[kept], inputs.distortion[kept]
    least = d.min(1)
    excess, budgets, letters = d - least[:, None], targets - least_targets(inputs), float(np.log(len(kept)))
    if (budgets < -EDGE * np.array([p @ np.abs(least), *np.ones(len(inputs.labels))])).any():
        return None
    budgets = np.where(budgets >= (1 - EDGE) * silent(p, excess, [a[kept] for a in inputs.labels]), np.inf, budgets)
    far, loss = unaffordable(excess, least, budgets[0]), 0.0
    if far.any():
        loss = forbidding_loss(budgets[0], excess[far].min(), letters)
        excess = np.where(far, np.inf, excess)
    costly = (np.isfinite(excess) & (excess > _TIED * np.abs(least)[:, None])).any()
    exact = bool(far.any() and not costly)
    if not costly:  # all allowed reproductions of a letter are equally good
        excess, budgets[0] = np.where(np.isfinite(excess), 0, np.inf), np.inf
    reproduction = np.arange(d.shape[1])
    pinned: dict[int, np.ndarray] = {}
    for k, channel in enumerate(a[kept] for a in inputs.labels):
        if budgets[1 + k] > EDGE:
            continue
        rows, of = np.unique(channel.round(12), axis=0, return_inverse=True)
        loss += _pinning_loss(budgets[1 + k], rows, letters)
        columns, groups = np.arange(excess.shape[1]), len(rows)
        same = of.reshape(-1, 1) == np.arange(groups)  # (n, groups)
        excess = np.where(same[:, None, :], excess[:, :, None], np.inf).reshape(len(p), -1)
        firsts = np.array([np.flatnonzero(column)[0] for column in same.T])
        pinned = {j: np.repeat(t, groups, 0) for j, t in pinned.items()} | {
            k: np.tile(channel[firsts], (len(columns), 1))
        }
        reproduction = np.repeat(reproduction, groups)
        # A soft label that belongs to one letter alone needs only that letter's best reproduction.
        useful = (np.isfinite(excess).sum(0) > 1) | (np.arange(excess.shape[1]) == excess.argmin(1)[:, None]).any(0)
        excess, reproduction = excess[:, useful], reproduction[useful]
        pinned = {j: t[useful] for j, t in pinned.items()}
    free = [k for k in range(len(inputs.labels)) if k not in pinned]
    labels = tuple(inputs.labels[k][kept] for k in free)
    budgets = budgets[[0, *(1 + k for k in free)]]
    return Core(p, excess, labels, budgets, kept, reproduction, exact, pinned, loss)


def silent(source: np.ndarray, excess: np.ndarray, labels: Sequence[np.ndarray]) -> np.ndarray:
    """E charges without any code, (1 + labels,), +inf where every reproduction is forbidden to some letter.

    No atom needs to cost more, so that larger budgets bind nothing.
    """
    means = [source @ divergences(channel, (source @ channel)[None])[:, 0] for channel in labels]
    return np.array([(source @ excess).min(), *means])


def _pinning_loss(budget: float, rows: np.ndarray, log_weight: float) -> float:
    """`forbidding_loss` of soft labels that are no letter's own: of two rows P, Q one has KL(. || t) >= |P - Q|^2 / 8.

    By Pinsker's inequality, for any t is |P - Q| / 2 or more from one of the two, in total mass |.| of the difference.
    """
    if budget <= 0 or len(rows) == 1:
        return 0.0
    apart = min(np.abs(rows[i + 1 :] - row).sum(1).min() for i, row in enumerate(rows[:-1]))
    return forbidding_loss(budget, apart**2 / 8, log_weight)


def log(values: np.ndarray) -> np.ndarray:
    """ln, with ln 0 = _NEVER."""
    return np.where(values > 0, np.log(np.where(values > 0, values, 1)), _NEVER)


def divergences(channel: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """KL(P(S|x) || t), shape (n, atoms); +inf where t excludes a class that occurs."""
    cross = channel @ log(soft).T
    return np.where(cross < _NEVER / 1e20, np.inf, np.maximum(-entropies(channel)[:, None] - cross, 0))


def charges(core: Core, atoms: Atoms) -> np.ndarray:
    """What each pair costs beyond lossless coding: distortion, then each label; shape (1 + labels, n, atoms)."""
    kl = [divergences(p, t) for p, t in zip(core.labels, atoms.soft, strict=True)]
    return np.stack([core.excess[:, atoms.letter], *kl])


def lossless(core: Core) -> Atoms:
    """Each letter its own atom: its best reproduction, its own P(S|x)."""
    return Atoms(core.excess.argmin(1), core.labels)


def soft_clusters(core: Core) -> Atoms:
    """First atoms: every column with the mean label of the letters near it, at several widths."""
    allowed = np.isfinite(core.excess)
    excess = np.where(allowed, core.excess, 0)
    means = core.source @ excess
    scale = means[means > 0].min(initial=np.inf)
    atoms = Atoms(np.zeros(0, int), tuple(np.zeros((0, p.shape[1])) for p in core.labels))
    for width in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0):
        near = core.source[:, None] * np.where(allowed, np.exp(-width * excess / scale), 0)
        used = np.flatnonzero(near.any(0))
        near = near[:, used] / near[:, used].sum(0)
        atoms = atoms.join(Atoms(used, tuple(near.T @ p for p in core.labels)))
    return atoms

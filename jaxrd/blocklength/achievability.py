"""Codes that exist: words drawn from q^n, each block sent as its first word within the distortion."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, xlogy

_MOST_TYPES = 2_000_000
_MOST_WORK = 2**25
"""Types times the cells of a sum's law: some seconds."""
_CELLS = 256, 16
"""Of a letter's distortion where it lies on no lattice: the most, and the fewest that are tried."""
_RARE = 1e-6
"""Types of so small a share of the excess in all are counted as exceeding D."""
_ROUNDING = 1e-12
_STEEP = 40.0
"""The largest tilt, over a step of the lattice."""
_FLAT = 0.1
"""The least tilt after none."""
_HIDDEN = 1e-8
"""A mass under the tilt that rounding may hide."""


class _Letters(NamedTuple):
    """Source letters whose words' distortions have one law, as a group."""

    source: np.ndarray  # of each group, shape (groups,)
    law: np.ndarray  # of the distortion of a letter drawn from q, over the lattice, shape (groups, cells)
    step: float  # of the lattice
    most: float  # (D - least d) over a step


def _letters(source: np.ndarray, distortion: np.ndarray, q: np.ndarray, target: float, cells: int) -> _Letters:
    """Distortions are rounded up to a lattice, so that a word within D there is within D."""
    p, used = source[source > 0], q > 0
    d, q = distortion[source > 0][:, used], q[used]
    low = d[np.isfinite(d)].min()
    step = _step(d - low, cells)
    k = np.where(np.isfinite(d), np.ceil(np.where(np.isfinite(d), d - low, 0) / step - 1e-9), -1).astype(int)
    raw = np.zeros((len(p), k.max() + 1))
    rows, columns = np.nonzero(k >= 0)
    np.add.at(raw, (rows, k[rows, columns]), q[columns])
    _, group = np.unique(raw.round(12), axis=0, return_inverse=True)
    group = group.ravel()
    # Laws of a group agree to 12 digits: none of its cells has more than is counted.
    law = np.array([raw[group == g].min(0) for g in range(group.max() + 1)])
    return _Letters(np.bincount(group, p / p.sum()), law, step, (target - low) / step)


def _step(d: np.ndarray, cells: int) -> float:
    """The step of the lattice that holds all distortions above the least, or a small one."""
    finite = np.unique(d[np.isfinite(d)])
    if len(finite) == 1:
        return 1.0
    least = finite[finite > 0].min()
    for parts in range(1, 9):
        steps = finite / (least / parts)
        if steps.max() <= cells and np.abs(steps - steps.round()).max() <= 1e-9:
            return float(least / parts)
    return float(finite.max() / cells)


def _types(groups: int, n: int) -> np.ndarray:
    """All ways to share n letters among groups, shape (types, groups)."""
    if groups == 1:
        return np.array([[n]])
    if groups == 2:
        return np.stack([np.arange(n + 1), n - np.arange(n + 1)], 1)
    bars = np.array(list(combinations(range(n + groups - 1), groups - 1)))
    ends = np.concatenate([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), n + groups - 1)], 1)
    return np.diff(ends, axis=1) - 1


def _log_hits(letters: _Letters, types: np.ndarray, n: int, slope: float) -> np.ndarray:
    """ln of the probability that a word lies within D of a block of each type, or less: -inf where none does.

    A tilt by the slope makes nD a likely sum; types that it leaves to rounding are tilted further.
    """
    most = int(np.floor(n * letters.most + 1e-9 * (1 + abs(n * letters.most))))
    log = np.full(len(types), -np.inf)
    if most < 0:
        return log
    tilt, hidden = min(slope * letters.step, _STEEP), np.arange(len(types))
    while len(hidden):
        found, relative = _tilted_hits(letters.law, types[hidden], n, most, tilt)
        log[hidden] = np.maximum(log[hidden], found)
        hidden = hidden[relative < _HIDDEN]
        if tilt >= _STEEP:
            break
        tilt = min(max(4 * tilt, _FLAT), _STEEP)
    return np.minimum(log, 0)


def _tilted_hits(law: np.ndarray, types: np.ndarray, n: int, most: int, tilt: float) -> tuple[np.ndarray, np.ndarray]:
    """ln of a sum's mass up to `most` or less, and the mass under the tilt, where a product of transforms is exact."""
    nearest = (law > 0).argmax(1)  # of each group, so that no tilt underflows
    tilted = law * np.exp(-tilt * np.maximum(np.arange(law.shape[1]) - nearest[:, None], 0))
    z = tilted.sum(1)
    length = n * (law.shape[1] - 1) + 1
    room = 1 << (length - 1).bit_length()
    wave = np.fft.rfft(tilted / z[:, None], room)
    log_wave = np.log(np.where(wave == 0, 1e-300, wave))
    weight = np.zeros(room)
    places = np.arange(min(most + 1, length))
    weight[places] = np.exp(-tilt * (most - places))
    against = np.conj(np.fft.rfft(weight)) / room  # the sum over places is one over frequencies
    against[1 : (room + 1) // 2] *= 2
    mass = np.zeros(len(types))
    rows = max(2**21 // room, 1)
    for first in range(0, len(types), rows):
        mass[first : first + rows] = (np.exp(types[first : first + rows] @ log_wave) @ against).real
    # Of the transforms, whose terms are at most one.
    mass = mass * (1 - _ROUNDING * n) - 1e-15 * n * np.log2(room) * np.sqrt(weight @ weight)
    log = np.where(mass > 0, np.log(np.where(mass > 0, mass, 1)), -np.inf)
    return types @ (np.log(z) - tilt * nearest) + tilt * most + log, mass


def largest_log_size(
    source: np.ndarray, distortion: np.ndarray, slope: float, q: np.ndarray, target: float, n: int, excess: float
) -> float:
    """ln M of a code of n letters that is proved to exceed D in at most `excess` of the blocks; nan: too many types.

    Some M words drawn from q^n do so where E (1 - P)^M <= excess, P the probability that a word lies within D.

    Args:
        source: p, shape (letters,).
        distortion: d, shape (letters, m); inf forbids a pair.
        slope: s >= 0: any tilts the sums; that of D leaves them the most digits.
        q: shape (m,).
        target: D.
        n: letters of a block.
        excess: probability, in (0, 1).

    Reference: V. Kostina and S. Verdu, IEEE Trans. IT 2012, theorem 10.

    >>> d = 1 - np.eye(2)
    >>> round(float(largest_log_size(np.array([0.5, 0.5]), d, 2.0, np.array([0.5, 0.5]), 0.5, 2, 0.1) / np.log(2)), 4)
    1.0
    """
    all_words = _all_words(source, distortion, target, n)
    cells = _CELLS[0]
    while True:
        letters = _letters(source, distortion, q, target, cells)
        groups = len(letters.source)
        if comb(n + groups - 1, groups - 1) > _MOST_TYPES:
            return all_words if np.isfinite(all_words) else np.nan
        types, weight = _likely(letters.source, n, excess)
        if len(types) * n * letters.law.shape[1] <= _MOST_WORK:
            break
        if cells <= _CELLS[1]:
            return all_words if np.isfinite(all_words) else np.nan
        cells //= 2
    log_hit = _log_hits(letters, types, n, slope)
    rest = max(1 - weight.sum(), 0) + _ROUNDING
    # - ln(1 - P): at least P.
    near = log_hit > -30
    inside = -np.log1p(-np.exp(np.where(near, np.minimum(log_hit, -1e-16), -1)))
    log_miss = np.where(near, np.log(inside), log_hit)

    def misses(log_size: float) -> float:
        return float(weight @ np.exp(-np.exp(np.minimum(log_size + log_miss, 700)))) * (1 + _ROUNDING * n) + rest

    if misses(1e6) > excess:
        return all_words
    low, high = 0.0, 1.0
    while misses(high) > excess:
        low, high = high, 2 * high
    if misses(0.0) <= excess:
        return 0.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if misses(middle) > excess else (low, middle)
    drawn = float(np.log(np.ceil(np.exp(high) * (1 - 1e-9)))) if high < 30 else high
    return min(drawn, all_words)


def _likely(source: np.ndarray, n: int, excess: float) -> tuple[np.ndarray, np.ndarray]:
    """Types and their probabilities, without the least likely ones."""
    types = _types(len(source), n)
    weight = np.exp(gammaln(n + 1) - gammaln(types + 1).sum(1) + xlogy(types, source).sum(1))
    order = np.argsort(weight)
    kept = np.sort(order[np.cumsum(weight[order]) > _RARE * excess])
    return types[kept], weight[kept]


def _all_words(source: np.ndarray, distortion: np.ndarray, target: float, n: int) -> float:
    """ln of the number of all words, if every letter has a reproduction within D; else inf."""
    d = distortion[source > 0]
    return n * float(np.log(d.shape[1])) if d.min(1).max() <= target else np.inf

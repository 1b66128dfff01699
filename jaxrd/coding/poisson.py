"""The Poisson functional representation: send the index of one of the candidates that both sides can draw.

On the host, in numpy: shared randomness must be the same integers on every machine. Only integers decide what is
decoded; the encoder's floating-point numbers only decide which candidate it sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.errors import InputError

TOTAL = 1 << 31
"""Counts of a quantised output law sum to this."""
_CELL = 1 << 15  # of the counts: a table over this many counts at a time spares nearly all binary searches
FEWEST, MOST = 256, 1 << 14  # candidates drawn at once: fewer cost calls, more leave the cache
_TIMES = 1 << 255  # counter at which a block's arrival times begin; its candidates' words begin at 0
_WORDS = 8  # of 32 bits to one step of the counter: 256 bits


@readable
class Simulation(NamedTuple):
    """The indices that a simulated channel sent, and its output."""

    indices: np.ndarray
    """J >= 1, the candidate pointed at, int64, shape (blocks,)."""
    reproduction: np.ndarray
    """What the decoder will see, int32, shape (samples,)."""
    candidates: int
    """Candidates that the encoder had to examine, as their arrival times were small enough to win."""


class _Table(NamedTuple):
    """Letters by word: `cells` where all words of a cell share one, else -1 and `edges`, the cumulated counts."""

    edges: np.ndarray
    cells: np.ndarray

    def letters(self, words: np.ndarray) -> np.ndarray:
        letters = self.cells[words >> 16]
        mixed = np.flatnonzero(letters < 0)
        letters[mixed] = np.searchsorted(self.edges, words[mixed] >> 1, side="right")
        return letters


def _table(law: np.ndarray) -> _Table:
    edges = np.cumsum(law, dtype=np.int64)
    first = np.arange(0, TOTAL, _CELL)
    low, high = (np.searchsorted(edges, at, side="right") for at in (first, first + _CELL - 1))
    return _Table(edges, np.where(low == high, low, -1))


def _generator(seed: int, block: int, counter: int) -> np.random.Philox:
    """The shared random stream of a block: numpy guarantees that Philox gives the same integers in all versions."""
    return np.random.Philox(key=seed + (block << 64), counter=counter)


def _words(stream: np.random.Philox, count: int) -> np.ndarray:
    """The next `count` words of 32 bits, an even number, the same on every machine."""
    return stream.random_raw(count // 2).astype("<u8", copy=False).view("<u4")


def as_channel(channel: ArrayLike) -> np.ndarray:
    """W in float64, its rows summing to one exactly enough.

    Raises:
        InputError: not of shape (samples, reproductions), or a row is no pmf.
    """
    w = np.asarray(channel, np.float64)
    if w.ndim != 2 or 0 in w.shape:
        raise InputError(f"channel must have shape (samples, reproductions); got {w.shape}.")
    sums = w.sum(1, keepdims=True)
    bad = ~((w >= 0).all(1) & (np.abs(sums[:, 0] - 1) < 1e-4))
    if bad.any():
        i = int(bad.argmax())
        raise InputError(f"rows of the channel must be pmfs; row {i} has minimum {w[i].min():g}, sum {sums[i, 0]:g}.")
    return w / sums


def quantised_law(channel: ArrayLike) -> np.ndarray:
    """The output law q of a channel over its samples, in counts of 2^-31: what both sides draw candidates from.

    A letter that may occur has at least one count, whatever its probability. The price in rate is KL(mean W || q),
    below reproductions * 2^-29 nat.

    Args:
        channel: W(y|x), shape (samples, reproductions), rows summing to one.

    Returns:
        Counts that sum to 2^31, int64, shape (reproductions,).

    Raises:
        InputError: a row is no pmf, or there are more than 2^15 reproductions.

    >>> (quantised_law([[0.75, 0.25, 0.0]]) / TOTAL).tolist()
    [0.75, 0.25, 0.0]
    """
    mean = as_channel(channel).mean(0)
    if len(mean) > _CELL:
        raise InputError(f"at most {_CELL} reproductions can be coded; got {len(mean)}.")
    counts = np.where(mean > 0, np.maximum(np.floor(mean * TOTAL), 1), 0).astype(np.int64)
    counts[mean.argmax()] += TOTAL - counts.sum()
    return counts


def _inverse(law: np.ndarray) -> np.ndarray:
    """1 / q, and 0 where q is."""
    return np.where(law > 0, TOTAL / np.maximum(law, 1), 0)


def expected_candidates(channel: ArrayLike, law: np.ndarray, *, block: int = 1) -> float:
    """How many candidates the search of all blocks looks at on average: sum over blocks of prod_i max_y W/q.

    The winner's score is exponential of mean one, and arrivals later than score times the largest ratio cannot win.

    Args:
        channel: W(y|x), shape (samples, reproductions).
        law: counts of q, shape (reproductions,).
        block: n, samples coded together.

    >>> expected_candidates([[0.75, 0.25], [0.25, 0.75]], quantised_law([[0.5, 0.5]]), block=2)
    2.25
    """
    ratio = (as_channel(channel) * _inverse(law)).max(1)
    starts = np.arange(0, len(ratio), block)
    with np.errstate(over="ignore"):
        return float(np.multiply.reduceat(ratio, starts).sum())


def _search(
    ratios: np.ndarray, table: _Table, shared: np.random.Philox, times: np.random.Generator
) -> tuple[int, np.ndarray, int]:
    """argmin_k T_k / prod_i r_i(y_ki) over Poisson arrivals T_k: (k from 1, its letters, candidates early enough)."""
    n = len(ratios)
    most = float(ratios.max(1).prod())
    best, index, winner = np.inf, 0, np.zeros(n, np.int64)
    before, drawn, now, arrival = 0, 0, 0.0, np.zeros(0)
    while now < best * most:  # a later arrival scores more than now / most
        ahead = min(best * most - now, most / 4)
        count = 2 * int(min(max(ahead, FEWEST), MOST) // 2)
        letters = table.letters(_words(shared, count * n)).reshape(count, n)
        waits = times.standard_exponential(count)
        waits[0] += now
        arrival = np.cumsum(waits)
        ratio = ratios[0].take(letters[:, 0])
        for i in range(1, n):
            ratio *= ratios[i].take(letters[:, i])
        with np.errstate(divide="ignore"):
            score = arrival / ratio
        k = int(score.argmin())
        if score[k] < best:
            best, index, winner = float(score[k]), drawn + k + 1, letters[k]
        now, before, drawn = float(arrival[-1]), drawn, drawn + count
    return index, winner, max(index, before + int(np.searchsorted(arrival, best * most)))


def simulate(
    channel: ArrayLike,
    law: np.ndarray,
    *,
    block: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Draw Y ~ W(.|x) for every sample, block by block, as an index into candidates that a decoder draws as well.

    J = argmin_k T_k / r(Y_k) over Poisson arrivals T_k and candidates Y_k ~ q^n, r = W^n / q^n; then Y_J ~ W^n
    exactly (but for the rounding of T and r to float64), and E log2 J <= n I + 1. The search ends where no later
    arrival can win. Blocks are of consecutive samples; the last one is shorter where n does not divide their number.

    Args:
        channel: W(y|x), shape (samples, reproductions), rows summing to one.
        law: counts of q, from `quantised_law`; positive wherever W is.
        block: n, samples coded together; the search grows exponentially in n, see `expected_candidates`.
        seed: of the shared randomness, in [0, 2^64).
        progress: called as progress(blocks done, blocks) now and then.

    Raises:
        InputError: a row is no pmf, q does not cover it, or block or seed is out of range.

    Reference: C. T. Li and A. El Gamal, Strong functional representation lemma and applications to coding theorems,
    IEEE Trans. Inf. Theory 64 (2018); theory of the index in `mean_index`.

    >>> channel = [[0.9, 0.1]] * 2000 + [[0.1, 0.9]] * 2000
    >>> sent = simulate(channel, quantised_law(channel), block=2)
    >>> bool((reproduce(sent.indices, quantised_law(channel), samples=4000, block=2) == sent.reproduction).all())
    True
    >>> bool(abs(sent.reproduction[:2000].mean() - 0.1) < 0.02)
    True
    """
    w = as_channel(channel)
    law = _checked(law, block, seed)
    if len(law) != w.shape[1] or (w[:, law == 0] > 0).any():
        raise InputError("the law must have a positive count for every reproduction that may occur.")
    table = _table(law)
    inverse = _inverse(law)
    starts = range(0, len(w), block)
    indices, reproduction, candidates = np.zeros(len(starts), np.int64), np.zeros(len(w), np.int32), 0
    for b, start in enumerate(starts):
        ratios = w[start : start + block] * inverse
        times = np.random.Generator(_generator(seed, b, _TIMES))
        indices[b], letters, early = _search(ratios, table, _generator(seed, b, 0), times)
        reproduction[start : start + block] = letters
        candidates += early
        if progress is not None and (b % 64 == 63 or b + 1 == len(starts)):
            progress(b + 1, len(starts))
    return Simulation(indices, reproduction, candidates)


def _checked(law: np.ndarray, block: int, seed: int) -> np.ndarray:
    law = np.asarray(law, np.int64)
    if law.ndim != 1 or (law < 0).any() or law.sum() != TOTAL:
        raise InputError(f"a law is counts >= 0 that sum to {TOTAL}; got {law.sum()}. Use quantised_law.")
    if block < 1:
        raise InputError(f"block must be at least 1 sample; got {block}.")
    if not 0 <= seed < 1 << 64:
        raise InputError(f"seed must lie in [0, 2^64); got {seed}.")
    return law


def reproduce(indices: ArrayLike, law: np.ndarray, *, samples: int, block: int = 1, seed: int = 0) -> np.ndarray:
    """The candidates of given indices, which is all a decoder computes; integers only, so the same on every machine.

    Args:
        indices: J >= 1, int, shape (ceil(samples / block),).
        law: counts of q.
        samples: how many were coded.
        block: n, samples coded together.
        seed: of the shared randomness.

    Returns:
        Letters, int32, shape (samples,).

    Raises:
        InputError: the arguments do not belong together.
    """
    indices, law = np.asarray(indices, np.int64), _checked(law, block, seed)
    if len(indices) != -(-samples // block) or (indices < 1).any():
        raise InputError(f"{samples} samples in blocks of {block} take {-(-samples // block)} indices of at least 1.")
    table, reproduction = _table(law), np.zeros(samples, np.int32)
    chunk = max(MOST // block, 1)  # blocks at a time, so that the working memory does not grow with the samples
    for first in range(0, len(indices), chunk):
        words = []
        for b, j in enumerate(indices[first : first + chunk].tolist(), first):
            length = min(block, samples - b * block)
            step, skip = divmod((j - 1) * length, _WORDS)
            words.append(_words(_generator(seed, b, step), skip + length + (skip + length) % 2)[skip : skip + length])
        letters = table.letters(np.concatenate(words))
        reproduction[first * block : first * block + len(letters)] = letters
    return reproduction

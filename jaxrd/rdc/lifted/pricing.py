"""The function whose maximum over soft labels prices an atom, and its local maxima.

    g(xh, t) = sum_x a_x,xh exp(-sum_k mu_k KL(P(S_k|x) || t_k)),   a = p exp(v - mu_D excess)

An atom with g > 1 at the dual variables (v, mu) improves the channel. Each term is a weighted product of the t_s, with
powers P_xs = mu_k P(S_k = s|x), normalised to be 1 at its largest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd.rdc.lifted.atoms import Atoms, Core, log
from jaxrd.rdc.point import entropies

_ASCENTS = 30
_NEWTON_FROM = 6  # steps before this one use the slower, monotone step
_GRID = {2: 32, 3: 12}  # divisions of the label simplex to start from, by classes
_EPSILON = 4 * np.finfo(float).eps
LARGEST = 600.0  # largest exponent that does not overflow
_SAME = 7  # decimals of soft labels taken as the same
_EACH = 3  # reproductions tried with one soft label
_INSIDE = 1e-3  # how far from the faces of the simplex ascents start
_RANDOM = 200  # starts where the simplex is too large for a grid


class Price(NamedTuple):
    """g at some dual variables."""

    exponents: np.ndarray  # ln a, (n, columns), -inf for forbidden pairs
    powers: np.ndarray  # P, (n, classes of all labels)
    offset: np.ndarray  # sum_k mu_k H(S_k|x), (n,)
    labels: np.ndarray  # P(S|x) side by side, (n, classes of all labels)
    sizes: tuple[int, ...]  # classes of each label
    rounding: float  # relative, of g wherever it matters: where the exponents nearly cancel
    total: float  # sum of the labels' mu: the sum of every row of `powers`

    @property
    def coefficients(self) -> np.ndarray:
        """a, (n, columns); large where no soft label fits a letter's neighbours."""
        return np.exp(np.minimum(self.exponents, LARGEST))

    def terms(self, letter: np.ndarray, soft: np.ndarray) -> np.ndarray:
        """The terms of the sum at soft labels side by side (starts, classes), shape (starts, n)."""
        return np.exp(np.minimum(self.exponents.T[letter] + self.match(soft), LARGEST))

    def match(self, soft: np.ndarray) -> np.ndarray:
        """-sum_k mu_k KL, shape (starts, n)."""
        return np.minimum(log(soft) @ self.powers.T + self.offset, 0)


def price(core: Core, potential: np.ndarray, slopes: np.ndarray) -> Price:
    """g at v (n,) and mu (1 + labels,)."""
    labels = np.concatenate([np.zeros((len(core.source), 0)), *core.labels], 1)
    sizes = tuple(p.shape[1] for p in core.labels)
    allowed = np.isfinite(core.excess)
    offset = sum((mu * entropies(p) for mu, p in zip(slopes[1:], core.labels, strict=True)), np.zeros(len(core.source)))
    exponent = (np.log(core.source) + potential)[:, None] - slopes[0] * np.where(allowed, core.excess, 0)
    exponent = np.where(allowed, exponent, -np.inf)
    rounding = _EPSILON * (100 + float(np.abs(potential).max() + offset.max()))
    powers = labels * np.repeat(slopes[1:], sizes)
    return Price(exponent, powers, offset, labels, sizes, rounding, float(slopes[1:].sum()))


def split(price: Price, soft: np.ndarray) -> tuple[np.ndarray, ...]:
    """Soft labels side by side as one array a label."""
    return tuple(np.split(soft, np.cumsum(price.sizes)[:-1], axis=1)) if price.sizes else ()


def starts(core: Core, seed: int) -> np.ndarray:
    """Soft labels to ascend from, side by side: a grid of a small simplex, else mean labels of random letters."""
    rows = np.concatenate([np.zeros((len(core.source), 0)), *core.labels], 1)
    mean = (core.source @ rows)[None]
    # Ascents never leave a face, and where g is concave its maximum is inside.
    rows = (1 - _INSIDE) * rows + _INSIDE * mean
    soft = [rows, mean]
    classes = core.labels[0].shape[1] if len(core.labels) == 1 else 0
    if classes in _GRID:
        low = rows.min(0)
        soft.append(low + (1 - low.sum()) * _grid(classes, _GRID[classes]))
    elif core.labels:
        generator = np.random.default_rng(seed)
        soft.append(generator.dirichlet(np.full(len(rows), 0.1), _RANDOM) @ rows)
    return np.concatenate(soft)


def _grid(classes: int, divisions: int) -> np.ndarray:
    steps = np.stack(np.meshgrid(*[np.arange(divisions + 1)] * (classes - 1), indexing="ij"), -1).reshape(
        -1, classes - 1
    )
    steps = steps[steps.sum(1) <= divisions]
    return np.concatenate([steps, divisions - steps.sum(1, keepdims=True)], 1) / divisions


def ascend(price: Price, letter: np.ndarray, soft: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima of g over t from given starts: (values, soft labels side by side).

    t <- sum_x w_x P(.|x), w in proportion to the terms, never lowers g; later Newton's step on the same equation is
    taken wherever it raises g.
    """
    terms = price.terms(letter, soft)
    for step in range(_ASCENTS):
        total = terms.sum(1, keepdims=True)
        weights = terms / np.where(total > 0, total, 1)
        mean = np.where(total > 0, weights @ price.labels, soft)
        trial = mean
        if step >= _NEWTON_FROM and price.sizes:
            trial = soft + _newton(price, weights, soft, mean)
            outside = ~(np.isfinite(trial).all(1) & (trial >= 0).all(1))
            trial[outside] = mean[outside]
            trial = np.concatenate([part / part.sum(1, keepdims=True) for part in split(price, trial)], 1)
        new_terms = price.terms(letter, trial)
        worse = ~(new_terms.sum(1) >= terms.sum(1))
        if worse.any():
            trial[worse] = mean[worse]
            new_terms[worse] = price.terms(letter[worse], mean[worse])
        moved = np.abs(trial - soft).max(initial=0)
        soft, terms = trial, new_terms
        if moved < 1e-15:
            break
    return terms.sum(1), soft


def _newton(price: Price, weights: np.ndarray, soft: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The step that solves mean(t) = t linearised: mean'(t)_sr = Cov_w(P(s|x), P_xr) / t_r."""
    both = (weights[:, None, :] * price.labels.T) @ price.powers
    inside = np.where(soft > 1e-100, soft, np.inf)[:, None, :]  # at a face there is no Newton step
    slope = (both - mean[:, :, None] * (weights @ price.powers)[:, None, :]) / inside
    matrix = np.eye(soft.shape[1]) - slope
    matrix += 1e-12 * np.eye(soft.shape[1]) * (1 + np.abs(slope).max((1, 2), keepdims=True))
    try:
        return np.linalg.solve(matrix, (mean - soft)[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return mean - soft


def best_starts(price: Price, grid: np.ndarray, each: int) -> tuple[np.ndarray, np.ndarray]:
    """For every column the best few of the grid: (letter, soft labels side by side)."""
    values = np.exp(price.match(grid)) @ price.coefficients  # (starts, columns)
    order = np.argsort(-values, axis=0)[:each]
    letter = np.tile(np.arange(values.shape[1]), len(order))
    alive = values[order.ravel(), letter] > 0
    return letter[alive], grid[order.ravel()[alive]]


def distinct(price: Price, core: Core, letter: np.ndarray, soft: np.ndarray, values: np.ndarray) -> Atoms:
    """Different maxima, best first, each also with the reproduction that suits its letters best.

    Where the reproduction hardly matters, every column finds the same soft label: the first few of each are kept.
    """
    order = np.argsort(-values, kind="stable")
    suits = (price.terms(letter, soft)[order] @ np.where(np.isfinite(core.excess), core.excess, 1e300)).argmin(1)
    letters, softs = np.stack([letter[order], suits], 1).ravel(), np.repeat(soft[order], 2, 0)
    near = softs.round(_SAME)
    _, first = np.unique(np.concatenate([letters[:, None], near], 1), axis=0, return_index=True)
    first = np.sort(first)
    _, label = np.unique(near[first], axis=0, return_inverse=True)
    rank = np.array([np.count_nonzero(label.ravel()[:i] == k) for i, k in enumerate(label.ravel())], int)
    chosen = first[rank < _EACH]
    return Atoms(letters[chosen], split(price, softs[chosen]))


def new_atoms(price: Price, core: Core, letter: np.ndarray, soft: np.ndarray, values: np.ndarray, most: int) -> Atoms:
    """The best distinct maxima with g > 1."""
    better = values > 1 + 1e-13
    atoms = distinct(price, core, letter[better], soft[better], values[better])
    return atoms.take(np.arange(len(atoms.letter))[:most])

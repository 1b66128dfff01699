"""The function whose maximum over soft labels prices an atom, and its local maxima.

    g(xh, t) = sum_x a_x,xh prod_s t_s^(P_xs),   P = mu_k P(S_k|x) over all classes of all labels

At dual variables (v, mu): a = p exp(v - mu_D excess + sum_k mu_k H(S_k|x)); an atom with g > 1 improves the channel.
"""

from typing import NamedTuple

import numpy as np

from jaxrd.rdc.atoms import Atoms, Core, log
from jaxrd.rdc.point import entropies

ASCENTS = 30
NEWTON_FROM = 6  # steps before which the slower, monotone step leads
GRID = {2: 32, 3: 12}  # divisions of the label simplex to start from, by classes
SAME = 7  # decimals of soft labels taken as the same
EACH = 3  # reproductions tried with one soft label
RANDOM = 200  # starts where the simplex is too large for a grid


class Price(NamedTuple):
    """g at some dual variables."""

    coefficients: np.ndarray  # a, (n, columns)
    powers: np.ndarray  # P, (n, classes of all labels)
    labels: np.ndarray  # P(S|x) side by side, (n, classes of all labels)
    sizes: tuple[int, ...]  # classes of each label
    total: float  # sum of the labels' mu: the sum of every row of `powers`

    def terms(self, letter: np.ndarray, soft: np.ndarray) -> np.ndarray:
        """The terms of the sum at soft labels side by side (starts, classes), shape (starts, n)."""
        return self.coefficients.T[letter] * np.exp(log(soft) @ self.powers.T)


def price(core: Core, potential: np.ndarray, slopes: np.ndarray) -> Price:
    """g at v (n,) and mu (1 + labels,)."""
    labels = np.concatenate([np.zeros((len(core.source), 0)), *core.labels], 1)
    sizes = tuple(p.shape[1] for p in core.labels)
    allowed = np.isfinite(core.excess)
    offset = sum((mu * entropies(p) for mu, p in zip(slopes[1:], core.labels, strict=True)), np.zeros(len(core.source)))
    exponent = (potential + offset)[:, None] - slopes[0] * np.where(allowed, core.excess, 0)
    coefficients = core.source[:, None] * np.where(allowed, np.exp(exponent), 0)
    return Price(coefficients, labels * np.repeat(slopes[1:], sizes), labels, sizes, float(slopes[1:].sum()))


def split(price: Price, soft: np.ndarray) -> tuple[np.ndarray, ...]:
    """Soft labels side by side as one array a label."""
    return tuple(np.split(soft, np.cumsum(price.sizes)[:-1], axis=1)) if price.sizes else ()


def starts(core: Core, seed: int) -> np.ndarray:
    """Soft labels to ascend from, side by side: a grid of a small simplex, else mean labels of random sets of letters."""
    rows = np.concatenate([np.zeros((len(core.source), 0)), *core.labels], 1)
    found = [rows, (core.source @ rows)[None]]
    classes = core.labels[0].shape[1] if len(core.labels) == 1 else 0
    if classes in GRID:
        low = rows.min(0)
        found.append(low + (1 - low.sum()) * _grid(classes, GRID[classes]))
    elif core.labels:
        generator = np.random.default_rng(seed)
        found.append(generator.dirichlet(np.full(len(rows), 0.1), RANDOM) @ rows)
    return np.concatenate(found)


def _grid(classes: int, divisions: int) -> np.ndarray:
    steps = np.stack(np.meshgrid(*[np.arange(divisions + 1)] * (classes - 1), indexing="ij"), -1).reshape(-1, classes - 1)
    steps = steps[steps.sum(1) <= divisions]
    return np.concatenate([steps, divisions - steps.sum(1, keepdims=True)], 1) / divisions


def ascend(price: Price, letter: np.ndarray, soft: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima of g over t from given starts: (values, soft labels side by side).

    t <- sum_x w_x P(.|x), w in proportion to the terms, never lowers g; later Newton's step on the same equation is
    taken wherever it raises g.
    """
    terms = price.terms(letter, soft)
    for step in range(ASCENTS):
        weights = terms / terms.sum(1, keepdims=True)
        mean = weights @ price.labels
        trial = mean
        if step >= NEWTON_FROM:
            trial = soft + _newton(price, weights, soft, mean)
            outside = ~(np.isfinite(trial).all(1) & (trial >= 0).all(1))
            trial[outside] = mean[outside]
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
    both = np.einsum("ix,xs,xr->isr", weights, price.labels, price.powers, optimize=True)
    slope = (both - mean[:, :, None] * (weights @ price.powers)[:, None, :]) / np.maximum(soft, 1e-300)[:, None, :]
    matrix = np.eye(soft.shape[1]) - slope
    matrix += 1e-12 * np.eye(soft.shape[1]) * (1 + np.abs(slope).max((1, 2), keepdims=True))
    try:
        return np.linalg.solve(matrix, (mean - soft)[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return mean - soft


def best_starts(price: Price, grid: np.ndarray, each: int) -> tuple[np.ndarray, np.ndarray]:
    """For every column the best few of the grid: (letter, soft labels side by side)."""
    values = np.exp(log(grid) @ price.powers.T) @ price.coefficients  # (starts, columns)
    order = np.argsort(-values, axis=0)[:each]
    return np.tile(np.arange(values.shape[1]), len(order)), grid[order.ravel()]


def distinct(price: Price, core: Core, letter: np.ndarray, soft: np.ndarray, values: np.ndarray) -> Atoms:
    """Different maxima, best first, each also with the reproduction that suits its letters best.

    Where the reproduction hardly matters, every column finds the same soft label: the first few of each are kept.
    """
    order = np.argsort(-values, kind="stable")
    suits = (price.terms(letter, soft)[order] @ np.where(np.isfinite(core.excess), core.excess, 1e300)).argmin(1)
    letters, softs = np.stack([letter[order], suits], 1).ravel(), np.repeat(soft[order], 2, 0)
    near = softs.round(SAME)
    _, first = np.unique(np.concatenate([letters[:, None], near], 1), axis=0, return_index=True)
    first = np.sort(first)
    _, label = np.unique(near[first], axis=0, return_inverse=True)
    rank = np.array([np.count_nonzero(label.ravel()[:i] == k) for i, k in enumerate(label.ravel())], int)
    chosen = first[rank < EACH]
    return Atoms(letters[chosen], split(price, softs[chosen]))


def new_atoms(price: Price, core: Core, letter: np.ndarray, soft: np.ndarray, values: np.ndarray, most: int) -> Atoms:
    """The best distinct maxima with g > 1."""
    better = values > 1 + 1e-13
    found = distinct(price, core, letter[better], soft[better], values[better])
    return found.take(np.arange(len(found.letter))[:most])

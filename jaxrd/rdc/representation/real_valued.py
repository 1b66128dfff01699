"""Theorems 4 and 5 of [B]: what a representation offers to real-valued reproductions under squared error.

For any decoder Z -> Xh,  E|X - Xh|^2 = mmse + E|X~ - Xh|^2  with X~ = E[X|Z]. The theorems replace the second term by
W2^2 of the two laws; that holds for a perception constraint, which depends on the law of Xh alone, but H(S|Xh) depends
on the joint law. The correct term is the least E|X~ - Xh|^2 over decoders. As arbitrarily small changes of Xh may carry
any function of Z, the closure of the region is the quadrant D >= mmse, C >= H(S|Z): its two extreme points coincide.

Theorem 5 bounds distortions from below by those of Theorem 4. Its bounds need D(b) <= 2 D1, which holds where the
reproduction has the source's law; otherwise they may fail (`premise`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from jaxrd.rdc.inputs import Labels
from jaxrd.rdc.perception.transport import transport
from jaxrd.rdc.point import entropies
from jaxrd.rdc.representation.region import seen_through


class _Extremes(NamedTuple):
    """What can be decoded from Z, and what Theorem 4 says of it."""

    estimate: np.ndarray  # X~ of each z, shape (representations, dimensions)
    weights: np.ndarray  # P(z)
    mmse: float
    """E|X - X~|^2, the least distortion."""
    classification: float
    """H(S|Z), nats, the least classification loss: with `mmse` the corner of the closure."""
    printed_classification: float
    """C^(a) = H(S|X~): larger where two z share an estimate. Attained at `mmse`; so is, nearly, `classification`."""


def extremes(source: ArrayLike, values: ArrayLike, labels: Labels, representation: ArrayLike) -> _Extremes:
    """The corner of what Z offers, and point (a) of Theorem 4.

    Args:
        source: p, shape (n,).
        values: of the source letters, shape (n,) or (n, dimensions).
        labels: P(S|X), shape (n, classes).
        representation: P(z|x), shape (n, representations).

    Raises:
        InputError: bad input.

    >>> found = extremes([0.5, 0.5], [-1.0, 1.0], np.eye(2), np.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> round(found.mmse, 6), round(found.classification, 6)
    (0.36, 0.325083)
    """
    points = np.asarray(values, float)
    points = points[:, None] if points.ndim == 1 else points
    seen = seen_through(source, labels, representation)
    weights = seen.joint.sum(0)
    safe = np.where(weights > 0, weights, 1)[:, None]
    estimate = seen.joint.T @ points / safe
    squares = ((points[:, None] - estimate) ** 2).sum(2)
    with_label = seen.joint.T @ seen.labels[0]
    _, same = np.unique(estimate.round(12), axis=0, return_inverse=True)
    merged = np.zeros((same.max() + 1, with_label.shape[1]))
    np.add.at(merged, same.ravel(), with_label)
    mass = merged.sum(1)
    return _Extremes(
        estimate,
        weights,
        float((seen.joint * squares).sum()),
        float(weights @ entropies(with_label / safe)),
        float(mass @ entropies(merged / np.where(mass > 0, mass, 1)[:, None])),
    )


def decoded_distortion(found: _Extremes, values: ArrayLike, decoder: ArrayLike) -> float:
    """E|X - Xh|^2 of a decoder, mmse + E|X~ - Xh|^2: Theorem 4 with the right second term.

    Args:
        found: by `extremes`.
        values: of the reproductions, shape (m,) or (m, dimensions).
        decoder: P(xh|z), shape (representations, m).

    >>> found = extremes([0.5, 0.5], [-1.0, 1.0], np.eye(2), np.eye(2))
    >>> decoded_distortion(found, [0.0], np.ones((2, 1)))
    1.0
    """
    points = np.asarray(values, float)
    points = points[:, None] if points.ndim == 1 else points
    squares = ((found.estimate[:, None] - points) ** 2).sum(2)
    return found.mmse + float((found.weights[:, None] * np.asarray(decoder, float) * squares).sum())


def printed_extreme_distortion(found: _Extremes, pmf: ArrayLike, values: ArrayLike) -> float:
    """D^(b) of Theorem 4 as printed, mmse + W2^2(p_X~, p_Xh): for reproduction only.

    Args:
        found: by `extremes`.
        pmf: of the reproduction of least classification loss, shape (m,).
        values: of its letters, shape (m,) or (m, dimensions).

    >>> found = extremes([0.5, 0.5], [-1.0, 1.0], np.eye(2), np.eye(2))
    >>> printed_extreme_distortion(found, [0.5, 0.5], [-1.0, 1.0])
    0.0
    """
    points = np.asarray(values, float)
    points = points[:, None] if points.ndim == 1 else points
    squares = ((found.estimate[:, None] - points) ** 2).sum(2)
    return found.mmse + transport(found.weights, pmf, squares).cost


def distortion_gap(variance: ArrayLike, first: ArrayLike, last_variance: ArrayLike) -> np.ndarray:
    """The bound (12) of Theorem 5, its last term outside the root: D3 - D^(b) is at least this where `premise` holds.

        variance + v3 - 2 sqrt(v3) sqrt(variance - D1) - 2 D1

    Where the reproduction has the source's law (v3 = variance) it is never positive.

    Args:
        variance: of X, total.
        first: D1, the distortion of the representation's own reproduction.
        last_variance: v3, of the reproduction of least classification loss.

    >>> round(float(distortion_gap(1.0, 0.1, 1.0)), 6)
    -0.097367
    """
    v, d, w = (np.asarray(a, float) for a in (variance, first, last_variance))
    return v + w - 2 * np.sqrt(w) * np.sqrt(v - d) - 2 * d


def distortion_ratio(variance: ArrayLike, first: ArrayLike, last_variance: ArrayLike) -> np.ndarray:
    """The bound (13) of Theorem 5: D3 / D^(b) is at least this where `premise` holds; arguments as `distortion_gap`.

    >>> round(float(distortion_ratio(1.0, 0.1, 1.0)), 6)
    0.513167
    """
    d = np.asarray(first, float)
    return (distortion_gap(variance, first, last_variance) + 2 * d) / (2 * d)


def premise(first: ArrayLike, extreme: ArrayLike) -> np.ndarray:
    """What Theorem 5 needs and does not say: D^(b) <= 2 D1.

    Args:
        first: D1.
        extreme: D^(b).

    >>> bool(premise(0.01, 0.82))
    False
    """
    return np.asarray(extreme, float) <= 2 * np.asarray(first, float)

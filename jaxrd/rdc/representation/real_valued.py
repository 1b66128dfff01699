"""Theorems 4 and 5 of [B]: what a representation offers to real-valued reproductions under squared error.

For any decoder Z -> Xh,  E|X - Xh|^2 = mmse + E|X~ - Xh|^2  with X~ = E[X|Z]. The theorems replace the second term by
W2^2 of the two laws; that holds for a perception constraint, which depends on the law of Xh alone, but H(S|Xh) depends
on the joint law. The correct term is the least E|X~ - Xh|^2 over decoders. As arbitrarily small changes of Xh may carry
any function of Z, the closure of the region is the quadrant D >= mmse, C >= H(S|Z): its two extreme points coincide.
Among reproductions of a given law, such as the source's, the extreme point is (mmse + W2^2, H(S|Z)).

Theorem 5 bounds distortions from below by those of Theorem 4. Its bounds need D(b) <= 2 D1, which holds where the
reproduction has the source's law; otherwise they may fail (`premise`). `jaxrd reproduce rdc-thm5` shows both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.rdc.inputs import Labels, floats
from jaxrd.rdc.perception.transport import transport
from jaxrd.rdc.point import entropies
from jaxrd.rdc.representation.region import seen_through


@readable
class Extremes(NamedTuple):
    """What can be decoded from Z, and what Theorem 4 says of it.

    Args:
        estimate: X~ = E[X|Z] of each z, shape (representations, dimensions).
        weights: P(z), shape (representations,).
        mmse: E|X - X~|^2, the least distortion, in the squared unit of the values.
        classification: H(S|Z), nats, the least classification loss: with `mmse` the corner of the closure.
        printed_classification: C^(a) = H(S|X~), nats: larger where two z share an estimate. Attained at `mmse`; so is,
            nearly, `classification`.

    Reference: [B] Theorem 4, as corrected.

    >>> extremes([0.5, 0.5], [-1.0, 1.0], np.eye(2), np.eye(2)).mmse  # Z is X
    0.0
    """

    estimate: np.ndarray
    weights: np.ndarray
    mmse: float
    classification: float
    printed_classification: float


def extremes(source: ArrayLike, values: ArrayLike, labels: Labels, representation: ArrayLike) -> Extremes:
    """The corner of what Z offers, and point (a) of Theorem 4.

    Args:
        source: p, shape (n,).
        values: of the source letters, shape (n,) or (n, dimensions).
        labels: P(S|X), shape (n, classes).
        representation: P(z|x), shape (n, representations).

    Raises:
        InputError: a source, labels or a representation that are none; values of another number of letters.

    Reference: [B] Theorem 4, equation (11) as corrected.

    >>> found = extremes([0.5, 0.5], [-1.0, 1.0], np.eye(2), np.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> round(found.mmse, 6), round(found.classification, 6)
    (0.36, 0.325083)
    """
    points = _points("values", values)
    seen = seen_through(source, labels, representation)
    if len(points) != len(seen.joint):
        raise InputError(f"values must be one for each of {len(seen.joint)} source letters; got {len(points)}.")
    weights = seen.joint.sum(0)
    safe = np.where(weights > 0, weights, 1)[:, None]
    estimate = seen.joint.T @ points / safe
    squares = ((points[:, None] - estimate) ** 2).sum(2)
    with_label = seen.joint.T @ seen.labels[0]
    _, same = np.unique(estimate.round(12), axis=0, return_inverse=True)
    merged = np.zeros((same.max() + 1, with_label.shape[1]))
    np.add.at(merged, same.ravel(), with_label)
    mass = merged.sum(1)
    return Extremes(
        estimate,
        weights,
        float((seen.joint * squares).sum()),
        float(weights @ entropies(with_label / safe)),
        float(mass @ entropies(merged / np.where(mass > 0, mass, 1)[:, None])),
    )


def decoded_distortion(found: Extremes, values: ArrayLike, decoder: ArrayLike) -> float:
    """E|X - Xh|^2 of a decoder, mmse + E|X~ - Xh|^2: Theorem 4 with the right second term.

    Args:
        found: by `extremes`.
        values: of the reproductions, shape (m,) or (m, dimensions).
        decoder: P(xh|z), shape (representations, m).

    Returns:
        In the squared unit of the values.

    Raises:
        InputError: values or a decoder of another shape.

    Reference: [B] Theorem 4 as corrected.

    >>> found = extremes([0.5, 0.5], [-1.0, 1.0], np.eye(2), np.eye(2))
    >>> decoded_distortion(found, [0.0], np.ones((2, 1)))
    1.0
    """
    squares = _squares(found, values)
    chosen = floats("decoder", decoder)
    if chosen.shape != squares.shape:
        raise InputError(f"decoder must be P(xh|z), shape {squares.shape}; got {chosen.shape}.")
    return found.mmse + float((found.weights[:, None] * chosen * squares).sum())


def printed_extreme_distortion(found: Extremes, pmf: ArrayLike, values: ArrayLike) -> float:
    """D^(b) of Theorem 4 as printed, mmse + W2^2(p_X~, p_Xh): the least distortion of reproductions of a given law.

    That is what a perception constraint asks for. For a classification loss it is no more than a lower bound on the
    distortion of reproductions of that law: their joint law with S counts too.

    Args:
        found: by `extremes`.
        pmf: of the reproduction (in the theorem: of the one of least classification loss), shape (m,).
        values: of its letters, shape (m,) or (m, dimensions).

    Returns:
        In the squared unit of the values; W2^2 is the cost of the coupling that a linear program finds.

    Raises:
        InputError: values of another shape.

    Reference: [B] Theorem 4, the point (b).

    >>> found = extremes([0.5, 0.5], [-1.0, 1.0], np.eye(2), np.eye(2))
    >>> printed_extreme_distortion(found, [0.5, 0.5], [-1.0, 1.0])
    0.0
    """
    return found.mmse + transport(found.weights, floats("pmf", pmf), _squares(found, values)).cost


def _points(name: str, values: ArrayLike) -> np.ndarray:
    """Letters as rows, shape (letters, dimensions)."""
    points = floats(name, values)
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2:
        raise InputError(f"{name} must have shape (letters,) or (letters, dimensions); got {points.shape}.")
    return points


def _squares(found: Extremes, values: ArrayLike) -> np.ndarray:
    """|X~ - xh|^2, shape (representations, m)."""
    points = _points("values", values)
    if points.shape[1] != found.estimate.shape[1]:
        raise InputError(f"values must have {found.estimate.shape[1]} dimension(s); got {points.shape[1]}.")
    return ((found.estimate[:, None] - points) ** 2).sum(2)


def distortion_gap(variance: ArrayLike, first: ArrayLike, last_variance: ArrayLike) -> np.ndarray:
    """The bound (12) of Theorem 5, its last term outside the root: D3 - D^(b) is at least this where `premise` holds.

        variance + v3 - 2 sqrt(v3) sqrt(variance - D1) - 2 D1

    In print "- 2 D1" stands inside the root. Where the reproduction has the source's law (v3 = variance) the bound is
    never positive: it says how far D^(b) may lie above D3, at most half the variance, and nothing of how far below.

    Args:
        variance: of X, total, any shape.
        first: D1, the distortion of the representation's own reproduction, broadcast against it.
        last_variance: v3, of the reproduction of least classification loss, broadcast too.

    Returns:
        In the unit of the arguments; NaN where D1 > variance.

    Raises:
        InputError: an argument that is no number.

    Reference: [B] Theorem 5, equation (12) as corrected.

    >>> round(float(distortion_gap(1.0, 0.1, 1.0)), 6)
    -0.097367
    """
    v, d, w = _numbers(variance=variance, first=first, last_variance=last_variance)
    left = np.sqrt(np.where(d <= v, v - d, np.nan))
    return v + w - 2 * np.sqrt(w) * left - 2 * d


def distortion_ratio(variance: ArrayLike, first: ArrayLike, last_variance: ArrayLike) -> np.ndarray:
    """The bound (13) of Theorem 5: D3 / D^(b) is at least this where `premise` holds.

        (variance + v3 - 2 sqrt(v3) sqrt(variance - D1)) / (2 D1)

    Where the reproduction has the source's law it rises from 1/2 at D1 = 0 to 1 at D1 = variance.

    Args:
        variance, first, last_variance: as of `distortion_gap`.

    Returns:
        No unit.

    Raises:
        InputError: an argument that is no number.

    Reference: [B] Theorem 5, equation (13).

    >>> round(float(distortion_ratio(1.0, 0.1, 1.0)), 6)
    0.513167
    """
    (d,) = _numbers(first=first)
    return (distortion_gap(variance, first, last_variance) + 2 * d) / (2 * d)


def premise(first: ArrayLike, extreme: ArrayLike) -> np.ndarray:
    """What Theorem 5 needs and does not say: D^(b) <= 2 D1.

    It holds where the reproduction has the source's law, as W2^2(p_X~, p_X) <= E|X~ - X|^2 = D1.

    Args:
        first: D1, any shape.
        extreme: D^(b), broadcast against it.

    Returns:
        Booleans.

    Raises:
        InputError: an argument that is no number.

    Reference: [B] Theorem 5.

    >>> bool(premise(0.01, 0.82))
    False
    """
    d, e = _numbers(first=first, extreme=extreme)
    return e <= 2 * d


def _numbers(**given: ArrayLike) -> list[np.ndarray]:
    return [floats(name, value) for name, value in given.items()]

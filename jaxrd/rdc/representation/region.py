"""What can be decoded from a given representation: the region Omega(p_{Z|X}) of pairs (D, C), in each semantics.

For a source X with labels S and a representation Z of it, the pairs E d(X, Xh) <= D, H(S|Xh) <= C (or the loss of a
given classifier) that some decoder of Z meets. At a rate R, Omega(R) is the union over all Z with I(X;Z) <= R: its
boundary is the least C at each (D, R). With a perception bound in place of the label, the least distortion decoded from
Z at each P is `classification_distortion_perception(problem, distortion, inf, P, observation=representation)`.

Reference: [B] section IV, Theorem 4 as corrected.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.problem import Problem
from jaxrd.rdc.inputs import Labels, as_inputs, as_problem, floats
from jaxrd.rdc.point import FIXED, LIFTED, TIME_SHARED, entropies, width
from jaxrd.solution import Status, has_converged

_MOST_DECODERS = 10**6
_BATCH = 2**14
_ROUNDING = 16 * np.finfo(float).eps  # of a loss, relative to one plus it: by less no decoder is better than another


@readable
class Region(NamedTuple):
    """The vertices of a region's lower-left boundary, D rising, C falling; what lies above and right is in it too.

    Args:
        semantics: "time-shared", "fixed" or "lifted".
        distortion: D of each vertex, in the unit of the problem's distortion, shape (vertices,).
        classification: C of each vertex, nats, shape (vertices,).
        decoders: the letter of each z at each vertex, int, shape (vertices, representations); -1 for lifted, where it
            is soft.

    Reference: [B] section IV-A, Omega(p_{Z|X}); Theorem 4 as corrected.

    >>> problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> found = time_shared_region(problem, np.eye(2), np.eye(2))
    >>> found.distortion.tolist(), found.classification.tolist()  # nothing is lost: one vertex, at (0, 0)
    ([0.0], [0.0])
    """

    semantics: str
    distortion: np.ndarray
    classification: np.ndarray
    decoders: np.ndarray

    @property
    def value(self) -> np.ndarray:
        """The least loss at each distortion: `classification`, under the name that all inverses share."""
        return self.classification

    @property
    def lower(self) -> np.ndarray:
        """`classification` again: the vertices are exact. A representation has decoders, so none is INFEASIBLE."""
        return self.classification

    @property
    def status(self) -> np.ndarray:
        """EXACT at each vertex, shape (vertices,)."""
        return np.full(len(self.distortion), int(Status.EXACT))

    @property
    def gap(self) -> np.ndarray:
        """Zero at each vertex."""
        return width(self.value, self.lower)

    @property
    def converged(self) -> np.ndarray:
        """True at each vertex."""
        return has_converged(self.status)


class _Seen(NamedTuple):
    """A source through a representation."""

    joint: np.ndarray  # P(x, z)
    labels: tuple[np.ndarray, ...]


def seen_through(source: ArrayLike, labels: Labels, representation: ArrayLike) -> _Seen:
    """P(x, z) and the labels, checked.

    Raises:
        InputError: quotes the offending value.
    """
    pmf = floats("source", source)
    inputs = as_inputs(Problem(pmf, np.zeros((pmf.size, 1))), labels)
    channel = floats("representation", representation)
    if channel.ndim != 2 or len(channel) != pmf.size:
        raise InputError(f"representation must be P(z|x), shape ({pmf.size}, representations); got {channel.shape}.")
    channel = np.where(pmf[:, None] > 0, channel, 1 / channel.shape[1])  # a letter of mass zero has no effect
    if not (channel >= 0).all() or not np.allclose(channel.sum(1), 1, atol=1e-6):
        row = channel[np.argmax((channel < 0).any(1) | ~np.isclose(channel.sum(1), 1, atol=1e-6))]
        raise InputError(f"representation must be >= 0 with rows that sum to 1; got a row {row[:8]!s}.")
    return _Seen(inputs.source[:, None] * channel / channel.sum(1, keepdims=True), inputs.labels)


def _finite_distortion(problem: Problem) -> np.ndarray:
    """d, shape (n, m).

    Raises:
        InputError: +inf in it, or a problem that is none.
    """
    values = as_problem(problem)[1]
    if not np.isfinite(values).all():
        raise InputError("distortion must be finite here; got +inf. Pass a large cost.")
    return values


def decoding(problem: Problem, labels: Labels, representation: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The costs and labels of each z: sum_x P(x, z) d(x, xh), shape (z, m), and P(z, s), shape (z, classes).

    Raises:
        InputError: bad input; more labels than one.
    """
    distortion, seen = _finite_distortion(problem), seen_through(problem.source, labels, representation)
    if len(seen.labels) != 1:
        raise InputError(f"one label is needed for a region of pairs; got {len(seen.labels)}.")
    return seen.joint.T @ distortion, seen.joint.T @ seen.labels[0]


def enumerable(letters: int, representations: int) -> None:
    """Whether the deterministic decoders can all be tried.

    Raises:
        InputError: they are more than a million.
    """
    if letters**representations > _MOST_DECODERS:
        raise InputError(
            f"{letters} letters for {representations} representations make {letters**representations} decoders, over "
            f"{_MOST_DECODERS}."
        )


def lower_hull(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Indices of the vertices of the lower-left convex hull of points, the first coordinate rising, the second falling.

    >>> lower_hull(np.array([0.0, 1.0, 0.5, 2.0]), np.array([2.0, 0.0, 1.5, 1.0])).tolist()
    [0, 1]
    """
    hull: list[int] = []
    for i in np.lexsort((second, first)):
        if hull and second[i] >= second[hull[-1]] - _ROUNDING * (1 + abs(second[i])):
            continue
        while len(hull) > 1:
            a, b = hull[-2:]
            left = (first[b] - first[a]) * (second[i] - second[a])
            if left > (second[b] - second[a]) * (first[i] - first[a]):
                break
            hull.pop()
        hull.append(int(i))
    return np.array(hull, int)


def time_shared_region(problem: Problem, labels: Labels, representation: ArrayLike) -> Region:
    """The region of decoders Z -> Xh that may share time: the lower hull of the deterministic ones.

    H(S|Xh) is concave in the decoder: mixing letters lies above the chord between deterministic decoders. The literal
    region, without time sharing, lies inside this one and touches it at its vertices.

    Args:
        problem: source (n,), distortion (n, m), finite.
        labels: P(S|X), shape (n, classes), one label.
        representation: P(z|x), shape (n, representations).

    Raises:
        InputError: bad input; more than a million deterministic decoders.

    >>> problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> found = time_shared_region(problem, np.eye(2), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> round(float(found.distortion[0]), 4), found.decoders[0].tolist()
    (0.15, [0, 1])
    """
    charged, with_label = decoding(problem, labels, representation)
    count, m = charged.shape
    enumerable(m, count)
    d, c, decoders = [], [], []
    for start in range(0, m**count, _BATCH):
        index = np.arange(start, min(start + _BATCH, m**count))
        chosen = index[:, None] // m ** np.arange(count)[::-1] % m
        grouped = np.einsum("izy,zs->iys", chosen[:, :, None] == np.arange(m), with_label)
        mass = grouped.sum(2, keepdims=True)
        c.append((mass[:, :, 0] * entropies(grouped / np.where(mass > 0, mass, 1))).sum(1))
        d.append(charged[np.arange(count), chosen].sum(1))
        decoders.append(chosen)
    d, c, decoders = np.concatenate(d), np.concatenate(c), np.concatenate(decoders)
    hull = lower_hull(d, c)
    return Region(TIME_SHARED, d[hull], c[hull], decoders[hull])


def fixed_classifier_region(problem: Problem, cross_entropy: ArrayLike, representation: ArrayLike) -> Region:
    """The region for a given classifier: every z adds its own lower hull, so the boundary is their edges by slope.

    Args:
        problem: source (n,), distortion (n, m), finite.
        cross_entropy: - sum_s P(s|x) ln c(s|xh), finite, shape (n, m).
        representation: P(z|x), shape (n, representations).

    Raises:
        InputError: bad input.

    >>> problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> loss = np.array([[0.5, 0.1], [0.9, 0.3]])  # a classifier that prefers the letter 1
    >>> found = fixed_classifier_region(problem, loss, np.eye(2))
    >>> [round(float(x), 3) for x in found.distortion], [round(float(x), 3) for x in found.classification]
    ([0.0, 0.5], [0.4, 0.2])
    """
    distortion = _finite_distortion(problem)
    seen = seen_through(problem.source, np.ones((len(distortion), 1)), representation)
    loss = floats("cross_entropy", cross_entropy)
    if loss.shape == distortion.shape:
        loss = np.where(np.asarray(problem.source)[:, None] > 0, loss, 0.0)
    if loss.shape != distortion.shape or not np.isfinite(loss).all():
        raise InputError(f"cross_entropy must be finite, shape {distortion.shape}; got shape {loss.shape}.")
    d, c = seen.joint.T @ distortion, seen.joint.T @ loss  # (z, m)
    hulls = [lower_hull(*pair) for pair in zip(d, c, strict=True)]
    decoder = np.array([hull[0] for hull in hulls])
    rows = np.arange(len(hulls))
    edges = [
        ((c[z, after] - c[z, before]) / (d[z, after] - d[z, before]), z, after)
        for z, hull in enumerate(hulls)
        for before, after in pairwise(hull)
    ]
    decoders = [decoder]
    for _, z, after in sorted(edges, key=lambda edge: edge[0]):  # steepest first: the hull is convex
        decoder = decoder.copy()
        decoder[z] = after
        decoders.append(decoder)
    d, c = (np.array([values[rows, letters].sum() for letters in decoders]) for values in (d, c))
    return Region(FIXED, d, c, np.array(decoders))


def lifted_region(problem: Problem, labels: Labels, representation: ArrayLike) -> Region:
    """The region where the decoder may emit a soft label: the quadrant D >= E min_xh E[d|Z], C >= H(S|Z).

    Args:
        problem: source (n,), distortion (n, m), finite.
        labels: P(S|X), shape (n, classes), one label.
        representation: P(z|x), shape (n, representations).

    Raises:
        InputError: bad input.

    >>> problem = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> found = lifted_region(problem, np.eye(2), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> round(float(found.distortion[0]), 4), round(float(found.classification[0]), 4)
    (0.15, 0.4178)
    """
    charged, with_label = decoding(problem, labels, representation)
    mass = with_label.sum(1)
    loss = mass @ entropies(with_label / np.where(mass > 0, mass, 1)[:, None])
    return Region(LIFTED, charged.min(1).sum()[None], loss[None], np.full((1, len(mass)), -1))

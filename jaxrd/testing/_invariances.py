"""Laws that relate the points of two problems; an implementation is a function from a problem to a point."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.problem import Problem
from jaxrd.testing._point_laws import dense


class Implementation(Protocol):
    """A solver under test: (source, distortion, slope) -> (rate in nats, distortion), numpy in and numbers out."""

    def __call__(self, source: np.ndarray, distortion: np.ndarray, slope: float, /) -> tuple[float, float]:
        """The point of the curve at a slope in nats per unit of distortion."""
        ...


def assert_same_when_permuted(
    implementation: Implementation, problem: Problem, slope: float, *, seed: int = 0, tol: float = 1e-6
) -> None:
    """Fail unless L(s) = R + s D stays when the letters of source and reproduction change places.

    Args:
        implementation: (source, distortion, slope) -> (rate in nats, distortion).
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion.
        seed: of the permutations.
        tol: nats, relative to max(1, |L(s)|).

    Raises:
        AssertionError: quotes both values.

    Reference: Cover and Thomas, Elements of Information Theory, section 10.2: R depends on the joint law alone.

    >>> coin = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> assert_same_when_permuted(lambda p, d, s: (p[0], 0.0), coin, 1.0, seed=1)
    Traceback (most recent call last):
        ...
    AssertionError: permuted letters change L(s) at slope 1: 0.7 becomes 0.3.
    """
    p, d = dense(problem)
    g = np.random.default_rng(seed)
    rows, columns = _permutation(g, len(p)), _permutation(g, d.shape[1])
    before, after = _value(implementation, p, d, slope), _value(implementation, p[rows], d[rows][:, columns], slope)
    _same("permuted letters change L(s)", slope, before, after, tol)


def assert_same_when_duplicated(
    implementation: Implementation, problem: Problem, slope: float, *, tol: float = 1e-6
) -> None:
    """Fail unless L(s) = R + s D stays when a source letter is split in halves and a reproduction letter doubled.

    Both at once, so that a square matrix stays square.

    Args:
        implementation: (source, distortion, slope) -> (rate in nats, distortion).
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion.
        tol: nats, relative to max(1, |L(s)|).

    Raises:
        AssertionError: quotes both values.

    Reference: Cover and Thomas, Elements of Information Theory, section 10.2, and theorem 2.8.1 (data processing).

    >>> coin = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> assert_same_when_duplicated(lambda p, d, s: (float(len(p)), 0.0), coin, 1.0)
    Traceback (most recent call last):
        ...
    AssertionError: duplicated letters change L(s) at slope 1: 2 becomes 3.
    """
    p, d = dense(problem)
    halves = np.r_[p[0] / 2, p[0] / 2, p[1:]]
    doubled = np.c_[d[:, :1], d]
    before, after = (
        _value(implementation, p, d, slope),
        _value(implementation, halves, np.r_[doubled[:1], doubled], slope),
    )
    _same("duplicated letters change L(s)", slope, before, after, tol)


def assert_same_when_scaled(
    implementation: Implementation, problem: Problem, slope: float, factor: float, *, tol: float = 1e-6
) -> None:
    """Fail unless L(s) = R + s D stays when the unit of the distortion changes: (a d, s / a) in place of (d, s).

    Args:
        implementation: (source, distortion, slope) -> (rate in nats, distortion).
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion.
        factor: a > 0.
        tol: nats, relative to max(1, |L(s)|).

    Raises:
        AssertionError: quotes both values.

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972: s and d
    appear as s d alone.

    >>> coin = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> assert_same_when_scaled(lambda p, d, s: (0.0, d.mean() ** 2), coin, 1.0, 10.0)
    Traceback (most recent call last):
        ...
    AssertionError: a distortion scaled by 10 changes L(s) at slope 1: 0.25 becomes 2.5.
    """
    p, d = dense(problem)
    before, after = _value(implementation, p, d, slope), _value(implementation, p, factor * d, slope / factor)
    _same(f"a distortion scaled by {factor:g} changes L(s)", slope, before, after, tol)


def assert_shifts_with_rows(
    implementation: Implementation, problem: Problem, slope: float, shift: ArrayLike, *, tol: float = 1e-6
) -> None:
    """Fail unless L(s) = R + s D rises by s E a when a_x is added to the row x of the distortion.

    Args:
        implementation: (source, distortion, slope) -> (rate in nats, distortion).
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion.
        shift: a, in the unit of the distortion, shape (n,) or ().
        tol: nats, relative to max(1, |L(s)|).

    Raises:
        AssertionError: quotes what it is and what it should be.

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972: a factor
    of a row of exp(-s d) leaves the channel as it is.

    >>> coin = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> assert_shifts_with_rows(lambda p, d, s: (0.0, d.min()), coin, 1.0, [0.5, 1.0])
    Traceback (most recent call last):
        ...
    AssertionError: rows shifted by 0.75 on average do not add that to L(s) at slope 1: 0.75 becomes 0.5.
    """
    p, d = dense(problem)
    added = np.broadcast_to(np.asarray(shift, float), p.shape)
    mean = float(p @ added)
    before = _value(implementation, p, d, slope)
    expected, found = before + slope * mean, _value(implementation, p, d + added[:, None], slope)
    _same(f"rows shifted by {mean:g} on average do not add that to L(s)", slope, expected, found, tol, before)


def assert_adds(
    implementation: Implementation, first: Problem, second: Problem, slope: float, *, tol: float = 1e-6
) -> None:
    """Fail unless two independent sources with summed distortions have L(s) = L_1(s) + L_2(s).

    Args:
        implementation: (source, distortion, slope) -> (rate in nats, distortion).
        first: source (n,), distortion (n, m).
        second: source (k,), distortion (k, l); together they have n k and m l letters.
        slope: s >= 0, nats per unit of distortion.
        tol: nats, relative to max(1, |L(s)|).

    Raises:
        AssertionError: quotes the sum and the value.

    Reference: C. Shannon, Coding theorems for a discrete source with a fidelity criterion, 1959: memoryless sources.

    >>> coin = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> assert_adds(lambda p, d, s: (1.0, 0.0), coin, coin, 1.0)
    Traceback (most recent call last):
        ...
    AssertionError: two independent sources do not add up in L(s) at slope 1: 2 becomes 1.
    """
    (p, d), (r, e) = dense(first), dense(second)
    joint = (d[:, None, :, None] + e[None, :, None, :]).reshape(len(p) * len(r), -1)
    apart = _value(implementation, p, d, slope) + _value(implementation, r, e, slope)
    together = _value(implementation, np.outer(p, r).ravel(), joint, slope)
    _same("two independent sources do not add up in L(s)", slope, apart, together, tol)


def assert_data_processing(
    implementation: Implementation, problem: Problem, slope: float, channel: ArrayLike, *, tol: float = 1e-6
) -> None:
    """Fail if an encoder that sees the source through a channel does better than one that sees the source.

    The remote problem has the source of the channel's outputs t and d'(t, y) = E[d(X, y) | T = t]; its L(s) is never
    smaller.

    Args:
        implementation: (source, distortion, slope) -> (rate in nats, distortion).
        problem: source (n,), distortion (n, m).
        slope: s >= 0, nats per unit of distortion.
        channel: P(t|x), rows of sum 1, shape (n, k).
        tol: nats, relative to max(1, |L(s)|).

    Raises:
        AssertionError: quotes both values.

    Reference: H. Witsenhausen, Indirect rate distortion problems, IEEE Trans. IT 1980.

    >>> coin = Problem(np.array([0.5, 0.5]), 1 - np.eye(2))
    >>> assert_data_processing(lambda p, d, s: (0.0, -d.min()), coin, 1.0, [[0.75, 0.25], [0.25, 0.75]])
    Traceback (most recent call last):
        ...
    AssertionError: seen through a channel the source is easier at slope 1: L(s) = -0.25, and 0 without the channel.
    """
    p, d = dense(problem)
    joint = p[:, None] * np.asarray(channel, float)
    joint = joint[:, joint.sum(0) > 0]
    seen = joint.sum(0)
    direct = _value(implementation, p, d, slope)
    remote = _value(implementation, seen, (joint / seen).T @ d, slope)
    if not remote >= direct - tol * max(1.0, abs(direct)):
        raise AssertionError(
            f"seen through a channel the source is easier at slope {slope:g}: L(s) = {remote:g}, and {direct:g} "
            "without the channel."
        )


def _permutation(g: np.random.Generator, n: int) -> np.ndarray:
    """Another order of n letters than their own, where there is one."""
    order = g.permutation(n)
    return order if (np.diff(order) != 1).any() else order[::-1]


def _value(implementation: Implementation, source: np.ndarray, distortion: np.ndarray, slope: float) -> float:
    rate, mean = implementation(source, distortion, slope)
    return float(rate) + slope * float(mean)


def _same(what: str, slope: float, before: float, after: float, tol: float, scale: float | None = None) -> None:
    """Fail unless two values agree within tol max(1, |scale|), the first of them where no other scale is given.

    Raises:
        AssertionError: quotes both.
    """
    if not abs(after - before) <= tol * max(1.0, abs(before if scale is None else scale)):
        raise AssertionError(f"{what} at slope {slope:g}: {before:g} becomes {after:g}.")

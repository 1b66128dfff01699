"""Hypothesis strategies for pmfs, distortions, problems and slopes.

Shapes come from a short list, so that the compiled solvers are reused. Values come from a seeded generator drawn by
hypothesis: entries in a float strategy would mostly be subnormal numbers and exact duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from jaxrd.problem import Problem

SHAPES = ((1, 1), (3, 1), (1, 3), (2, 2), (4, 3), (6, 6))
_KINDS = ("uniform", "gamma", "hamming", "rank one")
_TWISTS = ("none", "zero letter", "tiny letter", "duplicate", "constant", "offset", "scale")


def generators() -> st.SearchStrategy[np.random.Generator]:
    """Generators of random numbers, each with a seed that hypothesis draws.

    Raises:
        InputError: hypothesis is not installed.

    Reference: D. MacIver and Z. Hatfield-Dodds, Hypothesis: a new approach to property-based testing, JOSS 2019.

    >>> from hypothesis import given
    >>> @given(generators())
    ... def check(g):
    ...     assert 0 <= g.random() < 1
    >>> check() is None
    True
    """
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def pmfs(size: int, concentration: Sequence[float] = (0.05, 1.0, 10.0)) -> st.SearchStrategy[np.ndarray]:
    """Pmfs of Dirichlet laws, shape (size,): nearly all mass on a letter, anything, nearly uniform.

    Args:
        size: letters.
        concentration: parameters of the Dirichlet laws to choose from.

    Raises:
        InputError: hypothesis is not installed.

    Reference: Cover and Thomas, Elements of Information Theory, section 2.1, whose pmfs these are.

    >>> from hypothesis import given
    >>> @given(pmfs(3))
    ... def check(p):
    ...     assert p.min() >= 0 and abs(p.sum() - 1) < 1e-12
    >>> check() is None
    True
    """
    return _pmfs(size, tuple(concentration))


def distortions(shapes: Sequence[tuple[int, int]] = SHAPES) -> st.SearchStrategy[np.ndarray]:
    """Matrices of distortions, shape (n, m), >= 0: uniform, heavy-tailed, of zeros and ones, squares of differences.

    Args:
        shapes: (n, m) to choose from.

    Raises:
        InputError: hypothesis is not installed.

    Reference: Cover and Thomas, Elements of Information Theory, section 10.2, whose distortion measures these are.

    >>> from hypothesis import given
    >>> @given(distortions([(4, 3)]))
    ... def check(d):
    ...     assert d.shape == (4, 3) and d.min() >= 0
    >>> check() is None
    True
    """
    return _distortions(tuple(shapes))


def problems(
    shapes: Sequence[tuple[int, int]] = SHAPES, degenerate: bool = True, forbidden: bool = True
) -> st.SearchStrategy[Problem]:
    """Problems: ordinary, badly scaled, with zero or tiny letters, duplicates, constants, forbidden pairs.

    Args:
        shapes: (n, m) to choose from.
        degenerate: whether letters may be of mass zero or tiny, equal, or badly scaled.
        forbidden: whether pairs may be +inf; each source letter keeps one that is not.

    Raises:
        InputError: hypothesis is not installed.

    Reference: Cover and Thomas, Elements of Information Theory, Theorem 10.2.1.

    >>> from hypothesis import given
    >>> from jaxrd import validate
    >>> @given(problems())
    ... def check(problem):
    ...     validate(problem)
    >>> check() is None
    True
    """
    return _problems(tuple(shapes), degenerate, forbidden)


def slopes() -> st.SearchStrategy[float]:
    """Slopes over six decades, 1e-3 to 1e3, and the ends; 1e4 too.

    Raises:
        InputError: hypothesis is not installed.

    Reference: R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. IT 1972, whose s
    is their negative.

    >>> from hypothesis import given
    >>> @given(slopes())
    ... def check(slope):
    ...     assert 1e-3 <= slope <= 1e4
    >>> check() is None
    True
    """
    return st.one_of(st.floats(-3, 3).map(lambda e: 10.0**e), st.sampled_from((1e-3, 1e3, 1e4)))


@st.composite
def _pmfs(draw: st.DrawFn, size: int, concentration: tuple[float, ...] = (0.05, 1.0, 10.0)) -> np.ndarray:
    g = draw(generators())
    p = g.dirichlet(np.full(size, draw(st.sampled_from(concentration))))
    return p / p.sum()


def _matrix(g: np.random.Generator, kind: str, n: int, m: int) -> np.ndarray:
    if kind == "uniform":
        return g.random((n, m))
    if kind == "gamma":
        return g.gamma(0.3, size=(n, m))
    if kind == "hamming":
        return (g.random((n, m)) > 0.5).astype(float)
    return (g.standard_normal(n)[:, None] - g.standard_normal(m)) ** 2


@st.composite
def _distortions(draw: st.DrawFn, shapes: tuple[tuple[int, int], ...]) -> np.ndarray:
    n, m = draw(st.sampled_from(shapes))
    g = draw(generators())
    return _matrix(g, draw(st.sampled_from(_KINDS)), n, m)


@st.composite
def _problems(draw: st.DrawFn, shapes: tuple[tuple[int, int], ...], degenerate: bool, forbidden: bool) -> Problem:
    n, m = draw(st.sampled_from(shapes))
    g = draw(generators())
    p = draw(_pmfs(n))
    d = _matrix(g, draw(st.sampled_from(_KINDS)), n, m)
    if degenerate:
        p, d = _twisted(draw, g, p, d)
    if forbidden and draw(st.booleans()):
        block = g.random((n, m)) < 0.3
        block[np.arange(n), g.integers(0, m, n)] = False
        d = np.where(block, np.inf, d)
    return Problem(p, d)


def _twisted(draw: st.DrawFn, g: np.random.Generator, p: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A problem made degenerate in one way, or not at all."""
    (n, m), twist = d.shape, draw(st.sampled_from(_TWISTS))
    if twist == "zero letter" and n > 1:
        p = np.r_[0, p[1:]]
        p = p / p.sum()
    elif twist == "tiny letter" and n > 1:
        p = np.r_[10.0 ** -draw(st.integers(10, 30)), p[1:]]
        p = p / p.sum()
    elif twist == "duplicate" and m > 1:
        d[:, 1] = d[:, 0]
    elif twist == "constant":
        d[:] = d[0, 0]
    elif twist == "offset":
        d = d + 10.0 ** draw(st.integers(-2, 2)) * g.random((n, 1))
    elif twist == "scale":
        d = d * 10.0 ** draw(st.integers(-4, 4))
    return p, d

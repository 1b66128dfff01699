"""Hypothesis strategies for pmfs, distortions, problems and confusion joints.

Shapes come from a short list, so that the compiled solvers are reused. Values come from a seeded generator drawn by
hypothesis: entries in a float strategy would mostly be denormals and exact duplicates.
"""

import numpy as np
from hypothesis import strategies as st

from jaxrd import Problem

SHAPES = ((1, 1), (3, 1), (1, 3), (2, 2), (4, 3), (6, 6))


def generators():
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def pmfs(draw, size: int, concentration=(0.05, 1.0, 10.0)):
    g = draw(generators())
    p = g.dirichlet(np.full(size, draw(st.sampled_from(concentration))))
    return p / p.sum()


@st.composite
def problems(draw, shapes=SHAPES, degenerate: bool = True, forbidden: bool = True):
    """Random problems: ordinary, badly scaled, with zero or tiny letters, duplicates, constants, forbidden pairs."""
    n, m = draw(st.sampled_from(shapes))
    g = draw(generators())
    p = draw(pmfs(n))
    kind = draw(st.sampled_from(("uniform", "gamma", "hamming", "rank one")))
    if kind == "uniform":
        d = g.random((n, m))
    elif kind == "gamma":
        d = g.gamma(0.3, size=(n, m))
    elif kind == "hamming":
        d = (g.random((n, m)) > 0.5).astype(float)
    else:
        d = (g.standard_normal(n)[:, None] - g.standard_normal(m)) ** 2
    if degenerate:
        twist = draw(
            st.sampled_from(("none", "zero letter", "tiny letter", "duplicate", "constant", "offset", "scale"))
        )
        if twist == "zero letter" and n > 1:
            p = p.copy()
            p[0] = 0
            p /= p.sum()
        elif twist == "tiny letter" and n > 1:
            p = p.copy()
            p[0] = 10.0 ** -draw(st.integers(10, 30))
            p /= p.sum()
        elif twist == "duplicate" and m > 1:
            d[:, 1] = d[:, 0]
        elif twist == "constant":
            d[:] = d[0, 0]
        elif twist == "offset":
            d = d + 10.0 ** draw(st.integers(-2, 2)) * g.random((n, 1))
        elif twist == "scale":
            d = d * 10.0 ** draw(st.integers(-4, 4))
    if forbidden and draw(st.booleans()):
        block = g.random((n, m)) < 0.3
        block[np.arange(n), g.integers(0, m, n)] = False
        d = np.where(block, np.inf, d)
    return Problem(p, d)


def slopes():
    """Over six decades, and the ends."""
    return st.one_of(st.floats(-3, 3).map(lambda e: 10.0**e), st.sampled_from((1e-3, 1e3, 1e4)))


@st.composite
def joints(draw, classes=(2, 3, 5)):
    """Confusion joints J[y, yt], from good to useless classifiers; some with a class never predicted."""
    k = draw(st.sampled_from(classes))
    g = draw(generators())
    j = g.dirichlet(np.full(k * k, draw(st.sampled_from((0.2, 1.0))))).reshape(k, k)
    j = j / k + draw(st.sampled_from((0.0, 0.3, 2.0))) * np.diag(g.dirichlet(np.ones(k)))
    if k > 2 and draw(st.booleans()):
        j[:, 0] = 0
    return j / j.sum()


@st.composite
def posteriors(draw, shapes=((12, 3), (30, 4))):
    """Posterior rows with weights, and labels drawn from them or not."""
    n, k = draw(st.sampled_from(shapes))
    g = draw(generators())
    v = g.dirichlet(np.full(k, draw(st.sampled_from((0.2, 1.0)))), n)
    v = np.maximum(v, 1e-12)
    return v / v.sum(1, keepdims=True)


@st.composite
def labelled(draw, letters=(2, 3, 4), classes=(2, 3), ties: bool = True):
    """A problem with a label channel and a pair (D, C) between the least targets and silence."""
    g = draw(generators())
    n, s = draw(st.sampled_from(letters)), draw(st.sampled_from(classes))
    p = g.dirichlet(np.full(n, draw(st.sampled_from((0.5, 3.0)))))
    kind = draw(st.sampled_from(("hamming", "squares", "uniform")))
    if kind == "hamming":
        d = 1 - np.eye(n)
    elif kind == "squares":
        x = g.standard_normal(n)
        d = (x[:, None] - x) ** 2
    else:
        d = g.random((n, n))
    rows = g.dirichlet(np.full(s, draw(st.sampled_from((0.2, 1.0, 5.0)))), n)
    if ties and draw(st.booleans()):
        rows = np.eye(s)[g.integers(0, s, n)]
    entropy = -np.where(rows > 0, rows * np.log(np.where(rows > 0, rows, 1)), 0).sum(1)
    mean = p @ rows
    ends = (p @ d.min(1), (p @ d).min()), (p @ entropy, -(mean[mean > 0] * np.log(mean[mean > 0])).sum())
    shares = [draw(st.floats(0.02, 1.1)) for _ in ends]
    targets = [low + share * (high - low) for (low, high), share in zip(ends, shares, strict=True)]
    return Problem(p, d), rows, *map(float, targets)

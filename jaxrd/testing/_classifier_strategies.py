"""Hypothesis strategies for confusion joints, posteriors and labelled sources."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from jaxrd.problem import Problem
from jaxrd.testing._strategies import generators


def joints(classes: Sequence[int] = (2, 3, 5)) -> st.SearchStrategy[np.ndarray]:
    """Confusion joints P(Y = y, estimate = t), shape (classes, classes), from good to useless classifiers.

    Some have a class that is never predicted.

    Args:
        classes: numbers of classes to choose from.

    Raises:
        InputError: hypothesis is not installed.

    Reference: [A] section III-A (the estimate and its confusion matrix).

    >>> from hypothesis import given
    >>> @given(joints())
    ... def check(joint):
    ...     assert joint.min() >= 0 and abs(joint.sum() - 1) < 1e-12
    >>> check() is None
    True
    """
    return _joints(tuple(classes))


def posteriors(shapes: Sequence[tuple[int, int]] = ((12, 3), (30, 4))) -> st.SearchStrategy[np.ndarray]:
    """Posterior rows of a classifier, shape (samples, classes), no entry below 1e-12 or so.

    Args:
        shapes: (samples, classes) to choose from.

    Raises:
        InputError: hypothesis is not installed.

    Reference: [A] eq. (7), whose posteriors these are.

    >>> from hypothesis import given
    >>> @given(posteriors())
    ... def check(rows):
    ...     assert rows.min() > 0 and np.allclose(rows.sum(1), 1)
    >>> check() is None
    True
    """
    return _posteriors(tuple(shapes))


def labelled(
    letters: Sequence[int] = (2, 3, 4), classes: Sequence[int] = (2, 3), ties: bool = True
) -> st.SearchStrategy[tuple[Problem, np.ndarray, float, float]]:
    """Sources with a label: a problem, P(label | letter), and targets for distortion and classification loss (nats).

    The targets lie between the least ones and those of silence, and up to a tenth beyond.

    Args:
        letters: of source and reproduction, to choose from.
        classes: numbers of labels to choose from.
        ties: whether the label may be a function of the letter.

    Raises:
        InputError: hypothesis is not installed.

    Reference: [B] definition 1, whose sources these are.

    >>> from hypothesis import given
    >>> @given(labelled())
    ... def check(drawn):
    ...     problem, rows, distortion, classification = drawn
    ...     assert len(rows) == len(problem.source) and np.allclose(rows.sum(1), 1)
    >>> check() is None
    True
    """
    return _labelled(tuple(letters), tuple(classes), ties)


@st.composite
def _joints(draw: st.DrawFn, classes: tuple[int, ...]) -> np.ndarray:
    k = draw(st.sampled_from(classes))
    g = draw(generators())
    j = g.dirichlet(np.full(k * k, draw(st.sampled_from((0.2, 1.0))))).reshape(k, k)
    j = j / k + draw(st.sampled_from((0.0, 0.3, 2.0))) * np.diag(g.dirichlet(np.ones(k)))
    if k > 2 and draw(st.booleans()):
        j[:, 0] = 0
    return j / j.sum()


@st.composite
def _posteriors(draw: st.DrawFn, shapes: tuple[tuple[int, int], ...]) -> np.ndarray:
    n, k = draw(st.sampled_from(shapes))
    g = draw(generators())
    v = g.dirichlet(np.full(k, draw(st.sampled_from((0.2, 1.0)))), n)
    v = np.maximum(v, 1e-12)
    return v / v.sum(1, keepdims=True)


@st.composite
def _labelled(
    draw: st.DrawFn, letters: tuple[int, ...], classes: tuple[int, ...], ties: bool
) -> tuple[Problem, np.ndarray, float, float]:
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
    distortion, loss = (float(low + share * (high - low)) for (low, high), share in zip(ends, shares, strict=True))
    return Problem(p, d), rows, distortion, loss

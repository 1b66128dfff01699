"""The benchmark problems P1..P5, built exactly so, seeds included."""

import os
import re
from pathlib import Path

import numpy as np
from scipy.special import softmax

from jaxrd import Problem

STANDARD = ("P1-200", "P1-1000", "P2-100", "P2-1000", "P3", "P4", "P5")
"""The problems every figure is quoted on."""


def named(name: str) -> tuple[Problem, np.ndarray]:
    """The problem of a name and its slopes: P1-n, P2-n, P3, P4, P5, or P3-nxm for P3 at another size."""
    if sized := re.fullmatch(r"P([12])-(\d+)", name):
        return (p1 if sized[1] == "1" else p2)(int(sized[2]))
    if sized := re.fullmatch(r"P3-(\d+)x(\d+)", name):
        return p3(int(sized[1]), int(sized[2]))
    if name not in ("P3", "P4", "P5"):
        raise ValueError(f"no problem is called {name}")
    return {"P3": p3, "P4": p4, "P5": p5}[name]()


def p1(n: int) -> tuple[Problem, np.ndarray]:
    """A discretised Gaussian on [-4, 4] with squared error: smooth kernels, numerically singular Gram matrices."""
    x = np.linspace(-4, 4, n)
    p = np.exp(-(x**2) / 2)
    return Problem(p / p.sum(), (x[:, None] - x[None, :]) ** 2), np.geomspace(0.1, 50, 64)


def p2(n: int) -> tuple[Problem, np.ndarray]:
    """A synthetic confusion matrix: iE&C of a classifier with n classes."""
    g = np.random.default_rng(0)
    off = g.gamma(0.1, size=(n, n))
    np.fill_diagonal(off, 0)
    off /= off.sum(1, keepdims=True)
    accuracy = np.clip(g.beta(7.5, 2.5, n), 0.2, 0.99)
    w = (1 - accuracy)[:, None] * off
    np.fill_diagonal(w, accuracy)
    return Problem(g.dirichlet(np.full(n, 5.0)), 1 - w), np.geomspace(0.5, 40, 64)


def posterior(n: int, m: int, seed: int, lift: float) -> np.ndarray:
    """Softmax rows of a synthetic classifier, (n, m)."""
    g = np.random.default_rng(seed)
    y = g.choice(m, n, p=g.dirichlet(np.full(m, 5.0)))
    z = 2 * g.standard_normal((n, m))
    z[np.arange(n), y] += lift
    return softmax(z, axis=1)


def _tmrd(v: np.ndarray) -> Problem:
    return Problem(np.full(len(v), 1 / len(v)), 1 - v)


def p3(n: int = 10_000, m: int = 100) -> tuple[Problem, np.ndarray]:
    """TMRD of n posteriors over m classes."""
    return _tmrd(posterior(n, m, 1, 6.4)), np.geomspace(0.5, 40, 32)


def p4() -> tuple[Problem, np.ndarray]:
    """TMRD of 50 000 posteriors over 1000 classes, one slope."""
    return _tmrd(posterior(50_000, 1000, 2, 7.9)), np.array([8.0])


def p5() -> tuple[Problem, np.ndarray]:
    """TMRD of real CIFAR-100 outputs (`$JAXRD_DATA`) at temperature 2.1564."""
    path = Path(os.environ["JAXRD_DATA"]) / "classifiers" / "cifar100_vgg19_bn_logits.npz"
    return _tmrd(softmax(np.load(path)["logits"].astype(np.float64) / 2.1564, axis=1)), np.geomspace(0.8, 80, 32)

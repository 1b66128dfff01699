"""The rate of a block of n letters: between what no code can do and what some code does."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from jaxrd._eager import refuse_unless_whole
from jaxrd._readable import readable
from jaxrd.blocklength.achievability import largest_log_size
from jaxrd.blocklength.converse import certified_tilted, least_log_size
from jaxrd.errors import InputError
from jaxrd.problem import Problem, validate
from jaxrd.target import rate_at


@readable
class Blocks(NamedTuple):
    """Rates of blocks of n letters whose distortion exceeds D with a small probability."""

    n: np.ndarray
    """Letters of a block, int, shape (lengths,)."""
    lower: np.ndarray
    """Proved: no code has less, nats a letter, shape (lengths,)."""
    approximation: np.ndarray
    """R + sqrt(V / n) Q^-1(excess) + ln n / 2n, nats a letter, shape (lengths,): near both bounds, neither."""
    upper: np.ndarray
    """Achievable: some code has this, nats a letter, shape (lengths,); inf: words drawn from q, however many, leave too
    many blocks beyond D; nan: too many types of blocks to tell."""
    rate: float
    """R(D), endless blocks, nats a letter."""
    dispersion: float
    """V(D), nats squared."""


def rate(problem: Problem, distortion: float, n: ArrayLike, excess: float) -> Blocks:
    """What blocks of n letters need so that their mean distortion exceeds D with probability at most `excess`.

    lower: ln M >= max_t t + ln(P[sum j >= t] - excess), with a j whose converse holds at any accuracy of the solver;
    approximation: R + sqrt(V / n) Q^-1(excess) + ln n / 2n;
    upper: ln M of M words drawn from q^n with E (1 - P)^M <= excess.

    Args:
        problem: source (letters,), distortion (letters, m).
        distortion: D, above the least distortion.
        n: letters of a block, one number or several, at least 1.
        excess: probability that a block may exceed D, in (0, 1).

    Raises:
        InputError: a block shorter than one letter, an excess outside (0, 1), a distortion that no code meets or that
            only codes without excess meet; values that are no problem.

    Reference: V. Kostina and S. Verdu, Fixed-length lossy compression in the finite blocklength regime, IEEE Trans. IT
    2012, theorems 7, 10 and 12.

    >>> coin = Problem([0.89, 0.11], 1 - np.eye(2))
    >>> blocks = rate(coin, 0.05, [100, 1000], 0.01)
    >>> bool((blocks.lower < blocks.upper).all()), round(blocks.rate, 4)
    (True, 0.148)
    """
    lengths = np.atleast_1d(np.asarray(n)).ravel()
    for each in lengths.tolist():
        refuse_unless_whole("n", each, 1)
    if not 0 < excess < 1:
        raise InputError(f"excess must lie in (0, 1): the probability that a block exceeds D; got {excess:g}.")
    validate(problem)
    p, d = np.asarray(problem.source, np.float64), np.asarray(problem.distortion, np.float64)
    point = jax.device_get(rate_at(problem, float(distortion)))
    slope, q = float(point.slope), np.asarray(point.reproduction, np.float64)
    if not np.isfinite(slope) or not np.isfinite(point.rate):
        raise InputError(
            f"distortion must lie above the least one, where R(D) has a finite slope; got {float(distortion):g}."
        )
    q = np.maximum(q, 0) / q.sum()
    j = certified_tilted(p, d, slope, q, float(distortion))
    lower = np.array([least_log_size(j, p, k, excess) / k for k in lengths.tolist()])
    upper = np.array([largest_log_size(p, d, slope, q, float(distortion), k, excess) / k for k in lengths.tolist()])
    mean = p @ j
    variance = float(p @ (j - mean) ** 2)
    near = float(point.rate) + np.sqrt(variance / lengths) * -ndtri(excess) + np.log(lengths) / (2 * lengths)
    return Blocks(lengths, lower, np.maximum(near, 0), upper, float(point.rate), variance)

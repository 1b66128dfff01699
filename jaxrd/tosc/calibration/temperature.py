"""Temperature scaling: one number that calibrates a classifier's confidence."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd._host import loop
from jaxrd._processes import folded
from jaxrd.tosc._checked import TEMPERATURE, a_matrix, checked, classes_of, rows_of, some_labels
from jaxrd.tosc.rows import Rows

_WIDEST = 1e6
"""The temperature is searched between the median margin of the wrong decisions divided by this and times this."""

_CHANGE = 1.5  # factor by which a few rows must move the temperature to give a warning
FEW = 0.01  # share of the rows that count as a few
_WEIGHTY = 0.1  # share of the sum of all margins from which on a fit without these rows is made
_IMPOSSIBLE = 30.0  # times the median margin: no ordinary mistake


_LOGITS = a_matrix("logits", "finite or -inf", most=np.finfo(np.float64).max)


@checked(_LOGITS, some_labels(classes_of("logits"), rows=rows_of("logits")))
@jax.jit
def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> jax.Array:
    """The temperature T that minimises the mean of -ln softmax(logits / T)_label, by Newton's method in ln T.

    The loss is convex in 1/T: each step keeps the zero of its derivative between two bounds. They begin at the median
    margin by which a label misses the largest logit of its row, over _WIDEST and times _WIDEST. Where the loss still
    falls at such a bound, T is that bound. Where every label has the largest logit of its row there is nothing to fit,
    and T = 1. A class of very negative logits (-1e7, -inf) has probability zero and does not count.

    Args:
        logits: shape (samples, classes); -inf where a class is forbidden, never at a label.
        labels: int, shape (samples,).

    Returns:
        T > 0, shape ().

    Raises:
        InputError: known logits with NaN or +inf, known labels that are no classes of theirs.

    Reference: C. Guo et al., On calibration of modern neural networks, ICML 2017.

    >>> round(float(fit_temperature(jnp.array([[2.0, 0.0]] * 4), jnp.array([0, 0, 0, 1]))), 4)  # 2 / ln 3
    1.8205
    """
    z, y = jnp.asarray(logits), jnp.asarray(labels)
    margin = _margins(jnp, z, y)
    wrong = margin > 0
    unit = jnp.where(wrong.any(), jnp.nanmedian(jnp.where(wrong, margin, jnp.nan)), 1)
    x = _newton(jnp, lambda x: _derivatives(jnp, z, y, unit, x) / len(y), z.dtype, jax.lax.while_loop)
    return jnp.where(wrong.any(), unit * jnp.exp(-x), 1)


def _margins(xp: ModuleType, z: Any, y: Any) -> Any:
    """By how much the label of each row misses its largest logit."""
    return z.max(1) - xp.take_along_axis(z, y[:, None], 1)[:, 0]


def _derivatives(xp: ModuleType, z: Any, y: Any, unit: Any, x: Any) -> Any:
    """First and second, of the loss in x = ln(unit / T), summed over the rows, shape (2,)."""
    z = (z - z.max(1, keepdims=True)) / unit
    inverse = xp.exp(x)
    v = xp.exp(inverse * z)
    v = v / v.sum(1, keepdims=True)
    mean = xp.where(v > 0, v * z, 0).sum(1)  # a forbidden class: 0 times -inf
    spread = xp.where(v > 0, v * (z - mean[:, None]) ** 2, 0).sum(1)
    first = inverse * (mean + _margins(xp, z, y)).sum()
    return xp.stack([first, first + inverse**2 * spread.sum()])


def _newton(xp: ModuleType, derivatives: Callable, dtype: Any, loop: Callable) -> Any:
    """Where the first derivative is zero, or the bound of the search on that side."""

    def newton(state):
        x, low, high, _, step = state
        first, second = derivatives(x)
        low, high = xp.where(first < 0, x, low), xp.where(first < 0, high, x)
        aim = xp.where(second > 0, -first / xp.where(second > 0, second, 1), -xp.sign(first) * xp.inf)
        new = x + xp.clip(aim, -np.log(4.0), np.log(4.0)).astype(x.dtype)
        new = xp.where((new > low) & (new < high), new, xp.clip(new, (low + x) / 2, (high + x) / 2))
        return new, low, high, xp.abs(new - x) > 16 * xp.finfo(dtype).eps, step + 1

    reach = xp.asarray(np.log(_WIDEST), dtype)
    start = (xp.zeros((), dtype), -reach, reach, xp.bool_(True), xp.int32(0))
    return loop(lambda s: s[3] & (s[4] < 200), newton, start)[0]


_ROWS = 2**18
"""Numbers of a block of rows that `fitted` works on at a time."""
_PASSES = 12
"""Passes that it mostly needs."""


def _over(logits: np.ndarray | Rows, labels: np.ndarray, function: Callable, without: np.ndarray | None = None) -> Any:
    """The sum of function(logits, labels) over blocks of rows, in float64; those `without` have all classes alike."""
    rows = max(_ROWS // logits.shape[1], 1)

    def one(first: int) -> Any:
        z, y = logits[first : first + rows].astype(np.float64), np.asarray(labels[first : first + rows])
        if without is not None:
            z[without[(without >= first) & (without < first + len(z))] - first] = 0
        with np.errstate(invalid="ignore", divide="ignore", under="ignore"):
            return function(z, y)

    return folded(one, range(0, len(labels), rows), shared=isinstance(logits, Rows) and logits.shared)


def _misses(logits: np.ndarray | Rows, labels: np.ndarray, without: np.ndarray | None = None) -> np.ndarray:
    """By how much the label of each row misses its largest logit, shape (samples,)."""
    return np.concatenate(_over(logits, labels, lambda z, y: [_margins(np, z, y)], without))


def fitted(
    logits: np.ndarray | Rows,
    labels: np.ndarray,
    *,
    without: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """`fit_temperature` of known values on the host, in float64, a block of rows at a time.

    Args:
        logits: shape (samples, classes).
        labels: int, shape (samples,).
        without: the numbers of rows that do not count.
        progress: called as progress(done, total) after each pass over the rows; the total is a guess.

    >>> round(fitted(np.array([[2.0, 0.0]] * 4), np.array([0, 0, 0, 1])), 4)
    1.8205
    """
    margin = _misses(logits, labels, without)
    if not (margin > 0).any():
        return 1.0
    unit, done = np.median(margin[margin > 0]), 1

    def derivatives(x):
        nonlocal done
        total = _over(logits, labels, lambda z, y: _derivatives(np, z, y, unit, x), without) / len(labels)
        done += 1
        if progress is not None:
            progress(done, max(_PASSES, done + 1))
        return total

    with np.errstate(invalid="ignore", divide="ignore", under="ignore"):
        temperature = float(unit * np.exp(-_newton(np, derivatives, np.dtype(np.float64), loop)))
    if progress is not None:
        progress(done, done)
    return temperature


@checked(_LOGITS, TEMPERATURE)
@jax.jit
def log_posterior(logits: ArrayLike, temperature: ArrayLike = 1.0) -> jax.Array:
    """ln v = log-softmax(logits / T), shape (samples, classes): [A] eq. (7), at a temperature.

    Args:
        logits: shape (samples, classes), no unit; -inf where a class is forbidden.
        temperature: T > 0, a scalar, no unit.

    Raises:
        InputError: known logits with NaN or +inf, a known temperature that is no positive number.

    >>> [round(float(v), 4) for v in log_posterior(jnp.zeros((1, 2)))[0]]
    [-0.6931, -0.6931]
    """
    z = jnp.asarray(logits)
    # The largest becomes exactly 0 before the division: a small temperature cannot overflow it.
    return log_softmax((z - z.max(1, keepdims=True)) / temperature, axis=1)


def doubts(logits: np.ndarray | Rows, labels: np.ndarray, temperature: float, rows: np.ndarray) -> list[str]:
    """Warnings about a fitted temperature that a few rows determine, or that ended at a bound of the search.

    A margin is how far a label lies below the largest logit of its row. The rows of extraordinary margins, or else the
    row of the largest one, are left out if they are few, and the temperature is fitted again.

    Args:
        logits: shape (samples, classes), those of the fit.
        labels: int, shape (samples,).
        temperature: that `fit_temperature` gives for them.
        rows: the numbers of these samples in the input, shape (samples,).

    >>> z, y = np.array([[1.0, 0.0]] * 99 + [[1.0, -5e3]]), np.array([0] * 66 + [1] * 34)
    >>> words = doubts(z, y, fitted(z, y), np.arange(100))
    >>> words[0].split(":")[0]
    'sample 99 alone moves the temperature from 1.443 to 1e+06'
    """
    y = np.asarray(labels)
    margin = _misses(logits, y)
    if not (margin > 0).any():
        return [
            "every label of the calibration half has a largest logit of its row: there is nothing to fit a temperature "
            "to, it stays at 1"
        ]
    words = []
    ordinary = np.median(margin[margin > 0])
    few = np.flatnonzero(margin > _IMPOSSIBLE * ordinary)
    few = few[np.argsort(-margin[few], kind="stable")] if few.size else np.array([margin.argmax()])
    count, weighty = len(few), margin[few].sum() > _WEIGHTY * margin.sum()
    if weighty and count <= max(1, FEW * len(y)):
        without = fitted(logits, y, without=few)
        moved = abs(np.log(temperature / without)) > np.log(_CHANGE)
        if moved:
            worst = few[0]
            who = f"sample {rows[worst]} alone moves"
            if count > 1:
                who = f"{count} samples, of which sample {rows[worst]} is the worst, move"
            words.append(
                f"{who} the temperature from {without:.4g} to {temperature:.4g}: its label {y[worst]} lies "
                f"{margin[worst]:.3g} below the largest logit of its row; correct it, leave it out, or fix the "
                "temperature"
            )
    if temperature > 0.99 * _WIDEST * ordinary:
        words.append(
            f"the fit of the temperature ended at its bound, {temperature:.4g}: no temperature makes the labels likely "
            "under these scores"
        )
    return words

"""Temperature scaling: one number that calibrates a classifier's confidence."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd.tosc._checked import TEMPERATURE, a_matrix, checked, classes_of, rows_of, some_labels

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
    z = jnp.asarray(logits)
    z = z - z.max(1, keepdims=True)
    y = jnp.asarray(labels)[:, None]
    margin = -jnp.take_along_axis(z, y, 1)[:, 0]
    wrong = margin > 0
    unit = jnp.where(wrong.any(), jnp.nanmedian(jnp.where(wrong, margin, jnp.nan)), 1)
    z, margin = z / unit, margin / unit

    def derivatives(x):
        """Of the loss in x = ln(1/T): first, second."""
        inverse = jnp.exp(x)
        v = jax.nn.softmax(inverse * z, axis=1)
        mean = jnp.where(v > 0, v * z, 0).sum(1)  # a forbidden class: 0 times -inf
        spread = jnp.where(v > 0, v * (z - mean[:, None]) ** 2, 0).sum(1)
        first = inverse * (mean + margin).mean()
        return first, first + inverse**2 * spread.mean()

    def newton(state):
        x, low, high, _, step = state
        first, second = derivatives(x)
        low, high = jnp.where(first < 0, x, low), jnp.where(first < 0, high, x)
        aim = jnp.where(second > 0, -first / jnp.where(second > 0, second, 1), -jnp.sign(first) * jnp.inf)
        new = x + jnp.clip(aim, -jnp.log(4.0), jnp.log(4.0)).astype(x.dtype)
        new = jnp.where((new > low) & (new < high), new, jnp.clip(new, (low + x) / 2, (high + x) / 2))
        return new, low, high, jnp.abs(new - x) > 16 * jnp.finfo(z.dtype).eps, step + 1

    reach = jnp.asarray(np.log(_WIDEST), z.dtype)
    start = (jnp.zeros((), z.dtype), -reach, reach, jnp.bool_(True), jnp.int32(0))
    x = jax.lax.while_loop(lambda s: s[3] & (s[4] < 200), newton, start)[0]
    return jnp.where(wrong.any(), unit * jnp.exp(-x), 1)


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


def doubts(logits: np.ndarray, labels: np.ndarray, temperature: float, rows: np.ndarray) -> list[str]:
    """Warnings about a fitted temperature that a few rows determine, or that ended at a bound of the search.

    A margin is how far a label lies below the largest logit of its row. The rows of extraordinary margins, or else the
    row of the largest one, are left out if they are few, and the temperature is fitted again.

    Args:
        logits: shape (samples, classes), those of the fit.
        labels: int, shape (samples,).
        temperature: that `fit_temperature` gives for them.
        rows: the numbers of these samples in the input, shape (samples,).

    >>> z, y = np.array([[1.0, 0.0]] * 99 + [[1.0, -5e3]]), np.array([0] * 66 + [1] * 34)
    >>> words = doubts(z, y, float(fit_temperature(z, y)), np.arange(100))
    >>> words[0].split(":")[0]
    'sample 99 alone moves the temperature from 1.443 to 1e+06'
    """
    z, y = np.asarray(logits), np.asarray(labels)
    margin = z.max(1) - z[np.arange(len(y)), y]
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
        rest = z.copy()
        rest[few] = 0  # all classes alike: the row no longer moves the fit, and nothing is compiled again
        without = float(fit_temperature(rest, y))
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

"""The predictive law of a regression, by its mean and variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxrd.errors import InputError


def real_numbers(name: str, values: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Finite numbers of shape (samples,), or as given.

    Raises:
        InputError: no numbers, one that is not finite, or another shape.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name} must be real numbers; got {array.dtype}.")
    if shape is None and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if (array.ndim != 1 or not array.size) if shape is None else array.shape != shape:
        raise InputError(f"{name} must have shape {shape or '(samples,)'}; got {array.shape}.")
    array = array.astype(np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        raise InputError(f"{name} must be finite; got {array[bad][0]} at sample {np.argwhere(bad)[0][0]}.")
    return array


def of_draws(samples: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of predictive laws that are given by equally likely draws.

    Args:
        samples: shape (samples, draws), at least two draws.

    Raises:
        InputError: another shape, or a draw that is not finite.

    >>> [part.tolist() for part in of_draws([[1.0, 3.0]])]
    [[2.0], [1.0]]
    """
    draws = np.asarray(samples)
    if draws.ndim != 2 or draws.shape[1] < 2 or not len(draws):
        raise InputError(f"samples must be draws of each law, shape (samples, draws), two or more; got {draws.shape}.")
    draws = real_numbers("samples", draws, draws.shape)
    return draws.mean(1), draws.var(1)


def of_quantiles(quantiles: Any, levels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of predictive laws that are given by quantiles, which are joined by straight lines.

    Beyond the first and the last level the quantile stays as it is, so that the variance of long tails is too small.

    Args:
        quantiles: shape (samples, levels), not falling along a row.
        levels: probabilities, rising, shape (levels,).

    Raises:
        InputError: shapes that do not match, levels that do not rise within [0, 1], or quantiles that fall.

    >>> [part.round(6).tolist() for part in of_quantiles([[0.0, 1.0]], [0.0, 1.0])]  # uniform on [0, 1]
    [[0.5], [0.083333]]
    """
    q = np.asarray(quantiles)
    u = real_numbers("levels", levels)
    if q.ndim != 2 or q.shape[1] != len(u) or len(u) < 2 or not len(q):
        raise InputError(f"quantiles must have shape (samples, {len(u)}), a column a level; got {q.shape}.")
    q = real_numbers("quantiles", q, q.shape)
    if (np.diff(u) <= 0).any() or u[0] < 0 or u[-1] > 1:
        raise InputError(f"levels must rise within [0, 1]; got {', '.join(f'{x:g}' for x in u[:8])}.")
    if (np.diff(q, axis=1) < 0).any():
        raise InputError(f"quantiles must not fall along a row; they do at sample {(np.diff(q) < 0).any(1).argmax()}.")
    width = np.diff(np.concatenate([[0.0], u, [1.0]]))
    a, b = np.concatenate([q[:, :1], q], 1), np.concatenate([q, q[:, -1:]], 1)
    mean = ((a + b) / 2) @ width
    a, b = a - mean[:, None], b - mean[:, None]
    return mean, ((a * a + a * b + b * b) / 3) @ width

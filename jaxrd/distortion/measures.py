"""Distortion measures as matrices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.errors import InputError


def hamming(letters: int, *, dtype: jnp.dtype | None = None) -> jax.Array:
    """Hamming distortion, d(x, y) = 1 if x != y else 0, shape (letters, letters).

    >>> hamming(2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    return 1 - jnp.eye(letters, dtype=dtype)


def _floats(values: ArrayLike) -> jax.Array:
    """The values as floats: differences of 8-bit pixels would wrap around."""
    array = jnp.asarray(values)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def squared_error(source: ArrayLike, reproduction: ArrayLike) -> jax.Array:
    """Squared error, d(x, y) = |x - y|^2.

    Args:
        source: values of the source letters, shape (n,) or (n, dimensions).
        reproduction: values of the reproduction letters, shape (m,) or (m, dimensions).

    >>> squared_error(jnp.array([0.0, 1.0]), jnp.array([2.0])).tolist()
    [[4.0], [1.0]]
    """
    x, y = _floats(source), _floats(reproduction)
    if x.ndim not in (1, 2) or x.ndim != y.ndim or x.shape[1:] != y.shape[1:]:
        raise InputError(f"values must have shapes (n,) and (m,), or (n, k) and (m, k); got {x.shape} and {y.shape}.")
    squares = (x[:, None] - y[None, :]) ** 2
    return squares if squares.ndim == 2 else squares.sum(-1)


def log_loss(soft: ArrayLike) -> jax.Array:
    """Logarithmic loss, d(y, t) = - ln t_y, shape (classes, m); +inf where a reproduction excludes the class.

    Args:
        soft: reproductions, each a pmf over classes, shape (m, classes).

    >>> log_loss(jnp.array([[1.0, 0.0]])).tolist()
    [[-0.0], [inf]]
    """
    return -jnp.log(jnp.asarray(soft)).T


def remote(distortion: ArrayLike, posterior: ArrayLike) -> jax.Array:
    """The distortion seen by who only observes X: d_hat(x, y') = E[d(Y, y') | X = x] = sum_y P(y|x) d(y, y').

    It turns the indirect problem into a direct one.

    Args:
        distortion: d, shape (classes, m).
        posterior: P(y|x), shape (n, classes).

    Reference: H. Witsenhausen, Indirect rate distortion problems, IEEE Trans. IT 1980; [A] eq. (15).

    >>> remote(hamming(2), jnp.array([[0.75, 0.25]])).tolist()
    [[0.25, 0.75]]
    """
    d, v = jnp.asarray(distortion), jnp.asarray(posterior)
    # A forbidden pair costs nothing where its class cannot occur: 0 * inf is 0 here.
    finite = jnp.where(jnp.isinf(d), 0, d)
    forbidden = v @ jnp.isinf(d).astype(v.dtype) > 0
    return jnp.where(forbidden, jnp.inf, v @ finite)


_UNROLLED = 8  # coordinates up to which a sum over them is written out: one fused loop over the pairs


def pairwise_squares(x: ArrayLike, y: ArrayLike) -> jax.Array:
    """Squared error |x - y|^2 of every pair, by differences: |x|^2 - 2xy + |y|^2 would lose the digits of near pairs.

    Args:
        x: points, shape (rows, k).
        y: points, shape (m, k).

    Returns:
        Shape (rows, m); no array of more entries is formed.

    >>> pairwise_squares(jnp.array([[0.0, 1.0]]), jnp.array([[3.0, 5.0], [0.0, 1.0]])).tolist()
    [[25.0, 0.0]]
    """
    x, y = _floats(x), _floats(y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise InputError(f"points must have shapes (rows, k) and (m, k); got {x.shape} and {y.shape}.")
    k = x.shape[1]

    def add(i, total):
        return total + (x[:, i, None] - y[None, :, i]) ** 2

    total = jnp.zeros((x.shape[0], y.shape[0]), jnp.result_type(x, y))
    if k > _UNROLLED:
        return jax.lax.fori_loop(0, k, add, total)
    for i in range(k):
        total = add(i, total)
    return total

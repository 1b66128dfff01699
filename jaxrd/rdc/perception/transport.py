"""Optimal transport between two pmfs: the linear program with both its bounds, and the closed form on a line."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy.optimize import linprog
from scipy.sparse import eye as sparse_eye
from scipy.sparse import kron, vstack

from jaxrd.errors import InputError


class _Transport(NamedTuple):
    """A coupling and what it costs: cost - gap <= the optimum <= cost."""

    cost: float
    gap: float
    coupling: np.ndarray
    """Shape (n, m), its marginals exact to rounding."""


def exact_marginals(coupling: Any, source: Any, target: Any) -> Any:
    """A nearby nonnegative matrix with the marginals asked: rows and columns are scaled down, then mass is added.

    For arrays of numpy and of JAX.

    Reference: J. Altschuler, J. Weed and P. Rigollet, Near-linear time approximation algorithms for optimal transport
    via Sinkhorn iteration, NeurIPS 2017, algorithm 2.

    >>> exact_marginals(jnp.eye(2), jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25])).tolist()
    [[0.5, 0.0], [0.25, 0.25]]
    """
    xp = coupling.__array_namespace__()

    def shrink(matrix, wanted):
        has = matrix.sum(1)
        return matrix * xp.minimum(1, wanted / xp.where(has > 0, has, 1))[:, None]

    fitted = shrink(shrink(xp.maximum(coupling, 0), source).T, target).T
    rows, columns = xp.maximum(source - fitted.sum(1), 0), xp.maximum(target - fitted.sum(0), 0)
    total = rows.sum()
    return fitted + rows[:, None] * columns / xp.where(total > 0, total, 1)


def transport(source: ArrayLike, target: ArrayLike, cost: ArrayLike) -> _Transport:
    """The optimal transport cost between two pmfs, min over couplings of sum_xy pi_xy c_xy, for small alphabets.

    Solved on the host as a linear program; coupling and potentials are both made feasible, so that the bounds hold
    whatever the solver's tolerance.

    Args:
        source: p, shape (n,).
        target: r, shape (m,).
        cost: c, finite, shape (n, m). With c = |x - y|^2 the result is W2^2, with |x - y| it is W1.

    Raises:
        InputError: shapes that do not belong together, negative masses, sums that differ.

    >>> found = transport([0.5, 0.5], [0.25, 0.75], [[0.0, 1.0], [1.0, 0.0]])
    >>> round(found.cost, 9), found.gap < 1e-9
    (0.25, True)
    """
    p, r, c = (np.asarray(a, float) for a in (source, target, cost))
    if p.ndim != 1 or r.ndim != 1 or c.shape != (p.size, r.size):
        raise InputError(
            f"source (n,), target (m,) and cost (n, m) must agree; got {p.shape}, {r.shape} and {c.shape}."
        )
    if not (p >= 0).all() or not (r >= 0).all() or not abs(p.sum() - r.sum()) <= 1e-6:
        raise InputError(f"source and target must be >= 0 with equal sums; got {p.tolist()} and {r.tolist()}.")
    if not np.isfinite(c).all():
        raise InputError(f"cost must be finite; got {c[~np.isfinite(c)][0]}.")
    r = r * (p.sum() / r.sum())
    n, m = c.shape
    marginals = vstack([kron(sparse_eye(n), np.ones((1, m))), kron(np.ones((1, n)), sparse_eye(m))])
    solution = linprog(c.ravel(), A_eq=marginals, b_eq=np.concatenate([p, r]), bounds=(0, None), method="highs")
    coupling = exact_marginals(solution.x.reshape(n, m), p, r)
    # Any potentials of the columns, with the best ones of the rows, give a lower bound.
    columns = solution.eqlin.marginals[n:]
    lower = p @ (c - columns).min(1) + r @ columns
    value = float((coupling * c).sum())
    return _Transport(value, max(value - float(lower), 0.0), coupling)


@jax.jit
def wasserstein_on_line(
    source: ArrayLike, positions: ArrayLike, target: ArrayLike, target_positions: ArrayLike, *, power: ArrayLike = 2.0
) -> jax.Array:
    """W_k^k between two pmfs on the line, k >= 1: the quantile coupling, exact, differentiable.

    W_k^k = int_0^1 |F^-1(u) - G^-1(u)|^k du

    Args:
        source: p, shape (n,).
        positions: of the letters of p, shape (n,).
        target: r, shape (m,).
        target_positions: of the letters of r, shape (m,).
        power: k; 2 gives W2^2.

    >>> float(wasserstein_on_line([0.5, 0.5], [0.0, 2.0], [1.0], [1.0]))
    1.0
    """
    p, x, r, y = (jnp.asarray(a) for a in (source, positions, target, target_positions))
    dtype = jnp.promote_types(jnp.result_type(p, x, r, y), jnp.float32)
    p, x, r, y = (a.astype(dtype) for a in (p, x, r, y))
    if any(a.ndim != 1 for a in (p, x, r, y)) or p.shape != x.shape or r.shape != y.shape:
        raise InputError(
            "pmfs and positions must have shapes (n,), (n,), (m,), (m,); "
            f"got {p.shape}, {x.shape}, {r.shape}, {y.shape}."
        )
    along_p, along_r = jnp.argsort(x), jnp.argsort(y)
    p, x, r, y = p[along_p], x[along_p], r[along_r], y[along_r]
    below_p, below_r = jnp.cumsum(p) - p, jnp.cumsum(r) - r
    # The mass that letters i and j share when both laws are laid out along [0, 1].
    shared = jnp.minimum((below_p + p)[:, None], below_r + r) - jnp.maximum(below_p[:, None], below_r)
    return (jnp.maximum(shared, 0) * jnp.abs(x[:, None] - y) ** power).sum()

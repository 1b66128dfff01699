"""Affine functions of dual variables with one value for each pair of letters, and their Gram matrices.

    z_xj = r_x + sign sum_i v_i(j) - sum_k t_k c_kxj

An interior point needs sum_xj w_xj dz_xj dz_xj'. Its blocks are w, the sums of its rows and columns, and those of w c:
O(k n m) work, where the Jacobian of z alone has n m rows.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Pairs(NamedTuple):
    """The variables of such a function, or (`places`) their places in the flat vector of all variables."""

    rows: jax.Array  # r, (n,)
    columns: tuple[jax.Array, ...]  # v_i at each column, (m,)
    multipliers: jax.Array  # t, (k,)
    costs: jax.Array  # c, (k, n, m)
    sign: float

    def value(self) -> jax.Array:
        """z, shape (n, m)."""
        return self.rows[:, None] + self.sign * sum(self.columns) - jnp.tensordot(self.multipliers, self.costs, 1)

    def places(self) -> Pairs:
        """The same with its variables as integers: made from a vector 0, 1, 2, ... they are places in it."""
        rows, columns, multipliers = jax.tree.map(lambda a: a.astype(jnp.int32), self[:3])
        return Pairs(rows, columns, multipliers, self.costs, self.sign)

    def jacobian(self, weights: jax.Array, size: int) -> jax.Array:
        """sum_x w_xj dz_xj, shape (m, size), of the function whose places these are."""
        total = weights.sum(0)
        out = jnp.zeros((total.size, size), weights.dtype).at[:, self.rows].add(weights.T)
        for column in self.columns:
            out = out.at[jnp.arange(total.size), column].add(self.sign * total)
        return out.at[:, self.multipliers].add(-(weights * self.costs).sum(1).T)

    def some(self, chosen: jax.Array, size: int) -> jax.Array:
        """dz at the pairs numbered x m + j, shape (len(chosen), size)."""
        x, j = jnp.divmod(chosen, self.costs.shape[2])
        each = jnp.arange(chosen.size)
        out = jnp.zeros((chosen.size, size), self.costs.dtype).at[each, self.rows[x]].add(1)
        for column in self.columns:
            out = out.at[each, column[j]].add(self.sign)
        return out.at[:, self.multipliers].add(-self.costs[:, x, j].T)

    def gram(self, weights: jax.Array, size: int) -> jax.Array:
        """sum_xj w_xj dz_xj dz_xj', shape (size, size)."""
        charged = weights * self.costs
        total = weights.sum(0)
        # Above the diagonal of blocks first; the rest by symmetry.
        half = jnp.zeros((size, size), weights.dtype).at[self.rows[:, None], self.multipliers].add(-charged.sum(2).T)
        for column in self.columns:
            half = half.at[self.rows[:, None], column].add(self.sign * weights)
            half = half.at[column[:, None], self.multipliers].add(-self.sign * charged.sum(1).T)
        for i, column in enumerate(self.columns):
            for other in self.columns[:i]:
                half = half.at[column, other].add(total)
        out = (half + half.T).at[self.rows, self.rows].add(weights.sum(1))
        for column in self.columns:
            out = out.at[column, column].add(total)
        squares = jnp.einsum("kxj,lxj->kl", charged, self.costs)
        return out.at[self.multipliers[:, None], self.multipliers].add(squares)

"""The operations of a kernel that a solver may use, as mathematics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp


def ratio(source: jax.Array, z: jax.Array) -> jax.Array:
    """p/z where p > 0, else 0: letters of mass zero are masked, so 0/0 is never formed."""
    return jnp.where(source > 0, source / jnp.where(source > 0, z, 1), 0)


class Kernel(Protocol):
    """K_xy = exp(-(e_xy - min_y e_xy)), e = sum_k s_k d_k, of n source letters x and m reproductions y.

    The shift puts a 1 in every row. Forbidden pairs (d = +inf) have K = 0 at every slope; at slope inf K is 1 on the
    pairs of least distortion and 0 elsewhere. A solver reads a distortion through these operations alone, so that a
    new storage is a new class with them, `AllLetters` a part of it, and `kernel_of` registered for its distortion.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        ...

    @property
    def dtype(self) -> Any:
        """Of the entries of K."""
        ...

    @property
    def slopes(self) -> tuple[jax.Array, ...]:
        """s_k >= 0, one scalar per distortion, nats per unit of it."""
        ...

    @property
    def minima(self) -> tuple[jax.Array, ...]:
        """min_y d of each distortion, shape (n,) each; 0 where it is not finite."""
        ...

    @property
    def feasible(self) -> jax.Array:
        """Whether a letter has a reproduction that is not forbidden, bool, shape (n,)."""
        ...

    @property
    def sound(self) -> jax.Array:
        """Whether a row of d is free of NaN and -inf, bool, shape (n,). Other rows of K are finite but mean nothing."""
        ...

    @property
    def hidden(self) -> jax.Array:
        """The largest s (d - min_y d) of a row that counts as a tie, nats, shape (n,): K is 1 there. The certificate
        adds to the gap what that hides.
        """
        ...

    @property
    def noise(self) -> float:
        """What the certificate allows for rounding, in rounding units of its sums."""
        ...

    def matvec(self, q: jax.Array) -> jax.Array:
        """K q, shape (n,)."""
        ...

    def rmatvec(self, weights: jax.Array) -> jax.Array:
        """K' w, shape (m,)."""
        ...

    def sums(self, source: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
        """z = K q, shape (n,), and c = K'(p/z), shape (m,): what a step and a certificate need."""
        ...

    def mean_excess(self, weights: jax.Array, q: jax.Array) -> tuple[jax.Array, ...]:
        """sum_xy w_x K_xy q_y (d_xy - min_y d_xy) for each distortion; forbidden pairs carry no mass."""
        ...

    def total(self, of_letters: jax.Array) -> jax.Array:
        """The sum over all source letters of one number each, shape ()."""
        ...

    def least(self, of_letters: jax.Array) -> jax.Array:
        """The least over all source letters, shape (); of bool: whether all are true."""
        ...

    def held(self) -> HeldKernel:
        """This kernel with the operations that need its entries.

        Raises:
            InputError: K is not held as a matrix; says what to do instead.
        """
        ...


class HeldKernel(Kernel, Protocol):
    """A kernel that also has the operations that need its entries, for Newton's method."""

    def weighted(self, q: jax.Array) -> jax.Array:
        """K diag(q), shape (n, m)."""
        ...

    def largest(self, weights: jax.Array) -> jax.Array:
        """max_x w_x K_xy, shape (m,)."""
        ...

    def squared_norms(self, rows: jax.Array, columns: jax.Array) -> jax.Array:
        """sum_x (rows_x K_xy columns_y)^2, shape (m,)."""
        ...

    def gram(self, weights: jax.Array, scale: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """diag(scale) K' diag(w) K diag(scale) for w >= 0, shape (m, m), multiplied in `dtype`; its lower triangle."""
        ...

    def turned_gram(self, dtype: jnp.dtype) -> Callable[[jax.Array, jax.Array], jax.Array]:
        """`gram` as a function of (weights, scale), for repeated use."""
        ...

    def restricted(self, columns: jax.Array, least: float) -> HeldKernel:
        """The kernel of some reproductions only, shifted anew, no entry below `least`; columns: indices, shape (k,)."""
        ...

    def astype(self, dtype: Any) -> HeldKernel:
        """The same with K in another dtype."""
        ...

"""Solvers of the interior point's Newton systems, diag(r) K' diag(w) K diag(r) + diag(t): by Cholesky or by CG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve

from jaxrd.kernels import HeldKernel

_Solve = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""(right-hand side, scale) to (solution, residual), each (m,); the solution is NaN where there is none.

The residual's norm is small beside that of the scale: the right-hand side itself, or, where that corrects an earlier
solution, the right-hand side of their sum.
"""


class System(NamedTuple):
    """A solver for the Newton systems of one kernel."""

    build: Callable[[jax.Array, jax.Array, jax.Array], _Solve]  # w (n,) >= 0, r (m,) > 0, t (m,) > 0
    precision: jnp.dtype  # t needs a ridge of a few of its rounding units


NewtonSolver = Callable[[HeldKernel], System]

_ENOUGH = 1e-3  # of the right-hand side's norm, left by the iterations: as many steps as exact directions take
_ITERATIONS = 16  # more of them would cost what a factorisation does


def factorised(gram: Callable[[jax.Array, jax.Array], jax.Array], precision: Any) -> System:
    """Cholesky of what `gram` makes of w and r, in a precision."""

    def build(weights, root, diagonal):
        matrix = gram(weights, root) + jnp.diag(diagonal.astype(precision))
        factor = jnp.linalg.cholesky(matrix, symmetrize_input=False)

        def solve(rhs, _):
            return cho_solve((factor, True), rhs.astype(precision)).astype(rhs.dtype), jnp.zeros_like(rhs)

        return solve

    return System(build, precision)


def direct(kernel: HeldKernel) -> System:
    """Cholesky in the kernel's precision."""
    return factorised(kernel.turned_gram(kernel.dtype), kernel.dtype)


def direct_in_single(kernel: HeldKernel) -> System:
    """Cholesky in float32, on a copy of the kernel that is made even if the solver is never used."""
    return factorised(kernel.turned_gram(jnp.dtype(jnp.float32)), jnp.dtype(jnp.float32))


def direct_in_place(kernel: HeldKernel) -> System:
    """Cholesky in the kernel's precision without a copy of the kernel: slower, but free if it is never used."""
    precision = kernel.dtype
    return factorised(lambda w, r: kernel.gram(w, r, precision), precision)


def iterative(kernel: HeldKernel) -> System:
    """Conjugate gradients in float32, scaled to a unit diagonal: two passes over K an iteration.

    A few iterations are enough where the Gram matrix is nearly diagonal except for one large eigenvalue: many
    reproductions are in use, each for source letters of its own. On smooth kernels CG does not converge: the
    solution is NaN.
    """
    single = jnp.float32
    rounded = kernel.astype(single)

    def build(weights, root, diagonal):
        w, r = jnp.sqrt(weights).astype(single), root.astype(single)
        scale = jax.lax.rsqrt(rounded.squared_norms(w, r) + diagonal.astype(single))
        r, t = r * scale, diagonal.astype(single) * scale**2

        def product(v):
            return r * rounded.rmatvec(w * (w * rounded.matvec(r * v))) + t * v

        def solve(rhs, whole):
            b = scale * rhs.astype(single)
            target = _ENOUGH**2 * ((scale * whole.astype(single)) ** 2).sum()

            def unfinished(state):
                _, _, _, square, count = state
                return (square > target) & (count < _ITERATIONS)

            def iterate(state):
                x, residual, direction, square, count = state
                image = product(direction)
                step = square / (direction @ image)
                residual = residual - step * image
                new = residual @ residual
                return x + step * direction, residual, residual + new / square * direction, new, count + 1

            start = (jnp.zeros_like(b), b, b, b @ b, jnp.int32(0))
            x, residual, _, square, _ = jax.lax.while_loop(unfinished, iterate, start)
            solution = jnp.where(square <= target, scale * x, jnp.nan)
            return solution.astype(rhs.dtype), (residual / scale).astype(rhs.dtype)

        return solve

    return System(build, jnp.dtype(single))

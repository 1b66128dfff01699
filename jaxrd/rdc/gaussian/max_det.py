"""The max-det program of a Gaussian vector under two linear constraints, by its dual: two multipliers, bounded.

    min 1/2 ln(1 / |T|)  over 0 < T <= 1  subject to  tr(L T L') <= bounds_0,  b'T b <= bounds_1

has the dual  max over theta >= 0 of  min over T of 1/2 ln(1/|T|) + 1/2 <M, T> - 1/2 theta.bounds  with
M = theta_0 L'L + theta_1 b b'; the inner minimum is T = f(M), f(m) = min(1, 1/m) on the eigenvalues.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

STEPS = 100
_LADDER = 12  # step lengths tried at once: 1, 1/4, ..., 4^-11


class Whitened(NamedTuple):
    """Q = L T L' with Sigma = L L'."""

    root: jax.Array  # L, so that tr Q = tr(L T L')
    along: jax.Array  # L'a, so that a'Qa = along'T along
    bounds: jax.Array  # (2,): allowed tr Q and a'Qa
    scale: jax.Array  # (2,): the multipliers lie in [0, scale], for their sum over the bounds is at most d


def _dual(theta: jax.Array, white: Whitened) -> jax.Array:
    """min over 0 < T <= 1 of -1/2 ln|T| + 1/2 <M, T> - 1/2 theta.bounds: a lower bound on the rate."""
    m = jnp.linalg.svd(_factor(theta, white), compute_uv=False) ** 2
    return 0.5 * (jnp.where(m > 1, 1 + jnp.log(jnp.maximum(m, 1)), m).sum() - theta @ white.bounds)


def _factor(theta: jax.Array, white: Whitened) -> jax.Array:
    """F with M = F'F = theta_0 L'L + theta_1 L'a a'L: its singular values keep digits that M's eigenvalues lose."""
    return jnp.concatenate([jnp.sqrt(theta[0]) * white.root, jnp.sqrt(theta[1]) * white.along[None, :]])


class Evaluation(NamedTuple):
    """The dual at a pair of multipliers, and the primal it suggests."""

    dual: jax.Array
    gradient: jax.Array
    hessian: jax.Array
    rate: jax.Array
    shrunk: jax.Array  # T, shrunk until both bounds hold
    used: jax.Array  # (2,): its tr Q and a'Qa


def _evaluate(theta: jax.Array, white: Whitened) -> Evaluation:
    """The dual with its derivatives, and the feasible primal beside it."""
    _, singular, right = jnp.linalg.svd(_factor(theta, white), full_matrices=False)
    m, vectors = singular**2, right.T
    high = jnp.maximum(m, 1)
    kept = 1 / high  # the eigenvalues of T
    spread, label = white.root @ vectors, white.along @ vectors
    turned = jnp.stack([spread.T @ spread, jnp.outer(label, label)])  # what tr Q and a'Qa see of T
    used = jnp.einsum("ikk,k->i", turned, kept)
    # Divided differences of 1/max(m, 1) (Daleckii and Krein), without cancellation.
    both = (m[:, None] > 1) & (m[None, :] > 1)
    one = (m[:, None] > 1) != (m[None, :] > 1)
    apart = jnp.where(one, m[:, None] - m[None, :], 1)
    divided = jnp.where(both, -kept[:, None] * kept[None, :], jnp.where(one, (kept[:, None] - kept) / apart, 0))
    hessian = 0.5 * jnp.einsum("ikl,jkl,kl->ij", turned, turned, divided)
    fit = jnp.minimum(1, (white.bounds / used).min())
    rate = 0.5 * (jnp.log(high).sum() - m.size * jnp.log(fit))
    dual = 0.5 * (jnp.where(m > 1, 1 + jnp.log(high), m).sum() - theta @ white.bounds)
    shrunk = fit * (vectors * kept) @ vectors.T
    return Evaluation(dual, 0.5 * (used - white.bounds), hessian, rate, shrunk, fit * used)


def ascend(white: Whitened, tol: jax.Array) -> tuple[jax.Array, Evaluation, jax.Array]:
    """Maximise the concave dual over the box by projected Newton steps, until the gap is within `tol`."""
    eps = jnp.finfo(tol.dtype).eps
    dimensions = white.along.size
    lengths = 4.0 ** -jnp.arange(_LADDER).astype(tol.dtype)

    def unfinished(state):
        _, now, step, idle = state
        return (step < STEPS) & (idle < 8) & ~(now.rate - now.dual <= tol)

    def climb(state):
        x, now, step, idle = state
        gradient, hessian = white.scale * now.gradient, white.scale[:, None] * now.hessian * white.scale
        # Newton's step in both multipliers, and in each alone: near a bound the joint step may not help. A multiplier
        # at zero whose step is negative stays there.
        free = (x > 0) | (gradient > 0)
        diagonal = jnp.minimum(jnp.diag(hessian), -eps)
        matrix = jnp.where(jnp.outer(free, free), hessian, 0) + jnp.diag(jnp.where(free, eps * diagonal - eps, -1))
        joint = jnp.linalg.solve(matrix, jnp.where(free, -gradient, 0))
        single = -gradient / diagonal
        moves = jnp.stack([joint, single * jnp.array([1, 0]), single * jnp.array([0, 1])])
        # Steps are shortened after the clipping, because Newton's step is far too long where the dual is flat.
        tried = (x + lengths[:, None, None] * (jnp.clip(x + moves, 0, 1) - x)).reshape(-1, 2)
        value = jax.vmap(lambda y: _dual(y * white.scale, white))(tried)
        # Of equally good steps take the longest: near the optimum rounding hides a step's gain, but not in the gap.
        x_next = tried[jnp.argmax(value >= jnp.nanmax(value) - 32 * eps * (dimensions + jnp.abs(now.dual)))]
        after = _evaluate(x_next * white.scale, white)
        better = after.rate - after.dual < now.rate - now.dual
        rises = after.dual > now.dual
        chosen = jax.tree.map(lambda a, b: jnp.where(rises | better, a, b), (x_next, after), (x, now))
        return *chosen, step + 1, jnp.where(better, 0, idle + 1)

    start = jnp.full(2, 0.5, tol.dtype)
    x, now, steps, _ = jax.lax.while_loop(
        unfinished, climb, (start, _evaluate(start * white.scale, white), jnp.int32(0), jnp.int32(0))
    )
    return x * white.scale, now, steps

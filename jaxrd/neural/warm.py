"""Begin training from a codebook: place its reproductions on the latent lattice and teach them to the decoder."""

from __future__ import annotations

import jax
import numpy as np
import optax

from jaxrd.neural.quantizer import codes, dither
from jaxrd.neural.train import Code, State, decode


def arrange(reproductions: np.ndarray, places: np.ndarray, *, tries: int = 20, seed: int = 0) -> np.ndarray:
    """A permutation that puts similar reproductions on neighbouring places.

        min sum_ij exp(-|c_i - c_j|^2) |r_i - r_j|^2

    An encoder's errors mostly go to a neighbour. Steepest descent over swaps from random starts; the best is kept.

    Args:
        reproductions: shape (messages, d).
        places: latent vectors, shape (messages, h).
        tries: number of random starts.
        seed: of the starts.

    Returns:
        Place i gets `reproductions[order[i]]`; shape (messages,).

    >>> arrange(np.array([[5.0], [0.0], [2.0]]), np.array([[-1.0], [0.0], [1.0]])).tolist() in ([0, 2, 1], [1, 2, 0])
    True
    """
    near = np.exp(-((places[:, None] - places) ** 2).sum(-1))
    np.fill_diagonal(near, 0)
    # Not in float32: there rounding can appear as a gain, and two swaps could alternate for ever.
    exact = reproductions.astype(np.float64)
    apart = ((exact[:, None] - exact) ** 2).sum(-1)
    generator = np.random.default_rng(seed)
    best, least = np.arange(len(places)), np.inf
    for _ in range(tries):
        order = generator.permutation(len(places))
        while True:
            there = apart[np.ix_(order, order)]
            product = near @ there
            alone = np.diag(product)
            change = product + product.T - alone[:, None] - alone + 2 * near * there
            i, j = np.unravel_index(change.argmin(), change.shape)
            if not change[i, j] < -1e-9 * apart.max():
                break
            order[[i, j]] = order[[j, i]]
        cost = (near * there).sum()
        if cost < least:
            best, least = order, cost
    return best


def teach(code: Code, state: State, reproductions: jax.Array, *, steps: int = 2000, rate: float = 2e-3) -> State:
    """A decoder that maps message j, under any dither, to `reproductions[j]`: least squares by Adam.

    Args:
        code: what the decoder decodes.
        state: to begin from; only the decoder changes.
        reproductions: by place, as `arrange` orders them, shape (L^h, 784).
        steps: of Adam, over all messages at once.
        rate: at the beginning; falls to 0 by a cosine.
    """
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def loss(decoder: dict, key: jax.Array) -> jax.Array:
        u = dither(key, code.dimensions, code.levels, code.dither)
        decoded = decode(code, {"decoder": decoder}, codes(code.dimensions, code.levels) - u)
        return ((decoded - reproductions) ** 2).mean()

    def one(carry: tuple, key: jax.Array) -> tuple[tuple, None]:
        decoder, moments = carry
        updates, moments = optimiser.update(jax.grad(loss)(decoder, key), moments)
        return (optax.apply_updates(decoder, updates), moments), None

    @jax.jit
    def run(decoder: dict) -> dict:
        keys = jax.random.split(state.key, steps)
        return jax.lax.scan(one, (decoder, optimiser.init(decoder)), keys)[0][0]

    return state._replace(parameters=state.parameters | {"decoder": run(state.parameters["decoder"])})

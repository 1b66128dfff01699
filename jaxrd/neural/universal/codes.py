"""Product codes of a latent vector: coordinates of uniform levels, or residual stages of learned words.

A code is a module with

    sizes                     symbols of each place, and `width`, the coordinates of a latent vector
    symbols(latent, u)        (n, width) -> int32 (n, places)
    latents(symbols, u)       its inverse on the code's points: (n, places) -> (n, width)
    candidates(latent, count, u)  near symbols, from which an encoder may choose: (n, width) -> (n, <= count, places)
    straight(latent, u, symbols)  latents of given symbols, or the nearest, with a gradient to the encoder; a penalty
    offsets(key, count)       the dither u that encoder and decoder share, (n, width), or None
    begin(key, latent)        fit the code to latent vectors, principal components at first; returns their scale

Time and memory of all of them are linear in the number of places, that is in the bits.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrd.errors import InputError


class Code(Protocol):
    """What an autoencoder asks of a code."""

    sizes: tuple[int, ...]
    width: int

    def offsets(self, key: jax.Array | None, count: int) -> jax.Array | None:
        """The shared dither of `count` images."""
        ...

    def begin(self, key: jax.Array, latent: jax.Array) -> jax.Array:
        """Fit the code to latent vectors; what they are to be multiplied with, (width,)."""
        ...

    def symbols(self, latent: jax.Array, u: jax.Array | None = None) -> jax.Array:
        """The nearest symbols."""
        ...

    def candidates(self, latent: jax.Array, count: int, u: jax.Array | None = None) -> jax.Array:
        """Near symbols, the nearest found first."""
        ...

    def latents(self, symbols: jax.Array, u: jax.Array | None = None) -> jax.Array:
        """The point that symbols stand for."""
        ...

    def straight(
        self, latent: jax.Array, u: jax.Array | None = None, symbols: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """A point with a gradient to the encoder, and a penalty a latent vector."""
        ...


def bits_of(code: Code) -> float:
    """log2 of the number of messages."""
    return float(sum(math.log2(size) for size in code.sizes))


class Words(nnx.Module):
    """Residual stages of learned words: the latent vector is the sum of one word of each stage.

        z = W_1[m_1] + ... + W_S[m_S],   (m_1, ..., m_S) by a search that keeps the `beam` best beginnings

    Args:
        stages: S.
        words: of each stage; the rate is at most S log2 words bits.
        width: coordinates of a latent vector.
        beam: beginnings that the search keeps; 1 is the greedy residual quantiser.
        rngs: of the first words, which training replaces by k-means.

    Raises:
        InputError: no stage, fewer than two words, no coordinate, or a beam below 1.

    Reference: B.-H. Juang and A. Gray, Multiple stage vector quantization for speech coding, ICASSP 1982.
    """

    def __init__(self, stages: int, words: int, width: int, *, beam: int = 1, rngs: nnx.Rngs):
        if stages < 1 or words < 2 or width < 1 or beam < 1:
            raise InputError(
                "a code needs stages >= 1, words >= 2, width >= 1 and beam >= 1; "
                f"got {stages}, {words}, {width} and {beam}."
            )
        self.beam: int
        self.width: int
        self.sizes: tuple[int, ...]
        self.sizes, self.width, self.beam = (words,) * stages, width, beam
        self.words: nnx.Param[jax.Array] = nnx.Param(jax.random.normal(rngs.params(), (stages, words, width)))

    def offsets(self, key: jax.Array | None, count: int) -> None:
        """None: such a code has no dither."""
        return

    def begin(self, key: jax.Array, latent: jax.Array) -> jax.Array:
        """Words by k-means on what the stages before left over, without networks: no stage can collapse."""
        self.words[...] = residual_words(key, latent, len(self.sizes), self.sizes[0])
        return jnp.ones(self.width)

    def symbols(self, latent: jax.Array, u: jax.Array | None = None) -> jax.Array:
        """The words found by the search, int32 of shape (n, stages)."""
        return search(latent, self.words[...], self.beam)[:, 0]

    def candidates(self, latent: jax.Array, count: int, u: jax.Array | None = None) -> jax.Array:
        """The `count` best words of a search that keeps as many, int32 of shape (n, count, stages)."""
        return search(latent, self.words[...], count)

    def latents(self, symbols: jax.Array, u: jax.Array | None = None) -> jax.Array:
        """The sum of the words, shape (n, width)."""
        words = self.words[...]
        total = words[0][symbols[:, 0]]
        for stage in range(1, len(words)):
            total = total + words[stage][symbols[:, stage]]
        return total

    def straight(
        self, latent: jax.Array, u: jax.Array | None = None, symbols: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """The sum of the words, the greedy ones if none are given, with a gradient to the words and the encoder.

        The penalty holds both together: |f - z|^2 / 4 for the encoder alone plus the same for the words alone.
        """
        fixed = jax.lax.stop_gradient
        if symbols is None:
            symbols = search(fixed(latent), fixed(self.words[...]), 1)[:, 0]
        z = self.latents(symbols)
        penalty = 0.25 * ((latent - fixed(z)) ** 2).sum(-1) + 0.25 * ((fixed(latent) - z) ** 2).sum(-1)
        return z + latent - fixed(latent), penalty


def search(latent: jax.Array, words: jax.Array, beam: int) -> jax.Array:
    """Words whose sum is near each latent vector, stage by stage, with the best `beam` beginnings kept.

    Args:
        latent: shape (n, width).
        words: shape (stages, words, width).
        beam: beginnings.

    Returns:
        The best of them, int32 of shape (n, at most beam, stages), the nearest first.

    >>> words = jnp.array([[[0.0], [4.0]], [[-1.0], [1.5]]])
    >>> search(jnp.array([[2.4]]), words, 1).tolist(), search(jnp.array([[1.9]]), words, 2).tolist()
    ([[[1, 0]]], [[[0, 1], [1, 0]]])
    """
    residual = latent[:, None]  # (n, beginnings, width)
    cost = jnp.zeros(residual.shape[:2], latent.dtype)
    chosen = jnp.zeros((*residual.shape[:2], 0), jnp.int32)
    count = words.shape[1]
    for stage in words:
        squares = cost[..., None] + (stage**2).sum(-1) - 2 * residual @ stage.T  # less |latent|^2
        flat = squares.reshape(len(latent), -1)
        best = jax.lax.top_k(-flat, min(beam, flat.shape[-1]))[1] if beam > 1 else flat.argmin(-1, keepdims=True)
        origin, word = best // count, best % count
        cost = jnp.take_along_axis(flat, best, 1)
        residual = jnp.take_along_axis(residual, origin[..., None], 1) - stage[word]
        earlier = jnp.take_along_axis(chosen, origin[..., None], 1)
        chosen = jnp.concatenate([earlier, word[..., None].astype(jnp.int32)], -1)
    return chosen


@partial(jax.jit, static_argnums=(2, 3))
def residual_words(key: jax.Array, latent: jax.Array, stages: int, words: int, rounds: int = 20) -> jax.Array:
    """k-means on latent vectors, then on what the first stage leaves over, and so on: shape (stages, words, width).

    Words that no vector is nearest to are put on vectors drawn at random.

    Args:
        key: of the first words and of those put elsewhere.
        latent: shape (n, width).
        stages: how many.
        words: of each.
        rounds: of k-means a stage.
    """
    count = len(latent)

    def nearest(residual: jax.Array, book: jax.Array) -> jax.Array:
        return jnp.argmin((book**2).sum(-1) - 2 * residual @ book.T, -1)

    def stage(residual: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        def better(book: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
            chosen = nearest(residual, book)
            used = jax.ops.segment_sum(jnp.ones(count, latent.dtype), chosen, words)[:, None]
            total = jax.ops.segment_sum(residual, chosen, words)
            other = residual[jax.random.randint(key, (words,), 0, count)]
            return jnp.where(used > 0, total / jnp.maximum(used, 1), other), None

        first, later = jax.random.split(key)
        start = residual[jax.random.choice(first, count, (words,), replace=words > count)]
        book, _ = jax.lax.scan(better, start, jax.random.split(later, rounds))
        return residual - book[nearest(residual, book)], book

    return jax.lax.scan(stage, latent, jax.random.split(key, stages))[1]


class Levels(nnx.Module):
    """Coordinates of L uniform levels in [-1, 1], with a shared dither: z = Q(tanh f + u) - u.

    Args:
        dimensions: h, coordinates.
        levels: L of each; the rate is at most h log2 L bits.
        dither: width of the shared dither in cells, 0 for none.

    Raises:
        InputError: no coordinate, fewer than two levels, a dither outside [0, 1].
    """

    def __init__(self, dimensions: int, levels: int, *, dither: float = 0.0):
        if dimensions < 1 or levels < 2 or not 0 <= dither <= 1:
            raise InputError(
                f"a code needs dimensions >= 1, levels >= 2 and a dither in [0, 1]; got {dimensions}, {levels} and "
                f"{dither:g}."
            )
        self.dither: float
        self.width: int
        self.sizes: tuple[int, ...]
        self.sizes, self.width, self.dither = (levels,) * dimensions, dimensions, dither

    def offsets(self, key: jax.Array | None, count: int) -> jax.Array | None:
        """u ~ U[-a/2, a/2), a = dither * 2 / (L - 1), shape (count, h); None without dither.

        Raises:
            InputError: there is a dither and no key.
        """
        if not self.dither:
            return None
        if key is None:
            raise InputError("this code has a shared dither: pass the same key to encode and decode.")
        return self.dither / (self.sizes[0] - 1) * jax.random.uniform(key, (count, self.width), minval=-1.0)

    def begin(self, key: jax.Array, latent: jax.Array) -> jax.Array:
        """Nothing is fitted; every coordinate is scaled to a deviation of 1, so that all levels are used."""
        return 1 / jnp.maximum(latent.std(0), 1e-6)

    def symbols(self, latent: jax.Array, u: jax.Array | None = None) -> jax.Array:
        """The nearest levels, int32 of shape (n, h)."""
        top = self.sizes[0] - 1
        places = (jnp.tanh(latent) + (0 if u is None else u) + 1) / 2 * top
        return jnp.clip(jnp.round(places), 0, top).astype(jnp.int32)

    def candidates(self, latent: jax.Array, count: int, u: jax.Array | None = None) -> jax.Array:
        """The nearest levels, then with one coordinate at its second nearest, int32 of shape (n, <= count, h).

        The coordinates that are nearest to a border between two levels come first.
        """
        top = self.sizes[0] - 1
        places = (jnp.tanh(latent) + (0 if u is None else u) + 1) / 2 * top
        nearest = jnp.clip(jnp.round(places), 0, top)
        step = jnp.where(places >= nearest, 1, -1)
        step = jnp.where((nearest + step < 0) | (nearest + step > top), -step, step)
        cost = (places - nearest - step) ** 2 - (places - nearest) ** 2
        moved = jnp.argsort(cost, -1)[:, : count - 1, None] == jnp.arange(self.width)
        all_of_them = jnp.concatenate([nearest[:, None], nearest[:, None] + moved * step[:, None]], 1)
        return all_of_them.astype(jnp.int32)

    def latents(self, symbols: jax.Array, u: jax.Array | None = None) -> jax.Array:
        """The levels less the dither, shape (n, h)."""
        return symbols * (2 / (self.sizes[0] - 1)) - 1 - (0 if u is None else u)

    def straight(
        self, latent: jax.Array, u: jax.Array | None = None, symbols: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """The levels, the nearest if none are given, with the gradient of tanh f; no penalty."""
        fixed = jax.lax.stop_gradient
        z = self.latents(self.symbols(fixed(latent), u) if symbols is None else symbols, u)
        soft = jnp.tanh(latent)
        return z + soft - fixed(soft), jnp.zeros(len(latent), latent.dtype)

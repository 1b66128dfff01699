"""Quantisers of one source letter at a time: what a fixed number of messages reaches in (MSE, cross-entropy)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

Classifier = Callable[[jax.Array], jax.Array]
"""Vectors (..., d) -> logits (..., classes)."""


class Codebook(NamedTuple):
    """A decoder with finitely many messages.

    Args:
        reproductions: one vector per message, shape (messages, d).
        log_posteriors: ln c(s | reproduction), nats, shape (messages, classes).
    """

    reproductions: jax.Array
    log_posteriors: jax.Array


class Measured(NamedTuple):
    """What a codebook does on a sample: scalars, nats, and the message of every letter."""

    mse: jax.Array
    cross_entropy: jax.Array
    accuracy: jax.Array
    entropy: jax.Array
    messages: jax.Array


def codebook(reproductions: jax.Array, classifier: Classifier) -> Codebook:
    """The reproductions with what the classifier says of them."""
    return Codebook(reproductions, jax.nn.log_softmax(classifier(reproductions)))


def costs(source: jax.Array, beliefs: jax.Array, book: Codebook, weight: jax.Array | float) -> jax.Array:
    """Cost of every message for every letter: MSE per coordinate and, weighted, the expected log loss.

        |x - r_j|^2 / d - weight sum_s p(s|x) ln c(s | r_j)

    This is the loss (16) of [B] without its third term, for one letter. Only differences between messages matter to
    an encoder; |x|^2 is included so that means are losses.

    Args:
        source: letters, shape (n, d).
        beliefs: p(s|x) as the encoder holds it, which sees no label, shape (n, classes).
        book: the decoder.
        weight: of a nat of cross-entropy, in units of MSE, >= 0.

    Returns:
        Shape (n, messages).
    """
    r = book.reproductions
    squares = (source**2).sum(-1)[:, None] - 2 * source @ r.T + (r**2).sum(-1)
    return squares / source.shape[-1] - weight * beliefs @ book.log_posteriors.T


def lloyd(
    source: jax.Array,
    beliefs: jax.Array,
    start: jax.Array,
    weight: jax.Array | float,
    classifier: Classifier,
    *,
    rounds: int,
    descents: int = 4,
) -> tuple[Codebook, jax.Array]:
    """Alternate between the best message of every letter and better reproductions for them: Lloyd's iteration.

        min_r  sum_j P_j [ |r_j - m_j|^2 / d - weight sum_s p_j(s) ln c(s | r_j) ]

    with P_j, m_j and p_j the mass, mean and mean belief of cell j. The classifier makes this nonconvex, so each
    reproduction descends its own gradient and takes a step only where that lowers its cost: the loss never rises.
    Where the weight is 0 the first step lands on the mean, and this is k-means. A local minimum: `jax.vmap` over
    `start` and keep the best.

    Args:
        source: letters, shape (n, d).
        beliefs: p(s|x), shape (n, classes).
        start: reproductions to begin with, shape (messages, d).
        weight: of a nat of cross-entropy, in units of MSE.
        classifier: fixed; differentiated through.
        rounds: of assignment and descent.
        descents: gradient steps a round.

    Returns:
        The codebook, and the loss at the beginning of each round, shape (rounds,).

    >>> x = jnp.array([[0.0], [0.2], [2.0], [2.4]])
    >>> certain = jnp.eye(2)[jnp.array([0, 0, 1, 1])]
    >>> logistic = lambda r: jnp.concatenate([-4 * (r - 1), 4 * (r - 1)], -1)
    >>> book, loss = lloyd(x, certain, x[:2], 0.0, logistic, rounds=3)
    >>> book.reproductions.round(3).ravel().tolist()
    [0.1, 2.2]
    """
    start = jnp.asarray(start, source.dtype)
    d = source.shape[-1]

    def cell_costs(r: jax.Array, means: jax.Array, cell_beliefs: jax.Array) -> jax.Array:
        return ((r - means) ** 2).sum(-1) / d - weight * (cell_beliefs * codebook(r, classifier).log_posteriors).sum(-1)

    def one_round(r: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        cost = costs(source, beliefs, codebook(r, classifier), weight)
        cells = jax.nn.one_hot(cost.argmin(-1), len(r), dtype=source.dtype)
        mass = cells.sum(0)[:, None]
        # An empty cell keeps its reproduction: its mean is set to it, its belief to zero.
        means = jnp.where(mass > 0, cells.T @ source / jnp.maximum(mass, 1), r)
        cell_beliefs = cells.T @ beliefs / jnp.maximum(mass, 1)

        def descend(carry: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], None]:
            r, steps = carry
            value, pull = jax.vjp(lambda r: cell_costs(r, means, cell_beliefs), r)
            # d/2 is the inverse curvature of the MSE: with weight 0, step 1 is exact.
            trial = r - steps[:, None] * (d / 2) * pull(jnp.ones_like(value))[0]
            better = cell_costs(trial, means, cell_beliefs) < value
            return (
                jnp.where(better[:, None], trial, r),
                jnp.where(better, jnp.minimum(1.5 * steps, 1), steps / 3),
            ), None

        # Every round begins at step 1: a reproduction at its optimum rejects all steps, and must not keep a small one.
        r = jax.lax.scan(descend, (r, jnp.ones(len(r), r.dtype)), None, length=descents)[0][0]
        return r, cost.min(-1).mean()

    r, losses = jax.lax.scan(one_round, start, None, length=rounds)
    return codebook(r, classifier), losses


def measure(
    source: jax.Array, beliefs: jax.Array, labels: jax.Array, book: Codebook, weight: jax.Array | float
) -> Measured:
    """Encode a sample by `costs` and measure it on its labels: an achievable point.

    Args:
        source: letters, shape (n, d).
        beliefs: p(s|x), what the encoder knows of the label, shape (n, classes).
        labels: the true ones, integers, shape (n,).
        book: the decoder.
        weight: the encoder's, as in `costs`.
    """
    messages = costs(source, beliefs, book, weight).argmin(-1)
    log_posteriors = book.log_posteriors[messages]
    counts = jnp.zeros(len(book.reproductions), source.dtype).at[messages].add(1)
    return Measured(
        mse=((source - book.reproductions[messages]) ** 2).mean(),
        cross_entropy=-jnp.take_along_axis(log_posteriors, labels[:, None], -1).mean(),
        accuracy=(log_posteriors.argmax(-1) == labels).mean(),
        entropy=jax.scipy.special.entr(counts / len(source)).sum(),
        messages=messages,
    )


def blend(
    key: jax.Array,
    book: Codebook,
    messages: jax.Array,
    pool: jax.Array,
    pool_messages: jax.Array,
    share: jax.Array | float,
) -> jax.Array:
    """Reproductions moved by `share` of the way towards a random pool letter of the same message: more realistic ones.

        xh = r_j + share (x' - r_j),   x' drawn from the pool's cell j

    Between E[X|Z] and a draw from p(x|Z). With D the codebook's MSE, r_j its cells' means and the pool distributed as
    the source, the MSE becomes (1 + share^2) D while W2^2 per coordinate is at most (1 - share)^2 D, since x' is
    itself distributed as the source. Where cells are nearest neighbours (weight 0) W2^2 equals that and
    share = p / (1 + p) minimises MSE + p W2^2 over all decoders of these messages (Freirich, Michaeli and Meir 2021).

    Args:
        key: of the draws; private to the decoder.
        book: the decoder.
        messages: received, integers, shape (n,).
        pool: letters the decoder keeps, shape (k, d); a message the pool never has gets its r_j unmoved.
        pool_messages: theirs, shape (k,).
        share: in [0, 1].

    Returns:
        Shape (n, d).
    """
    order = jnp.argsort(pool_messages)
    counts = jnp.zeros(len(book.reproductions), int).at[pool_messages].add(1)
    first = jnp.cumsum(counts) - counts
    drawn = first[messages] + jnp.floor(jax.random.uniform(key, messages.shape) * counts[messages]).astype(int)
    r = book.reproductions[messages]
    return r + share * jnp.where(counts[messages][:, None] > 0, pool[order[drawn]] - r, 0)

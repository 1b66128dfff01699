"""The frontier of one-shot quantisers: the best codebook reached for each weight of the cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax

from jaxrd.rdc.quantiser.one_shot import Classifier, Codebook, lloyd


def frontier(
    source: jax.Array,
    beliefs: jax.Array,
    classifier: Classifier,
    weights: Sequence[float],
    *,
    messages: int,
    starts: int,
    rounds: int,
    search: int,
    seed: int,
    report: Callable[[float, jax.Array], None] = lambda *_: None,
) -> list[tuple[Codebook, float]]:
    """(codebook, loss) for every weight: the best of several starts, from below and from above.

    One pass runs from the least weight upwards (k-means first), one from the greatest downwards; each weight begins
    where its neighbour ended. One pass alone ends in worse minima. The codebooks are achieved, not proved best.

    Args:
        source: letters, shape (n, d).
        beliefs: p(s|x), shape (n, classes).
        classifier: fixed; differentiated through.
        weights: of a nat of cross-entropy, in units of MSE, rising.
        messages: of each codebook.
        starts: random starts of each pass, `jax.vmap`ped.
        rounds: of `one_shot.lloyd` at each weight.
        search: number of letters for the search; its codebooks are then improved on all letters.
        seed: of the starts.
        report: called with a weight and the losses of its starts, shape (starts,).

    >>> import jax.numpy as jnp
    >>> x = jnp.linspace(0.0, 1.0, 8)[:, None]
    >>> logistic = lambda r: jnp.concatenate([-4 * (r - 0.5), 4 * (r - 0.5)], -1)
    >>> one = dict(messages=2, starts=2, rounds=10, search=8, seed=0)
    >>> [(book, loss)] = frontier(x, jnp.full((8, 2), 0.5), logistic, [0.0], **one)
    >>> sorted(book.reproductions.round(3).ravel().tolist())
    [0.214, 0.786]
    """
    few = source[:search], beliefs[:search]

    def improved(source: jax.Array, beliefs: jax.Array, start: jax.Array, weight: float) -> tuple[Codebook, jax.Array]:
        book, losses = lloyd(source, beliefs, start, weight, classifier, rounds=rounds)
        return book, losses[-1]

    improve, polish = jax.jit(jax.vmap(improved, (None, None, 0, None))), jax.jit(improved)
    best: dict[float, tuple[Codebook, float]] = {}
    for key, order in zip(jax.random.split(jax.random.key(seed)), (weights, weights[::-1]), strict=True):
        # A start is a set of distinct letters; one letter may serve two starts.
        chosen = jax.vmap(lambda k: jax.random.choice(k, len(few[0]), (messages,), replace=False))(
            jax.random.split(key, starts)
        )
        # The first weight has twice as many rounds.
        reproductions = improve(*few, few[0][chosen], order[0])[0].reproductions
        for weight in order:
            codebooks, losses = improve(*few, reproductions, weight)
            reproductions = codebooks.reproductions
            i = int(losses.argmin())
            if weight not in best or losses[i] < best[weight][1]:
                best[weight] = jax.tree.map(lambda a, i=i: a[i], codebooks), float(losses[i])
            report(weight, losses)
    polished = (polish(source, beliefs, best[weight][0].reproductions, weight) for weight in weights)
    return [(book, float(loss)) for book, loss in polished]

"""S&C of more posteriors than memory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxrd.errors import InputError
from jaxrd.tosc.curves.sampled import SampleAndCommunicate

Blocks = Iterable[tuple[ArrayLike, ArrayLike]]


@jax.jit
def _output_of(log_v: jax.Array, inverse_temperature: jax.Array, kept: jax.Array) -> jax.Array:
    """The sum of the channel's rows."""
    return kept @ jnp.exp(log_softmax(inverse_temperature * log_v, axis=1))


@jax.jit
def _sums_of(
    log_v: jax.Array, labels: jax.Array, inverse_temperature: jax.Array, kept: jax.Array, log_q: jax.Array
) -> jax.Array:
    """Divergence from q, P(right) and what the model believes it to be, summed over the rows, shape (3,)."""
    log_w = log_softmax(inverse_temperature * log_v, axis=1)
    channel = jnp.exp(log_w)
    divergence = jnp.where(channel > 0, channel * (log_w - log_q), 0).sum(1)
    right = jnp.take_along_axis(channel, labels[:, None], 1)[:, 0]
    return kept @ jnp.stack([divergence, right, (channel * jnp.exp(log_v)).sum(1)], 1)


def sample_and_communicate_in_blocks(
    blocks: Callable[[], Blocks] | Blocks, inverse_temperature: ArrayLike
) -> SampleAndCommunicate:
    """S&C of more posteriors than memory holds: `sample_and_communicate`, in two passes over blocks of samples.

    The first pass computes q, the mean of the channel's rows, the second their divergence from q. The loop runs on the
    host and holds one block and its scratch arrays; it compiles once if no block is larger than the first.

    Args:
        blocks: pairs of ln v, shape (rows, classes), and labels, int, shape (rows,); something that can be iterated
            twice, or a function that returns an iterable. All samples weigh the same.
        inverse_temperature: t >= 0, finite, a scalar.

    Raises:
        InputError: there is no sample, the two passes did not see the same number, or shapes do not belong together.

    >>> from jaxrd.tosc import sample_and_communicate
    >>> log_v, labels = jnp.log(jnp.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])), jnp.array([0, 1, 1])
    >>> point = sample_and_communicate_in_blocks([(log_v[:2], labels[:2]), (log_v[2:], labels[2:])], 2.0)
    >>> bool(abs(point.rate - sample_and_communicate(log_v, labels, 2.0).rate) < 1e-6)
    True
    """
    rows = 0

    def prepared() -> Iterator[tuple[jax.Array, jax.Array, jax.Array]]:
        """Blocks filled up to the first one's length, and which rows are real."""
        nonlocal rows
        for log_v, labels in blocks() if callable(blocks) else blocks:
            log_v, labels = jnp.asarray(log_v), jnp.asarray(labels)
            if log_v.ndim != 2 or labels.shape != log_v.shape[:1]:
                raise InputError(
                    f"a block must be ln v (rows, classes) and labels (rows,); got {log_v.shape} and {labels.shape}."
                )
            rows = rows or len(labels)
            missing = max(rows - len(labels), 0)
            kept = jnp.asarray(np.arange(len(labels) + missing) < len(labels), log_v.dtype)
            if missing:
                log_v, labels = jnp.pad(log_v, ((0, missing), (0, 0))), jnp.pad(labels, (0, missing))
            yield log_v, labels, kept

    total, output = 0, None
    for log_v, _, kept in prepared():
        total += int(kept.sum())
        part = _output_of(log_v, jnp.asarray(inverse_temperature, log_v.dtype), kept)
        output = part if output is None else output + part
    if output is None or total == 0:
        raise InputError("there is no sample in the blocks.")
    q = output / total
    log_q = jnp.log(jnp.where(q > 0, q, 1))

    seen, sums = 0, jnp.zeros(3, q.dtype)
    for log_v, labels, kept in prepared():
        seen += int(kept.sum())
        sums += _sums_of(log_v, labels, jnp.asarray(inverse_temperature, log_v.dtype), kept, log_q)
    if seen != total:
        raise InputError(f"the first pass saw {total} samples, the second {seen}: pass a function, not an iterator.")
    divergence, right, believed = sums / total
    return SampleAndCommunicate(jnp.maximum(divergence, 0), 1 - right, 1 - believed)

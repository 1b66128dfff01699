"""What is added up or compared over all source letters."""

from __future__ import annotations

import jax
import jax.numpy as jnp

RUN = 128
"""Most letters that are added up one after another: the rounding of longer sums would be seen in the certificate."""


def added_up(of_letters: jax.Array) -> jax.Array:
    """The sum, of runs first: XLA on CPU adds up one after another.

    >>> float(added_up(jnp.ones(300)))
    300.0
    """
    if len(of_letters) <= RUN or jax.default_backend() != "cpu":
        return of_letters.sum()
    return jnp.pad(of_letters, (0, -len(of_letters) % RUN)).reshape(-1, RUN).sum(1).sum()


class AllLetters:
    """Of a kernel whose source letters are all on one device."""

    def total(self, of_letters: jax.Array) -> jax.Array:
        """The sum over source letters, shape ()."""
        return added_up(of_letters)

    def least(self, of_letters: jax.Array) -> jax.Array:
        """The least over source letters, shape (); of bool: whether all are true."""
        return of_letters.min()

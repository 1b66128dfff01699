"""What a probability of error says of H(Y|X), and the reverse: Fano's inequality and the one below it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd.closed_form import categorical
from jaxrd.errors import InputError
from jaxrd.information import binary_entropy
from jaxrd.tosc._checked import a_number, checked


def _several(given: dict) -> None:
    if not (isinstance(given["classes"], int | np.integer) and given["classes"] >= 2):
        raise InputError(f"classes must be an integer, at least 2; got {given['classes']}.")


_ERROR = a_number("error", lambda e: (e >= 0) & (e <= 1), "in [0, 1]")
_ENTROPY = a_number("entropy", lambda h: h >= 0, "a number of nats, >= 0")


@checked(_ERROR, _several)
def greatest_entropy(error: ArrayLike, classes: int) -> jax.Array:
    """Fano: a decision with P(wrong) = e proves H(Y|X) <= h(e) + e ln(M-1), ln M from e = 1 - 1/M on; nats.

    Args:
        error: e of any decision made from X, in [0, 1], any shape.
        classes: M >= 2.

    >>> round(float(greatest_entropy(0.5, 2)), 6)
    0.693147
    """
    e = jnp.clip(jnp.asarray(error), 0, 1 - 1 / classes)
    return binary_entropy(e) + e * jnp.log(classes - 1.0)


@checked(_ERROR, _several)
def least_entropy(error: ArrayLike, classes: int) -> jax.Array:
    """The reverse: if *no* decision errs less than e, H(Y|X) >= phi(e), linear between (1 - 1/k, ln k); nats.

    The error e of one classifier does not prove that no decision errs less: with it the bound is a hypothesis, not a
    result.

    Args:
        error: e of the best decision (Bayes), in [0, 1 - 1/M], any shape.
        classes: M.

    Reference: M. Feder and N. Merhav, Relations between entropy and error probability, IEEE Trans. IT 1994.

    >>> round(float(least_entropy(0.25, 10)), 6)  # 2 e ln 2 for e <= 1/2
    0.346574
    """
    k = jnp.arange(1, classes + 1)
    return jnp.interp(jnp.asarray(error), 1 - 1 / k, jnp.log(k))


@checked(_ENTROPY, _several)
def least_error(entropy: ArrayLike, classes: int) -> jax.Array:
    """Fano's inequality inverted: with H(Y|X) >= h every decision, at any rate, errs with probability e or more.

    ln M - h(e) - e ln(M-1) is the rate-distortion function of a uniform source: e is where it equals ln M - h.

    Args:
        entropy: h, nats, any shape; ln M and more give 1 - 1/M.
        classes: M >= 2.

    >>> round(float(least_error(0.6931471805599453, 2)), 6)
    0.5
    """
    uniform = jnp.full(classes, 1 / classes)
    return categorical.distortion(uniform, jnp.maximum(jnp.log(classes) - jnp.asarray(entropy), 0))

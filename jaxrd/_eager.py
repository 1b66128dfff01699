"""Checks of values on the host, where they are known: outside jit, vmap and grad. Inside, a status or NaN shows it."""

from collections.abc import Callable

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxrd.errors import InputError

_NO_NUMBERS = "OSUMmc"
"""Kinds of numpy's types that have no order or are no numbers: objects, text, dates, complex."""

Test = Callable[[np.ndarray], np.ndarray]


def known(value: ArrayLike) -> np.ndarray | None:
    """The value as a numpy array; None where it is traced.

    >>> known(2.0)
    array(2.)
    """
    try:
        return np.asarray(value)
    except jax.errors.TracerArrayConversionError:
        return None


def is_traced(*values: object) -> bool:
    """Whether a leaf of the values is abstract: inside jit, vmap or grad.

    >>> is_traced(2.0, (jax.numpy.ones(3), None))
    False
    """
    return any(_is_abstract(leaf) for leaf in jax.tree.leaves(values))


def _is_abstract(leaf: object) -> bool:
    if not isinstance(leaf, jax.Array):  # tracers say that they are
        return False
    try:
        _ = leaf.is_fully_addressable
    except jax.errors.ConcretizationTypeError:
        return True
    return False


def refuse_unless(test: Test, name: str, value: ArrayLike, what: str) -> None:
    """Raise if a known value fails an elementwise test.

    Raises:
        InputError: f"{name} must be {what}; got ...", with the first entry that fails and where it stands; or the value
            is no number.

    >>> refuse_unless(np.isfinite, "variance", 1.0, "finite")
    """
    array = known(value)
    if array is None:
        return
    if array.dtype.kind in _NO_NUMBERS:
        raise InputError(f"{name} must be {what}; got {value!s:.60}, of type {type(value).__name__}.")
    good = np.asarray(test(array))
    if good.all():
        return
    place = tuple(int(i) for i in np.argwhere(~good)[0])
    where = f" at {place[0] if len(place) == 1 else place}" if place else ""
    raise InputError(f"{name} must be {what}; got {array[place]:g}{where}.")


def refuse_words(name: str, value: ArrayLike) -> None:
    """Raise if a known value is no number and no array of numbers: words, None, complex numbers.

    Raises:
        InputError: f"{name} must be numbers; got ...".

    >>> refuse_words("rate", [1.0, 2.0])
    """
    refuse_unless(lambda array: np.ones(array.shape, bool), name, value, "numbers")


def refuse_unless_whole(name: str, value: object, least: int) -> None:
    """Raise if a value is no integer, or one below the least.

    Raises:
        InputError: f"{name} must be an integer >= {least}; got ...".

    >>> refuse_unless_whole("seed", 3, 0)
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        got = f"shape {np.shape(value)}" if isinstance(value, np.ndarray) and value.ndim else f"{value!r:.60}"
        raise InputError(f"{name} must be an integer >= {least}; got {got}.")


def refuse_shapes(**given: ArrayLike) -> None:
    """Raise if arguments cannot be broadcast together; their shapes are known even where they are traced.

    Raises:
        InputError: "... must have shapes that broadcast together; got ...".

    >>> refuse_shapes(variance=2.0, distortion=np.ones(3))
    """
    shapes = [np.shape(value) for value in given.values()]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise InputError(
            f"{', '.join(given)} must have shapes that broadcast together; got {', '.join(map(str, shapes))}."
        ) from None


def refuse_tolerance(tol: ArrayLike | None) -> None:
    """Raise if a tolerance is given and known and is no number >= 0.

    Raises:
        InputError: "tol must be a number >= 0; got ...".

    >>> refuse_tolerance(None)
    """
    if tol is not None:
        refuse_unless(lambda t: t >= 0, "tol", tol, "a number >= 0")


def refuse_weights(name: str, value: ArrayLike) -> None:
    """Raise if known values are no weights, from which the pmf weights / sum of weights is made.

    Raises:
        InputError: quotes the first entry that is negative or not finite, or the sum if it is zero or not finite.

    >>> refuse_weights("source", [7, 3])
    """
    array = known(value)
    if array is None:
        return
    refuse_unless(np.isfinite, name, array, "finite")
    if (array < 0).any():
        raise InputError(f"{name} must not be negative; got {array.min():.6g} at letter {array.argmin()}.")
    total = array.sum()
    if not 0 < total < np.inf:
        raise InputError(f"{name} must have a positive finite sum; got {total:g}.")

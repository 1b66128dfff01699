"""A solver that runs on the host, inside JAX: a callback whose value has first derivatives, by the envelope theorem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._envelope import envelope, underivable
from jaxrd.errors import InputError


class Answer(NamedTuple):
    """What a solver on the host gives, in numpy."""

    value: float  # of an optimum
    lower: float  # a bound on it
    rest: Any  # all other results, a pytree of arrays
    slopes: Any  # d value / d given, a pytree like what was given; may be infinite


def on_host(solve: Callable[[Any], Answer], given: Any, blank: Any) -> tuple[Any, Any, Any]:
    """(value, lower, rest) of a solver in numpy, for jit, vmap and grad: one call for each point, one after the other.

    The value has the derivatives that the solver gives, once; those of everything else, second ones too, are NaN. The
    solver works in float64 on what it is given; in float32 the value is rounded up and the bound down, so that they
    stay bounds for what was given. Where it refuses the values by an `InputError` the value is NaN.

    Args:
        solve: given, as numpy arrays in float64, -> `Answer`.
        given: a pytree of arrays of one floating dtype.
        blank: what `rest` is where the values are refused, in numpy; its shapes are those of every `rest`.
    """
    leaves, tree = jax.tree.flatten(given)
    shapes, ends = [a.shape for a in leaves], np.cumsum([a.size for a in leaves])
    # One vector: outside jit every operation on it is a program of its own.
    flat = jnp.concatenate([jnp.ravel(a) for a in leaves])
    dtype, largest = flat.dtype, jnp.finfo(flat.dtype).max

    def typed(a: Any) -> np.ndarray:
        array = np.asarray(a)
        return array.astype(dtype if array.dtype.kind == "f" else np.int32)

    def call(flat: jax.Array) -> tuple:
        parts = np.split(np.asarray(flat, np.float64), ends[:-1])
        try:
            found = solve(tree.unflatten([part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]))
        except InputError:
            found = Answer(np.nan, -np.inf, blank, tree.unflatten([np.full(shape, np.nan) for shape in shapes]))
        with np.errstate(over="ignore"):
            slopes = typed(np.concatenate([np.ravel(a) for a in jax.tree.leaves(found.slopes)]))
            return (
                _outward(found.value, dtype, np.inf),
                _outward(found.lower, dtype, -np.inf),
                jax.tree.map(typed, found.rest),
                (np.clip(slopes, -largest, largest), np.where(np.isinf(slopes), largest, typed(1.0))),
            )

    def like(a: np.ndarray) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(a.shape, a.dtype)

    number, slope = jax.ShapeDtypeStruct((), dtype), jax.ShapeDtypeStruct(flat.shape, dtype)
    result = number, number, jax.tree.map(like, jax.tree.map(typed, blank)), (slope, slope)
    value, *others = jax.pure_callback(call, result, jax.lax.stop_gradient(flat), vmap_method="sequential")
    lower, rest, slopes = underivable(flat, tuple(others))
    return envelope(_linear, flat, slopes, value), lower, rest


def _outward(value: float, dtype: np.dtype, side: float) -> np.ndarray:
    """The nearest number of a dtype that is not less (side inf) or not more (side -inf) than the value."""
    near = np.asarray(value, dtype)
    excess = float(near) - float(value)  # in float64: numpy compares a Python number in the array's dtype
    inside = excess < 0 if side > 0 else excess > 0
    return np.where(inside, np.nextafter(near, np.asarray(side, dtype)), near)


def _linear(flat: jax.Array, slopes: tuple[jax.Array, jax.Array]) -> jax.Array:
    """slopes . flat; an infinite slope is a product of two factors, so that zero times it is zero."""
    finite, factor = slopes
    return (flat * finite * factor).sum()

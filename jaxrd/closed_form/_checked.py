"""The domains of the arguments of closed forms: a value outside raises if it is known, and gives NaN if traced."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._eager import known, refuse_shapes, refuse_unless, refuse_weights
from jaxrd.errors import InputError


class _Domain(NamedTuple):
    """Where an argument may lie."""

    what: str
    test: Callable  # elementwise, of a numpy or a JAX array; false for NaN
    whole: bool = False  # whether one bad entry makes the whole array invalid


NUMBER = _Domain("a number", lambda x: x == x)
POSITIVE = _Domain("positive and finite", lambda x: (x > 0) & (x < np.inf))
NONNEGATIVE = _Domain(">= 0 and finite", lambda x: (x >= 0) & (x < np.inf))
PROBABILITY = _Domain("in [0, 1]", lambda x: (x >= 0) & (x <= 1))
COUNT = _Domain("an integer >= 1", lambda x: (x >= 1) & (x < np.inf) & (x % 1 == 0))
SLOPE = _Domain(">= 0", lambda x: x >= 0)
CORRELATION = _Domain("inside (-1, 1)", lambda x: (x > -1) & (x < 1))
CORRELATIONS = _Domain("in [-1, 1]", lambda x: (x >= -1) & (x <= 1), whole=True)
EIGENVALUES = NONNEGATIVE._replace(whole=True)
WEIGHTS = _Domain("weights", lambda x: (x >= 0) & (x.sum() > 0) & (x.sum() < np.inf), whole=True)
"""Taken as the pmf weights / sum of weights."""


def closed_form(**domains: _Domain) -> Callable[[Callable], Callable]:
    """Compile a formula and check its arguments: a comparison with NaN must not select one of its branches.

    Args:
        domains: of each argument, by its name.

    Returns:
        A decorator. The function raises an `InputError` that quotes the first known value outside its domain; where a
        value is traced the entries of the result that it belongs to are NaN.

    >>> @closed_form(variance=POSITIVE)
    ... def deviation(variance):
    ...     return jnp.sqrt(variance)
    >>> float(deviation(4.0))
    2.0
    """

    def guard(formula: Callable) -> Callable:
        signature = inspect.signature(formula)

        @jax.jit
        def compiled(*args):
            value = formula(**dict(zip(domains, args, strict=True)))
            good = jnp.asarray(True)
            for a, domain in zip(args, domains.values(), strict=True):
                inside = jnp.asarray(domain.test(jnp.asarray(a)))
                good &= inside.all() if domain.whole else inside
            good = good.reshape(good.shape + (1,) * (value.ndim - good.ndim))
            return jnp.where(good, value, jnp.nan)

        @wraps(formula)
        def function(*args, **kwargs):
            given = signature.bind(*args, **kwargs).arguments
            arrays = [known(given[name]) for name in domains]
            for name, array in zip(domains, arrays, strict=True):
                if array is not None and array.dtype.kind not in "iufbV":
                    raise InputError(f"{name} must be numbers; got {array.dtype}.")
                if array is not None and domains[name].whole and (array.ndim > 1 or array.size == 0) and name != "pmf":
                    raise InputError(f"{name} must have shape (k,), k at least 1; got {array.shape}.")
            refuse_shapes(**{name: given[name] for name, domain in domains.items() if not domain.whole})
            if all(array is not None and array.dtype.kind in "iub" for array in arrays):
                given = {name: jnp.asarray(given[name], float) for name in domains}  # else float32
            for name, domain in domains.items():
                if domain is WEIGHTS:
                    refuse_weights(name, given[name])
                else:
                    refuse_unless(domain.test, name, given[name], domain.what)
            return compiled(*(given[name] for name in domains))

        return function

    return guard

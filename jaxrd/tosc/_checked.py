"""Checks of the posteriors, labels and joints that functions are given, on the host, where the values are known."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from jaxrd._eager import known, refuse_unless, refuse_unless_whole, refuse_weights, refuse_words
from jaxrd.errors import InputError
from jaxrd.tosc.joint import SparseJoint

Function = TypeVar("Function", bound=Callable[..., Any])
Given = dict[str, Any]
Check = Callable[[Given], None]

ROUNDING = 1e-3
"""The allowed error of sums of probabilities; half precision meets it too."""


def checked(*checks: Check) -> Callable[[Function], Function]:
    """Make a function refuse invalid known arguments before it is compiled; traced ones are not checked.

    Args:
        checks: each is given the arguments by their names, and raises an `InputError`.
    """

    def guard(function: Any) -> Any:
        signature = inspect.signature(function)

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            for check in checks:
                check(given.arguments)
            return function(*args, **kwargs)

        return call

    return guard


def a_matrix(name: str, what: str, *, most: float = np.inf, least: float = -np.inf) -> Check:
    """Check for shape (samples, classes), neither of them zero, and entries from `least` to `most`, no NaN."""

    def check(given: Given) -> None:
        values = known(given[name])
        if values is None:
            return
        if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "iufbV":
            raise InputError(
                f"{name} must be numbers of shape (samples, classes), none of them zero; got shape {values.shape}, "
                f"{values.dtype}."
            )
        refuse_unless(lambda x: (x >= least) & (x <= most), name, values, what)

    return check


def some_labels(
    classes: Callable[[Given], int], name: str = "labels", rows: Callable[[Given], int] | None = None
) -> Check:
    """Check for integers below the number of classes, shape (samples,): as many as `rows` says."""

    def check(given: Given) -> None:
        values, count = known(given[name]), classes(given)
        if values is None:
            return
        samples = None if rows is None else rows(given)
        if values.ndim != 1 or values.size == 0 or samples not in (None, len(values)):
            wanted = "(samples,), at least one" if samples is None else f"({samples},)"
            raise InputError(f"{name} must have shape {wanted}; got {values.shape}.")
        if values.dtype.kind not in "iub" or values.min() < 0 or values.max() >= count:
            raise InputError(
                f"{name} must be integers in 0..{count - 1}; got {values.min()} to {values.max()} ({values.dtype})."
            )

    return check


def rows_of(name: str) -> Callable[[Given], int]:
    """The number of rows of an argument."""
    return lambda given: np.shape(given[name])[0]


def some_weights(of: str) -> Check:
    """Check for None, or a weight >= 0 for every row of `of`: w is taken as w / sum w."""

    def check(given: Given) -> None:
        weights, rows = given["weights"], np.shape(given[of])[0]
        if weights is None:
            return
        if np.shape(weights) != (rows,):
            raise InputError(f"weights must have shape ({rows},), one a sample; got {np.shape(weights)}.")
        refuse_weights("weights", weights)

    return check


def a_joint(*, square: bool = True) -> Check:
    """Check for a joint pmf, shape (classes, classes), or (classes, n)."""

    def check(given: Given) -> None:
        if isinstance(given["joint"], SparseJoint):
            return
        values = known(given["joint"])
        if values is None:
            return
        if values.ndim != 2 or 0 in values.shape or (square and values.shape[0] != values.shape[1]):
            shape = "(classes, classes)" if square else "(classes, n)"
            raise InputError(f"joint must have shape {shape}, none of them zero; got {values.shape}.")
        refuse_weights("joint", values)
        if abs(values.sum() - 1) > ROUNDING:
            raise InputError(
                f"joint must sum to 1; got {values.sum():.6g}. Pass joint / joint.sum() if that was meant."
            )

    return check


def a_number(name: str, test: Callable[[np.ndarray], np.ndarray], what: str) -> Check:
    """Check for numbers that pass an elementwise test."""
    return lambda given: refuse_unless(test, name, given[name], what)


def one_number(name: str, test: Callable[[np.ndarray], np.ndarray], what: str) -> Check:
    """Check for one number that passes a test."""

    def check(given: Given) -> None:
        refuse_unless(test, name, given[name], what)
        if np.ndim(given[name]) != 0:
            raise InputError(f"{name} must be one number; got shape {np.shape(given[name])}. For many use jax.vmap.")

    return check


def numbers(name: str) -> Check:
    """Check for numbers of any shape."""
    return lambda given: refuse_words(name, given[name])


def vectors(*names: str) -> Check:
    """Check for arrays of one shape (k,)."""

    def check(given: Given) -> None:
        shapes = [np.shape(given[name]) for name in names]
        if len(shapes[0]) != 1 or len(set(shapes)) != 1:
            raise InputError(f"{', '.join(names)} must have one shape (k,); got {', '.join(map(str, shapes))}.")

    return check


def a_count(name: str, least: int) -> Check:
    """Check for an integer, at least `least`."""
    return lambda given: refuse_unless_whole(name, given[name], least)


def classes_of(name: str) -> Callable[[Given], int]:
    """The number of classes of a matrix, its last axis."""
    return lambda given: np.shape(given[name])[-1]


A_LOG_POSTERIOR = a_matrix("log_posterior", "ln of probabilities, <= 0", most=ROUNDING)
TEMPERATURE = one_number("temperature", lambda t: (t > 0) & (t < np.inf), "a positive number")
INVERSE_TEMPERATURE = one_number("inverse_temperature", lambda t: (t >= 0) & (t < np.inf), ">= 0 and finite")

"""The problem that all solvers share: a source and a distortion."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import known, refuse_weights
from jaxrd.distortion import Structured
from jaxrd.errors import InputError
from jaxrd.pytree import register


@register
@dataclass(frozen=True)
class Problem:
    """A discrete memoryless source and a distortion measure: min I(X;Y) subject to E d(X,Y) <= D.

    Args:
        source: pmf p of the source letters, shape (n,); every function takes it as p / sum p. Letters of mass zero are
            masked, not dropped: their rows of the distortion are not read, whatever they hold. A mass below the least
            normal number (2.2e-308; in float32 1.2e-38), which XLA takes for zero, counts as zero.
        distortion: d, shape (n, m), finite or +inf (a forbidden pair), in any unit; or a `PointCloud` or
            `SparseDiscount` (`jaxrd.distortion`), which stand for a matrix too large to hold.

    Nothing is checked here (a Problem travels through jit and vmap). A function called with known values raises an
    `InputError` on what has no answer: an entry of the source that is negative, NaN or inf, or all of them zero; NaN or
    -inf in the row of a letter that occurs. Where the values are traced the point has the status NONFINITE. `validate`
    is stricter, for input from outside.

    Reference: Cover and Thomas, Elements of Information Theory, Theorem 10.2.1; [A] (RD).

    >>> Problem(jnp.array([0.5, 0.5]), jnp.array([[0.0, 1.0], [1.0, 0.0]])).source.shape
    (2,)
    """

    source: jax.Array | np.ndarray
    distortion: jax.Array | np.ndarray | Structured


def _refuse_others(problem: object) -> None:
    """Raise if the argument is no Problem of arrays.

    Raises:
        InputError: quotes what was passed, and says what to write.
    """
    if not isinstance(problem, Problem):
        shape = getattr(problem, "shape", None)
        got = " ".join(repr(problem).split())[:60] if shape is None else f"an array of shape {tuple(shape)}"
        raise InputError(f"a Problem is needed; got {got}. Write Problem(source, distortion).")
    for name in ("source", "distortion"):
        if getattr(getattr(problem, name), "requires_grad", False):
            raise InputError(
                f"{name} is a PyTorch tensor that requires grad, and no gradient comes back through JAX: pass "
                f"{name}.detach().numpy()."
            )


def as_numbers(values: Any, name: str) -> jax.Array | np.ndarray:
    """Real numbers as they are, if they are a JAX array, else as a numpy array of a type that JAX has.

    Raises:
        InputError: they are none: words, complex numbers, nothing, rows of several lengths, a masked array.
    """
    if np.ma.isMaskedArray(values):
        raise InputError(f"{name} is a masked array: pass its filled() or its compressed().")
    try:
        array = values if isinstance(values, jax.Array) else np.asarray(values)
        if array.dtype.kind in "biufV":
            # On the host: each operation of JAX outside jit would be a program of its own, for every shape.
            return array if isinstance(values, jax.Array) else array.astype(_narrow(array.dtype), copy=False)
        got = str(array.dtype)
    except (TypeError, ValueError) as error:
        got = " ".join(str(error).split())[:80]
    raise InputError(f"{name} must be real numbers; got {got}.")


def _narrow(dtype: np.dtype) -> np.dtype:
    """The type that JAX has for a type of numpy: of 32 bits while x64 is off."""
    return jax.dtypes.canonicalize_dtype(dtype)


def as_arrays(problem: Problem) -> Problem:
    """The problem as arrays of one floating dtype, JAX's or numpy's; float64 input warns once while x64 is off.

    Raises:
        InputError: the shapes do not belong together.
    """
    _refuse_others(problem)
    given = jax.tree.leaves(problem)
    narrow = jax.dtypes.canonicalize_dtype(np.float64) != np.float64
    if narrow and any(isinstance(a, np.ndarray) and a.dtype == np.float64 for a in given):
        warnings.warn(
            "float64 input is solved in float32, because x64 is off. "
            "For float64: jax.config.update('jax_enable_x64', True).",
            stacklevel=4,
        )
    source, distortion = as_numbers(problem.source, "source"), problem.distortion
    if isinstance(distortion, Structured):
        kind = distortion.dtype
        distortion = distortion.astype(jnp.promote_types(kind, jnp.float32))
    else:
        kind = distortion = as_numbers(distortion, "distortion")
    shape = distortion.shape
    if source.ndim != 1 or len(shape) != 2 or source.shape[0] != shape[0] or 0 in shape:
        raise InputError(
            f"source must have shape (n,) and distortion (n, m), n and m at least 1; "
            f"got {source.shape} and {shape}. For many problems at once, use jax.vmap."
        )
    dtype = jnp.result_type(source, kind)
    dtype = jnp.promote_types(dtype, jnp.float32 if jnp.issubdtype(dtype, jnp.inexact) else float)
    return Problem(source.astype(dtype), distortion.astype(dtype))


def refuse(problem: Problem) -> None:
    """Raise if known values have no answer; one pass over the distortion.

    Args:
        problem: as `as_arrays` gives it.

    Raises:
        InputError: quotes the offending value.
    """
    refuse_weights("source", problem.source)
    source, distortion = known(problem.source), problem.distortion
    if source is None:
        return
    if isinstance(distortion, Structured):
        distortion.refuse(_occurs(source))
        return
    if jax.default_backend() != "cpu" and not _doubtful(distortion):
        return
    array = known(distortion)
    if array is None or array.min() > -np.inf:  # numpy's minimum keeps NaN
        return
    bad = (np.isnan(array) | np.isneginf(array)) & _occurs(source)[:, None]
    if bad.any():
        x, y = np.argwhere(bad)[0]
        raise InputError(
            f"distortion must be finite or +inf; got {array[x, y]} at ({x}, {y}). "
            "Only letters of mass zero may hold anything."
        )


@jax.jit
def _holds_a_hole(d: jax.Array) -> jax.Array:
    return jnp.isnan(d.sum()) | (d.min() == -jnp.inf)  # the sum, for a minimum may lose NaN


def _doubtful(distortion: ArrayLike) -> bool:
    """Whether a closer check is needed; decided on the accelerator, where a matrix may be too large to fetch."""
    try:
        return bool(_holds_a_hole(distortion))
    except jax.errors.TracerBoolConversionError:
        return False


def validate(problem: Problem, *, tolerance: float = 1e-6) -> None:
    """Check the values of a problem on the host.

    Args:
        problem: source (n,), distortion (n, m), or a `PointCloud` or `SparseDiscount` in its place.
        tolerance: how far the sum of the source may be from 1; no unit.

    Raises:
        InputError: quotes the offending value: a source that is not a pmf within `tolerance`; for a letter of positive
            mass NaN or -inf in the distortion, or no reproduction that is not forbidden; points that are not finite,
            pairs out of range or listed twice, a negative discount.

    >>> validate(Problem(jnp.array([0.5, 0.75]), 1 - jnp.eye(2)))
    Traceback (most recent call last):
        ...
    jaxrd.errors.InputError: source must sum to 1; got 1.25. Pass source / source.sum() if that was meant.
    """
    _refuse_others(problem)
    source = np.asarray(problem.source)
    as_arrays(Problem(source.astype(np.float32), _narrowed(problem.distortion)))  # the shapes
    refuse(problem)
    if abs(source.sum() - 1) > tolerance:
        raise InputError(f"source must sum to 1; got {source.sum():.6g}. Pass source / source.sum() if that was meant.")
    if isinstance(problem.distortion, Structured):
        problem.distortion.validate()
        return
    lost = _occurs(source) & np.isposinf(np.asarray(problem.distortion)).all(1)
    if lost.any():
        raise InputError(f"every reproduction of letter {lost.argmax()} is forbidden (+inf): no code can send it.")


@np.errstate(over="ignore")
def _narrowed(distortion):
    return jax.tree.map(
        lambda a: a.astype(np.float32) if a.dtype.kind == "f" else a, jax.tree.map(np.asarray, distortion)
    )


def _occurs(source: np.ndarray) -> np.ndarray:
    """Letters whose mass counts: XLA takes numbers below the least normal one for zero."""
    return source >= np.finfo(np.result_type(source.dtype, np.float32)).tiny

"""The one problem under everything: a source and a distortion."""

import warnings
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.distortion import PointCloud, SparseDiscount, Structured
from jaxrd.pytree import register


@register
@dataclass(frozen=True)
class Problem:
    """A discrete memoryless source and a distortion measure: min I(X;Y) subject to E d(X,Y) <= D.

    Args:
        source: pmf p of the source letters, shape (n,). Letters of mass zero are masked, not dropped.
        distortion: d, shape (n, m), finite or +inf (a forbidden pair), in any unit; or a `PointCloud` or
            `SparseDiscount` (`jaxrd.distortion`), which stand for a matrix too large to hold.

    Nothing is checked here (a Problem travels through jit and vmap); `validate` checks values on the host.

    >>> Problem(jnp.array([0.5, 0.5]), jnp.array([[0.0, 1.0], [1.0, 0.0]])).source.shape
    (2,)
    """

    source: jax.Array | np.ndarray
    distortion: jax.Array | np.ndarray | PointCloud | SparseDiscount


def as_arrays(problem: Problem) -> Problem:
    """The problem as JAX arrays of one floating dtype; float64 input warns once while x64 is off.

    Raises:
        ValueError: the shapes do not belong together.
    """
    given = jax.tree.leaves(problem)
    narrow = jax.dtypes.canonicalize_dtype(np.float64) != np.float64
    if narrow and any(isinstance(a, np.ndarray) and a.dtype == np.float64 for a in given):
        warnings.warn(
            "float64 input is solved in float32, because x64 is off. "
            "For float64: jax.config.update('jax_enable_x64', True).",
            stacklevel=4,
        )
    source, distortion = jnp.asarray(problem.source), problem.distortion
    if isinstance(distortion, Structured):
        kind = distortion.dtype
        distortion = distortion.astype(jnp.promote_types(kind, jnp.float32))
    else:
        kind = distortion = jnp.asarray(distortion)
    shape = distortion.shape
    if source.ndim != 1 or len(shape) != 2 or source.shape[0] != shape[0] or 0 in shape:
        raise ValueError(
            f"source must have shape (n,) and distortion (n, m), n and m at least 1; "
            f"got {source.shape} and {shape}. For many problems at once, use jax.vmap."
        )
    dtype = jnp.promote_types(jnp.result_type(source, kind), jnp.float32)
    return Problem(source.astype(dtype), distortion.astype(dtype))


def validate(problem: Problem, *, tolerance: float = 1e-6) -> None:
    """Check the values of a problem on the host.

    Raises:
        ValueError: quotes the offending value: a source that is not a pmf within `tolerance`, NaN or -inf in the
            distortion, a letter of positive mass all of whose reproductions are forbidden; points that are not
            finite, pairs out of range or listed twice, a negative discount.
    """
    source = np.asarray(problem.source)
    as_arrays(Problem(source.astype(np.float32), _narrowed(problem.distortion)))  # the shapes
    if not np.isfinite(source).all():
        raise ValueError(f"source must be finite; got {source[~np.isfinite(source)][0]}.")
    if (source < 0).any():
        raise ValueError(f"source must not be negative; got {source.min():.6g} at letter {source.argmin()}.")
    if abs(source.sum() - 1) > tolerance:
        raise ValueError(f"source must sum to 1; got {source.sum():.6g}. Pass source / source.sum() if that was meant.")
    if isinstance(problem.distortion, PointCloud):
        _finite(problem.distortion.source, "source points")
        _finite(problem.distortion.reproduction, "reproduction points")
        return
    if isinstance(problem.distortion, SparseDiscount):
        _validate_pairs(problem.distortion)
        return
    distortion = np.asarray(problem.distortion)
    bad = np.isnan(distortion) | np.isneginf(distortion)
    if bad.any():
        x, y = np.argwhere(bad)[0]
        raise ValueError(f"distortion must be finite or +inf; got {distortion[x, y]} at ({x}, {y}).")
    lost = (source > 0) & np.isinf(distortion).all(1)
    if lost.any():
        raise ValueError(f"every reproduction of letter {lost.argmax()} is forbidden (+inf): no code can send it.")


def _narrowed(distortion):
    return jax.tree.map(
        lambda a: a.astype(np.float32) if a.dtype.kind == "f" else a, jax.tree.map(np.asarray, distortion)
    )


def _finite(values, what: str) -> None:
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise ValueError(f"{what} must be finite; got {values[~np.isfinite(values)][0]}.")


def _validate_pairs(distortion: SparseDiscount) -> None:
    _finite(distortion.ceiling, "ceiling")
    _finite(distortion.discount, "discount")
    if (np.asarray(distortion.discount) < 0).any():
        raise ValueError(f"discount must be >= 0; got {np.min(distortion.discount):.6g}.")
    indices = np.stack([np.asarray(distortion.rows), np.asarray(distortion.columns)])
    for name, index, count in zip(("rows", "columns"), indices, distortion.shape, strict=True):
        if index.size and not 0 <= index.min() <= index.max() < count:
            raise ValueError(f"{name} must lie in 0..{count - 1}; got {index.min()} to {index.max()}.")
    pairs, times = np.unique(indices, axis=1, return_counts=True)
    if (times > 1).any():
        x, y = pairs[:, times.argmax()]
        raise ValueError(f"no pair may be listed twice; ({x}, {y}) is.")

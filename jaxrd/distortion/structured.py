"""Distortions that represent a matrix without holding it, and the questions that every storage answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NoReturn, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import known, refuse_unless
from jaxrd.errors import InputError


class Structured(ABC):
    """A distortion in place of an n x m matrix, for solvers that need only the operations of its kernel.

    A new storage is a subclass, and a kernel registered for it with `jaxrd.kernels.kernel_of`.
    """

    shape: Any  # (n, m) of the matrix this stands for

    @property
    @abstractmethod
    def dtype(self) -> jnp.dtype:
        """Of its numbers."""

    @property
    @abstractmethod
    def resident(self) -> int:
        """Numbers held at once."""

    @abstractmethod
    def astype(self, dtype: jnp.dtype) -> Self:
        """The same distortion as JAX arrays of a dtype.

        Raises:
            InputError: the shapes of its parts do not belong together.
        """

    @abstractmethod
    def dense(self) -> jax.Array:
        """The matrix, shape (n, m)."""

    @abstractmethod
    def expected(self, source: jax.Array) -> jax.Array:
        """E d(X, y) of each reproduction, shape (m,)."""

    @abstractmethod
    def refuse(self, occurs: np.ndarray) -> None:
        """Raise if known values have no answer.

        Args:
            occurs: which letters have mass, bool, shape (n,).

        Raises:
            InputError: quotes the offending value.
        """

    @abstractmethod
    def validate(self) -> None:
        """Raise on faults of outside input that `refuse`, which runs before every solve, does not check.

        Raises:
            InputError: quotes the offending value.
        """

    def __jax_array__(self) -> NoReturn:
        """Raise where a function would convert it to an array, because it needs the whole matrix."""
        n, m = self.shape
        raise InputError(
            f"this function needs the distortion as a matrix; got a {type(self).__name__} of {n} x {m} pairs. Pass "
            "Problem(source, distortion.dense()) if that many numbers fit; else use blahut_arimoto, solve or sweep."
        )

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> NoReturn:
        """Likewise, for numpy."""
        self.__jax_array__()


def is_matrix(distortion: object) -> bool:
    """Whether a distortion is an array, not a `Structured` one."""
    return not isinstance(distortion, Structured)


def resident(distortion: jax.Array | np.ndarray | Structured) -> int:
    """Numbers of the distortion held at once."""
    return distortion.resident if isinstance(distortion, Structured) else distortion.size


def expected(distortion: ArrayLike | Structured, source: jax.Array) -> jax.Array:
    """E d(X, y) of each reproduction, shape (m,); rows of letters of mass zero are not read."""
    if isinstance(distortion, Structured):
        return distortion.expected(source)
    where = jnp.where if isinstance(source, jax.Array) else np.where
    return source @ where(source[:, None] > 0, distortion, 0)


def refuse_infinite(values: ArrayLike, what: str, where: Any = ...) -> None:
    """Raise if known values, those at `where`, are not all finite.

    Raises:
        InputError: quotes the first that is not.
    """
    array = known(values)
    if array is not None:
        refuse_unless(np.isfinite, what, array[where], "finite")

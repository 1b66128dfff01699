"""The posteriors of samples at a temperature, in blocks of one of a few sizes: another file costs no compile."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from operator import add
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxrd._processes import folded
from jaxrd.distortion.streamed import Streamed, Whole, block_rows
from jaxrd.problem import Problem
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.rows import Rows

HELD = 2**22
"""Logits up to which all samples are one block; more are worked on a block at a time, unless classes are so many that
the Newton matrix decides the time."""
_KEPT = 2**27
"""Logits up to which their distortions are kept in memory, not made again for each pass."""
_NUMBERS = 2**19
"""Logits of a block of many samples."""


class Block(NamedTuple):
    """Some samples, and rows of weight zero that fill the block."""

    logits: jax.Array | np.ndarray
    """Shape (rows, classes)."""
    temperature: jax.Array | np.ndarray
    """T, shape ()."""
    labels: jax.Array | np.ndarray
    """y, int, shape (rows,)."""
    weights: jax.Array | np.ndarray
    """Of the samples, with sum 1 over all blocks, shape (rows,)."""

    @property
    def log_v(self) -> jax.Array:
        """ln v = log-softmax(logits / T), shape (rows, classes); inside jit."""
        return _log_v((self.logits, self.temperature))


def _log_v(data: tuple) -> jax.Array:
    logits, temperature = data
    z = jnp.asarray(logits, temperature.dtype)
    # The largest becomes exactly 0 before the division: a small temperature cannot overflow it.
    return jax.nn.log_softmax((z - z.max(1, keepdims=True)) / temperature, axis=1)


def _believed(data: tuple) -> jax.Array:
    """1 - v, TMRD's distortion."""
    return 1 - jnp.exp(_log_v(data))


def _expected(data: tuple) -> jax.Array:
    """sum_y v_y l(y, a), TMRD's distortion under a loss."""
    *posterior, loss = data
    log_v = _log_v(tuple(posterior))
    return jnp.exp(log_v) @ jnp.asarray(loss.array, log_v.dtype)


_made = jax.jit(lambda data: (_expected if len(data) > 2 else _believed)(data))


def as_it_is(d: jax.Array) -> jax.Array:
    """A distortion that is kept, not made."""
    return d


class Posterior:
    """The posteriors of samples ([A] eq. (7)).

    Args:
        logits: shape (samples, classes); `Rows` are made a block at a time, again in each pass.
        labels: y, int, shape (samples,).
        temperature: T > 0.
        mesh: of the devices that TMRD is solved on; None: one device.
        weights: of the samples, with sum 1, shape (samples,); None: equal.
        loss: of a label and an action, for TMRD's distortion; None: 0/1, the actions being the labels.

    >>> few = Posterior(np.zeros((5, 2)), np.zeros(5, int), 1.0)
    >>> few.blocks_folded(lambda block: (block.logits.shape, round(float(block.weights.sum()), 6)))
    ((6, 2), 1.0)
    """

    logits: np.ndarray | Rows
    labels: np.ndarray
    temperature: float
    mesh: Mesh | None
    loss: Loss | None
    weights: np.ndarray
    samples: int
    classes: int
    actions: int
    one_block: bool
    held: bool

    def __init__(
        self,
        logits: np.ndarray | Rows,
        labels: np.ndarray,
        temperature: float,
        mesh: Mesh | None = None,
        weights: np.ndarray | None = None,
        loss: Loss | None = None,
    ):
        self.logits, self.labels, self.temperature = logits, np.asarray(labels), float(temperature)
        self.mesh, self.loss = mesh, loss
        self.samples, self.classes = logits.shape
        self.weights = np.full(self.samples, 1 / self.samples) if weights is None else weights
        self.actions = self.classes if loss is None else loss.actions
        size = self.samples * max(self.classes, self.actions)
        self.one_block = size <= HELD
        self.held = self.one_block or (size <= 8 * HELD and self.samples < 50 * self.actions)

    @cached_property
    def log_v(self) -> np.ndarray:
        """ln v of all samples, shape (samples, classes)."""
        return log_softmax(np.asarray(self.logits), self.temperature)

    @cached_property
    def problem(self) -> Problem:
        """TMRD's: p the weights and d = 1 - v, or the expected loss."""
        if self.held and self.mesh is None:
            d = np.full((rung(self.samples), self.actions), 1 - 1 / self.actions, _dtype())
            d[: self.samples] = np.concatenate(self.folded(lambda log_v, *_: [self.distortion(log_v)]))
            return jax.device_put(Problem(self._weights(0, self.samples, len(d)), d))
        shape, source = (self.samples, self.actions), self.weights.astype(_dtype())
        whole = () if self.loss is None else (Whole(self.loss.values.astype(_dtype())),)
        if self.samples * self.actions <= _KEPT and self.mesh is None:
            rows = block_rows(*shape)
            parts = (self._filled(i, min(i + rows, self.samples), rows)[:2] for i in range(0, self.samples, rows))
            made = [_made((*part, *whole)) for part in parts]
            return Problem(source, Streamed(lambda i, j: made[i // rows], as_it_is, shape, rows))
        temperature, build = np.asarray(self.temperature, _dtype()), _expected if whole else _believed
        data = lambda i, j: (self.logits[i:j], temperature, *whole)  # noqa: E731
        return Problem(source, Streamed(data, build, shape, shared=self.shared))

    def distortion(self, log_v: np.ndarray) -> np.ndarray:
        """TMRD's of some samples, by numpy: 1 - v, or the expected loss, shape (samples, actions)."""
        v = np.exp(log_v)
        return 1 - v if self.loss is None else self.loss.expected(v)

    @property
    def _rows(self) -> int:
        """Of a block of many samples."""
        return max(_NUMBERS // max(self.classes, self.actions), 1)

    @property
    def count(self) -> int:
        """Of the blocks."""
        return 1 if self.one_block else -(-self.samples // self._rows)

    @property
    def shared(self) -> bool:
        """Whether the processes of one run each work on their own samples in a pass."""
        return isinstance(self.logits, Rows) and self.logits.shared

    def blocks_folded(
        self,
        function: Callable[[Block], Any],
        fold: Callable[[Any, Any], Any] = add,
        tick: Callable[[int], object] | None = None,
    ) -> Any:
        """function of all samples in blocks of one size, for a compiled function, folded in order."""
        if self.one_block:
            return folded(function, [self._only], fold, tick, shared=False)
        rows = self._rows

        def one(first: int) -> Any:
            return function(self._filled(first, min(first + rows, self.samples), rows))

        return folded(one, range(0, self.samples, rows), fold, tick, shared=self.shared)

    @property
    def chunk_count(self) -> int:
        """How many chunks `folded` takes."""
        return -(-self.samples // self._rows)

    def folded(
        self,
        function: Callable[[np.ndarray, np.ndarray, np.ndarray], Any],
        fold: Callable[[Any, Any], Any] = add,
        tick: Callable[[int], object] | None = None,
    ) -> Any:
        """function(ln v, labels, weights) of all samples in chunks, for numpy, folded in order."""

        def one(first: int) -> Any:
            part = slice(first, first + self._rows)
            log_v = log_softmax(self.logits[part], self.temperature)
            return function(log_v, self.labels[part], self.weights[part])

        return folded(one, range(0, self.samples, self._rows), fold, tick, shared=self.shared)

    @cached_property
    def _only(self) -> Block:
        return jax.device_put(self._filled(0, self.samples, rung(self.samples)))

    def _filled(self, first: int, last: int, rows: int) -> Block:
        part = self.logits[first:last]
        narrow = part.dtype if part.dtype.itemsize < 4 else jax.dtypes.canonicalize_dtype(part.dtype)
        logits = np.zeros((rows, self.classes), _dtype() if self.one_block else narrow)
        labels = np.zeros(rows, np.int32)
        logits[: last - first], labels[: last - first] = part, self.labels[first:last]
        return Block(logits, np.asarray(self.temperature, _dtype()), labels, self._weights(first, last, rows))

    def _weights(self, first: int, last: int, rows: int) -> np.ndarray:
        weights = np.zeros(rows, _dtype())
        weights[: last - first] = self.weights[first:last]
        return weights


def rung(samples: int) -> int:
    """The number of rows that stands for some samples: 6, 12, 24 and so on; beyond 12 288 at most an eighth more.

    >>> [rung(n) for n in (4, 2000, 3000, 3073, 100_000)]
    [6, 3072, 3072, 6144, 106496]
    """
    if samples <= 12_288:
        return 3 * 2 ** max(1, (-(-samples // 3) - 1).bit_length())
    step = 2 ** (samples.bit_length() - 4)
    return -(-samples // step) * step


def log_softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    """ln of softmax(logits / T) by numpy, in the precision that JAX has now.

    >>> log_softmax(np.zeros((1, 2)), 1.0).shape
    (1, 2)
    """
    z = np.subtract(logits, logits.max(1, keepdims=True), dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        z /= temperature
        z -= np.log(np.exp(z).sum(1, keepdims=True))
    return z.astype(_dtype(), copy=False)


def _dtype() -> np.dtype:
    return jax.dtypes.canonicalize_dtype(np.float64)

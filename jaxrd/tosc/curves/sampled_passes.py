"""Passes over the samples for S&C: its points at many inverse temperatures, and its lossless end."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax

from jaxrd._exported import exported
from jaxrd.tosc.curves.confusion import joint_of, known_landmarks
from jaxrd.tosc.curves.definition import Acted
from jaxrd.tosc.curves.drawing import Tick
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.posterior import Block, Posterior

_AT_ONCE = 64
"""Inverse temperatures of one call: another number of them costs no compile."""


class _Sums(NamedTuple):
    """Of a block, at each inverse temperature."""

    output: jax.Array | np.ndarray
    """sum_i w_i W(.|x_i), shape (k, actions)."""
    spread: jax.Array | np.ndarray
    """sum_i w_i sum_y W ln W, shape (k,)."""
    lost: jax.Array | np.ndarray
    """sum_i w_i sum_a W(a|x_i) l(y_i, a), shape (k,)."""
    believed: jax.Array | np.ndarray
    """sum_i w_i sum_a W sum_y v_y l(y, a), shape (k,)."""


class _Points(NamedTuple):
    rate: np.ndarray
    distortion: np.ndarray
    believed: np.ndarray


def acted_upon(loss: Loss | None, dtype: np.dtype) -> Acted | None:
    """The action for each label; None under 0/1 loss."""
    if loss is None:
        return None
    some, number = np.unique(loss.of_label, return_inverse=True)
    return Acted(np.eye(len(some), dtype=dtype)[number], loss.values[:, some].astype(dtype))


@jax.jit
def _sums(block: Block, u: jax.Array, count: int, acted: Acted | None = None) -> _Sums:
    """At the first `count` of u = t / (1 + t)."""
    log_v = block.log_v
    v = jnp.exp(log_v)
    believed = 1 - v if acted is None else v @ acted.loss

    def add(i, found):
        log_w = log_softmax(u[i] / (1 - u[i]) * log_v, axis=1)
        channel = jnp.exp(log_w)
        if acted is None:
            lost = 1 - jnp.take_along_axis(channel, block.labels[:, None], 1)[:, 0]
        else:
            channel = channel @ acted.action
            log_w = jnp.log(jnp.where(channel > 0, channel, 1))
            lost = (channel * acted.loss[block.labels]).sum(1)
        each = _Sums(
            block.weights @ channel,
            block.weights @ jnp.where(channel > 0, channel * log_w, 0).sum(1),
            block.weights @ lost,
            block.weights @ (channel * believed).sum(1),
        )
        return jax.tree.map(lambda all_, a: all_.at[i].set(a), found, each)

    k, none, letters = len(u), jnp.zeros_like(u), log_v.shape[1] if acted is None else acted.loss.shape[1]
    return jax.lax.fori_loop(0, count, add, _Sums(jnp.zeros((k, letters), u.dtype), none, none, none))


def _added(a: Any, b: Any) -> Any:
    return jax.tree.map(np.add, a, b)


def sampled_at(posterior: Posterior, u: np.ndarray, tick: Tick) -> _Points:
    """Points at u = t / (1 + t), shape (k,): rate, distortion and believed distortion in one pass for every 64."""

    found, dtype = [], jax.dtypes.canonicalize_dtype(np.float64)
    acted = acted_upon(posterior.loss, dtype)
    counted = None if tick is None else lambda done: tick(done, posterior.count)
    for first in range(0, len(u), _AT_ONCE):
        part = u[first : first + _AT_ONCE]
        filled = np.append(part, np.zeros(_AT_ONCE - len(part))).astype(dtype)

        def sums(block: Block, filled: np.ndarray = filled, count: int = len(part)) -> _Sums:
            return jax.device_get(exported(_sums, _Sums, block, filled, count, acted))

        total = posterior.blocks_folded(sums, _added, counted)
        output, spread, lost, believed = (np.asarray(a)[: len(part)] for a in total)
        rate = spread - (output * np.log(np.where(output > 0, output, 1))).sum(1)
        found.append((np.maximum(rate, 0), lost, believed))
    rate, distortion, believed = (np.concatenate(each) for each in zip(*found, strict=True))
    return _Points(rate, distortion, believed)


def decided(posterior: Posterior) -> tuple[float, float, float]:
    """Rate, distortion and believed distortion of the likeliest label's action."""
    loss = posterior.loss
    assert loss is not None

    def one(log_v: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, float]:
        action = loss.of_label[log_v.argmax(1)]
        expected = loss.expected(np.exp(log_v))[np.arange(len(w)), action]
        return joint_of(y, action, (loss.labels, loss.actions), w), float(w @ expected)

    joint, believed = posterior.folded(one, _added)
    d, _, entropy = known_landmarks(joint, loss)
    return entropy, d, believed


def lossless(joint: np.ndarray, posterior: Posterior) -> tuple[float, float, float]:
    """`decided` under 0/1 loss: the decisions themselves."""
    d_tm, _, entropy = known_landmarks(joint)
    return entropy, d_tm, 1 - posterior.folded(lambda log_v, _, w: float(w @ np.exp(log_v.max(1))))

"""Alternating minimisation of the RDC Lagrangian from many starts and at many slopes, as one compiled program."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlogy

from jaxrd.rdc.inputs import Inputs
from jaxrd.rdc.point import entropies

_STEPS = 2000
_STILL = 64  # rounding units of the Lagrangian: a step that gains less is the last


class _Lanes(NamedTuple):
    """Local minima, one a lane."""

    channel: np.ndarray  # (lanes, n, atoms)
    steps: np.ndarray  # (lanes,)


@partial(jax.jit, static_argnames="max_steps")
def _alternate(source, excess, labels, slopes, channels, *, max_steps: int):
    allowed = jnp.isfinite(excess)
    excess = jnp.where(allowed, excess, 0)
    still = _STILL * jnp.finfo(source.dtype).eps

    def one(mu, channel):
        def charge(channel):
            q = source @ channel
            backward = source[:, None] * channel / jnp.maximum(q, jnp.finfo(q.dtype).tiny)
            total = mu[0] * excess
            for k, p in enumerate(labels):
                soft = backward.T @ p  # the best soft label of each atom: the posterior
                total += mu[1 + k] * -xlogy(p[:, None, :], jnp.maximum(soft, jnp.finfo(q.dtype).tiny)).sum(2)
            return q, jnp.where(allowed, total, jnp.inf)

        def advance(state):
            channel, before, _, step = state
            q, cost = charge(channel)
            low = cost.min(1, keepdims=True)
            kernel = q * jnp.exp(low - cost)
            z = kernel.sum(1, keepdims=True)
            # The Lagrangian at (q, soft labels), minimised over channels.
            value = (source * (low - jnp.log(z))[:, 0]).sum()
            return kernel / z, value, before - value, step + 1

        def unfinished(state):
            _, value, gain, step = state
            return (step < max_steps) & ~(gain <= still * (1 + jnp.abs(value)))

        inf, huge = jnp.asarray(jnp.inf, source.dtype), jnp.asarray(1e30, source.dtype)
        channel, _, _, step = jax.lax.while_loop(unfinished, advance, (channel, huge, inf, jnp.int32(0)))
        return channel, step

    return jax.vmap(one)(slopes, channels)


def alternate(
    inputs: Inputs, reproduction: np.ndarray, slopes: np.ndarray, channels: np.ndarray, *, max_steps: int = _STEPS
) -> _Lanes:
    """P(u|x) ~ P(u) exp(-mu_D Delta(x, xh_u) - sum_k mu_k KL(P(S_k|x) || t_u)), then t_u the label's posterior given u.

    No step raises I(X;U) + mu_D E Delta + sum_k mu_k H(S_k|U). It is not convex in (channel, t); hence the starts.

    Args:
        inputs: the problem with its label channels.
        reproduction: xh of each atom, shape (atoms,).
        slopes: (mu_D, mu_1, ..., mu_K) of each lane, shape (lanes, 1 + K).
        channels: where each lane starts, P(u|x) > 0 where allowed, shape (lanes, n, atoms).
        max_steps: the budget (static).
    """
    least = inputs.distortion.min(1, keepdims=True)
    excess = inputs.distortion[:, reproduction] - np.where(np.isfinite(least), least, 0)
    # In float64, whatever the x64 switch says: in float32 the steps stall far from a minimum.
    with jax.enable_x64(True):
        labels = tuple(jnp.asarray(p) for p in inputs.labels)
        given = [jnp.asarray(a, jnp.float64) for a in (inputs.source, excess)]
        lanes = [jnp.asarray(a, jnp.float64) for a in (slopes, channels)]
        outputs = _alternate(*given, labels, *lanes, max_steps=max_steps)
    return _Lanes(*(np.asarray(a) for a in outputs))


def random_channels(lanes: int, letters: int, atoms: int, seed: int) -> np.ndarray:
    """Starts: the first is nearly uniform, each later one is closer to deterministic."""
    generator = np.random.default_rng(seed)
    shape = np.geomspace(10, 0.1, lanes)[:, None, None]
    draws = generator.gamma(np.broadcast_to(shape, (lanes, letters, atoms))) + 1e-3
    return draws / draws.sum(2, keepdims=True)


def measured(
    inputs: Inputs, reproduction: np.ndarray, channel: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """(I, E Delta, H(S_1|U), ...) of channels in float64, shape (lanes, 2 + K), and each atom's posteriors."""
    w = np.asarray(channel, np.float64)
    w = w / w.sum(2, keepdims=True)
    q = inputs.source @ w
    joint = inputs.source[:, None] * w
    seen = np.where(q > 0, q, 1)
    ratio = np.where(joint > 0, w / seen[:, None], 1)
    backward = joint / seen[:, None]
    soft = tuple(np.where(q[:, :, None] > 0, backward.transpose(0, 2, 1) @ p, inputs.source @ p) for p in inputs.labels)
    rate = np.maximum((joint * np.log(ratio)).sum((1, 2)), 0)
    mean = (np.where(joint > 0, inputs.distortion[:, reproduction], 0) * joint).sum((1, 2))
    return np.stack([rate, mean, *((q * entropies(t)).sum(1) for t in soft)], 1), soft

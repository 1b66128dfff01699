"""Many runs as one: a state with a leading axis of members, each with its own weights and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import gcd
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from jaxrd.neural.losses import Weights
from jaxrd.neural.train import Code, State, initial
from jaxrd.neural.warm import teach

Over = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Turns f(own, *shared) of one member into the same of all: `own` gets a leading axis, `shared` stays."""


def at_once(f: Callable[..., Any]) -> Callable[..., Any]:
    """All members in one batch, by `jax.vmap`: for accelerators, which one small network cannot keep busy."""
    return lambda own, *shared: jax.vmap(lambda one: f(one, *shared))(own)


def in_turn(f: Callable[..., Any]) -> Callable[..., Any]:
    """One member after another, by `lax.map`: on CPU a batched matrix product is no faster than its parts."""
    return lambda own, *shared: jax.lax.map(lambda one: f(one, *shared), own)


@cache
def over_devices(over: Over, count: int) -> Over:
    """The members shared out over as many devices as divide them evenly, `over` on each.

    Args:
        over: for the members of one device.
        count: of members.
    """
    devices = np.array(jax.devices()[: gcd(count, jax.device_count())])
    if len(devices) == 1:
        return over
    mesh = jax.sharding.Mesh(devices, ("member",))
    members, everywhere = PartitionSpec("member"), PartitionSpec()

    def sharded(f: Callable[..., Any]) -> Callable[..., Any]:
        def all_of_them(own: Any, *shared: Any) -> Any:
            places = (members, *[everywhere] * len(shared))
            # No member depends on another, so the check of what varies over devices is not needed.
            split = jax.shard_map(over(f), mesh=mesh, in_specs=places, out_specs=members, check_vma=False)
            return split(own, *shared)

        return all_of_them

    return sharded


def by_backend(count: int) -> Over:
    """The faster one for `count` members on this backend: `in_turn` on CPU, else `at_once`; over all devices."""
    return over_devices(in_turn if jax.default_backend() == "cpu" else at_once, count)


def stacked(members: Sequence[Any]) -> Any:
    """Pytrees of one structure stacked into one, with a leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def member(family: Any, index: int) -> Any:
    """One member of a stacked pytree."""
    return jax.tree.map(lambda leaf: leaf[index], family)


def weights(rows: Sequence[tuple[float, float]]) -> Weights:
    """Loss weights of a family: (cross-entropy, Wasserstein) of each member, its distortion's being 1."""
    cross_entropy, wasserstein = np.asarray(rows, np.float32).T
    return Weights(np.ones_like(cross_entropy), cross_entropy, wasserstein)


def taught(code: Code, seeds: Sequence[int], reproductions: jax.Array, *, over: Over, steps: int = 2000) -> State:
    """Fresh members whose decoders have learnt their codebooks, by `warm.teach`.

    Args:
        code: what every encoder and decoder agree on.
        seeds: one a member.
        reproductions: by place, as `warm.arrange` orders them, shape (members, L^h, 784).
        over: how a function of one member becomes one of all.
        steps: of Adam.
    """

    def one(own: tuple[jax.Array, jax.Array]) -> State:
        seed, book = own
        return teach(code, initial(code, seed), book, steps=steps)

    return jax.jit(over(one))((jnp.asarray(seeds), jnp.asarray(reproductions)))

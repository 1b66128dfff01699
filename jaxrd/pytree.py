"""Frozen dataclasses as pytrees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

import jax

from jaxrd._readable import readable

Class = TypeVar("Class", bound=type)


def register(cls: Class) -> Class:
    """Make a `readable` dataclass a pytree node, its fields marked `metadata={"static": True}` a part of the structure.

    In place of `jax.tree_util.register_dataclass`, whose structures compare equal whatever the class (jaxlib 0.10.2).
    Then only hashes distinguish, say, two measures without fields. Where their hashes collide in a table (10 of 400
    pairs), `jax.jit` runs for one the program that it compiled for the other.

    Args:
        cls: the dataclass; its data are its other fields, in order.

    Returns:
        The class, so that this serves as a decorator above `dataclass`.

    >>> from dataclasses import dataclass
    >>> one, other = (register(dataclass(type(name, (), {}))) for name in ("One", "Other"))
    >>> jax.tree.structure(one()) == jax.tree.structure(other())
    False
    """
    static = [f.name for f in fields(cls) if f.metadata.get("static")]
    data = [f.name for f in fields(cls) if not f.metadata.get("static")]
    keys = [jax.tree_util.GetAttrKey(name) for name in data]

    def flatten(node: Any) -> tuple[tuple, tuple]:
        return tuple([getattr(node, name) for name in data]), tuple([getattr(node, name) for name in static])

    def flatten_with_keys(node: Any) -> tuple[tuple, tuple]:
        children, aux = flatten(node)
        return tuple(zip(keys, children, strict=True)), aux

    def unflatten(aux: tuple, children: Iterable) -> Any:
        return cls(**dict(zip(data, children, strict=True)), **dict(zip(static, aux, strict=True)))

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return readable(cls)

"""The repr of an object with arrays: one line a field, arrays by dtype and shape; for tracers too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

import numpy as np

from jaxrd._eager import is_traced

Class = TypeVar("Class", bound=type)

_WIDTH = 110
"""Most characters of a field."""


def readable(cls: Class) -> Class:
    """Give a dataclass or a named tuple a short `repr`, as a decorator above it.

    A field whose metadata has `names`, an enumeration, prints the names of its numbers.

    >>> from dataclasses import dataclass
    >>> @readable
    ... @dataclass
    ... class Line:
    ...     slope: float
    ...     points: np.ndarray
    >>> Line(2.0, np.zeros((3, 2)))
    Line(
      slope=2.0,
      points=float64[3,2],
    )
    """

    def shown(self: Any) -> str:
        rows = [f"  {name}={_cut(_brief(value, names))}," for name, value, names in _items(self)]
        return "\n".join([f"{type(self).__name__}(", *rows, ")"]) if rows else f"{type(self).__name__}()"

    cls.__repr__ = shown  # pyright: ignore
    return cls


def _items(node: Any) -> list[tuple[str, Any, type[Enum] | None]]:
    if is_dataclass(node):
        return [(f.name, getattr(node, f.name, None), f.metadata.get("names")) for f in fields(node)]
    return [(name, getattr(node, name), None) for name in node._fields]


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..."


def _brief(value: Any, names: type[Enum] | None = None) -> str:
    if isinstance(value, Enum):
        return value.name
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _array(value, names)
    if isinstance(value, bytes):
        return f"bytes[{len(value)}]"
    if isinstance(value, str | int | float | complex) or value is None:
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_brief(v)}" if np.isscalar(v) else str(key) for key, v in value.items()) + "}"
    if (is_dataclass(value) and not isinstance(value, type)) or hasattr(value, "_fields"):
        inner = ", ".join(f"{name}={_brief(v, n)}" for name, v, n in _items(value))
        return f"{type(value).__name__}({inner})"
    if isinstance(value, list | tuple):
        if len(value) <= 3 or all(np.isscalar(v) for v in value):
            start, end = "[]" if isinstance(value, list) else "()"
            return start + ", ".join(_brief(v) for v in value) + end
        return f"{type(value).__name__} of {len(value)} {type(value[0]).__name__}"
    return getattr(value, "__name__", None) or type(value).__name__


def _array(value: Any, names: type[Enum] | None) -> str:
    kind = f"{value.dtype}[{','.join(str(n) for n in value.shape)}]"
    if is_traced(value):
        return f"{kind} traced"
    if names is None and value.shape != ():
        return kind
    try:
        numbers = np.asarray(value)
        if names is None:
            return repr(numbers.item())
        distinct, counts = np.unique(numbers, return_counts=True)
        listed = [names(int(k)).name for k in distinct]
    except (TypeError, ValueError, RuntimeError):  # a random key, a donated array, or a number without a name
        return kind
    if value.shape == ():
        return listed[0]
    return f"{kind} " + ", ".join(f"{n} {name}" for n, name in zip(counts, listed, strict=True))

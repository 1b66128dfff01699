"""Arrays in an .npz with their digest: what was written is read, or nothing."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io import arrays

_DIGEST = "digest"


def digest(named: Mapping[str, Any]) -> str:
    """SHA-256 of arrays: their names, types, shapes and bytes.

    >>> digest({"a": np.zeros(2)}) == digest({"a": np.zeros(3)})
    False
    """
    total = hashlib.sha256()
    for name in sorted(named):
        array = np.ascontiguousarray(named[name])
        total.update(f"{name} {array.dtype.str} {np.shape(named[name])} ".encode())
        total.update(array.reshape(-1).view(np.uint8).data)  # without a copy
    return total.hexdigest()


def checked(named: Mapping[str, Any]) -> bytes:
    """The content of an .npz for `read_checked`."""
    content = io.BytesIO()
    np.savez(content, **{_DIGEST: np.array(digest(named))}, **named)
    return content.getvalue()


def read_checked(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz of `checked`.

    Raises:
        InputError: the file is missing, cut or damaged, or was not written by `checked`.
        OSError: it may not be read.
    """
    named = arrays.load(path, ("*",))
    held = named.pop(_DIGEST, None)
    if held is None or held.dtype.kind != "U" or str(held) != digest(named):
        raise InputError(f"{path} is not what was written: it is damaged, or no file of jaxrd's.")
    return named

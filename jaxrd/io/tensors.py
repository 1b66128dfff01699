"""Arrays from files of tensors: safetensors, and PyTorch's own without its pickles."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io.arrays import UNREAD
from jaxrd.io.common import Arrays, damaged, need, pickled

SAFETENSORS = (".safetensors",)
TORCH = (".pt", ".pth")


def load(path: Path, keys: tuple[str, ...], *, unsafe_pickle: bool = False) -> Arrays:
    """The tensors that have one of these keys, or the only one under ''; others are listed, not read.

    Args:
        path: `.safetensors`, or a `.pt` or `.pth` of a tensor or a dict of tensors (weights only).
        keys: what is wanted.
        unsafe_pickle: let a `.pt` hold any pickle, which can run any code.

    Raises:
        InputError: the file is missing or damaged, its reader is not installed, or it holds more than tensors.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if path.suffix.lower() in SAFETENSORS:
        return _safetensors(path, keys)
    return _torch(path, keys, unsafe_pickle)


def _numbers(values: np.ndarray) -> np.ndarray:
    """bfloat16 and the float8 kinds, which numpy knows by name only, as float32."""
    return values.astype(np.float32) if values.dtype.kind == "V" else values


def _safetensors(path: Path, keys: tuple[str, ...]) -> Arrays:
    safetensors = need("safetensors", path)
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return {key: _numbers(file.get_tensor(key)) if key in keys else UNREAD for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, TypeError) as error:
        raise damaged(path, "safetensors", error) from None


def _torch(path: Path, keys: tuple[str, ...], unsafe_pickle: bool) -> Arrays:
    torch = need("torch", path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=not unsafe_pickle)
    except pickle.UnpicklingError as error:  # so torch says that there is more than tensors, and that it is damaged
        if unsafe_pickle:
            raise damaged(path, "a PyTorch file", error) from None
        raise pickled(path, "is no PyTorch file of tensors alone; the rest is a pickle") from None
    except Exception as error:
        raise damaged(path, "a PyTorch file", error) from None

    def plain(value: Any) -> np.ndarray:
        if not isinstance(value, torch.Tensor):
            return np.asarray(value)
        value = value.detach()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()

    if isinstance(held, torch.Tensor):
        return {"": plain(held)}
    if isinstance(held, dict):
        return {str(key): plain(value) if key in keys else UNREAD for key, value in held.items()}
    raise InputError(f"{path.name} holds a {type(held).__name__}; a tensor or a dict of tensors was expected.")

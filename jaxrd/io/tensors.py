"""Arrays from files of tensors: safetensors, and PyTorch's own without its pickles."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd._files import damaged, parsing
from jaxrd.errors import InputError
from jaxrd.io.common import UNREAD, Arrays, need, pickled, wanted
from jaxrd.tosc.scores import as_array

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
    if path.suffix.lower() in SAFETENSORS:
        return _safetensors(path, keys)
    return _torch(path, keys, unsafe_pickle)


def _safetensors(path: Path, keys: tuple[str, ...]) -> Arrays:
    safetensors = need("safetensors", path)
    with parsing(path, "safetensors"), safetensors.safe_open(path, "numpy") as file:
        return {key: as_array(file.get_tensor(key), key) if wanted(key, keys) else UNREAD for key in file.keys()}  # noqa: SIM118


def _torch(path: Path, keys: tuple[str, ...], unsafe_pickle: bool) -> Arrays:
    torch = need("torch", path)
    with parsing(path, "a PyTorch file"):
        _check_sums(path)
        try:
            held = torch.load(path, map_location="cpu", weights_only=not unsafe_pickle)
        except pickle.UnpicklingError as error:  # torch raises it for other objects than tensors, and for damaged files
            if unsafe_pickle:
                raise damaged(path, "a PyTorch file", error) from None
            raise pickled(path, "is no PyTorch file of tensors alone; the rest is a pickle") from None
        if isinstance(held, torch.Tensor):
            return {"": _plain(held, "the tensor", path)}
        if isinstance(held, dict):
            named = {str(key): value for key, value in held.items()}
            return {key: _plain(value, key, path) if wanted(key, keys) else UNREAD for key, value in named.items()}
    raise InputError(f"{path.name} holds a {type(held).__name__}; a tensor or a dict of tensors was expected.")


def _check_sums(path: Path) -> None:
    """Check the checksums of the zip archive that a `.pt` is: torch does not check them."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise InputError(f"{path.name} is a compressed archive, which torch.save does not write.")
        if (name := archive.testzip()) is not None:
            raise InputError(f"{path} is damaged: the checksum of its part {name!r} is wrong.")


def _plain(tensor: Any, key: str, path: Path) -> np.ndarray:
    """A tensor's array, unless it claims more elements than the file can hold."""
    if hasattr(tensor, "numel") and tensor.numel() > max(8 * path.stat().st_size, 1 << 20):
        raise InputError(f"{path.name}: {key} claims {tensor.numel()} elements, more than its file can hold.")
    return as_array(tensor, f"{path.name}: {key}")

"""Arrays from numpy's files and, only when asked for by name, from pickles."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io.common import Arrays, damaged, listing, pickled

UNREAD = np.zeros(0)
NUMPY = (".npz", ".npy")
PICKLES = (".pkl", ".pickle", ".joblib")


def load(path: Path, keys: tuple[str, ...], *, unsafe_pickle: bool = False) -> Arrays:
    """The arrays of an .npz that have one of these keys, or the one of an .npy under the key ''.

    Other arrays are listed but not read: they may be large, or pickles.

    Args:
        path: `.npz`, `.npy`, or a pickle of an array or a dict of arrays.
        keys: what is wanted.
        unsafe_pickle: read pickles, which can run any code that whoever wrote them put there.

    Raises:
        InputError: the file is missing, damaged, or a pickle that was not asked for.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if path.suffix.lower() in PICKLES:
        if not unsafe_pickle:
            raise pickled(path, "is a pickle")
        return _unpickle(path)
    try:
        loaded = np.load(path, allow_pickle=unsafe_pickle)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                return {key: loaded[key] if key in keys else UNREAD for key in loaded.files}
        return _named(loaded, path)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        if "pickle" in str(error).lower() and not unsafe_pickle:
            raise pickled(path, "holds a pickle") from None
        raise damaged(path, "a numpy file", error) from None
    except (
        zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        raise damaged(path, "a numpy file", error) from None


def _unpickle(path: Path) -> Arrays:
    try:
        with path.open("rb") as file:
            return _named(pickle.load(file), path)
    except InputError:
        raise
    except Exception as error:  # a pickle may raise anything
        raise damaged(path, "a pickle", error) from None


def _named(value: Any, path: Path) -> Arrays:
    """A dict of arrays as it is, a dict that numpy boxed unpacked, and one array under ''."""
    if isinstance(value, np.ndarray) and value.dtype == object and value.shape == ():
        value = value.item()
    if isinstance(value, dict):
        return {str(key): np.asarray(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return {"": value}
    has = listing(vars(value)) if hasattr(value, "__dict__") else "no names"
    raise InputError(f"{path.name} holds a {type(value).__name__} ({has}); an array or a dict of arrays was expected.")

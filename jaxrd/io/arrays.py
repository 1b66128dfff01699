"""Arrays from numpy's files, HDF5, MATLAB's and, only when asked for by name, from pickles."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd._files import parsing, refuse_claim
from jaxrd.errors import InputError
from jaxrd.io import matlab
from jaxrd.io.common import UNREAD, Arrays, kind_of, listing, need, pickled, wanted

NUMPY = (".npz", ".npy")
HDF5 = (".h5", ".hdf5")
MATLAB = (".mat",)
PICKLES = (".pkl", ".pickle", ".joblib")
MAPPED = 1 << 28
"""Bytes up to which an .npy is read; a larger one is mapped: pages of it are read when they are used."""


def load(path: Path, keys: tuple[str, ...], *, unsafe_pickle: bool = False, size: int | None = None) -> Arrays:
    """The arrays that have one of these keys, or the one of an .npy under the key ''.

    Other arrays are listed but not read: they may be large, or pickles.

    Args:
        path: `.npz`, `.npy`, `.h5`, `.mat`, or a pickle of an array or a dict of arrays.
        keys: what is wanted.
        unsafe_pickle: read pickles, which can run any code that whoever wrote them put there.
        size: bytes of the array of which an .npy is a part; None: those of the file. A large one is mapped, not read.

    Raises:
        InputError: the file is missing, damaged, or a pickle that was not asked for; its reader is not installed.
    """
    kind = kind_of(path)
    if kind in HDF5:
        return _hdf5(path, keys)
    if kind in MATLAB:
        variables = matlab.load(path, keys)
        return _hdf5(path, keys, transposed=True) if variables is None else variables
    if kind in PICKLES:
        with parsing(path, "a pickle"):
            if not unsafe_pickle:
                raise pickled(path, "is a pickle")
            with path.open("rb") as file:
                return _named(pickle.load(file), path)
    with parsing(path, "a numpy file"):
        kept = _refuse_claims(path, keys)
        mapped = kept is not None and not kept.hasobject and (size or path.stat().st_size) > MAPPED
        try:
            loaded = np.load(path, allow_pickle=unsafe_pickle, mmap_mode="r" if mapped else None)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                with loaded:
                    return {key: loaded[key] if wanted(key, keys) else UNREAD for key in loaded.files}
        except ValueError as error:
            if "pickle" not in str(error).lower() or unsafe_pickle:
                raise
            if not _may_be_pickled(path):
                raise ValueError("it begins like none") from None
            raise pickled(path, "holds a pickle") from None
        return _named(loaded, path)


def _may_be_pickled(path: Path) -> bool:
    """Whether a file that numpy takes for a pickle begins like one, or like arrays that may hold objects."""
    with path.open("rb") as file:
        return file.read(1) in (b"P", b"\x80", b"\x93")


def _refuse_claims(path: Path, keys: Iterable[str]) -> np.dtype | None:
    """Compare what the headers of numpy's arrays claim with what follows them; the type of an array that is alone."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            file.seek(0)
            return _refuse_claim(file, path, "the array", path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            name = part.filename.removesuffix(".npy")
            if part.filename.endswith(".npy") and wanted(name, keys):
                refuse_claim(path, name, part.file_size)
                with archive.open(part) as file:
                    _refuse_claim(file, path, name, part.file_size)


def _refuse_claim(file: Any, path: Path, name: str, size: int) -> np.dtype | None:
    if file.read(6) != np.lib.format.MAGIC_PREFIX:
        return None  # a pickle, or an invalid file: numpy reports it
    version = tuple(file.read(2))
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(version, np.lib.format.read_array_header_2_0)
    shape, _, dtype = read(file)
    if not dtype.hasobject:
        claimed, rest = math.prod(shape) * dtype.itemsize, size - file.tell()
        refuse_claim(path, name, max(claimed, math.prod(shape)), rest)
        if claimed < rest:  # numpy would read its beginning: other numbers, where one bit of the header is wrong
            raise InputError(
                f"{path.name}: {name} claims {claimed} bytes, but {rest} follow. It is damaged, or several arrays."
            )
    return dtype


def _hdf5(path: Path, keys: Iterable[str], *, transposed: bool = False) -> Arrays:
    """The datasets of a file by their path in it; MATLAB reverses the axes, and keeps vectors as matrices."""
    h5py = need("h5py", path)
    datasets: Arrays = {}
    with parsing(path, "HDF5"), h5py.File(path, "r") as file:

        def visit(name: str, item: Any) -> None:
            if not isinstance(item, h5py.Dataset):
                return
            values = UNREAD
            if wanted(name, keys):
                refuse_claim(path, name, item.size * item.dtype.itemsize)
                values = np.asarray(item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()])
            datasets[name] = matlab.as_vector(values.T) if transposed else values

        file.visititems(visit)  # follows no link into another file
    return datasets


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

"""MATLAB's files, read in a separate process, because some damaged files make scipy's reader crash its process."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from jaxrd._files import parsing, refuse_claim
from jaxrd.io.common import UNREAD, Arrays, wanted

_READER = """
import json, sys
import numpy as np
import scipy.io

path, out = sys.argv[1:]
try:
    print(json.dumps({name: shape for name, shape, _ in scipy.io.whosmat(path)}), flush=True)
except NotImplementedError:  # version 7.3 is HDF5
    print("null", flush=True)
    sys.exit()
names = json.loads(sys.stdin.readline())


def plain(value):
    array = np.asarray(value.toarray() if hasattr(value, "toarray") else value)
    if array.dtype == object and all(np.size(c) == 1 and np.asarray(c).dtype.kind == "U" for c in array.flat):
        array = np.array([str(np.asarray(c).item()) for c in array.flat]).reshape(array.shape)
    return array


held = scipy.io.loadmat(path, variable_names=names)
arrays = [plain(held[name]) for name in names]
with open(out, "wb") as file:
    np.savez(file, *arrays)  # objects are pickled, and not read
print("done", flush=True)
"""


def load(path: Path, keys: tuple[str, ...]) -> Arrays | None:
    """The variables that have one of these keys, the others listed; None: the file is HDF5.

    A sparse matrix is filled up, a cell array of words is an array of words, a matrix of one row or column a vector.

    Raises:
        InputError: the file is missing or damaged.
    """
    with parsing(path, "a MATLAB file"), tempfile.TemporaryDirectory(prefix="jaxrd-") as folder:
        out = Path(folder) / "found.npz"
        command = [sys.executable, "-I", "-c", _READER, str(path.resolve()), str(out)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as reader:
            try:
                shapes = json.loads(reader.stdout.readline())  # pyright: ignore
                if shapes is None:
                    return None
                names = [name for name in shapes if wanted(name, keys)]
                for name in names:
                    refuse_claim(path, name, 8 * math.prod(shapes[name]))
                reader.communicate(json.dumps(names) + "\n")
            except BaseException:
                reader.kill()
                raise
        with np.load(out) as held:
            values = {name: held[f"arr_{i}"] for i, name in enumerate(names)}
    return {name: as_vector(values.get(name, UNREAD)) for name in shapes}


def as_vector(array: np.ndarray) -> np.ndarray:
    """A matrix of one row or column, which is how MATLAB keeps vectors, as one."""
    return array.ravel() if array.ndim == 2 and 1 in array.shape else array

"""Data for the examples and the neural part: MNIST from its IDX files, and the embedded classifier outputs."""

import gzip
import os
import struct
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

EXAMPLES = {
    "mnist-noisy": "mnist_lenet_noisy.npz",
    "mnist-clean": "mnist_lenet_clean.npz",
}
"""Names of the embedded classifier outputs and their files."""
DEFAULT_EXAMPLE = "mnist-noisy"
"""What `jaxrd limits` runs on without a file: there the curves come apart; on the clean set they nearly coincide."""


class Split(NamedTuple):
    """Images, uint8 of shape (count, 28, 28), and their labels, int32 of shape (count,)."""

    images: np.ndarray
    labels: np.ndarray


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes, gzipped or not, as an array of the shape its header states.

    Raises:
        ValueError: the file is not IDX of unsigned bytes, or is shorter than its header says.
    """
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    zeros, kind, rank = struct.unpack_from(">HBB", raw.ljust(4, b"\xff"))
    if zeros != 0 or kind != 0x08:
        raise ValueError(f"{path} is no IDX file of unsigned bytes: it begins with {raw[:4].hex()}.")
    shape = struct.unpack_from(f">{rank}I", raw, 4)
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank)
    if data.size != int(np.prod(shape)):
        raise ValueError(f"{path} is cut short: {data.size} bytes of data where its header says {shape}.")
    return data.reshape(shape)


def mnist(folder: str | Path | None = None) -> tuple[Split, Split]:
    """Read MNIST (train, test) from the standard IDX files, gzipped or not.

    Args:
        folder: where the four files lie; None: `$JAXRD_DATA/mnist`.

    Raises:
        FileNotFoundError: a file is missing, or no folder was named.
    """
    if folder is None:
        if "JAXRD_DATA" not in os.environ:
            raise FileNotFoundError("MNIST not found: set JAXRD_DATA to the folder that holds mnist/, or pass folder.")
        folder = Path(os.environ["JAXRD_DATA"]) / "mnist"

    def find(stem: str) -> Path:
        for name in (stem, stem + ".gz"):
            if (path := Path(folder) / name).exists():
                return path
        raise FileNotFoundError(f"MNIST file {stem}[.gz] not found in {folder}.")

    def split(prefix: str) -> Split:
        images = read_idx(find(f"{prefix}-images-idx3-ubyte"))
        labels = read_idx(find(f"{prefix}-labels-idx1-ubyte"))
        return Split(images, labels.astype(np.int32))

    return split("train"), split("t10k")


def embedded(filename: str) -> dict[str, Any]:
    """Read one of the package's own `.npz` files (see `jaxrd/data/PROVENANCE.json`) as a dict of arrays."""
    with resources.as_file(resources.files("jaxrd") / "data" / filename) as path, np.load(path) as archive:
        return {key: archive[key] for key in archive.files}


def embedded_path(filename: str) -> Path:
    """Where one of the package's own data files lies."""
    return Path(str(resources.files("jaxrd"))) / "data" / filename


def example_path(name: str) -> Path:
    """Where the embedded example `name` lies (`mnist-noisy` or `mnist-clean`).

    Raises:
        KeyError: there is no example of that name.
    """
    if name not in EXAMPLES:
        raise KeyError(f"no example {name!r}; there are: {', '.join(EXAMPLES)}")
    return embedded_path(EXAMPLES[name])

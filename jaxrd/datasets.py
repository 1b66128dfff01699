"""Data for the examples and the neural part: MNIST from its IDX files, and the embedded classifier outputs."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from importlib import import_module, resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrd._files import read_bytes, unpacked
from jaxrd.errors import InputError

EXAMPLES = {
    "mnist-noisy": "mnist_lenet_noisy.npz",
    "mnist-clean": "mnist_lenet_clean.npz",
}
"""Names of the embedded classifier outputs and their files."""
DEFAULT_EXAMPLE = "mnist-noisy"
"""The example that `jaxrd limits` uses without a file: its curves differ; on the clean set they nearly coincide."""
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist"
MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""MNIST's files and the SHA-256 of each, unpacked: archives of the same file differ from host to host."""

THICKNESS_TERCILES = (2.1281, 2.6221)
"""Stroke thicknesses in pixels that divide MNIST's training images into three equal parts."""


class Split(NamedTuple):
    """Images, uint8 of shape (count, 28, 28), and their labels, int32 of shape (count,)."""

    images: np.ndarray
    labels: np.ndarray


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes, gzipped or not, as an array of the shape its header states.

    Raises:
        InputError: the file is not IDX of unsigned bytes, is damaged, or is shorter than its header says.
        OSError: it cannot be read.
    """
    try:
        raw = unpacked(path) if path.suffix == ".gz" else read_bytes(path)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be unpacked, it may be truncated or damaged: {error}") from error
    zeros, kind, rank = struct.unpack_from(">HBB", raw.ljust(4, b"\xff"))
    if zeros != 0 or kind != 0x08:
        raise InputError(f"{path} is no IDX file of unsigned bytes: it begins with {raw[:4].hex()}.")
    if len(raw) < 4 + 4 * rank:
        raise InputError(f"{path} is cut short: {len(raw)} bytes where its header alone has {4 + 4 * rank}.")
    shape = struct.unpack_from(f">{rank}I", raw, 4)
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank)
    if data.size != math.prod(shape):
        raise InputError(f"{path} holds {data.size} bytes of data where its header says {shape}.")
    return data.reshape(shape)


def mnist(folder: str | Path | None = None) -> tuple[Split, Split]:
    """Read MNIST (train, test), or a set of its shape such as FashionMNIST, from four IDX files, gzipped or not.

    Args:
        folder: the folder of the four files, or one that holds them in a folder `mnist`; None: `$JAXRD_DATA`.

    Raises:
        FileNotFoundError: a file is missing, or no folder was named.
        InputError: a file is damaged, or images and labels do not fit each other.
    """
    folder = folder or os.environ.get("JAXRD_DATA")
    if not folder:
        raise FileNotFoundError("MNIST not found: set JAXRD_DATA to the folder that holds mnist/, or pass folder.")
    folder = Path(folder) / "mnist" if (Path(folder) / "mnist").is_dir() else Path(folder)

    def find(stem: str) -> Path:
        for name in (stem, stem + ".gz"):
            if (path := folder / name).exists():
                return path
        raise FileNotFoundError(f"MNIST file {stem}[.gz] not found in {folder}.")

    def split(prefix: str) -> Split:
        images = read_idx(find(f"{prefix}-images-idx3-ubyte"))
        labels = read_idx(find(f"{prefix}-labels-idx1-ubyte"))
        if labels.ndim != 1 or not labels.size or labels.max() > 9 or images.shape != (labels.size, 28, 28):
            highest = f" up to {labels.max()}" if labels.size else ""
            raise InputError(f"{folder}: {prefix} has images {images.shape} and labels {labels.shape}{highest}.")
        return Split(images, labels.astype(np.int32))

    return split("train"), split("t10k")


def is_mnist(test: Split) -> bool:
    """Whether these are the test images of MNIST, and not of a set of its shape."""
    header = struct.pack(">HBB3I", 0, 0x08, 3, *test.images.shape)
    return hashlib.sha256(header + test.images.tobytes()).hexdigest() == MNIST["t10k-images-idx3-ubyte"]


def download_mnist() -> Path:
    """Fetch MNIST's four files into the user's cache, unless they lie there; returns the folder, for `mnist`.

    Every call compares each file, unpacked, with its SHA-256; what differs is fetched again and never kept.

    Raises:
        FileNotFoundError: there is no pooch, no network, no home for a cache, or what came is not MNIST.
    """
    try:
        pooch: Any = import_module("pooch")
    except ModuleNotFoundError as error:
        raise FileNotFoundError(f"{error.name}, which downloads it, is missing: pip install pooch.") from error

    def unpacking(url: str, file: Any, owner: Any) -> None:
        pooch.HTTPDownloader()(url, file, owner)
        Path(file).write_bytes(unpacked(Path(file)))

    try:
        folder = Path(pooch.os_cache("jaxrd")) / "mnist"
    except (RuntimeError, KeyError) as error:  # HOME is not set, and the user id is in no list
        raise FileNotFoundError("there is no home directory to keep it in: set HOME or XDG_CACHE_HOME.") from error
    for name, sha256 in MNIST.items():
        url = f"{MNIST_URL}/{name}.gz"
        try:
            pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=name, path=folder, downloader=unpacking)
        except ValueError as error:
            raise FileNotFoundError(f"{url} is not what it should be: its SHA-256 differs from {sha256}.") from error
        except (OSError, EOFError, zlib.error) as error:
            raise FileNotFoundError(f"{url} cannot be fetched into {folder} ({type(error).__name__}).") from error
    return folder


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


def stroke_thickness(images: np.ndarray) -> np.ndarray:
    """Mean width in pixels of the strokes of grey images: twice their area by their perimeter, the total variation.

        2 sum_ij x_ij / sum_ij |grad x|_ij

    A straight stroke of width w and length l has 2 w l / (2 l + 2 w), nearly w. Brightness cancels, so edges that are
    smooth over a few pixels change nothing; a stroke keeps its thickness under a blur narrower
    than it.

    Args:
        images: shape (count, height, width), of any scale, dark where there is no stroke.

    Returns:
        Shape (count,); 0 of an image without a stroke.

    >>> bar = np.zeros((1, 28, 28))
    >>> bar[0, 4:24, 10:13] = 255
    >>> stroke_thickness(bar).round(2).tolist()
    [2.64]
    """
    found = np.zeros(len(images))
    for i in range(0, len(images), 1000):  # of all images at once the gradients would take gigabytes
        x = np.pad(np.asarray(images[i : i + 1000], float), ((0, 0), (1, 1), (1, 1)))
        down, right = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
        perimeter = np.sqrt(down**2 + right**2).sum((1, 2))
        found[i : i + 1000] = 2 * x.sum((1, 2)) / np.where(perimeter > 0, perimeter, 1)
    return found


def thickness_classes(images: np.ndarray) -> np.ndarray:
    """A second label of MNIST's images: thin, middle or thick strokes, 0, 1 or 2, by `THICKNESS_TERCILES`.

    It is measured from the image and nearly independent of the digit: the two share .018 nat on the training images.

    Args:
        images: shape (count, 28, 28), of any scale.

    Returns:
        int32, shape (count,).
    """
    return np.digitize(stroke_thickness(images), THICKNESS_TERCILES).astype(np.int32)

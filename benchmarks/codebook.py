"""A discrete source with labels from real data: the codeword of an MNIST digit, and the digit.

    JAXRD_DATA=... python benchmarks/codebook.py OUT.npz [--codewords 64] [--parity] [--digits 3 5 8]

Lloyd's algorithm on the 60 000 training images, or on those of some digits; then `source` is the codewords' frequency,
`distortion` the squared error per pixel between codewords and `labels` P(digit | codeword), or with --parity
P(even, odd | codeword). `jaxrd rdc OUT.npz` reads it. Made jaxrd/data/rdc_mnist.npz with --codewords 16 --parity and
jaxrd/data/rdc_digits.npz with --codewords 6 --digits 3 5 8; a few seconds.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxrd import datasets

ITERATIONS = 60


def nearest(images: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The closest centre of each image."""
    return (0.5 * (centres**2).sum(1) - images @ centres.T).argmin(1)


def codebook(images: np.ndarray, codewords: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres and the index of each image, from distinct random images on."""
    generator = np.random.default_rng(seed)
    centres = images[generator.choice(len(images), codewords, replace=False)]
    for _ in range(ITERATIONS):
        index = nearest(images, centres)
        members = np.eye(codewords, dtype=images.dtype)[index]
        count = members.sum(0)
        centres = np.where(count[:, None] > 0, members.T @ images / np.maximum(count, 1)[:, None], centres)
    return centres, nearest(images, centres)


def labelled_source(
    codewords: int, *, parity: bool = False, digits: Sequence[int] = tuple(range(10)), seed: int = 0
) -> dict[str, np.ndarray]:
    """Source, distortion and labels of the codewords, reproductions the codewords themselves."""
    train, _ = datasets.mnist()
    used = np.isin(train.labels, digits)
    images = train.images[used].reshape(used.sum(), -1).astype(np.float32) / 255
    centres, index = codebook(images, codewords, seed)
    classes = train.labels[used] % 2 if parity else np.searchsorted(sorted(digits), train.labels[used])
    joint = np.zeros((codewords, classes.max() + 1))
    np.add.at(joint, (index, classes), 1 / len(classes))
    source = joint.sum(1)
    squares = ((centres[:, None].astype(float) - centres[None]) ** 2).mean(2)
    return {"source": source, "distortion": squares, "labels": joint / source[:, None]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--codewords", type=int, default=64)
    parser.add_argument("--parity", action="store_true")
    parser.add_argument("--digits", type=int, nargs="+", default=list(range(10)), help="images of these alone")
    arguments = parser.parse_args()
    made = labelled_source(arguments.codewords, parity=arguments.parity, digits=arguments.digits)
    np.savez(arguments.out, **made)  # pyright: ignore


if __name__ == "__main__":
    main()

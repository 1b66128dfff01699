"""What quantisers without a network reach at the same bits, and R(D) of a Gaussian source of the same covariance.

All are fitted to the training images and measured on the test images. Every code is of fixed length: the bits are those
that any image takes. A decoder clips pixels to [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxrd.closed_form import vector_gaussian
from jaxrd.errors import InputError
from jaxrd.figures.rdc_rates.codebooks import Effort, decode, encode, joint_books, principal, residual_books
from jaxrd.figures.rdc_rates.transforms import ProductCode, ScalarCode
from jaxrd.information import NATS_PER_BIT

RESIDUAL = "residual VQ"
BEAM = "residual VQ, beam search"
ADDITIVE = "additive VQ, fitted jointly"
PRODUCT = "product VQ, rotated"
SCALAR = "PCA, scalar quantisers"
GAUSSIAN = "Gaussian R(D), same covariance"
"""A lower bound for a Gaussian source, which MNIST is not: codes for MNIST may lie below."""
FULL = Effort()
QUICK = Effort(iterations=6, rounds=2, turns=3, beam=4)
_BEAM = 32
"""Partial codes that the encoder of the finished codebooks keeps."""
Say = Callable[[str], None]


def baselines(
    train: np.ndarray,
    test: np.ndarray,
    bits: int,
    *,
    effort: Effort = FULL,
    seed: int = 0,
    say: Say = lambda _: None,
) -> list[dict[str, Any]]:
    """Mean squared error a pixel of every baseline on the test images, and the Gaussian line.

    Args:
        train: images to fit to, floats in [0, 1], shape (count, dimensions).
        test: images to measure on, of the same dimensions.
        bits: of an image, a multiple of 8.
        effort: how long the fits take.
        seed: of the codebooks' beginnings.
        say: called with a line for every baseline.

    Returns:
        Rows of `name`, `mse`, `bits`; of codes also `train_mse`.

    Raises:
        InputError: bits that are no positive multiple of 8.
    """
    if bits < 1 or bits % 8:
        raise InputError(f"bits must be a positive multiple of 8, one stage of 256 words each; got {bits}.")
    mean = train.mean(0, dtype=float).astype(np.float32)
    fitted, held_out = train.astype(np.float32) - mean, test.astype(np.float32) - mean
    rows = []
    for name, reproduce in _codes(fitted, bits, effort, np.random.default_rng(seed)):
        row = {"name": name, "bits": bits} | {
            key: float(((np.clip(reproduce(part) + mean, 0, 1) - images) ** 2).mean(dtype=float))
            for key, part, images in (("mse", held_out, test), ("train_mse", fitted, train))
        }
        rows.append(row)
        say(f"{bits} bits, {name}: test {row['mse']:.5f}, train {row['train_mse']:.5f}")
    rows.append({"name": GAUSSIAN, "bits": bits, "mse": gaussian(fitted, bits)})
    say(f"{bits} bits, {GAUSSIAN}: {rows[-1]['mse']:.5f}")
    return rows


def _codes(
    images: np.ndarray, bits: int, effort: Effort, generator: np.random.Generator
) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Names of the fitted codes, and what their decoders make of images."""
    stages = bits // 8
    books = residual_books(images, stages, effort, generator)
    beam = max(effort.beam, _BEAM if effort != QUICK else 0)

    def added(books: np.ndarray, beam: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: decode(encode(x, books, beam), books)

    yield RESIDUAL, added(books, 1)
    yield BEAM, added(books, beam)
    for _ in range(effort.rounds):
        books = joint_books(images, encode(images, books, effort.beam), effort.words)
    yield ADDITIVE, added(books, beam)
    yield PRODUCT, ProductCode(images, stages, effort, generator).reproduce
    yield SCALAR, ScalarCode(images, bits).reproduce


def gaussian(images: np.ndarray, bits: float) -> float:
    """The least mean squared error a pixel at a rate, of a Gaussian source with the covariance of centred images.

    Args:
        images: shape (count, dimensions).
        bits: of an image.
    """
    variances, _ = principal(images.astype(float))
    with jax.enable_x64(True):
        total = vector_gaussian.distortion(variances, bits * NATS_PER_BIT)
    return float(total) / images.shape[1]

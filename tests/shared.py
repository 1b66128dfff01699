"""Small inputs that several test files use."""

import struct
from contextlib import contextmanager
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.closed_form import (
    binary,
    categorical,
    erasure,
    exponential,
    gauss_markov,
    gaussian,
    laplacian,
    remote_gaussian,
    vector_gaussian,
)
from jaxrd.neural import codec
from jaxrd.neural.train import Code, initial

CODE = Code()
COUNT = 64  # images that are coded


@contextmanager
def compiled_quickly():
    """Few optimisations, for what is compiled and run once; no program so compiled is left to a test that follows."""
    jax.clear_caches()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()


def logits(images):
    """A classifier that costs nothing to compile: the brightness of ten bands of pixels."""
    return 20 * images[:, :780].reshape(-1, 10, 78).mean(-1)


def batch(seed=0, n=64):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n)
    images = 0.2 * rng.random((n, 784))
    images[np.arange(784) // 78 == labels[:, None]] += 0.7
    return jnp.asarray(images, jnp.float32), jnp.asarray(labels)


@cache
def model(code=CODE, seed=0):
    parameters = initial(CODE, seed).parameters  # dither is no part of the networks
    # Sharper than a fresh encoder, so that many messages occur.
    parameters["encoder"]["head"]["kernel"] = 200 * parameters["encoder"]["head"]["kernel"]
    return codec.Model(code, parameters, np.arange(27))


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


INTERIOR = [
    (binary, (0.3,), (1e-6, 0.1, 0.29)),
    (categorical, (np.array([0.1, 0.4, 0.2, 0.3]),), (1e-3, 0.2, 0.45, 0.59)),
    (gaussian, (2.0,), (0.01, 1.0, 1.9)),
    (vector_gaussian, (np.array([0.2, 4.0, 1.0]),), (0.1, 1.0, 4.9)),
    (gauss_markov, (0.8,), (0.05, 0.3, 0.9)),
    (gauss_markov, (-0.99,), (0.004, 0.3, 0.9)),
    (laplacian, (0.5,), (0.01, 0.2, 0.49)),
    (exponential, (3.0,), (0.01, 1.0, 2.9)),
    (erasure, (5,), (0.01, 0.5, 0.9)),
    (remote_gaussian, (2.0, 0.3), (0.27, 1.0, 1.9)),
]
NAMES = [f"{m.__name__.split('.')[-1]}-{i}" for i, (m, _, _) in enumerate(INTERIOR)]

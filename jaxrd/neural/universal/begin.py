"""Where training begins: principal components, and the code fitted to them. From there no message is ever lost."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd.neural.universal.model import UniversalAutoencoder
from jaxrd.neural.universal.parts import Decoder

MOST = 20_000
"""Images that the beginning looks at."""
REGRESSED = 10_000
"""Images that a decoder's linear map is fitted to."""
_RIDGE = 1e-4


def components(vectors: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and the first principal axes of vectors, float32.

    Args:
        vectors: shape (n, pixels).
        width: number of axes; those beyond the rank are 0.

    Returns:
        Shapes (pixels,) and (pixels, width), orthonormal columns, the largest variance first.
    """
    mean = vectors.mean(0, dtype=np.float64).astype(np.float32)
    centred = (vectors - mean).astype(np.float64)
    count, pixels = centred.shape
    if pixels <= count:
        axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :width]
    else:  # the same axes from the smaller matrix of inner products
        values, places = np.linalg.eigh(centred @ centred.T)
        keep = values > 1e-6 * values[-1]
        axes = (centred.T @ (places[:, keep] / np.sqrt(values[keep])))[:, ::-1][:, :width]
    padded = np.zeros((pixels, width), np.float32)
    padded[:, : axes.shape[1]] = axes
    return mean, padded


def begin(model: UniversalAutoencoder, images: np.ndarray, key: jax.Array) -> None:
    """Fit encoder, code and decoders to images without networks, in place.

    The encoder's linear map becomes the principal axes, the code is fitted to these components (`Code.begin`), and the
    decoders' linear maps take them back. What the networks add is small at first, so that the autoencoder begins as a
    residual vector quantiser (`Words`) or a scalar one (`Levels`) and can only become better.

    Args:
        model: to change.
        images: shape (n, *shape), in [0, 1].
        key: of k-means.
    """
    vectors = np.asarray(images, np.float32).reshape(len(images), -1)[:MOST]
    mean, axes = components(vectors, model.code.width)
    latent = jax.device_put((vectors - mean) @ axes)
    scale = model.code.begin(key, latent)
    model.encoder.mean[...] = jnp.asarray(mean)
    model.encoder.linear[...] = jnp.asarray(axes) * scale
    few = vectors[:REGRESSED]
    sent = model.code.latents(model.code.symbols(latent[:REGRESSED] * scale))
    for decoder in model.decoders.values():
        begin_decoder(decoder, sent, few)


def begin_decoder(decoder: Decoder, latent: jax.Array, images: np.ndarray | jax.Array) -> None:
    """Set a decoder's linear map to the least-squares fit of images to the latent vectors sent for them, in place.

    Args:
        decoder: to change.
        latent: points of the code, shape (n, width).
        images: shape (n, *shape).
    """
    z = np.asarray(latent[:REGRESSED], np.float64)
    vectors = np.asarray(images[:REGRESSED], np.float32).reshape(len(z), -1)
    centre, mean = z.mean(0), vectors.mean(0, dtype=np.float64)
    gram = (z - centre).T @ (z - centre)
    ridge = _RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12) * np.eye(len(gram))
    linear = np.linalg.solve(gram + ridge, (z - centre).T @ (vectors - mean))
    decoder.linear[...] = jnp.asarray(linear, jnp.float32)
    decoder.mean[...] = jnp.asarray(mean - centre @ linear, jnp.float32)

"""Train a universal autoencoder on a user's images: encoder and decoder together, then decoders on its encoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrd.errors import InputError
from jaxrd.neural.losses import Weights
from jaxrd.neural.universal.begin import REGRESSED, begin, begin_decoder
from jaxrd.neural.universal.codes import Code, Words
from jaxrd.neural.universal.data import Data, checked
from jaxrd.neural.universal.model import UniversalAutoencoder
from jaxrd.neural.universal.networks import Pair, dense, dense_critic
from jaxrd.neural.universal.parts import Decoder, begun_from
from jaxrd.neural.universal.run import Fit, Report, Schedule, train

_MSE, _SCHEDULE = Weights(), Schedule()
WIDTH = 64
"""Coordinates of a latent vector of words, where images have as many pixels."""


def code_of(bits: float, width: int, *, rngs: nnx.Rngs) -> Words:
    """Residual stages of at most 256 words, of at most `bits` bits together.

    Raises:
        InputError: fewer than 1 bit.

    >>> code_of(32, 8, rngs=nnx.Rngs(0)).sizes, code_of(4.76, 8, rngs=nnx.Rngs(0)).sizes
    ((256, 256, 256, 256), (27,))
    """
    if not (math.isfinite(bits) and bits >= 1):
        raise InputError(f"bits must be a number >= 1; got {bits}.")
    stages = math.ceil(bits / 8)
    return Words(stages, math.floor(2 ** (bits / stages) + 1e-9), width, rngs=rngs)


def fit(
    images: Any,
    labels: Any = None,
    classifier: Any = None,
    *,
    bits: float | None = None,
    code: Code | None = None,
    weights: Weights = _MSE,
    networks: Pair = dense,
    critic: Callable[..., nnx.Module] | None = dense_critic,
    noise: int = 0,
    name: str = "conventional",
    schedule: Schedule = _SCHEDULE,
    seed: int = 0,
    out: str | Path | None = None,
    report: Report = lambda *_: None,
) -> Fit:
    """Train encoder, code and one decoder together on

        weights.distortion MSE + sum_k weights.cross_entropy[k] CE_k + weights.wasserstein W1

    MSE a pixel, CE_k of fixed classifier k on the reproductions and label k in nats, W1 by a critic. Training begins
    as a quantiser of principal components (`begin`), from which no message is lost.

    Args:
        images: shape (n, h, w), (n, h, w, c) or (n, d), in [0, 1], or integers of 255.
        labels: integers, shape (n,), or one such array a label.
        classifier: images -> logits, fixed; or one a label.
        bits: of the code, which is then made of residual stages of at most 256 words; give this or `code`.
        code: `Words` or `Levels`.
        weights: of the losses.
        networks: pair(shape, width, noise, rngs=...) -> encoder, decoder: `dense`, `convolutional`, or your own.
        critic: critic(shape, rngs=...), used where there is a weight of W1.
        noise: coordinates of the decoder's noise, 0 for a deterministic decoder.
        name: of the decoder.
        schedule: how long and how fast.
        seed: of all randomness.
        out: folder of this run alone: a run that was killed goes on from its last epoch there. It also holds what
            decides the result; another run is refused.
        report: called with the epochs done and the last one's mean losses.

    Raises:
        InputError: arguments that do not fit each other; a folder of another run.

    Reference: [B] (16).
    """
    data = checked(images, labels, classifier, weights)
    if (bits is None) == (code is None):
        raise InputError("fit needs bits or code, not both.")
    shape = data.images.shape[1:]
    rngs = nnx.Rngs(seed)
    code = code or code_of(bits or 0, min(WIDTH, math.prod(shape)), rngs=rngs)
    encoder, decoder = networks(shape, code.width, noise, rngs=rngs)
    critics = _critics(name, shape, critic, data.weights, rngs)
    model = UniversalAutoencoder(shape, encoder, code, {name: decoder}, critics, {name: noise})
    begin(model, np.asarray(data.images), jax.random.key(seed))
    stage = schedule.stage(frozen=False, adversarial=bool(critics))
    return train(model, name, data, stage, schedule, seed, out, report)


def fit_decoder(
    model: UniversalAutoencoder,
    images: Any,
    labels: Any = None,
    classifier: Any = None,
    *,
    name: str,
    begun: str | None = None,
    symbols: Any = None,
    weights: Weights = _MSE,
    networks: Pair = dense,
    critic: Callable[..., nnx.Module] | None = dense_critic,
    noise: int = 0,
    schedule: Schedule = _SCHEDULE,
    seed: int = 0,
    out: str | Path | None = None,
    report: Report = lambda *_: None,
) -> Fit:
    """Train a new decoder on the frozen encoder and code of a model: the universal stage, losses (17).

    Args:
        model: whose encoder and code are used; it is not changed.
        images, labels, classifier, weights, networks, critic, noise, schedule, seed, out, report: as in `fit`.
        name: of the new decoder, which replaces one of that name.
        begun: a decoder of `model`, of the same networks, whose weights the new one begins from; None for fresh ones.
        symbols: of the images, where `model.encode` gave them before; None to encode them. Not for a dithered code.

    Returns:
        A model with the new decoder beside the others.

    Raises:
        InputError: arguments that do not fit each other; a folder of another run.

    Reference: [B] (17).
    """
    data = _data_of(model, images, labels, classifier, weights)
    grown = nnx.clone(model)
    if symbols is None:
        latents = sent(grown, data.images)
    else:
        if len(symbols) != len(data.images):
            raise InputError(f"symbols must be those of the {len(data.images)} images; got {len(symbols)}.")
        latents = grown.code.latents(jnp.asarray(symbols))
    _add(grown, name, data, latents, networks, critic, noise, seed)
    if begun is not None:
        begun_from(grown.decoders[name], model.decoders[model.decoder_named(begun)])
    stage = schedule.stage(frozen=True, adversarial=name in grown.critics)
    return train(grown, name, data, stage, schedule, seed, out, report, latents)


def tune(
    model: UniversalAutoencoder,
    images: Any,
    labels: Any = None,
    classifier: Any = None,
    *,
    name: str = "conventional",
    begun: str | None = None,
    weights: Weights = _MSE,
    networks: Pair = dense,
    critic: Callable[..., nnx.Module] | None = dense_critic,
    noise: int = 0,
    schedule: Schedule = _SCHEDULE,
    seed: int = 0,
    out: str | Path | None = None,
    report: Report = lambda *_: None,
) -> Fit:
    """Go on training encoder, code and a decoder of a model together, on other losses: (16) from where it is.

    Args:
        model: to begin from; it is not changed.
        images, labels, classifier, weights, networks, critic, noise, schedule, seed, out, report: as in `fit`.
        name: of the decoder in the result.
        begun: the decoder of `model` to begin from, None for the only one; of the same networks.

    Returns:
        A model with this decoder alone: the others do not fit the new encoder.

    Raises:
        InputError: arguments that do not fit each other; a folder of another run.

    Reference: [B] (16).
    """
    data = _data_of(model, images, labels, classifier, weights)
    other = nnx.clone(model)
    decoder = other.decoders[other.decoder_named(begun)]
    searched = other.search
    other.search_through(None)
    for gone in other.names:
        del other.decoders[gone]
        other.critics.pop(gone, None)
    _add(other, name, data, sent(model, data.images[:REGRESSED]), networks, critic, noise, seed)
    begun_from(other.decoders[name], decoder)
    if searched is not None:
        other.search_through(searched._replace(decoder=name))
    stage = schedule.stage(frozen=False, adversarial=name in other.critics)
    return train(other, name, data, stage, schedule, seed, out, report)


def _data_of(model: UniversalAutoencoder, images: Any, labels: Any, classifier: Any, weights: Weights) -> Data:
    data = checked(images, labels, classifier, weights)
    if data.images.shape[1:] != model.shape:
        raise InputError(f"the model codes images of shape {model.shape}; got {data.images.shape[1:]}.")
    return data


def _add(
    model: UniversalAutoencoder, name: str, data: Data, latents: jax.Array, networks: Pair, critic: Any, noise: int,
    seed: int,
) -> None:  # fmt: skip
    """Put a fresh decoder of that name in the model, and a critic where one is needed."""
    rngs = nnx.Rngs(seed)
    _, network = networks(model.shape, model.code.width, noise, rngs=rngs)
    model.decoders[name] = Decoder(network, model.shape, model.code.width, noise)
    model.critics.pop(name, None)
    for made, net in _critics(name, model.shape, critic, data.weights, rngs).items():
        model.critics[made] = net
    begin_decoder(model.decoders[name], latents, np.asarray(data.images))


def sent(model: UniversalAutoencoder, images: jax.Array) -> jax.Array:
    """What a frozen encoder sends, (n, width): the code's point of each image; before a dither its latent vector."""
    if model.code.offsets(jax.random.key(0), 1) is None:
        return model.code.latents(model.encode(images))
    return jnp.concatenate([model.encoder(images[i : i + 1000]) for i in range(0, len(images), 1000)])


def _critics(name: str, shape: tuple[int, ...], critic: Any, weights: Weights, rngs: nnx.Rngs) -> dict[str, Any]:
    if not weights.wasserstein:
        return {}
    if critic is None:
        raise InputError(
            f"a Wasserstein weight of {weights.wasserstein:g} has no effect without a critic: pass critic."
        )
    return {name: critic(shape, rngs=rngs)}

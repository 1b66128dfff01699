"""Train a universal autoencoder on a user's images: encoder and decoder together, then decoders on its encoder."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrd.errors import InputError
from jaxrd.neural.checkpoint import latest, save
from jaxrd.neural.losses import Weights
from jaxrd.neural.run_file import claim, digest
from jaxrd.neural.train import State
from jaxrd.neural.universal.begin import begin, begin_decoder
from jaxrd.neural.universal.codes import Code, Words
from jaxrd.neural.universal.data import Data, checked
from jaxrd.neural.universal.model import Decoder, UniversalAutoencoder
from jaxrd.neural.universal.networks import Pair, dense, dense_critic
from jaxrd.neural.universal.step import Losses, Objective, Stage, epoch, join, moments, rates, split

Report = Callable[[int, Losses], None]
_MSE = Weights()
WIDTH = 64
"""Coordinates of a latent vector of words, where images have as many pixels."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Args:
        epochs: through all images.
        rate: of Adam at the top; up over half an epoch, down to a 200th by a cosine.
        batch: images a step.
        labelled: images of each batch that classifiers and critic see.
        critic_rate: of the critic's Adam, constant.
        critic_steps: of the critic, after each step of the generator.

    Raises:
        InputError: a number that is not positive.
    """

    epochs: int = 20
    rate: float = 1e-3
    batch: int = 128
    labelled: int = 64
    critic_rate: float = 2e-4
    critic_steps: int = 1

    def __post_init__(self) -> None:
        """Check the values."""
        if min(self.epochs, self.batch, self.labelled, self.critic_steps) < 1 or not (
            self.rate > 0 and self.critic_rate > 0
        ):
            raise InputError(f"a schedule's numbers must be positive; got {self}.")

    def stage(self, *, frozen: bool, adversarial: bool) -> Stage:
        """What a step does under this schedule."""
        return Stage(frozen, adversarial, self.batch, self.labelled, self.critic_steps)


class Fit(NamedTuple):
    """What training gives.

    Args:
        model: trained.
        history: a row an epoch: mse, cross_entropy (one a label), wasserstein, means over its steps.
    """

    model: UniversalAutoencoder
    history: list[dict[str, Any]]


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
    schedule: Schedule = Schedule(),
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
    return _train(model, name, data, stage, schedule, seed, out, report)


def fit_decoder(
    model: UniversalAutoencoder,
    images: Any,
    labels: Any = None,
    classifier: Any = None,
    *,
    name: str,
    weights: Weights = _MSE,
    networks: Pair = dense,
    critic: Callable[..., nnx.Module] | None = dense_critic,
    noise: int = 0,
    schedule: Schedule = Schedule(),
    seed: int = 0,
    out: str | Path | None = None,
    report: Report = lambda *_: None,
) -> Fit:
    """Train a fresh decoder on the frozen encoder and code of a model: the universal stage, losses (17).

    Args:
        model: whose encoder and code are used; it is not changed.
        images, labels, classifier, weights, networks, critic, noise, schedule, seed, out, report: as in `fit`.
        name: of the new decoder, which replaces one of that name.

    Returns:
        A model with the new decoder beside the others.

    Raises:
        InputError: arguments that do not fit each other; a folder of another run.

    Reference: [B] (17).
    """
    data = checked(images, labels, classifier, weights)
    if data.images.shape[1:] != model.shape:
        raise InputError(f"the model codes images of shape {model.shape}; got {data.images.shape[1:]}.")
    rngs = nnx.Rngs(seed)
    _, network = networks(model.shape, model.code.width, noise, rngs=rngs)
    grown = nnx.clone(model)
    grown.decoders[name] = Decoder(network, model.shape, model.code.width, noise)
    grown.critics.pop(name, None)
    for made, net in _critics(name, model.shape, critic, data.weights, rngs).items():
        grown.critics[made] = net
    latents = sent(grown, data.images)
    begin_decoder(grown.decoders[name], latents, np.asarray(data.images))
    stage = schedule.stage(frozen=True, adversarial=name in grown.critics)
    return _train(grown, name, data, stage, schedule, seed, out, report, latents)


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


def _train(
    model: UniversalAutoencoder, name: str, data: Data, stage: Stage, schedule: Schedule, seed: int,
    out: str | Path | None, report: Report, latents: jax.Array | None = None,
) -> Fit:  # fmt: skip
    count = len(data.images)
    if stage.batch > count:
        raise InputError(f"a batch of {stage.batch} is more than the {count} images: nothing would be trained.")
    graphs, parameters = split(model, name)
    state = State(parameters, moments(stage, parameters), jax.random.key(seed))
    objective = Objective(graphs, data.classifiers, data.images, data.labels, latents, data.weights)
    history: list[dict[str, Any]] = []
    folder = None if out is None else Path(out)
    if folder is not None:
        claim(folder, _described(objective, stage, schedule, state))
        if (saved := latest(folder, state)) is not None:
            state, history = saved
    plan = rates(schedule.epochs, count // stage.batch, schedule.rate, schedule.critic_rate)
    for i in range(len(history), schedule.epochs):
        state, losses = epoch(objective, stage, state, plan[i])
        history.append({field: np.asarray(value).tolist() for field, value in losses._asdict().items()})
        if folder is not None:
            save(folder, state, history)
        report(i + 1, losses)
    join(model, name, state.parameters)
    return Fit(model, history)


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_VERSION = 1
"""Of the training step: increased when the same input gives another result."""


def _described(objective: Objective, stage: Stage, schedule: Schedule, state: State) -> dict[str, Any]:
    """All that decides the result, by name: digests, and the classifiers' logits on a few images."""
    few = objective.images[:8]
    logits = [np.asarray(c(few), float).ravel() for c in objective.classifiers]
    return {
        "universal_version": _VERSION,
        "networks": _ADDRESS.sub("", repr(objective.graphs)),
        "stage": repr(stage),
        "schedule": repr(schedule),
        "state": digest(state._replace(key=jax.random.key_data(state.key))._asdict()),
        "images": digest(objective.images),
        "labels": digest(objective.labels),
        "latents": digest(objective.latents),
        "weights": digest(objective.weights._asdict()),
        "logits": np.concatenate([np.zeros(0), *logits]).tolist(),
    }

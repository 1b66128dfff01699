"""A training run of parts of an autoencoder: its schedule, its epochs, its folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxrd.errors import InputError
from jaxrd.neural.checkpoint import latest, save
from jaxrd.neural.run_file import claim, digest
from jaxrd.neural.train import State
from jaxrd.neural.universal.data import Data
from jaxrd.neural.universal.model import Search, UniversalAutoencoder
from jaxrd.neural.universal.step import Losses, Objective, Stage, epoch, join, moments, rates, split

Report = Callable[[int, Losses], None]


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
        searched: epochs, the last ones, in which the encoder and the decoder train on the symbols that a search through
            the decoder chose at the epoch's beginning (`Search`); the encoder then goes on searching.
        candidates: of that search.

    Raises:
        InputError: a number that is not positive.
    """

    epochs: int = 20
    rate: float = 1e-3
    batch: int = 128
    labelled: int = 64
    critic_rate: float = 2e-4
    critic_steps: int = 1
    searched: int = 0
    candidates: int = 8

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.searched <= self.epochs or self.candidates < 1:
            raise InputError(f"searched must lie in [0, epochs] and candidates be >= 1; got {self}.")
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


def train(
    model: UniversalAutoencoder, name: str, data: Data, stage: Stage, schedule: Schedule, seed: int,
    out: str | Path | None, report: Report, latents: jax.Array | None = None,
) -> Fit:  # fmt: skip
    """Train a decoder, and where the stage says so encoder and code, in place.

    Args:
        model: to change.
        name: of the decoder.
        data: to learn from.
        stage: what learns.
        schedule: how long and how fast.
        seed: of the order of images, dither and noise.
        out: folder of this run alone, or None.
        report: called with the epochs done and the last one's mean losses.
        latents: of the frozen encoder, `fit.sent`.

    Raises:
        InputError: fewer images than a batch, a folder of another run.
    """
    count = len(data.images)
    if stage.batch > count:
        raise InputError(f"a batch of {stage.batch} is more than the {count} images: nothing would be trained.")
    graphs, parameters = split(model, name)
    state = State(parameters, moments(stage, parameters), jax.random.key(seed))
    objective = Objective(graphs, data.classifiers, data.images, data.labels, latents, None, data.weights)
    history: list[dict[str, Any]] = []
    folder = None if out is None else Path(out)
    if folder is not None:
        claim(folder, {"seed": seed, **_described(objective, stage, schedule, state)})
        if (saved := latest(folder, state)) is not None:
            state, history = saved
    plan = rates(schedule.epochs, count // stage.batch, schedule.rate, schedule.critic_rate)
    for i in range(len(history), schedule.epochs):
        if i >= schedule.epochs - schedule.searched and not stage.frozen:
            join(model, name, state.parameters)
            model.search_through(Search(name, schedule.candidates))
            objective = replace(objective, symbols=model.encode(data.images))
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

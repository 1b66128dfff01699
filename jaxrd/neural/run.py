"""A whole training run: stages of epochs, a checkpoint after each, resumed where it was killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from jaxrd.errors import InputError
from jaxrd.neural.checkpoint import latest, save
from jaxrd.neural.family import Over
from jaxrd.neural.losses import Terms, Weights
from jaxrd.neural.networks import PIXELS
from jaxrd.neural.run_file import claim, described
from jaxrd.neural.samples import refuse_unless_images, refuse_unless_labels
from jaxrd.neural.train import Objective, Stage, State, epoch, need_critic, restarted

_CRITIC_RATE = 2e-4


def _alone(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


@partial(jax.jit, static_argnums=(0, 2))
def _epoch(over: Over, objective: Objective, stage: Stage, state: State, rates: jax.Array) -> tuple[State, Terms]:
    def one(own: tuple[State, Weights], shared: Objective, rates: jax.Array) -> tuple[State, Terms]:
        state, weights = own
        return epoch(replace(shared, weights=weights), stage, state, rates)

    return over(one)((state, objective.weights), objective, rates)


@dataclass(frozen=True)
class Leg:
    """A stage of a run, with its length and learning rates.

    Args:
        stage: what is trained.
        epochs: how long.
        rate: of encoder and decoder at the beginning; falls to a hundredth by a cosine.
        critic_rate: of the critic, constant.

    Raises:
        InputError: a critic's rate for a stage without one, rates that are not positive, a number of epochs below 0.
    """

    stage: Stage
    epochs: int
    rate: float = 1e-3
    critic_rate: float = _CRITIC_RATE

    def __post_init__(self) -> None:
        """Check the values."""
        if self.critic_rate != _CRITIC_RATE and not self.stage.adversarial:
            raise InputError(f"critic_rate {self.critic_rate:g} has no effect: this stage has no critic.")
        if self.epochs < 0 or not (self.rate > 0 and self.critic_rate > 0):
            raise InputError(
                f"epochs must be >= 0 and rates > 0; got {self.epochs}, {self.rate:g} and {self.critic_rate:g}."
            )

    def rates(self, steps: int) -> np.ndarray:
        """Learning rates of every step, shape (epochs, steps, 2)."""
        schedule = optax.cosine_decay_schedule(self.rate, self.epochs * steps, alpha=0.01)
        generator = np.asarray(schedule(np.arange(self.epochs * steps)), np.float32)
        return np.stack([generator, np.full_like(generator, self.critic_rate)], -1).reshape(self.epochs, steps, 2)


def train(
    objective: Objective,
    legs: Sequence[Leg],
    state: State,
    *,
    over: Over = _alone,
    folder: Path | None = None,
    report: Callable[[int, int, Terms], None] = lambda *_: None,
) -> tuple[State, list[dict[str, Any]]]:
    """Run all legs; with a folder, save after every epoch and go on from the last saved one.

    A run that was killed and resumed gives the result of an uninterrupted one, bit for bit: the state holds the key of
    all later randomness, and an epoch is saved whole or not at all. The folder also holds all that decides the result
    (`run_file`): a run that differs in any of it is refused, not continued.

    Args:
        objective: of the run; its weight of the Wasserstein term counts in the legs that have a critic.
        legs: one after the other, each with a fresh optimiser.
        state: to begin from; where the folder holds a later one that began from this one, it goes on from there.
        over: for a family, whose state and weights have a leading axis: `family.at_once`, `in_turn` or `by_backend`.
        folder: for checkpoints; of this run alone.
        report: called with leg, epoch and the epoch's mean terms.

    Returns:
        The last state, and one row (leg, epoch, mse, cross_entropy, wasserstein) per epoch; of a family, lists.

    Raises:
        InputError: images that are no vectors of 784 pixels in [0, 1], labels that are none of the classifier's classes
            or of another number, fewer images than a batch, a Wasserstein weight where no leg
            has a critic, a folder that holds another run (says in what it differs).
    """
    images = len(objective.images)
    refuse_unless_images(objective.images, (PIXELS,))
    # A label beyond the last class would be taken for the last one: an index outside an array is clipped.
    refuse_unless_labels(objective.labels, images, jax.eval_shape(objective.logits, objective.images[:1]).shape[-1])
    if large := [leg.stage.batch for leg in legs if leg.stage.batch > images]:
        raise InputError(f"a batch of {large[0]} is more than the {images} images: nothing would be trained.")
    need_critic([leg.stage for leg in legs], objective.weights)
    if folder is not None:
        claim(folder, described(objective, legs, state))
    history: list[dict[str, Any]] = []
    if folder is not None and (saved := latest(folder, state)) is not None:
        state, history = saved
    done = len(history)
    first = 0
    for number, leg in enumerate(legs):
        rates = leg.rates(images // leg.stage.batch)
        for i in range(max(done - first, 0), leg.epochs):
            if i == 0:
                state = over(restarted)(state)
            state, terms = _epoch(over, objective, leg.stage, state, rates[i])
            named = {name: np.asarray(value).tolist() for name, value in terms._asdict().items()}
            history.append({"leg": number, "epoch": i, **named})
            if folder is not None:
                save(folder, state, history)
            report(number, i, terms)
        first += leg.epochs
    return state, history

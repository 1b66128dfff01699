"""Training of encoder, decoder and critic: one step, one epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxrd._eager import is_traced
from jaxrd.errors import InputError
from jaxrd.neural.losses import Terms, Weights, critic_loss, free_energy, letter_terms, mean_terms
from jaxrd.neural.networks import Critic, Decoder, Encoder
from jaxrd.neural.quantizer import codes, dither, soft_messages, straight_through
from jaxrd.pytree import register

ADAM = optax.scale_by_adam(b1=0.5, b2=0.9)
"""The optimiser of all parts, as in the papers; the step multiplies its updates by the rate."""
Parameters = dict[str, Any]
"""Pure parameters by part: encoder, decoder, critic."""
Logits = Callable[[jax.Array], jax.Array]
"""The fixed classifier: vectors of 784 pixels (batch, 784) -> logits (batch, classes)."""
Letters = tuple[jax.Array, jax.Array]
"""What a decoder makes of every message, (L^h, 784), and the fixed classifier's logits of it, (L^h, classes)."""


@dataclass(frozen=True)
class Code:
    """The code that encoder and decoder share; static under jit.

    Args:
        dimensions: h, latent coordinates.
        levels: L of each; the rate is at most h log2 L bits.
        dither: width of the shared dither in quantiser cells, 0 for none.
        sharpness: of the soft backward pass.

    Raises:
        InputError: no dimension, fewer than 2 levels, a negative dither, a sharpness that is not positive.
    """

    dimensions: int = 3
    levels: int = 3
    dither: float = 0.0
    sharpness: float = 4.0

    def __post_init__(self) -> None:
        """Check the values."""
        if self.dimensions < 1 or self.levels < 2:
            raise InputError(f"a code has at least 1 dimension and 2 levels; got {self.dimensions} and {self.levels}.")
        if not (self.dither >= 0 and self.sharpness > 0):
            raise InputError(
                f"a code's dither must be >= 0 and its sharpness > 0; got {self.dither:g} and {self.sharpness:g}."
            )


@dataclass(frozen=True)
class Stage:
    """The settings of a stage of training; static under jit.

    Args:
        trained: the parts that learn, of encoder and decoder; the others are frozen.
        adversarial: whether there is a critic, which learns too; without it the loss has no Wasserstein term.
        shift: images are shifted by up to this many pixels, one shift a batch.
        temperature: of the free energy that replaces the loss; None for the loss itself.
        batch: images a step.

    Raises:
        InputError: a part that does not learn from the loss, or none; an invalid shift, temperature or batch.
    """

    trained: tuple[str, ...] = ("encoder", "decoder")
    adversarial: bool = True
    shift: int = 0
    temperature: float | None = None
    batch: int = 64

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.trained or not set(self.trained) <= {"encoder", "decoder"}:
            raise InputError(f"trained must name encoder, decoder or both; got {self.trained!r}.")
        if self.temperature is not None and not self.temperature > 0:
            raise InputError(f"temperature must be > 0, or None; got {self.temperature:g}.")
        if self.shift < 0 or self.batch < 1:
            raise InputError(f"shift must be >= 0 and batch >= 1; got {self.shift} and {self.batch}.")


@register
@dataclass(frozen=True)
class Objective:
    """The objective of training: the loss (16) of a code on labelled images, with a fixed classifier.

    Args:
        code: what encoder and decoder agree on (static).
        logits: the fixed classifier (static).
        images: shape (count, 784), in [0, 1].
        labels: integers, shape (count,).
        weights: of the loss's terms; of a family, with a leading axis.
    """

    code: Code = field(metadata={"static": True})
    logits: Logits = field(metadata={"static": True})
    images: jax.Array
    labels: jax.Array
    weights: Weights

    def batch(self, index: jax.Array) -> Objective:
        """The same objective on some of the images."""
        return replace(self, images=self.images[index], labels=self.labels[index])


class State(NamedTuple):
    """All variables that a step changes."""

    parameters: Parameters
    moments: dict[str, Any]
    key: jax.Array


@cache
def _graphs(code: Code) -> dict[str, Any]:
    """The static halves of encoder, decoder and critic, to merge with their parameters."""
    return {name: nnx.split(nnx.eval_shape(make))[0] for name, make in _makers(code, jax.random.key(0)).items()}


def _makers(code: Code, key: jax.Array) -> dict[str, Callable[[], nnx.Module]]:
    keys = jax.random.split(key, 3)
    return {
        "encoder": lambda: Encoder(code.dimensions, code.levels, rngs=nnx.Rngs(keys[0])),
        "decoder": lambda: Decoder(code.dimensions, rngs=nnx.Rngs(keys[1])),
        "critic": lambda: Critic(rngs=nnx.Rngs(keys[2])),
    }


def initial(code: Code, seed: int | jax.Array) -> State:
    """Fresh networks and optimiser; all randomness of a run comes from `seed`."""
    return _initial(code, jax.random.key(seed))


@partial(jax.jit, static_argnums=0)
def _initial(code: Code, key: jax.Array) -> State:
    parameters = {name: nnx.to_pure_dict(nnx.split(make())[1]) for name, make in _makers(code, key).items()}
    return restarted(State(parameters, {}, key))


def restarted(state: State) -> State:
    """The same networks with a fresh optimiser, for a new stage."""
    return state._replace(moments={name: ADAM.init(p) for name, p in state.parameters.items()})


def universal(code: Code, state: State, seed: int) -> State:
    """The first state of the universal stage: the encoder of `state`, a fresh decoder, critic and optimiser.

    Train it with `Stage(trained=("decoder",))`: losses (17), the encoder frozen.
    """
    fresh = initial(code, seed)
    return fresh._replace(parameters=fresh.parameters | {"encoder": state.parameters["encoder"]})


def decode(code: Code, parameters: Parameters, latent: jax.Array) -> jax.Array:
    """Images of latent vectors, shape (count, h) -> (count, 784)."""
    return nnx.merge(_graphs(code)["decoder"], parameters["decoder"])(latent)


def encode(code: Code, parameters: Parameters, images: jax.Array) -> jax.Array:
    """Latent vectors of images before dither and quantiser, shape (batch, 784) -> (batch, h)."""
    return nnx.merge(_graphs(code)["encoder"], parameters["encoder"])(images)


def criticise(code: Code, parameters: Parameters, images: jax.Array) -> jax.Array:
    """Scores of the critic, shape (batch, 784) -> (batch,)."""
    return nnx.merge(_graphs(code)["critic"], parameters["critic"])(images)


def need_critic(stages: Sequence[Stage], weights: Weights) -> None:
    """Refuse a Wasserstein weight that no stage would use; a traced one is not looked at.

    Raises:
        InputError: there is a weight and no critic.
    """
    if is_traced(weights.wasserstein) or any(stage.adversarial for stage in stages):
        return
    heaviest = float(np.max(np.abs(weights.wasserstein)))
    if heaviest:
        raise InputError(
            f"a Wasserstein weight of {heaviest:g} has no effect without a critic: pass Stage(adversarial=True), or "
            "the weight 0."
        )


def moved(key: jax.Array, images: jax.Array, pixels: int) -> jax.Array:
    """The whole batch shifted by up to `pixels` in both directions, cyclically: the margins of images are empty."""
    offsets = jax.random.randint(key, (2,), -pixels, pixels + 1)
    return jnp.roll(images.reshape(-1, 28, 28), offsets, (1, 2)).reshape(images.shape)


def _descend(state: State, gradients: Parameters, rate: jax.Array) -> State:
    parameters, moments = dict(state.parameters), dict(state.moments)
    for name, gradient in gradients.items():
        updates, moments[name] = ADAM.update(gradient, moments[name])
        parameters[name] = jax.tree.map(lambda p, u: p - (rate * u).astype(p.dtype), parameters[name], updates)
    return state._replace(parameters=parameters, moments=moments)


def _letters(objective: Objective, parameters: Parameters, dither: jax.Array | float = 0.0) -> Letters:
    code = objective.code
    r = decode(code, parameters, codes(code.dimensions, code.levels) - dither)
    return r, objective.logits(r)


def step(
    objective: Objective, stage: Stage, state: State, rates: jax.Array, letters: Letters | None = None
) -> tuple[State, Terms]:
    """One step of encoder and decoder on (16), or of the parts that `stage` trains, then one of the critic.

    All L^h messages are decoded once a batch, with one dither for the batch, not one for each image. This takes fewer
    decoder passes than images, and the encoder's gradient contains the cost of every other message.

    Args:
        objective: on the images of one batch.
        stage: what is trained; static under jit.
        state: before.
        rates: learning rates of the generator and of the critic, shape (2,).
        letters: of a decoder that does not learn and has no dither, where they are known; None to compute them.

    Returns:
        The state after, and the terms of the loss before.

    Raises:
        InputError: a Wasserstein weight, where it is no tracer, without a critic.
    """
    code, weights = objective.code, objective.weights
    need_critic([stage], weights)
    key, dither_key, shift_key, critic_key = jax.random.split(state.key, 4)
    x = moved(shift_key, objective.images, stage.shift) if stage.shift else objective.images
    u = dither(dither_key, code.dimensions, code.levels, code.dither)
    frozen = state.parameters

    def generator(free: Parameters) -> tuple[jax.Array, tuple[Terms, jax.Array]]:
        parameters = frozen | free
        latent = encode(code, parameters, x) + u
        r, logits = _letters(objective, parameters, u) if letters is None else letters
        scores = criticise(code, frozen, r) if stage.adversarial else jnp.zeros(len(r))
        terms = letter_terms(x, objective.labels, r, logits, scores)
        shares = straight_through(latent, code.levels, code.sharpness)
        means = mean_terms(shares, terms)
        loss = means.total(weights)
        if stage.temperature is not None:
            soft = soft_messages(latent, code.levels, code.sharpness)
            loss = free_energy(soft, terms.total(weights), stage.temperature)
        return loss, (means, shares @ r)

    free = {name: frozen[name] for name in stage.trained}
    gradients, (means, reproductions) = jax.grad(generator, has_aux=True)(free)
    state = _descend(state._replace(key=key), gradients, rates[0])
    if stage.adversarial:

        def critic(parameters: Any) -> jax.Array:
            return critic_loss(
                lambda y: criticise(code, {"critic": parameters}, y),
                critic_key,
                x,
                jax.lax.stop_gradient(reproductions),
            )

        state = _descend(state, {"critic": jax.grad(critic)(frozen["critic"])}, rates[1])
    return state, means


def epoch(objective: Objective, stage: Stage, state: State, rates: jax.Array) -> tuple[State, Terms]:
    """Steps through all images once in random order, as one `lax.scan`; images that fill no batch are left out.

    Args:
        objective: on all images.
        stage: what is trained; static under jit.
        state: before.
        rates: learning rates of every step, shape (steps, 2), steps = images // batch.

    Returns:
        The state, and the mean terms of the loss.
    """
    key, order_key = jax.random.split(state.key)
    order = jax.random.permutation(order_key, len(objective.images))
    order = order[: len(rates) * stage.batch].reshape(len(rates), stage.batch)
    same = "decoder" not in stage.trained and not objective.code.dither
    letters = _letters(objective, state.parameters) if same else None

    def one(state: State, inputs: tuple[jax.Array, jax.Array]) -> tuple[State, Terms]:
        index, rate = inputs
        return step(objective.batch(index), stage, state, rate, letters)

    state, terms = jax.lax.scan(one, state._replace(key=key), (order, rates))
    return state, jax.tree.map(jnp.mean, terms)

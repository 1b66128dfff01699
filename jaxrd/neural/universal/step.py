"""One step and one epoch of training: encoder, code and decoder on (16), or a decoder on a frozen encoder, (17)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from jaxrd.neural.losses import Weights, critic_loss
from jaxrd.neural.train import ADAM, State
from jaxrd.neural.universal.model import UniversalAutoencoder
from jaxrd.neural.universal.parts import leaky
from jaxrd.pytree import register

Classifier = Callable[[jax.Array], jax.Array]
"""A fixed classifier: images (n, *shape) -> logits (n, classes)."""
_ADAM = optax.scale_by_adam(b1=0.9, b2=0.99)


class Losses(NamedTuple):
    """Means of the terms of the loss, unweighted; `cross_entropy` has one entry a label."""

    mse: jax.Array
    cross_entropy: jax.Array
    wasserstein: jax.Array


@dataclass(frozen=True)
class Stage:
    """What a stage of training does; static under jit.

    Args:
        frozen: the encoder and the code do not learn: (17), not (16).
        adversarial: there is a critic, which learns too.
        batch: images a step.
        labelled: images of each batch whose reproductions the classifiers and the critic see: their passes cost more
            than the autoencoder's own.
    """

    frozen: bool = False
    adversarial: bool = False
    batch: int = 128
    labelled: int = 64
    critic_steps: int = 1


@register
@dataclass(frozen=True)
class Objective:
    """Images, their labels, the classifiers and the weights of the losses.

    Args:
        graphs: static halves of the parts, by name.
        classifiers: one a label (static).
        images: shape (n, *shape), in [0, 1].
        labels: integers, shape (n, labels).
        latents: of the frozen encoder, shape (n, width); None if it learns.
        symbols: that the encoder's search chose, shape (n, places); None for the nearest ones of each step.
        weights: of the losses; `cross_entropy` has one entry a label.
    """

    graphs: tuple[tuple[str, Any], ...] = field(metadata={"static": True})
    classifiers: tuple[Classifier, ...] = field(metadata={"static": True})
    images: jax.Array
    labels: jax.Array
    latents: jax.Array | None
    symbols: jax.Array | None
    weights: Weights

    def part(self, name: str, parameters: dict[str, Any]) -> Any:
        """A part of the autoencoder with these parameters."""
        return nnx.merge(dict(self.graphs)[name], parameters[name])


def split(model: UniversalAutoencoder, name: str) -> tuple[tuple[tuple[str, Any], ...], dict[str, Any]]:
    """Encoder, code, one decoder and its critic: static halves and pure parameters, by part."""
    parts = {"encoder": model.encoder, "code": model.code, "decoder": model.decoders[name]}
    if name in model.critics:
        parts["critic"] = model.critics[name]
    halves = {part: nnx.split(module) for part, module in parts.items()}
    graphs = tuple((part, graph) for part, (graph, _) in halves.items())
    return graphs, {part: nnx.to_pure_dict(state) for part, (_, state) in halves.items()}


def join(model: UniversalAutoencoder, name: str, parameters: dict[str, Any]) -> None:
    """Put parameters of `split` back, in place."""
    parts = {"encoder": model.encoder, "code": model.code, "decoder": model.decoders[name]}
    if name in model.critics:
        parts["critic"] = model.critics[name]
    for part, module in parts.items():
        state = nnx.state(module)
        nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, parameters[part]))
        nnx.update(module, state)


def moments(stage: Stage, parameters: dict[str, Any]) -> dict[str, Any]:
    """A fresh optimiser of the parts that learn."""
    made = {part: _ADAM.init(parameters[part]) for part in _learners(stage)}
    return made | ({"critic": ADAM.init(parameters["critic"])} if stage.adversarial else {})


def _learners(stage: Stage) -> tuple[str, ...]:
    return ("decoder",) if stage.frozen else ("encoder", "code", "decoder")


def _sent(objective: Objective, stage: Stage, p: dict, rows: tuple, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The latent vectors that the decoder receives, and the code's penalty."""
    x, latent, symbols = rows
    code = objective.part("code", p)
    u = code.offsets(key, len(x))
    if not stage.frozen:
        return code.straight(objective.part("encoder", p)(x), u, symbols)
    # Without dither every image's point is always the same one, and was looked up before.
    return (latent if u is None else code.latents(code.symbols(latent, u), u)), jnp.zeros(len(x))


def step(objective: Objective, stage: Stage, state: State, index: jax.Array, rates: jax.Array) -> tuple[State, Losses]:
    """One step of the parts that learn, then one of the critic, on the images at `index`.

    Args:
        objective: on all images.
        stage: static under jit.
        state: before.
        index: of the batch's images.
        rates: of the generator and of the critic, shape (2,).

    Returns:
        The state after, and the losses before.

    Reference: [B] (16) and (17).
    """
    key, dither_key, noise_key, critic_key = jax.random.split(state.key, 4)
    x, labels = objective.images[index], objective.labels[index[: stage.labelled]]
    latent, symbols = (None if a is None else a[index] for a in (objective.latents, objective.symbols))
    weights, everything = objective.weights, state.parameters

    def generator(free: dict[str, Any]) -> tuple[jax.Array, tuple[Losses, jax.Array]]:
        p = everything | free
        z, penalty = _sent(objective, stage, p, (x, latent, symbols), dither_key)
        r = leaky(objective.part("decoder", p)(z, noise_key))
        few, mse = r[: stage.labelled], ((r - x) ** 2).mean()
        entropies = [_cross_entropy(c(few), labels[:, k]) for k, c in enumerate(objective.classifiers)]
        score = objective.part("critic", p)(few).mean() if stage.adversarial else jnp.zeros(())
        losses = Losses(mse, jnp.stack(entropies) if entropies else jnp.zeros(0), -score)
        loss = weights.distortion * (mse + penalty.mean() / x[0].size) + weights.wasserstein * losses.wasserstein
        return loss + jnp.dot(jnp.asarray(weights.cross_entropy), losses.cross_entropy), (losses, few)

    free = {part: everything[part] for part in _learners(stage)}
    gradients, (losses, made) = jax.grad(generator, has_aux=True)(free)
    state = _descend(state._replace(key=key), gradients, rates[0], _ADAM)
    if stage.adversarial:
        state = _critic_steps(objective, stage, state, critic_key, (x, made), rates[1])
    return state, losses


def _critic_steps(
    objective: Objective, stage: Stage, state: State, key: jax.Array, pair: tuple[jax.Array, jax.Array], rate: jax.Array
) -> State:
    images, made = pair[0][: len(pair[1])], jax.lax.stop_gradient(pair[1])
    real, fake = (a.reshape(len(made), -1) for a in (images, made))

    def loss(critic: dict[str, Any], key: jax.Array) -> jax.Array:
        module = objective.part("critic", {"critic": critic})
        return critic_loss(lambda y: module(y.reshape(made.shape)), key, real, fake)

    def one(state: State, key: jax.Array) -> tuple[State, None]:
        gradient = jax.grad(loss)(state.parameters["critic"], key)
        return _descend(state, {"critic": gradient}, rate, ADAM), None

    return jax.lax.scan(one, state, jax.random.split(key, stage.critic_steps))[0]


def _cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], -1).mean()


def _descend(state: State, gradients: dict[str, Any], rate: jax.Array, adam: optax.GradientTransformation) -> State:
    parameters, kept = dict(state.parameters), dict(state.moments)
    for name, gradient in gradients.items():
        updates, kept[name] = adam.update(gradient, kept[name])
        parameters[name] = jax.tree.map(lambda p, u: p - (rate * u).astype(p.dtype), parameters[name], updates)
    return state._replace(parameters=parameters, moments=kept)


@partial(jax.jit, static_argnums=1)
def epoch(objective: Objective, stage: Stage, state: State, rates: jax.Array) -> tuple[State, Losses]:
    """Steps through all images once in random order, as one `lax.scan`; images that fill no batch are left out.

    Args:
        objective: on all images.
        stage: static.
        state: before.
        rates: of every step, shape (steps, 2), steps = images // batch.

    Returns:
        The state, and the mean losses.
    """
    key, order_key = jax.random.split(state.key)
    order = jax.random.permutation(order_key, len(objective.images))[: len(rates) * stage.batch]

    def one(state: State, inputs: tuple[jax.Array, jax.Array]) -> tuple[State, Losses]:
        return step(objective, stage, state, *inputs)

    batches = order.reshape(len(rates), stage.batch)
    state, losses = jax.lax.scan(one, state._replace(key=key), (batches, rates))
    return state, jax.tree.map(lambda a: a.mean(0), losses)


def rates(epochs: int, steps: int, rate: float, critic_rate: float) -> Any:
    """Learning rates, shape (epochs, steps, 2): up over half an epoch, down by a cosine; the critic's is constant."""
    schedule: Sequence[Any] = optax.warmup_cosine_decay_schedule(
        0.1 * rate, rate, max(steps // 2, 1), epochs * steps + 1, 0.005 * rate
    )(jnp.arange(epochs * steps))  # pyright: ignore[reportAssignmentType]
    values = jnp.asarray(schedule, jnp.float32)
    return jnp.stack([values, jnp.full_like(values, critic_rate)], -1).reshape(epochs, steps, 2)

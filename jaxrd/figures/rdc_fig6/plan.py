"""The plan of Figure 6 of [B]: which models are trained, for how long, and the published runs to compare with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from jaxrd.neural.run import Leg
from jaxrd.neural.train import Code, Stage

PUBLISHED = (  # the authors' logs, one run each, without the W1 term; their own classifier
    {"weight": 0.0, "mse": 0.0455, "ce_nats": 1.48, "accuracy": 0.609},
    {"weight": 0.0033, "mse": 0.0461, "ce_nats": 0.555, "accuracy": 0.814},
    {"weight": 0.0066, "mse": 0.0472, "ce_nats": 0.284, "accuracy": None},
    {"weight": 0.01, "mse": 0.0494, "ce_nats": 0.200, "accuracy": None},
    {"weight": 0.015, "mse": 0.0518, "ce_nats": 0.155, "accuracy": 0.971},
)
PUBLISHED_UNIVERSAL = (  # decoders on the frozen encoder of weight .015
    {"weight": 0.0, "encoder_weight": 0.015, "mse": 0.0502, "ce_nats": 0.205},
    {"weight": 0.001, "encoder_weight": 0.015, "mse": 0.0502, "ce_nats": 0.199},
    {"weight": 0.015, "encoder_weight": 0.015, "mse": 0.0505, "ce_nats": 0.169},
)


class Member(NamedTuple):
    """A model of the figure.

    Args:
        weight: of the cross-entropy, against 1 for the MSE per pixel.
        wasserstein: weight of W1.
        seed: of its networks, its order of images, its dither.
        encoder: weight of the conventional model, of the same seed, whose frozen encoder it uses; None for its own.
    """

    weight: float
    wasserstein: float = 0.0
    seed: int = 0
    encoder: float | None = None


@dataclass(frozen=True)
class Group:
    """Models that are trained as one program."""

    name: str
    members: tuple[Member, ...]
    legs: tuple[Leg, ...]


@dataclass(frozen=True)
class Search:
    """How `rdc.frontier` searches the codebooks: its weights must contain every conventional weight."""

    weights: tuple[float, ...]
    starts: int
    rounds: int
    search: int


@dataclass(frozen=True)
class Plan:
    """The whole figure.

    Args:
        code: of every model.
        search: for the codebooks that the models begin from; also the reference curve.
        conventional: encoder and decoder of each are trained.
        universal: decoders on encoders of the conventional models, frozen.
        kept: models that are saved as files.
        lessons: steps that teach a decoder its codebook.
        images: how many of the training images are used, None for all.
        tests: how many of the test images; a multiple of 1000, or less.
    """

    code: Code
    search: Search
    conventional: tuple[Group, ...]
    universal: tuple[Group, ...]
    kept: tuple[Member, ...]
    lessons: int = 2000
    images: int | None = None
    tests: int | None = None

    def digest(self, data: str) -> str:
        """A name for the results of this plan on data of this SHA-256."""
        return hashlib.sha256(f"{self!r} {data}".encode()).hexdigest()[:12]


def legs(*, warm: int, shift: int, joint: int, last: int, critic: bool = False) -> tuple[Leg, ...]:
    """The encoder learns the codebook on moved images, then both learn the loss, then the decoder alone."""
    return (
        Leg(Stage(("encoder",), adversarial=False, shift=shift, temperature=0.003), warm, 1e-3),
        Leg(Stage(adversarial=critic), joint, 3e-4),
        Leg(Stage(("decoder",), adversarial=critic), last, 3e-4),
    )


LOW_DISTORTION, LOW_CE = 0.0, 0.03
"""Weights of the two headline models."""
SEEDS = (0, 1, 2)

FULL = Plan(
    code=Code(),
    search=Search((0.0, 0.0005, 0.001, 0.0015, 0.0025, 0.0033, 0.0066, 0.01, 0.015, 0.03), 6, 40, 20_000),
    conventional=(
        Group(
            "low-distortion",
            (
                *(Member(LOW_DISTORTION, 0.0, seed) for seed in SEEDS),
                *(Member(weight) for weight in (0.0005, 0.0015)),
            ),
            legs(warm=6, shift=0, joint=12, last=3),
        ),
        Group(
            "low-ce",
            (
                *(Member(weight, 0.0, seed) for weight in (0.015, LOW_CE) for seed in SEEDS),
                *(Member(weight) for weight in (0.0033, 0.0066, 0.01)),
            ),
            legs(warm=14, shift=2, joint=12, last=4),
        ),
        Group(
            "low-distortion-realism",
            tuple(Member(LOW_DISTORTION, w) for w in (0.003, 0.01)),
            legs(warm=6, shift=0, joint=12, last=3, critic=True),
        ),
        Group(
            "low-ce-realism",
            tuple(Member(weight, w) for weight, w in ((0.01, 0.003), (LOW_CE, 0.003), (LOW_CE, 0.01))),
            legs(warm=14, shift=2, joint=12, last=4, critic=True),
        ),
    ),
    universal=(
        Group(
            "universal",
            (
                *(Member(weight, 0.0, seed, LOW_CE) for weight in (0.0, LOW_CE) for seed in SEEDS),
                *(Member(weight, 0.0, 0, LOW_CE) for weight in (0.001, 0.0033, 0.01)),
                *(Member(weight, 0.0, 0, LOW_DISTORTION) for weight in (0.01, LOW_CE)),
            ),
            (Leg(Stage(("decoder",), adversarial=False), 12, 1e-3),),
        ),
        Group(
            "universal-realism",
            tuple(Member(weight, 0.003, 0, LOW_CE) for weight in (0.0, LOW_CE)),
            (Leg(Stage(("decoder",)), 12, 1e-3),),
        ),
    ),
    kept=(Member(LOW_DISTORTION), Member(LOW_CE), *(Member(w, 0.0, 0, LOW_CE) for w in (0.0, LOW_CE))),
)
"""The figure; some two hours on two CPU cores, minutes on a GPU."""

QUICK = Plan(
    code=Code(),
    search=Search((0.0, 0.0066, 0.03), 2, 10, 3000),
    conventional=(
        Group(
            "conventional",
            (Member(LOW_DISTORTION), Member(0.0066), Member(LOW_CE), Member(LOW_CE, 0.001)),
            legs(warm=5, shift=1, joint=2, last=1, critic=True),
        ),
    ),
    universal=(
        Group(
            "universal",
            tuple(Member(weight, 0.0, 0, LOW_CE) for weight in (0.0, LOW_CE)),
            (Leg(Stage(("decoder",), adversarial=False), 3, 1e-3),),
        ),
    ),
    kept=(Member(LOW_CE),),
    lessons=500,
    images=4000,
    tests=1000,
)
"""The same with few images and epochs: it shows that the program runs, not what the models reach."""

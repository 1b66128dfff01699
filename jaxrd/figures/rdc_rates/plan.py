"""The plan of rdc-rates: which models are trained at which rates, for how long."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from jaxrd.neural import Schedule, Weights


@dataclass(frozen=True)
class Target:
    """The losses that a decoder is trained for.

    Args:
        name: of its rows.
        cross_entropy: weight of each label, against 1 for the MSE a pixel.
        wasserstein: weight of W1.
        noise: coordinates of the decoder's noise.
    """

    name: str
    cross_entropy: tuple[float, ...]
    wasserstein: float = 0.0
    noise: int = 0

    @property
    def weights(self) -> Weights:
        """As `neural.fit` takes them."""
        return Weights(1.0, self.cross_entropy, self.wasserstein)


@dataclass(frozen=True)
class Plan:
    """The whole study.

    Args:
        bits: of an image.
        first: the target from random weights: MSE alone.
        others: targets whose models go on from the first's, of the same seed.
        frozen: name of the target whose encoder the universal decoders use.
        begin: schedule of the first target.
        tune: of the others, encoder and decoder together.
        decoder: of the universal decoders.
        critic: of tuning and decoders where there is a weight of W1.
        seeds: of the targets in `headline`; the others have the first seed alone.
        headline: names of targets.
        hidden: widths of the hidden layers, of the encoder; the decoder's are mirrored.
        candidates: that a finished encoder tries.
        counted: training images from which the law of the symbols and H(S | M) are estimated.
        probe: epochs of the network that estimates H(S | M).
        images: how many training images are used, None for all.
        tests: how many test images.
    """

    bits: tuple[int, ...]
    first: Target
    others: tuple[Target, ...]
    frozen: str
    begin: Schedule
    tune: Schedule
    decoder: Schedule
    critic: Schedule
    seeds: tuple[int, ...]
    headline: tuple[str, ...]
    hidden: tuple[int, ...] = (512, 256)
    candidates: int = 16
    counted: int = 20_000
    probe: int = 4
    images: int | None = None
    tests: int | None = None

    def digest(self, data: str) -> str:
        """A name for the results of this plan on data of this SHA-256."""
        return hashlib.sha256(f"{self!r} {data}".encode()).hexdigest()[:12]

    def seeds_of(self, target: Target) -> tuple[int, ...]:
        """Of a target's models."""
        return self.seeds if target.name in self.headline else self.seeds[:1]


FULL = Plan(
    bits=(16, 32, 64),
    first=Target("mse", (0.0, 0.0)),
    others=(
        Target("mse + digit", (0.01, 0.0)),
        Target("mse + digit + thickness", (0.01, 0.01)),
        Target("mse + realism", (0.0, 0.0), 0.01, 16),
    ),
    frozen="mse + digit",
    begin=Schedule(epochs=7, rate=1.5e-3, batch=256, searched=1, candidates=4),
    tune=Schedule(epochs=3, rate=5e-4, batch=256, searched=1, candidates=4),
    decoder=Schedule(epochs=4, rate=3e-4, batch=256),
    critic=Schedule(epochs=5, rate=5e-4, batch=256, critic_rate=5e-4, critic_steps=5),
    seeds=(0, 1, 2),
    headline=("mse", "mse + digit", "mse + realism"),
)
"""The study; about an hour and a half on one core."""

QUICK = Plan(
    bits=(16, 32),
    first=Target("mse", (0.0, 0.0)),
    others=(Target("mse + digit", (0.01, 0.0)), Target("mse + realism", (0.0, 0.0), 0.01, 16)),
    frozen="mse + digit",
    begin=Schedule(epochs=2, rate=1e-3),
    tune=Schedule(epochs=1, rate=3e-4),
    decoder=Schedule(epochs=1, rate=1e-3),
    critic=Schedule(epochs=1, rate=5e-4, critic_rate=5e-4, critic_steps=2),
    seeds=(0,),
    headline=(),
    images=6000,
    tests=2000,
)
"""The same with few images and epochs: it shows that the program runs, not what the models reach."""

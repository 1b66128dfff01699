"""What the options of `jaxrd limits` ask for, and the limits of one model as they ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxrd.cli.common import Tick
from jaxrd.cli.devices import Devices
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.tosc import Limits, Outputs
    from jaxrd.tosc.losses import Loss


@dataclass(frozen=True)
class Asked:
    """The options that say what is computed."""

    example: str | None
    at: list[float]
    accuracy: list[float]
    temperature: float | None
    slopes: int
    pixels: int | None
    confidence: float | None
    kappa: float | None
    seed: int | None
    loss: str | None
    prior: str | None
    by_class: bool
    bottleneck: bool
    bits: list[float]
    codecs: list[Path]
    known: Path | None

    @property
    def targets(self) -> list[float]:
        """The distortions asked for."""
        return [*self.at, *(1 - a for a in self.accuracy)]


def refuse_mesh_of_decisions(devices: Devices) -> None:
    """Refuse --mesh where no model has soft outputs.

    Raises:
        InputError: quotes the mesh.
    """
    if devices.mesh is not None:
        raise InputError(
            f"--mesh {devices.mesh} has no effect: hard decisions have no TMRD, the one problem it shares."
        )


def loss_of(asked: Asked, outputs: Outputs) -> Loss | None:
    """The loss that was asked for; None: 0/1.

    Raises:
        InputError: it cannot be read, or --accuracy was given and it has none.
    """
    from jaxrd.io.losses import read_loss

    loss = None if asked.loss is None else read_loss(asked.loss, outputs.classes)
    if loss is not None and asked.accuracy and not loss.is_error:
        raise InputError(f"--accuracy has no meaning for the loss {loss.name}, whose values are not 0 and 1: use --at.")
    return loss


def limits_of(
    outputs: Outputs, asked: Asked, loss: Loss | None, devices: Devices, at: list[float] | None, tick: Tick
) -> Limits:
    """The limits of some outputs at the distortions `at`, as the options ask for them."""
    from jaxrd import tosc
    from jaxrd.io.weights import read_prior

    mesh = None if outputs.logits is None else devices.chosen(int(np.prod(outputs.logits.shape)))
    return tosc.limits(
        outputs, at=at, temperature=asked.temperature, slopes=asked.slopes, seed=asked.seed or 0, mesh=mesh,
        loss=loss, prior=None if asked.prior is None else read_prior(asked.prior), progress=tick,
    )  # fmt: skip

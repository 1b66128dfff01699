"""The size of the front end of ResNet-50 at every cut, counted in several ways, beside the sizes in [A]."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import numpy as np

from jaxrd.figures.tosc_complexity import resnet50

MEGABYTE, MEBIBYTE = 1e6, 2.0**20
PIXELS = (224, 224)


class Cut(NamedTuple):
    """The front end up to and with a unit."""

    unit: str
    parameters: int
    statistics: int
    """Running means and variances of batch norms."""
    norms: int
    """Batch norms; PyTorch keeps a 64-bit counter with each."""
    tensors: int
    """In a PyTorch state dict: parameters, statistics and counters."""
    features: int
    """Numbers sent at this cut, per image."""

    def bytes(self, width: int, *, buffers: bool = False) -> int:
        """Size at `width` bytes a number; with `buffers` statistics and counters too."""
        return width * (self.parameters + buffers * self.statistics) + 8 * buffers * self.norms


def cuts() -> list[Cut]:
    """Every cut of ResNet-50, the stem's first, the whole model's last; only shapes are computed."""
    parameters, statistics = jax.eval_shape(resnet50.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((1, *PIXELS, 3), parameters["stem"]["conv1"].dtype)
    features = jax.eval_shape(resnet50.features, parameters, statistics, image)
    front_ends, total = [], np.zeros(4, int)
    for unit in resnet50.UNITS:
        held, measured = jax.tree.leaves(parameters[unit]), jax.tree.leaves(statistics[unit])
        norms = len(measured) // 2
        tensors = len(held) + len(measured) + norms
        total += [sum(leaf.size for leaf in held), sum(leaf.size for leaf in measured), norms, tensors]
        so_far = [int(x) for x in total]
        front_ends.append(Cut(unit, so_far[0], so_far[1], so_far[2], so_far[3], features[unit].size))
    return front_ends


class _Printed(NamedTuple):
    """A size in [A], section IV-B."""

    megabytes: float
    digits: int
    """After the point."""
    said: str
    units: tuple[str, ...]
    """Where that may end: with and without the unit named."""


PRINTED = (
    _Printed(45.06, 2, "the full ResNet-50", ("fc", "layer4.2")),
    _Printed(28.0, 0, "up to Block 0 of Layer 4", ("layer4.0", "layer3.5")),
    _Printed(12.16, 2, "up to Block 4 of Layer 3", ("layer3.4", "layer3.3")),
)


class _Count(NamedTuple):
    """One way to count, against one printed size."""

    printed: _Printed
    unit: str
    width: int
    buffers: bool
    mebi: bool
    megabytes: float
    container: tuple[float, float]
    """Bytes a tensor, least and most, that a file would have to add for the printed digits."""

    @property
    def agrees(self) -> bool:
        """Whether the digits printed are met without a container."""
        return bool(self.container[0] <= 0 <= self.container[1])

    @property
    def words(self) -> str:
        """The way of counting."""
        buffers = "with buffers" if self.buffers else "parameters only"
        return f"up to {self.unit}, fp{8 * self.width}, {buffers}, {'MiB' if self.mebi else 'MB'}"


def counts(every: list[Cut]) -> list[_Count]:
    """Each printed size counted in each way: which cut, fp16 or fp32, with or without buffers, MB or MiB."""
    at = {cut.unit: cut for cut in every}
    counted = []
    for printed in PRINTED:
        slack = 0.5 * 10.0**-printed.digits
        for unit in printed.units:
            for width in (2, 4):
                for buffers in (False, True):
                    for mebi in (False, True):
                        scale = MEBIBYTE if mebi else MEGABYTE
                        size, tensors = at[unit].bytes(width, buffers=buffers), at[unit].tensors
                        tensors -= 0 if buffers else 3 * at[unit].norms
                        low, high = (scale * (printed.megabytes + s) - size for s in (-slack, slack))
                        container = low / tensors, high / tensors
                        counted.append(_Count(printed, unit, width, buffers, mebi, size / scale, container))
    return counted


class _Convention(NamedTuple):
    """One way to count that, with the same container around every tensor, gives all printed sizes."""

    counts: tuple[_Count, ...]
    container: tuple[float, float]
    """Bytes a tensor, least and most."""


def conventions(every: list[Cut], *, largest: float = 1000.0) -> list[_Convention]:
    """The ways to count that explain all printed sizes at once, each size by one of the cuts it may mean.

    Args:
        every: from `cuts`.
        largest: bytes a tensor that a file's container may plausibly take.
    """
    by_size = [[count for count in counts(every) if count.printed is printed] for printed in PRINTED]
    explaining = []
    for some in itertools.product(*by_size):
        low, high = max(0.0, *(count.container[0] for count in some)), min(count.container[1] for count in some)
        if len({(count.width, count.buffers, count.mebi) for count in some}) == 1 and low <= high and low < largest:
            explaining.append(_Convention(some, (low, high)))
    return explaining

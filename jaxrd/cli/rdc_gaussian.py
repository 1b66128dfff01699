"""How `jaxrd rdc` solves for a Gaussian vector with a Gaussian label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from jaxrd.cli.rdc_asked import Asked
from jaxrd.cli.rdc_sources import Source, spread
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.rdc import Decoded
    from jaxrd.io.labelled import GaussianLabelled
    from jaxrd.rdc import Least, Surface, Universal
    from jaxrd.rdc.gaussian.vector import VectorPoint, VectorSource

_SHOWN = 20.0  # the grid goes down to this fraction of the variances


def gaussian(given: GaussianLabelled, asked: Asked) -> Source:
    """The Gaussian source of a file.

    Raises:
        InputError: an option that is for discrete sources; values that are no Gaussian source.
    """
    from jaxrd.documents.rdc import GAUSSIAN
    from jaxrd.information import NATS_PER_BIT
    from jaxrd.rdc.gaussian import vector

    options = {
        "semantics": asked.semantics is not None, "perception": asked.perception is not None, "region": asked.region,
        "seed": asked.seed is not None,
    }  # fmt: skip
    for name, used in options.items():
        if used:
            raise InputError(f"--{name} is for a discrete source; the file holds a Gaussian one (covariance).")
    source = vector.VectorSource(given.covariance, given.direction, given.noise_variance)
    vector.rate_at(source, np.inf, np.inf)  # refuses what is no source
    far, floor, high = _ends(source)
    summary = {
        "dimensions": len(given.direction), "least_distortion": 0.0, "silent_distortion": far,
        "least_classification_bits": floor / NATS_PER_BIT, "silent_classification_bits": high / NATS_PER_BIT,
    }  # fmt: skip

    def decoded() -> Decoded:
        raise InputError("--region is for a discrete source; the file holds a Gaussian one (covariance).")

    return Source(
        f"a Gaussian vector of dimension {len(given.direction)}", GAUSSIAN, 1, True, summary, given.notes, given.sha256,
        lambda d, c: vector.rate_at(source, d, c[0]),
        lambda c, rate: _least_distortion(source, float(c[0]), rate),
        lambda _, d, __, rate: _least_loss(source, d, rate),
        lambda d, c: _together(source, d, c[:, 0]),
        lambda count, progress: _surface(source, count, progress), decoded,
    )  # fmt: skip


def _label_variance(source: VectorSource) -> tuple[float, float]:
    """That of a'X, and that of S."""
    a = np.asarray(source.direction)
    signal = float(a @ np.asarray(source.covariance) @ a)
    return signal, signal + float(np.asarray(source.noise_variance))


def _ends(source: VectorSource) -> tuple[float, float, float]:
    """tr Sigma, and h(S|U) at infinite and at zero rate."""
    from jaxrd.rdc import gaussian as scalar

    signal, variance = _label_variance(source)
    floor, silent = (float(scalar.differential_entropy(v)) for v in (variance - signal, variance))
    return float(np.trace(np.asarray(source.covariance))), floor, silent


def _least_distortion(source: VectorSource, classification: float, rate: float) -> Least:
    """The least D at (C, R), with a lower bound.

    The multipliers bound R(D') >= lower - slope (D' - D) for every D', so R nats cannot reach a D' below
    D - (R - lower) / slope; nor one below tr Sigma e^{-2R}, because Q >= e^{-2R} Sigma.
    """
    from jaxrd.rdc.gaussian import vector

    point = vector.distortion_at(source, classification, rate)
    value, slope = float(point.distortion), float(point.distortion_slope)
    bound = value - (rate - float(point.lower)) / slope if slope > 0 else -np.inf
    return _least(point, value, max(bound, _ends(source)[0] * np.exp(-2 * rate)))


def _least_loss(source: VectorSource, distortion: float, rate: float) -> Least:
    """The least h(S|U) at (D, R); the dual is linear in the variance of S given U, e^{2h} / (2 pi e)."""
    from jaxrd.rdc import gaussian as scalar
    from jaxrd.rdc.gaussian import vector

    point = vector.classification_at(source, distortion, rate)
    value, slope = float(point.classification), float(point.classification_slope)
    left = 1 - 2 * (rate - float(point.lower)) / slope if slope > 0 else 0.0
    bound = value + 0.5 * np.log(left) if left > 0 else -np.inf
    signal, variance = _label_variance(source)
    floor = float(scalar.differential_entropy(variance - signal + signal * np.exp(-2 * rate)))
    return _least(point, value, max(bound, floor))


def _least(point: VectorPoint, value: float, lower: float) -> Least:
    from jaxrd.rdc import Least
    from jaxrd.solution import Status

    status = Status(int(point.status))
    lower = np.inf if status == Status.INFEASIBLE else min(lower, value)
    return Least(value, float(lower), status, "lifted", point)  # pyright: ignore[reportArgumentType]


def _together(source: VectorSource, distortion: np.ndarray, classification: np.ndarray) -> Universal:
    from jaxrd.rdc.representation.universal import universal_vector_gaussian_rate

    return universal_vector_gaussian_rate(source, distortion, classification)


def _surface(source: VectorSource, count: int, progress: Callable[[int, int], None]) -> Surface:
    """R over a grid from a twentieth of the variances of X and a'X on."""
    from jaxrd.rdc import Surface
    from jaxrd.rdc import gaussian as scalar
    from jaxrd.rdc.gaussian import vector

    far, _, high = _ends(source)
    signal, variance = _label_variance(source)
    low = float(scalar.differential_entropy(variance - signal + signal / _SHOWN))
    d, c = spread(far / _SHOWN, far, count), spread(low, high, count)
    points = []
    for i, x in enumerate(d):
        points.append([vector.rate_at(source, x, y) for y in c])
        progress(i + 1, count)

    def field(read: Callable[[VectorPoint], object]) -> np.ndarray:
        return np.array([[float(read(point)) for point in row] for row in points])  # pyright: ignore

    return Surface(
        "lifted", d, c, field(lambda p: p.rate), field(lambda p: p.lower), field(lambda p: p.status).astype(int),
        field(lambda p: p.distortion_slope), field(lambda p: p.classification_slope),
    )  # fmt: skip

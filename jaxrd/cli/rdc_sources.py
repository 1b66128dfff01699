"""How `jaxrd rdc` solves for a discrete source in each semantics, with or without a perception bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.cli.rdc_region import decoded
from jaxrd.cli.run import TOLERANCE
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.rdc import Decoded, Perception
    from jaxrd.io.labelled import Labelled
    from jaxrd.problem import Problem
    from jaxrd.rdc import Least, Point, Surface, Universal
    from jaxrd.rdc.gaussian.vector import VectorPoint
    from jaxrd.rdc.perception.measures import RelativeEntropy, ReverseRelativeEntropy, TotalVariation, Wasserstein
    from jaxrd.rdc.perception.rate import PerceptualPoint

    Measure = TotalVariation | Wasserstein | RelativeEntropy | ReverseRelativeEntropy

_CURVE = 24  # points of R(D) that give the largest distortion of the grid
_UNEVEN = 100.0  # where the largest distortion is this many times an ordinary one


class Source(NamedTuple):
    """A source, and how each question about it is answered; all in nats."""

    size: str
    """Of its alphabets, in words."""
    semantics: str
    labels: int
    negative: bool
    """Whether a classification loss may be negative."""
    summary: Mapping[str, object]
    notes: tuple[str, ...]
    sha256: str
    rate: Callable[[float, np.ndarray], Point | VectorPoint]
    """R at D and (C_1, ..., C_K)."""
    least_distortion: Callable[[np.ndarray, float], Least]
    """The least D at (C_1, ..., C_K) and R."""
    least_loss: Callable[[int, float, np.ndarray, float], Least]
    """The least C_k at D, the other C, and R; k from 0."""
    together: Callable[[np.ndarray, np.ndarray], Universal]
    """One encoder for pairs (pairs,) and (pairs, K)."""
    surface: Callable[[int, Callable[[int, int], None]], Surface]
    """R over a grid of so many points a side."""
    decoded: Callable[[], Decoded]
    """What the representation of the file can be decoded to."""


class _Solver(NamedTuple):
    """How points are solved for in one of the semantics."""

    solve: Callable[..., Point]
    """A function of the problem, of `label`, and of a pair of targets."""
    label: list[np.ndarray]
    """What `solve` takes for the labels."""
    distortions: tuple[float, float]
    """The least and the largest useful target."""
    losses: tuple[np.ndarray, np.ndarray]
    """The same of each label's classification loss."""


def spread(low: ArrayLike, high: ArrayLike, count: int) -> np.ndarray:
    """Targets from the least to the largest useful one, or to one more where these are the same.

    They are for a label that the source knows nothing of: a surface needs two different targets.

    >>> spread(0.0, 1.0, 3).tolist(), spread(0.5, 0.5, 3).tolist()
    ([0.0, 0.5, 1.0], [0.5, 1.0, 1.5])
    """
    low, high = np.asarray(low, float), np.asarray(high, float)
    return np.linspace(low, np.where(high - low > 1e-9 * (1 + np.abs(low)), high, low + 1), count)


def discrete(given: Labelled, semantics: str, perception: Perception | None, seed: int) -> Source:
    """The discrete source of a file, in the semantics asked for.

    Raises:
        InputError: what the semantics needs is not in the file, or does not suit.
    """
    from jaxrd import rdc

    if semantics == "fixed" and given.cross_entropies is not None and given.classifiers is not None:
        given = given._replace(notes=(*given.notes, "not used: 'classifier', for 'cross_entropy' is there"))
    if perception is None or perception.measure != "w2":
        given = given._replace(transport_cost=None)
    elif given.transport_cost is None:
        given = given._replace(
            notes=(*given.notes, "W2: its cost is the distortion, for the file has no transport_cost")
        )
    problem, solver = given.problem, _solver(given, semantics, perception, seed)
    solve = partial(solver.solve, problem, solver.label)
    low, high = solver.losses

    def surface(count: int, progress: Callable[[int, int], None]) -> Surface:
        near, far = solver.distortions
        losses = spread(low, high, count)  # of several labels, all in proportion
        return rdc.surface(
            problem, solver.label, spread(near, _shown(problem, far), count),
            losses[:, 0] if len(low) == 1 else losses, solver=solver.solve, progress=progress,
        )  # fmt: skip

    return Source(
        _size(given), semantics, len(given.labels), False, _summary(given, solver), given.notes, given.sha256, solve,
        lambda c, rate: rdc.least_distortion(problem, solver.label, c, rate, solver=solver.solve),
        lambda k, d, c, rate: rdc.least_classification(
            problem, solver.label, d, rate, classification=np.where(np.arange(len(c)) == k, np.inf, c), label=k,
            solver=solver.solve,
        ),
        partial(_together, problem, semantics, solver), surface, partial(decoded, given, semantics, solver.label),
    )  # fmt: skip


def _size(given: Labelled) -> str:
    n, m = given.problem.distortion.shape
    classes = " and ".join(str(labels.shape[-1]) for labels in given.labels)
    return f"{n} x {m}, {classes} classes"


def _summary(given: Labelled, solver: _Solver) -> Mapping[str, object]:
    from jaxrd.documents.rdc import loss_names
    from jaxrd.information import NATS_PER_BIT

    n, m = given.problem.distortion.shape
    (near, far), (low, high) = solver.distortions, solver.losses
    losses = {
        f"{which}_{name}": float(loss) / NATS_PER_BIT
        for which, values in (("least", low), ("silent", high))
        for name, loss in zip(loss_names(len(low)), values, strict=True)
    }
    classes = [labels.shape[1] for labels in given.labels]
    return {
        "source_letters": n, "reproduction_letters": m, "classes": classes[0] if len(classes) == 1 else classes,
        "least_distortion": near, "silent_distortion": far,
    } | losses  # fmt: skip


def _shown(problem: Problem, far: float) -> float:
    """The largest distortion of the grid: one distant letter, or a number for "never", must not fill the whole grid."""
    from jaxrd.cli.sampling import sample, shown

    d = np.asarray(problem.distortion)[np.asarray(problem.source) > 0]
    with np.errstate(invalid="ignore"):
        excess = d - d.min(1, keepdims=True)
    nearest = np.where(excess > 0, excess, np.inf).min(1)
    largest = excess[np.isfinite(excess)].max(initial=0)
    if largest < _UNEVEN * np.median(nearest):
        return far
    return min(far, shown(sample(problem, _CURVE, None, np.inf, tol=TOLERANCE)))


def _solver(given: Labelled, semantics: str, perception: Perception | None, seed: int) -> _Solver:
    from jaxrd import rdc
    from jaxrd.rdc.inputs import as_inputs
    from jaxrd.rdc.point import entropies

    inputs = as_inputs(given.problem, list(given.labels))
    p, d = inputs.source, inputs.distortion
    kept = p > 0
    silence = p[kept] @ d[kept]
    near = float(p[kept] @ d[kept].min(1))
    far = float(silence.min()) if np.isfinite(silence).any() else float(d[np.isfinite(d)].max())
    if semantics != "fixed":
        low = np.array([p @ entropies(labels) for labels in inputs.labels])
        high = np.array([entropies(p @ labels) for labels in inputs.labels])
        if perception is not None:
            solve = partial(_perceptual_lifted, rdc.perceptual_lifted_rate, *_measure(given, perception), seed)
        else:
            names = {"lifted": "lifted_rate", "literal": "literal_rate", "time-shared": "time_shared_rate"}
            solve = partial(getattr(rdc, names[semantics]), seed=seed)
        return _Solver(solve, list(given.labels), (near, far), (low, high))
    losses = [np.where(kept[:, None], loss, 0.0) for loss in _cross_entropies(given)]
    low = np.array([p[kept] @ loss[kept].min(1) for loss in losses])
    high = np.array([(p[kept] @ loss[kept]).min() for loss in losses])
    if perception is None:
        return _Solver(rdc.fixed_classifier_rate, losses, (near, far), (low, high))
    if len(losses) > 1:
        raise InputError(f"--perception with --semantics fixed takes one label; the file has {len(losses)}.")
    solve = partial(_perceptual_fixed, rdc.perceptual_fixed_classifier_rate, *_measure(given, perception))
    return _Solver(solve, losses, (near, far), (low, high))


def _cross_entropies(given: Labelled) -> list[np.ndarray]:
    from jaxrd import rdc

    losses = given.cross_entropies
    if losses is None:
        if given.classifiers is None:
            raise InputError("--semantics fixed needs classifier (m, classes) or cross_entropy (n, m) in the file.")
        losses = tuple(rdc.cross_entropies(*pair) for pair in zip(given.labels, given.classifiers, strict=True))
    shape = given.problem.distortion.shape
    for loss in losses:
        if loss.shape != shape:
            raise InputError(f"cross_entropy must have the distortion's shape {shape}; got {loss.shape}.")
    return list(losses)


def _measure(given: Labelled, perception: Perception) -> tuple[Measure, float]:
    """The measure, and its bound in the unit of the library."""
    from jaxrd.information import NATS_PER_BIT
    from jaxrd.rdc import measures

    if perception.measure == "w2":
        cost = given.problem.distortion if given.transport_cost is None else given.transport_cost
        return measures.Wasserstein(np.asarray(cost)), perception.bound
    if perception.measure == "tv":
        return measures.TotalVariation(), perception.bound
    divergence = measures.RelativeEntropy if perception.measure == "kl" else measures.ReverseRelativeEntropy
    return divergence(), perception.bound * NATS_PER_BIT


def _perceptual_lifted(
    rate: Callable[..., Point], measure: Measure, bound: float, seed: int, problem: Problem, labels: list[np.ndarray],
    d: float, c: np.ndarray,
    *, start: Point | None = None,
) -> Point:  # fmt: skip
    """R(D, P, C) as a function of D and C."""
    del start
    return rate(problem, labels, d, bound, c, measure=measure, seed=seed)


def _perceptual_fixed(
    rate: Callable[..., PerceptualPoint], measure: Measure, bound: float, problem: Problem, losses: list[np.ndarray],
    d: float, c: np.ndarray,
    *, start: Point | None = None,
) -> Point:  # fmt: skip
    """The same for a given classifier, as a point on the host."""
    from jaxrd.rdc import Point
    from jaxrd.solution import Status

    del start
    found = rate(problem, losses[0], d, bound, np.ravel(c)[0], measure=measure)
    channel = np.asarray(found.channel)
    return Point(
        "fixed", float(found.rate), float(found.lower), Status(int(found.status)), float(found.distortion),
        np.array([float(found.classification)]), float(found.distortion_slope),
        np.array([float(found.classification_slope)]), np.arange(channel.shape[1]), (),
        np.asarray(problem.source) @ channel, channel,
    )  # fmt: skip


def _together(problem: Problem, semantics: str, solver: _Solver, d: np.ndarray, c: np.ndarray) -> Universal:
    from jaxrd.rdc import universal_fixed_classifier_rate, universal_lifted_rate
    from jaxrd.rdc.representation.universal import universal_bounds

    if semantics == "lifted":
        return universal_lifted_rate(problem, solver.label, d, c, solver=solver.solve)
    if semantics == "fixed":
        if len(solver.label) > 1:
            raise InputError(f"--universal with --semantics fixed takes one label; the file has {len(solver.label)}.")
        return universal_fixed_classifier_rate(problem, solver.label[0], d, c[:, 0])
    return universal_bounds(problem, solver.label, d, c, solver=solver.solve)

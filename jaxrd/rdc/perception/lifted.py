"""The lifted R(D, P, C): the decoder may emit a soft label, and the reproductions must keep the law of the source.

    R(D, P, C) = min I(X;U)  over atoms U = (Xh, T),  subject to
        E d(X, Xh) <= D,  measure(p_X, p_Xh) <= P,  H(S_k|U) <= C_k

The constraint on Xh only adds its potential psi(xh) to the cost of an atom. Column generation and the certificate over
all soft labels are those of the lifted R(D, C) (`jaxrd.rdc.lifted.columns`, `jaxrd.rdc.lifted.certificate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import is_traced
from jaxrd._threads import one_blas_thread
from jaxrd.problem import Problem
from jaxrd.pytree import register
from jaxrd.rdc.inputs import Labels, as_inputs, as_targets, cell_budget
from jaxrd.rdc.lifted.atoms import EDGE, Atoms, Core, core, least_targets, lossless, soft_clusters
from jaxrd.rdc.lifted.certificate import CELLS
from jaxrd.rdc.lifted.columns import UNUSED, Generated, Round, generate
from jaxrd.rdc.lifted.pricing import Price, price, starts
from jaxrd.rdc.perception import lifted_traced
from jaxrd.rdc.perception.least_rate import LeastRate, least_rate
from jaxrd.rdc.perception.lifted_traced import Potentials
from jaxrd.rdc.perception.polish import polished
from jaxrd.rdc.perception.program import Program, nonnegative, prepare
from jaxrd.rdc.perception.rate import checked
from jaxrd.rdc.perception.task import Task, filled, program_of
from jaxrd.rdc.point import LIFTED, Point, entropies, infeasible, mutual_information, posteriors
from jaxrd.solution import Status

_ROUNDS = 40
_ATOMS = 64  # their number is filled up to a multiple of this: a program is compiled once a shape
_DROPPED = 1e-13  # weight
_LEAST = -600.0  # least exponent of a term of g, so that every column has a positive term


@register
@dataclass(frozen=True, kw_only=True)
class PerceptualLiftedPoint(Point):
    """A `Point` of the lifted R(D, P, C): lower <= R <= rate, and what the perception constraint adds.

    Args:
        perception: the measure at the law of Xh; for a transport cost the cost of a coupling, which bounds it. NaN
            where no code meets the targets.
        perception_slope: the multiplier of P, -dR/dP where R is smooth, nats per unit of the measure.
        decoder: P(xh|u), shape (atoms, m): each atom's `reproduction`, but for a random share that makes the bound on
            the law hold exactly.

    Reference: Y. Wang et al., ITW 2024 ([B]'s [1]).

    >>> coin = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
    >>> point = perceptual_lifted_rate(coin, np.eye(2), 0.2, 0.0, np.inf)
    >>> isinstance(point, Point), round(point.rate, 4), point.gap < 1e-9, abs(point.perception) < 1e-9
    (True, 0.1328, True, True)
    """

    perception: float
    perception_slope: float
    decoder: np.ndarray


def perceptual_lifted_rate(
    problem: Problem,
    labels: Labels,
    distortion: ArrayLike,
    perception: ArrayLike,
    classification: ArrayLike,
    *,
    measure: Any = None,
    tol: float = 1e-9,
    max_cells: int = CELLS,
    seed: int = 0,
) -> PerceptualLiftedPoint:
    """The lifted rate-distortion-perception-classification function R(D, P, C), certified.

    It is R(D, C) of `lifted_rate` under one more constraint, measure(p_X, p_Xh) <= P on the law of the reproductions.

    Runs on the host in float64, whatever the x64 switch says. Where the search for the certificate runs out of cells,
    `lower` is the best bound reached. Inside jit, vmap and grad see `Point`; the rate has derivatives in P and a
    transport cost too, but in P at zero that of total variation alone.

    Args:
        problem: source (n,), distortion (n, m), finite.
        labels: P(S|X), shape (n, classes); or a list of such channels, one for each label.
        distortion: D, in the unit of the problem's distortion; inf for no constraint.
        perception: P, in the measure's unit, inf for no constraint.
        classification: C, nats, inf for no constraint; for several labels one number each.
        measure: of `jaxrd.rdc.perception.measures`; None: `TotalVariation()`.
        tol: certified gap, nats, relative to max(1, R), at which to stop.
        max_cells: cells that a search for the lower bound may look at.
        seed: of the starts of the search over soft labels where they have more than three classes in all.

    Returns:
        A `PerceptualLiftedPoint`; targets that no code meets: rate +inf, INFEASIBLE. MAX_STEPS where the gap is larger
        than `tol`.

    Raises:
        InputError: labels that are not a channel, shapes that do not match, a target that is NaN, a negative P or C.

    Reference: Y. Wang et al., ITW 2024 ([B]'s [1]), in the lifted semantics, which makes it convex.

    >>> problem, labels = Problem(np.array([0.7, 0.3]), 1 - np.eye(2)), np.array([[1.0, 0.0], [0.5, 0.5]])
    >>> found = perceptual_lifted_rate(problem, labels, 0.2, 0.0, 0.3)
    >>> round(found.rate, 6), found.gap < 1e-9
    (0.289597, True)
    """
    solver = partial(_certified, tol=tol, max_cells=max_cells, seed=seed)
    arguments = problem, labels, distortion, perception, classification, measure
    if is_traced(arguments):
        return lifted_traced.rate(PerceptualLiftedPoint, solver, *arguments[:-1], checked(problem, measure)[1])
    return solver(*arguments)[0]


def _certified(
    problem: Problem,
    labels: Labels,
    distortion: ArrayLike,
    perception: ArrayLike,
    classification: ArrayLike,
    measure: Any,
    *,
    tol: float,
    max_cells: int,
    seed: int,
) -> tuple[PerceptualLiftedPoint, Potentials | None]:
    """The point, and what its derivatives need where a code exists."""
    inputs = as_inputs(problem, labels)
    targets = as_targets(len(inputs.labels), distortion, classification)
    reduced = core(inputs, np.full(len(targets), np.inf))
    assert reduced is not None
    budgets = targets - least_targets(inputs)
    # JAX computes in float64 during this call, because the code around it is numpy in float64.
    with jax.enable_x64(True), one_blas_thread():
        whole = Problem(inputs.source, inputs.distortion)
        _, measure, bounds = checked(whole, measure, perception=perception)
        least = reduced.source @ np.abs(inputs.distortion[reduced.kept].min(1))
        if (budgets < -EDGE * np.array([least, *np.ones(len(inputs.labels))])).any():
            return _nowhere(inputs.source.size, len(inputs.labels), inputs.distortion.shape[1]), None
        task = Task(reduced, np.maximum(budgets, 0), measure, bounds["perception"], jnp.asarray(inputs.source), tol)
        ceiling = float(entropies(reduced.source)) + 1e-3 * tol
        grid = starts(reduced, seed)
        generated = generate(
            reduced, partial(_solve, task), _begin(reduced, grid), grid, tol=tol, max_cells=cell_budget(max_cells),
            rounds=_ROUNDS, ceiling=ceiling,
        )  # fmt: skip
        if generated.lower > ceiling:
            return _nowhere(inputs.source.size, len(inputs.labels), inputs.distortion.shape[1]), None
        generated = generated._replace(last=polished(task, generated.last))
        potentials = _potentials(task, generated.last.solution)
    return _point(inputs.source, inputs.distortion, inputs.labels, targets, task, generated), potentials


def _begin(reduced: Core, grid: np.ndarray) -> Atoms:
    """Lossless coding, clusters of letters, and every reproduction with the prior label or with one of the grid."""
    widths = [p.shape[1] for p in reduced.labels]
    cuts = np.cumsum(widths)[:-1]
    columns = reduced.excess.shape[1]
    prior = tuple(np.tile(reduced.source @ p, (columns, 1)) for p in reduced.labels)
    silent = (reduced.source @ reduced.excess).argmin()
    soft = tuple(np.split(grid, cuts, axis=1)) if widths else ()
    atoms = lossless(reduced).join(soft_clusters(reduced)).join(Atoms(np.arange(columns), prior))
    return atoms.join(Atoms(np.full(len(grid), silent), soft))


@jax.jit
def _dual_value(program: Program, solved: LeastRate) -> tuple[jax.Array, jax.Array]:
    """The dual objective where no atom's g exceeds 1, and the potentials psi of the letters."""
    ready, dual = prepare(program), nonnegative(solved.dual)
    (decoder,) = program.decoders
    return ready.value(dual, True), decoder.measure.potential(dual.decoders[0][1], decoder.reference)


def _priced(task: Task, solved: LeastRate, psi: np.ndarray) -> tuple[Price, np.ndarray]:
    """g at the dual variables, and their slopes (1 + labels,)."""
    slopes = np.maximum(np.concatenate([np.asarray(solved.slopes.decoders[0]), np.asarray(solved.slopes.costs)]), 0)
    g = price(task.core, np.asarray(solved.dual.shift), slopes)
    return g._replace(exponents=np.maximum(g.exponents - psi, _LEAST), rounding=2 * g.rounding), slopes


def _solve(task: Task, atoms: Atoms) -> Round:
    """The optimum over some atoms, its dual variables and g."""
    program = program_of(task, filled(atoms, _ATOMS))
    solved = least_rate(program, jnp.asarray(task.tol))
    value, psi = (np.asarray(a) for a in _dual_value(program, solved))
    g, slopes = _priced(task, solved, psi)
    weights = task.core.source @ np.asarray(solved.primal.channel)
    levels = g.terms(atoms.letter, atoms.side_by_side).sum(1)
    used = weights[: len(atoms.letter)] > UNUSED
    return Round(atoms, used, levels, float(value), float(solved.rate), g, slopes, solved)


def _potentials(task: Task, solved: LeastRate) -> Potentials:
    inner = solved.dual.decoders[0][1]
    in_source = _in_source(task.measure, inner, task.reference, task.perception)
    return Potentials(np.asarray(task.measure.potential(inner, task.reference)), np.asarray(in_source))


@jax.jit
def _in_source(measure: Any, inner: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
    return jax.grad(lambda p: measure.term(inner, p, jnp.minimum(bound, measure.largest(source))))(source)


def _nowhere(letters: int, labels: int, reproductions: int) -> PerceptualLiftedPoint:
    nan = float("nan")
    point = infeasible(LIFTED, letters, labels)
    return PerceptualLiftedPoint(
        **vars(point), perception=nan, perception_slope=nan, decoder=np.zeros((0, reproductions))
    )


def _point(source, distortion, labels, targets: np.ndarray, task: Task, generated: Generated) -> PerceptualLiftedPoint:
    """The generated channel, measured again with each atom's posterior label."""
    kept, p = task.core.kept, task.core.source
    atoms, solved = generated.last.atoms, generated.last.solution
    letter = np.append(atoms.letter, np.full(len(solved.primal.channel[0]), atoms.letter[-1]))
    channel = np.asarray(solved.primal.channel)
    letter = letter[: channel.shape[1]]
    used = p @ channel > _DROPPED
    channel = channel[:, used] / channel[:, used].sum(1, keepdims=True)
    reproduction, weights = task.core.reproduction[letter[used]], p @ channel
    soft = posteriors(p, channel, tuple(a[kept] for a in labels))
    decoder = np.asarray(solved.primal.moves[0])[reproduction]
    joint = p[:, None] * channel
    spent = float((joint @ decoder * distortion[kept]).sum())
    losses = np.array([weights @ entropies(t) for t in soft])
    rate = mutual_information(p, channel)
    full = np.tile(weights, (len(source), 1))
    full[kept] = channel
    met = float(solved.primal.exceeded) <= 1e-10 and (losses <= targets[1:] + 1e-10).all()
    good = met and rate - generated.lower <= task.tol * max(1, rate)
    return PerceptualLiftedPoint(
        semantics=LIFTED, rate=rate, lower=max(float(generated.lower), 0.0),
        status=Status.CONVERGED if good else Status.MAX_STEPS, distortion=spent, classification=losses,
        distortion_slope=float(generated.last.slopes[0]), classification_slope=generated.last.slopes[1:],
        reproduction=reproduction, soft_labels=soft, weights=weights, channel=full,
        perception=float(solved.primal.perceptions[0]), perception_slope=float(solved.slopes.perceptions[0]),
        decoder=decoder, ascents=generated.ascents, conjectured=max(generated.conjectured, 0.0),
    )  # fmt: skip

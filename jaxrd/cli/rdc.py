"""`jaxrd rdc`: the rate-distortion-classification function of a source with a distortion and a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli.common import Tick, console, headed, print_line, print_notes
from jaxrd.cli.run import TOLERANCE, Result, Target, run
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.rdc import Classified, Pair
    from jaxrd.io.labelled import Labelled
    from jaxrd.problem import Problem
    from jaxrd.rdc import Point, Universal

_EXAMPLE = "rdc_mnist.npz"
_CURVE = 24  # points of R(D) that give the largest distortion of the grid
_UNEVEN = 100.0  # where the largest distortion is this many times an ordinary one
GRID = {"lifted": 12, "fixed": 12, "literal": 6, "time-shared": 6}


class _Solver(NamedTuple):
    """How points are solved for in one of the semantics."""

    solve: Callable[..., Point]
    """A function of the problem, of `label`, and of a pair of targets."""
    label: np.ndarray
    """What `solve` takes for the label."""
    ends: tuple[Pair, Pair]
    """The least and the largest useful target: of distortion, and of classification."""


def rdc_command(
    file: Annotated[
        Path | None,
        typer.Argument(help=".npz with source (n,), distortion (n, m), labels P(S|X) (n, classes); none: an example"),
    ] = None,
    at: Annotated[list[str] | None, typer.Option(help="D,C to solve for, C in nats, inf for none; repeatable")] = None,
    surface: Annotated[int | None, typer.Option(help="N x N grid between least and largest targets; 0: none")] = None,
    semantics: Annotated[str, typer.Option(help="lifted, literal, time-shared or fixed")] = "lifted",
    universal: Annotated[str | None, typer.Option(help="D1,C1;D2,C2;...: one encoder for all of them")] = None,
    seed: Annotated[int | None, typer.Option(help="of the random starts; 0 if not given")] = None,
    out: Annotated[Path, typer.Option(help="folder for rdc.json, rdc.csv, rdc.png")] = Path("rdc"),
    no_plot: Annotated[bool, typer.Option("--no-plot", help="no figure")] = False,
) -> None:
    """The least rate for a distortion D and a classification loss C, with bounds, in the semantics asked for."""
    _check(surface, semantics, seed, nothing_else=not at and universal is None)
    count = GRID[semantics] if surface is None else surface
    asked = [_pair("--at", text) for text in at or []]
    pairs = [_pair("--universal", text) for text in universal.split(";")] if universal is not None else []

    def compute(tick: Tick) -> Result:
        classified = _classified(file, semantics, seed or 0, asked, pairs, count, tick)
        return Result(
            classified.document, lambda _: _files(classified, no_plot), lambda _: _report(classified),
            classified.given.sha256, _failure(classified),
        )  # fmt: skip

    names = ["rdc.csv", *([] if no_plot else ["rdc.png"])]
    run(compute, Target(out, "rdc.json", names, [file]), seed=seed or 0)


def _check(surface: int | None, semantics: str, seed: int | None, *, nothing_else: bool) -> None:
    """Refuse impossible options before any work.

    Raises:
        InputError: quotes the value.
    """
    if semantics not in GRID:
        raise InputError(f"--semantics must be one of {', '.join(GRID)}; got {semantics!r}.")
    if surface is not None and (surface < 0 or surface == 1):
        raise InputError(f"--surface must be 0 or at least 2; got {surface}.")
    if seed is not None and semantics == "fixed":
        raise InputError(f"--seed {seed} has no effect: --semantics fixed has no random starts.")
    if surface == 0 and nothing_else:
        raise InputError("--surface 0 leaves nothing to solve for: pass --at or --universal.")
    if seed is not None and seed < 0:
        raise InputError(f"--seed must be >= 0; got {seed}.")


def _pair(option: str, text: str) -> Pair:
    try:
        distortion, classification = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} must be D,C, two numbers or inf; got {text!r}.") from None
    if np.isnan(distortion) or not classification >= 0:
        raise InputError(f"{option} must be D,C, C >= 0; got {text!r}.")
    return distortion, classification


def _classified(
    file: Path | None, semantics: str, seed: int, asked: list[Pair], pairs: list[Pair], count: int, tick: Tick
) -> Classified:
    """The points asked for, and a grid of points, of the source that a file holds."""
    from jaxrd.datasets import embedded_path
    from jaxrd.documents.rdc import Classified
    from jaxrd.io.labelled import read_labelled
    from jaxrd.rdc import surface

    given = read_labelled(embedded_path(_EXAMPLE) if file is None else file)
    name = "example: MNIST codewords, parity of the digit" if file is None else file.name
    if semantics == "fixed" and given.cross_entropy is not None and given.classifier is not None:
        given = given._replace(notes=(*given.notes, "not used: 'classifier', for 'cross_entropy' is there"))
    problem, solver = given.problem, _solver(given, semantics, seed)
    points = [(pair, solver.solve(problem, solver.label, *pair)) for pair in asked]
    together = _universal(problem, semantics, solver, pairs) if pairs else None
    grid = None
    if count:
        (near, far), (low, high) = solver.ends
        grid = surface(
            problem, solver.label, np.linspace(near, _shown(problem, far), count), np.linspace(low, high, count),
            solver=solver.solve, progress=partial(tick, "R(D, C)"),
        )  # fmt: skip
    return Classified(name, given, semantics, solver.ends, points, grid, pairs, together)


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


def _solver(given: Labelled, semantics: str, seed: int) -> _Solver:
    from jaxrd import rdc
    from jaxrd.rdc.inputs import as_inputs
    from jaxrd.rdc.point import entropies

    inputs = as_inputs(given.problem, given.labels)
    p, d, labels = inputs.source, inputs.distortion, inputs.labels[0]
    kept = p > 0
    silence = p[kept] @ d[kept]
    near = float(p[kept] @ d[kept].min(1))
    far = float(silence.min()) if np.isfinite(silence).any() else float(d[np.isfinite(d)].max())
    distortions = near, far
    if semantics != "fixed":
        names = {"lifted": "lifted_rate", "literal": "literal_rate", "time-shared": "time_shared_rate"}
        losses = float(p @ entropies(labels)), float(entropies(p @ labels))
        return _Solver(partial(getattr(rdc, names[semantics]), seed=seed), given.labels, (distortions, losses))
    if (loss := given.cross_entropy) is None:
        if given.classifier is None:
            raise InputError("--semantics fixed needs classifier (m, classes) or cross_entropy (n, m) in the file.")
        loss = rdc.cross_entropies(given.labels, given.classifier)
    if loss.shape != d.shape:
        raise InputError(f"cross_entropy must have the distortion's shape {d.shape}; got {loss.shape}.")
    loss = np.where(kept[:, None], loss, 0.0)
    losses = float(p[kept] @ loss[kept].min(1)), float((p[kept] @ loss[kept]).min())
    return _Solver(rdc.fixed_classifier_rate, loss, (distortions, losses))


def _universal(problem: Problem, semantics: str, solver: _Solver, pairs: list[Pair]) -> Universal:
    from jaxrd.rdc import universal_fixed_classifier_rate, universal_lifted_rate
    from jaxrd.rdc.representation.universal import universal_bounds

    certified = {"lifted": universal_lifted_rate, "fixed": universal_fixed_classifier_rate}
    together = certified.get(semantics, partial(universal_bounds, solver=solver.solve))
    return together(problem, solver.label, *np.array(pairs).T)


def _files(classified: Classified, no_plot: bool) -> Iterator[tuple[str, bytes]]:
    from jaxrd import plots
    from jaxrd.io import csv_rows

    yield "rdc.csv", csv_rows(classified.tables)
    if (s := classified.surface) is not None and not no_plot:
        figure, ax = plots.new_figure(7.6, 5.4)
        asked = [pair for pair, _ in classified.at]
        plots.surface_axes(ax, s.distortion, s.classification, s.rate, s.status, asked=asked)
        ax.set_title(f"{plots.literal(classified.name)}\nR(D, C), {s.semantics}: {classified.meaning}", fontsize=10)
        yield "rdc.png", plots.png(figure)


def _failure(classified: Classified) -> str | None:
    from jaxrd.documents.rdc import CERTIFIED

    if not (loose := classified.failed):
        return None
    widest = max(row["rate_nats"] - row["lower_nats"] for row in loose)
    what = "not certified" if classified.semantics in CERTIFIED else "no code found"
    return f"{what} at {len(loose)} points, widest {widest:.2g} nat; see status"


def _report(classified: Classified) -> None:
    from jaxrd.information import NATS_PER_BIT

    given = classified.given
    n, m = given.problem.distortion.shape
    print_line(
        headed(
            classified.name,
            f": {n} x {m}, {given.labels.shape[1]} classes, {classified.semantics}: {classified.meaning}",
        )
    )
    print_notes(given.notes)
    if classified.rows:
        table = Table()
        for head in ("D", "C in nats", "rate in bits", "at least", "status"):
            table.add_column(head, justify="right")
        for r in classified.rows:
            bits = [
                "infeasible" if np.isinf(r[k]) else f"{r[k] / NATS_PER_BIT:.6f}" for k in ("rate_nats", "lower_nats")
            ]
            table.add_row(f"{r['distortion']:.6g}", f"{r['classification_nats']:.6g}", *bits, r["status"])
        console.print(table)
    if classified.universal is not None:
        print_line(f"one encoder for all pairs: {_together(classified.universal)}")
    if (s := classified.surface) is not None:
        gaps = s.gap[np.isfinite(s.gap)]
        rows, columns = s.rate.shape
        console.print(f"surface {rows} x {columns}: widest bounds {gaps.max(initial=0):.1e} nat", highlight=False)


def _together(universal: Universal) -> str:
    from jaxrd.information import NATS_PER_BIT
    from jaxrd.solution import Status

    rate, least, penalty = (x / NATS_PER_BIT for x in (universal.rate, universal.lower, universal.penalty))
    if universal.status == Status.INFEASIBLE:
        return "infeasible"
    if universal.status == Status.CONVERGED:
        return f"{rate:.6f} bits, {penalty:.6f} more than the dearest pair alone"
    return f"between {least:.6f} and {rate:.6f} bits, at most {penalty:.6f} more than the dearest pair alone"

"""`jaxrd sweep`: the certified rate-distortion curve of a source and a distortion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli.common import Tick, console, headed, print_line, print_notes
from jaxrd.cli.run import COARSE, TOLERANCE, Result, Target, run
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.curve import Curve
    from jaxrd.documents.sweep import Swept
    from jaxrd.problem import Problem


def sweep_command(
    file: Annotated[Path, typer.Argument(help=".npz with source (n,) and distortion (n, m), +inf allowed")],
    at: Annotated[list[float] | None, typer.Option(help="distortion to solve for; repeatable")] = None,
    slopes: Annotated[int, typer.Option(help="points of the curve, close together where it bends")] = 64,
    low: Annotated[float | None, typer.Option(help="least slope, nats per unit of distortion")] = None,
    high: Annotated[float | None, typer.Option(help="largest slope; with --low: evenly on a log scale")] = None,
    out: Annotated[Path, typer.Option(help="folder for sweep.json, sweep.csv, sweep.png")] = Path("sweep"),
    no_plot: Annotated[bool, typer.Option("--no-plot", help="no figure")] = False,
    float32: Annotated[
        bool, typer.Option("--float32", help="compute in float32: gaps of 1e-5 nat, relative to max(1, |L|)")
    ] = False,
) -> None:
    """The rate-distortion curve of any discrete source and distortion, certified point by point."""
    if slopes < 2:
        raise InputError(f"--slopes must be at least 2; got {slopes}.")
    for d in at or []:
        if not np.isfinite(d):
            raise InputError(f"--at must be a finite distortion; got {d:g}.")
    tolerance = COARSE if float32 else TOLERANCE

    def compute(tick: Tick) -> Result:
        swept, ends, sha256 = _swept(file, at or [], slopes, (low, high), tolerance, tick)
        return Result(
            swept.document, lambda _: _files(swept, no_plot), lambda _: _report(swept, ends), sha256,
            "not converged at some slopes, see status" if swept.failed else None,
        )  # fmt: skip

    names = ["sweep.csv", *([] if no_plot else ["sweep.png"])]
    run(compute, Target(out, "sweep.json", names, [file]), float32=float32, tolerance=tolerance)


def _swept(
    file: Path, at: list[float], slopes: int, asked: tuple[float | None, float | None], tolerance: float, tick: Tick
) -> tuple[Swept, tuple[float, float], str]:
    """The curve of the problem that a file holds, its least and largest slope, and the SHA-256 of the file."""
    import jax

    from jaxrd import rate_at
    from jaxrd.critical import critical_slope
    from jaxrd.documents.sweep import Swept
    from jaxrd.io.read import PROBLEM_KEYS, load_problem, not_used

    given, held, sha256 = load_problem(file)
    problem: Problem = jax.tree.map(lambda a: jax.numpy.asarray(a, float), given)
    critical = float(critical_slope(problem))
    low, high = asked
    most = np.inf if high is None else high  # inf: the least distortion, which a finite slope may not reach
    least = min(critical, most) if low is None else low
    if not most > 0 or high == np.inf or (low is not None and not 0 < low < most):
        raise InputError(f"--low and --high must satisfy 0 < low < high; got {least:g} and {most:g}.")
    curve = _curve(problem, slopes, low, most, tolerance, partial(tick, "R(D)"))
    points = [(d, rate_at(problem, d)) for d in at]
    n, m = np.asarray(given.distortion).shape
    return Swept(file.name, (n, m), critical, curve, points, not_used(held, PROBLEM_KEYS)), (least, most), sha256


def _curve(
    problem: Problem, slopes: int, low: float | None, most: float, tol: float, progress: Callable[[int, int], None]
) -> Curve:
    """Points at slopes evenly on a log scale if both ends are given; else close together where the curve bends."""
    from jaxrd import sweep
    from jaxrd.cli.sampling import sample

    if low is not None and np.isfinite(most):
        return sweep(problem, np.geomspace(low, most, slopes), progress=progress).curve()
    return sample(problem, slopes, low, most, tol=tol, progress=progress)


def _files(swept: Swept, no_plot: bool) -> Iterator[tuple[str, bytes]]:
    from jaxrd import plots
    from jaxrd.cli.sampling import shown
    from jaxrd.io import csv_rows

    yield "sweep.csv", csv_rows(swept.tables)
    if not no_plot:
        figure, ax = plots.new_figure()
        plots.curve_axes(ax, swept.curve, label=f"R(D), gap at most {swept.curve.gap.max():.1e} nat")
        ax.set_title(plots.literal(swept.name), fontsize=11)
        if np.isfinite(right := shown(swept.curve)):
            ax.set_xlim(right=right)
        yield "sweep.png", plots.png(figure)


def _report(swept: Swept, ends: tuple[float, float]) -> None:
    from jaxrd.solution import has_converged

    (n, m), (least, most), curve = swept.letters, ends, swept.curve
    text = f": {n} x {m}, {len(curve.rate)} points of slopes {least:.3g}..{most:.3g}, "
    text += f"{has_converged(curve.status).sum()} converged, largest gap {curve.gap.max():.1e} nat"
    print_line(headed(swept.name, text))
    print_notes(swept.notes)
    if swept.rows:
        table = Table()
        for head in ("distortion", "rate [bits]", "gap [bits]", "status"):
            table.add_column(head, justify="right")
        for r in swept.rows:
            rate = "beyond" if np.isinf(r["rate_bits"]) else f"{r['rate_bits']:.6f}"
            table.add_row(f"{r['distortion']:.6g}", rate, f"{r['gap_bits']:.1e}", r["status"])
        console.print(table)

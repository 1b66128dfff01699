"""`jaxrd sweep`: the certified rate-distortion curve of a source and a distortion."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli import sweep_blocks
from jaxrd.cli.common import Tick, console, headed, print_line, print_notes
from jaxrd.cli.devices import Devices, MeshShape
from jaxrd.cli.run import COARSE, TOLERANCE, Html, Result, Target, run
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.sweep import Swept
    from jaxrd.problem import Problem
    from jaxrd.solution import Solution


class _Asked(NamedTuple):
    at: list[float]
    slopes: int
    low: float | None
    high: float | None
    tolerance: float
    shard: tuple[int, int] | None
    resume: Path | None
    devices: Devices
    lengths: list[int]
    excess: float | None


def sweep_command(
    file: Annotated[Path, typer.Argument(help=".npz with source (n,) and distortion (n, m), +inf allowed")],
    at: Annotated[list[float] | None, typer.Option(help="distortion to solve for; repeatable")] = None,
    slopes: Annotated[int, typer.Option(help="points of the curve, close together where it bends")] = 64,
    low: Annotated[float | None, typer.Option(help="least slope, nats per unit of distortion")] = None,
    high: Annotated[float | None, typer.Option(help="largest slope; with --low: evenly on a log scale")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="folder in which finished batches of slopes are kept; a killed run goes on there"),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="k/n: the part of job k of n, for jaxrd merge; job 1 solves --at, too")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="folder for sweep.json, sweep.csv, sweep.png", show_default="sweep, or sweep-k-of-n"),
    ] = None,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="no figure")] = False,
    float32: Annotated[
        bool, typer.Option("--float32", help="compute in float32: gaps of 1e-5 nat, relative to max(1, |L|)")
    ] = False,
    mesh: MeshShape = None,
    html: Html = False,
    block: sweep_blocks.Block = None,
    excess: sweep_blocks.Excess = None,
) -> None:
    """The rate-distortion curve of any discrete source and distortion, certified point by point."""
    if slopes < 2:
        raise InputError(f"--slopes must be at least 2; got {slopes}.")
    for d in at or []:
        if not np.isfinite(d):
            raise InputError(f"--at must be a finite distortion; got {d:g}.")
    devices = Devices(mesh)
    devices.check()
    tolerance = COARSE if float32 else TOLERANCE
    part = _shard(shard, slopes)
    if part is not None and (low is None or high is None):
        raise InputError("--shard needs --low and --high: they fix slopes that all jobs know.")
    lengths = sweep_blocks.lengths(block, excess)
    if lengths and part is not None:
        raise InputError(f"--block is for a whole sweep; got --shard {shard}. Run sweep --block without it.")
    asked = _Asked(at or [], slopes, low, high, tolerance, part, resume, devices, lengths, excess)
    names = ["sweep.csv", *([] if no_plot else ["sweep.png"]), *([] if part is None else ["sweep.npz"])]
    names += ["blocks.csv"] if lengths else []
    out = out or Path("sweep" if part is None else f"sweep-{part[0]}-of-{part[1]}")

    def compute(tick: Tick) -> Result:
        swept, ends, sha256 = _swept(file, asked, tick)
        return result(swept, ends, sha256, no_plot)

    if resume is not None:
        from jaxrd.cli import interrupts

        interrupts.install_resumable()
    run(compute, Target(out, "sweep.json", names, [file]), float32=float32, html=html)


def _shard(text: str | None, slopes: int) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", text)
    number, of = (int(digits) for digits in match.groups()) if match else (0, 0)
    if not 1 <= number <= of:
        raise InputError(f"--shard must be k/n with k from 1 to n, such as 3/8; got {text!r}.")
    if of > slopes:
        raise InputError(f"--shard {text}: {slopes} slopes cannot be dealt to {of} jobs; pass more --slopes.")
    return number, of


def _swept(file: Path, asked: _Asked, tick: Tick) -> tuple[Swept, tuple[float, float], str]:
    """The curve of the problem that a file holds, its least and largest slope, and the SHA-256 of the file."""
    import jax

    from jaxrd.critical import critical_slope
    from jaxrd.documents.sweep import Shard, Swept
    from jaxrd.io.read import PROBLEM_KEYS, load_problem, not_used

    given, held, sha256 = load_problem(file)
    problem: Problem = jax.tree.map(lambda a: jax.numpy.asarray(a, float), given)
    critical = float(critical_slope(problem))
    low, high = asked.low, asked.high
    most = np.inf if high is None else high  # inf: the least distortion, which a finite slope may not reach
    least = min(critical, most) if low is None else low
    if not most > 0 or high == np.inf or (low is not None and not 0 < low < most):
        raise InputError(f"--low and --high must satisfy 0 < low < high; got {least:g} and {most:g}.")
    solve_at, rate_at = _solvers(given, problem, asked)
    progress = partial(tick, "R(D)")
    if low is not None and high is not None:
        number, of = asked.shard or (1, 1)
        # At equal distances, not neighbours: their cost changes along the grid, and the jobs should take equally long.
        curve = solve_at(np.geomspace(low, high, asked.slopes)[number - 1 :: of], progress=progress).curve()
    else:
        from jaxrd.cli.sampling import sample

        curve = sample(problem, asked.slopes, low, most, tol=asked.tolerance, progress=progress, solve_at=solve_at)
    at = [(d, rate_at(d)) for d in asked.at] if asked.shard is None or asked.shard[0] == 1 else []
    part = None if asked.shard is None else Shard(*asked.shard, asked.slopes, least, most, asked.at)
    letters = given.source.size, given.distortion.shape[1]
    notes = not_used(held, PROBLEM_KEYS)
    blocks = None
    if asked.excess is not None:
        blocks = sweep_blocks.blocked(problem, asked.at, asked.lengths, asked.excess, tick)
    return Swept(file.name, letters, critical, curve, at, notes, part, blocks), (least, most), sha256


def _solvers(
    given: Problem, problem: Problem, asked: _Asked
) -> tuple[Callable[..., Solution], Callable[[float], Solution]]:
    """What solves at slopes and at a distortion; with --resume, what was solved before is read."""
    from jaxrd import rate_at, sweep

    mesh = asked.devices.chosen(problem.distortion.size)  # pyright: ignore
    if asked.resume is None:
        return partial(sweep, problem, mesh=mesh), lambda d: rate_at(problem, d, mesh=mesh)
    from jaxrd._resume import claim, fingerprint, kept, kept_sweep

    evenly = asked.low is not None and asked.high is not None
    slopes = f"{asked.slopes} from {asked.low} to {asked.high}, {'evenly' if evenly else 'where the curve bends'}"
    if asked.shard is not None:
        slopes += ", shard {}/{}".format(*asked.shard)
    dtype = problem.source.dtype.name
    run = fingerprint(given, slopes=slopes, tolerance=asked.tolerance, dtype=dtype, mesh=mesh)
    claimed = claim(asked.resume, run)
    return partial(kept_sweep, claimed, problem, mesh=mesh), lambda d: kept(
        claimed, "at", np.array([d]), lambda: rate_at(problem, d, mesh=mesh)
    )


def result(swept: Swept, ends: tuple[float, float], sha256: str, no_plot: bool) -> Result:
    """What is written and printed of a sweep.

    Args:
        swept: the curve.
        ends: its least and largest slope.
        sha256: of the file that holds the problem.
        no_plot: no figure.
    """
    return Result(
        swept.document, lambda _: _files(swept, no_plot), lambda _: _report(swept, ends), sha256,
        "not converged at some slopes, see status" if swept.failed else None,
    )  # fmt: skip


def _files(swept: Swept, no_plot: bool) -> Iterator[tuple[str, bytes]]:
    from jaxrd import plots
    from jaxrd.cli.sampling import shown
    from jaxrd.io import csv_rows

    yield "sweep.csv", csv_rows(swept.tables)
    if swept.blocks is not None:
        yield "blocks.csv", swept.blocks.csv()
    if swept.shard is not None:
        from jaxrd.documents.shards import POINTS, points

        yield POINTS, points(swept)
    if not no_plot:
        figure, ax = plots.new_figure()
        plots.curve_axes(ax, swept.curve, label=f"R(D), gap at most {swept.curve.gap.max():.1e} nat")
        ax.set_title(plots.literal(swept.name), fontsize=11)
        if np.isfinite(right := shown(swept.curve)):
            ax.set_xlim(right=right)
        if swept.blocks is not None:
            sweep_blocks.draw(ax, swept.blocks)
        yield "sweep.png", plots.png(figure)


def _report(swept: Swept, ends: tuple[float, float]) -> None:
    from jaxrd.solution import has_converged

    (n, m), (least, most), curve = swept.letters, ends, swept.curve
    text = f": {n} x {m}, {len(curve.rate)} points of slopes {least:.3g}..{most:.3g}, "
    text += "" if swept.shard is None else f"shard {swept.shard}, "
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
    if swept.blocks is not None:
        sweep_blocks.report(swept.blocks)

"""`jaxrd sweep`: a source and a distortion in, the certified rate-distortion curve out."""

from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli.common import console, errors, headed, progress_bar, provenance, set_precision, timed, write


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
    dtype = set_precision(float32)
    import jax

    from jaxrd import Problem, plots, rate_at, sweep
    from jaxrd.cli.sampling import sample, shown
    from jaxrd.critical import critical_slope
    from jaxrd.errors import InputError
    from jaxrd.information import NATS_PER_BIT
    from jaxrd.io import csv_rows
    from jaxrd.io.read import PROBLEM_KEYS, load_problem, not_used
    from jaxrd.io.save import check_target
    from jaxrd.io.write import columns
    from jaxrd.solution import Status

    if slopes < 2:
        raise InputError(f"--slopes must be at least 2; got {slopes}.")
    for d in at or []:
        if not np.isfinite(d):
            raise InputError(f"--at must be a finite distortion; got {d:g}.")
    check_target(out, ["sweep.csv", *([] if no_plot else ["sweep.png"])], [file], document="sweep.json")
    with timed() as clock:
        given, found, sha256 = load_problem(file)
        notes = not_used(found, PROBLEM_KEYS)
        problem: Problem = jax.tree.map(lambda a: jax.numpy.asarray(a, dtype), given)
        distortion = np.asarray(given.distortion)
        critical = float(critical_slope(problem))
        most = np.inf if high is None else high  # at inf the least distortion, which no finite slope need reach
        least = min(critical, most) if low is None else low
        if not most > 0 or high == np.inf or (low is not None and not 0 < low < most):
            raise InputError(f"--low and --high must satisfy 0 < low < high; got {least:g} and {most:g}.")
        tolerance = 1e-5 if float32 else 1e-9
        with progress_bar() as tick:
            progress = partial(tick, "R(D)")
            if low is not None and high is not None:
                curve = sweep(problem, np.geomspace(low, high, slopes), progress=progress).curve()
            else:
                curve = sample(problem, slopes, low, most, tol=tolerance, progress=progress)
            points = [rate_at(problem, d) for d in at or []]
        meta = provenance(dtype=dtype, sha256=sha256, seed=None, clock=clock, tolerance=tolerance)

    table_of = {"R(D)": columns(curve, accuracy=False)}
    rows = [
        {"distortion": d, "rate_bits": float(p.rate) / NATS_PER_BIT, "gap_bits": float(p.gap) / NATS_PER_BIT,
         "status": Status(int(p.status)).name}
        for d, p in zip(at or [], points, strict=True)
    ]  # fmt: skip
    document = {
        "schema": "jaxrd.sweep/1", "name": file.name, "meta": meta,
        "summary": {"source_letters": distortion.shape[0], "reproduction_letters": distortion.shape[1],
                    "critical_slope": critical},
        "curves": table_of, "at": rows, "notes": list(notes),
    }  # fmt: skip
    files = [("sweep.csv", csv_rows(table_of))]
    if not no_plot:
        figure, ax = plots.new_figure()
        plots.curve_axes(ax, curve, label=f"R(D), gap at most {curve.gap.max():.1e} nat")
        ax.set_title(plots.literal(file.name), fontsize=11)
        if np.isfinite(right := shown(curve)):
            ax.set_xlim(right=right)
        files.append(("sweep.png", plots.png(figure)))
    written = write(out, files, ("sweep.json", document))

    converged = int(np.isin(curve.status, (Status.CONVERGED, Status.EXACT)).sum())
    console.print(
        headed(
            file.name,
            f": {distortion.shape[0]} x {distortion.shape[1]}, {len(curve.rate)} points of slopes "
            f"{least:.3g}..{most:.3g}, {converged} converged, largest gap {curve.gap.max():.1e} nat",
        ),
        highlight=False,
        soft_wrap=True,
    )
    for note in notes:
        console.print(f"note: {note}", style="dim", soft_wrap=True, highlight=False)
    if rows:
        table = Table()
        for head in ("distortion", "rate [bits]", "gap [bits]", "status"):
            table.add_column(head, justify="right")
        for r in rows:
            rate = "beyond" if np.isinf(r["rate_bits"]) else f"{r['rate_bits']:.6f}"
            table.add_row(f"{r['distortion']:.6g}", rate, f"{r['gap_bits']:.1e}", r["status"])
        console.print(table)
    console.print("wrote " + ", ".join(str(path) for path in written), soft_wrap=True, highlight=False)
    if converged < len(curve.rate) or any(r["status"] in ("MAX_STEPS", "STALLED", "NONFINITE") for r in rows):
        errors.print("jaxrd: not converged at some slopes, see status", highlight=False)
        raise typer.Exit(1)

"""`jaxrd rdc`: a source, its distortion and its label in, the rate-distortion-classification function out."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli.common import console, errors, headed, progress_bar, provenance, set_precision, timed, write
from jaxrd.errors import InputError

EXAMPLE = "rdc_mnist.npz"
TOLERANCE = 1e-9
CURVE = 24  # points of R(D) from which the largest distortion worth a figure is read
UNEVEN = 100.0  # the largest distortion in ordinary ones, from which it is read
GRID = {"lifted": 12, "fixed": 12, "literal": 6, "time-shared": 6}
MEANING = {
    "lifted": "the decoder may also emit a soft label",
    "literal": "H(S|Xh) on the reproduction alphabet; achieved, lower bound of the lifted one",
    "time-shared": "time sharing of literal codes; achieved, lower bound of the lifted one",
    "fixed": "cross entropy of the given classifier",
}
CERTIFIED = ("lifted", "fixed")


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
    dtype = set_precision(False)
    from jaxrd.datasets import embedded_path
    from jaxrd.io import csv_rows
    from jaxrd.io.labelled import read_labelled
    from jaxrd.io.save import check_target
    from jaxrd.rdc import surface as solve_surface

    if semantics not in GRID:
        raise InputError(f"--semantics must be one of {', '.join(GRID)}; got {semantics!r}.")
    if surface is not None and (surface < 0 or surface == 1):
        raise InputError(f"--surface must be 0 or at least 2; got {surface}.")
    if seed is not None and semantics == "fixed":
        raise InputError(f"--seed {seed} has no effect: --semantics fixed has no random starts.")
    if surface == 0 and not at and universal is None:
        raise InputError("--surface 0 leaves nothing to solve for: pass --at or --universal.")
    seed = seed or 0
    if seed < 0:
        raise InputError(f"--seed must be >= 0; got {seed}.")
    count = GRID[semantics] if surface is None else surface
    asked = [_pair("--at", text) for text in at or []]
    theta = [_pair("--universal", text) for text in universal.split(";")] if universal is not None else []

    check_target(out, ["rdc.csv", *([] if no_plot else ["rdc.png"])], [file], document="rdc.json")
    with timed() as clock:
        given = read_labelled(embedded_path(EXAMPLE) if file is None else file)
        name = "example: MNIST codewords, parity of the digit" if file is None else file.name
        if semantics == "fixed" and given.cross_entropy is not None and given.classifier is not None:
            given = given._replace(notes=(*given.notes, "not used: 'classifier', for 'cross_entropy' is there"))
        solver, target, limits = _solver(given, semantics, seed)
        points = [solver(given.problem, target, d, c) for d, c in asked]
        together = _universal(given.problem, target, semantics, solver, theta) if theta else None
        found = None
        if count:
            ends = [_shown(given.problem, limits[0][1]), limits[1][1]]
            grids = [np.linspace(low, end, count) for (low, _), end in zip(limits, ends, strict=True)]
            with progress_bar() as tick:
                found = solve_surface(given.problem, target, *grids, solver=solver, progress=partial(tick, "R(D, C)"))
        meta = provenance(dtype=dtype, sha256=given.sha256, seed=seed, clock=clock, tolerance=TOLERANCE)

    rows = [
        _row(d, c, semantics, point.rate, point.lower, point.status, point.distortion_slope)
        for (d, c), point in zip(asked, points, strict=True)
    ]
    on_grid = _grid_rows(found) if found is not None else []
    every = rows + on_grid + ([together] if together is not None else [])
    loose = [r for r in every if r["status"] in ("MAX_STEPS", "STALLED", "NONFINITE")]
    meaning = MEANING[semantics]
    if semantics in CERTIFIED:
        meaning += f"; certified except at {len(loose)} points" if loose else "; certified"
    document = {
        "schema": "jaxrd.rdc/1", "name": name, "meta": meta, "semantics": semantics, "meaning": meaning,
        "summary": _summary(given, limits), "rows": rows + on_grid, "universal": together,
        "notes": list(given.notes),
    }  # fmt: skip
    tables = {part: _columns(found) for part, found in (("at", rows), ("surface", on_grid)) if found}
    files = [("rdc.csv", csv_rows(tables))]
    if found is not None and not no_plot:
        files.append(("rdc.png", _figure(name, meaning, found, asked)))
    written = write(out, files, ("rdc.json", document))
    _report(name, given, semantics, meaning, rows, found, together)
    console.print("wrote " + ", ".join(str(path) for path in written), soft_wrap=True, highlight=False)
    if loose:
        widths = [r["rate_nats"] - r["lower_nats"] for r in loose]
        what = "not certified" if semantics in CERTIFIED else "no code found"
        errors.print(f"jaxrd: {what} at {len(loose)} points, widest {max(widths):.2g} nat; see status", highlight=False)
        raise typer.Exit(1)


def _pair(option: str, text: str) -> tuple[float, float]:
    try:
        distortion, classification = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} must be D,C, two numbers or inf; got {text!r}.") from None
    if np.isnan(distortion) or not classification >= 0:
        raise InputError(f"{option} must be D,C, C >= 0; got {text!r}.")
    return distortion, classification


def _shown(problem: Any, far: float) -> float:
    """The largest distortion of the grid: one letter far away, or a number for "never", must not take all of it."""
    from jaxrd.cli.sampling import sample, shown

    d = np.asarray(problem.distortion)[np.asarray(problem.source) > 0]
    with np.errstate(invalid="ignore"):
        excess = d - d.min(1, keepdims=True)
    nearest = np.where(excess > 0, excess, np.inf).min(1)
    largest = excess[np.isfinite(excess)].max(initial=0)
    if largest < UNEVEN * np.median(nearest):
        return far
    return min(far, shown(sample(problem, CURVE, None, np.inf, tol=TOLERANCE)))


def _solver(given: Any, semantics: str, seed: int) -> tuple[Callable[..., Any], Any, list[tuple[float, float]]]:
    """The function, what it takes for the label, and from where to where its targets matter."""
    from jaxrd.rdc import cross_entropies, fixed_classifier_rate, lifted_rate, literal_rate, time_shared_rate
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
        functions = {"lifted": lifted_rate, "literal": literal_rate, "time-shared": time_shared_rate}
        return (
            partial(functions[semantics], seed=seed),
            given.labels,
            [distortions, (float(p @ entropies(labels)), float(entropies(p @ labels)))],
        )
    if given.cross_entropy is None and given.classifier is None:
        raise InputError("--semantics fixed needs classifier (m, classes) or cross_entropy (n, m) in the file.")
    loss = given.cross_entropy
    if loss is None:
        loss = cross_entropies(given.labels, given.classifier)
    if loss.shape != d.shape:
        raise InputError(f"cross_entropy must have the distortion's shape {d.shape}; got {loss.shape}.")
    loss = np.where(kept[:, None], loss, 0.0)
    losses = float(p[kept] @ loss[kept].min(1)), float((p[kept] @ loss[kept]).min())
    return fixed_classifier_rate, loss, [distortions, losses]


def _universal(
    problem: Any, target: Any, semantics: str, solver: Callable[..., Any], theta: list[tuple[float, float]]
) -> dict[str, Any]:
    from jaxrd.rdc import universal_fixed_classifier_rate, universal_lifted_rate
    from jaxrd.rdc.representation.universal import universal_bounds

    certified = {"lifted": universal_lifted_rate, "fixed": universal_fixed_classifier_rate}
    together = certified.get(semantics, partial(universal_bounds, solver=solver))
    found = together(problem, target, *np.array(theta).T)
    return {
        "pairs": [{"distortion": d, "classification_nats": c} for d, c in theta],
        "semantics": found.semantics, "rate_nats": found.rate, "lower_nats": found.lower,
        "penalty_nats": found.penalty, "penalty_lower_nats": found.penalty_lower, "status": found.status.name,
    }  # fmt: skip


def _row(distortion, classification, semantics, rate, lower, status, slope) -> dict[str, Any]:
    from jaxrd.solution import Status

    return {
        "distortion": float(distortion), "classification_nats": float(classification), "semantics": semantics,
        "rate_nats": float(rate), "lower_nats": float(lower), "status": Status(int(status)).name,
        "distortion_slope": float(slope),
    }  # fmt: skip


def _grid_rows(found: Any) -> list[dict[str, Any]]:
    return [
        _row(d, c, found.semantics, *(a[i, j] for a in (found.rate, found.lower, found.status, found.distortion_slope)))
        for i, d in enumerate(found.distortion)
        for j, c in enumerate(found.classification)
    ]


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: [row[key] for row in rows] for key in rows[0]}


def _summary(given: Any, limits: list[tuple[float, float]]) -> dict[str, Any]:
    (near, far), (low, high) = limits
    return {
        "source_letters": len(given.problem.source), "reproduction_letters": given.problem.distortion.shape[1],
        "classes": given.labels.shape[1], "least_distortion": near, "silent_distortion": far,
        "least_classification_nats": low, "silent_classification_nats": high,
    }  # fmt: skip


def _figure(name: str, meaning: str, found: Any, asked: list[tuple[float, float]]) -> bytes:
    from jaxrd import plots

    figure, ax = plots.new_figure(7.6, 5.4)
    plots.surface_axes(ax, found.distortion, found.classification, found.rate, found.status, asked=asked)
    ax.set_title(f"{plots.literal(name)}\nR(D, C), {found.semantics}: {meaning}", fontsize=10)
    return plots.png(figure)


def _report(name: str, given: Any, semantics: str, meaning: str, rows: list, found: Any, together: dict | None) -> None:
    from jaxrd.information import NATS_PER_BIT

    n, m = given.problem.distortion.shape
    console.print(
        headed(name, f": {n} x {m}, {given.labels.shape[1]} classes, {semantics}: {meaning}"),
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    for note in given.notes:
        console.print(f"note: {note}", style="dim", soft_wrap=True, highlight=False)
    if rows:
        table = Table()
        for head in ("D", "C in nats", "rate in bits", "at least", "status"):
            table.add_column(head, justify="right")
        for r in rows:
            bits = [
                "infeasible" if np.isinf(r[k]) else f"{r[k] / NATS_PER_BIT:.6f}" for k in ("rate_nats", "lower_nats")
            ]
            table.add_row(f"{r['distortion']:.6g}", f"{r['classification_nats']:.6g}", *bits, r["status"])
        console.print(table)
    if together is not None:
        console.print(f"one encoder for all pairs: {_together(together)}", soft_wrap=True, highlight=False)
    if found is not None:
        gaps = found.gap[np.isfinite(found.gap)]
        console.print(
            f"surface {found.rate.shape[0]} x {found.rate.shape[1]}: widest bounds {gaps.max(initial=0):.1e} nat",
            highlight=False,
        )


def _together(together: dict[str, Any]) -> str:
    from jaxrd.information import NATS_PER_BIT

    rate, least, penalty = (together[key] / NATS_PER_BIT for key in ("rate_nats", "lower_nats", "penalty_nats"))
    if together["status"] == "INFEASIBLE":
        return "infeasible"
    if together["status"] == "CONVERGED":
        return f"{rate:.6f} bits, {penalty:.6f} more than the dearest pair alone"
    return f"between {least:.6f} and {rate:.6f} bits, at most {penalty:.6f} more than the dearest pair alone"

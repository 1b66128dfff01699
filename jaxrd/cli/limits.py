"""`jaxrd limits`: a classifier's outputs in, its rate-accuracy limits out."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli.common import (
    FILES,
    UNSAFE_PICKLE,
    FirstLabel,
    LabelColumn,
    Probabilities,
    Scores,
    console,
    errors,
    headed,
    need_file,
    progress_bar,
    provenance,
    reach,
    set_precision,
    timed,
    write,
)

RESULTS = {
    "oRD": "ord.json", "TMRD": "tmrd.json", "iE&C": "iec.json", "S&C": "sc.json", "E&C": "ec.json", "TS": "ts.json",
    "merge": "merge.json",
}  # fmt: skip


def limits_command(
    file: Annotated[Path | None, typer.Argument(help=FILES)] = None,
    labels: Annotated[Path | None, typer.Option(help="file of labels, where FILE has none")] = None,
    example: Annotated[
        str | None, typer.Option(help="embedded outputs: mnist-noisy (the default) or mnist-clean")
    ] = None,
    scores: Scores = None,
    label_column: LabelColumn = None,
    probabilities: Probabilities = None,
    first_label: FirstLabel = None,
    unsafe_pickle: Annotated[bool, typer.Option("--unsafe-pickle", help=UNSAFE_PICKLE)] = False,
    at: Annotated[list[float] | None, typer.Option(help="task distortion to solve for; repeatable")] = None,
    accuracy: Annotated[list[float] | None, typer.Option(help="accuracy to solve for; repeatable")] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="fix it (1: as is) and use every sample; else half the samples fit it"),
    ] = None,
    slopes: Annotated[int, typer.Option(help="points per curve")] = 32,
    pixels: Annotated[int | None, typer.Option(help="pixels per sample: adds bits per pixel")] = None,
    confidence: Annotated[
        float | None,
        typer.Option(help="say .95: adds intervals, rigorous bounds, cross-fitted curves and a sandwich of TMRD"),
    ] = None,
    kappa: Annotated[
        float | None,
        typer.Option(help="for the sandwich: E max_y |P(y|v) - v_y|, how far the posterior is off; else estimated"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="of the split that fits the temperature, and of the resampling; 0 if not given"),
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for limits.json, limits.csv, limits.png")] = Path("limits"),
    no_plot: Annotated[bool, typer.Option("--no-plot", help="no figure")] = False,
    float32: Annotated[
        bool, typer.Option("--float32", help="compute in float32: gaps of 1e-5 nat, relative to max(1, |L|)")
    ] = False,
) -> None:
    """How few bits per sample any scheme could spend for a given accuracy, given this classifier."""
    dtype = set_precision(float32)
    from jaxrd import datasets
    from jaxrd.cli import confidence as more
    from jaxrd.errors import InputError
    from jaxrd.information import NATS_PER_BIT
    from jaxrd.io import compressai, csv_rows, read_outputs
    from jaxrd.io.save import check_target
    from jaxrd.io.write import columns
    from jaxrd.tosc import CURVES, limits, statistics

    more.check_options(confidence, kappa)
    if file is not None and example is not None:
        raise InputError(f"pass FILE or --example, not both; got {file} and {example}.")
    if pixels is not None and pixels < 1:
        raise InputError(f"--pixels must be at least 1; got {pixels}.")
    need_file(
        file, labels=labels, scores=scores, label_column=label_column, probabilities=probabilities,
        first_label=first_label, unsafe_pickle=unsafe_pickle,
    )  # fmt: skip
    if seed is not None and seed < 0:
        raise InputError(f"--seed must be >= 0; got {seed}.")
    if seed is not None and temperature is not None and confidence is None:
        raise InputError(f"--seed {seed} has no effect: with --temperature and without --confidence nothing is random.")
    for option, values in (("--at", at), ("--accuracy", accuracy)):
        for value in values or []:
            if not 0 <= value <= 1:
                percent = f" Write {value / 100:g} for {value:g} %." if 1 < value <= 100 else ""
                raise InputError(f"{option} must lie in [0, 1]; got {value:g}.{percent}")
    asked = [*(at or []), *(1 - a for a in accuracy or [])]
    name = example or (datasets.DEFAULT_EXAMPLE if file is None else file.name)
    if file is None:
        if name not in datasets.EXAMPLES:
            raise InputError(f"no example {name!r}; there are: {', '.join(datasets.EXAMPLES)}.")
        file = datasets.example_path(name)

    names = ["limits.csv", *([] if no_plot else ["limits.png"]), *([] if pixels is None else RESULTS.values())]
    check_target(out, names, (file, labels), document="limits.json")
    with timed() as clock:
        outputs, sha256 = read_outputs(
            file, labels, scores=scores, label_column=label_column, probabilities=probabilities,
            first_label=first_label, unsafe_pickle=unsafe_pickle,
        )  # fmt: skip
        if seed is not None and outputs.logits is None and confidence is None:
            raise InputError(f"--seed {seed} has no effect: hard decisions without --confidence use nothing random.")
        seed = seed or 0
        with progress_bar() as tick:
            found = limits(
                outputs, at=asked or None, temperature=temperature, slopes=slopes, seed=seed,
                progress=tick,
            )  # fmt: skip
            stats = None
            if confidence is not None:
                stats = statistics(found, confidence=confidence, kappa=kappa, seed=seed, progress=tick)
        meta = provenance(dtype=dtype, sha256=sha256, seed=seed, clock=clock, tolerance=1e-5 if float32 else 1e-9)

    curves = {key: columns(c, pixels=pixels) for key, c in found.curves.items()}
    rows: list[dict[str, Any]] = [
        {key: v if key == "distortion" or v is None else v / NATS_PER_BIT for key, v in row.items()} for row in found.at
    ]
    for row in rows:
        row["status"] = {key: reach(v) for key, v in row.items() if key != "distortion"}
    warnings, crossed = list(found.warnings), {}
    if stats is not None:
        curves = {key: c | more.band_columns(stats, key) for key, c in curves.items()}
        crossed = {f"{key} cross-fitted": columns(c, pixels=pixels) for key, c in stats.cross_fitted.items()}
        warnings += [words] if (words := more.optimism(stats, found)) else []
        warnings += more.withheld(stats)
    summary: dict[str, Any] = dict(found.summary)
    summary["estimate_entropy_bits"] = summary.pop("estimate_entropy_nats") / NATS_PER_BIT
    document = {
        "schema": "jaxrd.limits/1", "name": name, "meta": meta | {"pixels": pixels, "estimator": "plug-in"},
        "summary": summary, "curves": {k: curves.get(k) for k in CURVES}, "at": rows,
        "reliability": [bin._asdict() for bin in found.reliability], "notes": list(outputs.notes), "warnings": warnings,
    }  # fmt: skip
    if stats is not None:
        document |= more.objects(stats, found, seed=seed, given=kappa is not None)
    files = [("limits.csv", csv_rows(curves | crossed))]
    if not no_plot:
        files.append(("limits.png", _figure(name, found, stats)))
    if pixels is not None:
        files += [
            (RESULTS[key], compressai(f"{name} {key}", f"{CURVES[key]}; top1 is a fraction", c, meta))
            for key, c in curves.items()
        ]
    written = write(out, files, ("limits.json", document))
    _report(name, outputs.notes, found, rows, warnings, meta["seconds"])
    if stats is not None:
        from jaxrd.cli.confidence_report import report

        report(stats, found)
    console.print("wrote " + ", ".join(str(path) for path in written), soft_wrap=True, highlight=False)
    unconverged = [key for key, c in found.curves.items() if np.isin(c.status, (1, 2, 3, 4)).any()]
    unconverged += [w for w in found.warnings if "did not converge" in w]
    if unconverged:
        errors.print(f"jaxrd: not converged at some slopes, see status: {', '.join(unconverged)}", highlight=False)
        raise typer.Exit(1)


def _figure(name: str, found: Any, stats: Any) -> bytes:
    from jaxrd import plots
    from jaxrd.tosc import CURVES

    def draw(ax: Any) -> None:
        plots.limits_axes(
            ax, found.curves, task_model_distortion=found.summary["task_model_distortion"],
            zero_rate_distortion=found.summary["zero_rate_distortion"], meanings=CURVES,
        )  # fmt: skip
        ax.set_title(f"{plots.literal(name)}: bits needed for a given accuracy", fontsize=11)

    if stats is None:
        figure, ax = plots.new_figure()
        draw(ax)
    else:
        from jaxrd.cli.confidence_report import confidence_figure

        figure = confidence_figure(stats, found, draw)
    return plots.png(figure)


def _report(name: str, notes: Any, found: Any, rows: Any, warnings: list[str], seconds: dict[str, float]) -> None:
    from jaxrd.tosc import CURVES

    s = found.summary
    console.print(
        headed(
            name,
            f": {s['samples']} samples"
            + (f" (of {s['samples_total']})" if s["samples"] != s["samples_total"] else "")
            + f", {s['classes']} classes, accuracy {1 - s['task_model_distortion']:.2%}"
            + (f", temperature {s['temperature']:.4g}" if s["temperature"] is not None else ""),
        ),
        highlight=False,
        soft_wrap=True,
    )
    console.print("; ".join(notes), style="dim", highlight=False)
    table = Table(title="bits per sample")
    table.add_column("curve")
    table.add_column("meaning")
    for row in rows:
        table.add_column(f"{1 - row['distortion']:.4g} acc.\nD = {row['distortion']:.4g}", justify="right")
    for key, meaning in CURVES.items():
        cells = [_cell(row[key]) for row in rows]
        table.add_row(key, meaning, *cells)
        if key == "TMRD":
            table.add_row("", "as model believes", *(_cell(row["TMRD_model"]) for row in rows), style="dim")
    console.print(table)
    shown = {_cell(row[key]) for row in rows for key in (*CURVES, "TMRD_model")}
    if "beyond" in shown:
        console.print("'beyond': the curve does not reach that accuracy", style="dim")
    if "-" in shown:
        console.print("'-': not computed, see the notes", style="dim")
    for warning in warnings:
        console.print(f"note: {warning}", highlight=False, soft_wrap=True)
    gaps = [np.nanmax(c.gap) for c in found.curves.values() if np.isfinite(c.gap).any()]
    console.print(
        f"largest certified gap {max(gaps):.1e} nat; compile {seconds['compile']:.1f} s, "
        f"solve {seconds['solve']:.1f} s",
        highlight=False,
        soft_wrap=True,
    )


def _cell(bits: float | None) -> str:
    word = reach(bits)
    return "-" if word == "not computed" else word if word == "beyond" else f"{bits:.4f}"

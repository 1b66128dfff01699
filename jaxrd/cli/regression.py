"""`jaxrd limits FILE --loss squared`: the limits of a regression, from its predictive laws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from jaxrd.cli.common import Meta, Tick, console, headed, print_line
from jaxrd.cli.run import Result, Target, run
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.regression import Regressed

_TAKES = ("file", "loss", "at", "slopes", "out", "no_plot")
_POINTS = 16
"""Of each curve, where `--slopes` has the value that it has for classes if it is not given."""
_USUAL = 32


def regression(
    files: Sequence[Path], at: list[float], slopes: int, written: tuple[Path, bool], given: Mapping[str, object]
) -> None:
    """Run `jaxrd limits` with squared error.

    Args:
        files: one, with the predictive laws.
        at: mean squared errors to solve for.
        slopes: points of each curve.
        written: the folder of the results, and whether there is no figure.
        given: all options of `jaxrd limits` by name; others than these have no meaning here.

    Raises:
        InputError: an option that has no meaning here, or none of the files that it reads.
    """
    for name, value in given.items():
        if name not in _TAKES and value not in (None, False, [], ()):
            raise InputError(f"--{name.replace('_', '-')} has no meaning with --loss squared, which has no classes.")
    out, no_plot = written
    if not files:
        raise InputError("--loss squared needs FILE, an .npz with target and a predictive law; there is no example.")
    if len(files) > 1:
        raise InputError(f"--loss squared is for one model; got {len(files)} files. Run limits on each of them.")
    path = files[0]
    for value in at:
        if not 0 <= value < float("inf"):
            raise InputError(f"--at must be a mean squared error >= 0; got {value:g}.")
    points = _POINTS if slopes == _USUAL else slopes

    def compute(tick: Tick) -> Result:
        found, sha256 = _regressed(path, at or None, points, tick)
        failed = ", ".join(found.failed)
        return Result(
            found.document, lambda meta: _files(found, no_plot), lambda meta: _report(found, meta), sha256,
            f"gaps above 5e-4 nat, see status: {failed}" if failed else None,
        )  # fmt: skip

    run(compute, Target(out, "limits.json", ["limits.csv", *([] if no_plot else ["limits.png"])], (path,)))


def _regressed(path: Path, at: list[float] | None, slopes: int, tick: Tick) -> tuple[Regressed, str]:
    from jaxrd.documents.regression import Regressed
    from jaxrd.io.regression import read_regression
    from jaxrd.tosc import regression_limits

    held = read_regression(path)
    limits = regression_limits(held.mean, held.variance, held.target, at=at or None, slopes=slopes, progress=tick)
    return Regressed(path.name, limits, held.notes), held.sha256


def _files(found: Regressed, no_plot: bool) -> Iterator[tuple[str, bytes]]:
    from jaxrd.io import csv_rows

    yield "limits.csv", csv_rows(found.curves)
    if not no_plot:
        from jaxrd.cli.regression_figure import figure

        yield "limits.png", figure(found.limits, found.name)


_ROWS = (
    ("oRD", "oracle lower bound"),
    ("TMRD", "the means, compressed"),
    ("TMRD_model", "as model believes"),
    ("Gaussian", "means if Gaussian: never more"),
)


def _report(found: Regressed, meta: Meta) -> None:
    """Print the summary, the rates and the warnings."""
    s = found.limits.summary
    words = f"mean squared error {s['task_model_distortion']:.4g} (believed {s['believed_distortion']:.4g}, without a "
    print_line(headed(found.name, f": {s['samples']} samples, {words}bit {s['zero_rate_distortion']:.4g})"))
    console.print("; ".join(found.notes), style="dim", highlight=False)
    table = Table(title="bits per sample")
    table.add_column("curve")
    table.add_column("meaning")
    for row in found.rows:
        table.add_column(f"MSE = {row['distortion']:.4g}\nRMSE = {row['distortion'] ** 0.5:.4g}", justify="right")
    for key, meaning in _ROWS:
        cells = [_cell(row[f"{key}_bits"], row["status"][key]) for row in found.rows]
        dim = key in ("TMRD_model", "Gaussian")
        table.add_row("" if key == "TMRD_model" else key, meaning, *cells, style="dim" if dim else None)
    console.print(table)
    if any(word == "beyond" for row in found.rows for word in row["status"].values()):
        console.print("'beyond': the curve does not reach that error", style="dim")
    for warning in found.limits.warnings:
        print_line(f"note: {warning}")
    gaps = [row[f"{name}_gap_bits"] for row in found.rows for name in ("oRD", "TMRD_model")]
    largest = max((gap for gap in gaps if gap == gap), default=0.0)
    seconds = meta["seconds"]
    print_line(
        f"largest certified gap {largest:.1e} bit; compile {seconds['compile']:.1f} s, solve {seconds['solve']:.1f} s"
    )


def _cell(bits: float, word: str) -> str:
    return f"{bits:.4f}" if word == "reached" else word

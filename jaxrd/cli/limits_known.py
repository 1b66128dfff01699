"""The option --known of `jaxrd limits`: a receiver with a classifier of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli.common import Tick, console, print_line
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxrd.cli.limits_asked import Asked
    from jaxrd.documents.known import Receiver
    from jaxrd.tosc import Limits, Outputs

KnownFile = Annotated[
    Path | None,
    typer.Option(
        "--known",
        help="the receiver's own outputs on the same samples, with labels: its decisions are known to both ends; adds "
        "oRD, TMRD and iE&C with them, and what they save",
    ),
]


def receiver(path: Path | None, whole: Outputs, limits: Limits, asked: Asked, tick: Tick) -> Receiver | None:
    """The curves where the decisions in a file are known to both ends; None where no file was named.

    Raises:
        InputError: the file cannot be read, or holds other samples.
    """
    if path is None:
        return None
    from jaxrd.documents.known import Receiver
    from jaxrd.io import read_outputs
    from jaxrd.tosc.known import given_decisions, known_rows

    try:
        theirs, sha256 = read_outputs(path)
        decisions = known_rows(whole, theirs, asked.temperature, asked.seed or 0)
    except InputError as error:
        raise (error if str(path) in str(error) else InputError(f"{path}: {error}")) from error
    known = given_decisions(limits, decisions, slopes=asked.slopes, progress=tick)
    used = limits.workings.outputs
    # Their classes may have other numbers where one side has left some out.
    names = np.asarray(theirs.class_names)[decisions], np.asarray(used.class_names)[used.labels]
    weights = np.full(len(decisions), 1 / len(decisions)) if used.weights is None else used.weights
    wrong = float(weights @ (names[0] != names[1]))
    return Receiver(path.name, sha256, wrong, known, asked.pixels, limits.is_error)


def report(found: Receiver) -> None:
    """Print the rates with the receiver's decisions known, and what is saved."""
    from jaxrd.tosc.known import KNOWN

    table = Table(title=f"bits per sample where both ends know the decisions of {found.name}, and what that saves")
    table.add_column("curve")
    for row in found.rows:
        accuracy = f"{1 - row['distortion']:.4g} acc.\n" if found.is_error else ""
        table.add_column(f"{accuracy}D = {row['distortion']:.4g}", justify="right")
    for name in KNOWN:
        table.add_row(name, *(_cell(row, name) for row in found.rows))
        table.add_row("  saves", *(_bits(row["saving_bits"][name]) for row in found.rows), style="dim")
    console.print(table)
    known = found.known
    print_line(
        f"{found.name}: error {found.distortion:.2%}, {known.values} different decisions of "
        f"{known.entropy / np.log(2):.3f} bits; without a bit more D = {known.zero_rate_distortion:.4g}",
        style="dim",
    )


def _cell(row: dict, name: str) -> str:
    return "beyond" if row["status"][name] == "beyond" else _bits(row[name])


def _bits(bits: float | None) -> str:
    return "-" if bits is None else f"{bits:.4f}"


def draw(ax: Axes, found: Receiver) -> None:
    """The conditional curves in the colours of the others, dashed; the receiver alone at the foot."""
    from jaxrd import plots
    from jaxrd.information import NATS_PER_BIT

    for name, curve in found.known.curves.items():
        colour, marker, _ = plots.STYLE[name]
        every = max(len(curve.rate) // 12, 1)
        ax.plot(
            curve.distortion, curve.rate / NATS_PER_BIT, color=colour, marker=marker, markersize=3, markevery=every,
            markerfacecolor="white", linestyle=(0, (4, 1.5)), linewidth=1.2, zorder=3,
        )  # fmt: skip
    words = f"dashed, hollow: decisions of {plots.literal(found.name)} known"
    ax.plot(
        [], [], color="0.4", marker="o", markerfacecolor="white", markersize=4, linestyle=(0, (4, 1.5)), label=words
    )
    ax.plot(
        [found.known.zero_rate_distortion], [0], "X", color="0.4", markersize=8, clip_on=False, zorder=6,
        label="at the foot: the receiver alone",
    )  # fmt: skip
    plots.place_legend(ax)

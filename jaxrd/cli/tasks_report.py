"""What `jaxrd tasks` prints and draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from jaxrd.cli.common import Meta, console, headed, print_line, print_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxrd.documents.tasks import Joint


def figure(joint: Joint) -> bytes:
    """The rate of two tasks over their limits, and what one stream saves, a PNG."""
    from matplotlib.figure import Figure

    from jaxrd import plots
    from jaxrd.information import NATS_PER_BIT

    found = joint.surface
    assert found is not None
    canvas = Figure(figsize=(11.5, 5.0), layout="constrained")
    left, right = canvas.subplots(1, 2)
    given = joint.limits
    _panel(left, joint, found.rate / NATS_PER_BIT, given.rate / NATS_PER_BIT, "joint rate  [bits per sample]")
    _panel(
        right, joint, found.saving / NATS_PER_BIT, given.saving / NATS_PER_BIT, "saved by one stream  [bits per sample]"
    )
    first, second = joint.tasks
    name = first.file if first.file == second.file else f"{first.file} and {second.file}"
    canvas.suptitle(f"{plots.literal(name)}: two tasks on one stream", fontsize=11)
    return plots.png(canvas)


def _panel(ax: Axes, joint: Joint, bits: np.ndarray, of_table: np.ndarray, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    from jaxrd import plots
    from jaxrd.solution import has_failed

    found = joint.surface
    assert found is not None
    side = round(len(bits) ** 0.5)
    first, second = (found.distortion[:, t].reshape(side, side) for t in (0, 1))
    values = np.ma.masked_invalid(bits.reshape(side, side))
    top = float(values.max()) if values.count() else 0.0
    if top > 1e-6:
        levels = MaxNLocator(8).tick_values(0, top)
        between = np.linspace(levels[0], levels[-1], 2 * len(levels) - 1)
        filled = ax.contourf(first, second, values, levels=between, cmap="cividis")
        lines = ax.contour(first, second, values, levels=levels[1:], colors="white", linewidths=0.8)
        ax.clabel(lines, fmt="%g", fontsize=8)
        ax.figure.colorbar(filled, ax=ax, ticks=levels).set_label(f"{label}\nstraight between the points of the grid")
    else:
        ax.text(0.5, 0.5, f"{label}:\nzero everywhere", ha="center", va="center", transform=ax.transAxes)
    bad = has_failed(found.status)
    if bad.any():
        ax.plot(*found.distortion[bad].T, "x", color="#D55E00", markersize=6, label="not certified", clip_on=False)
    asked = joint.limits.distortion
    low, high = found.distortion.min(0), found.distortion.max(0)
    points = np.column_stack([asked, of_table]).tolist()
    plots.marked(ax, points, "in the table", [(low[0], high[0]), (low[1], high[1])])
    ax.set_xlim(low[0], high[0] if high[0] > low[0] else low[0] + 1)
    ax.set_ylim(low[1], high[1] if high[1] > low[1] else low[1] + 1)
    ax.set_xlabel(f"D of task 1, {plots.literal(joint.tasks[0].loss)}")
    ax.set_ylabel(f"D of task 2, {plots.literal(joint.tasks[1].loss)}")
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize=9, loc="upper right")


def report(joint: Joint, meta: Meta) -> None:
    """Print the tasks, the rates and the warnings."""
    found = joint.limits
    used = f"{found.samples} samples" + (f" (of {joint.samples})" if found.samples != joint.samples else "")
    names = list(dict.fromkeys(task.file for task in joint.tasks))
    letters = int(np.prod([task.actions for task in joint.tasks]))
    print_line(headed(", ".join(names), f": {used}, {len(joint.tasks)} tasks, {letters} letters"))
    print_notes(joint.notes)
    for number, task in enumerate(joint.tasks):
        several = f" of {task.file}" if len(names) > 1 else ""
        print_line(
            f"task {number + 1}: {task.loss}{several}, {task.actions} actions, temperature "
            f"{found.temperature[number]:.4g}, decided at D = {found.least[number]:.4g}, no bits from D = "
            f"{found.silent[number]:.4g}"
        )
    _print_rates(joint)
    for warning in found.warnings:
        print_line(f"note: {warning}")
    gaps = [row["gap_bits"] for row in [*joint.rows, *joint.grid]]
    seconds = meta["seconds"]
    print_line(
        f"plug-in estimates; largest certified gap {max(gaps):.1e} bit; compile {seconds['compile']:.1f} s, solve "
        f"{seconds['solve']:.1f} s"
    )


def _print_rates(joint: Joint) -> None:
    """A line for each tuple of limits; a status where one is not CONVERGED."""
    table = Table(title="bits per sample")
    told = any(row["status"] != "CONVERGED" for row in joint.rows)
    for head in ("limits", "one\nstream", "each alone", "saved", "on the\nlabels", *(["status"] if told else [])):
        table.add_column(head, justify="right")
    for row in joint.rows:
        saved = "-" if np.isnan(row["saving_bits"]) else _cell(row["saving_bits"])
        table.add_row(
            ", ".join(f"{d:.4g}" for d in row["distortion"]), _cell(row["joint_bits"]),
            " + ".join(map(_cell, row["alone_bits"])), saved,
            ", ".join("-" if np.isnan(d) else f"{d:.4f}" for d in row["label_distortion"]),
            *([row["status"]] if told else []),
        )  # fmt: skip
    console.print(table)
    if any(np.isinf(row["joint_bits"]) for row in joint.rows):
        console.print("'beyond': no channel meets that limit, whatever its rate", style="dim")
    console.print(
        "'on the labels': the mean loss of the one stream's channel; limits are on the believed loss", style="dim"
    )


def _cell(bits: float) -> str:
    return "beyond" if np.isinf(bits) else f"{bits:.4f}"

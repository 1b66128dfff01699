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
    _panel(left, joint, found.rate / NATS_PER_BIT, "joint rate  [bits per sample]")
    _panel(right, joint, found.saving / NATS_PER_BIT, "saved by one stream  [bits per sample]")
    first, second = joint.tasks
    name = first.file if first.file == second.file else f"{first.file} and {second.file}"
    canvas.suptitle(f"{plots.literal(name)}: two tasks on one stream", fontsize=11)
    return plots.png(canvas)


def _panel(ax: Axes, joint: Joint, bits: np.ndarray, label: str) -> None:
    from jaxrd import plots
    from jaxrd.solution import has_failed

    found = joint.surface
    assert found is not None
    side = round(len(bits) ** 0.5)
    first, second = (found.distortion[:, t].reshape(side, side) for t in (0, 1))
    values = np.ma.masked_invalid(bits.reshape(side, side))
    top = float(values.max()) if values.count() else 0.0
    if top > 1e-6:
        filled = ax.contourf(first, second, values, levels=np.linspace(0, top, 17), cmap="cividis")
        lines = ax.contour(first, second, values, levels=np.linspace(0, top, 9)[1:-1], colors="white", linewidths=0.8)
        ax.clabel(lines, fmt="%.2f", fontsize=8)
        ax.figure.colorbar(filled, ax=ax, format="%.2f").set_label(label)
    else:
        ax.text(0.5, 0.5, f"{label}:\nzero everywhere", ha="center", va="center", transform=ax.transAxes)
    bad = has_failed(found.status)
    if bad.any():
        ax.plot(*found.distortion[bad].T, "x", color="#D55E00", markersize=6, label="not certified", clip_on=False)
    asked = joint.limits.distortion
    low, high = found.distortion.min(0), found.distortion.max(0)
    inside = asked[((asked >= low) & (asked <= high)).all(1)]
    if inside.size:
        ax.plot(
            *inside.T, "o", color="white", markeredgecolor="black", markersize=6, label="in the table", clip_on=False
        )
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
    """A line for each tuple of limits."""
    table = Table(title="bits per sample")
    count = len(joint.tasks)
    heads = [f"D{t + 1}" for t in range(count)] + ["one stream"] + [f"task {t + 1} alone" for t in range(count)]
    for head in (*heads, "sum", "saved", *(f"D{t + 1} on labels" for t in range(count)), "status"):
        table.add_column(head, justify="right")
    for row in joint.rows:
        limits = [f"{d:.4g}" for d in row["distortion"]]
        rates = [row["joint_bits"], *row["alone_bits"], row["sum_bits"], row["saving_bits"]]
        measured = ["-" if np.isnan(d) else f"{d:.4f}" for d in row["label_distortion"]]
        table.add_row(*limits, *(_cell(bits) for bits in rates), *measured, row["status"])
    console.print(table)


def _cell(bits: float) -> str:
    return "-" if np.isnan(bits) else "beyond" if np.isinf(bits) else f"{bits:.4f}"

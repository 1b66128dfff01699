"""What `jaxrd rdc` prints and draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from jaxrd.cli.common import console, headed, print_line, print_notes

if TYPE_CHECKING:
    from jaxrd.documents.rdc import Classified


def surface_figure(classified: Classified) -> bytes:
    """R(D, C) over the grid, a PNG."""
    from jaxrd import plots
    from jaxrd.information import NATS_PER_BIT

    found = classified.surface
    assert found is not None
    figure, ax = plots.new_figure(7.6, 5.4)
    losses = np.reshape(found.classification, (len(found.distortion), -1))
    one = classified.labels == 1
    asked = [(t[0], t[1] * NATS_PER_BIT, float(q.rate)) for t, q in classified.at] if one else []
    plots.surface_axes(ax, found.distortion, losses[:, 0], found.rate, found.status, asked=asked)
    if not one:  # the other labels' targets rise in proportion
        ends = ", ".join(
            f"C{k + 1}: {low:.3g} to {high:.3g}"
            for k, (low, high) in enumerate(zip(*(losses[[0, -1]] / NATS_PER_BIT), strict=True))
        )
        ax.set_ylabel(f"classification loss  C1  [bits]\nall in proportion, {ends}")
    title = plots.literal(classified.name)
    ax.set_title(f"{title}\nR(D, C), {classified.semantics}: {classified.meaning}", fontsize=10)
    return plots.png(figure)


def region_figure(classified: Classified) -> bytes:
    """The lower-left boundary of what the representation can be decoded to, a PNG."""
    from jaxrd import plots
    from jaxrd.information import NATS_PER_BIT

    decoded = classified.decoded
    assert decoded is not None
    region = decoded.region
    d, c = region.distortion, region.classification / NATS_PER_BIT
    right = d[-1] + max(0.25 * (d[-1] - d[0]), 0.1 * abs(d[-1]), 1e-3)
    top = c[0] + max(0.25 * (c[0] - c[-1]), 0.1 * abs(c[0]), 1e-3)
    figure, ax = plots.new_figure(7.6, 5.0)
    edge = np.array([d[0], *d, right]), np.array([top, *c, c[-1]])
    ax.fill_between(*edge, top, color="#0072B2", alpha=0.15, linewidth=0, label="can be decoded from Z")
    ax.plot(*edge, color="#0072B2", linewidth=1.6)
    if region.semantics != "literal":
        ax.plot(d, c, "o", color="#0072B2", markersize=6, label="decoders at the vertices")
    ax.set_xlim(d[0] - 0.05 * (right - d[0]), right)
    ax.set_ylim(c[-1] - 0.05 * (top - c[-1]), top)
    ax.set_xlabel("distortion  D")
    ax.set_ylabel("classification loss  C  [bits]")
    ax.grid(alpha=0.25)
    ax.legend(fontsize=9, loc="upper right")
    title = f"{plots.literal(classified.name)}\nrepresentation of {decoded.rate / NATS_PER_BIT:.4g} bits"
    ax.set_title(f"{title}, {region.semantics}: D and C above and right of the line", fontsize=10)
    return plots.png(figure)


def report(classified: Classified, size: str) -> None:
    """Print the answers."""
    print_line(headed(classified.name, f": {size}, {classified.semantics}: {classified.meaning}"))
    print_notes(classified.notes)
    _print_rates(classified)
    _print_least(classified)
    if classified.universal is not None:
        print_line(f"one encoder for all pairs: {_together(classified)}")
    if (s := classified.surface) is not None:
        from jaxrd.information import NATS_PER_BIT

        gaps = s.gap[np.isfinite(s.gap)] / NATS_PER_BIT
        rows, columns = s.rate.shape
        console.print(f"surface {rows} x {columns}: widest bounds {gaps.max(initial=0):.1e} bit", highlight=False)
    if classified.decoded is not None:
        _print_region(classified)


def _heads(classified: Classified) -> list[str]:
    """The names of the targets' columns."""
    return ["D", *(["C"] if classified.labels == 1 else [f"C{k + 1}" for k in range(classified.labels)])]


def _print_rates(classified: Classified) -> None:
    if not classified.rows:
        return
    table = _table([*_heads(classified), "rate", "at least", "status"], "rates and C in bits")
    for row in classified.rows:
        targets = [f"{row[name]:.6g}" for name in ("distortion", *classified.losses)]
        table.add_row(*targets, _cell(row["rate_bits"]), _cell(row["lower_bits"]), row["status"])
    console.print(table)
    for row in classified.searched:
        targets = ", ".join(f"{row[name]:.6g}" for name in ("distortion", *classified.losses))
        print_line(
            f"({targets}): {row['conjectured_bits']:.6f} bit at least if one of {row['ascents']} ascents met the best "
            "atom, which is not proved"
        )


def _print_least(classified: Classified) -> None:
    if not classified.least_rows:
        return
    table = _table(["rate", *_heads(classified), "at least", "status"], "the least at a rate; rates and C in bits")
    for row in classified.least_rows:
        targets = [
            f"least: {_cell(row[name])}" if name == row["least"] else f"{row[name]:.6g}"
            for name in ("distortion", *classified.losses)
        ]
        table.add_row(f"{row['rate_bits']:.6g}", *targets, _cell(row[f"lower_{row['least']}"]), row["status"])
    console.print(table)


def _print_region(classified: Classified) -> None:
    from jaxrd.information import NATS_PER_BIT

    decoded, rows = classified.decoded, classified.region_rows
    assert decoded is not None
    ends = [f"D = {row['distortion']:.6g} with C = {row['classification_bits']:.6f} bit" for row in rows]
    words = ends[0] if len(ends) == 1 else f"from {ends[0]} to {ends[-1]}, {len(ends)} points"
    print_line(f"from the representation of {decoded.rate / NATS_PER_BIT:.6f} bits, {rows[0]['semantics']}: {words}")


def _table(heads: list[str], title: str) -> Table:
    table = Table(title=title)
    for head in heads:
        table.add_column(head, justify="right")
    return table


def _cell(value: float) -> str:
    return "infeasible" if np.isposinf(value) else f"{value:.6f}"


def _together(classified: Classified) -> str:
    from jaxrd.solution import Status

    row, universal = classified.universal_row, classified.universal
    assert row is not None
    assert universal is not None
    rate, least, penalty = (row[key] for key in ("rate_bits", "lower_bits", "penalty_bits"))
    if universal.status == Status.INFEASIBLE:
        return "infeasible"
    if universal.status == Status.CONVERGED:
        return f"{rate:.6f} bits, {penalty:.6f} more than the dearest pair alone"
    return f"between {least:.6f} and {rate:.6f} bits, at most {penalty:.6f} more than the dearest pair alone"

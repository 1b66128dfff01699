"""`jaxrd sweep --block`: what blocks of n letters need, in a table and in the figure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli.common import Tick, console
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxrd.documents.blocks import Blocked
    from jaxrd.problem import Problem

_MOST = 10**6
_SHARES = 0.25, 0.5, 0.75
"""Where no distortion is asked for: of the way from the least to that of zero rate."""
_STYLE = (("#D55E00", "o"), ("#009E73", "^"), ("#CC79A7", "v"), ("#E69F00", "D"), ("#000000", "P"), ("#56B4E9", "X"))

Block = Annotated[
    str | None,
    typer.Option(
        help="lengths such as 1,10,100,1000: adds what codes of blocks of so many letters need; with --excess"
    ),
]
Excess = Annotated[float | None, typer.Option(help="probability that a block may exceed the distortion, such as .01")]


def lengths(block: str | None, excess: float | None) -> list[int]:
    """The lengths asked for, none where nothing is asked.

    Raises:
        InputError: an option that is no list of lengths or no probability, or one without the other.
    """
    if block is None:
        if excess is not None:
            raise InputError(f"--excess {excess:g} has no effect without --block, such as --block 1,10,100,1000.")
        return []
    if excess is None:
        raise InputError("--block needs --excess, the probability that a block may exceed the distortion, such as .01.")
    if not 0 < excess < 1:
        percent = f" Write {excess / 100:g} for {excess:g} %." if 1 <= excess < 100 else ""
        raise InputError(f"--excess must lie in (0, 1); got {excess:g}.{percent}")
    parts = block.split(",")
    if not all(re.fullmatch(" *[0-9]{1,9} *", part) and 1 <= int(part) <= _MOST for part in parts):
        raise InputError(f"--block must be lengths from 1 to {_MOST}, such as 1,10,100,1000; got {block!r}.")
    found = [int(part) for part in parts]
    if len(found) > len(_STYLE) or len(set(found)) < len(found):
        raise InputError(f"--block takes at most {len(_STYLE)} different lengths; got {block!r}.")
    return found


def blocked(problem: Problem, at: Sequence[float], wanted: Sequence[int], excess: float, tick: Tick) -> Blocked:
    """The rates of the blocks at the distortions asked for, or at some between the ends."""
    from jaxrd import blocklength
    from jaxrd.documents.blocks import Blocked
    from jaxrd.ends import distortion_range

    least, most = (float(end) for end in distortion_range(problem))
    if not at and not np.isfinite(most):
        raise InputError("--block needs --at here: no finite distortion is free, and none can be chosen.")
    found = []
    for done, d in enumerate(at or [least + share * (most - least) for share in _SHARES]):
        above = d > least + 1e-9 * max(1, abs(least))
        found.append((d, blocklength.rate(problem, d, list(wanted), excess) if above else None))
        tick("blocks", done + 1, len(at) or len(_SHARES))
    return Blocked(excess, wanted, found)


def draw(ax: Axes, blocks: Blocked) -> None:
    """A bar from the lower to the upper bound for each length, side by side, and a mark for the approximation."""
    from jaxrd import plots

    left, right = ax.get_xlim()
    bounds = [row[key] for row in blocks.rows for key in ("lower_bits", "upper_bits") if row[key] is not None]
    ax.set_ylim(0, max(ax.get_ylim()[1], 1.06 * max(bounds, default=0)))
    for k, n in enumerate(blocks.lengths):
        colour, marker = _STYLE[k]
        beside = 0.008 * (right - left) * (k - (len(blocks.lengths) - 1) / 2)
        rows = [row for row in blocks.rows if row["n"] == n and row["lower_bits"] is not None]
        for row in rows:
            d, low, high = row["distortion"] + beside, row["lower_bits"], row["upper_bits"]
            ends = [low, low if high is None else high]
            ax.plot([d, d], ends, color=colour, marker="_", markersize=8, linewidth=1.8, zorder=4)
            if high is None:
                ax.annotate(
                    "", (d, low + 0.06 * ax.get_ylim()[1]), (d, low), arrowprops={"arrowstyle": "->", "color": colour}
                )
        near = [(row["distortion"] + beside, row["approximation_bits"]) for row in rows]
        shown = np.array([point for point in near if point[1] <= ax.get_ylim()[1]]).reshape(-1, 2)
        ax.plot(*shown.T, marker, color=colour, markersize=4, zorder=5, label=f"n = {n}: approximation")
    words = f"bar: proved, {blocks.excess:g} of the blocks beyond D"
    ax.plot([], [], color="0.4", marker="_", linewidth=1.8, label=words)
    plots.place_legend(ax)


def report(blocks: Blocked) -> None:
    """Print the bounds, a row for each distortion and length."""
    table = Table(title=f"bits a letter of blocks of n letters, of which at most {blocks.excess:g} exceed D")
    for head in ("D", "n", "at least", "approximation", "some code reaches"):
        table.add_column(head, justify="right")
    for i, row in enumerate(blocks.rows):
        if i and row["distortion"] != blocks.rows[i - 1]["distortion"]:
            table.add_section()
        low, near, high = (("-" if row[key] is None else f"{row[key]:.4f}") for key in _BITS)
        words = high if row["status"] in ("bounded", "at the least distortion") else row["status"]
        table.add_row(f"{row['distortion']:.6g}", str(row["n"]), low, near, words)
    console.print(table)


_BITS = "lower_bits", "approximation_bits", "upper_bits"

"""What `jaxrd limits --by-class` prints and draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from jaxrd.cli.common import console, print_line

if TYPE_CHECKING:
    from jaxrd.tosc import ByClass, Limits
    from jaxrd.tosc.class_shares import ClassPoint

ByClassOption = Annotated[
    bool, typer.Option("--by-class", help="adds which classes spend the bits: by_class.csv, by_class.png")
]
_PRINTED = 10
_EACH = ("bits", "of all bits")
"""What is said of each curve."""


def _reaching(points: dict[str, ClassPoint | None]) -> dict[str, ClassPoint]:
    """The curves that reach a distortion."""
    return {name: point for name, point in points.items() if point is not None}


def _middle(found: ByClass, limits: Limits) -> tuple[float, dict[str, ClassPoint | None]] | None:
    """The middle one of the distortions asked for that a curve reaches."""
    reached = [
        (float(row["distortion"] or 0), points)
        for row, points in zip(limits.at, found.at, strict=True)
        if _reaching(points)
    ]
    reached.sort(key=lambda pair: pair[0])
    return reached[(len(reached) - 1) // 2] if reached else None


def _at(distortion: float, limits: Limits) -> str:
    return f"{1 - distortion:.4g} accuracy" if limits.is_error else f"a mean loss of {distortion:.4g}"


def figure(found: ByClass, limits: Limits, name: str) -> bytes:
    """Bits and accuracy of each class at the middle one of the distortions asked for, a PNG."""
    from jaxrd import plots
    from jaxrd.cli import by_class_figure

    chosen = _middle(found, limits)
    distortion, points = chosen if chosen is not None else (0.0, {})
    return plots.png(
        by_class_figure.figure(
            found.names, found.distortions, _reaching(points), is_error=limits.is_error,
            title=f"{plots.literal(name)}: the bits of each class at {_at(distortion, limits)}",
        )
    )  # fmt: skip


def report(found: ByClass, limits: Limits) -> None:
    """Print the classes that need the most bits at each distortion asked for."""
    for row, points in zip(limits.at, found.at, strict=True):
        reaching = _reaching(points)
        if reaching:
            console.print(_table(found, limits, float(row["distortion"] or 0), reaching))
        else:
            print_line(f"by class: no curve reaches D = {row['distortion']:.4g}")


def _table(found: ByClass, limits: Limits, distortion: float, points: dict[str, ClassPoint]) -> Table:
    from jaxrd.information import NATS_PER_BIT

    leading, there = next(iter(points.values())).rates, np.flatnonzero(found.share > 0)
    order = there[np.argsort(-leading[there], kind="stable")]
    title, word = f"bits by class at {_at(distortion, limits)}", "right" if limits.is_error else "loss"

    def measured(value: float) -> str:
        return f"{1 - value:.1%}" if limits.is_error else f"{value:.4g}"

    table = Table(title=title + (f": the {_PRINTED} that need most" if len(order) > _PRINTED else ""))
    table.add_column("class")
    for column in ("share", f"decided\n{word}", *(f"{key}\n{what}" for key in points for what in (*_EACH, word))):
        table.add_column(column, justify="right")
    for k in order[:_PRINTED].tolist():
        cells = [found.names[k], f"{found.share[k]:.2%}", measured(float(found.distortions[k]))]
        for point in points.values():
            spent = f"{found.share[k] * point.rates[k] / point.rate:.1%}" if point.rate > 0 else "-"
            cells += [f"{point.rates[k] / NATS_PER_BIT:.4f}", spent, measured(float(point.distortions[k]))]
        table.add_row(*cells)
    cells = ["all", "100%", measured(float(found.share @ np.nan_to_num(found.distortions)))]
    for point in points.values():
        cells += [f"{point.rate / NATS_PER_BIT:.4f}", "100%", measured(point.distortion)]
    table.add_row(*cells, style="bold")
    return table

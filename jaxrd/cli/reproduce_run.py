"""How `jaxrd reproduce` runs one figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaxrd.cli.common import Tick, headed, print_line, print_notes
from jaxrd.cli.run import Result, Target, run

if TYPE_CHECKING:
    from jaxrd.figures.reproduction import Reproduction

Out = Annotated[Path, typer.Option(help="folder for NAME.png, NAME.pdf, NAME.json, NAME.csv")]


def reproduce(
    name: str,
    compute: Callable[[Tick], Reproduction],
    out: Path,
    *,
    reads: Iterable[Path | None] = (),
    sha256: str | None = None,
    seed: int | None = None,
    float32: bool = False,
) -> None:
    """Run the verb of a figure.

    Args:
        name: of the figure.
        compute: called with tick(what, done, total).
        out: the folder.
        reads: the files that are read.
        sha256: of the data read, if any.
        seed: of what is random, if anything is.
        float32: for networks.
    """

    def computed(tick: Tick) -> Result:
        reproduction = compute(tick)
        failed = ", ".join(reproduction.failed)
        failure = f"not converged at some points, see status: {failed}" if failed else None
        return Result(
            reproduction.document, lambda _: reproduction.beside(), lambda _: _report(reproduction), sha256, failure
        )

    target = Target(out, f"{name}.json", [f"{name}.{kind}" for kind in ("csv", "png", "pdf")], reads)
    run(computed, target, seed=seed, float32=float32)


def _report(reproduction: Reproduction) -> None:
    """The paper's claims, each with what was found."""
    for claim in reproduction.claims:
        print_line(headed("paper", f"  {claim.paper}"))
        print_line(headed("found", f"  {claim.found}"))
    print_notes(reproduction.notes)

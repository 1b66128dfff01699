"""`jaxrd reproduce`: a figure of the papers recomputed, its numbers and claims beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from jaxrd.cli.common import console, forgive_interrupts, progress_bar, provenance, set_precision, timed

app = typer.Typer(
    help="Recompute a figure of the papers: picture, numbers, and the paper's claims beside what was found."
)

Out = Annotated[Path, typer.Option(help="folder for NAME.png, NAME.pdf, NAME.json, NAME.csv")]


def finish(compute: Callable[[Any], Any], out: Path, *, sha256: str | None = None, seed: int | None = None) -> None:
    """Compute in float64 under a clock and a progress bar, write the four files together, print the claims.

    Args:
        compute: called with tick(what, done, total); returns a `Reproduction`.
        out: the folder.
        sha256: of the data read, if any.
        seed: of what is random, if anything is.
    """
    dtype = set_precision(False)
    from jaxrd.io import save_all
    from jaxrd.io.write import check_writable

    check_writable(out)
    with timed() as clock:
        with progress_bar() as tick:
            found = compute(tick)
        meta = provenance(dtype=dtype, sha256=sha256, seed=seed, clock=clock, tolerance=1e-9)
    written = save_all(out, found.files(meta))
    forgive_interrupts()
    for claim in found.claims:
        console.print(f"[bold]paper[/bold]  {claim.paper}", soft_wrap=True, highlight=False)
        console.print(f"[bold]found[/bold]  {claim.found}", soft_wrap=True, highlight=False)
    for note in found.notes:
        console.print(f"note: {note}", style="dim", soft_wrap=True, highlight=False)
    console.print("wrote " + ", ".join(str(path) for path in written), soft_wrap=True, highlight=False)

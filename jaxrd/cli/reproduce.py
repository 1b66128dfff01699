"""`jaxrd reproduce`: a figure of the papers recomputed, its numbers and claims beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from jaxrd.cli.common import console, forgive_interrupts, progress_bar, provenance, set_precision, timed
from jaxrd.tosc.outputs import InputError


class _Figures(TyperGroup):
    """Commands that are figures: an unknown one is told which there are."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise InputError(f"no figure {args[0]!r}; there are: {', '.join(self.list_commands(ctx))}.")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Figures,
    help="Recompute a figure of the papers: picture, numbers, and the paper's claims beside what was found.",
    no_args_is_help=True,
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


@app.command("tosc-fig1")
def tosc_fig1_command(
    prior: Annotated[float, typer.Option(help="q = P(Y = 1)")] = 0.5,
    separation: Annotated[float, typer.Option(help="a: the modes lie at -a and a, in deviations of the noise")] = 1.0,
    out: Out = Path("tosc-fig1"),
) -> None:
    """Figure 1 of [A]: the Gaussian mixture; density, iRD, E&C, iE&C, oRD and C&E."""

    def compute(tick: Any) -> Any:
        from jaxrd.reproduce.tosc_fig1 import tosc_fig1

        return tosc_fig1(prior, separation, tick=tick)

    finish(compute, out)

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


Data = Annotated[Path | None, typer.Option(help="folder that holds mnist/ (default: $JAXRD_DATA)")]


def _mnist(data: Path | None) -> Any:
    """MNIST (train, test), or one line that says what is missing."""
    import os
    import struct
    import zlib

    from jaxrd import datasets
    from jaxrd.tosc import InputError

    hint = "pass --data FOLDER, or set JAXRD_DATA; FOLDER/mnist holds the four IDX files."
    named = data or os.environ.get("JAXRD_DATA")
    if not named:
        raise InputError(f"no MNIST: {hint}")
    folder = Path(named)
    try:
        splits = datasets.mnist(folder / "mnist" if (folder / "mnist").is_dir() else folder)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise InputError(f"no MNIST: {str(error).rstrip('.')}: {hint}") from error
    for images, labels in splits:
        if images.shape != (len(labels), 28, 28) or labels.max() > 9:
            raise InputError(f"no MNIST: images {images.shape} and labels {labels.shape} up to {labels.max()}: {hint}")
    return splits


@app.command("identifiability")
def identifiability_command(
    out: Out = Path("reproduced"),
    data: Data = None,
    quick: Annotated[bool, typer.Option("--quick", help="fewer images and points: minutes become seconds")] = False,
) -> None:
    """Corrupted MNIST: what is known of H(Y|X), and which bounds move ([A], appendix)."""
    import hashlib

    from jaxrd.tosc import InputError

    train, test = _mnist(data)
    try:
        from jaxrd.reproduce.identifiability import CORRUPTIONS, identifiability
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed, and the classifier needs it: pip install 'jaxrd[neural]'."
        ) from error
    options: dict[str, Any] = {}
    if quick:
        train, test = (type(split)(split.images[:n], split.labels[:n]) for split, n in ((train, 6000), (test, 1000)))
        few = [c._replace(strengths=c.strengths[1::2]) for c in CORRUPTIONS]
        options = {"accuracies": (0.7,), "corruptions": few, "slopes": 4}
    sha256 = hashlib.sha256(test.images.tobytes() + train.images.tobytes()).hexdigest()
    finish(lambda tick: identifiability(train, test, progress=tick, **options), out, sha256=sha256)


@app.command("tosc-fig1")
def tosc_fig1_command(
    prior: Annotated[float, typer.Option(help="q = P(Y = 1)")] = 0.5,
    separation: Annotated[float, typer.Option(help="a: the modes lie at -a and a, in deviations of the noise")] = 1.0,
    out: Out = Path("reproduced"),
) -> None:
    """Figure 1 of [A]: the Gaussian mixture; density, iRD, E&C, iE&C, oRD and C&E."""

    def compute(tick: Any) -> Any:
        from jaxrd.reproduce.tosc_fig1 import tosc_fig1

        return tosc_fig1(prior, separation, tick=tick)

    finish(compute, out)

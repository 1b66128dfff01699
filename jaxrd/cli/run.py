"""How every verb runs: read, compute, save, report and exit, in this order."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from jaxrd.cli.common import (
    Meta,
    Tick,
    errors,
    print_line,
    progress_bar,
    provenance,
    set_precision,
    timed,
    write,
)
from jaxrd.errors import InputError, StreamError

TOLERANCE = 1e-9
"""Gap in nats that the solvers are asked for in float64."""
COARSE = 1e-5
"""The same in float32."""
Html = Annotated[bool, typer.Option("--html", help="an interactive page, one file; needs Bokeh, the extra `report`")]


class Target(NamedTuple):
    """Where a verb writes, and what it reads.

    Args:
        folder: created if it is missing.
        document: name of the JSON.
        files: names of the files beside it.
        reads: the files or folders that are read, None for no file. No output may replace one of them.
    """

    folder: Path
    document: str
    files: Iterable[str]
    reads: Iterable[Path | None] = ()


@dataclass(frozen=True)
class Result:
    """What a verb computed.

    Args:
        document: the content of the JSON for a `meta`.
        files: names and contents of the files beside it for a `meta`.
        report: prints the result, once it is saved.
        sha256: of the data read, if any.
        failure: the message if `Status.failed` holds at a point, and the verb exits with 1; None: it holds at no point.
    """

    document: Callable[[Meta], Mapping[str, object]]
    files: Callable[[Meta], Iterable[tuple[str, bytes]]]
    report: Callable[[Meta], None]
    sha256: str | None
    failure: str | None = None


def failure(curves: Collection[str]) -> str | None:
    """The line for curves that a solver did not finish, if there are any."""
    return f"not converged at some slopes, see status: {', '.join(curves)}" if curves else None


def run(
    compute: Callable[[Tick], Result],
    target: Target,
    *,
    seed: int | None = None,
    float32: bool = False,
    tolerance: float | None = None,
    leads: bool = True,
    html: bool = False,
) -> None:
    """Run a verb whose options were checked.

    Args:
        compute: reads and computes; called with tick(what, done, total).
        target: checked before any work.
        seed: of what is random, if anything is.
        float32: compute in float32; else in float64.
        tolerance: gap in nats that the solvers are asked for; None: COARSE in float32, else TOLERANCE.
        leads: False in a process that only helps another one: it computes, and writes and prints nothing.
        html: write the interactive page of the document too.

    Raises:
        typer.Exit: with code 1, after all is saved and reported, where a solver failed at a point.
        InputError, OSError: nothing was written.
    """
    dtype = set_precision(float32)
    if tolerance is None:
        tolerance = COARSE if float32 else TOLERANCE
    from jaxrd.io.save import check_target

    if not leads:
        compute(lambda *_: None)
        return
    page_name = Path(target.document).with_suffix(".html").name
    names = [*target.files, *([page_name] if html else [])]
    if html:
        from jaxrd.report import require

        require()
    check_target(target.folder, names, target.reads, document=target.document)
    with timed() as clock:
        with progress_bar() as tick:
            result = compute(tick)
        meta = provenance(dtype=dtype, sha256=result.sha256, seed=seed, clock=clock, tolerance=tolerance)
    document, files = result.document(meta), result.files(meta)
    if html:
        from jaxrd.io.write import to_json
        from jaxrd.report import page

        files = [*files, (page_name, page(json.loads(to_json(document))))]
    written = write(target.folder, files, (target.document, document))
    result.report(meta)
    print_line("wrote " + ", ".join(str(path) for path in written))
    if result.failure is not None:
        errors.print(f"jaxrd: {result.failure}", highlight=False)
        raise typer.Exit(1)


def run_decoder(
    file: Path,
    out: Path,
    decode: Callable[[bytes, Tick], np.ndarray],
    words: Callable[[np.ndarray], str],
    *,
    reads: Iterable[Path] = (),
) -> None:
    """Run a verb that decodes a stream into one array.

    It writes no document, so it needs neither a clock nor provenance, for which JAX would look for its devices.

    Args:
        file: the stream.
        out: the array, .npy.
        decode: called with the stream and tick(what, done, total).
        words: describes the array in the line that is printed.
        reads: further files that are read.

    Raises:
        InputError, OSError: nothing was written.
    """
    from jaxrd._files import read_bytes
    from jaxrd.io.save import check_target

    refuse_unless_ends(out, ".npy")
    check_target(out.parent, [out.name], (file, *reads))
    stream = read_bytes(file)
    try:
        with progress_bar() as tick:
            array = decode(stream, tick)
    except StreamError as error:
        raise InputError(f"{file}: {error}") from error
    content = io.BytesIO()
    np.save(content, array)
    (written,) = write(out.parent, [(out.name, content.getvalue())])
    print_line(f"wrote {written}: {words(array)}")


def refuse_unless_ends(out: Path, suffix: str) -> None:
    """Refuse an output name that does not end in `suffix`.

    Raises:
        InputError: quotes the name.
    """
    if out.suffix != suffix:
        raise InputError(f"--out must be a name that ends in {suffix}; got {out}.")

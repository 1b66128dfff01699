"""How every verb of `jaxrd reproduce` ends: compute, write, print the claims."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jaxrd.cli.common import console, headed, progress_bar, provenance, set_precision, timed, write


def finish(
    name: str,
    compute: Callable[[Any], Any],
    out: Path,
    *,
    reads: Iterable[Path | None] = (),
    sha256: str | None = None,
    seed: int | None = None,
    float32: bool = False,
) -> None:
    """Compute in float64 (or 32) under a clock and a progress bar, write all files together, print the claims.

    Args:
        name: of the figure.
        compute: called with tick(what, done, total); returns a `Reproduction`.
        out: the folder.
        reads: the files that are read.
        sha256: of the data read, if any.
        seed: of what is random, if anything is.
        float32: for networks.
    """
    dtype = set_precision(float32)
    from jaxrd.io.save import check_target

    check_target(out, [f"{name}.{kind}" for kind in ("csv", "png", "pdf")], reads, document=f"{name}.json")
    with timed() as clock:
        with progress_bar() as tick:
            found = compute(tick)
        meta = provenance(dtype=dtype, sha256=sha256, seed=seed, clock=clock, tolerance=1e-9)
    written = write(out, found.beside(), (f"{name}.json", found.document(meta)))
    for claim in found.claims:
        console.print(headed("paper", f"  {claim.paper}"), soft_wrap=True, highlight=False)
        console.print(headed("found", f"  {claim.found}"), soft_wrap=True, highlight=False)
    for note in found.notes:
        console.print(f"note: {note}", style="dim", soft_wrap=True, highlight=False)
    console.print("wrote " + ", ".join(str(path) for path in written), soft_wrap=True, highlight=False)

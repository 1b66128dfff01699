"""`jaxrd merge`: the sweep that independent jobs computed, as one job would have written it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from jaxrd.cli.common import Tick
from jaxrd.cli.run import Result, Target, run
from jaxrd.cli.sweep import result


def merge_command(
    shards: Annotated[
        list[Path], typer.Argument(help="folders that jaxrd sweep --shard k/n wrote, all n in any order")
    ],
    out: Annotated[Path, typer.Option(help="folder for sweep.json, sweep.csv, sweep.png")] = Path("sweep"),
    no_plot: Annotated[bool, typer.Option("--no-plot", help="no figure")] = False,
) -> None:
    """Join the shards of a sweep into the files that one job would have written."""
    from jaxrd.documents.shards import POINTS, document_of, join

    documents = [document_of(path) for path in shards]

    def compute(tick: Tick) -> Result:
        del tick
        swept, meta, ends = join(documents)
        # Where and when the points were computed, not where they were joined.
        return replace(result(swept, ends, str(meta["sha256"]), no_plot), document=lambda _: swept.document(meta))

    names = ["sweep.csv", *([] if no_plot else ["sweep.png"])]
    reads = [path for document in documents for path in (document, document.with_name(POINTS))]
    run(compute, Target(out, "sweep.json", names, reads))
